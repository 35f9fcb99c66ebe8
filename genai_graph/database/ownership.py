"""The thread and the asyncio task that a transaction belongs to."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.errors import TransactionError

if TYPE_CHECKING:
    from genai_graph.database.driver import GraphTransaction

# Modules whose functions run the jobs of a thread pool, each in a context of its own.
_POOLS = ("threading", "concurrent.futures.thread", "anyio._backends._asyncio")

# The transaction of the innermost block, as far as the context knows of it.
context_transaction: ContextVar[GraphTransaction | None] = ContextVar(
    "genai_graph_transaction", default=None
)
_open_blocks: dict[GraphTransaction, bool] = {}  # True if a thread pool entered it


class Owner(NamedTuple):
    """Where code runs: a process, a thread, and an asyncio task or None."""

    process: int
    thread: int
    task: asyncio.Task[Any] | None

    @classmethod
    def current(cls) -> Owner:
        """Return the owner of a transaction that begins here."""
        return cls(os.getpid(), threading.get_ident(), _current_task())

    def reason_to_refuse(self, caller: Owner) -> str | None:
        """Return why a caller may not use a transaction of this owner, or None.

        The worker threads of a task (`asyncio.to_thread`, the `def` endpoints of FastAPI) work on
        behalf of the task, which waits for them.
        """
        if caller.process != self.process:
            return "the parent process"
        if self.task is not None and caller.task not in (self.task, None):
            return "another asyncio task"
        if self.task is None and caller.thread != self.thread:
            return "another thread"
        return None


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None


def register_block(transaction: GraphTransaction) -> None:
    """Remember the transaction of a block until `unregister_block`."""
    _open_blocks[transaction] = _is_entered_by_pool()


def unregister_block(transaction: GraphTransaction) -> None:
    """Forget a block that was left."""
    _open_blocks.pop(transaction, None)


def refuse_stray_write() -> None:
    """Raise `TransactionError` for a write that seems to be in a block, and is not.

    A block entered in a copy of the context is invisible to the code that follows. Its writes would
    remain when the block is rolled back, or wait for the lock that the block holds.
    """
    caller = Owner.current()
    for transaction, is_entered_by_pool in list(_open_blocks.items()):
        owner = transaction.owner
        if owner.process != caller.process or transaction is context_transaction.get():
            continue
        if is_entered_by_pool or (owner.task is None and owner.thread == caller.thread):
            raise TransactionError(
                "an atomic() block is open that was entered in another context or thread, so this "
                "write would not be part of it: enter the block where it writes; in FastAPI, write "
                "the dependency as `async def` with `async with aatomic(): yield`"
            )


def _is_entered_by_pool() -> bool:
    """Return whether a thread pool runs the caller's `__enter__`, or the generator around it.

    The job, and the copy of the context made for it, end before the `with` block is left.
    """
    frame = sys._getframe()
    job = frame
    while frame.f_globals.get("__name__") not in _POOLS:
        if frame.f_back is None:
            return False
        job, frame = frame, frame.f_back
    return job.f_code.co_name == "__enter__" or bool(job.f_code.co_flags & inspect.CO_GENERATOR)
