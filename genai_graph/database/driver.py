"""The driver that neomodel and this package use: all statements pass through it.

It wraps the neo4j driver and hides the differences between engines: driver errors become errors of
this package, every thread uses the same database, and on an engine with a single writer, the lock
is held around every transaction that may write.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from asyncio import CancelledError
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import neo4j
from neo4j import READ_ACCESS, WRITE_ACCESS
from neomodel import get_config

from genai_graph.conversion import unsendable_parameter
from genai_graph.database import query_logging
from genai_graph.database.cypher import (
    commits_in_batches,
    create_if_missing,
    matches_element_ids,
    may_write,
)
from genai_graph.database.error_translation import (
    UNREACHABLE,
    as_driver_error,
    is_server_failure,
    is_uncertain,
    translate_errors,
)
from genai_graph.database.ownership import Owner, refuse_stray_write
from genai_graph.database.retries import retry_on
from genai_graph.database.values import message_size
from genai_graph.errors import (
    DatabaseError,
    GenaiGraphError,
    NotConnectedError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    TransientError,
    UnavailableError,
    UncertainCommitError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from genai_graph.database.connection import Connection


_GRACE = 2.0  # seconds that a server has to report the timeout of a statement itself


class GraphDriver:
    """A driver for the connection that is currently in use.

    neomodel keeps one driver for the process; this one follows `genai_graph.connect` and `close`.
    """

    def __init__(self, current: Callable[[], Connection | None]) -> None:
        self._current = current

    def session(
        self,
        *,
        default_access_mode: str = WRITE_ACCESS,
        database: str | None = None,
        **options: Any,
    ) -> GraphSession:
        """Open a session on the connection's database; neomodel's `database` is ignored."""
        connection = self._current()
        if connection is None:
            raise NotConnectedError
        return connection.session(default_access_mode, options)

    def close(self) -> None:
        """Do nothing: `Connection.close` closes the real drivers."""


class GraphSession:
    """A session with explicit transactions only: auto-commit is not atomic on every engine."""

    def __init__(self, connection: Connection, access_mode: str, options: dict[str, Any]) -> None:
        self._connection = connection
        self._mode = access_mode
        self._options = options
        self._session: neo4j.Session | None = None
        self._transaction: GraphTransaction | None = None

    def __enter__(self) -> GraphSession:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        if error_type is None or issubclass(error_type, Exception):
            self.close()
        else:
            self.cancel()

    def close(self) -> None:
        """Close the session, and roll back its transaction if it is open."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            with contextlib.suppress(GenaiGraphError):
                transaction.close()
        session, self._session = self._session, None
        if session is not None:
            with translate_errors(self._connection.is_stopping):
                session.close()

    def cancel(self) -> None:
        """Close the socket without talking to the server, which then rolls back.

        Ctrl-C may interrupt the driver in the middle of a message. The driver does the same itself
        when an asyncio task is cancelled.
        """
        transaction, self._transaction = self._transaction, None
        session, self._session = self._session, None
        if transaction is not None:
            transaction.cancel()
        if session is not None:
            session.__exit__(CancelledError, CancelledError(), None)  # type: ignore[no-untyped-call]

    def last_bookmarks(self) -> neo4j.Bookmarks | None:
        """Return the bookmarks of the last commit."""
        return None if self._session is None else self._session.last_bookmarks()

    def begin_transaction(self, **options: Any) -> GraphTransaction:
        """Begin a transaction; one that may write waits for the write lock."""
        return self._begin(self._mode, options)

    def run(
        self, query: Any, parameters: dict[str, Any] | None = None, **kwargs: Any
    ) -> QueryResult:
        """Run one statement in its own transaction and read all of its rows.

        A statement that commits in batches (``IN TRANSACTIONS``) is sent without a transaction.
        """
        text = getattr(query, "text", query)
        if commits_in_batches(text):
            return self._run_in_batches(query, parameters, kwargs)
        if self._connection.engine == "embedded":
            # Its error for an existing index or constraint lacks the code that neomodel ignores.
            text = create_if_missing(text)
        mode = WRITE_ACCESS if self._mode == WRITE_ACCESS and may_write(text) else READ_ACCESS
        timeout = getattr(query, "timeout", None) or get_config().transaction_timeout
        options = {
            "timeout": timeout or self._connection.statement_timeout,
            "metadata": getattr(query, "metadata", None),
        }

        def attempt() -> QueryResult:
            with self._begin(mode, options) as transaction:
                result = transaction.detach(transaction.run(text, parameters, **kwargs))
                transaction.commit()
                return result

        return retry_on(lambda: self._connection, attempt, idempotent=mode == READ_ACCESS)

    def _run_in_batches(
        self, query: Any, parameters: dict[str, Any] | None, kwargs: dict[str, Any]
    ) -> QueryResult:
        self._refuse_nesting()
        with self._write_lock(self._mode):
            session = self._open(self._mode, self._mode)
            query_logging.log_query(getattr(query, "text", query), parameters or {}, kwargs)
            try:
                with self._translate_errors(in_statement=True):
                    result = session.run(query, parameters, **kwargs)
                    inbox: Any = result._connection.inbox
                    inbox.limit = self._connection.statement_timeout + _GRACE
                    return QueryResult(result).buffer()
            except (TransientError, UnavailableError) as error:
                text = f"{error}; some batches may have been committed: look before you repeat it"
                cause: Any = error.__cause__
                raise as_driver_error(UncertainCommitError(text), cause) from cause

    def _begin(self, mode: str, options: dict[str, Any]) -> GraphTransaction:
        self._refuse_nesting()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._write_lock(mode))
            try:
                with self._translate_errors():
                    transaction, role = self._begin_at_member(mode, options)
            except BaseException as error:
                with contextlib.suppress(DatabaseError):
                    self.__exit__(type(error))
                raise
            release = stack.pop_all().close
            # The leader is reached in write mode only, in which it does not reject writes.
            rejects_writes = mode == READ_ACCESS and role == WRITE_ACCESS
            self._transaction = GraphTransaction(
                transaction, release, self._connection, mode, rejects_writes=rejects_writes
            )
            return self._transaction

    def _begin_at_member(self, mode: str, options: dict[str, Any]) -> tuple[neo4j.Transaction, str]:
        """Begin a transaction at a member of a cluster; return it, and the role of the member."""
        *others, last = self._connection.roles(mode)
        for role in others:
            with contextlib.suppress(*UNREACHABLE):
                return self._open(mode, role).begin_transaction(**options), role
        return self._open(mode, last).begin_transaction(**options), last

    def _refuse_nesting(self) -> None:
        if self._transaction is not None and not self._transaction.has_ended:
            raise TransactionError("the session has an open transaction: end it before the next")

    def _open(self, mode: str, role: str) -> neo4j.Session:
        self.close()  # the session of the previous transaction
        self._session = self._connection.driver(mode).session(
            default_access_mode=role,
            database=self._connection.database,
            bookmark_manager=self._connection.bookmarks,
            **self._options,
        )
        _limit_waits(self._session, self._connection)
        return self._session

    @contextlib.contextmanager
    def _write_lock(self, mode: str) -> Iterator[None]:
        """Hold the write lock of an engine with a single writer."""
        if mode != WRITE_ACCESS:
            yield
            return
        refuse_stray_write()
        self._prepare_to_write()
        lock = self._connection.write_lock
        if lock is not None:
            lock.acquire(self._connection.writer_timeout)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _translate_errors(self, *, in_statement: bool = False) -> AbstractContextManager[None]:
        return translate_errors(self._connection.is_stopping, in_statement=in_statement)

    def _prepare_to_write(self) -> None:
        self._connection.prepare_to_write()


