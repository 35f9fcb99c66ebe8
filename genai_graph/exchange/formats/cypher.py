"""Cypher statements, for cypher-shell or any client of Neo4j. This format can't be loaded.

Unique constraints come first, then literal rows merged by uid. Strings are JSON strings, which
Cypher reads the same way, so no value can end its quotes and become part of the statement.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

from genai_graph.database import quote_name
from genai_graph.database.indexes import UNIQUENESS, declared
from genai_graph.exchange.formats.records import NodeRecord, group_key
from genai_graph.properties.literals import json_literal
from genai_graph.registry import EDGES, NODES, properties_of
from genai_graph.storage.batching import batch_by_size
from genai_graph.storage.columns import json_names, to_columns

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import EdgeRecord
    from genai_graph.registry import EdgeType


_BATCH_ROWS = 500


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as Cypher statements."""
    for index in declared(NODES.values()):
        if index.type == UNIQUENESS:  # MERGE needs these; `schema install` creates the others
            stream.write(f"{index.cypher()}\n".encode())
    for group, members in itertools.groupby(records, group_key):
        for batch in batch_by_size(members, _BATCH_ROWS):
            stream.write(f"{_statement(group, batch)};\n".encode())


def _statement(group: str | EdgeType, batch: Iterable[NodeRecord | EdgeRecord]) -> str:
    rows = "UNWIND [\n" + ",\n".join(map(_row, batch)) + "\n] AS row\n"
    if isinstance(group, str):
        return f"{rows}MERGE (n:{quote_name(group)} {{uid: row[0]}}) SET n += row[1]"
    merge = group.merge("row[2]", {name: f"row[2].{quote_name(name)}" for name, _ in group.key})
    return f"{rows}{group.match_ends('row[0]', 'row[1]')} {merge}"


def _row(record: NodeRecord | EdgeRecord) -> str:
    if isinstance(record, NodeRecord):
        return f"[{json_literal(record.uid)}, {_node_map(record)}]"
    ends = f"{json_literal(record.source)}, {json_literal(record.target)}"
    return f"[{ends}, {_map(EDGES[record.edge_type], record.given)}]"


def _node_map(record: NodeRecord) -> str:
    """Return the values of a node as a Cypher map of the stored properties."""
    label, json = record.label, json_names(record.label)
    others = {name: value for name, value in record.given.items() if name not in json}
    columns = to_columns(label, {name: record.given[name] for name in json & record.given.keys()})
    values = [_map(NODES[label], others)[1:-1]]
    values += [
        f"{quote_name(column)}: {json_literal(columns[column])}" for column in sorted(columns)
    ]
    return "{" + ", ".join(filter(None, values)) + "}"


def _map(cls: Any, given: Mapping[str, Any]) -> str:
    """Return values as a Cypher map."""
    known = properties_of(cls)
    values = (
        f"{quote_name(name)}: {'null' if value is None else known[name].to_cypher(value)}"
        for name, value in given.items()
    )
    return "{" + ", ".join(values) + "}"
