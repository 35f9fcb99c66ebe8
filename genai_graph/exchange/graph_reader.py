"""The graph as records: page by page in the order of uids, so that memory stays the same."""

from __future__ import annotations

import functools
import heapq
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from genai_graph.errors import PropertyError, QueryError
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.properties.encryption import decrypt_all
from genai_graph.properties.validation import missing_fields
from genai_graph.registry import EDGES, NODES, OUTGOING, properties_of
from genai_graph.storage.batching import BATCH_BYTES, batched, chunk_by_size
from genai_graph.storage.edge_rules import ExistingGraph
from genai_graph.storage.lookups import count_nodes, count_without_uid, find_nodes, has_edges
from genai_graph.storage.rows import estimate_size
from genai_graph.storage.scans import (
    iter_pages,
    iter_pages_by_size,
    node_sizes,
    read_edges,
    read_nodes,
)

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


Records = Iterator[NodeRecord | EdgeRecord]
# Records of one node that stay together, with what they are sorted by: its uid and a rank.
_Group = tuple[str, int, list[NodeRecord | EdgeRecord]]

EDGE_LIMIT = 50_000
_log = logging.getLogger("genai_graph")


class GraphReader:
    """What the graph holds of some labels, and the edges between nodes of them."""

    def __init__(self, labels: Collection[str], *, decrypt: bool = False) -> None:
        self._decrypt = decrypt
        self._labels = [label for label in NODES if label in labels]
        self._kinds = [kind for kind in EDGES if {kind.source, kind.target} <= {*labels}]
        self._told: set[tuple[str, str]] = set()

    def records(self) -> Records:
        """Yield all nodes by label and uid, then all edges by kind and uids."""
        for label in self._labels:
            for uids in self._portions_of_nodes(label):
                yield from self._nodes(label, uids)
        for kind in filter(has_edges, self._kinds):
            for uids in iter_pages(kind.target if kind.start_at_target else kind.source):
                yield from self._edges(kind, uids, by_source=not kind.start_at_target)

    def document(self) -> Records:
        """Yield the nodes, each with its edges behind it, as documents for hands have them.

        A metric stands under its experiment: behind the edge to it, and behind its own edge.
        """
        for label in self._labels:
            outgoing = (rel.edge_type for rel in OUTGOING[label].values())
            kinds = [kind for kind in outgoing if kind in self._kinds and has_edges(kind)]
            for uids in self._portions_of_nodes(label):
                for _, _, group in self._page(label, self._without_owned(label, uids), kinds):
                    yield from group

    def _portions_of_nodes(self, label: str) -> Iterator[list[str]]:
        """Yield the uids of a label; say how many nodes have none by which they could be told."""
        found = 0
        for uids in iter_pages_by_size(label):
            found += len(uids)
            yield uids
        if count_nodes(label) != found and (others := count_without_uid(label)):
            _log.warning(
                "%d %s without a text for a uid: left out, with their edges", others, label
            )

    def _page(self, label: str, uids: list[str], kinds: list[EdgeType]) -> Iterator[_Group]:
        nodes: Iterable[_Group] = ((node.uid, 0, [node]) for node in self._nodes(label, uids))
        edges = [self._groups(kind, uids, rank) for rank, kind in enumerate(kinds, 1)]
        return heapq.merge(nodes, *edges, key=itemgetter(0, 1))

    def _groups(self, kind: EdgeType, uids: list[str], rank: int) -> Iterator[_Group]:
        edges = self._edges(kind, uids, by_source=True)
        if not kind.single_source:
            for edge in edges:
                yield edge.source, rank, [edge]
            return
        for batch in batched(edges):
            weighed = node_sizes(kind.target, [edge.target for edge in batch])
            sizes = [weighed.get(edge.target, 0) for edge in batch]
            for some in chunk_by_size(batch, sizes, BATCH_BYTES):
                parts = self._parts(kind.target, [edge.target for edge in some])
                for edge in some:
                    yield edge.source, rank, [edge, *parts.get(edge.target, ())]

    def _parts(self, label: str, uids: list[str]) -> dict[str, list[NodeRecord | EdgeRecord]]:
        """Return nodes that stand under others, each behind its own edges."""
        parts: dict[str, list[NodeRecord | EdgeRecord]] = {uid: [] for uid in uids}
        for rel in OUTGOING[label].values():
            if rel.edge_type in self._kinds:
                for edge in self._edges(rel.edge_type, uids, by_source=True):
                    parts[edge.source].append(edge)
        for node in self._nodes(label, uids):
            parts[node.uid].append(node)
        return parts

    def _without_owned(self, label: str, uids: list[str]) -> list[str]:
        """Leave out the nodes that stand under others."""
        for kind in self._kinds:
            if kind.target == label and kind.single_source:
                owned = dict(ExistingGraph().sources(kind, uids))
                uids = [uid for uid in uids if uid not in owned]
        return uids

    def _nodes(self, label: str, uids: list[str]) -> Iterator[NodeRecord]:
        cls: Any = NODES[label]
        for found in sorted(_read_nodes(label, uids), key=itemgetter("uid")):
            uid = found["uid"]
            if self._decrypt:
                found = decrypt_all(label, found)
            given = self._given(cls, found, f"{label} {uid!r}", label)
            del given["uid"]
            for name in missing_fields(cls, found):
                raise _unfit(f"{label} {uid!r}", name, "is required and not there", label)
            # A new node would take from its uid what is not said; so say that there is none.
            for name, value in cls.parse_uid(uid).items():
                if value and name not in given:
                    given[name] = None
            for name, error in cls.check_constraints(given):
                raise _unfit(f"{label} {uid!r}", name, str(error), label)
            yield NodeRecord(uid, given, estimate_size(given), label, "", 0)

    def _edges(self, kind: EdgeType, uids: list[str], *, by_source: bool) -> Iterator[EdgeRecord]:
        model = EDGES[kind]
        for source, target, found, _ in _read_edges(kind, uids, by_source=by_source):
            subject = f"{kind.source} {source!r}: {kind.type}: {target!r}"
            given = self._given(model, found, subject, str(kind))
            yield EdgeRecord(source, target, given, estimate_size(given), kind, "", 0)

    def _given(self, cls: Any, found: dict[str, Any], subject: str, group: str) -> dict[str, Any]:
        """Return the declared values in the order of their declaration."""
        if not found:  # as with most edges
            return {}
        checks = _checks(cls)
        for name in found.keys() - checks.keys():
            self._tell_undeclared(group, name)
        try:
            return {
                name: check(value)
                for name, check in checks.items()
                if (value := found.get(name)) is not None
            }
        except PropertyError:
            raise _first_unfit(checks, found, subject, group) from None

    def _tell_undeclared(self, group: str, name: str) -> None:
        if (group, name) not in self._told:
            self._told.add((group, name))
            _log.warning("%s has no property %r: it is left out", group, name)


