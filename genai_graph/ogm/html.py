"""Nodes as HTML tables for notebooks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from genai_graph.ogm.stubs import NodeBase
from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note
from genai_graph.registry import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_graph.ogm.managers import NodeSet

# Properties that every class has are listed last; the table of a node set omits some of them.
_COMMON = ("description", "tags", "metadata", "created_at", "updated_at")
_OMITTED = _COMMON[2:]


def redacted_values(node: Any) -> dict[str, Any]:
    """Return the values that are set, without credentials that other programs may have stored."""
    known = properties_of(type(node))
    values = {name: known[name].redact(getattr(node, name)) for name in known}
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def _common_last(names: Iterable[str]) -> list[str]:
    return sorted(names, key=_COMMON.__contains__)


def node_table(node: Any) -> str:
    """Return the properties of a node that are set, one per row."""
    values = redacted_values(node)
    rows = [(name, values[name]) for name in _common_last(values)]
    return html_table(f"{type(node).__name__} {node.uid}", {"property": "", "value": ""}, rows)


def node_set_table(nodes: NodeSet[Any]) -> str:
    """Return the first nodes of a set, one per row."""
    total = len(nodes)
    first = copy.copy(nodes)
    first.limit = min(MAX_ROWS, getattr(nodes, "limit", None) or MAX_ROWS)
    found: list[Any] = first.all()
    columns, rows = _rows(found)
    title = f"{nodes.source_class.__name__}: {total:,}"
    note = remaining_rows_note(total - len(rows), "all()")
    return html_table(title, columns, rows, note=note)


def _rows(found: list[Any]) -> tuple[dict[str, str], list[list[Any]]]:
    if found and not isinstance(found[0], NodeBase):  # neomodel's lists of a traversal
        columns = {f"{place} {type(item).__name__}": "" for place, item in enumerate(found[0], 1)}
        return columns, [list(map(_uid_or_value, row)) for row in found]
    values = [redacted_values(node) for node in found]
    known = _common_last(properties_of(type(found[0])) if found else ())
    names = ["uid", *(name for name in known if name not in _OMITTED and _adds(name, values))]
    return dict.fromkeys(names, ""), [[row.get(name) for name in names] for row in values]


def _adds(name: str, values: list[dict[str, Any]]) -> bool:
    """Whether a column adds anything to the uid, which often is the name."""
    return any(row.get(name) not in (None, row["uid"]) for row in values)


def _uid_or_value(value: Any) -> Any:
    return getattr(value, "uid", value) if isinstance(value, NodeBase) else value
