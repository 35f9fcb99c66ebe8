"""Translation of the driver's errors into this package's."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from neo4j import exceptions as driver
from neo4j._exceptions import SocketDeadlineExceededError
from neomodel.exceptions import UniqueProperty
from neomodel.sync_ import query as neomodel_query

from genai_graph.errors import (
    AuthenticationError,
    DatabaseError,
    GenaiGraphError,
    NodeExistsError,
    QueryError,
    ReadOnlyError,
    StatementTimeoutError,
    TLSError,
    TransactionError,
    TransactionMemoryError,
    TransientError,
    UnavailableError,
    UncertainCommitError,
    iter_causes,
    rebuild_error,
    strip_tracebacks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_AUTHORIZATION_EXPIRED = "Neo.ClientError.Security.AuthorizationExpired"  # by a cache: repeat it
_NOT_AUTHENTICATED = ("Neo.ClientError.Security.Auth", "Neo.ClientError.Security.Unauth")
_HOSTNAME_MISMATCH = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH
_READ_ONLY = ("Neo.ClientError.Statement.AccessMode", "Neo.ClientError.Security.Forbidden")
_TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"
# The server may have committed the transaction although it reports one of these errors.
_UNCERTAIN = ("ReplicationFailure", "DatabaseUnavailable")
_INVALID_STATEMENT = ("Neo.ClientError.Statement.", "Neo.ClientError.Procedure.")
_CALLER_ERRORS = (ReadOnlyError, NodeExistsError)
UNREACHABLE = (
    driver.ServiceUnavailable,
    driver.SessionExpired,
    driver.ConnectionAcquisitionTimeoutError,
)


@contextlib.contextmanager
def translate_errors(
    is_stopping: Callable[[], bool], *, in_statement: bool = False
) -> Iterator[None]:
    """Translate the driver's errors raised inside the block.

    An engine that is stopping raises all kinds of errors; they are reported as its end. In a
    statement, a timeout of the connection is that of the statement.
    """
    try:
        yield
    except GenaiGraphError:  # translated already
        raise
    except (driver.Neo4jError, driver.DriverError) as error:
        translated = translate_error(error)
        if not isinstance(translated, _CALLER_ERRORS) and is_stopping():
            translated = _connection_lost(error)
        elif in_statement and type(translated) is UnavailableError and has_timed_out(error):
            translated = _timeout_error()
        raise as_driver_error(translated, error) from strip_tracebacks(error)
    except BufferError as error:  # raised by the driver after Ctrl-C in the middle of a message
        if any(isinstance(cause, KeyboardInterrupt) for cause in iter_causes(error)):
            raise KeyboardInterrupt from error
        raise TransactionError(
            "the connection is used by several threads at the same time: open a session or an "
            "atomic() block in each of them"
        ) from error


def is_server_failure(error: BaseException) -> bool:
    """Return whether a statement failed in the database, which terminates its transaction."""
    cause = error.__cause__
    return isinstance(cause, (driver.Neo4jError, *UNREACHABLE)) and not isinstance(
        cause, GenaiGraphError
    )


def as_driver_error(error: GenaiGraphError, cause: Exception) -> GenaiGraphError:
    """Return an error of this package that is an instance of the driver's error class as well.

    Code written for the driver or for neomodel finds `code`, `message` and the class it expects.
    """
    if isinstance(error, type(cause)):
        return error
    attributes = {**cause.__dict__, "_gql_cause": None, **error.__dict__}
    both: GenaiGraphError = _rebuild(type(error), type(cause), error.args, attributes)
    return both


def node_exists_error(message: str) -> NodeExistsError:
    """Return an error that is an instance of neomodel's `UniqueProperty` as well."""
    error: Any = as_driver_error(NodeExistsError(message), UniqueProperty(message))
    return error  # type: ignore[no-any-return]


def _combine(ours: Any, theirs: Any) -> Any:
    """Return a class derived from both."""
    if (ours, theirs) in _combined:
        return _combined[ours, theirs]
    bases = [ours, theirs]
    if issubclass(ours, NodeExistsError) and not issubclass(theirs, UniqueProperty):
        bases.insert(1, UniqueProperty)
    return _combined.setdefault((ours, theirs), type(ours.__name__, tuple(bases), dict(_COMBINED)))


def _text(error: BaseException) -> str:
    return str(error.args[0])


