"""Content of the graph that the loaded node classes do not declare, and a dump would leave out."""

from __future__ import annotations

from genai_graph.database import query, quote_name
from genai_graph.registry import NODES, edge_type_names

# Nodes and edges looked at for each label and type: other applications may have millions.
_SAMPLE = 1_000


def undeclared_labels() -> list[str]:
    """Return the labels of node classes that are not loaded: nodes with a uid and timestamps."""
    labels = [row["label"] for row in query("CALL db.labels()")]
    return [label for label in sorted({*labels} - NODES.keys()) if _has_nodes(label)]


def undeclared_edge_types() -> list[str]:
    """Return the edge types between declared nodes that no loaded class declares."""
    types = [row["relationshipType"] for row in query("CALL db.relationshipTypes()")]
    unknown = sorted({*types} - {*edge_type_names()})
    return [type_ for type_ in unknown if _connects_declared(type_)]


def undeclared_content() -> list[str]:
    """Return descriptions of the labels and edge types of node classes that are not loaded."""
    nodes = [f"nodes {label}" for label in undeclared_labels()]
    return nodes + [f"edges {type_}" for type_ in undeclared_edge_types()]


def _has_nodes(label: str) -> bool:
    rows = query(
        f"MATCH (n:{quote_name(label)}) WITH n LIMIT $sample "
        "WHERE n.uid > '' AND n.created_at IS NOT NULL AND n.updated_at IS NOT NULL "
        "AND none(label IN labels(n) WHERE label IN $labels) RETURN 1 AS one LIMIT 1",
        sample=_SAMPLE,
        labels=list(NODES),
    )
    return bool(rows)


def _connects_declared(type_: str) -> bool:
    rows = query(
        f"MATCH (a)-[r:{quote_name(type_)}]->(b) WITH a, b LIMIT $sample "
        "WHERE any(label IN labels(a) WHERE label IN $labels) "
        "AND any(label IN labels(b) WHERE label IN $labels) RETURN 1 AS one LIMIT 1",
        sample=_SAMPLE,
        labels=list(NODES),
    )
    return bool(rows)
