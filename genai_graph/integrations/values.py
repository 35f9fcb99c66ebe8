"""Parameters and metrics of frameworks as values that a run can log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from genai_graph.conversion import to_exact_float, unwrap


def json_ready(value: Any) -> Any:
    """Return a value of a configuration as JSON; objects as their text."""
    value = unwrap(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    return getattr(value, "__name__", None) or str(value)


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are numbers."""
    found = {name: to_exact_float(value) for name, value in values.items()}
    return {name: number for name, number in found.items() if number is not None}
