"""Node sets and relationship managers: neomodel's, with nodes matched by uid.

Nodes are never matched by element id: the embedded engine reuses the id of a deleted node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import neomodel
from neomodel.sync_.match import QueryBuilder
from neomodel.util import RelationshipDirection

from genai_graph.database import atomic, match_uid, run_in_transaction
from genai_graph.errors import EdgeError, EdgeTypeError, PropertyTypeError
from genai_graph.ogm import html
from genai_graph.ogm.stubs import ManagerBase, NodeSetBase
from genai_graph.properties.encryption import refuse_search
from genai_graph.properties.messages import describe
from genai_graph.properties.types import Property
from genai_graph.properties.validation import deflate_values, full_clean
from genai_graph.storage.edges import delete_edges, find_edges, read_neighbours, upsert_edge
from genai_graph.storage.rows import EdgeRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from genai_graph.ogm.edge import Edge
    from genai_graph.ogm.node import Node
    from genai_graph.registry import EdgeType

T = TypeVar("T", bound="Node")


def require_class(node: Any, expected: type, subject: str) -> None:
    """Raise `EdgeTypeError` unless a node is of the expected class."""
    if not isinstance(node, expected):
        raise EdgeTypeError(
            f"{subject}: expected a genai_graph.{expected.__name__}, got {node!r} "
            f"({type(node).__module__}.{type(node).__qualname__})"
        )


class UidQueryBuilder(QueryBuilder):
    """Queries that start at a node matched by label and uid instead of its element id."""

    def build_node(self, node: Any) -> str:
        """Start at a single node."""
        ident: str = node.__label__.lower()
        placeholder = self._register_place_holder(ident)
        self._ast.lookup = f"{match_uid(ident, node.__label__, f'${placeholder}')} WITH {ident}"
        self._query_params[placeholder] = node.saved_uid
        self._ast.return_clause = ident
        self._ast.result_class = type(node)
        return ident

    def build_traversal(self, traversal: Any) -> str:
        """Return each node once, although several edges may lead to it."""
        if not traversal.definition["model"].identified_by:
            return str(super().build_traversal(traversal))
        others, self._ast.where = self._ast.where, []
        ident = str(super().build_traversal(traversal))
        where = f" WHERE {' AND '.join(self._ast.where)}" if self._ast.where else ""
        pattern = self._ast.match.pop()
        self._ast.lookup = f"{self._ast.lookup} MATCH {pattern}{where} WITH DISTINCT {ident}"
        self._ast.where = others
        return ident

    def contains_uid(self, uid: str) -> bool:
        """Return whether a node with this uid is among the results."""
        ident = self._ast.return_clause
        placeholder = self._register_place_holder(f"{ident}_contains")
        self._ast.where.append(f"{ident}.uid = ${placeholder}")
        self._query_params[placeholder] = uid
        return self._count() >= 1


class _UidQueries:
    """Mixin for node sets that use `UidQueryBuilder`."""

    query_cls: Any = UidQueryBuilder

    def __contains__(self, node: Any) -> bool:
        found: bool = self.query_cls(self).build_ast().contains_uid(node.saved_uid)
        return found


class _RelatedNodes(_UidQueries, neomodel.Traversal):
    """The nodes at the other ends of the edges of one node."""

    def match(self, **filters: Any) -> Any:
        super().match(**filters)
        return NodeSet(self)


class NodeSet(_UidQueries, NodeSetBase[T]):
    """neomodel's NodeSet, with nodes matched by uid; its bulk methods call those of `Node`."""

    def order_by(self, *names: Any) -> Self:
        """Order by properties; raise `UnsupportedError` for an encrypted one."""
        for name in names:
            prop = getattr(self.source_class, str(name).lstrip("-"), None)
            if isinstance(prop, Property):
                refuse_search(prop)
        return super().order_by(*names)

    def _repr_html_(self) -> str:
        """Show the first nodes in a notebook, one per row."""
        return html.node_set_table(self)


