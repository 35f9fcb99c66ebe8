"""Nodes and node sets as tables: of HTML for notebooks, and of text for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.ogm.stubs import NodeBase
from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note
from genai_graph.pictures.text_table import text_table
from genai_graph.registry import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_graph.ogm.node_set import NodeSet

# Properties of every class. They are listed last; the table of a node set omits some of them.
_COMMON = ("description", "tags", "metadata", "origin", "created_at", "updated_at")
_OMITTED = _COMMON[2:]


def redacted_values(node: Any) -> dict[str, Any]:
    """Return the values that are set, without credentials that other programs may have stored."""
    properties = properties_of(type(node))
    values = {name: prop.redact(getattr(node, name)) for name, prop in properties.items()}
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def node_table(node: Any) -> str:
    """Return the properties of a node that are set, one per row."""
    values = redacted_values(node)
    rows = [(name, values[name]) for name in _common_last(values)]
    return html_table(f"{type(node).__name__} {node.uid}", {"property": "", "value": ""}, rows)


def node_set_table(nodes: NodeSet[Any]) -> str:
    """Return the first nodes of a set, one per row."""
    total = len(nodes)
    columns, rows = _columns_and_rows(nodes.preview(MAX_ROWS))
    title = f"{nodes.source_class.__name__}: {total:,}"
    note = remaining_rows_note(total - len(rows), "all()")
    return html_table(title, columns, rows, note=note)


def node_set_text(nodes: NodeSet[Any]) -> str:
    """Return the first nodes of a set as a table of text."""
    total = len(nodes)
    columns, rows = _columns_and_rows(nodes.preview(MAX_ROWS))
    remaining = remaining_rows_note(total - len(rows), "all()")
    note = f"{nodes.source_class.__name__}: {total:,}"
    return text_table(columns, rows, note=f"{note}, {remaining}" if remaining else note)


def _columns_and_rows(results: list[Any]) -> tuple[dict[str, str], list[list[Any]]]:
    if results and isinstance(results[0], dict):  # of `values`
        return dict.fromkeys(results[0], ""), [list(row.values()) for row in results]
    if results and not isinstance(results[0], (NodeBase, list)):  # of `values_list`
        rows = [list(row) if isinstance(row, tuple) else [row] for row in results]
        return {f"{number}": "" for number in range(1, len(rows[0]) + 1)}, rows
    if results and isinstance(results[0], list):  # of `traverse`
        columns = [f"{number} {type(item).__name__}" for number, item in enumerate(results[0], 1)]
        rows = [[_uid_or_value(item) for item in result] for result in results]
        return dict.fromkeys(columns, ""), rows
    values = [redacted_values(node) for node in results]
    properties = _common_last(properties_of(type(results[0])) if results else ())
    # A column that only repeats the uid, as the name often does, is omitted.
    names = [
        name
        for name in properties
        if name not in _OMITTED and any(row.get(name) not in (None, row["uid"]) for row in values)
    ]
    names.insert(0, "uid")
    return dict.fromkeys(names, ""), [[row.get(name) for name in names] for row in values]


def _common_last(names: Iterable[str]) -> list[str]:
    return sorted(names, key=_COMMON.__contains__)  # stable, and False sorts before True


def _uid_or_value(value: Any) -> Any:
    return getattr(value, "uid", value) if isinstance(value, NodeBase) else value
