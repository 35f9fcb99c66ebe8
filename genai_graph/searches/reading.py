"""The nodes of a search and their metrics, read by column.

A row costs the driver and the engines more than its values. So a row of a result holds several
nodes, or the values of one metric of many nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from genai_graph.database import clamp_limit, match_uid, query, quote_name
from genai_graph.database.values import parse_stored_time
from genai_graph.ogm.compiler import Compiler, pattern
from genai_graph.ogm.conditions import And, Call, Tree, relationships_of, step_over
from genai_graph.properties.encryption import (
    decrypt_values,
    encryptable_properties,
    key_id_in,
    refuse_search,
)
from genai_graph.properties.json_columns import is_in_json
from genai_graph.properties.validation import inflate_value, inflate_values
from genai_graph.registry import NODES, properties_of
from genai_graph.searches.conditions import JSON_NEEDS_KEY, Operand, Resolver, to_tree
from genai_graph.searches.parsing import OrderKey, error_at, parse_expression, parse_ordering
from genai_graph.storage.batching import batched
from genai_graph.storage.columns import from_columns

_NODES_PER_ROW = 20  # few, since their texts may be large
_NODES_PER_STATEMENT = 1_000  # for metrics


@dataclass(frozen=True)
class Wanted:
    """The properties to read: by name, and stored properties of JSON by name or prefix."""

    names: Sequence[str]
    json_names: Sequence[str] = ()
    json_prefixes: Sequence[str] = ()


@dataclass
class Found:
    """The nodes of a search in order: uids, values by property, and stored JSON by node."""

    label: str
    uids: list[str] = field(default_factory=list)
    properties: dict[str, list[Any]] = field(default_factory=dict)
    json: list[dict[str, Any]] = field(default_factory=list)

    def json_value(self, index: int, name: str) -> Any:
        """Return the value of a JSON property of a node, as far as it was read."""
        stored = self.json[index]
        columns = {key: stored[key] for key in stored if key == name or is_in_json(key, (name,))}
        if not columns:
            return None
        united = from_columns(self.label, {"uid": self.uids[index], name: None, **columns})
        values = inflate_values(NODES[self.label], decrypt_values(self.label, united))
        return values[name]


def read_nodes(label: str, text: str, ordering: Sequence[str], limit: int, wanted: Wanted) -> Found:
    """Return the nodes that meet an expression, in order. Raises `SearchError`."""
    compiler = Compiler()
    clauses = _select(compiler, label, text, ordering, limit)
    known = properties_of(NODES[label])
    names = list(dict.fromkeys(("uid", *wanted.names)))
    values = [
        f"toString(n.{quote_name(name)})" if known[name].is_timestamp else f"n.{quote_name(name)}"
        for name in names
    ]
    node = ", ".join(values)
    if wanted.json_names:
        tests = [f"key IN {compiler.parameter(list(wanted.json_names))}"]
        tests += [f"key STARTS WITH {compiler.parameter(p)}" for p in wanted.json_prefixes]
        keys = f"[key IN keys(n) WHERE {' OR '.join(tests)}"
        node += f", {keys} | key], {keys} | n[key]]"
    rows = query(
        f"{clauses} WITH collect(n) AS found "
        f"UNWIND range(0, size(found) - 1, {_NODES_PER_ROW}) AS first "
        f"RETURN [n IN found[first..first + {_NODES_PER_ROW}] | [{node}]] AS nodes",
        compiler.parameters,
    )
    nodes = [node for row in rows for node in row["nodes"]]
    columns = list(zip(*nodes, strict=True)) if nodes else [()] * (len(names) + 2)
    found = Found(label, list(columns[0]))
    for name, column in zip(names, columns, strict=False):
        found.properties[name] = _to_python(label, name, found.uids, column)
    if wanted.json_names:
        found.json = [dict(zip(*stored, strict=True)) for stored in zip(*columns[-2:], strict=True)]
    return found


def _select(compiler: Compiler, label: str, text: str, ordering: Sequence[str], limit: int) -> str:
    """Return the clauses that bind `n` to the nodes, in order."""
    expression = parse_expression(text)
    tree = None if expression is None else to_tree(expression, Resolver(label, text))
    clauses = compiler.match(label, [] if tree is None else _separated(tree), "n")
    names: list[str] = []
    # The embedded engine computes an expression in ORDER BY at each comparison of two rows.
    computed: list[str] = []
    order: list[str] = []
    for each in ordering:
        key = parse_ordering(each)
        clause, name = _sort_key(compiler, label, each, key, ["n", *names])
        clauses += clause
        names.append(name)
        if key.descending:
            last = compiler.variable("m")  # the rank: NaN, the largest number, after others
            is_nan = f"toStringOrNull({name}) = 'NaN'"
            rank = f"CASE WHEN {name} IS NULL THEN 2 WHEN {is_nan} THEN 1 ELSE 0 END"
            computed.append(f"{rank} AS {last}")
            order += [last, f"{name} DESC"]
        else:
            order.append(name)
    uid = compiler.variable("u")
    clauses += f" WITH {', '.join(['n', *names, *computed, f'n.uid AS {uid}'])}"
    clauses += f" ORDER BY {', '.join([*order, uid])}"
    return f"{clauses} LIMIT {compiler.parameter(clamp_limit(limit))}" if limit else clauses


def _separated(tree: Tree) -> list[Tree]:
    """Return the conditions on metrics as separate calls, so that one can be looked up by name.

    Other related conditions refer to the same related node, and stay together.
    """
    children = tree.children if isinstance(tree, And) else (tree,)
    alone = [child.child for child in children if isinstance(child, Call)]
    together = tuple(child for child in children if not isinstance(child, Call))
    return [*alone, And(together)] if together else alone


def _sort_key(
    compiler: Compiler, label: str, text: str, order_key: OrderKey, bound: list[str]
) -> tuple[str, str]:
    """Return the clauses that compute a sort key, and its variable."""
    operand = Resolver(label, text).resolve(order_key.key)
    refuse_search(operand.target.prop)
    target, name = operand.target, compiler.variable("k")
    if target.is_json and not target.keys:
        raise error_at(text, order_key.key.position, JSON_NEEDS_KEY)
    carried = ", ".join(bound)
    node, edge, clauses = "n", "", ""
    if target.path:
        node, edge, clauses = compiler.walk("n", target.path, optional=True)
        if operand.metric is not None:
            clauses += f" WHERE {node}.name = {compiler.parameter(operand.metric)}"
        clauses = f" {clauses}"
    expression = compile_value(compiler, operand, node, edge)
    if target.path:
        expression = f"{'max' if order_key.descending else 'min'}({expression})"
    return f"{clauses} WITH {carried}, {expression} AS {name}", name


def compile_value(compiler: Compiler, operand: Operand, node: str, edge: str) -> str:
    """Return the expression of the value of an operand, of the variables of a node and an edge."""
    variable = edge if operand.target.on_edge else node
    x = compiler.property(operand.target, variable)
    if operand.alternative is not None:
        x = f"coalesce({x}, {compiler.property(operand.alternative, variable)})"
    values = [compiler.parameter(value) for value in operand.values]
    return operand.expression.format(*values, x=x, n=node)


def _to_python(label: str, name: str, uids: list[str], stored: Iterable[Any]) -> list[Any]:
    """Convert the stored values of a property, those of encrypted ones and times included."""
    prop = properties_of(NODES[label])[name]
    values = list(stored)
    if prop.is_timestamp:
        return [parse_stored_time(value) for value in values]
    if name in encryptable_properties(label):
        for index, value in enumerate(values):
            if key_id_in(value) is not None:
                values[index] = decrypt_values(label, {"uid": uids[index], name: value})[name]
    return [inflate_value(prop, value) for value in values]


# Metrics


def read_metrics(
    label: str, uids: Sequence[str], names: Sequence[str] | None = None
) -> dict[str, list[tuple[int, Any]]]:
    """Return the values of metrics, or of some of them, by name, each with the index of its node.

    If a node has several metrics of one name, the value is that of the metric without dataset,
    split and model, or else that of the shortest uid.
    """
    if "metrics" not in relationships_of(label):
        return {}
    step = step_over(label, "metrics")
    condition = "m.name > ''" if names is None else "m.name IN $names"
    found: dict[str, list[tuple[int, Any]]] = {}
    several: set[int] = set()
    for batch in batched(enumerate(uids), _NODES_PER_STATEMENT):
        rows = query(
            f"UNWIND $nodes AS node {match_uid('n', label, 'node[1]')} "
            f"MATCH {pattern('n', 'r', 'm', step)} WHERE {condition} AND m.value IS NOT NULL "
            "RETURN m.name AS name, collect(node[0]) AS nodes, collect(m.value) AS values",
            {"nodes": [list(node) for node in batch], "names": names},
        )
        for row in rows:
            nodes = row["nodes"]
            if len(set(nodes)) < len(nodes):
                several |= {node for node, count in Counter(nodes).items() if count > 1}
            found.setdefault(row["name"], []).extend(zip(nodes, row["values"], strict=True))
    return _resolve_ambiguous(label, uids, found, several) if several else found


def _resolve_ambiguous(
    label: str, uids: Sequence[str], found: dict[str, list[tuple[int, Any]]], several: set[int]
) -> dict[str, list[tuple[int, Any]]]:
    """Read the metrics of the nodes that have several of one name again, and choose one of them.

    The choice needs the uids, which take longer to read.
    """
    step = step_over(label, "metrics")
    clear = {
        name: [pair for pair in pairs if pair[0] not in several] for name, pairs in found.items()
    }
    for batch in batched(sorted(several), _NODES_PER_STATEMENT):
        rows = query(
            f"UNWIND $nodes AS node {match_uid('n', label, 'node[1]')} "
            f"MATCH {pattern('n', 'r', 'm', step)} "
            "RETURN collect([node[0], m.name, m.value, m.uid]) AS found",
            nodes=[[index, uids[index]] for index in batch],
        )
        # The uid of a metric without dataset, split and model is the shortest one of its name.
        values: dict[tuple[int, str], Any] = {}
        for index, name, value, _ in sorted(
            rows[0]["found"], key=lambda row: (len(row[3]), row[3])
        ):
            values.setdefault((index, name), value)
        for (index, name), value in values.items():
            if name in clear:
                clear[name].append((index, value))
    return clear
