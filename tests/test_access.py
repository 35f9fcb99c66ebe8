"""Access: roles as statements, real readers and writers, and commands that can't write."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import neo4j
import pytest
from conftest import Run
from neo4j_server import lib_or_skip, server

from genai_graph import Connection, Dataset, Model, connect, query
from genai_graph.access import users
from genai_graph.access.roles import COMMUNITY, statements
from genai_graph.database.connection import Connection as AnyConnection
from genai_graph.errors import QueryError, ReadOnlyError

WRITES = [
    "CREATE (n:Model {uid: 'new', name: 'new'})",
    "CREATE (n:Model {uid: 'new', name: 'new'}) RETURN n.uid AS uid",
    "MERGE (n:Model {uid: 'new'})",
    "MATCH (n:Model {uid: 'm'}) SET n.description = 'changed'",
    "MATCH (n:Model {uid: 'm'}) SET n += {description: 'changed'}",
    "MATCH (n:Model {uid: 'm'}) REMOVE n.framework",
    "MATCH (n:Model {uid: 'm'}) DETACH DELETE n",
    "MATCH (:Model {uid: 'm'})-[r:TRAINED_ON]->() DELETE r",
    "MATCH (m:Model {uid: 'm'}) MATCH (d:Dataset {uid: 'd'}) CREATE (d)-[:DERIVED_FROM]->(d)",
    "MATCH (:Model {uid: 'm'})-[r:TRAINED_ON]->() SET r.role = 'test'",
    "FOREACH (x IN [1] | CREATE (:Model {uid: 'new', name: 'new'}))",
    "MATCH (n:Model {uid: 'm'}) CALL { WITH n CREATE (:Model {uid: 'new', name: 'new'}) } RETURN 1",
    "LOAD CSV FROM 'file:///etc/hostname' AS row CREATE (:Model {uid: row[0], name: row[0]})",
]
SCHEMA = [
    "CREATE (:Stranger {x: 1})",
    "CREATE INDEX mine FOR (n:Model) ON (n.framework)",
    "DROP INDEX index_Model_task",
    "CREATE CONSTRAINT mine FOR (n:Model) REQUIRE n.digest IS UNIQUE",
    "DROP CONSTRAINT constraint_unique_Model_uid",
    "CREATE USER stranger SET PASSWORD 'long-enough-1'",
]
READS = [
    "CALL db.labels()",
    "LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row",
]


@pytest.fixture
def filled(graph: Connection) -> Connection:
    """A graph with a node of every kind of statement above."""
    fill()
    return graph


def fill() -> None:
    model = Model(name="m", framework="torch").save()
    model.trained_on.connect(Dataset(name="d").save())


def contents() -> list[dict[str, Any]]:
    """Return all that is in the graph, and its schema."""
    nodes = query("MATCH (n) RETURN n.uid AS uid, properties(n) AS found ORDER BY uid")
    edges = query("MATCH (a)-[r]->(b) RETURN a.uid AS a, type(r) AS t, properties(r) AS p")
    indexes = query("SHOW INDEXES")
    names = sorted(row["name"] for row in indexes)
    return [*nodes, *edges, {"indexes": names}]


Attempt = Callable[[str], str]


def attempts(uri: str, name: str, password: str) -> Attempt:
    """Return what runs a statement as a user over the bare driver, and tells the error's code."""

    def attempt(cypher: str) -> str:
        driver = neo4j.GraphDatabase.driver(uri, auth=(name, password))
        with driver, driver.session(database="neo4j") as session:
            try:
                with session.begin_transaction() as transaction:
                    transaction.run(cypher).consume()
                    transaction.commit()
            except neo4j.exceptions.Neo4jError as error:
                return str(error.code)
        return "done"

    return attempt


