"""JSON Lines, written: the header, then a line for each record, in the order they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import msgspec

from genai_graph.exchange.formats.plain import jsonable
from genai_graph.exchange.records import EdgeRecord, NodeRecord, weight
from genai_graph.exchange.validation import FORMAT
from genai_graph.models import EDGES, NODES
from genai_graph.models.store import bounded

_LINES = 100


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as JSON Lines."""
    encode = msgspec.json.Encoder().encode_lines
    stream.write(encode([{"format": FORMAT}]))
    for batch in bounded(records, _LINES, weight):
        stream.write(encode([_line(record) for record in batch]))


def _line(record: NodeRecord | EdgeRecord) -> dict[str, Any]:
    if isinstance(record, NodeRecord):
        props = jsonable(NODES[record.label], record.given)
        return {"node": record.label, "uid": record.uid, "props": props}
    kind = record.kind
    line = {
        "edge": kind.type,
        "from": [kind.source, record.source],
        "to": [kind.target, record.target],
    }
    return {**line, "props": jsonable(EDGES[kind], record.given)} if record.given else line
