"""Retries of transactions: which errors allow them, growing pauses, and a deadline."""

from __future__ import annotations

import contextlib
import random
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from genai_graph.errors import (
    GenaiGraphError,
    TLSError,
    TransientError,
    UnavailableError,
    UncertainCommitError,
    append_to_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genai_graph.database.connection import Connection

T = TypeVar("T")

DEFAULT_TIMEOUT = 60.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 4.0  # seconds; each pause is twice as long as the one before
_is_retried: ContextVar[bool] = ContextVar("genai_graph_is_retried", default=False)


def retry_on(
    current: Callable[[], Connection | None], work: Callable[[], T], *, idempotent: bool
) -> T:
    """Call a function again after transient errors and lost connections, until a deadline.

    The deadline is the connection's `retry_timeout` after the first error. If it is unknown whether
    a transaction was committed, only `idempotent` work is repeated.
    """
    deadline, pause, token = None, FIRST_PAUSE, _is_retried.set(True)
    try:
        while True:
            try:
                return work()
            except (TransientError, UnavailableError) as error:
                connection = current()
                if not _may_repeat(error, connection, idempotent):
                    raise
                now = time.monotonic()
                limit = DEFAULT_TIMEOUT if connection is None else connection.retry_timeout
                deadline = now + limit if deadline is None else deadline
                # Random, so that two conflicting transactions do not meet again.
                wait = random.uniform(0.5, 1.5) * pause
                if now + wait > deadline:
                    text = f"tried again for {limit:g} s, GENAI_GRAPH_RETRY_TIMEOUT"
                    error.is_final = True  # also for the function that called this work
                    raise append_to_message(error, text) from error.__cause__
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)
    finally:
        _is_retried.reset(token)


def _may_repeat(error: GenaiGraphError, connection: Connection | None, idempotent: bool) -> bool:
    if error.is_final:
        return False
    if isinstance(error, TransientError):
        return True
    if isinstance(error, UncertainCommitError) and not idempotent:
        return False
    # A managed engine that has stopped is started by the next connect(), and a sandbox is lost.
    is_gone = connection is not None and (
        connection.is_stopping() or connection.sandbox is not None
    )
    return not isinstance(error, TLSError) and not is_gone


@contextlib.contextmanager
def explain_missing_retry(advice: str) -> Iterator[None]:
    """Add advice to errors that `retry` would have repeated."""
    try:
        yield
    except (TransientError, UnavailableError) as error:
        if not _is_retried.get() and not error.is_final and not isinstance(error, TLSError):
            raise append_to_message(error, advice) from error.__cause__
        raise
