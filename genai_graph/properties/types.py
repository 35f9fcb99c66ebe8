"""Property types: neomodel's properties with strict validation, one codec per type.

A property class defines its type in one place: which values it accepts, how they are
stored and read, and how they are written to and read from each file format. To add a type, add a
class here; docs/architecture.md has an example. Values are never cast, except integers to floats.

Four forms of a value occur. The *Python* value is what users assign and read; the *database* value
is what the driver sends and returns; *file* values come out of a YAML or JSON parser; *text* is the
content of a CSV cell.
"""

from __future__ import annotations

import inspect
import json
import os
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NoReturn, TypeVar, overload

import msgspec
import neomodel
from msgspec import Meta

from genai_graph import advice
from genai_graph.conversion import (
    is_missing,
    is_number,
    is_numpy_time,
    to_datetime,
    to_exact_float,
    to_exact_int,
    to_list,
    unwrap,
)
from genai_graph.database.values import parse_datetime, to_utc
from genai_graph.errors import DeclarationError, PropertyError, PropertyTypeError
from genai_graph.formatting import NON_FINITE, non_finite_name
from genai_graph.names import normalize_name
from genai_graph.properties import encryption
from genai_graph.properties.choices import Choices, labels_of
from genai_graph.properties.json_values import (
    INTEGER_MAX,
    INTEGER_MIN,
    MAX_DIGITS,
    MAX_TEXT_BYTES,
    SAFE_JSON_LENGTH,
    canonical_json,
    encode_json,
    parse_json,
    refuse_surrogates,
    validate_decoded,
    validate_json,
    validate_json_size,
)
from genai_graph.properties.literals import (
    LIST_SEPARATOR,
    csv_number,
    csv_quote,
    cypher_number,
    format_datetime,
    json_literal,
    split_list,
    yaml_flow,
    yaml_number,
    yaml_string,
)
from genai_graph.properties.messages import AmbiguousScalar, describe, did_you_mean
from genai_graph.properties.redaction import strip_credentials, warn_of_credentials

if TYPE_CHECKING:
    from neo4j.time import DateTime
    from typing_extensions import Self

V = TypeVar("V")


MAX_INDEXED_BYTES = 8_000  # Neo4j indexes keys of up to 8,167 bytes
_NUMBER_BYTES = 9  # estimated size of a list item


