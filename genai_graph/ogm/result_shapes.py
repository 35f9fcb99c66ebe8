"""The shapes of results: nodes, values, groups of values, and nodes with related ones.

A shape completes a statement that binds the nodes `n` of a set, and converts its rows.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from genai_graph.database import quote_name
from genai_graph.errors import NodeSetError
from genai_graph.ogm.compiler import Compiler, Selection
from genai_graph.ogm.conditions import And, Path, Target, Tree, leaves, uses_alias
from genai_graph.ogm.resolution import refuse_several
from genai_graph.properties.encryption import EncryptedValue, decrypt_values, refuse_search
from genai_graph.properties.json_columns import extract, unite
from genai_graph.properties.validation import inflate_values
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.columns import JSON_COLUMNS, json_names, prefixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genai_graph.ogm.aggregates import ResolvedAggregate

Row = dict[str, Any]


@dataclass(frozen=True)
class NodeShape:
    """Nodes, with the values of annotations as attributes; `names` are loaded, all if None."""

    names: frozenset[str] | None = None

    has_one_row_per_node = True

    def statement(self, compiler: Compiler, selection: Selection) -> str:
        """Return a statement with one row per node."""
        selected = compiler.select(selection)
        labels = "CASE WHEN size(labels(n)) > 1 THEN labels(n) END"
        columns = [f"{self._values()} AS node", f"{labels} AS labels"]
        json = prefixes((self.names or frozenset()) & json_names(selection.label))
        if json:
            found = JSON_COLUMNS.replace("$prefixes", compiler.parameter(json))
            columns.append(f"{found} AS json")
        columns += [compiler.alias(alias) for alias in selection.annotations]
        order, limits = compiler.order(selection.order), compiler.limits(selection.slice)
        return f"{selected} RETURN {', '.join(columns)}{order}{limits}"

    def _values(self) -> str:
        if self.names is None:
            return "properties(n)"
        names = sorted({"uid", *self.names})
        return f"{{{', '.join(f'{quote_name(name)}: n.{quote_name(name)}' for name in names)}}}"

    def convert(self, rows: Iterable[Row], compiler: Compiler, selection: Selection) -> list[Any]:
        """Return the nodes."""
        cls: Any = NODES[selection.label]
        nodes = []
        for row in rows:
            refuse_several(row["labels"] or ())
            node = cls.inflate({**row["node"], **dict(row.get("json", ()))})
            if self.names is not None:
                node.defer(set(properties_of(cls)) - {"uid", *self.names})
            if selection.annotations:
                node.set_annotations(
                    {
                        alias: aggregate.to_python(row[compiler.alias(alias)])
                        for alias, aggregate in selection.annotations.items()
                    }
                )
            nodes.append(node)
        return nodes


@dataclass(frozen=True)
class ValuesShape:
    """Values: dicts, tuples (`form` is "tuple" or "named") or single values ("flat").

    A related value gives a row for each related node, or one row with None. With `groups`, there is
    a row for each combination of the values, with aggregates; `selected` are the columns to return.
    """

    names: tuple[str, ...]
    targets: tuple[Target, ...]
    form: str = "dict"
    is_distinct: bool = False
    groups: dict[str, ResolvedAggregate] = field(default_factory=dict)
    selected: tuple[str, ...] | None = None

    @property
    def has_one_row_per_node(self) -> bool:
        """Whether each node gives exactly one row."""
        return not (self.is_distinct or self.groups or any(one.path for one in self.targets))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the values."""
        return self._all_columns if self.selected is None else self.selected

    @property
    def _all_columns(self) -> tuple[str, ...]:
        return (*self.names, *self.groups)

    def select(self, names: Iterable[str], form: str) -> ValuesShape:
        """Return a shape with some values of each group. Raises `NodeSetError`."""
        selected = tuple(dict.fromkeys(names)) or self._all_columns
        for name in selected:
            if name not in self._all_columns:
                raise NodeSetError(f"{name}: groups have {', '.join(self._all_columns)} only")
        return replace(self, form=form, selected=selected)

    def statement(self, compiler: Compiler, selection: Selection) -> str:
        """Return a statement with a row per node, per related node, or per group."""
        if self.groups:
            return self._grouped(compiler, selection)
        clauses = compiler.select(selection)
        bound: dict[Path, tuple[str, str]] = {(): ("n", "")}
        for target in self.targets:
            clauses += _bind(compiler, target.path, bound)
        known = {target: self._column(compiler, target, bound) for target in self.targets}
        columns = [f"{known[target]} AS c{at}" for at, target in enumerate(self.targets)]
        for at, target in enumerate(self.targets):
            if _is_encryptable(target):
                if self.is_distinct:
                    refuse_search(target.prop)
                else:  # the key depends on the uid
                    columns.append(f"{bound[target.path][0]}.uid AS u{at}")
        order = self._order(compiler, selection, known)
        distinct = "DISTINCT " if self.is_distinct else ""
        limits = compiler.limits(selection.slice)
        return f"{clauses} RETURN {distinct}{', '.join(columns)}{order}{limits}"

    def _column(
        self, compiler: Compiler, target: Target, bound: Mapping[Path, tuple[str, str]]
    ) -> str:
        """Return the expression of a value, for JSON the list of its stored properties."""
        if target.is_json and not self.is_distinct:
            return compiler.json_columns(target, bound[target.path][0])
        return _value(compiler, _comparable(target), bound)

    def _order(self, compiler: Compiler, selection: Selection, known: dict[Target, str]) -> str:
        if not self.is_distinct and not self.groups:
            return compiler.order(selection.order, known)
        selected = {target: f"c{at}" for at, target in enumerate(self.targets)}
        for ordering in selection.order:
            target = ordering.target
            is_group = target is not None and target.is_alias and target.name in self.groups
            if target is not None and target not in selected and not is_group:
                raise NodeSetError(
                    f"order_by({target.name!r}): distinct values and groups can be ordered by the "
                    f"selected values only: {', '.join(self._all_columns)}"
                )
        return compiler.order(selection.order, selected, is_comparable=True)

    def _grouped(self, compiler: Compiler, selection: Selection) -> str:
        """Return a statement with a row for each combination of the values."""
        for target in self.targets:
            if _is_encryptable(target):
                refuse_search(target.prop)
        if any(one.condition for one in self.groups.values()):
            raise NodeSetError("values().annotate(): filter the set instead of an aggregate")
        paths = {one.target.path for one in self.groups.values()} - {()}
        if len(paths) > 1 or any(target.path for target in self.targets):
            raise NodeSetError(
                "values().annotate(): group by properties of the node itself, and aggregate over "
                "one relationship at a time"
            )
        if self.is_distinct and set(self.columns) != set(self._all_columns):
            raise NodeSetError("distinct: not possible for some of the values of groups: use set()")
        before, after = self._split(selection.conditions)
        clauses = compiler.select(replace(selection, conditions=tuple(before), order=()))
        bound: dict[Path, tuple[str, str]] = {(): ("n", "")}
        carried = ["n", *map(compiler.alias, selection.annotations)]
        for path in paths:
            walked = _bind(compiler, path, bound)
            clauses += f"{walked} WITH DISTINCT {', '.join([*carried, *bound[path]])}"
        columns = [
            f"{_value(compiler, _comparable(one), bound)} AS c{at}"
            for at, one in enumerate(self.targets)
        ]
        columns += [
            f"{one.expression(_value(compiler, one.target, bound))} AS {compiler.alias(alias)}"
            for alias, one in self.groups.items()
        ]
        names = [f"c{at}" for at in range(len(self.targets))]
        names += map(compiler.alias, self.groups)
        conditions = " AND ".join(compiler.condition(tree, ("n", "")) for tree in after)
        where = f" WHERE {conditions}" if conditions else ""
        order = self._order(compiler, selection, {})
        limits = compiler.limits(selection.slice)
        return (
            f"{clauses} WITH {', '.join(columns)}{where} RETURN {', '.join(names)}{order}{limits}"
        )

    def _split(self, calls: Iterable[Tree]) -> tuple[list[Tree], list[Tree]]:
        """Return the conditions on nodes, of each call, and those on groups: WHERE and HAVING."""
        before: list[Tree] = []
        after: list[Tree] = []
        for call in calls:
            trees = call.children if isinstance(call, And) else (call,)
            of_groups = [tree for tree in trees if uses_alias(tree, self.groups)]
            of_nodes = tuple(tree for tree in trees if not uses_alias(tree, self.groups))
            for tree in of_groups:
                if not all(uses_alias(leaf, self.groups) for leaf in leaves(tree)):
                    raise NodeSetError(
                        f"conditions on groups ({', '.join(self.groups)}) and on nodes can't be "
                        "alternatives or negated together: use separate calls of filter"
                    )
            before += [And(of_nodes)] if of_nodes else []
            after += of_groups
        return before, after

    def convert(self, rows: Iterable[Row], compiler: Compiler, selection: Selection) -> list[Any]:
        """Return dicts, tuples or single values."""
        converted = []
        for row in rows:
            values = [self._to_python(one, row, at) for at, one in enumerate(self.targets)]
            for alias, aggregate in self.groups.items():
                values.append(aggregate.to_python(row[compiler.alias(alias)]))
            converted.append(values)
        if self.selected is not None:
            positions = [self._all_columns.index(name) for name in self.selected]
            converted = [[values[at] for at in positions] for values in converted]
        if self.form == "flat":
            return [values[0] for values in converted]
        if self.form == "dict":
            return [dict(zip(self.columns, values, strict=True)) for values in converted]
        if self.form == "named":
            row_class = namedtuple("Row", self.columns)  # type: ignore[misc]
            return [row_class(*values) for values in converted]
        return [tuple(values) for values in converted]

    def _to_python(self, target: Target, row: Row, position: int) -> Any:
        if target.is_json and not self.is_distinct and not self.groups:
            return _json_to_python(target, row, position)
        return row[f"c{position}"] if target.keys else _to_python(target, row, position)


