"""Where nodes are drawn: the root in the middle, a ring for each distance, children near parents.

A node has a part of the circle, and its children parts of that. A ring that has no room for all
its nodes side by side is a band, whose nodes have places on a Fibonacci lattice: each place is as
far from the last one as the golden ratio says, which is even however the lattice is stretched.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.pictures.spanning_tree import branches
from genai_graph.pictures.subgraph import SubgraphNode

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph


SPACE = 80  # between two nodes, in the units of the picture
GAP = 150  # between two rings

Positions = dict[SubgraphNode, tuple[int, int]]


class _Part(NamedTuple):
    """A part of the circle, whose whole is 1."""

    start: float
    size: float

    @property
    def middle(self) -> float:
        return self.start + self.size / 2


def positions(subgraph: Subgraph) -> Positions:
    """Return where each node is drawn, as x and y; the root is at 0, 0."""
    parts = _parts(subgraph)
    rings: dict[int, list[SubgraphNode]] = defaultdict(list)
    for node in subgraph.nodes[1:]:
        rings[node.distance].append(node)
    found: Positions = {subgraph.root: (0, 0)}
    inner = 0.0
    for nodes in rings.values():
        middles = [parts[node].middle for node in nodes]
        places = 1 / min(parts[node].size for node in nodes)
        inner += GAP
        if places * SPACE <= 2 * math.pi * inner:
            polar, outer = [(middle, inner) for middle in middles], inner
        else:
            polar, outer = _band(middles, places, inner)
        found.update(zip(nodes, itertools.starmap(_position, polar), strict=True))
        inner = outer
    return found


def _band(
    middles: list[float], places: float, inner: float
) -> tuple[list[tuple[float, float]], float]:
    """Return turn and radius of each node of a band, and how far the band goes."""
    step, count = 1, 1
    while count < places:
        step, count = count, step + count
    area = count * SPACE**2 / math.pi
    numbers = [int(middle * count) for middle in middles]
    polar = [
        ((number + 0.5) / count, math.sqrt(inner**2 + area * (number * step % count) / count))
        for number in numbers
    ]
    return polar, math.sqrt(inner**2 + area)


def _position(turn: float, radius: float) -> tuple[int, int]:
    angle = 2 * math.pi * turn
    return round(radius * math.cos(angle)), round(radius * math.sin(angle))


def _parts(subgraph: Subgraph) -> dict[SubgraphNode, _Part]:
    """Divide the circle: the more a node has below it, the larger its part, but not in step."""
    found = branches(subgraph)
    children = {
        node: [branch.node for branch in found[node] if branch.is_first] for node in subgraph.nodes
    }
    leaves: dict[SubgraphNode, int] = {}
    for node in reversed(subgraph.nodes):
        leaves[node] = sum(leaves[child] for child in children[node]) or 1
    parts = {subgraph.root: _Part(0, 1)}
    for node in subgraph.nodes:
        weights = [math.sqrt(leaves[child]) for child in children[node]]
        start, size = parts[node]
        for child, weight in zip(children[node], weights, strict=True):
            parts[child] = _Part(start, size * weight / sum(weights))
            start += parts[child].size
    return parts
