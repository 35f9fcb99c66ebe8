"""YAML fixtures: read as YAML 1.2 with the line of every value, and written for YAML 1.1 and 1.2.

Scalars that YAML 1.1 and 1.2 read differently are rejected, and so are anchors, tags and duplicate
keys. The reader uses PyYAML's events, not its nodes: composing nodes recurses in C, where deep
nesting would overflow the stack.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from genai_graph.exchange.formats.builders import OWNER, fixture_header
from genai_graph.exchange.formats.parsing import (
    MAX_DEPTH,
    Document,
    DocumentError,
    LocatedDict,
    LocatedList,
    parse_float,
    parse_integer,
)
from genai_graph.exchange.formats.records import EdgeRecord
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.literals import yaml_entry, yaml_string
from genai_graph.properties.messages import AmbiguousScalar
from genai_graph.registry import EDGES, NODES, OUTGOING, properties_of
from genai_graph.storage.batching import batch_by_size

if TYPE_CHECKING:
    from genai_graph.exchange.formats.records import NodeRecord
    from genai_graph.registry import EdgeType


_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NON_FINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_WORDS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_AMBIGUOUS = [
    (re.compile(r"(?:yes|no|on|off)\Z", re.IGNORECASE), "a bool in YAML 1.1"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?\Z"), "a date in YAML 1.1"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z"),
        "a base-60 number in YAML 1.1",
    ),
    (
        re.compile(r"[-+]?0[0-9]+(?:\.[0-9]*)?\Z|[-+]?0b[01_]+\Z|[-+]0[xo]\w+\Z"),
        "a number that YAML versions read differently",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9]*_[0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?\Z"),
        "a number in YAML 1.1",
    ),
]
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LEADING_TAB = re.compile(r"\s*\t")
_UNICODE_BREAK = re.compile("[\x85\u2028\u2029]")
# A plain scalar that starts with another character is a string.
_FIRST_OF_SPECIAL = frozenset("0123456789+-.~nNtTfFyYoO")

_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"
_BATCH_RECORDS = 100


# Reading


def parse(text: str) -> Document:
    """Parse a document, or raise `DocumentError` for invalid YAML."""
    if found := _UNICODE_BREAK.search(text):
        raise DocumentError(
            len(_LINE_BREAK.findall(text, 0, found.start())) + 1,
            f"U+{ord(found[0]):04X} is a line break in some versions of YAML: "
            "write it as an escape in double quotes",
        )
    return _EventReader(_events(text)).read_document()


def _events(text: str) -> Iterator[Event]:
    """Yield the events of PyYAML, and translate its errors."""
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.reader.ReaderError as error:
        # Its position is in bytes of UTF-8.
        before = text.encode()[: error.position].decode(errors="ignore")
        line = len(_LINE_BREAK.findall(before)) + 1
        raise DocumentError(line, f"character not allowed in YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = _LINE_BREAK.split(text)
        line = 1 if mark is None else min(mark.line + 1, len(lines))
        problem = error.problem or error.context
        if _LEADING_TAB.match(lines[line - 1]):
            problem = "tab in the indentation: use spaces"
        if problem and "nesting depth" in problem:  # newer versions of libyaml have a limit, too
            raise DocumentError(line, _TOO_DEEP) from None
        raise DocumentError(line, f"is not YAML: {problem}") from None


class _EventReader:
    """Builds the content of a document from events, and collects errors."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._errors: list[tuple[int, str]] = []

    def read_document(self) -> Document:
        next(self._events)  # start of the stream
        if isinstance(next(self._events), StreamEndEvent):
            return Document(None, 1, [])
        root = next(self._events)
        content = None if self._refuse_alias(root) else self._read_value(root, 0)
        next(self._events)  # end of the document
        following = next(self._events)
        if isinstance(following, DocumentStartEvent):
            self._add_error(following, "a file has one document: remove the second one")
        return Document(content, _line_of(root), self._errors)

    def _add_error(self, event: Event, message: str) -> None:
        self._errors.append((_line_of(event), message))

    def _refuse_alias(self, event: Any) -> bool:
        """Return whether an event is an alias, which is an error."""
        if not isinstance(event, AliasEvent):
            return False
        self._add_error(event, f"alias *{event.anchor} is not allowed: write out the value")
        return True

    def _read_value(self, event: Any, depth: int) -> Any:
        if event.anchor is not None:
            self._add_error(event, f"anchor &{event.anchor} is not allowed: remove it")
        if event.tag is not None:
            self._add_error(event, f"tag {event.tag} is not allowed: remove it")
        if isinstance(event, ScalarEvent):
            return resolve_scalar(event.value) if event.implicit[0] else event.value
        if depth > MAX_DEPTH:
            raise DocumentError(_line_of(event), _TOO_DEEP)
        if isinstance(event, SequenceStartEvent):
            return self._read_list(depth)
        return self._read_mapping(depth)

    def _read_list(self, depth: int) -> LocatedList:
        items = LocatedList()
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                break
            if not self._refuse_alias(event):
                items.lines.append(_line_of(event))
                items.append(self._read_value(event, depth + 1))
        return items

    def _read_mapping(self, depth: int) -> LocatedDict:
        entries = LocatedDict()
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                break
            key = self._read_key(event, depth)
            value_event = next(self._events)
            is_alias = self._refuse_alias(value_event)
            value = None if is_alias else self._read_value(value_event, depth + 1)
            if key is None or is_alias:
                continue
            duplicate = entries.add(key, value, _line_of(event))
            if duplicate is not None:
                self._add_error(event, duplicate)
        return entries

    def _read_key(self, event: Event, depth: int) -> str | None:
        """Return a key, or None if it is invalid."""
        if self._refuse_alias(event):
            return None
        key = self._read_value(event, depth + 1)
        if not isinstance(event, ScalarEvent):
            self._add_error(event, "a list or a map can't be a key: use a string")
        elif not isinstance(key, str):
            self._add_error(event, f"expected a string as key, got {event.value} (quote it)")
        else:
            return key
        return None


