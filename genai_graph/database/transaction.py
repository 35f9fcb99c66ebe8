"""Transactions and statements on the current connection."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from neo4j import READ_ACCESS, WRITE_ACCESS
from neomodel import get_config

from genai_graph.conversion import InexactValueError, to_parameter
from genai_graph.database.connection import active_transaction, current_connection, graph_driver
from genai_graph.database.cypher import commits_in_batches, forbidden_in_read_mode, may_write
from genai_graph.database.ownership import (
    context_transaction,
    register_block,
    unregister_block,
)
from genai_graph.database.rows import Rows
from genai_graph.database.values import convert_items
from genai_graph.errors import (
    GenaiGraphError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    TransientError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Token

    from neo4j import SummaryCounters

    from genai_graph.database.driver import (
        GraphSession,
        GraphTransaction,
        QueryResult,
        TransactionState,
    )


T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

MAX_ATTEMPTS = 8
FIRST_PAUSE = 0.1  # seconds; the pauses double, 13 s in total


class Block(contextlib.ContextDecorator):
    """The context manager of `atomic`; also a decorator of functions."""

    def __init__(self) -> None:
        self._context = _transaction_block()

    def __enter__(self) -> None:
        self._context.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        return self._context.__exit__(*error)

    def __call__(self, function: F) -> F:
        """Run each call of a function in a block of its own."""
        name = getattr(function, "__qualname__", repr(function))
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise UnsupportedError(
                f"{name}: atomic() would end before the coroutine runs: use "
                "`async with aatomic():` in its body"
            )
        if inspect.isgeneratorfunction(function):
            raise UnsupportedError(
                f"{name}: atomic() would end before the generator runs: use `with atomic():` in "
                "its body"
            )

        @functools.wraps(function)
        def decorated(*arguments: Any, **options: Any) -> Any:
            with Block():
                return function(*arguments, **options)

        return cast("F", decorated)


@overload
def atomic() -> Block: ...
@overload
def atomic(function: F) -> F: ...
def atomic(function: Any = None) -> Any:
    """Run a block, or each call of a function, in a transaction: all is committed, or nothing.

    Blocks nest; the outermost one is the transaction. An error of an inner block may be caught if
    the block had not changed anything. After changes, or after a statement that failed in the
    database, the outermost block raises `TransactionError`: no part of it is committed.

    The block belongs to the thread and the asyncio task that entered it. Elsewhere, statements in
    it raise `TransactionError`; only worker threads of the task may use it, one at a time. It can
    be left anywhere.
    """
    return Block() if function is None else Block()(function)


def on_commit(function: Callable[[], object]) -> None:
    """Call a function when the open transaction has been committed; at once if none is open.

    The functions are called in the order of their registration, outside of the transaction. After a
    rollback they are not called, nor in a sandbox. An error of one is raised by the outermost
    block, whose changes are committed; the functions after it are not called.
    """
    if not callable(function):
        raise TypeError(f"on_commit: expected a function, got {function!r}")
    if current_connection().sandbox is not None:
        return
    transaction = active_transaction()
    if transaction is None:
        function()
    else:
        transaction.state.on_commit.append(function)


@contextlib.contextmanager
def _transaction_block() -> Iterator[None]:
    outer = active_transaction()
    if outer is not None:
        with inner_block(outer):
            yield
        return
    session, transaction = open_block()
    token = context_transaction.set(transaction)
    try:
        yield
    except BaseException as error:
        _reset(token)
        # Ctrl-C perhaps came in the middle of a message: don't talk to the server.
        leave = roll_back_block if isinstance(error, Exception) else cancel_block
        with contextlib.suppress(GenaiGraphError):  # it would hide the original error
            leave(session, transaction)
        raise
    _reset(token)
    commit_block(session, transaction)


@contextlib.contextmanager
def inner_block(transaction: GraphTransaction) -> Iterator[None]:
    """Run a block that is nested in another one."""
    savepoint = transaction.savepoint
    try:
        yield
    except Exception:
        transaction.is_broken |= transaction.abandon(savepoint)
        raise
    except BaseException:
        transaction.is_broken = True
        raise


def _reset(token: Token[GraphTransaction | None]) -> None:
    # In another context than that of `__enter__`, its variable can't be reached: there, the
    # transaction is known to have ended.
    with contextlib.suppress(ValueError):
        context_transaction.reset(token)


def open_block() -> tuple[GraphSession, GraphTransaction]:
    """Begin the transaction of an outermost block."""
    session = graph_driver.session()
    transaction = session.begin_transaction(timeout=get_config().transaction_timeout)
    register_block(transaction)
    return session, transaction


def commit_block(session: GraphSession, transaction: GraphTransaction) -> None:
    """Commit, or roll back and raise `TransactionError` if a part of the block has failed."""
    if transaction.owner.process != os.getpid():
        raise TransactionError("the transaction belongs to the parent process: begin another")
    if transaction.is_broken or transaction.failure is not None:
        roll_back_block(session, transaction)
        raise TransactionError(
            "rolled back, because a statement failed in the database: do not catch its error: "
            f"{transaction.failure}"
            if transaction.failure is not None
            else "rolled back, because an inner atomic block failed after it had made changes: do "
            "not catch its error"
        )
    if transaction.has_ended:
        unregister_block(transaction)
        raise TransactionError("the transaction was ended inside its atomic block")
    with _closing(session, transaction):
        transaction.commit()


def roll_back_block(session: GraphSession, transaction: GraphTransaction) -> None:
    """Roll back an outermost block."""
    if transaction.owner.process == os.getpid():  # else it belongs to the parent process
        with _closing(session, transaction):
            transaction.close()


def cancel_block(session: GraphSession, transaction: GraphTransaction) -> None:
    """Roll back an outermost block by closing its connection."""
    if transaction.owner.process == os.getpid():
        unregister_block(transaction)
        try:
            session.cancel()
        finally:
            transaction.cancel()


@contextlib.contextmanager
def _closing(session: GraphSession, transaction: GraphTransaction) -> Iterator[None]:
    unregister_block(transaction)
    try:
        yield
    finally:
        with contextlib.suppress(GenaiGraphError):
            session.close()


def transaction_state() -> TransactionState | None:
    """Return the state of the sandbox or of the open transaction, or None outside of both."""
    box = current_connection().sandbox
    if box is not None:
        return box.state
    transaction = active_transaction()
    return None if transaction is None else transaction.state


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

    return retry(attempt) if active_transaction() is None else attempt()


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
    with _runner(cypher, write) as runner:
        return _read(runner.run(cypher, values))[0]


def execute_write(cypher: str, /, **parameters: Any) -> tuple[Rows, SummaryCounters]:
    """Run a Cypher statement that writes; return its rows and the update counters."""
    with _runner(cypher, write=True) as runner:
        return _read(runner.run(cypher, parameters))


def lock(cypher: str, /, **parameters: Any) -> Rows:
    """Run a statement in the open transaction that writes only to take locks; return its rows."""
    transaction = active_transaction()
    if transaction is None:
        raise TransactionError("a lock needs an open transaction: enter an atomic() block")
    return _read(transaction.lock(cypher, **parameters))[0]


def _read(result: QueryResult) -> tuple[Rows, SummaryCounters]:
    columns = result.keys()
    return Rows(map(convert_items, result), columns), result.counters()


@contextlib.contextmanager
def _runner(cypher: str, write: bool) -> Iterator[GraphTransaction | GraphSession]:
    """Yield the open transaction, or a new one or a session for a single statement."""
    if write and current_connection().read_only:
        raise ReadOnlyError("the connection is read-only: connect without read_only to write")
    active = active_transaction()
    if not write:
        # In an open transaction, which is in write mode, the server would not reject writes.
        reason = forbidden_in_read_mode(cypher) or (active and may_write(cypher) and "may write")
        if reason:
            raise ReadOnlyError(f"the query {reason}: pass write=True (--write) to allow it")
    if active is not None:
        yield active
        return
    mode = WRITE_ACCESS if write else READ_ACCESS
    with graph_driver.session(default_access_mode=mode) as session:
        if commits_in_batches(cypher):
            yield session
            return
        with session.begin_transaction() as transaction:
            yield transaction
            transaction.commit()  # also after reads: the embedded engine rejects some writes here
