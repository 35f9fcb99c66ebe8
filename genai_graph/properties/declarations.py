"""The arguments of property declarations: choices, and the advice for those of other frameworks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, EnumMeta
from typing import Any

from genai_graph.errors import DeclarationError
from genai_graph.properties.messages import describe

Choices = Iterable[str] | Iterable[tuple[str, str]] | Mapping[str, str] | type[Enum]

# Arguments of Django's fields and of neomodel's properties, and the advice for each.
OPTIONS_INSTEAD = {
    **dict.fromkeys(
        ("null", "blank", "required"),
        "every property is optional, except those of RequiredStringProperty and "
        "RequiredFloatProperty",
    ),
    "default": "properties have no default: give the value when you create an object; a missing "
    "one is None",
    **dict.fromkeys(
        ("unique", "unique_index", "primary_key"), "only the uid is unique: declare uid_from"
    ),
    "db_index": "use index=True",
    "choices": "only strings have choices: use StringProperty",
    **dict.fromkeys(("verbose_name", "label"), "use help_text"),
    **dict.fromkeys(
        ("db_column", "db_property", "name"), "a property is stored under the name of its attribute"
    ),
    **dict.fromkeys(
        ("max_length", "validators", "max_value"),
        "write a property type with a method validate (docs/architecture.md)",
    ),
    "min_value": "use minimum",
    **dict.fromkeys(
        ("auto_now", "auto_now_add", "default_now"),
        "every node has created_at and updated_at, which are set when it is saved",
    ),
}


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
