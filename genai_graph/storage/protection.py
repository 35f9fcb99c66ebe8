"""Protection from deletion: the nodes that depend on others, such as models on datasets.

A relationship declared with `protects` makes the nodes at its sources dependents of its target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from genai_graph.database import match_uid, query
from genai_graph.errors import ProtectedError
from genai_graph.registry import INCOMING, EdgeType
from genai_graph.storage.batching import batched

_LISTED = 5  # uids in an error, per edge type


class Dependents(NamedTuple):
    """Nodes that depend on others by one edge type: their number, and the first uids in order."""

    edge_type: EdgeType
    total: int
    uids: list[str]

    def __str__(self) -> str:
        more = ", ..." if self.total > len(self.uids) else ""
        listed = ", ".join(map(repr, self.uids))
        return f"{self.total:,} {self.edge_type.source} by {self.edge_type.type} ({listed}{more})"


def dependents(label: str, uids: Collection[str]) -> list[Dependents]:
    """Return the nodes that depend on any of some nodes, and are not among them themselves.

    There is one entry per edge type with dependents. Costs one statement per protecting edge type
    and batch of uids.
    """
    found = []
    for edge_type in _protecting_types(label):
        sources: set[str] = set()
        for page in _sources(edge_type, uids):
            sources.update(page)
        if edge_type.source == label:
            sources.difference_update(uids)
        if sources:
            found.append(Dependents(edge_type, len(sources), sorted(sources)[:_LISTED]))
    return found


def refuse_protected(label: str, uids: Collection[str]) -> None:
    """Raise `ProtectedError` if other nodes depend on any of some nodes that are to be deleted."""
    found = dependents(label, uids)
    if found:
        is_one = len(uids) == 1
        subject = f"{label} {next(iter(uids))!r}" if is_one else f"{len(uids):,} {label} nodes"
        reason = f"other nodes depend on {'it' if is_one else 'them'}: {'; '.join(map(str, found))}"
        raise ProtectedError(
            f"{subject} can't be deleted, because {reason}: delete these first, or call "
            "delete(force=True)"
        )


def _protecting_types(label: str) -> list[EdgeType]:
    return [
        relationship.edge_type for relationship in INCOMING[label].values() if relationship.protects
    ]


def _sources(edge_type: EdgeType, uids: Collection[str]) -> Iterator[list[str]]:
    for batch in batched(uids):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('b', edge_type.target, 'uid')} "
            f"MATCH {edge_type.pattern_from(by_source=False)} "
            "RETURN collect(DISTINCT a.uid) AS found",
            uids=batch,
        )
        yield rows[0]["found"]
