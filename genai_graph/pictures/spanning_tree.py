"""A subgraph as a tree: each node once, where it is nearest to the root."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.pictures.subgraph import SubgraphNode

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge


class Branch(NamedTuple):
    """An edge at a node, and the node at its other end.

    Where `is_first` is false, that node hangs on another branch, and this one only tells the edge.
    """

    edge: SubgraphEdge
    node: SubgraphNode
    is_first: bool


Branches = dict[SubgraphNode, list[Branch]]


def branches(subgraph: Subgraph) -> Branches:
    """Return the branches at each node: every edge once, at the end that is nearer to the root."""
    ends: dict[SubgraphNode, list[tuple[SubgraphEdge, SubgraphNode]]] = defaultdict(list)
    for edge in subgraph.edges:
        near, far = sorted((edge.source, edge.target), key=lambda node: node.distance)
        ends[near].append((edge, far))
    found: Branches = {}
    placed = {subgraph.root}
    for node in (queue := [subgraph.root]):
        found[node] = []
        for edge, far in ends[node]:
            found[node].append(Branch(edge, far, far not in placed))
            if far not in placed:
                placed.add(far)
                queue.append(far)
    return found
