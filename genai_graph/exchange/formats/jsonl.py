"""JSON Lines, the format for generated fixtures: a header, then one node or edge per line.

A valid line is decoded and validated in one step by msgspec. Only an invalid one is read again,
property by property, to report all of its errors with the messages of the other formats.

::

    {"format": "genai_graph/1"}
    {"node": "Model", "uid": "xgb-fraud@2.1", "props": {"framework": "xgboost"}}
    {"edge": "TRAINED_ON", "from": ["Model", "xgb-fraud@2.1"], "to": ["Dataset", "merchants@1"]}
"""

from __future__ import annotations

import functools
import itertools
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import to_builtins

from genai_graph.errors import FixtureIssue, PropertyError, SourceLocation
from genai_graph.exchange.formats import json_decoders
from genai_graph.exchange.formats.builders import (
    FORMAT,
    HEADER_HINT,
    MODELS,
    build_edge,
    build_node,
    check_modules,
    fixture_header,
    resolve_edge_type,
    uid_error,
    unknown_label,
)
from genai_graph.exchange.formats.compression import READ_ERRORS, read_error_message
from genai_graph.exchange.formats.journal import (
    JOURNAL,
    POINTS_ERROR,
    complete_lines,
    merge_journal,
)
from genai_graph.exchange.formats.parsing import (
    DocumentError,
    decode_utf8,
    parse_float,
    parse_integer,
    refuse_non_finite,
)
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    PointsRecord,
    Record,
    TruncatedFile,
    select,
)
from genai_graph.names import normalize_name
from genai_graph.ogm.node import Node
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.registry import EDGES, NODES, properties_of
from genai_graph.storage.batching import batch_by_size

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType

    _ReadLines = Callable[[list[bytes], str, int], list[Record]]
    _Conversions = dict[str, Callable[[Any], Any]]


_NODE_KEYS = ("node", "uid", "props")
_EDGE_KEYS = ("edge", "from", "to", "props")
_POINT_KEYS = ("point", "value", "step")
_BOM = b"\xef\xbb\xbf"
_first_bytes = operator.itemgetter(slice(7))  # the length of the keys below
_RECORD_CLASSES: dict[bytes, type[Record]] = {b'{"node"': NodeRecord, b'{"edge"': EdgeRecord}
_JOURNAL_CLASSES: dict[bytes, type[Record]] = {**_RECORD_CLASSES, b'{"point': PointsRecord}
_get_uid = operator.attrgetter("uid")
_BATCH_LINES = 100
# Types that `to_builtins` leaves as they are, so that `from_msgspec` gets what its annotation says.
_KEPT_TYPES = (datetime, date, time, timedelta, Decimal, UUID, msgspec.Raw)
# Raised by the readers for an invalid line.
_LINE_ERRORS = (msgspec.MsgspecError, PropertyError, RecursionError, UnicodeError, LookupError)


# Reading


def records(
    lines: Iterable[bytes],
    file: str,
    wanted: type[Record] | None = None,
    *,
    lines_before: int = 0,
) -> Iterator[Record]:
    """Yield the records and errors of the lines.

    With `wanted`, only the records of that class and the errors in their lines: lines of the other
    class are not decoded. `lines_before` is the number of lines left out after the header.
    """
    read_errors: list[tuple[int, Exception]] = []
    readable = _until_error(lines, read_errors)
    first = next(readable, b"")
    header = _parse_header(first)
    modules = [] if header is None else header.pop(MODELS, [])
    is_journal = header is not None and header.pop(JOURNAL, None) is not None
    if header != {"format": FORMAT} and not read_errors:
        yield FixtureIssue(SourceLocation(file, 1), _header_error(header, first))
    yield from check_modules(modules, SourceLocation(file, 1))
    number = 1 if header is None else 2 + lines_before
    if header is None:
        readable = itertools.chain([first], readable)
    if is_journal:
        complete = complete_lines(readable, file, number, warn=wanted is None)
        merged = merge_journal(_read_lines(complete, file, number, None, _JOURNAL_CLASSES))
        yield from select(merged, wanted)
    else:
        yield from _read_lines(readable, file, number, wanted, _RECORD_CLASSES)
    for count, error in read_errors:
        location = SourceLocation(file, lines_before + count + 1)
        yield TruncatedFile(location, read_error_message(error))


