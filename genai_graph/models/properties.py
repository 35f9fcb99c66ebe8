"""Typed properties: neomodel's, made strict.

A value is checked when a node is made and when it is saved, and never cast: an integer is taken
where a float is due, since nothing is lost, and that is all. Each class says three things: what it
takes (`check`), how it is stored (`deflate`, `inflate`), and the same as a type for decoders
(`annotation`: what fits it needs no further check, but for JSON), so that fixtures and Python share
one declaration.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, overload

import msgspec
import neomodel
from msgspec import Meta

from genai_graph.database.values import utc
from genai_graph.errors import PropertyError, PropertyTypeError
from genai_graph.models import encryption
from genai_graph.models.locations import warn_once, without_secrets

if TYPE_CHECKING:
    from neo4j.time import DateTime
    from typing_extensions import Self

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
# An index of Neo4j takes keys of up to 8,167 bytes (its manual, "range index key size").
INDEXED_BYTES = 8_000
# The embedded engine takes texts of 16 MiB; encrypted ones are longer by a third.
TEXT_BYTES = 8 * 2**20
# So short a JSON text has room however it is written: a character has four bytes at most, and of
# 1e15 comes 1000000000000000.0.
SHORT_JSON = TEXT_BYTES // 8
JSON_DEPTH = 64
_LONG_NUMBER = re.compile("[0-9]{19}")
_decode_json = msgspec.json.Decoder().decode
_encode_json = msgspec.json.Encoder(order="sorted").encode
_LONG_DOCUMENT = 1_000
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Strict:
    """What every property of this package has beside neomodel's."""

    name: str | None
    owner: Any
    mandatory: bool
    expected: str
    annotation: Any
    sensitive = False  # encrypted where there are keys, and not for readers

    @property
    def encryptable(self) -> bool:
        """Whether values are texts that nothing but reading needs."""
        return False

    def check(self, value: Any) -> Any:
        """Return the value as it is kept in Python, or raise `PropertyError`."""
        raise NotImplementedError

    def store(self, value: Any) -> Any:
        """Return a checked value as the database keeps it."""
        return value

    def load(self, value: Any) -> Any:
        """Return a stored value as Python has it."""
        return value

    def shown(self, value: Any) -> Any:
        """Return a value as others may see it, whoever wrote it."""
        return value

    def deflate(self, value: Any, *_: Any, **__: Any) -> Any:
        """Check a value to be searched for, and return it as the database keeps it.

        It is neomodel's name for it; its filters call it.
        """
        encryption.refuse_search(self)
        try:
            return self.store(self.check(value))
        except PropertyError as error:
            where = f"{self.owner.__name__}.{self.name}: " if self.owner else ""
            raise type(error)(f"{where}{error}") from None

    def inflate(self, value: Any, *_: Any, **__: Any) -> Any:
        """Return a stored value as Python has it (neomodel's name for it)."""
        return self.load(value)

    def refuse_type(self, value: Any, advice: str = "") -> NoReturn:
        """Raise the error for a value of the wrong type."""
        raise PropertyTypeError(f"expected {self.expected}, got {describe(value)}{advice}")


class Unclear:
    """What a file says in a way that can be read differently: no property takes it."""

    def __init__(self, text: str, looks_like: str) -> None:
        self.text = text
        self.looks_like = looks_like


def describe(value: Any) -> str:
    """Name a value in an error, briefly: what it is, and its type where that is not plain."""
    if value is None:
        return "nothing"
    if isinstance(value, Unclear):
        return f"{value.text} ({value.looks_like})"
    if isinstance(value, (dict, list)):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    short = text if len(text) <= 40 else text[:37] + "..."
    if isinstance(value, (str, bool, int, float)) and type(value).__module__ == "builtins":
        return short
    return f"{short} ({type(value).__name__})"


