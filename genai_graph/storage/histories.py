"""The histories of metrics in the graph: reading, locking and appending points.

A history is a pair of lists, of steps and of values. Points are appended by the server, so that a
history is not transferred for each new point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from genai_graph.database.connection import current_connection
from genai_graph.database.cypher import match_uid
from genai_graph.database.transaction import execute_write, lock, query
from genai_graph.storage.batching import BATCH_ROWS, batch_by_size
from genai_graph.storage.rows import NodeRow, now

History = tuple[list[int], list[float]]
# Points of one statement: 6 MB. Each statement rewrites a history, so they are large.
SLICE_POINTS = 400_000
_POINT_BYTES = 14


def lock_histories(label: str, uids: Iterable[str]) -> dict[str, int | None]:
    """Return the last step of each existing node (None without a value at a step), by uid.

    It is the largest integer for a node with a step and no history, so that new points are merged
    with its value, and not appended. The nodes are locked until the transaction ends, as by
    `lock_node`.
    """
    is_embedded = current_connection().engine == "embedded"
    clause = "" if is_embedded else "SET n.updated_at = n.updated_at WITH n "
    rows = (query if is_embedded else lock)(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} {clause}"
        "RETURN collect([n.uid, coalesce(n.steps[-1], "
        "CASE WHEN n.step IS NOT NULL THEN $largest END)]) AS found",
        uids=list(uids),
        largest=2**63 - 1,
    )
    return dict(rows[0]["found"])


def read_histories(label: str, uids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return `uid`, `steps`, `values`, `step` and `value` of nodes, by uid."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        "RETURN n.uid AS uid, n.steps AS steps, n.values AS values, n.step AS step, "
        "n.value AS value",
        uids=list(uids),
    )
    return {row["uid"]: row for row in rows}


def replace_histories(label: str, histories: Mapping[str, History]) -> None:
    """Write whole histories, and the last point of each as its value."""
    execute_write(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} SET n.steps = null, n.values = null",
        uids=list(histories),
    )
    append_histories(label, histories)


def append_histories(label: str, histories: Mapping[str, History]) -> None:
    """Append points to histories, and set `value` and `step` to the last of them."""
    longest = max((len(steps) for steps, _ in histories.values()), default=0)
    for start in range(0, longest, SLICE_POINTS):  # one slice of each history at a time
        stop = start + SLICE_POINTS
        slices = (
            NodeRow(uid, {"row": [uid, steps[start:stop], values[start:stop]]}, _POINT_BYTES * size)
            for uid, (steps, values) in histories.items()
            if (size := min(len(steps) - start, SLICE_POINTS)) > 0
        )
        for batch in batch_by_size(slices, BATCH_ROWS):
            execute_write(
                f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
                "SET n.steps = coalesce(n.steps, []) + row[1], "
                "n.values = coalesce(n.values, []) + row[2], "
                "n.step = row[1][-1], n.value = row[2][-1], n.updated_at = $now",
                rows=[row.given["row"] for row in batch],
                now=now(),
            )