def resolve_scalar(text: str) -> Any:
    """Return the value of a plain scalar, or an `AmbiguousScalar` if YAML 1.1 and 1.2 differ."""
    if text and text[0] not in _FIRST_OF_SPECIAL:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return parse_integer(text, 0)
    if _FLOAT.match(text):
        return parse_float(text)
    if _NON_FINITE.match(text):
        return float(text.replace(".", "", 1))
    for pattern, reading in _AMBIGUOUS:
        if pattern.match(text):
            return AmbiguousScalar(text, reading)
    return text


def _line_of(event: Event) -> int:
    return 0 if event.start_mark is None else event.start_mark.line + 1


# Writing


@functools.cache
def _attributes() -> dict[EdgeType, str]:
    """Return the attributes under which the edges of each type are written."""
    return {rel.edge_type: name for rels in OUTGOING.values() for name, rel in rels.items()}


def write(records: Iterable[NodeRecord | EdgeRecord], stream: IO[bytes]) -> None:
    """Write records as a YAML document.

    Edges must follow their source. A metric must follow the edge from its experiment and its own
    edges, because it is written under the experiment.
    """
    for name, value in fixture_header().items():
        text = value if isinstance(value, str) else f"[{', '.join(map(yaml_string, value))}]"
        stream.write(f"{name}: {text}\n".encode())
    writer = _DocumentWriter()
    for batch in batch_by_size(records, _BATCH_RECORDS):
        lines = [f"{line}\n" for record in batch for line in writer.lines(record)]
        stream.write("".join(lines).encode())
    stream.write("".join(f"{line}\n" for line in writer.finish()).encode())


