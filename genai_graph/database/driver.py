"""The driver that neomodel and this package use: one way to the database, on every engine.

It stands in front of the neo4j driver and evens out what differs between engines: every error
becomes one of this package's, every thread gets the same database, and where the engine takes one
writer at a time, its lock is held round every transaction that may write.
"""

from __future__ import annotations

import contextlib
from asyncio import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

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
    from neo4j.api import BookmarkManager


class WriteLock(Protocol):
    """What a transaction that may write holds."""

    def acquire(self) -> None:
        """Wait for the turn to write."""

    def release(self) -> None:
        """Give the turn back."""


class NullWriteLock:
    """An engine that takes many writers at once needs no turn."""

    def acquire(self) -> None:
        """Return at once."""

    def release(self) -> None:
        """Return at once."""


class ConnectionProtocol(Protocol):
    """An open connection, as far as sessions need to know it."""

    database: str | None
    writer: WriteLock
    bookmarks: BookmarkManager | None  # what a read waits for: this connection's last writes
    largest_message: int | None  # bytes of a statement with its parameters

    def driver(self, access_mode: str) -> neo4j.Driver:
        """Return the driver of a user who may do what the mode says."""

    def session(self, access_mode: str, options: dict[str, Any]) -> GraphSession:
        """Open a session that may do what the mode says, and no more than the connection."""

    def prepare_to_write(self) -> None:
        """Do what must be done before the first write."""

    def is_stopping(self) -> bool:
        """Tell whether it is to a managed engine that stops, or has stopped."""


class GraphDriver:
    """The driver for the connection that is open at the moment.

    neomodel keeps one driver for the process; this one stays in its place and follows
    `genai_graph.connect` and `close`.
    """

    def __init__(self, current: Callable[[], ConnectionProtocol | None]) -> None:
        self._current = current

    def session(
        self,
        *,
        default_access_mode: str = WRITE_ACCESS,
        database: str | None = None,
        **options: Any,
    ) -> GraphSession:
        """Open a session on the connection's database (neomodel's choice of one is ignored)."""
        link = self._current()
        if link is None:
            raise NotConnectedError
        return link.session(default_access_mode, options)

    def close(self) -> None:
        """Do nothing: the connection is closed by the one who opened it."""


class GraphSession:
    """A session; its transactions are explicit, since auto-commit is not atomic on every engine."""

    def __init__(self, link: ConnectionProtocol, access_mode: str, options: dict[str, Any]) -> None:
        self._link = link
        self._mode = access_mode
        self._options = options
        self._session: neo4j.Session | None = None

    def __enter__(self) -> GraphSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            self.abandon()

    def close(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            with translate_errors(self._link.is_stopping):
                session.close()

    def abandon(self) -> None:
        """End the session's connection, whatever state that is in: the server rolls back.

        So does the driver itself where a task is cancelled; Ctrl-C can come as deep in it.
        """
        session, self._session = self._session, None
        if session is not None:
            session.__exit__(CancelledError, CancelledError(), None)  # type: ignore[no-untyped-call]

    def last_bookmarks(self) -> neo4j.Bookmarks | None:
        """Return the bookmarks of what was committed last."""
        return None if self._session is None else self._session.last_bookmarks()

    def begin_transaction(self, **options: Any) -> GraphTransaction:
        """Begin a transaction; one that may write waits for its turn."""
        return self._begin(self._mode, options)

    def run(self, query: Any, parameters: dict[str, Any] | None = None, **more: Any) -> QueryResult:
        """Run one statement in a transaction of its own, and read its rows to the end."""
        text = getattr(query, "text", query)
        mode = WRITE_ACCESS if self._mode == WRITE_ACCESS and may_write(text) else READ_ACCESS
        with self._begin(mode, {}) as transaction:
            rows = transaction.run(text, parameters, **more).kept()
            transaction.commit()
            return rows

    def _begin(self, mode: str, options: dict[str, Any]) -> GraphTransaction:
        self.close()
        if mode == WRITE_ACCESS:
            self._link.prepare_to_write()
        writer = NullWriteLock() if mode == READ_ACCESS else self._link.writer
        writer.acquire()
        try:
            with translate_errors(self._link.is_stopping):
                self._session = self._link.driver(mode).session(
                    default_access_mode=mode,
                    database=self._link.database,
                    bookmark_manager=self._link.bookmarks,
                    **self._options,
                )
                transaction = self._session.begin_transaction(**options)
                return GraphTransaction(transaction, writer, self._link)
        except BaseException as error:
            with contextlib.suppress(DatabaseError):
                self.__exit__(type(error))
            writer.release()
            raise


class GraphTransaction:
    """A transaction that gives its turn to write back when it ends, however it ends."""

    def __init__(
        self, transaction: neo4j.Transaction, writer: WriteLock, link: ConnectionProtocol
    ) -> None:
        self._transaction = transaction
        self._translated = partial(translate_errors, link.is_stopping)
        self._writer: WriteLock | None = writer
        self._largest_message = link.largest_message

    def __enter__(self) -> GraphTransaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            self.abandon()

    def run(self, query: str, parameters: dict[str, Any] | None = None, **more: Any) -> QueryResult:
        """Run a statement; its rows come as they are read."""
        query_logging.log_query(query, parameters or {}, more)
        with self._translated():
            try:
                self._refuse_larger(query, parameters, more)
                result = self._transaction.run(query, parameters, **more)
                return QueryResult(result, self._translated)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                raise QueryError(f"parameters can't be sent to the database: {error}") from error

    def _refuse_larger(self, *message: Any) -> None:
        """Refuse a message that the server would not answer, before any of it is sent."""
        largest = self._largest_message
        if largest is not None and (size := message_size(message)) > largest:
            raise ValueError(
                f"with the statement they may have {largest:,} bytes on this engine, and have "
                f"{size:,}: send less at once, or use a Neo4j server"
            )

    def commit(self) -> None:
        """Commit, and end the transaction."""
        self._end(self._transaction.commit)

    def rollback(self) -> None:
        """Roll back, and end the transaction."""
        self._end(self._transaction.rollback)

    def close(self) -> None:
        """Roll back unless the transaction has ended."""
        self._end(self._transaction.close)

    def abandon(self) -> None:
        """Give the turn back without a word to the server: its session is abandoned, too."""
        self._end(lambda: None)

    def _end(self, action: Callable[[], None]) -> None:
        try:
            with self._translated():
                action()
        finally:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.release()


class QueryResult:
    """The rows of a result."""

    def __init__(
        self, result: neo4j.Result, translated: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._result = result
        self._translated = translated
        self._kept: list[neo4j.Record] | None = None

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self._result.keys()

    def kept(self) -> QueryResult:
        """Read the rows to the end, so that they outlive their transaction."""
        with self._translated():
            self._kept = list(self._result)
            self._result.consume()
        return self

    def finish(self) -> neo4j.SummaryCounters:
        """Let go of what was sent, once the rows are read; return how much was changed.

        A transaction keeps all of its results, and they keep their parameters.
        """
        with self._translated():
            summary = self._result.consume()
        if summary.parameters:
            summary.parameters.clear()
        return summary.counters

    def __iter__(self) -> Iterator[neo4j.Record]:
        if self._kept is not None:
            yield from self._kept
            return
        with self._translated():
            yield from self._result