class TransactionState:
    """The outcome of a transaction, and the actions at its end.

    Objects read in a transaction refer to its state. Objects that it writes are restored when it is
    rolled back: the attributes of each are kept, as they were before its first change.
    """

    def __init__(self, *, is_committed: bool = False) -> None:
        self.is_committed = is_committed
        self.on_commit: list[Callable[[], object]] = []
        self._attributes: dict[int, tuple[weakref.ref[Any], dict[str, Any]]] = {}

    def __deepcopy__(self, memo: object) -> TransactionState:
        return self  # a copy of an object was read in the same transaction

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process nobody will report the outcome.
        return _unpickle_state, (self.is_committed,)

    def remember(self, node: Any, attributes: dict[str, Any] | None = None) -> None:
        """Restore the attributes of an object if the transaction is rolled back."""
        known = self._attributes.get(id(node))
        if known is None or known[0]() is not node:
            attributes = dict(node.__dict__ if attributes is None else attributes)
            self._attributes[id(node)] = (weakref.ref(node), attributes)

    def commit(self) -> None:
        """Record that the transaction was committed, and call the functions that waited for it."""
        self.is_committed = True
        self._attributes.clear()
        functions, self.on_commit = self.on_commit, []
        try:
            for function in functions:
                function()
        except GenaiGraphError as error:
            error.is_final = True  # the transaction must not be repeated
            raise

    def roll_back(self) -> None:
        """Restore the objects that the transaction wrote."""
        self.on_commit.clear()
        attributes, self._attributes = self._attributes, {}
        for reference, before in attributes.values():
            if (node := reference()) is not None:
                node.__dict__.clear()
                node.__dict__.update(before)


