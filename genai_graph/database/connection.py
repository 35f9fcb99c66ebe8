"""Opening and closing the connection to the graph."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # builtin since Python 3.11
from functools import partial
from multiprocessing import parent_process
from multiprocessing.util import Finalize, is_exiting
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import neo4j
from neomodel import db
from pydantic import SecretStr

from genai_graph.database.driver import GraphDriver, GraphSession
from genai_graph.database.error_translation import (
    UNREACHABLE,
    as_driver_error,
    connection_error,
    has_timed_out,
    is_lost_member,
    translate_error,
)
from genai_graph.database.keyring import Keyring
from genai_graph.database.ownership import Owner, context_transaction
from genai_graph.database.products import Product, require_neo4j
from genai_graph.database.retries import retry_on
from genai_graph.database.security import security_options
from genai_graph.database.settings import Settings, read_settings
from genai_graph.errors import (
    GenaiGraphError,
    NotConnectedError,
    SettingsError,
    TransactionError,
    UnavailableError,
    UnsupportedError,
    strip_tracebacks,
)
from genai_graph.server.engines import managed_engine
from genai_graph.server.locks import WriterLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neo4j.api import BookmarkManager

    from genai_graph.database.driver import GraphTransaction
    from genai_graph.database.sandbox import Sandbox
    from genai_graph.server.lifecycle import Lease, ManagedEngine


T = TypeVar("T")

# Connect timeouts in seconds: per resolved address, and overall.
ADDRESS_TIMEOUT, ANSWER_TIMEOUT = 2.5, 4.0
_FOLLOWERS_SHARE = 3 / 8  # of the time for an answer; then the leader is asked
# A managed engine is known to be running: on a loaded machine it may only be slow.
ENGINE_ANSWER_TIMEOUT = 30.0
# A follower that lags behind waits for the last writes; after that, the leader is asked.
SERVER_ANSWER_TIMEOUT = 10.0
# Seconds for a server to be found and connected later on, with its TLS and Bolt handshakes.
ACQUISITION_TIMEOUT = 5.0
_IDLE = 2.0  # seconds
_GRACE = 1.0  # seconds that the driver has to report its own timeout
# The driver also raises the errors that it logs; without a handler, Python would print them.
logging.getLogger("neo4j").addHandler(logging.NullHandler())


class Connection:
    """An open connection to the graph; all threads use the one that was opened last.

    Created by `connect`. It is closed by `close`, at the end of its `with` block, or when the
    program exits; then the connection opened before it is used again. If `connect` has returned it
    several times, it is closed after as many calls of `close` or ends of `with` blocks.

    A forked process opens it again on first use. It can't be copied or pickled.
    """

    uri: str
    database: str | None
    engine: str
    product: Product | None = None  # of a server; None for a managed engine
    # (nodes and edges, bytes); None if the server itself rejects larger ones.
    largest_transaction: tuple[int, int] | None = None
    largest_message: int | None = None  # bytes of a statement with its parameters

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self.sandbox: Sandbox | None = None
        self.engine, self.uri = "neo4j" if settings.uri else settings.engine, settings.uri or ""
        self._settings = settings
        self.key = _identity(settings, read_only)
        self.graph = settings.graph
        self._drivers: dict[str, neo4j.Driver] = {}
        self._lease: Lease | None = None
        self._is_prepared = False
        self._prepare_lock = threading.RLock()
        self._is_inherited = False  # in a forked process, until it is opened again
        self._blocks = threading.local()
        self.write_lock: WriterLock | None = None  # None if the engine has concurrent writers
        self.writer_timeout = settings.writer_timeout
        self.retry_timeout = settings.retry_timeout
        self.statement_timeout = settings.statement_timeout
        self.reads_from_leader = settings.uri is not None and settings.reads == "leader"
        self.bookmarks: BookmarkManager | None = None  # makes reads wait for the last writes
        self.keyring = None if settings.keys is None else _read_keyring(settings.keys)
        self.encrypted = settings.encrypted  # overrides `sensitive` of the models
        self._open()

    def _open(self) -> None:
        try:
            if self._settings.uri is None:
                self._open_managed(self._settings)
            else:
                self._open_server(self._settings, self._settings.uri)
        except BaseException:
            self._release()
            raise
        if parent_process() is not None:
            _close_in_worker()

    def __enter__(self) -> Connection:
        self._open_blocks.append(0)
        return self

    def __exit__(self, *error: object) -> None:
        opened = self._open_blocks.pop()
        self._count(opened)
        if opened >= 0:  # else `close` was called in the block
            self.close()

    def _count(self, opened: int) -> None:
        if self._open_blocks:
            self._open_blocks[-1] += opened

    @property
    def _open_blocks(self) -> list[int]:
        """For each `with` block of this thread: calls of `connect` in it less those of `close`."""
        blocks: list[int] = self._blocks.__dict__.setdefault("blocks", [])
        return blocks

    def __reduce__(self) -> NoReturn:
        raise UnsupportedError(
            "a connection can't be copied or pickled: call connect() where it is needed"
        )

    def __repr__(self) -> str:
        return f"<Connection {self.engine} {self.uri}>"

    def session(self, access_mode: str, options: dict[str, Any]) -> GraphSession:
        """Open a session; on a read-only connection, the access mode is always READ."""
        if self.sandbox is not None:
            return self.sandbox.session(access_mode, options)
        return GraphSession(self, neo4j.READ_ACCESS if self.read_only else access_mode, options)

    def driver(self, access_mode: str) -> neo4j.Driver:
        """Return the driver for an access mode; a server has one for both modes."""
        return self._drivers.get(access_mode) or self._drivers["WRITE"]

    def prepare_to_write(self) -> None:
        """Run the steps registered with `before_first_write`, once."""
        # An RLock, and the flag is set first: the steps write, too, while other threads wait.
        with self._prepare_lock:
            if self._is_prepared:
                return
            self._is_prepared = True
            try:
                for step in _before_first_write:
                    step()
            except BaseException:
                self._is_prepared = False
                raise

    def close(self) -> None:
        """Close the connection; the last client of the embedded engine stops it."""
        self._count(-1)
        with _connections_lock:
            for index in reversed(range(len(_connections))):
                if _connections[index] is self:
                    del _connections[index]
                    break
            if self in _connections:
                return
        _clear_server_version()
        self._release()

    def _release(self) -> None:
        drivers, self._drivers = self._drivers, {}
        for driver in drivers.values():
            driver.close()
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def detach_in_child(self) -> None:
        """Discard the connection in a forked child: sockets and lease belong to the parent."""
        # Referenced forever: when collected, they would send messages on the parent's sockets.
        _inherited.append((self._drivers, self.sandbox, self.bookmarks))
        self._drivers, self.sandbox = {}, None
        if self._lease is not None:
            self._lease.close_in_child()
            self._lease = None
        self._prepare_lock = threading.RLock()
        self._is_inherited = True

    def open_in_child(self) -> None:
        """Open an inherited connection for the forked process, on its first use."""
        with _connect_lock:
            if self._is_inherited:
                self._open()
                self._is_inherited = False

    def answers(self) -> bool:
        """Return whether an open connection can be used again.

        Raises as `connect` if a server can't be reached; a managed engine may have been stopped.
        """
        if self._is_inherited:
            self.open_in_child()
        if self.is_stopping():
            return False
        try:
            for mode in self._drivers:
                retry_on(lambda: self, partial(self._verify, mode), idempotent=True)
        except UnavailableError:
            if self._lease is None:
                raise
            return False
        return True

    def is_stopping(self) -> bool:
        """Return whether the connection is to a managed engine that is stopping or has stopped."""
        return self._lease is not None and self._lease.is_stopping()

    def _open_managed(self, settings: Settings) -> None:
        managed = managed_engine(settings.engine, settings.home)
        self.database = managed.server.database
        self.largest_transaction = managed.server.largest_transaction
        self.largest_message = managed.server.largest_message
        if managed.server.single_writer:
            self.write_lock = WriterLock.for_path(managed.writer_lock)
        try:
            self._acquire(managed)
        except UnavailableError:
            if self._lease is None or not self._lease.wait_for_end():
                raise
            self.close()
            self._acquire(managed)  # the engine was just killed: start a new one

    def _acquire(self, managed: ManagedEngine) -> None:
        self._lease = managed.acquire()
        self.uri, users = self._lease.running.uri, self._lease.running.users
        if not self.read_only:
            self._add_driver("WRITE", self.uri, neo4j.basic_auth(users.username, users.password))
        if self.read_only or users.reader != users.username:
            reader = neo4j.basic_auth(users.reader, users.reader_password)
            self._add_driver("READ", self.uri, reader)

    def _open_server(self, settings: Settings, uri: str) -> None:
        self.database = settings.database
        # Followers lag behind the leader.
        new = neo4j.GraphDatabase.bookmark_manager()
        self.bookmarks = _bookmarks.setdefault(settings.graph, new)
        address, options = security_options(settings, uri)
        secret = settings.secret()
        auth = neo4j.basic_auth(settings.username, secret.get_secret_value()) if secret else None
        # A connection that was idle is tested: its server may have stopped responding.
        options |= {
            "connection_acquisition_timeout": ACQUISITION_TIMEOUT,
            "liveness_check_timeout": _IDLE,
        }
        self._add_driver("READ" if self.read_only else "WRITE", address, auth, **options)
        if not settings.unsupported_server and self.product is not None:
            require_neo4j(self.product, uri)

    def _add_driver(self, mode: str, address: str, auth: neo4j.Auth | None, **options: Any) -> None:
        """Create a driver and verify connectivity; later failures surface only after retries."""
        if self.engine == "neo4j":
            # Warnings about labels that do not exist yet: normal in a new graph.
            options["notifications_disabled_classifications"] = ["UNRECOGNIZED"]
        with self._translate_connect_errors():
            self._drivers[mode] = neo4j.GraphDatabase.driver(
                address, auth=auth, connection_timeout=ADDRESS_TIMEOUT, **options
            )
        self._verify_new(mode)

    def _verify_new(self, mode: str) -> None:
        """Verify a new driver, and wait for a database that is starting.

        In a cluster, members may just have died. They are waited for only shortly: the addresses
        that the members advertise may be wrong.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT / 2

        def attempt() -> UnavailableError | None:
            try:
                self._verify(mode)
            except UnavailableError as error:
                if is_lost_member(error) and time.monotonic() < deadline:
                    raise
                return error
            return None

        if (error := retry_on(lambda: self, attempt, idempotent=True)) is not None:
            raise error

    @property
    def answer_timeout(self) -> float:
        """Seconds to wait for an answer other than that of a statement."""
        return SERVER_ANSWER_TIMEOUT if self._lease is None else ENGINE_ANSWER_TIMEOUT

    def roles(self, mode: str) -> list[str]:
        """Return the access modes that select the members to try, one after the other.

        The leader answers reads if no follower does: some may hang, and the cluster not yet know.
        """
        if mode == neo4j.WRITE_ACCESS or self.reads_from_leader:
            return [neo4j.WRITE_ACCESS]
        uri = self._settings.uri
        is_routed = uri is not None and uri.startswith("neo4j")
        return [neo4j.READ_ACCESS, neo4j.WRITE_ACCESS] if is_routed else [neo4j.READ_ACCESS]

    def _verify(self, mode: str) -> None:
        """Raise an error unless the server answers in time."""
        timeout = ANSWER_TIMEOUT if self._lease is None else ENGINE_ANSWER_TIMEOUT
        *others, last = self.roles(neo4j.READ_ACCESS)
        timeouts = dict.fromkeys(others, _FOLLOWERS_SHARE * timeout)
        timeouts[last] = timeout - sum(timeouts.values())
        failures = []
        with self._translate_connect_errors():
            for role in timeouts:
                try:
                    self._verify_role(mode, role, timeouts[role])
                    return
                except UNREACHABLE as error:
                    failures.append(error)
            raise next(filter(has_timed_out, failures), failures[-1])

    def _verify_role(self, mode: str, role: str, timeout: float) -> None:
        verify = partial(_verify, self._drivers[mode], self.database, timeout, role)
        agent = _call_with_timeout(verify, timeout + _GRACE)
        if self._lease is None:
            self.product = Product.parse(agent)

    @contextlib.contextmanager
    def _translate_connect_errors(self) -> Iterator[None]:
        try:
            yield
        except SettingsError:
            raise
        except FutureTimeoutError as error:
            raise connection_error(self.uri, TimeoutError()) from strip_tracebacks(error)
        except neo4j.exceptions.Neo4jError as error:
            raise as_driver_error(translate_error(error), error) from strip_tracebacks(error)
        except (neo4j.exceptions.DriverError, ValueError) as error:
            # The driver raises some failures to resolve a host name as ValueError.
            raise connection_error(self.uri, error) from strip_tracebacks(error)


