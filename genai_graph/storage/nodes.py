"""Writing nodes: create, merge, update, delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from genai_graph.database.connection import current_connection
from genai_graph.database.cypher import match_uid, quote_name
from genai_graph.database.error_translation import node_exists_error
from genai_graph.database.transaction import atomic, execute_write, lock, query, send_write
from genai_graph.database.values import to_bolt_datetime
from genai_graph.errors import NodeExistsError, TransientError
from genai_graph.properties import encryption
from genai_graph.storage.columns import (
    changed_columns,
    from_columns,
    json_columns,
    json_names,
    to_columns,
)
from genai_graph.storage.encrypted_values import IS_UNDECRYPTABLE
from genai_graph.storage.given_values import send_find
from genai_graph.storage.lookups import (
    existing_uids,
    find_nodes,
    node_missing_error,
    raise_missing,
)
from genai_graph.storage.rows import (
    TIMESTAMPS,
    NodeRow,
    WriteCounts,
    changed_values,
    new_node_values,
    now,
    without_null_timestamps,
    zeros_as_null,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genai_graph.properties.json_columns import Columns

N = TypeVar("N", bound=NodeRow)
Complete = Callable[[N], dict[str, Any]]
Reconcile = Callable[[N, dict[str, Any]], dict[str, Any]]


def create_nodes(label: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Create nodes, all or none, and return them as stored, in one statement.

    Raises `NodeExistsError` if a node with one of the uids exists.
    """
    moment = now()
    stored = [new_node_values(row, moment) for row in rows]
    uids = [row["uid"] for row in rows]
    if len(set(uids)) < len(uids):
        duplicate = next(uid for index, uid in enumerate(uids) if uid in uids[:index])
        raise node_exists_error(f"duplicate {label} with uid {duplicate!r}: create each node once")
    try:
        # The embedded engine reports a duplicate only at the commit, so it is searched for here.
        created = query(
            f"UNWIND $uids AS uid OPTIONAL {match_uid('old', label, 'uid')} "
            "WITH collect(old.uid) AS existing "
            "UNWIND CASE WHEN size(existing) = 0 THEN $rows ELSE [] END AS row "
            f"CREATE (n:{quote_name(label)}) SET n = row RETURN count(n) AS count",
            write=True,
            uids=uids,
            rows=[_pack_new(label, row) for row in stored],
        )
    except NodeExistsError:  # another client was faster
        raise _exists_error(label, ", ".join(uids[:3])) from None
    if created[0]["count"] < len(rows):
        raise _exists_error(label, min(existing_uids(label, uids), default=uids[0]))
    return stored


def _pack_new(label: str, values: dict[str, Any]) -> dict[str, Any]:
    return _pack_map(to_columns(label, encryption.encrypt_values(label, values["uid"], values)))


def are_stored(label: str, rows: Mapping[str, dict[str, Any]]) -> bool:
    """Return whether all nodes have these stored values, their timestamps included.

    Encrypted values are not compared: each has a random part.
    """
    found, encrypted = find_nodes(label, rows), encryption.encrypted_names(label)
    return all(
        uid in found and changed_values(found[uid], values).keys() <= encrypted
        for uid, values in rows.items()
    )


