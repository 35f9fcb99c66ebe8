"""Formatting of values for output: as JSON and as text."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time
from typing import Any

from genai_graph.errors import escape_unprintable

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json_value(value: Any) -> Any:
    """Convert a value to one that JSON can represent; non-finite numbers become their names."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else non_finite_name(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json_value(item) for item in value]
    return str(value)  # for example an EncryptedValue or a point


def non_finite_name(value: float) -> str:
    """Return the name of NaN or an infinity, as in fixtures: JSON has no literal for them."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def to_json(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(to_json_value(value), ensure_ascii=False)


def truncate(text: str, length: int) -> str:
    """Return text as one line of at most `length` characters, with an ellipsis if it was cut."""
    line = escape_unprintable(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def to_text(value: Any) -> str:
    """Return a string unchanged, "" for None, and any other value as JSON."""
    if value is None:
        return ""
    plain = to_json_value(value)
    return plain if isinstance(plain, str) else to_json(plain)
