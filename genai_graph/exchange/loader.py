"""Loading: fixtures into the graph, checked as a whole before the first write."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import starmap
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from genai_graph.database import atomic as transaction
from genai_graph.database import current_connection, retry
from genai_graph.errors import (
    FixtureError,
    FixtureIssue,
    GenaiGraphError,
    GraphNotEmptyError,
    PropertyError,
    SettingsError,
    TransactionMemoryError,
    append_to_message,
)
from genai_graph.exchange.consistency import MAX_ERRORS, check_records
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    NodeRecord,
    with_uid_fields,
)
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.exchange.record_stream import CachedRecordStream, RecordStream
from genai_graph.exchange.sources import open_sources
from genai_graph.registry import NODES, EdgeType
from genai_graph.storage.batching import BATCH_ROWS, TRANSACTION_BYTES, batch_by_key
from genai_graph.storage.edge_rules import EmptyGraph, LoadedGraph
from genai_graph.storage.edges import insert_edges, merge_edges
from genai_graph.storage.lookups import relationship_type_exists
from genai_graph.storage.nodes import insert_nodes, merge_nodes
from genai_graph.storage.rows import WriteCounts

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.consistency import ReferenceIndex
    from genai_graph.exchange.progress import Progress


TRANSACTION_LIMIT = 100_000
_COLLECT_EVERY = 10_000  # containers; Python's own 700 would be seven times a batch
_LESS_AT_ONCE = (
    "; write less at once: load without atomic, or with a lower transaction_limit or batch_size"
)


@dataclass
class Report:
    """What a load did: a tally for each label and each kind of edge, and the seconds it took.

    A dry run has done nothing: its tallies say how many nodes and edges are pending.
    """

    nodes: dict[str, WriteCounts] = field(default_factory=dict)
    edges: dict[str, WriteCounts] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def entities(self) -> int:
        """The number of nodes and edges that were written, found as they are, or are pending."""
        return sum(tally.total for tally in (*self.nodes.values(), *self.edges.values()))

    @property
    def rate(self) -> float:
        """Entities per second, the checking included."""
        return self.entities / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        lines = [f"{name}: {tally}" for name, tally in {**self.nodes, **self.edges}.items()]
        total = f"{self.entities:,} entities in {self.seconds:.1f} s ({self.rate:,.0f} a second)"
        return "\n".join([*lines, total])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as `load --json` prints it."""
        tallies = {"nodes": self.nodes, "edges": self.edges}
        plain = {
            key: {
                name: {slot: getattr(tally, slot) for slot in WriteCounts.__slots__}
                for name, tally in group.items()
            }
            for key, group in tallies.items()
        }
        return {
            **plain,
            "entities": self.entities,
            "seconds": round(self.seconds, 3),
            "entities_per_second": round(self.rate, 1),
        }


@contextmanager
def reduced_gc() -> Iterator[None]:
    """Let Python look for circles less often: rows have none, and it takes a fifth of a load."""
    before, *older = gc.get_threshold()
    if 0 < before < _COLLECT_EVERY:
        gc.set_threshold(_COLLECT_EVERY, *older)
    try:
        yield
    finally:
        gc.set_threshold(before, *older)


@reduced_gc()
def load(
    *fixtures: str | PathLike[str],
    format: str | None = None,
    dry_run: bool = False,
    create: bool = False,
    atomic: bool = False,
    batch_size: int = BATCH_ROWS,
    transaction_limit: int = TRANSACTION_LIMIT,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
) -> Report:
    """Load fixtures into the graph.

    A fixture is a path, a name that stands for ``fixtures/NAME.yaml``, or ``-`` for standard
    input; the format follows from the name's end unless it is given. A load merges: nodes by uid,
    edges by their ends; what the files do not name stays as it is. Everything is checked first,
    within the files and against the graph. With `dry_run` nothing is written, and the report says
    how much would be; with `create` the graph must be empty.

    Up to `transaction_limit` nodes and edges, and 64 MiB of values, are one transaction. More are
    written in batches of at most `batch_size`, each a transaction of its own, unless `atomic` is
    true: a load that ends before its time has then written whole batches, and doing it again writes
    the rest. A batch ends sooner where its values have 8 MiB.

    Raises `FixtureError` with all faults (at most `max_errors` are told), and nothing is written
    then; `SettingsError`; `GraphNotEmptyError`; `TransactionMemoryError` when one transaction is
    too large for the server; any other `DatabaseError`, whose message says what was written.
    """
    _refuse_below(1, batch_size=batch_size, max_errors=max_errors)
    _refuse_below(0, transaction_limit=transaction_limit)
    started = time.monotonic()
    graph = LoadedGraph()
    if create:
        _refuse_filled(graph)
    reading = CachedRecordStream(open_sources(fixtures, format), progress)
    ledger = check_records(lambda: reading.records("checking"), graph, max_errors)
    again = "load again without create" if create else "load again"
    writer = _Writer(reading, ledger, batch_size, progress, again)
    size = ledger.entities, reading.bytes
    excess = _excess(size, (transaction_limit, TRANSACTION_BYTES))
    if dry_run:
        writer.report = _pending(ledger)
    elif atomic or not excess or current_connection().sandbox is not None:
        _refuse_too_large(size)
        _write_at_once(writer)
    else:
        progress.say(f"{excess}: each batch of {batch_size:,} is a transaction of its own")
        _write_in_batches(writer, ledger.entities)
    writer.report.seconds = time.monotonic() - started
    return writer.report


