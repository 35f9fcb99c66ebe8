"""Run the command line with ``python -m genai_graph``."""

from __future__ import annotations

from genai_graph.cli import main

main(prog_name="python -m genai_graph")
