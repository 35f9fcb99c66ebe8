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
import operator
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import to_builtins

from genai_graph.errors import FixtureIssue, PropertyError, SourceLocation
from genai_graph.exchange.formats import json_decoders
from genai_graph.exchange.formats.building import (
    FORMAT,
    HEADER_ADVICE,
    edge_kind,
    edge_records,
    node_records,
    text_fault,
    unknown_label,
)
from genai_graph.exchange.formats.compression import UNREADABLE, unreadable
from genai_graph.exchange.formats.located import DocumentError, decode_utf8
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    Record,
    TruncatedFile,
)
from genai_graph.ogm.node import Node
from genai_graph.properties.messages import AmbiguousScalar, describe, did_you_mean
from genai_graph.registry import EDGES, NODES, properties_of

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


_NODE_KEYS = ("node", "uid", "props")
_EDGE_KEYS = ("edge", "from", "to", "props")
_BOM = b"\xef\xbb\xbf"
_START = operator.itemgetter(slice(7))
_KINDS: dict[bytes, type[Record]] = {b'{"node"': NodeRecord, b'{"edge"': EdgeRecord}
_RUN = 100  # lines that are read together
_NATIVE = (datetime, msgspec.Raw)
_Conversions = dict[str, Callable[[Any], Any]]
# What decoding raises for a line that is not right.
_REFUSALS = (msgspec.MsgspecError, PropertyError, RecursionError, UnicodeError, LookupError)


def records(
    lines: Iterable[bytes], file: str, wanted: type[Record] | None = None
) -> Iterator[Record]:
    """Yield the records of the lines and the faults in them, or the wanted ones and the faults.

    Lines that plainly are of another kind are not decoded.
    """
    failures: list[Exception] = []
    readable = _readable(lines, failures)
    first = next(readable, b"")
    header = _header(first)
    if header != {"format": FORMAT} and not failures:
        yield FixtureIssue(SourceLocation(file, 1), _wrong_header(header, first))
    number = 1 if header is None else 2
    if header is None:
        readable = itertools.chain([first], readable)
    for kind, is_sure, group in _by_kind(readable):
        read = _node_reader() if kind is NodeRecord else _edge_reader()
        while run := list(itertools.islice(group, _RUN)):
            if wanted is None:
                yield from _understood(run, read, file, number)
            elif wanted is kind or not is_sure:
                found = _understood(run, read, file, number)
                yield from [
                    record for record in found if isinstance(record, (wanted, FixtureIssue))
                ]
            number += len(run)
    for error in failures:
        yield TruncatedFile(SourceLocation(file, number), unreadable(error))


def _readable(lines: Iterable[bytes], failures: list[Exception]) -> Iterator[bytes]:
    """Yield the lines that can be read, and note why there are no more of them."""
    try:
        yield from lines
    except UNREADABLE as error:
        failures.append(error)


def _understood(run: list[bytes], read: _Reader, file: str, number: int) -> list[Record]:
    """Read lines of one kind together; where that is refused, each on its own."""
    try:
        return read(run, file, number)
    except _REFUSALS:
        if len(run) > 1:
            each = (_understood([line], read, file, at) for at, line in enumerate(run, number))
            return list(itertools.chain.from_iterable(each))
    blank = not run[0] or run[0].isspace()
    return [] if blank else list(_explain(run[0], SourceLocation(file, number)))


def _by_kind(lines: Iterable[bytes]) -> Iterator[tuple[type[Record], bool, Iterator[bytes]]]:
    """Group lines of one kind that follow each other; it is sure only where the key stands first.

    Else it is the likely one: by which a line is read at once, or else as what it is.
    """
    for start, group in itertools.groupby(lines, _START):
        if start in _KINDS:
            yield _KINDS[start], True, group
        else:
            for kind, part in itertools.groupby(group, _likely_kind):
                yield kind, False, part


def _likely_kind(line: bytes) -> type[Record]:
    return NodeRecord if b'"node"' in line else EdgeRecord


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


_Reader = Callable[[list[bytes], str, int], list[Record]]


@functools.cache
def _node_reader() -> _Reader:
    """Return what decodes right lines; any error of it means that one of them is not right."""
    decode = json_decoders.node_decoder().decode
    left = {label: (_conversions(cls), _rules(cls)) for label, cls in NODES.items()}

    def read(run: list[bytes], file: str, number: int) -> list[Record]:
        found = [decode(line) for line in run]
        values = to_builtins([row.props or {} for row in found], builtin_types=_NATIVE)
        start = 0
        for kind, same in itertools.groupby(map(type, found)):
            of_kind = values[start : start + len(list(same))]
            start += len(of_kind)
            conversions, rules = left[kind.__name__]
            _convert(of_kind, conversions)
            for check_constraints in rules:
                for _, error in itertools.chain.from_iterable(map(check_constraints, of_kind)):
                    raise error
        return [
            NodeRecord(row.uid, given, len(text), type(row).__name__, file, line)
            for line, row, given, text in zip(itertools.count(number), found, values, run)
        ]

    return read


