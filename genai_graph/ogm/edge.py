"""The base class of the edge models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import neomodel
from neo4j.graph import Relationship

from genai_graph.database import query
from genai_graph.errors import UnsupportedError
from genai_graph.properties.types import LocationProperty
from genai_graph.properties.validation import full_clean
from genai_graph.registry import EDGES, properties_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from genai_graph.errors import PropertyError
    from genai_graph.ogm.node import Node


class Edge(neomodel.StructuredRel):
    """An edge with validated properties. Relationship managers create and return edges.

    `identified_by` are the string properties that tell apart the edges of a type between two nodes,
    each with the value that a missing one stands for; without them, there is one edge.
    """

    identified_by: ClassVar[Mapping[str, str | None]] = {}

    origin = LocationProperty(help_text="import that created the edge, such as mlflow:HOST/DB")

    _source: Node
    _target: Node

    def __init__(self, **values: Any) -> None:
        super().__init__(**full_clean(type(self), values))

    @classmethod
    def check_constraints(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield nothing: the properties of an edge are independent of each other."""
        return iter(())

    def __repr__(self) -> str:
        values = {name: value for name, value in self.__properties__.items() if value is not None}
        return f"<{type(self).__name__} {values}>" if values else f"<{type(self).__name__}>"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), *self._ends()))

    def __getstate__(self) -> dict[str, Any]:
        # neomodel's attributes, such as the methods that display choices, belong to the object.
        names = (*properties_of(type(self)), "_source", "_target")
        return {name: self.__dict__[name] for name in names if name in self.__dict__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__init__()
        self.__dict__.update(state)

    def _ends(self) -> tuple[Node | None, Node | None]:
        return self.__dict__.get("_source"), self.__dict__.get("_target")

    def _key(self) -> tuple[Any, ...]:
        return (*self._ends(), self.__properties__)

    def start_node(self) -> Node:
        """Return the node at which the edge starts."""
        return self._end("_source")

    def end_node(self) -> Node:
        """Return the node at which the edge ends."""
        return self._end("_target")

    def _end(self, name: str) -> Node:
        if name not in self.__dict__:
            raise UnsupportedError(
                "the ends of this edge are unknown: get it from a relationship, such as "
                "model.trained_on.relationship(dataset)"
            )
        node: Node = self.__dict__[name]
        return node

    @classmethod
    def inflate(cls, graph_entity: Any) -> Any:
        """Build an edge from stored properties, without validation.

        neomodel knows one class for all edges of a type; here it depends on the labels of the ends.
        """
        if isinstance(graph_entity, Relationship):
            cls = _resolve_class(graph_entity, default=cls)
        edge = cls()
        for name, prop in properties_of(cls).items():
            value = graph_entity.get(name)
            setattr(edge, name, None if value is None else prop.to_python(value))
        return edge

    def save(self) -> Self:
        """Raise `UnsupportedError`: an edge has no key to match it by."""
        raise UnsupportedError(
            "an edge can't be saved: connect its nodes again with new properties"
        )


def _resolve_class(edge: Relationship, default: type[Edge]) -> type[Edge]:
    """Return the class of an edge read from the graph."""
    classes = {
        (edge_type.source, edge_type.target): cls
        for edge_type, cls in EDGES.items()
        if edge_type.type == edge.type
    }
    if len(set(classes.values())) < 2:
        return default
    source, target = (set() if node is None else set(node.labels) for node in edge.nodes)
    if not source or not target:  # the statement returned the edge without its ends
        rows = query(
            "MATCH (a)-[r]->(b) WHERE elementId(r) = $id RETURN labels(a) AS a, labels(b) AS b",
            id=edge.element_id,
        )
        source, target = (set(rows[0][name]) if rows else set() for name in "ab")
    found = (cls for (a, b), cls in classes.items() if a in source and b in target)
    return next(found, default)
