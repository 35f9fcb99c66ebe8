"""What only real Neo4j can show: one server for all of these tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import neo4j_server
import pytest
from conftest import FIXTURES, Run
from graphs import TRAPS, Graph, content, node, put, stored, without_nulls
from neo4j import GraphDatabase
from test_csv import MOMENT, TIMES, whole_graph

import genai_graph
from genai_graph import Connection, Model, clear, dump, load, query, schema
from genai_graph.database import quote_name
from genai_graph.errors import TransactionMemoryError
from genai_graph.exchange.progress import Progress

pytestmark = pytest.mark.neo4j

# Enough for everything here but for what is to be too much.
MEMORY = "db.memory.transaction.total.max=32m\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    lib = neo4j_server.lib_or_skip()
    with neo4j_server.server(lib, tmp_path_factory.mktemp("neo4j"), MEMORY) as found:
        yield found


@pytest.fixture
def neo4j(server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to an empty graph on the server, which the settings name too."""
    uri, password = server
    monkeypatch.setenv("NEO4J_URI", uri)
    monkeypatch.setenv("NEO4J_PASSWORD", password)
    with genai_graph.connect() as connection:
        query("MATCH (n) DETACH DELETE n", write=True)
        yield connection


def odd_texts() -> Graph:
    return [
        node("Dataset", f"t{i}{text}", name=text or "x", description=text, tags=[text], **TIMES)
        for i, text in enumerate(TRAPS)
    ]


def test_cypher_shell_runs_a_dump_which_then_dumps_to_the_same_bytes(neo4j: Connection) -> None:
    lib = neo4j_server.lib_or_skip("cypher-shell")
    graph = [*whole_graph(), *odd_texts()]
    put(graph)
    first, second = Path("first.cypher"), Path("second.cypher")
    dump(first)
    query("MATCH (n) DETACH DELETE n", write=True)
    said = neo4j_server.cypher_shell(lib, neo4j.uri, first)
    assert "error" not in said.lower()
    assert without_nulls(stored()) == without_nulls(graph)
    dump(second)
    assert content(second) == content(first)


def test_who_comes_from_the_neo4j_side_has_the_schema_and_the_quickstart_by_cypher_shell(
    neo4j: Connection, cli: Run
) -> None:
    lib = neo4j_server.lib_or_skip("cypher-shell")
    for constraint in query("SHOW CONSTRAINTS YIELD name"):
        query(f"DROP CONSTRAINT {quote_name(constraint['name'])}", write=True)
    for index in query("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'"):
        query(f"DROP INDEX {quote_name(index['name'])}", write=True)
    Path("schema.cypher").write_text(cli("schema", "show", "--cypher").stdout)
    for script in (Path("schema.cypher"), FIXTURES / "quickstart.cypher"):
        for _ in range(2):  # safe to repeat
            assert "error" not in neo4j_server.cypher_shell(lib, neo4j.uri, script).lower()
    assert not schema.check()
    report = load(FIXTURES / "quickstart.yaml")
    tallies = [*report.nodes.values(), *report.edges.values()]
    assert sum(tally.unchanged for tally in tallies) == report.entities == 21


class Stages(Progress):
    """Notes which stages begin."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def start(self, stage: str, total: int) -> None:
        self.begun.append(stage)


def too_much(name: str) -> None:
    """Write a fixture of more than the server has memory for, in a few lines."""
    lines = ['{"format": "genai_graph/1"}\n']
    lines += [
        f'{{"node": "Model", "uid": "m{i}", "props": {{"description": "{"x" * 500_000}"}}}}\n'
        for i in range(40)
    ]
    Path(name).write_text("".join(lines))


def test_a_load_too_large_for_the_servers_memory_says_so_and_what_to_do(
    neo4j: Connection, cli: Run
) -> None:
    too_much("f.jsonl")
    result = cli("load", "--atomic", "f.jsonl")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("the transaction exceeds the server's memory limit: ")
    assert "db.memory.transaction.total.max" in line
    assert "nothing was written" in line
    assert "load without atomic" in line
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 0}]
    # It takes that advice:
    result = cli("load", "--transaction-limit", 0, "--batch-size", 4, "f.jsonl")
    assert result.exit_code == 0, result.stderr
    assert query("MATCH (n:Model) RETURN count(n) AS count") == [{"count": 40}]
    clear(batch_size=4)  # all of them at once are too much, too


def test_what_was_too_large_is_not_tried_again(neo4j: Connection) -> None:
    too_much("f.jsonl")
    stages = Stages()
    with pytest.raises(TransactionMemoryError):
        load("f.jsonl", atomic=True, progress=stages)
    assert stages.begun == ["checking", "nodes"]


def test_a_node_that_another_client_makes_at_the_same_time_keeps_its_time(
    neo4j: Connection, server: tuple[str, str]
) -> None:
    uri, password = server
    Path("f.yaml").write_text(
        "format: genai_graph/1\nModel: {other: {framework: ours}, ours: {framework: ours}}\n"
    )
    reports = []

    def load_it() -> None:
        with genai_graph.connect():
            reports.append(load("f.yaml"))

    with (
        GraphDatabase.driver(uri, auth=("neo4j", password)) as driver,
        driver.session() as session,
        session.begin_transaction() as other,
    ):
        other.run("CREATE (:Model {uid: 'other', name: 'theirs', created_at: $time})", time=MOMENT)
        loading = threading.Thread(target=load_it)
        loading.start()
        while not query("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked'"):
            assert loading.is_alive()
        other.commit()
        loading.join()
    tally = reports[0].nodes["Model"]
    assert (tally.created, tally.changed, tally.unchanged) == (1, 1, 0)
    found = Model.nodes.get(uid="other")
    assert (found.name, found.framework, found.created_at) == ("theirs", "ours", MOMENT)
    assert found.updated_at > MOMENT
