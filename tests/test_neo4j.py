"""Behaviour of a Neo4j server with a small memory limit, and of cypher-shell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import neo4j_server
import pytest
from conftest import FIXTURES, Run, untimed
from graphs import AWKWARD_TEXTS, Graph, content, node, read_graph, without_nulls, write_graph
from neo4j import GraphDatabase
from test_csv import MOMENT, TIMES, whole_graph

import genai_graph
from genai_graph import Connection, Model, clear, dump, load, query, schema
from genai_graph.database import quote_name
from genai_graph.errors import TransactionMemoryError
from genai_graph.exchange.progress import Progress

pytestmark = pytest.mark.neo4j
# Enough for all tests here, except for the loads that must exceed it.
MEMORY = "db.memory.transaction.total.max=32m\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    lib = neo4j_server.lib_or_skip()
    with ExitStack() as stack:
        server = neo4j_server.server(lib, tmp_path_factory.mktemp("neo4j"), MEMORY)
        with untimed():
            found = stack.enter_context(server)
        yield found


@pytest.fixture
def neo4j(server: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection to an empty graph on the server, which the environment also names."""
    uri, password = server
    monkeypatch.setenv("NEO4J_URI", uri)
    monkeypatch.setenv("NEO4J_PASSWORD", password)
    with genai_graph.connect() as connection:
        query("MATCH (n) DETACH DELETE n", write=True)
        yield connection


def text_nodes() -> Graph:
    return [
        node("Dataset", f"t{i}{text}", name=text or "x", description=text, tags=[text], **TIMES)
        for i, text in enumerate(AWKWARD_TEXTS)
    ]


def test_round_trip_of_a_cypher_dump_through_cypher_shell(neo4j: Connection) -> None:
    lib = neo4j_server.lib_or_skip("cypher-shell")
    graph = [*whole_graph(), *text_nodes()]
    write_graph(graph)
    first, second = Path("first.cypher"), Path("second.cypher")
    dump(first)
    query("MATCH (n) DETACH DELETE n", write=True)
    output = neo4j_server.cypher_shell(lib, neo4j.uri, first)
    assert "error" not in output.lower()
    assert without_nulls(read_graph()) == without_nulls(graph)
    dump(second)
    assert content(second) == content(first)


def test_schema_and_quickstart_scripts_run_in_cypher_shell(neo4j: Connection, cli: Run) -> None:
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
    all_counts = [*report.nodes.values(), *report.edges.values()]
    assert sum(counts.unchanged for counts in all_counts) == report.entities == 21


class StageRecorder(Progress):
    """Records the stages that were started."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, stage: str, total: int) -> None:
        self.started.append(stage)


def write_large_fixture(name: str) -> None:
    """Write a fixture that exceeds the memory of the server, in a few lines."""
    lines = ['{"format": "genai_graph/1"}\n']
    lines += [
        f'{{"node": "Model", "uid": "m{i}", "props": {{"description": "{"x" * 500_000}"}}}}\n'
        for i in range(40)
    ]
    Path(name).write_text("".join(lines))


def test_load_that_exceeds_the_memory_limit_fails_with_advice(neo4j: Connection, cli: Run) -> None:
    write_large_fixture("f.jsonl")
    result = cli("load", "--atomic", "f.jsonl")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("the transaction exceeds the server's memory limit: ")
    assert "db.memory.transaction.total.max" in line
    assert "nothing was written" in line
    assert "use smaller transactions: --batched" in line
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 0}]
    # Following the advice:
    result = cli("load", "--batched", "--batch-size", 4, "f.jsonl")
    assert result.exit_code == 0, result.stderr
    assert query("MATCH (n:Model) RETURN count(n) AS count") == [{"count": 40}]
    clear(batch_size=4)  # one transaction would exceed the memory, too


def test_transaction_memory_error_is_not_retried(neo4j: Connection) -> None:
    write_large_fixture("f.jsonl")
    stages = StageRecorder()
    with pytest.raises(TransactionMemoryError):
        load("f.jsonl", atomic=True, progress=stages)
    assert stages.started == ["checking", "nodes"]


def test_node_created_concurrently_keeps_its_created_at(
    neo4j: Connection, server: tuple[str, str]
) -> None:
    uri, password = server
    Path("f.yaml").write_text(
        "format: genai_graph/1\nModel: {other: {framework: loaded}, new: {framework: loaded}}\n"
    )
    reports = []

    def load_in_thread() -> None:
        with genai_graph.connect():
            reports.append(load("f.yaml"))

    with (
        GraphDatabase.driver(uri, auth=("neo4j", password)) as driver,
        driver.session() as session,
        session.begin_transaction() as other,
    ):
        other.run(
            "CREATE (:Model {uid: 'other', name: 'created elsewhere', created_at: $time})",
            time=MOMENT,
        )
        loading = threading.Thread(target=load_in_thread)
        loading.start()
        while not query("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked'"):
            assert loading.is_alive()
        other.commit()
        loading.join()
    counts = reports[0].nodes["Model"]
    assert (counts.created, counts.changed, counts.unchanged) == (1, 1, 0)
    found = Model.nodes.get(uid="other")
    assert (found.name, found.framework, found.created_at) == (
        "created elsewhere",
        "loaded",
        MOMENT,
    )
    assert found.updated_at > MOMENT
