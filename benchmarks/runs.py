"""Logging of runs: ``python -m benchmarks.runs [--mlflow PYTHON]`` prints the figures.

PYTHON is the interpreter of an environment with MLflow. Its `log_metric` writes to a new SQLite
database in the same measurement. The graph is a new embedded engine, or the server in NEO4J_URI.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import click

import genai_graph

CLOSED_PORT = "bolt://127.0.0.1:9"
_MLFLOW = """
import sys, time, mlflow
mlflow.set_tracking_uri("sqlite:///" + sys.argv[1])
count = int(sys.argv[2])
with mlflow.start_run():
    mlflow.log_metric("loss", 1.0, step=0)
    start = time.perf_counter()
    for step in range(count):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    print(count / (time.perf_counter() - start))
"""


@click.command()
@click.option("--calls", default=300_000, show_default=True)
@click.option("--points", default=1_000_000, show_default=True)
@click.option("--mlflow", "mlflow_python", help="Python of an environment with MLflow.")
def main(calls: int, points: int, mlflow_python: str | None) -> None:
    """Measure log_metric with the database stopped, MLflow's, and a run of many points."""
    with tempfile.TemporaryDirectory(prefix="genai-graph-bench-") as directory:
        os.environ["GENAI_GRAPH_HOME"] = directory
        os.environ["GENAI_GRAPH_ENV_FILE"] = ""
        rate = _in_process(measure_calls, calls, NEO4J_URI=CLOSED_PORT)
        if mlflow_python is not None:
            database = str(Path(directory, "mlflow.db"))
            command = [mlflow_python, "-c", _MLFLOW, database, "1000"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            theirs = float(done.stdout.split()[-1])
            click.echo(f"MLflow on SQLite: {theirs:,.0f} calls/s; ratio {rate / theirs:,.0f}")
        with genai_graph.connect():  # starts the engine and installs the schema before
            genai_graph.Project.upsert(name="runs")
            for metrics in (1, 20):
                _in_process(measure_run, points, metrics)


def _in_process(function: Callable[..., object], *arguments: int, **variables: str) -> float:
    """Call a function in a new process, and return the last number that it prints."""
    code = f"from benchmarks.runs import {function.__name__} as f; f{arguments!r}"
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    click.echo(done.stdout, nl=False)
    return float(done.stdout.split()[-1])


def measure_calls(calls: int) -> None:
    """Print the latencies of `log_metric`."""
    from genai_graph import start_run

    run = start_run()
    latencies = array("d", bytes(8 * calls))
    clock = time.perf_counter
    for step in range(calls):
        start = clock()
        run.log_metric("loss", 1 / (step + 1), step=step)
        latencies[step] = clock() - start
    run.finish(timeout=0)
    ordered = sorted(latencies)
    median, late = statistics.median(ordered), ordered[int(calls * 0.999)]
    click.echo(
        f"log_metric, database stopped: median {median * 1e6:.1f} us, 99.9 % under "
        f"{late * 1e3:.2f} ms; calls/s: {calls / sum(ordered):,.0f}, by the median {1 / median:.0f}"
    )


def measure_run(points: int, metrics: int) -> None:
    """Print how long after its end a run is in the graph, and the memory of its process."""
    from genai_graph import query, start_run

    run = start_run()
    start = time.perf_counter()
    for step in range(points // metrics):
        for number in range(metrics):
            run.log_metric(f"m{number}", step / 7, step=step)
    logged = time.perf_counter() - start
    start = time.perf_counter()
    run.finish(timeout=600)
    finished = time.perf_counter() - start
    from genai_graph import connect

    with connect():
        (row,) = query(
            "MATCH (m:Metric) WHERE m.uid STARTS WITH $uid RETURN sum(size(m.steps)) AS n",
            uid=run.uid,
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{row['n']:,} points of {metrics} metrics: logged in {logged:.1f} s; {memory:.0f} MB at "
        f"most; in the graph after its end by {finished:.1f}"
    )


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.runs")
