"""Cypher, written: statements that cypher-shell runs, and any client of Neo4j.

First the unique keys; then literal rows, merged by uid. No value can leave its quotes:
a string is written as JSON writes it, which Cypher reads the same way.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import IO, Any

import msgspec

from genai_graph.database import quote
from genai_graph.database.indexes import UNIQUENESS, declared
from genai_graph.exchange.records import EdgeRecord, NodeRecord, group_of, weight
from genai_graph.models import NODES
from genai_graph.models.store import EdgeKind, bounded
from genai_graph.shown import non_finite

_ROWS = 500


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as Cypher statements."""
    for index in declared(NODES.values()):
        if index.type == UNIQUENESS:  # merging needs it; `schema install` makes the others
            stream.write(f"{index.cypher()}\n".encode())
    for group, members in itertools.groupby(records, group_of):
        for batch in bounded(members, _ROWS, weight):
            stream.write(f"{_statement(group, batch)};\n".encode())


def _statement(group: str | EdgeKind, batch: Iterable[NodeRecord | EdgeRecord]) -> str:
    rows = "UNWIND [\n" + ",\n".join(map(_row, batch)) + "\n] AS row\n"
    if isinstance(group, str):
        return f"{rows}MERGE (n:{quote(group)} {{uid: row[0]}}) SET n += row[1]"
    return f"{rows}{group.ends} MERGE {group.pattern} SET r += row[2]"


def _row(record: NodeRecord | EdgeRecord) -> str:
    if isinstance(record, NodeRecord):
        return f"[{_text(record.uid)}, {_map(record.given)}]"
    return f"[{_text(record.source)}, {_text(record.target)}, {_map(record.given)}]"


def _map(given: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{quote(name)}: {_value(value)}" for name, value in given.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return f"datetime({_text(value.isoformat())})"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'toFloat("{non_finite(value)}")'  # NaN alone is a variable on the embedded engine
    return _text(value)


def _text(value: Any) -> str:
    """Return a string, a number, true, false or null as JSON has it: Cypher has it the same."""
    return msgspec.json.encode(value).decode()
