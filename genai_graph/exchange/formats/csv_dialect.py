"""The dialect of `neo4j-admin database import`: which files a graph is, and their columns.

A file for each label and for each kind of edge, derived from the model classes. What the dialect
can't say stands in one more column, `exact:IGNORE`, which neo4j-admin skips: a map in JSON of
properties whose values hold whatever their own cells say.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.exchange.records import EdgeRecord, NodeRecord
from genai_graph.models import EDGES, NODES
from genai_graph.models.checking import properties_of
from genai_graph.models.properties import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    Strict,
)
from genai_graph.models.store import EdgeKind

if TYPE_CHECKING:
    from collections.abc import Mapping

EXACT = "exact"
# What is written between the items of a list: hardly any text has it.
SEPARATOR = "\x1f"
# What hands write there, and neo4j-admin expects unless it is told otherwise.
HAND_SEPARATOR = ";"
# neo4j-admin's names for one kind of value; the first is the one that is written.
_TYPES: dict[type[Strict], tuple[str, ...]] = {
    IntegerProperty: ("long", "int", "short", "byte"),
    FloatProperty: ("double", "float"),
    BooleanProperty: ("boolean",),
    DateTimeProperty: ("datetime",),
}


class Sheet(NamedTuple):
    """One file: its name, what its rows are, its key columns, and its properties."""

    name: str
    of: str | EdgeKind
    keys: tuple[str, ...]
    properties: Mapping[str, Strict]

    @property
    def record(self) -> type[NodeRecord | EdgeRecord]:
        """The class of the records that the rows become."""
        return NodeRecord if isinstance(self.of, str) else EdgeRecord

    @property
    def header(self) -> list[str]:
        """The columns as they are written."""
        typed = (f"{name}:{types_of(prop)[0]}" for name, prop in self.properties.items())
        return [*self.keys, *typed, f"{EXACT}:IGNORE"]


@functools.cache
def sheets() -> dict[str | EdgeKind, Sheet]:
    """Return all files, nodes first, by label and by kind of edge."""
    return {**{label: _node_sheet(label) for label in NODES}, **{k: _edge_sheet(k) for k in EDGES}}


def types_of(prop: Strict) -> tuple[str, ...]:
    """Return the names of a property's type; the first is the one that is written."""
    if isinstance(prop, ArrayProperty):
        return tuple(f"{name}[]" for name in types_of(prop.item))
    found = (names for kind, names in _TYPES.items() if isinstance(prop, kind))
    return next(found, ("string",))


def items(text: str) -> list[str]:
    """Return the items of a list in a cell."""
    return text.split(SEPARATOR if SEPARATOR in text else HAND_SEPARATOR) if text else []


def _node_sheet(label: str) -> Sheet:
    known = properties_of(NODES[label])
    rest = {name: prop for name, prop in known.items() if name != "uid"}
    return Sheet(f"{label}.csv", label, (f"uid:ID({label})",), rest)


def _edge_sheet(kind: EdgeKind) -> Sheet:
    keys = (f":START_ID({kind.source})", f":END_ID({kind.target})")
    name = f"{kind.source}-{kind.type}-{kind.target}.csv"
    return Sheet(name, kind, keys, properties_of(EDGES[kind]))
