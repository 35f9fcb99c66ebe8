"""Loading: this package's loader, and what one would write without it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import neo4j
from neomodel import db

import genai_graph
from benchmarks import load_csv, plain
from benchmarks.engines import Engine
from benchmarks.measuring import Contender, clock
from benchmarks.sample import Sample
from genai_graph.database import quote_name
from genai_graph.database.values import to_bolt_datetime
from genai_graph.exchange.loader import TRANSACTION_ROWS
from genai_graph.exchange.progress import Progress
from genai_graph.registry import EdgeType
from genai_graph.storage.batching import BATCH_ROWS, batched

FIRST = "First load"
WRITING = "First load, without the loader's checking"
SECOND = "Second load of the same file"
ROW_BY_ROW = "Row by row"
NODES_ALONE = "Nodes alone"

LOADER = "genai_graph.load"
LOOP = "hand-written UNWIND loop"
NEOMODEL = "neomodel save() and connect()"

Statement = tuple[str, list[Any]]
Write = Callable[[], None]


def large(engine: Engine, sample: Sample, folder: Path) -> list[Contender]:
    """Return what loads any number of rows."""
    contenders = [
        Contender(LOOP, _looping(engine, sample)),
        Contender(LOADER, lambda: _loading(engine, sample)),
    ]
    if not engine.is_embedded and engine.is_local:
        write = load_csv.prepared(engine, sample, folder)
        contenders.append(_contender(FIRST, "LOAD CSV", engine, sample, write))
    return contenders


def row_by_row(engine: Engine, sample: Sample) -> list[Contender]:
    """Return what takes minutes for many rows, with the loop and the loader beside it."""

    def contender(name: str, write: Write, prefix: str = "") -> Contender:
        return _contender(ROW_BY_ROW, name, engine, sample, write, prefix)

    return [
        contender(LOOP, unwinding(engine, sample)),
        contender(LOADER, lambda: _load(sample, Progress())),
        contender("one MERGE per row", _merging(engine, sample)),
        contender(NEOMODEL, lambda: _save(engine, sample), plain.PREFIX),
        contender(
            f"{NEOMODEL}, all in one transaction",
            lambda: _save_at_once(engine, sample),
            plain.PREFIX,
        ),
    ]


def nodes_alone(engine: Engine, sample: Sample) -> list[Contender]:
    """Return the loop and neomodel's bulk writing, which knows nodes only."""
    nodes = sample.without_edges()
    rows = {label: _maps(rows) for label, rows in nodes.nodes.items()}

    def contender(name: str, write: Write, prefix: str = "") -> Contender:
        return _contender(NODES_ALONE, name, engine, nodes, write, prefix)

    return [
        contender(LOOP, unwinding(engine, nodes)),
        contender(
            "neomodel bulk_create_or_update()",
            lambda: _save_in_bulk(engine, rows),
            prefix=plain.PREFIX,
        ),
    ]


def _contender(
    title: str, name: str, engine: Engine, sample: Sample, write: Write, prefix: str = ""
) -> Contender:
    return Contender(name, lambda: {title: _timed(engine, sample, write, prefix)})


def _timed(engine: Engine, sample: Sample, write: Write, prefix: str = "") -> float:
    """Return the seconds of writing into an empty graph; see to it that all of it was written."""
    engine.empty()
    with clock() as first:
        write()
    engine.verify(sample, prefix)
    return first.seconds


# This package


def _loading(engine: Engine, sample: Sample) -> dict[str, float]:
    watch = _Watch()
    first = _timed(engine, sample, lambda: _load(sample, watch))
    with clock() as second:
        _load(sample, Progress())
    engine.verify(sample)
    return {FIRST: first, WRITING: first - watch.checking, SECOND: second.seconds}


def _load(sample: Sample, progress: Progress) -> None:
    genai_graph.load(sample.path, progress=progress)


