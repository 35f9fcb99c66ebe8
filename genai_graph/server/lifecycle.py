"""Managed engines: started by the first client of a data directory, stopped by the last.

Files in the engine's directory, which only its owner can enter:

- `engine.mutex`  locked exclusively while a client acquires or releases the engine
- `engine.lease`  locked in shared mode by every client while it uses the engine
- `engine.json`   state of the running engine: process, port, passwords (new at every start)
- `engine.starting`  exists until the process of a start is in `engine.json`
- `engine.keep`   exists if the engine keeps running without clients
- `engine.log`    output of the engine; `engine.log.1` is that of the previous start
- `writer.lock`   locked by the single writer, whose process id is in `writer.pid` (locks.py)
- `start-*.aot`   Java's ahead-of-time cache, which speeds up every start but the first; the process
  that records it is in `training.json`
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from portalocker import LockFlags

from genai_graph.errors import EngineError, strip_tracebacks
from genai_graph.server.locks import file_lock, open_private, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


STOP_TIMEOUT = 30.0
KILL_TIMEOUT = 2.0
MIN_FREE_MB = 200  # the files of an empty database and the ahead-of-time cache
_POLL = 0.02
_ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
_RECORD_OPTION = "-XX:AOTCacheOutput="
# Variables passed on to Java; any other may hold a secret, or change Java's behaviour.
ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "TZ")


@dataclass(frozen=True)
class Users:
    """Credentials of a managed engine: an administrator and a read-only user."""

    username: str
    password: str = field(repr=False)
    reader: str
    reader_password: str = field(repr=False)


@dataclass(frozen=True)
class RunningEngine:
    """The process of an engine, its port and its users."""

    pid: int
    create_time: float
    port: int
    users: Users

    @property
    def uri(self) -> str:
        """The Bolt address, on the loopback interface."""
        return f"bolt://127.0.0.1:{self.port}"

    def process(self) -> psutil.Process | None:
        """Return the process, or None if it has ended (its id may have been reused)."""
        return find_process(self.pid, self.create_time)


class Server(ABC):
    """Description of one engine: its files, its command line, the meaning of its log.

    A slow engine takes seconds to start and stop: it keeps running until it is stopped explicitly,
    and clients don't wait for its end.
    """

    name: str
    database: str
    is_slow = False
    single_writer = False
    start_timeout = 60.0  # seconds
    # (nodes and edges, bytes); None if the server itself rejects larger ones.
    largest_transaction: tuple[int, int] | None = None
    largest_message: int | None = None  # bytes of a statement with its parameters
    stopping_message: str  # in the log once the shutdown has begun
    stopped_message: str  # in the log once the databases are closed

    @property
    @abstractmethod
    def java(self) -> Path:
        """Path of the Java executable; raises `MissingExtraError` if it is not installed."""

    @property
    @abstractmethod
    def lib(self) -> Path:
        """The directory of the jars."""

    @abstractmethod
    def install(self) -> None:
        """Install prerequisites; raise `MissingExtraError` or `EngineError` if unavailable."""

    @abstractmethod
    def prepare(self, directory: Path) -> Users:
        """Write the files needed for a start, and return the users."""

    def has_failed_import(self, directory: Path) -> bool:
        """Return whether the database is to be deleted by `prepare`, as a part of an import."""
        return False

    @abstractmethod
    def command(self, directory: Path, java_options: list[str]) -> list[str]:
        """Return the command line of a start."""

    @abstractmethod
    def find_port(self, log: str, process: psutil.Process) -> int | None:
        """Return the Bolt port once the log reports that the engine is ready."""

    def java_command(self, main: str, options: list[str]) -> list[str]:
        """Return the command line of a main class."""
        common = ["--enable-native-access=ALL-UNNAMED", "-Djava.awt.headless=true"]
        return [str(self.java), *common, *options, "-cp", str(self.lib / "*"), main]


class ManagedEngine:
    """An engine with its data directory, shared by all processes of the user."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self.directory = home / server.name
        self._state_file = self.directory / "engine.json"
        self._keep_file = self.directory / "engine.keep"
        self._starting_file = self.directory / "engine.starting"

    @property
    def writer_lock(self) -> Path:
        """The lock file of the single writer."""
        return self.directory / "writer.lock"

    @property
    def log(self) -> Path:
        """The file with the output of the engine."""
        return self.directory / "engine.log"

    def acquire(self) -> Lease:
        """Return a lease on the engine, which is started if necessary."""
        self.server.install()
        with self.locked():
            descriptor = open_private(self.directory / "engine.lease")
            try:
                try_lock(descriptor, LockFlags.SHARED)
                return Lease(self, self._ensure_running(), descriptor)
            except BaseException:
                os.close(descriptor)
                raise

    def start(self) -> RunningEngine:
        """Start the engine, and keep it running without clients until `stop`."""
        lease = self.acquire()
        with self.locked():
            os.close(open_private(self._keep_file))
        lease.release()
        return lease.running

    def stop(self) -> bool | None:
        """Stop the engine, and wait for its end unless it is slow.

        Returns True if it was stopped, None if it was not running, and False if it is in use: the
        last client will stop it.
        """
        if not self.directory.exists():
            return None
        with self.locked():
            self._keep_file.unlink(missing_ok=True)
            running = self.running()
            if running is not None:
                return self._stop_if_unused(running, wait_for_cache=True)
            if self.server.is_slow:  # it may be stopping already: not waited for
                return None
            return self._stop_previous(wait_for_cache=True) or None

    @contextlib.contextmanager
    def stopped(self, check: Callable[[RunningEngine], None] | None = None) -> Iterator[Path]:
        """Stop the engine, prepare its directory and yield it; no client can start it in the block.

        Before, if the engine has a database, a check is called while no other client can use the
        engine; it raises an error if the engine must not be stopped.

        Raises `EngineError` if the engine is in use.
        """
        with self.locked() as directory:
            probe = open_private(directory / "engine.lease")
            try:
                if not try_lock(probe, LockFlags.EXCLUSIVE):
                    raise EngineError(
                        f"the {self.server.name} engine in {directory} is in use: end its clients"
                    )
                database = directory / "data" / "databases" / self.server.database
                if check is not None and database.exists():
                    check(self._ensure_running())
                self._stop_previous(wait_for_cache=True)
                self.server.prepare(directory)
                # If this process is killed, the next client ends what the block has started.
                os.close(open_private(self._starting_file))
                yield directory
                self._starting_file.unlink()
            finally:
                os.close(probe)

    def running(self) -> RunningEngine | None:
        """Return the running engine, or None."""
        running = self._read_state()
        return running if running and running.port else None

    def is_stopping(self, running: RunningEngine) -> bool:
        """Return whether an engine is shutting down or has ended."""
        with contextlib.suppress(OSError):
            if self.server.stopping_message in self._read_log():
                return True
        return running.process() is None

    def _read_state(self) -> RunningEngine | None:
        """Return the live process in the state file; its port is 0 while it starts or stops."""
        try:
            state = json.loads(self._state_file.read_text())
            pid, created, port = int(state["pid"]), float(state["create_time"]), int(state["port"])
            running = RunningEngine(pid, created, port, Users(**state["users"]))
            return running if running.process() is not None else None
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def release(self, acquired: RunningEngine, descriptor: int) -> None:
        """Release a lease; the last client stops the engine, regardless of which one started it."""
        with self.locked():
            os.close(descriptor)  # not an unlock: a forked child may still hold a copy
            running = self.running()
            if running is None and acquired.process() is not None:
                running = acquired  # the state file or the directory was deleted
            if running is not None and not self._keep_file.exists():
                self._stop_if_unused(running, wait_for_cache=False)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Path]:
        """Hold the engine lock and yield the data directory: no other client starts or stops it."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            timeout = self.server.start_timeout + STOP_TIMEOUT
            with file_lock(self.directory / "engine.mutex", timeout):
                yield self.directory
        except OSError as error:
            raise EngineError(
                f"{self.directory}: data directory is not usable ({error.strerror or error}): make "
                "it writable, free some space, or set GENAI_GRAPH_HOME"
            ) from strip_tracebacks(error)

    def _stop_if_unused(self, running: RunningEngine, *, wait_for_cache: bool) -> bool:
        probe = open_private(self.directory / "engine.lease")
        try:
            if not try_lock(probe, LockFlags.EXCLUSIVE):
                return False
            if not self.server.is_slow:
                self._terminate(running.process(), wait_for_cache=wait_for_cache)
                return True
            # Port 0 marks it as stopping; the next start waits for its end.
            self._write(self._state_file, asdict(replace(running, port=0)))
            if (process := running.process()) is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.terminate()
            return True
        finally:
            os.close(probe)

    def _ensure_running(self) -> RunningEngine:
        running = self.running()
        if (
            running is None
            or self.is_stopping(running)
            or self.server.has_failed_import(self.directory)
        ):
            return self._start()
        return running

    def _start(self) -> RunningEngine:
        self._keep_file.unlink(missing_ok=True)  # left by an engine that was killed
        self._stop_previous(wait_for_cache=False)
        users = self.server.prepare(self.directory)
        # A new file: an engine that still writes its cache keeps printing into the old one.
        with contextlib.suppress(OSError):
            self.log.replace(self.directory / "engine.log.1")
        options = self._cache_options()
        os.close(open_private(self._starting_file))
        process = self._spawn(self.server.command(self.directory, options))
        try:
            if any(option.startswith(_RECORD_OPTION) for option in options):
                state = {"pid": process.pid, "create_time": process.create_time()}
                self._write(self.directory / "training.json", state)
            starting = RunningEngine(process.pid, process.create_time(), 0, users)
            self._write(self._state_file, asdict(starting))
            self._starting_file.unlink(missing_ok=True)
            running = replace(starting, port=self._wait_for_port(process))
            self._write(self._state_file, asdict(running))
            if self.server.is_slow:
                os.close(open_private(self._keep_file))
        except BaseException:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            raise
        return running

    def _spawn(self, command: list[str]) -> psutil.Process:
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        environment["LC_ALL"] = "C.UTF-8"  # otherwise Java can't open a directory named é
        with self.log.open("wb") as log:
            try:
                child = subprocess.Popen(
                    command,
                    cwd=self.directory,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"{command[0]}: can't be run: {error.strerror}") from error
        child.returncode = 0  # it outlives this process: Popen must not warn that it still runs
        return psutil.Process(child.pid)

    def _wait_for_port(self, process: psutil.Process) -> int:
        deadline = time.monotonic() + self.server.start_timeout
        is_last = False
        while not is_last:
            # Checked before the log is read: after a suspension of this process beyond the
            # deadline, the engine may be ready.
            is_last = time.monotonic() > deadline or not _is_alive(process)
            port = self.server.find_port(self._read_log(), process)
            if port is not None:
                return port
            time.sleep(_POLL)
        output = (line.strip() for line in self._read_log().splitlines())
        lines = [line for line in output if line and not line.startswith(("at ", "..."))][-5:]
        hint = disk_space_hint(self.directory)
        raise EngineError(
            f"the {self.server.name} engine did not start{hint}; the end of {self.log}:\n"
            + "\n".join(lines)
        )

    def _stop_previous(self, *, wait_for_cache: bool) -> bool:
        """End an engine that is stopping or only started in part; return whether there was one."""
        previous = self._read_state()
        processes = [] if previous is None else [previous.process()]
        if self._starting_file.exists():  # the starter was killed before it wrote engine.json
            processes += self._find_processes()
        for process in processes:
            self._terminate(process, wait_for_cache=wait_for_cache)
        self._starting_file.unlink(missing_ok=True)
        return bool(processes)

    def _find_processes(self) -> list[psutil.Process]:
        """Return the engines and importers of this directory, by the command lines of processes."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if (line := process.info["cmdline"])
            and line[0] == str(self.server.java)
            and any(argument.endswith(f"={self.directory}") for argument in line)
        ]

    def _terminate(self, process: psutil.Process | None, *, wait_for_cache: bool) -> None:
        if process is not None:
            wait_for_cache = wait_for_cache or self._cache_recorder() != process
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
            self._wait_for_end(process, wait_for_cache=wait_for_cache)
            with contextlib.suppress(psutil.Error):
                if not _is_alive(process) and process.ppid() == os.getpid():
                    process.wait(timeout=2)  # removes the zombie of a child
        self._state_file.unlink(missing_ok=True)

    def _wait_for_end(self, process: psutil.Process, *, wait_for_cache: bool) -> None:
        """Wait for the end of the process, or until it only has to write its cache."""
        deadline = time.monotonic() + STOP_TIMEOUT
        while _is_alive(process):
            if not wait_for_cache and self.server.stopped_message in self._read_log():
                return
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(_POLL)

    def _cache_options(self) -> list[str]:
        """Return the Java option that uses the ahead-of-time cache, or records it.

        The recording run takes some seconds longer to exit; until then, no start uses a cache.
        """
        files = [self.server.java, *sorted(self.server.lib.glob("*.jar"))]
        versions = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        key = hashlib.sha256(repr(versions).encode()).hexdigest()[:16]
        cache, recorded = self.directory / f"start-{key}.aot", self.directory / f"start-{key}.new"
        is_recording = self._cache_recorder() is not None
        if not is_recording and recorded.exists():
            recorded.replace(cache)
        if cache.exists():
            return [f"-XX:AOTCache={cache}"]
        if is_recording:
            return []
        for outdated in self.directory.glob("start-*"):
            outdated.unlink()
        return [f"{_RECORD_OPTION}{recorded}"]

    def _cache_recorder(self) -> psutil.Process | None:
        try:
            state = json.loads((self.directory / "training.json").read_text())
            return find_process(state["pid"], state["create_time"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def _read_log(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        temporary = path.with_suffix(".tmp")
        write_private_file(temporary, json.dumps(state))
        temporary.replace(path)


@dataclass
class Lease:
    """The lease of one client on a managed engine."""

    engine: ManagedEngine
    running: RunningEngine
    descriptor: int

    def release(self) -> None:
        """Release the lease; the last client stops the engine."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            self.engine.release(self.running, descriptor)

    def is_stopping(self) -> bool:
        """Return whether the engine is shutting down or has ended."""
        return self.engine.is_stopping(self.running)

    def wait_for_end(self) -> bool:
        """Wait for the end of an engine that is stopping or was killed; False on a timeout."""
        deadline = time.monotonic() + (STOP_TIMEOUT if self.is_stopping() else KILL_TIMEOUT)
        while self.running.process() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def close_in_child(self) -> None:
        """Close the descriptor that a forked child inherited; the parent's lease remains."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def disk_space_hint(directory: Path) -> str:
    """Return the advice to free disk space if there is little, or ""."""
    free = shutil.disk_usage(directory).free >> 20
    return f": free some disk space ({free} MB left)" if free < MIN_FREE_MB else ""


def write_private_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def find_process(pid: int, create_time: float) -> psutil.Process | None:
    """Return a process, or None if it has ended (its id may have been reused)."""
    try:
        process = psutil.Process(pid)
        # Compared with a tolerance: it changes when the system clock is adjusted.
        is_same = abs(process.create_time() - create_time) < 2
    except psutil.NoSuchProcess:
        return None
    return process if is_same and _is_alive(process) else None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() not in _ENDED
    except psutil.Error:
        return False
