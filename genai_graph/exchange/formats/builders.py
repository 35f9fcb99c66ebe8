"""Records from file values: validation by the model classes, and the errors of all formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.errors import FixtureIssue, PropertyError, PropertyTypeError
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    UnloadedModules,
)
from genai_graph.names import normalize_name
from genai_graph.properties.json_values import refuse_surrogates
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.properties.validation import collect_errors, deflate_values
from genai_graph.registry import (
    EDGES,
    INCOMING,
    MODULES,
    MODULES_SETTING,
    NODES,
    OUTGOING,
    edge_type_names,
    properties_of,
)
from genai_graph.storage.rows import estimate_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from genai_graph.errors import SourceLocation
    from genai_graph.exchange.formats.records import Record
    from genai_graph.properties.json_values import Path
    from genai_graph.registry import EdgeType

    # Returns the location of a property, or of a path into its value.
    Locate = Callable[..., SourceLocation]


FORMAT = "genai_graph/1"
MODELS = "models"  # key of the header for the modules with users' own classes
OWNER = "experiment"  # key of a metric in YAML and JSON for the properties of the edge to it
HEADER_HINT = f'start the file with "format": "{FORMAT}"'


def fixture_header() -> dict[str, Any]:
    """Return the header of a fixture; it names the modules with users' own classes, if any."""
    return {"format": FORMAT, **({MODELS: list(MODULES)} if MODULES else {})}


def check_modules(named: Any, location: SourceLocation) -> Iterator[FixtureIssue]:
    """Yield an error unless the modules in a header are a list, and a note of missing ones."""
    if not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        message = f"{MODELS}: expected a list of modules, got {describe(named)}"
        yield FixtureIssue(location, message)
    elif missing := ",".join(name for name in named if name not in MODULES):
        message = f"was written with {missing}, not loaded here: set {MODULES_SETTING}={missing}"
        yield UnloadedModules(location, message)


def build_node(
    label: str, uid: str, values: Mapping[str, Any], location: SourceLocation, locate: Locate
) -> Iterator[Record]:
    """Yield the record of a node, or its errors."""
    cls, uid = NODES[label], normalize_name(uid)
    given, errors = _deflate(cls, label, values)
    errors += [("uid", (), str(error)) for _, error in collect_errors(cls, {"uid": uid})[1]]
    for name, path, message in errors:
        yield FixtureIssue(locate(name, *path), f"{label} {uid!r}: {name}: {message}")
    if errors:
        yield InvalidNode(label, uid, location)
    else:
        yield NodeRecord(uid, given, estimate_size(given), label, *location)


def build_edge(
    edge_type: EdgeType,
    source: str,
    target: str,
    values: Mapping[str, Any],
    location: SourceLocation,
    locate: Locate,
    subject: str,
) -> Iterator[Record]:
    """Yield the record of an edge, or its errors; `subject` names the edge in them."""
    source, target = normalize_name(source), normalize_name(target)
    given, errors = _deflate(EDGES[edge_type], str(edge_type), values)
    for name, path, message in errors:
        yield FixtureIssue(locate(name, *path), f"{subject}: {name}: {message}")
    if errors:
        yield InvalidEdge(edge_type, target)
    else:
        yield EdgeRecord(source, target, given, estimate_size(given), edge_type, *location)


def _deflate(
    cls: Any, name_in_errors: str, values: Mapping[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, Path, str]]]:
    """Return the database values, or all errors as (property, path into the value, message)."""
    known = properties_of(cls)
    decoded: dict[str, Any] = {}
    errors: list[tuple[str, Path, str]] = []
    for name, value in values.items():
        try:
            decoded[name] = known[name].from_file(value) if name in known else value
        except PropertyError as error:
            errors.append((name, (), str(error)))
    normalized, invalid = collect_errors(cls, decoded, name_in_errors)
    for name, violation in (*invalid, *cls.check_constraints(decoded)):
        has_wrong_type = name in known and isinstance(violation, PropertyTypeError)
        hint = known[name].quoting_hint(decoded[name]) if has_wrong_type else ""
        errors.append((name, violation.path, f"{violation}{hint}"))
    return ({}, errors) if errors else (deflate_values(cls, normalized), [])


def resolve_edge_type(type_: Any, source: Any, target: Any) -> EdgeType | str:
    """Return the edge type of a type name and the labels of both ends, or an error message."""
    same_name = [edge_type for edge_type in EDGES if edge_type.type == type_]
    if not same_name:
        names = edge_type_names()
        hint = did_you_mean(str(type_), names)
        return f"unknown edge type{hint}: expected one of {', '.join(names)}"
    ends = [(edge_type.source, edge_type.target) for edge_type in same_name]
    if (source, target) in ends:
        return same_name[ends.index((source, target))]
    allowed = " or ".join(f"from {start} to {end}" for start, end in ends)
    hint = ": swap from and to" if (target, source) in ends else ""
    return f"goes {allowed}, not from {source} to {target}{hint}"


def unknown_label(label: object) -> str:
    """Return the error for an unknown label."""
    hint = did_you_mean(str(label), NODES)
    own = (
        ""
        if hint or not isinstance(label, str)
        else f", or a class of a module named by {MODULES_SETTING}"
    )
    return f"unknown label {describe(label)}{hint}: expected one of {', '.join(NODES)}{own}"


def unknown_key(label: str, name: str) -> str:
    """Return the error for a key of a node that is neither a property nor an outgoing edge."""
    incoming = INCOMING[label].get(name)
    if incoming is not None:
        fix = f"move it to the {incoming.edge_type.source}, as {incoming.reverse_of}"
        return f"edges are written under their source: {fix}"
    if name == "uid":
        return "already given by the key above; remove it"
    known = [*properties_of(NODES[label]), *OUTGOING[label]]
    return f"{label} has no such property or edge{did_you_mean(name, known)}"


def uid_error(uid: str) -> str | None:
    """Return the error in the uid of a reference, or None."""
    try:
        refuse_surrogates(uid)
    except PropertyError as error:
        return str(error)
    return None if uid else "expected a non-empty uid"
