"""Relationships: neomodel's, with one edge between two nodes and every end found by its uid.

Nodes are never looked for by element id: the embedded engine gives the id of a deleted node to
the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import neomodel
from neomodel.sync_.match import QueryBuilder
from neomodel.util import RelationshipDirection

from genai_graph.database import atomic, in_transaction, match_uid
from genai_graph.errors import EdgeError, EdgeTypeError, PropertyTypeError, UnsupportedError
from genai_graph.models import encryption, store
from genai_graph.models.checking import checked, stored
from genai_graph.models.properties import IntegerProperty, Strict, StringProperty, describe
from genai_graph.models.typed import ManagerBase, NodeSetBase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from genai_graph.errors import PropertyError
    from genai_graph.models.base import Node
    from genai_graph.models.store import EdgeKind

T = TypeVar("T", bound="Node")

DATA_ROLES = ("training", "validation", "test")
MODEL_ROLES = ("output", "input")
MODEL_KINDS = ("fine-tuned", "adapted", "quantized", "version")
DATASET_KINDS = ("version", "subset", "preprocessed", "translation")


class Edge(neomodel.StructuredRel):
    """What every edge has: strict properties."""

    _source: Node
    _target: Node

    def __init__(self, **values: Any) -> None:
        super().__init__(**checked(type(self), values))

    @classmethod
    def rule_faults(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield nothing: the properties of an edge are independent of each other."""
        return iter(())

    def __repr__(self) -> str:
        given = {name: value for name, value in self.__properties__.items() if value is not None}
        return f"<{type(self).__name__} {given}>" if given else f"<{type(self).__name__}>"

    def start_node(self) -> Node:
        """Return the node that the edge starts at, where its manager gave it."""
        return self._end("_source")

    def end_node(self) -> Node:
        """Return the node that the edge ends at, where its manager gave it."""
        return self._end("_target")

    def _end(self, name: str) -> Node:
        if name not in self.__dict__:
            raise UnsupportedError("this edge does not know its ends: ask the relationship for it")
        node: Node = self.__dict__[name]
        return node

    @classmethod
    def inflate(cls, graph_entity: Any) -> Any:
        """Read an edge as it is stored, without checks."""
        edge = cls()
        for name, prop in cls.defined_properties(aliases=False, rels=False).items():
            value = graph_entity.get(name)
            setattr(edge, name, None if value is None else prop.load(value))
        return edge

    def save(self) -> Self:
        """Refuse: an edge has no uid to be found by."""
        raise UnsupportedError("to change an edge, connect its nodes again with other properties")


class Has(Edge):
    """A project has datasets, models and experiments; an experiment has metrics."""


class TrainedOn(Edge):
    """A model was trained on a dataset; no role means training."""

    role = StringProperty(choices=DATA_ROLES, help_text="none means training")
    split = StringProperty(help_text="part of the dataset")
    revision = StringProperty(help_text="commit or state of the dataset")


class Run(Edge):
    """An experiment made a model or used one; no role means output."""

    role = StringProperty(choices=MODEL_ROLES, help_text="none means output")
    step = IntegerProperty(help_text="the step that a checkpoint is of")


class Used(Edge):
    """An experiment used a dataset; no role means training."""

    role = StringProperty(choices=DATA_ROLES, help_text="none means training")


class EvaluatedOn(Edge):
    """A metric was taken on a dataset."""


class DerivedFrom(Edge):
    """A thing was made from another of its kind."""


class ModelDerivedFrom(DerivedFrom):
    """A model was made from another model."""

    kind = StringProperty(choices=MODEL_KINDS, help_text="what was done to the parent")


class DatasetDerivedFrom(DerivedFrom):
    """A dataset was made from another dataset."""

    kind = StringProperty(choices=DATASET_KINDS, help_text="what was done to the parent")


class UidQueryBuilder(QueryBuilder):
    """neomodel's queries, starting from a node's label and uid instead of its element id."""

    def build_node(self, node: Any) -> str:
        """Start from one node."""
        ident: str = node.__label__.lower()
        uid = self._register_place_holder(ident)
        self._ast.lookup = f"{match_uid(ident, node.__label__, f'${uid}')} WITH {ident}"
        self._query_params[uid] = node.saved_uid
        self._ast.return_clause = ident
        self._ast.result_class = type(node)
        return ident

    def contains_uid(self, uid: str) -> bool:
        """Tell whether a node of this uid is among the results."""
        ident = self._ast.return_clause
        place = self._register_place_holder(f"{ident}_contains")
        self._ast.where.append(f"{ident}.uid = ${place}")
        self._query_params[place] = uid
        return self._count() >= 1


