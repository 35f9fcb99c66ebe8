"""Transactions and statements on the current connection."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from neo4j import READ_ACCESS, WRITE_ACCESS
from neomodel import get_config

from genai_graph.advice import refuse_arguments
from genai_graph.conversion import InexactValueError, to_parameter
from genai_graph.database.connection import (
    active_transaction,
    current_connection,
    graph_driver,
    latest_connection,
)
from genai_graph.database.cypher import commits_in_batches, forbidden_in_read_mode, may_write
from genai_graph.database.ownership import (
    context_transaction,
    register_block,
    unregister_block,
)
from genai_graph.database.retries import explain_missing_retry, retry_on
from genai_graph.database.rows import Rows
from genai_graph.database.values import convert_items
from genai_graph.errors import (
    GenaiGraphError,
    NodeExistsError,
    NodeNotFoundError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    UncertainCommitError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Token

    from neo4j import SummaryCounters
    from typing_extensions import Never

    from genai_graph.database.driver import (
        GraphSession,
        GraphTransaction,
        QueryResult,
        TransactionState,
    )


_LARGEST_BATCH = 1_000  # rows that `stream` reads at a time
_ADVICE = "an atomic() block is not repeated: put it into a function and call it by retry()"

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Block(contextlib.ContextDecorator):
    """The context manager of `atomic`; also a decorator of functions."""

    def __init__(self) -> None:
        self._context = _explained_block()

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
def atomic(function: Any = None, **options: Any) -> Any:
    """Run a block, or each call of a function, in a transaction: all is committed, or nothing.

    A block is not repeated if the connection is lost or the database rolls it back: see `retry`.

    Blocks nest; the outermost one is the transaction. An error of an inner block may be caught if
    the block had not changed anything. After changes, or after a statement that failed in the
    database, the outermost block raises `TransactionError`: no part of it is committed.

    The block belongs to the thread and the asyncio task that entered it. Elsewhere, statements in
    it raise `TransactionError`; only worker threads of the task may use it, one at a time. It can
    be left anywhere.
    """
    refuse_arguments("atomic", options)
    return Block() if function is None else Block()(function)


def on_commit(function: Callable[[], object], **options: Never) -> None:
    """Call a function when the open transaction has been committed; at once if none is open.

    The functions are called in the order of their registration, outside of the transaction. After a
    rollback they are not called, nor in a sandbox. An error of one is raised by the outermost
    block, whose changes are committed; the functions after it are not called.
    """
    refuse_arguments("on_commit", options)
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
def _explained_block() -> Iterator[None]:
    """Run a block of the user's; the outermost one says that it is not repeated."""
    is_inner = active_transaction() is not None
    explained = contextlib.nullcontext() if is_inner else explain_missing_retry(_ADVICE)
    with explained, transaction_block():
        yield


@contextlib.contextmanager
def transaction_block() -> Iterator[None]:
    """Run a block in a transaction, as `atomic`, for work that its caller repeats."""
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
    # In another context than that of `__enter__`, the variable can't be reset. Code that still has
    # it finds in `active_transaction` that the transaction has ended.
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


def retry(function: Callable[[], T], *, idempotent: bool = False) -> T:
    """Call a function that runs one transaction, and repeat it while the database can't commit it.

    It is repeated after deadlocks, leader changes and lost connections, with growing pauses, for
    `GENAI_GRAPH_RETRY_TIMEOUT` seconds after the first error; then the last error is raised. If the
    connection is lost during the commit, the transaction may have been committed: then only an
    `idempotent` function is repeated, and `UncertainCommitError` is raised for others.

    Inside of an open transaction, the function is called once.

    Raises `UnsupportedError` for a coroutine function: repeat the ``await`` yourself, or call
    `retry` in a worker thread, with a function that uses `atomic`.
    """
    if inspect.iscoroutinefunction(function):
        raise UnsupportedError(
            f"retry: {getattr(function, '__qualname__', function)} is a coroutine function: use "
            "`await asyncio.to_thread(retry, function)` with a function that uses atomic()"
        )
    if active_transaction() is not None:
        return function()
    return retry_on(latest_connection, function, idempotent=idempotent)


