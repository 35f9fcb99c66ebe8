"""The thread that sends the journals of this process while they are written."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from genai_graph.database import connect, current_connection
from genai_graph.database.connection import Connection, active_transaction
from genai_graph.errors import GenaiGraphError, NotConnectedError, TransactionError
from genai_graph.runs.sending import send_run

_log = logging.getLogger("genai_graph")

INTERVAL = 1.0  # seconds between two sendings
# A sending writes whole histories of metrics, so it takes longer as they grow. A pause of nine
# times its duration limits sending to a tenth of the time, however long the run.
_PAUSE_FACTOR = 9.0
_LONGEST_PAUSE = 60.0  # after errors
FINISH_TIMEOUT = 60.0


@dataclass
class _Job:
    """A run to send; `is_ending` requests a last sending, after which `is_done` is set."""

    uid: str
    is_ending: bool = False
    problem: str = ""
    is_done: threading.Event = field(default_factory=threading.Event)


class Sender:
    """Sends the runs of a process in a daemon thread, which ends with the last of them."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None  # its own, if the program has none
        self._has_warned = False

    def add(self, uid: str) -> None:
        """Send a run from now on."""
        with self._lock:
            self._jobs[uid] = _Job(uid)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="genai_graph-runs")
                self._thread.daemon = True
                self._thread.start()

    def finish(self, uid: str, timeout: float) -> str:
        """Send the rest of a run; return why it is not in the graph, or ""."""
        job = self._jobs.get(uid)
        if job is None:
            return "it was started in another process"
        job.is_ending = True
        self._wake.set()
        if _is_in_transaction():  # it may hold the lock that the thread waits for
            return "it is sent after the transaction"
        if not job.is_done.wait(timeout):
            with self._lock:
                self._jobs.pop(uid, None)
            return f"not finished after {timeout:g} s"
        return job.problem

    def _run(self) -> None:
        pause = INTERVAL
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            started = time.monotonic()
            is_sent = self._send_all()
            seconds = time.monotonic() - started
            factor = _PAUSE_FACTOR if is_sent else 2 * _PAUSE_FACTOR
            pause = min(max(INTERVAL, factor * seconds, 0 if is_sent else 5.0), _LONGEST_PAUSE)
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return

    def _send_all(self) -> bool:
        """Send all runs once; return whether everything was sent."""
        failed = False
        for job in list(self._jobs.values()):
            is_last = job.is_ending
            job.problem = self._send(job.uid)
            failed |= bool(job.problem)
            if is_last:
                with self._lock:
                    self._jobs.pop(job.uid, None)
                    if not self._jobs:
                        self._disconnect()
                job.is_done.set()
        return not failed

    def _send(self, uid: str) -> str:
        """Send a run; return the error, or ""."""
        try:
            self._connect()
            send_run(uid)
        except Exception as error:  # the program that is logged must not fail
            message = str(error) if isinstance(error, GenaiGraphError) else repr(error)
            self._disconnect()
            if not self._has_warned:
                self._has_warned = True
                _log.warning(
                    "run %s: can't be sent to the graph yet; its journal is kept and sent later: "
                    "%s",
                    uid,
                    message,
                )
            return message
        return ""

    def _connect(self) -> None:
        try:
            current_connection()
        except NotConnectedError:
            self._connection = connect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


def _is_in_transaction() -> bool:
    try:
        return active_transaction() is not None
    except TransactionError:  # of an atomic block that has ended, or of the parent process
        return False


sender = Sender()


def _reset_in_child() -> None:
    sender.__init__()  # type: ignore[misc]  # threads and locks are not inherited


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
