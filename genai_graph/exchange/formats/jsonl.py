"""JSON Lines, for machines: a header, then one node or edge a line, in any order.

A right line is decoded and checked in one step by msgspec. Only a line that this refuses is looked
at again, property by property, to say all that is wrong with it in the words of the other formats.

::

    {"format": "genai_graph/1"}
    {"node": "Model", "uid": "xgb-fraud@2.1", "props": {"framework": "xgboost"}}
    {"edge": "TRAINED_ON", "from": ["Model", "xgb-fraud@2.1"], "to": ["Dataset", "merchants@1"]}
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import msgspec
from msgspec import to_builtins

from genai_graph.errors import Fault, Place, PropertyError
from genai_graph.exchange import rows
from genai_graph.exchange.compression import UNREADABLE, unreadable
from genai_graph.exchange.formats.tree import DocumentError, decode_utf8
from genai_graph.exchange.records import EdgeRecord, FlawedNode, NodeRecord, Record, Unread
from genai_graph.exchange.validation import (
    FORMAT,
    HEADER_ADVICE,
    decode,
    edge_kind,
    edge_records,
    node_records,
    text_fault,
    unknown_label,
)
from genai_graph.models import EDGES, NODES
from genai_graph.models.base import Node
from genai_graph.models.checking import properties_of
from genai_graph.models.properties import (
    NON_FINITE,
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
    Unclear,
    describe,
    did_you_mean,
)
from genai_graph.models.store import EdgeKind

_NODE_KEYS = ("node", "uid", "props")
_EDGE_KEYS = ("edge", "from", "to", "props")
_BOM = b"\xef\xbb\xbf"
_NATIVE = (datetime,)
_Conversions = dict[str, Callable[[Any], Any]]
# What decoding raises for a line that is not right.
_REFUSALS = (msgspec.MsgspecError, PropertyError, RecursionError, UnicodeError, LookupError)


def records(
    lines: Iterable[bytes], file: str, wanted: type[Record] | None = None
) -> Iterator[Record]:
    """Yield the records of the lines and the faults in them; only the wanted ones are decoded."""
    number = 0
    read_node, read_edge = _node_reader(), _edge_reader()
    try:
        numbered = enumerate(lines, 1)
        first = next(numbered, (1, b""))
        header = _header(first[1])
        if header != {"format": FORMAT}:
            yield Fault(Place(file, 1), _wrong_header(header, first[1]))
        for number, line in itertools.chain([first], numbered) if header is None else numbered:
            is_node = _is_node(line)
            if wanted is not None and is_node is (wanted is EdgeRecord):
                continue
            try:
                yield (read_node if is_node else read_edge)(line, file, number)
            except _REFUSALS:
                if line and not line.isspace():
                    yield from _explain(line, Place(file, number))
    except UNREADABLE as error:
        yield Unread(Place(file, number + 1), unreadable(error))


def _is_node(line: bytes) -> bool:
    """Tell a node's line from an edge's, quickly where the key stands first."""
    return line.startswith(b'{"node"') or (not line.startswith(b'{"edge"') and b'"node"' in line)


def _header(line: bytes) -> dict[str, Any] | None:
    """Return the header, or None when the line is none."""
    try:
        header = msgspec.json.decode(line.removeprefix(_BOM))
    except _REFUSALS:
        return None
    return header if isinstance(header, dict) and "format" in header else None


def _wrong_header(header: dict[str, Any] | None, line: bytes) -> str:
    if not line:
        return f"expected a header, got an empty file: {HEADER_ADVICE}"
    if header is None:
        return f"is not a header: {HEADER_ADVICE}"
    if len(header) > 1:
        return f"format: expected {FORMAT} and nothing else in the header"
    return f"format: expected {FORMAT}, got {describe(header['format'])}"


_Reader = Callable[[bytes, str, int], "NodeRecord | EdgeRecord"]


@functools.cache
def _node_reader() -> _Reader:
    """Return what decodes a right line; any error of it means that the line is not one."""
    decode = rows.node_decoder().decode
    left = {label: (_conversions(cls), _rules(cls)) for label, cls in NODES.items()}

    def read(line: bytes, file: str, number: int) -> NodeRecord:
        row = decode(line)
        label = type(row).__name__
        conversions, rules = left[label]
        given = {} if row.props is None else to_builtins(row.props, builtin_types=_NATIVE)
        if not conversions.keys().isdisjoint(given):
            _convert(given, conversions)
        for rule_faults in rules:
            for _, error in rule_faults(given):
                raise error
        return NodeRecord(label, row.uid, given, file, number)

    return read


@functools.cache
def _edge_reader() -> _Reader:
    """Return the same for the line of an edge."""
    decode = rows.edge_decoder().decode
    kinds = {(kind.type, kind.source, kind.target): kind for kind in EDGES}

    def read(line: bytes, file: str, number: int) -> EdgeRecord:
        row = decode(line)
        source_label, source = row.source
        target_label, target = row.target
        kind = kinds[type(row).__name__, source_label, target_label]
        given = _edge_values(kind, bytes(row.props))
        return EdgeRecord(kind, source, target, given, file, number)

    return read


@functools.lru_cache(maxsize=4096)
def _edge_values(kind: EdgeKind, text: bytes) -> dict[str, Any]:
    """Return an edge's values; most edges have one of a few sets of them, so that is kept."""
    decoder, conversions = _edge_properties()[kind]
    props = decoder.decode(text)
    given: dict[str, Any] = {} if props is None else to_builtins(props, builtin_types=_NATIVE)
    _convert(given, conversions)
    return given


