"""A graph to measure with: the file, and the same rows ready in memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import graph
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, with_uid_fields
from genai_graph.registry import EdgeType

Values = dict[str, Any]


@dataclass
class Sample:
    """The nodes by label as (uid, properties), the edges by kind as (source, target, properties).

    The values are as the database keeps them.
    """

    path: Path
    entities: int
    nodes: dict[str, list[tuple[str, Values]]]
    edges: dict[EdgeType, list[tuple[str, str, Values]]]

    def without_edges(self) -> Sample:
        """Return the nodes alone."""
        return Sample(self.path, sum(map(len, self.nodes.values())), self.nodes, {})


def written(folder: Path, entities: int) -> Path:
    """Return the file of a graph, written when it is not there yet."""
    path = folder / f"{entities}.jsonl"
    if not path.exists():
        graph.write(path, entities)
    return path


def read(path: Path, entities: int) -> Sample:
    """Read a graph into memory."""
    sample = Sample(path, entities, defaultdict(list), defaultdict(list))
    with path.open("rb") as lines:
        for record in jsonl.records(lines, path.name):
            if isinstance(record, NodeRecord):
                sample.nodes[record.label].append((record.uid, with_uid_fields(record)))
            elif isinstance(record, EdgeRecord):
                sample.edges[record.edge_type].append((record.source, record.target, record.given))
            else:
                raise TypeError(record)
    return sample