class StringProperty(Strict, neomodel.StringProperty):
    """A text; `choices` are the only ones that are taken, `sensitive` ones can be encrypted."""

    expected = "a string"

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> str | None: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: object, value: str | None) -> None: ...

    def __init__(
        self,
        *,
        unique: bool = False,
        index: bool = False,
        choices: tuple[str, ...] | None = None,
        sensitive: bool = False,
        help_text: str = "",
    ) -> None:
        named = None if choices is None else {choice: choice for choice in choices}
        super().__init__(
            unique_index=unique, required=unique, index=index, choices=named, help_text=help_text
        )
        self.mandatory = False
        self.sensitive = sensitive
        self.annotation = _text(self.is_indexed, 0) if choices is None else Literal[choices]
        self._longest = INDEXED_BYTES if self.is_indexed else TEXT_BYTES

    def check(self, value: Any) -> str:
        """Take a string that can be written as UTF-8."""
        if not isinstance(value, str):
            self.refuse_type(value)
        check_text(value)
        if self.choices is not None and value not in self.choices:
            raise PropertyError(
                f"expected one of {', '.join(self.choices)}, got {describe(value)}"
                + did_you_mean(value, self.choices)
            )
        if self.mandatory and not value:
            raise PropertyError("expected a string that is not empty")
        if len(value) > self._longest // 4:  # the longest that characters of four bytes are sure of
            self._check_size(value)
        return str.__str__(value)  # the text of an enum's member, not its name

    @property
    def encryptable(self) -> bool:
        """Whether it is neither required, nor indexed, nor chosen from a list."""
        return not (self.mandatory or self.is_indexed or self.choices)

    def _check_size(self, value: str) -> None:
        size = len(value.encode())
        if size > self._longest:
            kind = "an indexed string" if self.is_indexed else "a string"
            raise PropertyError(
                f"{kind} may have {self._longest} bytes of UTF-8, this one has {size}"
            )


class LocationProperty(StringProperty):
    """Where something is: a path or an address, kept without logins, signatures and tokens."""

    def __init__(self, *, sensitive: bool = False, help_text: str = "") -> None:
        super().__init__(sensitive=sensitive, help_text=help_text)

    def check(self, value: Any) -> str:
        """Take a string, without what opens the location."""
        return self.bare(super().check(value))

    def check_kept(self, value: Any) -> str:
        """Take a string that is in the graph, where nothing is left out of it any more."""
        text = super().check(value)
        if without_secrets(text) != text:
            raise PropertyError("holds a login, a signature or a token, for all readers to see")
        return text

    def shown(self, value: Any) -> Any:
        """Return it without what opens the location."""
        return without_secrets(value) if isinstance(value, str) else value

    def bare(self, value: str) -> str:
        """Return a checked text without what opens the location, and warn of it."""
        bare = without_secrets(value)
        if bare is not value:
            warn_once(f"{self.owner.__name__}.{self.name}", bare)
        return bare


class RequiredStringProperty(StringProperty):
    """A text that every node has, and that is not empty."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> str: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

    def __init__(self, *, unique: bool = False, index: bool = False, help_text: str = "") -> None:
        super().__init__(unique=unique, index=index, help_text=help_text)
        self.mandatory = True
        self.annotation = _text(self.is_indexed, 1)


class IntegerProperty(Strict, neomodel.IntegerProperty):
    """A whole number of 64 bits with its sign; `minimum` is the least that is taken."""

    expected = "an integer"

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> int | None: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: object, value: int | None) -> None: ...

    def __init__(self, *, minimum: int = INTEGER_MIN, help_text: str = "") -> None:
        super().__init__(help_text=help_text)
        self.mandatory = False
        self.minimum = minimum
        self.annotation = Annotated[int, Meta(ge=minimum, le=INTEGER_MAX)]

    def check(self, value: Any) -> int:
        """Take an int (no bool, no float) within the range."""
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse_type(value)
        if value < self.minimum:
            raise PropertyError(
                f"expected an integer of at least {self.minimum}, got {describe(value)}"
            )
        if value > INTEGER_MAX:
            raise PropertyError(f"expected an integer of at most 2^63-1, got {describe(value)}")
        return int(value)


class FloatProperty(Strict, neomodel.FloatProperty):
    """A number; NaN and the infinities are values too."""

    expected = "a number"
    annotation: Any = float | Literal["NaN", "Infinity", "-Infinity"]

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> float | None: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: object, value: float | None) -> None: ...

    def __init__(self, *, index: bool = False, help_text: str = "") -> None:
        super().__init__(index=index, help_text=help_text)
        self.mandatory = False

    def check(self, value: Any) -> float:
        """Take a float, or an int that a float can hold (no bool)."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse_type(value)
        try:
            return float(value)
        except OverflowError:
            raise PropertyError(
                f"expected a number that a float can hold, got {describe(value)}"
            ) from None


