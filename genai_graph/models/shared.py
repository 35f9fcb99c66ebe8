"""Graphs that others use too: which nodes are ours alone.

A node of one of our labels is ours alone when it has a uid and nothing else of others: no further
label, no property that its class does not declare, no edge of another type or to another's node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genai_graph.database import query, quote
from genai_graph.models.checking import properties_of
from genai_graph.models.portions import fitting, weight_of
from genai_graph.models.registry import EDGES, NODES
from genai_graph.models.store import TRANSACTION_BYTES

_OURS = "n.uid > '' AND all(key IN keys(n) WHERE key IN $properties)"
_ALONE = (
    "AND all(label IN labels(n) WHERE label IN $labels) AND NOT EXISTS { MATCH (n)-[r]-(m) "
    "WHERE NOT type(r) IN $types OR none(label IN labels(m) WHERE label IN $labels) }"
)


class OwnNodes:
    """The nodes that are ours alone, in the graph as it was when this was made."""

    def __init__(self) -> None:
        self._types = sorted({kind.type for kind in EDGES})
        # To look at labels and edges takes long, and in most graphs there are only ours.
        self._condition = f"{_OURS} {_ALONE}" if self._has_others() else _OURS

    def count(self, label: str) -> int:
        """Return their number."""
        found = query(
            f"MATCH (n:{quote(label)}) WHERE {self._condition} RETURN count(n) AS count",
            self._parameters(label),
        )
        return int(found[0]["count"])

    def delete(self, label: str, size: int) -> Iterator[int]:
        """Delete them with their edges, and yield how many at a time: each time is a transaction.

        They are `size`, or fewer where these have more bytes than a transaction should.
        """
        while weights := self._weights(label, size):
            for some in fitting(weights, weights, TRANSACTION_BYTES):
                yield self._delete_some(label, len(some))

    def _weights(self, label: str, size: int) -> list[int]:
        found = query(
            f"MATCH (n:{quote(label)}) WHERE {self._condition} "
            f"WITH n LIMIT $size RETURN collect({weight_of(label)}) AS weights",
            {**self._parameters(label), "size": size},
        )
        return list(found[0]["weights"])

    def _delete_some(self, label: str, size: int) -> int:
        deleted = query(
            f"MATCH (n:{quote(label)}) WHERE {self._condition} "
            "WITH n LIMIT $size DETACH DELETE n RETURN count(*) AS count",
            {**self._parameters(label), "size": size},
            write=True,
        )
        return int(deleted[0]["count"])

    def _has_others(self) -> bool:
        labels = {row["label"] for row in query("CALL db.labels()")}
        types = {row["relationshipType"] for row in query("CALL db.relationshipTypes()")}
        return not (labels <= NODES.keys() and types <= {*self._types})

    def _parameters(self, label: str) -> dict[str, Any]:
        properties = list(properties_of(NODES[label]))
        return {"properties": properties, "labels": list(NODES), "types": self._types}