class _ByUid:
    query_cls: Any = UidQueryBuilder

    def __contains__(self, node: Any) -> bool:
        found: bool = self.query_cls(self).build_ast().contains_uid(node.saved_uid)
        return found


class _Related(_ByUid, neomodel.Traversal):
    """The nodes at the other ends of one node's edges."""

    def match(self, **filters: Any) -> Any:
        super().match(**filters)
        return Nodes(self)


class Nodes(_ByUid, NodeSetBase[T]):
    """A set of nodes, as neomodel's users know it, with this package's checks in its bulk ways."""

    def order_by(self, *names: Any) -> Self:
        """Order by properties; `UnsupportedError` for one that is encrypted."""
        for name in names:
            prop = getattr(self.source_class, str(name).lstrip("-"), None)
            if isinstance(prop, Strict):
                encryption.refuse_search(prop)
        return super().order_by(*names)

    def _repr_html_(self) -> str:
        """Show the first ones, a row each, as notebooks do."""
        from genai_graph.models import tables

        return tables.of_nodes(self)


class Edges(ManagerBase, Generic[T]):
    """The edges of one kind at one node, and the nodes at their other ends."""

    def connect(self, node: T, properties: dict[str, Any] | None = None) -> Edge:
        """Connect a node, or set properties of the edge that is already there.

        Between two nodes there is one edge of a kind: the properties given last hold (None
        removes one), those not given stay. Both nodes must be saved.

        Raises `NotSavedError`, `EdgeTypeError` (a node of another class), `PropertyError`,
        `EdgeError` (a circle, or a second edge where one is allowed), `NodeNotFoundError`.
        """
        source, target = self._ends(node)
        model = self.definition["model"]
        if not isinstance(properties, (Mapping, type(None))):
            raise PropertyTypeError(
                f"{model.__name__}: expected a dict of properties, got {describe(properties)}"
            )
        given = stored(model, checked(model, properties or {}))
        row = store.EdgeRow(source, target, given)

        def write() -> Edge:
            store.merge_edges(self.kind, [row])
            return self._edge(store.find_edges(self.kind, [row])[source, target], node)

        return in_transaction(write)

    def disconnect(self, node: T) -> None:
        """Remove the edge to a node; nothing happens when there is none."""
        store.delete_edges(self.kind, *self._ends(node))

    def disconnect_all(self) -> None:
        """Remove all edges of this kind at the node."""
        uid = self.source.saved_uid
        store.delete_edges(self.kind, *((uid, None) if self._outgoing else (None, uid)))

    def replace(self, node: T, properties: dict[str, Any] | None = None) -> None:
        """Remove all edges of this kind at the node and connect another one, all or nothing."""
        with atomic():
            self.disconnect_all()
            self.connect(node, properties)

    def reconnect(self, old_node: T, new_node: T) -> None:
        """Move an edge with its properties from one node to another, all or nothing."""
        with atomic():
            edge = self.relationship(old_node)
            if edge is None:
                raise EdgeError(f"{self.source!r} is not connected to {old_node!r}")
            self.disconnect(old_node)
            values = {
                name: value for name, value in edge.__properties__.items() if value is not None
            }
            self.connect(new_node, values)

    def relationship(self, node: T) -> Edge | None:
        """Return the edge to a node, or None."""
        ends = self._ends(node)
        found = store.find_edges(self.kind, [store.EdgeRow(*ends)]).get(ends)
        return None if found is None else self._edge(found, node)

    def all_relationships(self, node: T) -> list[Edge]:
        """Return the edges to a node: a list of one or none."""
        edge = self.relationship(node)
        return [] if edge is None else [edge]

    def is_connected(self, node: T) -> bool:
        """Tell whether there is an edge to a node."""
        return self.relationship(node) is not None

    def all(self) -> list[T]:
        """Return the nodes at the other ends."""
        return self._nodes().all()

    def single(self) -> T | None:
        """Return one of the nodes at the other ends, or None."""
        return next(iter(self.all()), None)

    def get(self, **filters: Any) -> T:
        """Return the one node that the filters describe, or raise as `NodeSet.get` does."""
        return self._nodes().get(**filters)

    def get_or_none(self, **filters: Any) -> T | None:
        """Return the one node that the filters describe, or None."""
        return self._nodes().get_or_none(**filters)

    def filter(self, *args: Any, **filters: Any) -> Nodes[T]:
        """Return the set of nodes that the filters describe."""
        return self._nodes().filter(*args, **filters)

    def exclude(self, *args: Any, **filters: Any) -> Nodes[T]:
        """Return the set of nodes without those that the filters describe."""
        return self._nodes().exclude(*args, **filters)

    def order_by(self, *names: Any) -> Nodes[T]:
        """Return the nodes in the order of properties; a minus before a name turns it round."""
        return self._nodes().order_by(*names)

    def match(self, **filters: Any) -> Nodes[T]:
        """Return the set of nodes whose edges have these properties."""
        nodes: Nodes[T] = self._new_traversal().match(**filters)
        return nodes

    def __iter__(self) -> Iterator[T]:
        return iter(self.all())

    def _repr_html_(self) -> str:
        """Show the first nodes at the other ends, a row each, as notebooks do."""
        return self._nodes()._repr_html_()

    def __contains__(self, node: Any) -> bool:
        return self.is_connected(node)

    @property
    def kind(self) -> EdgeKind:
        """The kind of the edges."""
        kind: EdgeKind = self._declared.kind
        return kind

    @property
    def _declared(self) -> Any:
        return getattr(type(self.source), self.name)

    @property
    def _outgoing(self) -> bool:
        return bool(self.definition["direction"] == RelationshipDirection.OUTGOING)

    def _ends(self, node: Node) -> tuple[str, str]:
        expected = self.definition["node_class"]
        if not isinstance(node, expected):
            raise EdgeTypeError(
                f"{type(self.source).__name__}.{self.name}: expected a "
                f"genai_graph.{expected.__name__}, got {node!r} "
                f"({type(node).__module__}.{type(node).__qualname__})"
            )
        here, there = self.source.saved_uid, node.saved_uid
        return (here, there) if self._outgoing else (there, here)

    def _edge(self, found: dict[str, Any], node: T) -> Edge:
        edge: Edge = self._set_start_end_cls(self.definition["model"].inflate(found), node)
        ends = (self.source, node) if self._outgoing else (node, self.source)
        edge._source, edge._target = ends
        return edge

    def _new_traversal(self) -> _Related:
        _ = self.source.saved_uid  # or say that it is not there
        return _Related(self.source, self.name, self.definition)

    def _nodes(self) -> Nodes[T]:
        return Nodes(self._new_traversal())


