"""Loads that end before their time: killed, cut off, interrupted, or given up by the database.

What is there afterwards is nothing or whole batches, and loading again makes it the full graph.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import neo4j
import pexpect
import psutil
import pytest
from conftest import users_of
from test_cli import interruptible
from test_engine import engines, killed_in_the_end, wait_for_end
from test_load import counts, size_of_graph
from test_volume import pairs, write

from genai_graph import Connection, Dataset, connect, dump, load, query, schema
from genai_graph.errors import UnavailableError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

LIMIT = 120
# Every run takes other moments, and tells them when it fails.
SEED = int(os.environ.get("GENAI_GRAPH_TEST_SEED", time.time_ns() % 1_000_000))
BATCH = 1_000
NODES = {"Dataset": 4_000, "Model": 4_000, "Metric": 2_000, "Experiment": 200, "Project": 1}
EDGES = {
    ("Model", "TRAINED_ON", "Dataset"): 6_000,
    ("Experiment", "HAS", "Metric"): 2_000,
    ("Project", "HAS", "Dataset"): 1_800,
}
ENTITIES = sum(NODES.values()) + sum(EDGES.values())


def rows() -> Iterator[dict[str, Any]]:
    """Yield 20,001 nodes and edges, the edges first."""
    for i in range(6_000):
        dataset = f"d{(i * 7 + i // 4_000) % 4_000}"
        ends = {"from": ["Model", f"m{i % 4_000}"], "to": ["Dataset", dataset]}
        yield {"edge": "TRAINED_ON", **ends, "props": {"split": f"s{i}"}}
    for i in range(2_000):
        yield {"edge": "HAS", "from": ["Experiment", f"e{i % 200}"], "to": ["Metric", f"x{i}"]}
    for i in range(1_800):
        yield {"edge": "HAS", "from": ["Project", "p0"], "to": ["Dataset", f"d{i}"]}
    letters = dict(zip(NODES, "dmxep", strict=True))
    for label, number in NODES.items():
        for i in range(number):
            props = {"description": f"number {i}", "name": "n", "tags": [f"t{i}"]}
            more = {"value": float(i)} if label == "Metric" else {}
            yield {"node": label, "uid": f"{letters[label]}{i}", "props": {**props, **more}}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 20,001 nodes and edges."""
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    lines = map(json.dumps, ({"format": "genai_graph/1"}, *rows()))
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose engine has lived once: it left what makes the next starts quick."""
    home = tmp_path_factory.mktemp("first")
    with killed_in_the_end(home):
        with connect(home=home):
            query("RETURN 1 AS one")
        wait_for_end(home)
    return home


def prepared(home: Path, cache: Path) -> Path:
    """Make a data folder where no engine has run, but whose cache is there."""
    (home / "embedded").mkdir(parents=True, mode=0o700)
    for file in (cache / "embedded").glob("start-*"):
        os.link(file, home / "embedded" / file.name)
    return home


@pytest.fixture
def homes(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Path]]:
    """Make data folders of the test's own, each in use from then on; no engine is left on them."""
    monkeypatch.delenv("NEO4J_URI", raising=False)
    with killed_in_the_end(tmp_path):

        def new() -> Path:
            home = prepared(tmp_path / f"home{len(list(tmp_path.glob('home*')))}", cache)
            monkeypatch.setenv("GENAI_GRAPH_HOME", str(home))
            return home

        yield new


# What is there


def number_of(cypher: str) -> int:
    return int(query(cypher)[0]["count"])


def sizes() -> dict[str, int]:
    """Return how many nodes and edges there are, by label and kind."""
    nodes = {label: number_of(f"MATCH (n:{label}) RETURN count(n) AS count") for label in NODES}
    edges = {
        f"{source}-{type_}->{target}": number_of(
            f"MATCH (:{source})-[r:{type_}]->(:{target}) RETURN count(r) AS count"
        )
        for source, type_, target in EDGES
    }
    return {**nodes, **edges}


FULL = {**NODES, **{f"{a}-{type_}->{b}": size for (a, type_, b), size in EDGES.items()}}


