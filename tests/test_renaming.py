"""Renaming of nodes, with their uid, edges and the uids of their metrics."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    Metric,
    Model,
    Project,
    atomic,
    connect,
    query,
    verify,
)
from genai_graph.database.keyring import generate_key
from genai_graph.errors import NodeExistsError, NodeNotFoundError, NotSavedError, PropertyError


def test_rename_moves_uid_edges_and_metric_uids(graph: Connection) -> None:
    dataset = Dataset(name="iris", version="1", size=5).save()
    model = Model(name="m").save()
    model.trained_on.connect(dataset, {"split": "train"})
    run = Experiment(uid="run").save()
    run.record("accuracy", values=[0.5, 0.6], dataset=dataset, split="val", tags=["a"])
    run.record("accuracy", 0.7)
    Metric.upsert(uid="given", name="accuracy", value=1)
    Metric.nodes.get(uid="given").dataset.connect(dataset)
    run.metrics.connect(Metric.nodes.get(uid="given"))
    before = dataset.updated_at
    dataset.description = "unsaved"
    assert dataset.rename("fisher/iris") is dataset
    assert (dataset.uid, dataset.name, dataset.version) == ("fisher/iris@1", "fisher/iris", "1")
    assert (dataset.description, dataset.size) == ("unsaved", 5)
    assert dataset.updated_at > before
    assert dataset.save().description == "unsaved"
    assert Dataset.nodes.get(uid="fisher/iris@1") == dataset
    assert Dataset.nodes.get_or_none(uid="iris@1") is None
    edge: Any = model.trained_on.relationship(dataset)
    assert edge.split == "train"
    assert {metric.uid for metric in dataset.metrics} == {
        "run/accuracy/fisher%2Firis@1/val",
        "given",
    }
    again = run.record("accuracy", values=[0.8], steps=[2], dataset=dataset, split="val")
    assert (again.values, again.tags) == ([0.5, 0.6, 0.8], ["a"])
    assert len(Metric.nodes) == 3
    assert list(verify(allowed=["Metric"])) == []


def test_rename_version(graph: Connection) -> None:
    model = Model(name="m", version="1").save()
    assert model.rename(version="2").uid == "m@2"
    assert model.rename("n", version="3").uid == "n@3"
    assert model.rename(version=None).uid == "n"
    assert (model.name, model.version) == ("n", None)
    found = Model.nodes.get()
    assert (found.uid, found.name, found.version) == ("n", "n", None)


def test_rename_of_each_class(graph: Connection) -> None:
    assert Project(name="p").save().rename("50% off").uid == "50%25 off"
    run = Experiment(uid="run", name="r").save().rename("s")
    assert (run.uid, run.name) == ("run", "s")
    metric = run.record("acc", 0.5, dataset=Dataset(name="d").save(), split="val")
    metric.rename("top/1")
    assert metric.uid == "run/top%2F1/d/val"
    assert run.record("top/1", 0.6, dataset=Dataset.nodes.get(), split="val") == metric


def test_given_uid_stays(graph: Connection) -> None:
    dataset = Dataset(uid="ds-17", name="iris").save()
    assert (dataset.rename("flowers").uid, dataset.name) == ("ds-17", "flowers")
    dataset.name = "iris"
    assert dataset.save().uid == "ds-17"
    metric = Metric(uid="m-1", name="acc", value=1).save()
    assert metric.rename("accuracy").uid == "m-1"


def test_taken_uid_is_an_error_and_changes_nothing(graph: Connection) -> None:
    Dataset(name="b").save()
    dataset = Dataset(name="a").save()
    run = Experiment(uid="run").save()
    run.record("acc", 0.5, dataset=dataset)
    with pytest.raises(NodeExistsError, match="Dataset with uid 'b' already exists"):
        dataset.rename("b")
    assert (dataset.uid, dataset.name) == ("a", "a")
    Metric(uid="run/acc/c", name="acc", value=1).save()
    with pytest.raises(NodeExistsError, match="Metric with uid 'run/acc/c' already exists"):
        dataset.rename("c")
    assert {node.uid for node in Dataset.nodes} == {"a", "b"}
    assert Dataset.nodes.get(uid="a").name == "a"


@pytest.mark.parametrize(
    ("node", "name", "value", "fix"),
    [
        (Dataset(name="a"), "name", "b", r"Dataset\.name: the uid 'a' .*: call rename\('b'\)"),
        (Model(name="a"), "version", "2", r"Model\.version: .*: call rename\(version='2'\)"),
        (Project(name="a"), "name", "b", r"Project\.name: .*: call rename\('b'\)"),
        (
            Metric(uid="r/a", name="a", value=1),
            "name",
            "b",
            r"Metric\.name: .*: call rename\('b'\)",
        ),
        (Metric(uid="r/a", name="a", value=1), "split", "b", r"Metric\.split: .*another Metric"),
    ],
)
@pytest.mark.any_engine
def test_assignment_of_a_name_in_the_uid_is_an_error(
    graph: Connection, node: Any, name: str, value: str, fix: str
) -> None:
    node = type(node).inflate(type(node)(**node.__properties__).save()._stored)
    setattr(node, name, value)
    with pytest.raises(PropertyError, match=fix):
        node.save()


def test_invalid_renaming(graph: Connection) -> None:
    with pytest.raises(NotSavedError):
        Dataset(name="a").rename("b")
    dataset = Dataset(name="a").save()
    for name in ("", None, 5):
        with pytest.raises(PropertyError, match=r"Dataset\.name: "):
            dataset.rename(name)  # type: ignore[arg-type]
    before = dataset.updated_at
    assert dataset.rename("a").updated_at == before
    query("MATCH (d:Dataset) DELETE d", write=True)
    with pytest.raises(NodeNotFoundError):
        dataset.rename("b")


def test_rolled_back_renaming(graph: Connection) -> None:
    dataset = Dataset(name="a").save()
    with contextlib.suppress(ZeroDivisionError), atomic():
        dataset.rename("b")
        _ = 1 / 0
    assert [node.uid for node in Dataset.nodes] == ["a"]
    assert (dataset.uid, dataset.name) == ("a", "a")
    dataset.save()
    assert [node.uid for node in Dataset.nodes] == ["a"]


def test_encrypted_values_move(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        dataset = Dataset(name="a", metadata={"secret": 1}, location="/data").save()
        run = Experiment(uid="run").save()
        run.record("acc", 0.5, dataset=dataset, metadata={"secret": 2})
        dataset.rename("b")
        found = Dataset.nodes.get(uid="b")
        assert (found.metadata, found.location) == ({"secret": 1}, "/data")
        assert Metric.nodes.get(uid="run/acc/b").metadata == {"secret": 2}
        assert list(verify()) == []
