"""The registry of node classes and edge types.

The models register themselves here when `genai_graph.models` is imported. Everything below the
models looks classes up in the registry and never imports them.
"""

from __future__ import annotations

import functools
import json
from itertools import starmap
from typing import TYPE_CHECKING, Any

import msgspec
from neomodel import db
from neomodel.util import RelationshipDirection

from genai_graph.database import indexes
from genai_graph.database.connection import before_first_write
from genai_graph.database.cypher import match_uid, quote_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_graph.ogm.edge import Edge
    from genai_graph.ogm.node import Node
    from genai_graph.ogm.relationships import RelationshipFrom, RelationshipTo
    from genai_graph.properties.types import Property


class EdgeType(msgspec.Struct, frozen=True, cache_hash=True):
    """A type of edge between two labels, and its constraints.

    `acyclic` edges never form a cycle. With `single_target` a source has at most one target, with
    `single_source` a target has at most one source. `start_at_target` says that the target is the
    end with fewer edges, from which the edge is looked up.

    Two nodes have one edge for each combination of the properties in `key`, given as (name, value
    that a missing property stands for); without a key, one edge.
    """

    source: str
    type: str
    target: str
    acyclic: bool = False
    single_source: bool = False
    single_target: bool = False
    start_at_target: bool = False
    key: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        return f"{self.source}-{self.type}->{self.target}"

    @property
    def has_constraints(self) -> bool:
        """Whether an edge between two existing nodes can be refused."""
        return self.acyclic or self.single_source or self.single_target

    @property
    def low_degree_label(self) -> str:
        """The label of the end with fewer edges."""
        return self.target if self.start_at_target else self.source

    @property
    def pattern(self) -> str:
        """The Cypher pattern of the edge `r` from `a` to `b`, starting at the low-degree end.

        The embedded engine scans the edges of the node that is written first.
        """
        type_ = quote_name(self.type)
        return f"(b)<-[r:{type_}]-(a)" if self.start_at_target else f"(a)-[r:{type_}]->(b)"

    def pattern_from(self, *, by_source: bool) -> str:
        """Return the pattern of the edge `r` starting at one end, with the label of the other."""
        type_ = quote_name(self.type)
        if by_source:
            return f"(a)-[r:{type_}]->(b:{quote_name(self.target)})"
        return f"(b)<-[r:{type_}]-(a:{quote_name(self.source)})"

    def match_ends(self, source: str, target: str) -> str:
        """Return the clauses that match `a` and `b` by Cypher expressions for their uids."""
        return f"{match_uid('a', self.source, source)} {match_uid('b', self.target, target)}"

    def merge(self, values: str, key: Mapping[str, str]) -> str:
        """Return the clauses that create the edge from `a` to `b`, or update the existing one.

        `values` is a Cypher expression for its properties, or "". `key` are those for its key, by
        name.
        """
        if not self.key:
            return f"MERGE {self.pattern} SET r += {values}" if values else f"MERGE {self.pattern}"
        values = values or "{}"
        # MERGE can't match missing properties.
        return (
            f"OPTIONAL MATCH {self.pattern}{self.where(key)} "
            "FOREACH (_ IN CASE WHEN r IS NULL THEN [1] ELSE [] END | "
            f"CREATE (a)-[new:{quote_name(self.type)}]->(b) SET new = {values}) "
            f"FOREACH (old IN CASE WHEN r IS NULL THEN [] ELSE [r] END | SET old += {values})"
        )

    def where(self, values: Mapping[str, str]) -> str:
        """Return the WHERE clause for properties of the edge `r`, or "" without properties.

        `values` are Cypher expressions by name. Null equals a missing property.
        """
        return " WHERE " + " AND ".join(starmap(self._equals, values.items())) if values else ""

    def _equals(self, name: str, value: str) -> str:
        stored, default = f"r.{quote_name(name)}", dict(self.key).get(name)
        if default is None:
            return f"coalesce({stored} = {value}, {stored} IS NULL AND {value} IS NULL)"
        literal = json.dumps(default)  # a JSON string is also one in Cypher
        return f"coalesce({stored}, {literal}) = coalesce({value}, {literal})"

    @property
    def key_order(self) -> list[str]:
        """The Cypher expressions that sort the edges `r` between two nodes, as `sort_key` does."""
        return [
            f"CASE r.{quote_name(name)} WHEN {json.dumps(default or '')} THEN '' "
            f"ELSE coalesce(r.{quote_name(name)}, '') END"
            for name, default in self.key
        ]

    def key_of(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values of the key, which tell apart the edges between two nodes."""
        return tuple(
            default if (value := values.get(name)) is None else value for name, default in self.key
        )

    def sort_key(self, values: Mapping[str, Any]) -> tuple[tuple[bool, str], ...]:
        """Return the key in a form that can be sorted and hashed, whatever is stored.

        Default values come first, the others in the order of their text.
        """
        return tuple(
            (value is not None and value != default, "" if value is None else str(value))
            for (_, default), value in zip(self.key, self.key_of(values), strict=True)
        )

    def describe_key(self, values: Mapping[str, Any]) -> str:
        """Return the key as text for messages: `` with role 'test', split 'a'``, or "".

        Default values are omitted.
        """
        named = zip(self.key, self.key_of(values), strict=True)
        text = ", ".join(f"{n} {value!r}" for (n, default), value in named if value != default)
        return f" with {text}" if text else ""


NODES: dict[str, type[Node]] = {}
EDGES: dict[EdgeType, type[Edge]] = {}
# Relationship attributes: by label, then by the name of the attribute.
OUTGOING: dict[str, dict[str, RelationshipTo[Any]]] = {}
INCOMING: dict[str, dict[str, RelationshipFrom[Any]]] = {}


def register(*classes: type[Node]) -> None:
    """Add node classes, with the edge types of their relationships."""
    for cls in classes:
        NODES[cls.__label__] = cls
        OUTGOING[cls.__label__] = _relationships(cls, RelationshipDirection.OUTGOING)
        INCOMING[cls.__label__] = _relationships(cls, RelationshipDirection.INCOMING)
        # neomodel resolves labels to the class declared last, which may be a user's own class.
        db._NODE_CLASS_REGISTRY[frozenset({cls.__label__})] = cls
    for cls in classes:
        for relationship in OUTGOING[cls.__label__].values():
            EDGES[relationship.edge_type] = relationship.definition["model"]


def _relationships(cls: Any, direction: RelationshipDirection) -> dict[str, Any]:
    return {
        name: relationship
        for name, relationship in cls.__all_relationships__
        if relationship.definition["direction"] == direction
    }


def properties_of(cls: Any) -> dict[str, Property[Any]]:
    """Return the properties of a node or edge class by name, in order of declaration."""
    return _declared(cls)[0]


def required_properties(cls: Any) -> tuple[str, ...]:
    """Return the names of the required properties of a class."""
    return _declared(cls)[1]


def edge_type_names() -> list[str]:
    """Return the names of the edge types, each once: several edge types share a name."""
    return list(dict.fromkeys(edge_type.type for edge_type in EDGES))


@functools.cache
def _declared(cls: Any) -> tuple[dict[str, Property[Any]], tuple[str, ...]]:
    declared: dict[str, Property[Any]] = cls.defined_properties(aliases=False, rels=False)
    return declared, tuple(name for name, prop in declared.items() if prop.is_required)


# Without the unique constraints, two clients could create the same node twice.
before_first_write(lambda: indexes.install(NODES.values()))