def _read_nodes(label: str, uids: list[str]) -> list[dict[str, Any]]:
    cls: Any = NODES[label]
    times = time_properties(cls)
    try:
        return read_nodes(label, uids, times)
    except QueryError:  # something stands in a time's place that has no text
        for uid, found in find_nodes(label, uids).items():
            for name in times:
                if isinstance(found.get(name), (list, dict)):
                    message = "expected a time, got a list"
                    raise _unfit(f"{label} {uid!r}", name, message, label) from None
        raise


def _read_edges(kind: EdgeType, uids: list[str], *, by_source: bool) -> Iterator[list[Any]]:
    """Read the edges of a page; those of a node with very many come in pages of their own."""
    rows = read_edges(kind, uids, EDGE_LIMIT + 1, by_source=by_source)
    if len(rows) <= EDGE_LIMIT:
        yield from sorted(_between_named(rows), key=_by_source if by_source else _by_target)
    elif len(uids) > 1:
        middle = len(uids) // 2
        yield from _read_edges(kind, uids[:middle], by_source=by_source)
        yield from _read_edges(kind, uids[middle:], by_source=by_source)
    elif by_source and kind.start_at_target and not kind.single_source:
        # The other way round, from the ends with few edges: sorting a hub's edges takes longer.
        for targets in iter_pages(kind.target):
            rows_in = _read_edges(kind, targets, by_source=False)
            yield from (row for row in rows_in if row[0] == uids[0])
    else:
        skip, rows = 0, rows[:EDGE_LIMIT]
        while len(rows) == EDGE_LIMIT:
            rows = read_edges(kind, uids, EDGE_LIMIT, by_source=by_source, skip=skip)
            yield from _between_named(rows)
            skip += len(rows)


def _between_named(rows: list[list[Any]]) -> Iterator[list[Any]]:
    """Leave out edges to nodes that can't be told."""
    return (row for row in rows if row[0] and row[1] and type(row[0]) is type(row[1]) is str)


def _by_source(row: list[Any]) -> tuple[str, str, str]:
    return row[0], row[3], row[1]


def _by_target(row: list[Any]) -> tuple[str, str]:
    return row[1], row[0]


@functools.cache
def time_properties(cls: Any) -> tuple[str, ...]:
    """Return the names of a class's times, which are read as text."""
    declared = properties_of(cls).items()
    return tuple(name for name, prop in declared if prop.is_timestamp)


@functools.cache
def _checks(cls: Any) -> dict[str, Callable[[Any], Any]]:
    return {name: prop.normalize_stored for name, prop in properties_of(cls).items()}


@functools.cache
def _checks_in_place(cls: Any) -> dict[str, Callable[[Any], Any]]:
    """Return the same for values that stay where they are."""
    return {name: prop.verify_stored for name, prop in properties_of(cls).items()}


def _first_unfit(
    checks: dict[str, Callable[[Any], Any]], found: dict[str, Any], subject: str, group: str
) -> PropertyError:
    for name in checks.keys() & found.keys():
        try:
            if found[name] is not None:
                checks[name](found[name])
        except PropertyError as error:
            return _unfit(subject, name, str(error), group)
    raise AssertionError("a value was refused, and then none was")


def _unfit(subject: str, name: str, message: str, group: str) -> PropertyError:
    return PropertyError(
        f"{subject}: {name}: {message}: this is in the graph, and no fixture can say it: "
        "correct it there, or leave its label out of the dump"
    )


def read_edge_page(kind: EdgeType, uids: list[str]) -> Iterator[list[Any]]:
    """Yield the edges at a page of the ends that have few of them, sorted by these ends."""
    return _read_edges(kind, uids, by_source=not kind.start_at_target)


def stored_value_errors(cls: Any, found: dict[str, Any]) -> Iterator[tuple[str, PropertyError]]:
    """Yield what is wrong with the values that are stored, by property; times come as text."""
    given: dict[str, Any] = {}
    for name, check in _checks_in_place(cls).items():
        try:
            if found.get(name) is not None:
                given[name] = found[name]
                given[name] = check(found[name])
        except PropertyError as error:
            yield name, error
    for name in missing_fields(cls, found):
        yield name, PropertyError("is required and not there")
    yield from cls.check_constraints(given)
