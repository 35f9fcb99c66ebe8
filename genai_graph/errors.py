"""Every error of the package, in one tree.

Each class also derives from a matching built-in exception, so that callers can catch it by that
name. Messages name the object, the location and the fix.

::

    GenaiGraphError
    ├── SettingsError (ValueError)          a setting is invalid
    ├── MissingExtraError (ImportError)     an optional dependency is missing
    ├── EngineError (RuntimeError)          a managed engine can't start, stop or answer
    ├── DatabaseError (RuntimeError)        the database rejected a request or failed
    │   ├── NotConnectedError               no connection is open: call connect()
    │   ├── UnavailableError (ConnectionError)   no server answers
    │   │   ├── TLSError                    no TLS, or an untrusted certificate
    │   │   └── UncertainCommitError        lost during a commit, which may have succeeded
    │   ├── StatementTimeoutError (TimeoutError) no response within the time limit
    │   ├── UnsupportedServerError (NotImplementedError)  the server is not Neo4j
    │   ├── AuthenticationError (PermissionError) wrong user or password
    │   ├── ReadOnlyError (PermissionError)      a write on a read-only connection or query
    │   ├── WriterTimeoutError (TimeoutError)    another writer holds the embedded engine
    │   ├── EditionError (NotImplementedError)   not available in this database edition
    │   ├── QueryError (ValueError)              an invalid statement
    │   └── TransactionError                     a transaction can't begin, continue or commit
    │       ├── TransientError                   deadlock or leader change: retry it
    │       └── TransactionMemoryError (MemoryError)  exceeds the server's memory limit
    ├── PropertyError (ValueError)          a property value is invalid
    │   ├── PropertyTypeError (TypeError)   a value of the wrong type
    │   └── UnknownPropertyError (TypeError)  the class has no such property
    ├── NodeExistsError (ValueError)        a node with this uid already exists
    ├── NodeNotFoundError (LookupError)     no node has this uid
    ├── MultipleNodesError (ValueError)     several nodes match, and one was expected
    ├── NotSavedError (ValueError)          the node has not been saved
    ├── EdgeError (ValueError)              the schema does not allow this edge
    │   └── EdgeTypeError (TypeError)       an end of the edge has the wrong class
    ├── DeclarationError (TypeError)        a node class, property or relationship is misdeclared
    ├── ProtectedError (ValueError)         other nodes depend on the node to be deleted
    ├── NodeSetError (ValueError)           a filter, an order or a slice is invalid
    │   └── NodeSetTypeError (TypeError)    an argument of the wrong type
    ├── QuestionError (ValueError)          invalid parameters of a question
    │   ├── UnknownQuestionError (LookupError)  no question has this name
    │   └── QuestionFileError               the .cypher file of a question is invalid
    ├── RunError (RuntimeError)             a run can't be started, continued or found
    ├── SearchError (ValueError)            an expression of a search is invalid
    ├── UnsupportedError (NotImplementedError)  not supported, such as a bypass of validation
    ├── OutputError (OSError)               an output file can't be written
    └── FixtureError (ValueError)           errors in fixtures, each with file and line
        └── FixtureFileError (OSError)      a fixture can't be read
            └── ImportSourceError           a source of an import can't be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class GenaiGraphError(Exception):
    """Base class of all errors of this package."""

    is_final = False  # whether the work must not be repeated, although other such errors allow it

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, unpickling calls the constructor with `args`, but some constructors take other
        # arguments. An error of a worker that can't be unpickled would block its process pool.
        return rebuild_error, (type(self), self.args, self.__dict__)


def rebuild_error(cls: Any, args: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """Return an error with these arguments and attributes, without calling its constructor."""
    builtin = cls  # the built-in class that determines the memory layout
    while builtin.__module__ != "builtins":
        builtin = builtin.__base__
    error = builtin.__new__(cls, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class SettingsError(GenaiGraphError, ValueError):
    """A setting is missing or invalid."""


class MissingExtraError(GenaiGraphError, ImportError):
    """An optional dependency is missing; the message gives the pip command."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} is not installed: run `python -m pip install 'genai-graph[{extra}]'`"
        )


class EngineError(GenaiGraphError, RuntimeError):
    """A managed engine can't start, stop or answer."""


class DatabaseError(GenaiGraphError, RuntimeError):
    """The database rejected a request or failed."""


class NotConnectedError(DatabaseError):
    """No connection is open."""

    def __init__(self) -> None:
        super().__init__("no connection to a graph is open: call genai_graph.connect() first")


class UnavailableError(DatabaseError, ConnectionError):
    """The server can't be reached."""


class TLSError(UnavailableError):
    """The server does not speak TLS, or its certificate is not trusted."""


class UncertainCommitError(UnavailableError):
    """The connection was lost during a commit: the changes may have been made."""


class StatementTimeoutError(DatabaseError, TimeoutError):
    """The database did not respond to a statement within the time limit."""


class UnsupportedServerError(DatabaseError, NotImplementedError):
    """The server is not Neo4j."""


class AuthenticationError(DatabaseError, PermissionError):
    """The server rejected the user name or the password."""


class ReadOnlyError(DatabaseError, PermissionError):
    """A write was attempted on a read-only connection or in a read-only query."""