def _unpickle_state(is_committed: bool) -> TransactionState:
    return TransactionState(is_committed=is_committed)


class GraphTransaction:
    """A transaction that belongs to a thread or task, and ends with the release of its lock."""

    def __init__(
        self,
        transaction: neo4j.Transaction,
        release: Callable[[], None],
        connection: Connection,
        mode: str = WRITE_ACCESS,
        *,
        rejects_writes: bool = False,
    ) -> None:
        self.state = TransactionState()
        self.owner = Owner.current()
        self.has_ended = False
        self.is_broken = False  # an inner block failed after it had made changes
        self.failure: GenaiGraphError | None = None  # of a statement, which terminates it
        self.mode = mode
        self._transaction = transaction
        self._inbox: Any = transaction._connection.inbox
        self._inbox.limit = connection.statement_timeout + _GRACE
        self._release = release
        self._write_lock = connection.write_lock
        self._reuses_element_ids = connection.engine == "embedded"
        self._is_stopping = connection.is_stopping
        self._answer_timeout = _answer_timeout(connection)
        self._largest_message = connection.largest_message
        self._rejects_writes = rejects_writes
        self._turn = threading.RLock()  # worker threads of a task use it one at a time
        self._writes: list[QueryResult | None] = []  # None for a statement that failed

    def __enter__(self) -> GraphTransaction:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        if error_type is None or issubclass(error_type, Exception):
            self.close()
        else:
            self.cancel()

    def run(
        self, query: str, parameters: dict[str, Any] | None = None, **kwargs: Any
    ) -> QueryResult:
        """Run a statement; its rows are fetched as they are iterated."""
        self.require_owner()
        if commits_in_batches(query):
            raise TransactionError(
                "a statement with IN TRANSACTIONS commits by itself: run it outside of atomic()"
            )
        with self._turn:
            return self._run(query, parameters, kwargs)

    def _run(
        self, query: str, parameters: dict[str, Any] | None, kwargs: dict[str, Any]
    ) -> QueryResult:
        query_logging.log_query(query, parameters or {}, kwargs)
        is_write = may_write(query)
        if is_write and self._reuses_element_ids and matches_element_ids(query):
            raise UnsupportedError(
                "the embedded engine gives the element id of a deleted node to the next one, so a "
                "write to a node found by its element id could change another node: derive the "
                "class from genai_graph.Node, match by a property, or use a Neo4j server"
            )
        if is_write and self._rejects_writes:
            raise ReadOnlyError("the query may write: pass write=True (--write) to allow it")
        if is_write:
            self._writes.append(None)
        with self._translate_errors():
            try:
                self._validate_size(query, parameters, kwargs)
                result = self._transaction.run(query=query, parameters=parameters, **kwargs)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                if isinstance(error, GenaiGraphError | neo4j.exceptions.Neo4jError):
                    raise
                if is_write:
                    self._writes.pop()  # it was not sent
                raise _parameter_error({**(parameters or {}), **kwargs}, error) from error
        found = QueryResult(result, self._translate_errors)
        if is_write:
            self._writes[-1] = found
        # Another thread of the task may run the next statement before the rows are read.
        return found if self.owner.task is None else self.detach(found)

    def detach(self, result: QueryResult) -> QueryResult:
        """Read all rows of a result, so that they outlive the transaction."""
        result.buffer()
        if result._result in self._transaction._results:
            self._transaction._results.remove(result._result)
        return result

    def hand_over(self, owner: Owner) -> None:
        """Let the transaction, which a worker thread began, belong to a task and its thread."""
        self.owner = owner
        if self._write_lock is not None:
            self._write_lock.hand_over(owner.thread)

    def require_owner(self) -> None:
        """Raise `TransactionError` unless the caller may use the transaction."""
        if self.has_ended:
            raise TransactionError("the transaction has ended: begin another")
        reason = self.owner.reason_to_refuse(Owner.current())
        if reason is not None:
            raise TransactionError(
                f"this transaction belongs to {reason}: use it where its atomic() block was "
                "entered, and enter a block here for the statements that run here"
            )

    def _validate_size(self, *message: Any) -> None:
        """Reject a message above the engine's limit before sending: it would get no response."""
        limit = self._largest_message
        if limit is not None and (size := message_size(message)) > limit:
            raise ValueError(
                f"statement and parameters have {size:,} bytes, and the limit of this engine is "
                f"{limit:,}: send smaller batches, or use a Neo4j server"
            )

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            with translate_errors(self._is_stopping, in_statement=True):
                yield
        except GenaiGraphError as error:
            if is_server_failure(error):
                self.failure = self.failure or error
            raise

    @property
    def savepoint(self) -> tuple[int, int]:
        """The position in the transaction: the numbers of writes and of functions to call."""
        return len(self._writes), len(self.state.on_commit)

    def abandon(self, savepoint: tuple[int, int]) -> bool:
        """Drop the functions registered since a savepoint; return whether anything was changed.

        A database can't undo a part of a transaction.
        """
        writes, functions = savepoint
        del self.state.on_commit[functions:]
        with self._turn:
            return self.failure is not None or self.has_written(since=writes)

    def has_written(self, since: int = 0) -> bool:
        """Return whether any statement that may write changed anything or failed."""
        return any(result is None or result.has_updates() for result in self._writes[since:])

    def lock(self, query: str, **parameters: Any) -> QueryResult:
        """Run a statement that writes only to take locks: it does not count as a write."""
        result = self.run(query, parameters)
        self._writes.pop()
        return result

    def commit(self) -> None:
        """Commit the transaction, then call the functions registered by `on_commit`."""
        try:
            self._end(self._transaction.commit)
        except BaseException as error:
            self.state.roll_back()
            if isinstance(error, TransientError) and self._writes and is_uncertain(error):
                cause: Any = error.__cause__
                raise as_driver_error(UncertainCommitError(str(error)), cause) from cause
            raise
        self.state.commit()

    def rollback(self) -> None:
        """Roll the transaction back."""
        self._end(self._transaction.rollback, self.state.roll_back)

    def close(self) -> None:
        """Roll back unless the transaction has ended."""
        if not self.has_ended:
            self._end(self._transaction.close, self.state.roll_back)

    def cancel(self) -> None:
        """Release the write lock without talking to the server; the session is cancelled, too."""
        if not self.has_ended:
            self._end(lambda: None, self.state.roll_back)

    def _end(self, action: Callable[[], None], *afterwards: Callable[[], None]) -> None:
        with self._turn:
            self.has_ended = True
            _close_connection_if_interrupted(self._transaction)
            try:
                with self._translate_errors():
                    action()
            finally:
                self._inbox.limit = self._answer_timeout
                release, self._release = self._release, _do_nothing
                release()
                for step in afterwards:
                    step()


