"""YAML and JSON of third parties: plain values with line numbers, nothing constructed or executed.

YAML is read as version 1.2, in which `no` is a string. Tags are errors, aliases and nesting are
limited. Of a duplicate key the last value counts, and it is reported.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from genai_graph.exchange.formats.parsing import (
    DocumentError,
    LocatedDict,
    LocatedList,
    decode_utf8,
)

MAX_DEPTH = 50
# Values of a document, those repeated by aliases included: ten nested aliases of ten items each
# ("billion laughs") would be 10^10 values.
MAX_VALUES = 500_000
_WORDS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}\Z")
_PREFIXED = re.compile(r"0o[0-7]{1,21}\Z|0x[0-9a-fA-F]{1,16}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NON_FINITE = {
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
}
_FIRST_OF_SPECIAL = frozenset("0123456789+-.~nNtTfF")
# JSON writes a character such as an emoji as a pair of these, which YAML does not have.
_SURROGATES = re.compile(r"(?<!\\)(?:\\u[dD][89a-fA-F][0-9a-fA-F]{2})+")
_MERGE_KEY = "<<"


class SourceInteger(int):
    """An integer with its text in the source, for properties that are strings."""

    text: str

    def __repr__(self) -> str:
        return self.text


class SourceFloat(float):
    """A float with its text in the source: a version or tag 1.10 is not 1.1."""

    text: str

    def __repr__(self) -> str:
        return self.text


def text_of(value: Any) -> str | None:
    """Return the text of a scalar as written in the source, or None for other values."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (SourceInteger, SourceFloat)):
        return value.text
    return str(value) if isinstance(value, (str, int, float)) else None


class Document:
    """A parsed document, and the (line, message) of its duplicate keys."""

    def __init__(self, content: Any, notices: list[tuple[int, str]]) -> None:
        self.content = content
        self.notices = notices


def parse_yaml(text: str, first_line: int = 1) -> Document:
    """Parse one YAML document; `first_line` is its line in the file.

    Raises `DocumentError` for invalid YAML, tags, and documents beyond the limits.
    """
    text = _SURROGATES.sub(lambda found: replace_surrogates(json.loads(f'"{found[0]}"')), text)
    return _Reader(_events(text, first_line), first_line).read()


def parse_json(data: bytes, notices: list[str] | None = None) -> Any:
    """Parse JSON, in which NaN and Infinity are accepted; raise `DocumentError`.

    Of a duplicate key the last value counts; it is added to the `notices`.
    """

    def from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if notices is not None and len(found) < len(pairs):
            repeated = next(key for key, count in Counter(k for k, _ in pairs).items() if count > 1)
            notices.append(f"duplicate key {repeated!r}: the last value counts")
        return found

    hook = None if notices is None else from_pairs
    text = decode_utf8(data)
    try:
        value = json.loads(text, parse_float=_parse_float, object_pairs_hook=hook)
    except json.JSONDecodeError as error:
        raise DocumentError(error.lineno, f"is not JSON: {error.msg}") from None
    except RecursionError:
        raise DocumentError(1, "is nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise DocumentError(1, f"is not JSON: {error}") from None
    _check_depth(value)
    return replace_surrogates(value) if b"\\ud" in data.lower() else value


def _parse_float(text: str) -> SourceFloat | str:
    """Return a number, or the text of one that is too large for a float."""
    number = SourceFloat(text)
    number.text = text
    return text if math.isinf(number) else number


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise DocumentError(1, f"is nested more than {MAX_DEPTH} levels deep")
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = inner


def replace_surrogates(value: Any) -> Any:
    """Replace lone surrogates, which no encoding can represent, by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(value[key]) for key in value}
    return value


def _events(text: str, first_line: int) -> Iterator[Event]:
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + first_line
        raise DocumentError(line, f"character not allowed in YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (0 if mark is None else mark.line)
        raise DocumentError(line, f"is not YAML: {error.problem or error.context}") from None


class _Reader:
    """Builds values from the events of PyYAML, without recursion in C."""

    def __init__(self, events: Iterator[Event], first_line: int) -> None:
        self._events = events
        self._first_line = first_line
        self._notices: list[tuple[int, str]] = []
        self._anchors: dict[str, tuple[Any, int]] = {}  # with the number of values
        self._values = 0

    def read(self) -> Document:
        content = None
        seen = 0
        for event in self._events:
            if isinstance(event, (StreamStartEvent, StreamEndEvent)):
                continue
            if isinstance(event, DocumentStartEvent):
                seen += 1
                if seen > 1:
                    raise DocumentError(self._line(event), "is more than one YAML document")
                content = self._value(next(self._events), 0)
        return Document(content, self._notices)

    def _line(self, event: Event) -> int:
        mark: Any = event.start_mark
        return self._first_line + int(mark.line)

    def _value(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} levels deep"
            raise DocumentError(self._line(event), message)
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if getattr(event, "tag", None) not in (None, "!"):
            raise DocumentError(self._line(event), f"has the YAML tag {event.tag}: remove it")
        before = self._values
        self._count(event, 1)
        value: Any
        if isinstance(event, ScalarEvent):
            value = _resolve(event.value) if event.implicit[0] else event.value
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._mapping(depth)
        if (anchor := getattr(event, "anchor", None)) is not None:
            self._anchors[anchor] = value, self._values - before
        return value

    def _alias(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise DocumentError(self._line(event), f"has the undefined alias *{event.anchor}")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _count(self, event: Event, count: int) -> None:
        self._values += count
        if self._values > MAX_VALUES:
            raise DocumentError(self._line(event), f"has more than {MAX_VALUES:,} values")

    def _sequence(self, depth: int) -> LocatedList:
        items = LocatedList()
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.lines.append(self._line(event))
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> LocatedDict:
        entries = LocatedDict()
        merged: list[Any] = []
        while not isinstance(event := next(self._events), MappingEndEvent):
            line = self._line(event)
            key = self._key(event)
            value = self._value(next(self._events), depth + 1)
            if key == _MERGE_KEY:
                merged += value if isinstance(value, list) else [value]
                continue
            if key in entries:
                self._notices.append((line, f"duplicate key {key!r}: the last value counts"))
            entries[key], entries.lines[key] = value, line
        for mapping in merged:
            if isinstance(mapping, LocatedDict):
                for key in mapping.keys() - entries.keys():
                    entries[key], entries.lines[key] = mapping[key], mapping.lines[key]
        return entries

    def _key(self, event: Any) -> str:
        if isinstance(event, AliasEvent):
            key = self._alias(event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            raise DocumentError(self._line(event), "has a map or a list as a key: use a string")
        else:
            self._count(event, 1)
            key = event.value
            if event.anchor is not None:
                self._anchors[event.anchor] = key, 1
        return str(key)


def _resolve(text: str) -> Any:
    """Return the value of a plain scalar in the core schema of YAML 1.2."""
    if text and text[0] not in _FIRST_OF_SPECIAL:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _FLOAT.match(text) and not _INTEGER.match(text):
        return _parse_float(text)
    if not _INTEGER.match(text) and not _PREFIXED.match(text):
        return _NON_FINITE.get(text, text)
    number = SourceInteger(text, 0 if _PREFIXED.match(text) else 10)
    number.text = text
    return number
