"""Lossless conversion of values of other libraries: NumPy, tensors, pandas, Decimal, paths.

None of these libraries is imported: their values are recognized by their protocols, such as
``item()`` of NumPy scalars, 0-d arrays and tensors.
"""

from __future__ import annotations

import logging
import operator
import os
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from numbers import Real
from typing import Any

_log = logging.getLogger("genai_graph")
_BUILTIN = frozenset({str, int, float, bool, bytes, datetime, date, list, dict, type(None)})
# pandas' markers of missing values, and NumPy's masked value; their modules are not imported.
_MISSING = frozenset({"NaTType", "NAType", "MaskedConstant"})
_TIME_KINDS = ("m", "M")  # NumPy's timedelta64 and datetime64


def is_missing(value: Any) -> bool:
    """Return whether a value is None, or a marker of a missing value of pandas or NumPy.

    NaN is a number, and not missing.
    """
    if value is None:
        return True
    if type(value) in _BUILTIN:
        return False
    if type(value).__name__ in _MISSING:
        return True
    return _time_kind(value) is not None and bool(value != value)  # NaT differs from itself


def without_missing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with None in place of each missing value."""
    return {name: None if is_missing(value) else value for name, value in values.items()}


def unwrap(value: Any) -> Any:
    """Return the Python value in a NumPy scalar, a 0-d array, a tensor or an enum member.

    Other values are returned unchanged, also times of NumPy: their ``item()`` may be an integer.
    """
    if type(value) in _BUILTIN:
        return value
    if isinstance(value, Enum) and not isinstance(value, (str, int)):
        return value.value
    if isinstance(value, type) or _time_kind(value) is not None:
        return value
    read = getattr(value, "item", None)
    if not callable(read):
        return value
    try:
        is_scalar = getattr(value, "ndim", 0) == 0 and len(getattr(value, "shape", ())) == 0
        return read() if is_scalar else value
    except (TypeError, ValueError, RuntimeError):  # not that protocol, or a tensor without data
        return value


def _time_kind(value: Any) -> str | None:
    """Return the kind of a scalar datetime64 or timedelta64 of NumPy, or None."""
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return kind if kind in _TIME_KINDS and getattr(value, "ndim", None) == 0 else None


def is_numpy_time(value: Any) -> bool:
    """Return whether a value is a datetime64 of NumPy, which has no time zone."""
    return _time_kind(value) == "M"


def is_number(value: Any) -> bool:
    """Return whether an unwrapped value is a real number and not a bool."""
    # NumPy registers its timedelta64 as an integer.
    is_real = isinstance(value, (Real, Decimal)) and _time_kind(value) is None
    return is_real and not isinstance(value, bool)


def to_exact_float(value: Any) -> float | None:
    """Return a number as a float, or None if it is not one or a float can't represent it."""
    value = unwrap(value)
    if not is_number(value):
        return None
    try:
        converted = float(value)
        is_exact = converted == value or value != value  # NaN differs from itself
    except (ValueError, ArithmeticError):  # out of range, or a signaling NaN
        return None
    return converted if is_exact else None


def to_exact_int(value: Any, *, allow_float: bool = False) -> int | None:
    """Return an integer as an int, or None if it is not one.

    Decimals and fractions without a fractional part are integers. Floats are accepted only with
    `allow_float`.
    """
    if type(value) is int:
        return value
    value = unwrap(value)
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        if not is_number(value) or not (allow_float or isinstance(value, (Decimal, Fraction))):
            return None
    try:
        converted = int(value)
        return converted if converted == value else None
    except (ValueError, ArithmeticError):  # NaN and infinity
        return None


def to_list(value: Any, *, ordered: bool = True) -> Any:
    """Return a sequence, a 1-d array or a series as a list; others unchanged.

    Sets are sorted, and accepted only if the order of the list does not matter.
    """
    if type(value) is list or isinstance(value, (str, bytes, bytearray, Mapping)):
        return value
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, Set):
        return value if ordered else sorted(value, key=str)
    return nested_list(value) if getattr(value, "ndim", None) == 1 else value


def nested_list(value: Any) -> Any:
    """Return an array or tensor with dimensions as nested lists; others unchanged."""
    convert = getattr(value, "tolist", None)
    has_dimensions = getattr(value, "ndim", 0) > 0 and not isinstance(value, type)
    return convert() if has_dimensions and callable(convert) else value


def to_datetime(value: datetime, name: str) -> datetime:
    """Return a subclass of datetime, such as pandas' Timestamp, as a plain datetime.

    Nanoseconds are rounded to microseconds, with a warning that has the name of the value.
    """
    if type(value) is datetime:
        return value
    plain = datetime(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.tzinfo,
        fold=value.fold,
    )
    nanoseconds = getattr(value, "nanosecond", 0)
    if nanoseconds:
        _log.warning("%s: nanoseconds are rounded to microseconds: %s", name, value)
        plain += timedelta(microseconds=nanoseconds >= 500)
    return plain


# Query parameters


class InexactValueError(ValueError):
    """A value that the database can't represent exactly."""


_SENT_UNCHANGED = _BUILTIN - {list, dict}


def to_parameter(value: Any, name: str) -> Any:
    """Convert a query parameter to a value that the driver can send, recursively.

    `name` is for messages. Values of unknown types are returned unchanged for the driver to reject.
    Raises `InexactValueError`.
    """
    if type(value) in _SENT_UNCHANGED:
        return value
    if isinstance(value, dict):
        if _SENT_UNCHANGED.issuperset(map(type, value.values())):
            return value
        return {key: to_parameter(item, f"{name}.{key}") for key, item in value.items()}
    items = to_list(nested_list(value), ordered=False)
    if isinstance(items, list):
        if _SENT_UNCHANGED.issuperset(map(type, items)):
            return items
        return [to_parameter(item, name) for item in items]
    return _scalar_parameter(value, name)


def _scalar_parameter(value: Any, name: str) -> Any:
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return to_datetime(value, name)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    found = unwrap(value)
    if isinstance(found, str):
        return str.__str__(found)  # the value of an enum member
    if is_number(found):
        number = to_exact_int(found)
        exact = to_exact_float(found) if number is None else number
        if exact is None:
            raise InexactValueError(
                f"{name}: a float can't represent {value!r} exactly: convert it with float(...)"
            )
        return exact
    return found


def unsendable_parameter(value: Any, name: str) -> str | None:
    """Return the name of the first value that no database accepts, with the reason, or None."""
    if isinstance(value, Mapping):
        nested = [(item, f"{name}.{key}") for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        nested = [(item, name) for item in value]
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"{name}: expected an integer of at most 64 bits, got {value}"
    elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return f"{name}: expected Unicode text, got a lone surrogate"
    elif hasattr(type(value), "saved_uid"):
        return f"{name}: expected a value, got the node {value!r}: give its uid"
    elif type(value) in _SENT_UNCHANGED or type(value).__module__.startswith(("neo4j", "datetime")):
        return None
    else:
        return f"{name}: the type {type(value).__qualname__} is not supported"
    found = (unsendable_parameter(*item) for item in nested)
    return next((problem for problem in found if problem), None)
