"""Pruning: items that an earlier import created and that its source no longer has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genai_graph.database import query, run_in_transaction
from genai_graph.database.cypher import match_uid, quote_name
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.models import Experiment
from genai_graph.registry import EDGES, EdgeType
from genai_graph.storage.batching import batched
from genai_graph.storage.bulk_deletes import delete_nodes, delete_targets
from genai_graph.storage.edges import delete_edges

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record

# Datasets are never pruned: other nodes refer to them by their names.
_LABELS = ("Metric", "Experiment", "Model", "Project")
# The type, the uids of both ends, and the values of the key.
Edge = tuple[EdgeType, str, str, tuple[Any, ...]]


@dataclass
class Imported:
    """The nodes and edges of a source: uids by label, and edges, except those of metrics."""

    origin: str = ""
    uids: dict[str, set[str]] = field(default_factory=lambda: {label: set() for label in _LABELS})
    edges: set[Edge] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Add a record."""
        if isinstance(record, NodeRecord):
            if record.label in self.uids:
                self.uids[record.label].add(record.uid)
                self.origin = self.origin or record.given.get("origin") or ""
        elif isinstance(record, EdgeRecord) and "Metric" not in _ends(record.edge_type):
            edge_type = record.edge_type
            key = edge_type.key_of(record.given)
            self.edges.add((edge_type, record.source, record.target, key))


@dataclass
class Stale:
    """Items of the graph that the source no longer has.

    `kept` are models that are not deleted, because nodes of another origin depend on them.
    """

    uids: dict[str, list[str]]
    edges: list[Edge]
    kept: list[str]

    def __bool__(self) -> bool:
        return bool(self.edges or any(self.uids.values()))

    def lines(self) -> Iterator[str]:
        """Yield a line for each item, and one for all metrics."""
        for label in ("Experiment", "Model", "Project"):
            yield from (f"{label} {uid!r}" for uid in self.uids[label])
        if metrics := self.uids["Metric"]:
            yield f"{len(metrics):,} metrics"
        for edge_type, source, target, _ in self.edges:
            yield f"{edge_type}: {source!r} to {target!r}"


def find_stale(imported: Imported) -> Stale:
    """Return what an earlier import of the same origin created and this one did not find.

    The edges are those that an import of this origin created, between nodes that are not deleted.
    """
    origin = imported.origin
    missing = {
        label: sorted(set(_uids_of(label, origin)) - imported.uids[label])
        for label in _LABELS
        if label != "Metric"
    }
    runs = [*imported.uids["Experiment"], *missing["Experiment"]]
    missing["Metric"] = sorted(set(_metrics_of(runs, origin)) - imported.uids["Metric"])
    used = set(_used_models(missing["Model"], origin))
    missing["Model"] = [uid for uid in missing["Model"] if uid not in used]
    gone = {(label, uid) for label in _LABELS for uid in missing[label] if label != "Project"}
    stored = [
        edge
        for edge_type in EDGES
        if "Metric" not in _ends(edge_type)
        for edge in dict.fromkeys(_edges_of(edge_type, origin))
        if edge not in imported.edges
    ]
    edges = [edge for edge in stored if gone.isdisjoint(_nodes_of(edge))]
    in_use = set(_projects_in_use(missing["Project"], gone, {edge[:3] for edge in edges}))
    missing["Project"] = [uid for uid in missing["Project"] if uid not in in_use]
    gone |= {("Project", uid) for uid in missing["Project"]}
    edges = [edge for edge in edges if gone.isdisjoint(_nodes_of(edge))]
    return Stale(missing, edges, sorted(used))


def delete_stale(stale: Stale) -> None:
    """Delete everything in one transaction; the metrics of a run are deleted with it."""

    def write() -> None:
        for edge_type, source, target, key in stale.edges:
            names = (name for name, _ in edge_type.key)
            delete_edges(edge_type, source, target, dict(zip(names, key, strict=True)))
        for batch in batched(stale.uids["Experiment"]):
            delete_targets(Experiment.metrics.edge_type, batch)
        for label in _LABELS:
            for batch in batched(stale.uids[label]):
                delete_nodes(label, batch)

    run_in_transaction(write)


def _ends(edge_type: EdgeType) -> tuple[str, str]:
    return edge_type.source, edge_type.target


def _nodes_of(edge: Edge) -> set[tuple[str, str]]:
    edge_type, source, target, _ = edge
    return {(edge_type.source, source), (edge_type.target, target)}


def _uids_of(label: str, origin: str) -> Iterator[str]:
    rows = query(
        f"MATCH (n:{quote_name(label)} {{origin: $origin}}) RETURN collect(n.uid) AS uids",
        origin=origin,
    )
    yield from rows[0]["uids"]


def _metrics_of(experiments: list[str], origin: str) -> Iterator[str]:
    for batch in batched(experiments):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('x', 'Experiment', 'uid')} "
            "MATCH (x)-[:HAS]->(m:Metric) WHERE m.origin = $origin RETURN collect(m.uid) AS uids",
            uids=batch,
            origin=origin,
        )
        yield from rows[0]["uids"]


def _used_models(uids: list[str], origin: str) -> Iterator[str]:
    """Yield the models that nodes of another origin depend on."""
    for batch in batched(uids):
        for label, type_ in (
            ("Model", "DERIVED_FROM"),
            ("Experiment", "RUN"),
            ("Metric", "MEASURES"),
        ):
            rows = query(
                f"UNWIND $uids AS uid {match_uid('m', 'Model', 'uid')} "
                f"MATCH (m)<-[:{quote_name(type_)}]-(n:{quote_name(label)}) "
                "WHERE coalesce(n.origin, '') <> $origin RETURN collect(DISTINCT uid) AS uids",
                uids=batch,
                origin=origin,
            )
            yield from rows[0]["uids"]


def _edges_of(edge_type: EdgeType, origin: str) -> Iterator[Edge]:
    """Yield the edges of a type and an origin that have a node of this origin at an end.

    An edge with such nodes at both ends is yielded twice.
    """
    for near, label in (("a", edge_type.source), ("b", edge_type.target)):
        rows = query(
            f"MATCH ({near}:{quote_name(label)} {{origin: $origin}}) "
            f"USING INDEX SEEK {near}:{quote_name(label)}(origin) "
            f"MATCH {edge_type.pattern_from(by_source=near == 'a')} WHERE r.origin = $origin "
            "RETURN collect([a.uid, b.uid, properties(r)]) AS edges",
            origin=origin,
        )
        for source, target, values in rows[0]["edges"]:
            yield edge_type, source, target, edge_type.key_of(values)


def _projects_in_use(
    uids: list[str], gone: set[tuple[str, str]], removed: set[tuple[EdgeType, str, str]]
) -> Iterator[str]:
    """Yield the projects that have a node that stays, with an edge that is not removed."""
    for batch in batched(uids):
        for edge_type in (each for each in EDGES if each.source == "Project"):
            label = edge_type.target
            rows = query(
                f"UNWIND $uids AS uid {match_uid('p', 'Project', 'uid')} "
                f"MATCH (p)-[:HAS]->(n:{quote_name(label)}) "
                "RETURN collect([uid, n.uid]) AS pairs",
                uids=batch,
            )
            for project, uid in rows[0]["pairs"]:
                if (label, uid) not in gone and (edge_type, project, uid) not in removed:
                    yield project