class Property(Generic[V]):
    """Mixin that adds strict validation and the codec to neomodel's properties.

    `expected` describes valid values in errors; `annotation` is the type for msgspec: values that
    fit it need no further validation, except for JSON.
    """

    name: str | None
    owner: Any
    is_required = False
    sensitive = False  # encrypted if keys are configured, and hidden from readers
    is_json = False
    is_timestamp = False
    is_name = False  # text in Unicode normal form C; conversions change no ASCII text
    expected: str
    annotation: Any
    type_name: str  # in the documentation
    csv_types: tuple[str, ...] = ("string",)  # names used by neo4j-admin; the first is written
    keeps_empty_cells = False  # a quoted empty CSV cell is a value
    is_msgspec_native = False  # a value decoded by msgspec is the database value
    is_json_native = True  # msgspec encodes the database value as it is
    declaration_error = ""  # raised with the name of the property when its class is registered

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        for name in options.keys() & advice.PROPERTIES.keys():
            if name not in inspect.signature(cls.__init__).parameters:
                raise DeclarationError(f"{cls.__name__}: {name}=...: {advice.PROPERTIES[name]}")
        return super().__new__(cls)

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: Any = None) -> V: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
        def __set__(self, instance: object, value: V) -> None: ...

    else:

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """Return the property itself, or on a node a deferred value, which is read now.

            A value that was read with the node is its attribute, which Python prefers.
            """
            if instance is None:
                return self
            instance.read_deferred()
            return instance.__dict__[self.name]

    def __set_name__(self, owner: type, name: str) -> None:
        # neomodel sets the names only for the properties of classes that are not abstract.
        self.name = name

    @property
    def _subject(self) -> str:
        """The property in messages: `Class.name`, or the name if several classes inherit it."""
        return f"{self.owner.__name__}.{self.name}" if self.owner else str(self.name)

    # Python and database values

    def validate(self, value: Any) -> Any:
        """Return the normalized Python value, or raise `PropertyError`."""
        raise NotImplementedError

    def to_db(self, value: Any) -> Any:
        """Convert a validated Python value to the database value."""
        return value

    def to_python(self, value: Any) -> Any:
        """Convert a database value to the Python value."""
        return value

    def normalize_stored(self, value: Any) -> Any:
        """Validate a value read from the graph and return the database value to export.

        Timestamps are read as text. Raises `PropertyError`.
        """
        return self.validate(value)

    def verify_stored(self, value: Any) -> Any:
        """Validate a stored value as it is: credentials in it are an error, and are not removed."""
        return self.normalize_stored(value)

    def empty(self) -> Any:
        """Return the Python value of a property that is not set."""
        return None

    def redact(self, value: Any) -> Any:
        """Return a value without credentials that other programs may have stored."""
        return value

    @property
    def encryptable(self) -> bool:
        """Whether values are strings that are only ever read, never searched."""
        return False

    def size_expression(self, value: str) -> str:
        """Return a Cypher expression for the size of a stored value, or "" if it is small.

        A character counts as one byte, and a value of another type as none.
        """
        return ""

    # JSON Lines

    def from_msgspec(self, value: Any) -> Any:
        """Convert a value decoded by msgspec to the database value."""
        return value

    def to_json(self, value: Any) -> Any:
        """Convert a database value to one that msgspec encodes."""
        return value

    # YAML and JSON documents

    def from_file(self, value: Any) -> Any:
        """Convert a value of a document to the Python value; `validate` rejects any other."""
        return value

    def to_yaml(self, value: Any) -> str:
        """Return a database value in YAML, on one line."""
        return json_literal(value)

    def quoting_hint(self, value: Any) -> str:
        """Return the advice to quote a value that would be valid as a string, or ""."""
        return ""

    # CSV

    def parse_csv(self, text: str) -> Any:
        """Convert text to a Python value; text of another type is left for `validate`."""
        return text

    def from_csv(self, text: str) -> Any:
        """Convert text to the database value, or raise `PropertyError`."""
        value = self.parse_csv(text)
        return None if value is None else self.to_db(self.validate(value))

    def to_csv(self, value: Any) -> str:
        """Return a database value as a CSV cell."""
        return str(value)

    def fits_csv(self, value: Any) -> bool:
        """Return whether the cell of a database value is read back as the same value."""
        return True

    # Cypher

    def to_cypher(self, value: Any) -> str:
        """Return a database value as a Cypher literal."""
        return json_literal(value)

    # neomodel calls these for the values of filters.

    def deflate(self, value: Any, *_: Any, **__: Any) -> Any:
        """Validate a value to search for and convert it to the database value."""
        encryption.refuse_search(self)
        subject = self._subject
        if self.name and is_missing(value):
            raise PropertyTypeError(
                f"{subject}: expected {self.expected}, got nothing: use {self.name}__isnull=True"
            )
        try:
            return self.to_db(self.validate(value))
        except PropertyError as error:
            raise type(error)(f"{subject}: {error}{error.python_fix}") from None

    def inflate(self, value: Any, *_: Any, **__: Any) -> Any:
        """Convert a database value to the Python value."""
        return self.to_python(value)

    def refuse_type(self, value: Any, advice: str = "", *, python_fix: str = "") -> NoReturn:
        """Raise the error for a value of the wrong type; `python_fix` is not shown for files."""
        message = f"expected {self.expected}, got {describe(value)}{advice}"
        raise PropertyTypeError(message, python_fix=python_fix)


