"""Relationship managers: edges, their properties and constraints, and filters."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any

import neomodel
import pytest

from genai_graph import Dataset, Experiment, GenaiGraphError, Metric, Model, Project, atomic, query
from genai_graph.database import Connection
from genai_graph.errors import (
    EdgeError,
    EdgeTypeError,
    NodeNotFoundError,
    NotSavedError,
    PropertyError,
    PropertyTypeError,
    UnknownPropertyError,
    UnsupportedError,
)
from genai_graph.models import TrainedOn

DATA_ROLES = ["training", "validation", "test"]


@dataclass(frozen=True)
class Relationship:
    """A relationship and its attributes at both ends.

    `properties` are those of a first `connect`, and of a second one that updates the same edge.
    """

    source: type[Any]
    edge: str
    target: type[Any]
    forward: str
    backward: str
    properties: tuple[dict[str, Any], dict[str, Any]] = field(default=({}, {}))

    def __str__(self) -> str:
        return f"{self.source.__name__}-{self.edge}-{self.target.__name__}"

    def ends(self) -> tuple[Any, Any]:
        """Create a node for each end."""
        return save_node(self.source, "source"), save_node(self.target, "target")

    def edges(self) -> list[dict[str, Any]]:
        """Return the edges in the graph."""
        return query(
            f"MATCH (a:{self.source.__name__})-[r:{self.edge}]->(b:{self.target.__name__}) "
            "RETURN a.uid AS source, b.uid AS target, r AS properties"
        )


TRAINED_ON = Relationship(
    Model,
    "TRAINED_ON",
    Dataset,
    "trained_on",
    "trained_models",
    (
        {"role": "test", "split": "all", "revision": "1"},
        {"role": "test", "split": "all", "revision": "2"},
    ),
)
RUN = Relationship(
    Experiment,
    "RUN",
    Model,
    "models",
    "experiments",
    ({"role": "input", "step": 3}, {"role": "input", "step": None}),
)
USED = Relationship(
    Experiment,
    "USED",
    Dataset,
    "datasets",
    "experiments",
    ({"role": "training", "split": "a"}, {"role": None, "split": "a"}),
)
MODEL_DERIVED_FROM = Relationship(
    Model,
    "DERIVED_FROM",
    Model,
    "parents",
    "children",
    ({"kind": "adapted"}, {"kind": "quantized"}),
)
DATASET_DERIVED_FROM = Relationship(
    Dataset,
    "DERIVED_FROM",
    Dataset,
    "parents",
    "children",
    ({"kind": "subset"}, {"kind": "translation"}),
)
RELATIONSHIPS = [
    Relationship(Project, "HAS", Dataset, "datasets", "projects"),
    Relationship(Project, "HAS", Model, "models", "projects"),
    Relationship(Project, "HAS", Experiment, "experiments", "projects"),
    TRAINED_ON,
    RUN,
    Relationship(Experiment, "HAS", Metric, "metrics", "experiment"),
    USED,
    Relationship(Experiment, "PART_OF", Experiment, "part_of", "parts"),
    Relationship(Metric, "EVALUATED_ON", Dataset, "dataset", "metrics"),
    Relationship(Metric, "MEASURES", Model, "model", "metrics"),
    MODEL_DERIVED_FROM,
    DATASET_DERIVED_FROM,
]
each_relationship = pytest.mark.parametrize("relationship", RELATIONSHIPS, ids=str)


def save_node(cls: type[Any], uid: str) -> Any:
    """Create a node with the required properties."""
    name = {} if cls is Experiment else {"name": uid}
    value = {"value": 1.0} if cls is Metric else {}
    return cls(uid=uid, **name, **value).save()


def given_properties(edge: Any) -> dict[str, Any]:
    """Return the properties of an edge that are set."""
    return {name: value for name, value in edge.__properties__.items() if value is not None}


def delete_with_cypher(node: Any) -> None:
    query(
        f"MATCH (n:{type(node).__name__} {{uid: $uid}}) DETACH DELETE n", write=True, uid=node.uid
    )


@pytest.fixture
def model(graph: Connection) -> Model:
    return Model(name="m").save()


@pytest.fixture
def dataset(graph: Connection) -> Dataset:
    return Dataset(name="d").save()


@pytest.fixture
def other(graph: Connection) -> Dataset:
    return Dataset(name="other").save()


# Every relationship


@each_relationship
def test_edge_is_seen_from_both_ends(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    forward = getattr(source, relationship.forward)
    backward = getattr(target, relationship.backward)
    assert (forward.all(), backward.all()) == ([], [])
    edge = forward.connect(target, relationship.properties[0])
    assert given_properties(edge) == relationship.properties[0]
    assert relationship.edges() == [
        {"source": "source", "target": "target", "properties": relationship.properties[0]}
    ]
    assert (forward.all(), backward.all()) == ([target], [source])
    assert type(forward.single()) is relationship.target
    assert type(backward.single()) is relationship.source
    assert (forward.is_connected(target), backward.is_connected(source)) == (True, True)
    assert target in forward
    assert source in backward
    for found in [forward.relationship(target), backward.relationship(source)]:
        assert given_properties(found) == relationship.properties[0]
    for edges in [forward.all_relationships(target), backward.all_relationships(source)]:
        assert [given_properties(found) for found in edges] == [relationship.properties[0]]
    backward.disconnect(source)
    assert relationship.edges() == []
    assert (forward.all(), backward.all()) == ([], [])
    assert (forward.relationship(target), backward.all_relationships(source)) == (None, [])
    assert not forward.is_connected(target)


@each_relationship
def test_connect_from_target(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    edge = getattr(target, relationship.backward).connect(source, relationship.properties[0])
    assert given_properties(edge) == relationship.properties[0]
    assert relationship.edges() == [
        {"source": "source", "target": "target", "properties": relationship.properties[0]}
    ]
    assert getattr(source, relationship.forward).all() == [target]
    getattr(source, relationship.forward).disconnect(target)
    assert relationship.edges() == []


@each_relationship
def test_connect_twice_creates_one_edge(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    first, second = relationship.properties
    getattr(source, relationship.forward).connect(target, first)
    getattr(source, relationship.forward).connect(target, first)
    getattr(target, relationship.backward).connect(source, first)
    getattr(target, relationship.backward).connect(source, second)
    merged = {name: value for name, value in {**first, **second}.items() if value is not None}
    assert relationship.edges() == [{"source": "source", "target": "target", "properties": merged}]
    assert len(getattr(source, relationship.forward)) == 1
    assert len(getattr(target, relationship.backward)) == 1


@each_relationship
def test_deleting_target_removes_edge(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    getattr(source, relationship.forward).connect(target)
    target.delete(force=True) if isinstance(target, (Dataset, Model)) else target.delete()
    assert relationship.edges() == []
    assert getattr(source, relationship.forward).all() == []
    assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 0}]


@each_relationship
def test_connect_rejects_node_of_wrong_class(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    wrong = save_node(Project, "wrong")
    with pytest.raises(EdgeTypeError) as caught:
        getattr(source, relationship.forward).connect(wrong)
    message = str(caught.value)
    assert f"{relationship.source.__name__}.{relationship.forward}" in message
    assert relationship.target.__name__ in message
    assert repr(wrong) in message
    if relationship.source is not Project:
        attribute = rf"{relationship.target.__name__}\.{relationship.backward}"
        with pytest.raises(EdgeTypeError, match=f"{attribute}.*{relationship.source.__name__}"):
            getattr(target, relationship.backward).connect(wrong)
    assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 0}]


@each_relationship
def test_unknown_edge_property_is_rejected(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    with pytest.raises(UnknownPropertyError, match="colour"):
        getattr(source, relationship.forward).connect(target, {"colour": "red"})
    assert relationship.edges() == []


@each_relationship
def test_unsaved_node_is_rejected(graph: Connection, relationship: Relationship) -> None:
    source, target = relationship.ends()
    unsaved = relationship.target(
        **{name: getattr(target, name) for name in ["uid", "name"]},
        **({"value": 1.0} if relationship.target is Metric else {}),
    )
    unsaved.uid = "unsaved"
    with pytest.raises(NotSavedError, match=r"unsaved.*save\(\)"):
        getattr(source, relationship.forward).connect(unsaved)
    for method in ["connect", "disconnect", "is_connected", "relationship", "replace"]:
        with pytest.raises(NotSavedError, match=r"unsaved.*save\(\)"):
            getattr(getattr(unsaved, relationship.backward), method)(source)
    for method in ["all", "single", "disconnect_all"]:
        with pytest.raises(NotSavedError, match=r"unsaved.*save\(\)"):
            getattr(getattr(unsaved, relationship.backward), method)()
    assert relationship.edges() == []


@each_relationship
def test_connect_to_node_deleted_elsewhere_raises_error(
    graph: Connection, relationship: Relationship
) -> None:
    source, target = relationship.ends()
    delete_with_cypher(target)
    with pytest.raises(NodeNotFoundError, match=rf"{relationship.target.__name__}.*'target'"):
        getattr(source, relationship.forward).connect(target, relationship.properties[0])
    with pytest.raises(NodeNotFoundError, match=rf"{relationship.target.__name__}.*'target'"):
        getattr(target, relationship.backward).connect(source)
    assert getattr(source, relationship.forward).is_connected(target) is False
    getattr(source, relationship.forward).disconnect(target)
    assert relationship.edges() == []
    assert getattr(target, relationship.backward).all() == []


def test_edges_of_the_type_has_are_separate_for_each_label(graph: Connection) -> None:
    project = Project(name="same").save()
    dataset = Dataset(name="same").save()
    model = Model(name="same").save()
    experiment = Experiment(uid="same").save()
    for edges, node in [
        (project.datasets, dataset),
        (project.models, model),
        (project.experiments, experiment),
    ]:
        edges.connect(node)  # type: ignore[arg-type]
    metric = experiment.record("accuracy", 0.5)
    assert (project.datasets.all(), project.models.all()) == ([dataset], [model])
    assert (project.experiments.all(), experiment.metrics.all()) == ([experiment], [metric])
    project.datasets.disconnect_all()
    project.models.disconnect(model)
    assert (project.datasets.all(), project.models.all()) == ([], [])
    assert (project.experiments.all(), experiment.metrics.all()) == ([experiment], [metric])


def test_parents_and_children_are_separate(graph: Connection) -> None:
    old, middle, new = [Model(name=name).save() for name in ["old", "middle", "new"]]
    middle.parents.connect(old, {"kind": "fine-tuned"})
    middle.children.connect(new, {"kind": "quantized"})
    assert (old.children.all(), new.parents.all()) == ([middle], [middle])
    assert given_properties(new.parents.relationship(middle)) == {"kind": "quantized"}
    middle.parents.disconnect_all()
    assert (middle.parents.all(), middle.children.all()) == ([], [new])


# Edge properties


@pytest.mark.parametrize(
    ("relationship", "name", "choices"),
    [
        (TRAINED_ON, "role", DATA_ROLES),
        (RUN, "role", ["output", "input"]),
        (USED, "role", [*DATA_ROLES, "other"]),
        (MODEL_DERIVED_FROM, "kind", ["fine-tuned", "adapted", "quantized", "version", "merged"]),
        (DATASET_DERIVED_FROM, "kind", ["version", "subset", "preprocessed", "translation"]),
    ],
    ids=str,
)
def test_edge_property_outside_choices_is_rejected(
    graph: Connection, relationship: Relationship, name: str, choices: list[str]
) -> None:
    source, target = relationship.ends()
    edges = getattr(source, relationship.forward)
    for choice in choices:
        edges.connect(target, {name: choice})
        assert given_properties(edges.relationship(target, **{name: choice})) == {name: choice}
    misspelt = choices[0][:-1]
    with pytest.raises(PropertyError) as caught:
        edges.connect(target, {name: misspelt})
    message = str(caught.value)
    assert name in message
    assert ", ".join(choices) in message
    assert repr(misspelt) in message
    assert f"did you mean {choices[0]!r}" in message
    assert given_properties(edges.relationship(target, **{name: choices[-1]})) == {
        name: choices[-1]
    }


def test_misspelled_edge_property_suggests_similar_name(model: Model, dataset: Dataset) -> None:
    with pytest.raises(UnknownPropertyError, match=r"rol.*did you mean 'role'"):
        model.trained_on.connect(dataset, {"rol": "test"})
    with pytest.raises(UnknownPropertyError, match="rol"):
        dataset.trained_models.connect(model, {"rol": None})


@pytest.mark.parametrize(
    ("relationship", "properties", "error", "problem"),
    [
        (
            TRAINED_ON,
            {"role": "test", "split": 3},
            PropertyTypeError,
            r"TrainedOn\.split: expected a string, got 3",
        ),
        (TRAINED_ON, {"revision": 1.0}, PropertyTypeError, r"revision: .* string, got 1\.0"),
        (TRAINED_ON, {"role": True}, PropertyTypeError, r"role: expected a string, got True"),
        (RUN, {"step": "3"}, PropertyTypeError, r"step: expected an integer, got '3'"),
        (RUN, {"step": True}, PropertyTypeError, r"step: expected an integer, got True"),
        (RUN, {"step": 2**63}, PropertyError, r"step: expected an integer of at most"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value),
)
def test_edge_properties_are_not_cast(
    graph: Connection,
    relationship: Relationship,
    properties: dict[str, Any],
    error: type[Exception],
    problem: str,
) -> None:
    source, target = relationship.ends()
    with pytest.raises(error, match=problem):
        getattr(source, relationship.forward).connect(target, properties)
    assert relationship.edges() == []


def test_edge_properties_must_be_a_dict(model: Model, dataset: Dataset) -> None:
    with pytest.raises(GenaiGraphError):
        model.trained_on.connect(dataset, "validation")  # type: ignore[arg-type]
    with pytest.raises(PropertyTypeError, match="expected a dict of properties, got 5"):
        model.trained_on.connect_all([(dataset, 5)])  # type: ignore[list-item]
    assert model.trained_on.all() == []


def test_connect_again_updates_given_properties_only(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset, {"split": "a"})
    edge = model.trained_on.connect(dataset, {"split": "a", "revision": "'`\n"})
    assert given_properties(edge) == {"split": "a", "revision": "'`\n"}
    edge = model.trained_on.connect(dataset, {"role": "training", "split": "a"})
    assert given_properties(edge) == {"role": "training", "split": "a", "revision": "'`\n"}
    assert given_properties(model.trained_on.relationship(dataset)) == given_properties(edge)
    assert len(TRAINED_ON.edges()) == 1


def test_connect_with_none_removes_edge_property(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "training", "split": "a", "revision": "1"})
    edge = model.trained_on.connect(dataset, {"role": None, "split": "a", "revision": None})
    assert given_properties(edge) == {"split": "a"}
    assert TRAINED_ON.edges()[0]["properties"] == {"split": "a"}


def test_edge_repr(model: Model, dataset: Dataset, other: Dataset) -> None:
    assert repr(model.trained_on.connect(dataset)) == "<TrainedOn>"
    assert repr(model.trained_on.connect(dataset, {"role": "test"})) == (
        "<TrainedOn {'role': 'test'}>"
    )


def test_edge_save_is_unsupported(model: Model, dataset: Dataset) -> None:
    edge = model.trained_on.connect(dataset, {"role": "test"})
    with pytest.raises(UnsupportedError, match="connect"):
        edge.save()


def test_edge_start_node_and_end_node(model: Model, dataset: Dataset) -> None:
    for edge in [
        model.trained_on.connect(dataset),
        dataset.trained_models.relationship(model),
    ]:
        assert edge is not None
        assert (edge.start_node(), edge.end_node()) == (model, dataset)
    with pytest.raises(UnsupportedError, match="get it from a relationship"):
        TrainedOn().start_node()


# disconnect, replace, reconnect


def test_disconnect_removes_one_edge(model: Model, dataset: Dataset, other: Dataset) -> None:
    model.trained_on.connect(dataset)
    model.trained_on.connect(other)
    model.trained_on.disconnect(dataset)
    assert model.trained_on.all() == [other]
    model.trained_on.disconnect(dataset)  # not connected: nothing happens
    assert model.trained_on.all() == [other]


def test_disconnect_all_removes_edges_of_one_type_at_one_node(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    second = Model(name="second").save()
    project = Project(name="p").save()
    project.models.connect(model)
    for trained in [model, second]:
        for data in [dataset, other]:
            trained.trained_on.connect(data)
    model.trained_on.disconnect_all()
    assert model.trained_on.all() == []
    assert set(second.trained_on.all()) == {dataset, other}
    assert model.projects.all() == [project]
    dataset.trained_models.disconnect_all()
    assert second.trained_on.all() == [other]


def test_replace(model: Model, dataset: Dataset, other: Dataset) -> None:
    third = Dataset(name="third").save()
    model.trained_on.connect(dataset, {"role": "test"})
    model.trained_on.connect(other, {"role": "test"})
    model.trained_on.replace(third, {"role": "validation"})
    assert model.trained_on.all() == [third]
    assert given_properties(model.trained_on.relationship(third)) == {"role": "validation"}
    model.trained_on.replace(third)
    assert given_properties(model.trained_on.relationship(third)) == {}


@pytest.mark.parametrize(
    ("properties", "error"), [({"role": "tst"}, PropertyError), ({}, NodeNotFoundError)]
)
def test_failed_replace_changes_nothing(
    model: Model,
    dataset: Dataset,
    other: Dataset,
    properties: dict[str, Any],
    error: type[Exception],
) -> None:
    model.trained_on.connect(dataset, {"role": "test"})
    delete_with_cypher(other)
    with pytest.raises(error):
        model.trained_on.replace(other, properties)
    assert given_properties(model.trained_on.relationship(dataset)) == {"role": "test"}


def test_reconnect_keeps_edge_properties(model: Model, dataset: Dataset, other: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "test", "split": "a"})
    model.trained_on.reconnect(dataset, other)
    assert model.trained_on.all() == [other]
    assert given_properties(model.trained_on.relationship(other)) == {"role": "test", "split": "a"}
    second = Model(name="second").save()
    other.trained_models.reconnect(model, second)
    assert other.trained_models.all() == [second]
    assert given_properties(second.trained_on.relationship(other)) == {"role": "test", "split": "a"}


def test_reconnect_to_the_same_node_changes_nothing(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "test"})
    model.trained_on.reconnect(dataset, dataset)
    assert TRAINED_ON.edges() == [{"source": "m", "target": "d", "properties": {"role": "test"}}]


def test_reconnect_of_missing_edge_raises_error(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    with pytest.raises(EdgeError, match=r"<Model m>.*not connected.*<Dataset d>") as caught:
        model.trained_on.reconnect(dataset, other)
    assert not isinstance(caught.value, TypeError)  # both nodes are of the right class
    assert model.trained_on.all() == []


def test_failed_reconnect_changes_nothing(model: Model, dataset: Dataset, other: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "test"})
    delete_with_cypher(other)
    with pytest.raises(NodeNotFoundError, match="'other'"):
        model.trained_on.reconnect(dataset, other)
    assert given_properties(model.trained_on.relationship(dataset)) == {"role": "test"}


def test_connect_is_rolled_back_with_outer_block(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    with pytest.raises(RuntimeError, match="stop"), atomic():  # noqa: PT012
        model.trained_on.connect(dataset)
        raise RuntimeError("stop")
    assert model.trained_on.all() == []
    delete_with_cypher(other)
    with atomic():
        model.trained_on.connect(dataset)
        with contextlib.suppress(NodeNotFoundError):  # raised before anything was written
            model.trained_on.connect(other)
    assert model.trained_on.all() == [dataset]


# Filters


@pytest.fixture
def trained(model: Model) -> Model:
    """A model trained on four datasets in different roles."""
    for name, size, role in [
        ("one", 1, "training"),
        ("two", 2, "test"),
        ("three", 3, "test"),
        ("four", 4, None),
    ]:
        dataset = Dataset(name=name, size=size).save()
        model.trained_on.connect(dataset, {"role": role, "split": name[0]})
    Dataset(name="untrained", size=5).save()
    return model


def test_filter_by_node_properties(trained: Model) -> None:
    datasets = trained.trained_on
    assert {node.name for node in datasets.filter(size__gt=2)} == {"three", "four"}
    assert [node.name for node in datasets.filter(size__gt=1, name="two")] == ["two"]
    assert {node.name for node in datasets.exclude(size__gt=2)} == {"one", "two"}
    assert datasets.filter(name="untrained").all() == []
    assert len(datasets.filter(size__gt=0)) == 4


def test_match_by_edge_properties(trained: Model) -> None:
    datasets = trained.trained_on
    assert {node.name for node in datasets.match(role="test")} == {"two", "three"}
    assert [node.name for node in datasets.match(role="test", split="two"[0]).filter(size=2)] == [
        "two"
    ]
    assert [node.name for node in datasets.match(role="test").filter(size__gt=2)] == ["three"]
    assert [node.name for node in datasets.match(role__isnull=True)] == ["four"]
    assert [node.name for node in datasets.match(role="test").order_by("-size")] == ["three", "two"]
    assert len(datasets.match(role="test")) == 2
    one = Dataset.nodes.get(name="one")
    assert one not in datasets.match(role="test")
    assert one in datasets.match(role="training")
    assert one.trained_models.match(role="training").all() == [trained]
    assert one.trained_models.match(role="test").all() == []


def test_order_by_and_slicing(trained: Model) -> None:
    datasets = trained.trained_on
    assert [node.size for node in datasets.order_by("size")] == [1, 2, 3, 4]
    assert [node.size for node in datasets.order_by("-size")] == [4, 3, 2, 1]
    assert [node.size for node in datasets.order_by("size")[1:3]] == [2, 3]
    assert [node.size for node in datasets.filter(size__lt=3).order_by("-size")] == [2, 1]


def test_length_iteration_and_membership(trained: Model) -> None:
    assert len(trained.trained_on) == 4
    assert bool(trained.trained_on)
    assert not trained.projects
    assert {node.size for node in trained.trained_on} == {1, 2, 3, 4}
    assert trained.projects.single() is None
    assert Dataset.nodes.get(name="untrained") not in trained.trained_on


def test_get(trained: Model) -> None:
    datasets = trained.trained_on
    assert datasets.get(name="two").size == 2
    assert datasets.get_or_none(name="untrained") is None
    with pytest.raises(Dataset.DoesNotExist):
        datasets.get(name="untrained")
    with pytest.raises(neomodel.MultipleNodesReturned):
        datasets.get(size__gt=1)


@pytest.mark.parametrize(
    ("method", "filters", "mentioned"),
    [
        ("filter", {"nme": "x"}, "nme"),
        ("filter", {"size": "1"}, "'1'"),
        ("get", {"nme": "x"}, "nme"),
        ("exclude", {"nme": "x"}, "nme"),
        ("match", {"rol": "test"}, "rol"),
        ("match", {"role": "tst"}, "did you mean 'test'"),
        ("match", {"split": 5}, "5"),
    ],
)
def test_filter_validates_names_and_values(
    model: Model, method: str, filters: dict[str, Any], mentioned: str
) -> None:
    with pytest.raises(ValueError, match=mentioned):
        getattr(model.trained_on, method)(**filters).all()


def test_node_set_filter_across_relationship(trained: Model) -> None:
    Model(name="untrained").save()
    assert Model.nodes.filter(trained_on__name="two").all() == [trained]
    assert Model.nodes.filter(trained_on__name="untrained").all() == []
    assert Model.nodes.filter(**{"trained_on|role": "training"}).all() == [trained]
    uids = {node.name for node in Dataset.nodes.filter(trained_models__exists=True)}
    assert uids == {"one", "two", "three", "four"}


@pytest.mark.parametrize("method", ["connect", "disconnect", "is_connected", "relationship"])
def test_value_that_is_not_a_node_is_rejected(model: Model, method: str) -> None:
    for wrong in ["iris", None, 5, Dataset, [], {"name": "iris"}]:
        with pytest.raises(EdgeTypeError, match=r"Model\.trained_on.*Dataset.*got") as caught:
            getattr(model.trained_on, method)(wrong)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, GenaiGraphError)


# Constraints


@pytest.mark.parametrize("cls", [Model, Dataset])
@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("attribute", ["parents", "children"])
def test_cycle_is_rejected(graph: Connection, cls: type[Any], length: int, attribute: str) -> None:
    nodes = [cls(name=f"n{number}").save() for number in range(length)]
    for child, parent in itertools.pairwise(nodes):
        child.parents.connect(parent)
    edges, node = (
        (nodes[-1].parents, nodes[0]) if attribute == "parents" else (nodes[0].children, nodes[-1])
    )
    with pytest.raises(EdgeError, match=r"DERIVED_FROM.*cycle") as caught:
        edges.connect(node, {"kind": "version"})
    assert all(repr(node.uid) in str(caught.value) for node in nodes)
    assert nodes[-1].parents.all() == []


def test_replace_and_reconnect_reject_cycle(graph: Connection) -> None:
    a, b, c, d = [Model(name=name).save() for name in "abcd"]
    a.parents.connect(b)
    b.parents.connect(c)
    c.parents.connect(d, {"kind": "adapted"})
    with pytest.raises(EdgeError, match="cycle"):
        c.parents.replace(a)
    with pytest.raises(EdgeError, match="cycle"):
        c.parents.reconnect(d, a)
    assert c.parents.all() == [d]
    assert given_properties(c.parents.relationship(d)) == {"kind": "adapted"}


def test_cycle_within_transaction_is_rejected(graph: Connection) -> None:
    a, b = [Dataset(name=name).save() for name in "ab"]
    with pytest.raises(EdgeError, match="cycle"), atomic():  # noqa: PT012
        a.parents.connect(b)
        b.parents.connect(a)
    assert a.parents.all() == []


def test_diamond_is_not_a_cycle(graph: Connection) -> None:
    a, b, c, d = [Model(name=name).save() for name in "abcd"]
    for child, parent in [(a, b), (a, c), (b, d), (c, d), (a, d), (a, b)]:
        child.parents.connect(parent)
    assert set(d.children.all()) == {a, b, c}
    a.parents.connect(b, {"kind": "fine-tuned"})
    assert given_properties(a.parents.relationship(b)) == {"kind": "fine-tuned"}


def test_existing_cycle_does_not_block_other_edges(graph: Connection) -> None:
    a, _, c = [Model(name=name).save() for name in "abc"]
    query(
        "MATCH (a:Model {uid: 'a'}) MATCH (b:Model {uid: 'b'}) "
        "CREATE (a)-[:DERIVED_FROM]->(b) CREATE (b)-[:DERIVED_FROM]->(a)",
        write=True,
    )
    c.parents.connect(a)
    assert c.parents.all() == [a]


@pytest.mark.parametrize("connect_from", ["metric", "experiment"])
def test_metric_belongs_to_one_experiment(graph: Connection, connect_from: str) -> None:
    first, second = Experiment(uid="first").save(), Experiment(uid="second").save()
    metric = first.record("accuracy", 0.5)
    edges, node = (
        (metric.experiment, second) if connect_from == "metric" else (second.metrics, metric)
    )
    with pytest.raises(
        EdgeError, match=r"Metric 'first/accuracy'.*one Experiment.*'first'"
    ) as caught:
        edges.connect(node)  # type: ignore[arg-type]
    assert "'second'" in str(caught.value)
    metric.experiment.connect(first)  # no change
    first.metrics.connect(metric)
    assert metric.experiment.all() == [first]
    assert second.metrics.all() == []


@pytest.mark.parametrize("connect_from", ["metric", "dataset"])
def test_metric_has_at_most_one_dataset(
    dataset: Dataset, other: Dataset, connect_from: str
) -> None:
    metric = Experiment(uid="e").save().record("accuracy", 0.5, dataset=dataset)
    edges, node = (metric.dataset, other) if connect_from == "metric" else (other.metrics, metric)
    with pytest.raises(EdgeError, match=r"Metric 'e/accuracy/d'.*one Dataset.*'d'") as caught:
        edges.connect(node)  # type: ignore[arg-type]
    assert "'other'" in str(caught.value)
    metric.dataset.connect(dataset)
    assert metric.dataset.all() == [dataset]


def test_dataset_of_metric_can_be_replaced(dataset: Dataset, other: Dataset) -> None:
    metric = Experiment(uid="e").save().record("accuracy", 0.5, dataset=dataset)
    assert metric.uid == "e/accuracy/d"
    metric.dataset.replace(other)
    assert (metric.dataset.single(), metric.uid) == (other, "e/accuracy/other")
    metric.dataset.reconnect(other, dataset)
    assert (metric.dataset.all(), metric.uid) == ([dataset], "e/accuracy/d")
    metric.refresh()
    for edges, node in ((metric.dataset, dataset), (dataset.metrics, metric)):
        with pytest.raises(EdgeError, match=r"'e/accuracy/d': its uid names the dataset: delete"):
            edges.disconnect(node)  # type: ignore[arg-type]
        with pytest.raises(EdgeError, match=r"names the dataset"):
            edges.disconnect_all()
    chosen = Metric(uid="chosen", name="accuracy", value=0.5).save()
    chosen.dataset.connect(dataset)
    chosen.dataset.disconnect(dataset)
    chosen.dataset.connect(other)
    assert chosen.dataset.all() == [other]


# Stale objects


@each_relationship
def test_stale_object_does_not_use_node_with_reused_element_id(
    embedded: Connection, relationship: Relationship
) -> None:
    where = f"MATCH (n:{relationship.target.__name__} {{uid: $uid}}) RETURN elementId(n) AS id"
    source, stale = relationship.ends()
    other = save_node(relationship.source, "other source")
    old_id = query(where, uid="target")
    delete_with_cypher(stale)
    successor = save_node(relationship.target, "successor")
    assert query(where, uid="successor") == old_id  # otherwise the test proves nothing
    getattr(successor, relationship.backward).connect(source)
    edges = getattr(stale, relationship.backward)
    assert (edges.all(), len(edges), edges.is_connected(source)) == ([], 0, False)
    assert getattr(source, relationship.forward).is_connected(stale) is False
    assert source not in edges
    with pytest.raises(NodeNotFoundError, match="'target'"):
        edges.connect(other)
    with pytest.raises(NodeNotFoundError, match="'target'"):
        getattr(other, relationship.forward).connect(stale)
    edges.disconnect_all()
    edges.disconnect(source)
    assert relationship.edges() == [{"source": "source", "target": "successor", "properties": {}}]


def test_relationships_of_deleted_object_raise_error(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset)
    model.delete()
    for action in [
        lambda: model.trained_on.connect(dataset),
        lambda: dataset.trained_models.connect(model),
        lambda: model.trained_on.disconnect_all(),
        lambda: model.trained_on.all(),
        lambda: model.trained_on.filter(name="d"),
    ]:
        with pytest.raises(NotSavedError, match=r"<Model m>.*deleted"):
            action()
    assert dataset.trained_models.all() == []


def test_earlier_copy_sees_new_edge(model: Model, dataset: Dataset) -> None:
    copy = Model.nodes.get(uid="m")
    model.trained_on.connect(dataset)
    assert copy.trained_on.all() == [dataset]
    copy.trained_on.connect(dataset, {"revision": "1"})
    assert len(TRAINED_ON.edges()) == 1


def test_renamed_node_keeps_its_edges(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset)
    dataset.rename("renamed", version="2")
    dataset.trained_models.connect(model, {"revision": "1"})
    (found,) = model.trained_on.all()
    assert (found.name, found.uid) == ("renamed", "renamed@2")
    assert len(TRAINED_ON.edges()) == 1
