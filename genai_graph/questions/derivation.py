"""What follows from DERIVED_FROM edges: closures, longest chains, newest versions, relatives.

Cypher enumerates paths, whose number grows exponentially with their length, and the embedded engine
has no search that visits each node once. So `ask` reads the edges and supplies the result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

# A chain of 2,000 nodes has as many pairs. As a parameter, they have about 50 MB.
MAX_PAIRS = 2_000_000

Neighbours = Mapping[str, Iterable[str]]


class Derivation(NamedTuple):
    """A DERIVED_FROM edge."""

    child: str
    parent: str
    kind: str | None


class Closure(NamedTuple):
    """The nodes that can be reached from each start, itself excluded, sorted.

    `depth` is the number of steps after which the search was cut, or 0 if it is complete.
    """

    reached: dict[str, list[str]]
    depth: int


def parents_of(edges: Iterable[Derivation]) -> dict[str, list[str]]:
    """Return the parents of each child."""
    return _grouped((edge.child, edge.parent) for edge in edges)


def children_of(edges: Iterable[Derivation]) -> dict[str, list[str]]:
    """Return the children of each parent."""
    return _grouped((edge.parent, edge.child) for edge in edges)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped = defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return dict(grouped)


def closure(starts: Iterable[str], neighbours: Neighbours, max_pairs: int | None = None) -> Closure:
    """Follow edges from each start to the end, breadth first.

    All starts advance together, so that the limit (default `MAX_PAIRS`) cuts all at one depth.
    """
    limit = MAX_PAIRS if max_pairs is None else max_pairs
    found = {start: {start} for start in starts if start in neighbours}
    frontiers = {start: [start] for start in found}
    depth = num_pairs = 0
    while frontiers and num_pairs <= limit:
        depth += 1
        following = {}
        for start, frontier in frontiers.items():
            seen = found[start]
            new = {node for near in frontier for node in neighbours.get(near, ())} - seen
            if new:
                following[start] = list(new)
                seen |= new
                num_pairs += len(new)
        frontiers = following
    reached = {start: sorted(nodes - {start}) for start, nodes in found.items()}
    return Closure(reached, depth if frontiers else 0)


# Longest chains


def longest_chains(starts: Iterable[str], edges: Sequence[Derivation]) -> dict[str, list[str]]:
    """Return the longest chain of ancestors of each start, itself first.

    Among several, the first in the order of uids. A chain in a cycle ends before it repeats a node,
    and may not be the longest one: to find that takes exponential time.
    """
    parents = parents_of(edges)
    heights = _heights(parents)
    # The parent with the longest chain first.
    ordered = {
        child: sorted(set(found), key=lambda uid: (-heights[uid], uid))
        for child, found in parents.items()
    }
    return {start: _walk(start, ordered) for start in starts}


def _walk(start: str, parents: Mapping[str, Sequence[str]]) -> list[str]:
    chain, seen, here = [start], {start}, start
    while True:
        following = next((uid for uid in parents.get(here, ()) if uid not in seen), None)
        if following is None:
            return chain
        chain.append(following)
        seen.add(following)
        here = following


def _heights(parents: Neighbours) -> dict[str, int]:
    """Return the maximum number of steps to a root; those of a cycle count once each."""
    heights: dict[str, int] = {}
    for component in _components(parents):  # those of the parents come first
        outside = {
            parent for uid in component for parent in parents.get(uid, ()) if parent in heights
        }
        above = max((heights[parent] + 1 for parent in outside), default=0)
        heights.update(dict.fromkeys(component, above + len(component) - 1))
    return heights


# Versions


def newest_versions(edges: Iterable[Derivation]) -> dict[str, list[str]]:
    """Return the newest versions of each outdated node, sorted.

    A version without successors is a newest one. If versions form a cycle without a way out, the
    newest one is the first of them by uid, other than the node itself.
    """
    versions = [edge for edge in edges if edge.kind == "version" and edge.child != edge.parent]
    successors = children_of(versions)
    # The components without a way out that each node leads to, as sorted tuples.
    ends: dict[str, frozenset[tuple[str, ...]]] = {}
    for component in _components(successors):  # those that it leads to come first
        found = {ends[new] for uid in component for new in successors.get(uid, ()) if new in ends}
        own = frozenset().union(*found) or frozenset([tuple(sorted(component))])
        ends.update(dict.fromkeys(component, own if len(found) != 1 else found.pop()))
    return {
        outdated: sorted({next(uid for uid in end if uid != outdated) for end in ends[outdated]})
        for outdated in successors
    }


# Datasets that may share data


def relatives(dataset: str, edges: _Edges) -> tuple[set[str], set[str]]:
    """Return the datasets that share data with a dataset, and those for which this is unknown.

    A dataset shares data with all that it is derived from and that are derived from it. Two derived
    from a common one share data, unless both are subsets of it: for these it is unknown, because
    subsets may be disjoint, such as parts for training and for testing.
    """
    ancestors = edges.reach(edges.parents, [dataset])
    whole = edges.reach(edges.whole_parents, [dataset])
    part = ancestors - whole
    sharing = ancestors | edges.reach(edges.children, whole)
    sharing |= edges.reach(edges.whole_children, part)
    unknown = edges.reach(edges.children, part) - sharing
    return sharing - {dataset}, unknown


class _Edges:
    """The edges between datasets, in both directions; `whole` leaves subsets out."""

    def __init__(self, edges: Sequence[Derivation]) -> None:
        whole = [edge for edge in edges if edge.kind != "subset"]
        self.parents, self.children = parents_of(edges), children_of(edges)
        self.whole_parents, self.whole_children = parents_of(whole), children_of(whole)

    @staticmethod
    def reach(neighbours: Neighbours, starts: Iterable[str]) -> set[str]:
        """Return the starts and all nodes that can be reached from them."""
        found = set(starts)
        frontier = list(found)
        while frontier:
            new = set(neighbours.get(frontier.pop(), ())) - found
            found |= new
            frontier += new
        return found


def all_relatives(
    datasets: Iterable[str], edges: Sequence[Derivation]
) -> dict[str, tuple[set[str], set[str]]]:
    """Return the `relatives` of those datasets that have any."""
    indexed = _Edges(edges)
    linked = indexed.parents.keys() | indexed.children.keys()
    return {uid: relatives(uid, indexed) for uid in datasets if uid in linked}


# Cycles


def _components(neighbours: Neighbours) -> Iterator[list[str]]:
    """Yield the strongly connected components, each after those that it leads to.

    Tarjan's algorithm, with a stack of its own in place of recursion.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    for root in neighbours:
        stack = [] if root in index else [(root, iter(neighbours.get(root, ())))]
        while stack:
            node, remaining = stack[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                open_nodes.append(node)
                is_open.add(node)
            following = next(remaining, None)
            if following is not None:
                if following not in index:
                    stack.append((following, iter(neighbours.get(following, ()))))
                elif following in is_open:
                    low[node] = min(low[node], index[following])
                continue
            stack.pop()
            if stack:
                above = stack[-1][0]
                low[above] = min(low[above], low[node])
            if low[node] == index[node]:
                first = open_nodes.index(node) if open_nodes[-1] != node else len(open_nodes) - 1
                component = open_nodes[first:]
                del open_nodes[first:]
                is_open.difference_update(component)
                yield component
