"""Search, and the columns of its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from genai_graph.conversion import to_exact_int
from genai_graph.database import match_uid, query
from genai_graph.database.rows import Rows
from genai_graph.errors import SearchError
from genai_graph.ogm.compiler import Compiler
from genai_graph.pictures.html_table import MAX_ROWS, html_table, remaining_rows_note
from genai_graph.properties.encryption import refuse_search
from genai_graph.properties.json_columns import column, extract, is_in_json, keys_of
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import NODES, close, properties_of
from genai_graph.searches.conditions import KINDS, Operand, Resolver
from genai_graph.searches.parsing import parse_key
from genai_graph.searches.reading import Found, Wanted, compile_value, read_metrics, read_nodes
from genai_graph.storage.batching import batched

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
        """Return the nodes as a set, not in the order of the rows: use its `order_by`."""
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
    kind: str = "experiments",
    *,
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
        raise SearchError(unknown_kind(kind))
    maximum = to_exact_int(limit)
    if maximum is None or maximum < 0:
        raise SearchError(f"limit: expected an integer of at least 0, got {limit!r}")
    label = KINDS[kind]
    ordering = [order_by] if isinstance(order_by, str) else list(order_by)
    if not ordering:
        ordering = ["started_at DESC"] if label == "Experiment" else []
    chosen = [columns] if isinstance(columns, str) else columns
    operands = [Resolver(label, name).resolve(parse_key(name)) for name in chosen or ()]

    def read(wanted: Wanted) -> Found:
        try:
            return read_nodes(label, expression, ordering, maximum, wanted)
        except RecursionError:
            raise SearchError("the expression is nested too deeply") from None

    if chosen is None:
        return _all_columns(label, read)
    return _chosen_columns(label, list(zip(chosen, operands, strict=True)), read)


def unknown_kind(kind: str) -> str:
    """Return the error message for a kind of nodes that can't be searched."""
    labels = {f"{label}{end}".lower(): label for label in NODES for end in ("", "s")}
    label = labels.get(str(kind).lower())
    hint = f": own classes can't be searched: use {label}.nodes.filter()"
    if label is None or label in KINDS.values():
        hint = did_you_mean(kind, KINDS)
    return f"kind: expected one of {', '.join(KINDS)}, got {kind!r}{hint}"


# Rows


def _all_columns(label: str, read: Callable[[Wanted], Found]) -> SearchResult:
    known = properties_of(NODES[label])
    flat = "parameters" if "parameters" in known else "hyperparameters"
    own = [name for name in known if name not in (*_OMITTED, flat)]
    own = [*(name for name in _FIRST if name in own), *(n for n in own if n not in _FIRST)]
    json = [name for name in (*own, flat) if name in known and known[name].is_json]
    plain = [name for name in own if name not in json]
    found = read(Wanted(plain, json, [f"{name}." for name in json]))
    indexes = range(len(found.uids))
    columns: dict[str, list[Any]] = {"uid": found.uids}
    stored = {key.partition(".")[0] for key in set[str]().union(*found.json)}
    for name in own:
        if name in json:
            values = [found.json_value(index, name) for index in indexes if name in stored]
        else:
            values = found.properties[name]
        if any(value not in (None, [], {}) for value in values):
            columns[name] = values
    columns |= _flat_columns(found, flat) if flat in known else {}
    metrics = read_metrics(label, found.uids)
    for name in sorted(metrics):
        columns[f"metrics.{name}"] = _spread(metrics[name], len(indexes))
    return _result(label, columns)


def _flat_columns(found: Found, name: str) -> dict[str, list[Any]]:
    """Return the values in a JSON property by path."""
    columns: dict[str, list[Any]] = {}
    size = len(found.uids)
    for index, stored in enumerate(found.json):
        # Values that are stored by path need no decoding.
        is_divided = name not in stored
        leaves = stored.items() if is_divided else _leaves(name, found.json_value(index, name))
        for key, value in leaves:
            if key not in columns:
                columns[key] = [None] * size
            columns[key][index] = value
    flat: dict[str, list[Any]] = {}
    for key in sorted(key for key in columns if key == name or is_in_json(key, (name,))):
        path = ".".join((name, *keys_of(key)))
        if path in flat:  # a key with dots, and a path with the same names
            pairs = zip(flat[path], columns[key], strict=True)
            flat[path] = [one if one is not None else other for one, other in pairs]
        else:
            flat[path] = columns[key]
    return dict(sorted(flat.items()))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a JSON value by the names of the properties that would hold them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(column(path, (key,)), item)
    elif value is not None:
        yield path, value


def _spread(pairs: Iterable[tuple[int, Any]], size: int) -> list[Any]:
    """Return a column with the values at their indexes."""
    values = [None] * size
    for index, value in pairs:
        values[index] = value
    return values


def _result(label: str, columns: dict[str, list[Any]]) -> SearchResult:
    names = list(columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return SearchResult(label, rows, names)


def _chosen_columns(
    label: str, chosen: list[tuple[str, Operand]], read: Callable[[Wanted], Found]
) -> SearchResult:
    own = [one for _, one in chosen if one.is_own]
    targets = [*(one.target for one in own), *(one.alternative for one in own if one.alternative)]
    json = [target for target in targets if target.is_json]
    paths = [column(target.name, target.keys) for target in json]
    found = read(
        Wanted(
            [target.name for target in targets if not target.is_json],
            [*(target.name for target in json), *paths],
            [f"{path}." for path in paths],
        )
    )
    names = [operand.metric for _, operand in chosen if operand.metric is not None]
    metrics = read_metrics(label, found.uids, names) if names else {}
    columns: dict[str, list[Any]] = {"uid": found.uids}
    for name, operand in chosen:
        if name == "uid":
            continue
        if operand.metric is not None and not operand.target.path[1:]:
            columns[name] = _spread(metrics.get(operand.metric, []), len(found.uids))
        elif operand.is_own:
            columns[name] = _own_values(found, operand)
        else:
            related = _read_related(label, found.uids, operand)
            columns[name] = [related.get(uid) for uid in found.uids]
    return _result(label, columns)


def _own_values(found: Found, operand: Operand) -> list[Any]:
    target, alternative = operand.target, operand.alternative
    if not target.is_json:
        return found.properties[target.name]
    values = []
    for index in range(len(found.uids)):
        whole = found.json_value(index, target.name)
        value = extract(whole, target.keys)
        if value is None and alternative is not None:
            value = extract(whole, alternative.keys)
        values.append(value)
    return values


def _read_related(label: str, uids: Iterable[str], operand: Operand) -> dict[str, Any]:
    """Return the value of a tag, or the first value of related nodes, by uid."""
    refuse_search(operand.target.prop)
    found: dict[str, Any] = {}
    for batch in batched(uids):
        compiler = Compiler()
        node, edge, walked = compiler.walk("n", operand.target.path, optional=False)
        expression = compile_value(compiler, operand, node, edge)
        start = f"UNWIND {compiler.parameter(batch)} AS uid {match_uid('n', label, 'uid')}"
        if operand.metric is not None:
            walked += f" WHERE {node}.name = {compiler.parameter(operand.metric)}"
        rows = query(
            f"{start} {walked} WITH uid, {expression} AS value WHERE value IS NOT NULL "
            "RETURN uid, min(value) AS value",
            compiler.parameters,
        )
        found |= {row["uid"]: row["value"] for row in rows}
    return found
