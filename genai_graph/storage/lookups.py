"""Lookups by uid or value: nodes, existence, counts, samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.database import clamp_limit, match_uid, query, quote_name
from genai_graph.errors import NodeNotFoundError
from genai_graph.storage.columns import from_columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_graph.registry import EdgeType


def find_nodes(label: str, uids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the values of the nodes that exist, by uid."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} RETURN properties(n) AS found",
        uids=list(uids),
    )
    return {row["found"]["uid"]: from_columns(label, row["found"]) for row in rows}


def existing_uids(label: str, uids: Iterable[str]) -> set[str]:
    """Return those of the uids that exist."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} RETURN collect(uid) AS found",
        uids=list(uids),
    )
    return set(rows[0]["found"])


def raise_missing(label: str, uids: list[str]) -> None:
    """Raise `NodeNotFoundError` for the first uid that does not exist."""
    existing = existing_uids(label, uids)
    for uid in uids:
        if uid not in existing:
            raise node_missing_error(label, uid)


def node_missing_error(label: str, uid: str) -> NodeNotFoundError:
    """Return the error for a node that does not exist or no longer exists."""
    return NodeNotFoundError(f"no {label} with uid {uid!r} exists in the graph")


def count_nodes(label: str) -> int:
    """Return the number of nodes with a label."""
    return int(query(f"MATCH (n:{quote_name(label)}) RETURN count(n) AS count")[0]["count"])


def count_without_uid(label: str) -> int:
    """Return the number of nodes with a label whose uid is missing, empty or not a string."""
    # Comparing another type with a string yields null.
    rows = query(
        f"MATCH (n:{quote_name(label)}) WHERE NOT coalesce(n.uid > '', false) "
        "RETURN count(n) AS count"
    )
    return int(rows[0]["count"])


def count_edges(edge_type: EdgeType) -> int:
    """Return the number of edges of a type."""
    rows = query(f"MATCH {_any_edge(edge_type)} RETURN count(r) AS count")
    return int(rows[0]["count"])


def has_edges(edge_type: EdgeType) -> bool:
    """Return whether edges of a type exist."""
    return bool(query(f"MATCH {_any_edge(edge_type)} RETURN 1 AS one LIMIT 1"))


def _any_edge(edge_type: EdgeType) -> str:
    source, type_, target = map(quote_name, (edge_type.source, edge_type.type, edge_type.target))
    return f"(:{source})-[r:{type_}]->(:{target})"


def relationship_type_exists(type_: str) -> bool:
    """Return whether relationships of a type exist, between any labels; in constant time."""
    return bool(query(f"MATCH ()-[r:{quote_name(type_)}]->() RETURN 1 AS one LIMIT 1"))


def uids_with_prefix(label: str, prefix: str, limit: int) -> list[str]:
    """Return at most `limit` uids of a label that start with a prefix, sorted."""
    found = query(
        f"MATCH (n:{quote_name(label)}) WHERE n.uid STARTS WITH $prefix "
        "WITH n.uid AS uid LIMIT $limit RETURN collect(uid) AS uids",
        prefix=prefix,
        limit=clamp_limit(limit),
    )
    return sorted(found[0]["uids"])


def value_exists(label: str, name: str, values: list[str]) -> bool:
    """Return whether a node has one of the values of a property."""
    rows = query(
        f"UNWIND $values AS value MATCH (n:{quote_name(label)} {{{quote_name(name)}: value}}) "
        "RETURN 1 AS one LIMIT 1",
        values=values,
    )
    return bool(rows)


def sample_values(label: str, name: str, limit: int) -> list[str]:
    """Return the distinct values of a property among the first `limit` nodes of a label."""
    found = query(
        f"MATCH (n:{quote_name(label)}) WITH n.{quote_name(name)} AS value LIMIT $limit "
        "RETURN collect(DISTINCT value) AS found",
        limit=clamp_limit(limit),
    )
    return sorted(value for value in found[0]["found"] if isinstance(value, str))
