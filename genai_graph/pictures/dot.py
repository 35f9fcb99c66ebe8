"""A subgraph in DOT, the language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate
from genai_graph.pictures.colors import COLORS, INK
from genai_graph.pictures.subgraph import LONGEST_LINE

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge, SubgraphNode


def draw(subgraph: Subgraph) -> str:
    """Return a digraph from left to right; the root has a thick border."""
    names = {node: f"n{place}" for place, node in enumerate(subgraph.nodes)}
    lines = [
        "digraph {",
        f"  graph [rankdir=LR, label={_quoted(subgraph.notice)}];",
        f'  node [shape=box, style="filled,rounded", color="{INK}", fontcolor="{INK}"];',
        f'  edge [color="{INK}", fontcolor="{INK}", fontsize=10];',
    ]
    lines += [f"  {name} [{_attributes(node)}];" for node, name in names.items()]
    lines += [
        f"  {names[edge.source]} -> {names[edge.target]} [label={_edge_label(edge)}];"
        for edge in subgraph.edges
    ]
    return "\n".join([*lines, "}", ""])


def _attributes(node: SubgraphNode) -> str:
    width = ", penwidth=3" if node.distance == 0 else ""
    return f'label={_label(node.label, node.uid)}, fillcolor="{COLORS[node.label]}"{width}'


def _edge_label(edge: SubgraphEdge) -> str:
    return _label(edge.type, *map(to_text, edge.properties.values()))


def _label(*texts: str) -> str:
    return _quoted(*(truncate(text, LONGEST_LINE) for text in texts))


def _quoted(*texts: str) -> str:
    r"""Quote texts as one label, a line each.

    Graphviz reads a backslash as an escape, and ``&...;`` as HTML has it.
    """
    lines = (
        escape_unprintable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
        for text in texts
    )
    return '"' + "\\n".join(lines) + '"'
