"""Loading fixtures into the graph, in one transaction or in batches."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from genai_graph.database import current_connection, retry, transaction_block
from genai_graph.errors import (
    FixtureError,
    FixtureIssue,
    GenaiGraphError,
    NodeExistsError,
    PropertyError,
    TransactionMemoryError,
    TransientError,
    UncertainCommitError,
    append_to_message,
)
from genai_graph.exchange.consistency import MAX_ERRORS, check_records, require_minimum
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    NodeRecord,
    UnloadedModules,
    with_uid_fields,
)
from genai_graph.exchange.journal_writes import has_journal_nodes, merge_journal_nodes
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.exchange.record_stream import CachedRecordStream, RecordStream
from genai_graph.exchange.sources import open_sources
from genai_graph.registry import NODES, EdgeType
from genai_graph.storage.batching import BATCH_ROWS, TRANSACTION_BYTES, batch_by_key
from genai_graph.storage.edge_rules import LoadedGraph
from genai_graph.storage.edges import insert_edges, send_merged_edges, send_new_edges
from genai_graph.storage.lookups import relationship_type_exists
from genai_graph.storage.nodes import send_merged_nodes, send_new_nodes
from genai_graph.storage.rows import WriteCounts

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.consistency import ReferenceIndex
    from genai_graph.exchange.progress import Progress
    from genai_graph.exchange.record_stream import Source
    from genai_graph.storage.nodes import Reconcile

T = TypeVar("T")

TRANSACTION_ROWS = 100_000  # nodes and edges in one transaction by default
_GC_THRESHOLD = 10_000  # allocated containers; Python's default of 700 collects 7 times per batch


@dataclass
class Report:
    """The result of a load: counts for each label and each edge type, and the duration.

    A dry run writes nothing: its counts are `pending`.
    """

    nodes: dict[str, WriteCounts] = field(default_factory=dict)
    edges: dict[str, WriteCounts] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def entities(self) -> int:
        """The number of nodes and edges, unchanged and pending ones included."""
        return sum(counts.total for counts in (*self.nodes.values(), *self.edges.values()))

    @property
    def rate(self) -> float:
        """Nodes and edges per second, including the time for the checks."""
        return self.entities / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        lines = [f"{name}: {counts}" for name, counts in {**self.nodes, **self.edges}.items()]
        total = f"{self.entities:,} entities in {self.seconds:.1f} s ({self.rate:,.0f} per second)"
        return "\n".join([*lines, total])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-compatible values."""
        return {
            "nodes": {label: asdict(counts) for label, counts in self.nodes.items()},
            "edges": {edge_type: asdict(counts) for edge_type, counts in self.edges.items()},
            "entities": self.entities,
            "seconds": round(self.seconds, 3),
            "entities_per_second": round(self.rate, 1),
        }


@contextmanager
def reduced_gc() -> Iterator[None]:
    """Raise the GC threshold: rows form no cycles, and collection costs a fifth of a load."""
    threshold, *older = gc.get_threshold()
    if 0 < threshold < _GC_THRESHOLD:
        gc.set_threshold(_GC_THRESHOLD, *older)
    try:
        yield
    finally:
        gc.set_threshold(threshold, *older)


@reduced_gc()
def load(
    *fixtures: str | PathLike[str] | Source,
    format: str | None = None,
    dry_run: bool = False,
    atomic: bool | None = None,
    batch_size: int = BATCH_ROWS,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
) -> Report:
    """Load fixtures into the graph.

    A fixture is a path, a name that is short for ``fixtures/NAME.yaml``, ``-`` for standard input,
    or an object with the interface of `exchange.record_stream.Source`. The default format follows
    from the file extension. Nodes are merged by uid, edges by their ends, role and split;
    properties and edges that are not in the files stay as they are. Everything is checked before
    the first write, within the files and against the graph. With `dry_run`, nothing is written, and
    the report counts the pending nodes and edges.

    With `atomic`, everything is written in one transaction; with ``atomic=False``, each batch of at
    most `batch_size` rows and 8 MiB is a transaction. The default is one transaction for up to
    100,000 nodes and edges with 64 MiB of values, and batches above. A batched load that is
    interrupted leaves whole batches; loading again writes the rest. A sandbox is always one
    transaction.

    Raises `FixtureError` with all errors (at most `max_errors` are listed) before anything is
    written; `SettingsError`; `TransactionMemoryError` if a transaction is too large for the server;
    and any other `DatabaseError`, whose message says how much was written.
    """
    require_minimum(1, batch_size=batch_size, max_errors=max_errors)
    return load_sources(
        open_sources(fixtures, format),
        dry_run=dry_run,
        atomic=atomic,
        batch_size=batch_size,
        max_errors=max_errors,
        progress=progress,
    )


