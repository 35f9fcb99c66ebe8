"""The node set of a relationship: the part of a manager that reads and writes related nodes.

A manager has all methods of a node set, applied to the nodes at the other ends of its edges.
"""

# Type checkers see overridden methods with other results: sets, and no managers.
# mypy: disable-error-code="override"

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from genai_graph.database import run_in_transaction
from genai_graph.errors import NotSavedError
from genai_graph.ogm import bulk_writes
from genai_graph.ogm.conditions import Step
from genai_graph.ogm.node_set import NodeSet
from genai_graph.registry import OUTGOING
from genai_graph.storage.suggestions import node_not_found

if TYPE_CHECKING:
    from genai_graph.ogm.node import Node
    from genai_graph.storage.rows import WriteCounts

    T = TypeVar("T", bound="Node")

    class _SetMethods(NodeSet[T]):
        """Type checkers see a manager as a set, whose methods return sets and no managers."""

        def filter(self, *conditions: Any, **lookups: Any) -> NodeSet[T]: ...
        def exclude(self, *conditions: Any, **lookups: Any) -> NodeSet[T]: ...
        def match(self, **lookups: Any) -> NodeSet[T]: ...
        def order_by(self, *names: Any) -> NodeSet[T]: ...
        def reverse(self) -> NodeSet[T]: ...
        def distinct(self) -> NodeSet[T]: ...
        def none(self) -> NodeSet[T]: ...
        def union(self, *others: NodeSet[T]) -> NodeSet[T]: ...
        def intersection(self, *others: NodeSet[T]) -> NodeSet[T]: ...
        def difference(self, *others: NodeSet[T]) -> NodeSet[T]: ...
        def only(self, *names: str) -> NodeSet[T]: ...
        def defer(self, *names: str) -> NodeSet[T]: ...
        def annotate(self, *aggregates: Any, **named: Any) -> NodeSet[T]: ...
        def prefetch_related(self, *paths: str) -> NodeSet[T]: ...
        def __or__(self, other: Any) -> NodeSet[T]: ...
        def __and__(self, other: Any) -> NodeSet[T]: ...
        def __sub__(self, other: Any) -> NodeSet[T]: ...
        @overload
        def __getitem__(self, key: int) -> T: ...
        @overload
        def __getitem__(self, key: slice) -> NodeSet[T]: ...
        def __getitem__(self, key: Any) -> Any: ...

else:
    T = TypeVar("T")

    class _SetMethods(Generic[T]):
        """The methods of a set, which are added below."""


