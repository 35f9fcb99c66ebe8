"""A managed engine's life: started on first use, shared on a data folder, stopped by the last.

Files in the engine's folder, which only its owner may enter:

- `engine.mutex`  held for the short steps of entering and leaving
- `engine.lease`  held shared by every client as long as it uses the engine
- `engine.json`   the running engine: process, port, passwords (new at every start)
- `engine.keep`   there while the engine is kept up without clients
- `engine.log`    what the engine prints; `engine.log.1` is the start before
- `writer.lock`   held by the one writer, whose process is in `writer.pid` (locks.py)
- `start-*.aot`   the Java ahead-of-time cache that makes every start but the first fast; the
  process that records it is in `training.json`
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
from genai_graph.server.locks import mutex, open_private, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


STOP_TIMEOUT = 30.0
KILL_TIMEOUT = 2.0
MIN_FREE_MB = 200  # MB: the files of an empty database and the ahead-of-time cache
_POLL = 0.02
_ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
_RECORD = "-XX:AOTCacheOutput="
# What a Java program needs of the environment; the rest may hold secrets, or change Java itself.
_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "TZ")


@dataclass(frozen=True)
class Users:
    """Who may enter a managed engine: one who may do everything, and one who may only read."""

    username: str
    password: str = field(repr=False)
    reader: str
    reader_password: str = field(repr=False)


@dataclass(frozen=True)
class RunningEngine:
    """A running engine: its process, where it listens, and who may enter."""

    pid: int
    born: float
    port: int
    users: Users

    @property
    def uri(self) -> str:
        """The Bolt address, on the loopback interface."""
        return f"bolt://127.0.0.1:{self.port}"

    def process(self) -> psutil.Process | None:
        """Return the process, or None when it has ended (or its number went to another)."""
        return _find_process(self.pid, self.born)


class Server(ABC):
    """What is particular to one engine: its files, its command line, what its log tells.

    One that is slow takes seconds to start and to stop: it is kept up until it is told to stop, and
    nobody waits for its end.
    """

    name: str
    database: str
    is_slow = False
    takes_one_writer = False
    start_limit = 60.0  # seconds
    # Nodes and edges, and bytes; None where the server refuses itself.
    largest_transaction: tuple[int, int] | None = None
    largest_message: int | None = None  # bytes of a statement with its parameters; likewise

    @abstractmethod
    def install(self) -> None:
        """Bring what it needs; `MissingExtraError` or `EngineError` when that is not to be had."""

    @abstractmethod
    def prepare(self, folder: Path) -> Users:
        """Write what must be there before a start, with new passwords."""

    @abstractmethod
    def command(self, folder: Path, java_options: list[str]) -> list[str]:
        """Return the command line of a start."""

    @abstractmethod
    def find_port(self, log: str, process: psutil.Process) -> int | None:
        """Return the Bolt port once the log says that the engine is ready."""

    @abstractmethod
    def is_stopping(self, log: str) -> bool:
        """Tell whether the log says that it has been told to stop."""

    @abstractmethod
    def is_down(self, log: str) -> bool:
        """Tell whether the log says that the store is closed."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a text that changes with the Java runtime or its class path."""