@functools.cache
def _edge_reader() -> _Reader:
    """Return the same for the lines of edges."""
    decode = json_decoders.edge_decoder().decode
    kinds = {(kind.type, kind.source, kind.target): kind for kind in EDGES}

    def read(run: list[bytes], file: str, number: int) -> list[Record]:
        read: list[Record] = []
        for line, text in enumerate(run, number):
            row = decode(text)
            source_label, source = row.source
            target_label, target = row.target
            kind = kinds[type(row).__name__, source_label, target_label]
            given = (
                {} if row.props is json_decoders.ABSENT else _edge_values(kind, bytes(row.props))
            )
            read.append(EdgeRecord(source, target, given, len(text), kind, file, line))
        return read

    return read


@functools.lru_cache(maxsize=4096)
def _edge_values(kind: EdgeType, text: bytes) -> dict[str, Any]:
    """Return an edge's values; most edges have one of a few sets of them, so that is kept."""
    decoder, conversions = _edge_properties()[kind]
    props = decoder.decode(text)
    given: dict[str, Any] = {} if props is None else to_builtins(props, builtin_types=_NATIVE)
    _convert([given], conversions)
    return given


@functools.cache
def _edge_properties() -> dict[EdgeType, tuple[Any, _Conversions]]:
    return {
        kind: (json_decoders.properties_decoder(model), _conversions(model))
        for kind, model in EDGES.items()
    }


def _convert(values: list[dict[str, Any]], conversions: _Conversions) -> None:
    """Do what msgspec leaves to do, for one property after the other: most are not given."""
    for name in conversions.keys() & set().union(*values):
        convert = conversions[name]
        for given in values:
            if (value := given.get(name)) is not None:
                given[name] = convert(value)


def _rules(cls: type[Any]) -> tuple[Callable[[dict[str, Any]], Iterator[Any]], ...]:
    """Return the constraints between the values of a class, if it has any."""
    inherited = Node.__dict__["check_constraints"].__func__
    return () if cls.check_constraints.__func__ is inherited else (cls.check_constraints,)


def _conversions(cls: Any) -> _Conversions:
    """Return the conversions after msgspec by property, where one is needed."""
    return {
        name: prop.from_msgspec
        for name, prop in properties_of(cls).items()
        if not prop.is_msgspec_native
    }


# What is wrong with a line


def _explain(line: bytes, place: SourceLocation) -> Iterator[Record]:
    """Read a line that was refused once more, slowly, and yield all that is wrong with it."""
    try:
        row = _parse(line)
    except DocumentError as error:
        yield FixtureIssue(place, str(error))
        return
    if isinstance(row, dict) and "node" in row:
        yield from _explain_node(row, place)
    elif isinstance(row, dict) and "edge" in row:
        yield from _explain_edge(row, place)
    else:
        yield FixtureIssue(place, 'expected a map with "node" or "edge"')


def _explain_node(row: dict[str, Any], place: SourceLocation) -> Iterator[Record]:
    label, uid, props = row["node"], row.get("uid"), _props(row)
    yield from _unknown_keys(row, _NODE_KEYS, place)
    if not isinstance(label, str) or label not in NODES:
        yield FixtureIssue(place, unknown_label(label))
    elif not isinstance(uid, str):
        yield FixtureIssue(place, f"{label}: uid: expected a string, got {describe(uid)}")
    elif not isinstance(props, dict):
        yield FixtureIssue(place, f"{label} {uid!r}: props: expected a map, got {describe(props)}")
        yield InvalidNode(label, uid, place)
    elif "uid" in props:
        yield FixtureIssue(place, f"{label} {uid!r}: uid: stands before props: leave it out there")
        yield InvalidNode(label, uid, place)
    else:
        yield from node_records(label, uid, props, place, lambda *path: place)


def _explain_edge(row: dict[str, Any], place: SourceLocation) -> Iterator[Record]:
    type_, props = row["edge"], _props(row)
    yield from _unknown_keys(row, _EDGE_KEYS, place)
    ends: list[Any] = [row.get("from"), row.get("to")]
    for name, end in zip(("from", "to"), ends, strict=True):
        if (problem := _end_fault(end)) is not None:
            yield FixtureIssue(place, f"{describe(type_)}: {name}: {problem}")
            return
    (source_label, source), (target_label, target) = ends
    subject = f"{source_label} {source!r}: {type_}"
    kind = edge_kind(type_, source_label, target_label)
    if isinstance(kind, str):
        yield FixtureIssue(place, f"{subject}: {kind}")
    elif not isinstance(props, dict):
        yield FixtureIssue(place, f"{subject}: props: expected a map, got {describe(props)}")
        yield InvalidEdge(kind, target)
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


def _unknown_keys(
    row: dict[str, Any], known: tuple[str, ...], place: SourceLocation
) -> Iterator[FixtureIssue]:
    for key in row:
        if key not in known:
            hint = did_you_mean(key, known)
            yield FixtureIssue(place, f"{key!r}: no such key{hint}: expected {', '.join(known)}")


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


def _integer(text: str) -> int | AmbiguousScalar:
    # No number of 64 bits is so long, and Python refuses to read much longer ones.
    return int(text) if len(text) < 1000 else AmbiguousScalar(f"{text[:20]}...", "over 64 bits")


def _float(text: str) -> float | AmbiguousScalar:
    value = float(text)
    return AmbiguousScalar(text, "a number that a float can't hold") if math.isinf(value) else value


def _refuse_constant(text: str) -> Any:
    raise DocumentError(1, f'is not JSON: {text} (in a number\'s place write "{text}")')
