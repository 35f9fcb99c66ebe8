"""Node sets: immutable, lazy queries for the nodes of a class, with Django's names and rules."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from genai_graph import advice
from genai_graph.advice import refuse_arguments
from genai_graph.database import clamp_limit, query
from genai_graph.database.rows import Rows
from genai_graph.errors import DatabaseError, NodeSetError, NodeSetTypeError
from genai_graph.ogm import bulk_writes, prefetch, tables
from genai_graph.ogm.aggregates import ResolvedAggregate, resolve_aggregates
from genai_graph.ogm.compiler import EVERYTHING, Compiler, Ordering, Selection
from genai_graph.ogm.conditions import (
    And,
    Call,
    Comparison,
    Not,
    Or,
    Step,
    Target,
    Tree,
    as_set,
    parse_conditions,
    parse_edge_conditions,
    relationships_of,
    require_unsliced,
    resolve_exactly,
)
from genai_graph.ogm.lookup_errors import MultipleNodesReturned
from genai_graph.ogm.result_shapes import NodeShape, Shape, TraversalShape, ValuesShape, with_alias
from genai_graph.properties.encryption import refuse_search
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.batching import batched
from genai_graph.storage.suggestions import node_not_found

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Never, Self

T = TypeVar("T")

_SHOWN = 20  # in repr, as in Django


class NodeSet(Generic[T]):
    """A set of nodes of one class: a value that never changes.

    Methods that narrow or sort it return a new set. The database is queried when the set is
    iterated; the set then caches its nodes, and a new set queries again.
    """

    def __init__(self, source: Any) -> None:
        self._selection = Selection(source.__label__)
        self._shape: Shape = NodeShape()
        self._step = 1
        self._prefetched: tuple[str, ...] = ()
        self._asked: tuple[str, ...] = ()
        self._is_empty = False
        self._back: Step | None = None  # to the node whose relationship this is
        self._cache: list[T] | None = None

    @classmethod
    def related_to(cls, step: Step, uid: str) -> NodeSet[Any]:
        """Return the nodes at the ends of a step from the node with a uid."""
        back = step.reversed()
        root = Comparison(Target((back,), back.far, "uid"), "exact", "{x} = {0}", (uid,))
        nodes: NodeSet[Any] = cls(NODES[step.far])
        return nodes._select(conditions=(And((root,)),))._clone(_back=back)

    def _clone(self, **changes: Any) -> Self:
        clone = type(self).__new__(type(self))
        clone.__dict__.update(self.__dict__)
        clone._cache = None
        clone.__dict__.update(changes)
        return clone

    def _select(self, **changes: Any) -> Self:
        return self._clone(_selection=replace(self._selection, **changes))

    def _nodes(self) -> NodeSet[T]:
        """Return the set itself; the method of a relationship returns the related nodes."""
        return self

    # Attributes

    @property
    def source_class(self) -> Any:
        """The class of the nodes."""
        return NODES[self.label]

    @property
    def label(self) -> str:
        """The label of the nodes."""
        return self._selection.label

    @property
    def tree(self) -> Tree:
        """The conditions."""
        return Or(()) if self._is_empty else self._selection.tree

    @property
    def is_sliced(self) -> bool:
        """Whether the set is a slice of another one."""
        return self._selection.slice != EVERYTHING or self._step != 1

    # Narrowing and sorting

    def filter(self, *conditions: Any, **lookups: Any) -> Self:
        """Return the nodes that meet all conditions: lookups such as ``size__gte=10``, or `Q`.

        Conditions of one call that lead through the same relationship refer to the same related
        node. Raises `UnknownPropertyError`, `NodeSetError`, `PropertyError`.
        """
        return self._narrowed(conditions, lookups, "filter")

    def exclude(self, *conditions: Any, **lookups: Any) -> Self:
        """Return the nodes that `filter` would not return, among them those without a value."""
        return self._narrowed(conditions, lookups, "exclude")

    def _narrowed(self, conditions: tuple[Any, ...], lookups: Mapping[str, Any], name: str) -> Self:
        aliases = self._aliases()
        tree = parse_conditions(self.label, conditions, lookups, aliases)
        if tree is None:
            return self._clone()
        require_unsliced(self.is_sliced, name)
        tree = Not(tree) if name == "exclude" else tree
        asked = [*map(repr, conditions), *(f"{key}={value!r}" for key, value in lookups.items())]
        text = f"{name}({', '.join(asked)})" if name == "exclude" else ", ".join(asked)
        selected = self._select(conditions=(*self._selection.conditions, tree))
        return selected._clone(_asked=(*self._asked, text))

    def match(self, **lookups: Any) -> Self:
        """Return the related nodes whose edge meets the conditions: ``match(role="test")``.

        For sets of a relationship; all conditions refer to one edge.
        """
        if self._back is None:
            raise NodeSetTypeError(
                "match: is for the edges of one node: use filter() with relationship|property"
            )
        require_unsliced(self.is_sliced, "match")
        root, *others = self._selection.conditions
        on_edge = parse_edge_conditions(self._back, lookups)
        return self._select(conditions=(And((root, *on_edge)), *others))

    def _aliases(self) -> tuple[str, ...]:
        groups = self._shape.groups if isinstance(self._shape, ValuesShape) else ()
        return (*self._selection.annotations, *groups)

    def order_by(self, *names: Any) -> Self:
        """Return the nodes in the order of properties; this replaces any other order.

        ``-size`` is descending, ``projects__name`` the first related value, ``?`` a random order.
        Nodes without a value are last in both directions; equal ones are ordered by uid.
        """
        require_unsliced(self.is_sliced, "order_by")
        return self._select(order=tuple(self._ordering(name) for name in names if name is not None))

    def _ordering(self, name: Any) -> Ordering:
        if name == "?":
            return Ordering(None)
        if not isinstance(name, str):
            raise NodeSetTypeError(
                f"order_by: expected the name of a property, got {describe(name)}"
            )
        target = resolve_exactly(self.label, name.removeprefix("-"), self._aliases())
        if target.is_node:
            target = replace(target, name="uid")
        if not target.is_alias:
            refuse_search(target.prop)
            if target.prop.is_json and not target.keys:
                raise NodeSetError(
                    f"order_by: {target}: JSON has no order: use a value in it, such as "
                    f"{target.name}__key"
                )
        return Ordering(target, name.startswith("-"))

    def _ordered(self) -> Self:
        """Return the set with the uid as the last sort key, so that the order is definite."""
        order = self._selection.order
        uid = Target((), self.label, "uid")
        is_definite = any(one.target in (None, uid) for one in order)
        shape = self._shape
        if is_definite or (isinstance(shape, ValuesShape) and (shape.is_distinct or shape.groups)):
            return self
        return self._select(order=(*order, Ordering(uid, order[0].descending if order else False)))

    def reverse(self) -> Self:
        """Return the nodes in the opposite order; without an order, by descending uid."""
        require_unsliced(self.is_sliced, "reverse")
        ordered = self._ordered()
        return ordered._select(order=tuple(one.reversed() for one in ordered._selection.order))

    def distinct(self, *names: Never) -> Self:
        """Return the set without duplicates: nodes never occur twice, but `values` may."""
        if names:
            raise NodeSetTypeError(
                f"distinct: takes no names: use values_list({names[0]!r}).distinct(), or "
                f"values({names[0]!r}).annotate() for groups"
            )
        require_unsliced(self.is_sliced, "distinct")
        if not isinstance(self._shape, ValuesShape):
            return self._clone()
        return self._clone(_shape=replace(self._shape, is_distinct=True))

    def none(self) -> Self:
        """Return an empty set, which never queries the database."""
        return self._clone(_is_empty=True)

    # Combinations

    def union(self, *others: NodeSet[T]) -> Self:
        """Return the nodes of any of the sets, each once, in the order of this one."""
        return self._combined("union", others, Or)

    def intersection(self, *others: NodeSet[T]) -> Self:
        """Return the nodes that are in all of the sets."""
        return self._combined("intersection", others, And)

    def difference(self, *others: NodeSet[T]) -> Self:
        """Return the nodes that are in this set and in none of the others."""
        return self._combined(
            "difference", others, lambda trees: And((trees[0], Not(Or(trees[1:]))))
        )

    def _combined(
        self, name: str, others: Iterable[Any], combine: Callable[[tuple[Tree, ...]], Tree]
    ) -> Self:
        sets = [self, *(as_set(one) for one in others)]
        for one in sets:
            if not isinstance(one, NodeSet) or one.label != self.label:
                raise NodeSetTypeError(
                    f"{name}: expected a set of {self.label}, got {describe(one)}"
                )
            require_unsliced(one.is_sliced, name)
        if len(sets) == 1:
            return self._clone()
        tree = combine(tuple(Call(one.tree) for one in sets))
        return self._select(conditions=(tree,))._clone(_is_empty=False, _asked=(name,), _back=None)

    def __or__(self, other: Any) -> Self:
        return self.union(other)

    def __and__(self, other: Any) -> Self:
        return self.intersection(other)

    def __sub__(self, other: Any) -> Self:
        return self.difference(other)

    # Other results

    def only(self, *names: str) -> Self:
        """Return nodes with these properties; the others are read when they are used."""
        names = tuple(self._own_names(names))
        return self._nodes_only("only")._clone(_shape=NodeShape(frozenset(names)))

    def defer(self, *names: str) -> Self:
        """Return nodes without these properties, which are read when they are used."""
        loaded = frozenset(properties_of(self.source_class)) - set(self._own_names(names))
        return self._nodes_only("defer")._clone(_shape=NodeShape(loaded))

    def _own_names(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            target = resolve_exactly(self.label, name)
            if target.path or target.keys:
                raise NodeSetError(f"{name}: expected a property of {self.label}")
            yield target.name

    def values(self, *names: str) -> NodeSet[dict[str, Any]]:
        """Return dicts of these properties, all if none are named, instead of nodes.

        ``trained_on__name`` and ``trained_on|role`` are values of related nodes and of their edges:
        there is one dict for each of them, or one with None.
        """
        return self._valued(names, "dict")

    def values_list(self, *names: str, flat: bool = False, named: bool = False) -> NodeSet[Any]:
        """Return tuples of these properties, named tuples (`named`) or single values (`flat`)."""
        if flat and (named or len(names) != 1):
            raise NodeSetError("values_list: flat=True needs exactly one name, and not named=True")
        return self._valued(names, "flat" if flat else "named" if named else "tuple")

    def _valued(self, names: Iterable[str], form: str) -> NodeSet[Any]:
        require_unsliced(self.is_sliced, "values")
        if isinstance(self._shape, ValuesShape) and self._shape.groups:
            return self._clone(_shape=self._shape.select(names, form))
        chosen = list(dict.fromkeys(names)) or [
            *properties_of(self.source_class),
            *self._selection.annotations,
        ]
        targets = [resolve_exactly(self.label, name, self._aliases()) for name in chosen]
        # A related node is represented by its uid.
        by_uid = (replace(one, name="uid") if one.is_node else one for one in targets)
        shape = ValuesShape(tuple(chosen), tuple(by_uid), form)
        return self._clone(_shape=shape, _prefetched=())

    def annotate(self, *aggregates: Any, **named: Any) -> Self:
        """Return nodes with aggregates of related nodes as attributes: ``n=Count("metrics")``.

        They can be used by `filter`, `order_by` and `values`. After `values`, the aggregates are
        those of each group of equal values, as in SQL's GROUP BY.
        """
        require_unsliced(self.is_sliced, "annotate")
        taken = {*properties_of(self.source_class), *relationships_of(self.label), *self._aliases()}
        taken |= set(dir(self.source_class))
        resolved = resolve_aggregates(self.label, aggregates, named, taken)
        if isinstance(self._shape, ValuesShape):
            return self._clone(_shape=with_alias(self._shape, resolved))
        for alias, aggregate in resolved.items():
            if not aggregate.target.path:
                raise NodeSetError(
                    f"{alias}: expected an aggregate of related nodes: use aggregate() for the "
                    "nodes of the set, or values().annotate() for groups"
                )
        return self._select(annotations={**self._selection.annotations, **resolved})

    def traverse(self, *paths: str) -> NodeSet[list[Any]]:
        """Return lists of each node and, for each step of the paths, a related node and the edge.

        Nodes without related ones are omitted.
        """
        targets = [resolve_exactly(self.label, path) for path in paths]
        for path, target in zip(paths, targets, strict=True):
            if not target.is_node or not target.path:
                raise NodeSetError(f"traverse: {path!r} is not a relationship of {self.label}")
        shape = TraversalShape(tuple(target.path for target in targets))
        nodes = self._nodes_only("traverse")
        return nodes._clone(_shape=shape, _prefetched=())  # type: ignore[return-value]

    def prefetch_related(self, *paths: str) -> Self:
        """Return nodes whose relationships are read along with them, in one statement each.

        `all()`, iteration and `len()` of the relationships then need no query.
        """
        for path in paths:
            target = resolve_exactly(self.label, path)
            if not target.is_node or not target.path:
                raise NodeSetError(f"prefetch_related: {path!r} is not a relationship")
        nodes = self._nodes_only("prefetch_related")
        return nodes._clone(_prefetched=tuple(dict.fromkeys((*self._prefetched, *paths))))

    # Reading

    def all(self) -> list[T]:
        """Read the nodes from the database, and return them as a list."""
        return list(self._clone()._fetched())

    def _fetched(self) -> list[T]:
        """Return the nodes, which are read once."""
        if self._cache is None:
            items = self._read()
            prefetch.fill(self.label, items, self._prefetched)
            self._cache = items
        return self._cache

    def _read(self) -> list[Any]:
        selection = self._ordered()._selection if self._selection.order else self._selection
        if self._is_empty or not selection.slice:
            return []
        compiler = Compiler()
        rows = query(self._shape.statement(compiler, selection), compiler.parameters)
        return self._shape.convert(rows, compiler, selection)[:: self._step]

    def __iter__(self) -> Iterator[T]:
        return iter(self._fetched())

    def iterator(self, chunk_size: int = 2_000) -> Iterator[T]:
        """Yield the nodes, reading `chunk_size` of them at a time; the set does not keep them.

        The uids are read first: nodes that are deleted meanwhile are omitted, and later ones are
        not included.
        """
        if not isinstance(chunk_size, int) or isinstance(chunk_size, bool) or chunk_size < 1:
            raise NodeSetError(
                f"chunk_size: expected an integer from 1, got {describe(chunk_size)}"
            )
        return self._pages(chunk_size)

    def _pages(self, chunk_size: int) -> Iterator[T]:
        if not self._shape.has_one_row_per_node:
            yield from self._clone()._fetched()
            return
        for uids in batched(self.uids(), clamp_limit(chunk_size)):
            yield from (
                self._clone(_step=1)
                ._select(conditions=(_uid_in(self.label, uids),), slice=EVERYTHING)
                ._fetched()
            )

    def uids(self) -> list[str]:
        """Return the uids of the nodes, in order."""
        target = Target((), self.label, "uid")
        return self._clone(_shape=ValuesShape(("uid",), (target,), "flat"), _prefetched=())._read()

    def __len__(self) -> int:
        return self.count()

    def count(self) -> int:
        """Return the number of nodes: counted in the database, unless they were read before."""
        if self._cache is not None:
            return len(self._cache)
        if self._is_empty:
            return 0
        if not self._shape.has_one_row_per_node:
            return len(self._fetched())
        selected = range(self._count_up_to(self._selection.slice.stop))
        return len(selected[self._selection.slice.start : self._selection.slice.stop : self._step])

    def _count_up_to(self, limit: int) -> int:
        compiler = Compiler()
        clauses = compiler.select(replace(self._selection, order=()))
        if limit < sys.maxsize:
            clauses += f" WITH n{compiler.limits(range(limit))}"
        return int(query(f"{clauses} RETURN count(n) AS count", compiler.parameters)[0]["count"])

    def __bool__(self) -> bool:
        return self.exists()

    def exists(self) -> bool:
        """Return whether there is any node."""
        if self._cache is not None or not self._shape.has_one_row_per_node:
            return bool(self._fetched())
        return bool(self._clone(_step=1)._sliced(slice(0, 1))._select(order=()).uids())

    def __contains__(self, node: Any) -> bool:
        if isinstance(self._shape, NodeShape):
            if getattr(node, "__label__", None) != self.label or isinstance(node, type):
                return False
            uid = node.saved_uid
            if self._cache is None and not self.is_sliced:
                return self.filter(uid=uid).exists()
        return node in self._fetched()

    def contains(self, node: Any) -> bool:
        """Return whether a node is in the set, as ``node in nodes`` does."""
        return node in self

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._sliced(key)
        position = _position(key, "index")
        if self._cache is not None or self._step != 1:
            return self._fetched()[position]
        found = self._sliced(slice(position, position + 1))._fetched()
        if not found:
            raise IndexError(f"{self.label}: index {position} is out of range")
        return found[0]

    def _sliced(self, key: slice) -> Self:
        start, stop, step = (
            None if bound is None else _position(bound, "slice")
            for bound in (key.start, key.stop, key.step)
        )
        if step == 0:
            raise NodeSetError("slice: the step can't be 0")
        if self._step != 1:
            raise NodeSetError("slice: not possible after a slice with a step: use list()")
        cache = None if self._cache is None else self._cache[start:stop:step]
        clone = self._select(slice=self._selection.slice[start:stop])
        return clone._clone(_step=step or 1, _cache=cache)

    def get(self, *conditions: Any, **lookups: Any) -> T:
        """Return the only node that meets the conditions.

        Raises `DoesNotExist` of the class if there is none, `MultipleNodesReturned` if there are
        several.
        """
        matching = self.filter(*conditions, **lookups)
        found = (matching if matching.is_sliced else matching[:2])._fetched()
        if len(found) == 1:
            return found[0]
        if found:
            raise MultipleNodesReturned(
                f"more than one {self.label} {matching._asked_for()}: get it by its uid, or use "
                "filter() for several, or first()"
            )
        return matching._raise_does_not_exist(lookups)

    def _asked_for(self) -> str:
        return f"matches {', '.join(self._asked)}" if self._asked else "exists"

    def _raise_does_not_exist(self, lookups: Mapping[str, Any]) -> NoReturn:
        uid = lookups.get("uid", lookups.get("pk"))
        is_uid_only = isinstance(uid, str) and len(self._selection.conditions) == 1 == len(lookups)
        message = (
            str(node_not_found(self.label, str(uid)))
            if is_uid_only and not self.is_sliced
            else f"no {self.label} {self._asked_for()}"
        )
        raise self.source_class.DoesNotExist(message)

    def get_or_none(self, *conditions: Any, **lookups: Any) -> T | None:
        """Return the only node that meets the conditions, or None if there is none."""
        try:
            return self.get(*conditions, **lookups)
        except self.source_class.DoesNotExist:
            return None

    def first(self, *conditions: Any, **lookups: Any) -> T | None:
        """Return the first node, by uid if the set has no order, or None if it is empty."""
        chosen = self.filter(*conditions, **lookups)
        if chosen.is_sliced or chosen._cache is not None:
            return next(iter(chosen._fetched()), None)
        ordered = chosen._ordered() if not chosen._selection.order else chosen
        return next(iter(ordered[:1]._fetched()), None)

    first_or_none = first

    def last(self) -> T | None:
        """Return the last node, by uid if the set has no order, or None if it is empty."""
        if self.is_sliced or not self._shape.has_one_row_per_node:
            return next(reversed(self._fetched()), None)
        return self.reverse().first()

    def earliest(self, *names: str) -> T:
        """Return the node with the smallest value. Raises `DoesNotExist`."""
        return self._extreme("earliest", names)

    def latest(self, *names: str) -> T:
        """Return the node with the largest value. Raises `DoesNotExist`."""
        return self._extreme("latest", names)

    def _extreme(self, method: str, names: tuple[str, ...]) -> T:
        if not names or names[0] is None:
            raise NodeSetError(f"{method}: name a property, such as {method}('created_at')")
        ordered = self.order_by(*names)
        order = ordered._selection.order
        if method == "latest":
            order = tuple(one.reversed() for one in order)
        name = names[0].removeprefix("-")
        found = self.filter(**{f"{name}__isnull": False})._select(order=order).first()
        if found is None:
            condition = f" that {self._asked_for()}" if self._asked else ""
            raise self.source_class.DoesNotExist(
                f"{method}: no {self.label}{condition} has a value of {name}"
            )
        return found

    def in_bulk(self, uids: Iterable[str] | None = None, **options: Never) -> dict[str, T]:
        """Return nodes by uid: these, or all of the set."""
        refuse_arguments("in_bulk", options)
        if not isinstance(self._shape, NodeShape):
            raise NodeSetTypeError("in_bulk: not possible after values() or traverse()")
        nodes: Any = self if uids is None else self.filter(uid__in=uids)
        return {node.uid: node for node in nodes}

    def aggregate(self, *aggregates: Any, **named: Any) -> dict[str, Any]:
        """Return aggregates of the set: ``aggregate(Avg("size"), runs=Count("experiments"))``.

        A path through relationships counts each related node once for each node of the set.
        """
        if isinstance(self._shape, ValuesShape) and self._shape.groups:
            raise NodeSetTypeError(
                "aggregate: not possible for groups: use Python's sum() or max()"
            )
        known = self._selection.annotations
        resolved = resolve_aggregates(self.label, aggregates, named, (), known)
        results: dict[str, Any] = {}
        together: dict[Any, dict[str, ResolvedAggregate]] = {}
        for alias, one in resolved.items():
            key = (one.target.path, alias if one.condition else None)
            together.setdefault(key, {})[alias] = one
        for over in together.values():
            results |= self._aggregated(over)
        return {alias: results[alias] for alias in resolved}

    def _aggregated(self, aggregates: dict[str, ResolvedAggregate]) -> dict[str, Any]:
        if self._step != 1:
            raise NodeSetError("aggregate: not possible for a slice with a step")
        if self._is_empty:
            return {a: 0 if one.function == "count" else None for a, one in aggregates.items()}
        compiler, selection = Compiler(), self._selection
        first = next(iter(aggregates.values()))
        clauses = compiler.select(selection)
        bound = ", ".join(["n", *map(compiler.alias, selection.annotations)])
        if self.is_sliced:
            order, limits = compiler.order(selection.order), compiler.limits(selection.slice)
            clauses += f" WITH {bound}{order}{limits}"
        node, edge, walked = compiler.walk("n", first.target.path, optional=False)
        where = compiler.where(first.condition, (node, edge))
        if first.target.path:
            clauses += f" {walked}{where} WITH DISTINCT n, {edge}, {node}"
        elif where:
            clauses += f" WITH {bound}{where}"
        columns = []
        for alias, one in aggregates.items():
            value = compiler.value(one.target, (node, edge))
            columns.append(f"{one.expression(value)} AS {compiler.alias(alias)}")
        row = query(f"{clauses} RETURN {', '.join(columns)}", compiler.parameters)[0]
        return {a: one.to_python(row[compiler.alias(a)]) for a, one in aggregates.items()}

    def to_pandas(self) -> pandas.DataFrame:
        """Return the values as a DataFrame: of all properties, or those chosen by `values`.

        Raises `MissingExtraError` if pandas is not installed.
        """
        valued: NodeSet[Any] = self
        if not isinstance(self._shape, ValuesShape):
            unsliced = self._select(slice=EVERYTHING)._clone(_step=1, _shape=NodeShape())
            valued = unsliced.values()._select(slice=self._selection.slice)
            valued = valued._clone(_step=self._step)
        shape = valued._shape
        assert isinstance(shape, ValuesShape)
        return Rows(valued._clone(_shape=replace(shape, form="dict")), shape.columns).to_pandas()

    # Writing

    def create(self, **values: Any) -> T:
        """Create a node, as ``Model(...).save()`` does. Raises `NodeExistsError`."""
        node: T = self.source_class(**values).save()
        return node

    def get_or_create(
        self, defaults: Mapping[str, Any] | None = None, **lookups: Any
    ) -> tuple[T, bool]:
        """Return the only matching node and False, or a new one and True.

        A new node has the values of the lookups and the defaults.
        """
        return bulk_writes.get_or_create(self, defaults, lookups)

    def update_or_create(
        self,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **lookups: Any,
    ) -> tuple[T, bool]:
        """Set values of the only matching node, or create it; return it and whether it is new.

        A new node has the values of the lookups, and of `create_defaults` or else `defaults`.
        """
        return bulk_writes.update_or_create(self, defaults, create_defaults, lookups)

    def update(self, **values: Any) -> int:
        """Set these values of all nodes, in one transaction; return the number of nodes.

        Raises `PropertyError` for an invalid value. `updated_at` changes where a value does.
        """
        require_unsliced(self.is_sliced, "update")
        complete = self._nodes_only("update")._clone(_shape=NodeShape())
        return bulk_writes.update(complete, values)

    def delete(self, *, force: bool = False) -> tuple[int, dict[str, int]]:
        """Delete the nodes and what belongs to them, in one transaction.

        Returns the number of deleted nodes, in total and by label. Raises `ProtectedError` if
        nodes outside the set depend on one of them, unless `force` is true.
        """
        require_unsliced(self.is_sliced, "delete")
        return bulk_writes.delete(self._nodes_only("delete"), force=force)

    def _nodes_only(self, method: str) -> Self:
        if not isinstance(self._shape, NodeShape):
            raise NodeSetTypeError(f"{method}: not possible after values() or traverse()")
        return self

    def bulk_create(self, *rows: Any, **options: Any) -> list[T]:
        """Create nodes from objects or dicts, all or none, in one statement per 5,000.

        Raises `NodeExistsError`.
        """
        return bulk_writes.bulk_create(self.source_class, rows, options)

    def bulk_save(self, nodes: Iterable[T], **options: Never) -> list[T]:
        """Save nodes, new or changed, all or none."""
        refuse_arguments("bulk_save", options)
        saved: list[T] = self.source_class.bulk_save(nodes)
        return saved

    def bulk_update(self, nodes: Iterable[T], fields: Iterable[str], **options: Never) -> int:
        """Write these properties of saved nodes, all or none; return the number of nodes."""
        refuse_arguments("bulk_update", options)
        return bulk_writes.bulk_update(self.source_class, nodes, fields)

    def bulk_create_or_update(self, *rows: Any, **options: Any) -> list[T]:
        """Create or update a node for each dict, as `upsert` does."""
        nodes: list[T] = self.source_class._bulk_create_or_update(*rows, **options)
        return nodes

    def bulk_get_or_create(self, *rows: Any, **options: Any) -> list[T]:
        """Return a node for each dict: the one with its uid, or a new one."""
        nodes: list[T] = self.source_class._bulk_get_or_create(*rows, **options)
        return nodes

    # Display

    def __repr__(self) -> str:
        name = f"{type(self).__name__} of {self.label}"
        try:
            shown = [
                repr(item)
                for item in self._clone(_cache=self._cache, _prefetched=()).preview(_SHOWN + 1)
            ]
        except DatabaseError:  # not connected: a debugger shows sets, too
            return f"<{name}>"
        if len(shown) > _SHOWN:
            shown[_SHOWN:] = ["..."]
        return f"<{name}: [{', '.join(shown)}]>"

    def preview(self, count: int) -> list[Any]:
        """Return the first nodes, or all if there are fewer."""
        if self._step != 1:
            return self._fetched()[:count]
        return self._sliced(slice(0, count))._fetched()

    def _repr_html_(self) -> str:
        """Show the first nodes in a notebook, one per row."""
        return tables.node_set_table(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the first nodes as a table in IPython, unless the set is part of another object."""
        is_nested = len(printer.stack) > 1
        try:
            text = repr(self) if is_nested else tables.node_set_text(self)
        except DatabaseError:
            text = repr(self)
        printer.text(text)

    if not TYPE_CHECKING:  # with it, type checkers would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            found = advice.SETS.get(name)
            hint = did_you_mean(name, _public()) if found is None else f": use {found}"
            raise AttributeError(f"a node set has no {name!r}{hint}")


def _public() -> list[str]:
    return [name for name in vars(NodeSet) if not name.startswith("_")]


def _position(value: Any, name: str) -> int:
    """Return an index or a bound of a slice. Nothing else reaches SKIP and LIMIT."""
    try:
        position = operator.index(value)
    except TypeError:
        raise NodeSetTypeError(f"{name}: expected an integer, got {describe(value)}") from None
    if position < 0:
        raise NodeSetError(f"{name}: negative numbers are not supported: use reverse() or last()")
    return min(position, sys.maxsize)


def _uid_in(label: str, uids: list[str]) -> Tree:
    return Comparison(Target((), label, "uid"), "in", "{x} IN {0}", (uids,))
