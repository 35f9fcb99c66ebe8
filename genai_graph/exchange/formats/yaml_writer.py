"""YAML, written: a document for hands, node by node as the records come.

A record of an edge follows its source. A metric stands under its experiment: its record follows
the edge to it and its own edges. What is written is read the same by YAML 1.1 and 1.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from genai_graph.exchange.formats.building import FORMAT
from genai_graph.exchange.formats.records import EdgeRecord
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.literals import yaml_entry, yaml_string
from genai_graph.registry import EDGES, NODES, OUTGOING, properties_of

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import NodeRecord
    from genai_graph.registry import EdgeType


_LINES = 100
_NAMES = {rel.edge_type: name for rels in OUTGOING.values() for name, rel in rels.items()}


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as a YAML document."""
    for line in _Document().lines(records):
        stream.write(f"{line}\n".encode())


class _Document:
    """Where the document stands: in which section, at which attribute and metric of a node."""

    def __init__(self) -> None:
        self._label: str | None = None
        self._kind: EdgeType | None = None
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
        yield yaml_entry(2, record.uid, "")
        for name, text in _values(NODES[record.label], record.given):
            yield f"    {name}: {text}"

    def _edge(self, record: EdgeRecord) -> Iterator[str]:
        kind = record.edge_type
        if self._owned is not None:
            self._of_owned.append(record)
            return
        if kind is not self._kind:
            yield f"    {_NAMES[kind]}:"
            self._kind, self._metric = kind, None
        if kind.single_source:
            self._owned, self._of_owned = record, []
        else:
            yield yaml_entry(6, record.target, _flow_map(record))

    def _part(self, owner: EdgeRecord, record: NodeRecord) -> Iterator[str]:
        """Write a metric under its name, as an item of a list: there may be several of the name."""
        self._owned = None
        name = record.given["name"]
        if name != self._metric:
            yield yaml_entry(6, name, "")
            self._metric = name
        dash = "- "
        for key, text in self._of_part(owner, record):
            yield f"        {dash}{key}: {text}"
            dash = "  "

    def _of_part(self, owner: EdgeRecord, record: NodeRecord) -> Iterator[tuple[str, str]]:
        given = record.given
        dataset = self._of_owned[0].target if self._of_owned else None
        derived = metric_uid(owner.source, given["name"], dataset, given.get("split"))
        if record.uid != derived:
            yield "uid", yaml_string(record.uid)
        for edge in self._of_owned:
            yield _NAMES[edge.edge_type], yaml_string(edge.target)
        values = {name: value for name, value in given.items() if name != "name"}
        yield from _values(NODES[record.label], values)


def _flow_map(record: EdgeRecord) -> str:
    values = _values(EDGES[record.edge_type], record.given)
    return "{" + ", ".join(f"{name}: {text}" for name, text in values) + "}"


def _values(cls: Any, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known = properties_of(cls)
    for name, value in given.items():
        yield name, "null" if value is None else known[name].to_yaml(value)
