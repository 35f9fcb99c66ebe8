"""Conditions of node sets: `Q` objects and keyword lookups, parsed and validated at the call.

A call of `filter` becomes a tree. Its leaves are comparisons of a property at the end of a path of
relationships; the compiler turns the tree into Cypher. Templates of comparisons contain no text of
the caller: values are parameters, and names are those of declared properties.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import neomodel

from genai_graph.conversion import is_missing, unwrap, without_missing
from genai_graph.errors import (
    NodeSetError,
    NodeSetTypeError,
    NotConnectedError,
    UnknownPropertyError,
)
from genai_graph.ogm.json_lookups import parse_json_lookup, split_keys
from genai_graph.ogm.lookups import (
    Lookup,
    parse_alias_lookup,
    parse_lookup,
    unknown_lookup,
)
from genai_graph.properties.encryption import refuse_search
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.registry import EDGES, INCOMING, NODES, OUTGOING, EdgeType, properties_of

if TYPE_CHECKING:
    from genai_graph.ogm.edge import Edge
    from genai_graph.properties.json_columns import Keys
    from genai_graph.properties.types import Property

AND, OR, XOR = "AND", "OR", "XOR"


class Q:
    """Conditions that can be combined with ``&``, ``|``, ``^`` and ``~``, as in Django.

    Keyword arguments are lookups, as in `filter`; positional ones are other `Q` objects.
    """

    connector = AND
    negated = False

    def __init__(self, *conditions: Any, **lookups: Any) -> None:
        self.children: list[Any] = [*conditions, *lookups.items()]

    @classmethod
    def _combined(cls, connector: str, *conditions: Any) -> Q:
        for condition in conditions:
            if not is_q(condition):
                raise NodeSetTypeError(f"Q: expected another Q, got {describe(condition)}")
        combined = cls(*(condition for condition in conditions if condition.children))
        combined.connector = connector
        return combined

    def __and__(self, other: Any) -> Q:
        return self._combined(AND, self, other)

    def __or__(self, other: Any) -> Q:
        return self._combined(OR, self, other)

    def __xor__(self, other: Any) -> Q:
        return self._combined(XOR, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Q:
        inverted = Q(self)
        inverted.negated = True
        return inverted

    def __bool__(self) -> bool:
        return bool(self.children)

    def __eq__(self, other: object) -> bool:
        return type(other) is Q and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # the values may be lists

    def __repr__(self) -> str:
        parts = [repr(c) if is_q(c) else f"{c[0]}={c[1]!r}" for c in self.children]
        joined = f" {self.connector} ".join(parts)
        return f"{'~' if self.negated else ''}Q({joined})"


def is_q(value: Any) -> bool:
    """Return whether a value is a `Q` object: of this package, or of neomodel."""
    return isinstance(value, (Q, neomodel.Q))


# Paths


@dataclass(frozen=True)
class Step:
    """A step over an edge type, from its source to its target or back."""

    edge_type: EdgeType
    outgoing: bool

    @property
    def far(self) -> str:
        """The label at the end of the step."""
        return self.edge_type.target if self.outgoing else self.edge_type.source

    @property
    def edge_class(self) -> type[Edge]:
        """The class of the edges."""
        return EDGES[self.edge_type]

    def reversed(self) -> Step:
        """Return the step back."""
        return replace(self, outgoing=not self.outgoing)


Path = tuple[Step, ...]


@dataclass(frozen=True)
class Target:
    """A property at the end of a path, of the node or of the last edge, or the node itself.

    For a node, `name` is empty. For an annotation (`is_alias`), it is the name of the annotation,
    and the path is empty. `keys` lead to a value inside a JSON property.
    """

    path: Path
    label: str
    name: str
    edge_type: EdgeType | None = None  # of the last edge, if the property is the edge's
    is_alias: bool = False
    keys: Keys = ()

    @property
    def on_edge(self) -> bool:
        """Whether the property is that of an edge."""
        return self.edge_type is not None

    @property
    def cls(self) -> Any:
        """The class that declares the property."""
        return NODES[self.label] if self.edge_type is None else EDGES[self.edge_type]

    @property
    def prop(self) -> Property[Any]:
        """The property."""
        return properties_of(self.cls)[self.name]

    @property
    def default(self) -> str | None:
        """The value that a missing property of an edge stands for, such as a role."""
        return None if self.edge_type is None else dict(self.edge_type.key).get(self.name)

    @property
    def is_node(self) -> bool:
        """Whether the path ends at a relationship."""
        return not self.name

    @property
    def is_json(self) -> bool:
        """Whether it is JSON stored by path, or a value in it; JSON of edges is stored as text."""
        return not (self.is_alias or self.is_node or self.on_edge) and self.prop.is_json

    def __str__(self) -> str:
        name = "__".join([self.name, *self.keys])
        return self.name if self.is_alias else f"{self.cls.__name__}.{name}"


def relationships_of(label: str) -> dict[str, Any]:
    """Return the relationships of a label by name, outgoing ones first."""
    return {**OUTGOING[label], **INCOMING[label]}


def step_over(label: str, name: str) -> Step:
    """Return the step over a relationship. Raises `UnknownPropertyError`."""
    found = relationships_of(label).get(name)
    if found is None:
        raise unknown_name(label, name, properties={})
    return Step(found.edge_type, name in OUTGOING[label])


def unknown_name(
    label: str, name: str, properties: Iterable[str] | None = None, aliases: Iterable[str] = ()
) -> UnknownPropertyError:
    """Return the error for a name that a class does not declare, with the declared ones."""
    names = list(properties_of(NODES[label]) if properties is None else properties)
    names += aliases
    relationships = list(relationships_of(label))
    wanted = "property or relationship" if names else "relationship"
    return UnknownPropertyError(
        f"{label}.{name}: {label} has no such {wanted}{did_you_mean(name, names + relationships)}: "
        + (f"its properties are {', '.join(names)}; " if names else "")
        + f"its relationships are {', '.join(relationships)}"
    )


def resolve(label: str, key: Any, aliases: Iterable[str] = ()) -> tuple[Target, list[str]]:
    """Return the target of a name such as ``metrics__dataset__name``, and the rest of its parts.

    ``relationship|property`` is a property of the edge. Raises `UnknownPropertyError`.
    """
    if not isinstance(key, str):
        raise NodeSetTypeError(f"{label}: expected the name of a property, got {describe(key)}")
    parts, path = key.split("__"), list[Step]()
    if parts[0] in aliases:
        return Target((), label, parts[0], is_alias=True), parts[1:]
    for position, part in enumerate(parts):
        rest = parts[position + 1 :]
        name, bar, edge_name = part.partition("|")
        if bar:
            step = step_over(label, name)
            if edge_name not in properties_of(step.edge_class):
                known = properties_of(step.edge_class)
                raise UnknownPropertyError(
                    f"{label}.{part}: the edges have no such property"
                    f"{did_you_mean(edge_name, known)}: "
                    + (f"they have {', '.join(known)}" if known else "they have no properties")
                )
            return Target((*path, step), label, edge_name, step.edge_type), rest
        name = "uid" if name == "pk" else name
        if name in properties_of(NODES[label]):
            return Target(tuple(path), label, name), rest
        if name in relationships_of(label):
            path.append(step_over(label, name))
            label = path[-1].far
        elif position and name in RELATED_LOOKUPS:
            return Target(tuple(path), label, ""), parts[position:]
        else:
            raise unknown_name(label, name, aliases=() if path else aliases)
    return Target(tuple(path), label, ""), []


def resolve_exactly(label: str, key: Any, aliases: Iterable[str] = ()) -> Target:
    """Return the target of a name without a lookup. Raises `UnknownPropertyError`."""
    target, rest = resolve(label, key, aliases)
    if target.is_json:
        return replace(target, keys=tuple(rest))
    if rest:
        raise NodeSetError(
            f"{key}: {target} has no values named {'__'.join(rest)!r}: lookups are for conditions"
        )
    return target


# Trees


@dataclass(frozen=True)
class Comparison:
    """A comparison of the property of a target; `template` has ``{x}`` and a number per value."""

    target: Target
    lookup: str
    template: str
    values: tuple[Any, ...]
    finds_missing: bool = False

    @property
    def path(self) -> Path:
        """The path to the property."""
        return self.target.path

    def refuse_encrypted(self) -> None:
        """Raise `UnsupportedError` if the property is encrypted on the current connection."""
        if self.target.is_alias:
            return
        if self.lookup != "isnull" or self.target.keys:
            refuse_search(self.target.prop)


@dataclass(frozen=True)
class Existence:
    """The existence of a related node, one of `nodes` if they are given."""

    path: Path
    nodes: Any = None


@dataclass(frozen=True)
class Absence:
    """The absence of a related node at the end of a path, as in the rows of a left join.

    Over several steps, it is true if some node on the path has no related node for the next step.
    """

    path: Path


@dataclass(frozen=True)
class Not:
    """The complement: true also where the condition is unknown for lack of a value."""

    child: Tree


@dataclass(frozen=True)
class Call:
    """The conditions of one call: related nodes are not those of other calls."""

    child: Tree


@dataclass(frozen=True)
class And:
    """All of the conditions; related ones over the same path refer to the same node."""

    children: tuple[Tree, ...]


@dataclass(frozen=True)
class Or:
    """Any of the conditions."""

    children: tuple[Tree, ...]


@dataclass(frozen=True)
class Xor:
    """An odd number of the conditions."""

    children: tuple[Tree, ...]


Tree = Comparison | Existence | Absence | Not | Call | And | Or | Xor
Leaf = Comparison | Existence | Absence
_CONNECTORS: dict[str, Any] = {AND: And, OR: Or, XOR: Xor}


def parse_conditions(
    label: str,
    conditions: Iterable[Any],
    lookups: Mapping[str, Any],
    aliases: Iterable[str] = (),
) -> Tree | None:
    """Return the conditions of a call, which must all hold, or None if there are none.

    Raises `UnknownPropertyError`, `PropertyError` (an invalid value), `NodeSetError` (an unknown
    lookup), `UnsupportedError` (an encrypted property).
    """
    return _parse_q(label, Q(*conditions, **lookups), tuple(aliases))


def parse_edge_conditions(step: Step, lookups: Mapping[str, Any]) -> list[Tree]:
    """Return conditions on the properties of the edge of a step."""
    parsed = []
    for key, value in without_missing(lookups).items():
        name, *rest = key.split("__")
        known = properties_of(step.edge_class)
        if name not in known:
            raise UnknownPropertyError(
                f"{step.edge_class.__name__}.{name}: no such property{did_you_mean(name, known)}: "
                + (f"it has {', '.join(known)}" if known else "it has no properties")
            )
        target = Target((step,), step.far, name, step.edge_type)
        parsed.append(_comparison(target, parse_lookup(target.prop, str(target), rest, value)))
    return parsed


def _parse_q(label: str, condition: Any, aliases: tuple[str, ...]) -> Tree | None:
    parsed = [_parse_child(label, child, aliases) for child in condition.children]
    children = tuple(child for child in parsed if child is not None)
    if not children:
        return None
    combined: Tree = (
        children[0] if len(children) == 1 else _CONNECTORS[condition.connector](children)
    )
    return Not(combined) if condition.negated else combined


def _parse_child(label: str, child: Any, aliases: tuple[str, ...]) -> Tree | None:
    if is_q(child):
        return _parse_q(label, child, aliases)
    if isinstance(child, tuple) and len(child) == 2:
        return _parse_pair(label, *child, aliases)
    raise NodeSetTypeError(
        f"{label}: expected conditions such as uid={'a'!r} or Q objects, got {describe(child)}"
        + (f": did you mean uid={child!r}?" if isinstance(child, str) else "")
    )


def _parse_pair(label: str, key: Any, value: Any, aliases: tuple[str, ...]) -> Tree:
    target, rest = resolve(label, key, aliases)
    value = None if is_missing(value) else value
    if target.is_node:
        return _parse_related(target, rest, value)
    if target.is_alias:
        return _comparison(target, parse_alias_lookup(target.name, rest, value))
    if target.is_json:
        keys, rest = split_keys(rest)
        target = replace(target, keys=keys)
        lookup = parse_json_lookup(target.prop, str(target), keys, rest, value)
        return _comparison(target, lookup)
    value = _uid_of(target, value) if target.name == "uid" else value
    return _comparison(target, parse_lookup(target.prop, str(target), rest, value))


def _comparison(target: Target, lookup: Lookup) -> Tree:
    comparison = Comparison(
        target, lookup.name, lookup.template, lookup.values, lookup.finds_missing
    )
    # Sets can be built before `connect`; the compiler checks again.
    with contextlib.suppress(NotConnectedError):
        comparison.refuse_encrypted()
    return Not(comparison) if lookup.negated else comparison


def _uid_of(target: Target, value: Any) -> Any:
    """Replace nodes by their uids, also in a list."""
    if hasattr(value, "saved_uid"):
        return _checked(target, value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return [_checked(target, item) for item in value]
    return value


# Related nodes


def _exact(target: Target, value: Any) -> Tree:
    if value is None:
        return Absence(target.path)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return _uid_comparison(target, [], _checked(target, value))
    raise NodeSetTypeError(
        f"{target.label}: expected a {target.label} or its uid, got {describe(value)}: "
        "use __in for several"
    )


def _in(target: Target, value: Any) -> Tree:
    value = as_set(value)
    if hasattr(value, "is_sliced"):  # a node set
        if value.label != target.label:
            raise NodeSetTypeError(
                f"{target.label}: expected a set of {target.label}, got one of {value.label}"
            )
        if not value.is_sliced:
            return Existence(target.path, value)
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise NodeSetTypeError(f"{target.label}: expected a list, got {describe(value)}")
    return _uid_comparison(target, ["in"], [_checked(target, item) for item in value])


def as_set(value: Any) -> Any:
    """Return the nodes of a relationship as a set, and any other value unchanged."""
    return value._nodes() if hasattr(value, "_nodes") else value


def _isnull(target: Target, value: Any) -> Tree:
    value = unwrap(value)
    if not isinstance(value, bool):
        raise NodeSetTypeError(
            f"{target.label}: isnull: expected True or False, got {describe(value)}"
        )
    return Absence(target.path) if value else Existence(target.path)


def _checked(target: Target, value: Any) -> Any:
    """Return the uid of a node, after a check of its class; a uid is returned as it is."""
    if not hasattr(value, "saved_uid"):
        return value
    if value.__label__ != target.label:
        raise NodeSetTypeError(f"expected a {target.label}, got {value!r}")
    return value.saved_uid


def _uid_comparison(target: Target, rest: list[str], value: Any) -> Tree:
    uid = replace(target, name="uid")
    return _comparison(uid, parse_lookup(uid.prop, str(uid), rest, value))


RELATED_LOOKUPS: dict[str, Callable[[Target, Any], Tree]] = {
    "exact": _exact,
    "ne": lambda target, value: Not(_exact(target, value)),
    "in": _in,
    "isnull": _isnull,
    "exists": lambda target, value: _isnull(
        target, not value if isinstance(value, bool) else value
    ),
}


def _parse_related(target: Target, rest: list[str], value: Any) -> Tree:
    lookup = "__".join(rest) or "exact"
    if lookup not in RELATED_LOOKUPS:
        raise unknown_lookup(target.label, lookup, RELATED_LOOKUPS)
    return RELATED_LOOKUPS[lookup](target, value)


def relative_to(tree: Tree, path: Path, subject: str) -> Tree:
    """Return conditions with paths relative to the end of a path, with which they must begin.

    Raises `NodeSetError` for a condition on another node.
    """
    if isinstance(tree, (Not, Call)):
        return replace(tree, child=relative_to(tree.child, path, subject))
    if isinstance(tree, (And, Or, Xor)):
        children = tuple(relative_to(child, path, subject) for child in tree.children)
        return replace(tree, children=children)
    if tree.path[: len(path)] != path:
        end = NODES[path[-1].far].__name__
        raise NodeSetError(f"{subject}: expected conditions on the same related {end} only")
    rest = tree.path[len(path) :]
    if isinstance(tree, (Existence, Absence)):
        return replace(tree, path=rest)
    return replace(tree, target=replace(tree.target, path=rest))


def leaves(tree: Tree) -> Iterable[Leaf]:
    """Yield the leaves of a tree."""
    if isinstance(tree, (Comparison, Existence, Absence)):
        yield tree
    elif isinstance(tree, (Not, Call)):
        yield from leaves(tree.child)
    else:
        for child in tree.children:
            yield from leaves(child)


def holds_without_node(tree: Tree) -> bool:
    """Return whether a condition on a related node also holds without one, as in a left join."""
    if isinstance(tree, Comparison):
        return tree.finds_missing
    if isinstance(tree, (And, Or)):
        return (all if isinstance(tree, And) else any)(map(holds_without_node, tree.children))
    return isinstance(tree, Absence)


def uses_alias(tree: Tree, aliases: Container[str]) -> bool:
    """Return whether a condition compares one of the annotations."""
    return any(
        isinstance(leaf, Comparison) and leaf.target.is_alias and leaf.target.name in aliases
        for leaf in leaves(tree)
    )


def require_unsliced(is_sliced: bool, what: str) -> None:
    """Raise `NodeSetTypeError` for a method that a sliced set does not have."""
    if is_sliced:
        raise NodeSetTypeError(f"{what}: not possible after a slice: {what} first, then slice")
