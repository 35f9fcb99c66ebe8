"""The questions as their files tell them: the header of comments, and the statement below it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from genai_graph.errors import QuestionError, UnknownQuestionError
from genai_graph.properties.messages import describe, did_you_mean

_SUFFIX = ".cypher"
_ENTRY = re.compile(
    r"  (?P<name>\w+)"
    r"(?: \((?P<type>.*?)(?:, as in (?P<label>\w+)\.(?P<property>\w+))?"
    r"(?:, default (?P<default>.*))?\))?"
    r": (?P<text>.*)"
)
_SECTION = re.compile(r"^(Parameters|Given by ask|Columns):\n", re.MULTILINE)
_UID = re.compile(r"uid of a (\w+)")
STRING, STRINGS, INTEGER = "string", "list of strings", "integer"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question; `label` is that of the node whose uid it is, if it is one.

    Its values are those that a property has where `as_in` names one: a label and a property.
    """

    name: str
    type: str
    help: str
    is_required: bool = True
    default: Any = None
    as_in: tuple[str, str] | None = None

    @property
    def label(self) -> str | None:
        """The label of the node that it names."""
        found = _UID.fullmatch(self.type)
        return found and found[1]

    def check(self, value: Any) -> Any:
        """Return a value that fits, or raise `QuestionError`; nothing is cast."""
        if value is None and not self.is_required:
            return None
        if not _FITS.get(self.type, _is_string)(value):
            raise QuestionError(f"{self.name}: expected {self.expected}, got {_described(value)}")
        return value

    @property
    def expected(self) -> str:
        """Its type as a message names it."""
        article = "an" if self.type[0] in "aeio" else "a"
        return f"{article} {self.type}" if self.label is None else f"the {self.type}"


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_string, value))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _described(value: Any) -> str:
    """Name a value that does not fit; of a list, what is wrong with it."""
    if isinstance(value, (list, tuple)):
        if not value:
            return "an empty list"
        for place, item in enumerate(value, 1):
            if not _is_string(item):
                return f"a list whose item {place} is {describe(item)}"
    return describe(value)


_FITS = {STRING: _is_string, STRINGS: _is_strings, INTEGER: _is_integer}


@dataclass(frozen=True)
class Question:
    """A question: what it asks, what it needs, what the columns of its answer mean."""

    name: str
    title: str
    parameters: dict[str, Parameter]
    columns: dict[str, str]
    cypher: str

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters, or raise `QuestionError`; None is not given."""
        for name in given:
            if name not in self.parameters:
                hint = did_you_mean(name, self.parameters) or self._told()
                raise QuestionError(f"{self.name}: there is no parameter {name!r}{hint}")
        said = {name: value for name, value in given.items() if value is not None}
        for name, parameter in self.parameters.items():
            if parameter.is_required and name not in said:
                raise QuestionError(
                    f"{self.name}: {name} is missing: expected {parameter.expected}"
                )
        return {
            name: parameter.check(said.get(name, parameter.default))
            for name, parameter in self.parameters.items()
        }

    def _told(self) -> str:
        return f": expected {', '.join(self.parameters) or 'none'}"


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of all questions."""
    entries = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in entries if name.endswith(_SUFFIX)))


def find(name: str) -> Question:
    """Return a question; `UnknownQuestionError` when there is none of this name."""
    if name not in names():
        near = did_you_mean(name, names()) if isinstance(name, str) else ""
        hint = near or f": expected one of {', '.join(names())}"
        raise UnknownQuestionError(f"there is no question {name!r}{hint}")
    return _found(name)


@functools.cache
def _found(name: str) -> Question:
    text = files(__package__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
    return read(name, text)


def read(name: str, text: str) -> Question:
    """Read a file: a header of comments, an empty line, and one statement with its semicolon."""
    header, _, body = text.partition("\n\n")
    title, *sections = _SECTION.split(_uncommented(header))
    found = dict(zip(sections[::2], sections[1::2], strict=True))
    entries = [_entry(line) for line in _joined(found.get("Parameters", ""))]
    columns = (_match(line) for line in _joined(found["Columns"]))
    return Question(
        name,
        " ".join(title.split()),
        {entry.name: entry for entry in entries},
        {column["name"]: column["text"] for column in columns},
        body.strip().removesuffix(";"),
    )


def _uncommented(header: str) -> str:
    return (
        "\n".join(line.removeprefix("//").removeprefix(" ") for line in header.splitlines()) + "\n"
    )


def _joined(section: str) -> list[str]:
    """Return the entries of a section, each as one line."""
    return re.sub(r"\n    +", " ", section).splitlines()


def _match(line: str) -> re.Match[str]:
    found = _ENTRY.fullmatch(line)
    assert found is not None, line
    return found


def _entry(line: str) -> Parameter:
    found = _match(line)
    as_in = (found["label"], found["property"]) if found["label"] else None
    default = found["default"]
    return Parameter(
        found["name"], found["type"], found["text"], default is None, _default(default), as_in
    )


def _default(text: str | None) -> int | None:
    return None if text in (None, "null") else int(text)
