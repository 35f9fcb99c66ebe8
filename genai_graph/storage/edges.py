"""Writing and finding edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.database import (
    atomic,
    current_connection,
    execute_write,
    match_uid,
    query,
    quote_name,
)
from genai_graph.errors import EdgeError
from genai_graph.storage.edge_rules import ExistingGraph, cardinality_errors, cycle_errors
from genai_graph.storage.lookups import raise_missing
from genai_graph.storage.rows import EdgeRow, WriteCounts, changed_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from genai_graph.registry import EdgeType

Ends = tuple[str, str]


def find_edges(edge_type: EdgeType, ends: Iterable[Ends]) -> dict[Ends, dict[str, Any]]:
    """Return the properties of the edges that exist, by the uids of their ends."""
    return _existing(_find(edge_type, ends))


def _existing(
    found: dict[Ends, tuple[dict[str, Any] | None, list[str]]],
) -> dict[Ends, dict[str, Any]]:
    """Return the properties of the edges that `_find` found."""
    return {ends: properties for ends, (properties, _) in found.items() if properties is not None}


def _find(
    edge_type: EdgeType, ends: Iterable[Ends], *, lock: bool = False
) -> dict[Ends, tuple[dict[str, Any] | None, list[str]]]:
    """Return the properties of edges (None if missing) and the neighbours of the restricted end.

    The neighbours are the targets of the source if the type has `single_target`, or the sources of
    the target if it has `single_source`. Ends without an edge and neighbours are omitted. With
    `lock`, the restricted ends are locked first, until the transaction ends.
    """
    type_, neighbours = quote_name(edge_type.type), "[]"
    lock_clause = _lock_clause(edge_type) if lock else ""
    if edge_type.single_target:
        neighbours = f"[(a)-[:{type_}]->(x:{quote_name(edge_type.target)}) | x.uid]"
    elif edge_type.single_source:
        neighbours = f"[(b)<-[:{type_}]-(x:{quote_name(edge_type.source)}) | x.uid]"
    # With MATCH instead of OPTIONAL MATCH, Neo4j would match one end only and scan its edges.
    rows = query(
        f"UNWIND $rows AS row {edge_type.match_ends('row[0]', 'row[1]')} "
        f"{lock_clause}OPTIONAL MATCH {edge_type.pattern} "
        f"WITH row, r, {neighbours} AS neighbours "
        "WHERE r IS NOT NULL OR size(neighbours) > 0 "
        "RETURN collect([row[0], row[1], properties(r), neighbours]) AS found",
        rows=list(map(list, ends)),
        write=lock,
    )
    return {(source, target): (values, uids) for source, target, values, uids in rows[0]["found"]}


def _lock_clause(edge_type: EdgeType) -> str:
    """Return the clause that locks the ends on which the constraints of a type depend, or "".

    Without the locks, two clients of Neo4j could each find no edge and create one: two parents of
    an experiment, or a cycle of two edges. Setting a property to itself takes the lock. The
    embedded engine has one writer at a time.
    """
    locked = {
        "a": edge_type.single_target or edge_type.acyclic,
        "b": edge_type.single_source or edge_type.acyclic,
    }
    ends = [end for end, is_locked in locked.items() if is_locked]
    if not ends or current_connection().engine == "embedded":
        return ""
    return (
        f"SET {', '.join(f'{end}.updated_at = {end}.updated_at' for end in ends)} WITH row, a, b "
    )


def upsert_edge(edge_type: EdgeType, row: EdgeRow) -> dict[str, Any]:
    """Create or update an edge and return its properties as stored.

    One statement to read and one to write, and one more to look for cycles. Raises
    `NodeNotFoundError` if an end does not exist, and `EdgeError` for an edge that the type does not
    allow.
    """
    with atomic():
        stored = _merge(edge_type, [row])[0]
    return stored[row.source, row.target]


def merge_edges(edge_type: EdgeType, rows: Sequence[EdgeRow]) -> WriteCounts:
    """Create or update edges, and return the counts; a pair of ends must occur once.

    Raises as `upsert_edge`.
    """
    with atomic():
        return _merge(edge_type, rows)[1]


def insert_edges(edge_type: EdgeType, rows: Sequence[EdgeRow]) -> WriteCounts:
    """Create edges that do not exist and that the type allows; a pair of ends must occur once.

    Raises `NodeNotFoundError` if an end does not exist.
    """
    created = _write(edge_type, rows)  # fewer than all if another client created some of them
    return WriteCounts(created=created, unchanged=len(rows) - created)


def _merge(
    edge_type: EdgeType, rows: Sequence[EdgeRow]
) -> tuple[dict[Ends, dict[str, Any]], WriteCounts]:
    found = _find(edge_type, [(row.source, row.target) for row in rows], lock=True)
    stored = _existing(found)
    new, changes = [], []
    for row in rows:
        before = stored.get((row.source, row.target))
        if before is None:
            new.append(row)
        elif changed := changed_values(before, row.given):
            changes.append(EdgeRow(row.source, row.target, changed, row.size))
    restricted = 0 if edge_type.single_target else 1
    neighbours = {ends[restricted]: uid for ends, (_, uids) in found.items() for uid in uids}
    errors = cardinality_errors(edge_type, new, neighbours)
    if edge_type.acyclic and new:
        errors += cycle_errors(edge_type, new, ExistingGraph())
    for _, problem in errors:
        raise EdgeError(problem)
    if new or changes:
        _write(edge_type, [*new, *changes])
    for row in (*new, *changes):
        values = {**stored.get((row.source, row.target), {}), **row.given}
        stored[row.source, row.target] = {k: v for k, v in values.items() if v is not None}
    counts = WriteCounts(len(new), len(changes), len(rows) - len(new) - len(changes))
    return stored, counts


def _write(edge_type: EdgeType, rows: Sequence[EdgeRow]) -> int:
    """Create edges or set their values, and return the number of created edges."""
    columns: dict[str, list[Any]] = {  # columns are packed in a third of the time of rows
        "sources": [row.source for row in rows],
        "targets": [row.target for row in rows],
    }
    values = [row.given for row in rows]
    if any(values):  # most types have no properties
        columns["values"] = values
    ends = edge_type.match_ends("$sources[i]", "$targets[i]")
    found, counters = execute_write(
        f"UNWIND range(0, size($sources) - 1) AS i {ends} "
        f"MERGE {edge_type.pattern} {'SET r += $values[i] ' if 'values' in columns else ''}"
        "RETURN count(r) AS count",
        **columns,
    )
    if found[0]["count"] < len(rows):
        raise_missing(edge_type.source, columns["sources"])
        raise_missing(edge_type.target, columns["targets"])
    return counters.relationships_created


def delete_edges(edge_type: EdgeType, source: str | None, target: str | None) -> int:
    """Delete the edges between two nodes, or all edges of one node; return their number."""
    ends = [
        (match_uid("a", edge_type.source, "$source"), source),
        (match_uid("b", edge_type.target, "$target"), target),
    ]
    given = " ".join(match for match, uid in ends if uid is not None)
    both = source is not None and target is not None
    pattern = edge_type.pattern if both else edge_type.pattern_from(by_source=source is not None)
    rows = query(
        f"{given} OPTIONAL MATCH {pattern} DELETE r RETURN count(r) AS count",
        write=True,
        source=source,
        target=target,
    )
    return int(rows[0]["count"])


def delete_targets(edge_type: EdgeType, source: str) -> None:
    """Delete the nodes at the other ends of a node's edges."""
    query(
        f"{match_uid('a', edge_type.source, '$source')} "
        f"MATCH (a)-[:{quote_name(edge_type.type)}]->(b:{quote_name(edge_type.target)}) "
        "DETACH DELETE b",
        write=True,
        source=source,
    )
