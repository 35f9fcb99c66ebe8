"""A deterministic graph with the shape of a model hub, for the questions."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.graph import Line, edge, node

PROJECTS, DATASETS, MODELS, EXPERIMENTS, METRICS = 20, 400, 1_300, 380, 400
NODES = PROJECTS + DATASETS + MODELS + EXPERIMENTS + METRICS
TRAINED_ON, MODEL_PARENTS, DATASET_PARENTS, OWNED = 7_300, 450, 140, 350
EDGES = TRAINED_ON + MODEL_PARENTS + DATASET_PARENTS + OWNED + 2 * EXPERIMENTS + 2 * METRICS
RARE_LICENSE = "CC-BY-NC-4.0"
_COMMON_LICENSES = ("MIT", "Apache-2.0", "CC-BY-4.0", None)
# Few models and datasets have scores, so that some scores are comparable.
_SCORED, _BENCHMARKS = 40, 4
_METRICS = ("accuracy", "f1", "loss", "quality")
_SPLITS = ("train", "test", None)
_SEED = 6


def write(path: Path) -> None:
    """Write the graph as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for line in chain([{"format": "genai_graph/1"}], _lines(random.Random(_SEED))):
            file.write(json.dumps(line) + "\n")


def _lines(chance: random.Random) -> Iterator[Line]:
    yield from _nodes(chance)
    yield from _trained_on(chance)
    yield from _runs(chance)
    yield from _lineage(chance)
    for i in range(OWNED):
        owned = ("Dataset", dataset(i)) if i < 150 else ("Model", _model(i))
        yield edge("HAS", ("Project", f"project-{i % PROJECTS}"), owned)


def _nodes(chance: random.Random) -> Iterator[Line]:
    for i in range(PROJECTS):
        yield node("Project", f"project-{i}")
    for i in range(DATASETS):
        licensed = RARE_LICENSE if i % 80 == 7 else chance.choice(_COMMON_LICENSES)
        digest = f"{i:016x}" if i % 3 else None
        yield node("Dataset", dataset(i), **_without_none(license=licensed, digest=digest))
    for i in range(MODELS):
        yield node("Model", _model(i))
    for i in range(EXPERIMENTS):
        seed = i if i % 2 else None
        yield node("Experiment", f"run-{i}", status="FINISHED", **_without_none(random_seed=seed))
    for i in range(METRICS):
        value = "NaN" if i % 50 == 0 else chance.random()
        split = _without_none(split=chance.choice(_SPLITS))
        yield node("Metric", f"metric-{i}", name=_METRICS[i % 4], value=value, **split)


def _trained_on(chance: random.Random) -> Iterator[Line]:
    """Train each model on five or six datasets, with unequal popularity."""
    popularity = [1 / (rank + 1) ** 0.5 for rank in range(DATASETS)]
    for i in range(MODELS):
        count = TRAINED_ON // MODELS + (i < TRAINED_ON % MODELS)
        chosen: set[int] = set()
        while len(chosen) < count:
            chosen.update(chance.choices(range(DATASETS), popularity))
        for one in sorted(chosen):
            role = _without_none(role=chance.choice(("training", "training", "validation", None)))
            split = _without_none(split=chance.choice(_SPLITS))
            ends = ("Model", _model(i)), ("Dataset", dataset(one))
            yield edge("TRAINED_ON", *ends, **role, **split)


def _runs(chance: random.Random) -> Iterator[Line]:
    for i in range(EXPERIMENTS):
        run = ("Experiment", f"run-{i}")
        yield edge("RUN", run, ("Model", _model(chance.randrange(_SCORED))))
        yield edge("USED", run, ("Dataset", dataset(chance.randrange(DATASETS))))
    for i in range(METRICS):
        metric = ("Metric", f"metric-{i}")
        yield edge("HAS", ("Experiment", f"run-{i % EXPERIMENTS}"), metric)
        yield edge("EVALUATED_ON", metric, ("Dataset", dataset(chance.randrange(_BENCHMARKS))))


def _lineage(chance: random.Random) -> Iterator[Line]:
    """Derive models and datasets from earlier ones, so that there are no cycles."""
    for i in chance.sample(range(1, MODELS), MODEL_PARENTS):
        parent = _model(chance.randrange(i))
        yield edge("DERIVED_FROM", ("Model", _model(i)), ("Model", parent), kind="fine-tuned")
    for i in chance.sample(range(1, DATASETS), DATASET_PARENTS):
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
