"""Checking records against each other and against the graph, before anything is written."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import compress
from operator import eq
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.errors import FixtureError, FixtureIssue, PropertyError
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    TruncatedFile,
    with_uid_fields,
)
from genai_graph.properties import encryption
from genai_graph.properties.validation import missing_fields
from genai_graph.registry import EDGES, NODES, required_properties
from genai_graph.storage.batching import BATCH_ROWS, batched
from genai_graph.storage.edge_rules import constraint_errors
from genai_graph.storage.rows import EdgeRow

if TYPE_CHECKING:
    from genai_graph.errors import SourceLocation
    from genai_graph.exchange.formats.records import Record
    from genai_graph.registry import EdgeType
    from genai_graph.storage.edge_rules import ExistingGraph


MAX_ERRORS = 100
# Each node of such a label needs an edge of this kind that ends at it.
_REQUIRED_SOURCE = {kind.target: kind for kind in EDGES if kind.single_source}
_MANDATORY = {
    label: tuple(name for name in required_properties(cls) if name != "uid")
    for label, cls in NODES.items()
}
# A pair of numbers in one: it keeps an edge in 8 bytes.
_SHIFT = 32
_MASK = (1 << _SHIFT) - 1


class UidTable:
    """The uids of one label, each with a number, and which of them are declared."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.declared = bytearray()

    def add(self, uid: str) -> int:
        """Give a uid that has none the next number."""
        number = self.numbers[uid] = len(self.declared)
        self.declared.append(False)
        return number

    def chosen(self, *, declared: bool) -> Iterator[str]:
        """Yield the uids that are declared, or those that are only referred to."""
        return (uid for uid, number in self.numbers.items() if self.declared[number] == declared)


class _EdgeTable(NamedTuple):
    """The uids at the ends of a kind's edges, and each edge as the two numbers of its ends."""

    sources: UidTable
    targets: UidTable
    pairs: array[int]

    def named(self, pairs: Collection[int]) -> Iterator[tuple[str, str]]:
        """Yield the uids of edges."""
        if pairs:
            sources, targets = list(self.sources.numbers), list(self.targets.numbers)
            yield from ((sources[pair >> _SHIFT], targets[pair & _MASK]) for pair in pairs)


class ReferenceIndex:
    """What a load declares and what it refers to.

    It holds each uid once and 8 bytes for each edge: no values and no places.
    """

    def __init__(self) -> None:
        self.nodes = 0
        self.flawed = False
        self.unread = False
        self.uids = {label: UidTable() for label in NODES}
        self.repeated: dict[str, set[str]] = defaultdict(set)
        self.incomplete: dict[str, set[str]] = defaultdict(set)
        self.meant: dict[EdgeType, set[str]] = defaultdict(set)
        self._ends = {
            kind: _EdgeTable(self.uids[kind.source], self.uids[kind.target], array("Q"))
            for kind in EDGES
        }

    def add_node(self, record: NodeRecord) -> None:
        """Take note of a node."""
        label, given = record.label, record.given
        self.nodes += 1
        self.declare(label, record.uid)
        for name in _MANDATORY[label]:
            if given.get(name) is None:
                if missing_required(record):
                    self.incomplete[label].add(record.uid)
                return

    def declare(self, label: str, uid: str) -> None:
        """Take note that a node is declared, though it may have faults."""
        uids = self.uids[label]
        number = uids.numbers.get(uid)
        if number is None:
            number = uids.add(uid)
        elif uids.declared[number]:
            self.repeated[label].add(uid)
        uids.declared[number] = True

    def add_edge(self, record: EdgeRecord) -> None:
        """Take note of an edge."""
        sources, targets, pairs = self._ends[record.edge_type]
        source = sources.numbers.get(record.source)
        if source is None:
            source = sources.add(record.source)
        target = targets.numbers.get(record.target)
        if target is None:
            target = targets.add(record.target)
        pairs.append(source << _SHIFT | target)

    def edge_rows(self, kind: EdgeType) -> list[EdgeRow]:
        """Return the edges of a kind."""
        ends = self._ends[kind]
        return [EdgeRow(*uids, {}, 0) for uids in ends.named(ends.pairs)]

    @property
    def edges(self) -> int:
        """The number of edges."""
        return sum(len(ends.pairs) for ends in self._ends.values())

    @property
    def entities(self) -> int:
        """The number of nodes and edges."""
        return self.nodes + self.edges

    def counts(self) -> tuple[dict[str, int], dict[EdgeType, int]]:
        """Return how many nodes of each label and edges of each kind there are to be written."""
        nodes = {label: uids.declared.count(True) for label, uids in self.uids.items()}
        edges = {kind: len(set(self._ends[kind].pairs)) for kind in self.kinds()}
        return {label: count for label, count in nodes.items() if count}, edges

    def kinds(self) -> list[EdgeType]:
        """Return the kinds of edges that occur."""
        return [kind for kind, ends in self._ends.items() if ends.pairs]

    def repeated_edges(self, kind: EdgeType) -> set[tuple[str, str]]:
        """Return the ends of the edges of a kind that stand more than once."""
        ends = self._ends[kind]
        ordered = sorted(ends.pairs)
        return set(ends.named(set(compress(ordered, map(eq, ordered, ordered[1:])))))