def _do_nothing() -> None:
    pass


def _answer_timeout(connection: Connection) -> float:
    return min(connection.answer_timeout, connection.statement_timeout + _GRACE)


def _limit_waits(session: neo4j.Session, connection: Connection) -> None:
    """Limit the time that the driver waits for each message.

    It is short for the test of an idle connection and for BEGIN, and is changed for statements.
    Neo4j ends the statement of a transaction with a timeout earlier. Others, such as those of an
    `atomic` block, may run on: it sends empty messages then, which do not count here, but would
    for the driver's own limit.
    """
    connect: Any = session._connect

    def connect_with_limit(*arguments: Any, **options: Any) -> None:
        connect(*arguments, **options)
        opened: Any = session._connection
        if "limit" not in vars(opened.inbox):  # else it was used before
            opened.inbox.pop = partial(_pop_in_time, opened, opened.inbox.pop)
        opened.inbox.limit = _answer_timeout(connection)

    session._connect = connect_with_limit  # type: ignore[method-assign]


def _pop_in_time(opened: Any, pop: Callable[[Any], Any], hydration_hooks: Any) -> Any:
    """Return the next message, or raise the driver's `SocketDeadlineExceededError`."""
    opened.socket.set_read_deadline(opened.inbox.limit)
    try:
        return pop(hydration_hooks)
    finally:
        opened.socket.set_read_deadline(None)


