"""Writing and finding edges."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from genai_graph.database import atomic, current_connection, execute_write, match_uid, quote_name
from genai_graph.database.transaction import query, send_lock, send_read, send_write
from genai_graph.errors import EdgeError
from genai_graph.storage.edge_rules import ExistingGraph, cardinality_errors, cycle_errors
from genai_graph.storage.lookups import raise_missing
from genai_graph.storage.rows import EdgeRow, WriteCounts, changed_values, without_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from genai_graph.registry import EdgeType

# The uids of both ends and the values of the key, which identify an edge of a type.
EdgeKey = tuple[Any, ...]


def find_edges(
    edge_type: EdgeType, source: str, target: str, having: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the properties of the edges between two nodes that have some values, sorted by key."""
    # With MATCH instead of OPTIONAL MATCH, Neo4j would match one end only and scan its edges.
    rows = query(
        f"{edge_type.match_ends('$source', '$target')} OPTIONAL MATCH {edge_type.pattern}"
        f"{_where(edge_type, having)} RETURN collect(properties(r)) AS found",
        source=source,
        target=target,
        having=dict(having),
    )
    return sorted(rows[0]["found"], key=edge_type.sort_key)


def read_neighbours(
    edge_type: EdgeType, uid: str, *, by_source: bool
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (properties of the other node, properties of the edge) for each edge of a node.

    The edges are sorted by the uid of the other node, then by key.
    """
    near, far = ("a", "b") if by_source else ("b", "a")
    label = edge_type.source if by_source else edge_type.target
    rows = query(
        f"{match_uid(near, label, '$uid')} MATCH {edge_type.pattern_from(by_source=by_source)} "
        f"RETURN collect([properties({far}), properties(r)]) AS found",
        uid=uid,
    )
    found = [(node, edge) for node, edge in rows[0]["found"]]
    return sorted(found, key=lambda each: (str(each[0].get("uid")), edge_type.sort_key(each[1])))


def _where(edge_type: EdgeType, having: Iterable[str]) -> str:
    """Return the WHERE clause for values of the edge `r`, which the map `$having` contains."""
    return edge_type.where({name: f"$having.{quote_name(name)}" for name in having})


def _key(edge_type: EdgeType, row: EdgeRow) -> EdgeKey:
    return (row.source, row.target, *edge_type.key_of(row.given))


def _send_find(
    edge_type: EdgeType, keys: Sequence[EdgeKey], *, with_values: bool
) -> Callable[[], tuple[dict[EdgeKey, dict[str, Any]], dict[str, str]]]:
    """Send the statement that finds edges in the open transaction.

    The returned function returns the properties of those that exist, and a neighbour of restricted
    ends. The properties are empty without `with_values`, which types with a key need. The neighbour
    is the target of a source if the type has `single_target`, or the source of a target if it has
    `single_source`, for the edges that do not exist. The restricted ends are locked first, until
    the transaction ends.
    """
    type_, neighbours = quote_name(edge_type.type), "null"
    lock_clause = _lock_restricted_ends(edge_type, of_new_edges=not with_values)
    if edge_type.single_target:
        neighbours = f"head([(a)-[:{type_}]->(x:{quote_name(edge_type.target)}) | x.uid])"
    elif edge_type.single_source:
        neighbours = f"head([(b)<-[:{type_}]-(x:{quote_name(edge_type.source)}) | x.uid])"
    # With MATCH instead of OPTIONAL MATCH, Neo4j would match one end only and scan its edges.
    send = send_lock if lock_clause else send_read
    read = send(
        f"{_match_each(edge_type)} {lock_clause}OPTIONAL MATCH {edge_type.pattern} "
        f"WITH i, r, CASE WHEN r IS NULL THEN {neighbours} END AS neighbour "
        "RETURN collect(CASE WHEN r IS NOT NULL THEN i END) AS found, "
        f"{'collect(properties(r))' if with_values else '[]'} AS values, "
        "collect(CASE WHEN neighbour IS NOT NULL THEN [i, neighbour] END) AS neighbours",
        sources=[key[0] for key in keys],
        targets=[key[1] for key in keys],
    )
    restricted = 0 if edge_type.single_target else 1

    def find() -> tuple[dict[EdgeKey, dict[str, Any]], dict[str, str]]:
        found = read()
        if not found:  # no pair of nodes exists, and the constant column is a group
            return {}, {}
        rows = found[0]
        neighbour_of = {keys[i][restricted]: uid for i, uid in rows["neighbours"]}
        if not with_values:
            return {keys[i]: {} for i in rows["found"]}, neighbour_of
        # Keys are compared here: the engines would take as long for this as for all the rest.
        stored = {
            keys[i]: values
            for i, values in zip(rows["found"], rows["values"], strict=True)
            if not edge_type.key or edge_type.key_of(values) == keys[i][2:]
        }
        return stored, neighbour_of

    return find


def _lock_restricted_ends(edge_type: EdgeType, *, of_new_edges: bool) -> str:
    """Return the clause that locks the ends on which the constraints of a type depend, or "".

    Without the locks, two clients of Neo4j could each find no edge and create one: two parents of
    an experiment, or a cycle of two edges. Setting a property to itself takes the lock. With
    `of_new_edges`, ends whose edge exists are not locked, because nothing is written then. The
    embedded engine has one writer at a time.
    """
    locked = {
        "a": edge_type.single_target or edge_type.acyclic,
        "b": edge_type.single_source or edge_type.acyclic,
    }
    ends = ", ".join(end for end, is_locked in locked.items() if is_locked)
    if not ends or current_connection().engine == "embedded":
        return ""
    to_lock = f"[{ends}]"
    if of_new_edges:
        exists = f"EXISTS {{ (a)-[:{quote_name(edge_type.type)}]->(b) }}"
        to_lock = f"CASE WHEN {exists} THEN [] ELSE {to_lock} END"
    return f"FOREACH (end IN {to_lock} | SET end.updated_at = end.updated_at) WITH i, a, b "


def upsert_edge(edge_type: EdgeType, row: EdgeRow) -> dict[str, Any]:
    """Create or update an edge and return its properties as stored.

    One statement to read and one to write, and one more to look for cycles. Raises
    `NodeNotFoundError` if an end does not exist, and `EdgeError` for an edge that the type does not
    allow.
    """
    with atomic():
        stored, _ = _send_merge(edge_type, [row], is_read=True)()
    return stored[_key(edge_type, row)]


def merge_edges(
    edge_type: EdgeType, rows: Sequence[EdgeRow], *, new_only: Collection[str] = ()
) -> WriteCounts:
    """Create or update distinct edges, and return the counts.

    The values of `new_only` are not written to existing edges. Raises as `upsert_edge`.
    """
    with atomic():
        return send_merged_edges(edge_type, rows, new_only=new_only)()


def send_merged_edges(
    edge_type: EdgeType, rows: Sequence[EdgeRow], *, new_only: Collection[str] = ()
) -> Callable[[], WriteCounts]:
    """Send the statement that reads edges in the open transaction.

    The returned function creates and updates them as `merge_edges`, and returns the counts.
    """
    merge = _send_merge(edge_type, rows, new_only)
    return lambda: merge()[1]


def insert_edges(edge_type: EdgeType, rows: Sequence[EdgeRow]) -> WriteCounts:
    """Create distinct edges that do not exist and that the type allows; return the counts.

    Raises `NodeNotFoundError` if an end does not exist.
    """
    values = [row.given for row in rows]
    sources, targets = [row.source for row in rows], [row.target for row in rows]
    created = _write(edge_type, [sources, targets, *edge_type.key_columns(values)], values)
    # Fewer than all if another client created some of them.
    return WriteCounts(created=created, unchanged=len(rows) - created)


def send_new_edges(edge_type: EdgeType, rows: Sequence[EdgeRow]) -> Callable[[], WriteCounts]:
    """Send the statement that creates edges, and return a function that waits for the counts.

    It runs in the open transaction, which must have created one end of each edge: no other client
    can see that node, so the edge does not exist yet. The returned function raises
    `NodeNotFoundError` if an end does not exist.
    """
    values = [row.given for row in rows]
    columns: dict[str, Any] = {
        "sources": [row.source for row in rows],
        "targets": [row.target for row in rows],
    }
    if any(values):
        columns["values"] = values
    create = edge_type.create("$values[i]" if "values" in columns else "")
    wait = send_write(_for_each(edge_type, create), **columns)

    def counts() -> WriteCounts:
        _require_ends(edge_type, wait()[0], columns)
        return WriteCounts(created=len(rows))

    return counts


def _send_merge(
    edge_type: EdgeType,
    rows: Sequence[EdgeRow],
    new_only: Collection[str] = (),
    *,
    is_read: bool = False,
) -> Callable[[], tuple[dict[EdgeKey, dict[str, Any]], WriteCounts]]:
    by_key = {_key(edge_type, row): row for row in rows}
    with_values = is_read or bool(edge_type.key) or any(row.given for row in rows)
    find = _send_find(edge_type, list(by_key), with_values=with_values)

    def merge() -> tuple[dict[EdgeKey, dict[str, Any]], WriteCounts]:
        stored, neighbours = find()
        new = {key: row.given for key, row in by_key.items() if key not in stored}
        changes = {
            key: changed
            for key, before in stored.items()
            if with_values
            and (changed := changed_values(before, _without(by_key[key].given, new_only)))
        }
        _refuse_invalid(edge_type, [by_key[key] for key in new], neighbours)
        if new or changes:
            written = {**new, **changes}
            _write(edge_type, list(map(list, zip(*written, strict=True))), list(written.values()))
        for key, given in (*new.items(), *changes.items()):
            stored[key] = without_nulls({**stored.get(key, {}), **given})
        counts = WriteCounts(len(new), len(changes), len(rows) - len(new) - len(changes))
        return stored, counts

    return merge


def _refuse_invalid(
    edge_type: EdgeType, new: Sequence[EdgeRow], neighbours: dict[str, str]
) -> None:
    """Raise `EdgeError` for a new edge that the type does not allow."""
    errors = cardinality_errors(edge_type, new, neighbours)
    if edge_type.acyclic and new:
        errors += cycle_errors(edge_type, new, ExistingGraph())
    for _, problem in errors:
        raise EdgeError(problem)


def _without(given: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: given[name] for name in given if name not in names} if names else given


def _write(edge_type: EdgeType, keys: list[list[Any]], values: list[dict[str, Any]]) -> int:
    """Create edges or set their values, and return the number of created edges.

    `keys` are the columns of the edges' keys, which are packed in a third of the time of rows.
    """
    key_columns = {name: f"key{index}" for index, (name, _) in enumerate(edge_type.key, 2)}
    columns = dict(zip(["sources", "targets", *key_columns.values()], keys, strict=True))
    if any(values):  # most types have no properties
        columns["values"] = values
    merge = edge_type.merge(
        "$values[i]" if "values" in columns else "",
        {name: f"${column}[i]" for name, column in key_columns.items()},
    )
    found, counters = execute_write(_for_each(edge_type, _lock(edge_type) + merge), **columns)
    _require_ends(edge_type, found, columns)
    return counters.relationships_created


def _for_each(edge_type: EdgeType, clauses: str) -> str:
    """Return the statement that runs clauses for the ends `a` and `b` of each edge."""
    return f"{_match_each(edge_type)} {clauses} RETURN count(*) AS count"


def _match_each(edge_type: EdgeType) -> str:
    """Return the clauses that match the ends `a` and `b` of each edge `i`."""
    ends = edge_type.match_ends("$sources[i]", "$targets[i]")
    return f"UNWIND range(0, size($sources) - 1) AS i {ends}"


def _require_ends(
    edge_type: EdgeType, found: Sequence[Mapping[str, Any]], columns: Mapping[str, list[Any]]
) -> None:
    """Raise `NodeNotFoundError` if the statement has not found the ends of all edges."""
    if found[0]["count"] < len(columns["sources"]):
        raise_missing(edge_type.source, columns["sources"])
        raise_missing(edge_type.target, columns["targets"])


def _lock(edge_type: EdgeType) -> str:
    """Return the clauses that lock one end of edges with a key until the transaction ends.

    MERGE locks both ends on Neo4j, so that two clients do not create the same edge. Edges with a
    key are written without MERGE; setting a property to itself takes the lock. The embedded engine
    has one writer at a time.
    """
    if not edge_type.key or current_connection().engine == "embedded":
        return ""
    end = "b" if edge_type.start_at_target else "a"
    return f"SET {end}.updated_at = {end}.updated_at WITH i, a, b "


def delete_edges(
    edge_type: EdgeType,
    source: str | None,
    target: str | None,
    having: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Delete the edges between two nodes, or all edges of one node; return their number.

    With `having`, only the edges with these values are deleted.
    """
    ends = [
        (match_uid("a", edge_type.source, "$source"), source),
        (match_uid("b", edge_type.target, "$target"), target),
    ]
    given = " ".join(match for match, uid in ends if uid is not None)
    both = source is not None and target is not None
    pattern = edge_type.pattern if both else edge_type.pattern_from(by_source=source is not None)
    where = _where(edge_type, having)
    rows = query(
        f"{given} OPTIONAL MATCH {pattern}{where} DELETE r RETURN count(r) AS count",
        write=True,
        source=source,
        target=target,
        having=dict(having),
    )
    return int(rows[0]["count"])
