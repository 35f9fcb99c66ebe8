"""The constraints of edge types: cardinality and cycles, checked before a write."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from genai_graph.database import match_uid, query, quote_name
from genai_graph.properties import encryption
from genai_graph.storage.batching import batched
from genai_graph.storage.encrypted_values import undecryptable_values
from genai_graph.storage.lookups import count_nodes, existing_uids

if TYPE_CHECKING:
    from genai_graph.registry import EdgeType
    from genai_graph.storage.rows import EdgeRow

Errors = list[tuple["EdgeRow", str]]
_STAGES = 8  # in one statement, each of at most two edges


class ExistingGraph:
    """The graph before a write, as needed by the checks."""

    def existing(self, label: str, uids: Iterable[str]) -> set[str]:
        """Return those of the uids that exist."""
        return existing_uids(label, uids)

    def encrypted_names(self, label: str) -> frozenset[str]:
        """Return the properties of a label that are encrypted."""
        return encryption.encrypted_names(label)

    def undecryptable(
        self, label: str, uids: Iterable[str], names: Iterable[str]
    ) -> Iterable[tuple[str, str, str]]:
        """Return values encrypted with keys that are not available (`undecryptable_values`)."""
        return undecryptable_values(label, uids, names)

    def targets(self, edge_type: EdgeType, sources: Iterable[str]) -> list[tuple[str, str]]:
        """Return the edges that start at some nodes, as (source, target)."""
        return self._neighbours(edge_type, sources, by_source=True)

    def sources(self, edge_type: EdgeType, targets: Iterable[str]) -> list[tuple[str, str]]:
        """Return the edges that end at some nodes, as (target, source)."""
        return self._neighbours(edge_type, targets, by_source=False)

    def _neighbours(
        self, edge_type: EdgeType, uids: Iterable[str], *, by_source: bool
    ) -> list[tuple[str, str]]:
        near, far = ("a", "b") if by_source else ("b", "a")
        label = edge_type.source if by_source else edge_type.target
        cypher = (
            f"UNWIND $uids AS uid {match_uid(near, label, 'uid')} "
            f"MATCH {edge_type.pattern_from(by_source=by_source)} "
            f"RETURN collect([uid, {far}.uid]) AS pairs"
        )
        return _pairs(cypher, uids)

    def reachable(self, edge_type: EdgeType, uids: Iterable[str]) -> list[tuple[str, str]]:
        """Return the edges, as (source, target), of all nodes reachable over some edges.

        Each stage visits a node once: following all paths at once takes exponential time.
        """
        type_ = quote_name(edge_type.type)
        # A pattern comprehension in place of MATCH, which Neo4j may start at the other end and
        # compare with each of these nodes.
        label = quote_name(edge_type.target)
        stages = " ".join(
            f"UNWIND [(n{stage})-[:{type_}*0..2]->(n:{label}) | n] AS n{stage + 1} "
            f"WITH DISTINCT n{stage + 1}"
            for stage in range(_STAGES)
        )
        cypher = (
            f"UNWIND $uids AS uid {match_uid('n0', edge_type.source, 'uid')} {stages} "
            f"WITH n{_STAGES}.uid AS source, "
            f"[(n{_STAGES})-[:{type_}]->(b:{label}) | b.uid] AS targets "
            "UNWIND targets AS target WITH source, target "
            "WHERE source IS NOT NULL AND target IS NOT NULL "
            "RETURN collect([source, target]) AS pairs"
        )
        return _pairs(cypher, uids)


def _pairs(cypher: str, uids: Iterable[str]) -> list[tuple[str, str]]:
    # One row per batch: the driver takes longer for a row than the engine.
    found = (query(cypher, uids=batch)[0]["pairs"] for batch in batched(uids))
    return [(uid, other) for pairs in found for uid, other in pairs]


class LoadedGraph(ExistingGraph):
    """The graph before a load, which skips lookups in labels without any nodes."""

    def __init__(self) -> None:
        self._empty: dict[str, bool] = {}

    def is_empty(self, label: str) -> bool:
        """Return whether a label had no nodes at the first call."""
        if label not in self._empty:
            self._empty[label] = count_nodes(label) == 0
        return self._empty[label]

    def has_no_edges(self, edge_type: EdgeType) -> bool:
        """Return whether there can be no edges of a type, for lack of nodes."""
        return self.is_empty(edge_type.source) or self.is_empty(edge_type.target)

    def existing(self, label: str, uids: Iterable[str]) -> set[str]:
        """Return those of the uids that exist."""
        return set() if self.is_empty(label) else super().existing(label, uids)

    def undecryptable(
        self, label: str, uids: Iterable[str], names: Iterable[str]
    ) -> Iterable[tuple[str, str, str]]:
        """Return values encrypted with keys that are not available."""
        return () if self.is_empty(label) else super().undecryptable(label, uids, names)

    def _neighbours(
        self, edge_type: EdgeType, uids: Iterable[str], *, by_source: bool
    ) -> list[tuple[str, str]]:
        if self.has_no_edges(edge_type):
            return []
        return super()._neighbours(edge_type, uids, by_source=by_source)

    def reachable(self, edge_type: EdgeType, uids: Iterable[str]) -> list[tuple[str, str]]:
        """Return the edges of all reachable nodes."""
        return [] if self.is_empty(edge_type.source) else super().reachable(edge_type, uids)


class EmptyGraph(LoadedGraph):
    """A graph without nodes: fixtures checked against it must be complete."""

    def is_empty(self, label: str) -> bool:
        """Return True."""
        return True

    def encrypted_names(self, label: str) -> frozenset[str]:
        """Return an empty set: without a connection there are no keys."""
        return frozenset()


def constraint_errors(
    edge_type: EdgeType,
    rows: Sequence[EdgeRow],
    graph: ExistingGraph,
    neighbours: Mapping[str, str],
) -> Errors:
    """Return (edge, error) for each edge that its type does not allow, given the other edges.

    `neighbours` are those of restricted ends by edges that are written before.
    """
    if edge_type.single_target:
        stored = graph.targets(edge_type, {row.source for row in rows})
    elif edge_type.single_source:
        stored = graph.sources(edge_type, {row.target for row in rows})
    else:
        stored = []
    neighbours = {**neighbours, **dict(stored)}
    errors = cardinality_errors(edge_type, rows, neighbours)
    return errors + (cycle_errors(edge_type, rows, graph) if edge_type.acyclic else [])


def cardinality_errors(
    edge_type: EdgeType, rows: Sequence[EdgeRow], neighbours: dict[str, str]
) -> Errors:
    """Return (edge, error) for each second edge of an end that may have only one.

    `neighbours` are those of the restricted ends before the write. A type restricts one end.
    """
    if not edge_type.single_target and not edge_type.single_source:
        return []
    errors: Errors = []
    label, only_one = restriction(edge_type)
    first = dict(neighbours)
    for row in rows:
        ends = (row.source, row.target)
        uid, other = ends if edge_type.single_target else reversed(ends)
        existing = first.setdefault(uid, other)
        if existing != other:
            message = f"{label} {uid!r} {only_one}: it has {existing!r}, not {other!r}"
            errors.append((row, message))
    return errors


def restriction(edge_type: EdgeType) -> tuple[str, str]:
    """Return the label of the restricted end, and the restriction as text."""
    label, other = edge_type.source, edge_type.target
    if edge_type.single_source:
        label, other = other, label
    # Between nodes of one label, the label alone does not say which edges are meant.
    return label, f"can have only one {other}{f' ({edge_type.type})' if label == other else ''}"


def cycle_errors(edge_type: EdgeType, rows: Sequence[EdgeRow], graph: ExistingGraph) -> Errors:
    """Return (edge, error) for edges that would close a cycle, with the cycle."""
    errors: Errors = []
    successors = _successors(edge_type, {row.target for row in rows}, graph)
    new = {(row.source, row.target): row for row in rows}
    for source, target in new:
        successors[source].add(target)
    for cycle in find_cycles(successors, sorted({row.source for row in rows})):
        row = next((new[step] for step in itertools.pairwise(cycle) if step in new), None)
        if row is not None:  # otherwise it is a cycle of the stored graph
            path = " -> ".join(map(repr, cycle))
            errors.append((row, f"{edge_type.type} must not form a cycle: {path}"))
    return errors


def _successors(edge_type: EdgeType, uids: set[str], graph: ExistingGraph) -> dict[str, set[str]]:
    """Return the successors of all nodes reachable from some nodes."""
    successors: dict[str, set[str]] = defaultdict(set)
    frontier = set(uids)
    while frontier:
        for source, target in graph.reachable(edge_type, sorted(frontier)):
            successors[source].add(target)
        frontier = _nodes_at(successors, frontier, distance=2 * _STAGES + 1) - successors.keys()
    return successors


def _nodes_at(successors: dict[str, set[str]], start: set[str], distance: int) -> set[str]:
    """Return the nodes at a distance from the start; their own edges are not read yet."""
    level, seen = start, set(start)
    for _ in range(distance):
        level = {target for uid in level for target in successors.get(uid, ())} - seen
        seen |= level
    return level


def find_cycles(successors: dict[str, set[str]], starts: Iterable[str]) -> Iterator[list[str]]:
    """Traverse depth first from the starts, and yield each path that returns to itself."""
    done: set[str] = set()
    for start in starts:
        if start in done:
            continue
        path, positions = [start], {start: 0}
        stack = [iter(sorted(successors.get(start, ())))]
        while stack:
            uid = next(stack[-1], None)
            if uid is None:
                stack.pop()
                finished = path.pop()
                del positions[finished]
                done.add(finished)
            elif uid in positions:
                yield [*path[positions[uid] :], uid]
            elif uid not in done:
                positions[uid] = len(path)
                path.append(uid)
                stack.append(iter(sorted(successors.get(uid, ()))))