class _DocumentWriter:
    """Turns records into lines. Its state is the position in the document: label, edges, metric."""

    def __init__(self) -> None:
        self._label: str | None = None
        self._edge_type: EdgeType | None = None
        self._metric_name: str | None = None
        # The edge to a metric, and the metric's own edges, are held back until the metric itself.
        self._metric_edge: EdgeRecord | None = None
        self._edges_of_metric: list[EdgeRecord] = []
        # Edges of a type with a key to one target, held back until the next record.
        self._parallel_edges: list[EdgeRecord] = []

    def lines(self, record: NodeRecord | EdgeRecord) -> Iterator[str]:
        """Yield the lines held back before a record, and its own, unless these are held back."""
        if isinstance(record, EdgeRecord):
            if self._parallel_edges and _ends(record) == _ends(self._parallel_edges[0]):
                self._parallel_edges.append(record)
                return
            yield from self.finish()
            yield from self._edge_lines(record)
            return
        yield from self.finish()
        if self._metric_edge is not None and self._metric_edge.target == record.uid:
            yield from self._metric_lines(self._metric_edge, record)
        else:
            yield from self._node_lines(record)

    def finish(self) -> Iterator[str]:
        """Yield the lines of the edges that are held back."""
        edges, self._parallel_edges = self._parallel_edges, []
        if len(edges) == 1:
            yield yaml_entry(6, edges[0].target, _flow_map(edges[0]))
        elif edges:
            yield yaml_entry(6, edges[0].target, "")
            yield from (f"        - {_flow_map(edge)}" for edge in edges)

    def _node_lines(self, record: NodeRecord) -> Iterator[str]:
        if record.label != self._label:
            yield f"{record.label}:"
            self._label = record.label
        self._edge_type = None
        yield yaml_entry(2, record.uid, "")
        for name, text in _entries(NODES[record.label], record.given):
            yield f"    {name}: {text}"

    def _edge_lines(self, record: EdgeRecord) -> Iterator[str]:
        edge_type = record.edge_type
        if self._metric_edge is not None:
            self._edges_of_metric.append(record)
            return
        if edge_type is not self._edge_type:
            yield f"    {_attributes()[edge_type]}:"
            self._edge_type, self._metric_name = edge_type, None
        if edge_type.single_source:
            self._metric_edge, self._edges_of_metric = record, []
        elif edge_type.key:
            self._parallel_edges = [record]
        else:
            yield yaml_entry(6, record.target, _flow_map(record))

    def _metric_lines(self, edge: EdgeRecord, record: NodeRecord) -> Iterator[str]:
        """Yield a metric as a list item under its name, since several may have that name."""
        self._metric_edge = None
        name = record.given["name"]
        if name != self._metric_name:
            yield yaml_entry(6, name, "")
            self._metric_name = name
        dash = "- "
        for key, text in self._metric_entries(edge, record):
            yield f"        {dash}{key}: {text}"
            dash = "  "

    def _metric_entries(self, edge: EdgeRecord, record: NodeRecord) -> Iterator[tuple[str, str]]:
        given = record.given
        attributes = _attributes()
        ends = {attributes[own.edge_type]: own.target for own in self._edges_of_metric}
        dataset, model = ends.get("dataset"), ends.get("model")
        if record.uid != metric_uid(edge.source, given["name"], dataset, given.get("split"), model):
            yield "uid", yaml_string(record.uid)
        by_attribute: dict[str, dict[str, list[EdgeRecord]]] = {}
        for own in self._edges_of_metric:
            targets = by_attribute.setdefault(attributes[own.edge_type], {})
            targets.setdefault(own.target, []).append(own)
        for name, targets in by_attribute.items():
            yield name, _flow_edges(targets)
        if edge.given:
            yield OWNER, _flow_map(edge)
        values = {name: value for name, value in given.items() if name != "name"}
        yield from _entries(NODES[record.label], values)


def _ends(record: EdgeRecord) -> tuple[EdgeType, str, str]:
    return record.edge_type, record.source, record.target


def _flow_edges(edges: Mapping[str, Sequence[EdgeRecord]]) -> str:
    """Return edges by the uid of their target; a single edge without properties is a uid."""
    (target, parallel), *others = edges.items()
    if not others and len(parallel) == 1 and not parallel[0].given:
        return yaml_string(target)
    entries = []
    for uid, records in edges.items():
        maps = ", ".join(map(_flow_map, records))
        # The question mark allows keys of any length.
        entries.append(f"? {yaml_string(uid)} : " + (f"[{maps}]" if len(records) > 1 else maps))
    return "{" + ", ".join(entries) + "}"


def _flow_map(record: EdgeRecord) -> str:
    values = _entries(EDGES[record.edge_type], record.given)
    return "{" + ", ".join(f"{name}: {text}" for name, text in values) + "}"


def _entries(cls: Any, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (property, value in YAML)."""
    known = properties_of(cls)
    for name, value in given.items():
        yield name, "null" if value is None else known[name].to_yaml(value)
