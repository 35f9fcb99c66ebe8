"""Strategies for valid graphs, and functions that write and read them without the package.

Graphs are lists of records, so that drawn, written and stored graphs can be compared.
"""

from __future__ import annotations

import gzip
import lzma
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timezone
from pathlib import Path
from typing import Any

import msgspec
import neomodel
from hypothesis import strategies as st

from genai_graph import load, query
from genai_graph.database import atomic, quote_name
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, Record
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    IntegerProperty,
    JSONProperty,
    Property,
)
from genai_graph.registry import EDGES, NODES, EdgeType, properties_of
from genai_graph.storage.columns import from_columns

Graph = list[NodeRecord | EdgeRecord]

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
EDGE_TYPES = {str(edge_type): edge_type for edge_type in EDGES}
# Strings that a format could mistake for its own syntax or for another type.
TEXTS = [
    "", " ", "  a\t ", "a,b", 'a"b', '"', '""', '","', '",""', "'", "\\", '\\"', "\n", "\r", "\r\n",
    "\na\n", "a\r\nb\rc\n\n", "\0", "\0\x01\x1f\x7f", "a;b", ";", "null", "NaN", "true", "=1+1",
    "@x", "é😀", "\u2028\x85\u200b\ufeff", "\ufffe\uffff\U0010ffff", "{}", "#", "[1]", "0x1F",
]  # fmt: skip
AWKWARD_TEXTS = [*dict.fromkeys([
    *TEXTS, "y", "no", "On", "~", "1", "017", "1e-4", ".nan", ".inf", "12:30:00", "2026-03-01",
    "2026-03-01T09:00:00Z", "=", "<<", "- a", "a: b", "a #b", "*a", "&a", "!a", " a", "a ", "a\nb",
    "\t", "\\u0022", "`", "{", "}", "[", "]", ",", "?", "? ", "%", "%25", "%2F%40", "@", "/", "a/b",
    "a@b", "a/b//c", "null@1", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "\x00",
    "\x7f", "\x85", "\u2028", "\ufeff", "x" * 2000, "é" * 1200, "|", ">", "---", "$uid", "//",
    "/* */", ";\n", ":begin", '"]] AS row MATCH (n) DETACH DELETE n;',
])]  # fmt: skip


def node(label: str, uid: str, **values: Any) -> NodeRecord:
    return NodeRecord(uid, values, 0, label, "", 0)


def edge(edge_type: str, source: str, target: str, **values: Any) -> EdgeRecord:
    return EdgeRecord(source, target, values, 0, EDGE_TYPES[edge_type], "", 0)


# Strategies


def texts() -> st.SearchStrategy[str]:
    return st.one_of(st.text(), st.sampled_from(AWKWARD_TEXTS), st.text('",;\n\r\x1f a'))


def names() -> st.SearchStrategy[str]:
    """Draw uids and names, which are stored in Unicode normal form C."""
    return st.one_of(st.text(min_size=1), texts().filter(bool)).map(normalize_name)


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(texts(), inner, max_size=3)
        ),
        max_leaves=8,
    ).filter(lambda value: value is not None)


def database_values(prop: Any) -> st.SearchStrategy[Any]:
    """Draw database values of a property."""
    if isinstance(prop, ArrayProperty):
        return st.lists(database_values(prop.item), max_size=4)
    if isinstance(prop, JSONProperty):
        return json_values().map(prop.to_db)
    if isinstance(prop, IntegerProperty):
        return st.integers(prop.minimum, 2**63 - 1)
    if isinstance(prop, neomodel.FloatProperty):  # required ones, too
        return st.floats()
    if isinstance(prop, BooleanProperty):
        return st.booleans()
    if isinstance(prop, DateTimeProperty):
        return st.datetimes(timezones=st.just(timezone.utc)).map(lambda time: time.replace(fold=0))
    if prop.choices:
        return st.sampled_from(sorted(prop.choices))
    if prop.is_name:
        return names() if prop.is_required else texts().map(normalize_name)
    return texts().filter(bool) if prop.is_required else texts()


