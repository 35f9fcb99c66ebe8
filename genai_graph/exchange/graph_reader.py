"""Reading the graph as records, in the order of uids, one page at a time."""

from __future__ import annotations

import functools
import heapq
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from genai_graph.errors import PropertyError, QueryError
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.properties.encryption import decrypt_all
from genai_graph.properties.validation import missing_fields
from genai_graph.registry import EDGES, NODES, OUTGOING, properties_of
from genai_graph.storage import batching
from genai_graph.storage.batching import batched, chunk_by_size
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
# (uid, rank, records): records that stay together, sorted by the uid of their node and a rank.
_Group = tuple[str, int, list[NodeRecord | EdgeRecord]]

EDGE_LIMIT = 50_000  # edges in one result
_log = logging.getLogger("genai_graph")


class GraphReader:
    """Reads the nodes of some labels, and the edges between them."""

    def __init__(self, labels: Collection[str], *, decrypt: bool = False) -> None:
        # The properties that were read and skipped, as (label or edge type, name).
        self.undeclared: set[tuple[str, str]] = set()
        self._decrypt = decrypt
        self._labels = [label for label in NODES if label in labels]
        self._edge_types = [
            edge_type for edge_type in EDGES if {edge_type.source, edge_type.target} <= {*labels}
        ]

    def records(self) -> Records:
        """Yield all nodes by label and uid, then all edges by type and uids."""
        for label in self._labels:
            for uids in self._node_pages(label):
                yield from self._nodes(label, uids)
        for edge_type in filter(has_edges, self._edge_types):
            for uids in iter_pages(edge_type.low_degree_label):
                yield from self._edges(edge_type, uids, by_source=not edge_type.start_at_target)

    def nested_records(self) -> Records:
        """Yield each node followed by its edges, as YAML documents nest them.

        A metric is part of its experiment: it follows the edge to it and its own edges.
        """
        for label in self._labels:
            outgoing = (rel.edge_type for rel in OUTGOING[label].values())
            edge_types = [each for each in outgoing if each in self._edge_types and has_edges(each)]
            ranked = list(enumerate(edge_types, 1))
            for page in self._node_pages(label):
                uids = self._without_parts(label, page)
                groups: list[Iterable[_Group]] = [
                    ((node.uid, 0, [node]) for node in self._nodes(label, uids)),
                    *(self._edge_groups(edge_type, uids, rank) for rank, edge_type in ranked),
                ]
                for _, _, group in heapq.merge(*groups, key=itemgetter(0, 1)):
                    yield from group

    def _node_pages(self, label: str) -> Iterator[list[str]]:
        """Yield the uids of a label in pages, and warn of nodes without a uid."""
        found = 0
        for uids in iter_pages_by_size(label):
            found += len(uids)
            yield uids
        if count_nodes(label) != found and (skipped := count_without_uid(label)):
            _log.warning("skipped %d %s without a string uid, and their edges", skipped, label)

    def _edge_groups(self, edge_type: EdgeType, uids: list[str], rank: int) -> Iterator[_Group]:
        """Yield the edges of sources; an edge to a part is followed by the records of that part."""
        edges = self._edges(edge_type, uids, by_source=True)
        if not edge_type.single_source:
            for edge in edges:
                yield edge.source, rank, [edge]
            return
        for batch in batched(edges):
            size_by_uid = node_sizes(edge_type.target, [edge.target for edge in batch])
            sizes = [size_by_uid.get(edge.target, 0) for edge in batch]
            for chunk in chunk_by_size(batch, sizes, batching.BATCH_BYTES):
                parts = self._parts(edge_type.target, [edge.target for edge in chunk])
                for edge in chunk:
                    yield edge.source, rank, [edge, *parts.get(edge.target, ())]

    def _parts(self, label: str, uids: list[str]) -> dict[str, list[NodeRecord | EdgeRecord]]:
        """Return the records of parts by uid: the edges of each, then the node."""
        parts: dict[str, list[NodeRecord | EdgeRecord]] = {uid: [] for uid in uids}
        for rel in OUTGOING[label].values():
            if rel.edge_type in self._edge_types:
                for edge in self._edges(rel.edge_type, uids, by_source=True):
                    parts[edge.source].append(edge)
        for node in self._nodes(label, uids):
            parts[node.uid].append(node)
        return parts

    def _without_parts(self, label: str, uids: list[str]) -> list[str]:
        """Return the uids of the nodes that are not part of another node."""
        for edge_type in self._edge_types:
            if edge_type.target == label and edge_type.single_source:
                parts = dict(ExistingGraph().sources(edge_type, uids))
                uids = [uid for uid in uids if uid not in parts]
        return uids

    def _nodes(self, label: str, uids: list[str]) -> Iterator[NodeRecord]:
        cls: Any = NODES[label]
        for stored in sorted(_read_nodes(label, uids), key=itemgetter("uid")):
            uid = stored["uid"]
            if self._decrypt:
                stored = decrypt_all(label, stored)
            try:
                given = self._given(cls, stored, label)
                del given["uid"]
                for name in missing_fields(cls, stored):
                    raise _InvalidValueError(name, "is required")
                if not given.keys() >= cls.uid_fields:
                    # A load would complete a new node from its uid, unless null is given.
                    missing = [name for name, value in cls.parse_uid(uid).items() if value]
                    given |= {name: None for name in missing if name not in given}
                for name, problem in cls.check_constraints(given):
                    raise _InvalidValueError(name, problem)
            except _InvalidValueError as error:
                raise _export_error(f"{label} {uid!r}", *error.args) from None
            yield NodeRecord(uid, given, estimate_size(given), label, "", 0)

    def _edges(
        self, edge_type: EdgeType, uids: list[str], *, by_source: bool
    ) -> Iterator[EdgeRecord]:
        cls = EDGES[edge_type]
        for source, target, stored, _ in _read_edges(edge_type, uids, by_source=by_source):
            given = {}
            if stored:  # most edges have no properties
                try:
                    given = self._given(cls, stored, str(edge_type))
                except _InvalidValueError as error:
                    subject = f"{edge_type.source} {source!r}: {edge_type.type}: {target!r}"
                    raise _export_error(subject, *error.args) from None
            yield EdgeRecord(source, target, given, estimate_size(given), edge_type, "", 0)

    def _given(self, cls: Any, stored: dict[str, Any], owner: str) -> dict[str, Any]:
        """Return the declared properties in order of declaration, and warn of undeclared ones.

        Raises `_InvalidValueError`.
        """
        normalizers = _normalizers(cls)
        if not stored.keys() <= normalizers.keys():
            for name in stored.keys() - normalizers.keys():
                if (owner, name) not in self.undeclared:
                    self.undeclared.add((owner, name))
                    _log.warning("skipped the property %r, which %s does not declare", name, owner)
        given = {}
        for name, normalize in normalizers.items():
            value = stored.get(name)
            if value is not None:
                try:
                    given[name] = normalize(value)
                except PropertyError as error:
                    raise _InvalidValueError(name, error) from None
        return given


