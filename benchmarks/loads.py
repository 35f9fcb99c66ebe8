"""Loads: this package's loader, a hand-written loop, LOAD CSV and neomodel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import neo4j
from neomodel import db

import genai_graph
from benchmarks import load_csv, plain_models
from benchmarks.engines import Engine
from benchmarks.measurement import Contender, clock
from benchmarks.sample import Sample
from genai_graph.database import quote_name
from genai_graph.database.values import to_bolt_datetime
from genai_graph.exchange.progress import Progress
from genai_graph.registry import EdgeType
from genai_graph.storage.batching import BATCH_ROWS, batched
from genai_graph.storage.columns import to_columns
from genai_graph.storage.rows import now

FIRST = "First load"
WRITING = "First load, without the check stage"
SECOND = "Second load of the same file"
ROW_BY_ROW = "Row by row"
NODES_ALONE = "Nodes alone"

LOADER = "genai_graph.load"
LOOP = "hand-written UNWIND loop"
NEOMODEL = "neomodel save() and connect()"

Statement = tuple[str, list[Any]]
Write = Callable[[], None]


def bulk(engine: Engine, sample: Sample, folder: Path) -> list[Contender]:
    """Return the contenders for any number of rows."""
    contenders = [
        Contender(LOOP, _time_loop(engine, sample)),
        Contender(LOADER, lambda: _time_load(engine, sample)),
    ]
    if not engine.is_embedded and engine.is_local:
        write = load_csv.prepare(engine, sample, folder)
        contenders.append(_contender(FIRST, "LOAD CSV", engine, sample, write))
    return contenders


def of_shape(engine: Engine, sample: Sample, shape: str) -> list[Contender]:
    """Return the loop and the loader for a graph of another shape."""

    def contender(name: str, time_both: Callable[[], dict[str, float]]) -> Contender:
        def run() -> dict[str, float]:
            times = time_both()
            return {title_of_shape(title, shape): times[title] for title in (FIRST, SECOND)}

        return Contender(name, run)

    return [
        contender(LOOP, _time_loop(engine, sample)),
        contender(LOADER, lambda: _time_load(engine, sample)),
    ]


def title_of_shape(title: str, shape: str) -> str:
    """Return the title of a table for a graph of another shape."""
    return f"{title}, {shape}"


def row_by_row(engine: Engine, sample: Sample) -> list[Contender]:
    """Return the contenders that would take minutes for many rows, the loop and the loader."""

    def contender(name: str, write: Write, prefix: str = "") -> Contender:
        return _contender(ROW_BY_ROW, name, engine, sample, write, prefix)

    return [
        contender(LOOP, unwind_loop(engine, sample)),
        contender(LOADER, lambda: _load(sample, Progress())),
        contender("one MERGE per row", _merge_loop(engine, sample)),
        contender(NEOMODEL, lambda: _save(engine, sample), plain_models.PREFIX),
        contender(
            f"{NEOMODEL}, all in one transaction",
            lambda: _save_in_one_transaction(engine, sample),
            plain_models.PREFIX,
        ),
    ]


def nodes_alone(engine: Engine, sample: Sample) -> list[Contender]:
    """Return the loop and neomodel's bulk method, which exists for nodes only."""
    nodes = sample.without_edges()
    rows = {label: _maps(rows) for label, rows in nodes.nodes.items()}

    def contender(name: str, write: Write, prefix: str = "") -> Contender:
        return _contender(NODES_ALONE, name, engine, nodes, write, prefix)

    return [
        contender(LOOP, unwind_loop(engine, nodes)),
        contender(
            "neomodel bulk_create_or_update()",
            lambda: _save_in_bulk(engine, rows),
            prefix=plain_models.PREFIX,
        ),
    ]


def _contender(
    title: str, name: str, engine: Engine, sample: Sample, write: Write, prefix: str = ""
) -> Contender:
    return Contender(name, lambda: {title: _time_first(engine, sample, write, prefix)})


def _time_first(engine: Engine, sample: Sample, write: Write, prefix: str = "") -> float:
    """Return the seconds of a write into an empty graph, and verify the result."""
    engine.empty()
    with clock() as first:
        write()
    engine.verify(sample, prefix)
    return first.seconds


# This package


def _time_load(engine: Engine, sample: Sample) -> dict[str, float]:
    stages = _StageTimes()
    first = _time_first(engine, sample, lambda: _load(sample, stages))
    with clock() as second:
        _load(sample, Progress())
    engine.verify(sample)
    return {FIRST: first, WRITING: first - stages.check_seconds, SECOND: second.seconds}


def _load(sample: Sample, progress: Progress) -> None:
    genai_graph.load(sample.path, progress=progress)


