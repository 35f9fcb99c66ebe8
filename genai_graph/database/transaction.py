"""Transactions and statements on the connection in use."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from neo4j import READ_ACCESS, WRITE_ACCESS
from neomodel import db

from genai_graph.database.connection import graph_driver
from genai_graph.database.cypher import may_write
from genai_graph.database.values import plain
from genai_graph.errors import DatabaseError, ReadOnlyError, TransactionError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    except BaseException:
        with contextlib.suppress(DatabaseError):  # which must not hide why it is rolled back
            _roll_back()
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


@contextlib.contextmanager
def _inner() -> Iterator[None]:
    try:
        yield
    except BaseException:
        _broken.set(True)
        raise


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
    merged = {**(parameters or {}), **more}
    if db._active_transaction is not None:
        if not write and may_write(cypher):
            raise ReadOnlyError("this query may write: pass write=True (--write) to let it")
        return _rows(db._active_transaction, cypher, merged)
    mode = WRITE_ACCESS if write else READ_ACCESS
    session = graph_driver.session(default_access_mode=mode)
    with session, session.begin_transaction() as transaction:
        rows = _rows(transaction, cypher, merged)
        transaction.commit()  # the embedded engine refuses some writes only here
        return rows


def _rows(transaction: Any, cypher: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    result = transaction.run(cypher, parameters)
    return [{key: plain(value) for key, value in record.items()} for record in result]
