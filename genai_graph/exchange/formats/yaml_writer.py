"""YAML, written: a document for hands, node by node as the records come.

A record of an edge follows its source. A metric stands under its experiment: its record follows
the edge to it and its own edges. What is written is read the same by YAML 1.1 and 1.2.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import IO, Any

import msgspec

from genai_graph.exchange.records import EdgeRecord, NodeRecord
from genai_graph.exchange.validation import FORMAT
from genai_graph.models import EDGES, NODES, OUTGOING, identity
from genai_graph.models.checking import properties_of
from genai_graph.models.properties import JSONProperty
from genai_graph.models.store import EdgeKind, bounded

_LINES = 100
# Text that no version of YAML takes for anything else; `no`, `y` or `null` would be.
_PLAIN = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)\Z)[a-z][a-z0-9_./@+-]*\Z", re.IGNORECASE | re.ASCII
)
# What YAML does not print, or what ends a line for some of its readers.
_UNPRINTED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
# A longer key needs a question mark before it.
_SIMPLE_KEY = 1_000
_NAMES = {rel.kind: name for rels in OUTGOING.values() for name, rel in rels.items()}


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as a YAML document."""
    for batch in bounded(_Document().lines(records), _LINES):
        stream.write("".join(f"{line}\n" for line in batch).encode())


class _Document:
    """Where the document stands: in which section, at which attribute and metric of a node."""

    def __init__(self) -> None:
        self._label: str | None = None
        self._kind: EdgeKind | None = None
        self._metric: str | None = None
        self._owned: EdgeRecord | None = None
        self._of_owned: list[EdgeRecord] = []

    def lines(self, records: Iterable[NodeRecord | EdgeRecord]) -> Iterator[str]:
        yield f"format: {FORMAT}"
        for record in records:
            if isinstance(record, EdgeRecord):
                yield from self._edge(record)
            elif self._owned is not None and self._owned.target == record.uid:
                yield from self._part(self._owned, record)
            else:
                yield from self._node(record)

    def _node(self, record: NodeRecord) -> Iterator[str]:
        if record.label != self._label:
            yield f"{record.label}:"
            self._label = record.label
        self._kind = None
        yield _entry(2, record.uid, "")
        for name, text in _values(NODES[record.label], record.given):
            yield f"    {name}: {text}"

    def _edge(self, record: EdgeRecord) -> Iterator[str]:
        kind = record.kind
        if self._owned is not None:
            self._of_owned.append(record)
            return
        if kind is not self._kind:
            yield f"    {_NAMES[kind]}:"
            self._kind, self._metric = kind, None
        if kind.one_source:
            self._owned, self._of_owned = record, []
        else:
            yield _entry(6, record.target, _flow_map(record))

    def _part(self, owner: EdgeRecord, record: NodeRecord) -> Iterator[str]:
        """Write a metric under its name, as an item of a list: there may be several of the name."""
        self._owned = None
        name = record.given["name"]
        if name != self._metric:
            yield _entry(6, name, "")
            self._metric = name
        dash = "- "
        for key, text in self._of_part(owner, record):
            yield f"        {dash}{key}: {text}"
            dash = "  "

    def _of_part(self, owner: EdgeRecord, record: NodeRecord) -> Iterator[tuple[str, str]]:
        given = record.given
        dataset = self._of_owned[0].target if self._of_owned else None
        derived = identity.metric(owner.source, given["name"], dataset, given.get("split"))
        if record.uid != derived:
            yield "uid", _text(record.uid)
        for edge in self._of_owned:
            yield _NAMES[edge.kind], _text(edge.target)
        values = {name: value for name, value in given.items() if name != "name"}
        yield from _values(NODES[record.label], values)


def _entry(indent: int, key: str, value: str) -> str:
    """Return a line of a map; YAML has another form for a key that is very long."""
    space, text = " " * indent, _text(key)
    value = value and f" {value}"
    if len(text) > _SIMPLE_KEY:
        return f"{space}? {text}\n{space}:{value}"
    return f"{space}{text}:{value}"


def _flow_map(record: EdgeRecord) -> str:
    values = _values(EDGES[record.kind], record.given)
    return "{" + ", ".join(f"{name}: {text}" for name, text in values) + "}"


def _values(cls: Any, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = properties_of(cls)
    for name, value in given.items():
        is_json = isinstance(known[name], JSONProperty) and value is not None
        yield name, _flow(json.loads(value) if is_json else value)


def _flow(value: Any) -> str:
    """Return a value in one line."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow_key(key)}: {_flow(value[key])}" for key in value) + "}"
    return msgspec.json.encode(value).decode()


def _flow_key(key: str) -> str:
    text = _text(key)
    return f"? {text} " if len(text) > _SIMPLE_KEY else text


def _float(value: float) -> str:
    """Return a number with a point, without which YAML 1.1 takes 1e-05 for a text."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")


def _text(value: str) -> str:
    """Return a text, quoted as in JSON unless it is plain."""
    if _PLAIN.match(value):
        return value
    quoted = msgspec.json.encode(value).decode()
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04X}", quoted)