def check(
    *fixtures: str | PathLike[str],
    format: str | None = None,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
) -> tuple[int, int]:
    """Check fixtures without a database, and return the numbers of their nodes and edges.

    The files must be whole in themselves: what they refer to must be in one of them.

    Raises `FixtureError` with all faults (at most `max_errors` are told), `SettingsError`.
    """
    _refuse_below(1, max_errors=max_errors)
    reading = RecordStream(open_sources(fixtures, format), progress)
    ledger = check_records(lambda: reading.records("checking"), EmptyGraph(), max_errors)
    return ledger.nodes, ledger.edges


def _refuse_below(least: int, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < least:
            raise SettingsError(f"{name}: expected at least {least}, got {number}")


def _pending(ledger: ReferenceIndex) -> Report:
    nodes, edges = ledger.counts()
    return Report(
        {label: WriteCounts(pending=count) for label, count in nodes.items()},
        {str(kind): WriteCounts(pending=count) for kind, count in edges.items()},
    )


def _refuse_filled(graph: LoadedGraph) -> None:
    filled = [label for label in NODES if not graph.is_empty(label)]
    if filled:
        raise GraphNotEmptyError(
            f"create is for an empty graph, and this one has nodes of {', '.join(filled)}: "
            "load without create to merge with them, or clear the graph first"
        )


def _excess(size: tuple[int, int], limits: tuple[int, int]) -> str:
    """Say what a load has more of than the limits: nodes and edges, or bytes; or nothing."""
    units = "nodes and edges", "bytes"
    found = zip(size, limits, units, strict=True)
    told = (f"{n:,} {unit} are more than {limit:,}" for n, limit, unit in found if n > limit)
    return next(told, "")


def _refuse_too_large(size: tuple[int, int]) -> None:
    """Refuse what is too large for one transaction of an engine that would not say so."""
    largest = current_connection().largest_transaction
    if largest is not None and (excess := _excess(size, largest)):
        elsewhere = (
            "outside of the sandbox"
            if current_connection().sandbox
            else "without atomic, with a transaction_limit below that"
        )
        raise TransactionMemoryError(
            f"{excess}, the most in one transaction of the embedded engine: "
            f"load them {elsewhere}, or on a Neo4j server"
        )


def _write_at_once(writer: _Writer) -> None:
    """Write everything in one transaction."""
    outcome = "nothing was written"

    def attempt() -> None:
        nonlocal outcome
        with transaction():
            writer.begin(shared=False)
            for batch in writer.batches():
                writer.note(batch, writer.write(batch))
            outcome = "all of it was written or nothing: {again} to be sure"

    with writer.telling(lambda again: outcome.format(again=again)):
        retry(attempt)


def _write_in_batches(writer: _Writer, entities: int) -> None:
    """Write each batch in a transaction of its own; each of them can be repeated."""
    unsure = ""

    def attempt(batch: Batch) -> WriteCounts:
        nonlocal unsure
        unsure = ""
        with transaction():
            tally = writer.write(batch)
            unsure = ", and perhaps the next batch"  # while it is committed
        return tally

    def outcome(again: str) -> str:
        return (
            f"{writer.report.entities:,} of {entities:,} nodes and edges were written{unsure}, "
            f"in whole batches: {again} to write the rest"
        )

    with writer.telling(outcome):
        writer.begin(shared=True)
        for batch in writer.batches():
            writer.note(batch, retry(partial(attempt, batch)))
            unsure = ""


class Batch(NamedTuple):
    """Records for one statement: nodes of a label, or edges of a kind."""

    key: str | EdgeType
    rows: list[Any]


class _Writer:
    """Writes what was checked, batch by batch, and keeps the report."""

    def __init__(
        self,
        reading: RecordStream,
        ledger: ReferenceIndex,
        batch_size: int,
        progress: Progress,
        again: str,
    ) -> None:
        self.report = Report()
        self.again = again  # what to do when it is cut short
        self._reading = reading
        self._ledger = ledger
        self._batch_size = batch_size
        self._progress = progress
        self._looked_up: set[str | EdgeType] = set()

    def begin(self, *, shared: bool) -> None:
        """Begin at the beginning: nothing is written yet.

        What may be there already is looked up: nodes of a label that has some, and edges between
        such nodes. Where others may write between the batches, so are edges that have rules: theirs
        may be in the way of ours.
        """
        self.report = Report()
        graph = LoadedGraph()
        filled = {label for label in NODES if not graph.is_empty(label)}
        kinds = {
            kind
            for kind in self._ledger.kinds()
            if (shared and kind.has_constraints)
            or ({kind.source, kind.target} <= filled and relationship_type_exists(kind.type))
        }
        self._looked_up = filled | kinds

    @cached_property
    def _repeated(self) -> dict[EdgeType, set[tuple[str, str]]]:
        ledger = self._ledger
        return {kind: ledger.repeated_edges(kind) for kind in ledger.kinds()}

    def batches(self) -> Iterator[Batch]:
        """Yield all nodes, then all edges."""
        yield from node_batches(self._read(NodeRecord, "nodes"), self._batch_size)
        yield from edge_batches(self._edges(), self._batch_size)

    def write(self, batch: Batch) -> WriteCounts:
        """Write a batch; what can't be there yet is not looked up."""
        key, rows = batch
        if isinstance(key, EdgeType):
            return (merge_edges if key in self._looked_up else insert_edges)(key, rows)
        write = merge_nodes if key in self._looked_up else insert_nodes
        tally = write(key, rows, with_uid_fields)
        if tally.created < tally.total:  # someone else makes them too
            self._looked_up.add(key)
        return tally

    def note(self, batch: Batch, tally: WriteCounts) -> None:
        """Add what was written to the report."""
        group = self.report.edges if isinstance(batch.key, EdgeType) else self.report.nodes
        group.setdefault(str(batch.key), WriteCounts()).add(tally)

    @contextmanager
    def telling(self, outcome: Callable[[str], str]) -> Iterator[None]:
        """Say how much was written when the writing ends before its time, and what to do."""
        try:
            yield
        except GenaiGraphError as error:
            # A value that is refused is refused again.
            again = (
                f"mend that, and {self.again}" if isinstance(error, PropertyError) else self.again
            )
            advice = _LESS_AT_ONCE if isinstance(error, TransactionMemoryError) else ""
            raise append_to_message(error, outcome(again) + advice) from error.__cause__
        except BaseException:
            self._progress.say(outcome(self.again))
            raise

    def _edges(self) -> Iterable[EdgeRecord]:
        """Return the edges; one that stands several times is one in the end, of the last values."""
        records: Iterator[EdgeRecord] = self._read(EdgeRecord, "edges")
        return self._joined(records) if any(self._repeated.values()) else records

    def _joined(self, records: Iterable[EdgeRecord]) -> Iterator[EdgeRecord]:
        joined: dict[tuple[EdgeType, str, str], EdgeRecord] = {}
        for record in records:
            kind, source, target = ends = record.edge_type, record.source, record.target
            if (source, target) not in self._repeated[kind]:
                yield record
            elif ends in joined:
                given = {**joined[ends].given, **record.given}
                joined[ends] = msgspec.structs.replace(record, given=given)
            else:
                joined[ends] = record
        yield from joined.values()

    def _read(self, wanted: type[Any], stage: str) -> Iterator[Any]:
        """Yield the records of a kind: a fault now means that a file changed since the check."""
        for record in self._reading.records(stage, wanted):
            if isinstance(record, FixtureIssue):
                raise FixtureError([record])
            yield record


def node_batches(records: Iterable[NodeRecord], size: int = BATCH_ROWS) -> Iterator[Batch]:
    """Yield nodes as they are written: by label, at most `size` at a time, in one pass."""
    return starmap(Batch, batch_by_key(records, attrgetter("label"), size))


def edge_batches(records: Iterable[EdgeRecord], size: int = BATCH_ROWS) -> Iterator[Batch]:
    """Yield edges as they are written: by kind, at most `size` at a time, in one pass."""
    return starmap(Batch, batch_by_key(records, attrgetter("edge_type"), size))