class ManagedEngine:
    """One engine on one data folder, shared by all of the user's processes."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self.folder = home / server.name
        self._state = self.folder / "engine.json"
        self._keep = self.folder / "engine.keep"

    @property
    def writer_lock(self) -> Path:
        """The file of the one writer's lock."""
        return self.folder / "writer.lock"

    @property
    def log(self) -> Path:
        """The file with what the engine prints."""
        return self.folder / "engine.log"

    def enter(self) -> Lease:
        """Use the engine, starting it when it is not running; `Lease.leave` ends the use."""
        self.server.install()
        with self._step():
            descriptor = open_private(self.folder / "engine.lease")
            try:
                try_lock(descriptor, LockFlags.SHARED)
                running = self.running()
                if running is None or self.is_stopping(running):
                    running = self._start()
                return Lease(self, running, descriptor)
            except BaseException:
                os.close(descriptor)
                raise

    def keep(self) -> RunningEngine:
        """Start the engine and keep it up until `stop`."""
        lease = self.enter()
        with self._step():
            os.close(open_private(self._keep))
        lease.leave()
        return lease.running

    def stop(self) -> bool | None:
        """Stop the engine, and wait for its end unless it is slow.

        Returns True when it was stopped, None when nothing was running, and False when others
        still use it: it stops when the last of them leaves.
        """
        if not self.folder.exists():
            return None
        with self._step():
            self._keep.unlink(missing_ok=True)
            running = self.running()
            if running is None:
                return None
            return self._stop_if_unused(running, wait_for_cache=True)

    def running(self) -> RunningEngine | None:
        """Return the running engine, if there is one."""
        running = self._recorded()
        return running if running is not None and running.port else None

    def is_stopping(self, running: RunningEngine) -> bool:
        """Tell whether an engine has been told to stop, or has ended."""
        with contextlib.suppress(OSError):
            if self.server.is_stopping(self._read_log()):
                return True
        return running.process() is None

    def _recorded(self) -> RunningEngine | None:
        """Return the living process that the state names; its port is 0 while it can't be used."""
        try:
            state = json.loads(self._state.read_text())
            running = RunningEngine(
                int(state["pid"]),
                float(state["born"]),
                int(state["port"]),
                Users(**state["users"]),
            )
            return running if running.process() is not None else None
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def leave(self, entered: RunningEngine, descriptor: int) -> None:
        """End one use; the last one stops the engine, whoever started it."""
        with self._step():
            os.close(descriptor)  # not an unlock: a forked child may still hold a copy
            running = self.running()
            if running is None and entered.process() is not None:
                running = entered  # someone removed the state, or the folder
            if running is not None and not self._keep.exists():
                self._stop_if_unused(running, wait_for_cache=False)

    @contextlib.contextmanager
    def settled(self) -> Iterator[Path]:
        """Give the engine's folder, while nobody starts or stops it."""
        with self._step():
            yield self.folder

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with mutex(self.folder / "engine.mutex", self.server.start_limit + STOP_TIMEOUT):
                yield
        except OSError as error:
            raise EngineError(
                f"the data folder {self.folder} can't be used ({error.strerror or error}): make it "
                "writable, free some space, or name another one in GENAI_GRAPH_HOME"
            ) from strip_tracebacks(error)

    def _stop_if_unused(self, running: RunningEngine, *, wait_for_cache: bool) -> bool:
        probe = open_private(self.folder / "engine.lease")
        try:
            if not try_lock(probe, LockFlags.EXCLUSIVE):
                return False
            if self.server.is_slow:
                self._dismiss(running)
            else:
                self._end(running, wait_for_cache=wait_for_cache)
            return True
        finally:
            os.close(probe)

    def _start(self) -> RunningEngine:
        self._keep.unlink(missing_ok=True)  # of an engine that did not end by `stop`
        before = self._recorded()
        if before is not None:  # it is ending, or who started it was killed before it was ready
            self._end(before, wait_for_cache=False)
        users = self.server.prepare(self.folder)
        self._turn_log()
        options = self._cache_options()
        process = self._spawn(self.server.command(self.folder, options))
        try:
            if any(option.startswith(_RECORD) for option in options):
                state = {"pid": process.pid, "born": process.create_time()}
                self._write(self.folder / "training.json", state)
            starting = RunningEngine(process.pid, process.create_time(), 0, users)
            self._write(self._state, asdict(starting))
            running = replace(starting, port=self._await_port(process))
            self._write(self._state, asdict(running))
            if self.server.is_slow:
                os.close(open_private(self._keep))
        except BaseException:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            raise
        return running

    def _spawn(self, command: list[str]) -> psutil.Process:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["LC_ALL"] = "C.UTF-8"  # else Java can't open a folder of a name like é
        with self.log.open("wb") as log:
            try:
                child = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise EngineError(f"{command[0]} can't be run: {error.strerror}") from error
        process = psutil.Process(child.pid)
        child.returncode = 0  # it outlives this process: Popen need not wait for it
        return process

    def _await_port(self, process: psutil.Process) -> int:
        deadline = time.monotonic() + self.server.start_limit
        is_last = False
        while not is_last:
            # Asked before the look: a process that was held up for long may be ready all the same.
            is_last = time.monotonic() > deadline or not _is_alive(process)
            port = self.server.find_port(self._read_log(), process)
            if port is not None:
                return port
            time.sleep(_POLL)
        printed = (line.strip() for line in self._read_log().splitlines())
        lines = [line for line in printed if line and not line.startswith(("at ", "..."))][-5:]
        free = shutil.disk_usage(self.folder).free >> 20
        advice = f": there are only {free} MB of space left there, make some" * (free < MIN_FREE_MB)
        raise EngineError(
            f"the {self.server.name} engine did not start{advice}; the end of {self.log}:\n"
            + "\n".join(lines)
        )

    def _dismiss(self, running: RunningEngine) -> None:
        """Tell the engine to end; the next start waits until it has."""
        self._write(self._state, asdict(replace(running, port=0)))
        process = running.process()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    def _end(self, running: RunningEngine, *, wait_for_cache: bool) -> None:
        process = running.process()
        if process is not None:
            training = self._trainer() == process
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
            self._await_end(process, wait_for_cache=wait_for_cache or not training)
            if not _is_alive(process):
                _reap(process)
        self._state.unlink(missing_ok=True)

    def _await_end(self, process: psutil.Process, *, wait_for_cache: bool) -> None:
        """Wait until the process has ended, or until only its cache is left to be written."""
        deadline = time.monotonic() + STOP_TIMEOUT
        while _is_alive(process):
            if not wait_for_cache and self.server.is_down(self._read_log()):
                return
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(_POLL)

    # The ahead-of-time cache. One run in a cache's life records it, and takes some seconds longer
    # to end; the next start that finds it whole uses it.

    def _cache_options(self) -> list[str]:
        key = hashlib.sha256(self.server.fingerprint().encode()).hexdigest()[:16]
        cache, recorded = self.folder / f"start-{key}.aot", self.folder / f"start-{key}.new"
        if self._trainer() is None and recorded.exists():
            recorded.replace(cache)
        if cache.exists():
            return [f"-XX:AOTCache={cache}"]
        if self._trainer() is not None:
            return []
        for outdated in self.folder.glob("start-*"):
            outdated.unlink()
        return [f"{_RECORD}{recorded}"]

    def _trainer(self) -> psutil.Process | None:
        try:
            state = json.loads((self.folder / "training.json").read_text())
            return _find_process(state["pid"], state["born"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def _turn_log(self) -> None:
        # An engine that is still writing its cache goes on printing into the file it has open.
        with contextlib.suppress(OSError):
            self.log.replace(self.folder / "engine.log.1")

    def _read_log(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        new = path.with_suffix(".tmp")
        write_private_file(new, json.dumps(state))
        new.replace(path)


@dataclass
class Lease:
    """One use of a managed engine."""

    engine: ManagedEngine
    running: RunningEngine
    descriptor: int

    def leave(self) -> None:
        """End the use; the last one that leaves stops the engine."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            self.engine.leave(self.running, descriptor)

    def is_stopping(self) -> bool:
        """Tell whether the engine has been told to stop, or has ended."""
        return self.engine.is_stopping(self.running)

    def ends(self) -> bool:
        """Wait for the end of an engine that stops or was killed, and tell whether it came."""
        deadline = time.monotonic() + (STOP_TIMEOUT if self.is_stopping() else KILL_TIMEOUT)
        while self.running.process() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def forget(self) -> None:
        """Close this process's copy after a fork: the use is the parent's."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def write_private_file(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def fingerprint_files(files: Iterable[Path]) -> str:
    """Return the names, sizes and dates of files: what changes when one of them does."""
    return "\n".join(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)


def _find_process(pid: int, born: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - born) < 2  # the clock may have been set since
    except psutil.NoSuchProcess:
        return None
    return process if same and _is_alive(process) else None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() not in _ENDED
    except psutil.Error:
        return False


def _reap(process: psutil.Process) -> None:
    """Take an ended process off the system's list, which only the one that started it can."""
    with contextlib.suppress(psutil.Error):
        if process.ppid() == os.getpid():
            process.wait(timeout=2)
