"""Reading of tables: CSV files of programs and spreadsheets, also compressed by gzip or xz."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from genai_graph.errors import GenaiGraphError, ImportSourceError
from genai_graph.exchange.formats.compression import (
    READ_ERRORS,
    TABLE_HINT,
    open_compressed,
    read_error_message,
)

_MAX_CELL_BYTES = 8 * 2**20
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*\Z')  # the first line of some files of Excel
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Row(NamedTuple):
    """A row: its first and last line, and its cells, or why it can't be read."""

    line: int
    last_line: int
    cells: list[str]
    problem: str = ""


@contextmanager
def open_table(file: str) -> Iterator[Table]:
    """Open a CSV file; errors of reading it are raised as `ImportSourceError`."""
    path = Path(file)
    try:
        # A pipe can be read only once: open_compressed would read its start to check the content.
        raw: Any = path.open("rb") if path.is_fifo() else open_compressed(path)
        with raw:
            encoding = "utf-16" if raw.peek(2)[:2] in _UTF_16_MARKS else "utf-8-sig"
            yield Table(file, io.TextIOWrapper(raw, encoding=encoding, newline=""))
    except GenaiGraphError:
        raise
    except UnicodeDecodeError:
        problem = "is not text in UTF-8: save it as UTF-8"
        raise ImportSourceError(f"{file}{_find_invalid_line(path)}", problem) from None
    except csv.Error as error:  # of the header
        raise ImportSourceError(file, f"is not CSV: {error}") from None
    except READ_ERRORS as error:
        problem = read_error_message(error).replace(TABLE_HINT, "save it as CSV")
        raise ImportSourceError(file, problem) from None
    except ValueError as error:  # an invalid path
        raise ImportSourceError(file, f"can't be read: {error}") from None


def _find_invalid_line(path: Path) -> str:
    """Return the place of the first line that is not UTF-8, such as ":3"."""
    with open_compressed(path) if path.is_file() else io.BytesIO() as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f":{number}"
    return ""


class Table:
    """A CSV file with a header.

    Lines above the header may be empty, or state the delimiter: ``sep=;``. Raises
    `ImportSourceError` if there is no header.
    """

    def __init__(self, file: str, stream: IO[str]) -> None:
        csv.field_size_limit(_MAX_CELL_BYTES)
        self._lines = _Lines(stream)
        delimiter = None
        while (first := self._lines.peek()) and (not first.strip() or _SEPARATOR_LINE.match(first)):
            if found := _SEPARATOR_LINE.match(first):
                delimiter = found[1]
            next(self._lines)
        self.delimiter = delimiter or _find_delimiter(first)
        # A strict reader rejects text after a quote, which a missing quote leads to.
        self._reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        row = next(self.rows(), None)
        if row is None:
            raise ImportSourceError(file, "is empty: expected a header")
        if row.problem:
            raise ImportSourceError(f"{file}:{row.line}", row.problem)
        self.header = [name.strip() for name in row.cells]

    def rows(self) -> Iterator[Row]:
        """Yield the rows that are not empty."""
        lines = self._lines
        while True:
            lines.start_row()
            start, problem = lines.number + 1, ""
            cells: list[str] = []
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = f"is not a row of CSV: {error}"
                if lines.is_at_end or (lines.quote_line and "limit" in str(error)):
                    problem = "the quote has no end: the rest of the file is not imported"
                    yield Row(lines.quote_line or start, lines.quote_line or start, [], problem)
                    return
            if lines.has_nul:
                problem = "has a NUL character: save the table as text in UTF-8"
            if problem or any(cell.strip() for cell in cells):
                yield Row(start, lines.number, cells, problem)


class _Lines:
    """The lines of a file, with the number of the current line.

    `quote_line` is the line of the last quote that is open, or 0; `has_nul` is whether a NUL
    character was in a line of the row.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._peeked = ""
        self.number = 0
        self.is_at_end = False
        self.start_row()

    def start_row(self) -> None:
        """Forget the quotes and NUL characters of the last row."""
        self.quote_line = 0
        self.has_nul = False

    def peek(self) -> str:
        """Return the next line without consuming it, or "" at the end."""
        self._peeked = self._peeked or self._stream.readline()
        return self._peeked

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._peeked = self.peek(), ""
        if not line:
            self.is_at_end = True
            raise StopIteration
        self.number += 1
        if line.count('"') % 2:
            self.quote_line = 0 if self.quote_line else self.number
        self.has_nul = self.has_nul or "\0" in line
        return line.replace("\0", "\ufffd")  # csv of Python 3.10 refuses it


def _find_delimiter(header: str) -> str:
    """Return the delimiter of a header: a comma, a semicolon or a tab."""
    counts = {each: len(next(csv.reader([header], delimiter=each), [])) for each in ",;\t"}
    return max(counts, key=counts.__getitem__)
