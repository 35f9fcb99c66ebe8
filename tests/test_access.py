"""Access control: role statements, users of the embedded engine, and read-only commands."""

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
from genai_graph.errors import QueryError, ReadOnlyError, SettingsError

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
    """A graph with the nodes of the statements above."""
    create_nodes()
    return graph


def create_nodes() -> None:
    model = Model(name="m", framework="torch").save()
    model.trained_on.connect(Dataset(name="d").save())


def contents() -> list[dict[str, Any]]:
    """Return all nodes, edges and index names."""
    nodes = query("MATCH (n) RETURN n.uid AS uid, properties(n) AS found ORDER BY uid")
    edges = query("MATCH (a)-[r]->(b) RETURN a.uid AS a, type(r) AS t, properties(r) AS p")
    indexes = query("SHOW INDEXES")
    names = sorted(row["name"] for row in indexes)
    return [*nodes, *edges, {"indexes": names}]


Attempt = Callable[[str], str]


def attempts_as(uri: str, name: str, password: str) -> Attempt:
    """Return a function that runs a statement as a user and returns its error code or "done"."""

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
    """Create a user with a role, wait until the engine recognizes it, and delete it at the end."""
    numbers = itertools.count(int(time.time()))
    names: list[str] = []

    def create(role: str) -> Attempt:
        names.append(f"{role}-{next(numbers)}")  # the engine locks names after failed logins
        attempt = attempts_as(embedded.uri, names[-1], users.add_user(names[-1], role))
        time.sleep(2.5)
        return attempt

    yield create
    for name in names:
        users.delete_user(name)


def test_a_reader_of_the_embedded_engine_can_not_write(
    filled: Connection, user: Callable[[str], Attempt]
) -> None:
    attempt, before = user("reader"), contents()
    assert attempt("MATCH (n:Model) RETURN n") == "done"
    for statement in [*WRITES, *SCHEMA, READS[1]]:
        assert attempt(statement) == "Neo.ClientError.Security.Forbidden", statement
    assert contents() == before


def test_a_writer_of_the_embedded_engine_can_not_change_the_schema(
    filled: Connection, user: Callable[[str], Attempt]
) -> None:
    attempt, before = user("writer"), contents()
    for statement in [*SCHEMA, WRITES[-1], READS[1]]:
        assert attempt(statement) == "Neo.ClientError.Security.Forbidden", statement
    assert contents() == before
    for statement in WRITES[:1] + WRITES[2:10]:
        assert attempt(statement) == "done", statement
    assert contents() != before


@pytest.mark.slow
def test_users_survive_a_restart_until_they_are_deleted(own_home: Path, cli: Run) -> None:
    added = cli("access", "users", "add", "ann", "--role", "writer")
    password = added.stdout.strip()
    assert added.stderr == "added writer ann: start the engine with: genai-graph server start\n"
    assert cli("access", "users", "add", "bob").exit_code == 0
    assert cli("access", "users", "list").stdout == "ann  writer\nbob  reader\n"
    with connect() as connection:
        Model(name="m").save()
        first_edge = "MATCH (m:Model {uid: 'm'}) CREATE (m)-[:DERIVED_FROM]->(:Model {uid: 'n'})"
        assert attempts_as(connection.uri, "ann", password)(first_edge) == "done"
        assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 2}]
    changed = cli("access", "users", "add", "ann").stdout.strip()
    assert changed != password
    with connect() as connection:
        ann = attempts_as(connection.uri, "ann", changed)
        assert ann("RETURN 1 AS one") == "done"
        assert ann("CREATE (:Model {uid: 'x'})") == "Neo.ClientError.Security.Forbidden"
    assert cli("access", "users", "drop", "ann").exit_code == 0
    assert cli("access", "users", "drop", "ann").exit_code == 1
    with connect() as connection:
        ann = attempts_as(connection.uri, "ann", changed)
        assert ann("RETURN 1 AS one") == "Neo.ClientError.Security.Unauthorized"
    assert cli("access", "users", "list").stdout == "bob  reader\n"
    kept = (own_home / "embedded" / "config" / "server-users.jsonl").read_text()
    assert password not in kept
    assert changed not in kept


