"""Running a search: the statement, its rows and columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from genai_graph.conversion import to_exact_int
from genai_graph.database import clamp_limit, match_uid, query, quote_name
from genai_graph.database.rows import Rows
from genai_graph.database.values import parse_datetime
from genai_graph.errors import SearchError
from genai_graph.ogm.compiler import Compiler, pattern
from genai_graph.ogm.conditions import And, Call, Tree, relationships_of, step_over
from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note
from genai_graph.properties.encryption import decrypt_values, refuse_search
from genai_graph.properties.json_columns import extract
from genai_graph.properties.messages import did_you_mean
from genai_graph.properties.validation import inflate_values
from genai_graph.registry import NODES, close, properties_of
from genai_graph.searches.conditions import KINDS, Operand, Resolver, to_tree
from genai_graph.searches.parsing import Key, OrderKey, parse_expression, parse_key, parse_ordering
from genai_graph.storage.batching import batched
from genai_graph.storage.columns import from_columns

if TYPE_CHECKING:
    from genai_graph.ogm.node_set import NodeSet

_FIRST = ("uid", "name", "status", "started_at", "ended_at")
_OMITTED = ("created_at", "updated_at", "metadata", "environment", "steps", "values")


class SearchResult(Rows):
    """The rows of a search, each a dict that starts with the uid, in the order of the search.

    `columns` are the names of the values; a missing value is None.
    """

    def __init__(self, label: str, rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> None:
        super().__init__(rows, columns)
        self.label = label

    def nodes(self) -> NodeSet[Any]:
        """Return the nodes as a set, in the order of uids unless it is given another one."""
        cls: Any = NODES[self.label]
        found: NodeSet[Any] = cls.nodes.filter(uid__in=[row["uid"] for row in self])
        return found

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table, for notebooks."""
        rows = [[row.get(name) for name in self.columns] for row in self[:MAX_ROWS]]
        note = remaining_rows_note(len(self) - len(rows), "to_pandas()")
        columns = dict.fromkeys(self.columns, "")
        return html_table(f"{self.label}: {len(self):,}", columns, rows, note=note)


def search(
    expression: str = "",
    *,
    kind: str = "experiments",
    order_by: str | Sequence[str] = (),
    columns: str | Sequence[str] | None = None,
    limit: int = 0,
) -> SearchResult:
    """Find nodes by an expression: ``search("metrics.auc > 0.9 AND parameters.lr < 0.02")``.

    The language is that of MLflow's filter strings and more; docs/search.md describes it. `kind` is
    experiments, models, datasets, projects or metrics. `order_by` are keys with ``ASC`` or
    ``DESC``; experiments are sorted by their start, the last first, and others by uid. Without
    `columns`, rows have the properties that are set, and all parameters and metrics. `limit` is
    the maximum number of rows; 0 means no limit.

    Raises `SearchError`, and `UnsupportedError` for an encrypted property.
    """
    close()
    if kind not in KINDS:
        raise SearchError(
            f"kind: expected one of {', '.join(KINDS)}, got {kind!r}{did_you_mean(kind, KINDS)}"
        )
    maximum = to_exact_int(limit)
    if maximum is None or maximum < 0:
        raise SearchError(f"limit: expected an integer of at least 0, got {limit!r}")
    label = KINDS[kind]
    ordering = [order_by] if isinstance(order_by, str) else list(order_by)
    if not ordering:
        ordering = ["started_at DESC"] if label == "Experiment" else []
    chosen = [columns] if isinstance(columns, str) else columns
    operands = None if chosen is None else [_operand(label, name) for name in chosen]
    try:
        nodes = _read(label, expression, ordering, maximum)
    except RecursionError:
        raise SearchError("the expression is nested too deeply") from None
    if operands is None or chosen is None:
        return _all_columns(label, nodes)
    return _chosen_columns(label, nodes, list(zip(chosen, operands, strict=True)))


def _operand(label: str, name: str) -> tuple[Key, Operand]:
    key = parse_key(name)
    return key, Resolver(label, name).resolve(key)


# The statement


def _read(label: str, text: str, ordering: list[str], limit: int) -> list[dict[str, Any]]:
    """Return the values of the nodes, in order."""
    compiler = Compiler()
    expression = parse_expression(text)
    tree = None if expression is None else to_tree(expression, Resolver(label, text))
    clauses = compiler.match(label, [] if tree is None else _separated(tree), "n")
    names: list[str] = []
    order: list[str] = []
    for each in ordering:
        clause, name = _sort_key(compiler, label, each, parse_ordering(each), ["n", *names])
        clauses += clause
        names.append(name)
        order.append(f"{name} IS NULL")
        order.append(f"{name} DESC" if parse_ordering(each).descending else name)
    timestamps = [name for name, prop in properties_of(NODES[label]).items() if prop.is_timestamp]
    texts = "".join(f", {q}: toString(n.{q})" for q in map(quote_name, timestamps))
    clauses += f" WITH n{''.join(f', {name}' for name in names)}"
    clauses += f" ORDER BY {', '.join([*order, 'n.uid'])}"
    if limit:
        clauses += f" LIMIT {compiler.parameter(clamp_limit(limit))}"
    rows = query(f"{clauses} RETURN n {{.*{texts}}} AS node", compiler.parameters)
    return [_to_python(label, row["node"], timestamps) for row in rows]


