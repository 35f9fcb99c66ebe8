"""Checks of a whole load, before the first write: references, duplicates, cardinality, cycles."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, compress, groupby
from operator import attrgetter, eq
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph import registry
from genai_graph.errors import FixtureError, FixtureIssue, PropertyError, SettingsError
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    TruncatedFile,
    UnloadedModules,
    with_uid_fields,
)
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.exchange.record_stream import RecordStream
from genai_graph.exchange.sources import open_sources
from genai_graph.exchange.uid_table import UidTable
from genai_graph.properties import encryption
from genai_graph.properties.messages import did_you_mean
from genai_graph.properties.validation import missing_fields
from genai_graph.registry import EDGES, NODES, required_properties
from genai_graph.storage import batching
from genai_graph.storage.batching import batched
from genai_graph.storage.edge_rules import EmptyGraph, constraint_errors
from genai_graph.storage.rows import EdgeRow

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.errors import SourceLocation
    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.progress import Progress
    from genai_graph.exchange.record_stream import Source
    from genai_graph.registry import EdgeType
    from genai_graph.storage.edge_rules import LoadedGraph


MAX_ERRORS = 100
_MAX_SUGGESTED = 10_000  # uids to compare with an unknown one, for a suggestion
EdgeIdentity = tuple[Any, ...]  # the edge type, the uids of both ends, the values of the key
# An edge is one 64-bit integer, the number of its source in the upper half and of its target in
# the lower: 8 bytes instead of about 100 for a tuple of two ints, and sorting finds duplicates.
_SOURCE_SHIFT = 32
_END_MASK = (1 << _SOURCE_SHIFT) - 1
_KEY_SHIFT = 32
_KEY_MASK = (1 << _KEY_SHIFT) - 1
_MAX_SORTED = 500_000  # edges in one list
_CHECKED_TOGETHER = 100  # records of one class; more live long enough to cost garbage collections


def check(
    *fixtures: str | PathLike[str] | Source,
    format: str | None = None,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
) -> tuple[int, int]:
    """Check fixtures without a database, and return the numbers of their nodes and edges.

    Fixtures are given as for `load`.
    Every node that the fixtures refer to must be in one of them.

    Raises `FixtureError` with all errors (at most `max_errors` are listed), `SettingsError`.
    """
    require_minimum(1, max_errors=max_errors)
    registry.close()
    stream = RecordStream(open_sources(fixtures, format), progress)
    index = check_records(lambda: stream.records("checking"), EmptyGraph(), max_errors)
    return index.node_count, index.edge_count


def require_minimum(minimum: int, **options: int) -> None:
    """Raise `SettingsError` for an option below its minimum."""
    for name, value in options.items():
        if value < minimum:
            raise SettingsError(f"{name}: expected at least {minimum}, got {value}")


class _EdgeTable(NamedTuple):
    """The edges of one type as packed pairs of uid numbers.

    If the type has a key, `key_numbers` is parallel to `pairs`, and `keys` has the number of each
    key: there are few, since most edges share a role and a split.
    """

    sources: UidTable
    targets: UidTable
    pairs: array[int]
    keys: dict[tuple[Any, ...], int]
    key_numbers: array[int]

    def unpack(self, pairs: Iterable[int]) -> Iterator[tuple[str, str]]:
        """Yield the uids of the source and the target of packed edges."""
        for pair in pairs:
            yield self.sources[pair >> _SOURCE_SHIFT], self.targets[pair & _END_MASK]

    def duplicates(self) -> Iterator[tuple[Any, ...]]:
        """Yield the uids of both ends and the key of each edge that occurs more than once."""
        parts = len(self.pairs) // _MAX_SORTED + 1  # a list takes five times the memory
        for part in range(parts):
            pairs = [pair for pair in self.pairs if pair % parts == part]
            if len(set(pairs)) == len(pairs):  # whatever their keys
                continue
            ordered = sorted(number for number in self._numbers() if number % parts == part)
            repeated = set(compress(ordered, map(eq, ordered, ordered[1:])))
            if not self.key_numbers:
                yield from self.unpack(repeated)
                continue
            keys = list(self.keys)
            ends = self.unpack([number >> _KEY_SHIFT for number in repeated])
            for number, pair in zip(repeated, ends, strict=True):
                yield (*pair, *keys[number & _KEY_MASK])

    def _numbers(self) -> Iterable[int]:
        """Return a number for each edge, equal for duplicates."""
        if not self.key_numbers:
            return self.pairs
        pairs = zip(self.pairs, self.key_numbers, strict=True)
        return (pair << _KEY_SHIFT | key for pair, key in pairs)

    def leads_to_cycle(self) -> bytearray:
        """Return whether a cycle can be reached from a node, by its number.

        Nodes without outgoing edges are removed, with the edges that end at them, until none is
        left: a topological sort from the ends.
        """
        if self.sources is not self.targets:
            return bytearray(len(self.targets))
        count = len(self.sources)
        num_targets = array("I", bytes(4 * count))  # those that are not removed, by number
        ends = array("I", bytes(4 * (count + 1)))  # of the sources of a target, by number + 1
        for pair in self.pairs:
            num_targets[pair >> _SOURCE_SHIFT] += 1
            ends[(pair & _END_MASK) + 1] += 1
        removed = array("I", (number for number in range(count) if not num_targets[number]))
        starts = array("I", accumulate(ends))
        ends = starts[:]
        sources = array("I", bytes(4 * len(self.pairs)))  # grouped by target
        for pair in self.pairs:
            target = pair & _END_MASK
            sources[ends[target]] = pair >> _SOURCE_SHIFT
            ends[target] += 1
        while removed:
            target = removed.pop()
            for source in sources[starts[target] : ends[target]]:
                num_targets[source] -= 1
                if not num_targets[source]:
                    removed.append(source)
        return bytearray(map(bool, num_targets))

    def targets_without_edge(self) -> Iterator[str]:
        """Yield the declared targets at which no edge ends."""
        is_missing = bytearray(self.targets.is_declared)
        for pair in self.pairs:
            is_missing[pair & _END_MASK] = False
        return (self.targets[number] for number, missing in enumerate(is_missing) if missing)


class ReferenceIndex:
    """The nodes that a load declares, and the edges between them.

    It stores each uid once, 8 bytes per edge (12 if the type has a key), no other values and no
    locations: a load may be larger than memory. `has_errors` is true if records were invalid,
    `is_truncated` if a file was not read to its end.
    """

    def __init__(self) -> None:
        self.node_count = 0
        self.has_errors = False
        self.is_truncated = False
        self.uid_tables = {label: UidTable() for label in NODES}
        self._required = {
            label: tuple(name for name in required_properties(cls) if name != "uid")
            for label, cls in NODES.items()
        }
        self.duplicates: dict[str, set[str]] = defaultdict(set)
        # Nodes without a required property: allowed if they exist in the graph.
        self.incomplete: dict[str, set[str]] = defaultdict(set)
        self.targets_of_invalid_edges: dict[EdgeType, set[str]] = defaultdict(set)
        self._edges = {
            edge_type: _EdgeTable(
                self.uid_tables[edge_type.source],
                self.uid_tables[edge_type.target],
                array("Q"),
                {},
                array("I"),
            )
            for edge_type in EDGES
        }

    def add_nodes(self, records: Iterable[NodeRecord]) -> None:
        """Add valid nodes."""
        for label, group in groupby(records, attrgetter("label")):
            nodes, required = list(group), self._required[label]
            self.node_count += len(nodes)
            self.declare(label, [node.uid for node in nodes])
            for node in nodes:
                # A required property that is not given may still follow from the uid.
                if None in map(node.given.get, required) and _missing_properties(node):
                    self.incomplete[label].add(node.uid)

    def declare(self, label: str, uids: Iterable[str]) -> None:
        """Add the uids of nodes, valid or not."""
        table = self.uid_tables[label]
        is_declared = table.is_declared
        for uid in uids:
            number = table.find(uid)
            if number is None:
                number = table.add(uid)
            elif is_declared[number]:
                self.duplicates[label].add(uid)
            is_declared[number] = True

    def add_edges(self, records: Iterable[EdgeRecord]) -> None:
        """Add valid edges."""
        for edge_type, edges in groupby(records, attrgetter("edge_type")):
            sources, targets, pairs, keys, key_numbers = self._edges[edge_type]
            has_key, key_of = bool(edge_type.key), edge_type.key_of
            for edge in edges:
                source = sources.find(edge.source)
                if source is None:
                    source = sources.add(edge.source)
                target = targets.find(edge.target)
                if target is None:
                    target = targets.add(edge.target)
                pairs.append(source << _SOURCE_SHIFT | target)
                if has_key:
                    key_numbers.append(keys.setdefault(key_of(edge.given), len(keys)))

    def add_errors(self, records: Iterable[Any]) -> None:
        """Add errors, and the nodes and edges that have errors."""
        for record in records:
            if isinstance(record, InvalidNode):
                self.declare(record.label, [record.uid])
            elif isinstance(record, InvalidEdge):
                self.targets_of_invalid_edges[record.edge_type].add(record.target)
            elif not isinstance(record, UnloadedModules):
                self.has_errors = True
                self.is_truncated |= isinstance(record, TruncatedFile)

    def edge_batches(
        self, edge_type: EdgeType, *, is_first: bool
    ) -> Iterator[tuple[list[EdgeRow], dict[str, str]]]:
        """Yield the edges of a type, without values, in batches; those of an acyclic type in one.

        Each batch comes with the first neighbours of the restricted ends that have several, by the
        uid of the end; an earlier batch may contain the other edge. With `is_first`, the graph has
        no edges of the type, and those that can't violate a constraint are omitted.
        """
        table, values = self._edges[edge_type], dict[str, Any]()
        near, far, shift = table.targets, table.sources, 0
        if edge_type.single_target:
            near, far, shift = far, near, _SOURCE_SHIFT
        first = array("I", bytes(4 * len(near)))  # number + 1 of the first neighbour, by number
        has_several = bytearray(len(near))
        if edge_type.single_target or edge_type.single_source:
            for pair in table.pairs:
                uid = pair >> shift & _END_MASK
                neighbour = pair >> _SOURCE_SHIFT - shift & _END_MASK
                if not first[uid]:
                    first[uid] = neighbour + 1
                elif first[uid] != neighbour + 1:
                    has_several[uid] = True
        chosen: Iterable[int] = table.pairs
        if is_first:
            is_endless = bytearray(len(table.targets))
            if edge_type.acyclic:
                is_endless = table.leads_to_cycle()
            if True in has_several or True in is_endless:
                chosen = (
                    pair
                    for pair in table.pairs
                    if has_several[pair >> shift & _END_MASK] or is_endless[pair & _END_MASK]
                )
            else:  # usually, so that no edge needs to be unpacked
                chosen = ()
        for pairs in batched(chosen, len(table.pairs) + 1 if edge_type.acyclic else None):
            ends = {uid for pair in pairs if has_several[uid := pair >> shift & _END_MASK]}
            neighbours = {near[uid]: far[first[uid] - 1] for uid in ends}
            yield [EdgeRow(*uids, values, 0) for uids in table.unpack(pairs)], neighbours

    def targets_without_edge(self, edge_type: EdgeType) -> Iterator[str]:
        """Yield the declared targets at which no edge of a type ends."""
        return self._edges[edge_type].targets_without_edge()

    @property
    def edge_count(self) -> int:
        """The number of edges."""
        return sum(len(table.pairs) for table in self._edges.values())

    def counts(self) -> dict[str | EdgeType, int]:
        """Return the number of nodes per label and of edges per edge type."""
        counts: dict[str | EdgeType, int] = {
            label: table.is_declared.count(True) for label, table in self.uid_tables.items()
        }
        counts.update((edge_type, len(table.pairs)) for edge_type, table in self._edges.items())
        return {key: count for key, count in counts.items() if count}

    @property
    def edge_types(self) -> list[EdgeType]:
        """The types of the edges."""
        return [edge_type for edge_type, table in self._edges.items() if table.pairs]

    def duplicate_edges(self) -> set[EdgeIdentity]:
        """Return the edges that occur more than once."""
        return {
            (edge_type, *identity)
            for edge_type, table in self._edges.items()
            for identity in table.duplicates()
        }


class EncryptionCheck:
    """Encryption conflicts: ciphertexts from elsewhere, and overwrites of undecryptable values.

    The graph is queried while the records are read, one batch of uids at a time, so that no values
    are kept in memory.
    """

    def __init__(self, graph: LoadedGraph) -> None:
        self.errors: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._graph = graph
        self._encrypted = {label: graph.encrypted_names(label) for label in NODES}
        # By label, uid and encrypted property: the id of the key if a ciphertext is given.
        self._pending: dict[str, dict[str, dict[str, str | None]]] = defaultdict(dict)

    def add_nodes(self, records: Iterable[NodeRecord]) -> None:
        """Check the ciphertexts of nodes, and queue the nodes for the comparison with the graph."""
        for label, nodes in groupby(records, attrgetter("label")):
            if encrypted := self._encrypted[label]:
                for node in nodes:
                    if not encrypted.isdisjoint(node.given):
                        self._add(node, encrypted)

    def _add(self, record: NodeRecord, encrypted: frozenset[str]) -> None:
        label, uid, given = record.label, record.uid, record.given
        keys = {name: encryption.key_id_in(given[name]) for name in given.keys() & encrypted}
        for name in filter(keys.get, keys):
            try:
                encryption.encrypt_values(label, uid, {name: given[name]})
            except PropertyError as error:
                self.errors[label, uid].append(str(error))
        pending = self._pending[label]
        pending[uid] = keys
        if len(pending) >= batching.BATCH_ROWS:
            self._compare(label)

    def finish(self) -> None:
        """Compare the remaining nodes with the graph."""
        for label in list(self._pending):
            self._compare(label)

    def _compare(self, label: str) -> None:
        pending = self._pending.pop(label)
        for uid, name, stored in self._graph.undecryptable(label, pending, self._encrypted[label]):
            if name in pending[uid]:
                error = encryption.overwrite_error(label, uid, name, stored, pending[uid][name])
                if error is not None:
                    self.errors[label, uid].append(str(error))


class ConsistencyErrors:
    """The nodes and edges of a load that contradict each other or the graph.

    Locations are not known here; `issues` finds them in a second pass over the records.
    """

    def __init__(
        self, index: ReferenceIndex, graph: LoadedGraph, encryption_check: EncryptionCheck
    ) -> None:
        encryption_check.finish()
        self._encryption_errors = encryption_check.errors
        self._index = index
        self._incomplete = {
            label: set(_without_existing(graph, label, uids))
            for label, uids in index.incomplete.items()
        }
        self._missing = {
            label: set(_without_existing(graph, label, table.uids(declared=False)))
            for label, table in index.uid_tables.items()
            if not index.is_truncated  # they may be declared in the unread part
        }
        self._duplicate_edges = index.duplicate_edges()
        self._forbidden: dict[tuple[EdgeType, str, str], str] = {}
        self._restricted: set[tuple[EdgeType, str]] = set()  # the ends of forbidden edges
        self._orphans: dict[str, set[str]] = {}
        for edge_type in EDGES:
            if edge_type.has_constraints:
                self._check_constraints(edge_type, graph)

    def __bool__(self) -> bool:
        groups = (self._index.duplicates, self._incomplete, self._missing, self._orphans)
        found = self._forbidden, self._duplicate_edges, self._encryption_errors
        return any((*found, *(any(group.values()) for group in groups)))

    def issues(self, records: Iterable[Record]) -> Iterator[FixtureIssue]:
        """Yield the errors among the records, and those found here with their locations."""
        first: dict[tuple[str, str] | EdgeIdentity, SourceLocation] = {}
        for record in records:
            if isinstance(record, FixtureIssue):
                yield record
            elif isinstance(record, EdgeRecord):
                for message in self._edge_errors(record, first):
                    yield FixtureIssue(record.location, message)
            elif isinstance(record, (NodeRecord, InvalidNode)):
                for message in self._node_errors(record, first):
                    yield FixtureIssue(record.location, message)

    def _check_constraints(self, edge_type: EdgeType, graph: LoadedGraph) -> None:
        is_first = graph.has_no_edges(edge_type)
        for rows, neighbours in self._index.edge_batches(edge_type, is_first=is_first):
            for row, message in constraint_errors(edge_type, rows, graph, neighbours):
                self._forbidden[edge_type, row.source, row.target] = message
                if edge_type.single_source or edge_type.single_target:
                    end = row.target if edge_type.single_source else row.source
                    self._restricted.add((edge_type, end))
        if edge_type.single_source and not self._index.is_truncated:
            orphans = set(self._index.targets_without_edge(edge_type))
            orphans -= self._index.targets_of_invalid_edges[edge_type]
            orphans.difference_update(uid for uid, _ in graph.sources(edge_type, orphans))
            self._orphans[edge_type.target] = orphans

    def _edge_errors(self, record: EdgeRecord, first: dict[Any, SourceLocation]) -> Iterator[str]:
        """Yield the errors of an edge; `first` collects the locations of duplicate edges."""
        edge_type = record.edge_type
        subject = f"{edge_type.source} {record.source!r}"
        identity = (edge_type, record.source, record.target, *edge_type.key_of(record.given))
        # The edge to a duplicate metric is a duplicate, too: only the metric is reported.
        metrics = (
            self._index.duplicates.get(edge_type.target, ()) if edge_type.single_source else ()
        )
        if identity in self._duplicate_edges and record.target not in metrics:
            if identity in first:
                edge = f"{edge_type.type}: {record.target!r}{edge_type.describe_key(record.given)}"
                yield f"{subject}: {edge}: duplicate (first at {first[identity]})"
            first.setdefault(identity, record.location)
        for label, uid in ((edge_type.source, record.source), (edge_type.target, record.target)):
            if uid in self._missing.get(label, ()):
                missing = f"no {label} {uid!r} is in the files or in the graph"
                yield f"{subject}: {edge_type.type}: {missing}{self._suggest(label, uid)}"
        yield from self._constraint_errors(record, subject, first)

    def _suggest(self, label: str, uid: str) -> str:
        """Return similar uids of the files, unless there are too many to compare."""
        table = self._index.uid_tables[label]
        if len(table) > _MAX_SUGGESTED:
            return ""
        return did_you_mean(uid, list(table.uids(declared=True)))

    def _constraint_errors(
        self, record: EdgeRecord, subject: str, first: dict[Any, SourceLocation]
    ) -> Iterator[str]:
        """Yield the error of an edge that its type does not allow, with the line of the first."""
        edge_type = record.edge_type
        restricted = record.target if edge_type.single_source else record.source
        error = self._forbidden.get((edge_type, record.source, record.target))
        if error is None:
            if (edge_type, restricted) in self._restricted:
                first.setdefault((edge_type, restricted), record.location)
            return
        location = first.get((edge_type, restricted))
        place = "" if location is None else f" (first at {location})"
        yield f"{error}{place}" if error.startswith(subject) else f"{subject}: {error}{place}"

    def _node_errors(
        self, record: NodeRecord | InvalidNode, first: dict[Any, SourceLocation]
    ) -> Iterator[str]:
        """Yield the errors of a node; `first` collects the locations of duplicate uids."""
        label, uid = record.label, record.uid
        subject = f"{label} {uid!r}"
        if uid in self._index.duplicates.get(label, ()):
            if (label, uid) in first:
                yield f"{subject}: uid: duplicate (first at {first[label, uid]})"
            first.setdefault((label, uid), record.location)
        if isinstance(record, NodeRecord):
            if uid in self._incomplete.get(label, ()):
                for name in _missing_properties(record):
                    yield f"{subject}: {name}: is required"
            yield from self._encryption_errors.get((label, uid), ())
        if uid in self._orphans.get(label, ()):
            # A Metric needs its Experiment.
            edge_type = next(one for one in EDGES if one.target == label and one.single_source)
            fix = f"nest it under one, or add an edge {edge_type}"
            yield f"{subject}: has no {edge_type.source}: {fix}"


def check_records(
    read: Callable[[], Iterable[Record]], graph: LoadedGraph, max_errors: int = MAX_ERRORS
) -> ReferenceIndex:
    """Check records, and raise `FixtureError` with their errors (at most `max_errors`).

    The records are read once, and a second time if there are errors, for their locations.
    """
    index, encryption_check = ReferenceIndex(), EncryptionCheck(graph)
    groups: Iterable[tuple[type, Iterator[Any]]] = groupby(read(), type)
    for record_class, group in groups:
        for records in batched(group, _CHECKED_TOGETHER):
            if issubclass(record_class, EdgeRecord):
                index.add_edges(records)
            elif issubclass(record_class, NodeRecord):
                index.add_nodes(records)
                encryption_check.add_nodes(records)
            else:
                index.add_errors(records)
    errors = ConsistencyErrors(index, graph, encryption_check)
    if index.has_errors or errors:
        raise _fixture_error(errors.issues(read()), max_errors)
    return index


def _fixture_error(issues: Iterator[FixtureIssue], max_errors: int) -> FixtureError:
    listed: dict[FixtureIssue, None] = {}
    file_order: dict[str, int] = {}
    omitted = 0
    for issue in issues:
        # A truncated file is always listed: it may be the cause of the other errors.
        if len(listed) < max_errors or isinstance(issue, TruncatedFile):
            listed[issue] = None
            file_order.setdefault(issue.location.file, len(file_order))
        elif issue not in listed:
            omitted += 1
    # Sorting is stable: issues without a line stay in the order of their arrival.
    ordered = sorted(
        listed, key=lambda each: (file_order[each.location.file], each.location.line or 0)
    )
    return FixtureError(ordered, omitted=omitted)


def _missing_properties(record: NodeRecord) -> list[str]:
    """Return the required properties that a node would lack if it were new."""
    return missing_fields(NODES[record.label], {"uid": record.uid, **with_uid_fields(record)})


def _without_existing(graph: LoadedGraph, label: str, uids: Iterable[str]) -> Iterator[str]:
    """Yield the uids without a node in the graph."""
    for batch in batched(uids):
        existing = graph.existing(label, batch)
        yield from (uid for uid in batch if uid not in existing)
