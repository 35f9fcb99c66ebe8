"""Conversion between the driver's values and plain Python values."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import msgspec
from neo4j._codec.packstream import Structure
from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import CartesianPoint, Point, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.(\d+))?(?:Z|([-+]\d\d:\d\d(?::\d\d)?))?(?:\[.*\])?\Z",
    re.ASCII,
)


def to_native(value: Any) -> Any:
    """Convert a value of the driver to plain Python.

    Nodes and relationships become dicts of their properties, and paths become lists of these dicts.
    Datetimes become aware `datetime`s in UTC, dates and times become `date` and `time`, durations
    ISO 8601 texts, and points dicts of `srid` and `coordinates`. Lists and maps are converted
    recursively.
    """
    value_type = type(value)
    if value_type in _SCALARS:
        return value
    convert = _CONVERTERS.get(value_type)
    if convert is not None:
        return convert(value)
    if isinstance(value, Relationship):  # the driver creates a subclass for each type
        return convert_items(value)
    return value


def to_utc(value: DateTime | datetime) -> datetime:
    """Convert to an aware `datetime` in UTC; naive values are taken as UTC.

    The embedded engine returns datetimes converted to UTC, without a zone.
    """
    native = value.to_native() if isinstance(value, DateTime) else value
    if native.tzinfo is None:
        return native.replace(tzinfo=timezone.utc)
    return native.astimezone(timezone.utc)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_bolt_datetime(moment: datetime) -> Structure:
    """Convert a `datetime` to the Bolt structure DateTime: seconds, nanoseconds, offset.

    The driver would do the same, in 80 microseconds instead of one, which is most of the time of a
    load with timestamps.
    """
    since = moment - _EPOCH
    return Structure(b"I", since.days * 86_400 + since.seconds, since.microseconds * 1000, 0)


# Types unknown to msgspec (those of the driver) are small, and counted as null.
_pack = msgspec.msgpack.Encoder(enc_hook=lambda _: None).encode


def message_size(value: Any) -> int:
    """Return the approximate size of a value in a Bolt message, in bytes.

    It is that of MessagePack, which PackStream resembles; encoding is faster than counting.
    """
    return len(_pack(value))


def parse_datetime(text: str) -> datetime:
    """Parse the text of a datetime, as written by `toString` of any engine, to UTC.

    Faster than the driver's conversion of its own type. Raises `ValueError` for other text.
    """
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f"not a datetime: {text!r}")
    minutes, seconds, fraction, zone = match.groups()
    microseconds = (fraction or "")[:6].ljust(6, "0")
    moment = datetime.fromisoformat(f"{minutes}{seconds or ':00'}.{microseconds}{zone or '+00:00'}")
    return moment.astimezone(timezone.utc)


def parse_stored_time(text: str | None) -> datetime | str | None:
    """Parse the text of a stored value that should be a time; other text is returned unchanged."""
    try:
        return None if text is None else parse_datetime(text)
    except ValueError:
        return text


def convert_items(source: Any) -> dict[str, Any]:
    """Convert the items of a row, a node, a relationship or a map."""
    return {k: v if type(v) in _SCALARS else to_native(v) for k, v in source.items()}


def _path(path: Path) -> list[dict[str, Any]]:
    steps = [convert_items(path.start_node)] if path.start_node is not None else []
    for relationship, node in zip(path.relationships, path.nodes[1:], strict=True):
        steps += [convert_items(relationship), convert_items(node)]
    return steps


def _point(value: Point) -> dict[str, Any]:
    """Convert a point to its reference system (an EPSG number) and coordinates."""
    return {"srid": value.srid, "coordinates": list(value)}


def _list(values: list[Any]) -> list[Any]:
    return [value if type(value) in _SCALARS else to_native(value) for value in values]


# Tested first: most values are scalars, and the lookup of a converter dominates the run time.
_SCALARS = frozenset({str, int, float, bool, type(None)})
_CONVERTERS: dict[type, Any] = {
    Node: convert_items,
    Path: _path,
    DateTime: to_utc,
    Date: Date.to_native,
    Time: Time.to_native,
    Point: _point,
    CartesianPoint: _point,
    WGS84Point: _point,
    Duration: Duration.iso_format,
    list: _list,
    dict: convert_items,
}
