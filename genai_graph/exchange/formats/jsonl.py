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
from typing import Any

import msgspec
from msgspec import UNSET

from genai_graph.errors import Fault, Place, PropertyError
from genai_graph.exchange import rows
from genai_graph.exchange.formats.tree import DocumentError, decode_utf8
from genai_graph.exchange.records import EdgeRecord, FlawedNode, NodeRecord, Record
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
from genai_graph.models.checking import properties_of
from genai_graph.models.properties import (
    BooleanProperty,
    IntegerProperty,
    StringProperty,
    Unclear,
    describe,
    did_you_mean,
)
from genai_graph.models.store import EdgeKind

_NODE_KEYS = ("node", "uid", "props")
_EDGE_KEYS = ("edge", "from", "to", "props")
_BOM = b"\xef\xbb\xbf"
# What decoding raises for a line that is not right.
_REFUSALS = (msgspec.MsgspecError, PropertyError, RecursionError, UnicodeError, LookupError)


def records(lines: Iterable[bytes], file: str) -> Iterator[Record]:
    """Yield the records of the lines and the faults in them."""
    numbered = enumerate(lines, 1)
    first = next(numbered, None)
    if first is None:
        yield Fault(Place(file, 1), f"expected a header, got an empty file: {HEADER_ADVICE}")
        return
    header = _header(first[1])
    if header != {"format": FORMAT}:
        yield Fault(Place(file, 1), _wrong_header(header))
    rest = itertools.chain([first], numbered) if header is None else numbered
    for number, line in rest:
        if not line.isspace():
            yield from _record(line, Place(file, number))


def _header(line: bytes) -> dict[str, Any] | None:
    """Return the header, or None when the line is none."""
    try:
        header = msgspec.json.decode(line.removeprefix(_BOM))
    except _REFUSALS:
        return None
    return header if isinstance(header, dict) and "format" in header else None


def _wrong_header(header: dict[str, Any] | None) -> str:
    if header is None:
        return f"is not a header: {HEADER_ADVICE}"
    if len(header) > 1:
        return f"format: expected {FORMAT} and nothing else in the header"
    return f"format: expected {FORMAT}, got {describe(header['format'])}"


def _record(line: bytes, place: Place) -> Iterator[Record]:
    try:
        yield _read(line, place)
    except _REFUSALS:
        yield from _explain(line, place)


def _read(line: bytes, place: Place) -> Record:
    """Decode a right line; any error of msgspec's or of a property means that it is not one."""
    nodes, edges = _decoders()
    if line.startswith(b'{"node"') or (b'"node"' in line and not line.startswith(b'{"edge"')):
        row = nodes.decode(line)
        label = type(row).__name__
        _uid_check(label)(row.uid)
        given = _given(row.props, _node_conversions()[label])
        for _, error in NODES[label].rule_faults(given):
            raise error
        return NodeRecord(label, row.uid, given, *place)
    row = edges.decode(line)
    kind = _kinds()[type(row).__name__, row.source[0], row.target[0]]
    given = _given(row.props, _edge_conversions()[kind])
    return EdgeRecord(kind, row.source[1], row.target[1], given, *place)


def _given(props: Any, conversions: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
    if props is None:
        return {}
    given = {
        name: value for name, value in msgspec.structs.asdict(props).items() if value is not UNSET
    }
    for name in conversions.keys() & given.keys():
        if given[name] is not None:
            given[name] = conversions[name](given[name])
    return given


@functools.cache
def _uid_check(label: str) -> Callable[[Any], Any]:
    return properties_of(NODES[label])["uid"].check


@functools.cache
def _decoders() -> tuple[Any, Any]:
    return rows.node_decoder(), rows.edge_decoder()


@functools.cache
def _kinds() -> dict[tuple[str, str, str], EdgeKind]:
    return {(kind.type, kind.source, kind.target): kind for kind in EDGES}


@functools.cache
def _node_conversions() -> dict[str, dict[str, Callable[[Any], Any]]]:
    return {label: _conversions(cls) for label, cls in NODES.items()}


@functools.cache
def _edge_conversions() -> dict[EdgeKind, dict[str, Callable[[Any], Any]]]:
    return {kind: _conversions(model) for kind, model in EDGES.items()}


def _conversions(cls: Any) -> dict[str, Callable[[Any], Any]]:
    """Return what msgspec leaves to do, by property: nothing for plain texts and numbers."""
    return {
        name: _conversion(prop)
        for name, prop in properties_of(cls).items()
        if not isinstance(prop, (IntegerProperty, BooleanProperty))
        and not (isinstance(prop, StringProperty) and not prop.is_indexed and not prop.choices)
    }


def _conversion(prop: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        return prop.store(prop.check(decode(prop, value)))

    return convert


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
