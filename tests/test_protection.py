"""Deletion of datasets and models on which other nodes depend."""

from __future__ import annotations

import pytest

from genai_graph import Connection, Dataset, Experiment, Model, Project, clear, query
from genai_graph.errors import GenaiGraphError, ProtectedError
from genai_graph.storage.protection import dependents, refuse_protected


def test_dataset_in_use_is_protected(graph: Connection) -> None:
    dataset = Dataset(name="iris").save()
    for number in range(7):
        Model(name=f"m{number}").save().trained_on.connect(dataset)
    Experiment(uid="run").save().record("accuracy", 0.5, dataset=dataset)
    Dataset(name="small").save().parents.connect(dataset)
    with pytest.raises(
        ProtectedError,
        match=r"'iris' .*7 Model by TRAINED_ON \('m0', .*\.\.\.\); 1 Metric .*; 1 Dataset .*small",
    ) as raised:
        dataset.delete()
    assert isinstance(raised.value, GenaiGraphError)
    assert "force=True" in str(raised.value)
    assert Dataset.nodes.get(uid="iris").trained_models.all()
    assert dataset.was_saved
    dataset.delete(force=True)
    assert query("MATCH (d:Dataset) RETURN d.uid AS uid") == [{"uid": "small"}]


def test_parent_model_is_protected(graph: Connection) -> None:
    parent, child = Model(name="parent").save(), Model(name="child").save()
    child.parents.connect(parent)
    with pytest.raises(ProtectedError, match="1 Model by DERIVED_FROM"):
        parent.delete()
    child.delete()
    parent.delete()


def test_unused_node_is_not_protected(graph: Connection) -> None:
    project, dataset = Project(name="p").save(), Dataset(name="iris").save()
    project.datasets.connect(dataset)
    run = Experiment(uid="run").save()
    run.datasets.connect(dataset)
    run.record("accuracy", 0.5)
    dataset.delete()
    run.delete()
    project.delete()
    assert query("MATCH (n) RETURN n") == []


def test_dependents_of_many_nodes(graph: Connection) -> None:
    datasets = [Dataset(name=f"d{number}").save() for number in range(4)]
    model = Model(name="m").save()
    for dataset in datasets[:2]:
        model.trained_on.connect(dataset)
    datasets[2].parents.connect(datasets[3])
    uids = [dataset.uid for dataset in datasets]
    (found,) = dependents("Dataset", uids)  # those in the list do not protect each other
    assert (found.edge_type.type, found.total, found.uids) == ("TRAINED_ON", 1, ["m"])
    assert [each.uids for each in dependents("Dataset", ["d3"])] == [["d2"]]
    assert dependents("Dataset", ["d2"]) == dependents("Dataset", []) == []
    with pytest.raises(ProtectedError, match=r"4 Dataset nodes can't.*depend on them"):
        refuse_protected("Dataset", uids)
    refuse_protected("Project", ["p"])


def test_clear_is_not_protected(graph: Connection) -> None:
    model = Model(name="m").save()
    model.trained_on.connect(Dataset(name="d").save())
    assert clear() == {"Dataset": 1, "Model": 1}