def _read_lines(
    lines: Iterable[bytes],
    file: str,
    number: int,
    wanted: type[Record] | None,
    classes: Mapping[bytes, type[Record]],
) -> Iterator[Record]:
    """Yield the records and errors of lines; `classes` gives the classes by the first bytes."""
    for record_class, is_certain, group in _group_by_class(lines, classes):
        read = _READERS[record_class]()
        while batch := list(itertools.islice(group, _BATCH_LINES)):
            if wanted in (None, record_class) or not is_certain:
                yield from select(_read_batch(batch, read, file, number, classes), wanted)
            number += len(batch)


def _until_error(lines: Iterable[bytes], errors: list[tuple[int, Exception]]) -> Iterator[bytes]:
    """Yield lines until reading fails, and add their number and the error to the list."""
    count = 0
    try:
        for line in lines:
            count += 1
            yield line
    except READ_ERRORS as error:
        errors.append((count, error))


def _parse_header(line: bytes) -> dict[str, Any] | None:
    """Return the header, or None if the line is something else."""
    try:
        header = msgspec.json.decode(line.removeprefix(_BOM))
    except _LINE_ERRORS:
        return None
    return header if isinstance(header, dict) and "format" in header else None


def _header_error(header: dict[str, Any] | None, line: bytes) -> str:
    if not line:
        return f"expected a header, got an empty file: {HEADER_HINT}"
    if header is None:
        return f"missing header: {HEADER_HINT}"
    if len(header) > 1:
        return f"format: expected {FORMAT}, and nothing else but {MODELS} in the header"
    return f"format: expected {FORMAT}, got {describe(header['format'])}"


def _group_by_class(
    lines: Iterable[bytes], classes: Mapping[bytes, type[Record]]
) -> Iterator[tuple[type[Record], bool, Iterator[bytes]]]:
    """Group adjacent lines by record class; yield (class, whether it is certain, lines).

    The class is certain only if its key comes first. Otherwise it is a guess: a line rejected by
    the wrong reader is read again by `_validate_line`, which needs no guess.
    """
    for start, group in itertools.groupby(lines, _first_bytes):
        if start in classes:
            yield classes[start], True, group
        else:
            for is_node, subgroup in itertools.groupby(group, lambda line: b'"node"' in line):
                yield NodeRecord if is_node else EdgeRecord, False, subgroup


def _read_batch(
    lines: list[bytes],
    read: _ReadLines,
    file: str,
    number: int,
    classes: Mapping[bytes, type[Record]],
) -> list[Record]:
    """Read lines of one class together or, if one of them is invalid, one by one."""
    try:
        return read(lines, file, number)
    except _LINE_ERRORS:
        if len(lines) > 1:
            single = (
                _read_batch([line], read, file, at, classes)
                for at, line in enumerate(lines, number)
            )
            return list(itertools.chain.from_iterable(single))
    is_blank = not lines[0] or lines[0].isspace()
    location = SourceLocation(file, number)
    found = [] if is_blank else list(_validate_line(lines[0], location))
    if classes is not _JOURNAL_CLASSES and any(isinstance(one, PointsRecord) for one in found):
        return [FixtureIssue(location, POINTS_ERROR)]
    return found


