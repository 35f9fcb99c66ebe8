"""Nodes: their uids, their labels and their values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from genai_graph.database import match_uid, query, quote_name
from genai_graph.errors import PropertyError
from genai_graph.exchange.graph_reader import stored_value_errors, time_properties
from genai_graph.integrity.findings import Finding, UndeclaredProperties
from genai_graph.properties import encryption
from genai_graph.properties.encryption import EncryptedValue
from genai_graph.properties.messages import describe
from genai_graph.properties.types import DateTimeProperty
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.lookups import count_without_uid
from genai_graph.storage.scans import iter_pages_by_size


def findings(label: str) -> Iterator[Finding]:
    """Yield what is wrong with the nodes of a label."""
    yield from _without_uid(label)
    undeclared = UndeclaredProperties(
        label, properties_of(NODES[label]), f"MATCH (n:{label}) SET n"
    )
    for uids in iter_pages_by_size(label):
        for uid, found in _read(label, uids).items():
            if len(found) > 1:
                yield _repeated(label, uid, len(found))
            for labels, values in found:
                yield from _labels(label, uid, labels)
                yield from _values(label, uid, values)
                undeclared.note(values, uid)
    yield from undeclared.findings()


def _read(label: str, uids: list[str]) -> dict[str, list[tuple[list[str], dict[str, Any]]]]:
    """Return by uid the labels of ours and the values of the nodes that have it.

    Times come as text; what stands in the place of one comes in a list, not to be taken for one.
    """
    cls: Any = NODES[label]
    times = ", ".join(
        f"{quote_name(name)}: CASE WHEN valueType(n.{quote_name(name)}) ENDS WITH 'DATETIME NOT NULL' "
        f"THEN toString(n.{quote_name(name)}) ELSE [n.{quote_name(name)}] END"
        for name in time_properties(cls)
    )
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect([[one IN labels(n) WHERE one IN $ours], n {{.*, {times}}}]) AS nodes",
        uids=sorted(set(uids)),
        ours=list(NODES),
    )
    found: dict[str, list[tuple[list[str], dict[str, Any]]]] = defaultdict(list)
    for labels, values in rows[0]["nodes"]:
        found[values["uid"]].append((labels, _without_nothing(values)))
    return found


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != [None]}


def _without_uid(label: str) -> Iterator[Finding]:
    count = count_without_uid(label)
    if count:
        nodes = f"MATCH (n:{label}) WHERE NOT coalesce(n.uid > '', false)"
        yield Finding(
            "uid",
            label,
            (),
            f"{count} {label} without a text for a uid, which nothing can find",
            f"give each a uid, or delete them ({nodes} DETACH DELETE n)",
        )


def _repeated(label: str, uid: str, count: int) -> Finding:
    return Finding(
        "uid",
        label,
        (uid,),
        f"{label} {uid!r}: {count} nodes have this uid",
        "delete all but one of them, and run  genai-graph schema install",
    )


def _labels(label: str, uid: str, labels: list[str]) -> Iterator[Finding]:
    others = [one for one in NODES if one in labels and one != label]
    if others and label == next(one for one in NODES if one in labels):  # told once
        named = ", ".join(others)
        cure = f"remove what it is not: MATCH (n:{label} {{uid: ...}}) REMOVE n:{others[0]}"
        yield Finding("labels", label, (uid,), f"{label} {uid!r} is a {named} too", cure)


def _values(label: str, uid: str, values: dict[str, Any]) -> Iterator[Finding]:
    cls = NODES[label]
    spoiled = {
        name: PropertyError(value.reason)
        for name, value in encryption.decrypt_values(label, values).items()
        if isinstance(value, EncryptedValue) and value.is_corrupt
    }
    for name, error in (*stored_value_errors(cls, values), *spoiled.items()):
        kind = "missing" if values.get(name) is None else "value"
        problem = _told(label, name, values.get(name), error)
        together = cls.required_together if name in cls.required_together else (name,)
        values_given = ", ".join(f"{each}=..." for each in together)
        cure = f"set it: {label}.upsert(uid={uid!r}, {values_given})"
        yield Finding(kind, f"{label}.{name}", (uid,), f"{label} {uid!r}: {name}: {problem}", cure)


def _told(label: str, name: str, value: Any, error: PropertyError) -> str:
    """Return what is wrong, of what stands in the place of a time without the list round it."""
    cls: Any = NODES[label]
    if name in time_properties(cls) and isinstance(value, list):
        return f"expected {DateTimeProperty.expected}, got {describe(value[0])}"
    return str(error)
