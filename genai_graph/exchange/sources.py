"""Opening fixtures: files, CSV directories, pipes and standard input, all readable repeatedly."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from genai_graph.errors import FixtureFileError, FixtureIssue, SettingsError, SourceLocation
from genai_graph.exchange.filenames import SUFFIXES, format_of, suffix_of
from genai_graph.exchange.formats import csv, document, json, jsonl, yaml
from genai_graph.exchange.formats.compression import (
    READ_ERRORS,
    open_compressed,
    read_error_message,
)
from genai_graph.exchange.formats.records import TruncatedFile, select

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.record_stream import Source


Advance = Callable[[int], None]

_PARSERS = {"yaml": yaml.parse, "json": json.parse}
FORMATS = (*_PARSERS, "jsonl", "csv")
STDIN = "-"
_DIRECTORY = "fixtures"
_HEADER_LINE = re.compile(rb'\s*\{\s*"format"\s*:[^{}\[\]\n]*\}\s*(?:\n|\Z)')


class FixtureSource:
    """A file or a CSV directory; JSON and YAML documents are parsed once, other formats each time.

    A stream (standard input or a pipe) is copied to a temporary file. `size` is in bytes.
    """

    def __init__(self, name: str, format: str | None = None) -> None:
        if format is not None and format not in FORMATS:
            raise SettingsError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
        self.name, self._path = self._locate(name)
        self._format = format or self._detect_format()
        if self._format == "csv" and not self._path.is_dir():
            raise _file_error(self.name, csv.file_error(Path(self.name)))
        if self._format != "csv" and self._path.is_dir():
            raise _file_error(self.name, "is a directory: use --format csv, or name its files")
        self.size = csv.size(self._path) if self._format == "csv" else self._path.stat().st_size
        self._document: list[Record] | None = None

    def records(self, wanted: type[Record] | None, advance: Advance) -> Iterator[Record]:
        """Yield all records and errors, or the records of one class and the errors, in order.

        `advance` is called with the number of bytes read since its last call.
        """
        if self._format == "csv":
            yield from csv.records(self._path, wanted, advance)
        elif self._format == "jsonl":
            yield from self._read(jsonl.records, wanted, advance)
        else:
            if self._document is None:
                self._document = list(self._read(document.records, _PARSERS[self._format]))
            advance(self.size)
            yield from select(self._document, wanted)

    def _locate(self, name: str) -> tuple[str, Path]:
        """Return the name for messages, and the path of the file or of the copy of a stream."""
        if name == STDIN:
            if sys.stdin is None:
                raise _file_error("<stdin>", "can't be read: it is closed")
            return "<stdin>", self._copy("<stdin>", sys.stdin.buffer)
        path = find_fixture(name)
        if path.is_file() or path.is_dir():
            return str(path), path
        try:
            pipe = path.open("rb")
        except OSError as error:
            raise _unreadable(str(path), error) from error
        with pipe:
            return str(path), self._copy(str(path), pipe)

    def _copy(self, name: str, stream: IO[bytes]) -> Path:
        """Copy a stream to a temporary file that is deleted with this object."""
        try:
            copy = Path(tempfile.gettempdir(), f"genai-graph-{uuid4().hex}")
            # Registered before the file exists: a signal may end the process at any time.
            weakref.finalize(self, copy.unlink, missing_ok=True)
            with open(copy, "xb", opener=partial(os.open, mode=0o600)) as file:
                shutil.copyfileobj(stream, file)
        except OSError as error:
            message = f"can't be copied to {tempfile.gettempdir()}: {error.strerror or error}"
            raise _file_error(name, f"{message}: set TMPDIR to a larger disk") from error
        return copy

    def _read(
        self, read: Callable[..., Iterator[Record]], argument: Any, advance: Advance | None = None
    ) -> Iterator[Record]:
        """Read the file with a format's reader, which takes one argument of its own."""
        try:
            stream = open_compressed(self._path, advance)
        except READ_ERRORS as error:
            yield TruncatedFile(SourceLocation(self.name), read_error_message(error))
            return
        with stream:
            yield from read(stream, self.name, argument)

    def _detect_format(self) -> str:
        """Return the format by the file extension, or else by the first bytes."""
        if self._path.is_dir():
            return "csv"
        known = format_of(Path(self.name))
        if known == "cypher":
            raise _file_error(self.name, "Cypher can't be loaded: run it with cypher-shell")
        if known is not None:
            return known
        if suffix_of(Path(self.name)) in (".csv", ".tsv"):
            raise _file_error(self.name, csv.file_error(Path(self.name)))
        try:
            with open_compressed(self._path) as stream:
                start = stream.read(4096)
        except READ_ERRORS as error:
            raise _file_error(self.name, read_error_message(error)) from error
        start = start.removeprefix(b"\xef\xbb\xbf")
        if _HEADER_LINE.match(start):
            return "jsonl"
        return "json" if start.lstrip().startswith(b"{") else "yaml"


@dataclass
class UnreadableSource:
    """A fixture that can't be opened: its only record is the error."""

    errors: tuple[FixtureIssue, ...]
    size = 0

    def records(self, wanted: type[Record] | None, advance: Advance) -> Iterator[Record]:
        """Yield the error."""
        yield from map(TruncatedFile._make, self.errors)


def find_fixture(name: str) -> Path:
    """Return the path of a fixture; a name without a file is short for ``fixtures/NAME.yaml``."""
    if not name:  # would be the current directory
        raise _file_error("''", "expected a file name")
    path = Path(name)
    candidates = [path, *(Path(_DIRECTORY, name + suffix) for suffix in SUFFIXES)]
    try:
        found = next((candidate for candidate in candidates if candidate.exists()), None)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if found is None:
        alternative = "" if path.suffix else f", and no {Path(_DIRECTORY, name + '.yaml')}"
        raise _file_error(name, f"no such file{alternative}")
    return found


def open_sources(
    fixtures: Iterable[str | PathLike[str] | Source], format: str | None
) -> list[Source]:
    """Open fixtures; raise `FixtureFileError` if none of them can be read.

    A fixture that is a source is returned as it is.
    If only some can't be read, their errors are reported with those of the other fixtures.
    """
    sources: list[Source] = []
    errors: list[FixtureIssue] = []
    opened: set[str] = set()
    for fixture in fixtures:
        if not isinstance(fixture, (str, os.PathLike)):
            sources.append(fixture)
            continue
        name = str(fixture)
        try:
            if name == STDIN and name in opened:
                raise _file_error("<stdin>", "duplicate: standard input can be read only once")
            opened.add(name)
            sources.append(FixtureSource(name, format))
        except FixtureFileError as error:
            errors += error.errors
            sources.append(UnreadableSource(error.errors))
    if errors and len(errors) == len(sources):
        raise FixtureFileError(errors)
    return sources


def _unreadable(name: str, error: OSError | ValueError) -> FixtureFileError:
    return _file_error(name, f"can't be read: {getattr(error, 'strerror', None) or error}")


def _file_error(name: str, message: str) -> FixtureFileError:
    return FixtureFileError([FixtureIssue(SourceLocation(name), message)])
