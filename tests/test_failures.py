"""Failures of a Neo4j server and of the network: conflicts, lost connections, restarts.

No duplicates are created, no rows reported as written are lost, and every error is one clear line.
"""

from __future__ import annotations

import contextlib
import logging
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import neo4j_server
import pytest
from test_interrupted import BATCHED, SEED, WRITTEN, Proxy, at_each_commit, ignore
from test_load import size_of_graph
from test_volume import pairs, write

from genai_graph import Dataset, connect, dump, load, query
from genai_graph.errors import UnavailableError

pytestmark = [
    pytest.mark.neo4j,
    pytest.mark.skipif(sys.platform == "win32", reason="Unix signals"),
]

LIMIT = 300
WRITERS = 8
ROWS = 30


class Server:
    """A Neo4j server that can be killed and restarted at the same address."""

    def __init__(self, home: Path) -> None:
        self._lib = neo4j_server.lib_or_skip()
        self._home = home
        self._port = neo4j_server.free_port()
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        run = neo4j_server.server(self._lib, self._home, port=self._port)
        self.uri, self.password = self._running.enter_context(run)

    def kill(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("neo4j"))
    with contextlib.closing(server._running):
        server.start()
        yield server


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """An empty server, used by connect()."""
    monkeypatch.setenv("NEO4J_URI", running.uri)
    monkeypatch.setenv("NEO4J_PASSWORD", running.password)
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "1")  # lost connections are not restored
    with connect():
        query("MATCH (n) DETACH DELETE n", write=True)
    return running


WRITER = textwrap.dedent("""
    import random, sys
    from genai_graph import Dataset, Experiment, Model, connect, load

    order = random.Random(int(sys.argv[1]))
    header, *rows = open("f.jsonl").read().splitlines()
    order.shuffle(rows)
    name = f"{sys.argv[1]}.jsonl"
    open(name, "w").write("\\n".join([header, *rows]))
    with connect():
        load(name, batch_size=20, atomic=False)
        numbers = list(range(3))
        for number in order.sample(numbers, 3):
            run = Experiment.upsert(uid=f"run-{number}")
            dataset = Dataset.upsert(uid=f"d{number}", size=2)
            model = Model.upsert(uid=f"m{number}")
            model.trained_on.connect(dataset)
            model.trained_on.connect(dataset, {"role": "validation", "split": "val"})
            run.models.connect(model)
            for step in order.sample(numbers, 3):
                run.record("loss", step / 2, step=step, dataset=dataset)
""")


def test_concurrent_processes_on_neo4j_create_no_duplicates(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "60")
    write(pairs(ROWS))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(SEED + number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(WRITERS)
    ]
    assert [writer.communicate(timeout=LIMIT)[0] for writer in writers] == [""] * WRITERS
    with connect():
        nodes = query(
            "MATCH (n) RETURN labels(n)[0] AS label, count(n) AS all, "
            "count(DISTINCT n.uid) AS uids ORDER BY label"
        )
        assert nodes == [
            {"label": "Dataset", "all": ROWS, "uids": ROWS},
            {"label": "Experiment", "all": 3, "uids": 3},
            {"label": "Metric", "all": 3, "uids": 3},
            {"label": "Model", "all": ROWS, "uids": ROWS},
        ]
        edges = query(
            "MATCH (a)-[r]->(b) RETURN type(r) AS type, count(r) AS all, "
            "count(DISTINCT [a.uid, b.uid, coalesce(r.role, '')]) AS identities ORDER BY type"
        )
        assert all(row["all"] == row["identities"] for row in edges), edges
        assert {row["type"]: row["all"] for row in edges} == {
            "EVALUATED_ON": 3,
            "HAS": 3,
            "RUN": 3,
            "TRAINED_ON": ROWS + 3,
        }
        histories = query("MATCH (n:Metric) RETURN n.steps AS steps, n.values AS values")
        assert histories == [{"steps": [0, 1, 2], "values": [0, 0.5, 1]}] * 3