def given_values(known: dict[str, Property]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the values of a fixture; None removes a property."""
    options = {
        name: database_values(prop)
        if prop.is_required
        else st.one_of(st.none(), database_values(prop))
        for name, prop in known.items()
        if name not in ("uid", "steps")  # steps must match the values
    }
    return st.fixed_dictionaries({}, optional=options).map(_with_steps)


def _with_steps(values: dict[str, Any]) -> dict[str, Any]:
    """Add the steps of a metric's history, which are required with its values."""
    if "values" not in values:
        return values
    history = values["values"]
    return {**values, "steps": None if history is None else list(range(len(history)))}


@st.composite
def any_records(draw: st.DrawFn) -> Graph:
    """Draw a node and an unrelated edge."""
    label = draw(st.sampled_from(sorted(NODES)))
    name = draw(st.sampled_from(sorted(EDGE_TYPES)))
    uids = names()
    node_values = given_values(properties_of(NODES[label]))
    edge_values = given_values(properties_of(EDGES[EDGE_TYPES[name]]))
    return [
        node(label, draw(uids), **draw(node_values)),
        edge(name, draw(uids), draw(uids), **draw(edge_values)),
    ]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a valid graph: nodes of all labels, and edges of all types."""
    uids = {label: draw(_uids()) for label in NODES}
    metrics = _metrics(draw, uids)
    nodes = [_node(draw, label, uid) for label in NODES for uid in uids[label]]
    return [*nodes, *metrics, *(edge for name in EDGE_TYPES for edge in _edges(draw, name, uids))]


def _uids() -> st.SearchStrategy[list[str]]:
    short = st.text("a@/%é😀", min_size=1, max_size=4)
    return st.lists(st.one_of(short, names()), max_size=3, unique=True)


def _metrics(draw: st.DrawFn, uids: dict[str, list[str]]) -> list[EdgeRecord]:
    """Return an edge to each metric from its experiment; some metrics get the derived uid."""
    if not uids["Experiment"]:
        uids["Metric"] = []
    owners: dict[str, str] = {}
    for uid in uids["Metric"]:
        owner = draw(st.sampled_from(uids["Experiment"]))
        if draw(st.booleans()):
            uid = metric_uid(
                owner,
                draw(names()),
                draw(st.one_of(st.none(), st.sampled_from(uids["Dataset"] or [""]), names())),
                draw(st.one_of(st.none(), names())),
                draw(st.one_of(st.none(), st.sampled_from(uids["Model"] or ["m"]))),
            )
        owners.setdefault(uid, owner)
    uids["Metric"] = list(owners)
    name = "Experiment-HAS->Metric"
    values = _edge_values(EDGE_TYPES[name])
    return [edge(name, owner, uid, **draw(values)) for uid, owner in owners.items()]


def _node(draw: st.DrawFn, label: str, uid: str) -> NodeRecord:
    known = {name: prop for name, prop in properties_of(NODES[label]).items() if name != "uid"}
    always = {
        name: database_values(prop)
        for name, prop in known.items()
        if prop.is_required or name in ("created_at", "updated_at")
    }
    rest = {name: database_values(prop) for name, prop in known.items() if name not in always}
    values = draw(st.fixed_dictionaries(always, optional=rest))
    if draw(st.booleans()):  # the uid may contradict the values
        values.update({key: value for key, value in NODES[label].parse_uid(uid).items() if value})
    history = {name: values.pop(name) for name in ("steps", "values") if name in values}
    if len(history) == 2:  # steps and values are required together
        pairs = list(zip(sorted(set(history["steps"])), history["values"], strict=False))
        values["steps"], values["values"] = [step for step, _ in pairs], [v for _, v in pairs]
    return node(label, uid, **{name: values[name] for name in known if name in values})


def _edges(draw: st.DrawFn, name: str, uids: dict[str, list[str]]) -> Iterator[EdgeRecord]:
    edge_type = EDGE_TYPES[name]
    sources, targets = uids[edge_type.source], uids[edge_type.target]
    if edge_type.single_source or not (sources and targets):
        return
    pairs = [
        (source, target)
        for i, source in enumerate(sources)
        for j, target in enumerate(targets)
        if not edge_type.acyclic or i < j
    ]
    if not pairs:
        return

    def identity(drawn: tuple[tuple[str, str], dict[str, Any]]) -> Any:
        pair, values = drawn
        return pair[0] if edge_type.single_target else (pair, edge_type.key_of(values))

    edges = st.lists(
        st.tuples(st.sampled_from(pairs), _edge_values(edge_type)), max_size=4, unique_by=identity
    )
    for pair, values in draw(edges):
        yield edge(name, *pair, **values)


def _edge_values(edge_type: EdgeType) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the properties of an edge, in the order of their declaration."""
    declared = properties_of(EDGES[edge_type])
    known = {key: database_values(prop) for key, prop in declared.items()}
    return st.fixed_dictionaries({}, optional=known).map(
        lambda values: {key: values[key] for key in known if key in values}
    )


# In the database


def write_graph(graph: Graph) -> None:
    """Replace the content of the database by a graph."""
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    edges: dict[EdgeType, list[list[Any]]] = defaultdict(list)
    for record in graph:
        if isinstance(record, NodeRecord):
            values = {name: value for name, value in record.given.items() if value is not None}
            nodes[record.label].append({"uid": record.uid, **values})
        else:
            edges[record.edge_type].append([record.source, record.target, record.given])
    with atomic():
        query("MATCH (n) DETACH DELETE n", write=True)
        for label, rows in nodes.items():
            query(f"UNWIND $rows AS row CREATE (n:{label}) SET n = row", write=True, rows=rows)
        for edge_type, ends in edges.items():
            query(
                f"UNWIND $rows AS row {edge_type.match_ends('row[0]', 'row[1]')} "
                f"CREATE (a)-[r:{quote_name(edge_type.type)}]->(b) "
                "SET r = row[2]",
                write=True,
                rows=ends,
            )


def read_graph() -> Iterator[NodeRecord | EdgeRecord]:
    """Yield the stored graph as records, in the order of labels, edge types and uids."""
    for label, cls in NODES.items():
        for row in query(f"MATCH (n:{label}) RETURN properties(n) AS p ORDER BY n.uid"):
            props = from_columns(label, row["p"])
            uid = props.pop("uid")
            removed = dict.fromkeys(name for name, value in cls.parse_uid(uid).items() if value)
            yield node(label, uid, **{**removed, **props})
    for name, edge_type in EDGE_TYPES.items():
        for row in query(
            f"MATCH (a:{edge_type.source})-[r:{edge_type.type}]->(b:{edge_type.target}) "
            "RETURN a.uid AS a, b.uid AS b, properties(r) AS p ORDER BY a, b"
        ):
            yield edge(name, row["a"], row["b"], **row["p"])


def load_dump(path: Path) -> None:
    """Replace the graph by a dump; Cypher statement by statement, as cypher-shell does."""
    query("MATCH (n) DETACH DELETE n", write=True)
    if ".cypher" not in path.suffixes:
        load(path)
        return
    with _OPENERS.get(path.suffix, open)(path, "rb") as stream:
        text = stream.read().decode()
    for statement in text.split(";\n")[:-1]:
        query(statement, write=True)


# Comparison


def content(path: Path) -> bytes:
    """Return the bytes of a file, or of all files of a directory."""
    if path.is_file():
        return path.read_bytes()
    return b"".join(file.name.encode() + file.read_bytes() for file in sorted(path.iterdir()))


def as_text(records: Iterable[Record]) -> list[str]:
    """Return records as text, because NaN is not equal to itself, without locations and sizes."""
    texts = []
    for record in records:
        if isinstance(record, NodeRecord):
            key: Any = record.label, record.uid
        elif isinstance(record, EdgeRecord):
            key = str(record.edge_type), record.source, record.target
        else:
            texts.append(repr(record))
            continue
        texts.append(repr((*key, sorted(record.given.items()))))
    return texts


def without_nulls(records: Iterable[Record]) -> list[str]:
    """Return records as sorted text, without removed properties."""
    found = []
    for record in records:
        assert isinstance(record, (NodeRecord, EdgeRecord))
        values = {name: value for name, value in record.given.items() if value is not None}
        found.append(msgspec.structs.replace(record, given=values))
    return sorted(as_text(found))
