"""Pruning: items that an earlier import created and that its source no longer has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genai_graph.database import atomic, query
from genai_graph.database.cypher import match_uid, quote_name
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.registry import EDGES, EdgeType
from genai_graph.storage.batching import batched

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record

# Datasets are never pruned: other nodes refer to them by their names.
_LABELS = ("Metric", "Experiment", "Model", "Project")
# The properties by which two edges between the same nodes differ, with their defaults.
_IDENTITY = {
    "TRAINED_ON": {"role": "training", "split": ""},
    "USED": {"role": "training", "split": ""},
    "RUN": {"role": "output"},
}


Edge = tuple[EdgeType, str, str, tuple[str | None, ...]]  # with the values of its identity


@dataclass
class Imported:
    """What an import found in its source: uids by label, and edges, except those to metrics."""

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
            identity = _identity(edge_type, record.given)
            self.edges.add((edge_type, record.source, record.target, identity))


@dataclass
class Stale:
    """What is in the graph and no longer in the source; `kept` are models that others use."""

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

    Of the edges, those between two nodes of this origin that both stay.
    """
    origin = imported.origin
    missing = {
        label: sorted(set(_uids_of(label, origin)) - imported.uids[label]) for label in _LABELS
    }
    used = set(_used_models(missing["Model"], origin))
    missing["Model"] = [uid for uid in missing["Model"] if uid not in used]
    gone = {(label, uid) for label in _LABELS for uid in missing[label] if label != "Project"}
    stored = [
        edge
        for edge_type in EDGES
        if "Metric" not in _ends(edge_type)
        for edge in _edges_of(edge_type, origin)
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
    with atomic():
        for edge_type, source, target, identity in stale.edges:
            names = _IDENTITY.get(edge_type.type, {})
            conditions = [
                f"coalesce(r.{name}, {default!r}) = ${name}" for name, default in names.items()
            ]
            query(
                f"{edge_type.match_ends('$source', '$target')} MATCH {edge_type.pattern} "
                f"{'WHERE ' if names else ''}{' AND '.join(conditions)} DELETE r",
                write=True,
                source=source,
                target=target,
                **dict(zip(names, identity, strict=True)),
            )
        for batch in batched(stale.uids["Experiment"]):
            query(
                f"UNWIND $uids AS uid {match_uid('x', 'Experiment', 'uid')} "
                "MATCH (x)-[:HAS]->(m:Metric) DETACH DELETE m",
                write=True,
                uids=batch,
            )
        for label in _LABELS:
            for batch in batched(stale.uids[label]):
                query(
                    f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} DETACH DELETE n",
                    write=True,
                    uids=batch,
                )


def _ends(edge_type: EdgeType) -> tuple[str, str]:
    return edge_type.source, edge_type.target


def _nodes_of(edge: Edge) -> set[tuple[str, str]]:
    edge_type, source, target, _ = edge
    return {(edge_type.source, source), (edge_type.target, target)}


def _identity(edge_type: EdgeType, values: Mapping[str, Any]) -> tuple[str | None, ...]:
    names = _IDENTITY.get(edge_type.type, {})
    return tuple(values.get(name) or default for name, default in names.items())


def _uids_of(label: str, origin: str) -> Iterator[str]:
    rows = query(
        f"MATCH (n:{quote_name(label)} {{origin: $origin}}) RETURN collect(n.uid) AS uids",
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
    """Yield the edges of a type between two nodes of an origin."""
    a, b = quote_name(edge_type.source), quote_name(edge_type.target)
    names = _IDENTITY.get(edge_type.type, {})
    values = ", ".join(f"coalesce(r.{name}, {default!r})" for name, default in names.items())
    rows = query(
        f"MATCH (a:{a} {{origin: $origin}}) USING INDEX SEEK a:{a}(origin) "
        f"MATCH (a)-[r:{quote_name(edge_type.type)}]->(b:{b}) WHERE b.origin = $origin "
        f"RETURN collect([a.uid, b.uid, [{values}]]) AS edges",
        origin=origin,
    )
    for source, target, identity in rows[0]["edges"]:
        yield edge_type, source, target, tuple(identity)


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
