"""The dialect of `neo4j-admin database import`: which files a graph is, and their columns.

A file for each label and for each kind of edge, derived from the model classes. What the dialect
can't say stands in one more column, `exact:IGNORE`, which neo4j-admin skips: a map in JSON of
properties whose values hold whatever their own cells say.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.registry import EDGES, NODES, properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_graph.properties.types import Property
    from genai_graph.registry import EdgeType


EXACT = "exact"


class CsvSchema(NamedTuple):
    """One file: its name, what its rows are, its key columns, and its properties."""

    name: str
    of: str | EdgeType
    keys: tuple[str, ...]
    properties: Mapping[str, Property[Any]]

    @property
    def record(self) -> type[NodeRecord | EdgeRecord]:
        """The class of the records that the rows become."""
        return NodeRecord if isinstance(self.of, str) else EdgeRecord

    @property
    def header(self) -> list[str]:
        """The columns as they are written."""
        typed = (f"{name}:{prop.csv_types[0]}" for name, prop in self.properties.items())
        return [*self.keys, *typed, f"{EXACT}:IGNORE"]


@functools.cache
def csv_schemas() -> dict[str | EdgeType, CsvSchema]:
    """Return all files, nodes first, by label and by kind of edge."""
    return {**{label: _node_sheet(label) for label in NODES}, **{k: _edge_sheet(k) for k in EDGES}}


def _node_sheet(label: str) -> CsvSchema:
    known = properties_of(NODES[label])
    rest = {name: prop for name, prop in known.items() if name != "uid"}
    return CsvSchema(f"{label}.csv", label, (f"uid:ID({label})",), rest)


def _edge_sheet(kind: EdgeType) -> CsvSchema:
    keys = (f":START_ID({kind.source})", f":END_ID({kind.target})")
    name = f"{kind.source}-{kind.type}-{kind.target}.csv"
    return CsvSchema(name, kind, keys, properties_of(EDGES[kind]))