class _String(Property[V], neomodel.StringProperty):  # type: ignore[misc]
    """A string; `choices` are the only values accepted, `sensitive` ones can be encrypted.

    Choices are strings, (string, label) pairs as in Django, or an enum class of strings. Names and
    unique strings are stored in Unicode normal form C.
    """

    expected = "a string"
    keeps_empty_cells = True

    def __init__(
        self,
        *,
        unique: bool = False,
        index: bool = False,
        choices: Choices | None = None,
        sensitive: bool = False,
        is_name: bool = False,
        help_text: str = "",
    ) -> None:
        super().__init__(unique_index=unique, required=unique, index=index, help_text=help_text)
        self.sensitive = sensitive
        self.is_name = is_name or unique
        if choices is not None:
            try:
                self.choices = labels_of(choices)
            except DeclarationError as error:
                self.declaration_error = str(error)
        self.is_msgspec_native = not self.is_name
        self._max_bytes = MAX_INDEXED_BYTES if self.is_indexed else MAX_TEXT_BYTES
        # A character has up to four bytes: strings up to this length need no count of bytes.
        self._safe_length = self._max_bytes // 4
        self.annotation = (
            Annotated[str, Meta(min_length=int(self.is_required), max_length=self._safe_length)]
            if self.choices is None
            else Literal[tuple(self.choices)]
        )

    @property
    def type_name(self) -> str:  # type: ignore[override]
        if self.choices is None:
            return "string"
        return f"one of {', '.join(f'`{choice}`' for choice in self.choices)}"

    def validate(self, value: Any) -> str:
        """Accept a string that can be encoded in UTF-8; a name is normalized."""
        if (
            type(value) is str
            and value.isascii()
            and self.is_required <= len(value) <= self._safe_length
            and self.choices is None
        ):
            return value
        value = unwrap(value)
        if not isinstance(value, str):
            self.refuse_type(value, python_fix=_missing_hint(value))
        refuse_surrogates(value)
        if self.is_name:
            value = normalize_name(value)
        if self.choices is not None and value not in self.choices:
            raise PropertyError(
                f"expected one of {', '.join(self.choices)}, got {describe(value)}"
                + did_you_mean(value, self.choices)
            )
        if self.is_required and not value:
            raise PropertyError("expected a non-empty string")
        if len(value) > self._safe_length:
            self._validate_size(value)
        return str.__str__(value)  # the value of an enum member, not its name

    def verify_stored(self, value: Any) -> str:
        """Reject a stored name that is not in normal form C: lookups would not find it."""
        text = self.validate(value)
        if text != value:
            raise PropertyError("is not in Unicode normal form C (NFC)")
        return text

    @property
    def encryptable(self) -> bool:
        return not (self.is_required or self.is_indexed or self.choices)

    def size_expression(self, value: str) -> str:
        return "" if self.is_indexed or self.choices else _length(value)

    def from_msgspec(self, value: str) -> str:
        return value if value.isascii() else self.validate(value)

    def from_csv(self, text: str) -> str:
        # Text decoded from UTF-8 has no surrogates, so only these rules are checked.
        if self.is_name:
            text = normalize_name(text)
        if self.choices is None and int(self.is_required) <= len(text) <= self._safe_length:
            return text
        return self.validate(text)

    def to_yaml(self, value: str) -> str:
        return yaml_string(value)

    def to_csv(self, value: str) -> str:
        return csv_quote(value)

    def quoting_hint(self, value: Any) -> str:
        return "" if isinstance(value, (dict, list)) else " (quote it)"

    def _validate_size(self, value: str) -> None:
        size = len(value.encode())
        if size > self._max_bytes:
            subject = "an indexed string" if self.is_indexed else "a string"
            raise PropertyError(
                f"{subject} is limited to {self._max_bytes} bytes of UTF-8, got {size}"
            )


class StringProperty(_String["str | None"]):
    """An optional string."""


class RequiredStringProperty(_String[str]):
    """A string that every node has, and that is not empty."""

    is_required = True


