"""One writer at a time on the embedded engine: over processes, over threads, and by every way."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from neomodel import db

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    GenaiGraphError,
    Model,
    Project,
    atomic,
    connect,
    query,
)
from genai_graph.errors import WriterTimeoutError

LIMIT = 120
WRITERS = 6
NODES = 5


def things() -> int:
    (row,) = query("MATCH (n:Thing) RETURN count(n) AS count")
    return int(row["count"])


def make() -> None:
    query("CREATE (:Thing)", write=True)


@pytest.fixture
def new_home(own_home: Path) -> Iterator[Path]:
    """A new graph, where the schema is made by whoever writes first; no engine is left on it."""
    yield own_home
    for process in psutil.process_iter(["cmdline"]):
        if any(str(own_home) in part for part in process.info["cmdline"] or ()):
            process.kill()


# Many writers


def write_the_same() -> None:
    """Make and connect the nodes that all the writers make and connect."""
    for number in range(NODES):
        project = Project.upsert(name="shared")
        dataset = Dataset.upsert(name=f"d{number}", size=number)
        model = Model.upsert(name=f"m{number}")
        project.datasets.connect(dataset)
        model.trained_on.connect(dataset, {"role": "training"})
        Experiment.upsert(uid="run").record("loss", number / 2, step=number, dataset=dataset)


def find_faults() -> list[str]:
    """Return what is there twice, or not at all."""
    faults = []
    expected = {"Project": 1, "Dataset": NODES, "Model": NODES, "Experiment": 1, "Metric": NODES}
    for label, count in expected.items():
        (row,) = query(f"MATCH (n:{label}) RETURN count(n) AS all, count(DISTINCT n.uid) AS uids")
        if row != {"all": count, "uids": count}:
            faults.append(f"{label}: {row}, expected {count}")
    edges = query(
        "MATCH (a)-[r]->(b) WITH a.uid AS a, type(r) AS type, b.uid AS b, count(r) AS count "
        "RETURN a, type, b, count"
    )
    faults += [str(edge) for edge in edges if edge["count"] != 1]
    if len(edges) != 4 * NODES:
        faults.append(f"{len(edges)} edges, expected {4 * NODES}")
    return faults


def test_six_processes_that_write_the_same_leave_nothing_twice_and_no_error(
    new_home: Path,
) -> None:
    code = "import test_writers as t\nwith t.connect(): t.write_the_same()"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with connect():
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(WRITERS)
        ]
        outputs = [writer.communicate(timeout=LIMIT)[0] for writer in writers]
        assert outputs == [""] * WRITERS
        assert find_faults() == []


def test_six_threads_that_write_the_same_leave_nothing_twice_and_no_error(new_home: Path) -> None:
    together = threading.Barrier(WRITERS)

    def write() -> None:
        together.wait()
        write_the_same()

    with connect():
        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(write) for _ in range(WRITERS)]:
                done.result()
        assert find_faults() == []


def test_the_schema_is_there_before_the_first_write_of_any_thread(new_home: Path) -> None:
    together = threading.Barrier(WRITERS)

    def first() -> list[dict[str, Any]]:
        together.wait()
        with atomic():
            make()
            return query("SHOW CONSTRAINTS YIELD name, type RETURN name, type")

    with connect(), ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(first) for _ in range(WRITERS)]:
            unique = [row for row in done.result() if row["type"].endswith("UNIQUENESS")]
            assert len(unique) == 5


def test_writers_of_different_things_lose_nothing(embedded: Connection) -> None:
    def count_up(_: int) -> None:
        with atomic():
            (row,) = query("MATCH (n:Counter) RETURN n.value AS value")
            query("MATCH (n:Counter) SET n.value = $next", write=True, next=row["value"] + 1)

    query("CREATE (:Counter {value: 0})", write=True)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(count_up, range(40)))
    assert query("MATCH (n:Counter) RETURN n.value AS value") == [{"value": 40}]


# Waiting for another


class Holder:
    """Another process in the middle of a transaction."""

    CODE = textwrap.dedent("""
        import sys, genai_graph as g
        with g.connect(), g.atomic():
            g.query("CREATE (:Thing)", write=True)
            print("writing", flush=True)
            sys.stdin.readline()
    """)

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "writing\n"

    def finish(self) -> None:
        self.process.communicate("\n", timeout=LIMIT)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=LIMIT)


@pytest.fixture
def holder(embedded: Connection) -> Iterator[Holder]:
    held = Holder()
    yield held
    held.kill()


@contextlib.contextmanager
def holding_thread() -> Iterator[None]:
    """Have another thread in the middle of a transaction."""
    writing, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with atomic():
            make()
            writing.set()
            assert finish.wait(LIMIT)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(hold)
        assert writing.wait(LIMIT)
        try:
            yield
        finally:
            finish.set()
        done.result()


def test_who_waits_too_long_learns_which_process_writes(holder: Holder) -> None:
    with connect(writer_timeout=0.1), pytest.raises(WriterTimeoutError) as caught:
        make()
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, GenaiGraphError)
    message = str(caught.value)
    assert f"process {holder.process.pid} " in message
    assert "0.1 s" in message
    assert "GENAI_GRAPH_WRITER_TIMEOUT" in message
    assert "\n" not in message


def test_who_waits_too_long_learns_that_another_thread_writes(embedded: Connection) -> None:
    with (
        holding_thread(),
        connect(writer_timeout=0.1),
        pytest.raises(WriterTimeoutError, match="another thread of this process"),
    ):
        make()
    assert things() == 1


def test_a_thread_behind_a_waiting_thread_learns_which_process_writes(holder: Holder) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make)  # for a minute, as it is by default
        with connect(writer_timeout=0.5), pytest.raises(WriterTimeoutError) as caught:
            make()
        assert f"process {holder.process.pid} " in str(caught.value)
        holder.finish()
        waiting.result()
    assert things() == 2


def test_the_time_to_wait_is_a_setting(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_GRAPH_WRITER_TIMEOUT", "0.05")
    with connect(), pytest.raises(WriterTimeoutError, match=r"0\.05 s"):
        make()


def test_who_waits_long_enough_writes_in_the_end(holder: Holder) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        holder.finish()
        waiting.result(LIMIT)
    assert things() == 2


def test_a_timeout_leaves_the_next_try_as_it_was(holder: Holder) -> None:
    with connect(writer_timeout=0.05):
        for _ in range(3):
            with pytest.raises(WriterTimeoutError):
                make()
            with pytest.raises(WriterTimeoutError), atomic():
                pass
        holder.finish()
        make()
        assert things() == 2


def test_the_turn_is_free_when_its_holder_is_killed(holder: Holder) -> None:
    holder.kill()
    with connect(writer_timeout=20):
        make()
        assert things() == 1, "what the killed one had not committed is not there"


def test_reading_goes_on_while_another_writes(holder: Holder) -> None:
    Reader = Callable[[], object]  # noqa: N806
    readers: list[Reader] = [
        things,
        Dataset.nodes.all,
        lambda: len(Dataset.nodes),
        lambda: Dataset.nodes.get_or_none(name="mnist"),
        lambda: db.cypher_query("MATCH (n:Thing) RETURN n.name"),
    ]
    with connect(writer_timeout=0):
        for read in readers:
            read()
        with db.read_transaction:
            db.cypher_query("MATCH (n:Thing) RETURN n.name")
        assert things() == 0, "nothing is seen before it is committed"


# Every way to write


def transaction_of_neomodel() -> None:
    with db.transaction:
        pass


def write_transaction_of_neomodel() -> None:
    with db.write_transaction:
        pass


def block() -> None:
    with atomic():
        pass


WAYS: dict[str, Callable[[], object]] = {
    "query": make,
    "atomic": block,
    "save": lambda: Dataset(name="mnist").save(),
    "upsert": lambda: Dataset.upsert(name="mnist"),
    "create": lambda: Dataset.nodes.bulk_create({"name": "mnist"}),
    "cypher_query": lambda: db.cypher_query("CREATE (:Thing)"),
    "cypher_query in odd case": lambda: db.cypher_query("/* x */ merge(:Thing)"),
    "transaction": transaction_of_neomodel,
    "write_transaction": write_transaction_of_neomodel,
}


def test_every_way_to_write_waits_for_its_turn(holder: Holder) -> None:
    passed = []
    with connect(writer_timeout=0):
        for name, write in WAYS.items():
            try:
                write()
            except WriterTimeoutError:
                continue
            passed.append(name)
    assert passed == []


# Giving the turn back


def could_another_process_write() -> bool:
    code = textwrap.dedent("""
        import genai_graph as g
        with g.connect(writer_timeout=0):
            try:
                g.query("CREATE (:Other)", write=True)
                print("written")
            except g.errors.WriterTimeoutError:
                print("refused")
    """)
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.stdout in {"written\n", "refused\n"}, done.stderr
    return done.stdout == "written\n"


def test_the_turn_is_free_after_every_way_of_ending(embedded: Connection) -> None:
    with atomic():
        assert not could_another_process_write()
    assert could_another_process_write()
    with contextlib.suppress(KeyError), atomic():
        raise KeyError
    with contextlib.suppress(KeyError), db.transaction:
        raise KeyError
    with contextlib.suppress(ValueError):
        query("CREATE (:Thing {n: 1 / 0})", write=True)
    with contextlib.suppress(ValueError):
        db.cypher_query("CREATE (:Thing {n: 1 / 0})")
    db.begin()
    db.rollback()
    db.begin()
    db.commit()
    assert could_another_process_write()


def test_a_transaction_that_fails_to_begin_gives_the_turn_back(embedded: Connection) -> None:
    with pytest.raises(ValueError, match="Timeout"), db.transaction(timeout=-1):
        pass
    assert could_another_process_write()
    transaction_of_neomodel()  # takes the place of the failed one in neomodel
    gc.collect()  # a session that was left open would be told here
    make()
    assert things() == 1


def test_a_turn_that_can_not_be_noted_is_an_error_and_is_given_back(
    embedded: Connection,
) -> None:
    note = Path(os.environ["GENAI_GRAPH_HOME"], "embedded", "writer.pid")
    note.unlink(missing_ok=True)
    note.mkdir()  # stands for a full disk: it can't be written
    code = textwrap.dedent("""
        import sys, genai_graph as g
        with g.connect():
            try:
                g.query("CREATE (:Thing)", write=True)
            except Exception as error:
                print("refused" if isinstance(error, g.GenaiGraphError) else repr(error))
            sys.stdout.flush()
            sys.stdin.readline()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as refused:
        assert refused.stdout is not None
        line = refused.stdout.readline()
        note.rmdir()
        free = could_another_process_write()
        refused.communicate("\n", timeout=LIMIT)
    assert (line, free) == ("refused\n", True)


def test_a_connection_that_closes_in_a_transaction_gives_the_turn_back(
    embedded: Connection,
) -> None:
    def close_early() -> None:
        inner = connect()
        with atomic():
            make()
            inner.close()

    with pytest.raises(GenaiGraphError):
        close_early()
    assert could_another_process_write()
    assert things() == 0
