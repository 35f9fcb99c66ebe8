"""Graphs shared with other applications: their data is kept, and does not get in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    Model,
    Project,
    clear,
    dump,
    load,
    query,
    schema,
)
from genai_graph.errors import OutputError, UnsupportedError

pytestmark = pytest.mark.usefixtures("graph")


@pytest.fixture
def shared_model() -> Model:
    """A model with another label and an undeclared property."""
    dataset = Dataset(name="d").save()
    model = Model(name="m", framework="torch").save()
    model.trained_on.connect(dataset, {"role": "test"})
    Project(name="p").save().models.connect(model)
    query("MATCH (n:Model {uid: 'm'}) SET n:OtherLabel, n.other_property = 1", write=True)
    return model


def test_node_with_another_label_is_read_as_a_model(shared_model: Model) -> None:
    for found in (
        Model.nodes.get(uid="m"),
        Model.nodes.filter(framework="torch").all()[0],
        Project.nodes.get(uid="p").models.single(),
        Dataset.nodes.get(uid="d").trained_models.all()[0],
        Model.upsert(uid="m", task="x"),
    ):
        assert type(found) is Model
        assert (found.uid, found.framework) == ("m", "torch")


def test_writes_keep_other_labels_and_properties(shared_model: Model) -> None:
    model = Model.nodes.get(uid="m")
    model.task = "classification"
    model.save()
    Model.upsert(uid="m", license="MIT")
    Path("m.yaml").write_text("format: genai_graph/1\nModel: {m: {status: READY}}\n")
    load("m.yaml")
    found = query(
        "MATCH (n:OtherLabel) "
        "RETURN labels(n) AS labels, n.other_property AS other_property, n.task AS task"
    )
    assert [sorted(row.pop("labels")) for row in found] == [["Model", "OtherLabel"]]
    assert found == [{"other_property": 1, "task": "classification"}]


def test_node_with_two_declared_labels_is_an_error(cli: Run) -> None:
    query("CREATE (:Model:Dataset {uid: 'both', name: 'both'})", write=True)
    for read in (Dataset.nodes.all, Model.nodes._repr_html_, lambda: Model.nodes.get(uid="both")):
        with pytest.raises(UnsupportedError, match=r"labels Dataset and Model, .* verify"):
            read()
    assert "'both' is also a Model" in cli("verify").stdout
    query("MATCH (n:Dataset {uid: 'both'}) REMOVE n:Dataset", write=True)
    assert Model.nodes.get(uid="both").name == "both"


def test_neomodel_classes_of_other_applications_still_work() -> None:
    from neomodel import StringProperty, StructuredNode

    class OtherPerson(StructuredNode):  # type: ignore[misc]
        name = StringProperty()

    query("CREATE (:OtherPerson {name: 'x'})", write=True)
    assert [type(each) for each in OtherPerson.nodes.all()] == [OtherPerson]


@pytest.mark.parametrize("format", ["jsonl", "yaml", "csv", "cypher"])
def test_dump_skips_data_of_other_applications_and_loads_again(
    shared_model: Model, format: str, caplog: pytest.LogCaptureFixture
) -> None:
    query(
        "MATCH (n:Model {uid: 'm'}) CREATE (n)<-[:LIKES {much: 1}]-(:Person {name: 'x'})",
        write=True,
    )
    query("MATCH (n:Dataset) MATCH (m:Model) CREATE (n)-[:LIKES]->(m)", write=True)
    query("CREATE (:Model {car: 'a strange one'})", write=True)
    with pytest.raises(OutputError, match="would lack edges LIKES, which no loaded class declares"):
        dump(f"out.{format}", format=format)
    assert dump(f"out.{format}", format=format, declared_only=True) == (3, 2)
    assert "skipped the property 'other_property', which Model does not declare" in caplog.text
    files = Path("out.csv").iterdir() if format == "csv" else [Path(f"out.{format}")]
    text = "".join(path.read_text() for path in files)
    assert "other_property" not in text
    assert "LIKES" not in text
    assert "strange" not in text
    if format != "cypher":
        assert sum(counts.unchanged for counts in load(f"out.{format}").nodes.values()) == 3


OTHER_APPLICATION = {
    "another label": "MATCH (n:Model {uid: 'm'}) SET n:OtherLabel",
    "undeclared property": "MATCH (n:Model {uid: 'm'}) SET n.other_property = 1",
    "edge of another type between models": (
        "MATCH (a:Model) MATCH (b:Dataset) CREATE (b)-[:LIKES]->(a)"
    ),
    "edge of another type": "MATCH (n:Model) CREATE (n)-[:LIKES]->(:Person {name: 'x'})",
    "declared edge type from another label": (
        "MATCH (n:Model) CREATE (n)<-[:HAS]-(:Person {name: 'x'})"
    ),
    "no uid": "CREATE (:Model {car: 'a strange one'})",
    "integer uid": "CREATE (:Model {uid: 7})",
}


@pytest.mark.parametrize("statement", OTHER_APPLICATION.values(), ids=OTHER_APPLICATION)
def test_clear_keeps_nodes_used_by_other_applications(cli: Run, statement: str) -> None:
    model, dataset = Model(name="m").save(), Dataset(name="d").save()
    model.trained_on.connect(dataset)
    Experiment(uid="x").save().record("accuracy", 1.0)
    query(statement, write=True)
    done = cli("clear", "--yes")
    assert done.exit_code == 0
    assert "used by another application, or without a uid" in done.stderr
    assert "1 Model" in done.stderr.split("kept ")[1]
    assert query("MATCH (n:Experiment) RETURN count(n) AS count") == [{"count": 0}]
    assert query("MATCH ()-[r:LIKES]->() RETURN count(r) AS count")[0]["count"] == statement.count(
        "LIKES"
    )
    again = cli("clear", "--yes")
    assert again.stderr.startswith("nothing to delete\nkept ")


def test_clear_keeps_an_undeclared_index(embedded: Connection) -> None:
    query("CREATE INDEX other_index FOR (n:Model) ON (n.car)", write=True)
    try:
        Model(name="m").save()
        assert clear() == {"Model": 1}
        assert [index.name for index in schema.check().extra] == ["other_index"]
    finally:
        query("DROP INDEX other_index", write=True)


def test_clear_with_nodes_of_other_applications_elsewhere() -> None:
    query("CREATE (:Person {name: 'x'})-[:LIKES]->(:Person {name: 'y'})", write=True)
    Model(name="m").save().trained_on.connect(Dataset(name="d").save())
    assert clear() == {"Dataset": 1, "Model": 1}
    assert query("MATCH (n:Person)-[r:LIKES]->() RETURN count(r) AS count") == [{"count": 1}]
