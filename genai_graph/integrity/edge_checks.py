"""Checks of edges: duplicates, cardinality, cycles, ends and values; and of duplicate metrics."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from genai_graph.database import match_uid, query, quote_name
from genai_graph.exchange.graph_reader import read_edge_page, stored_value_errors
from genai_graph.integrity.findings import Finding, UndeclaredProperties, allow_option
from genai_graph.registry import EDGES, NODES, edge_type_names, properties_of
from genai_graph.storage.edge_rules import find_cycles, restriction
from genai_graph.storage.scans import iter_pages

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


def findings(edge_type: EdgeType) -> Iterator[Finding]:
    """Yield the violations of the edges of a type."""
    setter = f"MATCH (:{edge_type.source})-[r:{edge_type.type}]->(:{edge_type.target}) SET r"
    undeclared = UndeclaredProperties(str(edge_type), properties_of(EDGES[edge_type]), setter)
    successors: dict[str, set[str]] = defaultdict(set)
    low_degree_uid = itemgetter(1 if edge_type.start_at_target else 0)
    for page in iter_pages(edge_type.low_degree_label):
        connected = set()
        for uid, group in itertools.groupby(read_edge_page(edge_type, page), key=low_degree_uid):
            connected.add(uid)
            edges = list(group)
            yield from _duplicates(edge_type, edges)
            yield from _invalid_values(edge_type, edges)
            yield from _excess_neighbours(edge_type, uid, edges)
            for source, target, values, _ in edges:
                undeclared.add(values, source)
                if edge_type.acyclic:
                    successors[source].add(target)
        if edge_type.single_source:
            for uid in page:
                if uid not in connected:
                    problem = f"{edge_type.target} {uid!r} has no {edge_type.source}"
                    hint = "connect it, or delete it"
                    yield Finding("cardinality", str(edge_type), (uid,), problem, hint)
    yield from undeclared.findings()
    yield from _cycles(edge_type, successors)


def _duplicates(edge_type: EdgeType, edges: list[list[Any]]) -> Iterator[Finding]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for source, target, values, _ in edges:
        groups[source, target, edge_type.sort_key(values)].append(values)
    for (source, target, _), found in sorted(groups.items()):
        if len(found) > 1:
            ends = f"{len(found)} edges {edge_type.type} to {edge_type.target} {target!r}"
            key = edge_type.describe_key(found[0])
            problem = f"{edge_type.source} {source!r}: {ends}{key}"
            hint = "delete all but one"
            yield Finding("duplicate", str(edge_type), (source, target), problem, hint)


def _invalid_values(edge_type: EdgeType, edges: list[list[Any]]) -> Iterator[Finding]:
    for source, target, values, _ in edges:
        for name, error in stored_value_errors(EDGES[edge_type], values):
            edge = f"{edge_type.source} {source!r}: {edge_type.type} to {target!r}"
            problem, hint = f"{edge}: {name}: {error}", "connect them again with a valid value"
            yield Finding("value", f"{edge_type}.{name}", (source, target), problem, hint)


def _excess_neighbours(edge_type: EdgeType, uid: str, edges: list[list[Any]]) -> Iterator[Finding]:
    if edge_type.single_source:
        others = sorted({source for source, *_ in edges})
    elif edge_type.single_target:
        others = sorted({target for _, target, *_ in edges})
    else:
        return
    if len(others) > 1:
        label, only_one = restriction(edge_type)
        problem = f"{label} {uid!r} {only_one}, and has {', '.join(map(repr, others))}"
        hint = "disconnect all but one"
        yield Finding("cardinality", str(edge_type), (uid, *others), problem, hint)


def _cycles(edge_type: EdgeType, successors: dict[str, set[str]]) -> Iterator[Finding]:
    for cycle in find_cycles(successors, sorted(successors)):
        path = " -> ".join(map(repr, cycle))
        problem = f"{edge_type.source} {cycle[0]!r}: {edge_type.type} forms a cycle: {path}"
        hint = "delete one of its edges"
        yield Finding("cycle", str(edge_type), tuple(cycle[:-1]), problem, hint)


def undeclared_edges(label: str) -> Iterator[Finding]:
    """Yield the edges at nodes of a label with a declared type, but between the wrong labels."""
    targets: dict[str, list[str]] = {type_: [] for type_ in edge_type_names()}
    for edge_type in EDGES:
        if edge_type.source == label:
            targets[edge_type.type].append(edge_type.target)
    start = f"UNWIND $uids AS uid {match_uid('a', label, 'uid')} MATCH (a)"
    any_type = "|".join(map(quote_name, targets))
    columns = "a.uid AS uid, type(r) AS type, labels(b) AS labels, b.uid AS other"
    outgoing = (
        f"{start}-[r:{any_type}]->(b) "
        f"WHERE none(one IN labels(b) WHERE one IN $targets[type(r)]) RETURN {columns}"
    )
    # Edges from a node with one of the labels are reported as its outgoing edges.
    incoming = (
        f"{start}<-[r:{any_type}]-(b) "
        f"WHERE none(one IN labels(b) WHERE one IN $labels) RETURN {columns}"
    )
    for page in iter_pages(label):
        for row in query(outgoing, uids=page, targets=targets):
            yield _undeclared_edge(label, row["uid"], row["type"], _label_of(row), row["other"])
        for row in query(incoming, uids=page, labels=list(NODES)):
            yield _undeclared_edge(_label_of(row), row["other"], row["type"], label, row["uid"])


def _label_of(row: dict[str, Any]) -> str:
    """Return the label of the other end, a declared one if possible."""
    labels = sorted(row["labels"], key=lambda label: (label not in NODES, label))
    return labels[0] if labels else ""


def _undeclared_edge(
    source_label: str, source: Any, type_: str, target_label: str, target: Any
) -> Finding:
    subject = f"{source_label}-{type_}->{target_label}"
    uids = tuple(uid for uid in (source, target) if isinstance(uid, str))
    problem = f"{source_label} {source!r}: undeclared edge {type_} to {target_label} {target!r}"
    hint = f"delete it, or {allow_option(subject)} if another application uses it"
    return Finding("ends", subject, uids, problem, hint)


def duplicate_metrics() -> Iterator[Finding]:
    """Yield metrics of the same experiment, name, dataset, split and model."""
    for page in iter_pages("Experiment"):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('x', 'Experiment', 'uid')} "
            "MATCH (x)-[:HAS]->(m:Metric) "
            "OPTIONAL MATCH (m)-[:EVALUATED_ON]->(d:Dataset) "
            "OPTIONAL MATCH (m)-[:MEASURES]->(measured:Model) "
            "WITH uid, m.name AS name, d.uid AS dataset, m.split AS split, "
            "measured.uid AS model, collect(DISTINCT m.uid) AS metrics WHERE size(metrics) > 1 "
            "RETURN uid, name, dataset, split, model, metrics",
            uids=page,
        )
        for row in rows:
            metrics = sorted(row["metrics"])
            keys = [key for key in ("dataset", "split", "model") if row[key] is not None]
            details = "".join(f", {key} {row[key]!r}" for key in keys)
            problem = (
                f"Experiment {row['uid']!r} has {len(metrics)} metrics {row['name']!r}"
                f"{details}: {', '.join(map(repr, metrics))}"
            )
            uids = (row["uid"], *metrics)
            yield Finding("duplicate_metric", "Metric", uids, problem, "delete all but one")
