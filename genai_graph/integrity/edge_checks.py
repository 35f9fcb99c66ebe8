"""Edges: how many there are, what they join, their values; and metrics that are one."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from genai_graph.database import match_uid, query, quote_name
from genai_graph.exchange.graph_reader import read_edge_page, stored_value_errors
from genai_graph.integrity.findings import Finding, UndeclaredProperties, allow_option
from genai_graph.registry import EDGES, NODES, properties_of
from genai_graph.storage.edge_rules import find_cycles
from genai_graph.storage.scans import iter_pages

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


_SOURCE, _TARGET, _VALUES = 0, 1, 2
_TYPES = sorted({kind.type for kind in EDGES})
_ANY_TYPE = "|".join(map(quote_name, _TYPES))


def findings(kind: EdgeType) -> Iterator[Finding]:
    """Yield what is wrong with the edges of a kind."""
    start = f"MATCH (:{kind.source})-[r:{kind.type}]->(:{kind.target}) SET r"
    undeclared = UndeclaredProperties(str(kind), properties_of(EDGES[kind]), start)
    onward: dict[str, set[str]] = defaultdict(set)
    near = _TARGET if kind.start_at_target else _SOURCE
    for page in iter_pages(kind.target if kind.start_at_target else kind.source):
        seen = set()
        for uid, group in itertools.groupby(read_edge_page(kind, page), key=itemgetter(near)):
            seen.add(uid)
            edges = list(group)
            yield from _at_one_node(kind, uid, edges)
            for source, target, values, _ in edges:
                undeclared.note(values, source)
                if kind.acyclic:
                    onward[source].add(target)
        if kind.single_source:
            yield from (_without_source(kind, uid) for uid in page if uid not in seen)
    yield from undeclared.findings()
    yield from _cycles(kind, onward)


def _at_one_node(kind: EdgeType, uid: str, edges: list[list[Any]]) -> Iterator[Finding]:
    """Yield what is wrong with the edges of a kind at the end that has few of them."""
    ends = [(source, target) for source, target, *_ in edges]
    for (source, target), same in itertools.groupby(sorted(ends)):
        count = len(list(same))
        if count > 1:
            yield Finding(
                "duplicate",
                str(kind),
                (source, target),
                f"{kind.source} {source!r}: {count} edges {kind.type} to {kind.target} {target!r}",
                "delete all but one of them",
            )
    for source, target, values, _ in edges:
        for name, error in stored_value_errors(EDGES[kind], values):
            where = f"{kind.source} {source!r}: {kind.type} to {target!r}: {name}"
            cure = "connect the two again with a right value"
            subject = f"{kind}.{name}"
            yield Finding("value", subject, (source, target), f"{where}: {error}", cure)
    yield from _too_many(kind, uid, ends)


def _too_many(kind: EdgeType, uid: str, ends: list[tuple[str, str]]) -> Iterator[Finding]:
    if kind.single_source:
        label, other, others = kind.target, kind.source, sorted({source for source, _ in ends})
    elif kind.single_target:
        label, other, others = kind.source, kind.target, sorted({target for _, target in ends})
    else:
        return
    if len(others) > 1:
        named = ", ".join(map(repr, others))
        problem = f"{label} {uid!r} has {len(others)} {other} where it can have one: {named}"
        cure = "disconnect all but one"
        yield Finding("count", str(kind), (uid, *others), problem, cure)


def _without_source(kind: EdgeType, uid: str) -> Finding:
    problem = f"{kind.target} {uid!r} has no {kind.source}"
    return Finding("count", str(kind), (uid,), problem, "connect it, or delete it")


def _cycles(kind: EdgeType, onward: dict[str, set[str]]) -> Iterator[Finding]:
    for circle in find_cycles(onward, sorted(onward)):
        way = " -> ".join(map(repr, circle))
        problem = f"{kind.source} {circle[0]!r}: {kind.type} goes in a circle: {way}"
        yield Finding("circle", str(kind), tuple(circle[:-1]), problem, "delete one of its edges")


def undeclared_edges(label: str) -> Iterator[Finding]:
    """Yield edges of our types at the nodes of a label that no model declares between such ends."""
    targets: dict[str, list[str]] = {type_: [] for type_ in _TYPES}
    for kind in EDGES:
        if kind.source == label:
            targets[kind.type].append(kind.target)
    start = f"UNWIND $uids AS uid {match_uid('a', label, 'uid')} MATCH (a)"
    leaving = (
        f"{start}-[r:{_ANY_TYPE}]->(b) WHERE none(one IN labels(b) WHERE one IN $targets[type(r)]) "
        "RETURN a.uid AS here, type(r) AS type, labels(b) AS labels, b.uid AS there"
    )
    # What comes from a node of ours is told there.
    coming = (
        f"{start}<-[r:{_ANY_TYPE}]-(b) WHERE none(one IN labels(b) WHERE one IN $ours) "
        "RETURN a.uid AS here, type(r) AS type, labels(b) AS labels, b.uid AS there"
    )
    for page in iter_pages(label):
        for row in query(leaving, uids=page, targets=targets):
            yield _stray(label, _other(row), row["here"], row["there"], row["type"])
        for row in query(coming, uids=page, ours=list(NODES)):
            yield _stray(_other(row), label, row["there"], row["here"], row["type"])


def _other(row: dict[str, Any]) -> str:
    """Return the label of the other end, one of ours where it has any."""
    labels = sorted(row["labels"], key=lambda one: (one not in NODES, one))
    return labels[0] if labels else ""


def _stray(source: str, target: str, here: Any, there: Any, type_: str) -> Finding:
    subject = f"{source}-{type_}->{target}"
    return Finding(
        "ends",
        subject,
        tuple(uid for uid in (here, there) if isinstance(uid, str)),
        f"{source} {here!r}: no model has an edge {type_} to {target} {there!r}",
        f"delete it, or {allow_option(subject)} if it is another program's",
    )


def duplicate_metrics() -> Iterator[Finding]:
    """Yield metrics that are one: of the same experiment, name, dataset and split."""
    for page in iter_pages("Experiment"):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('x', 'Experiment', 'uid')} "
            "MATCH (x)-[:HAS]->(m:Metric) "
            "OPTIONAL MATCH (m)-[:EVALUATED_ON]->(d:Dataset) "
            "WITH uid, m.name AS name, d.uid AS dataset, m.split AS split, "
            "collect(DISTINCT m.uid) AS metrics WHERE size(metrics) > 1 "
            "RETURN uid, name, dataset, split, metrics",
            uids=page,
        )
        for row in rows:
            metrics = sorted(row["metrics"])
            where = [f"{key} {row[key]!r}" for key in ("dataset", "split") if row[key] is not None]
            problem = (
                f"Experiment {row['uid']!r} has {len(metrics)} metrics {row['name']!r}"
                f"{''.join(f', {one}' for one in where)}: {', '.join(map(repr, metrics))}"
            )
            uids = (row["uid"], *metrics)
            yield Finding("twins", "Metric", uids, problem, "keep one, delete the others")
