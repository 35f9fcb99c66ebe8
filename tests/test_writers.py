"""The write lock of the embedded engine, between processes and threads."""

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

pytestmark = pytest.mark.slow

LIMIT = 100
WRITERS = 6
NODES = 5


def count_things() -> int:
    (row,) = query("MATCH (n:Thing) RETURN count(n) AS count")
    return int(row["count"])


def create_thing() -> None:
    query("CREATE (:Thing)", write=True)


@pytest.fixture
def new_home(own_home: Path) -> Iterator[Path]:
    """A new data directory, where the first write installs the schema; its engine is killed."""
    yield own_home
    for process in psutil.process_iter(["cmdline"]):
        if any(str(own_home) in part for part in process.info["cmdline"] or ()):
            process.kill()


# Concurrent writers


def write_shared_nodes() -> None:
    """Create and connect the nodes that all writers create and connect."""
    for number in range(NODES):
        project = Project.upsert(name="shared")
        dataset = Dataset.upsert(name=f"d{number}", size=number)
        model = Model.upsert(name=f"m{number}")
        project.datasets.connect(dataset)
        model.trained_on.connect(dataset, {"role": "training"})
        model.trained_on.connect(dataset, {"role": "validation", "split": "val"})
        Experiment.upsert(uid="run").record("loss", number / 2, step=number, dataset=dataset)


def find_errors() -> list[str]:
    """Return messages about duplicate and missing nodes and edges."""
    errors = []
    expected = {"Project": 1, "Dataset": NODES, "Model": NODES, "Experiment": 1, "Metric": NODES}
    for label, count in expected.items():
        (row,) = query(f"MATCH (n:{label}) RETURN count(n) AS all, count(DISTINCT n.uid) AS uids")
        if row != {"all": count, "uids": count}:
            errors.append(f"{label}: {row}, expected {count}")
    edges = query(
        "MATCH (a)-[r]->(b) "
        "WITH a.uid AS a, type(r) AS type, r.role AS role, b.uid AS b, count(r) AS count "
        "RETURN a, type, role, b, count"
    )
    errors += [str(edge) for edge in edges if edge["count"] != 1]
    if len(edges) != 5 * NODES:
        errors.append(f"{len(edges)} edges, expected {5 * NODES}")
    return errors


@pytest.mark.slow
def test_concurrent_processes_create_no_duplicates(
    new_home: Path,
) -> None:
    code = "import test_writers as t\nwith t.connect(): t.write_shared_nodes()"
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
        assert find_errors() == []


def test_concurrent_threads_create_no_duplicates(new_home: Path) -> None:
    barrier = threading.Barrier(WRITERS)

    def write() -> None:
        barrier.wait()
        write_shared_nodes()

    with connect():
        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(write) for _ in range(WRITERS)]:
                done.result()
        assert find_errors() == []


def test_schema_is_installed_before_the_first_write_of_any_thread(new_home: Path) -> None:
    barrier = threading.Barrier(WRITERS)

    def write_first() -> list[dict[str, Any]]:
        barrier.wait()
        with atomic():
            create_thing()
            return query("SHOW CONSTRAINTS YIELD name, type RETURN name, type")

    with connect(), ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(write_first) for _ in range(WRITERS)]:
            unique = [row for row in done.result() if row["type"].endswith("UNIQUENESS")]
            assert len(unique) == 5


def test_concurrent_increments_are_not_lost(embedded: Connection) -> None:
    def increment(_: int) -> None:
        with atomic():
            (row,) = query("MATCH (n:Counter) RETURN n.value AS value")
            query("MATCH (n:Counter) SET n.value = $next", write=True, next=row["value"] + 1)

    query("CREATE (:Counter {value: 0})", write=True)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(increment, range(40)))
    assert query("MATCH (n:Counter) RETURN n.value AS value") == [{"value": 40}]


# Waiting for the lock


class Holder:
    """Another process with an open write transaction."""

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
    process = Holder()
    yield process
    process.kill()


@contextlib.contextmanager
def holding_thread() -> Iterator[None]:
    """Keep a write transaction open in another thread."""
    writing, finish = threading.Event(), threading.Event()

    def hold() -> None:
        with atomic():
            create_thing()
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


def test_timeout_names_the_writing_process(holder: Holder) -> None:
    with connect(writer_timeout=0.1), pytest.raises(WriterTimeoutError) as caught:
        create_thing()
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, GenaiGraphError)
    message = str(caught.value)
    assert f"process {holder.process.pid} " in message
    assert "0.1 s" in message
    assert "GENAI_GRAPH_WRITER_TIMEOUT" in message
    assert "\n" not in message


def test_timeout_names_another_thread(embedded: Connection) -> None:
    with (
        holding_thread(),
        connect(writer_timeout=0.1),
        pytest.raises(WriterTimeoutError, match="another thread of this process"),
    ):
        create_thing()
    assert count_things() == 1