def assert_whole(batch: int | None) -> dict[str, int]:
    """Assert that there are whole batches (all or nothing for None), and nothing half made."""
    found = sizes()
    time.sleep(1)
    while found != (found := sizes()):  # the engine may still be at what a killed one began
        time.sleep(1)
    if batch is None:
        assert found in (FULL, dict.fromkeys(FULL, 0))
    for name, size in found.items():
        assert size == FULL[name] or size % (batch or FULL[name]) == 0, f"{name}: {size} ({SEED})"
    incomplete = (
        "MATCH (n) WHERE n.name IS NULL OR n.description IS NULL OR n.tags IS NULL "
        "OR n.created_at IS NULL OR n.updated_at IS NULL OR (n:Metric AND n.value IS NULL) "
        "RETURN count(n) AS count"
    )
    assert number_of(incomplete) == 0
    for source, type_, target in EDGES:
        back = number_of(f"MATCH (:{target})<-[r:{type_}]-(:{source}) RETURN count(r) AS count")
        assert back == found[f"{source}-{type_}->{target}"], "an edge has one end only"
    bare = "MATCH ()-[r:TRAINED_ON]->() WHERE r.split IS NULL RETURN count(r) AS count"
    assert number_of(bare) == 0
    return found


def assert_full() -> None:
    """Assert that everything is there, once."""
    assert sizes() == FULL
    for label, size in NODES.items():
        assert number_of(f"MATCH (n:{label}) RETURN count(DISTINCT n.uid) AS count") == size
    for source, type_, target in EDGES:
        distinct = (
            f"MATCH (a:{source})-[:{type_}]->(b:{target}) WITH DISTINCT a.uid AS a, b.uid AS b"
        )
        assert number_of(f"{distinct} RETURN count(a) AS count") == EDGES[source, type_, target]
    assert_whole(None)


# Killed


LOADER = textwrap.dedent("""
    import sys
    from genai_graph import connect, load
    from genai_graph.exchange.progress import Progress

    class Told(Progress):
        def start(self, stage, total):
            print(stage, flush=True)

    batch, limit = map(int, sys.argv[2:])
    with connect():
        load(sys.argv[1], batch_size=batch, atomic=bool(limit), progress=Told())
""")
BATCHES, AT_ONCE = False, True  # values of atomic
WRITTEN = re.compile(
    r"([\d,]+) of [\d,]+ nodes and edges were written(, and possibly the next batch)?, "
    r"in whole batches: load again to write the rest"
)


