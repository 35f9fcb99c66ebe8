"""Declaration of relationships on node classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

import neomodel
from typing_extensions import TypeVar

from genai_graph.errors import DeclarationError, UnknownPropertyError
from genai_graph.ogm.edge import Edge
from genai_graph.ogm.managers import RelationshipManager
from genai_graph.properties.validation import relationship_hint
from genai_graph.registry import NODES, OUTGOING, EdgeType

if TYPE_CHECKING:
    from typing_extensions import Self

    from genai_graph.ogm.node import Node

T = TypeVar("T", bound="Node")
E = TypeVar("E", bound=Edge, default=Edge)
# The dict of the properties of an edge.
V = TypeVar("V", bound=Mapping[str, Any], default=Mapping[str, Any])

_MANAGER: Any = RelationshipManager  # type checkers see its stub, not neomodel's class


class _Relationship(Generic[T, E, V]):
    """A descriptor: on a class the declaration, on a node the manager of its relationship."""

    name: str
    owner: Any
    definition: dict[str, Any]
    other_end: str

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.owner = owner

    @overload
    def __get__(self, node: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, node: Node, owner: Any = None) -> RelationshipManager[T, E, V]: ...
    def __get__(self, node: Node | None, owner: Any = None) -> Any:
        return self if node is None else node.__dict__[self.name]

    def lookup_node_class(self) -> None:
        """Find the class at the other end; neomodel looks names up in the caller's globals."""
        self.definition["node_class"] = NODES[self.other_end]

    def __set__(self, node: Node, value: object) -> None:
        """Raise `UnknownPropertyError`: edges are connected, not assigned."""
        subject = f"{type(node).__name__}.{self.name}"
        raise UnknownPropertyError(f"{subject}: {relationship_hint(type(node), self.name)}")


class RelationshipTo(_Relationship[T, E, V], neomodel.RelationshipTo):
    """A relationship to nodes of another class, which declares the edge type.

    `target` is a class or, if it is declared later, its name. `reverse` is the name of the
    attribute to add to it for the same edges, such as ``deployments``.

    Cycles are refused if it is `acyclic`. A node has at most one target with `at_most_one`, or is
    the only source of its targets with `exclusive` (not both). `start_at_target` says that the
    target usually has fewer edges of this type than the source.

    Raises `DeclarationError` if the edge type can't be declared like this.
    """

    def __init__(
        self,
        target: str | type[T],
        type: str,
        model: type[E] = Edge,  # type: ignore[assignment]
        *,
        reverse: str | None = None,
        acyclic: bool = False,
        at_most_one: bool = False,
        exclusive: bool = False,
        start_at_target: bool = False,
    ) -> None:
        self.other_end = target if isinstance(target, str) else target.__label__
        if at_most_one and exclusive:
            raise DeclarationError(
                f"{type} to {self.other_end}: choose at_most_one or exclusive, not both"
            )
        if not (isinstance(type, str) and type.isidentifier() and type.isascii()):
            raise DeclarationError(
                f"relationship to {self.other_end}: expected an edge type of letters, digits and "
                f"underscores such as DEPLOYS, got {type!r}"
            )
        super().__init__(self.other_end, type, cardinality=_MANAGER, model=model)
        self._type = type
        self.reverse = reverse
        self._constraints = {
            "acyclic": acyclic,
            "single_target": at_most_one,
            "single_source": exclusive,
            "start_at_target": start_at_target,
        }

    @property
    def edge_type(self) -> EdgeType:
        """The type of the edges."""
        model = self.definition["model"]
        key = tuple(model.identified_by.items())
        label, other = self.owner.__label__, self.other_end
        return EdgeType(label, self._type, other, **self._constraints, key=key)

    def reversed(self) -> RelationshipFrom[Any]:
        """Return the relationship of the other end."""
        model = self.definition["model"]
        return RelationshipFrom(self.owner.__label__, self.name, self._type, model)


class RelationshipFrom(_Relationship[T, E, V], neomodel.RelationshipFrom):
    """The same edges seen from their target; `reverse_of` names the attribute of the source.

    A node is not deleted while sources exist if the relationship `protects` it.
    """

    def __init__(
        self,
        source: str,
        reverse_of: str,
        type: str,
        model: type[E],
        *,
        protects: bool = False,
    ) -> None:
        super().__init__(source, type, cardinality=_MANAGER, model=model)
        self.other_end = source
        self.reverse_of = reverse_of
        self.protects = protects

    @property
    def edge_type(self) -> EdgeType:
        """The type of the edges, as the source declares it."""
        edge_type: EdgeType = OUTGOING[self.other_end][self.reverse_of].edge_type
        return edge_type