def upsert_nodes(
    label: str,
    rows: Sequence[N],
    complete: Complete[N],
    known: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Create or update nodes, and return them as stored, by uid.

    `complete` returns the values of a new node. `known` are the nodes that exist, if they were read
    in this transaction. One statement to read, one for the new nodes and one for the changed ones.
    """
    rows = _encrypt_rows(label, rows)
    uids = [row.uid for row in rows]
    with atomic():
        stored = dict(find_nodes(label, uids) if known is None else known)
        new = [row for row in rows if row.uid not in stored]
        changes = _changes(label, [row for row in rows if row.uid in stored], stored, None)
        for row in new:
            stored[row.uid] = {**new_node_values(complete(row), now()), "uid": row.uid}
        if new and _insert_new(label, new, lambda row: stored[row.uid]) < len(new):
            # Another client created some of them, so `known` is outdated.
            if known is not None:
                raise TransientError(f"a {label} was created by another client: try again")
            return upsert_nodes(label, rows, complete)
        for uid, changed in _apply_changes(label, changes, stored):
            stored[uid] |= changed
    return stored


def merge_nodes(
    label: str, rows: Sequence[N], complete: Complete[N], reconcile: Reconcile[N] | None = None
) -> WriteCounts:
    """Create or update nodes by their uids, which must be distinct; return the counts.

    `complete` returns the values of a new node. `reconcile` gets a row and the stored values of
    its node, and returns the values to write; the default writes the given ones.
    """
    with atomic():
        return send_merged_nodes(label, rows, complete, reconcile)()


def send_merged_nodes(
    label: str, rows: Sequence[N], complete: Complete[N], reconcile: Reconcile[N] | None
) -> Callable[[], WriteCounts]:
    """Send the statement that reads nodes in the open transaction.

    The returned function creates and updates them as `merge_nodes`, and returns the counts.
    """
    return _send_merge(label, _encrypt_rows(label, rows), complete, reconcile)


def insert_nodes(label: str, rows: Sequence[N], complete: Complete[N]) -> WriteCounts:
    """Create nodes that do not exist, with distinct uids; `complete` returns the values of each.

    Another client may have created some of them: on Neo4j those are updated, and on the embedded
    engine the commit raises `NodeExistsError`.
    """
    rows = _encrypt_rows(label, rows)
    created = _insert_new(label, rows, complete)
    if created == len(rows):
        return WriteCounts(created)
    with atomic():
        changed = _send_merge(label, rows, complete, None)().changed
    return WriteCounts(created, changed, len(rows) - created - changed)


def send_new_nodes(
    label: str, rows: Sequence[N], complete: Complete[N]
) -> Callable[[], WriteCounts]:
    """Send the statement that creates nodes, and return a function that waits for the counts.

    It runs in the open transaction. `NodeExistsError` is raised for a node that exists: by this
    function or the returned one, by the next statement, or by the commit.
    """
    rows = _encrypt_rows(label, rows)
    cypher, parameters = _insertion(label, rows, complete, _create)
    # If a statement returns rows, the server confirms it before it executes it.
    wait = send_write(f"{cypher} RETURN count(*) AS count", **parameters)

    def counts() -> WriteCounts:
        wait()
        return WriteCounts(created=len(rows))

    return counts


def _encrypt_rows(label: str, rows: Sequence[N]) -> Sequence[N]:
    if current_connection().keyring is None:
        return rows
    encrypt, replace = encryption.encrypt_values, msgspec.structs.replace
    return [replace(row, given=encrypt(label, row.uid, row.given)) for row in rows]


def _send_merge(
    label: str, rows: Sequence[N], complete: Complete[N], reconcile: Reconcile[N] | None
) -> Callable[[], WriteCounts]:
    find = send_find(label, rows)

    def merge() -> WriteCounts:
        stored = find()
        new = [row for row in rows if row.uid not in stored]
        changes = _changes(label, [row for row in rows if row.uid in stored], stored, reconcile)
        created = _insert_new(label, new, complete) if new else 0
        if created < len(new):  # another client created some of them
            again = _send_merge(label, rows, complete, reconcile)()
            created += again.created
            return WriteCounts(created, again.changed, len(rows) - created - again.changed)
        _apply_changes(label, changes, stored)
        return WriteCounts(created, len(changes), len(rows) - created - len(changes))

    return merge


def _changes(
    label: str,
    rows: Iterable[N],
    stored: Mapping[str, dict[str, Any]],
    reconcile: Reconcile[N] | None,
) -> list[tuple[str, dict[str, Any]]]:
    """Return (uid, changed values) of the rows that differ from the stored nodes."""
    changes = []
    for row in rows:
        before = stored[row.uid]
        if before is row.given:  # see `send_find`
            continue
        given = row.given if reconcile is None else reconcile(row, before)
        changed = changed_values(before, without_null_timestamps(given))
        if changed:
            encryption.refuse_overwrite(label, row.uid, before, changed)
            changes.append((row.uid, changed))
    return changes


def _insert_new(label: str, rows: Sequence[N], complete: Complete[N]) -> int:
    """Create nodes unless they exist, and return the number of created nodes."""
    # The embedded engine has one writer at a time, so the nodes do not exist.
    is_embedded = current_connection().engine == "embedded"
    clauses = _create if is_embedded else _create_missing
    cypher, parameters = _insertion(label, rows, complete, clauses)
    return execute_write(cypher, **parameters)[1].nodes_created


def _insertion(
    label: str, rows: Sequence[N], complete: Complete[N], clauses: Callable[..., str]
) -> tuple[str, dict[str, Any]]:
    """Return the statement that creates nodes, and its parameters.

    `clauses` is `_create` or `_create_missing`.
    """
    names, packed, json = _pack_rows(label, rows, [complete(row) for row in rows])
    values = {name: f"row[{index}]" for index, name in enumerate(names, 1)}
    values |= {
        name: f"coalesce({values[name]}, $now)" if name in values else "$now" for name in TIMESTAMPS
    }
    more = f"n += $json[row[{len(names) + 1}]]" if json else ""
    cypher = f"UNWIND $rows AS row {clauses(label, values, more)}"
    return cypher, {"now": now(), "rows": packed, "json": json}


def _create(label: str, values: Mapping[str, str], more: str) -> str:
    """Return the clauses that create a node with the given expressions as its properties.

    `more` is an assignment of further properties, or "". This takes two thirds of the time of
    `_create_missing` on the embedded engine, and nine tenths on Neo4j.
    """
    given = ", ".join(f"{quote_name(name)}: {value}" for name, value in values.items())
    create = f"CREATE (n:{quote_name(label)} {{uid: row[0], {given}}})"
    return f"{create} SET {more}" if more else create


def _create_missing(label: str, values: Mapping[str, str], more: str) -> str:
    """Return the clauses that create a node like those of `_create`, unless its uid exists."""
    assigned = [f"n.{quote_name(name)} = {value}" for name, value in values.items()]
    return (
        f"MERGE (n:{quote_name(label)} {{uid: row[0]}}) "
        f"ON CREATE SET {', '.join([*assigned, more] if more else assigned)}"
    )


def _apply_changes(
    label: str,
    changes: list[tuple[str, dict[str, Any]]],
    stored: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, dict[str, Any]]]:
    """Set the changed values of nodes; return the changes, with `updated_at`."""
    if not changes:
        return []
    moment = now()
    complete = [(uid, {"updated_at": moment, **changed}) for uid, changed in changes]
    rows = query(
        f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
        "SET n += row[2] SET n += row[1] RETURN count(n) AS count",
        write=True,
        rows=[_pack_change(label, uid, stored[uid], changed) for uid, changed in complete],
    )
    if rows[0]["count"] < len(changes):  # deleted meanwhile
        raise_missing(label, [uid for uid, _ in changes])
    return complete


def _pack_change(
    label: str, uid: str, before: Mapping[str, Any], changed: Mapping[str, Any]
) -> list[Any]:
    """Return a row of the uid, the properties to set, and those to set to null before."""
    columns = changed_columns(label, before, changed)
    return [uid, _pack_map(columns), zeros_as_null(columns)]


def update_nodes(
    label: str,
    changes: Mapping[str, dict[str, Any]],
    stored: Mapping[str, Mapping[str, Any]],
) -> None:
    """Set values of nodes by uid (None removes one), all or none, in one statement.

    `stored` are the values from which they differ, by uid. Raises `NodeNotFoundError` if a node
    does not exist, and `PropertyError` if a stored value that can't be decrypted here would be
    overwritten.
    """
    names = list(encryption.encryptable_properties(label))
    rows = {uid: encryption.encrypt_values(label, uid, changed) for uid, changed in changes.items()}
    prefixes, available = encryption.ciphertext_prefixes()
    with atomic():
        updated = query(
            f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
            f"WITH n, row, [name IN $names WHERE name IN row[3] AND {IS_UNDECRYPTABLE}] "
            "AS undecryptable WHERE size(undecryptable) = 0 "
            "SET n += row[2] SET n += row[1] RETURN collect(n.uid) AS uids",
            write=True,
            rows=[
                [*_pack_change(label, uid, stored[uid], changed), list(changed)]
                for uid, changed in rows.items()
            ],
            names=names,
            prefixes=prefixes,
            available=available,
        )[0]["uids"]
        if len(updated) < len(rows):
            _overwrite_ciphertexts(label, {uid: rows[uid] for uid in rows.keys() - set(updated)})


def _overwrite_ciphertexts(label: str, rows: Mapping[str, dict[str, Any]]) -> None:
    """Update nodes with values that can't be decrypted here; raise as `update_nodes`."""
    stored = find_nodes(label, rows)
    for uid, changed in rows.items():
        if uid not in stored:
            raise node_missing_error(label, uid)
        encryption.refuse_overwrite(label, uid, stored[uid], changed)
    execute_write(
        f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} SET n += row[1]",
        rows=[_pack_change(label, uid, stored[uid], changed) for uid, changed in rows.items()],
    )


