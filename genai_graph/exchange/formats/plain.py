"""Values of the database as JSON says them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from genai_graph.models.checking import properties_of
from genai_graph.models.properties import (
    ArrayProperty,
    FloatProperty,
    JSONProperty,
)
from genai_graph.shown import non_finite


def jsonable(cls: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a node or an edge, ready for msgspec's encoder."""
    conversions = _conversions(cls)
    return {
        name: conversions[name](value) if name in conversions and value is not None else value
        for name, value in given.items()
    }


@functools.cache
def _conversions(cls: Any) -> dict[str, Callable[[Any], Any]]:
    """Return what msgspec would not do, by property: it has a way for texts, integers and times."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name, prop in properties_of(cls).items():
        if isinstance(prop, JSONProperty):
            found[name] = _raw
        elif isinstance(prop, FloatProperty):
            found[name] = _number
        elif isinstance(prop, ArrayProperty) and isinstance(prop.item, FloatProperty):
            found[name] = _numbers
    return found


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else non_finite(value)


def _numbers(values: list[float]) -> list[float | str]:
    return [_number(value) for value in values]
