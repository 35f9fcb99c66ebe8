"""Writing many nodes or edges: the methods of node sets and relationships that change the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from genai_graph.advice import refuse_arguments
from genai_graph.database import count_in_transaction, run_in_transaction
from genai_graph.errors import (
    NodeExistsError,
    NodeSetError,
    NodeSetTypeError,
    PropertyError,
    PropertyTypeError,
)
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import clean_fields, deflate_values, full_clean
from genai_graph.storage import batching, bulk_deletes
from genai_graph.storage.edges import merge_edges
from genai_graph.storage.nodes import are_stored, update_nodes
from genai_graph.storage.protection import refuse_protected
from genai_graph.storage.rows import EdgeRow, NodeRow, WriteCounts, estimate_size

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType


def save_in_transaction(save: Callable[[], list[Any]]) -> list[Any]:
    """Call a function that saves nodes and returns them, in a transaction with retries.

    After a commit without a response, the nodes are looked up with their values and timestamps.
    """

    def write() -> list[tuple[Any, dict[str, Any]]]:
        return [(node, dict(node.stored_values)) for node in save()]

    def was_committed(saved: list[tuple[Any, dict[str, Any]]]) -> bool:
        rows: dict[str, dict[str, dict[str, Any]]] = {}
        for node, stored in saved:
            rows.setdefault(node.__label__, {})[stored["uid"]] = stored
        if not all(are_stored(label, stored) for label, stored in rows.items()):
            return False
        for node, stored in saved:  # their attributes were reset, as after a rollback
            node.set_stored(stored)
        return True

    return [node for node, _ in run_in_transaction(write, was_committed)]


# Creating


def get_or_create(
    nodes: Any,
    defaults: Mapping[str, Any] | None,
    lookups: Mapping[str, Any],
    through_defaults: Mapping[str, Any] | None = None,
) -> tuple[Any, bool]:
    """Return the only matching node of a set and False, or a new one and True.

    `through_defaults` are the values of its edge, if the set is a relationship.
    """
    _require_mapping("get_or_create", defaults)
    found = nodes.get_or_none(**lookups)
    if found is not None:
        return found, False
    try:
        return nodes.create(**_new_values(lookups, defaults, through_defaults)), True
    except NodeExistsError:  # created by another client meanwhile, or it does not match
        found = nodes.get_or_none(**lookups)
        if found is None:
            raise
        return found, False


def update_or_create(
    nodes: Any,
    defaults: Mapping[str, Any] | None,
    create_defaults: Mapping[str, Any] | None,
    lookups: Mapping[str, Any],
    through_defaults: Mapping[str, Any] | None = None,
) -> tuple[Any, bool]:
    """Set values of the only matching node of a set, or create it."""
    _require_mapping("update_or_create", defaults)
    _require_mapping("update_or_create", create_defaults)
    is_new = False

    def save() -> list[Any]:
        nonlocal is_new
        found = nodes.get_or_none(**lookups)
        is_new = found is None
        if found is None:
            created = defaults if create_defaults is None else create_defaults
            return [nodes.create(**_new_values(lookups, created, through_defaults))]
        for name, value in clean_fields(type(found), defaults or {}).items():
            setattr(found, name, value)
        return [found.save()]

    return save_in_transaction(save)[0], is_new


def _require_mapping(method: str, defaults: Any) -> None:
    if not isinstance(defaults, (Mapping, type(None))):
        raise NodeSetTypeError(
            f"{method}: expected a dict of defaults, got {describe(defaults)}: conditions are "
            "keyword arguments, such as uid='a'"
        )


def _new_values(
    lookups: Mapping[str, Any],
    defaults: Mapping[str, Any] | None,
    through_defaults: Mapping[str, Any] | None,
) -> dict[str, Any]:
    equal = {
        name.removesuffix("__exact"): value
        for name, value in lookups.items()
        if "__" not in name.removesuffix("__exact")
    }
    of_edge = {} if through_defaults is None else {"through_defaults": through_defaults}
    return {**equal, **(defaults or {}), **of_edge}


def bulk_create(cls: Any, rows: Iterable[Any], options: Mapping[str, Any]) -> list[Any]:
    """Create nodes from objects or dicts, given one by one or as lists."""
    refuse_arguments("bulk_create", options)
    nodes = [_new_node(cls, row) for row in _flat(rows)]
    for node in nodes:
        if node.was_saved:
            raise NodeExistsError(f"{node!r} was saved already: use bulk_update()")
    created: list[Any] = cls.bulk_save(nodes)
    return created


def _flat(rows: Iterable[Any]) -> Iterable[Any]:
    for row in rows:
        if isinstance(row, Iterable) and not isinstance(row, (str, bytes, Mapping)):
            yield from row
        else:
            yield row


def _new_node(cls: Any, row: Any) -> Any:
    if isinstance(row, Mapping):
        return cls(**row)
    if not isinstance(row, cls):
        raise NodeSetTypeError(
            f"bulk_create: expected a {cls.__name__} or a dict, got {describe(row)}"
        )
    return row


# Updating


def update(nodes: Any, values: Mapping[str, Any]) -> int:
    """Set values of all nodes of a set; return their number."""
    cls = nodes.source_class
    cleaned = clean_fields(cls, values)
    if "uid" in cleaned:
        raise PropertyError(f"{cls.__name__}.uid: can't be changed once saved")

    def write() -> int:
        count = 0
        for batch in batching.batched(nodes.iterator(batching.BATCH_ROWS)):
            for node in batch:
                for name, value in cleaned.items():
                    setattr(node, name, value)
            count += _write_fields(cls, batch, list(cleaned))
        return count

    return count_in_transaction(write)


def bulk_update(cls: Any, nodes: Iterable[Any], fields: Iterable[str]) -> int:
    """Write properties of saved nodes; return the number of nodes."""
    if isinstance(fields, str) or not isinstance(fields, Iterable):
        raise NodeSetTypeError(f"bulk_update: expected a list of names, got {describe(fields)}")
    names = list(dict.fromkeys(fields))
    if not names or "uid" in names:
        raise NodeSetError(
            "bulk_update: expected names of properties other than uid, which identifies the nodes"
        )
    unique = list({id(node): node for node in to_nodes(cls, "bulk_update", nodes)}.values())
    for node in unique:
        _ = node.saved_uid  # raises NotSavedError
    return _write_fields(cls, unique, names)


def to_nodes(cls: Any, method: str, nodes: Any) -> list[Any]:
    """Return the nodes of an iterable; raise `NodeSetTypeError` for anything else."""
    if not isinstance(nodes, Iterable):
        raise NodeSetTypeError(f"{method}: expected a list of nodes, got {describe(nodes)}")
    found = list(nodes)
    for node in found:
        if not isinstance(node, cls):
            raise NodeSetTypeError(f"{method}: expected a {cls.__name__}, got {describe(node)}")
    return found


def _write_fields(cls: Any, nodes: list[Any], names: list[str]) -> int:
    """Write the named properties of nodes, as far as they differ from the stored ones."""
    changes = {node.saved_uid: (node, node.changes_of(names)) for node in nodes}
    changed = {uid: values for uid, (_, values) in changes.items() if values}
    stored = {uid: changes[uid][0].stored_values for uid in changed}

    def write() -> None:
        sized = (NodeRow(uid, values, estimate_size(values)) for uid, values in changed.items())
        for batch in batching.batch_by_size(sized, batching.BATCH_ROWS):
            update_nodes(cls.__label__, {row.uid: row.given for row in batch}, stored)

    if changed:
        run_in_transaction(write)
    for node, values in changes.values():
        node.set_written(values)
    return len(nodes)


# Deleting


def delete(nodes: Any, *, force: bool) -> tuple[int, dict[str, int]]:
    """Delete the nodes of a set and what belongs to them; return the numbers."""
    cls = nodes.source_class
    label = cls.__label__

    def write() -> dict[str, int]:
        counts: dict[str, int] = {}
        if any(hasattr(cls, hook) for hook in ("pre_delete", "post_delete")):
            for node in list(nodes):
                node.delete(force=force)
                counts[label] = counts.get(label, 0) + 1
            return counts
        uids = nodes.uids()
        if not force:
            refuse_protected(label, uids)
        for batch in batching.batched(uids):
            for owned, number in cls._delete_owned_by(batch).items():
                counts[owned] = counts.get(owned, 0) + number
            counts[label] = counts.get(label, 0) + bulk_deletes.delete_nodes(label, batch)
        return counts

    # If nothing is left to delete after a lost commit, it had succeeded.
    found = count_in_transaction(write, lambda _: not nodes._clone().exists())
    counts = {label: number for label, number in found.items() if number}
    return sum(counts.values()), counts


# Edges


def connect_all(manager: Any, items: Iterable[Any]) -> WriteCounts:
    """Connect nodes, or pairs of a node and the properties of its edge, all or none."""
    model = manager.definition["model"]
    edge_type: EdgeType = manager.edge_type
    rows: dict[Any, EdgeRow] = {}
    for item in items:
        node, properties = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
        if not isinstance(properties, (Mapping, type(None))):
            raise PropertyTypeError(
                f"{model.__name__}: expected a dict of properties, got {describe(properties)}"
            )
        source, target = manager._ends(node)
        given = deflate_values(model, full_clean(model, properties or {}))
        key = (source, target, *edge_type.key_of(given))
        merged = {**rows[key].given, **given} if key in rows else given
        rows[key] = EdgeRow(source, target, merged, estimate_size(merged))

    def write() -> WriteCounts:
        counts = WriteCounts()
        for batch in batching.batch_by_size(rows.values(), batching.BATCH_ROWS):
            counts.add(merge_edges(edge_type, batch))
        return counts

    return count_in_transaction(write)
