"""Rows and cells of CSV files.

Python's csv module does not distinguish a quoted empty cell from an unquoted one, so rows are split
here. A cell keeps its quotes and the comma that follows it until it is converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.exchange.formats.parsing import NOT_UTF8
from genai_graph.exchange.formats.records import TruncatedFile

# An unquoted empty cell: no value.
EMPTY = ","
_CELL = re.compile(r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*),')
# Matches the whole rest if it is not a cell, so that a malformed row is scanned only once.
_CELL_OR_REST = re.compile(rf"{_CELL.pattern}|(?s:.+)")

# In a longer row, a quote was probably never closed: the rest of the file is not read.
MAX_ROW_BYTES = 64 * 1024 * 1024


def iter_rows(stream: IO[bytes], file: str) -> Iterator[tuple[int, str] | FixtureIssue]:
    """Yield (first line, text) of each row that is not blank, and errors for invalid UTF-8."""
    for number, data in iter_raw_rows(stream):
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = number + data.count(b"\n", 0, error.start)
            yield FixtureIssue(SourceLocation(file, line), NOT_UTF8)
        else:
            text = text.removesuffix("\n").removesuffix("\r")
            if number == 1:
                text = text.removeprefix("\ufeff")  # byte order mark
            if text and not text.isspace():
                yield number, text


def iter_raw_rows(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (first line, bytes) of each row. Quoted cells may span lines.

    Stops after a row with a quote that is not closed within `MAX_ROW_BYTES`: it is malformed.
    """
    lines = enumerate(stream, 1)
    for number, data in lines:
        if not data.count(b'"') & 1:
            yield number, data
            continue
        row, size, is_closed = [data], len(data), False
        for _, following in lines:
            row.append(following)
            size += len(following)
            is_closed = bool(following.count(b'"') & 1)
            if is_closed or size > MAX_ROW_BYTES:
                break
        yield number, b"".join(row)
        if not is_closed:
            return


def split_row(text: str) -> list[str] | None:
    """Return the cells of a row, each with its quotes and a comma, or None if it is malformed."""
    cells = _CELL_OR_REST.findall(text + ",")
    return cells if _CELL.fullmatch(cells[-1]) else None


def malformed_row(text: str, file: str, first_line: int) -> FixtureIssue:
    """Return the error for a row that can't be split, at the line of the malformed cell."""
    cells = _CELL_OR_REST.findall(text + ",")
    rest = cells[-1]
    start = sum(map(len, cells[:-1]))
    location = SourceLocation(file, first_line + text.count("\n", 0, start))
    cell = f"cell {len(cells)}: "
    if rest.startswith('"') and rest.count('"') % 2:
        is_long = len(text.encode()) > MAX_ROW_BYTES
        limit = f" within {MAX_ROW_BYTES:,} bytes" if is_long else ""
        return TruncatedFile(location, f"{cell}quote is not closed{limit}")
    if rest.startswith('"'):
        problem = "text after the closing quote: double the quotes inside the cell"
    elif '"' in rest.split(",")[0]:
        problem = "contains a quote: quote the cell, and double the quotes inside"
    else:
        problem = "contains a line break: quote the cell"
    # The quote joined lines that may be rows of their own.
    issue = TruncatedFile if "\n" in rest else FixtureIssue
    return issue(location, cell + problem)


def cell_text(cell: str) -> str:
    """Return the text of a cell, without its quotes and comma."""
    return cell[1:-2].replace('""', '"') if cell[0] == '"' else cell[:-1]