def _close_connection_if_interrupted(transaction: neo4j.Transaction) -> None:
    """Make the driver close the connection if Ctrl-C interrupts the end of a transaction.

    A part of the response may be lost then, and the driver, which resets the connection, would wait
    for the rest for ever. It closes the connection itself if an asyncio task is cancelled.
    """
    on_closed, on_cancel = transaction._on_closed, transaction._on_cancel
    handled = sys.exc_info()[1]  # an earlier error, during whose handling the transaction ends

    def close() -> None:
        error = sys.exc_info()[1]
        is_expected = error is None or error is handled or isinstance(error, Exception)
        (on_closed if is_expected else on_cancel)()

    transaction._on_closed = close


class QueryResult:
    """The rows of a statement, with the methods of `neo4j.Result`."""

    def __init__(
        self,
        result: neo4j.Result,
        translate_errors: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._result = result
        self._translate_errors = translate_errors
        self._is_buffered = False

    def buffer(self) -> QueryResult:
        """Read all rows."""
        with self._translate_errors():
            self._result._buffer_all()  # type: ignore[no-untyped-call]
        self._is_buffered = True
        return self

    def counters(self) -> neo4j.SummaryCounters:
        """Discard the rows that are not buffered and the parameters; return the update counters.

        Until it ends, a transaction references its results, and these reference their parameters.
        """
        with self._translate_errors():
            result = self._result
            summary = result._obtain_summary() if self._is_buffered else result.consume()
        if summary.parameters:
            summary.parameters.clear()
        return summary.counters

    def has_updates(self) -> bool:
        """Discard the remaining rows; return True if the statement changed anything or failed."""
        try:
            counters = self.counters()
        except GenaiGraphError:
            return True
        return counters.contains_updates or counters.contains_system_updates

    def __iter__(self) -> Iterator[neo4j.Record]:
        with self._translate_errors():
            yield from self._result

    def __getattr__(self, name: str) -> Any:
        """Return a method of the driver's result, with translated errors."""
        method = getattr(self._result, name)

        @wraps(method)
        def translated(*arguments: Any, **options: Any) -> Any:
            with self._translate_errors():
                return method(*arguments, **options)

        return translated


def _parameter_error(parameters: dict[str, Any], error: Exception) -> QueryError:
    """Return the error for parameters that the driver rejected, with the name of the first one."""
    problems: list[str | None] = []
    with contextlib.suppress(RecursionError):
        problems = [
            unsendable_parameter(value, f"parameter {name}") for name, value in parameters.items()
        ]
    named = next((problem for problem in problems if problem), None)
    return QueryError(named or f"parameters can't be sent to the database: {error}")