class RelationshipManager(ManagerBase, Generic[T]):
    """The edges of one type at a node, and the nodes at their other ends."""

    def connect(self, node: T, properties: dict[str, Any] | None = None) -> Edge:
        """Connect a node, or update the properties of the existing edge; return the edge.

        There is one edge of a type between two nodes, or one for each combination of the properties
        that `Edge.identified_by` names. Other omitted properties keep their values; None removes a
        property. Both nodes must be saved.

        Raises `NotSavedError`, `EdgeTypeError` (wrong node class), `PropertyError`, `EdgeError` (a
        cycle, or more edges than allowed), `NodeNotFoundError`.
        """
        source, target = self._ends(node)
        row = EdgeRow(source, target, self._values(properties), 0)
        return self._edge(run_in_transaction(lambda: upsert_edge(self.edge_type, row)), node)

    def disconnect(self, node: T, properties: dict[str, Any] | None = None, **values: Any) -> None:
        """Delete the edges to a node: all of them, or those with some values.

        The values are keyword arguments or, as for `connect`, a dict. `disconnect(node)` deletes
        all edges, `disconnect(node, role="test")` those with this role.
        """
        having = self._values(properties) | self._values(values)
        delete_edges(self.edge_type, *self._ends(node), having)

    def disconnect_all(self) -> None:
        """Delete all edges of this type at the node."""
        uid = self.source.saved_uid
        delete_edges(self.edge_type, *((uid, None) if self._outgoing else (None, uid)))

    def replace(self, node: T, properties: dict[str, Any] | None = None) -> None:
        """Replace all edges of this type at the node by one, atomically."""
        with atomic():
            self.disconnect_all()
            self.connect(node, properties)

    def reconnect(self, old_node: T, new_node: T) -> None:
        """Move all edges with their properties from one node to another, atomically."""
        with atomic():
            edges = self.all_relationships(old_node)
            if not edges:
                raise EdgeError(f"{self.source!r} is not connected to {old_node!r}")
            self.disconnect(old_node)
            for edge in edges:
                values = edge.__properties__.items()
                given = {name: value for name, value in values if value is not None}
                self.connect(new_node, given)

    def relationship(self, node: T, **values: Any) -> Edge | None:
        """Return the edge to a node that has some values, or None.

        If there are several, it is the first one in the order of `all_relationships`.
        """
        return next(iter(self.all_relationships(node, **values)), None)

    def all_relationships(self, node: T, **values: Any) -> list[Edge]:
        """Return the edges to a node, or those that have some values.

        An omitted property may have any value; None selects edges without it. A missing role is
        equal to the default one. The edges are sorted by the properties in `Edge.identified_by`,
        with default and missing values first.
        """
        found = find_edges(self.edge_type, *self._ends(node), self._values(values))
        return [self._edge(stored, node) for stored in found]

    def edges(self) -> Iterator[Edge]:
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

    def all(self) -> list[T]:
        """Return the nodes at the other ends."""
        return self._nodes().all()

    def single(self) -> T | None:
        """Return one of the nodes at the other ends, or None."""
        return next(iter(self.all()), None)

    def get(self, **filters: Any) -> T:
        """Return the only matching node, or raise as `NodeSet.get` does."""
        return self._nodes().get(**filters)

    def get_or_none(self, **filters: Any) -> T | None:
        """Return the only matching node, or None."""
        return self._nodes().get_or_none(**filters)

    def filter(self, *args: Any, **filters: Any) -> NodeSet[T]:
        """Return the matching nodes."""
        return self._nodes().filter(*args, **filters)

    def exclude(self, *args: Any, **filters: Any) -> NodeSet[T]:
        """Return the nodes that do not match."""
        return self._nodes().exclude(*args, **filters)

    def order_by(self, *names: Any) -> NodeSet[T]:
        """Return the nodes ordered by properties; ``-name`` is descending."""
        return self._nodes().order_by(*names)

    def match(self, **filters: Any) -> NodeSet[T]:
        """Return the nodes whose edges have these properties."""
        nodes: NodeSet[T] = self._new_traversal().match(**filters)
        return nodes

    def __iter__(self) -> Iterator[T]:
        return iter(self.all())

    def _repr_html_(self) -> str:
        """Show the first nodes at the other ends in a notebook."""
        return self._nodes()._repr_html_()

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

    def _values(self, properties: dict[str, Any] | None) -> dict[str, Any]:
        """Validate properties of an edge, and return their database values."""
        model = self.definition["model"]
        if not isinstance(properties, (Mapping, type(None))):
            raise PropertyTypeError(
                f"{model.__name__}: expected a dict of properties, got {describe(properties)}"
            )
        return deflate_values(model, full_clean(model, properties or {}))

    def _edge(self, stored: dict[str, Any], node: T) -> Edge:
        edge: Edge = self._set_start_end_cls(self.definition["model"].inflate(stored), node)
        ends = (self.source, node) if self._outgoing else (node, self.source)
        edge._source, edge._target = ends
        return edge

    def _new_traversal(self) -> _RelatedNodes:
        _ = self.source.saved_uid  # raises NotSavedError
        return _RelatedNodes(self.source, self.name, self.definition)

    def _nodes(self) -> NodeSet[T]:
        return NodeSet(self._new_traversal())
