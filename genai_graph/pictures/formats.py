"""The formats of pictures, and the file extensions that select them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.formatting import to_json
from genai_graph.pictures import curves, dot, html_page, mermaid, svg, text_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_graph.pictures.subgraph import Subgraph


def _draw_tree(subgraph: Subgraph) -> str:
    """Return the text tree, followed by the learning curve if the root is a metric."""
    root = subgraph.root
    curve = curves.curve_of(root.uid, root.properties) if root.label == "Metric" else None
    tree = text_tree.draw(subgraph)
    has_curve = curve is not None and curves.can_draw_text()
    return f"{tree}\n{curves.draw_text(root.uid, [curve])}" if curve and has_curve else tree


_WRITERS: dict[str, Callable[[Subgraph], str]] = {
    "tree": _draw_tree,
    "json": lambda subgraph: f"{to_json(subgraph.as_dict())}\n",
    "mermaid": mermaid.draw,
    "dot": dot.draw,
    "svg": svg.draw,
    "html": html_page.draw,
}
FORMATS = tuple(_WRITERS)
SUFFIXES = {
    ".txt": "tree",
    ".json": "json",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
    ".svg": "svg",
    ".html": "html",
    ".htm": "html",
}


def draw(subgraph: Subgraph, format: str) -> str:
    """Return a subgraph in one of the `FORMATS`."""
    return _WRITERS[format](subgraph)
