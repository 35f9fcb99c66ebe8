"""Declaration of relationships on node classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import neomodel

from genai_graph.errors import UnsupportedError
from genai_graph.ogm.managers import RelationshipManager
from genai_graph.registry import EdgeType

if TYPE_CHECKING:
    from typing_extensions import Self

    from genai_graph.ogm.edge import Edge
    from genai_graph.ogm.node import Node

T = TypeVar("T", bound="Node")

_MANAGER: Any = RelationshipManager  # type checkers see its stub, not neomodel's class


class _Relationship(Generic[T]):
    """A descriptor: on a class the declaration, on a node the manager of its relationship."""

    name: str
    owner: Any
    definition: dict[str, Any]

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.owner = owner

    @overload
    def __get__(self, node: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, node: Node, owner: Any = None) -> RelationshipManager[T]: ...
    def __get__(self, node: Node | None, owner: Any = None) -> Any:
        return self if node is None else node.__dict__[self.name]


class RelationshipTo(_Relationship[T], neomodel.RelationshipTo):
    """A relationship to nodes of another class, which declares the edge type.

    Cycles are refused if it is `acyclic`. A node has at most one target with `at_most_one`, or is
    the only source of its targets with `exclusive` (not both). `start_at_target` says that the
    target usually has fewer edges of this type than the source.
    """

    def __init__(
        self,
        target: str,
        type: str,
        model: type[Edge],
        *,
        acyclic: bool = False,
        at_most_one: bool = False,
        exclusive: bool = False,
        start_at_target: bool = False,
    ) -> None:
        if at_most_one and exclusive:
            raise UnsupportedError(f"{type} to {target}: choose at_most_one or exclusive, not both")
        super().__init__(_import_path(target), type, cardinality=_MANAGER, model=model)
        self._target = target
        self._type = type
        self._constraints = {
            "acyclic": acyclic,
            "single_target": at_most_one,
            "single_source": exclusive,
            "start_at_target": start_at_target,
        }

    @property
    def edge_type(self) -> EdgeType:
        """The type of the edges."""
        key = tuple(self.definition["model"].identified_by.items())
        return EdgeType(
            self.owner.__label__, self._type, self._target, **self._constraints, key=key
        )


class RelationshipFrom(_Relationship[T], neomodel.RelationshipFrom):
    """The same edges seen from their target; `reverse_of` names the attribute of the source."""

    def __init__(self, source: str, reverse_of: str, type: str, model: type[Edge]) -> None:
        super().__init__(_import_path(source), type, cardinality=_MANAGER, model=model)
        self.reverse_of = reverse_of

    @property
    def edge_type(self) -> EdgeType:
        """The type of the edges, as the source declares it."""
        self.lookup_node_class()
        edge_type: EdgeType = getattr(self.definition["node_class"], self.reverse_of).edge_type
        return edge_type


def _import_path(label: str) -> str:
    # neomodel looks a bare name up in the globals of the first caller.
    return f"genai_graph.models.{label}"
