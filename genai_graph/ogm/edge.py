"""The base class of the edge models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import neomodel

from genai_graph.errors import UnsupportedError
from genai_graph.properties.validation import full_clean
from genai_graph.registry import properties_of

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
        """Build an edge from stored properties, without validation."""
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