@functools.cache
def _edge_properties() -> dict[EdgeKind, tuple[Any, _Conversions]]:
    return {
        kind: (rows.properties_decoder(model), _conversions(model)) for kind, model in EDGES.items()
    }


def _convert(given: dict[str, Any], conversions: _Conversions) -> None:
    for name, convert in conversions.items():
        if given.get(name) is not None:
            given[name] = convert(given[name])


def _rules(cls: type[Node]) -> tuple[Callable[[dict[str, Any]], Iterator[Any]], ...]:
    """Return the check of what a class's values must hold together, where there is one."""
    overridden = getattr(cls.rule_faults, "__func__", None) is not Node.rule_faults.__func__  # type: ignore[attr-defined]
    return (cls.rule_faults,) if overridden else ()


def _conversions(cls: Any) -> _Conversions:
    """Return what msgspec leaves to do, by property: nothing for texts and whole numbers."""
    return {
        name: _conversion(prop)
        for name, prop in properties_of(cls).items()
        if not isinstance(prop, (IntegerProperty, BooleanProperty, StringProperty))
        and not (isinstance(prop, ArrayProperty) and isinstance(prop.item, StringProperty))
    }


def _conversion(prop: Any) -> Callable[[Any], Any]:
    if isinstance(prop, FloatProperty):
        return _number
    if isinstance(prop, DateTimeProperty):
        return lambda moment: moment if moment.tzinfo is timezone.utc else prop.check(moment)
    if isinstance(prop, JSONProperty):
        return prop.text
    return lambda value: prop.store(prop.check(decode(prop, value)))


def _number(value: float | str) -> float:
    return NON_FINITE[value] if isinstance(value, str) else value


# What is wrong with a line


def _explain(line: bytes, place: Place) -> Iterator[Record]:
    """Read a line that was refused once more, slowly, and yield all that is wrong with it."""
    try:
        row = _parse(line)
    except DocumentError as error:
        yield Fault(place, str(error))
        return
    if isinstance(row, dict) and "node" in row:
        yield from _explain_node(row, place)
    elif isinstance(row, dict) and "edge" in row:
        yield from _explain_edge(row, place)
    else:
        yield Fault(place, 'expected a map with "node" or "edge"')


def _explain_node(row: dict[str, Any], place: Place) -> Iterator[Record]:
    label, uid, props = row["node"], row.get("uid"), _props(row)
    yield from _unknown_keys(row, _NODE_KEYS, place)
    if not isinstance(label, str) or label not in NODES:
        yield Fault(place, unknown_label(label))
    elif not isinstance(uid, str):
        yield Fault(place, f"{label}: uid: expected a string, got {describe(uid)}")
    elif not isinstance(props, dict):
        yield Fault(place, f"{label} {uid!r}: props: expected a map, got {describe(props)}")
        yield FlawedNode(label, uid, *place)
    elif "uid" in props:
        yield Fault(place, f"{label} {uid!r}: uid: stands before props: leave it out there")
    else:
        yield from node_records(label, uid, props, place, lambda *path: place)


def _explain_edge(row: dict[str, Any], place: Place) -> Iterator[Record]:
    type_, props = row["edge"], _props(row)
    yield from _unknown_keys(row, _EDGE_KEYS, place)
    ends: list[Any] = [row.get("from"), row.get("to")]
    for name, end in zip(("from", "to"), ends, strict=True):
        if (problem := _end_fault(end)) is not None:
            yield Fault(place, f"{describe(type_)}: {name}: {problem}")
            return
    (source_label, source), (target_label, target) = ends
    subject = f"{source_label} {source!r}: {type_}"
    kind = edge_kind(type_, source_label, target_label)
    if isinstance(kind, str):
        yield Fault(place, f"{subject}: {kind}")
    elif not isinstance(props, dict):
        yield Fault(place, f"{subject}: props: expected a map, got {describe(props)}")
    else:
        about = f"{subject}: {target!r}"
        yield from edge_records(kind, source, target, props, place, lambda *path: place, about)


def _props(row: dict[str, Any]) -> Any:
    return {} if row.get("props") is None else row["props"]


def _end_fault(end: Any) -> str | None:
    if not (isinstance(end, list) and len(end) == 2 and all(isinstance(x, str) for x in end)):
        return f'expected ["Label", "uid"], got {describe(end)}'
    if end[0] not in NODES:
        return unknown_label(end[0])
    return text_fault(end[1])


def _unknown_keys(row: dict[str, Any], known: tuple[str, ...], place: Place) -> Iterator[Fault]:
    for key in row:
        if key not in known:
            hint = did_you_mean(key, known)
            yield Fault(place, f"{key!r}: no such key{hint}: expected {', '.join(known)}")


def _parse(line: bytes) -> Any:
    text = decode_utf8(line).rstrip("\r\n")
    try:
        return json.loads(
            text, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise DocumentError(1, f"is not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise DocumentError(1, "is nested too deep") from None


def _integer(text: str) -> int | Unclear:
    # No number of 64 bits is so long, and Python refuses to read much longer ones.
    return int(text) if len(text) < 1000 else Unclear(f"{text[:20]}...", "over 64 bits")


def _float(text: str) -> float | Unclear:
    value = float(text)
    return Unclear(text, "a number that a float can't hold") if math.isinf(value) else value


def _refuse_constant(text: str) -> Any:
    raise DocumentError(1, f'is not JSON: {text} (in a number\'s place write "{text}")')
