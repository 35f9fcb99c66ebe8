"""Any graph that the models can hold, put into the database and read from it past the package.

Graphs are records: what hypothesis draws, what is put in and what is read can be compared.
"""

from __future__ import annotations

import gzip
import lzma
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import timezone
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from genai_graph import load, query
from genai_graph.database import atomic, quote_name
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, Record
from genai_graph.ogm.uids import metric_uid
from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    Property,
)
from genai_graph.registry import EDGES, NODES, EdgeType, properties_of

Graph = list[NodeRecord | EdgeRecord]

_OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
KINDS = {str(kind): kind for kind in EDGES}
# Texts that some format could take for something else.
TEXTS = [
    "", " ", "  a\t ", "a,b", 'a"b', '"', '""', '","', '",""', "'", "\\", '\\"', "\n", "\r", "\r\n",
    "\na\n", "a\r\nb\rc\n\n", "\0", "\0\x01\x1f\x7f", "a;b", ";", "null", "NaN", "true", "=1+1",
    "@x", "é😀", "\u2028\x85\u200b\ufeff", "\ufffe\uffff\U0010ffff", "{}", "#", "[1]", "0x1F",
]  # fmt: skip
TRAPS = [*dict.fromkeys([
    *TEXTS, "y", "no", "On", "~", "1", "017", "1e-4", ".nan", ".inf", "12:30:00", "2026-03-01",
    "2026-03-01T09:00:00Z", "=", "<<", "- a", "a: b", "a #b", "*a", "&a", "!a", " a", "a ", "a\nb",
    "\t", "\\u0022", "`", "{", "}", "[", "]", ",", "?", "? ", "%", "%25", "%2F%40", "@", "/", "a/b",
    "a@b", "a/b//c", "null@1", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "\x00",
    "\x7f", "\x85", "\u2028", "\ufeff", "x" * 2000, "é" * 1200, "|", ">", "---", "$uid", "//",
    "/* */", ";\n", ":begin", '"]] AS row MATCH (n) DETACH DELETE n;',
])]  # fmt: skip


def node(label: str, uid: str, **values: Any) -> NodeRecord:
    return NodeRecord(label, uid, values, "", 0)


def edge(kind: str, source: str, target: str, **values: Any) -> EdgeRecord:
    return EdgeRecord(KINDS[kind], source, target, values, "", 0)


# What the models can hold


def texts() -> st.SearchStrategy[str]:
    return st.one_of(st.text(), st.sampled_from(TRAPS), st.text('",;\n\r\x1f a'))


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


def read_values(prop: Any) -> st.SearchStrategy[Any]:
    """Draw values of a property, as the database keeps them."""
    if isinstance(prop, ArrayProperty):
        return st.lists(read_values(prop.item), max_size=4)
    if isinstance(prop, JSONProperty):
        return json_values().map(prop.store)
    if isinstance(prop, IntegerProperty):
        return st.integers(prop.minimum, 2**63 - 1)
    if isinstance(prop, FloatProperty):
        return st.floats()
    if isinstance(prop, BooleanProperty):
        return st.booleans()
    if isinstance(prop, DateTimeProperty):
        return st.datetimes(timezones=st.just(timezone.utc)).map(lambda time: time.replace(fold=0))
    if prop.choices:
        return st.sampled_from(sorted(prop.choices))
    return texts().filter(bool) if prop.is_required else texts()