@pytest.mark.parametrize("name", ["", "root", "reader", "a b", "é", "../x", "1a", "a" * 64])
def test_an_invalid_user_name_is_rejected(own_home: Path, cli: Run, name: str) -> None:
    result = cli("access", "users", "add", "--", name)
    assert result.exit_code == 1
    assert "expected letters" in result.stderr


def test_an_unknown_role_is_rejected(own_home: Path) -> None:
    with pytest.raises(SettingsError, match=r"role: expected one of .*, got 'boss'"):
        users.add_user("ann", "boss")


def test_users_of_a_neo4j_server_are_not_managed(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    result = cli("access", "users", "list")
    assert result.exit_code == 1
    assert "use CREATE USER and GRANT ROLE there" in result.stderr


def test_apply_on_the_embedded_engine_suggests_users(embedded: Connection, cli: Run) -> None:
    result = cli("access", "apply")
    assert result.exit_code == 1
    assert "access users add" in result.stderr


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The access modes of the transactions from here on."""
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
def test_reading_commands_connect_in_read_mode(
    filled: Connection, cli: Run, modes: list[str], command: tuple[str, ...]
) -> None:
    assert cli(*command).exit_code == 0
    assert set(modes) == {"READ"}


@pytest.mark.parametrize("statement", WRITES + SCHEMA)
def test_query_without_write_changes_nothing(filled: Connection, cli: Run, statement: str) -> None:
    before = contents()
    result = cli("query", statement)
    assert result.exit_code == 1, result.stdout
    assert contents() == before


def test_show_prints_a_script_without_database(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    shown = cli("access", "show")
    assert shown.exit_code == 0
    lines = [line for line in shown.stdout.splitlines() if line]
    assert all(line.startswith("//") or line.endswith(";") for line in lines)
    assert [line[:-1] for line in lines if not line.startswith("//")] == statements()


def test_statements_contain_the_sensitive_properties() -> None:
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
    """A Neo4j Community server."""
    with server(lib_or_skip(), tmp_path_factory.mktemp("neo4j")) as (uri, password):
        yield uri, password


@pytest.mark.slow
@pytest.mark.neo4j
def test_neo4j_parses_every_statement(community: tuple[str, str]) -> None:
    uri, password = community
    with neo4j.GraphDatabase.driver(uri, auth=("neo4j", password)) as driver:

        def code(statement: str) -> str | None:
            with pytest.raises(neo4j.exceptions.ClientError) as error:
                driver.execute_query(statement, database_="system")
            return error.value.code

        for line in [*statements(), *statements("neo4j", "Dataset.creator")]:
            assert code(line) == "Neo.ClientError.Statement.UnsupportedAdministrationCommand", line
        assert code("GRANT NONSENSE ON HOME GRAPH TO x") == "Neo.ClientError.Statement.SyntaxError"


@pytest.mark.slow
@pytest.mark.neo4j
def test_apply_on_community_fails_with_an_explanation(
    community: tuple[str, str], cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_server(community, monkeypatch)
    result = cli("access", "apply")
    assert (result.exit_code, result.stderr) == (1, f"{COMMUNITY}\n")


@pytest.mark.slow
@pytest.mark.neo4j
def test_neo4j_rejects_writes_in_read_mode(
    community: tuple[str, str], cli: Run, monkeypatch: pytest.MonkeyPatch, modes: list[str]
) -> None:
    use_server(community, monkeypatch)
    with connect():
        query("MATCH (n) DETACH DELETE n", write=True)
        create_nodes()
        before = contents()
        for statement in WRITES + SCHEMA:
            with pytest.raises((ReadOnlyError, QueryError)):
                query(statement)
        assert contents() == before
    for command in READING_COMMANDS:
        modes.clear()
        assert cli(*command).exit_code == 0, command
        assert set(modes) == {"READ"}, command


def use_server(community: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", community[0])
    monkeypatch.setenv("NEO4J_PASSWORD", community[1])