class RequiredFloatProperty(FloatProperty):
    """A number that every node has."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> float: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

    def __init__(self, *, index: bool = False, help_text: str = "") -> None:
        super().__init__(index=index, help_text=help_text)
        self.mandatory = True


class BooleanProperty(Strict, neomodel.BooleanProperty):
    """True or False; not set is unknown."""

    expected = "true or false"
    annotation = bool

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> bool | None: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: object, value: bool | None) -> None: ...

    def __init__(self, *, help_text: str = "") -> None:
        super().__init__(help_text=help_text)
        self.mandatory = False

    def check(self, value: Any) -> bool:
        """Take a bool."""
        if not isinstance(value, bool):
            self.refuse_type(value)
        return value


class DateTimeProperty(Strict, neomodel.DateTimeNeo4jFormatProperty):
    """A moment, kept in UTC to the microsecond as the database's own type."""

    expected = "a time with its zone, such as 2026-03-01T09:00:00Z"
    annotation = Annotated[datetime, Meta(tz=True)]

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> datetime | None: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: object, value: datetime | None) -> None: ...

    def __init__(self, *, index: bool = False, help_text: str = "") -> None:
        super().__init__(index=index, help_text=help_text)
        self.mandatory = False

    def check(self, value: Any) -> datetime:
        """Take a datetime that knows its zone, and turn it into UTC."""
        if not isinstance(value, datetime):
            self.refuse_type(value)
        if value.utcoffset() is None:
            self.refuse_type(value, ": give it a zone, for example tzinfo=timezone.utc")
        try:
            return value.astimezone(timezone.utc)
        except OverflowError:
            raise PropertyError(f"expected a time of the years 1 to 9999, got {value}") from None

    def load(self, value: DateTime | datetime) -> datetime:
        """Return the time aware in UTC."""
        return utc(value)


class JSONProperty(Strict, neomodel.JSONProperty):
    """Any JSON value, kept as text with its keys sorted, so that equal values are equal texts."""

    expected = "JSON"
    annotation = msgspec.Raw  # for json_text

    def __init__(self, *, sensitive: bool = False, help_text: str = "") -> None:
        super().__init__(help_text=help_text)
        self.mandatory = False
        self.sensitive = sensitive

    @property
    def encryptable(self) -> bool:
        """Yes: it is kept as text."""
        return True

    def check(self, value: Any) -> Any:
        """Take what JSON can say; the message for anything else has the path to it."""
        taken = check_json(value)
        _check_size_of_json(_encode_json(taken))
        return taken

    def store(self, value: Any) -> str:
        """Return the JSON text."""
        return _encode_json(value).decode()

    def load(self, value: str) -> Any:
        """Return the JSON value."""
        return json.loads(value)


class ArrayProperty(Strict, neomodel.ArrayProperty):
    """A list whose items are all of one kind of property."""

    def __init__(
        self, item: StringProperty | IntegerProperty | FloatProperty, *, help_text: str = ""
    ) -> None:
        super().__init__(help_text=help_text)
        self.mandatory = False
        self.item = item
        self.expected = f"a list, each item {item.expected}"
        self.annotation = list[item.annotation]  # type: ignore[name-defined]

    def check(self, value: Any) -> list[Any]:
        """Take a list and check its items; the message names the first wrong one."""
        if not isinstance(value, list):
            self.refuse_type(value)
        return [self._check_item(position, item) for position, item in enumerate(value)]

    def load(self, value: Any) -> list[Any]:
        """Return the list."""
        return list(value)

    def _check_item(self, position: int, value: Any) -> Any:
        try:
            return self.item.check(value)
        except PropertyError as error:
            raise type(error)(f"item {position + 1}: {error}", (position,)) from None


