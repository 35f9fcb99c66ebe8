"""Relationship managers: the edges of one type at a node, with the nodes matched by uid.

Nodes are never matched by element id: the embedded engine reuses the id of a deleted node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic

from neomodel.util import RelationshipDirection
from typing_extensions import TypeVar

from genai_graph.database import run_in_transaction
from genai_graph.errors import EdgeError, EdgeTypeError, PropertyTypeError
from genai_graph.ogm.related_set import RelatedSet
from genai_graph.ogm.stubs import ManagerBase
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import deflate_values, full_clean
from genai_graph.storage.edges import delete_edges, find_edges, read_neighbours, upsert_edge
from genai_graph.storage.renaming import require_not_in_uid
from genai_graph.storage.rows import EdgeRow

if TYPE_CHECKING:
    from genai_graph.ogm.edge import Edge
    from genai_graph.ogm.node import Node
    from genai_graph.registry import EdgeType

T = TypeVar("T", bound="Node")
E = TypeVar("E", bound="Edge", default="Edge")
V = TypeVar("V", bound=Mapping[str, Any], default=Mapping[str, Any])


def require_class(node: Any, expected: type, subject: str) -> None:
    """Raise `EdgeTypeError` unless a node is of the expected class."""
    if not isinstance(node, expected):
        raise EdgeTypeError(
            f"{subject}: expected a genai_graph.{expected.__name__}, got {node!r} "
            f"({type(node).__module__}.{type(node).__qualname__})"
        )


class RelationshipManager(RelatedSet[T], ManagerBase, Generic[T, E, V]):
    """The edges of one type at a node, and the nodes at their other ends."""

    def connect(self, node: T, properties: V | None = None) -> E:
        """Connect a node, or update the properties of the existing edge; return the edge.

        There is one edge of a type between two nodes, or one for each combination of the properties
        that `Edge.identified_by` names. Other omitted properties keep their values; None removes a
        property. Both nodes must be saved.

        Raises `NotSavedError`, `EdgeTypeError` (wrong node class), `PropertyError`, `EdgeError` (a
        cycle, or more edges than allowed), `NodeNotFoundError`.
        """
        self.set_prefetched(None)
        source, target = self._ends(node)
        row = EdgeRow(source, target, self._values(properties), 0)
        return self._edge(run_in_transaction(lambda: upsert_edge(self.edge_type, row)), node)

    def disconnect(self, node: T, properties: V | None = None, **values: Any) -> None:
        """Delete the edges to a node: all of them, or those with some values.

        The values are keyword arguments or, as for `connect`, a dict. `disconnect(node)` deletes
        all edges, `disconnect(node, role="test")` those with this role.

        Raises `EdgeError` if the uid of a metric derives from the node at the other end.
        """
        having = self._values(properties) | self._values(values)
        require_not_in_uid(self.edge_type, *self._ends(node))
        run_in_transaction(lambda: self._delete(node, having))

    def _delete(self, node: T, having: dict[str, Any]) -> None:
        self.set_prefetched(None)
        delete_edges(self.edge_type, *self._ends(node), having)

    def disconnect_all(self) -> None:
        """Delete all edges of this type at the node."""
        self.set_prefetched(None)
        uid = self.source.saved_uid
        ends = (uid, None) if self._outgoing else (None, uid)
        require_not_in_uid(self.edge_type, *ends)
        run_in_transaction(lambda: delete_edges(self.edge_type, *ends))

    def replace(self, node: T, properties: V | None = None) -> None:
        """Replace all edges of this type at the node by one, atomically.

        The uid of a metric follows: it contains those of its dataset and its model.
        """

        def write() -> list[str]:
            replaced = self.all() if self._is_in_uid else []
            if not replaced:
                self.disconnect_all()
            for old_node in replaced:
                self._delete(old_node, {})
            self.connect(node, properties)
            return [old_node.saved_uid for old_node in replaced]

        _ = self._ends(node)  # raises errors before the first statement
        self.source.replace_references(self.name, node.saved_uid, write, lambda: False)

    def reconnect(self, old_node: T, new_node: T) -> None:
        """Move all edges with their properties from one node to another, atomically.

        The uid of a metric follows, as for `replace`.
        """

        def write() -> list[str]:
            edges = self.all_relationships(old_node)
            if not edges:
                raise EdgeError(f"{self.source!r} is not connected to {old_node!r}")
            if self._is_in_uid:
                self._delete(old_node, {})
            else:
                self.disconnect(old_node)
            for edge in edges:
                values = edge.__properties__.items()
                given: Any = {name: value for name, value in values if value is not None}
                self.connect(new_node, given)
            return [old_node.saved_uid] if self._is_in_uid else []

        def is_moved() -> bool:
            return self.is_connected(new_node) and not self.is_connected(old_node)

        _ = self._ends(new_node)
        self.source.replace_references(self.name, new_node.saved_uid, write, is_moved)

    @property
    def _is_in_uid(self) -> bool:
        """Whether the uid of the source may contain those of the connected nodes."""
        return self.name in type(self.source).uid_references

    def relationship(self, node: T, **values: Any) -> E | None:
        """Return the edge to a node that has some values, or None.

        If there are several, it is the first one in the order of `all_relationships`.
        """
        return next(iter(self.all_relationships(node, **values)), None)

    def all_relationships(self, node: T, **values: Any) -> list[E]:
        """Return the edges to a node, or those that have some values.

        An omitted property may have any value; None selects edges without it. A missing role is
        equal to the default one. The edges are sorted by the properties in `Edge.identified_by`,
        with default and missing values first.
        """
        found = find_edges(self.edge_type, *self._ends(node), self._values(values))
        return [self._edge(stored, node) for stored in found]

    def edges(self) -> Iterator[E]:
        """Return all edges with the nodes at both ends, read by one statement.

        They are sorted by the uids of the connected nodes, then as in `all_relationships`. The
        nodes of an edge are its `start_node()` and `end_node()`.
        """
        inflate = self.definition["node_class"].inflate
        found = read_neighbours(self.edge_type, self.source.saved_uid, by_source=self._outgoing)
        return (self._edge(stored, inflate(node)) for node, stored in found)

    def is_connected(self, node: T) -> bool:
        """Return whether there is an edge to a node."""
        return bool(find_edges(self.edge_type, *self._ends(node), {}))

    def __contains__(self, node: Any) -> bool:
        return self.is_connected(node)

    @property
    def edge_type(self) -> EdgeType:
        """The type of the edges."""
        edge_type: EdgeType = getattr(type(self.source), self.name).edge_type
        return edge_type

    @property
    def _outgoing(self) -> bool:
        return bool(self.definition["direction"] == RelationshipDirection.OUTGOING)

    def _ends(self, node: Node) -> tuple[str, str]:
        subject = f"{type(self.source).__name__}.{self.name}"
        require_class(node, self.definition["node_class"], subject)
        uid, other_uid = self.source.saved_uid, node.saved_uid
        return (uid, other_uid) if self._outgoing else (other_uid, uid)

    def _values(self, properties: Mapping[str, Any] | None) -> dict[str, Any]:
        """Validate properties of an edge, and return their database values."""
        model = self.definition["model"]
        if not isinstance(properties, (Mapping, type(None))):
            raise PropertyTypeError(
                f"{model.__name__}: expected a dict of properties, got {describe(properties)}"
            )
        return deflate_values(model, full_clean(model, properties or {}))

    def _edge(self, stored: dict[str, Any], node: T) -> E:
        edge: E = self._set_start_end_cls(self.definition["model"].inflate(stored), node)
        ends = (self.source, node) if self._outgoing else (node, self.source)
        edge._source, edge._target = ends
        return edge
