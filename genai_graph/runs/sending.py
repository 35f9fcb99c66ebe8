"""Sending journals to the graph, in parts that can be sent again."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genai_graph.database import current_connection
from genai_graph.exchange.consistency import MAX_ERRORS
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.journal import CANCELLED
from genai_graph.exchange.formats.jsonl import encode_record
from genai_graph.exchange.formats.records import NodeRecord, select
from genai_graph.exchange.loader import load_sources
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.runs.journal_files import JournalFile, LockedState, SendState, find_journals
from genai_graph.storage.batching import BATCH_ROWS

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record

# About 350,000 points. Each part rewrites the histories that it continues, so parts are large.
PART_BYTES = 32 * 2**20
_log = logging.getLogger("genai_graph")


@dataclass
class _Part:
    """Some lines of a journal as a source of records; `status` is the last one in them."""

    journal: JournalFile
    header: bytes
    data: bytes
    lines_before: int
    status: str | None = None

    @property
    def size(self) -> int:
        """The size in bytes."""
        return len(self.data)

    def records(
        self, wanted: type[Record] | None, advance: Callable[[int], None]
    ) -> Iterator[Record]:
        """Yield the merged records."""
        lines = itertools.chain([self.header], io.BytesIO(self.data))
        found = jsonl.records(lines, str(self.journal.path), lines_before=self.lines_before)
        for record in select(found, wanted):
            if isinstance(record, NodeRecord) and record.uid == self.journal.uid:
                self.status = record.given.get("status") or self.status
            yield record
        advance(self.size)


def send_run(uid: str) -> None:
    """Send all journals of a run on this machine; raise `GenaiGraphError` if one can't be sent."""
    for journal in find_journals(uid):
        send_journal(journal)


def send_journal(journal: JournalFile, *, again: bool = False) -> int | None:
    """Send the rest of a journal, or all of it `again`; return the number of sent lines.

    Returns None while another process or thread sends it. A run that was running when its process
    ended becomes KILLED. Raises `GenaiGraphError`; the parts before were sent.
    """
    graph = current_connection().graph
    with journal.locked_state() as state:
        if state is None:
            return None
        if again or state.value.graph != graph:
            state.value = SendState(graph)
        before = state.value.lines
        is_live = journal.has_live_owner()  # read before the lines: then none can follow
        _send_rest(journal, state)
        if not is_live:
            _end(journal, state.value)
            _send_rest(journal, state)
            state.save()
        return state.value.lines - before


def _send_rest(journal: JournalFile, state: LockedState) -> None:
    while part := _next_part(journal, state.value):
        load_sources(
            [part],
            dry_run=False,
            atomic=True,
            batch_size=BATCH_ROWS,
            max_errors=MAX_ERRORS,
            progress=NO_PROGRESS,
        )
        value = state.value
        value.offset = (value.offset or len(part.header)) + part.size
        value.lines += part.data.count(b"\n")
        value.status = part.status or value.status
        state.save()


def _next_part(journal: JournalFile, state: SendState) -> _Part | None:
    """Return the next complete lines, or None.

    A part never ends with edges: they belong to the node or point on a line after them.
    """
    size = PART_BYTES
    with journal.path.open("rb") as file:
        header = file.readline()
        while True:
            file.seek(state.offset or len(header))
            data = file.read(size)
            end = data.rfind(b"\n") + 1
            while end and data.startswith(b'{"edge"', start := data.rfind(b"\n", 0, end - 1) + 1):
                end = start
            if end:
                return _Part(journal, header, data[:end], state.lines)
            if len(data) < size:
                return None
            size *= 2


def _end(journal: JournalFile, state: SendState) -> None:
    """Skip an incomplete last line of an ended process; if it did not end the run, write KILLED."""
    is_torn = 0 < state.offset < journal.size
    if is_torn:
        _log.warning("%s: the last line is incomplete: skipped", journal.path)
        state.offset = journal.size
    if state.status not in ("RUNNING", "SCHEDULED") or _is_resumed(journal):
        return
    given = {"status": "KILLED", "ended_at": journal.modified_at}
    record = NodeRecord(journal.uid, given, 0, "Experiment", str(journal.path), None)
    line = encode_record(record)
    with journal.path.open("ab", buffering=0) as file:
        file.write(CANCELLED + line if is_torn else line)


def _is_resumed(journal: JournalFile) -> bool:
    """Return whether a later journal is of the same run."""
    journals = [other for other in find_journals(journal.uid) if not other.is_attached]
    return bool(journals) and journals[-1].path != journal.path