class Loader:
    """A process that loads, and has begun to write."""

    def __init__(self, file: Path | str, limit: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOADER, str(file), str(BATCH), str(int(limit))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        for stage in ("checking\n", "nodes\n"):
            assert self.process.stdout.readline() == stage, self.process.communicate()
        self.began = time.monotonic()

    def ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            assert self.finish() == ""
        return self.process.poll() is not None

    def kill(self) -> None:
        self.process.kill()
        self.finish()

    def finish(self) -> str:
        """Wait for the end and return what was told on stderr."""
        return self.process.communicate(timeout=LIMIT)[1]


@pytest.fixture(scope="module")
def seconds(cache: Path, large: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a load writes when nothing happens to it."""
    home = prepared(tmp_path_factory.mktemp("calm") / "home", cache)
    with pytest.MonkeyPatch.context() as patch, killed_in_the_end(home):
        patch.setenv("GENAI_GRAPH_HOME", str(home))
        with connect():
            loader = Loader(large, BATCHES)
            assert loader.finish() == ""
            taken = time.monotonic() - loader.began
            assert_full()
    return taken


class Moments:
    """Moments by chance in the first part of a load."""

    def __init__(self, seconds: float, seed: int = SEED) -> None:
        self._by_chance = random.Random(seed)
        self._last = seconds

    def next(self) -> float:
        return self._by_chance.uniform(0, self._last)

    def come_sooner(self) -> None:
        """Let the next ones come sooner: a load had ended, so it is quicker than was measured."""
        self._last /= 2
        assert self._last > 0.01, "no moment is soon enough"


def empty() -> None:
    query("MATCH (n) DETACH DELETE n", write=True)


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_a_loader_killed_between_batches_leaves_whole_ones_and_the_next_goes_on(
    homes: Callable[[], Path], large: Path, seconds: float, attempt: int
) -> None:
    moments = Moments(0.4 * seconds, SEED + attempt)
    homes()
    with connect():  # keeps the engine up over the kills
        before, killed = dict.fromkeys(FULL, 0), 0
        while killed < 5:
            loader = Loader(large, BATCHES)
            if loader.ends_within(moments.next()):
                moments.come_sooner()
                empty()
                before = dict.fromkeys(FULL, 0)
                continue
            loader.kill()
            killed += 1
            found = assert_whole(BATCH)
            assert all(found[name] >= before[name] for name in FULL), f"seed {SEED}"
            before = found
        report = load(large, batch_size=BATCH, atomic=BATCHES)
        assert report.entities == ENTITIES
        created = sum(made for made, _, _ in counts(report).values())
        assert created <= ENTITIES - sum(before.values()), f"seed {SEED}"
        assert_full()


def test_a_loader_killed_in_its_one_transaction_leaves_nothing_or_all(
    homes: Callable[[], Path], large: Path, seconds: float
) -> None:
    moments = Moments(seconds / 3)
    homes()
    with connect():
        killed = 0
        while killed < 5:
            loader = Loader(large, AT_ONCE)
            if loader.ends_within(moments.next()):
                moments.come_sooner()
            else:
                loader.kill()
                killed += 1
            if assert_whole(None) == FULL:
                empty()
        load(large)
        assert_full()


@pytest.mark.parametrize("limit", [BATCHES, AT_ONCE])
def test_an_engine_killed_under_a_loader_comes_back_with_whole_batches(
    homes: Callable[[], Path], large: Path, seconds: float, limit: int
) -> None:
    moments = Moments(seconds / 3)
    home, before = homes(), 0
    ends = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL][: 3 if limit == BATCHES else 1]
    while ends:
        loader = Loader(large, limit)
        (engine,) = engines(home)
        time.sleep(moments.next())
        with contextlib.suppress(psutil.NoSuchProcess):
            engine.send_signal(ends[0])
        told = loader.finish()
        if loader.process.returncode == 0:
            moments.come_sooner()
            with connect():
                empty()
            before = 0
            continue
        ends.pop(0)
        assert loader.process.returncode == 1
        told = told.splitlines()[-1]
        assert re.match(r"genai_graph\.errors\.\w+Error: ", told), f"{told} (seed {SEED})"
        wait_for_end(home)
        with connect():  # starts the next one
            found = sum(assert_whole(BATCH if limit == BATCHES else None).values())
        if limit == BATCHES:
            written = WRITTEN.search(told)
            assert written is not None, told
            sure = int(written[1].replace(",", ""))
            most = sure + (BATCH if written[2] else 0)
            assert max(before, sure) <= found <= max(before, most), f"{told}; {found} are there"
            before = found  # the next one counts what it finds as written too
        elif found == 0:
            assert told.endswith(("(nothing was written)", "load again to be sure)"))
    with connect():
        load(large, batch_size=BATCH, atomic=limit)
        assert_full()


# Interrupted


@pytest.mark.parametrize("limit", [BATCHES, AT_ONCE])
def test_ctrl_c_ends_with_130_and_says_what_was_written(graph: Connection, limit: int) -> None:
    by_chance = random.Random(SEED)
    write(pairs(3000))
    command = ["load", "f.jsonl", "--batch-size", "100", "--atomic" if limit else "--batched"]
    for _ in range(3):
        before = size_of_graph()
        child = pexpect.spawn(
            sys.executable,
            ["-m", "genai_graph", *command],
            encoding="utf-8",
            timeout=LIMIT,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "300"},
            dimensions=(24, 300),
            preexec_fn=interruptible,
        )
        child.expect("nodes")
        time.sleep(by_chance.uniform(0, 0.3))
        child.sendintr()
        told = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", child.read())
        child.close()
        assert "Traceback" not in told
        assert child.exitstatus == 130, f"{told} (seed {SEED})"
        assert told.rstrip().endswith("interrupted")
        assert size_of_graph() % 100 == 0
        if limit == BATCHES:
            assert WRITTEN.search(told), told
            assert size_of_graph() >= before
        else:
            assert "nothing was written" in told
            assert size_of_graph() == 0
    assert load("f.jsonl").entities == 9000
    assert size_of_graph() == 6000
    assert number_of("MATCH ()-[r]->() RETURN count(r) AS count") == 3000


# Cut off


COMMIT = b"\x00\x02\xb0\x12\x00\x00"  # as Bolt sends it


class Proxy:
    """Stands between a client and the engine, and hears what the client sends.

    `heard` gets each piece before it is passed on, and may `cut` the connection; with `deaf` it is
    cut at the next answer.
    """

    def __init__(
        self,
        uri: str,
        heard: Callable[[Proxy, bytes], None],
        answered: Callable[[Proxy, bytes], None],
    ) -> None:
        self._engine = ("127.0.0.1", int(uri.rpartition(":")[2]))
        self._heard = heard
        self._answered = answered
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.uri = f"bolt://127.0.0.1:{self._server.getsockname()[1]}"
        self.bytes = 0
        self.commits = 0
        self.deaf = False
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                engine = socket.create_connection(self._engine)
                self._pairs.append((client, engine))
                self._start(self._pass_on, client, engine, self._listen)
                self._start(self._pass_on, engine, client, self._answer)

    def _pass_on(
        self, one: socket.socket, other: socket.socket, hear: Callable[[bytes], None]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(1 << 16):
                hear(data)
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self, data: bytes) -> None:
        self.bytes += len(data)
        self.commits += data.endswith(COMMIT)
        self._heard(self, data)

    def _answer(self, data: bytes) -> None:
        self._answered(self, data)
        if self.deaf:
            self.cut()

    def cut(self) -> None:
        """Cut all connections, and take no more."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # else it still takes one
        self._server.close()
        for ends in self._pairs:
            for end in ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Cut all connections as a router does that has forgotten them."""
        now = struct.pack("ii", 1, 0)
        for client, _ in self._pairs:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)  # who waits for it would keep it open
            os.close(client.detach())
        self.cut()

    def close(self) -> None:
        self.cut()
        for ends in self._pairs:
            for end in ends:
                end.close()


def nothing(proxy: Proxy, data: bytes) -> None:
    """Hear and do nothing."""


def at_each_commit(work: Callable[[Proxy, bytes], None]) -> Callable[[Proxy, bytes], None]:
    """Hear what is sent up to a commit, right before it goes on to the database."""
    sent = b""

    def heard(proxy: Proxy, data: bytes) -> None:
        nonlocal sent
        sent += data
        if data.endswith(COMMIT):
            whole, sent = sent, b""
            work(proxy, whole)

    return heard


@contextlib.contextmanager
def through_a_proxy(
    graph: Connection,
    heard: Callable[[Proxy, bytes], None],
    answered: Callable[[Proxy, bytes], None] = nothing,
) -> Iterator[Proxy]:
    """Connect to the engine of a connection by way of a proxy.

    Behind it the engine passes for a Neo4j, and gets an index that it must not have.
    """
    users = users_of(graph)
    with (
        contextlib.closing(Proxy(graph.uri, heard, answered)) as proxy,
        connect(proxy.uri, username=users.username, password=users.password, database="neo4j"),
    ):
        yield proxy
    for index in schema.check().extra:
        query(f"DROP INDEX {index.name}", write=True)


@contextlib.contextmanager
def elsewhere(graph: Connection) -> Iterator[neo4j.Session]:
    """Open a session of a program that knows nothing of this package."""
    users = users_of(graph)
    login = (users.username, users.password)
    with (
        neo4j.GraphDatabase.driver(graph.uri, auth=login) as driver,
        driver.session(database="neo4j") as session,
    ):
        yield session


def cut_at(limit: int) -> Callable[[Proxy, bytes], None]:
    def heard(proxy: Proxy, data: bytes) -> None:
        if proxy.bytes > limit:
            proxy.cut()

    return heard


def test_a_connection_that_is_cut_leaves_whole_batches_and_the_error_says_so(
    embedded: Connection,
) -> None:
    by_chance = random.Random(SEED)
    write(pairs(600))
    with through_a_proxy(embedded, nothing) as proxy:
        load("f.jsonl", batch_size=50, atomic=BATCHES)
    size = proxy.bytes
    query("MATCH (n) DETACH DELETE n", write=True)
    for _ in range(5):
        limit = by_chance.randrange(size // 20, size // 3)
        with through_a_proxy(embedded, cut_at(limit)), pytest.raises(UnavailableError) as raised:
            load("f.jsonl", batch_size=50, atomic=BATCHES)
        assert WRITTEN.search(str(raised.value)), f"{raised.value} (seed {SEED})"
        assert size_of_graph() % 50 == 0
    for _ in range(2):
        report = load("f.jsonl", batch_size=50, atomic=BATCHES)
        assert (report.entities, size_of_graph()) == (1800, 1200)
    assert number_of("MATCH ()-[r]->() RETURN count(r) AS count") == 600


def test_a_slow_connection_only_takes_longer(embedded: Connection) -> None:
    by_chance = random.Random(SEED)

    def late(proxy: Proxy, data: bytes) -> None:
        time.sleep(by_chance.uniform(0, 0.02))

    write(pairs(60))
    with through_a_proxy(embedded, late, late):
        assert load("f.jsonl", batch_size=20, atomic=BATCHES).entities == 180
        assert size_of_graph() == 120


def test_a_reset_in_the_middle_of_an_answer_is_an_error_and_leaves_no_half_of_a_dump(
    embedded: Connection,
) -> None:
    write(pairs(600))
    load("f.jsonl")
    answers = 0

    def answered(proxy: Proxy, data: bytes) -> None:
        nonlocal answers
        answers += len(data)
        if answers > 20_000:
            proxy.reset()

    reads: list[Callable[[], object]] = [
        lambda: query("MATCH (n:Dataset) RETURN n"),
        lambda: Dataset.nodes.all(),
        lambda: dump("out.jsonl"),
    ]
    for read in reads:
        answers = 0
        with through_a_proxy(embedded, nothing, answered):
            with pytest.raises(UnavailableError, match="has stopped, or can't be reached"):
                read()
            with pytest.raises(UnavailableError):
                query("RETURN 1 AS one")
    assert sorted(os.listdir()) == ["f.jsonl"]


@pytest.mark.parametrize("cut", [Proxy.cut, Proxy.reset])
@pytest.mark.parametrize("sent", [False, True], ids=["unsent", "unanswered"])
def test_a_cut_in_a_commit_leaves_all_or_nothing_of_the_batch_and_the_error_allows_for_both(
    embedded: Connection, sent: bool, cut: Callable[[Proxy], None]
) -> None:
    def heard(proxy: Proxy, data: bytes) -> None:
        if not data.endswith(COMMIT):
            return
        with elsewhere(embedded) as session:
            written = session.run("MATCH (n) RETURN count(n)").single(strict=True).value()
        if written == 30:
            proxy.deaf = True
            if not sent:
                cut(proxy)

    write(pairs(60))
    with through_a_proxy(embedded, heard), pytest.raises(UnavailableError) as raised:
        load("f.jsonl", batch_size=10, atomic=BATCHES)
    told = str(raised.value)
    assert "30 of 180 nodes and edges were written, and possibly the next batch, in whole" in told
    assert told.endswith("load again to write the rest)")
    assert size_of_graph() == (40 if sent else 30)
    load("f.jsonl")
    assert size_of_graph() == 120


@pytest.mark.parametrize("sent", [False, True], ids=["unsent", "unanswered"])
def test_a_cut_in_the_one_commit_leaves_all_or_nothing_and_the_error_allows_for_both(
    embedded: Connection, sent: bool
) -> None:
    def heard(proxy: Proxy, data: bytes) -> None:
        if data.endswith(COMMIT) and proxy.bytes > 2000:  # the others are for reading
            proxy.deaf = True
            if not sent:
                proxy.cut()

    write(pairs(60))
    with through_a_proxy(embedded, heard), pytest.raises(UnavailableError) as raised:
        load("f.jsonl")
    assert str(raised.value).endswith("(everything or nothing was written: load again to be sure)")
    assert size_of_graph() == (120 if sent else 0)
    load("f.jsonl")
    assert size_of_graph() == 120


# Given up by the database


@pytest.mark.parametrize("limit", [BATCHES, AT_ONCE])
def test_a_transaction_that_meets_another_is_done_again(embedded: Connection, limit: int) -> None:
    load(write(pairs(40)))
    met: list[bool] = []

    def meet(proxy: Proxy, sent: bytes) -> None:
        """Change, right before a commit, a node that it changes too, with no regard to the lock."""
        if b"SET n.updated_at" in sent:
            with elsewhere(embedded) as session:
                session.run(
                    "MATCH (n:Dataset {uid: 'd33', size: 1}) SET n.num_rows = $n",
                    n=min(len(met), 3),
                ).consume()
            met.append(True)

    write(pairs(40, size=2))
    with through_a_proxy(embedded, at_each_commit(meet)):
        report = load("f.jsonl", batch_size=10, atomic=limit)
    assert counts(report)["Dataset"] == (0, 40, 0)
    assert counts(report)["Model"] == (0, 40, 0)
    if limit == AT_ONCE:
        assert len(met) == 5, "four times it was in the way"
    else:
        assert len(met) == 9, "of eight batches that write it was in the way of one"
    found = query("MATCH (n:Dataset {uid: 'd33'}) RETURN n.size AS size, n.num_rows AS rows")
    assert found == [{"size": 2, "rows": 3}]
    assert number_of("MATCH (n {size: 2}) RETURN count(n) AS count") == 80