def run_in_transaction(
    work: Callable[[], T], was_committed: Callable[[T], bool] | None = None
) -> T:
    """Call a function in the open transaction, or in a new one that is repeated if necessary.

    If the connection is lost during the commit, `was_committed` is called with the result, in a
    transaction, and returns whether the graph has it. Without `was_committed`, the work is
    repeated, so it has to be idempotent.
    """
    if active_transaction() is not None:
        with transaction_block():  # an inner one
            return work()
    uncertain: list[T] = []  # results whose commit got no response

    def is_in_graph() -> bool:
        if not uncertain or was_committed is None:
            return False
        with transaction_block():  # a read could reach a follower that lags behind
            return was_committed(uncertain[0])

    def attempt() -> T:
        if is_in_graph():
            return uncertain[0]
        result: list[T] = []
        try:
            with transaction_block():
                result.append(work())
        except UncertainCommitError:
            uncertain[:] = result
            raise
        except (NodeExistsError, NodeNotFoundError):
            # The earlier attempt may have been committed only now.
            if is_in_graph():
                return uncertain[0]
            raise
        return result[0]

    return retry_on(latest_connection, attempt, idempotent=True)


def count_in_transaction(
    work: Callable[[], T], was_committed: Callable[[T], bool] | None = None
) -> T:
    """Call a function that returns the numbers of its changes, as `run_in_transaction`.

    If the connection is lost during the commit, and the repeated work finds nothing to change, the
    first attempt was committed, and its numbers are returned.
    """
    uncertain: list[T] = []

    def look(result: T) -> bool:
        uncertain[:] = [result]
        return was_committed is not None and was_committed(result)

    def count() -> T:
        result = work()
        transaction = active_transaction()
        if uncertain and transaction is not None and not transaction.has_written():
            return uncertain[0]
        return result

    return run_in_transaction(count, look)


def read_in_transaction(work: Callable[[], T]) -> T:
    """Call a function that only reads, in one transaction; repeat it after a lost connection.

    If a transaction is open, the function is called in it, once.
    """
    if active_transaction() is not None:
        return work()
    timeout = current_connection().statement_timeout

    def attempt() -> T:
        with (
            graph_driver.session(default_access_mode=READ_ACCESS) as session,
            session.begin_transaction(timeout=timeout) as transaction,
        ):
            token = context_transaction.set(transaction)
            try:
                result = work()
            finally:
                _reset(token)
            transaction.commit()  # here the embedded engine rejects some writes
            return result

    return retry_on(latest_connection, attempt, idempotent=True)


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
    return _run(cypher, values, write)[0]


def execute_read(cypher: str, /, **parameters: Any) -> Rows:
    """Run a Cypher statement that reads; return its rows with the values of the driver.

    `query` converts parameters and results, which takes longer than the rest for large ones.
    """
    return _run(cypher, parameters, write=False, convert=dict)[0]


