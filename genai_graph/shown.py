"""Values as they are shown: as JSON has them, and as text."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time
from typing import Any

from genai_graph.errors import printable


def jsonable(value: Any) -> Any:
    """Turn a value into what JSON has; numbers that it lacks are written as in fixtures."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else non_finite(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value)  # such as what is encrypted


def non_finite(value: float) -> str:
    """Return the name of a number that JSON lacks."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def as_json(value: Any) -> str:
    """Return a value as JSON, in one line."""
    return json.dumps(jsonable(value), ensure_ascii=False)


def shortened(text: str, length: int) -> str:
    """Return a text as one line that is no longer than that; what was cut shows."""
    line = printable(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def as_text(value: Any) -> str:
    """Return a value as text: a text as it is, nothing for None, all else as JSON."""
    if value is None:
        return ""
    plain = jsonable(value)
    return plain if isinstance(plain, str) else as_json(plain)
