"""Transactions and statements on the connection in use."""

from __future__ import annotations

import contextlib
import random
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from neo4j import READ_ACCESS, WRITE_ACCESS
from neomodel import db

from genai_graph.database.connection import current_connection, graph_driver
from genai_graph.database.cypher import forbidden_in_read_mode, may_write
from genai_graph.database.values import to_native
from genai_graph.errors import DatabaseError, ReadOnlyError, TransactionError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neo4j import SummaryCounters

    from genai_graph.database.driver import GraphTransaction, QueryResult


T = TypeVar("T")

MAX_ATTEMPTS = 8
FIRST_PAUSE = 0.1  # seconds; the pauses double, 13 s in all

_broken: ContextVar[bool] = ContextVar("genai_graph_broken_transaction", default=False)


@contextlib.contextmanager
def atomic() -> Iterator[None]:
    """Make everything in the block one transaction: all of it is kept, or nothing.

    Blocks may nest; the outermost one is the transaction. When an inner block fails, nothing is
    kept, also when its error is caught on the way out: the outermost block then raises
    `TransactionError`.
    """
    if db._active_transaction is not None:
        with _inner():
            yield
        return
    db.begin()
    _broken.set(False)
    try:
        yield
    except Exception:
        with contextlib.suppress(DatabaseError):  # which must not hide why it is rolled back
            _roll_back()
        raise
    except BaseException:  # Ctrl-C, perhaps in the middle of an answer
        with contextlib.suppress(Exception):
            _abandon()
        raise
    if _broken.get():
        _roll_back()
        raise TransactionError("an inner atomic block failed, so nothing of the outer one is kept")
    _commit()


def _commit() -> None:
    if db._active_transaction is None:
        raise TransactionError("the transaction is not this process's: it was forked meanwhile")
    db.commit()


def _roll_back() -> None:
    if db._active_transaction is not None:  # else in a forked child, which left it to its parent
        db.rollback()


def _abandon() -> None:
    transaction: Any = db._active_transaction
    session: Any = db._session
    db._active_transaction = None
    db._session = None
    if transaction is not None:
        try:
            session.abandon()
        finally:
            transaction.abandon()


@contextlib.contextmanager
def _inner() -> Iterator[None]:
    try:
        yield
    except BaseException:
        _broken.set(True)
        raise


def retry(work: Callable[[], T]) -> T:
    """Do work that is a transaction, and do it again when the database gave it up for another.

    Raises the `TransientError` of the last of `TRIES` tries.
    """
    for attempt in range(MAX_ATTEMPTS - 1):
        try:
            return work()
        except TransientError:
            # By chance, or two that are in each other's way meet again.
            time.sleep(random.uniform(0.5, 1.5) * FIRST_PAUSE * 2**attempt)
    return work()


def run_in_transaction(work: Callable[[], T]) -> T:
    """Do work in the transaction that is open, or in one of its own, which may be repeated.

    A larger one is its owner's to repeat: only he knows what else he did in it.
    """

    def attempt() -> T:
        with atomic():
            return work()

    return retry(attempt) if db._active_transaction is None else attempt()


def query(
    cypher: str,
    parameters: dict[str, Any] | None = None,
    /,
    *,
    write: bool = False,
    **more: Any,
) -> list[dict[str, Any]]:
    """Run a Cypher statement and return its rows as dicts of plain Python values.

    Parameters are given by name, or in a dict where a name is not a Python word. A node or a
    relationship is a dict of its properties, a time is a `datetime` aware in UTC.

    Raises `ReadOnlyError` when the statement writes and `write=True` is not given, `QueryError`
    when the database can't run it.
    """
    with _transaction(cypher, write) as transaction:
        return _finished(transaction.run(cypher, {**(parameters or {}), **more}))[0]


def execute_write(
    cypher: str, /, **parameters: Any
) -> tuple[list[dict[str, Any]], SummaryCounters]:
    """Run a Cypher statement that writes; return its rows and how much it changed."""
    with _transaction(cypher, write=True) as transaction:
        return _finished(transaction.run(cypher, parameters))


def _finished(result: QueryResult) -> tuple[list[dict[str, Any]], SummaryCounters]:
    rows = [{key: to_native(value) for key, value in record.items()} for record in result]  # type: ignore[no-untyped-call]
    return rows, result.finish()


@contextlib.contextmanager
def _transaction(cypher: str, write: bool) -> Iterator[GraphTransaction]:
    """Use the transaction that is open, or one for a single statement."""
    if write and current_connection().read_only:
        raise ReadOnlyError("this connection may only read: connect without read_only to write")
    in_another: Any = db._active_transaction
    if not write:
        # In a transaction that may write, the server lets everything pass.
        refused = forbidden_in_read_mode(cypher) or (
            in_another and may_write(cypher) and "may write"
        )
        if refused:
            raise ReadOnlyError(f"this query {refused}: pass write=True (--write) to let it")
    if in_another is not None:
        yield in_another
        return
    mode = WRITE_ACCESS if write else READ_ACCESS
    session = graph_driver.session(default_access_mode=mode)
    with session, session.begin_transaction() as transaction:
        yield transaction
        transaction.commit()  # the embedded engine refuses some writes only here
