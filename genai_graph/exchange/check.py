"""Checking records against each other and against the graph, before anything is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from genai_graph.errors import Fault, FixtureError, Place
from genai_graph.exchange.records import EdgeRecord, FlawedEdge, FlawedNode, NodeRecord, batches
from genai_graph.exchange.validation import defaults_of
from genai_graph.models import EDGES, NODES
from genai_graph.models.checking import missing_in
from genai_graph.models.store import EdgeRow, forbidden_edges

if TYPE_CHECKING:
    from genai_graph.exchange.records import Record
    from genai_graph.models.store import EdgeKind, Graph

FAULT_LIMIT = 100
# Each node of such a label needs an edge of this kind that ends at it.
_REQUIRED_SOURCE = {kind.target: kind for kind in EDGES if kind.one_source}


class Ledger:
    """What a load declares and what it refers to, so that every reference can be settled.

    It keeps uids and the places of declarations, not values.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.edges = 0
        self.faults: list[Fault] = []
        self._files: dict[str, int] = {}
        self._declared: dict[str, dict[str, Place]] = {label: {} for label in NODES}
        self._wanted: dict[str, set[str]] = {label: set() for label in NODES}
        self._incomplete: dict[str, dict[str, tuple[Place, list[str]]]] = defaultdict(dict)
        self._meant: dict[EdgeKind, set[str]] = defaultdict(set)
        self._ruled: dict[EdgeKind, list[tuple[EdgeRow, EdgeRecord]]] = defaultdict(list)

    def add(self, record: Record) -> None:
        """Take note of a record or of a fault."""
        self._files.setdefault(record.place.file, len(self._files))
        if isinstance(record, NodeRecord):
            self._add_node(record)
        elif isinstance(record, EdgeRecord):
            self._add_edge(record)
        elif isinstance(record, FlawedNode):
            self._declared[record.label].setdefault(record.uid, record.place)
        elif isinstance(record, FlawedEdge):
            self._meant[record.kind].add(record.target)
        else:
            self.faults.append(record)

    def settle(self, graph: Graph, read: Callable[[], Iterable[Record]]) -> None:
        """Check what can only be told at the end: references, required values, rules for edges.

        Where references are missing, the records are read once more to tell all places.
        """
        for label in NODES:
            self._settle_required(label, graph)
        for label, kind in _REQUIRED_SOURCE.items():
            self._settle_sources(label, kind, graph)
        for kind in self._ruled:
            self._settle_rules(kind, graph)
        absent = {label: self._absent_references(label, graph) for label in NODES}
        if any(absent.values()):
            self._tell_absent(absent, read())

    def raise_faults(self, limit: int) -> None:
        """Raise `FixtureError` with the faults, in the order of files and lines."""
        if self.faults:
            ordered = sorted(
                dict.fromkeys(self.faults),
                key=lambda fault: (self._files[fault.place.file], fault.place.line),
            )
            raise FixtureError(ordered[:limit], omitted=max(0, len(ordered) - limit))

    def _add_node(self, record: NodeRecord) -> None:
        self.nodes += 1
        place = record.place
        first = self._declared[record.label].setdefault(record.uid, place)
        if first is not place:
            self.faults.append(
                Fault(record.place, f"{record}: uid: stands twice (first at {first}): keep one")
            )
        missing = missing_in(
            NODES[record.label], {"uid": record.uid, **defaults_of(record), **record.given}
        )
        if missing:
            self._incomplete[record.label][record.uid] = (record.place, missing)

    def _add_edge(self, record: EdgeRecord) -> None:
        self.edges += 1
        kind = record.kind
        self._wanted[kind.source].add(record.source)
        self._wanted[kind.target].add(record.target)
        if kind.acyclic or kind.one_source or kind.one_target:
            self._ruled[kind].append((EdgeRow(record.source, record.target), record))

    def _absent_references(self, label: str, graph: Graph) -> set[str]:
        open_ = self._wanted[label].difference(self._declared[label])
        return set(_absent(graph, label, open_))

    def _tell_absent(self, absent: dict[str, set[str]], records: Iterable[Record]) -> None:
        for record in records:
            if not isinstance(record, EdgeRecord):
                continue
            kind = record.kind
            for label, uid in ((kind.source, record.source), (kind.target, record.target)):
                if uid in absent[label]:
                    message = (
                        f"{kind.source} {record.source!r}: {kind.type}: "
                        f"no {label} {uid!r} is in the files or in the graph"
                    )
                    self.faults.append(Fault(record.place, message))

    def _settle_required(self, label: str, graph: Graph) -> None:
        incomplete = self._incomplete[label]
        for uid in _absent(graph, label, incomplete):
            place, names = incomplete[uid]
            for name in names:
                self.faults.append(Fault(place, f"{label} {uid!r}: {name}: is required: give it"))

    def _settle_rules(self, kind: EdgeKind, graph: Graph) -> None:
        records = {id(row): record for row, record in self._ruled[kind]}
        rows = [row for row, _ in self._ruled[kind]]
        for row, message in forbidden_edges(kind, rows, graph):
            record = records[id(row)]
            self.faults.append(Fault(record.place, f"{kind.source} {record.source!r}: {message}"))

    def _settle_sources(self, label: str, kind: EdgeKind, graph: Graph) -> None:
        connected = {row.target for row, _ in self._ruled[kind]} | self._meant[kind]
        alone = [uid for uid in self._declared[label] if uid not in connected]
        for batch in batches(alone):
            there = dict(graph.sources(kind, batch))
            for uid in batch:
                if uid not in there:
                    message = (
                        f"{label} {uid!r}: belongs to no {kind.source}: write it under one, "
                        f"or add the edge {kind}"
                    )
                    self.faults.append(Fault(self._declared[label][uid], message))


def examine(read: Callable[[], Iterable[Record]], graph: Graph, limit: int = FAULT_LIMIT) -> Ledger:
    """Check records, and raise `FixtureError` with their faults (at most `limit` are told)."""
    ledger = Ledger()
    for record in read():
        ledger.add(record)
    ledger.settle(graph, read)
    ledger.raise_faults(limit)
    return ledger


def _absent(graph: Graph, label: str, uids: Iterable[str]) -> Iterator[str]:
    for batch in batches(uids):
        there = graph.nodes(label, batch)
        yield from (uid for uid in batch if uid not in there)
