"""A subgraph in DOT, the language of Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate
from genai_graph.pictures.style import INK, MAX_LINE_LENGTH, color_of

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph


def draw(subgraph: Subgraph) -> str:
    """Return a digraph from left to right; the root has a thick border."""
    names = {node: f"n{number}" for number, node in enumerate(subgraph.nodes)}
    lines = [
        "digraph {",
        f"  graph [rankdir=LR, label={_quote(subgraph.notice)}];",
        f'  node [shape=box, style="filled,rounded", color="{INK}", fontcolor="{INK}"];',
        f'  edge [color="{INK}", fontcolor="{INK}", fontsize=10];',
    ]
    for node, name in names.items():
        width = ", penwidth=3" if node.distance == 0 else ""
        label = _label(node.label, node.uid)
        lines.append(f'  {name} [label={label}, fillcolor="{color_of(node.label)}"{width}];')
    for edge in subgraph.edges:
        values = (f"{name}: {to_text(value)}" for name, value in edge.properties.items())
        label = _label(edge.type, *values)
        lines.append(f"  {names[edge.source]} -> {names[edge.target]} [label={label}];")
    return "\n".join([*lines, "}", ""])


def _label(*texts: str) -> str:
    return _quote(*(truncate(text, MAX_LINE_LENGTH) for text in texts))


def _quote(*texts: str) -> str:
    r"""Quote texts as one label, one per line.

    Graphviz interprets backslashes as escapes and ``&...;`` as HTML entities.
    """
    lines = (
        escape_unprintable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
        for text in texts
    )
    return '"' + "\\n".join(lines) + '"'
