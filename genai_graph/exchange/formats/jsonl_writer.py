"""JSON Lines, written: the header, then a line for each record, in the order they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

import msgspec

from genai_graph.exchange.formats.building import FORMAT
from genai_graph.exchange.formats.json_encoding import encodable_values
from genai_graph.exchange.formats.records import NodeRecord
from genai_graph.registry import EDGES, NODES
from genai_graph.storage.batching import batch_by_size

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import EdgeRecord


_LINES = 100


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as JSON Lines."""
    encode = msgspec.json.Encoder().encode_lines
    stream.write(encode([{"format": FORMAT}]))
    for batch in batch_by_size(records, _LINES):
        stream.write(encode([_line(record) for record in batch]))


def _line(record: NodeRecord | EdgeRecord) -> dict[str, Any]:
    if isinstance(record, NodeRecord):
        props = encodable_values(NODES[record.label], record.given)
        return {"node": record.label, "uid": record.uid, "props": props}
    kind = record.edge_type
    line = {
        "edge": kind.type,
        "from": [kind.source, record.source],
        "to": [kind.target, record.target],
    }
    return {**line, "props": encodable_values(EDGES[kind], record.given)} if record.given else line
