"""How the graph comes in and goes out: fixtures are read, checked and loaded, graphs dumped."""

from genai_graph.exchange.clear import clear
from genai_graph.exchange.dump import dump
from genai_graph.exchange.load import Report, check, load

__all__ = ["Report", "check", "clear", "dump", "load"]