_MANAGER: Any = Edges  # which a type checker does not know for one of neomodel's


class _Declared(Generic[T]):
    """A relationship as a class declares it; typed, so that a node's attribute is `Edges`."""

    name: str
    owner: Any
    definition: dict[str, Any]

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.owner = owner

    @overload
    def __get__(self, node: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, node: Node, owner: Any = None) -> Edges[T]: ...
    def __get__(self, node: Node | None, owner: Any = None) -> Any:
        return self if node is None else node.__dict__[self.name]


class To(_Declared[T], neomodel.RelationshipTo):
    """Edges that start at the class that declares them; what is special about them is said here."""

    def __init__(
        self,
        target: str,
        type: str,
        model: type[Edge],
        *,
        acyclic: bool = False,
        one_source: bool = False,
        one_target: bool = False,
        fan_in: bool = False,
    ) -> None:
        super().__init__(_dotted(target), type, cardinality=_MANAGER, model=model)
        self._target = target
        self._type = type
        self._rules = {
            "acyclic": acyclic,
            "one_source": one_source,
            "one_target": one_target,
            "fan_in": fan_in,
        }

    @property
    def kind(self) -> EdgeKind:
        """The kind of these edges."""
        return store.EdgeKind(self.owner.__label__, self._type, self._target, **self._rules)


class From(_Declared[T], neomodel.RelationshipFrom):
    """The same edges seen from their target; `of` names the attribute at their source."""

    def __init__(self, source: str, of: str, type: str, model: type[Edge]) -> None:
        super().__init__(_dotted(source), type, cardinality=_MANAGER, model=model)
        self.of = of

    @property
    def kind(self) -> EdgeKind:
        """The kind of these edges, as their source declares it."""
        self.lookup_node_class()
        kind: EdgeKind = getattr(self.definition["node_class"], self.of).kind
        return kind


def _dotted(label: str) -> str:
    # A bare name would be looked for among the globals of whoever called first.
    return f"genai_graph.models.{label.lower()}.{label}"