@pytest.mark.parametrize("cut", [Proxy.cut, Proxy.reset])
@pytest.mark.parametrize("sent", [False, True], ids=["unsent", "unanswered"])
def test_connection_lost_in_a_commit_on_neo4j(
    server: Server, sent: bool, cut: Callable[[Proxy], None]
) -> None:
    commits = 0  # of batches; reads and the schema are not counted

    def on_commit(proxy: Proxy, before: bytes) -> None:
        nonlocal commits
        commits += b"UNWIND $rows AS row CREATE" in before
        if commits == 3:
            proxy.cuts_at_response = True
            if not sent:
                cut(proxy)

    write(pairs(ROWS))
    with (
        contextlib.closing(Proxy(server.uri, at_each_commit(on_commit), ignore)) as proxy,
        connect(proxy.uri),
        pytest.raises(UnavailableError, match="possibly the next batch"),
    ):
        load("f.jsonl", batch_size=10, atomic=BATCHED)
    with connect():
        assert size_of_graph() == (30 if sent else 20)
        load("f.jsonl")
        assert size_of_graph() == 2 * ROWS


def test_restarted_server_has_all_rows_reported_as_written(
    server: Server,
) -> None:
    write(pairs(300))
    options = ["--batch-size", "20", "--batched"]
    loader = subprocess.Popen(
        [sys.executable, "-m", "genai_graph", "load", "f.jsonl", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    with connect():
        while loader.poll() is None and size_of_graph() < 100:
            time.sleep(0.05)
        server.kill()
        with pytest.raises(UnavailableError, match="has stopped or can't be reached"):
            query("RETURN 1 AS one")
        message = loader.communicate(timeout=LIMIT)[1].splitlines()[-1]
        assert loader.returncode == 1
        assert "has stopped or can't be reached" in message
        written = WRITTEN.search(message)
        assert written is not None, message
        server.start()
        found = size_of_graph()  # reconnects
        assert found >= min(int(written[1]), 600)
        assert found % 20 == 0
        load("f.jsonl")
        assert size_of_graph() == 600
        assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 300}]


# Reads and writes in a cluster, as far as a single server shows them


def test_reads_send_bookmarks_and_read_mode(server: Server) -> None:
    begins: list[bytes] = []
    responses: list[bytes] = []

    def on_request(proxy: Proxy, data: bytes) -> None:
        begins.extend(data.split(b"\xb1\x11")[1:])  # BEGIN messages of Bolt

    def on_response(proxy: Proxy, data: bytes) -> None:
        responses.append(data)

    def bookmarks(data: bytes) -> set[bytes]:
        return set(re.findall(rb"FB:[A-Za-z0-9+/=]+", data))

    writes: list[Callable[[], object]] = [
        lambda: Dataset(name="mnist").save(),
        lambda: query("CREATE (:Thing)", write=True),
        lambda: load(write(pairs(5))),
    ]
    reads: list[Callable[[], object]] = [
        lambda: query("MATCH (n:Dataset) RETURN n"),
        lambda: Dataset.nodes.all(),
        lambda: Dataset.nodes.get_or_none(name="mnist"),
        lambda: dump("out.jsonl", overwrite=True),
    ]
    with (
        contextlib.closing(Proxy(server.uri, on_request, on_response)) as proxy,
        connect(proxy.uri),
    ):
        for execute in writes:
            begins.clear(), responses.clear()
            execute()
            assert b"mode" not in begins[-1], "a write must not be in read mode"
            for read in reads:
                last = bookmarks(b"".join(responses))
                begins.clear()
                read()
                assert begins
                for message in begins:
                    assert b"\x84mode\x81r" in message
                    assert len(bookmarks(message)) == 1
                    assert bookmarks(message) <= last


def test_routing_sends_reads_to_followers_and_writes_to_the_leader(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def modes(use: Callable[[], object]) -> set[str]:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "neo4j.pool"):
            use()
        return set(re.findall(r"acquire routing connection, access_mode='(\w+)'", caplog.text))

    with connect(server.uri.replace("bolt://", "neo4j://")):
        assert modes(lambda: Dataset(name="mnist").save()) == {"WRITE", "READ"}, (
            "the schema is read"
        )
        assert modes(lambda: Dataset(name="cifar").save()) == {"WRITE"}
        assert modes(lambda: query("MATCH (n) RETURN count(n) AS n")) == {"READ"}
        assert modes(lambda: Dataset.nodes.all()) == {"READ"}
        assert modes(lambda: dump("out.jsonl")) == {"READ"}
