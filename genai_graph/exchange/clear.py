"""Clearing: all nodes of our kinds out of the graph, in batches."""

from __future__ import annotations

from genai_graph.database import indexes
from genai_graph.exchange.progress import QUIET, Progress
from genai_graph.models import NODES, store
from genai_graph.models.store import BATCH


def filled() -> dict[str, int]:
    """Return the number of nodes of each label that has any."""
    counts = {label: store.count_nodes(label) for label in NODES}
    return {label: count for label, count in counts.items() if count}


def clear(*, batch_size: int = BATCH, progress: Progress = QUIET) -> dict[str, int]:
    """Delete the nodes of our five kinds with their edges; return how many of each label.

    Each batch is a transaction: when it is cut short, doing it again deletes the rest. Projects
    and datasets go first: with them goes an edge of a hub at once, without a search for it.
    """
    counts = filled()
    if not counts:
        return {}
    deleted = dict.fromkeys(counts, 0)
    progress.start("deleting", sum(counts.values()))
    with indexes.suspended(NODES.values()):
        for label in counts:
            while count := store.delete_batch(label, batch_size):
                deleted[label] += count
                progress.advance(count)
    return deleted
