"""Checking the values of a node or an edge against its class: one way for Python and fixtures."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from genai_graph.errors import PropertyError, UnknownPropertyError
from genai_graph.models.encryption import Encrypted
from genai_graph.models.properties import Strict, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


def properties_of(cls: Any) -> dict[str, Strict]:
    """Return a class's properties by name, in the order of their declaration."""
    return _declared(cls)[0]


def mandatory_in(cls: Any) -> tuple[str, ...]:
    """Return the names of a class's required properties."""
    return _declared(cls)[1]


@functools.cache
def _declared(cls: Any) -> tuple[dict[str, Strict], tuple[str, ...]]:
    found: dict[str, Strict] = cls.defined_properties(aliases=False, rels=False)
    return found, tuple(name for name, prop in found.items() if prop.mandatory)


Faults = list[tuple[str, PropertyError]]


def examined(
    cls: Any, values: Mapping[str, Any], called: str | None = None
) -> tuple[dict[str, Any], Faults]:
    """Return the values as Python keeps them, and the reason for each that can't be taken.

    None means not set. The class is `called` by its name if by nothing else.
    """
    known = properties_of(cls)
    taken: dict[str, Any] = {}
    faults: Faults = []
    for name, value in values.items():
        try:
            if name not in known:
                hint = did_you_mean(name, known)
                raise UnknownPropertyError(f"{called or cls.__name__} has no such property{hint}")
            if value is None and known[name].mandatory:
                raise PropertyError("is required and can't be removed")
            kept = value is None or isinstance(value, Encrypted)
            taken[name] = value if kept else known[name].check(value)
        except PropertyError as error:
            faults.append((name, error))
    return taken, faults


def missing_in(cls: Any, values: Mapping[str, Any]) -> list[str]:
    """Return the names of the required properties that have no value."""
    return [name for name in mandatory_in(cls) if values.get(name) is None]


def checked(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as Python keeps them, or raise for the first that can't be taken."""
    taken = checked_each(cls, values)
    for name, error in cls.rule_faults(values):
        raise _of_class(cls, name, error)
    return taken


def checked_each(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same for values that are not yet all that a node will have."""
    taken, faults = examined(cls, values)
    for name, error in faults:
        raise _of_class(cls, name, error)
    return taken


def _of_class(cls: Any, name: str, error: PropertyError) -> PropertyError:
    return type(error)(f"{cls.__name__}.{name}: {error}")


def require(cls: Any, values: Mapping[str, Any]) -> None:
    """Raise unless every required property has a value."""
    for name in missing_in(cls, values):
        known: Any = properties_of(cls)[name]
        raise PropertyError(
            f"{cls.__name__}.{name}: is required: expected {known.expected}, got nothing"
        )


def stored(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return checked values as the database keeps them, not yet encrypted."""
    known = properties_of(cls)
    return {
        name: None if value is None else _stored(cls, values, name, known[name])
        for name, value in values.items()
    }


def _stored(cls: Any, values: Mapping[str, Any], name: str, prop: Strict) -> Any:
    value = values[name]
    if isinstance(value, Encrypted):
        return value.kept(getattr(cls, "__label__", cls.__name__), values.get("uid"), name)
    return prop.store(value)
