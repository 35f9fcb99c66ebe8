"""Translation of the driver's errors into this package's."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from neo4j import exceptions as driver

from genai_graph.errors import (
    AuthenticationError,
    DatabaseError,
    NodeExistsError,
    QueryError,
    ReadOnlyError,
    TLSError,
    TransactionError,
    TransactionMemoryError,
    TransientError,
    UnavailableError,
    iter_causes,
    strip_tracebacks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genai_graph.errors import GenaiGraphError


_NOT_AUTHENTICATED = ("Neo.ClientError.Security.Auth", "Neo.ClientError.Security.Unauth")
_HOSTNAME_MISMATCH = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH
_READ_ONLY = ("Neo.ClientError.Statement.AccessMode", "Neo.ClientError.Security.Forbidden")
_INVALID_STATEMENT = ("Neo.ClientError.Statement.", "Neo.ClientError.Procedure.")
_CALLER_ERRORS = (ReadOnlyError, NodeExistsError)
_UNREACHABLE = (
    driver.ServiceUnavailable,
    driver.SessionExpired,
    driver.ConnectionAcquisitionTimeoutError,
)


@contextlib.contextmanager
def translate_errors(is_stopping: Callable[[], bool]) -> Iterator[None]:
    """Translate the driver's errors raised inside the block.

    An engine that is stopping raises all kinds of errors; they are reported as its end.
    """
    try:
        yield
    except (driver.Neo4jError, driver.DriverError) as error:
        translated = translate_error(error)
        if not isinstance(translated, _CALLER_ERRORS) and is_stopping():
            translated = _connection_lost(error)
        raise translated from strip_tracebacks(error)
    except BufferError as error:  # raised by the driver after Ctrl-C in the middle of a message
        raise KeyboardInterrupt from error


def _reason(error: BaseException) -> str:
    """Return the operating system's reason for a failed connection in brackets, or ""."""
    reasons = (cause.strerror for cause in iter_causes(error) if isinstance(cause, OSError))
    return next((f" ({reason})" for reason in reasons if reason), "")


def connection_error(uri: str, error: BaseException) -> UnavailableError:
    """Return the error for a failed attempt to connect."""
    causes = list(iter_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_error(uri, cause)
        if isinstance(cause, ssl.SSLError):
            return TLSError(
                f"the server at {uri} does not use TLS: check the port in NEO4J_URI, or for "
                "plaintext use a scheme without +s, and no NEO4J_TRUSTED_CERTIFICATES"
            )
        if isinstance(cause, TimeoutError | driver.ConnectionAcquisitionTimeoutError):
            message = f"timed out connecting to {uri}: check the server, or set NEO4J_URI"
            return UnavailableError(message)
    if _reason(error) and not any(isinstance(cause, ConnectionResetError) for cause in causes):
        return UnavailableError(
            f"can't connect to {uri}{_reason(error)}: start the server, or set NEO4J_URI"
        )
    return UnavailableError(
        f"the server at {uri} does not use Bolt: check the port in NEO4J_URI, and its scheme "
        "(neo4j+s or bolt+s if the server requires TLS)"
    )


def _certificate_error(uri: str, error: ssl.SSLCertVerificationError) -> TLSError:
    reason = error.verify_message.rstrip(".")
    if error.verify_code in _HOSTNAME_MISMATCH:
        return TLSError(
            f"the certificate of {uri} is for another host name ({reason}): use a name from the "
            "certificate in NEO4J_URI"
        )
    return TLSError(
        f"the certificate of {uri} is not trusted ({reason}): set NEO4J_TRUSTED_CERTIFICATES to "
        "the file of its certificate authority"
    )


def translate_error(error: driver.Neo4jError | driver.DriverError) -> GenaiGraphError:
    """Return the error of this package for an error of the driver."""
    if isinstance(error, driver.Neo4jError):
        return _translate_server_error(error)
    if isinstance(error, _UNREACHABLE):
        return _connection_lost(error)
    if isinstance(error, driver.TransactionError):
        return TransactionError(f"the transaction has ended, begin another: {error}")
    return DatabaseError(str(error))


def _connection_lost(error: BaseException) -> UnavailableError:
    return UnavailableError(
        f"lost the connection to the database{_reason(error)}: it has stopped or can't be reached: "
        "connect again"
    )


def _translate_server_error(error: driver.Neo4jError) -> GenaiGraphError:
    code, message = error.code or "", error.message or str(error)
    if isinstance(error, driver.AuthError) or code.startswith(_NOT_AUTHENTICATED):
        return AuthenticationError(
            "wrong user name or password: set NEO4J_USERNAME and NEO4J_PASSWORD (or "
            "NEO4J_PASSWORD_FILE)"
            + ("; too many failed attempts: wait a few seconds" if "Rate" in code else "")
        )
    if code == "Neo.ClientError.Security.CredentialsExpired":
        return AuthenticationError(
            "the password has expired: in cypher-shell --database system, run "
            "`ALTER CURRENT USER SET PASSWORD FROM 'old' TO 'new'`"
        )
    if code in _READ_ONLY:
        return ReadOnlyError(
            "the query is read-only: pass write=True (--write), as a user with write access"
        )
    if code == "Neo.ClientError.Schema.ConstraintValidationFailed":
        return NodeExistsError(f"a node with this uid already exists: {message}")
    if code == "Neo.ClientError.Database.DatabaseNotFound":
        return QueryError("the database does not exist on the server: set NEO4J_DATABASE")
    if code.startswith(_INVALID_STATEMENT) or message.startswith("Unknown "):
        return QueryError(message.splitlines()[0])  # the other lines point into the statement
    if "Memory" in code:  # marked transient, too, but a retry fails again
        return TransactionMemoryError(
            f"the transaction exceeds the server's memory limit: {message}"
        )
    if error.is_retryable():  # includes a change of the leader of a cluster
        return TransientError(f"the database rolled back the transaction, retry it: {message}")
    return DatabaseError(f"{message} ({code})")
