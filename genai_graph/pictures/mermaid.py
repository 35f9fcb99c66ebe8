"""A subgraph as a Mermaid flowchart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text
from genai_graph.pictures.colors import COLORS, INK

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge, SubgraphNode


# Mermaid refuses more unless its configuration says otherwise (its `maxEdges`, `maxTextSize`).
EDGE_LIMIT, TEXT_LIMIT = 500, 50_000


def draw(subgraph: Subgraph) -> str:
    """Return a flowchart from left to right; the root has a thick border."""
    names = {node: f"n{place}" for place, node in enumerate(subgraph.nodes)}
    lines = ["flowchart LR"]
    if subgraph.is_cut:
        lines.append(f"%% {subgraph.notice}")
    lines += [f'  {name}["{_label(node)}"]:::{node.label}' for node, name in names.items()]
    lines += [
        f'  {names[edge.source]} -->|"{_edge_label(edge)}"| {names[edge.target]}'
        for edge in subgraph.edges
    ]
    for label in sorted({node.label for node in subgraph.nodes}):
        lines.append(f"  classDef {label} fill:{COLORS[label]},stroke:{INK},color:{INK}")
    lines.append("  style n0 stroke-width:4px")
    return "\n".join(lines) + "\n"


def limits(text: str) -> str:
    """Tell which of Mermaid's own limits a flowchart is over, or nothing."""
    over = []
    if text.count(" -->|") > EDGE_LIMIT:
        over.append(f"maxEdges ({EDGE_LIMIT})")
    if len(text) > TEXT_LIMIT:
        over.append(f"maxTextSize ({TEXT_LIMIT:,})")
    return " and ".join(over)


def _label(node: SubgraphNode) -> str:
    return f"{node.label}<br>{escaped(node.uid)}"


def _edge_label(edge: SubgraphEdge) -> str:
    values = [escaped(to_text(value)) for value in edge.properties.values()]
    return "<br>".join([edge.type, *values])


def escaped(text: str) -> str:
    """Return a text as Mermaid's entities, but for letters, digits and spaces.

    It reads labels as Markdown and as HTML, and has words and signs of its own in them.
    """
    return "".join(
        sign if sign.isalnum() or sign == " " else f"#{ord(sign)};"
        for sign in escape_unprintable(text)
    )