class LocationProperty(StringProperty):
    """A path or URL, stored without credentials."""

    def __init__(
        self, *, index: bool = False, sensitive: bool = False, help_text: str = ""
    ) -> None:
        super().__init__(index=index, sensitive=sensitive, help_text=help_text)
        self.is_msgspec_native = False

    def validate(self, value: Any) -> str:
        """Accept a string or path and remove credentials from it, with a warning."""
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        return self.from_msgspec(super().validate(path))

    def verify_stored(self, value: Any) -> str:
        """Reject a stored string with credentials: every reader can see them."""
        text = super().validate(value)
        if strip_credentials(value) != value:
            raise PropertyError("contains credentials")
        return text

    def redact(self, value: Any) -> Any:
        return strip_credentials(value) if isinstance(value, str) else value

    def from_msgspec(self, value: str) -> str:
        bare = strip_credentials(value)
        if bare is not value:
            warn_of_credentials(self._subject, bare)
        return bare

    def from_csv(self, text: str) -> str:
        return self.validate(text)


class IntegerProperty(Property["int | None"], neomodel.IntegerProperty):  # type: ignore[misc]
    """A signed 64-bit integer, optionally with a minimum; `allow_float` for integral floats."""

    expected = "an integer"
    csv_types = ("long", "int", "short", "byte")
    is_msgspec_native = True

    def __init__(
        self,
        *,
        minimum: int = INTEGER_MIN,
        allow_float: bool = False,
        index: bool = False,
        help_text: str = "",
    ) -> None:
        super().__init__(index=index, help_text=help_text)
        self.minimum = minimum
        self._allow_float = allow_float
        self.annotation = Annotated[int, Meta(ge=minimum, le=INTEGER_MAX)]

    @property
    def type_name(self) -> str:  # type: ignore[override]
        return "integer" if self.minimum == INTEGER_MIN else f"integer from {self.minimum}"

    def validate(self, value: Any) -> int:
        """Accept an integer in range, of any numeric type except bool."""
        integer = to_exact_int(value, allow_float=self._allow_float)
        if integer is None:
            found = unwrap(value)
            fix = _missing_hint(found) or _conversion_hint(found, int)
            self.refuse_type(value, python_fix=fix)
        if integer < self.minimum:
            raise PropertyError(
                f"expected an integer of at least {self.minimum}, got {describe(value)}"
            )
        if integer > INTEGER_MAX:
            raise PropertyError(f"expected an integer of at most 2^63-1, got {describe(value)}")
        return integer

    def parse_csv(self, text: str) -> int | str:
        digits = text.removeprefix("-")
        is_integer = digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS
        return int(text) if is_integer else text


