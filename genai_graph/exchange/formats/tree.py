"""A document as maps and lists that know the lines of their keys and items."""

from __future__ import annotations

from typing import Any

from genai_graph.errors import GenaiGraphError

DEPTH = 100


class Map(dict[Any, Any]):
    """A map; `lines` has the line of each key."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: dict[Any, int] = {}


class Seq(list[Any]):
    """A list; `lines` has the line of each item."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[int] = []


class DocumentError(GenaiGraphError, ValueError):
    """A document is not what its format allows; `line` is where."""

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
