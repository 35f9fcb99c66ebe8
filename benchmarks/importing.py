"""Imports of a large MLflow store, compared with MLflow's client.

``python -m benchmarks.importing WORK STORE`` does one piece of work in a process of its own and
prints its CPU seconds and its peak memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks import mlflow_store
from benchmarks.engines import Engine
from benchmarks.measurement import MEGABYTES, Contender, Result, compare
from benchmarks.memory import peak
from genai_graph import connect, import_from, load
from genai_graph.importers import mlflow

READING = "Reading an MLflow store"
IMPORTING = "Importing an MLflow store"
MEMORY = "Peak memory of an import"
SEARCH = "MLflow's client, search_runs without histories"
CLIENT = "MLflow's client with histories"
FIRST, AGAIN, INCREMENTAL = "first import", "the same import again", "again, --incremental"
RUNS = 5_000
_STEPS = 50  # of each metric, for the memory: a million points of 1,000 runs
_CALLS = 500  # of MLflow's client for histories, of which it needs 100,000
_ROOT = Path(__file__).parent.parent


def read(store: Path, runs: int, rounds: int, python: str | None) -> list[Result]:
    """Compare the CPU seconds of readers; `python` runs MLflow's client, which is left out else."""
    points = mlflow_store.write(store, runs)

    def contender(name: str, work: str) -> Contender:
        return Contender(name, lambda: {READING: _run(work, store)["cpu"]})

    contenders = [
        contender("import mlflow -o FILE", "fixture"),
        contender("import mlflow -o FILE --no-history", "fixture-latest"),
        contender("importers.mlflow.records()", "records"),
    ]
    if python is None:
        return compare(contenders, rounds, "SQLite", points)
    answers: list[dict[str, float]] = []

    def search() -> dict[str, float]:
        answers.append(_run_client(python, store))
        return {READING: answers[-1]["search_cpu"]}

    measured = compare([Contender(SEARCH, search), *contenders], rounds, "SQLite", points)
    measured[0].values[CLIENT] = [each["search_cpu"] + each["histories_cpu"] for each in answers]
    return measured


def write(engine: Engine, store: Path, runs: int, rounds: int) -> list[Result]:
    """Compare the first import with repeated ones, in CPU seconds of client and engine."""
    points = mlflow_store.write(store, runs)
    values: dict[str, list[float]] = {name: [] for name in (FIRST, AGAIN, INCREMENTAL)}
    for _ in range(rounds):
        engine.empty()
        for name, found in values.items():
            with _cpu_seconds() as seconds:
                import_from("mlflow", store, incremental=name == INCREMENTAL)
            found.append(seconds[0])
            click.echo(f"{engine.name}, {points:,} points, {name}: {seconds[0]:.1f} s", err=True)
    return [Result(IMPORTING, engine.name, points, FIRST, values)]


def memory(engine: Engine, store: Path, runs: int) -> list[Result]:
    """Measure the peak memory of imports of long histories, and of a load of the same records."""
    fixture = store.with_suffix(".jsonl")
    points = mlflow_store.write(store, max(runs // 5, 1), steps=_STEPS)
    import_from("mlflow", store, output=fixture, overwrite=True)

    def measure(name: str, work: str, path: Path) -> Contender:
        def run() -> dict[str, float]:
            engine.empty()
            return {MEMORY: _run(work, path)["memory"]}

        return Contender(name, run)

    contenders = [
        measure("genai_graph.load of the same records", "load", fixture),
        measure("import mlflow", "import", store),
        measure("importers.mlflow.records()", "records", store),
    ]
    return compare(contenders, 1, engine.name, points, MEGABYTES)


@contextmanager
def _cpu_seconds() -> Iterator[list[float]]:
    """Measure the CPU seconds of this process and of the engines that it started."""
    found: list[float] = []
    before = _total_cpu()
    yield found
    found.append(_total_cpu() - before)


def _total_cpu() -> float:
    children = psutil.Process().children(recursive=True)
    times = [child.cpu_times() for child in children]
    return time.process_time() + sum(each.user + each.system for each in times)


def _run(work: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.importing", work, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _run_client(python: str, store: Path) -> dict[str, float]:
    script = str(_ROOT / "benchmarks" / "mlflow_client.py")
    command = [python, script, f"sqlite:///{store}", str(_CALLS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _work(work: str, path: Path) -> None:
    if work == "records":
        for _ in mlflow.records(str(path)):
            pass
    elif work.startswith("fixture"):
        options: dict[str, Any] = {"history": False} if work == "fixture-latest" else {}
        import_from("mlflow", path, output=path.with_suffix(".jsonl"), overwrite=True, **options)
    else:
        with connect():
            load(path) if work == "load" else import_from("mlflow", path)


def main() -> None:
    """Do the work of the arguments, and print its CPU seconds and the peak memory in MB."""
    before = time.process_time()
    _work(sys.argv[1], Path(sys.argv[2]))
    answer = {"cpu": time.process_time() - before, "memory": peak()}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
