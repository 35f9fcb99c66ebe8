"""Read a store with MLflow's client, in an environment of MLflow: ``mlflow_client.py URI CALLS``.

Prints the CPU and wall seconds of a search for all runs, and of the requests for the histories of
all metrics, one for each metric of each run, of which CALLS are measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient  # type: ignore[import-not-found]


def measure(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, the CPU and the wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def main(uri: str, calls: int) -> None:
    """Measure, and print the seconds as JSON."""
    client = MlflowClient(uri)
    experiments = [each.experiment_id for each in client.search_experiments()]

    def search() -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = client.search_runs(experiments, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    runs, cpu, wall = measure(search)
    wanted = [(run.info.run_id, key) for run in runs for key in run.data.metrics]
    step = max(len(wanted) // calls, 1)
    sample = wanted[::step][:calls]
    _, cpu_calls, wall_calls = measure(
        lambda: [client.get_metric_history(run_id, key) for run_id, key in sample]
    )
    factor = len(wanted) / len(sample)
    answer = {
        "runs": len(runs),
        "histories": len(wanted),
        "search_cpu": cpu,
        "search_wall": wall,
        "histories_cpu": cpu_calls * factor,
        "histories_wall": wall_calls * factor,
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
