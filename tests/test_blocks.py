"""A transaction belongs to its block, thread and task, and ends with the block."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from neomodel import db
from test_transactions import create_thing, is_write_lock_free, names, run_in_thread

from genai_graph import Connection, Dataset, Experiment, Metric, Model, atomic, on_commit, query
from genai_graph.database import sandbox
from genai_graph.errors import (
    EdgeError,
    NodeExistsError,
    PropertyError,
    QueryError,
    TransactionError,
    UnsupportedError,
)


def block_around(*names_: str) -> Iterator[None]:
    with atomic():
        create_thing(names_[0])
        yield
        for name in names_[1:]:
            create_thing(name)


def assert_all_is_free() -> None:
    """Check that no lock and no transaction is left, here and in other threads."""
    create_thing("later")
    assert "later" in run_in_thread(names)
    assert is_write_lock_free()


# Contexts: the block is left in another one than it was entered in


def in_copy(function: Callable[..., Any], *arguments: Any) -> Any:
    return contextvars.copy_context().run(function, *arguments)


def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


PLACES = {"here": lambda function, *args: function(*args), "copy": in_copy, "thread": in_thread}


@pytest.mark.parametrize("enter", PLACES)
@pytest.mark.parametrize("leave", PLACES)
@pytest.mark.parametrize("fails", [False, True], ids=["commit", "error"])
def test_block_is_ended_by_its_own_exit(
    graph: Connection, enter: str, leave: str, fails: bool
) -> None:
    generator = block_around("a")
    PLACES[enter](next, generator)
    ends: Any = (generator.throw, KeyError()) if fails else (next, generator, None)  # type: ignore[attr-defined]
    with contextlib.suppress(KeyError):
        PLACES[leave](*ends)
    assert names() == ([] if fails else ["a"])
    assert_all_is_free()


@pytest.mark.parametrize("enter", ["copy", "thread"])
def test_write_beside_a_block_of_another_context_is_refused(graph: Connection, enter: str) -> None:
    generator = block_around("a")
    PLACES[enter](next, generator)
    with pytest.raises(TransactionError, match="entered in another context or thread"):
        create_thing("beside")
    with pytest.raises(KeyError):
        generator.throw(KeyError())  # type: ignore[attr-defined]
    assert names() == [], "nothing of the failed block stays"
    assert_all_is_free()


def test_context_manager_of_a_thread_pool(graph: Connection) -> None:
    """FastAPI enters and leaves the dependencies declared with `def` like this."""

    async def request() -> list[str]:
        block, outcome = atomic(), []
        for step, arguments in (
            (block.__enter__, ()),
            (lambda: create_thing("request"), ()),
            (block.__exit__, (None, None, None)),
            (lambda: create_thing("next"), ()),
        ):
            try:
                await asyncio.to_thread(step, *arguments)
                outcome.append("ok")
            except TransactionError as error:
                outcome.append(str(error))
        return outcome

    enter, write, leave, following = asyncio.run(request())
    assert (enter, leave, following) == ("ok", "ok", "ok")
    assert "entered in another context or thread" in write
    assert names() == ["next"]
    assert_all_is_free()


def test_block_that_is_never_left_is_rolled_back_when_it_is_collected(graph: Connection) -> None:
    generator = block_around("a")
    next(generator)
    del generator
    assert names() == []
    assert_all_is_free()


def test_code_started_inside_a_block_that_has_ended_is_refused(graph: Connection) -> None:
    with atomic():
        create_thing("a")
        context = contextvars.copy_context()
    for work in (names, lambda: db.cypher_query("RETURN 1"), lambda: Dataset(name="d").save()):
        with pytest.raises(TransactionError, match="has ended"):
            in_thread(context.run, work)
    assert names() == ["a"]


# Threads


@pytest.mark.parametrize(
    "work", [names, create_thing, lambda: Dataset.nodes.all(), lambda: Dataset.upsert(name="d")]
)
def test_use_in_another_thread_is_an_error(graph: Connection, work: Callable[[], Any]) -> None:
    with atomic():
        create_thing("mine")
        context = contextvars.copy_context()
        with pytest.raises(TransactionError, match="belongs to another thread"):
            in_thread(context.run, work)
        create_thing("mine, too")
    assert names() == ["mine", "mine, too"]


def test_threads_without_the_context_have_their_own_transactions(graph: Connection) -> None:
    create_thing("committed")
    with atomic():
        create_thing("mine")
        assert run_in_thread(names) == ["committed"]


def test_concurrent_use_of_one_connection_is_no_keyboard_interrupt(graph: Connection) -> None:
    Dataset(name="d0", num_rows=0).save()
    barrier = threading.Barrier(4, timeout=30)
    context = []

    def read() -> str:
        barrier.wait()
        try:
            return str(Dataset.nodes.get(uid="d0").num_rows)
        except TransactionError as error:
            return str(error)[:42]

    with atomic(), ThreadPoolExecutor(4) as pool:
        context = [contextvars.copy_context() for _ in range(4)]
        found = [pool.submit(one.run, read) for one in context]
        assert {one.result(30) for one in found} == {"this transaction belongs to another thread"}


# Errors before anything was written


def taken_uid() -> None:
    Dataset(name="taken").save()


def cycle() -> None:
    model = Model.nodes.get(uid="m")
    model.parents.connect(model)


def wrong_value() -> None:
    Dataset(name="x", num_rows="many").save()  # type: ignore[arg-type]


def raises_in_an_inner_block() -> None:
    with atomic():
        names()
        raise EdgeError


def unsendable() -> None:
    query("CREATE (:Thing {name: $name})", write=True, name=object())


@pytest.mark.parametrize(
    "fail", [taken_uid, cycle, wrong_value, raises_in_an_inner_block, unsendable]
)
def test_error_before_a_write_leaves_the_block_usable(
    graph: Connection, fail: Callable[[], None]
) -> None:
    Dataset(name="taken").save()
    Model(name="m").save()
    with atomic():
        create_thing("before")
        for _ in range(2):
            with pytest.raises((NodeExistsError, EdgeError, PropertyError, QueryError)):
                fail()
        create_thing("after")
        Dataset(name="after").save()
    assert names() == ["after", "before"]
    assert Dataset.nodes.get(uid="after").num_rows is None


def test_locks_taken_before_an_error_leave_the_block_usable(graph: Connection) -> None:
    run = Experiment(name="run").save()
    run.record("loss", 1.0, step=1)
    with atomic():
        create_thing("before")
        with pytest.raises(PropertyError):
            run.record("loss", "low", step=2)  # type: ignore[arg-type]
    assert names() == ["before"]


def test_caught_error_after_a_write_in_the_inner_block_is_reported(graph: Connection) -> None:
    def swallow() -> None:
        with atomic(), contextlib.suppress(NodeExistsError), atomic():
            create_thing("inner")
            taken_uid()

    Dataset(name="taken").save()
    with pytest.raises(TransactionError, match="an inner atomic block failed after"):
        swallow()
    assert names() == []


def test_caught_error_of_the_database_is_named_at_the_end(graph: Connection) -> None:
    def swallow() -> None:
        with atomic(), contextlib.suppress(QueryError):
            query("RETURN nonsense")

    with pytest.raises(TransactionError, match="nonsense"):
        swallow()


# on_commit


def test_functions_are_called_after_the_outermost_commit(graph: Connection) -> None:
    seen: list[Any] = []
    with atomic():
        on_commit(lambda: seen.append(run_in_thread(names)))
        with atomic():
            create_thing("a")
            on_commit(lambda: seen.append(2))
        assert seen == []
    assert seen == [["a"], 2]


def test_function_is_called_at_once_outside_of_a_block(graph: Connection) -> None:
    seen: list[int] = []
    on_commit(lambda: seen.append(1))
    assert seen == [1]
    with pytest.raises(TypeError, match="on_commit"):
        on_commit("no function")  # type: ignore[arg-type]


def test_functions_are_dropped_on_rollback(graph: Connection) -> None:
    seen: list[str] = []
    with contextlib.suppress(KeyError), atomic():
        on_commit(lambda: seen.append("outer"))
        raise KeyError
    with atomic():
        on_commit(lambda: seen.append("kept"))
        with contextlib.suppress(KeyError), atomic():
            on_commit(lambda: seen.append("inner"))
            raise KeyError
    with sandbox(), atomic():
        on_commit(lambda: seen.append("sandbox"))
    assert seen == ["kept"]


def test_function_may_write(graph: Connection) -> None:
    with atomic():
        create_thing("a")
        on_commit(lambda: create_thing("b"))
    with db.transaction:
        create_thing("c")
        on_commit(lambda: create_thing("d"))
    assert names() == ["a", "b", "c", "d"]


def test_error_of_a_function_does_not_undo_the_commit(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            create_thing("a")
            on_commit(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names() == ["a"]
    assert_all_is_free()


# Objects after a rollback


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    with contextlib.suppress(KeyError), atomic():
        yield
        raise KeyError


def attributes(node: Any) -> dict[str, Any]:
    return {**node.__properties__, "was_saved": node.was_saved}


def test_rollback_restores_objects(graph: Connection) -> None:
    new, changed, deleted = Dataset(name="new"), Dataset(name="c", num_rows=1), Dataset(name="d")
    changed.save()
    deleted.save()
    changed.num_rows = 2
    before = [attributes(node) for node in (new, changed, deleted)]
    with rolled_back():
        new.save()
        new.num_rows = 5
        new.save()
        changed.save()
        deleted.delete()
        upserted = Dataset.upsert(name="upserted")
        assert (new.was_saved, upserted.was_saved, deleted.was_saved) == (True, True, False)
    assert [attributes(node) for node in (new, changed, deleted)] == before
    assert not new.was_saved
    assert not upserted.was_saved
    assert upserted.created_at is None
    for node in (new, changed, deleted, upserted):
        node.save()
    assert {node.uid: node.num_rows for node in Dataset.nodes.all()} == {
        "new": None,
        "c": 2,
        "d": None,
        "upserted": None,
    }


CHANGES: dict[str, Callable[[Any], Any]] = {
    "save": lambda run: run.save(),
    "bulk_update": lambda run: Experiment.nodes.bulk_update([run], ["name"]),
    "bulk_save": lambda run: Experiment.bulk_save([run]),
    "delete": lambda run: run.delete(),
    "refresh": lambda run: (Experiment.upsert(uid="e", source="other"), run.refresh()),
    "update and refresh": lambda run: (Experiment.nodes.update(source="x"), run.refresh()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_rollback_restores_an_object_after_every_change(graph: Connection, change: str) -> None:
    run = Experiment(uid="e", name="old").save()
    run.name = "new"
    before = attributes(run)
    with rolled_back():
        CHANGES[change](run)
    assert attributes(run) == before
    run.save()
    assert Experiment.nodes.get(uid="e").name == "new"


def test_rollback_restores_the_old_uid(graph: Connection) -> None:
    data, other = Dataset(name="d").save(), Dataset(name="other").save()
    metric = Experiment(uid="e").save().record("loss", 1.0, dataset=data)
    before = attributes(data), attributes(metric)
    for change in (
        lambda: data.rename("new"),
        lambda: data.rename(version="2"),
        lambda: metric.rename("new"),
        lambda: metric.dataset.replace(other),
        lambda: metric.dataset.reconnect(data, other),
    ):
        with rolled_back():
            change()
        assert (attributes(data), attributes(metric)) == before
        assert (Dataset.nodes.get(uid=data.uid), Metric.nodes.get(uid=metric.uid)) == (data, metric)
    assert data.rename("new").uid == "new"


def test_deferred_properties_read_in_a_block_are_read_again(graph: Connection) -> None:
    Dataset(name="d", num_rows=1).save()
    data = Dataset.nodes.only("name").get(uid="d")
    with rolled_back():
        Dataset.nodes.update(num_rows=2)
        assert data.num_rows == 2
    assert data.num_rows == 1


def test_objects_of_a_committed_block_keep_their_state(graph: Connection) -> None:
    node = Dataset(name="d")
    with atomic():
        node.save()
    assert node.was_saved
    with rolled_back():
        node.num_rows = 2
        node.save()
    assert (node.was_saved, node.num_rows) == (True, 2)
    node.save()
    assert Dataset.nodes.get(uid="d").num_rows == 2


# Decorators


def test_atomic_without_brackets_is_a_decorator(graph: Connection) -> None:
    @atomic
    def write(name: str) -> str:
        """Write."""
        create_thing(name)
        create_thing(name)
        return name

    assert write("a") == "a"
    assert write.__doc__ == "Write."
    assert names() == ["a", "a"]


def test_functions_that_run_later_are_refused() -> None:
    async def coroutine() -> None: ...

    def generator() -> Iterator[int]:
        yield 1

    for function in (coroutine, generator):
        with pytest.raises(UnsupportedError, match=f"{function.__name__}: atomic"):
            atomic(function)
        with pytest.raises(UnsupportedError):
            atomic()(function)