@functools.cache
def _node_reader() -> _ReadLines:
    """Return a function that decodes lines of valid nodes, or raises one of `_LINE_ERRORS`."""
    decoder = json_decoders.node_decoder()
    classes: dict[str, Any] = dict(NODES)
    constraints = {label: _constraints(cls) for label, cls in classes.items()}

    def read(lines: list[bytes], file: str, number: int) -> list[Record]:
        # One call for all rows and one conversion per property, not per row: this is a hot path.
        text = b"".join(lines)
        decoded = _decode(decoder, text, len(lines))
        values = to_builtins([row.props or {} for row in decoded], builtin_types=_KEPT_TYPES)
        is_ascii = _is_plain_ascii(text)
        found: list[Record] = []
        for row_class, group in itertools.groupby(decoded, type):
            rows, label, start = list(group), row_class.__name__, len(found)
            same_label = values[start : start + len(rows)]
            _convert(same_label, _conversions(classes[label], is_ascii=is_ascii))
            for check_constraints in constraints[label]:
                for _, error in itertools.chain.from_iterable(map(check_constraints, same_label)):
                    raise error
            uids: Iterable[str] = map(_get_uid, rows)
            if not is_ascii:
                uids = (_uid(uid, label) for uid in uids)
            sizes = map(len, lines[start:])
            found += [
                NodeRecord(uid, given, size, label, file, line)
                for line, uid, given, size in zip(
                    itertools.count(number + start), uids, same_label, sizes
                )
            ]
        return found

    return read


def _decode(decoder: msgspec.json.Decoder[Any], text: bytes, number: int) -> list[Any]:
    """Return the rows of joined lines; one call takes half the time of a call per line.

    `number` is the number of lines. Raises `msgspec.DecodeError` if there are more or fewer rows:
    msgspec skips blank lines, and accepts several rows on one line.
    """
    rows = decoder.decode_lines(text)
    if len(rows) != number:
        raise msgspec.DecodeError(f"{len(rows)} rows on {number} lines")
    return rows


def _is_plain_ascii(text: bytes) -> bool:
    """Return whether a text is ASCII without escapes, so that its parts are in normal form C."""
    return text.isascii() and b"\\" not in text


def _uid(uid: str, label: str) -> str:
    """Return a decoded uid, normalized."""
    if uid.isascii():
        return uid
    return properties_of(NODES[label])["uid"].validate(uid)  # type: ignore[no-any-return]


@functools.cache
def _edge_reader() -> _ReadLines:
    """Return a function that decodes lines of valid edges, or raises one of `_LINE_ERRORS`."""
    decoder, no_props = json_decoders.edge_decoder(), json_decoders.NO_PROPS
    edge_types = {(each.type, each.source, each.target): each for each in EDGES}

    def read(lines: list[bytes], file: str, number: int) -> list[Record]:
        found: list[Record] = []
        text = b"".join(lines)
        rows, is_ascii = _decode(decoder, text, len(lines)), _is_plain_ascii(text)
        for line, row, size in zip(itertools.count(number), rows, map(len, lines)):
            source_label, source = row.source
            target_label, target = row.target
            edge_type = edge_types[type(row).__name__, source_label, target_label]
            given = {} if row.props is no_props else _edge_values(edge_type, bytes(row.props))
            if not is_ascii:
                source, target = normalize_name(source), normalize_name(target)
            found.append(EdgeRecord(source, target, given, size, edge_type, file, line))
        return found

    return read


@functools.cache
def _point_reader() -> _ReadLines:
    """Return a function that decodes lines of points of a journal, and groups them by metric."""
    decode = json_decoders.point_decoder().decode
    to_float = properties_of(NODES["Metric"])["value"].from_msgspec

    def read(lines: list[bytes], file: str, number: int) -> list[Record]:
        found: dict[str, PointsRecord] = {}
        for line, text in enumerate(lines, number):
            row = decode(text)
            points = found.get(row.point)
            if points is None:
                uid = _uid(row.point, "Metric")
                points = found[row.point] = PointsRecord(uid, [], [], file, line)
            points.steps.append(row.step)
            points.values.append(to_float(row.value))
        return [*found.values()]

    return read


_READERS: dict[type[Record], Callable[[], _ReadLines]] = {
    NodeRecord: _node_reader,
    EdgeRecord: _edge_reader,
    PointsRecord: _point_reader,
}


