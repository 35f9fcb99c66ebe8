"""A subgraph as a tree of text, for a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text
from genai_graph.pictures.spanning_tree import branches

if TYPE_CHECKING:
    from genai_graph.pictures.spanning_tree import Branch
    from genai_graph.pictures.subgraph import Subgraph, SubgraphNode


_WIDTH = 100_000  # lines are as long as they are: a terminal folds them itself


def draw(subgraph: Subgraph) -> str:
    """Return the root with its properties, and below it the edges, each once."""
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    trees = {subgraph.root: Tree(Text(_described(subgraph.root)))}
    for node, found in branches(subgraph).items():  # those that are nearer come first
        for branch in found:
            line = trees[node].add(Text(_line(node, branch)))
            if branch.is_first:
                trees[branch.node] = line
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(trees[subgraph.root])
    return captured.get() + (f"{subgraph.notice}\n" if subgraph.is_cut else "")


def _described(node: SubgraphNode) -> str:
    values = (
        f"  {name}: {escape_unprintable(to_text(value))}" for name, value in node.properties.items()
    )
    return "\n".join([escape_unprintable(str(node)), *values])


def _line(node: SubgraphNode, branch: Branch) -> str:
    edge = branch.edge
    arrow = f"-{edge.type}->" if edge.source is node else f"<-{edge.type}-"
    values = ", ".join(f"{name}: {to_text(value)}" for name, value in edge.properties.items())
    parts = [
        f"{arrow} {branch.node}",
        f"{{{values}}}" if values else "",
        "" if branch.is_first else "(shown elsewhere)",
    ]
    return escape_unprintable(" ".join(filter(None, parts)))
