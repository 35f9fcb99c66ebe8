"""The choices of a string property, in the forms of Django."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, EnumMeta
from typing import Any

from genai_graph.errors import DeclarationError
from genai_graph.properties.messages import describe

Choices = Iterable[str] | Iterable[tuple[str, str]] | Mapping[str, str] | type[Enum]


class _Labels(dict[str, str]):
    """The labels of choices. Any other value, such as None, is its own label, as in Django."""

    def __missing__(self, value: Any) -> Any:
        return value


def labels_of(choices: Any) -> dict[str, str]:
    """Return the labels of choices by value, in order.

    Choices are strings, (string, label) pairs, a dict of labels, or an enum class of strings, such
    as Django's `TextChoices`. Raises `DeclarationError`.
    """
    labels = _Labels()
    for value, label in _pairs(choices):
        if not isinstance(value, str) or not isinstance(label, str):
            raise _invalid(describe(value if not isinstance(value, str) else label))
        if value in labels:
            raise DeclarationError(f"choices: {value!r} occurs twice: remove one of them")
        labels[str.__str__(value)] = label
    if not labels:
        raise _invalid("no choice")
    return labels


def _pairs(choices: Any) -> list[tuple[Any, Any]]:
    if isinstance(choices, EnumMeta):
        members: Iterable[Any] = choices
        return [(one.value, str(getattr(one, "label", one.value))) for one in members]
    if isinstance(choices, Mapping):
        return list(choices.items())
    if not isinstance(choices, (list, tuple)):
        raise _invalid(describe(choices))
    return [
        one if isinstance(one, (list, tuple)) and len(one) == 2 else (one, one)  # type: ignore[misc]
        for one in choices
    ]


def _invalid(found: str) -> DeclarationError:
    return DeclarationError(
        "choices: expected a list of strings or of (string, label) pairs, or an enum class of "
        f"strings, got {found}"
    )