def _reduce(error: BaseException) -> tuple[Any, ...]:
    ours, *_, theirs = type(error).__bases__
    # The driver's result or transaction of some errors can't be pickled.
    attributes = {name: value for name, value in error.__dict__.items() if name in _PICKLED}
    return _rebuild, (ours, theirs, error.args, attributes)


def _rebuild(ours: Any, theirs: Any, args: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    return rebuild_error(_combine(ours, theirs), args, attributes)


# neomodel raises its own error in place of the driver's: it has to be one of ours as well.
vars(neomodel_query)["UniqueProperty"] = node_exists_error
# neomodel does not recognize the message of the embedded engine for a duplicate.
vars(neomodel_query)["_UNIQUE_VIOLATION_MARKERS"] += ("Duplicated key",)
_combined: dict[tuple[Any, Any], Any] = {}
# The constructors of the driver's errors take other arguments.
_COMBINED = {
    "__module__": GenaiGraphError.__module__,
    "__init__": lambda self, *args: None,
    "__str__": _text,
    "__reduce__": _reduce,
}
_PICKLED = (
    *("_neo4j_code", "_classification", "_category", "_title", "_message", "_from_server"),
    *("_gql_status", "_gql_status_description", "_gql_cause", "message"),
)


def _reason(error: BaseException) -> str:
    """Return the operating system's reason for a failed connection in brackets, or ""."""
    reasons = (cause.strerror for cause in iter_causes(error) if isinstance(cause, OSError))
    return next((f" ({reason})" for reason in reasons if reason), "")


def is_lost_member(error: BaseException) -> bool:
    """Return whether an attempt to connect failed after a server had used Bolt."""
    return any(
        isinstance(cause, driver.SessionExpired) or "defunct connection" in str(cause)
        for cause in iter_causes(error)
    )


def connection_error(uri: str, error: BaseException) -> GenaiGraphError:
    """Return the error for a failed attempt to connect."""
    causes = list(iter_causes(error))
    for cause in causes:
        if isinstance(cause, driver.Neo4jError):  # in place of the members of a cluster
            return translate_error(cause)
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
    if is_lost_member(error):
        return UnavailableError(
            f"lost the connection to {uri}, or to the members that it names: check NEO4J_URI, the "
            "server, and the addresses that the members of a cluster advertise"
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
    if isinstance(error, driver.IncompleteCommit):
        return UncertainCommitError(
            f"lost the connection to the database{_reason(error)} during a commit: the changes may "
            "have been made or not: look before you repeat them"
        )
    if isinstance(error, UNREACHABLE):
        return _connection_lost(error)
    if isinstance(error, driver.TransactionError):
        return TransactionError(f"the transaction has ended, begin another: {error}")
    return DatabaseError(str(error))


def has_timed_out(error: BaseException) -> bool:
    """Return whether a time limit caused an error."""
    timeouts = (TimeoutError, SocketDeadlineExceededError)
    return any(isinstance(cause, timeouts) for cause in iter_causes(error))


def _timeout_error() -> StatementTimeoutError:
    return StatementTimeoutError(
        "the database did not respond to a statement in time: check the server, or wait longer "
        "(GENAI_GRAPH_STATEMENT_TIMEOUT)"
    )


def is_uncertain(error: BaseException) -> bool:
    """Return whether an error during a commit leaves open whether it was committed."""
    code = getattr(error.__cause__, "code", None) or ""
    return code.rpartition(".")[2] in _UNCERTAIN


def _connection_lost(error: BaseException) -> UnavailableError:
    return UnavailableError(
        f"lost the connection to the database{_reason(error)}: it has stopped or can't be reached: "
        "connect again"
    )


def _translate_server_error(error: driver.Neo4jError) -> GenaiGraphError:
    code, message = error.code or "", error.message or str(error)
    is_expired = code == _AUTHORIZATION_EXPIRED
    if not is_expired and (
        isinstance(error, driver.AuthError) or code.startswith(_NOT_AUTHENTICATED)
    ):
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
    if code.startswith(_TIMED_OUT):
        return _timeout_error()
    if "Memory" in code:  # marked transient, too, but a retry fails again
        return TransactionMemoryError(
            f"the transaction exceeds the server's memory limit: {message}"
        )
    if error.is_retryable():  # includes a change of the leader of a cluster
        return TransientError(f"the database rolled back the transaction, retry it: {message}")
    return DatabaseError(f"{message} ({code})")
