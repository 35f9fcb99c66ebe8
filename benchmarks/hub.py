"""A deterministic graph with the shape of a model hub, for the questions."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.graph import Line, edge, node

RARE_LICENSE = "CC-BY-NC-4.0"
_COMMON_LICENSES = ("MIT", "Apache-2.0", "CC-BY-4.0", None)
# Few models and datasets have scores, so that some scores are comparable.
_SCORED, _BENCHMARKS = 40, 4
_METRICS = ("accuracy", "f1", "loss", "quality")
_SPLITS = ("train", "test", None)
_SEED = 6


class Sizes(NamedTuple):
    """Numbers of nodes and edges."""

    projects: int = 20
    datasets: int = 400
    models: int = 1_300
    experiments: int = 380
    metrics: int = 400
    trained_on: int = 7_300
    model_parents: int = 450
    dataset_parents: int = 140
    owned_datasets: int = 150
    owned_models: int = 200

    def entities(self) -> int:
        """Return the number of nodes and edges of the graph."""
        return sum(self) + 2 * (self.experiments + self.metrics)


FULL = Sizes()
ENTITIES = FULL.entities()
MIN_ENTITIES = 400  # with which there are as many models as have scores


def write(path: Path, entities: int = ENTITIES) -> int:
    """Write the graph as JSON Lines, and return its number of nodes and edges.

    Its size is about `entities`.
    """
    sizes = Sizes(*(-(-size * entities // ENTITIES) for size in FULL))
    with path.open("w", encoding="utf-8") as file:
        for line in chain([{"format": "genai_graph/1"}], _lines(random.Random(_SEED), sizes)):
            file.write(json.dumps(line) + "\n")
    return sizes.entities()


def _lines(chance: random.Random, sizes: Sizes) -> Iterator[Line]:
    yield from _nodes(chance, sizes)
    yield from _trained_on(chance, sizes)
    yield from _runs(chance, sizes)
    yield from _lineage(chance, sizes)
    for i in range(sizes.owned_datasets + sizes.owned_models):
        owned = ("Dataset", dataset(i)) if i < sizes.owned_datasets else ("Model", _model(i))
        yield edge("HAS", ("Project", f"project-{i % sizes.projects}"), owned)


def _nodes(chance: random.Random, sizes: Sizes) -> Iterator[Line]:
    for i in range(sizes.projects):
        yield node("Project", f"project-{i}")
    for i in range(sizes.datasets):
        licensed = RARE_LICENSE if i % 80 == 7 else chance.choice(_COMMON_LICENSES)
        digest = f"{i:016x}" if i % 3 else None
        yield node("Dataset", dataset(i), **_without_none(license=licensed, digest=digest))
    for i in range(sizes.models):
        yield node("Model", _model(i))
    for i in range(sizes.experiments):
        seed = i if i % 2 else None
        yield node("Experiment", f"run-{i}", status="FINISHED", **_without_none(random_seed=seed))
    for i in range(sizes.metrics):
        value = "NaN" if i % 50 == 0 else chance.random()
        split = _without_none(split=chance.choice(_SPLITS))
        yield node("Metric", f"metric-{i}", name=_METRICS[i % 4], value=value, **split)


def _trained_on(chance: random.Random, sizes: Sizes) -> Iterator[Line]:
    """Train each model on five or six datasets, with unequal popularity."""
    popularity = list(accumulate(1 / (rank + 1) ** 0.5 for rank in range(sizes.datasets)))
    for i in range(sizes.models):
        count = sizes.trained_on // sizes.models + (i < sizes.trained_on % sizes.models)
        chosen: set[int] = set()
        while len(chosen) < count:
            chosen.update(chance.choices(range(sizes.datasets), cum_weights=popularity))
        for one in sorted(chosen):
            role = _without_none(role=chance.choice(("training", "training", "validation", None)))
            split = _without_none(split=chance.choice(_SPLITS))
            ends = ("Model", _model(i)), ("Dataset", dataset(one))
            yield edge("TRAINED_ON", *ends, **role, **split)


def _runs(chance: random.Random, sizes: Sizes) -> Iterator[Line]:
    for i in range(sizes.experiments):
        run = ("Experiment", f"run-{i}")
        yield edge("RUN", run, ("Model", _model(chance.randrange(_SCORED))))
        yield edge("USED", run, ("Dataset", dataset(chance.randrange(sizes.datasets))))
    for i in range(sizes.metrics):
        metric = ("Metric", f"metric-{i}")
        yield edge("HAS", ("Experiment", f"run-{i % sizes.experiments}"), metric)
        yield edge("EVALUATED_ON", metric, ("Dataset", dataset(chance.randrange(_BENCHMARKS))))


def _lineage(chance: random.Random, sizes: Sizes) -> Iterator[Line]:
    """Derive models and datasets from earlier ones, so that there are no cycles."""
    for i in chance.sample(range(1, sizes.models), sizes.model_parents):
        parent = _model(chance.randrange(i))
        yield edge("DERIVED_FROM", ("Model", _model(i)), ("Model", parent), kind="fine-tuned")
    for i in chance.sample(range(1, sizes.datasets), sizes.dataset_parents):
        kind = chance.choice(("version", "subset"))
        ends = ("Dataset", dataset(i)), ("Dataset", dataset(chance.randrange(i)))
        yield edge("DERIVED_FROM", *ends, kind=kind)


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def dataset(i: int) -> str:
    """Return the uid of a dataset."""
    return f"dataset-{i}@1"


def _model(i: int) -> str:
    return f"model-{i}@1"
