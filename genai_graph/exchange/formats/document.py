"""The layout of YAML and JSON fixtures: sections of nodes by label, edges under their source.

::

    format: genai_graph/1
    Model:
      xgb-fraud@2.1:
        framework: xgboost
        trained_on: {transactions@2026: {role: training}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.exchange.formats.builders import (
    FORMAT,
    HEADER_HINT,
    MODELS,
    OWNER,
    build_edge,
    build_node,
    check_modules,
    uid_error,
    unknown_key,
    unknown_label,
)
from genai_graph.exchange.formats.compression import READ_ERRORS, read_error_message
from genai_graph.exchange.formats.parsing import (
    Document,
    DocumentError,
    LocatedDict,
    LocatedList,
    decode_utf8,
)
from genai_graph.exchange.formats.records import InvalidEdge, InvalidNode, TruncatedFile
from genai_graph.models import Metric
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.registry import NODES, OUTGOING, properties_of

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record
    from genai_graph.registry import EdgeType


def records(stream: IO[bytes], file: str, parse: Callable[[str], Document]) -> Iterator[Record]:
    """Yield the records and errors of a document; `parse` is the parser of its format."""
    try:
        data = stream.read()
    except READ_ERRORS as error:
        yield TruncatedFile(SourceLocation(file), read_error_message(error))
        return
    try:
        document = parse(decode_utf8(data))
    except DocumentError as error:
        yield FixtureIssue(SourceLocation(file, error.line), str(error))
        return
    for line, message in document.errors:
        yield FixtureIssue(SourceLocation(file, line), message)
    yield from _read_sections(document.content, SourceLocation(file, document.line))


def _read_sections(content: Any, location: SourceLocation) -> Iterator[Record]:
    file = location.file
    if not isinstance(content, LocatedDict):
        found = "an empty file" if content is None else describe(content)
        yield FixtureIssue(location, f"expected a map of sections, got {found}: {HEADER_HINT}")
        return
    if "format" not in content:
        yield FixtureIssue(location, f"missing format: {HEADER_HINT}")
    elif content["format"] != FORMAT:
        message = f"format: expected {FORMAT}, got {describe(content['format'])}"
        yield FixtureIssue(SourceLocation(file, content.lines["format"]), message)
    if MODELS in content:
        yield from check_modules(content[MODELS], SourceLocation(file, content.lines[MODELS]))
    for label, section in content.items():
        if label in ("format", MODELS):
            continue
        location = SourceLocation(file, content.lines[label])
        if label not in NODES:
            yield FixtureIssue(location, unknown_label(label))
        elif isinstance(section, LocatedDict):
            for uid, body in section.items():
                yield from _read_node(label, uid, body, SourceLocation(file, section.lines[uid]))
        elif section is not None:
            message = f"{label}: expected a map of nodes by uid, got {describe(section)}"
            yield FixtureIssue(location, message)


def _read_node(label: str, uid: str, body: Any, location: SourceLocation) -> Iterator[Record]:
    subject = f"{label} {uid!r}"
    body = LocatedDict() if body is None else body
    if not isinstance(body, LocatedDict):
        message = f"{subject}: expected a map of properties, got {describe(body)}"
        yield FixtureIssue(location, message)
        yield InvalidNode(label, normalize_name(uid), location)
        return
    locate = partial(_locate, body, location)
    values = {name: value for name, value in body.items() if _is_property(label, name)}
    yield from build_node(label, uid, values, location, locate)
    for name, value in body.items():
        if name in OUTGOING[label]:
            yield from _read_edges(label, uid, name, value, locate(name))
        elif name not in values:
            yield FixtureIssue(locate(name), f"{subject}: {name}: {unknown_key(label, name)}")


def _is_property(label: str, name: str) -> bool:
    return name != "uid" and name in properties_of(NODES[label])


def _locate(body: LocatedDict, location: SourceLocation, *path: str | int) -> SourceLocation:
    """Return the location of the item at a path, or of its closest known ancestor."""
    line = location.line
    parent: Any = body
    for step in path:
        if isinstance(parent, LocatedDict):
            line = parent.lines.get(step, line)
            parent = parent.get(step)
        elif isinstance(parent, LocatedList) and isinstance(step, int):
            line, parent = parent.lines[step], parent[step]
    return SourceLocation(location.file, line)


def _read_edges(
    label: str, uid: str, name: str, value: Any, location: SourceLocation
) -> Iterator[Record]:
    """Read the edges under an attribute: a uid, a list of uids, or a map of uids to properties.

    In a map, a uid may have a list of properties, for several edges to the same node.
    """
    edge_type = OUTGOING[label][name].edge_type
    subject = f"{label} {uid!r}: {name}"
    if edge_type.single_source:
        yield from _read_metrics(edge_type, uid, value, subject, location)
    elif isinstance(value, str) and edge_type.single_target:
        yield from _read_edge(edge_type, uid, value, None, subject, location)
    elif isinstance(value, LocatedList):
        for target, line in zip(value, value.lines, strict=True):
            at_line = SourceLocation(location.file, line)
            yield from _read_edge(edge_type, uid, target, None, subject, at_line)
    elif isinstance(value, LocatedDict):
        for target, properties in value.items():
            lines: list[int] = [value.lines[target]]
            if not isinstance(properties, LocatedList) or not properties:
                properties = [properties]
            else:
                lines = properties.lines
            for each, line in zip(properties, lines, strict=True):
                at_line = SourceLocation(location.file, line)
                yield from _read_edge(edge_type, uid, target, each, subject, at_line)
    elif value is not None:
        expected = (
            "a uid" if edge_type.single_target else "a list of uids, or a map of uids to properties"
        )
        yield FixtureIssue(location, f"{subject}: expected {expected}, got {describe(value)}")


def _read_edge(
    edge_type: EdgeType,
    source: str,
    target: Any,
    properties: Any,
    subject: str,
    location: SourceLocation,
) -> Iterator[Record]:
    properties = LocatedDict() if properties is None else properties
    if not isinstance(target, str):
        hint = "" if isinstance(target, (LocatedDict, LocatedList)) else " (quote it)"
        yield FixtureIssue(location, f"{subject}: expected a uid, got {describe(target)}{hint}")
    elif (error := uid_error(target)) is not None:
        yield FixtureIssue(location, f"{subject}: {error}")
    elif not isinstance(properties, LocatedDict):
        message = f"expected a map of properties, got {describe(properties)}"
        yield FixtureIssue(location, f"{subject}: {target!r}: {message}")
    else:
        locate = partial(_locate, properties, location)
        subject = f"{subject}: {target!r}"
        yield from build_edge(edge_type, source, target, properties, location, locate, subject)


def _read_metrics(
    edge_type: EdgeType, experiment: str, value: Any, subject: str, location: SourceLocation
) -> Iterator[Record]:
    """Read metrics by name: a value, a map of properties, or a list of such maps."""
    if not isinstance(value, LocatedDict):
        if value is not None:
            message = f"{subject}: expected a map of metrics by name, got {describe(value)}"
            yield FixtureIssue(location, message)
        for target in value if isinstance(value, LocatedList) else ():
            yield InvalidEdge(edge_type, normalize_name(str(target)))
        return
    for name, entry in value.items():
        if isinstance(entry, LocatedList):
            items = list(zip(entry, entry.lines, strict=True))
        else:
            items = [(entry, value.lines[name])]
        for item, line in items:
            metric_subject, at_line = f"{subject}: {name}", SourceLocation(location.file, line)
            yield from _read_metric(edge_type, experiment, name, item, metric_subject, at_line)


def _read_metric(
    edge_type: EdgeType,
    experiment: str,
    name: str,
    entry: Any,
    subject: str,
    location: SourceLocation,
) -> Iterator[Record]:
    if isinstance(entry, LocatedDict):
        body = entry
    else:
        body = LocatedDict()
        body["value"] = entry
    locate = partial(_locate, body, location)
    uid = body.get("uid")
    if uid is None:
        uid = _metric_uid(experiment, name, body)
    elif not isinstance(uid, str):
        message = f"{subject}: uid: expected a string, got {describe(uid)} (quote it)"
        yield FixtureIssue(locate("uid"), message)
        return
    label = Metric.__label__
    if body.get("name", name) != name:
        message = f"{subject}: name: already given by the key above; remove it"
        yield FixtureIssue(locate("name"), message)
    values = {"name": name, **{key: body[key] for key in body if _is_property(label, key)}}
    yield from build_node(label, uid, values, location, locate)
    yield from _read_owner(edge_type, experiment, uid, body, subject, location)
    for key in body:
        if key in OUTGOING[label]:
            yield from _read_edges(label, uid, key, body[key], locate(key))
        elif key not in values and key not in ("uid", OWNER):
            known = [*properties_of(Metric), *OUTGOING[label], OWNER]
            message = f"Metric has no such property or edge{did_you_mean(key, known)}"
            yield FixtureIssue(locate(key), f"{subject}: {key}: {message}")


def _read_owner(
    edge_type: EdgeType,
    experiment: str,
    uid: str,
    body: LocatedDict,
    subject: str,
    location: SourceLocation,
) -> Iterator[Record]:
    """Read the edge from the experiment; only dumps give it properties."""
    properties = LocatedDict() if body.get(OWNER) is None else body[OWNER]
    at_owner = _locate(body, location, OWNER)
    if not isinstance(properties, LocatedDict):
        message = f"expected a map of properties of the edge, got {describe(properties)}"
        yield FixtureIssue(at_owner, f"{subject}: {OWNER}: {message}")
        properties = LocatedDict()
    locate = partial(_locate, properties, at_owner)
    yield from build_edge(
        edge_type, experiment, uid, properties, location, locate, f"{subject}: {OWNER}"
    )


def _metric_uid(experiment: str, name: str, body: LocatedDict) -> str:
    """Return the uid of a metric from its name, dataset, split and model."""
    fields = []
    for key in ("dataset", "split", "model"):
        value = body.get(key)
        if isinstance(value, (LocatedDict, LocatedList)):
            value = next(iter(value), None)
        fields.append(value if isinstance(value, str) else None)
    return metric_uid(experiment, name, *fields)
