"""Checks of nodes: uids, labels and values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from genai_graph.database import match_uid, query, quote_name
from genai_graph.errors import PropertyError
from genai_graph.exchange.graph_reader import stored_value_errors, timestamp_names
from genai_graph.integrity.findings import Finding, UndeclaredProperties
from genai_graph.integrity.schema_checks import INSTALL
from genai_graph.integrity.uid_checks import SimilarUids, spelling_finding
from genai_graph.names import is_normalized_name
from genai_graph.properties import encryption
from genai_graph.properties.encryption import EncryptedValue
from genai_graph.properties.json_columns import layout_error
from genai_graph.properties.messages import describe
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.columns import from_columns, group_columns, json_names
from genai_graph.storage.lookups import count_nodes, count_without_uid
from genai_graph.storage.scans import iter_pages_by_size


def findings(label: str) -> Iterator[Finding]:
    """Yield the violations of the nodes of a label."""
    yield from _missing_uids(label)
    setter = f"MATCH (n:{label}) SET n"
    undeclared = UndeclaredProperties(label, properties_of(NODES[label]), setter)
    similar = SimilarUids(label, count_nodes(label))
    for uids in iter_pages_by_size(label):
        for uid, nodes in _read(label, uids).items():
            similar.add(uid)
            yield from spelling_finding(label, uid)
            if len(nodes) > 1:
                problem = f"{label} {uid!r}: {len(nodes)} nodes have this uid"
                yield Finding("uid", label, (uid,), problem, f"delete all but one, and {INSTALL}")
            for labels, stored in nodes:
                values = from_columns(label, stored)
                yield from _label_findings(label, uid, labels)
                yield from _layout_findings(label, uid, stored)
                yield from _value_findings(label, uid, values)
                undeclared.add(values, uid)
    yield from undeclared.findings()
    yield from similar.findings()


def _read(label: str, uids: list[str]) -> dict[str, list[tuple[list[str], dict[str, Any]]]]:
    """Return the nodes by uid, as their labels in the models and their values.

    Timestamps are returned as text. Any other value of a timestamp property is wrapped in a list,
    so that a string is not taken for a timestamp.
    """
    timestamps = ", ".join(
        f"{name}: CASE WHEN valueType(n.{name}) ENDS WITH 'DATETIME NOT NULL' "
        f"THEN toString(n.{name}) ELSE [n.{name}] END"
        for name in map(quote_name, timestamp_names(label))
    )
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        "RETURN collect([[one IN labels(n) WHERE one IN $labels], "
        f"n {{.*, {timestamps}}}]) AS nodes",
        uids=sorted(set(uids)),
        labels=list(NODES),
    )
    nodes: dict[str, list[tuple[list[str], dict[str, Any]]]] = defaultdict(list)
    for labels, values in rows[0]["nodes"]:
        given = {k: value for k, value in values.items() if value is not None and value != [None]}
        nodes[values["uid"]].append((labels, given))
    return nodes


def _missing_uids(label: str) -> Iterator[Finding]:
    count = count_without_uid(label)
    if count:
        deletion = f"MATCH (n:{label}) WHERE NOT coalesce(n.uid > '', false) DETACH DELETE n"
        hint = f"set their uids, or delete them ({deletion})"
        yield Finding("uid", label, (), f"{count} {label} without a string uid", hint)


def _label_findings(label: str, uid: str, labels: list[str]) -> Iterator[Finding]:
    declared = [each for each in NODES if each in labels]
    others = [each for each in declared if each != label]
    if others and label == declared[0]:  # report the node once
        hint = f"remove the wrong label: MATCH (n:{label} {{uid: ...}}) REMOVE n:{others[0]}"
        problem = f"{label} {uid!r} is also a {', '.join(others)}"
        yield Finding("labels", label, (uid,), problem, hint)


def _layout_findings(label: str, uid: str, stored: dict[str, Any]) -> Iterator[Finding]:
    names = json_names(label)
    for name, columns in group_columns(stored).items():
        problem = layout_error(name, columns) if name in names else ""
        if problem:
            hint = f"remove one of them, or set it: {label}.upsert(uid={uid!r}, {name}=...)"
            subject = f"{label}.{name}"
            yield Finding("value", subject, (uid,), f"{label} {uid!r}: {name}: {problem}", hint)


def _value_findings(label: str, uid: str, values: dict[str, Any]) -> Iterator[Finding]:
    cls, timestamps = NODES[label], timestamp_names(label)
    corrupt = {
        name: PropertyError(value.reason)
        for name, value in encryption.decrypt_values(label, values).items()
        if isinstance(value, EncryptedValue) and value.is_corrupt
    }
    errors = (*stored_value_errors(cls, values), *cls.stored_errors(values), *corrupt.items())
    for name, error in errors:
        if name == "uid" and not is_normalized_name(uid):  # see `spelling_finding`
            continue
        value, problem = values.get(name), str(error)
        kind = "missing" if value is None else "value"
        if isinstance(value, list) and name in timestamps:  # wrapped in a list by `_read`
            problem = f"expected {properties_of(cls)[name].expected}, got {describe(value[0])}"
        together = cls.required_together if name in cls.required_together else (name,)
        hint = f"set it: {label}.upsert(uid={uid!r}, {', '.join(f'{n}=...' for n in together)})"
        yield Finding(kind, f"{label}.{name}", (uid,), f"{label} {uid!r}: {name}: {problem}", hint)
