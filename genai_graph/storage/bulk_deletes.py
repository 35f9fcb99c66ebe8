"""Deleting many nodes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.database import match_uid, query, quote_name
from genai_graph.errors import ProtectedError
from genai_graph.registry import INCOMING
from genai_graph.storage.batching import batched

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from genai_graph.registry import EdgeType

_LISTED = 5  # uids in the error for protected nodes


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


def refuse_protected(label: str, uids: Iterable[str]) -> None:
    """Raise `ProtectedError` if nodes other than these depend on one of them."""
    deleted = list(uids)
    for relationship in INCOMING[label].values():
        if getattr(relationship, "protects", False):
            dependents = _dependents(relationship.edge_type, deleted)
            if dependents:
                _raise_protected(relationship.edge_type, dependents)


def _dependents(edge_type: EdgeType, targets: list[str]) -> list[tuple[str, str]]:
    """Return (source, target) of edges from nodes that are not deleted as well."""
    deleted = set(targets) if edge_type.source == edge_type.target else set()
    pattern = edge_type.pattern_from(by_source=False)
    pairs: dict[tuple[str, str], Any] = {}
    for batch in batched(targets):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('b', edge_type.target, 'uid')} "
            f"MATCH {pattern} RETURN DISTINCT a.uid AS source, uid AS target",
            uids=batch,
        )
        pairs |= {(row["source"], row["target"]): None for row in rows}
    return sorted(pair for pair in pairs if pair[0] not in deleted)


def _raise_protected(edge_type: EdgeType, dependents: list[tuple[str, str]]) -> None:
    targets = sorted({target for _, target in dependents})
    sources = sorted({source for source, _ in dependents})
    listed = ", ".join(map(repr, sources[:_LISTED])) + ", ..." * (len(sources) > _LISTED)
    raise ProtectedError(
        f"{edge_type.target} {targets[0]!r}"
        + (f" and {len(targets) - 1:,} more" if len(targets) > 1 else "")
        + f" can't be deleted, other nodes depend on it: {len(sources):,} {edge_type.source} by "
        f"{edge_type.type} ({listed}): delete these first, or call delete(force=True)"
    )