@functools.lru_cache(maxsize=4096)
def _edge_values(edge_type: EdgeType, text: bytes) -> dict[str, Any]:
    """Return the values of an edge; cached, because most edges share a few sets of values."""
    cls = EDGES[edge_type]
    props = json_decoders.properties_decoder(cls).decode(text)
    given: dict[str, Any] = {} if props is None else to_builtins(props, builtin_types=_KEPT_TYPES)
    _convert([given], _conversions(cls, is_ascii=False))
    return given


def _convert(values: list[dict[str, Any]], conversions: _Conversions) -> None:
    """Convert values decoded by msgspec in place, one property after the other."""
    for name in conversions.keys() & set().union(*values):
        convert = conversions[name]
        for given in values:
            if (value := given.get(name)) is not None:
                given[name] = convert(value)


@functools.cache
def _conversions(cls: Any, *, is_ascii: bool) -> _Conversions:
    """Return the conversions from msgspec's values by property, where one is needed.

    With `is_ascii`, all texts are in normal form C.
    """
    return {
        name: prop.from_msgspec
        for name, prop in properties_of(cls).items()
        if not (prop.is_msgspec_native or (is_ascii and prop.is_name))
    }


def _constraints(cls: type[Any]) -> tuple[Callable[[dict[str, Any]], Iterator[Any]], ...]:
    """Return the check of constraints between values in a tuple, or () unless it is overridden."""
    inherited = Node.__dict__["check_constraints"].__func__
    return () if cls.check_constraints.__func__ is inherited else (cls.check_constraints,)


# Errors of invalid lines


def _validate_line(line: bytes, location: SourceLocation) -> Iterator[Record]:
    """Yield the record of a line, or all of its errors; slower than the readers."""
    try:
        row = _parse(line)
    except DocumentError as error:
        yield FixtureIssue(location, str(error))
        return
    if isinstance(row, dict) and "node" in row:
        yield from _validate_node(row, location)
    elif isinstance(row, dict) and "edge" in row:
        yield from _validate_edge(row, location)
    elif isinstance(row, dict) and "point" in row:
        yield from _validate_point(row, location)
    else:
        yield FixtureIssue(location, 'expected a map with "node" or "edge"')


def _validate_node(row: dict[str, Any], location: SourceLocation) -> Iterator[Record]:
    label, uid, props = row["node"], row.get("uid"), _props(row)
    yield from _unknown_keys(row, _NODE_KEYS, location)
    if not isinstance(label, str) or label not in NODES:
        yield FixtureIssue(location, unknown_label(label))
    elif not isinstance(uid, str):
        yield FixtureIssue(location, f"{label}: uid: expected a string, got {describe(uid)}")
    elif not isinstance(props, dict) or "uid" in props:
        message = f"props: expected a map, got {describe(props)}"
        if isinstance(props, dict):
            message = "uid: already given outside of props; remove it from props"
        yield FixtureIssue(location, f"{label} {uid!r}: {message}")
        yield InvalidNode(label, normalize_name(uid), location)
    else:
        yield from build_node(label, uid, props, location, lambda *path: location)


def _validate_edge(row: dict[str, Any], location: SourceLocation) -> Iterator[Record]:
    type_, props = row["edge"], _props(row)
    yield from _unknown_keys(row, _EDGE_KEYS, location)
    ends: list[Any] = [row.get("from"), row.get("to")]
    for name, end in zip(("from", "to"), ends, strict=True):
        if (error := _end_error(end)) is not None:
            yield FixtureIssue(location, f"{describe(type_)}: {name}: {error}")
            return
    (source_label, source), (target_label, target) = ends
    subject = f"{source_label} {source!r}: {type_}"
    edge_type = resolve_edge_type(type_, source_label, target_label)
    if isinstance(edge_type, str):
        yield FixtureIssue(location, f"{subject}: {edge_type}")
    elif not isinstance(props, dict):
        yield FixtureIssue(location, f"{subject}: props: expected a map, got {describe(props)}")
        yield InvalidEdge(edge_type, target)
    else:
        subject = f"{subject}: {target!r}"
        yield from build_edge(
            edge_type, source, target, props, location, lambda *_: location, subject
        )


