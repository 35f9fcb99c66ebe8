"""A question and its parameters, with their validation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genai_graph.conversion import is_missing, to_exact_float, to_exact_int, to_list, unwrap
from genai_graph.errors import QuestionError, SourceLocation
from genai_graph.names import normalize_name
from genai_graph.properties.messages import describe, did_you_mean

TYPES = ("string", "integer", "number", "boolean", "list of strings")
_CLASSES: dict[str, type] = {"integer": int, "number": float, "boolean": bool}
_TO_NUMBER: dict[str, Callable[[Any], Any]] = {"integer": to_exact_int, "number": to_exact_float}
_UID_TYPE = re.compile(r"uid of an? (\w+)")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question. `location` is the line that declares it."""

    name: str
    type: str
    help: str
    location: SourceLocation
    is_required: bool = True
    default: Any = None

    @property
    def has_known_type(self) -> bool:
        """Whether the type is one of `TYPES`, or the uid of a node."""
        return self.type in TYPES or self.label is not None

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
        elif self.type in _CLASSES:
            is_valid = type(value) is _CLASSES[self.type]
        else:
            is_valid = _is_string(value)
        if not is_valid:
            raise QuestionError(f"{self.name}: expected {self.expected}, got {_describe(value)}")
        return _normalize(value)

    def _to_builtin(self, value: Any) -> Any:
        """Convert a value of another library; values that don't fit are left for `validate`."""
        if self.type in _TO_NUMBER:
            number = _TO_NUMBER[self.type](value)
            return value if number is None else number
        if self.type == "boolean":
            return unwrap(value)
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

    `supplied` are the names of the parameters that `ask` supplies. `left_out` are reasons why
    rows are left out, by the column whose values are reported. `not_ranked` is the
    reason why scores are listed without a rank. `location` is the first line of the statement.
    """

    name: str
    title: str
    description: str
    parameters: dict[str, Parameter]
    supplied: tuple[str, ...]
    columns: dict[str, str]
    left_out: dict[str, str]
    not_ranked: str | None
    cypher: str
    location: SourceLocation
    is_built_in: bool

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
