"""Forked processes and pools of worker processes."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from genai_graph import Connection, Dataset, GenaiGraphError, atomic, connect, query
from genai_graph.errors import EdgeError, NodeNotFoundError, TransactionError
from genai_graph.server.arcadedb import ArcadeDB
from genai_graph.server.lifecycle import ManagedEngine

ROUNDS = int(os.environ.get("GENAI_GRAPH_TEST_ROUNDS", "2"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120 + 20 * ROUNDS),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
]


def read(uid: str) -> Dataset | None:
    return Dataset.nodes.get_or_none(uid=uid)


def write(name: str) -> Dataset:
    with atomic():
        return Dataset.upsert(name=name)


def fail(kind: str) -> None:
    if kind == "missing":
        Dataset.nodes.get(uid="d").metrics.connect(None)  # type: ignore[arg-type]
    if kind == "deleted":
        node = Dataset.nodes.get(uid="d")
        query("MATCH (n:Dataset) DETACH DELETE n", write=True)
        node.refresh()
    query("RETURN nonsense")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_pool_open_the_connection_again(graph: Connection, method: str) -> None:
    """A spawned worker has to connect; a forked one does it by itself."""
    Dataset(name="d").save()
    initializer = connect if method == "spawn" else None
    for _ in range(ROUNDS):
        with multiprocessing.get_context(method).Pool(2, initializer) as pool:
            assert pool.map_async(read, ["d", "missing"]).get(60) == [Dataset(name="d"), None]
            written = pool.map_async(write, ["a", "b"]).get(60)
        assert [(node.uid, node.was_saved) for node in written] == [("a", True), ("b", True)]
    assert query("MATCH (n:Dataset) RETURN count(n) AS count") == [{"count": 3}]


def test_futures_of_a_process_pool(graph: Connection) -> None:
    Dataset(name="d").save()
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
        assert [node.uid for node in pool.map(write, "abc")] == ["a", "b", "c"]
        for kind, error in {
            "missing": EdgeError,
            "deleted": NodeNotFoundError,
            "invalid": GenaiGraphError,
        }.items():
            with pytest.raises(error):
                pool.submit(fail, kind).result(60)


def test_error_of_an_unconnected_worker_is_returned(own_home: Path) -> None:
    """An error that can't be unpickled would block the pool for ever."""
    refused = pytest.raises(GenaiGraphError, match=r"genai_graph\.connect")
    with multiprocessing.get_context("spawn").Pool(1) as pool, refused:
        pool.map_async(read, ["d"]).get(60)


def test_fork_inside_a_block(graph: Connection) -> None:
    with atomic():
        query("CREATE (:Thing)", write=True)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            for work in (read, write):
                with pytest.raises(TransactionError, match="forked inside an atomic"):
                    pool.map_async(work, ["d"]).get(60)
        query("CREATE (:Thing)", write=True)
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 2}]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )


@pytest.mark.parametrize("leave", ["pool.close()", "pool.terminate()"])
def test_last_forked_worker_stops_the_engine(own_home: Path, leave: str) -> None:
    code = f"""
        import multiprocessing

        def work(name):
            from genai_graph import Dataset, connect
            connect()
            return Dataset.upsert(name=name).uid

        pool = multiprocessing.get_context("fork").Pool(1)
        print(pool.map(work, ["a", "b"]))
        {leave}
        pool.join()
    """
    assert run(code).stdout == "['a', 'b']\n"
    assert ManagedEngine(ArcadeDB(), own_home).running() is None


def test_forked_child_may_use_threads_and_exit(graph: Connection) -> None:
    code = """
        import os, sys
        from concurrent.futures import ThreadPoolExecutor
        from genai_graph import Dataset, connect, query
        connect()
        if os.fork() == 0:
            connect()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda i: Dataset.upsert(name=f"d{i}"), range(8)))
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        print(query("MATCH (n:Dataset) RETURN count(n) AS count"))
    """
    assert run(code).stdout == "0\n[{'count': 8}]\n"


@pytest.mark.any_engine
def test_worker_keeps_its_own_handling_of_signals(graph: Connection) -> None:
    """That of an event loop, and that of a thread; a process that it forks has none of its own."""
    code = """
        import multiprocessing, os, signal, threading
        from genai_graph import connect, query

        def with_event_loop(_):
            writer = os.pipe()[1]
            os.set_blocking(writer, False)
            signal.set_wakeup_fd(writer)
            connect()
            return signal.set_wakeup_fd(-1) == writer

        def in_thread(_):
            thread = threading.Thread(target=connect)
            thread.start()
            thread.join()
            return signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

        def forking(_):
            connect()
            child = os.fork()
            if child == 0:
                has_none = signal.set_wakeup_fd(-1) == -1
                os._exit(query("RETURN 7 AS n")[0]["n"] if has_none else 1)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return (code, signal.set_wakeup_fd(-1) != -1)

        for work in (with_event_loop, in_thread, forking):
            with multiprocessing.get_context("fork").Pool(1) as pool:
                print(pool.map(work, [0]))
    """
    assert run(code).stdout.splitlines() == ["[True]", "[True]", "[(7, True)]"]


def test_process_forked_in_a_sandbox_is_outside_of_it(graph: Connection) -> None:
    code = """
        import os
        from genai_graph import connect, query
        from genai_graph.database import sandbox
        connect()
        count = "MATCH (n:Thing) RETURN count(n) AS n"
        with sandbox():
            query("CREATE (:Thing)", write=True)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                print("parent", query(count), flush=True)
        if child == 0:
            print("child", query(count), flush=True)
            os._exit(0)
        print("after", query(count))
    """
    assert run(code).stdout.splitlines() == [
        "child [{'n': 0}]",
        "parent [{'n': 1}]",
        "after [{'n': 0}]",
    ]


def test_connection_is_used_again(graph: Connection) -> None:
    before = psutil.Process().num_fds()
    for _ in range(100):
        connect()
    assert connect() is graph
    assert psutil.Process().num_fds() < before + 20
    for _ in range(101):
        graph.close()
    assert query("RETURN 1 AS one") == [{"one": 1}]


def test_connection_with_other_settings_is_another_one(graph: Connection) -> None:
    with connect(writer_timeout=5) as other:
        assert other is not graph
        assert connect(writer_timeout=5) is other
        other.close()
        with connect() as again:
            assert again is graph
            with atomic():
                assert connect() is graph
                graph.close()
        assert query("RETURN 1 AS one") == [{"one": 1}]
    assert query("RETURN 1 AS one") == [{"one": 1}]


def test_joblib(graph: Connection) -> None:
    joblib: Any = pytest.importorskip("joblib")
    Dataset(name="d").save()
    found = joblib.Parallel(n_jobs=2, backend="multiprocessing")(
        joblib.delayed(read)(uid) for uid in ["d", "missing"]
    )
    assert found == [Dataset(name="d"), None]
