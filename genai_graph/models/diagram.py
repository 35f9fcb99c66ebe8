"""The diagram of the models: the kinds of nodes, and the kinds of edges between them."""

from __future__ import annotations

from genai_graph.models.registry import EDGES, NODES
from genai_graph.pictures.colours import COLOURS, INK


def mermaid() -> str:
    """Return a flowchart in Mermaid, from left to right."""
    return "\n".join(
        [
            "flowchart LR",
            *(f"  {label}([{label}])" for label in NODES),
            *(f"  {kind.source} -->|{kind.type}| {kind.target}" for kind in EDGES),
            *(f"  style {label} fill:{COLOURS[label]},stroke:{INK},color:{INK}" for label in NODES),
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
            *(f'  {label} [fillcolor="{COLOURS[label]}"];' for label in NODES),
            *(f'  {kind.source} -> {kind.target} [label="{kind.type}"];' for kind in EDGES),
            "}",
            "",
        ]
    )


DRAWINGS = {"mermaid": mermaid, "dot": dot}