@pytest.fixture
def user(embedded: Connection) -> Iterator[Callable[[str], Attempt]]:
    """Make a user of a role, wait until the engine knows it, and take it away after the test."""
    numbers = itertools.count(int(time.time()))
    names: list[str] = []

    def make(role: str) -> Attempt:
        names.append(f"{role}-{next(numbers)}")  # an engine locks out who fails to log in
        attempt = attempts(embedded.uri, names[-1], users.add(names[-1], role))
        time.sleep(2.5)
        return attempt

    yield make
    for name in names:
        users.drop(name)


def test_a_reader_of_the_embedded_engine_can_not_write_by_any_statement(
    filled: Connection, user: Callable[[str], Attempt]
) -> None:
    attempt, before = user("reader"), contents()
    assert attempt("MATCH (n:Model) RETURN n") == "done"
    for statement in [*WRITES, *SCHEMA, READS[1]]:
        assert attempt(statement) == "Neo.ClientError.Security.Forbidden", statement
    assert contents() == before


def test_a_writer_of_the_embedded_engine_writes_but_not_the_schema(
    filled: Connection, user: Callable[[str], Attempt]
) -> None:
    attempt, before = user("writer"), contents()
    for statement in [*SCHEMA, WRITES[-1], READS[1]]:
        assert attempt(statement) == "Neo.ClientError.Security.Forbidden", statement
    assert contents() == before
    for statement in WRITES[:1] + WRITES[2:10]:
        assert attempt(statement) == "done", statement
    assert contents() != before


def test_users_stay_when_the_engine_starts_again_and_go_when_they_are_dropped(
    own_home: Path, cli: Run
) -> None:
    made = cli("access", "users", "add", "ann", "--role", "writer")
    password = made.stdout.strip()
    assert made.stderr == "ann is a writer once the engine runs (genai-graph server start)\n"
    assert cli("access", "users", "add", "bob").exit_code == 0
    assert cli("access", "users", "list").stdout == "ann  writer\nbob  reader\n"
    with connect() as connection:
        Model(name="m").save()
        first_edge = "MATCH (m:Model {uid: 'm'}) CREATE (m)-[:DERIVED_FROM]->(:Model {uid: 'n'})"
        assert attempts(connection.uri, "ann", password)(first_edge) == "done"
        assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 2}]
    changed = cli("access", "users", "add", "ann").stdout.strip()
    assert changed != password
    with connect() as connection:
        ann = attempts(connection.uri, "ann", changed)
        assert ann("RETURN 1 AS one") == "done"
        assert ann("CREATE (:Model {uid: 'x'})") == "Neo.ClientError.Security.Forbidden"
    assert cli("access", "users", "drop", "ann").exit_code == 0
    assert cli("access", "users", "drop", "ann").exit_code == 1
    with connect() as connection:
        ann = attempts(connection.uri, "ann", changed)
        assert ann("RETURN 1 AS one") == "Neo.ClientError.Security.Unauthorized"
    assert cli("access", "users", "list").stdout == "bob  reader\n"
    kept = (own_home / "embedded" / "config" / "server-users.jsonl").read_text()
    assert password not in kept
    assert changed not in kept


@pytest.mark.parametrize("name", ["", "root", "reader", "a b", "é", "../x", "1a", "a" * 64])
def test_a_name_that_can_be_no_user_is_refused(own_home: Path, cli: Run, name: str) -> None:
    refused = cli("access", "users", "add", "--", name)
    assert refused.exit_code == 1
    assert "expected a name of letters" in refused.stderr


