"""Pictures of a subgraph: as a tree of text, JSON, Mermaid, DOT, SVG, and a page of HTML."""

from genai_graph.pictures.formats import FORMATS, SUFFIXES, draw, format_of, limits

__all__ = ["FORMATS", "SUFFIXES", "draw", "format_of", "limits"]
