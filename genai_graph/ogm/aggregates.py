"""Aggregate functions for `aggregate` and `annotate`: Count, Avg, Min, Max, Sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import neomodel

from genai_graph.errors import NodeSetError, NodeSetTypeError
from genai_graph.ogm.conditions import (
    Q,
    Target,
    Tree,
    parse_conditions,
    relative_to,
    resolve_exactly,
)
from genai_graph.properties.encryption import refuse_search
from genai_graph.properties.messages import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Aggregate:
    """An aggregate of a property, or of related nodes: ``Count("metrics")``.

    With `distinct`, equal values count once. Related nodes always count once. `filter` are the
    conditions that counted nodes meet, as a `Q` with names from the class of the set:
    ``Count("metrics", filter=Q(metrics__value__gt=0.8))``.
    """

    function: ClassVar[str]

    def __init__(self, name: str, *, distinct: bool = False, filter: Q | None = None) -> None:
        self.name = name
        self.distinct = distinct
        self.filter = filter

    @property
    def default_alias(self) -> str:
        """The name of the result if none is given, such as ``size__avg``."""
        return f"{self.name}__{self.function}".replace("|", "__").replace("*__", "")

    def resolve(self, label: str, aliases: Iterable[str] = ()) -> ResolvedAggregate:
        """Return the aggregate for a label. Raises `UnknownPropertyError`, `NodeSetError`."""
        target = self.target(label, aliases)
        if not target.is_alias:
            if target.is_node and target.path:
                self.refuse_node(target)
            else:
                self.refuse_property(target)
        condition = None
        if self.filter is not None:
            condition = parse_conditions(label, (self.filter,), {}, aliases)
        if condition is not None:
            condition = relative_to(condition, target.path, f"{self!r}: filter")
        return ResolvedAggregate(target, self.function, self.distinct, condition)

    def target(self, label: str, aliases: Iterable[str]) -> Target:
        """Return the property or the related nodes."""
        return resolve_exactly(label, self.name, aliases)

    def refuse_node(self, target: Target) -> None:
        """Raise `NodeSetError` if the function does not apply to nodes."""
        raise NodeSetError(f"{self!r}: is a relationship: add a property, such as {self.name}__uid")

    def refuse_property(self, target: Target) -> None:
        """Raise `NodeSetError` if the function does not apply to values of the property."""
        prop = target.prop
        if (prop.is_json and not target.keys) or hasattr(prop, "item"):
            raise NodeSetError(f"{self!r}: expected a property with an order, not {prop.type_name}")
        refuse_search(prop)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Count(Aggregate):
    """The number of values, of related nodes, or of nodes: ``Count("*")``."""

    function = "count"

    def target(self, label: str, aliases: Iterable[str]) -> Target:
        """Return the property or the related nodes, or the nodes of the set for ``"*"``."""
        return Target((), label, "uid") if self.name == "*" else super().target(label, aliases)

    def refuse_node(self, target: Target) -> None:
        """Accept related nodes."""

    def refuse_property(self, target: Target) -> None:
        """Accept every property; different values are counted only if they can be compared."""
        if self.distinct:
            refuse_search(target.prop)


class Min(Aggregate):
    """The smallest value."""

    function = "min"


class Max(Aggregate):
    """The largest value."""

    function = "max"


class _Numeric(Aggregate):
    def refuse_property(self, target: Target) -> None:
        """Accept numbers."""
        is_number = isinstance(target.prop, (neomodel.IntegerProperty, neomodel.FloatProperty))
        if not is_number and not target.keys:
            raise NodeSetError(f"{self!r}: expected a number, not {target.prop.type_name}")


class Avg(_Numeric):
    """The mean of numbers."""

    function = "avg"


class Sum(_Numeric):
    """The sum of numbers; None if there are none."""

    function = "sum"


class ResolvedAggregate(NamedTuple):
    """An aggregate of a target."""

    target: Target
    function: str
    distinct: bool = False
    condition: Tree | None = None  # on the node at the end of the path, and on the last edge

    def expression(self, value: str) -> str:
        """Return the Cypher expression for an expression of the values."""
        if self.target.keys and self.function in ("avg", "sum"):  # other values can't be added
            type_ = f"valueType({value})"
            is_number = f"{type_} STARTS WITH 'INTEGER' OR {type_} STARTS WITH 'FLOAT'"
            value = f"CASE WHEN {is_number} THEN {value} END"
        call = f"{self.function}({'DISTINCT ' if self.distinct else ''}{value})"
        if self.function == "sum":  # Cypher's sum of no values is 0
            return f"CASE WHEN count({value}) = 0 THEN null ELSE {call} END"
        return call

    def to_python(self, value: Any) -> Any:
        """Convert a result of the database."""
        is_typed = self.function in ("min", "max") and not self.target.is_alias
        if value is None or self.target.keys or not is_typed:
            return value
        return self.target.prop.to_python(value)


def resolve_aggregates(
    label: str,
    positional: Iterable[Any],
    named: Mapping[str, Any],
    taken: Iterable[str],
    annotations: Iterable[str] = (),
) -> dict[str, ResolvedAggregate]:
    """Return aggregates by alias, of annotations, too.

    Raises `NodeSetError` for an alias that is taken.
    """
    aggregates = {getattr(one, "default_alias", ""): one for one in positional}
    resolved = {}
    for alias, aggregate in {**aggregates, **named}.items():
        if not isinstance(aggregate, Aggregate):
            raise NodeSetTypeError(
                f"expected an aggregate, as Count(...), got {describe(aggregate)}"
            )
        if alias in taken or alias.startswith("_"):
            raise NodeSetError(f"{alias}: {label} already has this name: choose another one")
        resolved[alias] = aggregate.resolve(label, annotations)
    return resolved
