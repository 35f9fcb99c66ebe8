"""Journals: JSON Lines that a run appends to while it logs.

The header of a journal has the key ``journal``. Unlike in other fixtures, a node may occur several
times: its values are merged, later ones last. A line may also add a point to a metric::

    {"point": "run-7/loss", "value": 0.25, "step": 3}

An edge is followed by the node that it needs, so that edges at the end of a file are known to be
incomplete.
"""

from __future__ import annotations

import json
import logging
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from genai_graph.exchange.formats.records import EdgeRecord, JournalNode, NodeRecord, PointsRecord
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.rows import estimate_size

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import Record

JOURNAL = "journal"  # key of the header
POINTS_ERROR = 'points are read in journals only: add "journal": {} to the header'
# The end of a line that could not be written completely, such as on a full disk.
CANCELLED = b"\x18\n"
_POINT_BYTES = 16
_HISTORY = ("steps", "values", "step", "value")
_log = logging.getLogger("genai_graph")


def complete_lines(lines: Iterable[bytes], file: str, first: int, *, warn: bool) -> Iterator[bytes]:
    """Yield lines, with blank ones in place of those that were not written completely."""
    for number, line in enumerate(lines, first):
        if line.endswith(CANCELLED):
            yield b"\n"
        elif line.endswith(b"\n"):
            yield line
        elif warn:
            _log.warning("%s:%d: the last line is incomplete: skipped", file, number)


def merge_journal(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the errors of a journal, then its nodes and edges, each once."""
    journal = _Journal()
    for record in records:
        if isinstance(record, PointsRecord):
            journal.add_points(record)
        elif isinstance(record, NodeRecord):
            journal.add_node(record)
        elif isinstance(record, EdgeRecord):
            journal.add_edge(record)
        else:
            yield record
    yield from journal.nodes()
    yield from journal.edges.values()


class _Journal:
    """The nodes, edges and histories of a journal; a point takes 16 bytes."""

    def __init__(self) -> None:
        self.edges: dict[tuple[Any, ...], EdgeRecord] = {}
        self._nodes: dict[tuple[str, str], NodeRecord] = {}
        self._histories: dict[str, _History] = {}
        self._group: list[EdgeRecord] = []  # the edges since the last node or point

    def add_node(self, record: NodeRecord) -> None:
        """Add a node, or merge its values with those of the same node before."""
        self._end_group()
        given = record.given
        if record.label == "Metric" and given.get("steps"):
            history = self._histories.setdefault(record.uid, _History(record))
            history.extend(given["steps"], given["values"])
            given = {name: value for name, value in given.items() if name not in _HISTORY}
        key = (record.label, record.uid)
        known = self._nodes.get(key)
        first = record if known is None else known
        if known is not None:
            given = {**known.given, **merge_values(record.label, known.given, given)}
        self._nodes[key] = NodeRecord(
            record.uid, given, estimate_size(given), record.label, first.file, first.line
        )

    def add_points(self, record: PointsRecord) -> None:
        """Add points to the history of a metric."""
        self._end_group()
        history = self._histories.get(record.uid)
        if history is None:
            history = self._histories[record.uid] = _History(record)
        history.extend(record.steps, record.values)

    def add_edge(self, record: EdgeRecord) -> None:
        """Add an edge, which counts once a node or a point follows."""
        self._group.append(record)

    def _end_group(self) -> None:
        for record in self._group:
            edge_type = record.edge_type
            ends = (record.source, record.target)
            self.edges[(edge_type, *ends, *edge_type.key_of(record.given))] = record
        self._group.clear()

    def nodes(self) -> Iterator[JournalNode]:
        """Yield the merged nodes, metrics with their histories."""
        for (label, uid), node in self._nodes.items():
            history = self._histories.pop(uid, None) if label == "Metric" else None
            steps, values = ([], []) if history is None else history.sorted()
            given = node.given
            if history is not None:
                given = {name: value for name, value in given.items() if name not in _HISTORY}
            size = node.size + _POINT_BYTES * len(steps)
            yield JournalNode(uid, given, size, label, node.file, node.line, steps, values)
        for uid, history in self._histories.items():  # of metrics declared before this journal
            steps, values = history.sorted()
            size = _POINT_BYTES * len(steps)
            yield JournalNode(uid, {}, size, "Metric", history.file, history.line, steps, values)


class _History:
    """The points of a metric in the order of the file."""

    def __init__(self, first: NodeRecord | PointsRecord) -> None:
        self.file, self.line = first.file, first.line
        self._steps, self._values = array("q"), array("d")
        self._is_sorted = True

    def extend(self, steps: list[int], values: list[float]) -> None:
        """Add points."""
        if self._is_sorted:
            before = self._steps[-1] if self._steps else steps[0] - 1
            for step in steps:
                if step <= before:
                    self._is_sorted = False
                    break
                before = step
        self._steps.extend(steps)
        self._values.extend(values)

    def sorted(self) -> tuple[list[int], list[float]]:
        """Return the steps, ascending, and the last value of each."""
        if self._is_sorted:
            return self._steps.tolist(), self._values.tolist()
        by_step = dict(zip(self._steps, self._values, strict=True))
        steps = sorted(by_step)
        return steps, [by_step[step] for step in steps]


def merge_values(label: str, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given database values, merged with those before: maps by key, tags by name."""
    known = properties_of(NODES[label])
    return {
        name: _merge(known[name].is_json, name, before.get(name), value)
        for name, value in given.items()
    }


def _merge(is_json: bool, name: str, before: Any, value: Any) -> Any:
    if before is None or value is None:
        return value
    if name == "tags":
        names = {tag.partition("=")[0] for tag in value}
        return [*(tag for tag in before if tag.partition("=")[0] not in names), *value]
    if not is_json:
        return value
    try:
        old, new = json.loads(before), json.loads(value)
    except ValueError:  # encrypted
        return value
    if not isinstance(old, dict) or not isinstance(new, dict):
        return value
    return properties_of(NODES["Experiment"])["parameters"].to_db({**old, **new})
