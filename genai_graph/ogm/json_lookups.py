"""Lookups of JSON properties: of the whole value, and of values inside, ``parameters__lr__lt``.

Values inside are native properties of the node (`genai_graph.properties.json_columns`), so that
they are compared by the database. Those that remain JSON text, such as lists of maps, are not: only
their keys are looked for in the text.
In a template, ``{n}`` is the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from genai_graph.conversion import unwrap
from genai_graph.errors import NodeSetTypeError, PropertyError, PropertyTypeError
from genai_graph.ogm.json_texts import key_pattern, key_token
from genai_graph.ogm.lookups import (
    COMPARISONS,
    ITEMS,
    ORDERED,
    REGEXES,
    TEXTS,
    Lookup,
    parse_value_lookup,
    to_items,
    unknown_lookup,
)
from genai_graph.properties.json_columns import Keys, column, divide, is_native
from genai_graph.properties.json_values import validate_json
from genai_graph.properties.messages import describe

if TYPE_CHECKING:
    from genai_graph.properties.types import Property

_HAS_KEYS = ("has_key", "has_keys", "has_any_keys")
WHOLE = ("exact", "ne", "in", "isnull", *_HAS_KEYS)
INSIDE = (*ORDERED, *TEXTS, *REGEXES, *ITEMS, "overlap", "len", *_HAS_KEYS)

# With all() and any(), the embedded engine finds nothing if the condition is negated.
_EXISTS = "size([name IN keys({n}) WHERE name = {0} OR name STARTS WITH {1}]) > 0"
_IS_LIST = "valueType({x}) STARTS WITH 'LIST'"


class _JSONValue:
    """The type of a value inside a JSON property, with the interface of a property."""

    expected = "a string, a number, a boolean, or a list of one of them"
    is_json = is_timestamp = False

    def validate(self, value: Any) -> Any:
        """Accept a value that is stored natively."""
        validated = validate_json(value)
        if not is_native(validated):
            hint = ": compare the values in it" if isinstance(validated, dict) else ""
            raise PropertyTypeError(f"expected {self.expected}, got {describe(value)}{hint}")
        return validated

    def to_db(self, value: Any) -> Any:
        """Return the value."""
        return value


JSON_VALUE: Any = _JSONValue()
JSON_VALUE.item = JSON_VALUE


def split_keys(parts: Sequence[str]) -> tuple[Keys, list[str]]:
    """Return the keys and the lookup in the parts of a name after a JSON property.

    The last part is a lookup if it is the name of one: add ``__exact`` after a key of that name.
    """
    count = 0
    if parts and parts[-1] in INSIDE:
        count = 2 if parts[-2:-1] == ["len"] and parts[-1] in (*COMPARISONS, "ne") else 1
    end = len(parts) - count
    return tuple(parts[:end]), list(parts[end:])


def parse_json_lookup(
    prop: Property[Any], subject: str, keys: Keys, parts: list[str], value: Any
) -> Lookup:
    """Return the lookup of a JSON property, or with keys of a value in it.

    Raises `NodeSetError` for an unknown lookup and `PropertyError` for an invalid value.
    """
    name = parts[0] if parts else "exact"
    known = INSIDE if keys else WHOLE
    if name not in known:
        raise unknown_lookup(subject, name, known)
    try:
        if name in _HAS_KEYS:
            return _parse_has_keys(str(prop.name), keys, name, value)
        if name == "isnull":
            return _parse_isnull(subject, str(prop.name), keys, value)
        if value is None and name in ("exact", "ne"):
            return _parse_null(str(prop.name), keys, name)
        if not keys:
            return _parse_whole(prop, name, value)
    except PropertyError as error:
        raise type(error)(f"{subject}: {error}", error.path) from None
    lookup = _guarded(parse_value_lookup(JSON_VALUE, subject, parts, value))
    if name == "contains" and isinstance(value, str):  # an item, or part of a text
        is_part = f"CASE WHEN {_IS_LIST} THEN false ELSE {TEXTS[name]} END"
        return lookup._replace(template=f"({lookup.template} OR {is_part})")
    return lookup


def _parse_isnull(subject: str, name: str, keys: Keys, value: Any) -> Lookup:
    """Return the lookup of a missing value or key; a key with the value null exists."""
    value = unwrap(value)
    if not isinstance(value, bool):
        raise NodeSetTypeError(f"{subject}: isnull: expected True or False, got {describe(value)}")
    found = _exists(name, [keys], " AND ", "isnull")
    return _missing(found) if value else found


def _parse_null(name: str, keys: Keys, lookup: str) -> Lookup:
    """Return the lookup of None: a missing key, or one whose value is null."""
    found = _exists(name, [keys], " AND ", lookup)
    if keys:
        at = len(found.values)
        is_null = f"coalesce(toStringOrNull({{n}}[{{2}}]) =~ {{{at}}}, false)"
        pattern = key_pattern(keys, value="null")
        template = f"({found.template} AND NOT {is_null})"
        found = found._replace(template=template, values=(*found.values, pattern))
    return _missing(found) if lookup == "exact" else found._replace(name="isnull")


def _missing(found: Lookup) -> Lookup:
    """Return the negated lookup: nodes without the value, or without the related node."""
    return found._replace(name="isnull", template=f"NOT {found.template}", finds_missing=True)


def _parse_has_keys(name: str, keys: Keys, lookup: str, value: Any) -> Lookup:
    names = [value] if lookup == "has_key" else to_items(value)
    for each in names:
        if not isinstance(each, str):
            raise PropertyTypeError(f"{lookup}: expected a string, got {describe(each)}")
    operator = " OR " if lookup == "has_any_keys" else " AND "
    return _exists(name, [(*keys, each) for each in names], operator, lookup)


def _exists(name: str, paths: Sequence[Keys], operator: str, lookup: str) -> Lookup:
    """Return the condition that values exist at paths: as native properties, or in the text."""
    parts, values = [], list[Any]()
    for path in paths:
        inner, at = column(name, path), len(values)
        values += [inner, f"{inner}."]
        template = _EXISTS.replace("{0}", f"{{{at}}}").replace("{1}", f"{{{at + 1}}}")
        if path:  # else the text is the property itself
            values += [name, key_token(path[-1]), key_pattern(path)]
            template = f"({template} OR {_in_text(at + 2)})"
        parts.append(template)
    nothing = "{n} IS NULL" if operator == " OR " else "{n} IS NOT NULL"
    return Lookup(lookup, f"({operator.join(parts) or nothing})", tuple(values))


def _in_text(at: int) -> str:
    """Return the condition on the text: the fast one first, on the last key of the path."""
    text = f"toStringOrNull({{n}}[{{{at}}}])"
    return f"coalesce({text} CONTAINS {{{at + 1}}} AND {text} =~ {{{at + 2}}}, false)"


def _parse_whole(prop: Property[Any], name: str, value: Any) -> Lookup:
    values = to_items(value) if name == "in" else [value]
    alternatives: list[str] = []
    parameters: list[Any] = [prop.name, f"{prop.name}."]
    for each in values:
        columns = divide(str(prop.name), prop.to_db(prop.validate(each)))
        at = len(parameters)
        parameters += [list(columns), list(columns.values())]
        same = (
            f"size([i IN range(0, size({{{at}}}) - 1) WHERE {{n}}[{{{at}}}[i]] = {{{at + 1}}}[i]])"
        )
        count = "size([name IN keys({n}) WHERE name = {0} OR name STARTS WITH {1}])"
        alternatives.append(f"({same} = size({{{at}}}) AND {count} = size({{{at}}}))")
    template = f"({' OR '.join(alternatives)})" if alternatives else "{0} <> {0}"
    return Lookup(name, template, tuple(parameters), negated=name == "ne")


def _guarded(lookup: Lookup) -> Lookup:
    """Return the lookup for a value that need not be a list."""
    if lookup.name not in ITEMS and "size({x})" not in lookup.template:
        return lookup
    return lookup._replace(template=f"CASE WHEN {_IS_LIST} THEN {lookup.template} ELSE false END")


def json_columns(node: str, path: Iterable[str]) -> str:
    """Return a Cypher expression for the [name, value] of the stored properties of a JSON value.

    `path` are the expressions for the name of the property, that of the value and its prefix.
    """
    whole, name, prefix = path
    return (
        f"[name IN keys({node}) WHERE name = {whole} OR name = {name} "
        f"OR name STARTS WITH {prefix} | [name, {node}[name]]]"
    )