class EncryptionCheck:
    """What encryption refuses: a text of another place, and what would hide what can't be read.

    The graph is asked while the records are read, a batch of uids at a time: no value is kept.
    """

    def __init__(self, graph: ExistingGraph) -> None:
        self.refused: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._graph = graph
        self._names = {label: graph.encrypted_names(label) for label in NODES}
        # By label and uid: the sensitive names that are given, and the keys of encrypted texts.
        self._waiting: dict[str, dict[str, dict[str, str | None]]] = defaultdict(dict)

    def add_node(self, record: NodeRecord) -> None:
        """Take note of a node."""
        label, uid, given = record.label, record.uid, record.given
        names = self._names[label]
        if names.isdisjoint(given):
            return
        keys = {name: encryption.key_id_in(given[name]) for name in given.keys() & names}
        for name in filter(keys.get, keys):
            try:
                encryption.encrypt_values(label, uid, {name: given[name]})
            except PropertyError as error:
                self.refused[label, uid].append(str(error))
        waiting = self._waiting[label]
        waiting[uid] = keys
        if len(waiting) >= BATCH_ROWS:
            self._ask(label)

    def settle(self) -> None:
        """Ask for the rest."""
        for label in list(self._waiting):
            self._ask(label)

    def _ask(self, label: str) -> None:
        waiting = self._waiting.pop(label)
        for uid, name, before in self._graph.undecryptable(label, waiting, self._names[label]):
            if name in waiting[uid]:
                refusal = encryption.overwrite_error(label, uid, name, before, waiting[uid][name])
                if refusal is not None:
                    self.refused[label, uid].append(str(refusal))


