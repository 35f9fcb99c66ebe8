"""The diagram of the data model: labels, and the edge types between them."""

from __future__ import annotations

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph import registry
from genai_graph.pictures.style import INK, color_of
from genai_graph.registry import EDGES, NODES


def mermaid() -> str:
    """Return a Mermaid flowchart, from left to right."""
    registry.close()
    lines = [
        "flowchart LR",
        *(f"  {label}([{label}])" for label in NODES),
        *(f"  {edge_type.source} -->|{edge_type.type}| {edge_type.target}" for edge_type in EDGES),
        *(f"  style {label} fill:{color_of(label)},stroke:{INK},color:{INK}" for label in NODES),
    ]
    return "\n".join([*lines, ""])


def dot() -> str:
    """Return a digraph in DOT, the language of Graphviz, from left to right."""
    registry.close()
    lines = [
        "digraph {",
        '  graph [rankdir=LR, bgcolor="transparent"];',
        f'  node [shape=box, style="filled,rounded", color="{INK}", fontcolor="{INK}"];',
        f'  edge [color="{INK}", fontcolor="{INK}", fontsize=10];',
        *(f'  {label} [fillcolor="{color_of(label)}"];' for label in NODES),
    ]
    for edge_type in EDGES:
        lines.append(f'  {edge_type.source} -> {edge_type.target} [label="{edge_type.type}"];')
    return "\n".join([*lines, "}", ""])


DIAGRAMS = {"mermaid": mermaid, "dot": dot}
