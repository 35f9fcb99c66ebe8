"""Graphs of three shapes: that of `graph`, mostly metrics, and wide nodes with JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain

from benchmarks.graph import Line, edge, lines, node

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
_NAMES = ("accuracy", "f1", "auc", "loss", "precision", "recall", "latency")
_TEXT = "trained on merchant transactions of the last quarter, with weighted classes; "


def metrics(entities: int) -> Iterator[Line]:
    """Yield a graph in which seven of ten nodes are metrics, each with its experiment."""
    nodes = entities // 2
    experiments, small = nodes // 5, nodes // 20
    count = nodes - experiments - 2 * small
    yield from (node("Dataset", f"data-{i}@1", name=f"data-{i}", version="1") for i in range(small))
    yield from (
        node("Model", f"model-{i}@1", name=f"model-{i}", version="1", framework="pytorch")
        for i in range(small)
    )
    yield from (
        node("Experiment", f"run-{i}", name=f"run {i}", status="FINISHED", started_at=_time(i))
        for i in range(experiments)
    )
    yield from map(_metric, range(count), [experiments] * count)
    for i in range(count):
        metric = _metric_uid(i, experiments)
        yield edge("HAS", ("Experiment", f"run-{i % experiments}"), ("Metric", metric))
    for i in range(experiments):
        yield edge("RUN", ("Experiment", f"run-{i}"), ("Model", f"model-{i % small}@1"))
    for i in range(entities - nodes - count - experiments):
        dataset = ("Dataset", f"data-{i % small}@1")
        yield edge("EVALUATED_ON", ("Metric", _metric_uid(i, experiments)), dataset)


def _metric(i: int, experiments: int) -> Line:
    return node(
        "Metric",
        _metric_uid(i, experiments),
        name=_NAMES[i // experiments],
        value=(i * 7919 % 10007) / 10007,
        step=i % 100,
        recorded_at=_time(i),
    )


def _metric_uid(i: int, experiments: int) -> str:
    return f"run-{i % experiments}/{_NAMES[i // experiments]}"


def wide(entities: int) -> Iterator[Line]:
    """Yield a graph of models and experiments with all properties, 40 of them in JSON."""
    nodes = entities // 2
    models = nodes // 2
    experiments = nodes - models
    yield from chain(map(_wide_model, range(models)), map(_wide_experiment, range(experiments)))
    for i in range(entities - nodes):
        model = ("Model", f"model-{(i * 3 + i // experiments) % models}@1")
        yield edge("RUN", ("Experiment", f"run-{i % experiments}"), model)


def _wide_model(i: int) -> Line:
    return node(
        "Model",
        f"model-{i}@1",
        name=f"model-{i}",
        version="1",
        description=_TEXT * 3,
        tags=["tabular", f"team-{i % 20}", "nightly"],
        architecture=f"ResNet-{18 + i % 50}",
        task="image-classification",
        framework="pytorch",
        num_parameters=11_000_000 + i,
        size=44_000_000 + i,
        license="Apache-2.0",
        location=f"s3://models/model-{i}/",
        digest=f"{i * 2654435761 % 2**64:016x}",
        hyperparameters={
            **{f"layer{j}": {"width": 64 + j, "dropout": i % 10 / 10} for j in range(15)},
            **{f"option{j}": f"value-{i % 7}" for j in range(10)},
        },
    )


def _wide_experiment(i: int) -> Line:
    return node(
        "Experiment",
        f"run-{i}",
        name=f"run {i}",
        description=_TEXT * 2,
        status="FINISHED",
        started_at=_time(i),
        ended_at=_time(i + 40),
        code_version=f"{i * 40503 % 2**32:08x}",
        random_seed=i * 7919 % 65536,
        created_by=f"user-{i % 100}",
        source="train.py",
        parameters={f"parameter{j}": i * j / 100 for j in range(25)},
        environment={"packages": {f"package{j}": f"1.{j}" for j in range(15)}},
    )


def _time(minutes: int) -> str:
    return (_START + timedelta(minutes=minutes)).isoformat()


SHAPES: dict[str, Callable[[int], Iterator[Line]]] = {
    "all labels": lines,
    "mostly metrics": metrics,
    "wide nodes": wide,
}
