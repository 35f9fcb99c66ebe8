"""The driver that neomodel and this package use: all statements pass through it.

It wraps the neo4j driver and hides the differences between engines: driver errors become errors of
this package, every thread uses the same database, and on an engine with a single writer, the lock
is held around every transaction that may write.
"""

from __future__ import annotations

import contextlib
from asyncio import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any

from neo4j import READ_ACCESS, WRITE_ACCESS

from genai_graph.database import query_logging
from genai_graph.database.cypher import may_write
from genai_graph.database.error_translation import translate_errors
from genai_graph.database.values import message_size
from genai_graph.errors import DatabaseError, NotConnectedError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    import neo4j

    from genai_graph.database.connection import Connection
    from genai_graph.server.locks import WriterLock


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

    def __enter__(self) -> GraphSession:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        if error_type is None or issubclass(error_type, Exception):
            self.close()
        else:
            self.cancel()

    def close(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            with translate_errors(self._connection.is_stopping):
                session.close()

    def cancel(self) -> None:
        """Close the socket without talking to the server, which then rolls back.

        Ctrl-C may interrupt the driver in the middle of a message. The driver does the same itself
        when an asyncio task is cancelled.
        """
        session, self._session = self._session, None
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
        """Run one statement in its own transaction and read all of its rows."""
        text = getattr(query, "text", query)
        mode = WRITE_ACCESS if self._mode == WRITE_ACCESS and may_write(text) else READ_ACCESS
        with self._begin(mode, {}) as transaction:
            result = transaction.run(text, parameters, **kwargs).buffer()
            transaction.commit()
            return result

    def _begin(self, mode: str, options: dict[str, Any]) -> GraphTransaction:
        self.close()  # the session of the previous transaction
        write_lock = None
        if mode == WRITE_ACCESS:
            self._prepare_to_write()
            write_lock = self._connection.write_lock
            if write_lock is not None:
                write_lock.acquire(self._connection.writer_timeout)
        try:
            with translate_errors(self._connection.is_stopping):
                self._session = self._connection.driver(mode).session(
                    default_access_mode=mode,
                    database=self._connection.database,
                    bookmark_manager=self._connection.bookmarks,
                    **self._options,
                )
                transaction = self._session.begin_transaction(**options)
                return GraphTransaction(transaction, write_lock, self._connection)
        except BaseException as error:
            with contextlib.suppress(DatabaseError):
                self.__exit__(type(error))
            if write_lock is not None:
                write_lock.release()
            raise

    def _prepare_to_write(self) -> None:
        self._connection.prepare_to_write()


class TransactionState:
    """Whether a transaction was committed. Objects read in a transaction refer to its state."""

    is_committed = False


class GraphTransaction:
    """A transaction that releases the write lock when it ends."""

    def __init__(
        self, transaction: neo4j.Transaction, write_lock: WriterLock | None, connection: Connection
    ) -> None:
        self.state = TransactionState()
        self._transaction = transaction
        self._translate_errors = partial(translate_errors, connection.is_stopping)
        self._write_lock = write_lock
        self._largest_message = connection.largest_message

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
        query_logging.log_query(query, parameters or {}, kwargs)
        with self._translate_errors():
            try:
                self._validate_size(query, parameters, kwargs)
                result = self._transaction.run(query, parameters, **kwargs)
                return QueryResult(result, self._translate_errors)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                raise QueryError(f"parameters can't be sent to the database: {error}") from error

    def _validate_size(self, *message: Any) -> None:
        """Reject a message above the engine's limit before sending: it would get no response."""
        limit = self._largest_message
        if limit is not None and (size := message_size(message)) > limit:
            raise ValueError(
                f"statement and parameters have {size:,} bytes, and the limit of this engine is "
                f"{limit:,}: send smaller batches, or use a Neo4j server"
            )

    def commit(self) -> None:
        """Commit the transaction."""
        self._end(self._transaction.commit)
        self.state.is_committed = True

    def rollback(self) -> None:
        """Roll the transaction back."""
        self._end(self._transaction.rollback)

    def close(self) -> None:
        """Roll back unless the transaction has ended."""
        self._end(self._transaction.close)

    def cancel(self) -> None:
        """Release the write lock without talking to the server; the session is cancelled, too."""
        self._end(lambda: None)

    def _end(self, action: Callable[[], None]) -> None:
        try:
            with self._translate_errors():
                action()
        finally:
            write_lock, self._write_lock = self._write_lock, None
            if write_lock is not None:
                write_lock.release()


class QueryResult:
    """The rows of a statement."""

    def __init__(
        self, result: neo4j.Result, translate_errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._result = result
        self._translate_errors = translate_errors
        self._buffer: list[neo4j.Record] | None = None

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self._result.keys()

    def buffer(self) -> QueryResult:
        """Read all rows, so that they outlive their transaction."""
        with self._translate_errors():
            self._buffer = list(self._result)
            self._result.consume()
        return self

    def consume(self) -> neo4j.SummaryCounters:
        """Discard the remaining rows and the parameters, and return the update counters.

        Until it ends, a transaction references its results, and these reference their parameters.
        """
        with self._translate_errors():
            summary = self._result.consume()
        if summary.parameters:
            summary.parameters.clear()
        return summary.counters

    def has_updates(self) -> bool:
        """Discard the remaining rows; return True if the statement changed anything or failed."""
        try:
            counters = self.consume()
        except DatabaseError:
            return True
        return counters.contains_updates or counters.contains_system_updates

    def __iter__(self) -> Iterator[neo4j.Record]:
        if self._buffer is not None:
            yield from self._buffer
            return
        with self._translate_errors():
            yield from self._result
