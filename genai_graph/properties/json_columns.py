"""JSON values as native properties of a node, by path: ``parameters.lr``, ``parameters.opt.name``.

Scalars and lists of scalars of one type are stored as they are. Everything else is one JSON text
under the plain name, ``parameters``: a value that is not a map, an empty map, and a map of only the
leaves that Neo4j can't hold. These are null, empty and mixed lists, lists of lists or maps, and
leaves whose path is very long or contains a backslash, backtick or line break. ``%`` and ``.`` in
keys are escaped as ``%25`` and ``%2E``, as in uids. The convention of dots is that of Spring Data
Neo4j.

The rest of the package sees the whole text: it is divided on writing, and united on reading.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from genai_graph.properties.json_values import encode_json

MAX_PATH_BYTES = 250
MAX_LEAVES = 1_000
_SCALARS = frozenset({bool, int, float, str})
_CACHED_LENGTH = 1_000
# Neo4j refuses null characters, and reads an escaped backtick in a statement as the end of a quoted
# name. Line breaks would split the scripts of a dump.
_UNUSABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\\\\`]")
UNKNOWN: Any = object()
_decode = msgspec.json.Decoder().decode

Columns = Mapping[str, Any]
Keys = tuple[str, ...]


class StoredJSON(str):
    """The text of a JSON value that is stored in other properties than `divide` returns.

    Other programs store a whole text, and an encrypted value is one ciphertext. msgspec decodes no
    subclass: give it ``str(text)``.
    """

    columns: frozenset[str]

    @classmethod
    def of(cls, text: str, columns: Collection[str]) -> StoredJSON:
        """Return a text that is stored in some properties."""
        stored = cls(text)
        stored.columns = frozenset(columns)
        return stored


def column(name: str, keys: Keys) -> str:
    """Return the name of the property that holds a value inside a JSON property."""
    return ".".join([name, *(key.replace("%", "%25").replace(".", "%2E") for key in keys)])


def keys_of(column: str) -> Keys:
    """Return the keys of a value by the name of its property: the inverse of `column`."""
    _, *keys = column.split(".")
    if "%" not in column:
        return tuple(keys)
    return tuple(key.replace("%2E", ".").replace("%25", "%") for key in keys)


def is_in_json(key: str, names: Collection[str]) -> bool:
    """Return whether a property holds a value inside one of some JSON properties."""
    name, dot, _ = key.partition(".")
    return bool(dot) and name in names


# Dividing


def divide(name: str, text: str) -> Columns:
    """Return the stored properties for the text of a JSON value; the result must not be changed."""
    # Runs repeat their parameters.
    return _cached(name, text) if len(text) < _CACHED_LENGTH else _divide(name, text)


def _divide(name: str, text: str) -> Columns:
    if not text.startswith("{"):  # not a map; a ciphertext starts with a quote
        return {name: text}
    columns: dict[str, Any] = {}
    try:
        value = _decode(text)
        rest = _split(name, value, columns)
    except (msgspec.MsgspecError, RecursionError):  # a text of another program
        return {name: text}
    if len(columns) > MAX_LEAVES:
        return {name: text}
    if rest or not value:
        columns[name] = encode_json(rest).decode()
    return columns


_cached = functools.lru_cache(maxsize=4096)(_divide)


def _split(path: str, items: Mapping[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """Add the leaves of a map to the columns, and return a map of those that must remain JSON."""
    rest = {}
    for key, item in items.items():
        inner, is_usable = _inner_column(path, key)
        if type(item) is dict and item:
            if kept := _split(inner, item, columns):
                rest[key] = kept
        elif is_usable and is_native(item):
            columns[inner] = item
        else:
            rest[key] = item
    return rest


@functools.lru_cache(maxsize=16_384)
def _inner_column(path: str, key: str) -> tuple[str, bool]:
    """Return the name of the property of a key inside a path, and whether Neo4j accepts it.

    Cached, because nodes share their keys.
    """
    name = column(path, (key,))
    return name, is_column_name(name)


def is_native(value: Any) -> bool:
    """Return whether Neo4j can store a leaf as it is."""
    if type(value) is list:
        types = set(map(type, value))
        return len(types) == 1 and types <= _SCALARS
    return type(value) in _SCALARS


def is_column_name(name: str) -> bool:
    """Return whether Neo4j accepts a name of a property, and it is short enough for one."""
    if _UNUSABLE.search(name):
        return False
    # A character has up to four bytes.
    return len(name) * 4 <= MAX_PATH_BYTES or len(name.encode()) <= MAX_PATH_BYTES


def stored_columns(name: str, value: Any) -> Columns:
    """Return the properties that a value was united from, `UNKNOWN` for values not known here."""
    if value is None:
        return {}
    if isinstance(value, StoredJSON):
        return dict.fromkeys(value.columns, UNKNOWN)
    return divide(name, value) if isinstance(value, str) else {name: UNKNOWN}


# Uniting


def unite(name: str, columns: Columns) -> Any:
    """Return the JSON text for the stored properties of one JSON property.

    The text is not JSON if one of the values is not, such as a time that another program stored.
    """
    text: Any = columns.get(name)
    if columns.keys() == {name}:
        is_whole = isinstance(text, str) and divide(name, text).keys() != {name}
        return StoredJSON.of(text, columns) if is_whole else text
    tree = _decode_map(text) if isinstance(text, str) else {}
    if tree is None:  # a ciphertext, or the text of another program
        return StoredJSON.of(text, columns)
    paths = sorted(columns.keys() - {name})
    replaced = [path for path in paths if not _insert(tree, keys_of(path), columns[path])]
    if not all(_is_json(value) for path, value in columns.items() if path != name):
        return StoredJSON.of(repr(tree), columns)
    united = encode_json(tree).decode()
    # Another program may have stored some of it in another way.
    if not replaced and (text is None or divide(name, united).keys() == columns.keys()):
        return united
    return StoredJSON.of(united, columns)


def _decode_map(text: str) -> dict[str, Any] | None:
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _insert(tree: dict[str, Any], keys: Keys, value: Any) -> bool:
    """Set a value in nested maps; return False if it or a map replaced another value."""
    is_new = True
    *path, last = keys
    for key in path:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            is_new, inner = is_new and inner is None, {}
            tree[key] = inner
        tree = inner
    is_new = is_new and last not in tree
    tree[last] = value
    return is_new


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    return type(value) in _SCALARS and (type(value) is not float or math.isfinite(value))


def layout_error(name: str, columns: Columns) -> str:
    """Return why stored properties contradict each other, or "".

    A whole text that another program stored is valid; a value stored at a path and again below it
    is not.
    """
    if columns.keys() == {name}:
        return ""
    united = unite(name, columns)
    surplus = sorted(columns.keys() - divide(name, str(united)).keys())
    return f"is stored twice: {', '.join(surplus)}" if surplus else ""


def extract(value: Any, keys: Keys) -> Any:
    """Return the value at a path inside a JSON value, or None."""
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value
