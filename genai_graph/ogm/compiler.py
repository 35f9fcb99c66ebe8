"""Cypher for node sets.

Statements have parameters only: labels, types and names are those of registered classes, and names
of annotations are replaced by numbered variables. A statement starts at an index if a condition
allows it: a uid, a uid of a related node, or an indexed property.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from genai_graph.database import clamp_limit, match_uid, quote_name
from genai_graph.database.indexes import indexed_columns
from genai_graph.errors import NodeSetError
from genai_graph.ogm.conditions import (
    Absence,
    And,
    Call,
    Comparison,
    Existence,
    Not,
    Or,
    Path,
    Step,
    Target,
    Tree,
    Xor,
    holds_without_node,
    leaves,
    uses_alias,
)
from genai_graph.ogm.json_lookups import json_columns
from genai_graph.properties.json_columns import column

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from genai_graph.ogm.aggregates import ResolvedAggregate

EVERYTHING = range(sys.maxsize)
_MAX_COMBINATIONS = 1_000
_INDEXED_LOOKUPS = ("exact", "in", "startswith", "lt", "lte", "gt", "gte", "range")


@dataclass(frozen=True)
class Ordering:
    """A sort key: a property, an annotation, or a random number without a target."""

    target: Target | None
    descending: bool = False

    def reversed(self) -> Ordering:
        """Return the opposite order."""
        return replace(self, descending=not self.descending)


@dataclass(frozen=True)
class Selection:
    """The nodes of a set: label, conditions of each call, annotations, order and slice."""

    label: str
    conditions: tuple[Tree, ...] = ()
    annotations: dict[str, ResolvedAggregate] = field(default_factory=dict)
    order: tuple[Ordering, ...] = ()
    slice: range = EVERYTHING

    @property
    def tree(self) -> Tree:
        """All conditions as one tree; those of different calls may meet different nodes."""
        return And(tuple(map(Call, self.conditions)))


Scope = tuple[str, str]  # the variables of a node and of the edge over which it was reached


class Compiler:
    """The clauses of one statement and its parameters."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self._count = 0
        self._aliases: dict[str, str] = {}

    def parameter(self, value: Any) -> str:
        """Return the placeholder of a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def variable(self, prefix: str) -> str:
        """Return a new variable."""
        self._count += 1
        return f"{prefix}{self._count}"

    def alias(self, name: str) -> str:
        """Return the variable of an annotation: its name, which the caller chose, is not used."""
        return self._aliases.setdefault(name, f"a{len(self._aliases)}")

    # Conditions

    def condition(self, tree: Tree, scope: Scope) -> str:
        """Return the expression of a condition on a node; it may be null for a missing value."""
        if isinstance(tree, Comparison) and not tree.path:
            return self._comparison(tree, scope)
        if isinstance(tree, Existence) and not tree.path:
            return "true" if tree.nodes is None else self.condition(tree.nodes.tree, scope)
        if isinstance(tree, Absence) and len(tree.path) < 2:
            is_bound = not tree.path
            return "false" if is_bound else f"NOT {self._exists(tree.path[0], [], scope)}"
        if isinstance(tree, Call):
            return self.condition(tree.child, scope)
        if isinstance(tree, Not):
            return f"NOT {self._known(tree.child, scope)}"
        if isinstance(tree, Xor):
            return _fold([self._known(child, scope) for child in tree.children], "<>")
        if tree == Or(()):
            return "false"
        if isinstance(tree, Or) and _single_step(tree) is None:
            return f"({' OR '.join(self.condition(child, scope) for child in tree.children)})"
        return self._conjunction(_flatten(tree), scope)

    def _known(self, tree: Tree, scope: Scope) -> str:
        """Return the expression of a condition, with false instead of null."""
        expression = self.condition(tree, scope)
        # A single subquery: conjunctions and alternatives are in parentheses.
        is_known = expression.startswith("EXISTS {")
        return expression if is_known else f"coalesce({expression}, false)"

    def _comparison(self, comparison: Comparison, scope: Scope) -> str:
        comparison.refuse_encrypted()
        target = comparison.target
        if target.is_alias:
            expression = self.alias(target.name)
        else:
            expression = self.property(target, scope[target.on_edge])
        values = [self.parameter(value) for value in comparison.values]
        if values and target.default is not None:
            expression = f"coalesce({expression}, {self.parameter(target.default)})"
        return comparison.template.format(*values, x=expression, n=scope[0])

    def property(self, target: Target, variable: str) -> str:
        """Return the expression of the property of a target, for the variable of its node or edge.

        The keys of a JSON value are a parameter, unless an index has their name.
        """
        if not target.keys:
            return f"{variable}.{quote_name(target.name)}"
        name = column(target.name, target.keys)
        if name in indexed_columns(target.label):
            return f"{variable}.{quote_name(name)}"
        return f"{variable}[{self.parameter(name)}]"

    def json_columns(self, target: Target, variable: str) -> str:
        """Return the expression of the stored properties of a JSON value, as [name, value]."""
        name = column(target.name, target.keys)
        path = map(self.parameter, (target.name, name, f"{name}."))
        return json_columns(variable, path)

    def _conjunction(self, trees: Sequence[Tree], scope: Scope) -> str:
        alternative = _shared_alternative(trees)
        if alternative is not None:
            return self.condition(_multiplied(trees, alternative), scope)
        direct, related = _grouped(trees)
        parts = [self.condition(tree, scope) for tree in direct]
        parts += [self._exists(step, group, scope) for step, group in related.items()]
        if not parts:
            return "true"
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _exists(self, step: Step, trees: Sequence[Tree], scope: Scope) -> str:
        node, edge = self.variable("x"), self.variable("r")
        where = self._where([And(tuple(_strip(trees)))], (node, edge))
        exists = f"EXISTS {{ MATCH {pattern(scope[0], edge, node, step)}{where} }}"
        if trees and all(map(holds_without_node, trees)):
            return f"({exists} OR NOT {self._exists(step, [], scope)})"
        return exists

    def _where(self, trees: Iterable[Tree], scope: Scope) -> str:
        parts = [self.condition(tree, scope) for tree in trees]
        text = " AND ".join(part for part in parts if part != "true")
        return f" WHERE {text}" if text else ""

    # Matching

    def match(self, label: str, calls: Sequence[Tree], node: str) -> str:
        """Return the clauses that bind a variable to the nodes that meet all conditions, once.

        Related conditions of one call refer to the same related node.
        """
        start = _best_start(calls)
        if isinstance(start, Comparison):
            return self._match_uid(label, _without(calls, start), start, node)
        if start is not None:
            return self._match_related(calls, start, node)
        return f"MATCH ({node}:{quote_name(label)}){self._where(calls, (node, ''))}"

    def _match_uid(self, label: str, calls: Sequence[Tree], uid: Comparison, node: str) -> str:
        uid.refuse_encrypted()
        value = self.parameter(uid.values[0])
        if uid.lookup == "exact":
            return f"{match_uid(node, label, value)}{self._where(calls, (node, ''))}"
        labelled = f"{node}:{quote_name(label)}"
        where = self._where(calls, (node, "")).replace(" WHERE ", " AND ", 1)
        return (
            f"MATCH ({labelled}) USING INDEX SEEK {labelled}(uid) "
            f"WHERE {node}.uid IN {value}{where}"
        )

    def _match_related(self, calls: Sequence[Tree], start: _RelatedStart, node: str) -> str:
        """Start at the related nodes of one call."""
        far, edge = self.variable("x"), self.variable("r")
        stripped = _strip(start.group)
        at_node = [tree for tree in stripped if not _uses_edge(tree)]
        clause = self.match(start.step.far, [And(tuple(at_node))] if at_node else [], far)
        clause += f" MATCH {pattern(far, edge, node, start.step.reversed())}"
        clause += self._where([tree for tree in stripped if _uses_edge(tree)], (far, edge))
        rest = [tree for tree in calls if tree is not start.call]
        if start.others:
            rest.append(And(tuple(start.others)))
        return f"{clause} WITH DISTINCT {node}{self._where(rest, (node, ''))}"

    def select(self, selection: Selection) -> str:
        """Return the clauses that bind `n` and the variables of annotations, in no order."""
        node = "n"
        aliases = selection.annotations
        before = [tree for tree in selection.conditions if not uses_alias(tree, aliases)]
        after = [tree for tree in selection.conditions if uses_alias(tree, aliases)]
        clauses = self.match(selection.label, before, node)
        bound = [node]
        computed = {**selection.annotations, **related_sort_keys(selection.order)}
        for alias, aggregate in computed.items():
            clauses += f" {self.annotate(aggregate, self.alias(alias), bound)}"
            bound.append(self.alias(alias))
        if after:
            clauses += f" WITH {', '.join(bound)}{self._where(after, (node, ''))}"
        return clauses

    def annotate(self, aggregate: ResolvedAggregate, alias: str, bound: Sequence[str]) -> str:
        """Return the clauses that compute an aggregate of related nodes for each node."""
        target, carried = aggregate.target, ", ".join(bound)
        node, edge, clauses = self.walk(bound[0], target.path, optional=True)
        end = edge if target.on_edge else node
        value = self.value(target, (node, edge))
        where = self.where(aggregate.condition, (node, edge))
        return (
            f"{clauses}{where} WITH DISTINCT {carried}, {end} "
            f"WITH {carried}, {aggregate.expression(value)} AS {alias}"
        )

    def value(self, target: Target, scope: Scope) -> str:
        """Return the expression of a property, of an annotation, or of a node or edge itself."""
        if target.is_alias:
            return self.alias(target.name)
        variable = scope[target.on_edge]
        return variable if target.is_node else self.property(target, variable)

    def where(self, tree: Tree | None, scope: Scope) -> str:
        """Return the WHERE clause of a condition, or "" without one."""
        return "" if tree is None else self._where([tree], scope)

    def walk(self, start: str, path: Path, *, optional: bool) -> tuple[str, str, str]:
        """Return the variables of the last node and edge of a path, and the clauses to match it."""
        node, edge, clauses = start, "", []
        keyword = "OPTIONAL MATCH" if optional else "MATCH"
        for step in path:  # in clauses of their own, so that an edge may occur twice
            far, edge = self.variable("x"), self.variable("r")
            clauses.append(f"{keyword} {pattern(node, edge, far, step)}")
            node = far
        return node, edge, " ".join(clauses)

    def order(
        self,
        order: Iterable[Ordering],
        known: Mapping[Target, str] | None = None,
        *,
        is_comparable: bool = False,
    ) -> str:
        """Return the ORDER BY clause, or ""; missing values are last in both directions.

        `known` are the expressions of targets that the statement selects; of JSON, these are lists
        of stored properties, unless `is_comparable`.
        """
        keys = []
        for ordering in order:
            target = ordering.target
            expression = None
            if target is not None and (is_comparable or not target.is_json):
                expression = (known or {}).get(target)
            if expression is None:
                expression = self.sort_expression(ordering)
            if ordering.descending and ordering.target is not None:
                keys.append(f"{expression} IS NULL")
            keys.append(f"{expression} DESC" if ordering.descending else expression)
        return f" ORDER BY {', '.join(keys)}" if keys else ""

    def sort_expression(self, ordering: Ordering) -> str:
        """Return the expression by which nodes are sorted."""
        target = ordering.target
        if target is None:
            return "rand()"
        if target.path:
            return self.alias(_sort_alias(ordering))
        return self.alias(target.name) if target.is_alias else self.property(target, "n")

    def limits(self, selected: range) -> str:
        """Return the SKIP and LIMIT clauses, with integers as parameters."""
        clauses = ""
        if selected.start:
            clauses += f" SKIP {self.parameter(clamp_limit(int(selected.start)))}"
        if selected.stop < sys.maxsize:
            limit = clamp_limit(max(0, int(selected.stop) - int(selected.start)))
            clauses += f" LIMIT {self.parameter(limit)}"
        return clauses


def pattern(start: str, edge: str, end: str, step: Step) -> str:
    """Return the pattern of a step between two variables, with the label of the far one."""
    type_, far = quote_name(step.edge_type.type), quote_name(step.far)
    if step.outgoing:
        return f"({start})-[{edge}:{type_}]->({end}:{far})"
    return f"({start})<-[{edge}:{type_}]-({end}:{far})"


def _fold(terms: Sequence[str], operator: str) -> str:
    folded = terms[0]
    for term in terms[1:]:
        folded = f"({folded} {operator} {term})"
    return folded


# Sort keys


@dataclass(frozen=True)
class _Extreme:
    """The smallest or largest related value, by which nodes are ordered."""

    target: Target
    function: str
    condition: None = None

    def expression(self, value: str) -> str:
        return f"{self.function}({value})"


def related_sort_keys(order: Iterable[Ordering]) -> dict[str, Any]:
    """Return the sort keys that are computed from related nodes, by alias."""
    keys: dict[str, Any] = {}
    for ordering in order:
        if ordering.target is not None and ordering.target.path:
            function = "max" if ordering.descending else "min"
            keys[_sort_alias(ordering)] = _Extreme(ordering.target, function)
    return keys


def _sort_alias(ordering: Ordering) -> str:
    return f"sort key {ordering}"  # no identifier, so that no annotation has this name


# Grouping of conditions by the first step of their paths


def _flatten(tree: Tree) -> tuple[Tree, ...]:
    """Return the conditions that must all hold."""
    if not isinstance(tree, And):
        return (tree,)
    return tuple(one for child in tree.children for one in _flatten(child))


def _first_steps(tree: Tree) -> set[Step | None]:
    """Return the first steps of the conditions that may share a related node; None for others."""
    if isinstance(tree, Absence):
        return {tree.path[0] if len(tree.path) > 1 else None}
    if isinstance(tree, (Comparison, Existence)):
        return {tree.path[0] if tree.path else None}
    if isinstance(tree, (Not, Call, Xor)):
        return {None}
    return set().union(*map(_first_steps, tree.children))


def _single_step(tree: Tree) -> Step | None:
    """Return the step to the related node that alone decides a condition, or None."""
    steps = _first_steps(tree)
    return next(iter(steps)) if len(steps) == 1 else None


def _grouped(trees: Iterable[Tree]) -> tuple[list[Tree], dict[Step, list[Tree]]]:
    """Return the conditions on the node itself, and those on related nodes by their first step."""
    direct: list[Tree] = []
    related: dict[Step, list[Tree]] = defaultdict(list)
    for tree in trees:
        step = _single_step(tree)
        (direct if step is None else related[step]).append(tree)
    return direct, related


def _shared_alternative(trees: Sequence[Tree]) -> Or | None:
    """Return an `Or` with a child on a related node that another condition refers to, too."""
    for tree in trees:
        if isinstance(tree, Or) and _single_step(tree) is None:
            others = set[Step | None]()
            others.update(*(_first_steps(other) for other in trees if other is not tree))
            if (_first_steps(tree) & others) - {None}:
                return tree
    return None


def _multiplied(trees: Sequence[Tree], alternative: Or) -> Or:
    """Distribute conditions over an `Or`: a AND (b OR c) becomes (a AND b) OR (a AND c)."""
    combinations = math.prod(len(tree.children) for tree in trees if isinstance(tree, Or))
    if combinations > _MAX_COMBINATIONS:
        raise NodeSetError(
            f"{combinations:,} combinations of alternatives about related nodes: "
            "use separate calls of filter"
        )
    rest = tuple(tree for tree in trees if tree is not alternative)
    return Or(tuple(And((*rest, child)) for child in alternative.children))


def _strip(trees: Iterable[Tree]) -> list[Tree]:
    """Return conditions without the first step of their paths; omit those that always hold."""
    stripped: list[Tree] = []
    for tree in trees:
        if isinstance(tree, Comparison):
            target = tree.target
            stripped.append(replace(tree, target=replace(target, path=target.path[1:])))
        elif isinstance(tree, Existence):
            if len(tree.path) > 1 or tree.nodes is not None:
                stripped.append(replace(tree, path=tree.path[1:]))
        elif isinstance(tree, Absence):
            stripped.append(replace(tree, path=tree.path[1:]))
        elif isinstance(tree, (And, Or)):
            children = tuple(_strip(tree.children))
            if isinstance(tree, And) or len(children) == len(tree.children):
                stripped.append(replace(tree, children=children))
    return stripped


def _uses_edge(tree: Tree) -> bool:
    return any(
        isinstance(leaf, Comparison) and leaf.target.on_edge and not leaf.path
        for leaf in leaves(tree)
    )


# The index at which a statement starts


@dataclass(frozen=True)
class _RelatedStart:
    """A call with conditions on a related node (`group`), and its other conditions."""

    call: Tree
    step: Step
    group: list[Tree]
    others: list[Tree]

    def starts_at(self, lookups: Container[str], names: str) -> bool:
        """Return whether a condition on the related node can be looked up in an index."""
        related = And(tuple(_strip(self.group)))
        return any(_is_lookup(tree, lookups, names) for tree in _flatten(related)) or any(
            inner.starts_at(lookups, names) for inner in _related_starts([related])
        )


def _best_start(calls: Sequence[Tree]) -> Comparison | _RelatedStart | None:
    """Return the condition to start at, or None to scan a label or an index on a property."""
    conditions = [one for call in calls for one in _flatten(call)]
    related = list(_related_starts(calls))
    at_uid = next((one for one in related if one.starts_at(("exact",), "uid")), None)
    uid = next((one for one in conditions if _is_lookup(one, ("exact",), "uid")), None)
    if uid is not None and at_uid is not None:
        # The end with fewer edges: the other one may have a million.
        is_low_degree = at_uid.step.outgoing != at_uid.step.edge_type.start_at_target
        return uid if is_low_degree else at_uid  # type: ignore[return-value]
    if uid is not None or at_uid is not None:
        return uid or at_uid  # type: ignore[return-value]
    listed = next((one for one in conditions if _is_lookup(one, ("in",), "uid")), None)
    if listed is not None:
        return listed  # type: ignore[return-value]
    if any(_is_lookup(one, _INDEXED_LOOKUPS, "indexed") for one in conditions):
        return None
    return next((one for one in related if one.starts_at(("exact", "in"), "indexed")), None)


def _related_starts(calls: Iterable[Tree]) -> Iterator[_RelatedStart]:
    for call in calls:
        trees = _flatten(call)
        if _shared_alternative(trees) is None:
            _, groups = _grouped(trees)
            for step, group in groups.items():
                others = [tree for tree in trees if all(tree is not one for one in group)]
                yield _RelatedStart(call, step, group, others)


def _is_lookup(tree: Tree, lookups: Container[str], names: str) -> bool:
    if not isinstance(tree, Comparison) or tree.path or tree.lookup not in lookups:
        return False
    target = tree.target
    if target.on_edge or target.is_alias:
        return False
    return target.name == "uid" or (names == "indexed" and target.prop.is_indexed)


def _without(calls: Iterable[Tree], leaf: Tree) -> list[Tree]:
    """Return the calls with one of their conditions removed."""
    remaining: list[Tree] = []
    for call in calls:
        trees = tuple(tree for tree in _flatten(call) if tree is not leaf)
        if trees:
            remaining.append(And(trees))
    return remaining
