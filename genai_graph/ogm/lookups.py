"""Lookups: the part of a condition after the property, such as ``gte`` in ``size__gte=10``.

Each is validated for the type of the property, and becomes a template of a Cypher expression with
parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import neomodel

from genai_graph.conversion import is_missing, to_exact_int, unwrap
from genai_graph.errors import NodeSetError, NodeSetTypeError, PropertyError
from genai_graph.properties.messages import describe, did_you_mean

if TYPE_CHECKING:
    from genai_graph.properties.types import Property


class Lookup(NamedTuple):
    """A parsed lookup: ``{x}`` in the template is the property, ``{0}`` the first value.

    `finds_missing` is true if a missing value meets the condition.
    """

    name: str
    template: str
    values: tuple[Any, ...] = ()
    negated: bool = False
    finds_missing: bool = False


COMPARISONS = {
    "exact": "{x} = {0}",
    "lt": "{x} < {0}",
    "lte": "{x} <= {0}",
    "gt": "{x} > {0}",
    "gte": "{x} >= {0}",
}
# A text of another program may be a number, which toLower would reject.
_LOWER = "toLower(toStringOrNull({x}))"
TEXTS = {
    "contains": "{x} CONTAINS {0}",
    "startswith": "{x} STARTS WITH {0}",
    "endswith": "{x} ENDS WITH {0}",
    "iexact": f"{_LOWER} = toLower({{0}})",
    "icontains": f"{_LOWER} CONTAINS toLower({{0}})",
    "istartswith": f"{_LOWER} STARTS WITH toLower({{0}})",
    "iendswith": f"{_LOWER} ENDS WITH toLower({{0}})",
}
REGEXES = {"regex": "", "iregex": "(?iu)"}
ITEMS = {
    "includes": "{0} IN {x}",
    # With all() and any(), the embedded engine finds nothing if the condition is negated.
    "includes_all": "size([item IN {0} WHERE item IN {x}]) = size({0})",
    "includes_any": "size([item IN {0} WHERE item IN {x}]) > 0",
}
# Parts of a time in UTC: the name in Cypher.
TIME_PARTS = {
    **{name: name for name in ("month", "day", "hour", "minute", "second", "quarter", "week")},
    "iso_week_day": "dayOfWeek",
}
_COMMON = ("exact", "ne", "in", "isnull")
ORDERED = (*_COMMON, "lt", "lte", "gt", "gte", "range")
_REGEX_CLASSES = re.compile(r"\\[pP]\{\w+\}")  # Java's, unknown to Python


def lookups_of(prop: Property[Any]) -> tuple[str, ...]:
    """Return the names of the lookups of a property."""
    if prop.is_json or isinstance(prop, neomodel.BooleanProperty):
        return _COMMON
    if hasattr(prop, "item"):
        return (*_COMMON, *ITEMS, "contains", "overlap", "len")
    if prop.is_timestamp:
        return (*ORDERED, "date", "year", *TIME_PARTS)
    if isinstance(prop, neomodel.StringProperty):
        return (*ORDERED, *TEXTS, *REGEXES)
    return ORDERED


def parse_lookup(prop: Property[Any], subject: str, parts: list[str], value: Any) -> Lookup:
    """Return the lookup of a property; `parts` follow its name, and `subject` names it in errors.

    Raises `NodeSetError` for an unknown lookup and `PropertyError` for an invalid value.
    """
    name = parts[0] if parts else "exact"
    known = lookups_of(prop)
    if name not in known:
        raise unknown_lookup(subject, "__".join(parts), known)
    return parse_value_lookup(prop, subject, parts, value)


def parse_value_lookup(prop: Any, subject: str, parts: list[str], value: Any) -> Lookup:
    """Return a known lookup of a type of values."""
    name = parts[0] if parts else "exact"
    known = lookups_of(prop)
    try:
        if prop.is_timestamp and name in ("date", "year", *TIME_PARTS):
            return _parse_time(name, parts[1:], value)
        if name == "len":
            return _compare_numbers("size({x})", parts[1:], value)
        if parts[1:]:
            raise unknown_lookup(subject, "__".join(parts), known)
        return _PARSERS[name](name, prop, value)
    except PropertyError as error:
        raise type(error)(f"{subject}: {error}", error.path) from None
    except NodeSetError as error:
        named = str(error).startswith(subject)
        raise type(error)(str(error) if named else f"{subject}: {error}") from None


def parse_alias_lookup(subject: str, parts: list[str], value: Any) -> Lookup:
    """Return the lookup of an annotation, whose type is not known."""
    name = parts[0] if parts else "exact"
    if parts[1:] or name not in (*COMPARISONS, "ne", "in", "isnull"):
        raise unknown_lookup(subject, "__".join(parts), (*COMPARISONS, "ne", "in", "isnull"))
    try:
        if name == "isnull":
            return _parse_isnull(name, None, value)
        if name == "in":
            return Lookup(name, "{x} IN {0}", (to_items(value),))
    except NodeSetError as error:
        raise type(error)(f"{subject}: {error}") from None
    if value is None:
        if name not in ("exact", "ne"):
            raise NodeSetError(f"{subject}: {name}: expected a value, got nothing: use isnull")
        return _parse_isnull("isnull", None, name == "exact")
    return Lookup(name, COMPARISONS["exact" if name == "ne" else name], (value,), name == "ne")


def unknown_lookup(
    subject: str, lookup: str, known: Iterable[str], reason: str = "no such lookup"
) -> NodeSetError:
    """Return the error for an unknown lookup, with the known ones."""
    names = list(known)
    listed = f": the lookups are {', '.join(names)}" if names else ""
    return NodeSetError(f"{subject}: {lookup!r}: {reason}{did_you_mean(lookup, names)}{listed}")


# Values


def _convert(prop: Property[Any], value: Any) -> Any:
    """Validate a value to search for and convert it to the database value."""
    if is_missing(value):
        raise PropertyError(f"expected {prop.expected}, got nothing: use isnull to find it")
    if prop.is_timestamp and isinstance(value, date) and not isinstance(value, datetime):
        raise PropertyError(
            f"expected {prop.expected}, got the date {value}: use the lookup date, such as "
            "created_at__date__gte"
        )
    return prop.to_db(prop.validate(value))


def to_items(value: Any) -> list[Any]:
    """Return the values of a list, or raise `NodeSetTypeError`."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise NodeSetTypeError(f"expected a list of values, got {describe(value)}")
    return list(value)


