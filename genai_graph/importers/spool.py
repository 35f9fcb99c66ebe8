"""The records of an import in a temporary file, so that a source is read only once."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from genai_graph.errors import (
    FixtureIssue,
    GenaiGraphError,
    ImportSourceError,
    OutputError,
    SourceLocation,
)
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.compression import open_compressed
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    select,
)

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record

_HEADER_LINES = 1


def _read(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records of a source.

    An OSError of the source is converted here, so that it is not reported as one of the temporary
    file.
    """
    try:
        yield from records
    except GenaiGraphError:
        raise
    except OSError as error:
        problem = f"can't be read: {error.strerror or error}"
        raise ImportSourceError(str(error.filename or "source"), problem) from error


class RecordSpool:
    """Records that are written to a private temporary file when they are first read.

    It has the interface of `exchange.record_stream.Source`. Each record is read with the location
    that it was written with: locations are kept in memory, one text per run or file. The file is
    deleted with this object.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.path = Path(tempfile.gettempdir(), f"genai-graph-{uuid4().hex}")
        # Registered before the file exists: a signal may end the process at any time.
        weakref.finalize(self, self.path.unlink, missing_ok=True)
        self.size = 0
        self._unread: Iterable[Record] | None = records
        self._first_lines: list[int] = []
        self._locations: list[SourceLocation] = []
        self._issues: list[Record] = []

    def _write(self, records: Iterable[Record]) -> Iterator[Record]:
        """Write records, keep the errors among them, and yield all of them."""
        try:
            with open(self.path, "xb", opener=partial(os.open, mode=0o600)) as file:
                for batch in jsonl.write_through(self._located(_read(records)), file):
                    yield from batch
            self.size = self.path.stat().st_size
        except GenaiGraphError:  # some are an OSError, too, such as ImportSourceError
            raise
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(
                f"the import can't be spooled to {tempfile.gettempdir()}: {reason}: "
                "set TMPDIR to a larger disk"
            ) from error
        yield from self._issues

    def copy_to(self, stream: IO[bytes]) -> None:
        """Copy the JSON Lines to a stream."""
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                stream.write(block)

    def records(
        self, wanted: type[Record] | None, advance: Callable[[int], None]
    ) -> Iterator[Record]:
        """Yield all records and errors, or the records of one class and the errors.

        The first call writes the file.
        """
        if self._unread is not None:
            unread, self._unread = self._unread, None
            yield from select(self._write(unread), wanted)
            return
        yield from select(self._issues, wanted)
        with open_compressed(self.path, advance) as lines:
            for record in jsonl.records(lines, str(self.path), wanted):
                yield self._with_location(record)

    def _located(self, records: Iterable[Record]) -> Iterator[NodeRecord | EdgeRecord]:
        numbers = itertools.count(1 + _HEADER_LINES)
        last: str | None = None
        last_line: int | None = None
        for record in records:
            if not isinstance(record, (NodeRecord, EdgeRecord)):
                self._issues.append(record)
                continue
            number = next(numbers)
            if record.file is not last or record.line != last_line:
                last, last_line = record.file, record.line
                self._first_lines.append(number)
                self._locations.append(SourceLocation(last, last_line))
            yield record

    def _location(self, line: int | None) -> SourceLocation:
        return self._locations[bisect_right(self._first_lines, line or 0) - 1]

    def _with_location(self, record: Any) -> Record:
        if isinstance(record, NodeRecord):
            file, line = self._location(record.line)
            return NodeRecord(record.uid, record.given, record.size, record.label, file, line)
        if isinstance(record, EdgeRecord):
            file, line = self._location(record.line)
            given, size, edge_type = record.given, record.size, record.edge_type
            return EdgeRecord(record.source, record.target, given, size, edge_type, file, line)
        if isinstance(record, InvalidNode):
            location = self._location(record.location.line)
            return msgspec.structs.replace(record, location=location)
        if isinstance(record, InvalidEdge):
            return record
        issue: FixtureIssue = record
        return issue._replace(location=self._location(issue.location.line))

    def close(self) -> None:
        """Delete the file."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