def _verify(driver: neo4j.Driver, database: str | None, timeout: float, routing: str) -> str:
    """Open and close a transaction, which also fails if the database does not exist.

    Return the agent string of the server.
    """
    with (
        driver.session(
            database=database,
            default_access_mode=routing,
            connection_acquisition_timeout=timeout,
        ) as session,
        session.begin_transaction() as transaction,
    ):
        return str(transaction._connection.server_info.agent)


def _call_with_timeout(function: Callable[[], T], timeout: float) -> T:
    """Call a function in a daemon thread; raise the futures' `TimeoutError` if it takes longer.

    The driver's own timeouts have gaps: none applies to name resolution, nor to the TCP connect
    once its deadline has expired, nor to the reply to BEGIN. A daemon thread does not keep the
    program from exiting.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # raised again by `result`
            future.set_exception(error)

    threading.Thread(target=run, name="genai_graph-connect", daemon=True).start()
    return future.result(timeout)


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
    """Connect to the graph; all code in this process then uses this connection.

    With the settings of a connection that is open, that connection is returned and used again.
    Other settings open another one, which is used until it is closed.

    Omitted arguments default to the environment variables `NEO4J_URI`, `NEO4J_USERNAME`,
    `NEO4J_PASSWORD` (or the file `NEO4J_PASSWORD_FILE`), `NEO4J_DATABASE`,
    `NEO4J_TRUSTED_CERTIFICATES` (a file of certificate authorities; implies TLS with every scheme),
    `NEO4J_ALLOW_PLAINTEXT`, `GENAI_GRAPH_ENGINE`, `GENAI_GRAPH_HOME` and
    `GENAI_GRAPH_WRITER_TIMEOUT` (seconds), then to a `.env` file in the current directory. The keys
    that encrypt values are read from `GENAI_GRAPH_KEYS`. Without a URI, a managed engine is used,
    `embedded` or `neo4j`, and started if it is not running.

    A `read_only` connection uses a read-only user on the embedded engine, and declares each
    transaction as read-only on Neo4j.

    Raises `SettingsError` (also for plaintext to another machine), `MissingExtraError`,
    `EngineError`, `UnavailableError`, `TLSError`, `UnsupportedServerError` (not Neo4j),
    `AuthenticationError` or `QueryError` (unknown database). If the server does not respond, it
    raises within five seconds; a database that is starting is waited for.
    """
    arguments = {
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
    del password  # the frames of an error keep their variables
    return _connect(read_settings(**arguments), read_only)


def _connect(settings: Settings, read_only: bool) -> Connection:
    with _connect_lock:
        for step in _before_connecting:
            step()
        key = _identity(settings, read_only)
        connection = next((one for one in reversed(_connections) if one.key == key), None)
        if connection is None or not _is_in_use(connection):
            _require_no_transaction()
            if connection is None or not connection.answers():
                connection = Connection(settings, read_only=read_only)
        connection._count(1)
        with _connections_lock:
            _connections.append(connection)
    db.driver = graph_driver  # type: ignore[assignment]
    _clear_server_version()
    return connection


def _is_in_use(connection: Connection) -> bool:
    """Return whether a connection is the current one, with an open transaction or sandbox."""
    is_busy = connection.sandbox is not None or active_transaction() is not None
    return is_busy and connection is latest_connection()


def _identity(settings: Settings, read_only: bool) -> tuple[Any, ...]:
    """Return the values that distinguish connections, with absolute paths.

    Relative paths depend on the current directory.
    """
    values = (getattr(settings, name) for name in Settings.model_fields)
    return (
        read_only,
        *(value.absolute() if isinstance(value, Path) else value for value in values),
    )


def current_connection() -> Connection:
    """Return the current connection; raise `NotConnectedError` if none is open."""
    connection = latest_connection()
    if connection is None:
        raise NotConnectedError
    return connection


def active_transaction() -> GraphTransaction | None:
    """Return the open transaction of the context, or None.

    Raises `TransactionError` in code that was started inside an atomic block and runs after it, or
    in a process forked inside it: its statements would not be part of the transaction.
    """
    transaction = context_transaction.get()
    if transaction is None:
        return None
    caller, owner = Owner.current(), getattr(transaction, "owner", None)
    if owner is None:  # neomodel uses a driver of its own
        return transaction
    if owner.process != caller.process:
        raise TransactionError(
            "this process was forked inside an atomic() block, which belongs to the parent "
            "process: fork before the block, or leave it first"
        )
    if not transaction.has_ended:
        return transaction
    # Left in another context, where the variable could not be reset.
    if owner.thread == caller.thread and owner.task in (caller.task, None):
        context_transaction.set(None)
        return None
    raise TransactionError(
        "the atomic() block in which this code was started has ended: wait for its tasks and "
        "threads inside the block"
    )


def _require_no_transaction() -> None:
    connection = latest_connection()
    if connection is not None and connection.sandbox is not None:
        raise TransactionError("a sandbox is active: leave it before you connect elsewhere")
    if active_transaction() is not None:
        raise TransactionError("a transaction is open: end it before you connect elsewhere")


def _read_keyring(keys: SecretStr) -> Keyring:
    try:
        return Keyring.read(keys.get_secret_value())
    except GenaiGraphError as error:
        raise strip_tracebacks(error)  # noqa: B904  (its frames hold the keys)


def before_first_write(step: Callable[[], object]) -> None:
    """Register a function to be called on each connection before its first write."""
    _before_first_write.append(step)


def before_connecting(step: Callable[[], object]) -> None:
    """Register a function to be called before each connection is opened."""
    _before_connecting.append(step)


_before_connecting: list[Callable[[], object]] = []
_before_first_write: list[Callable[[], object]] = []
_connections: list[Connection] = []
_inherited: list[Any] = []  # connections of the parent process, in a forked child
# By graph, so that a connection that is opened later reads what an earlier one has written.
_bookmarks: dict[str, BookmarkManager] = {}
_connections_lock = threading.Lock()
_connect_lock = threading.RLock()


def latest_connection() -> Connection | None:
    """Return the connection that was opened last, or None."""
    with _connections_lock:
        connection = _connections[-1] if _connections else None
    if connection is not None and connection._is_inherited:
        connection.open_in_child()
    return connection


def _clear_server_version() -> None:
    """Clear the version cached by neomodel: the next connection may be to another server."""
    db._database_version = None
    db._database_edition = None


@atexit.register
def _close_all() -> None:
    while True:
        with _connections_lock:
            if not _connections:
                return
            connection = _connections[-1]
        connection.close()


def _close_in_worker() -> None:
    """Close the connections when a worker process ends, even if its pool terminates it.

    The workers of a pool end without calling the functions registered with atexit, and one of them
    may be the last client of an engine.
    """
    Finalize(None, _close_all, exitpriority=0)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit_on_sigterm)
        if hasattr(signal, "pthread_kill"):
            _watch_for_sigterm()


_sigterm_seen = threading.Event()
_has_wakeup_fd = False


def _watch_for_sigterm() -> None:
    """Make sure that a signal ends a worker that is about to wait for its next task.

    Python calls handlers between two instructions. A signal that arrives just before the wait is
    seen only after it, that is never: its pool would wait for the worker for ever.
    """
    global _has_wakeup_fd
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    other = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if other != -1:  # such as that of an event loop
        signal.set_wakeup_fd(other)
        os.close(reader)
        os.close(writer)
        return
    _has_wakeup_fd = True
    main_thread = threading.get_ident()

    def interrupt() -> None:
        while os.read(reader, 1) != bytes([signal.SIGTERM]):
            pass
        while not _sigterm_seen.wait(0.1):
            signal.pthread_kill(main_thread, signal.SIGTERM)

    threading.Thread(target=interrupt, name="genai_graph-sigterm", daemon=True).start()


def _exit_on_sigterm(*_: object) -> None:
    _sigterm_seen.set()
    if not is_exiting():  # else it would interrupt the closing
        sys.exit(128 + signal.SIGTERM)


def _after_fork() -> None:
    global _connections_lock, _connect_lock, _has_wakeup_fd, _sigterm_seen
    if _has_wakeup_fd:  # the thread that reads it is the parent's
        with contextlib.suppress(ValueError):  # forked by a thread
            signal.set_wakeup_fd(-1)
        _has_wakeup_fd, _sigterm_seen = False, threading.Event()
    # Other threads may have held them during the fork.
    _connections_lock, _connect_lock = threading.Lock(), threading.RLock()
    for graph, manager in _bookmarks.items():
        written: set[str] = manager._bookmarks  # type: ignore[attr-defined]
        _inherited.append(manager)
        _bookmarks[graph] = neo4j.GraphDatabase.bookmark_manager(
            neo4j.Bookmarks.from_raw_values(written)
        )
    for connection in {id(connection): connection for connection in _connections}.values():
        connection.detach_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

graph_driver: GraphDriver = GraphDriver(latest_connection)
if db.driver is None:  # so that a query before connect() raises NotConnectedError
    db.driver = graph_driver  # type: ignore[assignment]


# neomodel looks here for an open transaction: one that has ended must not be used.
def _set_active_transaction(_: object, transaction: GraphTransaction | None) -> None:
    context_transaction.set(transaction)


type(db._connection)._active_transaction = property(  # type: ignore[assignment]
    lambda _: active_transaction(), _set_active_transaction
)