def _text(prop: Any, value: Any) -> Any:
    """Return a part of a text, normalized as the property normalizes its values."""
    if not isinstance(value, str):
        raise PropertyError(f"expected a string, got {describe(value)}")
    try:
        normalized = prop.to_db(prop.validate(value))
    except PropertyError:  # a part need not be valid: an empty string, a part of a choice
        return str.__str__(value)
    return normalized if isinstance(normalized, str) else str.__str__(value)


# Parsers


def _parse_comparison(name: str, prop: Property[Any], value: Any) -> Lookup:
    operator = "exact" if name == "ne" else name
    if value is None and operator == "exact":
        return _parse_isnull("isnull", prop, name == "exact")
    converted = _convert(prop, value)
    if operator == "exact" and isinstance(converted, float) and converted != converted:
        return Lookup(name, "isNaN({x})", (), name == "ne")
    return Lookup(name, COMPARISONS[operator], (converted,), name == "ne")


def _parse_in(name: str, prop: Property[Any], value: Any) -> Lookup:
    values = [_convert(prop, item) for item in to_items(value) if not is_missing(item)]
    return Lookup(name, "{x} IN {0}", (values,))


def _parse_range(name: str, prop: Property[Any], value: Any) -> Lookup:
    bounds = to_items(value)
    if len(bounds) != 2:
        raise NodeSetError(f"range: expected two values, got {len(bounds)}")
    low, high = (_convert(prop, bound) for bound in bounds)
    return Lookup(name, "({x} >= {0} AND {x} <= {1})", (low, high))


def _parse_isnull(name: str, prop: Any, value: Any) -> Lookup:
    value = unwrap(value)
    if not isinstance(value, bool):
        raise NodeSetTypeError(f"isnull: expected True or False, got {describe(value)}")
    template = "{x} IS NULL" if value else "{x} IS NOT NULL"
    return Lookup("isnull", template, finds_missing=value)


