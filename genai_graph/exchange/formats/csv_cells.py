"""Rows of a CSV file, their cells, and the values in them.

Python's own reader can't tell a quoted empty cell from one that is not there, so rows are taken
apart here: a cell stays as it stands in the file, with the comma behind it, until it is converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.exchange.formats.located import DocumentError, decode_utf8
from genai_graph.exchange.formats.records import TruncatedFile

if TYPE_CHECKING:
    pass


# What says nothing.
EMPTY = ","
_CELL = re.compile(r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*),')
# Where there is no such cell, all that is left: so a malformed row is not searched again and again.
_CELL_OR_REST = re.compile(rf"{_CELL.pattern}|(?s:.+)")

# A longer one is taken for a quote that was never closed: the file is not read any further.
LONGEST_ROW = 64 * 1024 * 1024


def rows(stream: IO[bytes], file: str) -> Iterator[tuple[int, str] | FixtureIssue]:
    """Yield each row that is not blank, with the line where it begins, and what is not UTF-8."""
    for number, data in raw_rows(stream):
        try:
            text = decode_utf8(data) if number == 1 else data.decode()
        except DocumentError as error:
            yield FixtureIssue(SourceLocation(file, error.line), str(error))
        except UnicodeDecodeError:
            yield _not_utf8(data, file, number)
        else:
            text = text.removesuffix("\n").removesuffix("\r")
            if text and not text.isspace():
                yield number, text


def raw_rows(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each row with the line where it begins; what stands in quotes may go over lines.

    The last one is malformed where a quote is not closed, or not within `LONGEST_ROW` bytes.
    """
    lines = enumerate(stream, 1)
    for number, data in lines:
        if not data.count(b'"') & 1:
            yield number, data
            continue
        row, is_closed = _until_closed(data, lines)
        yield number, row
        if not is_closed:
            return


def _until_closed(first: bytes, lines: Iterator[tuple[int, bytes]]) -> tuple[bytes, bool]:
    """Take lines up to the one that closes a quote, and tell whether there is one."""
    row, size = [first], len(first)
    for _, data in lines:
        row.append(data)
        size += len(data)
        if data.count(b'"') & 1:
            return b"".join(row), True
        if size > LONGEST_ROW:
            break
    return b"".join(row), False


def _not_utf8(data: bytes, file: str, first: int) -> FixtureIssue:
    try:
        decode_utf8(data)
    except DocumentError as error:
        return FixtureIssue(SourceLocation(file, first + error.line - 1), str(error))
    raise AssertionError("only what can't be decoded comes here")


def split(text: str) -> list[str] | None:
    """Return the cells of a row as they stand, each with a comma, or None if it is malformed."""
    cells = _CELL_OR_REST.findall(text + ",")
    return cells if _CELL.fullmatch(cells[-1]) else None


def malformed(text: str, file: str, first: int) -> FixtureIssue:
    """Say what is wrong with a row that can't be taken apart, and in which of its lines."""
    cells = _CELL_OR_REST.findall(text + ",")
    rest = cells[-1]
    before = sum(map(len, cells[:-1]))
    place = SourceLocation(file, first + text.count("\n", 0, before))
    cell = f"cell {len(cells)}: "
    if rest.startswith('"') and rest.count('"') % 2:
        within = f" within {LONGEST_ROW:,} bytes" if len(text.encode()) > LONGEST_ROW else ""
        return TruncatedFile(place, f"{cell}its quote is not closed{within}")
    if rest.startswith('"'):
        advice = "write a quote inside of it twice"
        return FixtureIssue(place, f"{cell}goes on behind its closing quote: {advice}")
    if '"' in rest.split(",")[0]:
        advice = "quote the cell, and write its quotes twice"
        return FixtureIssue(place, f"{cell}has a quote inside: {advice}")
    return FixtureIssue(place, f"{cell}has a line end inside: quote the cell")


def text_of(cell: str) -> str:
    """Return the text that a cell means."""
    return cell[1:-2].replace('""', '"') if cell[0] == '"' else cell[:-1]
