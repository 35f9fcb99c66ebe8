"""Relationships: one edge between two nodes, the same from both ends, and only where allowed."""

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
    TransactionError,
    UnknownPropertyError,
    UnsupportedError,
)

DATA_ROLES = ["training", "validation", "test"]
# Two sets of properties for an edge: those of the first write, and what another one changes.
TRAINED_ON = ({"role": "test", "split": "all", "revision": "1"}, {"role": "training"})
RUN = ({"role": "input", "step": 3}, {"step": 4})


@dataclass(frozen=True)
class Kind:
    """One row of DESIGN's table of edges."""

    source: type[Any]
    edge: str
    target: type[Any]
    forward: str
    backward: str
    properties: tuple[dict[str, Any], dict[str, Any]] = field(default=({}, {}))

    def __str__(self) -> str:
        return f"{self.source.__name__}-{self.edge}-{self.target.__name__}"

    def ends(self) -> tuple[Any, Any]:
        """Make and save a node for each end."""
        return saved(self.source, "source"), saved(self.target, "target")

    def edges(self) -> list[dict[str, Any]]:
        """Return what is in the graph, asked by both labels and the direction."""
        return query(
            f"MATCH (a:{self.source.__name__})-[r:{self.edge}]->(b:{self.target.__name__}) "
            "RETURN a.uid AS source, b.uid AS target, r AS properties"
        )


