"""Shared graphs: what others put into ours stays readable, and is left alone."""

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
from genai_graph.errors import UnsupportedError

pytestmark = pytest.mark.usefixtures("graph")


@pytest.fixture
def shared() -> Model:
    """A model that others use too: a further label, a property of theirs."""
    dataset = Dataset(name="d").save()
    model = Model(name="m", framework="torch").save()
    model.trained_on.connect(dataset, {"role": "test"})
    Project(name="p").save().models.connect(model)
    query("MATCH (n:Model {uid: 'm'}) SET n:TheirLabel, n.theirs = 1", write=True)
    return model


def test_a_node_with_a_further_label_is_read_as_ours(shared: Model) -> None:
    for found in (
        Model.nodes.get(uid="m"),
        Model.nodes.filter(framework="torch").all()[0],
        Project.nodes.get(uid="p").models.single(),
        Dataset.nodes.get(uid="d").trained_models.all()[0],
        Model.upsert(uid="m", task="x"),
    ):
        assert type(found) is Model
        assert (found.uid, found.framework) == ("m", "torch")


def test_writing_to_it_leaves_what_is_theirs(shared: Model) -> None:
    model = Model.nodes.get(uid="m")
    model.task = "classification"
    model.save()
    Model.upsert(uid="m", license="MIT")
    Path("m.yaml").write_text("format: genai_graph/1\nModel: {m: {status: READY}}\n")
    load("m.yaml")
    found = query(
        "MATCH (n:TheirLabel) RETURN labels(n) AS labels, n.theirs AS theirs, n.task AS task"
    )
    assert [sorted(row.pop("labels")) for row in found] == [["Model", "TheirLabel"]]
    assert found == [{"theirs": 1, "task": "classification"}]


def test_a_node_of_two_of_our_labels_is_told_in_our_words(cli: Run) -> None:
    query("CREATE (:Model:Dataset {uid: 'both', name: 'both'})", write=True)
    for read in (Dataset.nodes.all, Model.nodes._repr_html_, lambda: Model.nodes.get(uid="both")):
        with pytest.raises(UnsupportedError, match=r"both Dataset and Model, .* verify"):
            read()
    assert "'both' is a Model too" in cli("verify").stdout
    query("MATCH (n:Dataset {uid: 'both'}) REMOVE n:Dataset", write=True)
    assert Model.nodes.get(uid="both").name == "both"


def test_a_class_of_theirs_still_reads_its_own_nodes() -> None:
    from neomodel import StringProperty, StructuredNode

    class TheirPerson(StructuredNode):  # type: ignore[misc]
        name = StringProperty()

    query("CREATE (:TheirPerson {name: 'x'})", write=True)
    assert [type(each) for each in TheirPerson.nodes.all()] == [TheirPerson]


@pytest.mark.parametrize("kind", ["jsonl", "yaml", "csv", "cypher"])
def test_a_dump_has_what_is_ours_and_loads_again(
    shared: Model, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    query(
        "MATCH (n:Model {uid: 'm'}) CREATE (n)<-[:LIKES {much: 1}]-(:Person {name: 'x'})",
        write=True,
    )
    query("MATCH (n:Dataset) MATCH (m:Model) CREATE (n)-[:LIKES]->(m)", write=True)
    query("CREATE (:Model {car: 'a strange one'})", write=True)
    assert dump(f"out.{kind}", format=kind) == (3, 2)
    assert "Model has no property 'theirs': it is left out" in caplog.text
    files = Path("out.csv").iterdir() if kind == "csv" else [Path(f"out.{kind}")]
    text = "".join(path.read_text() for path in files)
    assert "theirs" not in text
    assert "LIKES" not in text
    assert "strange" not in text
    if kind != "cypher":
        assert sum(tally.unchanged for tally in load(f"out.{kind}").nodes.values()) == 3


THEIRS = {
    "a further label": "MATCH (n:Model {uid: 'm'}) SET n:TheirLabel",
    "a property of theirs": "MATCH (n:Model {uid: 'm'}) SET n.theirs = 1",
    "an edge of theirs between ours": "MATCH (a:Model) MATCH (b:Dataset) CREATE (b)-[:LIKES]->(a)",
    "an edge of theirs": "MATCH (n:Model) CREATE (n)-[:LIKES]->(:Person {name: 'x'})",
    "an edge of our type from theirs": "MATCH (n:Model) CREATE (n)<-[:HAS]-(:Person {name: 'x'})",
    "no uid": "CREATE (:Model {car: 'a strange one'})",
    "a number for a uid": "CREATE (:Model {uid: 7})",
}


@pytest.mark.parametrize("statement", THEIRS.values(), ids=THEIRS)
def test_clear_leaves_what_others_use_and_says_so(cli: Run, statement: str) -> None:
    model, dataset = Model(name="m").save(), Dataset(name="d").save()
    model.trained_on.connect(dataset)
    Experiment(uid="x").save().record("accuracy", 1.0)
    query(statement, write=True)
    done = cli("clear", "--yes")
    assert done.exit_code == 0
    assert "others gave them labels, properties or edges" in done.stderr
    assert "left " in done.stderr
    assert "1 Model" in done.stderr.split("left ")[1]
    assert query("MATCH (n:Experiment) RETURN count(n) AS count") == [{"count": 0}]
    assert query("MATCH ()-[r:LIKES]->() RETURN count(r) AS count")[0]["count"] == statement.count(
        "LIKES"
    )
    again = cli("clear", "--yes")
    assert again.stderr.startswith("there is nothing to delete\nleft ")


def test_clear_keeps_an_index_of_others(embedded: Connection) -> None:
    query("CREATE INDEX theirs FOR (n:Model) ON (n.car)", write=True)
    try:
        Model(name="m").save()
        assert clear() == {"Model": 1}
        assert [index.name for index in schema.check().extra] == ["theirs"]
    finally:
        query("DROP INDEX theirs", write=True)


def test_clear_takes_all_in_a_graph_that_has_others_elsewhere() -> None:
    query("CREATE (:Person {name: 'x'})-[:LIKES]->(:Person {name: 'y'})", write=True)
    Model(name="m").save().trained_on.connect(Dataset(name="d").save())
    assert clear() == {"Dataset": 1, "Model": 1}
    assert query("MATCH (n:Person)-[r:LIKES]->() RETURN count(r) AS count") == [{"count": 1}]