@dataclass(frozen=True)
class TraversalShape:
    """Lists of a node, and the related node and the edge of each step of the paths."""

    paths: tuple[Path, ...]

    has_one_row_per_node = False

    def statement(self, compiler: Compiler, selection: Selection) -> str:
        """Return a statement with a row per combination of related nodes."""
        clauses, columns = compiler.select(selection), ["properties(n) AS c0"]
        for path in self.paths:
            node = "n"
            for step in path:
                node, edge, walked = compiler.walk(node, (step,), optional=False)
                clauses += f" {walked}"
                columns.append(f"properties({node}) AS c{len(columns)}")
                columns.append(f"properties({edge}) AS c{len(columns)}")
        order, limits = compiler.order(selection.order), compiler.limits(selection.slice)
        return f"{clauses} RETURN {', '.join(columns)}{order}{limits}"

    def convert(self, rows: Iterable[Row], compiler: Compiler, selection: Selection) -> list[Any]:
        """Return the lists."""
        converted = []
        for row in rows:
            items: list[Any] = [NODES[selection.label].inflate(row["c0"])]
            for path in self.paths:
                near = items[0]
                for step in path:
                    far: Any = NODES[step.far].inflate(row[f"c{len(items)}"])
                    edge = step.edge_class.inflate(row[f"c{len(items) + 1}"])
                    edge._source, edge._target = (near, far) if step.outgoing else (far, near)
                    items += [far, edge]
                    near = far
            converted.append(items)
        return converted


