"""A subgraph as a Mermaid flowchart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text
from genai_graph.pictures.style import INK, color_of

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph

# Mermaid's default configuration (`maxEdges`, `maxTextSize`): it draws no larger flowchart.
MAX_EDGES, MAX_TEXT_SIZE = 500, 50_000


def draw(subgraph: Subgraph) -> str:
    """Return a flowchart from left to right; the root has a thick border."""
    names = {node: f"n{number}" for number, node in enumerate(subgraph.nodes)}
    lines = ["flowchart LR"]
    if subgraph.is_cut:
        lines.append(f"%% {subgraph.notice}")
    for node, name in names.items():
        lines.append(f'  {name}["{node.label}<br>{escape(node.uid)}"]:::{node.label}')
    for edge in subgraph.edges:
        values = (escape(f"{name}: {to_text(value)}") for name, value in edge.properties.items())
        label = "<br>".join([edge.type, *values])
        lines.append(f'  {names[edge.source]} -->|"{label}"| {names[edge.target]}')
    for label in sorted({node.label for node in subgraph.nodes}):
        lines.append(f"  classDef {label} fill:{color_of(label)},stroke:{INK},color:{INK}")
    lines.append("  style n0 stroke-width:4px")
    return "\n".join(lines) + "\n"


def exceeded_limits(flowchart: str) -> str:
    """Return the names of Mermaid's own limits that a flowchart exceeds, or ""."""
    exceeded = []
    if flowchart.count(" -->|") > MAX_EDGES:
        exceeded.append(f"maxEdges ({MAX_EDGES})")
    if len(flowchart) > MAX_TEXT_SIZE:
        exceeded.append(f"maxTextSize ({MAX_TEXT_SIZE:,})")
    return " and ".join(exceeded)


def escape(text: str) -> str:
    """Replace everything but letters, digits and spaces by Mermaid's numeric entities.

    Mermaid interprets labels as Markdown and HTML, and reserves further characters and words.
    """
    return re.sub(r"[^\w ]|_", lambda match: f"#{ord(match[0])};", escape_unprintable(text))
