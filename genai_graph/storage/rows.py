"""Rows to write, the counts of a write, and the comparison of database values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import msgspec

from genai_graph.properties.json_columns import StoredJSON

# Every node has them. None means "not given", not "remove".
TIMESTAMPS = ("created_at", "updated_at")
_NUMBERS = (bool, int, float)
_VALUE_BYTES = 16  # estimated size of a name and a small value


class NodeRow(msgspec.Struct, frozen=True, gc=False):  # rows form no reference cycles
    """A node to write; None in `given` removes a property. `size` is in bytes, roughly."""

    uid: str
    given: dict[str, Any]
    size: int


class EdgeRow(msgspec.Struct, frozen=True, gc=False):
    """An edge to write; None in `given` removes a property. `size` is in bytes, roughly."""

    source: str
    target: str
    given: dict[str, Any]
    size: int


@dataclass(slots=True)
class WriteCounts:
    """Counts of created, changed and unchanged rows; `pending` ones were checked, not written."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    pending: int = 0

    @property
    def total(self) -> int:
        """The number of rows."""
        return self.created + self.changed + self.unchanged + self.pending

    @property
    def written(self) -> int:
        """The number of rows that were created or changed."""
        return self.created + self.changed

    def __str__(self) -> str:
        if self.pending:
            return f"{self.pending:,} to write"
        return f"{self.created:,} created, {self.changed:,} changed, {self.unchanged:,} unchanged"

    def add(self, other: WriteCounts) -> None:
        """Add other counts to these."""
        self.created += other.created
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.pending += other.pending


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)


def estimate_size(values: dict[str, Any]) -> int:
    """Return the approximate size of values in a message to the database, in bytes."""
    size = _VALUE_BYTES * len(values)
    for value in values.values():
        if type(value) is str:
            size += len(value)
        elif type(value) is list:
            size += sum(len(item) if type(item) is str else 9 for item in value)
    return size


def without_null_timestamps(given: dict[str, Any]) -> dict[str, Any]:
    """Drop null timestamps, so that a write never clears them."""
    return {
        name: value for name, value in given.items() if value is not None or name not in TIMESTAMPS
    }


def without_nulls(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values without nulls: the same dict if it contains none."""
    if None not in given.values():
        return given
    return {name: value for name, value in given.items() if value is not None}


def new_node_values(given: dict[str, Any], moment: datetime) -> dict[str, Any]:
    """Return the values of a new node as stored: without nulls, with timestamps."""
    return {**dict.fromkeys(TIMESTAMPS, moment), **without_nulls(given)}


def changed_values(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the given values that differ from the stored ones."""
    return {
        name: value for name, value in given.items() if not values_equal(before.get(name), value)
    }


def zeros_as_null(values: dict[str, Any]) -> dict[str, None]:
    """Return null for each value that is or contains 0.0, to be set before the values.

    Neo4j does not replace 0.0 by -0.0, nor a list by an equal one with the other zero.
    """
    return {name: None for name, value in values.items() if _has_zero(value)}


def _has_zero(value: Any) -> bool:
    if isinstance(value, list):
        return 0.0 in value
    return isinstance(value, float) and value == 0


def values_equal(one: Any, other: Any) -> bool:
    """Compare two database values as they are stored.

    Unlike with ``==``, NaN equals NaN, 1 is not 1.0 or True, and 0.0 is not -0.0. A JSON text that
    is not stored by path differs from an equal one, so that a merge stores it by path.
    """
    if isinstance(one, StoredJSON):
        return False
    if type(one) is not type(other) and isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
        return False
    if isinstance(one, float) and isinstance(other, float):
        if one == other:
            return one != 0 or math.copysign(1, one) == math.copysign(1, other)
        return math.isnan(one) and math.isnan(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(values_equal, one, other))
    return bool(one == other)
