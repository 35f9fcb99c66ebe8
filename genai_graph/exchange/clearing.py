"""Deleting the graph in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.database import indexes
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.registry import NODES
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.exclusive_nodes import ExclusiveNodes
from genai_graph.storage.lookups import count_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_graph.exchange.progress import Progress


def count_clearable() -> dict[str, int]:
    """Return the number of nodes of each label that `clear` would delete."""
    return _counts(ExclusiveNodes().count)


def count_remaining() -> dict[str, int]:
    """Return the number of nodes of each label, for example after `clear`."""
    return _counts(count_nodes)


def _counts(count: Callable[[str], int]) -> dict[str, int]:
    return {label: number for label in NODES if (number := count(label))}


def clear(*, batch_size: int = BATCH_ROWS, progress: Progress = NO_PROGRESS) -> dict[str, int]:
    """Delete the nodes of the models with their edges; return the number of each label.

    Nodes that another application uses, too, are kept: those with another label, an undeclared
    property, an edge of another type, or without a uid (see `ExclusiveNodes`).

    Each batch is a transaction of at most `batch_size` nodes and 64 MiB. After an interruption,
    calling it again deletes the rest. Labels are deleted in the order of the models, so that the
    edges of hubs (projects and datasets) are deleted with the hub, without searching for them.
    """
    nodes = ExclusiveNodes()
    counts = _counts(nodes.count)
    if not counts:
        return {}
    deleted = dict.fromkeys(counts, 0)
    progress.start("deleting", sum(counts.values()))
    with indexes.without_indexes(NODES.values()):
        for label in counts:
            for count in nodes.delete(label, batch_size):
                deleted[label] += count
                progress.advance(count)
    return deleted
