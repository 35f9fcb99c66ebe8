"""A sandbox: all that is done on a connection is one transaction, rolled back in the end."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

from neo4j import READ_ACCESS, WRITE_ACCESS

from genai_graph.database.connection import current_connection
from genai_graph.database.cypher import may_write, survives_rollback
from genai_graph.database.driver import GraphSession, GraphTransaction, NullWriteLock
from genai_graph.errors import DatabaseError, TransactionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_graph.database.driver import ConnectionProtocol, QueryResult


_log = logging.getLogger("genai_graph")


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Roll back at the end of the block all that was done on the connection in use.

    Within it is visible what was written; `atomic` blocks are parts of the one transaction. No
    database undoes a transaction in part: when a part fails that has written, or a statement that
    the database can't run breaks the whole, everything is rolled back, a warning says so, and the
    sandbox begins anew.

    It belongs to its thread, others can read what is outside of it. From the first write on it is
    the one writer of the embedded engine; Neo4j locks the nodes and edges that it wrote. What
    can't be rolled back (the schema, users) raises `TransactionError`.
    """
    connection = current_connection()
    if connection.sandbox is not None:
        raise TransactionError("this is a sandbox already: they don't nest")
    connection.sandbox = box = Sandbox(connection)
    try:
        yield box
    finally:
        if connection.sandbox is box:  # else in a forked child, which left it to its parent
            connection.sandbox = None
            box.roll_back()


class Sandbox:
    """The one transaction, begun by the first write."""

    def __init__(self, link: ConnectionProtocol) -> None:
        self._link = link
        self._thread = threading.get_ident()
        self._whole: _OuterTransaction | None = None
        self._holds_something = False

    def session(self, access_mode: str, options: dict[str, Any]) -> GraphSession:
        """Return what looks like a session of its own."""
        return _SandboxSession(self, self._link, access_mode, options)

    def part(self, access_mode: str) -> GraphTransaction | None:
        """Return a part of the transaction; None when it is of no concern to what is to be done."""
        is_ours = threading.get_ident() == self._thread
        if access_mode == READ_ACCESS and (self._whole is None or not is_ours):
            return None
        if not is_ours:
            raise TransactionError("a sandbox is its own thread's: others can only read")
        if self._whole is None:
            self._whole = _OuterTransaction(self._link)
        return _InnerTransaction(self, self._whole.transaction, self._link)

    def keep(self, *, wrote: bool) -> None:
        """Go on after a part, or raise what makes that impossible."""
        try:
            self._try()
        except DatabaseError:
            self.begin_anew()
            raise
        self._holds_something = self._holds_something or wrote

    def undo(self, *, wrote: bool) -> None:
        """Undo a part: all, if it has written."""
        try:
            if not wrote:
                self._try()
                return
        except DatabaseError:
            pass
        self.begin_anew()

    def begin_anew(self, *, interrupted: bool = False) -> None:
        """Roll everything back, and say so."""
        if self._holds_something:
            _log.warning(
                "the sandbox is rolled back and begins anew: a transaction can't be undone in part"
            )
        self.roll_back(interrupted=interrupted)

    def roll_back(self, *, interrupted: bool = False) -> None:
        """Roll everything back."""
        whole, self._whole, self._holds_something = self._whole, None, False
        if whole is not None:
            whole.end(interrupted=interrupted)

    def _try(self) -> None:
        """Ask whether the transaction goes on; one in which a statement failed does not."""
        if self._whole is not None:
            self._whole.transaction.run("RETURN 1").kept()


class _OuterTransaction:
    """The transaction, and the session that it needs."""

    def __init__(self, link: ConnectionProtocol) -> None:
        self._session = GraphSession(link, WRITE_ACCESS, {})
        self.transaction = self._session.begin_transaction()

    def end(self, *, interrupted: bool) -> None:
        """Roll back; without a word to the server when it was interrupted in an answer."""
        with contextlib.suppress(DatabaseError):  # what is not answered is rolled back, too
            if interrupted:
                self._session.abandon()
        with contextlib.suppress(DatabaseError):
            self.transaction.abandon() if interrupted else self.transaction.close()
        with contextlib.suppress(DatabaseError):
            self._session.close()


class _SandboxSession(GraphSession):
    """A session whose transactions are parts of the sandbox's, except to read before it began."""

    def __init__(
        self, box: Sandbox, link: ConnectionProtocol, access_mode: str, options: dict[str, Any]
    ) -> None:
        super().__init__(link, access_mode, options)
        self._box = box

    def _begin(self, mode: str, options: dict[str, Any]) -> GraphTransaction:
        return self._box.part(mode) or super()._begin(mode, options)


class _InnerTransaction(GraphTransaction):
    """What is a transaction outside; its end is not that of the sandbox's."""

    def __init__(self, box: Sandbox, whole: GraphTransaction, link: ConnectionProtocol) -> None:
        super().__init__(whole._transaction, NullWriteLock(), link)
        self._box: Sandbox | None = box
        self._wrote = False

    def run(self, query: str, parameters: dict[str, Any] | None = None, **more: Any) -> QueryResult:
        """Run a statement, unless something of it would stay."""
        if survives_rollback(query):
            raise TransactionError(
                "a sandbox can't run this statement: what it does can't be rolled back"
            )
        self._wrote = self._wrote or may_write(query)
        return super().run(query, parameters, **more)

    def commit(self) -> None:
        """Leave what it did to the sandbox."""
        box, self._box = self._box, None
        if box is not None:
            box.keep(wrote=self._wrote)

    def rollback(self) -> None:
        """Undo what it did, and with it everything else, if it has written."""
        self.close()

    def close(self) -> None:
        """Undo what it did unless it has ended."""
        box, self._box = self._box, None
        if box is not None:
            box.undo(wrote=self._wrote)

    def abandon(self) -> None:
        """Undo everything: it was interrupted in the middle of an answer."""
        box, self._box = self._box, None
        if box is not None:
            box.begin_anew(interrupted=True)
