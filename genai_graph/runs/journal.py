"""The journal of a run: a file that each process appends to while it logs.

A line is written by one system call, so that nothing is lost if the process is killed.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
import weakref
from collections.abc import Callable
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from genai_graph.database.settings import read_settings
from genai_graph.errors import OutputError, RunError
from genai_graph.exchange.formats.builders import fixture_header
from genai_graph.exchange.formats.journal import CANCELLED, JOURNAL

_LONGEST_NAME = 120
_SUFFIX = ".jsonl"


def journal_directory() -> Path:
    """Return the directory of all journals."""
    return read_settings().home / "runs"


def file_prefix_of(uid: str) -> str:
    """Return the prefix of the file names of a run's journals."""
    name = quote(uid, safe="")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{sha256(uid.encode()).hexdigest()[:16]}"


class Journal:
    """An open journal, created by the first line that a process appends.

    A forked process creates another one. `start` returns the lines that each journal begins with.
    """

    path: Path | None = None

    def __init__(self, uid: str, name: str | None, start: Callable[[], bytes]) -> None:
        self._uid = uid
        self._name = name
        self._start = start
        self._fd = -1
        self._lock = threading.Lock()
        self._is_torn = False
        self._is_closed = False
        self.is_attached = False  # to a run of another process, which ends it
        _journals.add(self)

    def append(self, lines: bytes) -> None:
        """Append complete lines. Raises `OutputError`, and `RunError` after `close`."""
        try:
            if self._is_torn:
                lines = CANCELLED + lines
            written = os.write(self._fd, lines)
        except OSError as error:
            if self._fd < 0:
                with self._lock:
                    if self._fd < 0:
                        self._fd = self._open()
                self.append(lines)
                return
            raise OutputError(
                f"{self.path}: can't be written: {error.strerror}: free some space"
            ) from error
        self._is_torn = written < len(lines)
        if self._is_torn:
            raise OutputError(f"{self.path}: can't be written completely: free some space")

    def close(self) -> None:
        """Refuse further lines.

        The file stays open as long as this object: another thread may be writing to it, and its
        descriptor must not be reused for another file.
        """
        self._fd, self._is_closed = -1, True

    def detach_in_child(self) -> None:
        """Write to another file in a forked process."""
        self._lock = threading.Lock()  # another thread may have held it
        self._fd, self._is_torn, self.is_attached = -1, False, True

    def _open(self) -> int:
        if self._is_closed:
            raise RunError(
                f"run {self._uid!r} is finished: start_run(resume={self._uid!r}) continues it"
            )
        now = datetime.now(timezone.utc)
        stamp = f"{now:%Y%m%dT%H%M%S%f}-{os.getpid()}-{secrets.token_hex(4)}"
        directory = journal_directory()
        path = directory / f"{file_prefix_of(self._uid)}.{stamp}{_SUFFIX}"
        header = {**fixture_header(), JOURNAL: self._describe_owner()}
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = _create(path, json.dumps(header).encode() + b"\n" + self._start())
        except OSError as error:
            raise OutputError(
                f"{path}: can't be created: {error.strerror}: make {directory} writable, or set "
                "GENAI_GRAPH_HOME"
            ) from error
        # Not at the exit of Python: open runs are finished then.
        weakref.finalize(self, _close, descriptor, os.getpid()).atexit = False
        self.path = path
        return descriptor

    def _describe_owner(self) -> dict[str, Any]:
        owner = {
            "run": self._uid,
            "name": self._name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "is_attached": self.is_attached,
        }
        return {name: value for name, value in owner.items() if value is not None}


def _create(path: Path, start: bytes) -> int:
    """Create a file with its first lines, or none at all: without a header it is not a journal."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o600)
    try:
        if os.write(descriptor, start) < len(start):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.close(descriptor)
        path.unlink()
        raise
    return descriptor


def _close(descriptor: int, process: int) -> None:
    if process == os.getpid():  # else it was closed after the fork
        os.close(descriptor)


_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _detach_all_in_child() -> None:
    for journal in list(_journals):
        if journal._fd >= 0:
            os.close(journal._fd)
        journal.detach_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_all_in_child)
