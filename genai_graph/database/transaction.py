"""Transactions and statements on the current connection."""

from __future__ import annotations

import contextlib
import random
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from neo4j import READ_ACCESS, WRITE_ACCESS
from neomodel import db

from genai_graph.conversion import InexactValueError, to_parameter
from genai_graph.database.connection import current_connection, graph_driver
from genai_graph.database.cypher import forbidden_in_read_mode, may_write
from genai_graph.database.rows import Rows
from genai_graph.database.values import convert_items
from genai_graph.errors import (
    DatabaseError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neo4j import SummaryCounters

    from genai_graph.database.driver import GraphTransaction, QueryResult, TransactionState


T = TypeVar("T")

MAX_ATTEMPTS = 8
FIRST_PAUSE = 0.1  # seconds; the pauses double, 13 s in total

_broken: ContextVar[bool] = ContextVar("genai_graph_broken_transaction", default=False)


@contextlib.contextmanager
def atomic() -> Iterator[None]:
    """Run the block in a transaction: all of its changes are committed, or none.

    Blocks nest; the outermost one is the transaction. If an inner block fails, nothing is
    committed: if its error is caught in between, the outermost block raises `TransactionError`.
    """
    if db._active_transaction is not None:
        try:
            yield
        except BaseException:
            _broken.set(True)
            raise
        return
    db.begin()
    _broken.set(False)
    try:
        yield
    except Exception:
        with contextlib.suppress(DatabaseError):  # it would hide the original error
            _roll_back()
        raise
    except BaseException:  # Ctrl-C, perhaps in the middle of a message
        with contextlib.suppress(Exception):
            _cancel()
        raise
    if _broken.get():
        _roll_back()
        raise TransactionError(
            "rolled back, because an inner atomic block failed: do not catch its error"
        )
    active: Any = db._active_transaction
    if active is None:
        raise TransactionError("the transaction belongs to the parent process: begin another")
    db.commit()


def transaction_state() -> TransactionState | None:
    """Return the state of the sandbox or of the open transaction, or None outside of both."""
    box, transaction = current_connection().sandbox, db._active_transaction
    if box is not None:
        return box.state
    state: TransactionState | None = getattr(transaction, "state", None)
    return state


def _roll_back() -> None:
    if db._active_transaction is not None:  # None in a forked child: it belongs to the parent
        db.rollback()


def _cancel() -> None:
    transaction: Any = db._active_transaction
    session: Any = db._session
    db._active_transaction = None
    db._session = None
    if transaction is not None:
        try:
            session.cancel()
        finally:
            transaction.cancel()


def retry(work: Callable[[], T]) -> T:
    """Call a function that runs one transaction; retry it on `TransientError`.

    The error of the last of `MAX_ATTEMPTS` attempts is raised.
    """
    for attempt in range(MAX_ATTEMPTS - 1):
        try:
            return work()
        except TransientError:
            # Random, so that two conflicting transactions do not meet again.
            time.sleep(random.uniform(0.5, 1.5) * FIRST_PAUSE * 2**attempt)
    return work()


def run_in_transaction(work: Callable[[], T]) -> T:
    """Call a function in the open transaction, or in a new one that is retried if necessary.

    An enclosing transaction must be retried by its caller: only it knows what else ran inside.
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
    **kwargs: Any,
) -> Rows:
    """Run a Cypher statement and return its rows, a list of dicts of plain Python values.

    Parameters are keyword arguments, or items of a dict if a name is not a Python identifier.
    Values of NumPy and pandas, decimals, sets and paths are converted if nothing is lost. Nodes and
    relationships become dicts of their properties, and times become aware datetimes in UTC.

    Raises `ReadOnlyError` if the statement writes without `write=True`, and `QueryError` if it is
    invalid or a parameter can't be sent to the database.
    """
    try:
        values = {
            name: to_parameter(value, f"parameter {name}")
            for name, value in {**(parameters or {}), **kwargs}.items()
        }
    except InexactValueError as error:
        raise QueryError(str(error)) from None
    except RecursionError:
        raise QueryError("a parameter is nested too deeply") from None
    with _transaction(cypher, write) as transaction:
        return _read(transaction.run(cypher, values))[0]


def execute_write(cypher: str, /, **parameters: Any) -> tuple[Rows, SummaryCounters]:
    """Run a Cypher statement that writes; return its rows and the update counters."""
    with _transaction(cypher, write=True) as transaction:
        return _read(transaction.run(cypher, parameters))


def _read(result: QueryResult) -> tuple[Rows, SummaryCounters]:
    columns = result.keys()
    return Rows(map(convert_items, result), columns), result.consume()


@contextlib.contextmanager
def _transaction(cypher: str, write: bool) -> Iterator[GraphTransaction]:
    """Yield the open transaction, or a new one for a single statement."""
    if write and current_connection().read_only:
        raise ReadOnlyError("the connection is read-only: connect without read_only to write")
    active: Any = db._active_transaction
    if not write:
        # In an open transaction, which is in write mode, the server would not reject writes.
        reason = forbidden_in_read_mode(cypher) or (active and may_write(cypher) and "may write")
        if reason:
            raise ReadOnlyError(f"the query {reason}: pass write=True (--write) to allow it")
    if active is not None:
        yield active
        return
    mode = WRITE_ACCESS if write else READ_ACCESS
    session = graph_driver.session(default_access_mode=mode)
    with session, session.begin_transaction() as transaction:
        yield transaction
        transaction.commit()  # also after reads: the embedded engine rejects some writes only here
