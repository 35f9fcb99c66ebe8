"""Writing the nodes of journals: values are merged with the stored ones, points with histories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genai_graph.database import atomic
from genai_graph.errors import TransientError
from genai_graph.exchange.formats.journal import merge_values
from genai_graph.exchange.formats.records import JournalNode, NodeRecord, with_uid_fields
from genai_graph.metric_history import MetricHistory
from genai_graph.storage.histories import (
    History,
    append_histories,
    lock_histories,
    read_histories,
    replace_histories,
)
from genai_graph.storage.nodes import insert_nodes, merge_nodes
from genai_graph.storage.rows import WriteCounts, values_equal


def has_journal_nodes(rows: Iterable[NodeRecord]) -> bool:
    """Return whether one of the nodes is from a journal."""
    return any(type(row) is JournalNode for row in rows)


def merge_journal_nodes(label: str, rows: Sequence[NodeRecord]) -> WriteCounts:
    """Create or update nodes, some of which are from a journal; return the counts."""
    with_points = [row for row in rows if isinstance(row, JournalNode) and row.steps]
    uids = {row.uid for row in with_points}
    with atomic():
        counts = merge_nodes(
            label, [row for row in rows if row.uid not in uids], with_uid_fields, _reconcile
        )
        if with_points:
            counts.add(_merge_metrics(label, with_points))
    return counts


def _merge_metrics(label: str, rows: Sequence[JournalNode]) -> WriteCounts:
    last = lock_histories(label, [row.uid for row in rows])
    new = [row for row in rows if row.uid not in last]
    counts = insert_nodes(label, new, with_uid_fields) if new else WriteCounts()
    if counts.created < len(new):  # the history of an existing one was not read
        raise TransientError(f"a {label} was created by another client: try again")
    points = {row.uid: (row.steps, row.values) for row in rows}
    later = {
        uid: history
        for uid, history in points.items()
        if (step := last.get(uid)) is None or history[0][0] > step
    }
    others = {uid: history for uid, history in points.items() if uid not in later}
    merged = _merge_histories(label, others) if others else {}
    is_changed = (later.keys() & last.keys()) | merged.keys()
    counts.changed += len(is_changed)
    changed = [row for row in rows if row.uid in is_changed and row.given]
    if changed:
        merge_nodes(label, changed, with_uid_fields, _reconcile)
    unchanged = [row for row in rows if row.uid in others and row.uid not in merged]
    if unchanged:
        counts.add(merge_nodes(label, unchanged, with_uid_fields, _reconcile))
    if merged:
        replace_histories(label, merged)
    append_histories(label, later)
    return counts


def _merge_histories(label: str, points: Mapping[str, History]) -> dict[str, History]:
    """Return the stored histories with points added or replaced, as far as they change."""
    changed = {}
    for uid, stored in read_histories(label, points).items():
        history = MetricHistory(dict(zip(*points[uid], strict=True))).merged_into(stored)
        steps = sorted(history.by_step)
        values = [history.by_step[step] for step in steps]
        if steps != stored["steps"] or not values_equal(stored["values"], values):
            changed[uid] = steps, values
    return changed


def _reconcile(record: NodeRecord, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the values to write to a stored node."""
    if not isinstance(record, JournalNode):
        return record.given
    return merge_values(record.label, stored, record.given)