def _text(indexed: bool, shortest: int) -> Any:
    """Return the type of a text; one whose bytes must be counted does not fit it."""
    longest = (INDEXED_BYTES if indexed else TEXT_BYTES) // 4
    return Annotated[str, Meta(min_length=shortest, max_length=longest)]


def check_text(value: str) -> None:
    """Refuse half of a surrogate pair, which no encoding can write."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise PropertyError(
            f"expected Unicode text, got a lone surrogate at character {error.start + 1}"
        ) from None


Path = tuple[str | int, ...]


def check_json(value: Any, path: Path = ()) -> Any:
    """Return a value that JSON can hold, or raise `PropertyError` with the path to what is not."""
    if len(path) > JSON_DEPTH:
        raise PropertyError(f"expected JSON of at most {JSON_DEPTH} levels", path)
    check = _JSON_CHECKS.get(type(value)) or _json_check_of_subclass(value)
    if check is None:
        advice = ": use a list" if isinstance(value, (tuple, set)) else ""
        raise PropertyTypeError(f"expected JSON, got {describe(value)}{_at(path)}{advice}", path)
    return check(value, path)


def _check_size_of_json(encoded: bytes) -> None:
    if len(encoded) > TEXT_BYTES:
        raise PropertyError(f"JSON may have {TEXT_BYTES} bytes of UTF-8, this has {len(encoded)}")


def json_text(document: bytes) -> str | None:
    """Return what is stored of a JSON document; of null, nothing.

    Raises `PropertyError` for what `check_json` refuses, and what msgspec raises for text that is
    not JSON.
    """
    # Runs repeat their parameters and environments, and to read them again takes long.
    return _repeated_text(document) if len(document) < _LONG_DOCUMENT else _text_of(document)


def _text_of(document: bytes) -> str | None:
    value = _decode_json(document)
    if value is None:
        return None
    try:
        encoded = _encode_json(value)
    except (OverflowError, RecursionError):
        encoded = _encode_json(check_json(value))
    _check_size_of_json(encoded)
    text: str = encoded.decode()
    # Little is left to be checked: depth, and integers that are too long.
    may_be_deep = len(text) > JSON_DEPTH and text.count("{") + text.count("[") > JSON_DEPTH
    if may_be_deep or _LONG_NUMBER.search(text):
        check_json(value)
    return text


_repeated_text = functools.lru_cache(maxsize=1024)(_text_of)


def _json_text(value: str, path: Path) -> str:
    try:
        check_text(value)
    except PropertyError as error:
        raise PropertyError(f"{error}{_at(path)}", path) from None
    return str.__str__(value)


def _json_integer(value: int, path: Path) -> int:
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise PropertyError(
            f"expected an integer of at most 64 bits, got {describe(value)}{_at(path)}: "
            "write it as a string",
            path,
        )
    return int(value)


def _json_float(value: float, path: Path) -> float:
    if not math.isfinite(value):
        raise PropertyError(f"JSON has no {value}{_at(path)}: use null or a string", path)
    return float(value)


def _json_list(value: list[Any], path: Path) -> list[Any]:
    return [check_json(item, (*path, index)) for index, item in enumerate(value)]


def _json_map(value: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise PropertyTypeError(
                f"expected string keys, got the key {describe(key)}{_at(path)}", path
            )
        checked[_json_text(key, path)] = check_json(item, (*path, key))
    return checked


def _json_check_of_subclass(value: Any) -> Callable[[Any, Path], Any] | None:
    return next((check for kind, check in _JSON_CHECKS.items() if isinstance(value, kind)), None)


def _at(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f" at {''.join(steps).removeprefix('.')}" if path else ""


def _as_it_is(value: Any, path: Path) -> Any:
    return value


_JSON_CHECKS: dict[type, Callable[[Any, Path], Any]] = {
    bool: _as_it_is,  # before int, whose subclass it is
    str: _json_text,
    int: _json_integer,
    float: _json_float,
    type(None): _as_it_is,
    list: _json_list,
    dict: _json_map,
}


def did_you_mean(name: str, known: Any) -> str:
    """Return a hint at the nearest known name, or nothing when none is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