class WriterTimeoutError(DatabaseError, TimeoutError):
    """Timed out waiting for another writer of the embedded engine."""


class EditionError(DatabaseError, NotImplementedError):
    """The edition of the database lacks a feature."""


class QueryError(DatabaseError, ValueError):
    """A statement is invalid."""


class TransactionError(DatabaseError):
    """A transaction can't begin, continue or commit."""


class TransientError(TransactionError):
    """The database rolled back the transaction (deadlock, leader change): retry it."""


class TransactionMemoryError(TransactionError, MemoryError):
    """A transaction exceeds the server's memory limit."""


class PropertyError(GenaiGraphError, ValueError):
    """A property value is invalid; `path` leads to the invalid part of a nested value.

    `python_fix` is advice for Python programs, which messages about files omit.
    """

    def __init__(
        self, message: str, path: tuple[str | int, ...] = (), python_fix: str = ""
    ) -> None:
        super().__init__(message)
        self.path = path
        self.python_fix = python_fix


class PropertyTypeError(PropertyError, TypeError):
    """A property value has the wrong type."""


class UnknownPropertyError(PropertyError, TypeError):
    """The class has no property of this name."""


class NodeExistsError(GenaiGraphError, ValueError):
    """A node with this uid already exists."""


class NodeNotFoundError(GenaiGraphError, LookupError):
    """No node has this uid."""


class MultipleNodesError(GenaiGraphError, ValueError):
    """Several nodes match, and one was expected."""


class NotSavedError(GenaiGraphError, ValueError):
    """The node has not been saved."""


class EdgeError(GenaiGraphError, ValueError):
    """The schema does not allow this edge."""


class EdgeTypeError(EdgeError, TypeError):
    """An end of an edge has the wrong class."""


class DeclarationError(GenaiGraphError, TypeError):
    """A node class, a property or a relationship is declared wrongly or too late."""


class ProtectedError(GenaiGraphError, ValueError):
    """A node can't be deleted, because other nodes depend on it."""


class NodeSetError(GenaiGraphError, ValueError):
    """A node set can't be filtered, ordered, sliced or changed as requested."""


class NodeSetTypeError(NodeSetError, TypeError):
    """An argument for a node set has the wrong type."""


class QuestionError(GenaiGraphError, ValueError):
    """The parameters of a question are invalid."""


class UnknownQuestionError(QuestionError, LookupError):
    """No question has this name."""


class RunError(GenaiGraphError, RuntimeError):
    """A run is finished, can't be started as requested, or has no journal on this machine."""


class QuestionFileError(QuestionError):
    """The .cypher file of a question is invalid: `file:line: problem: fix`."""

    def __init__(self, location: SourceLocation, problem: str) -> None:
        super().__init__(escape_unprintable(f"{location}: {problem}"))
        self.location = location


class SearchError(GenaiGraphError, ValueError):
    """An expression of a search is invalid; `position` is that of the problem, from 0, or None."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class UnsupportedError(GenaiGraphError, NotImplementedError):
    """An unsupported operation, such as a neomodel feature that would bypass validation."""


class OutputError(GenaiGraphError, OSError):
    """An output file can't be written."""


E = TypeVar("E", bound=GenaiGraphError)
B = TypeVar("B", bound=BaseException)


def iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, members of exception groups included."""
    if error is not None:
        yield error
        for member in getattr(error, "exceptions", ()):
            yield from iter_causes(member)
        yield from iter_causes(error.__cause__ or error.__context__)


def strip_tracebacks(error: B) -> B:
    """Remove the tracebacks of an error and its causes: frames hold passwords and data."""
    for cause in iter_causes(error):
        cause.__traceback__ = None
    return error


def append_to_message(error: E, text: str) -> E:
    """Append a note in brackets to the message of an error."""
    error.args = (f"{error} ({text})",)
    return error


def escape_unprintable(text: str) -> str:
    """Escape the unprintable characters of a text, so that it fits one line."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


class SourceLocation(NamedTuple):
    """A line of a file: the path as given by the user, and a line number from 1.

    Imported records have no line; their `file` describes the place, such as `mlflow.db: run ab12`.
    """

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class FixtureIssue(NamedTuple):
    """An error in a fixture."""

    location: SourceLocation
    message: str

    def __str__(self) -> str:
        return escape_unprintable(f"{self.location}: {self.message}")


class FixtureError(GenaiGraphError, ValueError):
    """Fixtures have errors, listed in `errors`; nothing was written.

    The message has one line per error: ``file:line: problem: fix``. `omitted` is the number of
    errors that are not listed.
    """

    def __init__(self, errors: Sequence[FixtureIssue], *, omitted: int = 0) -> None:
        self.errors = tuple(errors)
        self.omitted = omitted
        lines = [str(error) for error in self.errors]
        if omitted:
            lines.append(f"and {omitted} more")
        super().__init__("\n".join(lines))


class FixtureFileError(FixtureError, OSError):
    """A fixture can't be read."""


class ImportSourceError(FixtureFileError):
    """A source of an import can't be read at all: `source: problem: fix`."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__([FixtureIssue(SourceLocation(source), problem)])
