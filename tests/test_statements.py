"""The number of statements sent by each operation, once the schema is installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from genai_graph import Connection, Dataset, Experiment, Metric, Model


@pytest.fixture
def sent(graph: Connection) -> Iterator[list[str]]:
    """The statements sent by the test, as logged."""
    Dataset(name="first write").save()  # installs the schema
    statements: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            statements.append(record.getMessage())

    logger, handler = logging.getLogger("genai_graph.cypher"), Collector()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield statements
    logger.removeHandler(handler)
    logger.setLevel(level)


def count(sent: list[str], action: Callable[[], object]) -> int:
    """Call the action and return the number of statements that it sends."""
    sent.clear()
    action()
    return len(sent)


def test_upsert(sent: list[str]) -> None:
    assert count(sent, lambda: Dataset.upsert(name="iris", size=1)) == 2  # read, create
    assert count(sent, lambda: Dataset.upsert(name="iris", size=1)) == 1  # read
    assert count(sent, lambda: Dataset.upsert(name="iris", size=2)) == 2  # read, update


def test_save(sent: list[str]) -> None:
    node = Dataset(name="iris", metadata={"b": 1, "a": 2}, tags=["x"])
    assert count(sent, node.save) == 1
    assert count(sent, node.save) == 0
    node.metadata["c"] = 3
    assert count(sent, node.save) == 1
    read = Dataset.nodes.get(uid="iris")
    assert count(sent, read.save) == 0


def test_connect(sent: list[str]) -> None:
    model, dataset = Model(name="m").save(), Dataset(name="d").save()
    assert count(sent, lambda: model.trained_on.connect(dataset, {"role": "training"})) == 2
    assert count(sent, lambda: model.trained_on.connect(dataset, {"role": "training"})) == 1
    assert count(sent, lambda: model.trained_on.connect(dataset, {"role": "test"})) == 2
    assert count(sent, lambda: dataset.trained_models.connect(model, {"split": "train"})) == 2


@pytest.mark.parametrize("ancestors", [0, 1, 5, 15])
def test_connect_acyclic(sent: list[str], ancestors: int) -> None:
    models = [Model(name=str(number)).save() for number in range(ancestors + 2)]
    for child, parent in zip(models[1:-1], models, strict=False):
        child.parents.connect(parent)
    assert count(sent, lambda: models[-1].parents.connect(models[-2])) == 3


def test_connect_with_cardinality(sent: list[str]) -> None:
    run, dataset = Experiment(uid="run").save(), Dataset(name="d").save()
    metric = run.record("accuracy", 0.5)
    assert count(sent, lambda: metric.dataset.connect(dataset)) == 2
    other = Metric(uid="other", name="loss", value=1.0).save()
    assert count(sent, lambda: run.metrics.connect(other)) == 2


def test_record(sent: list[str]) -> None:
    run, dataset = Experiment(uid="run").save(), Dataset(name="d").save()

    def record(value: float, step: int) -> None:
        run.record("accuracy", value, dataset=dataset, step=step)

    assert count(sent, lambda: record(0.5, 1)) == 4  # read, create, two edges
    assert count(sent, lambda: record(0.6, 2)) == 4  # read, update, read two edges
    assert count(sent, lambda: record(0.6, 2)) == 3
    assert count(sent, lambda: run.record("loss", 1.0)) == 3


def test_record_for_a_model(sent: list[str]) -> None:
    run, dataset = Experiment(uid="run").save(), Dataset(name="d").save()
    model = Model(name="m").save()

    def record(value: float) -> None:
        run.record("accuracy", value, dataset=dataset, model=model)

    assert count(sent, lambda: record(0.5)) == 5  # read, create, three edges
    assert count(sent, lambda: record(0.6)) == 5  # read, update, read three edges
    assert count(sent, lambda: record(0.6)) == 4


def test_bulk_methods(sent: list[str]) -> None:
    rows = [{"name": f"d{number}", "size": number} for number in range(200)]
    assert count(sent, lambda: Dataset.nodes.bulk_create(*rows)) == 1
    nodes = Dataset.nodes.filter(name__startswith="d").all()
    for node in nodes[:100]:
        node.size = 1_000
    new = [Dataset(name=f"new{number}") for number in range(100)]
    assert count(sent, lambda: Dataset.bulk_save([*nodes, *new])) == 2
    changed = [{**row, "size": 5} for row in rows]
    assert count(sent, lambda: Dataset.nodes.bulk_create_or_update(*changed)) == 2
    assert count(sent, lambda: Dataset.nodes.bulk_get_or_create(*rows, {"name": "one more"})) == 2
