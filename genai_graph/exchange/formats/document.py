"""A fixture for hands, in YAML or JSON: sections of nodes by label, edges under their source.

::

    format: genai_graph/1
    Model:
      xgb-fraud@2.1:
        framework: xgboost
        trained_on: {transactions@2026: {role: training}}
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.exchange.formats.building import (
    FORMAT,
    HEADER_ADVICE,
    edge_records,
    node_records,
    text_fault,
    unknown_key,
    unknown_label,
)
from genai_graph.exchange.formats.located import LocatedDict, LocatedList
from genai_graph.exchange.formats.records import InvalidEdge, InvalidNode
from genai_graph.models import Metric
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.registry import NODES, OUTGOING, properties_of

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record
    from genai_graph.registry import EdgeType


def records(tree: Any, line: int, file: str) -> Iterator[Record]:
    """Yield the records of a document and the faults in it."""
    if not isinstance(tree, LocatedDict):
        found = "an empty file" if tree is None else describe(tree)
        yield FixtureIssue(
            SourceLocation(file, line), f"expected a map of sections, got {found}: {HEADER_ADVICE}"
        )
        return
    if tree.get("format") != FORMAT:
        yield FixtureIssue(
            SourceLocation(file, tree.lines.get("format", line)), _wrong_format(tree)
        )
    for label, section in tree.items():
        if label == "format":
            continue
        place = SourceLocation(file, tree.lines[label])
        if label not in NODES:
            yield FixtureIssue(place, unknown_label(label))
        elif isinstance(section, LocatedDict):
            for uid, body in section.items():
                yield from _node(label, uid, body, SourceLocation(file, section.lines[uid]))
        elif section is not None:
            yield FixtureIssue(
                place, f"{label}: expected a map of nodes by uid, got {describe(section)}"
            )


def _wrong_format(tree: LocatedDict) -> str:
    if "format" not in tree:
        return HEADER_ADVICE
    return f"format: expected {FORMAT}, got {describe(tree['format'])}"


def _node(label: str, uid: str, body: Any, place: SourceLocation) -> Iterator[Record]:
    subject = f"{label} {uid!r}"
    body = LocatedDict() if body is None else body
    if not isinstance(body, LocatedDict):
        yield FixtureIssue(place, f"{subject}: expected a map of properties, got {describe(body)}")
        yield InvalidNode(label, uid, place)
        return
    at = partial(_line_of, body, place)
    values = {name: value for name, value in body.items() if _is_property(label, name)}
    yield from node_records(label, uid, values, place, at)
    for name, value in body.items():
        if name in OUTGOING[label]:
            yield from _edges(label, uid, name, value, at(name))
        elif name not in values:
            yield FixtureIssue(at(name), f"{subject}: {name}: {unknown_key(label, name)}")


def _is_property(label: str, name: str) -> bool:
    return name != "uid" and name in properties_of(NODES[label])


def _line_of(body: LocatedDict, place: SourceLocation, *path: str | int) -> SourceLocation:
    """Return where the thing stands that a path leads to, as far as the path goes."""
    line = place.line
    within: Any = body
    for step in path:
        if isinstance(within, LocatedDict):
            line = within.lines.get(step, line)
            within = within.get(step)
        elif isinstance(within, LocatedList) and isinstance(step, int):
            line, within = within.lines[step], within[step]
    return SourceLocation(place.file, line)


def _edges(label: str, uid: str, name: str, value: Any, place: SourceLocation) -> Iterator[Record]:
    kind = OUTGOING[label][name].edge_type
    subject = f"{label} {uid!r}: {name}"
    if kind.single_source:
        yield from _metrics(kind, uid, value, subject, place)
    elif isinstance(value, str) and kind.single_target:
        yield from _edge(kind, uid, value, None, subject, place)
    elif isinstance(value, LocatedList):
        for target, line in zip(value, value.lines, strict=True):
            yield from _edge(kind, uid, target, None, subject, SourceLocation(place.file, line))
    elif isinstance(value, LocatedDict):
        for target, properties in value.items():
            there = SourceLocation(place.file, value.lines[target])
            yield from _edge(kind, uid, target, properties, subject, there)
    elif value is not None:
        form = "a uid" if kind.single_target else "a list of uids, or a map of uids to properties"
        yield FixtureIssue(place, f"{subject}: expected {form}, got {describe(value)}")


def _edge(
    kind: EdgeType, source: str, target: Any, properties: Any, subject: str, place: SourceLocation
) -> Iterator[Record]:
    properties = LocatedDict() if properties is None else properties
    if not isinstance(target, str):
        advice = "" if isinstance(target, (LocatedDict, LocatedList)) else " (quote it)"
        yield FixtureIssue(place, f"{subject}: expected a uid, got {describe(target)}{advice}")
    elif (problem := text_fault(target)) is not None:
        yield FixtureIssue(place, f"{subject}: {problem}")
    elif not isinstance(properties, LocatedDict):
        found = describe(properties)
        yield FixtureIssue(
            place, f"{subject}: {target!r}: expected a map of properties, got {found}"
        )
    else:
        at = partial(_line_of, properties, place)
        yield from edge_records(
            kind, source, target, properties, place, at, f"{subject}: {target!r}"
        )


def _metrics(
    kind: EdgeType, experiment: str, value: Any, subject: str, place: SourceLocation
) -> Iterator[Record]:
    """Read metrics by name: a value, its properties, or a list of such maps."""
    if not isinstance(value, LocatedDict):
        if value is not None:
            yield FixtureIssue(place, f"{subject}: expected a map of names, got {describe(value)}")
        for meant in value if isinstance(value, LocatedList) else ():
            yield InvalidEdge(kind, str(meant))
        return
    for name, entry in value.items():
        there = SourceLocation(place.file, value.lines[name])
        about = f"{subject}: {name}"
        if not isinstance(entry, LocatedList):
            yield from _metric(kind, experiment, name, entry, about, there)
            continue
        for item, line in zip(entry, entry.lines, strict=True):
            yield from _metric(
                kind, experiment, name, item, about, SourceLocation(place.file, line)
            )


def _metric(
    kind: EdgeType, experiment: str, name: str, entry: Any, about: str, place: SourceLocation
) -> Iterator[Record]:
    if not isinstance(entry, LocatedDict):
        body = LocatedDict()
        body["value"] = entry
    else:
        body = entry
    at = partial(_line_of, body, place)
    dataset, split, uid = (body.get(key) for key in ("dataset", "split", "uid"))
    target = (
        next(iter(dataset), None) if isinstance(dataset, (LocatedDict, LocatedList)) else dataset
    )
    if uid is None:
        uid = metric_uid(experiment, name, _text_or_none(target), _text_or_none(split))
    elif not isinstance(uid, str):
        yield FixtureIssue(
            at("uid"), f"{about}: uid: expected a string, got {describe(uid)} (quote it)"
        )
        return
    label = Metric.__label__
    if body.get("name", name) != name:
        yield FixtureIssue(at("name"), f"{about}: name: is the key above: leave it out here")
    values = {"name": name, **{key: body[key] for key in body if _is_property(label, key)}}
    yield from node_records(label, uid, values, place, at)
    yield from edge_records(kind, experiment, uid, {}, place, at, about)
    for key in body:
        if key in OUTGOING[label]:
            yield from _edges(label, uid, key, body[key], at(key))
        elif key not in values and key != "uid":
            known = [*properties_of(Metric), *OUTGOING[label]]
            yield FixtureIssue(
                at(key),
                f"{about}: {key}: Metric has no such property or edge{did_you_mean(key, known)}",
            )


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
