"""JSON: read by JSON's own rules, with the lines of everything."""

from __future__ import annotations

import bisect
import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from genai_graph.exchange.formats.located import (
    DEPTH,
    Document,
    DocumentError,
    LocatedDict,
    LocatedList,
)
from genai_graph.properties.messages import AmbiguousScalar

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_CONSTANT = re.compile("NaN|-?Infinity")
_WORD = re.compile(r"true|false|null")


def parse(text: str) -> Document:
    """Read a document; raises `DocumentError` where it is not JSON."""
    reader = _Reader(text)
    if not text.strip(" \t\n\r"):
        return Document(None, 1, [])
    start = reader.skip(0)
    content, end = reader.value(start, 0)
    end = reader.skip(end)
    if end < len(text):
        raise reader.fault(end, "expected the end of the file")
    return Document(content, reader.line(start), reader.problems)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.problems: list[tuple[int, str]] = []
        self._breaks = [found.start() for found in re.finditer("\n", text)]

    def line(self, position: int) -> int:
        return bisect.bisect_left(self._breaks, position) + 1

    def fault(self, position: int, message: str) -> DocumentError:
        found = self._text[position : position + 20].split("\n")[0]
        return DocumentError(
            self.line(position),
            f"is not JSON: {message}, got {found!r}"
            if found
            else f"is not JSON: {message}, got the end of the line or file",
        )

    def skip(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def value(self, position: int, depth: int) -> tuple[Any, int]:
        character = self._text[position : position + 1]
        if character == '"':
            return self._string(position)
        if character and character in "{[":
            if depth > DEPTH:
                line = self.line(position)
                raise DocumentError(line, f"is nested more than {DEPTH} levels deep")
            return self._map(position, depth) if character == "{" else self._list(position, depth)
        if word := _WORD.match(self._text, position):
            return _WORDS[word[0]], word.end()
        if number := _NUMBER.match(self._text, position):
            return _number(number), number.end()
        if constant := _CONSTANT.match(self._text, position):
            raise DocumentError(
                self.line(position),
                f'is not JSON: {constant[0]} (in a number\'s place write "{constant[0]}")',
            )
        raise self.fault(position, "expected a value")

    def _string(self, position: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self._text, position + 1, True)
        except JSONDecodeError as error:
            problem = error.msg.removesuffix(" at").replace("starting", "that starts here")
            raise DocumentError(self.line(error.pos), f"is not JSON: {problem}") from None
        return text, end

    def _list(self, position: int, depth: int) -> tuple[LocatedList, int]:
        items = LocatedList()
        position = self.skip(position + 1)
        if self._text[position : position + 1] == "]":
            return items, position + 1
        while True:
            items.lines.append(self.line(position))
            item, position = self.value(position, depth + 1)
            items.append(item)
            position = self.skip(position)
            if self._text[position : position + 1] == "]":
                return items, position + 1
            position = self._comma(position, "]")

    def _map(self, position: int, depth: int) -> tuple[LocatedDict, int]:
        values = LocatedDict()
        position = self.skip(position + 1)
        if self._text[position : position + 1] == "}":
            return values, position + 1
        while True:
            position = self._entry(position, depth, values)
            if self._text[position : position + 1] == "}":
                return values, position + 1
            position = self._comma(position, "}")

    def _entry(self, position: int, depth: int, values: LocatedDict) -> int:
        if self._text[position : position + 1] != '"':
            raise self.fault(position, "expected a key in double quotes")
        line = self.line(position)
        key, position = self._string(position)
        position = self.skip(position)
        if self._text[position : position + 1] != ":":
            raise self.fault(position, "expected ':'")
        value, position = self.value(self.skip(position + 1), depth + 1)
        problem = values.add(key, value, line)
        if problem is not None:
            self.problems.append((line, problem))
        return self.skip(position)

    def _comma(self, position: int, end: str) -> int:
        if self._text[position : position + 1] != ",":
            raise self.fault(position, f"expected ',' or '{end}'")
        return self.skip(position + 1)


def _number(found: re.Match[str]) -> Any:
    text = found[0]
    if found[1] or found[2]:
        value = float(text)
        return (
            AmbiguousScalar(text, "a number that a float can't hold")
            if value in (_INF, -_INF)
            else value
        )
    if len(text) > 1000:  # no number of 64 bits, and Python refuses to read much longer ones
        return AmbiguousScalar(text[:20] + "...", "an integer over 64 bits")
    return int(text)


_INF = float("inf")
