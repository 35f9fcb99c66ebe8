"""The driver's errors, turned into this package's."""

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
_OTHER_NAME = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH
_READ_ONLY = (
    "Neo.ClientError.Statement.AccessMode",
    "Neo.ClientError.Security.Forbidden",
)
_WRONG_STATEMENT = ("Neo.ClientError.Statement.", "Neo.ClientError.Procedure.")
_OF_THE_CALLER = (QueryError, ReadOnlyError, NodeExistsError)
_UNREACHABLE = (
    driver.ServiceUnavailable,
    driver.SessionExpired,
    driver.ConnectionAcquisitionTimeoutError,
)


@contextlib.contextmanager
def translate_errors(is_stopping: Callable[[], bool]) -> Iterator[None]:
    """Turn what the driver raises inside into this package's errors.

    An engine that stops answers with errors of all kinds first: they mean that it has stopped.
    """
    try:
        yield
    except (driver.Neo4jError, driver.DriverError) as error:
        fault = translate_error(error)
        if not isinstance(fault, _OF_THE_CALLER) and is_stopping():
            fault = _stopped(error)
        raise fault from strip_tracebacks(error)
    except BufferError as error:  # Ctrl-C came in the middle of an answer, and the driver read on
        raise KeyboardInterrupt from error


def _reason(error: BaseException) -> str:
    """Return the system's reason for a failed connection, in brackets, where there is one."""
    reasons = (cause.strerror for cause in iter_causes(error) if isinstance(cause, OSError))
    return next((f" ({reason})" for reason in reasons if reason), "")


def connection_error(uri: str, error: BaseException) -> UnavailableError:
    """Return the error for an address where no connection could be opened."""
    causes = list(iter_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(uri, cause)
        if isinstance(cause, ssl.SSLError):
            return TLSError(
                f"what listens at {uri} does not answer in TLS: set the port in NEO4J_URI, or for "
                "plain text a scheme without +s, and no NEO4J_TRUSTED_CERTIFICATES"
            )
        if isinstance(cause, TimeoutError):
            return UnavailableError(
                f"no server answers at {uri} in time: see that it is well, or set NEO4J_URI"
            )
    if _reason(error) and not any(isinstance(cause, ConnectionResetError) for cause in causes):
        return UnavailableError(
            f"no server answers at {uri}{_reason(error)}: start it, or set NEO4J_URI"
        )
    return UnavailableError(
        f"what listens at {uri} does not answer in Bolt: set the port in NEO4J_URI, and its "
        "scheme (neo4j+s or bolt+s) where the server wants TLS"
    )


def _untrusted(uri: str, error: ssl.SSLCertVerificationError) -> TLSError:
    verdict = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_NAME:
        return TLSError(
            f"the server at {uri} shows a certificate for another name ({verdict}): "
            "set a name that it is for in NEO4J_URI"
        )
    return TLSError(
        f"the certificate of the server at {uri} is not to be trusted ({verdict}): "
        "name the file of its authority in NEO4J_TRUSTED_CERTIFICATES"
    )


def translate_error(error: driver.Neo4jError | driver.DriverError) -> GenaiGraphError:
    """Return this package's error for one of the driver's."""
    if isinstance(error, driver.Neo4jError):
        return _translate_answer(error)
    if isinstance(error, _UNREACHABLE):
        return _stopped(error)
    if isinstance(error, driver.TransactionError):
        return TransactionError(f"the transaction has ended: {error}")
    return DatabaseError(str(error))


def _stopped(error: BaseException) -> UnavailableError:
    return UnavailableError(
        f"the database does not answer{_reason(error)}: it has stopped, or can't be reached"
    )


def _translate_answer(error: driver.Neo4jError) -> GenaiGraphError:
    code, message = error.code or "", error.message or str(error)
    if isinstance(error, driver.AuthError) or code.startswith(_NOT_AUTHENTICATED):
        return AuthenticationError(
            "the server refused the user or the password: set NEO4J_USERNAME and NEO4J_PASSWORD "
            "(or NEO4J_PASSWORD_FILE)"
            + ("; after several tries it wants some seconds of waiting" if "Rate" in code else "")
        )
    if code == "Neo.ClientError.Security.CredentialsExpired":
        return AuthenticationError(
            "the server wants the user to change the password first: in cypher-shell, with "
            "--database system, run  ALTER CURRENT USER SET PASSWORD FROM 'old' TO 'new'"
        )
    if code in _READ_ONLY:
        return ReadOnlyError(
            "a query may only read unless write=True (--write) is given and its user may write"
        )
    if code == "Neo.ClientError.Schema.ConstraintValidationFailed":
        return NodeExistsError(f"a node of this uid is already in the graph: {message}")
    if code == "Neo.ClientError.Database.DatabaseNotFound":
        return QueryError("there is no such database on the server: set NEO4J_DATABASE")
    if code.startswith(_WRONG_STATEMENT) or message.startswith("Unknown "):
        return QueryError(message.splitlines()[0])  # the others point into the statement
    if "Memory" in code:  # is called transient too, and fails again each time
        return TransactionMemoryError(f"the server's memory for transactions is used up: {message}")
    if error.is_retryable():  # also where the leader of a cluster is another one by now
        return TransientError(f"the database gave up on the transaction, try again: {message}")
    return DatabaseError(f"{message} ({code})")