def load_sources(
    sources: Sequence[Source],
    *,
    dry_run: bool,
    atomic: bool | None,
    batch_size: int,
    max_errors: int,
    progress: Progress,
    reconcile: Reconcile[NodeRecord] | None = None,
    verb: str = "load",
) -> Report:
    """Load the records of sources; `load` describes the options.

    `reconcile` returns the values to write to a node that exists: see `merge_nodes`. `verb` names
    the command in messages.
    """
    started = time.monotonic()
    stream = CachedRecordStream(sources, progress)
    index = check_records(lambda: stream.records("checking"), LoadedGraph(), max_errors)
    size = index.node_count + index.edge_count, stream.bytes
    writer = _BatchWriter(stream, index, batch_size, progress, reconcile, verb)
    if current_connection().sandbox is not None:
        atomic = True
    if atomic is None:
        excess = _describe_excess(size, (TRANSACTION_ROWS, TRANSACTION_BYTES))
        atomic = not excess
        if excess and not dry_run:
            mode = f"each batch of {batch_size:,} is written in its own transaction"
            progress.say(f"{excess}: {mode}")
    if dry_run:
        for key, count in index.counts().items():
            writer.count(key, WriteCounts(pending=count))
    elif atomic:
        _require_fitting_transaction(size)
        _write_atomically(writer)
    else:
        _write_in_batches(writer)
    writer.report.seconds = time.monotonic() - started
    return writer.report


def _describe_excess(size: tuple[int, int], limits: tuple[int, int]) -> str:
    """Describe the exceeded limit (nodes and edges, or bytes), or return ""."""
    for number, limit, unit in zip(size, limits, ("nodes and edges", "bytes"), strict=True):
        if number > limit:
            return f"{number:,} {unit} are more than {limit:,}"
    return ""


def _require_fitting_transaction(size: tuple[int, int]) -> None:
    """Raise `TransactionMemoryError` if the embedded engine would stall instead of refusing."""
    limits = current_connection().largest_transaction
    if limits is not None and (excess := _describe_excess(size, limits)):
        raise TransactionMemoryError(
            f"{excess}, the limit of one transaction in the embedded engine: load in batches "
            "(--batched), outside of a sandbox, or use a Neo4j server"
        )


def _write_atomically(writer: _BatchWriter) -> None:
    """Write all batches in one transaction, which is repeated if it may not be committed."""
    outcome = "nothing was written"
    uncertain: list[Report] = []

    def attempt() -> None:
        nonlocal outcome
        try:
            with transaction_block():
                writer.start(concurrent=False)
                writer.write_all()
                # If the connection fails during the commit, the server may have completed it.
                outcome = "everything or nothing was written: {advice} to be sure"
        except NodeExistsError as error:
            writer.repeat_as_merge(error)
        except UncertainCommitError:
            if writer.has_written or not uncertain:
                uncertain[:] = [writer.report]
            raise
        if uncertain and not writer.has_written:  # the earlier attempt was committed
            writer.report = uncertain[0]

    with writer.explain_interruption(lambda advice: outcome.format(advice=advice)):
        _retry(attempt)


def _write_in_batches(writer: _BatchWriter) -> None:
    """Write each batch in its own transaction, which is repeated if it may not be committed."""
    uncertain = ""

    def write(key: str | EdgeType, rows: list[Any]) -> WriteCounts:
        earlier: list[WriteCounts] = []

        def attempt() -> WriteCounts:
            nonlocal uncertain
            uncertain = ", and possibly the next batch" if earlier else ""
            counts = WriteCounts()
            try:
                with transaction_block():
                    counts = writer.write(key, rows)()
                    uncertain = ", and possibly the next batch"  # during the commit
            except NodeExistsError as error:
                writer.repeat_as_merge(error)
            except UncertainCommitError:
                if counts.written or not earlier:
                    earlier[:] = [counts]
                raise
            # If nothing is left to write, the earlier attempt was committed.
            return earlier[0] if earlier and not counts.written else counts

        return _retry(attempt)

    def outcome(advice: str) -> str:
        return (
            f"{writer.report.entities:,} of {writer.total:,} nodes and edges were written"
            f"{uncertain}, in whole batches: {advice} to write the rest"
        )

    with writer.explain_interruption(outcome):
        writer.start(concurrent=True)
        for key, rows in writer.batches():
            writer.count(key, write(key, rows))
            uncertain = ""


def _retry(attempt: Callable[[], T]) -> T:
    return retry(attempt, idempotent=True)


