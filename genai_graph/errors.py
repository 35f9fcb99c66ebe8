"""Every error of the package, in one tree.

Each is also a child of the builtin that fits it, so code that knows nothing of this package can
catch it by the usual name. The messages name the thing, the place and the cure.

::

    GenaiGraphError
    ├── SettingsError (ValueError)          a setting that can't be understood
    ├── MissingExtraError (ImportError)     an optional dependency is not installed
    ├── EngineError (RuntimeError)          a managed engine can't start, stop or answer
    ├── DatabaseError (RuntimeError)        the database refused or failed
    │   ├── NotConnectedError               no connection is open: call connect()
    │   ├── UnavailableError (ConnectionError)   no server answers
    │   │   └── TLSError                    it does not answer in TLS, or can't be trusted
    │   ├── AuthenticationError (PermissionError) wrong user or password
    │   ├── ReadOnlyError (PermissionError)      a write where only reading is allowed
    │   ├── WriterTimeoutError (TimeoutError)    another writer holds the embedded engine
    │   ├── EditionError (NotImplementedError)   what its edition does not have
    │   ├── QueryError (ValueError)              a statement the database can't run
    │   └── TransactionError                     a transaction that can't begin, go on or commit
    │       ├── TransientError                   given up for another's sake: the next try may work
    │       └── TransactionMemoryError (MemoryError)  larger than the server's memory limit
    ├── PropertyError (ValueError)          a property's value can't be stored
    │   ├── PropertyTypeError (TypeError)   of the wrong type
    │   └── UnknownPropertyError (TypeError)  no property of this name
    ├── NodeExistsError (ValueError)        a node of this uid is already there
    ├── NodeNotFoundError (LookupError)     no node of this uid is there (any more)
    ├── NotSavedError (ValueError)          the node is not in the graph yet
    ├── EdgeError (ValueError)              an edge that the model does not allow
    │   └── EdgeTypeError (TypeError)       its end is a node of the wrong class
    ├── QuestionError (ValueError)          a question that can't be asked so
    │   └── UnknownQuestionError (LookupError)  there is no question of this name
    ├── UnsupportedError (NotImplementedError)  a way of neomodel that would pass by our checks
    ├── OutputError (OSError)               a dump can't be written where it should go
    └── FixtureError (ValueError)           faults in fixtures, each with file and line
        └── FixtureFileError (OSError)      a fixture that can't be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class GenaiGraphError(Exception):
    """The root of every error that this package raises."""


class SettingsError(GenaiGraphError, ValueError):
    """A setting can't be understood."""


class MissingExtraError(GenaiGraphError, ImportError):
    """An optional dependency is not installed; the message gives the pip command."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} is not installed: run  python -m pip install 'genai-graph[{extra}]'"
        )


class EngineError(GenaiGraphError, RuntimeError):
    """A managed engine can't start, stop or answer."""


class DatabaseError(GenaiGraphError, RuntimeError):
    """The database refused a request or failed at it."""


class NotConnectedError(DatabaseError):
    """No connection is open."""

    def __init__(self) -> None:
        super().__init__("no connection to a graph is open: call genai_graph.connect() first")


class UnavailableError(DatabaseError, ConnectionError):
    """No server answers at the address."""


class TLSError(UnavailableError):
    """The server does not answer in TLS, or its certificate can't be trusted."""


class AuthenticationError(DatabaseError, PermissionError):
    """The server does not accept the user or the password."""


class ReadOnlyError(DatabaseError, PermissionError):
    """A write was tried where only reading is allowed."""


class WriterTimeoutError(DatabaseError, TimeoutError):
    """Another writer kept the embedded engine for too long."""


class EditionError(DatabaseError, NotImplementedError):
    """The database's edition does not have what is asked of it."""


class QueryError(DatabaseError, ValueError):
    """The database can't run a statement."""


class TransactionError(DatabaseError):
    """A transaction can't begin, go on or commit."""


class TransientError(TransactionError):
    """The database gave a transaction up for another's sake: the next try may work."""


class TransactionMemoryError(TransactionError, MemoryError):
    """A transaction is larger than the memory that the server has for it."""


class PropertyError(GenaiGraphError, ValueError):
    """A property's value can't be stored; `path` leads to what is wrong inside of it."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class PropertyTypeError(PropertyError, TypeError):
    """A property's value is of the wrong type."""


class UnknownPropertyError(PropertyError, TypeError):
    """There is no property of this name."""


class NodeExistsError(GenaiGraphError, ValueError):
    """A node of this uid is already in the graph."""


class NodeNotFoundError(GenaiGraphError, LookupError):
    """No node of this uid is in the graph."""


class NotSavedError(GenaiGraphError, ValueError):
    """The node is not in the graph yet."""


class EdgeError(GenaiGraphError, ValueError):
    """An edge that the model does not allow."""


class EdgeTypeError(EdgeError, TypeError):
    """An edge's end is a node of the wrong class."""


class QuestionError(GenaiGraphError, ValueError):
    """A question can't be asked with these parameters."""


class UnknownQuestionError(QuestionError, LookupError):
    """There is no question of this name."""


class UnsupportedError(GenaiGraphError, NotImplementedError):
    """A way of neomodel that would pass by this package's checks."""


E = TypeVar("E", bound=GenaiGraphError)
B = TypeVar("B", bound=BaseException)


def iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that led to it."""
    if error is not None:
        yield error
        for part in getattr(error, "exceptions", ()):  # of a group
            yield from iter_causes(part)
        yield from iter_causes(error.__cause__ or error.__context__)


def strip_tracebacks(error: B) -> B:
    """Take the frames off an error and its causes: passwords and data are in their variables."""
    for cause in iter_causes(error):
        cause.__traceback__ = None
    return error


def append_to_message(error: E, text: str) -> E:
    """Add to an error's message what only a caller higher up knows."""
    error.args = (f"{error} ({text})",)
    return error


class OutputError(GenaiGraphError, OSError):
    """A dump can't be written where it should go."""


def escape_unprintable(text: str) -> str:
    """Return a text as one line, with what can't be seen written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


class SourceLocation(NamedTuple):
    """A file as the user named it, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class FixtureIssue(NamedTuple):
    """An error in a fixture."""

    location: SourceLocation
    message: str

    def __str__(self) -> str:
        return escape_unprintable(f"{self.location}: {self.message}")


class FixtureError(GenaiGraphError, ValueError):
    """Fixtures have errors. `errors` lists them; nothing was written.

    The message has one line per error: ``file:line: problem and fix``. `omitted` is the number of
    further errors.
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
