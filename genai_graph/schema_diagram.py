"""The diagram of the models: the kinds of nodes, and the kinds of edges between them."""

from __future__ import annotations

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.pictures.colors import COLORS, INK
from genai_graph.registry import EDGES, NODES


def mermaid() -> str:
    """Return a flowchart in Mermaid, from left to right."""
    return "\n".join(
        [
            "flowchart LR",
            *(f"  {label}([{label}])" for label in NODES),
            *(f"  {kind.source} -->|{kind.type}| {kind.target}" for kind in EDGES),
            *(f"  style {label} fill:{COLORS[label]},stroke:{INK},color:{INK}" for label in NODES),
            "",
        ]
    )


def dot() -> str:
    """Return a digraph in DOT, the language of Graphviz, from left to right."""
    return "\n".join(
        [
            "digraph {",
            '  graph [rankdir=LR, bgcolor="transparent"];',
            f'  node [shape=box, style="filled,rounded", color="{INK}", fontcolor="{INK}"];',
            f'  edge [color="{INK}", fontcolor="{INK}", fontsize=10];',
            *(f'  {label} [fillcolor="{COLORS[label]}"];' for label in NODES),
            *(f'  {kind.source} -> {kind.target} [label="{kind.type}"];' for kind in EDGES),
            "}",
            "",
        ]
    )


DRAWINGS = {"mermaid": mermaid, "dot": dot}
