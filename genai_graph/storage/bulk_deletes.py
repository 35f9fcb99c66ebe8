"""Deleting many nodes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.database import match_uid, query, quote_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genai_graph.registry import EdgeType


def delete_nodes(label: str, uids: Sequence[str]) -> int:
    """Delete nodes and their edges; return their number."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        "DETACH DELETE n RETURN count(*) AS count",
        write=True,
        uids=list(uids),
    )
    return int(rows[0]["count"])


def delete_targets(edge_type: EdgeType, sources: Sequence[str]) -> int:
    """Delete the nodes at the other ends of the edges of some nodes; return their number."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('a', edge_type.source, 'uid')} "
        f"MATCH (a)-[:{quote_name(edge_type.type)}]->(b:{quote_name(edge_type.target)}) "
        "WITH DISTINCT b DETACH DELETE b RETURN count(*) AS count",
        write=True,
        uids=list(sources),
    )
    return int(rows[0]["count"])
