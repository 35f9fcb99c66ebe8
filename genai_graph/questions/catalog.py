"""The catalog of questions, read from the .cypher files of this package.

A file is a header of comments, an empty line, and one statement that ends with a semicolon. The
header is the source of the command, its options, its help and the documentation::

    // Rank models on a dataset by a metric
    //
    // A paragraph with details, optional.
    //
    // Parameters:
    //   metric (string): the name of the metric
    //   min_shared (integer, default 1): ...
    // Supplied by ask:
    //   known_directions (map): ...
    // Columns:
    //   model: ...
    // Not judged:
    //   metric: ...

A parameter with a default is optional. An entry is continued by lines with deeper indentation.

A statement with an entry ``Not judged`` returns a column `is_judged` as well. Rows in which it is
false are no part of the answer: the entry describes them in a notice, which names the values of its
column.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from genai_graph.conversion import is_missing, to_exact_int, to_list, unwrap
from genai_graph.errors import QuestionError, UnknownQuestionError
from genai_graph.names import normalize_name
from genai_graph.properties.messages import describe, did_you_mean

_SUFFIX = ".cypher"
_ENTRY = re.compile(
    r"  (?P<name>\w+)"
    r"(?: \((?P<type>.*?)(?:, default (?P<default>.*))?\))?"
    r": (?P<text>.*)"
)
_SECTION = re.compile(r"^(Parameters|Supplied by ask|Columns|Not judged):\n", re.MULTILINE)
_UID_TYPE = re.compile(r"uid of a (\w+)")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question."""

    name: str
    type: str
    help: str
    is_required: bool = True
    default: Any = None

    @property
    def label(self) -> str | None:
        """The label of the node, if the value is a uid."""
        match = _UID_TYPE.fullmatch(self.type)
        return match and match[1]

    def validate(self, value: Any) -> Any:
        """Return a valid value, or raise `QuestionError`.

        Values of other libraries are converted if nothing is lost; names are normalized.
        """
        if value is None and not self.is_required:
            return None
        value = self._to_builtin(value)
        if self.type == "list of strings":
            is_valid = isinstance(value, (list, tuple)) and value and all(map(_is_string, value))
        elif self.type == "integer":
            is_valid = isinstance(value, int) and not isinstance(value, bool)
        else:
            is_valid = _is_string(value)
        if not is_valid:
            raise QuestionError(f"{self.name}: expected {self.expected}, got {_describe(value)}")
        return _normalize(value)

    def _to_builtin(self, value: Any) -> Any:
        """Convert a value of another library; values that don't fit are left for `validate`."""
        if self.type == "integer":
            number = to_exact_int(value)
            return value if number is None else number
        if self.type == "list of strings":
            items = to_list(value, ordered=False)
            return list(map(_plain_string, items)) if isinstance(items, list) else value
        return _plain_string(value)

    @property
    def expected(self) -> str:
        """The type with an article, for error messages."""
        article = "an" if self.type[0] in "aeio" else "a"
        return f"{article} {self.type}" if self.label is None else f"the {self.type}"


def _plain_string(value: Any) -> Any:
    """Return a string without its subclass, in normal form; other values unchanged."""
    value = unwrap(value)
    return normalize_name(str.__str__(value)) if isinstance(value, str) else value


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _normalize(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_normalize(item) for item in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _describe(value: Any) -> str:
    """Describe an invalid value; for a list, its first invalid item."""
    if isinstance(value, (list, tuple)):
        if not value:
            return "an empty list"
        for number, item in enumerate(value, 1):
            if not _is_string(item):
                return f"a list whose item {number} is {describe(item)}"
    return describe(value)


@dataclass(frozen=True)
class Question:
    """A question: a Cypher statement with the help of its parameters and columns.

    `supplied` are the names of the parameters that `ask` supplies. `not_judged` is the column and
    the description of the rows that could not be judged, if the statement returns such rows.
    """

    name: str
    title: str
    description: str
    parameters: dict[str, Parameter]
    supplied: tuple[str, ...]
    columns: dict[str, str]
    not_judged: tuple[str, str] | None
    cypher: str

    def validate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all parameters with the defaults; None means not given.

        Raises `QuestionError` for an unknown, missing or invalid parameter.
        """
        for name in given:
            if name not in self.parameters:
                known = f": expected {', '.join(self.parameters) or 'no parameters'}"
                hint = did_you_mean(name, self.parameters) or known
                raise QuestionError(f"{self.name}: unknown parameter {name!r}{hint}")
        values = {}
        for name, parameter in self.parameters.items():
            value = parameter.default if is_missing(given.get(name)) else given[name]
            if value is None and parameter.is_required:
                raise QuestionError(f"{self.name}: {name} is required: give {parameter.expected}")
            values[name] = parameter.validate(value)
        return values


@functools.cache
def list_questions() -> tuple[str, ...]:
    """Return the names of all questions."""
    entries = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in entries if name.endswith(_SUFFIX)))


def get_question(name: str) -> Question:
    """Return a question by its name; raise `UnknownQuestionError` if it does not exist."""
    known = list_questions()
    if name not in known:
        suggestion = did_you_mean(name, known) if isinstance(name, str) else ""
        hint = suggestion or f": expected one of {', '.join(known)}"
        raise UnknownQuestionError(f"unknown question {name!r}{hint}")
    return _load_question(name)


@functools.cache
def _load_question(name: str) -> Question:
    return parse_question(name, files(__package__).joinpath(name + _SUFFIX).read_text("utf-8"))


def parse_question(name: str, text: str) -> Question:
    """Parse the text of a .cypher file."""
    header, _, body = text.partition("\n\n")
    lines = [line.removeprefix("//").removeprefix(" ") for line in header.splitlines()]
    summary, *sections = _SECTION.split("\n".join(lines) + "\n")
    title, _, description = summary.partition("\n\n")
    by_heading = dict(zip(sections[::2], map(_parse_entries, sections[1::2]), strict=True))
    parameters = [_to_parameter(entry) for entry in by_heading.get("Parameters", [])]
    not_judged = [(entry["name"], entry["text"]) for entry in by_heading.get("Not judged", [])]
    return Question(
        name,
        title.strip(),
        " ".join(description.split()),
        {parameter.name: parameter for parameter in parameters},
        tuple(entry["name"] for entry in by_heading.get("Supplied by ask", [])),
        {entry["name"]: entry["text"] for entry in by_heading["Columns"]},
        not_judged[0] if not_judged else None,
        body.strip().removesuffix(";"),
    )


def _parse_entries(section: str) -> list[re.Match[str]]:
    entries = []
    for line in re.sub(r"\n    +", " ", section).splitlines():
        entry = _ENTRY.fullmatch(line)
        assert entry is not None, line
        entries.append(entry)
    return entries


def _to_parameter(entry: re.Match[str]) -> Parameter:
    default = entry["default"]
    return Parameter(
        entry["name"],
        entry["type"],
        entry["text"],
        is_required=default is None,
        default=None if default in (None, "null") else int(default),
    )
