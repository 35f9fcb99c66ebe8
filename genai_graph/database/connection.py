"""Opening and closing the connection to the graph."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import neo4j
from neomodel import db
from pydantic import SecretStr

from genai_graph.database.driver import GraphDriver, GraphSession, NullWriteLock
from genai_graph.database.error_translation import connection_error, translate_error
from genai_graph.database.keyring import Keyring
from genai_graph.database.security import security_options
from genai_graph.database.settings import read_settings
from genai_graph.errors import (
    GenaiGraphError,
    NotConnectedError,
    SettingsError,
    TransactionError,
    UnavailableError,
    strip_tracebacks,
)
from genai_graph.server.engines import managed_engine
from genai_graph.server.locks import WriterLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from neo4j.api import BookmarkManager

    from genai_graph.database.driver import WriteLock
    from genai_graph.database.sandbox import Sandbox
    from genai_graph.database.settings import Settings
    from genai_graph.server.lifecycle import Lease, ManagedEngine


# Seconds until it is told that nobody answers: at one of a host's addresses, and at all.
ADDRESS_TIMEOUT, ANSWER_TIMEOUT = 2.5, 4.0
# What the driver logs, it raises too; without a handler Python prints it.
logging.getLogger("neo4j").addHandler(logging.NullHandler())
_NO_OPTIONS: Mapping[str, Any] = {}
_OPTIONS: Mapping[str, dict[str, Any]] = {
    "embedded": {},
    # A label that nothing has yet is no mistake here: the graph may be new.
    "neo4j": {"notifications_disabled_classifications": ["UNRECOGNIZED"]},
}


class Connection:
    """An open connection to the graph; the newest one is what every thread uses.

    Made by `connect`. It ends with `close`, at the end of its `with` block, or with the program;
    the connection that was open before is then in use again.
    """

    uri: str
    database: str | None
    engine: str
    # Nodes and edges, and bytes; None where the server refuses itself.
    largest_transaction: tuple[int, int] | None = None
    largest_message: int | None = None  # bytes of a statement with its parameters; likewise

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        _refuse_within_a_transaction()
        self.read_only = read_only
        self.sandbox: Sandbox | None = None
        self.engine, self.uri = "neo4j" if settings.uri else settings.engine, settings.uri or ""
        self._drivers: dict[str, neo4j.Driver] = {}
        self._lease: Lease | None = None
        self._prepared = False
        self._preparing = threading.RLock()
        self.writer: WriteLock = NullWriteLock()
        self.bookmarks: BookmarkManager | None = None
        self.keyring = None if settings.keys is None else _keyring(settings.keys)
        self.encrypted = settings.encrypted  # instead of what the models mark
        try:
            if settings.uri is None:
                self._open_managed(settings)
            else:
                self._open_server(settings, settings.uri)
        except BaseException:
            self.close()
            raise
        _open(self)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Connection {self.engine} {self.uri}>"

    def session(self, access_mode: str, options: dict[str, Any]) -> GraphSession:
        """Open a session that may do what the mode says, and no more than the connection."""
        if self.sandbox is not None:
            return self.sandbox.session(access_mode, options)
        return GraphSession(self, neo4j.READ_ACCESS if self.read_only else access_mode, options)

    def driver(self, access_mode: str) -> neo4j.Driver:
        """Return the driver of a user who may do what the access mode says."""
        return self._drivers.get(access_mode) or self._drivers["WRITE"]

    def prepare_to_write(self) -> None:
        """Do once what must be done before the first write: see `before_first_write`."""
        with self._preparing:  # other threads wait; what the steps themselves write does not
            if self._prepared or self.sandbox is not None:
                return  # a schema would outlive the sandbox
            self._prepared = True
            try:
                for step in _before_first_write:
                    step()
            except BaseException:
                self._prepared = False
                raise

    def close(self) -> None:
        """Close the connection; the last client of the embedded engine stops it."""
        _forget(self)
        drivers, self._drivers = self._drivers, {}
        for driver in drivers.values():
            driver.close()
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.leave()

    def abandon(self) -> None:
        """Let go of it in a forked child: its sockets and its lease are the parent's."""
        _abandoned.append(self._drivers)  # kept, so that nothing is sent when they are collected
        self._drivers = {}
        if self.sandbox is not None:
            _abandoned.append(self.sandbox)
            self.sandbox = None
        if self._lease is not None:
            self._lease.forget()
            self._lease = None

    def is_stopping(self) -> bool:
        """Tell whether it is to a managed engine that stops, or has stopped."""
        return self._lease is not None and self._lease.is_stopping()

    def _open_managed(self, settings: Settings) -> None:
        managed = managed_engine(settings.engine, settings.home)
        self.database = managed.server.database
        self.largest_transaction = managed.server.largest_transaction
        self.largest_message = managed.server.largest_message
        if managed.server.takes_one_writer:
            self.writer = WriterTurn(WriterLock.at(managed.writer_lock), settings.writer_timeout)
        try:
            self._enter(managed)
        except UnavailableError:
            if self._lease is None or not self._lease.ends():
                raise
            self.close()
            self._enter(managed)  # another one: that was killed a moment ago

    def _enter(self, managed: ManagedEngine) -> None:
        self._lease = managed.enter()
        self.uri, users = self._lease.running.uri, self._lease.running.users
        if not self.read_only:
            self._add_driver("WRITE", self.uri, neo4j.basic_auth(users.username, users.password))
        if self.read_only or users.reader != users.username:
            reader = neo4j.basic_auth(users.reader, users.reader_password)
            self._add_driver("READ", self.uri, reader)

    def _open_server(self, settings: Settings, uri: str) -> None:
        self.database = settings.database
        self.bookmarks = neo4j.GraphDatabase.bookmark_manager()  # followers may be behind
        address, options = security_options(settings, uri)
        secret = settings.secret()
        login = neo4j.basic_auth(settings.username, secret.get_secret_value()) if secret else None
        self._add_driver("READ" if self.read_only else "WRITE", address, login, options)

    def _add_driver(
        self,
        mode: str,
        address: str,
        login: neo4j.Auth | None,
        security: Mapping[str, Any] = _NO_OPTIONS,
    ) -> None:
        """Make a driver, and ask the server once: later a fault would be told after its retries."""
        try:
            driver = self._drivers[mode] = neo4j.GraphDatabase.driver(
                address,
                auth=login,
                connection_timeout=ADDRESS_TIMEOUT,
                **_OPTIONS[self.engine],
                **security,
            )
            with driver.session(
                database=self.database,
                default_access_mode=neo4j.READ_ACCESS,
                connection_acquisition_timeout=ANSWER_TIMEOUT,
            ) as session:
                session.begin_transaction().close()  # tells too that there is no such database
        except SettingsError:
            raise
        except neo4j.exceptions.Neo4jError as error:
            raise translate_error(error) from strip_tracebacks(error)
        except (neo4j.exceptions.DriverError, ValueError) as error:
            # Some failures to resolve a host are a ValueError of the driver's.
            raise connection_error(self.uri, error) from strip_tracebacks(error)