def _validate_point(row: dict[str, Any], location: SourceLocation) -> Iterator[Record]:
    uid = row["point"]
    yield from _unknown_keys(row, _POINT_KEYS, location)
    if not isinstance(uid, str) or (error := uid_error(uid)) is not None:
        error = f"expected a uid, got {describe(uid)}" if not isinstance(uid, str) else error
        yield FixtureIssue(location, f"point: {error}")
        return
    values = {name: row.get(name) for name in ("value", "step")}
    for record in build_node("Metric", uid, values, location, lambda *path: location):
        if isinstance(record, FixtureIssue):
            yield record
        elif isinstance(record, NodeRecord) and record.given["step"] is None:
            yield FixtureIssue(location, f"Metric {uid!r}: step: expected an integer, got nothing")
        elif isinstance(record, NodeRecord):
            given = record.given
            yield PointsRecord(record.uid, [given["step"]], [given["value"]], *location)


def _props(row: dict[str, Any]) -> Any:
    return {} if row.get("props") is None else row["props"]


def _end_error(end: Any) -> str | None:
    if not (isinstance(end, list) and len(end) == 2 and all(isinstance(x, str) for x in end)):
        return f'expected ["Label", "uid"], got {describe(end)}'
    label, uid = end
    return uid_error(uid) if label in NODES else unknown_label(label)


def _unknown_keys(
    row: dict[str, Any], known: tuple[str, ...], location: SourceLocation
) -> Iterator[FixtureIssue]:
    for key in row:
        if key not in known:
            hint = did_you_mean(key, known)
            message = f"unknown key {key!r}{hint}: expected {', '.join(known)}"
            if not hint and "props" in known:
                message += f'; properties belong into props: "props": {{{json.dumps(key)}: ...}}'
            yield FixtureIssue(location, message)


def _parse(line: bytes) -> Any:
    text = decode_utf8(line).rstrip("\r\n")
    try:
        return json.loads(
            text,
            parse_int=parse_integer,
            parse_float=parse_float,
            parse_constant=refuse_non_finite,
        )
    except json.JSONDecodeError as error:
        raise DocumentError(1, f"is not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise DocumentError(1, "is nested too deeply") from None


# Writing


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as JSON Lines, in the given order."""
    for _ in write_through(records, stream):
        pass


def write_through(
    records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]
) -> Iterator[list[NodeRecord | EdgeRecord]]:
    """Write records as JSON Lines, and yield each batch of them once it is written."""
    encode_lines = msgspec.json.Encoder().encode_lines
    stream.write(encode_lines([fixture_header()]))
    for batch in batch_by_size(records, _BATCH_LINES):
        stream.write(encode_lines([_row(record) for record in batch]))
        yield batch


def encode_record(record: NodeRecord | EdgeRecord) -> bytes:
    """Return the line of a record."""
    return msgspec.json.encode(_row(record)) + b"\n"


def _row(record: NodeRecord | EdgeRecord) -> dict[str, Any]:
    if isinstance(record, NodeRecord):
        props = _encodable(NODES[record.label], record.given)
        return {"node": record.label, "uid": record.uid, "props": props}
    edge_type = record.edge_type
    row: dict[str, Any] = {
        "edge": edge_type.type,
        "from": [edge_type.source, record.source],
        "to": [edge_type.target, record.target],
    }
    if record.given:
        row["props"] = _encodable(EDGES[edge_type], record.given)
    return row


def _encodable(cls: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Return database values as values that msgspec encodes."""
    encoders = _encoders(cls)
    return {
        name: encoders[name](value) if name in encoders and value is not None else value
        for name, value in given.items()
    }


@functools.cache
def _encoders(cls: Any) -> _Conversions:
    return {
        name: prop.to_json for name, prop in properties_of(cls).items() if not prop.is_json_native
    }
