"""How the graph comes in and goes out: fixtures are read, checked and loaded."""

from genai_graph.exchange.load import Report, check, load

__all__ = ["Report", "check", "load"]