class RelatedSet(_SetMethods[T]):
    """The nodes at the other ends of the edges of one type at a node."""

    _related: list[Any] | None = None  # prefetched

    def _nodes(self) -> NodeSet[T]:
        """Return the related nodes as a set. Raises `NotSavedError`."""
        source: Any = self.source  # type: ignore[attr-defined]
        name: str = self.name  # type: ignore[attr-defined]
        uid = source.saved_uid
        label = source.__label__
        step = Step(getattr(type(source), name).edge_type, name in OUTGOING[label])
        nodes: NodeSet[Any] = NodeSet.related_to(step, uid)
        return nodes if self._related is None else nodes._clone(_cache=list(self._related))

    def all(self) -> list[T]:
        """Return the nodes at the other ends."""
        return list(self._nodes())

    def single(self) -> T | None:
        """Return one of the nodes at the other ends, or None."""
        return next(iter(self._nodes()), None)

    def set_prefetched(self, nodes: list[Any] | None) -> None:
        """Keep the related nodes that were read with their owner, until an edge is written."""
        self._related = nodes

    def __repr__(self) -> str:
        try:
            return repr(self._nodes())
        except NotSavedError:
            return f"<{self.name} of {self.source!r}, which is not saved>"  # type: ignore[attr-defined]

    __str__ = __repr__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the first related nodes as a table in IPython."""
        try:
            self._nodes()._repr_pretty_(printer, cycle)
        except NotSavedError:
            printer.text(repr(self))

    # Writing

    def create(self, *, through_defaults: Mapping[str, Any] | None = None, **values: Any) -> T:
        """Create a node and connect it, both or none; `through_defaults` are the edge's values."""
        _ = self.source.saved_uid  # type: ignore[attr-defined]  # raises NotSavedError

        def save() -> list[T]:
            node: T = self._nodes().create(**values)
            self.connect(node, through_defaults)  # type: ignore[attr-defined]
            return [node]

        created: T = bulk_writes.save_in_transaction(save)[0]
        return created

    def get_or_create(
        self,
        defaults: Mapping[str, Any] | None = None,
        *,
        through_defaults: Mapping[str, Any] | None = None,
        **lookups: Any,
    ) -> tuple[T, bool]:
        """Return the only matching related node and False, or a new one and True."""
        return bulk_writes.get_or_create(self, defaults, lookups, through_defaults)

    def update_or_create(
        self,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        *,
        through_defaults: Mapping[str, Any] | None = None,
        **lookups: Any,
    ) -> tuple[T, bool]:
        """Set values of the only matching related node, or create and connect it."""
        return bulk_writes.update_or_create(
            self, defaults, create_defaults, lookups, through_defaults
        )

    def connect_all(self, nodes: Iterable[Any]) -> WriteCounts:
        """Connect nodes, or (node, properties) pairs, all or none; return the counts of edges.

        Two statements for each 5,000 edges. Raises as `connect`.
        """
        self.set_prefetched(None)
        return bulk_writes.connect_all(self, nodes)

    def add(self, *nodes: Any, through_defaults: Mapping[str, Any] | None = None) -> None:
        """Connect nodes, or uids; `through_defaults` are the values of their edges."""
        self.connect_all((node, through_defaults) for node in self._as_nodes(nodes))

    def _as_nodes(self, nodes: Iterable[Any]) -> list[Any]:
        """Return nodes, with uids replaced by the nodes that have them. Raises `DoesNotExist`."""
        given = list(nodes)
        cls = self.definition["node_class"]  # type: ignore[attr-defined]
        uids = [node for node in given if isinstance(node, str)]
        found: dict[str, Any] = NodeSet(cls).in_bulk(uids) if uids else {}
        for uid in uids:
            if uid not in found:
                raise cls.DoesNotExist(str(node_not_found(cls.__label__, uid)))
        return [found[node] if isinstance(node, str) else node for node in given]

    def remove(self, *nodes: T | str) -> None:
        """Delete the edges to nodes, or uids, all or none; the nodes remain."""

        def write() -> None:
            for node in self._as_nodes(nodes):
                self.disconnect(node)  # type: ignore[attr-defined]

        run_in_transaction(write)

    def clear(self) -> None:
        """Delete all edges of this type at the node; the related nodes remain."""
        self.disconnect_all()  # type: ignore[attr-defined]

    def set(
        self, nodes: Iterable[Any], *, through_defaults: Mapping[str, Any] | None = None
    ) -> None:
        """Make these nodes, or uids, the only related ones; disconnect all others."""
        given = list(nodes)

        def write() -> None:
            wanted = self._as_nodes(given)
            self.remove(*(node for node in self._nodes().all() if node not in wanted))
            self.add(*wanted, through_defaults=through_defaults)

        run_in_transaction(write)


def _delegate(name: str) -> Callable[..., Any]:
    method = getattr(NodeSet, name)

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(self._nodes(), name)(*arguments, **options)

    return call


_OPERATORS = ("iter", "len", "bool", "contains", "getitem", "or", "and", "sub", "repr")
_SPECIAL = frozenset([*(f"__{name}__" for name in _OPERATORS), "_repr_html_"])


def _add_set_methods() -> None:
    for name, method in vars(NodeSet).items():
        is_public = not name.startswith("_") or name in _SPECIAL
        if is_public and inspect.isfunction(method) and name not in vars(RelatedSet):
            setattr(RelatedSet, name, _delegate(name))


_add_set_methods()
