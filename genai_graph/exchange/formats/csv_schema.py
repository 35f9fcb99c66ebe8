"""The files and columns of CSV fixtures, in the dialect of `neo4j-admin database import`.

One file per label and per edge type, derived from the model classes. Values that the dialect can't
represent are in an additional column, `exact:IGNORE`, which neo4j-admin skips: a JSON map of
properties, which override the properties' own cells.
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
    """One file: its name, the label or edge type of its rows, its key columns and properties."""

    name: str
    group: str | EdgeType
    keys: tuple[str, ...]
    properties: Mapping[str, Property[Any]]

    @property
    def record_class(self) -> type[NodeRecord | EdgeRecord]:
        """The class of the records in the file."""
        return NodeRecord if isinstance(self.group, str) else EdgeRecord

    @property
    def header(self) -> list[str]:
        """The columns of a dump."""
        typed = (f"{name}:{prop.csv_types[0]}" for name, prop in self.properties.items())
        return [*self.keys, *typed, f"{EXACT}:IGNORE"]

    @property
    def group_column(self) -> tuple[str, str]:
        """The optional column that repeats the label or type, and its only valid value."""
        if isinstance(self.group, str):
            return ":LABEL", self.group
        return ":TYPE", self.group.type


@functools.cache
def csv_schemas() -> dict[str | EdgeType, CsvSchema]:
    """Return the schemas of all files, nodes first, by label and edge type."""
    schemas: list[CsvSchema] = []
    for label, cls in NODES.items():
        properties = {name: prop for name, prop in properties_of(cls).items() if name != "uid"}
        schemas.append(CsvSchema(f"{label}.csv", label, (f"uid:ID({label})",), properties))
    for edge_type, model in EDGES.items():
        name = f"{edge_type.source}-{edge_type.type}-{edge_type.target}.csv"
        keys = (f":START_ID({edge_type.source})", f":END_ID({edge_type.target})")
        schemas.append(CsvSchema(name, edge_type, keys, properties_of(model)))
    return {schema.group: schema for schema in schemas}