class ConsistencyErrors:
    """What is wrong over the whole of a load; the places are not known yet."""

    def __init__(
        self, ledger: ReferenceIndex, graph: ExistingGraph, sealing: EncryptionCheck
    ) -> None:
        sealing.settle()
        self._refused = sealing.refused
        self._ledger = ledger
        self._repeated = ledger.repeated
        self._incomplete = {
            label: set(_absent(graph, label, uids)) for label, uids in ledger.incomplete.items()
        }
        self._absent = {
            label: set(_absent(graph, label, uids.chosen(declared=False)))
            for label, uids in ledger.uids.items()
            if not ledger.unread  # else they may stand in what was not read
        }
        self._forbidden: dict[tuple[EdgeType, str, str], str] = {}
        self._alone: dict[str, set[str]] = {}
        for kind in EDGES:
            if kind.has_constraints:
                self._settle(kind, graph)

    def __bool__(self) -> bool:
        groups = (self._repeated, self._incomplete, self._absent, self._alone)
        return bool(self._forbidden or self._refused) or any(
            any(group.values()) for group in groups
        )

    def faults(self, records: Iterable[Record]) -> Iterator[FixtureIssue]:
        """Yield the faults of the records: those that they bring, and those that show here."""
        first: dict[tuple[str, str], SourceLocation] = {}
        for record in records:
            if isinstance(record, FixtureIssue):
                yield record
            elif isinstance(record, EdgeRecord):
                yield from self._faults_of_edge(record)
            elif isinstance(record, (NodeRecord, InvalidNode)):
                yield from self._faults_of_node(record, first)

    def _settle(self, kind: EdgeType, graph: ExistingGraph) -> None:
        rows = self._ledger.edge_rows(kind)
        for row, message in constraint_errors(kind, rows, graph):
            self._forbidden[kind, row.source, row.target] = message
        if kind.single_source and not self._ledger.unread:
            alone = set(self._ledger.uids[kind.target].chosen(declared=True))
            alone -= self._ledger.meant[kind]
            alone.difference_update(row.target for row in rows)
            alone.difference_update(uid for uid, _ in graph.sources(kind, alone))
            self._alone[kind.target] = alone

    def _faults_of_edge(self, record: EdgeRecord) -> Iterator[FixtureIssue]:
        kind = record.edge_type
        subject = f"{kind.source} {record.source!r}"
        for label, uid in ((kind.source, record.source), (kind.target, record.target)):
            if uid in self._absent.get(label, ()):
                yield FixtureIssue(
                    record.location,
                    f"{subject}: {kind.type}: no {label} {uid!r} is in the files or in the graph",
                )
        problem = self._forbidden.get((kind, record.source, record.target))
        if problem is not None:
            yield FixtureIssue(record.location, f"{subject}: {problem}")

    def _faults_of_node(
        self, record: NodeRecord | InvalidNode, first: dict[tuple[str, str], SourceLocation]
    ) -> Iterator[FixtureIssue]:
        label, uid = record.label, record.uid
        subject = f"{label} {uid!r}"
        if uid in self._repeated.get(label, ()):
            there = first.get((label, uid))
            first.setdefault((label, uid), record.location)
            if there is not None:
                message = f"{subject}: uid: stands twice (first at {there}): keep one"
                yield FixtureIssue(record.location, message)
        if isinstance(record, NodeRecord) and uid in self._incomplete.get(label, ()):
            for name in missing_required(record):
                yield FixtureIssue(record.location, f"{subject}: {name}: is required: give it")
        if isinstance(record, NodeRecord):
            for message in self._refused.get((label, uid), ()):
                yield FixtureIssue(record.location, message)
        if uid in self._alone.get(label, ()):
            kind = _REQUIRED_SOURCE[label]
            yield FixtureIssue(
                record.location,
                f"{subject}: belongs to no {kind.source}: write it under one, "
                f"or add the edge {kind}",
            )


def check_records(
    read: Callable[[], Iterable[Record]], graph: ExistingGraph, limit: int = MAX_ERRORS
) -> ReferenceIndex:
    """Check records, and raise `FixtureError` with their faults (at most `limit` are told).

    The records are read once, and once more to tell the faults where there are any.
    """
    ledger, sealing = ReferenceIndex(), EncryptionCheck(graph)
    for record in read():
        if isinstance(record, EdgeRecord):
            ledger.add_edge(record)
        elif isinstance(record, NodeRecord):
            ledger.add_node(record)
            sealing.add_node(record)
        elif isinstance(record, InvalidNode):
            ledger.declare(record.label, record.uid)
        elif isinstance(record, InvalidEdge):
            ledger.meant[record.edge_type].add(record.target)
        else:
            ledger.flawed = True
            ledger.unread |= isinstance(record, TruncatedFile)
    problems = ConsistencyErrors(ledger, graph, sealing)
    if ledger.flawed or problems:
        raise _fixture_error(problems.faults(read()), limit)
    return ledger


def _fixture_error(faults: Iterator[FixtureIssue], limit: int) -> FixtureError:
    told: dict[FixtureIssue, None] = {}
    files: dict[str, int] = {}
    omitted = 0
    for fault in faults:
        if len(told) < limit or isinstance(
            fault, TruncatedFile
        ):  # which may be why there are others
            told[fault] = None
            files.setdefault(fault.location.file, len(files))
        elif fault not in told:
            omitted += 1
    ordered = sorted(told, key=lambda fault: (files[fault.location.file], fault.location.line))
    return FixtureError(ordered, omitted=omitted)


def missing_required(record: NodeRecord) -> list[str]:
    """Return the names of the required values that a node would lack if it were new."""
    return missing_fields(NODES[record.label], {"uid": record.uid, **with_uid_fields(record)})


def _absent(graph: ExistingGraph, label: str, uids: Iterable[str]) -> Iterator[str]:
    for batch in batched(uids):
        there = graph.existing(label, batch)
        yield from (uid for uid in batch if uid not in there)
