"""The formats of pictures, and which one a file's name says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from genai_graph.formatting import to_json
from genai_graph.pictures import dot, html_page, mermaid, svg, text_tree

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph


def _document(subgraph: Subgraph) -> str:
    return to_json(subgraph.as_dict()) + "\n"


_WRITERS: dict[str, Callable[[Subgraph], str]] = {
    "tree": text_tree.draw,
    "json": _document,
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
    """Return the text of a picture, in one of `FORMATS`."""
    return _WRITERS[format](subgraph)


def limits(picture: str, format: str) -> str:
    """Tell which limits of its own tool a picture is over, or nothing."""
    return mermaid.limits(picture) if format == "mermaid" else ""


def format_of(suffix: str) -> str | None:
    """Return the format that the end of a file's name says, or None where it does not tell."""
    return SUFFIXES.get(suffix)
