"""Content of the graph that the loaded node classes do not declare, and a dump would leave out."""

from __future__ import annotations

from genai_graph.database import query, quote_name
from genai_graph.registry import NODES, edge_type_names

# Nodes and edges looked at for each label and type: other applications may have millions.
_SAMPLE = 1_000


def undeclared_content() -> list[str]:
    """Return descriptions of labels and edge types of node classes that are not loaded.

    The nodes of such a class have a uid and timestamps, and their edges may lead to declared ones.
    """
    labels = [row["label"] for row in query("CALL db.labels()")]
    types = [row["relationshipType"] for row in query("CALL db.relationshipTypes()")]
    found = [f"nodes {label}" for label in sorted({*labels} - NODES.keys()) if _has_nodes(label)]
    unknown = sorted({*types} - {*edge_type_names()})
    return found + [f"edges {type_}" for type_ in unknown if _connects_declared(type_)]


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
