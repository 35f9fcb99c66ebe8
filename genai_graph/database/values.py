"""Plain Python values out of what the driver returns."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timezone
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
    """Turn a driver's value into plain Python.

    Nodes and relationships become dicts of their properties, a path the list of its nodes' and
    relationships' dicts in order, times become `datetime` aware in UTC (`time`, `date` as they
    are), a duration its ISO 8601 text, a
    point a dict of its `srid` and `coordinates`. Lists and maps are turned item by item.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    convert = _CONVERTERS.get(kind)
    if convert is not None:
        return convert(value)
    if isinstance(value, Relationship):  # the driver makes a class for each type
        return _properties(value)
    return value


def to_utc(value: DateTime | datetime) -> datetime:
    """Turn a time into `datetime` aware in UTC; one without a zone is in UTC already.

    The embedded engine returns times without a zone, converted to UTC.
    """
    native = value.to_native() if isinstance(value, DateTime) else value
    if native.tzinfo is None:
        return native.replace(tzinfo=timezone.utc)
    return native.astimezone(timezone.utc)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_bolt_datetime(moment: datetime) -> Structure:
    """Return a time as Bolt sends it (its structure DateTime: seconds, nanoseconds, offset).

    The driver makes the same of a `datetime`, but takes 80 microseconds for it instead of one,
    which is most of the time of a load with times.
    """
    since = moment - _EPOCH
    return Structure(b"I", since.days * 86_400 + since.seconds, since.microseconds * 1000, 0)


# What it does not know (the driver's own kinds of values) is small, and counts as nothing.
_pack = msgspec.msgpack.Encoder(enc_hook=lambda _: None).encode


def message_size(value: Any) -> int:
    """Return about how many bytes a value takes where it is sent.

    It is measured in MessagePack, which is as long as what Bolt has, and made sooner than counted.
    """
    return len(_pack(value))


def parse_datetime(text: str) -> datetime:
    """Turn a time's text, as any engine's `toString` writes it, into `datetime` aware in UTC.

    It is read much sooner than the driver makes its own kind of time; `ValueError` for other text.
    """
    found = _TIME.match(text)
    if found is None:
        raise ValueError(f"not a time: {text!r}")
    minutes, seconds, fraction, zone = found.groups()
    microseconds = (fraction or "")[:6].ljust(6, "0")
    moment = datetime.fromisoformat(f"{minutes}{seconds or ':00'}.{microseconds}{zone or '+00:00'}")
    return moment.astimezone(timezone.utc)


def _properties(entity: Node | Relationship) -> dict[str, Any]:
    return {key: to_native(value) for key, value in entity.items()}


def _path(path: Path) -> list[dict[str, Any]]:
    steps = [_properties(path.start_node)] if path.start_node is not None else []
    for relationship, node in zip(path.relationships, path.nodes[1:], strict=True):
        steps += [_properties(relationship), _properties(node)]
    return steps


def _point(value: Point) -> dict[str, Any]:
    """Return a point's reference system (an EPSG number) and its coordinates."""
    return {"srid": value.srid, "coordinates": list(value)}


def _native(value: Date | Time) -> date | time:
    return value.to_native()


def _list(values: list[Any]) -> list[Any]:
    return [value if type(value) in _SCALARS else to_native(value) for value in values]


def _dict(values: dict[str, Any]) -> dict[str, Any]:
    return {
        k: value if type(value) in _SCALARS else to_native(value) for k, value in values.items()
    }


# Most values are of these, and asking what else they might be takes longer than all the rest.
_SCALARS = frozenset({str, int, float, bool, type(None)})
_CONVERTERS: dict[type, Any] = {
    Node: _properties,
    Path: _path,
    DateTime: to_utc,
    Date: _native,
    Time: _native,
    Point: _point,
    CartesianPoint: _point,
    WGS84Point: _point,
    Duration: lambda value: value.iso_format(),
    list: _list,
    dict: _dict,
}
