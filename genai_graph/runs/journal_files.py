"""The journals in the directory of this machine: their owners, and how much of them was sent."""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import psutil
from portalocker import LockFlags

from genai_graph.runs.journal import file_prefix_of, journal_directory
from genai_graph.server.locks import open_private, try_lock

_log = logging.getLogger("genai_graph")
_CLOCK_SECONDS = 2.0  # tolerance: the start time of a process varies with adjustments of the clock


@dataclass
class SendState:
    """The part of a journal that is in a graph: bytes, lines, and the last status of the run."""

    graph: str = ""
    offset: int = 0
    lines: int = 0
    status: str | None = None


class Owner(msgspec.Struct):
    """The run and the process that write a journal, from its header."""

    run: str
    name: str | None = None
    host: str = ""
    pid: int = 0
    started: float = 0.0  # when the process started, in seconds since 1970
    is_attached: bool = False  # to a run that another process ends


class _Header(msgspec.Struct):
    journal: Owner


@dataclass(frozen=True)
class JournalFile:
    """A journal, with the run and the process that its header names."""

    path: Path
    owner: Owner

    @property
    def uid(self) -> str:
        """The uid of the run."""
        return self.owner.run

    @property
    def name(self) -> str | None:
        """The name of the run."""
        return self.owner.name

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.path.stat().st_size

    @property
    def is_attached(self) -> bool:
        """Whether another process ends the run."""
        return self.owner.is_attached

    @property
    def modified_at(self) -> datetime:
        """The time of the last line."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, timezone.utc)

    def has_live_owner(self) -> bool:
        """Return whether the process that writes it may be running."""
        if self.owner.host != socket.gethostname():
            return True
        try:
            started = psutil.Process(self.owner.pid).create_time()
        except (psutil.Error, ValueError, OverflowError):
            return False
        return abs(started - self.owner.started) < _CLOCK_SECONDS

    def read_state(self) -> SendState:
        """Return how much of the journal was sent, without taking the lock."""
        try:
            return _parse_state(self._state_path.read_bytes())
        except OSError:
            return SendState()

    @contextlib.contextmanager
    def locked_state(self) -> Iterator[LockedState | None]:
        """Hold the lock and yield the state; yield None if another process or thread holds it."""
        descriptor = open_private(self._state_path)
        try:
            is_free = try_lock(descriptor, LockFlags.EXCLUSIVE)
            yield LockedState(descriptor) if is_free else None
        finally:
            os.close(descriptor)

    def delete(self) -> None:
        """Delete the journal."""
        self.path.unlink()
        self._state_path.unlink(missing_ok=True)

    @property
    def _state_path(self) -> Path:
        return self.path.with_suffix(".sent")


class LockedState:
    """The state of a journal, which only the holder of its lock writes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.value = _parse_state(os.pread(descriptor, 1 << 16, 0))

    def save(self) -> None:
        """Write the state.

        If it is written incompletely, it is read as "nothing sent": sending again is harmless.
        """
        text = json.dumps(asdict(self.value)).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)


def _parse_state(text: bytes) -> SendState:
    try:
        return msgspec.json.decode(text, type=SendState)
    except msgspec.MsgspecError:
        return SendState()


def find_journals(uid: str | None = None) -> list[JournalFile]:
    """Return the journals of a run, or of all runs, oldest first for each run."""
    pattern = "*" if uid is None else glob.escape(file_prefix_of(uid))
    paths = sorted(journal_directory().glob(f"{pattern}.*.jsonl"))
    found = filter(None, map(_read_header, paths))
    return [journal for journal in found if uid in (None, journal.uid)]


def _read_header(path: Path) -> JournalFile | None:
    """Return a journal, or None if it has no complete header yet, or was deleted."""
    try:
        with path.open("rb") as file:
            return JournalFile(path, msgspec.json.decode(file.readline(), type=_Header).journal)
    except (FileNotFoundError, IsADirectoryError, msgspec.MsgspecError):
        return None
    except OSError as error:
        _log.warning("%s: can't be read: %s: skipped", path, error.strerror)
        return None