def lock_node(label: str, uid: str) -> dict[str, Any] | None:
    """Return the values of a node, locked until the transaction ends, or None.

    On Neo4j a write lock keeps other clients from changing the node between the read and the write
    that depends on it; setting a property to itself takes the lock. The embedded engine has one
    writer at a time.
    """
    if current_connection().engine == "embedded":
        return find_nodes(label, [uid]).get(uid)
    rows = lock(
        f"{match_uid('n', label, '$uid')} SET n.updated_at = n.updated_at "
        "RETURN properties(n) AS found",
        uid=uid,
    )
    return from_columns(label, rows[0]["found"]) if rows else None


def delete_node(label: str, uid: str) -> None:
    """Delete a node and its edges; raise `NodeNotFoundError` if it does not exist."""
    rows = query(
        f"{match_uid('n', label, '$uid')} DETACH DELETE n RETURN 1 AS one",
        write=True,
        uid=uid,
    )
    if not rows:
        raise node_missing_error(label, uid)


def _exists_error(label: str, uid: str) -> NodeExistsError:
    return node_exists_error(
        f"a {label} with uid {uid!r} already exists: use {label}.upsert() to update it"
    )


def _pack_rows(
    label: str, rows: Sequence[NodeRow], values: Sequence[dict[str, Any]]
) -> tuple[list[str], list[list[Any]], list[Columns]]:
    """Return the property names, for each row a list of its uid and its values, and JSON values.

    The stored properties of JSON values are a list of maps, with the index of a row's map at the
    end of the row: runs repeat their parameters. The driver packs lists in half the time of maps.
    """
    given = set().union(*values)
    json = given & json_names(label)
    names = sorted(given - json - {"uid"})
    packed = _as_lists(rows, values, names)
    for index in range(1, len(names) + 1):
        # All values of a property have the same type, so only the first one is tested.
        first = next((row[index] for row in packed if row[index] is not None), None)
        if isinstance(first, datetime):
            for row in packed:
                if (moment := row[index]) is not None:
                    row[index] = to_bolt_datetime(moment)
    maps: list[Columns] = []
    if json:
        numbers: dict[int, int] = {}  # equal maps are mostly the same object
        for row, of_row in zip(packed, values, strict=True):
            columns = json_columns(json, of_row)
            number = numbers.setdefault(id(columns), len(maps))
            if number == len(maps):
                maps.append(columns)
            row.append(number)
    return names, packed, maps


def _as_lists(
    rows: Sequence[NodeRow], values: Sequence[dict[str, Any]], names: list[str]
) -> list[list[Any]]:
    """Return the uid and the named values of each row, None for missing ones."""
    if len(names) > 1:
        picked = map(itemgetter(*names), values)
        with suppress(KeyError):  # usually no value is missing, and this is three times as fast
            return [[row.uid, *of_row] for row, of_row in zip(rows, picked, strict=True)]
    return [[row.uid, *map(given.get, names)] for row, given in zip(rows, values, strict=True)]


def _pack_map(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: to_bolt_datetime(value) if type(value) is datetime else value
        for name, value in values.items()
    }
