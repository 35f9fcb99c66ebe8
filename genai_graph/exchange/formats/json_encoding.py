"""Values of the database as JSON says them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from genai_graph.registry import properties_of


def encodable_values(cls: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a node or an edge, ready for msgspec's encoder."""
    conversions = _conversions(cls)
    return {
        name: conversions[name](value) if name in conversions and value is not None else value
        for name, value in given.items()
    }


@functools.cache
def _conversions(cls: Any) -> dict[str, Callable[[Any], Any]]:
    return {
        name: prop.to_json for name, prop in properties_of(cls).items() if not prop.is_json_native
    }
