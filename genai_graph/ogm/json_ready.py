"""Values of nodes as JSON-ready values, and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from genai_graph.errors import PropertyError
from genai_graph.properties.encryption import EncryptedValue
from genai_graph.properties.literals import format_datetime
from genai_graph.registry import properties_of


def to_json_ready(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are set: times as ISO 8601, NaN and infinity by name.

    A value whose key is missing is its ciphertext.
    """
    known = properties_of(cls)
    given = {name: values[name] for name in known if values.get(name) is not None}
    return {name: _to_json_ready(known[name], value) for name, value in given.items()}


def _to_json_ready(prop: Any, value: Any) -> Any:
    if isinstance(value, EncryptedValue):
        return value.text.strip('"')
    if prop.is_json:
        return copy.deepcopy(value)
    stored = prop.to_db(value)
    return format_datetime(stored) if prop.is_timestamp else prop.to_json(stored)


def from_json_ready(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the texts of times and of numbers such as NaN; leave other values unchanged."""
    known = properties_of(cls)
    return {
        name: _parse(known[name], value) if name in known else value
        for name, value in values.items()
    }


def _parse(prop: Any, value: Any) -> Any:
    if not isinstance(value, (str, list)) or prop.is_json:
        return value
    try:
        return prop.from_file(value)
    except PropertyError:
        return value  # rejected by the validation, which names the property
