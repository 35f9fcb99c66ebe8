"""JSON fixtures, read with the line of every value. Dumps are written as JSON Lines instead."""

from __future__ import annotations

import bisect
import re
from json import JSONDecodeError

# Private API of Python: the only parser of JSON strings that returns where they end. Its behaviour
# is pinned by tests/test_upstream.py.
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from genai_graph.exchange.formats.parsing import (
    MAX_DEPTH,
    Document,
    DocumentError,
    LocatedDict,
    LocatedList,
    parse_float,
    parse_integer,
    refuse_non_finite,
)

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile("NaN|-?Infinity")
_WORD = re.compile(r"true|false|null")
_WORDS = {"true": True, "false": False, "null": None}


def parse(text: str) -> Document:
    """Parse a document, or raise `DocumentError` for invalid JSON."""
    parser = _Parser(text)
    if not text.strip(" \t\n\r"):
        return Document(None, 1, [])
    start = parser.skip_space(0)
    content, end = parser.parse_value(start, 0)
    end = parser.skip_space(end)
    if end < len(text):
        raise parser.error(end, "expected the end of the file")
    return Document(content, parser.line_of(start), parser.errors)


class _Parser:
    """A recursive descent parser; its methods return the position after what they parsed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.errors: list[tuple[int, str]] = []
        self._breaks = [found.start() for found in re.finditer("\n", text)]

    def line_of(self, position: int) -> int:
        return bisect.bisect_left(self._breaks, position) + 1

    def error(self, position: int, message: str) -> DocumentError:
        rest = self._text[position : position + 20].split("\n")[0]
        found = repr(rest) if rest else "the end of the line or file"
        return DocumentError(self.line_of(position), f"is not JSON: {message}, got {found}")

    def skip_space(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def parse_value(self, position: int, depth: int) -> tuple[Any, int]:
        character = self._text[position : position + 1]
        if character == '"':
            return self._parse_string(position)
        if character and character in "{[":
            if depth > MAX_DEPTH:
                message = f"is nested more than {MAX_DEPTH} levels deep"
                raise DocumentError(self.line_of(position), message)
            return self._parse_container(position, depth + 1)
        if word := _WORD.match(self._text, position):
            return _WORDS[word[0]], word.end()
        if number := _NUMBER.match(self._text, position):
            is_float = number[1] or number[2]
            return parse_float(number[0]) if is_float else parse_integer(number[0]), number.end()
        if found := _NON_FINITE.match(self._text, position):
            refuse_non_finite(found[0], self.line_of(position))
        raise self.error(position, "expected a value")

    def _parse_string(self, position: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self._text, position + 1, True)
        except JSONDecodeError as error:
            problem = error.msg.removesuffix(" at").replace("starting", "that starts here")
            raise DocumentError(self.line_of(error.pos), f"is not JSON: {problem}") from None
        return text, end

    def _parse_container(self, position: int, depth: int) -> tuple[LocatedDict | LocatedList, int]:
        end = "}" if self._text[position] == "{" else "]"
        content = LocatedDict() if end == "}" else LocatedList()
        position = self.skip_space(position + 1)
        if self._text[position : position + 1] == end:
            return content, position + 1
        while True:
            if isinstance(content, LocatedDict):
                position = self._parse_entry(position, depth, content)
            else:
                content.lines.append(self.line_of(position))
                item, position = self.parse_value(position, depth)
                content.append(item)
            position = self.skip_space(position)
            separator = self._text[position : position + 1]
            if separator == end:
                return content, position + 1
            if separator != ",":
                raise self.error(position, f"expected ',' or '{end}'")
            position = self.skip_space(position + 1)

    def _parse_entry(self, position: int, depth: int, entries: LocatedDict) -> int:
        if self._text[position : position + 1] != '"':
            raise self.error(position, "expected a key in double quotes")
        line = self.line_of(position)
        key, position = self._parse_string(position)
        position = self.skip_space(position)
        if self._text[position : position + 1] != ":":
            raise self.error(position, "expected ':'")
        value, position = self.parse_value(self.skip_space(position + 1), depth)
        duplicate = entries.add(key, value, line)
        if duplicate is not None:
            self.errors.append((line, duplicate))
        return position
