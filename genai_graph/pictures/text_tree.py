"""A subgraph as a tree of text, for a terminal."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text
from genai_graph.pictures.spanning_tree import build_spanning_tree

if TYPE_CHECKING:
    from genai_graph.pictures.spanning_tree import Branch
    from genai_graph.pictures.subgraph import Subgraph, SubgraphNode

_MAX_ITEMS = 20  # of a list, such as the values of a metric
_WIDTH = 100_000  # rich wraps at the width of its console; wrapping is left to the terminal


def draw(subgraph: Subgraph) -> str:
    """Return the root with its properties, and below it each edge once.

    Parallel edges are on one line, each with its properties.
    """
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    root = subgraph.root
    lines = [str(root), *(f"  {name}: {_format(value)}" for name, value in root.properties.items())]
    trees = {root: Tree(Text("\n".join(map(escape_unprintable, lines))))}
    # Breadth first: a parent is added before its children.
    for node, branches in build_spanning_tree(subgraph).items():
        for _, group in itertools.groupby(branches, lambda branch: branch.edge.route):
            parallel = list(group)
            child = trees[node].add(Text(_format_branches(node, parallel)))
            if parallel[0].is_in_tree:
                trees[parallel[0].node] = child
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(trees[root])
    return captured.get() + (f"{subgraph.notice}\n" if subgraph.is_cut else "")


def _format(value: Any) -> str:
    """Return a value as text, long lists by their first items."""
    if not isinstance(value, list) or len(value) <= _MAX_ITEMS:
        return to_text(value)
    return f"{to_text(value[:_MAX_ITEMS])} and {len(value) - _MAX_ITEMS:,} more"


def _format_branches(node: SubgraphNode, branches: list[Branch]) -> str:
    edge, neighbour, is_in_tree = branches[0]
    text = f"-{edge.type}->" if edge.source is node else f"<-{edge.type}-"
    text += f" {neighbour}"
    for branch in branches:
        values = branch.edge.properties.items()
        properties = ", ".join(f"{name}: {to_text(value)}" for name, value in values)
        if properties or len(branches) > 1:
            text += f" {{{properties}}}"
    if not is_in_tree:
        text += " (shown elsewhere)"
    return escape_unprintable(text)
