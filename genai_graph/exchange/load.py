"""Loading: fixtures into the graph, all of it or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from genai_graph.database import atomic
from genai_graph.errors import Fault, FixtureError, FixtureFileError
from genai_graph.exchange.check import FAULT_LIMIT, examine
from genai_graph.exchange.fixtures import Fixture
from genai_graph.exchange.records import BATCH, EdgeRecord, NodeRecord
from genai_graph.exchange.validation import defaults_of
from genai_graph.models import store
from genai_graph.models.store import EdgeRow, EmptyGraph, Graph, NodeRow, Tally

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.records import Record


class Source(Protocol):
    """What can be read into records, several times over."""

    def records(self) -> Iterator[Record]:
        """Yield the records and the faults."""


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass
class Report:
    """What a load did: a tally for each label and each kind of edge, and the seconds it took."""

    nodes: dict[str, Tally] = field(default_factory=dict)
    edges: dict[str, Tally] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"{name}: {tally.created} created, {tally.changed} changed, {tally.unchanged} unchanged"
            for name, tally in {**self.nodes, **self.edges}.items()
        ]
        return "\n".join([*lines, f"loaded in {self.seconds:.1f} s"])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as `load --json` prints it."""
        tallies = {"nodes": self.nodes, "edges": self.edges}
        plain = {
            key: {
                name: {slot: getattr(tally, slot) for slot in Tally.__slots__}
                for name, tally in group.items()
            }
            for key, group in tallies.items()
        }
        return {**plain, "seconds": round(self.seconds, 3)}


def load(
    *fixtures: str | PathLike[str],
    format: str | None = None,
    dry_run: bool = False,
    batch_size: int = BATCH,
    fault_limit: int = FAULT_LIMIT,
) -> Report:
    """Load fixtures into the graph in one transaction.

    A fixture is a path, a name that stands for ``fixtures/NAME.yaml``, or ``-`` for standard
    input; the format follows from the name's end unless it is given. A load merges: nodes by uid,
    edges by their ends; what the files do not name stays as it is. Everything is checked first,
    within the files and against the graph. With `dry_run` nothing is written.

    Raises `FixtureError` with all faults (at most `fault_limit` are told); nothing is written then.
    """
    started = time.monotonic()
    opened = _open(fixtures, format)
    examine(lambda: _records(opened), Graph(), fault_limit)
    report = Report()
    if not dry_run:
        with atomic():
            _write_nodes(opened, batch_size, report)
            _write_edges(opened, batch_size, report)
    report.seconds = time.monotonic() - started
    return report


def check(
    *fixtures: str | PathLike[str], format: str | None = None, fault_limit: int = FAULT_LIMIT
) -> tuple[int, int]:
    """Check fixtures without a database, and return the numbers of their nodes and edges.

    The files must be whole in themselves: what they refer to must be in one of them.

    Raises `FixtureError` with all faults (at most `fault_limit` are told).
    """
    opened = _open(fixtures, format)
    ledger = examine(lambda: _records(opened), EmptyGraph(), fault_limit)
    return ledger.nodes, ledger.edges


def _open(fixtures: Iterable[str | PathLike[str]], format: str | None) -> list[Source]:
    opened: list[Source] = []
    for name in fixtures:
        try:
            opened.append(Fixture(str(name), format))
        except FixtureFileError as error:
            opened.append(_Unreadable(error.faults))
    faults = [fault for source in opened for fault in getattr(source, "faults", ())]
    if len(faults) == len(opened) and faults:
        raise FixtureFileError(faults)
    return opened


@dataclass
class _Unreadable:
    """A fixture that can't be opened: its fault is told among those of the others."""

    faults: tuple[Fault, ...]

    def records(self) -> Iterator[Record]:
        """Yield the fault."""
        yield from self.faults


def _records(fixtures: Iterable[Source]) -> Iterator[Record]:
    for fixture in fixtures:
        yield from fixture.records()


def _write_nodes(fixtures: list[Source], batch_size: int, report: Report) -> None:
    nodes = (record for record in _sound(fixtures) if isinstance(record, NodeRecord))
    for label, batch in _grouped(nodes, lambda record: record.label, batch_size):
        rows = [NodeRow(record.uid, record.given, defaults_of(record)) for record in batch]
        report.nodes.setdefault(label, Tally()).add(store.merge_nodes(label, rows))


def _write_edges(fixtures: list[Source], batch_size: int, report: Report) -> None:
    edges = (record for record in _sound(fixtures) if isinstance(record, EdgeRecord))
    for kind, batch in _grouped(edges, lambda record: record.kind, batch_size):
        rows = [EdgeRow(record.source, record.target, record.given) for record in batch]
        report.edges.setdefault(str(kind), Tally()).add(store.merge_edges(kind, rows))


def _sound(fixtures: Iterable[Source]) -> Iterator[NodeRecord | EdgeRecord]:
    """Read the fixtures again: a fault now means that a file changed since it was checked."""
    for record in _records(fixtures):
        if isinstance(record, Fault):
            raise FixtureError([record])
        if isinstance(record, (NodeRecord, EdgeRecord)):
            yield record


def _grouped(items: Iterable[T], key: Callable[[T], K], size: int) -> Iterator[tuple[K, list[T]]]:
    """Yield the items in batches of one key each, in one pass."""
    waiting: dict[K, list[T]] = {}
    for item in items:
        batch = waiting.setdefault(key(item), [])
        batch.append(item)
        if len(batch) >= size:
            yield key(item), waiting.pop(key(item))
    yield from waiting.items()
