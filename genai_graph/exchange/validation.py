"""Validation: from the values of a file to those of the database, by the model classes' rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.errors import Fault, Place, PropertyError, PropertyTypeError
from genai_graph.exchange.records import EdgeRecord, FlawedEdge, FlawedNode, NodeRecord
from genai_graph.models import EDGES, INCOMING, NODES, OUTGOING
from genai_graph.models.checking import examined, properties_of, stored
from genai_graph.models.properties import (
    NON_FINITE,
    ArrayProperty,
    DateTimeProperty,
    FloatProperty,
    JSONProperty,
    Path,
    Strict,
    StringProperty,
    Unclear,
    check_text,
    describe,
    did_you_mean,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from genai_graph.exchange.records import Record
    from genai_graph.models.store import EdgeKind

FORMAT = "genai_graph/1"
HEADER_ADVICE = f'the first thing in a fixture is its format: "{FORMAT}"'


def node_records(
    label: str, uid: str, values: Mapping[str, Any], place: Place, at: Callable[..., Place]
) -> Iterator[Record]:
    """Yield the record of a node, or its faults; `at` tells where a path of names leads to."""
    cls = NODES[label]
    subject = f"{label} {uid!r}"
    given, faults = _convert(cls, label, values)
    faults += [("uid", (), str(error)) for _, error in examined(cls, {"uid": uid})[1]]
    for name, path, message in faults:
        yield Fault(at(name, *path), f"{subject}: {name}: {message}")
    yield FlawedNode(label, uid, *place) if faults else NodeRecord(label, uid, given, *place)


def edge_records(
    kind: EdgeKind,
    source: str,
    target: str,
    values: Mapping[str, Any],
    place: Place,
    at: Callable[..., Place],
    subject: str,
) -> Iterator[Record]:
    """Yield the record of an edge, or its faults; `subject` says what the edge belongs to."""
    given, faults = _convert(EDGES[kind], str(kind), values)
    for name, path, message in faults:
        yield Fault(at(name, *path), f"{subject}: {name}: {message}")
    if faults:
        yield FlawedEdge(kind, target, *place)
    else:
        yield EdgeRecord(kind, source, target, given, *place)


def complete(record: NodeRecord) -> dict[str, Any]:
    """Return the values of a new node: those that are given, and what its uid tells else."""
    cls, given = NODES[record.label], record.given
    if given.keys() >= cls.told_by_uid:
        return given
    told = cls.read_uid(record.uid).items()
    return {**{name: value for name, value in told if value and name not in given}, **given}


def unknown_label(label: object) -> str:
    """Say that there is no such kind of node."""
    hint = did_you_mean(str(label), NODES)
    return f"{describe(label)}: no such kind of node{hint}: expected one of {', '.join(NODES)}"


def unknown_key(label: str, name: str) -> str:
    """Say why a name can't stand under a node, and what could."""
    incoming = INCOMING[label].get(name)
    if incoming is not None:
        kind = incoming.kind
        return (
            f"is the other end of an edge: write it under the {kind.source}, "
            f"as {incoming.of} with this {label}"
        )
    if name == "uid":
        return "is the name above: leave it out here"
    known = [*properties_of(NODES[label]), *OUTGOING[label]]
    return f"{label} has no such property or edge{did_you_mean(name, known)}"


def edge_kind(type_: Any, source: Any, target: Any) -> EdgeKind | str:
    """Return the kind of an edge from its type and its ends' labels, or what is wrong with them."""
    same_type = [kind for kind in EDGES if kind.type == type_]
    if not same_type:
        types = {kind.type: None for kind in EDGES}
        hint = did_you_mean(str(type_), types)
        return f"no such type of edge{hint}: expected one of {', '.join(types)}"
    for kind in same_type:
        if (kind.source, kind.target) == (source, target):
            return kind
    allowed = " or ".join(f"from {kind.source} to {kind.target}" for kind in same_type)
    turned = any((kind.target, kind.source) == (source, target) for kind in same_type)
    return f"goes {allowed}, not from {source} to {target}" + (
        ": swap from and to" if turned else ""
    )


def _convert(
    cls: Any, called: str, values: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, Path, str]]]:
    """Return the values as stored, or all faults: the property, the way into it, and what is."""
    known = properties_of(cls)
    decoded: dict[str, Any] = {}
    faults: list[tuple[str, Path, str]] = []
    for name, value in values.items():
        try:
            decoded[name] = decode(known[name], value) if name in known else value
        except PropertyError as error:
            faults.append((name, (), str(error)))
    taken, found = examined(cls, decoded, called)
    for name, fault in (*found, *cls.rule_faults(decoded)):
        advice = _quoting(known.get(name), decoded[name], fault)
        faults.append((name, fault.path, f"{fault}{advice}"))
    if faults:
        return {}, faults
    return stored(cls, taken), []


def decode(prop: Strict, value: Any) -> Any:
    """Turn a file's way of writing a value into Python's: times, and numbers that JSON lacks."""
    if isinstance(prop, DateTimeProperty):
        return _decode_time(prop, value)
    if isinstance(prop, FloatProperty) and isinstance(value, str):
        return NON_FINITE.get(value, value)
    if isinstance(prop, ArrayProperty) and isinstance(value, list):
        return [decode(prop.item, item) for item in value]
    return value


def _decode_time(prop: Strict, value: Any) -> Any:
    text = value.text if isinstance(value, Unclear) else value
    if not isinstance(text, str):
        return value
    try:
        return msgspec.convert(text, prop.annotation)
    except (msgspec.ValidationError, UnicodeEncodeError):  # half of a surrogate pair
        found = text if isinstance(value, Unclear) else describe(text)
        raise PropertyTypeError(f"expected {prop.expected}, got {found}") from None


def _quoting(prop: Strict | None, value: Any, error: PropertyError) -> str:
    """Advise to quote what would be right as a string."""
    if not isinstance(error, PropertyTypeError):
        return ""
    if isinstance(prop, ArrayProperty) and isinstance(value, list):
        return " (quote it)" if isinstance(prop.item, StringProperty) else ""
    a_scalar = isinstance(prop, StringProperty) and not isinstance(value, (dict, list))
    return " (quote it)" if a_scalar or isinstance(prop, JSONProperty) else ""


def text_fault(text: str) -> str | None:
    """Say what is wrong with a uid in a reference, or return None."""
    try:
        check_text(text)
    except PropertyError as error:
        return str(error)
    return None if text else "expected a uid that is not empty"
