"""YAML: read by events, as YAML 1.2 means it, with the lines of everything.

What versions of YAML read differently is refused rather than guessed, and so are anchors, tags and
repeated keys. Events instead of nodes: deep nesting can't exhaust the stack of the C parser.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from genai_graph.exchange.formats.located import (
    DEPTH,
    Document,
    DocumentError,
    LocatedDict,
    LocatedList,
)
from genai_graph.properties.messages import AmbiguousScalar

if TYPE_CHECKING:
    from collections.abc import Iterator


_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NON_FINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_WORDS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_TRAPS = [
    (re.compile(r"(?:yes|no|on|off)\Z", re.IGNORECASE), "a bool in YAML 1.1"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?\Z"), "a date in YAML 1.1"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"),
        "a number to base 60 in YAML 1.1",
    ),
    (
        re.compile(r"[-+]?0[0-9]+(?:\.[0-9]*)?\Z|[-+]?0b[01_]+\Z|[-+]0[xo]\w+\Z"),
        "a number that YAML versions read differently",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9]*_[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?\Z"),
        "a number in YAML 1.1",
    ),
]
_BREAK = re.compile(r"\r\n|\r|\n")
_TAB = re.compile(r"\s*\t")
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
_FIRST_OF_SPECIAL = frozenset("0123456789+-.~nNtTfFyYoO")

_TOO_DEEP = f"is nested more than {DEPTH} levels deep"


def parse(text: str) -> Document:
    """Read a document; raises `DocumentError` where it is not YAML."""
    if found := _OTHER_BREAKS.search(text):
        raise DocumentError(
            len(_BREAK.findall(text, 0, found.start())) + 1,
            f"U+{ord(found[0]):04X} ends a line for some readers of YAML: "
            "write it as an escape in double quotes",
        )
    return _EventReader(_events(text)).document()


def _events(text: str) -> Iterator[Event]:
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.reader.ReaderError as error:
        # The position counts the bytes of UTF-8.
        before = text.encode()[: error.position].decode(errors="ignore")
        line = len(_BREAK.findall(before)) + 1
        raise DocumentError(line, f"a character that YAML does not allow: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = _BREAK.split(text)
        line = 1 if mark is None else min(mark.line + 1, len(lines))
        problem = error.problem or error.context
        if _TAB.match(lines[line - 1]):
            problem = "a tab can't indent: use spaces"
        if problem and "nesting depth" in problem:  # of libyaml, from some version on
            raise DocumentError(line, _TOO_DEEP) from None
        raise DocumentError(line, f"is not YAML: {problem}") from None


class _EventReader:
    """Builds the content from the events, and notes what is not allowed."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._problems: list[tuple[int, str]] = []

    def document(self) -> Document:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), StreamEndEvent):
            return Document(None, 1, [])
        root = next(self._events)
        content = None if self._is_alias(root) else self._value(root, 0)
        next(self._events)  # the document ends
        after = next(self._events)
        if isinstance(after, DocumentStartEvent):
            self._note(after, "one file holds one document: remove the second one")
        return Document(content, _line(root), self._problems)

    def _note(self, event: Event, problem: str) -> None:
        self._problems.append((_line(event), problem))

    def _is_alias(self, event: Any) -> bool:
        if not isinstance(event, AliasEvent):
            return False
        self._note(event, f"the alias *{event.anchor} is not allowed: write it out")
        return True

    def _value(self, event: Any, depth: int) -> Any:
        if event.anchor is not None:
            self._note(event, f"the anchor &{event.anchor} is not allowed: remove it")
        if event.tag is not None:
            self._note(event, f"the tag {event.tag} is not allowed: remove it")
        if isinstance(event, ScalarEvent):
            return resolve(event.value) if event.implicit[0] else event.value
        if depth > DEPTH:
            raise DocumentError(_line(event), _TOO_DEEP)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(depth)
        return self._mapping(depth)

    def _sequence(self, depth: int) -> LocatedList:
        items = LocatedList()
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                break
            if not self._is_alias(event):
                items.lines.append(_line(event))
                items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> LocatedDict:
        values = LocatedDict()
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                break
            key = self._key(event, depth)
            value_event = next(self._events)
            value = None if self._is_alias(value_event) else self._value(value_event, depth + 1)
            if key is None or isinstance(value_event, AliasEvent):
                continue
            problem = values.add(key, value, _line(event))
            if problem is not None:
                self._note(event, problem)
        return values

    def _key(self, event: Event, depth: int) -> str | None:
        """Return a key, or None when there is something wrong with it."""
        if self._is_alias(event):
            return None
        key = self._value(event, depth + 1)
        if not isinstance(event, ScalarEvent):
            self._note(event, "a list or a map can't be a key: write a string")
        elif not isinstance(key, str):
            self._note(event, f"a key is a string, {event.value} is not one (quote it)")
        else:
            return key
        return None


def resolve(text: str) -> Any:
    """Return what a plain scalar is in YAML 1.2, or a `Unclear` where that is a trap."""
    if text and text[0] not in _FIRST_OF_SPECIAL:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return _integer(text)
    if _FLOAT.match(text):
        return _float(text)
    if _NON_FINITE.match(text):
        return float(text.replace(".", "", 1))
    for pattern, looks_like in _TRAPS:
        if pattern.match(text):
            return AmbiguousScalar(text, looks_like)
    return text


def _integer(text: str) -> int | AmbiguousScalar:
    if len(text) > 1000:  # no number of 64 bits, and Python refuses to read much longer ones
        return AmbiguousScalar(text[:20] + "...", "an integer over 64 bits")
    return int(text, 0)


def _float(text: str) -> float | AmbiguousScalar:
    value = float(text)
    return AmbiguousScalar(text, "a number that a float can't hold") if math.isinf(value) else value


def _line(event: Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1
