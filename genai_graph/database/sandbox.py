"""Sandbox: all work on a connection runs in one transaction, which is rolled back at the end."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from neo4j import READ_ACCESS, WRITE_ACCESS

from genai_graph.database.connection import current_connection
from genai_graph.database.cypher import is_explained, survives_rollback
from genai_graph.database.driver import GraphSession, GraphTransaction, TransactionState
from genai_graph.database.query_logging import no_query_logging
from genai_graph.errors import DatabaseError, ReadOnlyError, TransactionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_graph.database.connection import Connection
    from genai_graph.database.driver import QueryResult


_log = logging.getLogger("genai_graph")


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Roll back all changes made on the current connection within the block.

    Changes are visible inside the sandbox; `atomic` blocks become part of its transaction. A
    database can't roll back part of a transaction: if a nested transaction fails after a write, or
    an invalid statement terminates the outer one, everything is rolled back with a warning, and the
    sandbox starts over with the next write.

    A sandbox belongs to the thread that opened it; other threads can only read committed data.
    After its first write it holds the write lock of the embedded engine; Neo4j locks the nodes and
    edges it wrote. Statements that can't be rolled back (schema, users) raise `TransactionError`.
    """
    connection = current_connection()
    if connection.sandbox is not None:
        raise TransactionError("a sandbox is already active: leave it first (sandboxes don't nest)")
    connection.sandbox = box = Sandbox(connection)
    try:
        yield box
    finally:
        if connection.sandbox is box:  # not in a forked child: the sandbox remains the parent's
            connection.sandbox = None
            box.roll_back()


class Sandbox:
    """An active sandbox; its transaction begins with the first write."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._thread = threading.get_ident()
        self._session = _OuterSession(connection, WRITE_ACCESS, {})
        self._transaction: GraphTransaction | None = None
        self._has_written = False
        self._validated: set[str] = set()
        self.state = TransactionState()  # of the changes since the last rollback

    def session(self, access_mode: str, options: dict[str, Any]) -> GraphSession:
        """Open a session whose transactions run inside the sandbox."""
        return _InnerSession(self, access_mode, options)

    def begin(self, access_mode: str) -> GraphTransaction | None:
        """Begin a nested transaction; return None if an ordinary transaction will do."""
        is_own_thread = threading.get_ident() == self._thread
        if access_mode == READ_ACCESS and (self._transaction is None or not is_own_thread):
            return None
        if not is_own_thread:
            raise TransactionError("other threads can only read while a sandbox is active")
        if self._transaction is None:
            self._transaction = self._session.begin_transaction()
        return _InnerTransaction(self, self._transaction)

    def validate(self, query: str) -> None:
        """Raise `QueryError` for an invalid statement, which would end the transaction.

        Each statement is explained once, in a transaction of its own.
        """
        if query in self._validated or self._transaction is None or is_explained(query):
            return
        with (
            no_query_logging(),
            contextlib.suppress(ReadOnlyError),
            GraphSession(self.connection, READ_ACCESS, {}) as session,
            session.begin_transaction() as transaction,
        ):
            transaction.run(f"EXPLAIN {query}").buffer()
        self._validated.add(query)

    def commit(self, *, wrote: bool) -> None:
        """End a nested transaction; raise the error that terminated the outer one, if any."""
        try:
            self._ping()
        except DatabaseError:
            self.start_over()
            raise
        self._has_written = self._has_written or wrote

    def undo(self, *, wrote: bool) -> None:
        """Roll back a nested transaction: everything, if it has written."""
        if not wrote:
            with contextlib.suppress(DatabaseError):
                self._ping()
                return
        self.start_over()

    def start_over(self, *, interrupted: bool = False) -> None:
        """Roll everything back, and warn if that discards changes."""
        if self._has_written:
            _log.warning(
                "the sandbox was rolled back and starts over: a transaction can't be undone in part"
            )
        self.roll_back(interrupted=interrupted)

    def roll_back(self, *, interrupted: bool = False) -> None:
        """Roll everything back; if a message was interrupted, by closing the socket."""
        transaction, self._transaction, self._has_written = self._transaction, None, False
        state, self.state = self.state, TransactionState()
        state.roll_back()
        if transaction is None:
            return
        with contextlib.suppress(DatabaseError):  # without a response, the server rolls back, too
            if interrupted:
                self._session.cancel()
        with contextlib.suppress(DatabaseError):
            transaction.cancel() if interrupted else transaction.close()
        with contextlib.suppress(DatabaseError):
            self._session.close()

    def _ping(self) -> None:
        """Raise an error if a failed statement has terminated the outer transaction."""
        if self._transaction is not None:
            self._transaction.run("RETURN 1").buffer()


def _not_reversible() -> TransactionError:
    return TransactionError(
        "the effects of this statement can't be rolled back: run it outside the sandbox"
    )


class _OuterSession(GraphSession):
    def _prepare_to_write(self) -> None:
        """Do nothing: the schema, which is installed before the first write, can't be undone."""


class _InnerSession(GraphSession):
    """A session with nested transactions; reads before the first write are ordinary ones."""

    def __init__(self, box: Sandbox, access_mode: str, options: dict[str, Any]) -> None:
        super().__init__(box.connection, access_mode, options)
        self._box = box

    def _begin(self, mode: str, options: dict[str, Any]) -> GraphTransaction:
        return self._box.begin(mode) or super()._begin(mode, options)

    def _run_in_batches(self, *statement: Any) -> NoReturn:
        raise _not_reversible()


class _InnerTransaction(GraphTransaction):
    """A nested transaction; ending it does not end the sandbox."""

    def __init__(self, box: Sandbox, outer: GraphTransaction) -> None:
        super().__init__(outer._transaction, lambda: None, box.connection)
        self._write_lock = None  # the outer transaction holds it
        self._box: Sandbox | None = box

    def run(
        self, query: str, parameters: dict[str, Any] | None = None, **kwargs: Any
    ) -> QueryResult:
        """Run a statement, unless it has effects that can't be rolled back."""
        if survives_rollback(query):
            raise _not_reversible()
        if self._box is not None:
            self._box.validate(query)
        return super().run(query, parameters, **kwargs)

    def commit(self) -> None:
        """End the nested transaction; its changes remain in the sandbox."""
        if (box := self._leave()) is not None:
            box.commit(wrote=self.has_written())

    def rollback(self) -> None:
        """Undo the changes, and with them the whole sandbox."""
        self.close()

    def close(self) -> None:
        """Roll back unless the transaction has ended."""
        if (box := self._leave()) is not None:
            box.undo(wrote=self.has_written())

    def cancel(self) -> None:
        """Roll everything back after an interruption in the middle of a message."""
        if (box := self._leave()) is not None:
            box.start_over(interrupted=True)

    def _leave(self) -> Sandbox | None:
        box, self._box = self._box, None
        self.has_ended = True
        return box
