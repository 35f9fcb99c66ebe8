"""Nodes that no other application uses, in a shared database.

A node with a label of the models is exclusive if it has a uid and nothing that the models do not
declare: no other label, no other property, and no edge of another type or to another label.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from genai_graph.database import count_in_transaction, match_uid, query, quote_name
from genai_graph.registry import NODES, edge_type_names, properties_of
from genai_graph.storage.batching import TRANSACTION_BYTES, chunk_by_size
from genai_graph.storage.columns import json_names, prefixes
from genai_graph.storage.scans import size_expression

_HAS_UID = "n.uid > ''"
_IS_DECLARED = (
    "all(key IN keys(n) WHERE key IN $properties "
    "OR any(prefix IN $prefixes WHERE key STARTS WITH prefix))"
)
_IS_ISOLATED = (
    "AND all(label IN labels(n) WHERE label IN $labels) AND NOT EXISTS { MATCH (n)-[r]-(m) "
    "WHERE NOT type(r) IN $types OR none(label IN labels(m) WHERE label IN $labels) }"
)


class ExclusiveNodes:
    """The exclusive nodes of the graph."""

    def __init__(self) -> None:
        self._types = edge_type_names()
        # Checking labels and edges is slow, and most databases have no other labels and types.
        self._condition = f"{_IS_DECLARED} {_IS_ISOLATED}" if self._is_shared() else _IS_DECLARED

    def count(self, label: str) -> int:
        """Return the number of exclusive nodes of a label."""
        found = query(
            f"MATCH (n:{quote_name(label)}) WHERE {_HAS_UID} AND {self._condition} "
            "RETURN count(n) AS count",
            self._parameters(label),
        )
        return int(found[0]["count"])

    def delete(self, label: str, batch_size: int) -> Iterator[int]:
        """Delete the nodes of a label with their edges; yield the number of each batch.

        Each batch is a transaction of at most `batch_size` nodes and `TRANSACTION_BYTES`.
        """
        while sizes := self._sizes(label, batch_size):
            for batch in chunk_by_size(sizes, sizes.values(), TRANSACTION_BYTES):
                yield count_in_transaction(partial(self._delete_batch, label, batch))

    def _sizes(self, label: str, limit: int) -> dict[str, int]:
        """Return the uids of some nodes with their sizes in bytes, roughly."""
        found = query(
            f"MATCH (n:{quote_name(label)}) WHERE {_HAS_UID} AND {self._condition} "
            f"WITH n LIMIT $limit RETURN collect([n.uid, {size_expression(label)}]) AS sizes",
            {**self._parameters(label), "limit": limit},
        )
        return dict(found[0]["sizes"])

    def _delete_batch(self, label: str, uids: list[str]) -> int:
        # By uid: if the connection is lost in the commit, the same nodes are deleted, not others.
        # Without _HAS_UID: Neo4j may use the index for that condition, and scan a label per uid.
        deleted = query(
            f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} WHERE {self._condition} "
            "DETACH DELETE n RETURN count(*) AS count",
            {**self._parameters(label), "uids": uids},
            write=True,
        )
        return int(deleted[0]["count"])

    def _is_shared(self) -> bool:
        labels = {row["label"] for row in query("CALL db.labels()")}
        types = {row["relationshipType"] for row in query("CALL db.relationshipTypes()")}
        return not (labels <= NODES.keys() and types <= {*self._types})

    def _parameters(self, label: str) -> dict[str, Any]:
        properties = list(properties_of(NODES[label]))
        return {
            "properties": properties,
            "prefixes": prefixes(json_names(label)),
            "labels": list(NODES),
            "types": self._types,
        }
