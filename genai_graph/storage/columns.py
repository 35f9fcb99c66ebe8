"""The stored properties of nodes: JSON is stored by path, everything else under its name.

In this module, *values* are those of the rest of the package, with one text for each JSON property,
and *columns* are the stored properties.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from genai_graph.properties.json_columns import Columns, divide, stored_columns, unite
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.rows import values_equal

# The properties of `n` that hold JSON by path, as [name, value].
JSON_COLUMNS = (
    "[name IN keys(n) WHERE any(prefix IN $prefixes WHERE name STARTS WITH prefix) "
    "| [name, n[name]]]"
)

# The size of these properties: a character counts as one byte, and a name as 16.
JSON_SIZE = (
    "reduce(sum = 0, name IN [name IN keys(n) WHERE name CONTAINS '.'] | sum + 16 + "
    "coalesce(size(toStringOrNull(n[name])), CASE WHEN valueType(n[name]) STARTS WITH 'LIST' "
    "THEN reduce(size = 0, item IN n[name] | size + 9 + coalesce(size(toStringOrNull(item)), 0)) "
    "ELSE 0 END))"
)

_NO_COLUMNS: Columns = {}


@functools.cache
def json_names(label: str) -> frozenset[str]:
    """Return the names of the JSON properties of a label."""
    return frozenset(name for name, prop in properties_of(NODES[label]).items() if prop.is_json)


def prefixes(names: Iterable[str]) -> list[str]:
    """Return the prefixes of the stored properties of JSON properties."""
    return [f"{name}." for name in names]


def group_columns(stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return stored properties by the name of the declared property."""
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for column, value in stored.items():
        groups[column.partition(".")[0]][column] = value
    return groups


def to_columns(label: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored properties of a new node."""
    columns = {}
    for name, value in values.items():
        if value is None or name not in json_names(label):
            columns[name] = value
        else:
            columns |= divide(name, value)
    return columns


def json_columns(names: Iterable[str], values: Mapping[str, Any]) -> Columns:
    """Return the stored properties of JSON values of a new node; they must not be changed."""
    columns = _NO_COLUMNS
    for name in names:
        text = values.get(name)
        if text is not None:
            found = divide(name, text)
            columns = {**columns, **found} if columns else found
    return columns


def changed_columns(
    label: str, before: Mapping[str, Any], changed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the stored properties to set for changed values: null removes one.

    Only the keys of a JSON value that differ from the stored ones are written. `before` are the
    stored values.
    """
    columns: dict[str, Any] = {}
    for name, value in changed.items():
        if name not in json_names(label):
            columns[name] = value
            continue
        old = stored_columns(name, before.get(name))
        new = {} if value is None else divide(name, value)
        columns |= dict.fromkeys(old.keys() - new.keys())
        columns |= {
            column: item
            for column, item in new.items()
            if column not in old or not values_equal(old[column], item)
        }
    return columns


def from_columns(label: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a node by its stored properties. Undeclared ones are kept."""
    values = dict(stored)
    names = json_names(label)
    groups: dict[str, dict[str, Any]] = {}
    for column in [column for column in stored if "." in column or column in names]:
        name, dot, _ = column.partition(".")
        if name in names and (dot or stored[name] is not None):
            groups.setdefault(name, {})[column] = values.pop(column)
    for name, columns in groups.items():
        values[name] = unite(name, columns)
    return values
