"""The time of single operations on objects: ``python -m benchmarks.objects``.

Uses public names only, so that it also runs on other versions of the package. Prints the median of
several rounds in milliseconds per call, on an empty graph of a new embedded engine (or, with
``GENAI_GRAPH_ENGINE=neo4j``, a managed Neo4j).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import genai_graph
from genai_graph import Dataset, Experiment, Model

CALLS, ROUNDS = 50, 7

Operation = tuple[str, Callable[[int], object]]


def operations(number: int) -> Iterator[Operation]:
    """Yield the operations of a round, each to be called with 0, 1, 2, ...; names are new."""

    def name(call: int) -> str:
        return f"r{number}-{call}"

    saved = [Dataset(name=f"saved {name(call)}", size=call) for call in range(CALLS)]
    yield "save, new", lambda call: saved[call].save()
    yield "save, unchanged", lambda call: saved[call].save()

    def change(call: int) -> None:
        saved[call].size = call + 1
        saved[call].save()

    yield "save, changed", change
    yield "upsert, new", lambda call: Dataset.upsert(name=name(call), size=1)
    yield "upsert, unchanged", lambda call: Dataset.upsert(name=name(call), size=1)
    yield "upsert, changed", lambda call: Dataset.upsert(name=name(call), size=2)
    models = [Model(name=name(call)).save() for call in range(CALLS + 1)]
    yield "connect", lambda call: models[call].trained_on.connect(saved[call], {"split": "train"})
    yield "connect, acyclic", lambda call: models[call].parents.connect(models[call + 1])
    run = Experiment(name=name(0)).save()
    yield "record, new", lambda call: run.record(f"m{call}", 0.5, dataset=saved[0])
    yield "record, next step", lambda call: run.record("loss", 0.5, dataset=saved[0], step=call)
    rows = [{"name": f"bulk {name(call)}", "size": call} for call in range(200)]
    yield "bulk_create of 200", lambda call: call or Dataset.nodes.bulk_create(*rows)


def measure() -> dict[str, float]:
    """Return the median milliseconds of a call, by operation."""
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(ROUNDS + 1):
        for title, call in operations(number):
            calls = 1 if title.startswith("bulk") else CALLS
            started = time.perf_counter()
            for each in range(calls):
                call(each)
            if number:  # the first round warms up
                times[title].append((time.perf_counter() - started) * 1000 / calls)
    return {title: round(statistics.median(values), 3) for title, values in times.items()}


def main() -> None:
    """Measure on a graph of its own and print the result as JSON."""
    with tempfile.TemporaryDirectory() as home, genai_graph.connect(home=home):
        json.dump(measure(), sys.stdout, indent=1)
        print()  # noqa: T201


if __name__ == "__main__":
    main()