def test_timeout_behind_a_waiting_thread_names_the_writing_process(holder: Holder) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(create_thing)  # for a minute, the default timeout
        with connect(writer_timeout=0.5), pytest.raises(WriterTimeoutError) as caught:
            create_thing()
        assert f"process {holder.process.pid} " in str(caught.value)
        holder.finish()
        waiting.result()
    assert count_things() == 2


def test_timeout_is_read_from_the_settings(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_GRAPH_WRITER_TIMEOUT", "0.05")
    with connect(), pytest.raises(WriterTimeoutError, match=r"0\.05 s"):
        create_thing()


def test_waiting_writer_proceeds_after_the_other(holder: Holder) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(create_thing)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        holder.finish()
        waiting.result(LIMIT)
    assert count_things() == 2


def test_write_succeeds_after_timeouts(holder: Holder) -> None:
    with connect(writer_timeout=0.05):
        for _ in range(3):
            with pytest.raises(WriterTimeoutError):
                create_thing()
            with pytest.raises(WriterTimeoutError), atomic():
                pass
        holder.finish()
        create_thing()
        assert count_things() == 2


def test_lock_of_a_killed_process_is_released(holder: Holder) -> None:
    holder.kill()
    with connect(writer_timeout=20):
        create_thing()
        assert count_things() == 1, "uncommitted writes of the killed process are rolled back"


def test_reads_do_not_wait_for_writers(holder: Holder) -> None:
    Reader = Callable[[], object]  # noqa: N806
    readers: list[Reader] = [
        count_things,
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
        assert count_things() == 0, "uncommitted writes are not visible"


# All kinds of writes


def transaction_of_neomodel() -> None:
    with db.transaction:
        pass


def write_transaction_of_neomodel() -> None:
    with db.write_transaction:
        pass


def block() -> None:
    with atomic():
        pass


WRITES: dict[str, Callable[[], object]] = {
    "query": create_thing,
    "atomic": block,
    "save": lambda: Dataset(name="mnist").save(),
    "upsert": lambda: Dataset.upsert(name="mnist"),
    "create": lambda: Dataset.nodes.bulk_create({"name": "mnist"}),
    "cypher_query": lambda: db.cypher_query("CREATE (:Thing)"),
    "cypher_query in odd case": lambda: db.cypher_query("/* x */ merge(:Thing)"),
    "transaction": transaction_of_neomodel,
    "write_transaction": write_transaction_of_neomodel,
}


def test_every_kind_of_write_acquires_the_lock(holder: Holder) -> None:
    without_lock = []
    with connect(writer_timeout=0):
        for name, write in WRITES.items():
            try:
                write()
            except WriterTimeoutError:
                continue
            without_lock.append(name)
    assert without_lock == []


# Releasing the lock


def can_another_process_write() -> bool:
    code = textwrap.dedent("""
        import genai_graph as g
        with g.connect(writer_timeout=0):
            try:
                g.query("CREATE (:Other)", write=True)
                print("written")
            except g.errors.WriterTimeoutError:
                print("rejected")
    """)
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.stdout in {"written\n", "rejected\n"}, done.stderr
    return done.stdout == "written\n"


def test_lock_is_released_however_a_transaction_ends(embedded: Connection) -> None:
    with atomic():
        assert not can_another_process_write()
    assert can_another_process_write()
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
    assert can_another_process_write()


def test_lock_is_released_if_a_transaction_fails_to_begin(embedded: Connection) -> None:
    with pytest.raises(ValueError, match="Timeout"), db.transaction(timeout=-1):
        pass
    assert can_another_process_write()
    transaction_of_neomodel()  # replaces the failed one in neomodel
    gc.collect()  # an open session would emit a ResourceWarning
    create_thing()
    assert count_things() == 1


def test_lock_is_released_if_the_pid_file_can_not_be_written(
    embedded: Connection,
) -> None:
    pid_file = Path(os.environ["GENAI_GRAPH_HOME"], "embedded", "writer.pid")
    pid_file.unlink(missing_ok=True)
    pid_file.mkdir()  # can't be written, as on a full disk
    code = textwrap.dedent("""
        import sys, genai_graph as g
        with g.connect():
            try:
                g.query("CREATE (:Thing)", write=True)
            except Exception as error:
                print("rejected" if isinstance(error, g.GenaiGraphError) else repr(error))
            sys.stdout.flush()
            sys.stdin.readline()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        line = writer.stdout.readline()
        pid_file.rmdir()
        is_free = can_another_process_write()
        writer.communicate("\n", timeout=LIMIT)
    assert (line, is_free) == ("rejected\n", True)


def test_close_in_a_transaction_releases_the_lock(
    embedded: Connection,
) -> None:
    def close_early() -> None:
        inner = connect(writer_timeout=50)
        with atomic():
            create_thing()
            inner.close()

    with pytest.raises(GenaiGraphError):
        close_early()
    assert can_another_process_write()
    assert count_things() == 0
