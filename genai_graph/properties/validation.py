"""Validation of the values of a node or edge against its class, for Python and fixtures alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from genai_graph.conversion import is_missing
from genai_graph.errors import PropertyError, UnknownPropertyError
from genai_graph.properties.encryption import EncryptedValue
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import properties_of, required_properties

if TYPE_CHECKING:
    from genai_graph.properties.types import Property

FieldErrors = list[tuple[str, PropertyError]]


def collect_errors(
    cls: Any, values: Mapping[str, Any], name_in_errors: str | None = None
) -> tuple[dict[str, Any], FieldErrors]:
    """Return the normalized values, and (property, error) for each invalid one.

    None means that a property is not set. `name_in_errors` replaces the name of the class.
    """
    known = properties_of(cls)
    normalized: dict[str, Any] = {}
    errors: FieldErrors = []
    for name, value in values.items():
        try:
            if name not in known:
                raise UnknownPropertyError(_unknown(cls, name, name_in_errors or cls.__name__))
            value = None if is_missing(value) else value
            if value is None and known[name].is_required:
                raise PropertyError("is required and can't be removed")
            is_final = value is None or isinstance(value, EncryptedValue)
            normalized[name] = value if is_final else known[name].validate(value)
        except PropertyError as error:
            errors.append((name, error))
    return normalized, errors


def _unknown(cls: Any, name: str, owner: str) -> str:
    hint = relationship_hint(cls, name)
    return hint or f"{owner} has no such property{did_you_mean(name, properties_of(cls))}"


def relationship_hint(cls: Any, name: str) -> str:
    """Return how to connect nodes, if the name is that of a relationship, else ""."""
    if name not in dict(getattr(cls, "__all_relationships__", ())):
        return ""
    variable = cls.__name__.lower()
    return f"is a relationship: save the node, then call {variable}.{name}.connect(node)"


def full_clean(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the normalized values; raise `PropertyError` for the first error.

    Checks each value and the constraints between them.
    """
    normalized = clean_fields(cls, values)
    for name, error in cls.check_constraints(normalized):
        raise _with_class(cls, name, error)
    return normalized


def clean_fields(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the normalized values, each validated on its own, for partial input."""
    normalized, errors = collect_errors(cls, values)
    for name, error in errors:
        raise _with_class(cls, name, error)
    return normalized


def _with_class(cls: Any, name: str, error: PropertyError) -> PropertyError:
    return type(error)(f"{cls.__name__}.{name}: {error}{error.python_fix}")


def missing_fields(cls: Any, values: Mapping[str, Any]) -> list[str]:
    """Return the names of the required properties without a value."""
    return [name for name in required_properties(cls) if values.get(name) is None]


def require_fields(cls: Any, values: Mapping[str, Any]) -> None:
    """Raise `PropertyError` unless every required property has a value."""
    for name in missing_fields(cls, values):
        expected = properties_of(cls)[name].expected
        raise PropertyError(f"{cls.__name__}.{name}: is required: expected {expected}, got nothing")


def deflate_values(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert validated values to database values, not yet encrypted."""
    known = properties_of(cls)
    return {
        name: None if value is None else _deflate(cls, values, name, known[name])
        for name, value in values.items()
    }


def _deflate(cls: Any, values: Mapping[str, Any], name: str, prop: Property[Any]) -> Any:
    value = values[name]
    if isinstance(value, EncryptedValue):
        label = getattr(cls, "__label__", cls.__name__)
        return value.ciphertext_for(label, values.get("uid"), name)
    return prop.to_db(value)


def normalize_stored_values(cls: Any, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored values as they would be saved again, for a comparison with new values.

    Other programs may have stored JSON with unsorted keys. Invalid values are returned unchanged.
    """
    known = properties_of(cls)
    return {
        name: value.text if isinstance(value, EncryptedValue) else _normalize(known[name], value)
        for name, value in stored.items()
    }


def _normalize(prop: Property[Any], value: Any) -> Any:
    return _convert(lambda stored: prop.to_db(prop.to_python(stored)), value)


def inflate_values(cls: Any, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Convert database values to Python values.

    A value that does not fit its property is returned unchanged: another program may have stored
    it, and saving the node will reject it.
    """
    known = properties_of(cls)
    return {name: inflate_value(known[name], value) for name, value in stored.items()}


def inflate_value(prop: Property[Any], value: Any) -> Any:
    """Convert a database value to a Python value, as `inflate_values`."""
    return _convert(prop.to_python, value)


def _convert(convert: Callable[[Any], Any], value: Any) -> Any:
    """Return the converted value, or the value itself if it does not fit its property."""
    try:
        return None if value is None else convert(value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return value