class WriterTurn:
    """The turn to write on the embedded engine, waited for as long as the settings say."""

    def __init__(self, lock: WriterLock, timeout: float) -> None:
        self._lock = lock
        self._timeout = timeout

    def acquire(self) -> None:
        """Wait for the turn; `WriterTimeoutError` when it does not come."""
        self._lock.acquire(self._timeout)

    def release(self) -> None:
        """Give the turn back."""
        self._lock.release()


def connect(
    uri: str | None = None,
    *,
    username: str | None = None,
    password: str | None = None,
    database: str | None = None,
    trusted_certificates: str | Path | None = None,
    allow_plaintext: bool | None = None,
    engine: str | None = None,
    home: str | Path | None = None,
    writer_timeout: float | None = None,
    read_only: bool = False,
) -> Connection:
    """Connect to the graph, and make it the one that everything in this process uses.

    What is not given comes from `NEO4J_URI`, `NEO4J_USERNAME`, `NEO4J_PASSWORD` (or the file
    `NEO4J_PASSWORD_FILE`), `NEO4J_DATABASE`, `NEO4J_TRUSTED_CERTIFICATES` (a file of certificate
    authorities: TLS, whatever the scheme), `NEO4J_ALLOW_PLAINTEXT`, `GENAI_GRAPH_ENGINE`,
    `GENAI_GRAPH_HOME` and `GENAI_GRAPH_WRITER_TIMEOUT` (seconds), then from a `.env` file in the
    current folder; so do the keys that encrypt values, from `GENAI_GRAPH_KEYS`. With no URI at all
    it is a managed engine, `embedded` or `neo4j`, which is started when it is not running.

    A connection that is `read_only` asks for no right to write: on the embedded engine it enters
    as a user who has none, on Neo4j each of its transactions is declared as one that reads.

    Raises `SettingsError` (also for plain text to another machine), `MissingExtraError`,
    `EngineError`, `UnavailableError`, `TLSError`, `AuthenticationError` or `QueryError` (no such
    database); where no server answers, within five seconds.
    """
    given = {
        "uri": uri,
        "username": username,
        "password": SecretStr(password) if isinstance(password, str) else password,
        "database": database,
        "trusted_certificates": trusted_certificates,
        "allow_plaintext": allow_plaintext,
        "engine": engine,
        "home": home,
        "writer_timeout": writer_timeout,
    }
    del password  # an error's frames keep their variables
    return Connection(read_settings(**given), read_only=read_only)


def current_connection() -> Connection:
    """Return the connection in use, or raise `NotConnectedError`."""
    connection = _latest_connection()
    if connection is None:
        raise NotConnectedError
    return connection


def _refuse_within_a_transaction() -> None:
    connection = _latest_connection()
    if connection is not None and connection.sandbox is not None:
        raise TransactionError("this is a sandbox: leave it before you connect elsewhere")
    if db._active_transaction is not None:
        raise TransactionError("a transaction is open: end it before you connect elsewhere")


def _keyring(keys: SecretStr) -> Keyring:
    try:
        return Keyring.read(keys.get_secret_value())
    except GenaiGraphError as error:
        raise strip_tracebacks(error)  # noqa: B904


def before_first_write(step: Callable[[], object]) -> None:
    """Have something done on each connection before its first write."""
    _before_first_write.append(step)


_before_first_write: list[Callable[[], object]] = []
_connections: list[Connection] = []
_abandoned: list[Any] = []
_guard = threading.Lock()


def _latest_connection() -> Connection | None:
    with _guard:
        return _connections[-1] if _connections else None


def _open(connection: Connection) -> None:
    with _guard:
        _connections.append(connection)
    db.driver = graph_driver  # type: ignore[assignment]
    _forget_server()


def _forget(connection: Connection) -> None:
    with _guard:
        if connection in _connections:
            _connections.remove(connection)
    _forget_server()


def _forget_server() -> None:
    """Make neomodel ask the next server for its version."""
    db._database_version = None
    db._database_edition = None


@atexit.register
def _close_all() -> None:
    while (connection := _latest_connection()) is not None:
        connection.close()


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    for connection in _connections:
        connection.abandon()
    _connections.clear()
    db._active_transaction = None
    db._session = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

graph_driver: GraphDriver = GraphDriver(_latest_connection)
if db.driver is None:  # so that a query before connect() gets this package's error
    db.driver = graph_driver  # type: ignore[assignment]
