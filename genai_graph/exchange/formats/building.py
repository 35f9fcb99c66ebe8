"""Validation: from the values of a file to those of the database, by the model classes' rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.errors import FixtureIssue, PropertyError, PropertyTypeError
from genai_graph.exchange.formats.records import EdgeRecord, InvalidEdge, InvalidNode, NodeRecord
from genai_graph.properties.json_values import refuse_surrogates
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.properties.validation import collect_errors, deflate_values
from genai_graph.registry import EDGES, INCOMING, NODES, OUTGOING, properties_of
from genai_graph.storage.rows import estimate_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from genai_graph.errors import SourceLocation
    from genai_graph.exchange.formats.records import Record
    from genai_graph.properties.json_values import Path
    from genai_graph.registry import EdgeType


FORMAT = "genai_graph/1"
HEADER_ADVICE = f'the first thing in a fixture is its format: "{FORMAT}"'


def node_records(
    label: str,
    uid: str,
    values: Mapping[str, Any],
    place: SourceLocation,
    at: Callable[..., SourceLocation],
) -> Iterator[Record]:
    """Yield the record of a node, or its faults; `at` tells where a path of names leads to."""
    cls = NODES[label]
    subject = f"{label} {uid!r}"
    given, faults = _convert(cls, label, values)
    faults += [("uid", (), str(error)) for _, error in collect_errors(cls, {"uid": uid})[1]]
    for name, path, message in faults:
        yield FixtureIssue(at(name, *path), f"{subject}: {name}: {message}")
    if faults:
        yield InvalidNode(label, uid, place)
    else:
        yield NodeRecord(uid, given, estimate_size(given), label, *place)


def edge_records(
    kind: EdgeType,
    source: str,
    target: str,
    values: Mapping[str, Any],
    place: SourceLocation,
    at: Callable[..., SourceLocation],
    subject: str,
) -> Iterator[Record]:
    """Yield the record of an edge, or its faults; `subject` says what the edge belongs to."""
    given, faults = _convert(EDGES[kind], str(kind), values)
    for name, path, message in faults:
        yield FixtureIssue(at(name, *path), f"{subject}: {name}: {message}")
    if faults:
        yield InvalidEdge(kind, target)
    else:
        yield EdgeRecord(source, target, given, estimate_size(given), kind, *place)


def with_uid_fields(record: NodeRecord) -> dict[str, Any]:
    """Return the values of a new node: those that are given, and what its uid tells else."""
    cls, given = NODES[record.label], record.given
    if given.keys() >= cls.uid_fields:
        return given
    told = cls.parse_uid(record.uid).items()
    return {**{name: value for name, value in told if value and name not in given}, **given}


def unknown_label(label: object) -> str:
    """Say that there is no such kind of node."""
    hint = did_you_mean(str(label), NODES)
    return f"{describe(label)}: no such kind of node{hint}: expected one of {', '.join(NODES)}"


def unknown_key(label: str, name: str) -> str:
    """Say why a name can't stand under a node, and what could."""
    incoming = INCOMING[label].get(name)
    if incoming is not None:
        kind = incoming.edge_type
        return (
            f"is the other end of an edge: write it under the {kind.source}, "
            f"as {incoming.reverse_of} with this {label}"
        )
    if name == "uid":
        return "is the name above: leave it out here"
    known = [*properties_of(NODES[label]), *OUTGOING[label]]
    return f"{label} has no such property or edge{did_you_mean(name, known)}"


def edge_kind(type_: Any, source: Any, target: Any) -> EdgeType | str:
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
            decoded[name] = known[name].from_file(value) if name in known else value
        except PropertyError as error:
            faults.append((name, (), str(error)))
    taken, found = collect_errors(cls, decoded, called)
    for name, fault in (*found, *cls.check_constraints(decoded)):
        wrong_type = name in known and isinstance(fault, PropertyTypeError)
        advice = known[name].quoting_hint(decoded[name]) if wrong_type else ""
        faults.append((name, fault.path, f"{fault}{advice}"))
    if faults:
        return {}, faults
    return deflate_values(cls, taken), []


def text_fault(text: str) -> str | None:
    """Say what is wrong with a uid in a reference, or return None."""
    try:
        refuse_surrogates(text)
    except PropertyError as error:
        return str(error)
    return None if text else "expected a uid that is not empty"