def _parse_text(name: str, prop: Any, value: Any) -> Lookup:
    return Lookup(name, TEXTS[name], (_text(prop, value),))


def _parse_regex(name: str, prop: Any, value: Any) -> Lookup:
    """Search for a regular expression, as Django does; Cypher's ``=~`` matches the whole text."""
    pattern = _text(prop, value)
    try:
        re.compile(_REGEX_CLASSES.sub(r"\\w", pattern))
    except (re.error, RecursionError, OverflowError) as error:
        # The embedded engine would find nothing, without an error.
        raise PropertyError(f"invalid regular expression {pattern!r:.40}: {error}") from None
    return Lookup(name, "{x} =~ {0}", (rf"{REGEXES[name]}[\s\S]*(?:{pattern})[\s\S]*",))


def _parse_item(name: str, prop: Any, value: Any) -> Lookup:
    if name == "contains":
        name = (
            "includes"
            if isinstance(value, str) or not isinstance(value, Iterable)
            else ("includes_all")
        )
    name = "includes_any" if name == "overlap" else name
    if name == "includes":
        return Lookup(name, ITEMS[name], (_convert(prop.item, value),))
    return Lookup(name, ITEMS[name], ([_convert(prop.item, item) for item in to_items(value)],))


_PARSERS: dict[str, Callable[[str, Any, Any], Lookup]] = {
    **dict.fromkeys((*COMPARISONS, "ne"), _parse_comparison),
    "in": _parse_in,
    "range": _parse_range,
    "isnull": _parse_isnull,
    **dict.fromkeys(TEXTS, _parse_text),
    **dict.fromkeys(REGEXES, _parse_regex),
    **dict.fromkeys((*ITEMS, "overlap"), _parse_item),
}


def _parse_contains(name: str, prop: Any, value: Any) -> Lookup:
    parse = _parse_item if hasattr(prop, "item") else _parse_text
    return parse(name, prop, value)


_PARSERS["contains"] = _parse_contains


# Times


def _parse_time(name: str, parts: list[str], value: Any) -> Lookup:
    if name in TIME_PARTS:
        return _compare_numbers(f"{{x}}.{TIME_PARTS[name]}", parts, value)
    operator = _operator(name, parts)
    start, end = (_day if name == "date" else _year)(value)
    if operator in ("exact", "ne"):
        template = "({x} >= {0} AND {x} < {1})"
        return Lookup(name, template, (start, end), negated=operator == "ne")
    bound = end if operator in ("gt", "lte") else start
    symbol = ">=" if operator in ("gt", "gte") else "<"
    return Lookup(name, f"{{x}} {symbol} {{0}}", (bound,))


def _operator(name: str, parts: list[str]) -> str:
    operator = "__".join(parts) or "exact"
    if operator not in (*COMPARISONS, "ne"):
        raise unknown_lookup(name, operator, (*COMPARISONS, "ne"))
    return operator


def _compare_numbers(expression: str, parts: list[str], value: Any) -> Lookup:
    operator = _operator(expression.rpartition(".")[2], parts)
    number = to_exact_int(value)
    if number is None or abs(number) >= 2**63:
        raise PropertyError(f"expected an integer, got {describe(value)}")
    template = COMPARISONS["exact" if operator == "ne" else operator]
    return Lookup(operator, template.replace("{x}", expression), (number,), operator == "ne")


def _day(value: Any) -> tuple[datetime, datetime]:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        value = value.astimezone(timezone.utc).date()
    if not isinstance(value, date) or isinstance(value, datetime):
        raise PropertyError(f"expected a date, such as date(2026, 3, 1), got {describe(value)}")
    start = datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    return start, _later(start, lambda: start + timedelta(days=1))


def _year(value: Any) -> tuple[datetime, datetime]:
    year = to_exact_int(value)
    if year is None or not 1 <= year <= 9999:
        raise PropertyError(f"expected a year from 1 to 9999, got {describe(value)}")
    start = datetime(year, 1, 1, tzinfo=timezone.utc)
    return start, _later(start, lambda: start.replace(year=year + 1))


def _later(start: datetime, end: Callable[[], datetime]) -> datetime:
    try:
        return end()
    except (OverflowError, ValueError):  # after the last year
        return datetime.max.replace(tzinfo=timezone.utc)
