"""Programs written for neomodel: its errors, its schema commands, its driver, its own classes."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import neo4j
import neomodel
import pytest
from neomodel import db
from test_transactions import create_thing, is_write_lock_free, names

from genai_graph import Connection, Dataset, GenaiGraphError, Model, atomic, connect, query, schema
from genai_graph.database import sandbox
from genai_graph.errors import NodeExistsError, QueryError, TransactionError, UnsupportedError
from genai_graph.models import DatasetDerivedFrom, ModelDerivedFrom


class Person(neomodel.StructuredNode):
    """A class of a user, beside those of the package."""

    email = neomodel.StringProperty(unique_index=True)
    name = neomodel.StringProperty(index=True)
    friends = neomodel.RelationshipTo("Person", "FRIEND")


@pytest.fixture
def person(graph: Connection) -> Any:
    db.install_labels(Person, quiet=True)
    yield Person
    for statement in (
        "DROP CONSTRAINT constraint_unique_Person_email IF EXISTS",
        "DROP INDEX index_Person_name IF EXISTS",
    ):
        query(statement, write=True)


def test_unique_property(person: Any) -> None:
    person(email="a@b").save()
    for write in (
        person(email="a@b").save,
        lambda: db.cypher_query("CREATE (:Person {email: 'a@b'})"),
    ):
        with pytest.raises(neomodel.UniqueProperty) as raised:
            write()
        assert isinstance(raised.value, NodeExistsError)
        assert raised.value.message
    assert len(person.nodes) == 1


def test_labels_can_be_installed_again(person: Any) -> None:
    for _ in range(2):
        db.install_labels(person, quiet=False, stdout=io.StringIO())


def test_all_labels_can_be_installed_again(own_home: Path) -> None:
    with connect():
        Dataset(name="d").save()
        for _ in range(2):
            db.install_all_labels(stdout=io.StringIO())
        assert not schema.check().missing


def test_errors_have_the_code_of_the_database(graph: Connection) -> None:
    for read in (lambda: db.cypher_query("RETURN nonsense"), lambda: query("RETURN nonsense")):
        with pytest.raises(QueryError) as raised:
            read()
        error: Any = raised.value
        assert isinstance(error, neo4j.exceptions.ClientError)
        assert error.code.startswith("Neo.ClientError.Statement.")
        assert "nonsense" in error.message


def test_call_in_transactions(graph: Connection) -> None:
    batches = "UNWIND range(1, 10) AS i CALL (i) { CREATE (:Thing {name: toString(i)}) } "
    batches += "IN TRANSACTIONS OF 2 ROWS"
    if graph.engine == "embedded":
        pytest.skip("the embedded engine has no CALL {} IN TRANSACTIONS")
    query(batches, write=True)
    db.cypher_query(batches)
    with db.driver.session() as session:
        assert session.run(batches).consume().counters.nodes_created == 10
    assert len(names()) == 30
    for block in (atomic, sandbox):
        with block(), pytest.raises(TransactionError):
            query(batches, write=True)
    assert len(names()) == 30


def test_clear_neo4j_database(graph: Connection) -> None:
    create_thing()
    db.clear_neo4j_database()
    assert names() == []
    assert is_write_lock_free()


def test_results_have_the_methods_of_the_driver(graph: Connection) -> None:
    rows = "UNWIND [1, 2] AS x RETURN x, x * 2 AS y"
    session: Any
    with db.driver.session() as session, db.driver.session() as other:
        for run in (session.run, other.begin_transaction().run):
            assert run("RETURN 1 AS x").single()["x"] == 1
            assert run("RETURN 1 AS x").single(strict=True).data() == {"x": 1}
            assert run(rows).data() == [{"x": 1, "y": 2}, {"x": 2, "y": 4}]
            assert run(rows).values("y") == [[2], [4]]
            assert run(rows).value() == [1, 2]
            assert list(run(rows).keys()) == ["x", "y"]
            result = run(rows)
            assert result.peek()["x"] == 1
            assert [record["x"] for record in result.fetch(1)] == [1]
            assert [record["x"] for record in result] == [2]
            assert run(rows).to_df().to_dict("list") == {"x": [1, 2], "y": [2, 4]}
            assert run("RETURN $a AS a", a=3).single().value() == 3
            assert run("RETURN 1 AS x").consume().counters.nodes_created == 0
            with pytest.raises(neo4j.exceptions.ResultNotSingleError) as raised:
                run(rows).single(strict=True)
            assert isinstance(raised.value, GenaiGraphError)
    with db.driver.session() as session:
        assert session.run("CREATE (:Thing {name: 'a'})").consume().counters.nodes_created == 1
        with session.begin_transaction() as transaction:
            transaction.run("CREATE (:Thing {name: 'b'})").consume()
            with pytest.raises(TransactionError, match="has an open transaction"):
                session.run("RETURN 1 AS x")
            transaction.rollback()
        session.begin_transaction().run("CREATE (:Thing {name: 'c'})")
    assert is_write_lock_free()
    assert names() == ["a"]


def test_edges_have_the_class_of_their_ends(graph: Connection) -> None:
    model, parent = Model(name="m").save(), Model(name="p").save()
    data, origin = Dataset(name="d").save(), Dataset(name="o").save()
    model.parents.connect(parent, {"kind": "fine-tuned"})
    data.parents.connect(origin)
    ends = {"m": ModelDerivedFrom, "d": DatasetDerivedFrom}
    for node in (model, data):
        rows: Any = type(node).nodes.filter(uid=node.uid).traverse("parents").all()
        edges = [value for value in rows[0] if isinstance(value, neomodel.StructuredRel)]
        assert [type(edge) for edge in edges] == [ends[node.uid]]
    for columns in ("a, r, b", "r", "[r]", "{r: r}"):
        for uid, cls in ends.items():
            found, _ = db.cypher_query(
                f"MATCH (a {{uid: $uid}})-[r:DERIVED_FROM]->(b) RETURN {columns}",
                {"uid": uid},
                resolve_objects=True,
            )
            value = found[0][1 if columns == "a, r, b" else 0]
            value = value[0] if isinstance(value, list) else value
            value = value["r"] if isinstance(value, dict) else value
            value = value[0] if isinstance(value, list) else value
            assert type(value) is cls, columns
    edge = model.parents.relationship(parent)
    assert edge is not None
    assert edge.kind == "fine-tuned"


def test_stale_objects_of_own_classes_do_not_touch_other_nodes(person: Any) -> None:
    """The embedded engine gives the element id of a deleted node to the next one."""
    person(email="a").save()
    stale = person.nodes.get(email="a")
    query("MATCH (n:Person) DELETE n", write=True)
    for number in range(20):
        person(email=f"b{number}").save()
    stale.email = "overwritten"
    with contextlib.suppress(GenaiGraphError, neomodel.exceptions.NeomodelException):
        stale.save()
    assert person.nodes.get_or_none(email="overwritten") is None
    assert len(person.nodes) == 20


def test_writes_by_element_id_are_refused_on_the_embedded_engine(
    person: Any, embedded: Connection
) -> None:
    one, other = person(email="a").save(), person(email="b").save()
    one.name = "A"
    for write in (one.save, one.delete, lambda: one.friends.connect(other)):
        with pytest.raises(UnsupportedError, match=r"derive the class from genai_graph\.Node"):
            write()
    assert one.friends.all() == []
    one.refresh()
    assert one.name is None
    rows, _ = db.cypher_query("MATCH (n:Person {email: 'a'}) SET n.name = 'A' RETURN elementId(n)")
    assert rows == [[one.element_id]]
