"""Records of nodes and edges from the values of a source, validated by the model classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.exchange.formats.records import EdgeRecord, InvalidNode, NodeRecord
from genai_graph.importers.records import ImportRecord, Notice, Read, Skipped
from genai_graph.names import normalize_name
from genai_graph.properties.json_values import INTEGER_MAX, INTEGER_MIN, MAX_DEPTH
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import collect_errors, deflate_values
from genai_graph.registry import EDGES, NODES, properties_of
from genai_graph.storage.rows import estimate_size

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType

_SAFE_UID_LENGTH = 1_000  # ASCII uids of this length are valid
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def time_of(milliseconds: Any) -> datetime | None:
    """Return the time of a number of milliseconds since 1970, or None if it is out of range."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        return None


def plain_json(value: Any, depth: int = 0) -> Any:
    """Return a value of a document as JSON that can be stored.

    Integers over 64 bits, NaN and infinities become strings, as do values nested too deeply.
    """
    if isinstance(value, dict):
        if depth >= MAX_DEPTH - 4:
            return str(value)
        return {str(key): plain_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return str(value) if depth >= MAX_DEPTH - 4 else [plain_json(x, depth + 1) for x in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value) if INTEGER_MIN <= value <= INTEGER_MAX else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return str(value)


class RecordBuilder:
    """Builds the records of sources; each record has the `origin` of the place it came from.

    Experiments and metrics are built one by one. Projects, Datasets and Models occur in several
    places of a source: they are collected by uid, with their edges, and built at the end. A later
    place fills missing values.

    A value that the model class rejects is skipped and reported; an invalid uid is an error.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._edge_types = {(each.source, each.type, each.target): each for each in EDGES}
        self._metric_edges = {e for e in EDGES if "Metric" in (e.source, e.target)}
        self._nodes: dict[tuple[str, str], tuple[dict[str, Any], SourceLocation]] = {}
        self._edges: dict[tuple[Any, ...], tuple[EdgeType, dict[str, Any], SourceLocation]] = {}
        self._conflicts: dict[tuple[str, str, str, str], Notice] = {}

    def uid_error(self, label: str, uid: str) -> str:
        """Return the error of an invalid uid, such as one that is too long, or ""."""
        if 0 < len(uid) <= _SAFE_UID_LENGTH and uid.isascii():
            return ""
        errors = collect_errors(NODES[label], {"uid": normalize_name(uid)})[1]
        return str(errors[0][1]) if errors else ""

    # Single records

    def node(
        self, label: str, uid: str, values: Mapping[str, Any], location: SourceLocation
    ) -> Iterator[ImportRecord]:
        """Yield the record of a node; values that are rejected are skipped."""
        cls: Any = NODES[label]
        uid = normalize_name(uid)
        invalid_uid = collect_errors(cls, {"uid": uid})[1]
        if invalid_uid:
            yield FixtureIssue(location, f"{label} {uid[:100]!r}: uid: {invalid_uid[0][1]}")
            yield InvalidNode(label, uid, location)
            return
        known = properties_of(cls)
        normalized, errors = collect_errors(
            cls, {name: value for name, value in values.items() if name in known}
        )
        errors += cls.check_constraints(normalized)
        for name, error in errors:
            normalized.pop(name, None)
            message = f"{label} {uid!r}: {name}: {error}"
            yield Read("properties")
            yield Skipped(location, "properties", "invalid value", message=message)
        normalized.setdefault("origin", self.origin)
        given = deflate_values(cls, normalized)
        yield NodeRecord(uid, given, estimate_size(given), label, location.file, location.line)

    def metric(self, uid: str, given: dict[str, Any], location: SourceLocation) -> NodeRecord:
        """Return the record of a Metric, without validation: there are many.

        The values must be valid.
        """
        given |= {"name": normalize_name(given["name"]), "origin": self.origin}
        size = estimate_size(given)
        return NodeRecord(normalize_name(uid), given, size, "Metric", location.file, location.line)

    def edge(
        self,
        ends: tuple[str, str, str, str, str],
        location: SourceLocation,
        values: Mapping[str, Any] | None = None,
    ) -> EdgeRecord:
        """Return the record of an edge: (source label, uid, type, target label, uid)."""
        source_label, source, type_, target_label, target = ends
        edge_type = self._edge_types[source_label, type_, target_label]
        given = self._edge_values(edge_type, values)
        source, target = normalize_name(source), normalize_name(target)
        return self._edge(edge_type, source, target, given, location)

    def _edge_values(self, edge_type: EdgeType, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the values of an edge, with the origin.

        Edges of metrics have no origin: they are pruned with their metric.
        """
        given = {name: value for name, value in (values or {}).items() if value is not None}
        return given if edge_type in self._metric_edges else {**given, "origin": self.origin}

    def _edge(
        self,
        edge_type: EdgeType,
        source: str,
        target: str,
        given: dict[str, Any],
        location: SourceLocation,
    ) -> EdgeRecord:
        size = estimate_size(given)
        return EdgeRecord(source, target, given, size, edge_type, location.file, location.line)

    # Collected nodes and edges

    def collect(
        self, label: str, uid: str, values: Mapping[str, Any], location: SourceLocation
    ) -> None:
        """Add a node, or fill the missing values of one that was added before.

        A different value is reported once, and the first one is kept.
        """
        # A metadata of None is kept: the import then removes its own keys from the stored metadata.
        uid = normalize_name(uid)
        given = {
            name: value for name, value in values.items() if value is not None or name == "metadata"
        }
        found = self._nodes.get((label, uid))
        if found is None:
            self._nodes[label, uid] = {"origin": self.origin, **given}, location
            return
        before, first = found
        for name, value in given.items():
            if before.get(name) in (None, []):
                before[name] = value
            elif name == "metadata" and value is not None:
                before[name] = _fill(before[name], value)
            elif value not in (None, []) and before[name] != value and first != location:
                other = "another" if isinstance(value, (dict, list)) else describe(value)
                kept = f"{other}: the value in {first.file} is kept"
                notice = Notice(location, f"{label} {uid!r}: {name}: {kept}")
                self._conflicts.setdefault((label, uid, name, other), notice)

    def collect_edge(
        self,
        ends: tuple[str, str, str, str, str],
        location: SourceLocation,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an edge of collected nodes; see `edge`."""
        source_label, source, type_, target_label, target = ends
        edge_type = self._edge_types[source_label, type_, target_label]
        source, target = normalize_name(source), normalize_name(target)
        if source_label == target_label and source == target:
            return
        given = self._edge_values(edge_type, values)
        key = (edge_type, source, target, *edge_type.key_of(given))
        if key in self._edges:
            before = self._edges[key][1]
            before.update({name: given[name] for name in given.keys() - before.keys()})
        else:
            self._edges[key] = edge_type, given, location

    def has_edges(self, label: str, uid: str) -> bool:
        """Return whether an edge of a node was collected."""
        uid = normalize_name(uid)
        return any(key[0].source == label and key[1] == uid for key in self._edges)

    def finish(self) -> Iterator[ImportRecord]:
        """Yield the collected nodes and edges, and a notice for each conflicting value."""
        yield from self._conflicts.values()
        for (label, uid), (values, location) in self._nodes.items():
            yield from self.node(label, uid, values, location)
        cyclic = self._cyclic_edges()
        for (_, source, target, *_), (edge_type, given, location) in self._edges.items():
            if (edge_type, source, target) in cyclic:
                message = f"{edge_type}: {source!r} to {target!r} is part of a cycle"
                yield Read("edges")
                yield Skipped(location, "edges", "cycle", message=message)
            else:
                yield self._edge(edge_type, source, target, given, location)

    def _cyclic_edges(self) -> set[tuple[EdgeType, str, str]]:
        found: set[tuple[EdgeType, str, str]] = set()
        for edge_type in EDGES:
            if edge_type.acyclic:
                pairs = {(key[1], key[2]) for key in self._edges if key[0] == edge_type}
                found.update((edge_type, *pair) for pair in edges_in_cycles(pairs))
        return found


def _fill(before: Any, value: Any) -> Any:
    """Return a map with the missing keys of another one added, also in nested maps."""
    if not isinstance(before, dict) or not isinstance(value, dict):
        return before
    common = {key: _fill(before[key], value[key]) for key in before.keys() & value.keys()}
    return {**value, **before, **common}


def edges_in_cycles(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges that are part of a cycle, or on a path between two cycles."""
    remaining = set(pairs)
    while True:
        sources = {source for source, _ in remaining}
        targets = {target for _, target in remaining}
        kept = {pair for pair in remaining if pair[0] in targets and pair[1] in sources}
        if len(kept) == len(remaining):
            return kept
        remaining = kept