def test_users_of_a_server_are_made_there(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    refused = cli("access", "users", "list")
    assert refused.exit_code == 1
    assert "make its users there" in refused.stderr


def test_apply_on_the_embedded_engine_says_what_it_has_instead(
    embedded: Connection, cli: Run
) -> None:
    told = cli("access", "apply")
    assert told.exit_code == 1
    assert "access users add" in told.stderr


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The access modes that the transactions from here on are opened with."""
    used: list[str] = []
    driver = AnyConnection.driver

    def spied(self: Connection, access_mode: str) -> neo4j.Driver:
        used.append(access_mode)
        return driver(self, access_mode)

    monkeypatch.setattr(AnyConnection, "driver", spied)
    return used


READING_COMMANDS = [
    ("query", "MATCH (n) RETURN n.uid AS uid"),
    ("dump",),
    ("dump", "--format", "yaml"),
    ("dump", "--format", "cypher"),
    ("status",),
    ("schema", "check"),
    ("ask", "stale-models"),
    ("ask", "orphans"),
    ("verify",),
    ("access", "keys", "status"),
]


@pytest.mark.parametrize("command", READING_COMMANDS, ids=" ".join)
def test_a_command_that_reads_never_holds_rights_to_write(
    filled: Connection, cli: Run, modes: list[str], command: tuple[str, ...]
) -> None:
    assert cli(*command).exit_code == 0
    assert set(modes) == {"READ"}


@pytest.mark.parametrize("statement", WRITES + SCHEMA)
def test_query_without_write_changes_nothing(filled: Connection, cli: Run, statement: str) -> None:
    before = contents()
    refused = cli("query", statement)
    assert refused.exit_code == 1, refused.stdout
    assert contents() == before


def test_show_needs_no_database_and_is_a_script_with_comments(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    shown = cli("access", "show")
    assert shown.exit_code == 0
    lines = [line for line in shown.stdout.splitlines() if line]
    assert all(line.startswith("//") or line.endswith(";") for line in lines)
    assert [line[:-1] for line in lines if not line.startswith("//")] == statements()


def test_the_statements_follow_from_the_models_and_the_marks() -> None:
    lines = statements("my`graph", "Dataset.creator")
    reader = [line for line in lines if line.endswith("TO genai_graph_reader")]
    assert (
        "DENY READ {`creator`} ON GRAPH `my``graph` NODES `Dataset` TO genai_graph_reader" in lines
    )
    assert not any("location" in line for line in lines)
    assert not [line for line in reader if line.split()[1] in ("CREATE", "SET", "DELETE", "NAME")]
    schema = [line for line in lines if "CONSTRAINT MANAGEMENT" in line or "INDEX MANAGE" in line]
    assert {line.rsplit(" ", 1)[1] for line in schema} == {"genai_graph_admin"}


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A real Neo4j Community, for the tests that ask for one."""
    with server(lib_or_skip(), tmp_path_factory.mktemp("neo4j")) as (uri, password):
        yield uri, password


@pytest.mark.neo4j
def test_neo4j_understands_every_statement(community: tuple[str, str]) -> None:
    uri, password = community
    with neo4j.GraphDatabase.driver(uri, auth=("neo4j", password)) as driver:

        def code(statement: str) -> str | None:
            with pytest.raises(neo4j.exceptions.ClientError) as refused:
                driver.execute_query(statement, database_="system")
            return refused.value.code

        for line in [*statements(), *statements("neo4j", "Dataset.creator")]:
            assert code(line) == "Neo.ClientError.Statement.UnsupportedAdministrationCommand", line
        assert code("GRANT NONSENSE ON HOME GRAPH TO x") == "Neo.ClientError.Statement.SyntaxError"


@pytest.mark.neo4j
def test_apply_on_community_says_what_it_can_not_enforce(
    community: tuple[str, str], cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_server(community, monkeypatch)
    told = cli("access", "apply")
    assert (told.exit_code, told.stderr) == (1, f"{COMMUNITY}\n")


@pytest.mark.neo4j
def test_on_neo4j_reading_is_refused_to_write_by_the_server(
    community: tuple[str, str], cli: Run, monkeypatch: pytest.MonkeyPatch, modes: list[str]
) -> None:
    on_server(community, monkeypatch)
    with connect():
        query("MATCH (n) DETACH DELETE n", write=True)
        fill()
        before = contents()
        for statement in WRITES + SCHEMA:
            with pytest.raises((ReadOnlyError, QueryError)):
                query(statement)
        assert contents() == before
    for command in READING_COMMANDS:
        modes.clear()
        assert cli(*command).exit_code == 0, command
        assert set(modes) == {"READ"}, command


def on_server(community: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", community[0])
    monkeypatch.setenv("NEO4J_PASSWORD", community[1])