class _BatchWriter:
    """Writes checked records batch by batch and keeps the report."""

    def __init__(
        self,
        stream: RecordStream,
        index: ReferenceIndex,
        batch_size: int,
        progress: Progress,
        reconcile: Reconcile[NodeRecord] | None,
        verb: str,
    ) -> None:
        self.report = Report()
        self.total = index.node_count + index.edge_count
        self._stream = stream
        self._index = index
        self._batch_size = batch_size
        self._progress = progress
        self._reconcile = reconcile
        self._verb = verb
        self._merged: set[str | EdgeType] = set()
        self._merges_all = False  # true after another client has created some of the nodes
        self._has_inserted = False  # whether nodes were created without MERGE
        self._created: set[str] = set()

    def start(self, *, concurrent: bool) -> None:
        """Reset the report, and choose the labels and edge types to merge; others are inserted.

        Nodes are merged if their label has nodes in the graph, edges if both labels do, or one of
        them if the type has constraints. Merging checks these again, because other clients may have
        written since the check; with `concurrent`, they may also write between the batches.
        """
        self.report = Report()
        self._has_inserted = False
        if self._merges_all:
            return
        graph = LoadedGraph()
        labels = {label for label in NODES if not graph.is_empty(label)}
        self._merged = {*labels}
        # All nodes of these labels are created in one transaction, unseen by other clients, so they
        # have no edges yet.
        self._created = set() if concurrent else NODES.keys() - labels
        for edge_type in self._index.edge_types:
            ends = {edge_type.source, edge_type.target}
            if edge_type.has_constraints:
                is_merged = concurrent or not ends.isdisjoint(labels)
            else:
                is_merged = ends <= labels and relationship_type_exists(edge_type.type)
            if is_merged:
                self._merged.add(edge_type)

    def batches(self) -> Iterator[tuple[str | EdgeType, list[Any]]]:
        """Yield the batches of all nodes by label, then of all edges by type."""
        yield from self._node_batches()
        yield from self._edge_batches()

    def _node_batches(self) -> Iterator[tuple[str, list[NodeRecord]]]:
        nodes = self._read(NodeRecord, "nodes")
        return batch_by_key(nodes, attrgetter("label"), self._batch_size)

    def _edge_batches(self) -> Iterator[tuple[EdgeType, list[EdgeRecord]]]:
        edges = self._read(EdgeRecord, "edges")
        return batch_by_key(edges, attrgetter("edge_type"), self._batch_size)

    def write_all(self) -> None:
        """Write all batches in the open transaction, and count them.

        The next batch of nodes or edges is prepared, and its statement sent, before the one before
        is written.
        """
        for batches in (self._node_batches(), self._edge_batches()):
            sent: deque[tuple[str | EdgeType, Callable[[], WriteCounts]]] = deque()
            for key, rows in batches:
                sent.append((key, self.write(key, rows)))
                if len(sent) > 1:
                    self._count_next(sent)
            while sent:  # all nodes are written before the edges
                self._count_next(sent)

    def _count_next(self, sent: deque[tuple[str | EdgeType, Callable[[], WriteCounts]]]) -> None:
        key, wait = sent.popleft()
        self.count(key, wait())

    def write(self, key: str | EdgeType, rows: list[Any]) -> Callable[[], WriteCounts]:
        """Write a batch, and return a function that waits for its counts."""
        if isinstance(key, EdgeType):
            if key in self._merged:
                new_only = ("origin",) if self._reconcile else ()
                return send_merged_edges(key, rows, new_only=new_only)
            if {key.source, key.target} & self._created:
                return send_new_edges(key, rows)
            counts = insert_edges(key, rows)
        elif has_journal_nodes(rows):
            self._created.discard(key)
            counts = merge_journal_nodes(key, rows)
        elif key in self._merged:
            return send_merged_nodes(key, rows, with_uid_fields, self._reconcile)
        else:
            self._has_inserted = True
            return send_new_nodes(key, rows, with_uid_fields)
        return lambda: counts

    def repeat_as_merge(self, error: NodeExistsError) -> NoReturn:
        """Merge everything from now on, and raise `TransientError`, which repeats the transaction.

        Another client has created nodes of a label that had none. If all nodes were merged already,
        the graph has a constraint that is not of this package, and the given error is raised.
        """
        if self._merges_all or not self._has_inserted:
            raise error
        self._merges_all = True
        self._merged = {*NODES, *self._index.edge_types}
        self._created = set()
        raise TransientError(str(error)) from error

    @property
    def has_written(self) -> bool:
        """Whether the report has created or changed nodes or edges."""
        all_counts = (*self.report.nodes.values(), *self.report.edges.values())
        return any(counts.written for counts in all_counts)

    def count(self, key: str | EdgeType, counts: WriteCounts) -> None:
        """Add counts of a label or an edge type to the report."""
        group = self.report.edges if isinstance(key, EdgeType) else self.report.nodes
        group.setdefault(str(key), WriteCounts()).add(counts)

    @contextmanager
    def explain_interruption(self, outcome: Callable[[str], str]) -> Iterator[None]:
        """Append to an error the text that `outcome` returns: how much was written, and advice."""
        try:
            yield
        except GenaiGraphError as error:
            # Loading again would not help: an invalid value is always rejected.
            is_invalid = isinstance(error, PropertyError)
            again = f"{self._verb} again"
            text = outcome(f"fix the value, and {again}" if is_invalid else again)
            if isinstance(error, TransactionMemoryError):
                text += "; use smaller transactions: --batched, or a smaller --batch-size"
            raise append_to_message(error, text) from error.__cause__
        except BaseException:
            self._progress.say(outcome(f"{self._verb} again"))
            raise

    def _read(self, wanted: type[Any], stage: str) -> Iterator[Any]:
        """Yield the records of a class; an error now means that a file changed since the check."""
        for record in self._stream.records(stage, wanted):
            if not isinstance(record, FixtureIssue):
                yield record
            elif not isinstance(record, UnloadedModules):
                raise FixtureError([record])
