"""The driver's errors, turned into this package's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from neo4j import exceptions as driver

from genai_graph.errors import (
    AuthenticationError,
    DatabaseError,
    NodeExistsError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    TransactionMemoryError,
    TransientError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_graph.errors import GenaiGraphError

_NOT_AUTHENTICATED = ("Neo.ClientError.Security.Auth", "Neo.ClientError.Security.Unauth")
_READ_ONLY = (
    "Neo.ClientError.Statement.AccessMode",
    "Neo.ClientError.Security.Forbidden",
)
_UNREACHABLE = (
    driver.ServiceUnavailable,
    driver.SessionExpired,
    driver.ConnectionAcquisitionTimeoutError,
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver raises inside into this package's errors."""
    try:
        yield
    except (driver.Neo4jError, driver.DriverError) as error:
        raise translate(error) from error


def reason(error: BaseException | None) -> str:
    """Return the system's reason for a failed connection, in brackets, where there is one."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return f" ({error.strerror})"
        error = error.__cause__ or error.__context__
    return ""


def translate(error: driver.Neo4jError | driver.DriverError) -> GenaiGraphError:
    """Return this package's error for one of the driver's."""
    if isinstance(error, driver.Neo4jError):
        return _translate_answer(error)
    if isinstance(error, _UNREACHABLE):
        return UnavailableError(
            f"the database does not answer{reason(error)}: it has stopped, or can't be reached"
        )
    if isinstance(error, driver.TransactionError):
        return TransactionError(f"the transaction has ended: {error}")
    return DatabaseError(str(error))


def _translate_answer(error: driver.Neo4jError) -> GenaiGraphError:
    code, message = error.code or "", error.message or str(error)
    if isinstance(error, driver.AuthError) or code.startswith(_NOT_AUTHENTICATED):
        return AuthenticationError(
            "the server refused the user or the password: set NEO4J_USERNAME and NEO4J_PASSWORD"
            + ("; after several tries it wants some seconds of waiting" if "Rate" in code else "")
        )
    if code in _READ_ONLY:
        return ReadOnlyError(
            "a query may only read unless write=True (--write) is given and its user may write"
        )
    if code == "Neo.ClientError.Schema.ConstraintValidationFailed":
        return NodeExistsError(f"a node of this uid is already in the graph: {message}")
    if code == "Neo.ClientError.Database.DatabaseNotFound":
        return QueryError("there is no such database on the server: set NEO4J_DATABASE")
    if code.startswith("Neo.ClientError.Statement.") or message.startswith("Unknown "):
        return QueryError(message.splitlines()[0])  # the others point into the statement
    if "Memory" in code:  # is called transient too, and fails again each time
        return TransactionMemoryError(f"the server's memory for transactions is used up: {message}")
    if code.startswith("Neo.TransientError."):
        return TransientError(f"the database gave up on the transaction, try again: {message}")
    return DatabaseError(f"{message} ({code})")
