"""How the graph comes in and goes out: fixtures are read, checked and loaded, graphs dumped."""

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.exchange.clearing import clear
from genai_graph.exchange.dumper import dump
from genai_graph.exchange.loader import Report, check, load

__all__ = ["Report", "check", "clear", "dump", "load"]
