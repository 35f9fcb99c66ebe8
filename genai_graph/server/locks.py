"""Locks over processes and threads, on files, so that the system frees them when a process dies."""

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
    """Open (and make) a file that only its owner may read; the descriptor is not inherited."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)


def try_lock(descriptor: int, flags: LockFlags) -> bool:
    """Take a lock if it is free at once, and tell whether it was."""
    try:
        portalocker.lock(descriptor, flags | LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    return True


@contextlib.contextmanager
def mutex(path: Path, timeout: float) -> Iterator[None]:
    """Hold a file's exclusive lock, for short steps that only one process may take at a time."""
    descriptor = open_private(path)
    try:
        deadline = time.monotonic() + timeout
        while not try_lock(descriptor, LockFlags.EXCLUSIVE):
            if time.monotonic() > deadline:
                raise EngineError(f"{path}: another process holds it for more than {timeout:g} s")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


class WriterLock:
    """One writer at a time, over the threads and processes of a data folder.

    Who waits longer than `timeout` seconds gets `WriterTimeoutError`,
    which says who holds it.
    """

    _shared: ClassVar[dict[Path, WriterLock]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = threading.RLock()
        self._descriptor = -1
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @classmethod
    def at(cls, path: Path) -> WriterLock:
        """Return this process's one lock for a path."""
        with cls._guard:
            if path not in cls._shared:
                cls._shared[path] = cls(path)
            return cls._shared[path]

    def acquire(self, timeout: float) -> None:
        """Wait for the lock for at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        if not self._thread.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
            raise self._timed_out(timeout)
        try:
            if self._descriptor >= 0:  # two tasks of asyncio, say
                raise TransactionError(
                    "another transaction of this thread is writing: end it before the next one"
                )
            self._descriptor = self._wait(deadline, timeout)
        except BaseException:
            self._thread.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)
        self._descriptor = -1
        self._thread.release()

    def _wait(self, deadline: float, timeout: float) -> int:
        try:
            descriptor = open_private(self._path)
        except OSError as error:
            raise EngineError(f"{self._path} can't be opened: {error.strerror}") from error
        pause = 0.0005
        while not try_lock(descriptor, LockFlags.EXCLUSIVE):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise self._timed_out(timeout)
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        try:
            self._holder().write_text(str(os.getpid()))
        except OSError as error:
            os.close(descriptor)
            raise EngineError(f"{self._holder()} can't be written: {error.strerror}") from error
        return descriptor

    def _holder(self) -> Path:
        # Not in the locked file itself: on Windows nobody else could read it.
        return self._path.with_suffix(".pid")

    def _timed_out(self, timeout: float) -> WriterTimeoutError:
        try:
            pid = self._holder().read_text()
        except OSError:
            pid = ""
        holder = "another thread of this process" if pid == str(os.getpid()) else f"process {pid}"
        return WriterTimeoutError(
            f"the embedded engine takes one writer at a time, and {holder} is still writing after "
            f"{timeout:g} s: end its transaction, or wait longer (GENAI_GRAPH_WRITER_TIMEOUT)"
        )

    def _forget(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # the child's copy only: the parent keeps the lock
        self._thread = threading.RLock()
        self._descriptor = -1
