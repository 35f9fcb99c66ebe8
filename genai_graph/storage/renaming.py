"""Moving nodes to other uids, with their edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genai_graph.database import execute_write, match_uid, query
from genai_graph.errors import EdgeError, NodeExistsError
from genai_graph.properties import encryption
from genai_graph.registry import INCOMING, NODES, OUTGOING
from genai_graph.storage.batching import batched
from genai_graph.storage.lookups import existing_uids, find_nodes, raise_missing
from genai_graph.storage.rows import now

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


def move_node(label: str, uid: str, new_uid: str, values: dict[str, Any]) -> dict[str, Any]:
    """Give a node another uid and set values, and return the written values.

    Other nodes whose derived uid contains the uid, such as the metrics of a dataset, are moved as
    well. Runs in the open transaction. Raises `NodeExistsError` if one of the new uids exists,
    `NodeNotFoundError`, and `PropertyError` for an encrypted value that can't be decrypted here,
    since ciphertexts belong to a uid.
    """
    written = {**values, "uid": new_uid, "updated_at": now()}
    _move(label, {uid: new_uid}, written)
    if new_uid != uid:
        for owner, cls in NODES.items():
            for name in cls.uid_references:
                _move_referring(owner, name, label, uid, new_uid)
    return written


def require_not_in_uid(edge_type: EdgeType, source: str | None, target: str | None) -> None:
    """Raise `EdgeError` if edges can't be deleted: the uid of one end contains that of the other.

    After the deletion, the uid of a metric would name a dataset that it was not measured on.
    """
    for owner, cls in NODES.items():
        for name in cls.uid_references:
            referring, is_source = _reference(owner, name)
            if referring != edge_type:
                continue
            near, far = (source, target) if is_source else (target, source)
            owners = [near] if near else _neighbours(edge_type, far or "", by_source=not is_source)
            for uid in owners:
                others = [far] if far else _neighbours(edge_type, uid, by_source=is_source)
                if any(cls.replace_in_uid(uid, name, other, other) for other in others):
                    raise EdgeError(
                        f"{owner} {uid!r}: its uid names the {name}: delete the {owner.lower()}, "
                        "and record the value again"
                    )


def _reference(owner: str, name: str) -> tuple[EdgeType, bool]:
    """Return the edge type of a relationship, and whether its owner is the source."""
    outgoing = OUTGOING[owner].get(name)
    return (outgoing or INCOMING[owner][name]).edge_type, outgoing is not None


def _move_referring(owner: str, name: str, label: str, uid: str, new_uid: str) -> None:
    """Move the nodes whose uid contains that of the node at the other end of a relationship."""
    edge_type, outgoing = _reference(owner, name)
    if label != (edge_type.target if outgoing else edge_type.source):
        return
    moves = {}
    for found in _neighbours(edge_type, new_uid, by_source=not outgoing):
        moved = NODES[owner].replace_in_uid(found, name, uid, new_uid)
        if moved is not None:
            moves[found] = moved
    _move(owner, moves, {"updated_at": now()})


def _neighbours(edge_type: EdgeType, uid: str, *, by_source: bool) -> list[str]:
    near, far = ("a", "b") if by_source else ("b", "a")
    label = edge_type.source if by_source else edge_type.target
    rows = query(
        f"{match_uid(near, label, '$uid')} "
        f"MATCH {edge_type.pattern_from(by_source=by_source)} "
        f"RETURN collect(DISTINCT {far}.uid) AS found",
        uid=uid,
    )
    return list(rows[0]["found"])


def _move(label: str, moves: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Set the uids of nodes, and the same values on each."""
    for batch in batched(moves.items()):
        new = [to for uid, to in batch if to != uid]
        for taken in sorted(existing_uids(label, new)):
            raise NodeExistsError(f"a {label} with uid {taken!r} already exists: choose another")
        reencrypted = _reencrypt(label, dict(batch))
        rows = [[uid, {**values, **reencrypted.get(uid, {}), "uid": to}] for uid, to in batch]
        found, _ = execute_write(
            f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
            "SET n += row[1] RETURN count(n) AS count",
            rows=rows,
        )
        if found[0]["count"] < len(batch):
            raise_missing(label, [to for _, to in batch])


def _reencrypt(label: str, moves: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the encrypted values of nodes as they are stored under their new uids."""
    names = encryption.encryptable_properties(label)
    found: dict[str, dict[str, Any]] = {}
    for uid, stored in find_nodes(label, moves).items():
        ciphertexts = [name for name in names if encryption.key_id_in(stored.get(name))]
        if ciphertexts and moves[uid] != uid:
            clear = encryption.decrypt_all(label, stored)
            found[uid] = encryption.encrypt_values(
                label, moves[uid], {name: clear[name] for name in ciphertexts}
            )
    return found