class _StageTimes(Progress):
    """Measures the first stage of a load, the check."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    @property
    def check_seconds(self) -> float:
        """The seconds from the start of the check to the first write."""
        return self._started["nodes"] - self._started["checking"]

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        """Record when a stage starts."""
        self._started[stage] = time.perf_counter()


# A loop over the driver with the same batches and transactions, and hand-written statements


def _time_loop(engine: Engine, sample: Sample) -> Callable[[], dict[str, float]]:
    loop = unwind_loop(engine, sample)

    def run() -> dict[str, float]:
        first = _time_first(engine, sample, loop)
        with clock() as second:
            loop()
        engine.verify(sample)
        return {FIRST: first, WRITING: first, SECOND: second.seconds}

    return run


def unwind_loop(engine: Engine, sample: Sample) -> Write:
    """Return the loop over prepared batches of rows."""
    statements: list[Statement] = [
        (f"UNWIND $rows AS row {cypher}", batch)
        for cypher, rows in _statements(sample)
        for batch in batched(rows)
    ]

    def write() -> None:
        with engine.session() as session:
            for group in _transactions(statements, sample):
                with session.begin_transaction() as transaction:
                    for cypher, rows in group:
                        transaction.run(cypher, rows=rows, now=now()).consume()
                    transaction.commit()

    return write


def _transactions(statements: list[Statement], sample: Sample) -> Iterable[list[Statement]]:
    """Put all statements into one transaction, or each into its own for a large sample."""
    if sample.fits_one_transaction:
        return [statements]
    return ([statement] for statement in statements)


def _merge_loop(engine: Engine, sample: Sample) -> Write:
    """Return the loop with one statement per row, all in one transaction."""
    statements = list(_statements(sample))

    def write() -> None:
        with engine.session() as session, session.begin_transaction() as transaction:
            for cypher, rows in statements:
                _merge_each(transaction, f"WITH $row AS row {cypher}", rows)
            transaction.commit()

    return write


def _merge_each(transaction: neo4j.Transaction, cypher: str, rows: list[Any]) -> None:
    for row in rows:
        transaction.run(cypher, row=row, now=now()).consume()


def _statements(sample: Sample) -> list[Statement]:
    """Return the clauses that merge a `row`, with the rows: the properties as `load` stores them.

    Times are in the fastest form.
    """
    nodes = [
        (_merge_node(label), [_node_row(uid, to_columns(label, values)) for uid, values in rows])
        for label, rows in sample.nodes.items()
    ]
    edges = [(_merge_edge(type_), list(map(list, rows))) for type_, rows in sample.edges.items()]
    return [*nodes, *edges]


def _merge_node(label: str) -> str:
    return (
        f"MERGE (n:{quote_name(label)} {{uid: row[0]}}) "
        "SET n.created_at = $now, n.updated_at = $now, n += row[1]"
    )


def _merge_edge(edge_type: EdgeType) -> str:
    # The pattern starts at the end with fewer edges: from a hub, the embedded engine is quadratic.
    ends = edge_type.match_ends("row[0]", "row[1]")
    return f"{ends} MERGE {edge_type.pattern} SET r += row[2]"


def _node_row(uid: str, values: dict[str, Any]) -> list[Any]:
    return [
        uid,
        {
            name: to_bolt_datetime(value) if isinstance(value, datetime) else value
            for name, value in values.items()
        },
    ]


# neomodel


def _save(engine: Engine, sample: Sample) -> None:
    """Save and connect, each call in its own transaction."""
    with engine.plain_neomodel():
        _save_each(sample)


def _save_in_one_transaction(engine: Engine, sample: Sample) -> None:
    with engine.plain_neomodel(), db.transaction:
        _save_each(sample)


def _save_each(sample: Sample) -> None:
    saved: dict[tuple[str, str], Any] = {}
    for label, nodes in sample.nodes.items():
        for uid, values in nodes:
            saved[label, uid] = plain_models.CLASSES[label](uid=uid, **values).save()
    for edge_type, edges in sample.edges.items():
        for source, target, values in edges:
            manager = plain_models.relationship(saved[edge_type.source, source], edge_type)
            manager.connect(saved[edge_type.target, target], values)


def _save_in_bulk(engine: Engine, rows: dict[str, list[dict[str, Any]]]) -> None:
    with engine.plain_neomodel(), db.transaction:
        for label, maps in rows.items():
            for batch in batched(maps, BATCH_ROWS):
                plain_models.CLASSES[label].nodes.bulk_create_or_update(*batch)


def _maps(rows: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"uid": uid, **values} for uid, values in rows]
