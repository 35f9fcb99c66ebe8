"""``python -m genai_graph`` is the command line."""

from __future__ import annotations

from genai_graph.cli import main

main(prog_name="python -m genai_graph")
