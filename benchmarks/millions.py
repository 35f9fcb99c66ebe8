"""Millions of entities on the managed Neo4j: ``python -m benchmarks.millions``.

Loads and imports a graph, each in a new process and with a new data directory, and asks questions
in a graph shaped like a model hub. With the default sizes, it takes 20 minutes and 10 GB of disk.
The results are stored in benchmarks/results/; ``python -m benchmarks --report-only`` writes the
page.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import click

from benchmarks import graph, hub, memory, queries, results
from benchmarks.engines import Engine
from benchmarks.measurement import MEGABYTES, MILLISECONDS, Contender, Result, clock, compare
from genai_graph import connect, load, query
from genai_graph.exchange.bulk_import import bulk_import
from genai_graph.server.engines import managed_engine

TIMES = "Millions of entities into an empty graph"
MEMORY = "Peak memory for millions of entities"
QUESTIONS = "Questions among millions of entities"
LOAD, IMPORT = "genai-graph load", "genai-graph server import"
_LIMIT = 10
_FROM_A_NODE = ("lineage", "dataset-impact", "leaderboard")
_WITH_LIMIT = ("license-impact", "best-models", "orphans", "stale-models", "contaminated-scores")


@click.command()
@click.option(
    "--size", type=click.IntRange(min=graph.MIN_ENTITIES), default=10_000_000, show_default=True
)
@click.option(
    "--hub-size",
    type=click.IntRange(min=hub.MIN_ENTITIES),
    default=12_000_000,
    show_default=True,
    help="Entities of the graph of the questions.",
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Of the questions."
)
@click.option(
    "--results",
    "stored",
    type=click.Path(path_type=Path),
    default=Path(__file__).parent / "results",
    help="Directory of the results.",
)
def main(size: int, hub_size: int, rounds: int, stored: Path) -> None:
    """Measure loads, imports and questions of millions of entities, on Neo4j."""
    with tempfile.TemporaryDirectory(prefix="genai-graph-bench-") as directory:
        path, home = Path(directory, "graph.jsonl"), Path(directory, "home")
        graph.write(path, size)
        results.save(stored, _write(path, size, home))
        entities = hub.write(path, hub_size)
        results.save(stored, _ask(path, entities, home, rounds))


def _write(path: Path, entities: int, home: Path) -> list[Result]:
    """Load and import a file, and return the seconds and the peak memory of the process."""
    seconds, megabytes = dict[str, list[float]](), dict[str, list[float]]()
    for name, write in ((LOAD, _load), (IMPORT, _import)):
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        with _new_engine(home), pool:
            engine, *measured = pool.submit(write, path).result()
        click.echo(f"{name}: {measured[0]:.0f} s, {measured[1]:.0f} MB", err=True)
        seconds[name], megabytes[name] = [measured[0]], [measured[1]]
    return [
        Result(TIMES, engine, entities, LOAD, seconds),
        Result(MEMORY, engine, entities, LOAD, megabytes, unit=MEGABYTES),
    ]


def _load(path: Path) -> tuple[str, float, float]:
    """Load a file; return the engine, the seconds with its start, and the peak memory."""
    with clock() as time, connect():
        load(path)
    with connect() as connection:
        return Engine(connection).name, time.seconds, memory.peak()


def _import(path: Path) -> tuple[str, float, float]:
    """Import a file; return the same as `_load`."""
    with clock() as time:
        bulk_import(path)
    with connect() as connection:
        return Engine(connection).name, time.seconds, memory.peak()


def _ask(path: Path, entities: int, home: Path, rounds: int) -> list[Result]:
    """Import the graph of the questions, and return the times of the answers."""
    with _new_engine(home):
        bulk_import(path)
        with connect() as connection:
            query("CALL db.awaitIndexes(600)")
            contenders = _questions()
            for contender in contenders:
                contender.run()
            return compare(contenders, rounds, Engine(connection).name, entities, MILLISECONDS)


@contextmanager
def _new_engine(home: Path) -> Iterator[None]:
    """Select the managed Neo4j with a new data directory, which is deleted after the block."""
    os.environ |= {"GENAI_GRAPH_HOME": str(home), "GENAI_GRAPH_ENGINE": "neo4j"}
    try:
        yield
    finally:
        with managed_engine("neo4j", home).stopped():
            pass  # it has ended
        shutil.rmtree(home)


def _questions() -> list[Contender]:
    """Return questions from a node with a small answer, and others with a limit."""
    model = _first("MATCH (m:Model)-[:DERIVED_FROM]->(:Model)-[:DERIVED_FROM]->(:Model)", "m")
    dataset = _first("MATCH (d:Dataset)<-[r:TRAINED_ON]-() WITH d, count(r) AS c WHERE c < 30", "d")
    values = {
        "model": model,
        "dataset": dataset,
        "metric": "accuracy",
        "licenses": [hub.RARE_LICENSE],
    }
    return [
        queries.round_trip(QUESTIONS, dataset),
        *(
            queries.question(QUESTIONS, name, values, label=f"{name} of one node")
            for name in _FROM_A_NODE
        ),
        *(
            queries.question(QUESTIONS, name, values, _LIMIT, f"{name}, {_LIMIT} rows")
            for name in _WITH_LIMIT
        ),
    ]


def _first(match: str, name: str) -> str:
    return str(query(f"{match} RETURN {name}.uid AS uid LIMIT 1")[0]["uid"])


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.millions")