def stream(cypher: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a statement that only reads, and yield its rows as the database finds them.

    The rows must have an order: after a lost connection, the statement is repeated, and the rows
    before are skipped. Raises as `query`, also between two rows.
    """
    if active_transaction() is not None:
        yield from query(cypher, parameters)
        return
    _refuse_forbidden(cypher)
    with _RowStream(cypher, parameters) as rows:
        size = 1  # the first row is not kept back
        while batch := retry_on(latest_connection, partial(rows.read, size), idempotent=True):
            yield from batch
            size = min(2 * size, _LARGEST_BATCH)


class _RowStream:
    """The rows of a statement, which is run again if `read` is called after an error."""

    def __init__(self, cypher: str, parameters: dict[str, Any]) -> None:
        self._statement = cypher, parameters
        self._stack = contextlib.ExitStack()
        self._rows: Iterator[dict[str, Any]] | None = None
        self._transaction: GraphTransaction | None = None
        self._count = 0  # rows that were read
        self._last = ""  # as text, because NaN is not equal to itself

    def __enter__(self) -> _RowStream:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    def read(self, size: int) -> list[dict[str, Any]]:
        """Return the next rows, at most `size`; none at the end."""
        try:
            if self._rows is None:
                self._rows = self._open()
            batch = list(itertools.islice(self._rows, size))
            if not batch and self._transaction is not None:
                self._transaction.commit()  # the embedded engine rejects some writes here
        except GenaiGraphError:
            self._rows = None
            self._stack.close()
            raise
        self._count += len(batch)
        self._last = repr(batch[-1]) if batch else self._last
        return batch

    def _open(self) -> Iterator[dict[str, Any]]:
        session = graph_driver.session(default_access_mode=READ_ACCESS)
        self._stack.enter_context(session)
        timeout = current_connection().statement_timeout
        self._transaction = session.begin_transaction(timeout=timeout)
        rows = map(convert_items, self._transaction.run(*self._statement))
        skipped = next(itertools.islice(rows, self._count - 1, None), None) if self._count else None
        if self._count and repr(skipped) != self._last:
            raise QueryError(
                "the connection was lost, and the graph was changed meanwhile: run it again"
            )
        return rows


def execute_write(cypher: str, /, **parameters: Any) -> tuple[Rows, SummaryCounters]:
    """Run a Cypher statement that writes; return its rows and the update counters."""
    return _run(cypher, parameters, write=True)


def send_write(cypher: str, /, **parameters: Any) -> Callable[[], tuple[Rows, SummaryCounters]]:
    """Send a statement that writes in the open transaction; return a function for its result.

    The function waits for the rows and the update counters, and returns them. Before it is called,
    the caller can prepare the next statement while the server works. A statement that is sent
    before the call raises the errors of this one.
    """
    if current_connection().read_only:
        raise _read_only_error()
    result = _open_transaction().run(cypher, parameters)
    return lambda: _read(result)


def send_read(
    cypher: str,
    convert: Callable[[Any], dict[str, Any]] = convert_items,
    /,
    **parameters: Any,
) -> Callable[[], Rows]:
    """Send a statement that reads, as `send_write`; the function returns the converted rows."""
    _refuse_forbidden(cypher)
    result = _open_transaction().run(cypher, parameters)
    return lambda: _read(result, convert)[0]


def send_lock(cypher: str, /, **parameters: Any) -> Callable[[], Rows]:
    """Send a statement that writes only to take locks, as `send_read`."""
    result = _open_transaction().lock(cypher, **parameters)
    return lambda: _read(result)[0]


def _open_transaction() -> GraphTransaction:
    transaction = active_transaction()
    if transaction is None:
        raise TransactionError("no transaction is open: enter an atomic() block")
    return transaction


def lock(cypher: str, /, **parameters: Any) -> Rows:
    """Run a statement in the open transaction that writes only to take locks; return its rows."""
    return send_lock(cypher, **parameters)()


def _read(
    result: QueryResult, convert: Callable[[Any], dict[str, Any]] = convert_items
) -> tuple[Rows, SummaryCounters]:
    columns = result.keys()
    return Rows(map(convert, result), columns), result.counters()


def _read_only_error() -> ReadOnlyError:
    return ReadOnlyError("the connection is read-only: connect without read_only to write")


def _refuse_forbidden(cypher: str) -> None:
    """Raise `ReadOnlyError` for a statement that is not allowed in read mode."""
    active = active_transaction()
    # In an open transaction in write mode, the server would not reject writes.
    accepts_writes = active is not None and active.mode == WRITE_ACCESS
    reason = forbidden_in_read_mode(cypher) or (
        accepts_writes and may_write(cypher) and "may write"
    )
    if reason:
        raise ReadOnlyError(f"the query {reason}: pass write=True (--write) to allow it")


def _run(
    cypher: str,
    values: dict[str, Any],
    write: bool,
    convert: Callable[[Any], dict[str, Any]] = convert_items,
) -> tuple[Rows, SummaryCounters]:
    """Run a statement in the open transaction, or in a new one that is repeated if necessary."""
    if write and current_connection().read_only:
        raise _read_only_error()
    active = active_transaction()
    if not write:
        _refuse_forbidden(cypher)
    if active is not None:
        return _read(active.run(cypher, values), convert)
    mode = WRITE_ACCESS if write else READ_ACCESS
    timeout = current_connection().statement_timeout

    def attempt() -> tuple[Rows, SummaryCounters]:
        with graph_driver.session(default_access_mode=mode) as session:
            if commits_in_batches(cypher):
                return _read(session.run(cypher, values), convert)
            with session.begin_transaction(timeout=timeout) as transaction:
                found = _read(transaction.run(cypher, values), convert)
                transaction.commit()  # also reads: the embedded engine rejects some writes here
                return found

    if commits_in_batches(cypher):
        return attempt()
    return retry_on(latest_connection, attempt, idempotent=not write)
