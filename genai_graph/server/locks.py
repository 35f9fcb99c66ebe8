"""Locks between processes and threads, on files: the system releases them when a process dies."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import portalocker
from portalocker import LockFlags

from genai_graph.errors import EngineError, TransactionError, WriterTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_private(path: Path) -> int:
    """Open or create a file that only its owner can read; child processes don't inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)


def try_lock(descriptor: int, flags: LockFlags) -> bool:
    """Take a lock without waiting; return whether it was free."""
    try:
        portalocker.lock(descriptor, flags | LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    return True


def _wait_for_lock(descriptor: int, deadline: float) -> bool:
    """Wait for an exclusive lock until the deadline; return whether it became free."""
    pause = 0.0005
    while not try_lock(descriptor, LockFlags.EXCLUSIVE):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
    return True


@contextlib.contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold an exclusive lock on a file; raise `EngineError` after `timeout` seconds."""
    descriptor = open_private(path)
    try:
        if not _wait_for_lock(descriptor, time.monotonic() + timeout):
            raise EngineError(f"{path}: locked by another process for {timeout:g} s: try again")
        yield
    finally:
        os.close(descriptor)


class WriterLock:
    """The lock of the single writer of a data directory, across threads and processes.

    Waiting longer than the timeout raises `WriterTimeoutError`, which names the holder.
    """

    _instances: ClassVar[dict[Path, WriterLock]] = {}
    _instances_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        # Not in the locked file itself: on Windows other processes could not read it.
        self._pid_file = path.with_suffix(".pid")
        self._thread_lock = threading.Lock()  # a transaction may end in another thread
        self._holder = 0  # the thread that took it
        self._descriptor = -1
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset_in_child)

    @classmethod
    def for_path(cls, path: Path) -> WriterLock:
        """Return the instance of this process for a path."""
        with cls._instances_lock:
            if path not in cls._instances:
                cls._instances[path] = cls(path)
            return cls._instances[path]

    def acquire(self, timeout: float) -> None:
        """Wait for the lock for at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        # The thread lock first: all threads of a process share the file lock.
        if not self._thread_lock.acquire(blocking=False):
            if self._holder == threading.get_ident():  # such as another asyncio task
                raise TransactionError(
                    "another transaction of this thread is writing: end it before the next one"
                )
            if not self._thread_lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
                raise self._timeout_error(timeout)
        self._holder = threading.get_ident()
        try:
            self._descriptor = self._lock_file(deadline, timeout)
        except BaseException:
            self._holder = 0
            self._thread_lock.release()
            raise

    def hand_over(self, thread: int) -> None:
        """Let another thread be the holder, which must not wait for the lock."""
        self._holder = thread

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
        self._descriptor, self._holder = -1, 0
        self._thread_lock.release()

    def _lock_file(self, deadline: float, timeout: float) -> int:
        try:
            descriptor = open_private(self._path)
        except OSError as error:
            raise EngineError(
                f"{self._path}: can't be opened: {error.strerror}: make it writable"
            ) from error
        if not _wait_for_lock(descriptor, deadline):
            os.close(descriptor)
            raise self._timeout_error(timeout)
        try:
            self._pid_file.write_text(str(os.getpid()))
        except OSError as error:
            os.close(descriptor)
            raise EngineError(
                f"{self._pid_file}: can't be written: {error.strerror}: free some space"
            ) from error
        return descriptor

    def _timeout_error(self, timeout: float) -> WriterTimeoutError:
        try:
            pid = self._pid_file.read_text()
        except OSError:
            pid = ""
        holder = "another thread of this process" if pid == str(os.getpid()) else f"process {pid}"
        return WriterTimeoutError(
            f"the embedded engine takes one writer at a time, and {holder} is still writing after "
            f"{timeout:g} s: end its transaction, or wait longer (GENAI_GRAPH_WRITER_TIMEOUT)"
        )

    def _reset_in_child(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # the child's copy: the parent still holds the lock
        self._thread_lock = threading.Lock()
        self._descriptor, self._holder = -1, 0
