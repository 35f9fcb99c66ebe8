"""A document as maps and lists that know the lines of their keys and items."""

from __future__ import annotations

from typing import Any, NamedTuple

from genai_graph.errors import GenaiGraphError

DEPTH = 100


class LocatedDict(dict[Any, Any]):
    """A map; `lines` has the line of each key."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: dict[Any, int] = {}

    def add(self, key: Any, value: Any, line: int) -> str | None:
        """Add an entry, or say that its key is there already.

        What a second map of the same key holds joins the first one, so that it is checked too.
        """
        if key not in self:
            self[key], self.lines[key] = value, line
            return None
        first = self[key]
        if isinstance(first, LocatedDict) and isinstance(value, LocatedDict):
            for inner in value:
                first.add(inner, value[inner], value.lines[inner])
        return f"the key {key!r} stands here twice (first in line {self.lines[key]})"


class LocatedList(list[Any]):
    """A list; `lines` has the line of each item."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[int] = []


class Document(NamedTuple):
    """What a file says: its content and the line where that begins, and what is not allowed in it.

    A problem is a line and what is wrong there; what it concerns is left out of the content.
    """

    content: Any
    line: int
    problems: list[tuple[int, str]]


class DocumentError(GenaiGraphError, ValueError):
    """A document can't be read as its format; `line` is where."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def decode_utf8(data: bytes) -> str:
    """Decode a document, or say in which line it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(line, "is not UTF-8 text: save the file as UTF-8") from None
