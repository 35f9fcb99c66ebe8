"""Nodes as the tables that notebooks show; a terminal has their `repr`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from genai_graph.models.base import Node
from genai_graph.models.checking import properties_of
from genai_graph.pictures.table import ROWS, rest, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_graph.models.relationships import Nodes

# What every node has comes behind what is particular to its class; some of it is only in the
# table of one node, since that of many is wide.
_LAST = ("description", "tags", "metadata", "created_at", "updated_at")
_LEFT_OUT = _LAST[2:]


def shown(node: Node) -> dict[str, Any]:
    """Return the values that there are, without the secrets that others wrote into locations."""
    known = properties_of(type(node))
    values = {name: known[name].shown(getattr(node, name)) for name in known}
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=_LAST.__contains__)


def of_node(node: Node) -> str:
    """Return the properties that have a value, one a row."""
    values = shown(node)
    rows = [(name, values[name]) for name in _ordered(values)]
    return table(f"{type(node).__name__} {node.uid}", {"property": "", "value": ""}, rows)


def of_nodes(nodes: Nodes[Any]) -> str:
    """Return the first nodes of a set, one a row; the set stays as it is."""
    total = len(nodes)
    few = copy.copy(nodes)
    few.limit = min(ROWS, getattr(nodes, "limit", None) or ROWS)
    found: list[Any] = few.all()
    columns, rows = _rows(found)
    title = f"{nodes.source_class.__name__}: {total:,}"
    return table(title, columns, rows, note=rest(total - len(rows), "all()"))


def _rows(found: list[Any]) -> tuple[dict[str, str], list[list[Any]]]:
    if found and not isinstance(found[0], Node):  # neomodel's lists of what a traversal met
        columns = {f"{place} {type(one).__name__}": "" for place, one in enumerate(found[0], 1)}
        return columns, [list(map(_brief, row)) for row in found]
    values = [shown(node) for node in found]
    known = _ordered(properties_of(type(found[0])) if found else ())
    names = ["uid", *(name for name in known if name not in _LEFT_OUT and _tells(name, values))]
    return dict.fromkeys(names, ""), [[row.get(name) for name in names] for row in values]


def _tells(name: str, values: list[dict[str, Any]]) -> bool:
    """Whether a column tells more than that of the uid, which often is the name."""
    return any(row.get(name) not in (None, row["uid"]) for row in values)


def _brief(value: Any) -> Any:
    return value.uid if isinstance(value, Node) else value
