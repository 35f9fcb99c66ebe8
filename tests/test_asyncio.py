"""The package in asyncio programs and in FastAPI."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from test_blocks import assert_all_is_free
from test_transactions import create_thing, names

from genai_graph import (
    Connection,
    Dataset,
    aask,
    aatomic,
    aquery,
    ask,
    atomic,
    load,
    on_commit,
    query,
)
from genai_graph.errors import NodeExistsError, QueryError, TransactionError

# 200 in a stress test: GENAI_GRAPH_TEST_ROUNDS=200 pytest tests/test_asyncio.py
ROUNDS = int(os.environ.get("GENAI_GRAPH_TEST_ROUNDS", "3"))
pytestmark = pytest.mark.timeout(120 + 20 * ROUNDS)

CREATE = "CREATE (:Thing {name: $name})"


async def acreate(name: str) -> None:
    await aquery(CREATE, write=True, name=name)


def test_queries_and_questions(graph: Connection) -> None:
    async def main() -> None:
        assert await aquery("RETURN $a AS a", a=1) == [{"a": 1}]
        await acreate("a")
        with pytest.raises(QueryError):
            await aquery("RETURN nonsense")
        assert await aask("license-impact", licenses=["GPL-3.0"]) == ask(
            "license-impact", licenses=["GPL-3.0"]
        )

    asyncio.run(main())
    assert names() == ["a"]


def test_aatomic_is_all_or_nothing(graph: Connection) -> None:
    seen: list[str] = []

    async def write(fails: bool) -> None:
        async with aatomic():
            await acreate("a")
            await asyncio.to_thread(create_thing, "b")
            create_thing("c")
            async with aatomic():
                await acreate("d")
                on_commit(lambda: seen.append("committed"))
            if fails:
                raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(write(True))
    assert (names(), seen) == ([], [])
    asyncio.run(write(False))
    assert (names(), seen) == (["a", "b", "c", "d"], ["committed"])
    assert_all_is_free()


def test_many_blocks_at_once(graph: Connection) -> None:
    """More than there are workers: each waits for one without blocking the others."""

    async def increment() -> None:
        async with aatomic():
            await aquery("MATCH (n:Thing) SET n.locked = true", write=True)
            (row,) = await aquery("MATCH (n:Thing) RETURN n.count AS count")
            await asyncio.sleep(0)
            await aquery("MATCH (n:Thing) SET n.count = $count", write=True, count=row["count"] + 1)

    async def main() -> None:
        await asyncio.gather(*(increment() for _ in range(40)))

    query("CREATE (:Thing {name: 'n', count: 0})", write=True)
    for _ in range(ROUNDS):
        asyncio.run(main())
    assert query("MATCH (n:Thing) RETURN n.count AS count") == [{"count": 40 * ROUNDS}]
    assert_all_is_free()


def test_gather_of_writes_outside_of_a_block(graph: Connection) -> None:
    async def main() -> None:
        await asyncio.gather(*(acreate(str(number)) for number in range(30)))

    asyncio.run(main())
    assert sorted(names(), key=int) == [str(number) for number in range(30)]


def test_time_limits_in_a_block(graph: Connection) -> None:
    async def main() -> None:
        async with aatomic():
            if sys.version_info >= (3, 11):
                async with asyncio.timeout(30):
                    await acreate("a")
            # Before 3.12, wait_for starts another task.
            is_refused = sys.version_info < (3, 12)
            with pytest.raises(TransactionError) if is_refused else contextlib.nullcontext():
                await asyncio.wait_for(aquery("RETURN 1 AS n"), 30)

    asyncio.run(main())
    assert names() == ["a"] or sys.version_info < (3, 11)


@pytest.mark.parametrize("block", [atomic, aatomic])
def test_threads_of_a_task_take_turns(graph: Connection, block: Callable[[], Any]) -> None:
    def get(number: int) -> int | None:
        return Dataset.nodes.get(uid=f"d{number}").num_rows

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            if block is aatomic:
                await stack.enter_async_context(aatomic())
            else:
                stack.enter_context(atomic())
            found = await asyncio.gather(*(asyncio.to_thread(get, i) for i in range(4)))
            assert found == [0, 1, 2, 3]

    for number in range(4):
        Dataset(name=f"d{number}", num_rows=number).save()
    for _ in range(ROUNDS):
        asyncio.run(main())
    assert_all_is_free()


@pytest.mark.parametrize("block", [atomic, aatomic])
def test_use_in_another_task_is_an_error(graph: Connection, block: Callable[[], Any]) -> None:
    async def sync_write(name: str) -> None:
        create_thing(name)

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            if block is aatomic:
                await stack.enter_async_context(aatomic())
            else:
                stack.enter_context(atomic())
            await sync_write("mine")
            for other in (sync_write("b"), acreate("c")):
                with pytest.raises(TransactionError, match="belongs to another asyncio task"):
                    await asyncio.create_task(other)

    asyncio.run(main())
    assert names() == ["mine"]


def test_task_that_outlives_its_block_is_refused(graph: Connection) -> None:
    async def later() -> None:
        await asyncio.sleep(0.01)
        create_thing("late")

    async def main() -> None:
        async with aatomic():
            task = asyncio.create_task(later())
        with pytest.raises(TransactionError, match="has ended"):
            await task

    asyncio.run(main())
    assert names() == []


def test_write_of_the_event_loop_beside_a_block_is_refused_at_once(embedded: Connection) -> None:
    """It would wait for a lock whose holder waits for the event loop."""

    async def other() -> None:
        with pytest.raises(TransactionError, match="another transaction of this thread"):
            create_thing("other")

    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        ready, done = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with aatomic():
                ready.set()
                await done.wait()

        holder = asyncio.create_task(hold())
        await ready.wait()
        await other()
        done.set()
        await holder

    asyncio.run(main())
    assert_all_is_free()


def test_error_before_a_write_leaves_the_block_usable(graph: Connection) -> None:
    async def main() -> None:
        async with aatomic():
            with pytest.raises(NodeExistsError):
                await asyncio.to_thread(Dataset(name="taken").save)
            with contextlib.suppress(KeyError):
                async with aatomic():
                    raise KeyError
            await acreate("a")

    Dataset(name="taken").save()
    asyncio.run(main())
    assert names() == ["a"]


@pytest.mark.parametrize("delay", [0, 0.002, 0.02, 0.1])
def test_cancelled_block_leaves_nothing(graph: Connection, delay: float) -> None:
    async def write() -> None:
        async with aatomic():
            for number in range(1000):
                await acreate(str(number))

    async def main() -> None:
        tasks = [asyncio.create_task(write()) for _ in range(3)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in done)

    for _ in range(ROUNDS):
        asyncio.run(main())
        assert names() == []
    assert_all_is_free()


def test_cancelled_waiters_return_their_worker(graph: Connection) -> None:
    async def hold(event: asyncio.Event) -> None:
        async with aatomic():
            await event.wait()

    async def main() -> None:
        event = asyncio.Event()
        tasks = [asyncio.create_task(hold(event)) for _ in range(40)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        event.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(acreate("x") for _ in range(20)))

    asyncio.run(main())
    assert len(names()) == 20


# FastAPI

fastapi = pytest.importorskip("fastapi")


@pytest.fixture
def app(graph: Connection) -> Any:
    async def aatomic_dependency() -> AsyncIterator[None]:
        async with aatomic():
            yield

    async def async_dependency() -> AsyncIterator[None]:
        with atomic():
            yield

    def sync_dependency() -> Iterator[None]:
        with atomic():
            yield

    app = fastapi.FastAPI()
    for kind, dependency in {
        "aatomic": aatomic_dependency,
        "async": async_dependency,
        "sync": sync_dependency,
    }.items():
        depends = [fastapi.Depends(dependency)]

        @app.post(f"/{kind}/def/{{name}}", dependencies=depends)
        def write(name: str, fail: bool = False) -> None:
            create_thing(name)
            Dataset.upsert(name=name)
            if fail:
                raise KeyError(name)

        @app.post(f"/{kind}/async/{{name}}", dependencies=depends)
        async def awrite(name: str, fail: bool = False) -> None:
            await acreate(name)
            await asyncio.to_thread(Dataset.upsert, name=name)
            if fail:
                raise KeyError(name)

    return app


async def request(app: Any, path: str) -> int:
    """Send a POST request to an ASGI application and return its status."""
    path, _, arguments = path.partition("?")
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": arguments.encode(),
        "headers": [],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    with contextlib.suppress(KeyError, TransactionError):  # raised again after the response
        await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status


def post(app: Any, *paths: str) -> list[int]:
    """Send requests at the same time, each in a task of its own, as a server does."""

    async def main() -> list[int]:
        return await asyncio.gather(*(request(app, path) for path in paths))

    return asyncio.run(main())


@pytest.mark.parametrize("endpoint", ["def", "async"])
@pytest.mark.parametrize("dependency", ["aatomic", "async"])
def test_transaction_of_a_request(app: Any, dependency: str, endpoint: str) -> None:
    path = f"/{dependency}/{endpoint}"
    for number in range(ROUNDS):
        assert post(app, f"{path}/{number}") == [200]
        assert post(app, f"{path}/bad?fail=1") == [500]
    assert sorted(names(), key=int) == [str(number) for number in range(ROUNDS)]
    assert {node.uid for node in Dataset.nodes.all()} == set(names())
    assert_all_is_free()


@pytest.mark.parametrize("endpoint", ["def", "async"])
def test_concurrent_requests(app: Any, endpoint: str) -> None:
    for _ in range(ROUNDS):
        query("MATCH (n) DETACH DELETE n", write=True)
        paths = [f"/aatomic/{endpoint}/{number}?fail={number % 2}" for number in range(8)]
        assert post(app, *paths) == [200, 500] * 4
        assert sorted(names()) == ["0", "2", "4", "6"]
    assert_all_is_free()


@pytest.mark.parametrize("endpoint", ["def", "async"])
def test_dependency_that_is_entered_by_a_thread_pool(app: Any, endpoint: str) -> None:
    """Its block is in a copy of the context, so the endpoint's writes would not be part of it."""
    for _ in range(ROUNDS):
        for path in (f"/sync/{endpoint}/good", f"/sync/{endpoint}/bad?fail=1"):
            assert post(app, path) == [500]
        assert names() == []
    assert_all_is_free()


def test_load_in_a_block(graph: Connection) -> None:
    async def main() -> None:
        async with aatomic():
            await asyncio.to_thread(load, "f.yaml")
            raise KeyError

    with open("f.yaml", "w", encoding="utf-8") as file:
        file.write("format: genai_graph/1\nDataset: {a: {}}\n")
    with pytest.raises(KeyError):
        asyncio.run(main())
    assert Dataset.nodes.all() == []
