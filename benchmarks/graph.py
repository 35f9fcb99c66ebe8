"""A deterministic graph of realistic shape and any size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

MIN_ENTITIES = 100
_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
_LICENSES = ("MIT", "Apache-2.0", "BSD-3-Clause", "CC-BY-4.0")
_TASKS = ("image-classification", "text-generation", "fraud-detection", "forecasting")
_FRAMEWORKS = ("pytorch", "xgboost", "jax")
_METRICS = ("accuracy", "f1", "auc", "loss")
_ROLES = ("training", "validation")

Line = dict[str, Any]


class Sizes(NamedTuple):
    """Numbers of nodes by label."""

    projects: int
    datasets: int
    models: int
    experiments: int
    metrics: int


def write(path: Path, entities: int) -> None:
    """Write a graph of this many nodes and edges, half of them nodes, as JSON Lines."""
    write_lines(path, lines(entities))


def write_lines(path: Path, rows: Iterable[Line]) -> None:
    """Write nodes and edges as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for line in chain([{"format": "genai_graph/1"}], rows):
            file.write(json.dumps(line) + "\n")


def lines(entities: int) -> Iterator[Line]:
    """Yield the nodes, then the edges."""
    edges = entities // 2
    sizes = _sizes(entities - edges)
    yield from _nodes(sizes)
    yield from _edges(sizes, edges)


def _sizes(nodes: int) -> Sizes:
    projects, datasets = nodes // 500 + 1, nodes * 12 // 100
    models, metrics = nodes // 4, nodes * 3 // 10
    return Sizes(
        projects, datasets, models, nodes - projects - datasets - models - metrics, metrics
    )


def _nodes(sizes: Sizes) -> Iterator[Line]:
    groups = zip(sizes, (_project, _dataset, _model, _experiment, _metric), strict=True)
    return chain.from_iterable(map(make, range(count)) for count, make in groups)


def _project(i: int) -> Line:
    return node("Project", f"project-{i}", owner=f"team-{i % 20}", license=_pick(_LICENSES, i))


def _dataset(i: int) -> Line:
    return node(
        "Dataset",
        _dataset_uid(i),
        name=f"dataset-{i // 3}",
        version=f"v{i % 3}",
        num_rows=1000 + i * 17,
        size=4096 * i,
        license=_pick(_LICENSES, i),
        location=f"s3://data/dataset-{i // 3}/v{i % 3}/",
        digest=f"{i * 2654435761 % 2**64:016x}",
        encoding_format="application/parquet",
    )


def _model(i: int) -> Line:
    return node(
        "Model",
        _model_uid(i),
        name=f"model-{i // 4}",
        version=f"{i % 4}.0",
        framework=_pick(_FRAMEWORKS, i),
        architecture=f"ResNet-{18 + i % 50}",
        task=_pick(_TASKS, i),
        num_parameters=11_000_000 + i,
        license=_pick(_LICENSES, i),
        hyperparameters={"lr": 0.001, "depth": 3 + i % 9, "optimizer": "adam"},
    )


def _experiment(i: int) -> Line:
    return node(
        "Experiment",
        f"run-{i}",
        name=f"run {i}",
        status="FAILED" if i % 11 == 0 else "FINISHED",
        started_at=_time(i),
        ended_at=_time(i + 40),
        parameters={"epochs": 10 + i % 90, "batch_size": 32},
        random_seed=i * 7919 % 65536,
        created_by=f"user-{i % 100}",
        code_version=f"{i * 40503 % 2**32:08x}",
    )


def _metric(i: int) -> Line:
    name = _pick(_METRICS, i)
    return node(
        "Metric",
        _metric_uid(i),
        name=name,
        value=(i * 7919 % 10007) / 10007,
        step=i % 100,
        split="test",
        unit="1",
        greater_is_better=name != "loss",
        recorded_at=_time(i + 41),
    )


def _edges(sizes: Sizes, count: int) -> Iterator[Line]:
    """Yield edges; no two of one type have the same ends."""
    projects, datasets, models, experiments, metrics = sizes

    def share(percent: int) -> range:
        return range(count * percent // 100)

    parts = [
        (_measured(i) for i in range(metrics)),
        (_trained_on(i, models, datasets) for i in share(30)),
        (_run(i % experiments, i % models) for i in share(20)),
        (_evaluated_on(i, datasets) for i in share(10)),
        (_owned(i % projects, "Dataset", _dataset_uid(i)) for i in share(2)),
        (_owned(i % projects, "Model", _model_uid(i)) for i in share(2)),
        (_owned(i % projects, "Experiment", f"run-{i}") for i in share(2)),
        (_used(i, datasets) for i in share(1)),
        (_derived("Model", _model_uid, i + 1, "fine-tuned") for i in share(2)),
    ]
    rest = count - metrics - sum(len(share(percent)) for percent in (30, 20, 10, 2, 2, 2, 1, 2))
    parts.append(_derived("Dataset", _dataset_uid, i + 1, "subset") for i in range(rest))
    return chain.from_iterable(parts)


def _measured(i: int) -> Line:
    return edge("HAS", ("Experiment", f"run-{i // 4}"), ("Metric", _metric_uid(i)))


def _trained_on(i: int, models: int, datasets: int) -> Line:
    turn, model = divmod(i, models)
    dataset = (model * 7 + turn) % datasets
    ends = ("Model", _model_uid(model)), ("Dataset", _dataset_uid(dataset))
    return edge("TRAINED_ON", *ends, role=_ROLES[turn])


def _run(experiment: int, model: int) -> Line:
    return edge("RUN", ("Experiment", f"run-{experiment}"), ("Model", _model_uid(model)))


def _evaluated_on(i: int, datasets: int) -> Line:
    ends = ("Metric", _metric_uid(i)), ("Dataset", _dataset_uid(i * 13 % datasets))
    return edge("EVALUATED_ON", *ends)


def _owned(project: int, label: str, uid: str) -> Line:
    return edge("HAS", ("Project", f"project-{project}"), (label, uid))


def _used(i: int, datasets: int) -> Line:
    ends = ("Experiment", f"run-{i}"), ("Dataset", _dataset_uid(i * 5 % datasets))
    return edge("USED", *ends, role="training")


def _derived(label: str, uid: Any, i: int, kind: str) -> Line:
    """Derive each node from an earlier one, so that there are no cycles."""
    return edge("DERIVED_FROM", (label, uid(i)), (label, uid(i // 2)), kind=kind)


def _dataset_uid(i: int) -> str:
    return f"dataset-{i // 3}@v{i % 3}"


def _model_uid(i: int) -> str:
    return f"model-{i // 4}@{i % 4}.0"


def _metric_uid(i: int) -> str:
    return f"run-{i // 4}/{_pick(_METRICS, i)}"


def _time(minutes: int) -> str:
    return (_START + timedelta(minutes=minutes)).isoformat()


def _pick(choices: tuple[str, ...], i: int) -> str:
    return choices[i % len(choices)]


def node(label: str, uid: str, **props: Any) -> Line:
    """Return the line of a node."""
    return {"node": label, "uid": uid, "props": props}


def edge(type_: str, source: tuple[str, str], target: tuple[str, str], /, **props: str) -> Line:
    """Return the line of an edge between two labels and uids."""
    line = {"edge": type_, "from": source, "to": target}
    return {**line, "props": props} if props else line
