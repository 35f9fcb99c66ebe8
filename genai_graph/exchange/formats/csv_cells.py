"""Rows of a CSV file, their cells, and the values in them.

Python's own reader can't tell a quoted empty cell from one that is not there, so rows are taken
apart here: a cell stays as it stands in the file, with the comma behind it, until it is converted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from genai_graph.errors import Fault, Place, PropertyError
from genai_graph.exchange.formats.csv_dialect import items
from genai_graph.exchange.formats.tree import DocumentError, decode_utf8
from genai_graph.exchange.records import Unread
from genai_graph.exchange.validation import decode
from genai_graph.models.properties import (
    INDEXED_BYTES,
    NON_FINITE,
    TEXT_BYTES,
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    Strict,
    StringProperty,
    Unclear,
    describe,
)

# What says nothing.
EMPTY = ","
_CELL = re.compile(r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*),')
# Where there is no such cell, all that is left: so a malformed row is not searched again and again.
_CELL_OR_REST = re.compile(rf"{_CELL.pattern}|(?s:.+)")
_INTEGER = re.compile(r"-?[0-9]{1,1000}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON = (msgspec.MsgspecError, RecursionError, UnicodeError)

# A longer one is taken for a quote that was never closed: the file is not read any further.
LONGEST_ROW = 64 * 1024 * 1024
# So long a text fits into any index, or where there is none.
SHORT, SHORT_UNINDEXED = INDEXED_BYTES // 4, TEXT_BYTES // 4
Convert = Callable[[str], Any]


def rows(stream: IO[bytes], file: str) -> Iterator[tuple[int, str] | Fault]:
    """Yield each row that is not blank, with the line where it begins, and what is not UTF-8."""
    for number, data in raw_rows(stream):
        try:
            text = decode_utf8(data) if number == 1 else data.decode()
        except DocumentError as error:
            yield Fault(Place(file, error.line), str(error))
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


def _not_utf8(data: bytes, file: str, first: int) -> Fault:
    try:
        decode_utf8(data)
    except DocumentError as error:
        return Fault(Place(file, first + error.line - 1), str(error))
    raise AssertionError("only what can't be decoded comes here")


def split(text: str) -> list[str] | None:
    """Return the cells of a row as they stand, each with a comma, or None if it is malformed."""
    cells = _CELL_OR_REST.findall(text + ",")
    return cells if _CELL.fullmatch(cells[-1]) else None


def malformed(text: str, file: str, first: int) -> Fault:
    """Say what is wrong with a row that can't be taken apart, and in which of its lines."""
    cells = _CELL_OR_REST.findall(text + ",")
    rest = cells[-1]
    before = sum(map(len, cells[:-1]))
    place = Place(file, first + text.count("\n", 0, before))
    cell = f"cell {len(cells)}: "
    if rest.startswith('"') and rest.count('"') % 2:
        within = f" within {LONGEST_ROW:,} bytes" if len(text.encode()) > LONGEST_ROW else ""
        return Unread(place, f"{cell}its quote is not closed{within}")
    if rest.startswith('"'):
        advice = "write a quote inside of it twice"
        return Fault(place, f"{cell}goes on behind its closing quote: {advice}")
    if '"' in rest.split(",")[0]:
        advice = "quote the cell, and write its quotes twice"
        return Fault(place, f"{cell}has a quote inside: {advice}")
    return Fault(place, f"{cell}has a line end inside: quote the cell")


def text_of(cell: str) -> str:
    """Return the text that a cell means."""
    return cell[1:-2].replace('""', '"') if cell[0] == '"' else cell[:-1]


def converter(prop: Strict) -> Convert:
    """Return what turns a cell into a property's value as stored, or raises `PropertyError`."""
    if isinstance(prop, LocationProperty):
        return lambda cell: prop.check(text_of(cell))
    if isinstance(prop, StringProperty):
        return _text_converter(prop)
    if isinstance(prop, ArrayProperty) and _is_plain(prop.item):
        return lambda cell: _plain_texts(prop, cell)
    parse, check, store = parser(prop), prop.check, prop.store

    def convert(cell: str) -> Any:
        value = parse(text_of(cell))
        return None if value is None else store(check(value))

    return convert


def _text_converter(prop: StringProperty) -> Convert:
    """Check only what may be wrong: what was read as UTF-8 is a text, and a short one has room."""
    if _is_plain(prop):
        return lambda cell: _plain_text(prop, cell)

    def convert(cell: str) -> str:
        text = text_of(cell)
        return text if 0 < len(text) <= SHORT and not prop.choices else prop.check(text)

    return convert


def _plain_text(prop: StringProperty, cell: str) -> str:
    return text_of(cell) if len(cell) <= SHORT_UNINDEXED else prop.check(text_of(cell))


def _plain_texts(prop: ArrayProperty, cell: str) -> list[str]:
    found = items(text_of(cell))
    return found if len(cell) <= SHORT_UNINDEXED else prop.check(found)


def _is_plain(prop: Strict) -> bool:
    return isinstance(prop, StringProperty) and not (
        prop.choices or prop.is_indexed or prop.mandatory
    )


def parser(prop: Strict) -> Convert:
    """Return what turns a text into a value, or leaves it one for `check` to refuse.

    It raises `PropertyError` for what is no time or no JSON.
    """
    if isinstance(prop, ArrayProperty):
        item = parser(prop.item)
        return lambda text: list(map(item, items(text)))
    if isinstance(prop, DateTimeProperty):
        return lambda text: decode(prop, text)
    return next((parse for kind, parse in _PARSERS.items() if isinstance(prop, kind)), str)


def may_be_empty(prop: Strict) -> bool:
    """Whether a quoted empty cell says something: of a number or a time it does not."""
    return isinstance(prop, (StringProperty, ArrayProperty, JSONProperty))


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _float(text: str) -> float | str | Unclear:
    if not _NUMBER.fullmatch(text):
        return NON_FINITE.get(text, text)
    value = float(text)
    return Unclear(text, "a number that a float can't hold") if math.isinf(value) else value


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


def json_value(text: str) -> Any:
    """Return the value of JSON, or raise `PropertyError`."""
    try:
        return msgspec.json.decode(text)
    except _NOT_JSON as error:
        raise PropertyError(f"expected JSON, got {describe(text)}: {error}") from None


_PARSERS: dict[type[Strict], Convert] = {
    IntegerProperty: _integer,
    FloatProperty: _float,
    BooleanProperty: _boolean,
    JSONProperty: json_value,
}
