"""Search, compared with MLflow's: ``python -m benchmarks.searches [--mlflow PYTHON]``.

Both search the same runs, of 20 metrics, 20 parameters and 5 tags, MLflow in its SQLite store, and
make a DataFrame of the first 1,000 with all columns; some expressions match fewer runs. Before the
measurement, each search runs once in MLflow and 20 times here, because the Java engines compile
frequent code only after some time. The graph is that of the settings; it is emptied first.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import click

from benchmarks import mlflow_store
from genai_graph import clear, connect, import_from, search

EXPRESSIONS = (
    'metrics."metric.0" > 0.5 AND params."params.0" = \'0\'',
    'metrics."metric.3" > 0.1',
    "params.\"params.1\" != '5'",
    "attributes.status = 'FINISHED'",
    "params.\"params.1\" = '5'",
    "tags.\"tags.1\" = '5' AND attributes.status = 'FINISHED'",
)
LIMIT = 1_000
WARM_UP = 20
_MLFLOW = """
import json, sys, time, mlflow
mlflow.set_tracking_uri("sqlite:///" + sys.argv[1])
ids = [e.experiment_id for e in mlflow.search_experiments()]
for expression in json.loads(sys.argv[2]):
    times = []
    for _ in range(int(sys.argv[3]) + 1):
        start = time.perf_counter()
        found = mlflow.search_runs(ids, filter_string=expression, max_results=1000)
        times.append(time.perf_counter() - start)
    print(json.dumps([len(found), sorted(found.run_id), times[1:]]))
"""


@click.command()
@click.option("--runs", default=5_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--mlflow", "mlflow_python", help="Python of an environment with MLflow.")
def main(runs: int, rounds: int, mlflow_python: str | None) -> None:
    """Print the median seconds of each expression, and the ratio to MLflow's."""
    with tempfile.TemporaryDirectory(prefix="genai-graph-bench-") as directory:
        store = Path(directory, "mlflow.db")
        mlflow_store.write(store, runs)
        theirs: list[float | None] = [None] * len(EXPRESSIONS)
        counts: list[int | None] = [None] * len(EXPRESSIONS)
        if mlflow_python is not None:
            arguments = [str(store), json.dumps(EXPRESSIONS), str(rounds)]
            command = [mlflow_python, "-c", _MLFLOW, *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            for index, line in enumerate(done.stdout.splitlines()[-len(EXPRESSIONS) :]):
                counts[index], _, times = json.loads(line)
                theirs[index] = statistics.median(times)
        with connect() as connection:
            clear()
            import_from("mlflow", store)
            for expression, seconds, count in zip(EXPRESSIONS, theirs, counts, strict=True):
                found, own = _measure(expression, rounds)
                ratio = "" if seconds is None else f"; MLflow {seconds:.3f} s, {seconds / own:.1f}x"
                if count is not None and count != found:
                    raise click.ClickException(f"{expression}: {found} rows, MLflow has {count}")
                line = f"{connection.engine}: {expression}: {found:,} rows, {own:.3f} s{ratio}"
                click.echo(line)


def _measure(expression: str, rounds: int) -> tuple[int, float]:
    """Return the number of rows, and the median seconds after the first searches."""
    times, found = [], 0
    for _ in range(WARM_UP + rounds):
        start = time.perf_counter()
        found = len(search(expression, limit=LIMIT).to_pandas())
        times.append(time.perf_counter() - start)
    return found, statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    main()
