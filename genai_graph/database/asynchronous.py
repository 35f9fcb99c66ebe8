"""Transactions and queries for asyncio: the same functions, called in a bounded pool of threads.

The driver is synchronous. A call would block the event loop, so each runs in a worker thread. The
transaction of an `aatomic` block has a worker of its own until it ends: its statements run in the
order of their calls, its end after the last of them, and no other block can take its thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from genai_graph.database.connection import active_transaction
from genai_graph.database.ownership import Owner, context_transaction
from genai_graph.database.retries import explain_missing_retry
from genai_graph.database.transaction import (
    cancel_block,
    commit_block,
    inner_block,
    open_block,
    query,
    roll_back_block,
)
from genai_graph.errors import GenaiGraphError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from genai_graph.database.driver import GraphSession, GraphTransaction

T = TypeVar("T")

MAX_WORKERS = 16
_ADVICE = (
    "an aatomic() block is not repeated: put it into a function with atomic(), and call "
    "`await asyncio.to_thread(retry, function)`"
)

_worker_of_block: ContextVar[ThreadPoolExecutor | None] = ContextVar("_worker", default=None)


class _Workers:
    """At most `MAX_WORKERS` threads; tasks wait for a free one without blocking the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[ThreadPoolExecutor] = []
        self._count = 0
        self._waiting: deque[Future[ThreadPoolExecutor]] = deque()

    async def acquire(self) -> ThreadPoolExecutor:
        """Wait for a free worker."""
        future: Future[ThreadPoolExecutor] = Future()
        with self._lock:
            if self._free:
                return self._free.pop()
            if self._count < MAX_WORKERS:
                self._count += 1
                return ThreadPoolExecutor(1, "genai_graph")
            self._waiting.append(future)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if not future.cancel() and not future.cancelled():
                self.release(future.result())  # handed over at the same moment
            raise

    def release(self, worker: ThreadPoolExecutor) -> None:
        """Return a worker, after the work that it still has to do."""
        worker.submit(self._hand_over, worker)

    def _hand_over(self, worker: ThreadPoolExecutor) -> None:
        with self._lock:
            while self._waiting:
                future = self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    future.set_result(worker)
                    return
            self._free.append(worker)


_workers = _Workers()


def _reset_in_child() -> None:
    global _workers
    _workers = _Workers()  # the threads were not forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


async def run_in_worker(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call a function in a worker thread, or in that of the block that the task is in.

    If the task is cancelled, a call that is running is completed, and its result is dropped.
    """
    transaction, worker = active_transaction(), _worker_of_block.get()
    if transaction is not None:
        transaction.require_owner()  # the worker thread could belong to any task
        if worker is not None:
            return await _call(worker, partial(function, *arguments, **options))
    worker = await _workers.acquire()
    try:
        return await _call(worker, partial(function, *arguments, **options))
    finally:
        _workers.release(worker)


async def _call(worker: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.wrap_future(worker.submit(copy_context().run, function))


@contextlib.asynccontextmanager
async def aatomic() -> AsyncIterator[None]:
    """Run an ``async with`` block in a transaction: all of its changes are committed, or none.

    The rules are those of `atomic`. The block belongs to the task that entered it: other tasks get
    `TransactionError`. Worker threads of the task may use it, such as those of `asyncio.to_thread`
    and the `def` endpoints of FastAPI.
    """
    outer = active_transaction()
    if outer is not None:
        with inner_block(outer):
            yield
        return
    with explain_missing_retry(_ADVICE):
        async with _outermost_block():
            yield


@contextlib.asynccontextmanager
async def _outermost_block() -> AsyncIterator[None]:
    worker = await _workers.acquire()
    opening = worker.submit(copy_context().run, open_block)
    try:
        session, transaction = await asyncio.wrap_future(opening)
    except BaseException:
        worker.submit(_discard, opening)
        _workers.release(worker)
        raise
    owner = Owner.current()
    transaction.hand_over(owner)
    tokens = context_transaction.set(transaction), _worker_of_block.set(worker)
    leave: Callable[[GraphSession, GraphTransaction], None] = commit_block
    try:
        yield
    except BaseException as error:
        is_ordinary = isinstance(error, Exception | asyncio.CancelledError | GeneratorExit)
        leave = roll_back_block if is_ordinary else cancel_block
        raise
    finally:
        with contextlib.suppress(ValueError):  # left in another context
            context_transaction.reset(tokens[0])
            _worker_of_block.reset(tokens[1])
        transaction.hand_over(owner._replace(thread=0))  # this thread may wait for its end
        leaving = worker.submit(copy_context().run, leave, session, transaction)
        _workers.release(worker)
        with contextlib.nullcontext() if leave is commit_block else _suppressed():
            await asyncio.shield(asyncio.wrap_future(leaving))


def _suppressed() -> contextlib.suppress:
    return contextlib.suppress(GenaiGraphError)  # it would hide the original error


def _discard(opening: Future[tuple[GraphSession, GraphTransaction]]) -> None:
    """Roll back a transaction whose task was cancelled while it began."""
    if not opening.cancelled() and opening.exception() is None:
        roll_back_block(*opening.result())


async def aquery(
    cypher: str,
    parameters: dict[str, Any] | None = None,
    /,
    *,
    write: bool = False,
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Run `query` in a worker thread."""
    return await run_in_worker(query, cypher, parameters, write=write, **kwargs)