def given_values(known: dict[str, Property]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the values that a fixture gives: None too, which removes one."""
    options = {
        name: read_values(prop) if prop.is_required else st.one_of(st.none(), read_values(prop))
        for name, prop in known.items()
        if name not in ("uid", "steps")  # these have rules of their own
    }
    return st.fixed_dictionaries({}, optional=options).map(_with_steps)


def _with_steps(values: dict[str, Any]) -> dict[str, Any]:
    """Give a history its steps: they are given together."""
    if "values" not in values:
        return values
    history = values["values"]
    return {**values, "steps": None if history is None else list(range(len(history)))}


@st.composite
def any_records(draw: st.DrawFn) -> Graph:
    """Draw a node and an edge, whatever they have to do with each other."""
    label = draw(st.sampled_from(sorted(NODES)))
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    uids = st.text(min_size=1)
    return [
        NodeRecord(label, draw(uids), draw(given_values(properties_of(NODES[label]))), "", 0),
        EdgeRecord(
            kind, draw(uids), draw(uids), draw(given_values(properties_of(EDGES[kind]))), "", 0
        ),
    ]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph by all the rules: nodes of the five labels, and edges of every kind."""
    uids = {label: draw(_uids()) for label in NODES}
    metrics = _metrics(draw, uids)
    nodes = [_node(draw, label, uid) for label in NODES for uid in uids[label]]
    return [*nodes, *metrics, *(edge for kind in EDGES for edge in _edges(draw, kind, uids))]


def _uids() -> st.SearchStrategy[list[str]]:
    short = st.text("a@/%é😀", min_size=1, max_size=4)
    return st.lists(st.one_of(short, texts().filter(bool)), max_size=3, unique=True)


def _metrics(draw: st.DrawFn, uids: dict[str, list[str]]) -> list[EdgeRecord]:
    """Give each metric its one experiment, or take it away; some get the uid that follows."""
    if not uids["Experiment"]:
        uids["Metric"] = []
    owners: dict[str, str] = {}
    for uid in uids["Metric"]:
        owner = draw(st.sampled_from(uids["Experiment"]))
        if draw(st.booleans()):
            uid = metric_uid(
                owner,
                draw(texts().filter(bool)),
                draw(st.one_of(st.none(), st.sampled_from(uids["Dataset"] or [""]), texts())),
                draw(st.one_of(st.none(), texts())),
            )
        owners.setdefault(uid, owner)
    uids["Metric"] = list(owners)
    return [edge("Experiment-HAS->Metric", owner, uid) for uid, owner in owners.items()]


def _node(draw: st.DrawFn, label: str, uid: str) -> NodeRecord:
    known = {name: prop for name, prop in properties_of(NODES[label]).items() if name != "uid"}
    always = {
        name: read_values(prop)
        for name, prop in known.items()
        if prop.is_required or name in ("created_at", "updated_at")
    }
    rest = {name: read_values(prop) for name, prop in known.items() if name not in always}
    values = draw(st.fixed_dictionaries(always, optional=rest))
    # What the uid says of it holds as often as not.
    told = {key: value for key, value in NODES[label].parse_uid(uid).items() if value}
    if draw(st.booleans()):
        values.update(told)
    history = {name: values.pop(name) for name in ("steps", "values") if name in values}
    if len(history) == 2:  # else it would be none
        pairs = list(zip(sorted(set(history["steps"])), history["values"], strict=False))
        values["steps"], values["values"] = [step for step, _ in pairs], [v for _, v in pairs]
    return NodeRecord(label, uid, {name: values[name] for name in known if name in values}, "", 0)


def _edges(draw: st.DrawFn, kind: EdgeType, uids: dict[str, list[str]]) -> Iterator[EdgeRecord]:
    sources, targets = uids[kind.source], uids[kind.target]
    if kind.single_source or not (sources and targets):
        return
    pairs = [
        (source, target)
        for i, source in enumerate(sources)
        for j, target in enumerate(targets)
        if not kind.acyclic or i < j
    ]
    key: Callable[[tuple[str, str]], Any] = (lambda pair: pair[0]) if kind.single_target else tuple
    if not pairs:
        return
    known = {name: read_values(prop) for name, prop in properties_of(EDGES[kind]).items()}
    for pair in draw(st.lists(st.sampled_from(pairs), max_size=4, unique_by=key)):
        values = draw(st.fixed_dictionaries({}, optional=known))
        ordered = {name: values[name] for name in known if name in values}
        yield EdgeRecord(kind, *pair, ordered, "", 0)


# In the database


def put(graph: Graph) -> None:
    """Put a graph into the database in place of what is there."""
    nodes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    edges: dict[EdgeType, list[list[Any]]] = defaultdict(list)
    for record in graph:
        if isinstance(record, NodeRecord):
            values = {name: value for name, value in record.given.items() if value is not None}
            nodes[record.label].append({"uid": record.uid, **values})
        else:
            edges[record.kind].append([record.source, record.target, record.given])
    with atomic():
        query("MATCH (n) DETACH DELETE n", write=True)
        for label, rows in nodes.items():
            query(f"UNWIND $rows AS row CREATE (n:{label}) SET n = row", write=True, rows=rows)
        for kind, ends in edges.items():
            query(
                f"UNWIND $rows AS row {kind.ends} CREATE (a)-[r:{quote_name(kind.type)}]->(b) "
                "SET r = row[2]",
                write=True,
                rows=ends,
            )


def stored() -> Iterator[NodeRecord | EdgeRecord]:
    """Yield the graph as records, in the order of labels, kinds and uids."""
    for label, cls in NODES.items():
        for row in query(f"MATCH (n:{label}) RETURN properties(n) AS p ORDER BY n.uid"):
            props = row["p"]
            told = dict.fromkeys(
                name for name, value in cls.parse_uid(props["uid"]).items() if value
            )
            yield NodeRecord(label, props.pop("uid"), {**told, **props}, "", 0)
    for kind in EDGES:
        for row in query(
            f"MATCH (a:{kind.source})-[r:{kind.type}]->(b:{kind.target}) "
            "RETURN a.uid AS a, b.uid AS b, properties(r) AS p ORDER BY a, b"
        ):
            yield EdgeRecord(kind, row["a"], row["b"], row["p"], "", 0)


def load_dump(path: Path) -> None:
    """Load a dump into an empty graph; Cypher statement by statement, as cypher-shell does."""
    query("MATCH (n) DETACH DELETE n", write=True)
    if ".cypher" not in path.suffixes:
        load(path)
        return
    with _OPENERS.get(path.suffix, open)(path, "rb") as stream:
        text = stream.read().decode()
    for statement in text.split(";\n")[:-1]:
        query(statement, write=True)


# Compared


def content(path: Path) -> bytes:
    """Return the bytes of a file, or of all files of a folder."""
    if path.is_file():
        return path.read_bytes()
    return b"".join(file.name.encode() + file.read_bytes() for file in sorted(path.iterdir()))


def plain(records: Iterable[Record]) -> list[str]:
    """Return records as text (NaN is not equal to itself), without their places."""
    return [
        repr((record.label, record.uid, sorted(record.given.items())))
        if isinstance(record, NodeRecord)
        else repr((str(record.kind), record.source, record.target, sorted(record.given.items())))
        if isinstance(record, EdgeRecord)
        else repr(record)
        for record in records
    ]


def without_nulls(records: Iterable[Record]) -> list[str]:
    """Return records as text, sorted; null is what a node has not."""
    found = []
    for record in records:
        assert isinstance(record, (NodeRecord, EdgeRecord))
        values = {name: value for name, value in record.given.items() if value is not None}
        fields = {name: getattr(record, name) for name in record.__struct_fields__}
        found.append(type(record)(**{**fields, "given": values}))
    return sorted(plain(found))