class _InvalidValueError(Exception):
    """A stored value that can't be exported: the name of the property, and the error."""


@functools.cache
def _normalizers(cls: Any) -> dict[str, Callable[[Any], Any]]:
    return {name: prop.normalize_stored for name, prop in properties_of(cls).items()}


def _read_nodes(label: str, uids: list[str]) -> list[dict[str, Any]]:
    timestamps = timestamp_names(label)
    try:
        return read_nodes(label, uids, timestamps)
    except QueryError:  # toString() fails on lists and maps
        for uid, stored in find_nodes(label, uids).items():
            for name in timestamps:
                if isinstance(stored.get(name), (list, dict)):
                    message = "expected a time, got a list"
                    raise _export_error(f"{label} {uid!r}", name, message) from None
        raise


def _read_edges(edge_type: EdgeType, uids: list[str], *, by_source: bool) -> Iterator[list[Any]]:
    """Read the edges of a page of nodes in order; those of a hub are read in pages of their own."""
    rows = read_edges(edge_type, uids, EDGE_LIMIT + 1, by_source=by_source)
    if len(rows) <= EDGE_LIMIT:
        ends = itemgetter(0, 3, 1) if by_source else itemgetter(1, 0)
        ordered = sorted(_with_uids(rows), key=ends)
        if edge_type.key and any(one == other for one, other in pairwise(map(ends, ordered))):
            ordered.sort(key=lambda row: (ends(row), edge_type.sort_key(row[2])))
        yield from ordered
    elif len(uids) > 1:
        middle = len(uids) // 2
        yield from _read_edges(edge_type, uids[:middle], by_source=by_source)
        yield from _read_edges(edge_type, uids[middle:], by_source=by_source)
    elif by_source and edge_type.start_at_target and not edge_type.single_source:
        # Start at the targets, which have few edges: sorting those of a hub is slower.
        for targets in iter_pages(edge_type.target):
            incoming = _read_edges(edge_type, targets, by_source=False)
            yield from (row for row in incoming if row[0] == uids[0])
    else:
        skip, rows = 0, rows[:EDGE_LIMIT]
        while len(rows) == EDGE_LIMIT:
            rows = read_edges(edge_type, uids, EDGE_LIMIT, by_source=by_source, skip=skip)
            yield from _with_uids(rows)
            skip += len(rows)


def _with_uids(rows: list[list[Any]]) -> Iterator[list[Any]]:
    """Return the edges with a uid at both ends."""
    return (row for row in rows if row[0] and row[1] and type(row[0]) is type(row[1]) is str)


def _export_error(subject: str, name: str, error: PropertyError | str) -> PropertyError:
    return PropertyError(
        f"{subject}: {name}: {error}: stored value can't be exported: "
        "fix it in the database, or exclude its label"
    )


@functools.cache
def timestamp_names(label: str) -> tuple[str, ...]:
    """Return the names of the timestamp properties of a label, which are read as text."""
    declared = properties_of(NODES[label]).items()
    return tuple(name for name, prop in declared if prop.is_timestamp)


def read_edge_page(edge_type: EdgeType, uids: list[str]) -> Iterator[list[Any]]:
    """Yield the edges of a page of low-degree ends, sorted by these ends."""
    return _read_edges(edge_type, uids, by_source=not edge_type.start_at_target)


def stored_value_errors(cls: Any, stored: dict[str, Any]) -> Iterator[tuple[str, PropertyError]]:
    """Yield (property, error) for stored values that are invalid or missing.

    Timestamps are given as text.
    """
    values: dict[str, Any] = {}
    for name, prop in properties_of(cls).items():
        value = stored.get(name)
        if value is not None:
            values[name] = value
            try:
                values[name] = prop.verify_stored(value)
            except PropertyError as error:
                yield name, error
    for name in missing_fields(cls, stored):
        yield name, PropertyError("is required")
    yield from cls.check_constraints(values)
