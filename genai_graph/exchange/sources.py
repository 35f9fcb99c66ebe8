"""Fixtures: files, folders of CSV, or standard input, that can be read several times over."""

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
from typing import IO, TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from genai_graph.errors import FixtureFileError, FixtureIssue, SettingsError, SourceLocation
from genai_graph.exchange.filenames import SUFFIXES, format_of
from genai_graph.exchange.formats import csv, json, jsonl, yaml
from genai_graph.exchange.formats.compression import (
    READ_ERRORS,
    open_compressed,
    read_error_message,
)
from genai_graph.exchange.formats.records import TruncatedFile

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.formats.records import Record


_READERS: dict[str, Callable[..., Iterator[Record]]] = {
    "yaml": yaml.records,
    "json": json.records,
    "jsonl": jsonl.records,
}
FORMATS = (*_READERS, "csv")
STDIN = "-"
_FOLDER = "fixtures"
_A_FOLDER = "is a folder: name the files in it (a folder is read as CSV only)"
_NOT_A_FOLDER = "is a file: CSV is a folder of files such as Model.csv: name the folder"
_NOT_COPIED = "can't be copied to the folder for temporary files (TMPDIR)"
_HEADER_LINE = re.compile(rb'\s*\{\s*"format"\s*:[^{}\[\]\n]*\}\s*(?:\n|\Z)')


Advance = Callable[[int], None]


class Source(Protocol):
    """What can be read into records, several times over."""

    size: int

    def records(self, wanted: type[Record] | None, advance: Advance) -> Iterator[Record]:
        """Yield the records, or those of the wanted kind, and the faults; tell the bytes read."""


class FixtureSource:
    """A fixture that is read anew by every call of `records`."""

    def __init__(self, name: str, format: str | None = None) -> None:
        if format is not None and format not in FORMATS:
            raise SettingsError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
        self.name, self._path = self._locate(name)
        self._format = format or self._guess()
        if (self._format == "csv") != self._path.is_dir():
            raise _fault(self.name, _NOT_A_FOLDER if self._format == "csv" else _A_FOLDER)
        self.size = csv.size(self._path) if self._format == "csv" else self._path.stat().st_size
        self._document: list[Record] | None = None

    def records(self, wanted: type[Record] | None, advance: Advance) -> Iterator[Record]:
        """Yield the records and the faults of the fixture, in the order of the file."""
        if self._format == "csv":
            yield from csv.records(self._path, wanted, advance)
            return
        if self._format == "jsonl":
            yield from self._read(jsonl.records, wanted, advance=advance)
            return
        if self._document is None:
            self._document = list(self._read(_READERS[self._format]))
        advance(self.size)
        for record in self._document:
            if wanted is None or isinstance(record, (wanted, FixtureIssue)):
                yield record

    def _locate(self, name: str) -> tuple[str, Path]:
        if name == STDIN:
            return "<stdin>", self._spooled("<stdin>", _stdin())
        path = find_fixture(name)
        if path.is_file() or path.is_dir():
            return str(path), path
        try:
            pipe = path.open("rb")  # it can be read once
        except OSError as error:
            raise _unreadable(str(path), error) from error
        with pipe:
            return str(path), self._spooled(str(path), pipe)

    def _spooled(self, name: str, stream: IO[bytes]) -> Path:
        """Copy a stream, which can be read once, into a file that goes when the fixture does."""
        try:
            copy = Path(tempfile.gettempdir(), f"genai-graph-{uuid4().hex}")
            # Before it is there: the command may be told to end at any time.
            weakref.finalize(self, copy.unlink, missing_ok=True)
            with open(copy, "xb", opener=partial(os.open, mode=0o600)) as file:
                shutil.copyfileobj(stream, file)
        except OSError as error:
            raise _fault(name, f"{_NOT_COPIED}: {error.strerror or error}") from error
        return copy

    def _read(
        self, read: Callable[..., Iterator[Record]], *wanted: Any, advance: Advance | None = None
    ) -> Iterator[Record]:
        try:
            stream = open_compressed(self._path, advance)
        except READ_ERRORS as error:
            yield TruncatedFile(SourceLocation(self.name, 1), read_error_message(error))
            return
        with stream:
            yield from read(stream, self.name, *wanted)

    def _guess(self) -> str:
        if self._path.is_dir():
            return "csv"
        named = format_of(Path(self.name))
        if named == "cypher":
            raise _fault(self.name, "is Cypher, which is not read here: run it with cypher-shell")
        if named is not None:
            return named
        try:
            with open_compressed(self._path) as stream:
                start = stream.read(4096)
        except READ_ERRORS as error:
            raise _fault(self.name, read_error_message(error)) from error
        start = start.removeprefix(b"\xef\xbb\xbf")
        if _HEADER_LINE.match(start):
            return "jsonl"
        return "json" if start.lstrip().startswith(b"{") else "yaml"


def _stdin() -> IO[bytes]:
    if sys.stdin is None:
        raise _fault("<stdin>", "can't be read: it is closed")
    return sys.stdin.buffer


def find_fixture(name: str) -> Path:
    """Return the path of a fixture; a mere name stands for ``fixtures/NAME.yaml``."""
    if not name:  # a path of nothing is the current folder
        raise _fault("''", "expected the name of a file or a folder, got an empty one")
    path = Path(name)
    candidates = [path, *(Path(_FOLDER, name + suffix) for suffix in SUFFIXES)]
    try:
        found = next((candidate for candidate in candidates if candidate.exists()), None)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if found is None:
        other = "" if path.suffix else f", and no {Path(_FOLDER, name + '.yaml')}"
        raise _fault(name, f"there is no such file{other}")
    return found


def open_sources(names: Iterable[str | PathLike[str]], format: str | None) -> list[Source]:
    """Open fixtures; `FixtureFileError` when none of them can be read."""
    sources: list[Source] = []
    named = [str(name) for name in names]
    for at, name in enumerate(named):
        try:
            if name == STDIN and STDIN in named[:at]:
                raise _fault("<stdin>", "stands twice, and can be read once: keep one -")
            sources.append(FixtureSource(name, format))
        except FixtureFileError as error:
            sources.append(_Unreadable(error.errors))
    faults = [fault for source in sources for fault in getattr(source, "faults", ())]
    if len(faults) == len(sources) and faults:
        raise FixtureFileError(faults)
    return sources


@dataclass
class _Unreadable:
    """A fixture that can't be opened: its fault is told among those of the others."""

    faults: tuple[FixtureIssue, ...]
    size = 0

    def records(self, wanted: type[Record] | None, advance: Advance) -> Iterator[Record]:
        """Yield the fault."""
        yield from map(TruncatedFile._make, self.faults)


def _unreadable(name: str, error: OSError | ValueError) -> FixtureFileError:
    return _fault(name, f"can't be read: {getattr(error, 'strerror', None) or error}")


def _fault(name: str, message: str) -> FixtureFileError:
    return FixtureFileError([FixtureIssue(SourceLocation(name, 1), message)])
