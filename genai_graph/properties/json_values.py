"""JSON values: validation, and the text that is stored."""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec

from genai_graph.conversion import (
    is_missing,
    is_number,
    nested_list,
    to_exact_float,
    to_exact_int,
    unwrap,
)
from genai_graph.errors import PropertyError, PropertyTypeError
from genai_graph.properties.messages import describe

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
MAX_DIGITS = 1_000  # Python refuses to parse much longer integers
# The embedded engine stores strings of up to 16 MiB; a ciphertext is longer by a third.
MAX_TEXT_BYTES = 8 * 2**20
# A JSON text of this length fits in any notation: a character has up to four bytes, and 1e15
# becomes 1000000000000000.0.
SAFE_JSON_LENGTH = MAX_TEXT_BYTES // 8
MAX_DEPTH = 64
_LONG_NUMBER = re.compile("[0-9]{19}")
_CACHED_LENGTH = 1_000
_NOT_JSON = (msgspec.MsgspecError, RecursionError, UnicodeError)
_decode = msgspec.json.Decoder().decode
encode_json = msgspec.json.Encoder(order="sorted").encode

Path = tuple[str | int, ...]


def refuse_surrogates(value: str) -> None:
    """Raise `PropertyError` for a lone surrogate, which no encoding can represent."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise PropertyError(
            f"expected Unicode text, got a lone surrogate at character {error.start + 1}"
        ) from None


def validate_json(value: Any, path: Path = ()) -> Any:
    """Return a copy of a JSON value, or raise `PropertyError` with the path to the error."""
    if len(path) > MAX_DEPTH:
        raise PropertyError(f"expected JSON of at most {MAX_DEPTH} levels", path)
    validate = _VALIDATORS.get(type(value))
    if validate is None:
        value = _to_builtin(value)
        validate = _VALIDATORS.get(type(value)) or _validator_of_subclass(value)
    if validate is None:
        found = f"expected JSON, got {describe(value)}{_at(path)}"
        raise PropertyTypeError(f"{found}{_advice(value)}", path)
    return validate(value, path)


def _to_builtin(value: Any) -> Any:
    """Return the JSON value that equals a value of another library, or the value unchanged."""
    if is_missing(value):
        return None
    value = nested_list(unwrap(value))
    if type(value) in _VALIDATORS or not is_number(value):
        return value
    numbers = (to_exact_int(value), to_exact_float(value))
    return next((number for number in numbers if number is not None), value)


def _advice(value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        return ": use a list, such as sorted(...)"
    if isinstance(value, date):
        return ": write it as a string, such as value.isoformat()"
    if isinstance(value, os.PathLike):
        return ": write it as a string, str(...)"
    if is_number(value):
        return ": convert it with float(...), or write it as a string"
    return ""


def validate_json_size(encoded: bytes) -> None:
    """Raise `PropertyError` for a JSON text that is too long to be stored."""
    if len(encoded) > MAX_TEXT_BYTES:
        raise PropertyError(
            f"JSON is limited to {MAX_TEXT_BYTES} bytes of UTF-8, got {len(encoded)}"
        )


def parse_json(text: str) -> Any:
    """Parse JSON, or raise `PropertyError`."""
    try:
        return _decode(str(text))
    except _NOT_JSON as error:
        raise PropertyError(f"expected JSON, got {describe(text)}: {error}") from None


def canonical_json(document: bytes) -> str | None:
    """Return the text that is stored for a JSON document, or None for null.

    Raises `PropertyError` for values that `validate_json` rejects, and the errors of msgspec for
    text that is not JSON.
    """
    # Runs repeat their parameters and environments, and parsing them again is slow.
    return _cached_text(document) if len(document) < _CACHED_LENGTH else _canonical_text(document)


def _canonical_text(document: bytes) -> str | None:
    value = _decode(document)
    if value is None:
        return None
    try:
        encoded = encode_json(value)
    except (OverflowError, RecursionError):
        encoded = encode_json(validate_json(value))
    validate_json_size(encoded)
    text: str = encoded.decode()
    validate_decoded(value, text)
    return text


def validate_decoded(value: Any, text: str) -> None:
    """Raise `PropertyError` for an invalid JSON value that msgspec has decoded from a text."""
    # msgspec has checked everything but the depth and integers over 64 bits.
    may_be_deep = len(text) > MAX_DEPTH and text.count("{") + text.count("[") > MAX_DEPTH
    if may_be_deep or _LONG_NUMBER.search(text):
        validate_json(value)


_cached_text = functools.lru_cache(maxsize=1024)(_canonical_text)


def _string(value: str, path: Path) -> str:
    try:
        refuse_surrogates(value)
    except PropertyError as error:
        raise PropertyError(f"{error}{_at(path)}", path) from None
    return str.__str__(value)


def _integer(value: int, path: Path) -> int:
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise PropertyError(
            f"expected an integer of at most 64 bits, got {describe(value)}{_at(path)}: "
            "write it as a string",
            path,
        )
    return int(value)


def _float(value: float, path: Path) -> float:
    if not math.isfinite(value):
        raise PropertyError(f"JSON has no {value}{_at(path)}: use null or a string", path)
    return float(value)


def _list(value: list[Any] | tuple[Any, ...], path: Path) -> list[Any]:
    return [validate_json(item, (*path, index)) for index, item in enumerate(value)]


def _object(value: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    validated: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise PropertyTypeError(
                f"expected string keys, got the key {describe(key)}{_at(path)}", path
            )
        validated[_string(key, path)] = validate_json(item, (*path, key))
    return validated


def _unchanged(value: Any, path: Path) -> Any:
    return value


def _validator_of_subclass(value: Any) -> Callable[[Any, Path], Any] | None:
    return next((check for type_, check in _VALIDATORS.items() if isinstance(value, type_)), None)


def _at(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f" at {''.join(steps).removeprefix('.')}" if path else ""


_VALIDATORS: dict[type, Callable[[Any, Path], Any]] = {
    bool: _unchanged,  # before int, its base class
    str: _string,
    int: _integer,
    float: _float,
    type(None): _unchanged,
    list: _list,
    tuple: _list,
    dict: _object,
    Mapping: _object,
}
