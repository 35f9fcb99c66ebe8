"""Paging through the nodes of a label and the edges of a type, in batches of limited size."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from genai_graph.database import clamp_limit, current_connection, match_uid, query, quote_name
from genai_graph.database.transaction import execute_read
from genai_graph.database.values import convert_items
from genai_graph.registry import EDGES, NODES, properties_of
from genai_graph.storage import batching
from genai_graph.storage.batching import chunk_by_size
from genai_graph.storage.columns import (
    JSON_COLUMNS,
    JSON_SIZE,
    from_columns,
    group_columns,
    json_names,
    prefixes,
)

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


# Uids


def uids_after(label: str, uid: str, limit: int) -> list[str]:
    """Return the next uids of a label in order, at most `limit`, after a uid (or "")."""
    return [uid for uid, _ in _sized_uids_after(label, uid, limit, "0")]


def iter_pages(label: str) -> Iterator[list[str]]:
    """Yield all uids of a label in order, a page at a time."""
    last = ""
    while uids := uids_after(label, last, batching.BATCH_ROWS):
        yield uids
        if len(uids) < batching.BATCH_ROWS:
            return
        last = uids[-1]


def iter_pages_by_size(label: str) -> Iterator[list[str]]:
    """Yield all uids of a label in order, in pages of nodes of at most `BATCH_BYTES` together.

    Five thousand nodes with seven short values are a megabyte; with model cards or long histories
    they are half a gigabyte. Hence sizes are queried before values.
    """
    last = ""
    while found := _sized_uids_after(label, last, batching.BATCH_ROWS, size_expression(label)):
        sizes: Counter[str] = Counter()
        for uid, size in found:  # without the unique constraint, nodes may share a uid
            sizes[uid] += size
        yield from chunk_by_size(sizes, sizes.values(), batching.BATCH_BYTES)
        if len(found) < batching.BATCH_ROWS:
            return
        last = found[-1][0]


def _sized_uids_after(label: str, uid: str, limit: int, size: str) -> list[list[Any]]:
    """Return the next uids, each with the value of `size`, a Cypher expression for the node `n`."""
    start = f"MATCH (n:{quote_name(label)}) WHERE n.uid > $uid WITH n"
    page = f"LIMIT $limit RETURN collect([n.uid, {size}]) AS found"
    if current_connection().engine == "embedded":
        # Its ORDER BY sorts all remaining nodes. A scan of the index is in order, but that is not
        # guaranteed, so a page before the last is used only if no uid in its range is missing.
        found = sorted(execute_read(f"{start} {page}", uid=uid, limit=limit)[0]["found"])
        if len(found) < limit or len(found) == _count_between(label, uid, found[-1][0]):
            return found
    ordered = execute_read(f"{start} ORDER BY n.uid {page}", uid=uid, limit=limit)
    return list(ordered[0]["found"])


def _count_between(label: str, uid: str, last: str) -> int:
    """Return the number of uids after one, up to another; for the embedded engine only.

    Neo4j returns 0 if the order of the two is different in UTF-16 and by code points.
    """
    found = query(
        f"MATCH (n:{quote_name(label)}) WHERE n.uid > $uid AND n.uid <= $last "
        "RETURN count(*) AS count",
        uid=uid,
        last=last,
    )
    return int(found[0]["count"])


# Nodes


@functools.cache
def size_expression(label: str) -> str:
    """Return a Cypher expression for the approximate size in bytes of a node `n`.

    Properties that the class does not declare are not counted.
    """
    declared = properties_of(NODES[label]).items()
    sizes = [prop.size_expression(f"n.{quote_name(name)}") for name, prop in declared]
    return " + ".join([*filter(None, sizes), JSON_SIZE])


def node_sizes(label: str, uids: list[str]) -> dict[str, int]:
    """Return the sizes of nodes by uid."""
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect([uid, {size_expression(label)}]) AS found",
        uids=uids,
    )
    return dict(found[0]["found"])


def read_nodes(label: str, uids: Iterable[str], timestamps: Iterable[str]) -> list[dict[str, Any]]:
    """Return the values of nodes, with the named timestamps as text.

    The driver decodes timestamps slowly, and each row of a result costs time, so that all nodes are
    returned in one row.
    """
    as_text = "".join(
        f", {quote_name(name)}: toString(n.{quote_name(name)})" for name in timestamps
    )
    found = execute_read(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect(n {{.*{as_text}}}) AS nodes",
        uids=list(uids),
    )
    return [from_columns(label, convert_items(stored)) for stored in found[0]["nodes"]]


def read_columns(
    label: str, uids: list[str], names: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (uid, name, stored properties) for the named properties of nodes that are set."""
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect([uid, [name IN $names | [name, n[name]]] + {JSON_COLUMNS}]) AS found",
        uids=uids,
        names=list(names),
        prefixes=prefixes(json_names(label) & set(names)),
    )
    for uid, columns in found[0]["found"]:
        stored = {column: value for column, value in columns if value is not None}
        for name, group in group_columns(stored).items():
            yield uid, name, group


# Edges


def read_edges(
    edge_type: EdgeType,
    uids: Iterable[str],
    limit: int,
    *,
    by_source: bool,
    skip: int | None = None,
) -> list[list[Any]]:
    """Return edges of sources (or targets) as lists of source, target, properties and a name.

    The name is that of a target with a single source, under which documents nest it, else empty.
    Timestamps are returned as text. At most `limit` edges are returned in any order, or with `skip`
    in the order of the name, the other uid and the key.
    """
    near, far = ("a", "b") if by_source else ("b", "a")
    label = edge_type.source if by_source else edge_type.target
    name = "coalesce(b.name, '')" if edge_type.single_source and by_source else "''"
    by_key = ", ".join(["name", f"{far}.uid", *edge_type.key_order])
    order = "" if skip is None else f"ORDER BY {by_key} SKIP $skip "
    found = execute_read(
        f"UNWIND $uids AS uid {match_uid(near, label, 'uid')} "
        f"MATCH {edge_type.pattern_from(by_source=by_source)} "
        f"WITH a, r, b, {name} AS name {order}LIMIT $limit "
        f"RETURN collect([a.uid, b.uid, {_edge_values(edge_type)}, name]) AS edges",
        uids=list(uids),
        limit=clamp_limit(limit),
        skip=skip,
    )
    return [
        [source, target, values and convert_items(values), name]
        for source, target, values, name in found[0]["edges"]
    ]


@functools.cache
def _edge_values(edge_type: EdgeType) -> str:
    """Return a Cypher expression for the properties of an edge `r`, with timestamps as text."""
    declared = properties_of(EDGES[edge_type]).items()
    timestamps = [quote_name(name) for name, prop in declared if prop.is_timestamp]
    as_text = "".join(f", {name}: toString(r.{name})" for name in timestamps)
    return f"r {{.*{as_text}}}" if timestamps else "properties(r)"