KINDS = [
    Kind(Project, "HAS", Dataset, "datasets", "projects"),
    Kind(Project, "HAS", Model, "models", "projects"),
    Kind(Project, "HAS", Experiment, "experiments", "projects"),
    Kind(Model, "TRAINED_ON", Dataset, "trained_on", "trained_models", TRAINED_ON),
    Kind(Experiment, "RUN", Model, "models", "experiments", RUN),
    Kind(Experiment, "HAS", Metric, "metrics", "experiment"),
    Kind(
        Experiment, "USED", Dataset, "datasets", "experiments", ({"role": "test"}, {"role": None})
    ),
    Kind(Metric, "EVALUATED_ON", Dataset, "dataset", "metrics"),
    Kind(
        Model,
        "DERIVED_FROM",
        Model,
        "parents",
        "children",
        ({"kind": "adapted"}, {"kind": "quantized"}),
    ),
    Kind(
        Dataset,
        "DERIVED_FROM",
        Dataset,
        "parents",
        "children",
        ({"kind": "subset"}, {"kind": "translation"}),
    ),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


def saved(cls: type[Any], uid: str) -> Any:
    """Make and save a node of a class."""
    name = {} if cls is Experiment else {"name": uid}
    value = {"value": 1.0} if cls is Metric else {}
    return cls(uid=uid, **name, **value).save()


def given(edge: Any) -> dict[str, Any]:
    """Return the properties that an edge has."""
    return {name: value for name, value in edge.__properties__.items() if value is not None}


def delete_behind_its_back(node: Any) -> None:
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


# The table of edges


@each_kind
def test_an_edge_is_the_same_from_both_ends(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    there, back = getattr(source, kind.forward), getattr(target, kind.backward)
    assert (there.all(), back.all()) == ([], [])
    edge = there.connect(target, kind.properties[0])
    assert given(edge) == kind.properties[0]
    assert kind.edges() == [
        {"source": "source", "target": "target", "properties": kind.properties[0]}
    ]
    assert (there.all(), back.all()) == ([target], [source])
    assert type(there.single()) is kind.target
    assert type(back.single()) is kind.source
    assert (there.is_connected(target), back.is_connected(source)) == (True, True)
    assert target in there
    assert source in back
    for found in [there.relationship(target), back.relationship(source)]:
        assert given(found) == kind.properties[0]
    for list_of_one in [there.all_relationships(target), back.all_relationships(source)]:
        assert [given(found) for found in list_of_one] == [kind.properties[0]]
    back.disconnect(source)
    assert kind.edges() == []
    assert (there.all(), back.all()) == ([], [])
    assert (there.relationship(target), back.all_relationships(source)) == (None, [])
    assert not there.is_connected(target)


@each_kind
def test_an_edge_can_be_made_from_its_target(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    edge = getattr(target, kind.backward).connect(source, kind.properties[0])
    assert given(edge) == kind.properties[0]
    assert kind.edges() == [
        {"source": "source", "target": "target", "properties": kind.properties[0]}
    ]
    assert getattr(source, kind.forward).all() == [target]
    getattr(source, kind.forward).disconnect(target)
    assert kind.edges() == []


@each_kind
def test_connecting_twice_leaves_one_edge(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    first, second = kind.properties
    getattr(source, kind.forward).connect(target, first)
    getattr(source, kind.forward).connect(target)
    getattr(target, kind.backward).connect(source, first)
    getattr(target, kind.backward).connect(source, second)
    merged = {name: value for name, value in {**first, **second}.items() if value is not None}
    assert kind.edges() == [{"source": "source", "target": "target", "properties": merged}]
    assert len(getattr(source, kind.forward)) == 1
    assert len(getattr(target, kind.backward)) == 1


@each_kind
def test_deleting_either_end_takes_the_edge(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    getattr(source, kind.forward).connect(target)
    target.delete()
    assert kind.edges() == []
    assert getattr(source, kind.forward).all() == []
    assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 0}]


@each_kind
def test_an_end_is_a_node_of_the_class_in_the_table(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    stranger = saved(Experiment if kind.target is Project else Project, "stranger")
    with pytest.raises(EdgeTypeError) as caught:
        getattr(source, kind.forward).connect(stranger)
    message = str(caught.value)
    assert f"{kind.source.__name__}.{kind.forward}" in message
    assert kind.target.__name__ in message
    assert repr(stranger) in message
    if kind.source is not Project:
        with pytest.raises(
            EdgeTypeError, match=rf"{kind.target.__name__}\.{kind.backward}.*{kind.source.__name__}"
        ):
            getattr(target, kind.backward).connect(stranger)
    assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 0}]


@each_kind
def test_an_edge_refuses_a_property_that_it_has_not(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    with pytest.raises(UnknownPropertyError, match="colour"):
        getattr(source, kind.forward).connect(target, {"colour": "red"})
    assert kind.edges() == []


@each_kind
def test_both_ends_must_be_saved(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    loose = kind.target(
        **{name: getattr(target, name) for name in ["uid", "name"]},
        **({"value": 1.0} if kind.target is Metric else {}),
    )
    loose.uid = "loose"
    with pytest.raises(NotSavedError, match=r"loose.*save\(\)"):
        getattr(source, kind.forward).connect(loose)
    for act in ["connect", "disconnect", "is_connected", "relationship", "replace"]:
        with pytest.raises(NotSavedError, match=r"loose.*save\(\)"):
            getattr(getattr(loose, kind.backward), act)(source)
    for act in ["all", "single", "disconnect_all"]:
        with pytest.raises(NotSavedError, match=r"loose.*save\(\)"):
            getattr(getattr(loose, kind.backward), act)()
    assert kind.edges() == []


@each_kind
def test_an_end_that_was_deleted_meanwhile_is_an_error(graph: Connection, kind: Kind) -> None:
    source, target = kind.ends()
    delete_behind_its_back(target)
    with pytest.raises(NodeNotFoundError, match=rf"{kind.target.__name__}.*'target'"):
        getattr(source, kind.forward).connect(target, kind.properties[0])
    with pytest.raises(NodeNotFoundError, match=rf"{kind.target.__name__}.*'target'"):
        getattr(target, kind.backward).connect(source)
    assert getattr(source, kind.forward).is_connected(target) is False
    getattr(source, kind.forward).disconnect(target)
    assert kind.edges() == []
    assert getattr(target, kind.backward).all() == []


def test_the_four_kinds_of_has_are_kept_apart(graph: Connection) -> None:
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


def test_parents_and_children_are_kept_apart(graph: Connection) -> None:
    old, middle, new = [Model(name=name).save() for name in ["old", "middle", "new"]]
    middle.parents.connect(old, {"kind": "fine-tuned"})
    middle.children.connect(new, {"kind": "quantized"})
    assert (old.children.all(), new.parents.all()) == ([middle], [middle])
    assert given(new.parents.relationship(middle)) == {"kind": "quantized"}
    middle.parents.disconnect_all()
    assert (middle.parents.all(), middle.children.all()) == ([], [new])


# The properties of an edge


@pytest.mark.parametrize(
    ("kind", "name", "choices"),
    [
        (KINDS[3], "role", DATA_ROLES),
        (KINDS[4], "role", ["output", "input"]),
        (KINDS[6], "role", DATA_ROLES),
        (KINDS[8], "kind", ["fine-tuned", "adapted", "quantized", "version"]),
        (KINDS[9], "kind", ["version", "subset", "preprocessed", "translation"]),
    ],
    ids=str,
)
def test_a_property_of_an_edge_takes_its_choices_only(
    graph: Connection, kind: Kind, name: str, choices: list[str]
) -> None:
    source, target = kind.ends()
    edges = getattr(source, kind.forward)
    for choice in choices:
        edges.connect(target, {name: choice})
        assert given(edges.relationship(target)) == {name: choice}
    misspelt = choices[0][:-1]
    with pytest.raises(PropertyError) as caught:
        edges.connect(target, {name: misspelt})
    message = str(caught.value)
    assert name in message
    assert ", ".join(choices) in message
    assert repr(misspelt) in message
    assert f"did you mean {choices[0]!r}" in message
    assert given(edges.relationship(target)) == {name: choices[-1]}


def test_a_misspelt_property_of_an_edge_is_told_the_near_name(
    model: Model, dataset: Dataset
) -> None:
    with pytest.raises(UnknownPropertyError, match=r"rol.*did you mean 'role'"):
        model.trained_on.connect(dataset, {"rol": "test"})
    with pytest.raises(UnknownPropertyError, match="rol"):
        dataset.trained_models.connect(model, {"rol": None})


@pytest.mark.parametrize(
    ("kind", "properties", "problem"),
    [
        (KINDS[3], {"split": 3}, r"split: expected a string, got 3"),
        (KINDS[3], {"revision": 1.0}, r"revision: expected a string, got 1\.0"),
        (KINDS[3], {"role": True}, r"role: expected a string, got True"),
        (KINDS[4], {"step": "3"}, r"step: expected an integer, got '3'"),
        (KINDS[4], {"step": True}, r"step: expected an integer, got True"),
        (KINDS[4], {"step": 2**63}, r"step: expected an integer of at most"),
    ],
    ids=str,
)
def test_a_property_of_an_edge_is_not_cast(
    graph: Connection, kind: Kind, properties: dict[str, Any], problem: str
) -> None:
    source, target = kind.ends()
    with pytest.raises(PropertyError, match=problem):
        getattr(source, kind.forward).connect(target, properties)
    assert kind.edges() == []


def test_properties_of_an_edge_that_are_no_dict_are_refused(model: Model, dataset: Dataset) -> None:
    with pytest.raises(GenaiGraphError):
        model.trained_on.connect(dataset, "validation")  # type: ignore[arg-type]
    assert model.trained_on.all() == []


def test_the_properties_given_last_hold_and_the_others_stay(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "test", "split": "a"})
    edge = model.trained_on.connect(dataset, {"split": "b", "revision": "'`\n"})
    assert given(edge) == {"role": "test", "split": "b", "revision": "'`\n"}
    assert given(model.trained_on.relationship(dataset)) == given(edge)


def test_none_removes_a_property_of_an_edge(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "test", "split": "a"})
    edge = model.trained_on.connect(dataset, {"role": None, "revision": None})
    assert given(edge) == {"split": "a"}
    assert KINDS[3].edges()[0]["properties"] == {"split": "a"}


def test_an_edge_shows_what_it_is(model: Model, dataset: Dataset, other: Dataset) -> None:
    assert repr(model.trained_on.connect(dataset)) == "<TrainedOn>"
    assert repr(model.trained_on.connect(dataset, {"role": "test"})) == (
        "<TrainedOn {'role': 'test'}>"
    )


def test_an_edge_is_not_saved_by_itself(model: Model, dataset: Dataset) -> None:
    edge = model.trained_on.connect(dataset, {"role": "test"})
    with pytest.raises(UnsupportedError, match="connect"):
        edge.save()


def test_an_edge_gives_its_ends_or_says_that_it_does_not(model: Model, dataset: Dataset) -> None:
    for edge in [
        model.trained_on.connect(dataset),
        dataset.trained_models.relationship(model),
    ]:
        assert edge is not None
        with contextlib.suppress(UnsupportedError):
            assert (edge.start_node(), edge.end_node()) == (model, dataset)


# disconnect, replace, reconnect


def test_disconnect_takes_one_edge_and_leaves_the_others(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    model.trained_on.connect(dataset)
    model.trained_on.connect(other)
    model.trained_on.disconnect(dataset)
    assert model.trained_on.all() == [other]
    model.trained_on.disconnect(dataset)  # there is none: nothing happens
    assert model.trained_on.all() == [other]


def test_disconnect_all_takes_the_edges_of_one_kind_at_one_node(
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


def test_replace_leaves_one_node(model: Model, dataset: Dataset, other: Dataset) -> None:
    third = Dataset(name="third").save()
    model.trained_on.connect(dataset, {"role": "test"})
    model.trained_on.connect(other, {"role": "test"})
    model.trained_on.replace(third, {"role": "validation"})
    assert model.trained_on.all() == [third]
    assert given(model.trained_on.relationship(third)) == {"role": "validation"}
    model.trained_on.replace(third)
    assert given(model.trained_on.relationship(third)) == {}


@pytest.mark.parametrize(
    ("properties", "error"), [({"role": "tst"}, PropertyError), ({}, NodeNotFoundError)]
)
def test_a_replace_that_fails_changes_nothing(
    model: Model,
    dataset: Dataset,
    other: Dataset,
    properties: dict[str, Any],
    error: type[Exception],
) -> None:
    model.trained_on.connect(dataset, {"role": "test"})
    delete_behind_its_back(other)
    with pytest.raises(error):
        model.trained_on.replace(other, properties)
    assert given(model.trained_on.relationship(dataset)) == {"role": "test"}


def test_reconnect_moves_an_edge_with_its_properties(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    model.trained_on.connect(dataset, {"role": "test", "split": "a"})
    model.trained_on.reconnect(dataset, other)
    assert model.trained_on.all() == [other]
    assert given(model.trained_on.relationship(other)) == {"role": "test", "split": "a"}
    second = Model(name="second").save()
    other.trained_models.reconnect(model, second)
    assert other.trained_models.all() == [second]
    assert given(second.trained_on.relationship(other)) == {"role": "test", "split": "a"}


def test_reconnect_to_the_same_node_changes_nothing(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset, {"role": "test"})
    model.trained_on.reconnect(dataset, dataset)
    assert KINDS[3].edges() == [{"source": "m", "target": "d", "properties": {"role": "test"}}]


def test_reconnect_of_an_edge_that_is_not_there_says_so(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    with pytest.raises(EdgeError, match=r"<Model m>.*not connected.*<Dataset d>") as caught:
        model.trained_on.reconnect(dataset, other)
    assert not isinstance(caught.value, TypeError)  # both nodes are of the right class
    assert model.trained_on.all() == []


def test_a_reconnect_that_fails_changes_nothing(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    model.trained_on.connect(dataset, {"role": "test"})
    delete_behind_its_back(other)
    with pytest.raises(NodeNotFoundError, match="'other'"):
        model.trained_on.reconnect(dataset, other)
    assert given(model.trained_on.relationship(dataset)) == {"role": "test"}


def test_connections_of_an_outer_block_that_fails_are_not_kept(
    model: Model, dataset: Dataset, other: Dataset
) -> None:
    with pytest.raises(RuntimeError, match="stop"), atomic():  # noqa: PT012
        model.trained_on.connect(dataset)
        raise RuntimeError("stop")
    assert model.trained_on.all() == []
    delete_behind_its_back(other)
    with pytest.raises(TransactionError), atomic():  # noqa: PT012
        model.trained_on.connect(dataset)
        with contextlib.suppress(NodeNotFoundError):
            model.trained_on.connect(other)
    assert model.trained_on.all() == []


# Asking for the nodes at the other ends


@pytest.fixture
def trained(model: Model) -> Model:
    """A model that was trained on four datasets in different roles."""
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


def test_neighbours_are_filtered_by_their_own_properties(trained: Model) -> None:
    datasets = trained.trained_on
    assert {node.name for node in datasets.filter(size__gt=2)} == {"three", "four"}
    assert [node.name for node in datasets.filter(size__gt=1, name="two")] == ["two"]
    assert {node.name for node in datasets.exclude(size__gt=2)} == {"one", "two"}
    assert datasets.filter(name="untrained").all() == []
    assert len(datasets.filter(size__gt=0)) == 4


def test_neighbours_are_matched_by_the_properties_of_their_edges(trained: Model) -> None:
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


def test_neighbours_are_ordered_and_cut(trained: Model) -> None:
    datasets = trained.trained_on
    assert [node.size for node in datasets.order_by("size")] == [1, 2, 3, 4]
    assert [node.size for node in datasets.order_by("-size")] == [4, 3, 2, 1]
    assert [node.size for node in datasets.order_by("size")[1:3]] == [2, 3]
    assert [node.size for node in datasets.filter(size__lt=3).order_by("-size")] == [2, 1]


def test_neighbours_can_be_counted_and_walked(trained: Model) -> None:
    assert len(trained.trained_on) == 4
    assert bool(trained.trained_on)
    assert not trained.projects
    assert {node.size for node in trained.trained_on} == {1, 2, 3, 4}
    assert trained.projects.single() is None
    assert Dataset.nodes.get(name="untrained") not in trained.trained_on


def test_one_neighbour_is_got_or_the_errors_that_neomodel_s_users_know(trained: Model) -> None:
    datasets = trained.trained_on
    assert datasets.get(name="two").size == 2
    assert datasets.get_or_none(name="untrained") is None
    with pytest.raises(Dataset.DoesNotExist):
        datasets.get(name="untrained")
    with pytest.raises(neomodel.MultipleNodesReturned):
        datasets.get(size__gt=1)


@pytest.mark.parametrize(
    ("way", "filters", "named"),
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
def test_a_filter_of_neighbours_is_as_strict_as_a_node(
    model: Model, way: str, filters: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        getattr(model.trained_on, way)(**filters).all()


def test_nodes_are_filtered_across_an_edge(trained: Model) -> None:
    Model(name="untrained").save()
    assert [row[0] for row in Model.nodes.filter(trained_on__name="two").all()] == [trained]
    assert Model.nodes.filter(trained_on__name="untrained").all() == []
    rows = Model.nodes.filter(**{"trained_on|role": "training"}).all()
    assert [row[0] for row in rows] == [trained]
    uids = {node.name for node in Dataset.nodes.filter(trained_models__exists=True)}
    assert uids == {"one", "two", "three", "four"}


@pytest.mark.parametrize("way", ["connect", "disconnect", "is_connected", "relationship"])
def test_what_is_no_node_is_refused(model: Model, way: str) -> None:
    for wrong in ["iris", None, 5, Dataset, [], {"name": "iris"}]:
        with pytest.raises(EdgeTypeError, match=r"Model\.trained_on.*Dataset.*got") as caught:
            getattr(model.trained_on, way)(wrong)
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, GenaiGraphError)


# What the graph does not allow


@pytest.mark.parametrize("cls", [Model, Dataset])
@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("way", ["parents", "children"])
def test_nothing_is_derived_from_itself_by_any_way(
    graph: Connection, cls: type[Any], length: int, way: str
) -> None:
    nodes = [cls(name=f"n{number}").save() for number in range(length)]
    for child, parent in itertools.pairwise(nodes):
        child.parents.connect(parent)
    edges, node = (
        (nodes[-1].parents, nodes[0]) if way == "parents" else (nodes[0].children, nodes[-1])
    )
    with pytest.raises(EdgeError, match=r"DERIVED_FROM.*cycle") as caught:
        edges.connect(node, {"kind": "version"})
    assert all(repr(node.uid) in str(caught.value) for node in nodes)
    assert nodes[-1].parents.all() == []


def test_a_cycle_by_replace_or_reconnect_changes_nothing(graph: Connection) -> None:
    a, b, c, d = [Model(name=name).save() for name in "abcd"]
    a.parents.connect(b)
    b.parents.connect(c)
    c.parents.connect(d, {"kind": "adapted"})
    with pytest.raises(EdgeError, match="cycle"):
        c.parents.replace(a)
    with pytest.raises(EdgeError, match="cycle"):
        c.parents.reconnect(d, a)
    assert c.parents.all() == [d]
    assert given(c.parents.relationship(d)) == {"kind": "adapted"}


def test_a_cycle_within_one_transaction_is_refused(graph: Connection) -> None:
    a, b = [Dataset(name=name).save() for name in "ab"]
    with pytest.raises(EdgeError, match="cycle"), atomic():  # noqa: PT012
        a.parents.connect(b)
        b.parents.connect(a)
    assert a.parents.all() == []


def test_many_ways_to_the_same_ancestor_are_no_cycle(graph: Connection) -> None:
    a, b, c, d = [Model(name=name).save() for name in "abcd"]
    for child, parent in [(a, b), (a, c), (b, d), (c, d), (a, d), (a, b)]:
        child.parents.connect(parent)
    assert set(d.children.all()) == {a, b, c}
    a.parents.connect(b, {"kind": "fine-tuned"})
    assert given(a.parents.relationship(b)) == {"kind": "fine-tuned"}


def test_a_cycle_that_others_made_does_not_stop_other_edges(graph: Connection) -> None:
    a, _, c = [Model(name=name).save() for name in "abc"]
    query(
        "MATCH (a:Model {uid: 'a'}) MATCH (b:Model {uid: 'b'}) "
        "CREATE (a)-[:DERIVED_FROM]->(b) CREATE (b)-[:DERIVED_FROM]->(a)",
        write=True,
    )
    c.parents.connect(a)
    assert c.parents.all() == [a]


@pytest.mark.parametrize("way", ["metric", "experiment"])
def test_a_metric_belongs_to_one_experiment(graph: Connection, way: str) -> None:
    first, second = Experiment(uid="first").save(), Experiment(uid="second").save()
    metric = first.record("accuracy", 0.5)
    edges, node = (metric.experiment, second) if way == "metric" else (second.metrics, metric)
    with pytest.raises(
        EdgeError, match=r"Metric 'first/accuracy'.*one Experiment.*'first'"
    ) as caught:
        edges.connect(node)  # type: ignore[arg-type]
    assert "'second'" in str(caught.value)
    metric.experiment.connect(first)  # it does already
    first.metrics.connect(metric)
    assert metric.experiment.all() == [first]
    assert second.metrics.all() == []


@pytest.mark.parametrize("way", ["metric", "dataset"])
def test_a_metric_is_evaluated_on_one_dataset_at_most(
    dataset: Dataset, other: Dataset, way: str
) -> None:
    metric = Experiment(uid="e").save().record("accuracy", 0.5, dataset=dataset)
    edges, node = (metric.dataset, other) if way == "metric" else (other.metrics, metric)
    with pytest.raises(EdgeError, match=r"Metric 'e/accuracy/d'.*one Dataset.*'d'") as caught:
        edges.connect(node)  # type: ignore[arg-type]
    assert "'other'" in str(caught.value)
    metric.dataset.connect(dataset)
    assert metric.dataset.all() == [dataset]


def test_the_one_node_of_a_metric_can_be_replaced(dataset: Dataset, other: Dataset) -> None:
    metric = Experiment(uid="e").save().record("accuracy", 0.5, dataset=dataset)
    metric.dataset.replace(other)
    assert metric.dataset.single() == other
    metric.dataset.reconnect(other, dataset)
    assert metric.dataset.all() == [dataset]
    metric.dataset.disconnect(dataset)
    metric.dataset.connect(other)
    assert metric.dataset.all() == [other]


# Stale objects


@each_kind
def test_a_stale_node_never_reaches_the_one_that_got_its_element_id(
    embedded: Connection, kind: Kind
) -> None:
    where = f"MATCH (n:{kind.target.__name__} {{uid: $uid}}) RETURN elementId(n) AS id"
    source, stale = kind.ends()
    other = saved(kind.source, "other source")
    old_id = query(where, uid="target")
    delete_behind_its_back(stale)
    successor = saved(kind.target, "successor")
    assert query(where, uid="successor") == old_id  # or there is nothing to test
    getattr(successor, kind.backward).connect(source)
    edges = getattr(stale, kind.backward)
    assert (edges.all(), len(edges), edges.is_connected(source)) == ([], 0, False)
    assert getattr(source, kind.forward).is_connected(stale) is False
    assert source not in edges
    with pytest.raises(NodeNotFoundError, match="'target'"):
        edges.connect(other)
    with pytest.raises(NodeNotFoundError, match="'target'"):
        getattr(other, kind.forward).connect(stale)
    edges.disconnect_all()
    edges.disconnect(source)
    assert kind.edges() == [{"source": "source", "target": "successor", "properties": {}}]


def test_a_node_that_was_deleted_says_so_at_its_edges(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset)
    model.delete()
    for act in [
        lambda: model.trained_on.connect(dataset),
        lambda: dataset.trained_models.connect(model),
        lambda: model.trained_on.disconnect_all(),
        lambda: model.trained_on.all(),
        lambda: model.trained_on.filter(name="d"),
    ]:
        with pytest.raises(NotSavedError, match=r"<Model m>.*deleted"):
            act()
    assert dataset.trained_models.all() == []


def test_a_copy_read_before_the_edge_was_made_sees_it(model: Model, dataset: Dataset) -> None:
    copy = Model.nodes.get(uid="m")
    model.trained_on.connect(dataset)
    assert copy.trained_on.all() == [dataset]
    copy.trained_on.connect(dataset, {"role": "test"})
    assert len(KINDS[3].edges()) == 1


def test_a_renamed_node_is_still_the_end_of_its_edges(model: Model, dataset: Dataset) -> None:
    model.trained_on.connect(dataset)
    dataset.name, dataset.version = "renamed", "2"
    dataset.save()
    dataset.trained_models.connect(model, {"role": "test"})
    (found,) = model.trained_on.all()
    assert (found.name, found.uid) == ("renamed", "d")
    assert len(KINDS[3].edges()) == 1


def test_a_wrong_type_is_told_before_anything_is_asked(model: Model, dataset: Dataset) -> None:
    with pytest.raises(PropertyTypeError, match=r"TrainedOn\.split: expected a string, got 1"):
        model.trained_on.connect(dataset, {"role": "test", "split": 1})
    assert model.trained_on.all() == []
