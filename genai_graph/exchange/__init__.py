"""Import and export: check and load fixtures, dump and clear the graph."""

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.exchange.clearing import clear
from genai_graph.exchange.consistency import check
from genai_graph.exchange.dumper import dump
from genai_graph.exchange.loader import Report, load

__all__ = ["Report", "check", "clear", "dump", "load"]
