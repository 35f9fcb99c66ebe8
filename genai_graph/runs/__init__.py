"""Runs: logging from a program to a journal, and sending journals to the graph."""

from genai_graph.runs.run import Run, start_run

__all__ = ["Run", "start_run"]
