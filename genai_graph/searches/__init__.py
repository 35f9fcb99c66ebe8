"""Search: nodes by an expression, in the language of MLflow's filter strings and more."""

from genai_graph.searches.results import SearchResult, search

__all__ = ["SearchResult", "search"]
