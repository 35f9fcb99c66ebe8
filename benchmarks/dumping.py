"""Dumping: the file that this package writes, beside reading the same rows with the driver."""

from __future__ import annotations

from pathlib import Path

import genai_graph
from benchmarks.engines import Engine
from benchmarks.measuring import Contender, clock
from benchmarks.sample import Sample
from genai_graph.database import quote_name

DUMP = "Dump"


def contenders(engine: Engine, sample: Sample, folder: Path) -> list[Contender]:
    """Return the read and the dump, of a graph that is there already."""
    return [
        Contender("reading the rows with the driver", lambda: _reading(engine, sample)),
        Contender("genai_graph.dump", lambda: _dumping(sample, folder / "dump.jsonl")),
    ]


def _reading(engine: Engine, sample: Sample) -> dict[str, float]:
    nodes = [f"MATCH (n:{quote_name(label)}) RETURN properties(n)" for label in sample.nodes]
    edges = [
        f"MATCH (a:{quote_name(kind.source)})-[r:{quote_name(kind.type)}]->(b:{quote_name(kind.target)}) "
        "RETURN a.uid, b.uid, properties(r)"
        for kind in sample.edges
    ]
    with clock() as reading, engine.session() as session:
        rows = sum(sum(1 for _ in session.run(cypher)) for cypher in (*nodes, *edges))
    _expect(sample, rows)
    return {DUMP: reading.seconds}


def _dumping(sample: Sample, path: Path) -> dict[str, float]:
    with clock() as dumping:
        nodes, edges = genai_graph.dump(path, overwrite=True)
    _expect(sample, nodes + edges)
    return {DUMP: dumping.seconds}


def _expect(sample: Sample, rows: int) -> None:
    if rows != sample.entities:
        raise ValueError(f"expected {sample.entities} nodes and edges, got {rows}")
