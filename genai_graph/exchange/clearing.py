"""Clearing: all nodes of our kinds out of the graph, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.database import indexes
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.registry import NODES
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.exclusive_nodes import ExclusiveNodes
from genai_graph.storage.lookups import count_nodes

if TYPE_CHECKING:
    from genai_graph.exchange.progress import Progress


def count_clearable() -> dict[str, int]:
    """Return the number of nodes of each label that a clear would delete."""
    return _filled(ExclusiveNodes())


def _filled(own: ExclusiveNodes) -> dict[str, int]:
    return _some({label: own.count(label) for label in NODES})


def count_remaining() -> dict[str, int]:
    """Return the number of nodes of each label that are there: after a clear, what it left."""
    return _some({label: count_nodes(label) for label in NODES})


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {label: count for label, count in counts.items() if count}


def clear(*, batch_size: int = BATCH_ROWS, progress: Progress = NO_PROGRESS) -> dict[str, int]:
    """Delete the nodes of our five kinds with their edges; return how many of each label.

    A node that others use too is left: one with a further label, with a property that is not of
    its class, with an edge that is none of our kinds, or without a uid.

    Each batch is a transaction, a smaller one where its values have 64 MiB: when it is cut short,
    doing it again deletes the rest. Projects and datasets go first: with them goes an edge of a hub
    at once, without a search for it.
    """
    own = ExclusiveNodes()
    counts = _filled(own)
    if not counts:
        return {}
    deleted = dict.fromkeys(counts, 0)
    progress.start("deleting", sum(counts.values()))
    with indexes.without_indexes(NODES.values()):
        for label in counts:
            for count in own.delete(label, batch_size):
                deleted[label] += count
                progress.advance(count)
    return deleted
