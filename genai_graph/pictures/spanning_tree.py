"""The spanning tree of a subgraph: each node once, as near to the root as possible."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge, SubgraphNode


class Branch(NamedTuple):
    """An edge at a node, and the node at its other end.

    If `is_in_tree` is false, that node is a child of another branch.
    """

    edge: SubgraphEdge
    node: SubgraphNode
    is_in_tree: bool


def build_spanning_tree(subgraph: Subgraph) -> dict[SubgraphNode, list[Branch]]:
    """Return the branches of each node, in breadth-first order.

    Every edge of the subgraph is listed once, at the end that is nearer to the root.
    """
    neighbours: dict[SubgraphNode, list[tuple[SubgraphEdge, SubgraphNode]]] = defaultdict(list)
    for edge in subgraph.edges:
        near, far = sorted((edge.source, edge.target), key=lambda node: node.distance)
        neighbours[near].append((edge, far))
    tree: dict[SubgraphNode, list[Branch]] = {}
    visited = {subgraph.root}
    for node in (queue := [subgraph.root]):  # grows during the iteration
        tree[node] = []
        for edge, neighbour in neighbours[node]:
            tree[node].append(Branch(edge, neighbour, neighbour not in visited))
            if neighbour not in visited:
                visited.add(neighbour)
                queue.append(neighbour)
    return tree
