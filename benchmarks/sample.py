"""A graph to load: the file, and its rows in memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import graph
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.building import with_uid_fields
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.exchange.loader import TRANSACTION_LIMIT
from genai_graph.registry import EdgeType

Values = dict[str, Any]


@dataclass
class Sample:
    """Nodes by label as (uid, values), edges by type as (source, target, values).

    They are database values.
    """

    path: Path
    entities: int
    nodes: dict[str, list[tuple[str, Values]]]
    edges: dict[EdgeType, list[tuple[str, str, Values]]]

    @property
    def fits_one_transaction(self) -> bool:
        """Whether `load` writes it in one transaction."""
        return self.entities <= TRANSACTION_LIMIT

    def without_edges(self) -> Sample:
        """Return a sample of the nodes only."""
        return Sample(self.path, sum(map(len, self.nodes.values())), self.nodes, {})


def write_once(directory: Path, entities: int) -> Path:
    """Return the file of a graph; write it if it does not exist."""
    path = directory / f"{entities}.jsonl"
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