class _Watch(Progress):
    """Tells how long the checking took, which is the first stage of a load."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}

    @property
    def checking(self) -> float:
        """The seconds between the begin of the checking and of the writing."""
        return self._begun["nodes"] - self._begun["checking"]

    def start(self, stage: str, total: int) -> None:
        """Note when a stage begins."""
        self._begun[stage] = time.perf_counter()


# A loop over the driver, of the same batches and transactions, and statements as one writes them


def _looping(engine: Engine, sample: Sample) -> Callable[[], dict[str, float]]:
    loop = unwinding(engine, sample)

    def run() -> dict[str, float]:
        first = _timed(engine, sample, loop)
        with clock() as second:
            loop()
        engine.verify(sample)
        return {FIRST: first, WRITING: first, SECOND: second.seconds}

    return run


def unwinding(engine: Engine, sample: Sample) -> Write:
    """Return the loop over batches of rows that are ready to be sent."""
    statements: list[Statement] = [
        (f"UNWIND $rows AS row {cypher}", batch)
        for cypher, rows in _statements(sample)
        for batch in batched(rows)
    ]

    def write() -> None:
        with engine.session() as session:
            for group in _transactions(statements, sample.entities):
                with session.begin_transaction() as transaction:
                    for cypher, rows in group:
                        transaction.run(cypher, rows=rows, now=_now()).consume()
                    transaction.commit()

    return write


def _transactions(statements: list[Statement], entities: int) -> Iterable[list[Statement]]:
    """Put all statements in one transaction, or each in its own where there are many rows."""
    if entities <= TRANSACTION_ROWS:
        return [statements]
    return ([statement] for statement in statements)


def _merging(engine: Engine, sample: Sample) -> Write:
    """Return the loop with a statement for every row, all in one transaction."""
    statements = list(_statements(sample))

    def write() -> None:
        with engine.session() as session, session.begin_transaction() as transaction:
            for cypher, rows in statements:
                _merge_each(transaction, f"WITH $row AS row {cypher}", rows)
            transaction.commit()

    return write


def _merge_each(transaction: neo4j.Transaction, cypher: str, rows: list[Any]) -> None:
    for row in rows:
        transaction.run(cypher, row=row, now=_now()).consume()


def _statements(sample: Sample) -> list[Statement]:
    """Return what merges a `row`, and the rows, times in the form that is sent the quickest."""
    nodes = [(_merge_node(label), list(map(_sent, rows))) for label, rows in sample.nodes.items()]
    edges = [(_merge_edge(kind), list(map(list, rows))) for kind, rows in sample.edges.items()]
    return [*nodes, *edges]


def _merge_node(label: str) -> str:
    return (
        f"MERGE (n:{quote_name(label)} {{uid: row[0]}}) "
        "SET n.created_at = $now, n.updated_at = $now, n += row[1]"
    )


def _merge_edge(kind: EdgeType) -> str:
    # From the end with the fewer edges: from a hub the embedded engine takes quadratic time.
    return f"{kind.ends} MERGE {kind.pattern} SET r += row[2]"


def _sent(row: tuple[str, dict[str, Any]]) -> list[Any]:
    uid, values = row
    return [
        uid,
        {
            name: to_bolt_datetime(value) if isinstance(value, datetime) else value
            for name, value in values.items()
        },
    ]


def _now() -> datetime:
    return datetime.now(timezone.utc)


# neomodel


def _save(engine: Engine, sample: Sample) -> None:
    """Save and connect as the calls come, each a transaction."""
    with plain.bare_neomodel(engine):
        _save_each(sample)


def _save_at_once(engine: Engine, sample: Sample) -> None:
    with plain.bare_neomodel(engine), db.transaction:
        _save_each(sample)


def _save_each(sample: Sample) -> None:
    saved: dict[tuple[str, str], Any] = {}
    for label, nodes in sample.nodes.items():
        for uid, values in nodes:
            saved[label, uid] = plain.CLASSES[label](uid=uid, **values).save()
    for kind, edges in sample.edges.items():
        for source, target, values in edges:
            manager = plain.relationship(saved[kind.source, source], kind)
            manager.connect(saved[kind.target, target], values)


def _save_in_bulk(engine: Engine, rows: dict[str, list[dict[str, Any]]]) -> None:
    with plain.bare_neomodel(engine), db.transaction:
        for label, maps in rows.items():
            for batch in batched(maps, BATCH_ROWS):
                plain.CLASSES[label].nodes.bulk_create_or_update(*batch)


def _maps(rows: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"uid": uid, **values} for uid, values in rows]
