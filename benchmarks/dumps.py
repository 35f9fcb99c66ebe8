"""Dumps, compared with reading the same rows with the driver."""

from __future__ import annotations

from pathlib import Path

import genai_graph
from benchmarks.engines import Engine
from benchmarks.measurement import Contender, clock
from benchmarks.sample import Sample
from genai_graph.database import quote_name

DUMP = "Dump"


def contenders(engine: Engine, sample: Sample, directory: Path) -> list[Contender]:
    """Return the read and the dump of a loaded graph."""
    return [
        Contender("reading the rows with the driver", lambda: _read(engine, sample)),
        Contender("genai_graph.dump", lambda: _dump(sample, directory / "dump.jsonl")),
    ]


def _read(engine: Engine, sample: Sample) -> dict[str, float]:
    nodes = [f"MATCH (n:{quote_name(label)}) RETURN properties(n)" for label in sample.nodes]
    edges = [
        f"MATCH (a:{quote_name(edge_type.source)})-[r:{quote_name(edge_type.type)}]->"
        f"(b:{quote_name(edge_type.target)}) RETURN a.uid, b.uid, properties(r)"
        for edge_type in sample.edges
    ]
    with clock() as time, engine.session() as session:
        rows = sum(sum(1 for _ in session.run(cypher)) for cypher in (*nodes, *edges))
    _expect(sample, rows)
    return {DUMP: time.seconds}


def _dump(sample: Sample, path: Path) -> dict[str, float]:
    with clock() as time:
        nodes, edges = genai_graph.dump(path, overwrite=True)
    _expect(sample, nodes + edges)
    return {DUMP: time.seconds}


def _expect(sample: Sample, rows: int) -> None:
    if rows != sample.entities:
        raise ValueError(f"expected {sample.entities} nodes and edges, got {rows}")