Shape = NodeShape | ValuesShape | TraversalShape


def _bind(compiler: Compiler, path: Path, bound: dict[Path, tuple[str, str]]) -> str:
    """Return the clauses that match a path, except for its parts that are bound already."""
    clauses = ""
    for length in range(1, len(path) + 1):
        if path[:length] not in bound:
            near = bound[path[: length - 1]][0]
            node, edge, walked = compiler.walk(near, path[length - 1 : length], optional=True)
            bound[path[:length]] = node, edge
            clauses += f" {walked}"
    return clauses


def _value(compiler: Compiler, target: Target, bound: Mapping[Path, tuple[str, str]]) -> str:
    if target.is_alias:
        return compiler.alias(target.name)
    variable = bound[target.path][target.on_edge]
    return variable if target.is_node else compiler.property(target, variable)


def _comparable(target: Target) -> Target:
    """Return a target, if its values can be compared; raise `NodeSetError` if not."""
    if target.is_json and not target.keys:
        raise NodeSetError(
            f"{target}: JSON can't be compared: use values in it, such as {target.name}__key"
        )
    return target


def _is_encryptable(target: Target) -> bool:
    return not target.is_alias and not target.on_edge and target.prop.encryptable


def _to_python(target: Target, row: Row, position: int) -> Any:
    """Return the value of a column as the attribute of a node would have it."""
    stored = row[f"c{position}"]
    if target.is_alias:
        return stored
    if stored is None:
        return target.prop.empty()
    if f"u{position}" in row:
        values = {"uid": row[f"u{position}"], target.name: stored}
        stored = decrypt_values(target.label, values)[target.name]
    return inflate_values(target.cls, {target.name: stored})[target.name]


def _json_to_python(target: Target, row: Row, position: int) -> Any:
    """Return JSON, or a value in it, from its stored properties."""
    columns = {name: value for name, value in row[f"c{position}"] or () if value is not None}
    if not columns:
        return None if target.keys else target.prop.empty()
    united = {f"c{position}": unite(target.name, columns)}
    whole = _to_python(target, {**row, **united}, position)
    return whole if isinstance(whole, EncryptedValue) else extract(whole, target.keys)


def with_alias(shape: ValuesShape, groups: Mapping[str, ResolvedAggregate]) -> ValuesShape:
    """Return a shape that groups by its values."""
    all_groups = {**shape.groups, **groups}
    selected = None if shape.selected is None else (*shape.selected, *groups)
    return replace(shape, groups=all_groups, selected=selected)