def _separated(tree: Tree) -> list[Tree]:
    """Return the conditions on metrics each on its own, so that one can be looked up by its name.

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
    carried = ", ".join(bound)
    node, clauses = "n", ""
    if target.path:
        node, _, clauses = compiler.walk("n", target.path, optional=True)
        if operand.metric is not None:
            clauses += f" WHERE {node}.name = {compiler.parameter(operand.metric)}"
        clauses = f" {clauses}"
    values = [compiler.parameter(value) for value in operand.values]
    expression = operand.expression.format(*values, x=compiler.property(target, node), n=node)
    if target.path:
        expression = f"{'max' if order_key.descending else 'min'}({expression})"
    return f"{clauses} WITH {carried}, {expression} AS {name}", name


def _to_python(label: str, stored: dict[str, Any], timestamps: list[str]) -> dict[str, Any]:
    for name in timestamps:
        if isinstance(stored.get(name), str):
            stored[name] = parse_datetime(stored[name])
    values = decrypt_values(label, from_columns(label, stored))
    known = {name: values.get(name) for name in properties_of(NODES[label])}
    return inflate_values(NODES[label], known)


# Rows


def _read_metrics(label: str, uids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the values of metrics by the uid of their node, then by name.

    Of several with one name, that without dataset, split and model, else the first by uid.
    """
    if "metrics" not in relationships_of(label):
        return {}
    step = step_over(label, "metrics")
    found: dict[str, dict[str, Any]] = {}
    several: list[str] = []
    for batch in batched(uids):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
            f"MATCH {pattern('n', 'r', 'm', step)} WHERE m.name > '' AND m.value IS NOT NULL "
            "RETURN uid, collect(m.name) AS names, collect(m.value) AS values",
            uids=batch,
        )
        for row in rows:
            values = dict(zip(row["names"], row["values"], strict=True))
            found[row["uid"]] = values
            if len(values) < len(row["names"]):
                several.append(row["uid"])
    if several:
        found |= _read_ambiguous_metrics(label, several)
    return found


def _read_ambiguous_metrics(label: str, uids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read the metrics of nodes that have several of one name; their uids take longer to read."""
    step = step_over(label, "metrics")
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for batch in batched(uids):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
            f"MATCH {pattern('n', 'r', 'm', step)} "
            "RETURN collect([uid, m.name, m.value, m.uid]) AS found",
            uids=batch,
        )
        # The uid of a metric without dataset, split and model is the shortest one of its name.
        for uid, name, value, _ in sorted(rows[0]["found"], key=lambda row: (len(row[3]), row[3])):
            found[uid].setdefault(name, value)
    return found


def _all_columns(label: str, nodes: list[dict[str, Any]]) -> SearchResult:
    known = properties_of(NODES[label])
    metrics = _read_metrics(label, [node["uid"] for node in nodes])
    json = "parameters" if "parameters" in known else "hyperparameters"
    own = [name for name in known if name not in (*_OMITTED, json)]
    own = [name for name in own if any(node[name] not in (None, [], {}) for node in nodes)]
    own = [*(name for name in _FIRST if name in own), *(n for n in own if n not in _FIRST)]
    rows: list[dict[str, Any]] = []
    flat: dict[str, None] = {}
    scores: dict[str, None] = {}
    for node in nodes:
        row = {name: node[name] for name in own}
        for path, value in _leaves(json, node.get(json)):
            row[path] = value
            flat[path] = None
        for name, value in metrics.get(node["uid"], {}).items():
            row[f"metrics.{name}"] = value
            scores[f"metrics.{name}"] = None
        rows.append(row)
    names = ["uid", *(name for name in own if name != "uid"), *sorted(flat), *sorted(scores)]
    return SearchResult(label, [{name: row.get(name) for name in names} for row in rows], names)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    elif value is not None:
        yield path, value


def _chosen_columns(
    label: str, nodes: list[dict[str, Any]], columns: list[tuple[str, tuple[Key, Operand]]]
) -> SearchResult:
    uids = [node["uid"] for node in nodes]
    has_metrics = any(operand.metric for _, (_, operand) in columns)
    metrics = _read_metrics(label, uids) if has_metrics else {}
    related = {
        name: _read_related(label, uids, operand)
        for name, (_, operand) in columns
        if operand.expression != "{x}" or (operand.target.path and operand.metric is None)
    }
    rows = []
    for node in nodes:
        row = {"uid": node["uid"]}
        for name, (_, operand) in columns:
            if name in related:
                row[name] = related[name].get(node["uid"])
            elif operand.metric is not None:
                row[name] = metrics.get(node["uid"], {}).get(operand.metric)
            else:
                row[name] = _own_value(node, operand)
        rows.append(row)
    return SearchResult(label, rows, ["uid", *(name for name, _ in columns if name != "uid")])


def _own_value(node: dict[str, Any], operand: Operand) -> Any:
    value = extract(node[operand.target.name], operand.target.keys)
    if value is None and operand.alternative is not None:
        return extract(node[operand.target.name], operand.alternative.keys)
    return value


def _read_related(label: str, uids: Iterable[str], operand: Operand) -> dict[str, Any]:
    """Return the value of a tag, or the first value of related nodes, by uid."""
    refuse_search(operand.target.prop)
    found: dict[str, Any] = {}
    for batch in batched(uids):
        compiler = Compiler()
        node, _, walked = compiler.walk("n", operand.target.path, optional=False)
        values = [compiler.parameter(value) for value in operand.values]
        x = compiler.property(operand.target, node)
        expression = operand.expression.format(*values, x=x, n=node)
        start = f"UNWIND {compiler.parameter(batch)} AS uid {match_uid('n', label, 'uid')}"
        rows = query(
            f"{start} {walked} WITH uid, {expression} AS value WHERE value IS NOT NULL "
            "RETURN uid, min(value) AS value",
            compiler.parameters,
        )
        found |= {row["uid"]: row["value"] for row in rows}
    return found
