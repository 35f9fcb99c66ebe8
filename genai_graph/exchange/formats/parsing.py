"""Parsed documents with line numbers, and functions that several parsers use."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, NoReturn

from genai_graph.errors import GenaiGraphError
from genai_graph.properties.json_values import MAX_DIGITS
from genai_graph.properties.messages import AmbiguousScalar

MAX_DEPTH = 100
NOT_UTF8 = "is not UTF-8 text: save the file as UTF-8"


class LocatedDict(dict[Any, Any]):
    """A mapping; `lines` has the line of each key."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: dict[Any, int] = {}

    def add(self, key: Any, value: Any, line: int) -> str | None:
        """Add an entry, or return an error if the key is a duplicate.

        The entries of a duplicate mapping are merged into the first one, to be validated, too.
        """
        if key not in self:
            self[key], self.lines[key] = value, line
            return None
        first = self[key]
        if isinstance(first, LocatedDict) and isinstance(value, LocatedDict):
            for inner in value:
                first.add(inner, value[inner], value.lines[inner])
        return f"duplicate key {key!r} (first in line {self.lines[key]})"


class LocatedList(list[Any]):
    """A list; `lines` has the line of each item."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[int] = []


class Document(NamedTuple):
    """A parsed file: its content, the line where it starts, and (line, error) pairs.

    The content is without the entries that have errors.
    """

    content: Any
    line: int
    errors: list[tuple[int, str]]


class DocumentError(GenaiGraphError, ValueError):
    """A document can't be parsed; `line` is the line of the error."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def decode_utf8(data: bytes) -> str:
    """Decode a document, with or without a byte order mark, or raise `DocumentError`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(line, NOT_UTF8) from None


def parse_integer(text: str, base: int = 10) -> int | AmbiguousScalar:
    """Parse an integer literal."""
    if len(text) > MAX_DIGITS:
        return AmbiguousScalar(f"{text[:20]}...", "an integer over 64 bits")
    return int(text, base)


def parse_float(text: str) -> float | AmbiguousScalar:
    """Parse a float literal."""
    value = float(text)
    if math.isinf(value):
        return AmbiguousScalar(text, "a number out of the range of a float")
    return value


def refuse_non_finite(name: str, line: int = 1) -> NoReturn:
    """Raise `DocumentError` for an unquoted NaN or Infinity, which JSON does not have."""
    raise DocumentError(line, f'is not JSON: {name} (write it as a string: "{name}")')