class _Float(Property[V], neomodel.FloatProperty):  # type: ignore[misc]
    expected = "a number"
    csv_types = ("double", "float")
    is_json_native = False

    def __init__(
        self, *, minimum: float | None = None, index: bool = False, help_text: str = ""
    ) -> None:
        super().__init__(index=index, help_text=help_text)
        self.minimum = minimum
        self.annotation = (
            float | Literal["NaN", "Infinity", "-Infinity"]
            if minimum is None
            else Annotated[float, Meta(ge=minimum)] | Literal["Infinity"]
        )

    @property
    def type_name(self) -> str:  # type: ignore[override]
        return "number" if self.minimum is None else f"number from {self.minimum}"

    def validate(self, value: Any) -> float:
        """Accept a number of any type except bool that a float represents exactly."""
        number = value if type(value) is float else to_exact_float(value)
        if number is None:
            found = unwrap(value)
            hint = _conversion_hint(found, float)
            if not is_number(found):
                self.refuse_type(value, python_fix=hint)
            raise PropertyError(
                f"expected a number that a float represents exactly, got {describe(value)}",
                python_fix=hint,
            )
        if self.minimum is not None and not number >= self.minimum:  # true for NaN
            raise PropertyError(
                f"expected a number of at least {self.minimum}, got {describe(value)}"
            )
        return number

    def from_msgspec(self, value: float | str) -> float:
        return NON_FINITE[value] if isinstance(value, str) else value

    def to_json(self, value: float) -> float | str:
        return value if value - value == 0 else non_finite_name(value)  # false for NaN and inf

    def from_file(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return NON_FINITE[value] if value in NON_FINITE else self._refuse_spelling(value)

    def _refuse_spelling(self, text: str) -> str:
        """Reject other spellings of NaN and infinity with the right one; return other text."""
        name = _OTHER_SPELLINGS.get(text.strip().lower())
        if name is not None:
            self.refuse_type(text, f": write {name}")
        return text

    def to_yaml(self, value: float) -> str:
        return yaml_number(value)

    def parse_csv(self, text: str) -> float | str | AmbiguousScalar:
        if text in NON_FINITE:
            return NON_FINITE[text]
        value = _parse_decimal(text)
        if value is None:
            return self._refuse_spelling(text)
        if value - value != 0:  # infinite
            return AmbiguousScalar(text, "a number out of the range of a float")
        return value

    def to_csv(self, value: float) -> str:
        return csv_number(value)

    def to_cypher(self, value: float) -> str:
        return cypher_number(value)


class FloatProperty(_Float["float | None"]):
    """An optional number, which may be NaN or infinite."""


class RequiredFloatProperty(_Float[float]):
    """A number that every node has."""

    is_required = True


class BooleanProperty(Property["bool | None"], neomodel.BooleanProperty):  # type: ignore[misc]
    """True or False; unknown if not set."""

    expected = "true or false"
    annotation = bool
    type_name = "boolean"
    csv_types = ("boolean",)
    is_msgspec_native = True

    def __init__(self, *, help_text: str = "") -> None:
        super().__init__(help_text=help_text)

    def validate(self, value: Any) -> bool:
        """Accept a bool."""
        found = unwrap(value)
        if not isinstance(found, bool):
            self.refuse_type(value, python_fix=_missing_hint(found))
        return found

    def parse_csv(self, text: str) -> bool | str:
        lower = text.strip().lower()
        if text != lower and lower in ("true", "false"):
            self.refuse_type(text, f": write {lower}")
        return {"true": True, "false": False}.get(text, text)

    def to_csv(self, value: bool) -> str:
        return "true" if value else "false"


class DateTimeProperty(Property["datetime | None"], neomodel.DateTimeNeo4jFormatProperty):  # type: ignore[misc]
    """A point in time, stored in UTC to the microsecond as the database's native type."""

    expected = "a time with a time zone, such as 2026-03-01T09:00:00Z"
    annotation = Annotated[datetime, Meta(tz=True)]
    type_name = "time"
    csv_types = ("datetime",)
    is_timestamp = True

    def __init__(self, *, index: bool = False, help_text: str = "") -> None:
        super().__init__(index=index, help_text=help_text)

    def validate(self, value: Any) -> datetime:
        """Accept an aware datetime and convert it to UTC."""
        if not isinstance(value, datetime):
            self.refuse_type(value, python_fix=_datetime_hint(value))
        if value.utcoffset() is None:
            is_pandas = hasattr(value, "tz_localize")
            example = 'value.tz_localize("UTC")' if is_pandas else "tzinfo=timezone.utc"
            self.refuse_type(value, f": add a time zone, for example {example}")
        name = self._subject
        try:
            return to_datetime(value, name).astimezone(timezone.utc)
        except OverflowError:
            raise PropertyError(f"expected a time in the years 1 to 9999, got {value}") from None

    def to_python(self, value: DateTime | datetime) -> datetime:
        return to_utc(value)

    def normalize_stored(self, value: Any) -> datetime:
        """Parse the text of a stored time."""
        try:
            return parse_datetime(value)
        except (ValueError, TypeError, OverflowError):
            self.refuse_type(value)

    def from_msgspec(self, value: datetime) -> datetime:
        return value if value.tzinfo is timezone.utc else self.validate(value)

    def from_file(self, value: Any) -> Any:
        # YAML 1.1 reads an unquoted time as a date or a number to base 60.
        text = value.text if isinstance(value, AmbiguousScalar) else value
        if not isinstance(text, str):
            return value
        try:
            return msgspec.convert(text, self.annotation)
        except (msgspec.ValidationError, UnicodeEncodeError):  # the latter for a lone surrogate
            found = text if isinstance(value, AmbiguousScalar) else describe(text)
            raise PropertyTypeError(f"expected {self.expected}, got {found}") from None

    def to_yaml(self, value: datetime) -> str:
        return format_datetime(value)

    def parse_csv(self, text: str) -> Any:
        return self.from_file(text)

    def to_csv(self, value: datetime) -> str:
        return format_datetime(value)

    def to_cypher(self, value: datetime) -> str:
        return f"datetime({json_literal(value.isoformat())})"


class JSONProperty(Property[Any], neomodel.JSONProperty):
    """A JSON value, encoded as text with sorted keys, so that equal values are equal texts."""

    expected = "JSON"
    annotation = msgspec.Raw  # validated by from_msgspec
    type_name = "JSON"
    is_json = True
    keeps_empty_cells = True
    is_json_native = False

    def __init__(self, *, sensitive: bool = False, help_text: str = "") -> None:
        super().__init__(help_text=help_text)
        self.sensitive = sensitive

    @property
    def encryptable(self) -> bool:
        return True

    def validate(self, value: Any) -> Any:
        """Accept a JSON value; the `path` of an error leads to the invalid part."""
        validated = validate_json(value)
        validate_json_size(encode_json(validated))
        return validated

    def to_db(self, value: Any) -> str:
        return encode_json(value).decode()

    def to_python(self, value: str) -> Any:
        return json.loads(value)

    def normalize_stored(self, value: Any) -> str:
        """Validate the stored text and return it on one line."""
        value = str(value) if isinstance(value, str) else value  # msgspec accepts no subclass
        try:
            decoded = msgspec.json.decode(value)
        except (msgspec.MsgspecError, TypeError, RecursionError):
            raise PropertyError(f"expected the text of a JSON value, got {value!r:.40}") from None
        if len(value) > SAFE_JSON_LENGTH:
            self.validate(decoded)
        else:
            validate_decoded(decoded, value)
        return self.to_db(decoded) if "\n" in value or "\r" in value else value

    def empty(self) -> dict[str, Any]:
        return {}

    def size_expression(self, value: str) -> str:
        return _length(value)

    def from_msgspec(self, value: msgspec.Raw) -> str | None:
        return canonical_json(bytes(value))

    def to_json(self, value: str) -> msgspec.Raw:
        return msgspec.Raw(value.encode())

    def to_yaml(self, value: str) -> str:
        return yaml_flow(json.loads(value))

    def quoting_hint(self, value: Any) -> str:
        return " (quote it)"

    def parse_csv(self, text: str) -> Any:
        return parse_json(text)

    def to_csv(self, value: str) -> str:
        return csv_quote(value)


class ArrayProperty(Property["list[Any]"], neomodel.ArrayProperty):
    """A list whose items are all of one property type."""

    keeps_empty_cells = True

    def __init__(
        self, item: StringProperty | IntegerProperty | FloatProperty, *, help_text: str = ""
    ) -> None:
        if not isinstance(item, Property):
            raise DeclarationError(
                f"ArrayProperty: expected a property such as StringProperty(), got {item!r}"
            )
        super().__init__(help_text=help_text)
        self.item = item
        self.declaration_error = item.declaration_error
        self.expected = f"a list of {item.type_name}s"
        self.type_name = f"list of {item.type_name}s"
        self.annotation = list[item.annotation]  # type: ignore[name-defined]
        self.csv_types = tuple(f"{name}[]" for name in item.csv_types)
        self._has_strings = isinstance(item, StringProperty)
        self.is_msgspec_native = self._has_strings
        self.is_json_native = item.is_json_native

    def validate(self, value: Any) -> list[Any]:
        """Accept a list, tuple or 1-d array of valid items, and a set of strings.

        The error names the first invalid item.
        """
        items = to_list(value, ordered=not self._has_strings)
        if not isinstance(items, list):
            self.refuse_type(value)
        return [self._validate_item(position, item) for position, item in enumerate(items)]

    def to_python(self, value: Any) -> list[Any]:
        return list(value)

    def empty(self) -> list[Any]:
        return []

    def size_expression(self, value: str) -> str:
        strings = f"reduce(sum = 0, item IN {value} | sum + {_length('item')})"
        size = strings if self._has_strings else f"{_NUMBER_BYTES} * size({value})"
        return f"CASE WHEN valueType({value}) STARTS WITH 'LIST' THEN {size} ELSE 0 END"

    def from_msgspec(self, value: list[Any]) -> list[Any]:
        return self.validate([self.item.from_msgspec(item) for item in value])

    def to_json(self, value: list[Any]) -> list[Any]:
        return [self.item.to_json(item) for item in value]

    def from_file(self, value: Any) -> Any:
        return [self.item.from_file(item) for item in value] if isinstance(value, list) else value

    def to_yaml(self, value: list[Any]) -> str:
        return f"[{', '.join(map(self.item.to_yaml, value))}]"

    def quoting_hint(self, value: Any) -> str:
        return " (quote it)" if self._has_strings and isinstance(value, list) else ""

    def parse_csv(self, text: str) -> list[Any]:
        return list(map(self.item.parse_csv, split_list(text)))

    def from_csv(self, text: str) -> list[Any]:
        # Strings decoded from UTF-8 are valid unless they are very long.
        if self._has_strings and len(text) <= MAX_TEXT_BYTES // 4:
            return split_list(text)
        return self.validate(self.parse_csv(text))

    def to_csv(self, value: list[Any]) -> str:
        items = value if self._has_strings else map(self.item.to_csv, value)
        return csv_quote(LIST_SEPARATOR.join(items))

    def fits_csv(self, value: list[Any]) -> bool:
        return not self._has_strings or not value or split_list(LIST_SEPARATOR.join(value)) == value

    def to_cypher(self, value: list[Any]) -> str:
        return f"[{', '.join(map(self.item.to_cypher, value))}]"

    def _validate_item(self, position: int, value: Any) -> Any:
        try:
            return self.item.validate(value)
        except PropertyError as error:
            message = f"item {position + 1}: {error}"
            raise type(error)(message, (position,), error.python_fix) from None


def _conversion_hint(value: Any, type_: type[int] | type[float]) -> str:
    """Return the advice to convert a value that the type accepts, but not without loss."""
    if isinstance(value, (str, bytes, bool)) or is_numpy_time(value):
        return ""
    if getattr(value, "ndim", 0):
        return ": give one number, such as array.item()"
    try:
        type_(value)
    except OverflowError:
        return ": it is out of range"
    except (TypeError, ValueError, ArithmeticError):
        return ""
    return f": convert it with {type_.__name__}(...)"


def _missing_hint(value: Any) -> str:
    """Return the advice for NaN, with which pandas marks missing values of any type."""
    return ": give None for a missing value" if isinstance(value, float) and value != value else ""


def _datetime_hint(value: Any) -> str:
    """Return the advice to convert a date, or a time of NumPy, to a time with a time zone."""
    if isinstance(value, date):
        return ": a date is not a time: give datetime(year, month, day, tzinfo=timezone.utc)"
    if is_numpy_time(value):
        return (
            ': add a time zone: value.astype("datetime64[us]").item().replace(tzinfo=timezone.utc)'
        )
    return _missing_hint(value)


def _length(value: str) -> str:
    return f"coalesce(size(toStringOrNull({value})), 0)"


def _parse_decimal(text: str) -> float | None:
    """Parse a decimal number, or return None; float() also accepts spaces, ``_`` and ``inf``."""
    if set(text) - _DECIMAL_CHARACTERS:
        return None
    try:
        return float(text)
    except ValueError:
        return None


# Of pandas, NumPy, Python and YAML, in lower case.
_OTHER_SPELLINGS = {
    **dict.fromkeys(["nan", ".nan"], "NaN"),
    **dict.fromkeys(["inf", "+inf", ".inf", "+.inf", "infinity", "+infinity"], "Infinity"),
    **dict.fromkeys(["-inf", "-.inf", "-infinity"], "-Infinity"),
}
_DECIMAL_CHARACTERS = frozenset("0123456789+-.eE")
