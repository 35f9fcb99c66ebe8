"""Sphinx configuration for the site of these pages and the README: ``make docs``."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

from genai_graph import __version__, schema_diagram

sys.path.insert(0, str(Path(__file__).parent))  # for derived.py

from derived import ROOT

project = "genai_graph"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.graphviz",
    "sphinx_click",
]
exclude_patterns = ["tutorial/**"]  # cards
default_role = "literal"  # `x` in a docstring is code, as in Markdown

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80

graphviz_output_format = "svg"

html_theme = "furo"
html_title = f"genai_graph {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}

_LINK = re.compile(r"\]\((?!https?:|#)(docs/)?")
_MERMAID = re.compile(r"^```mermaid\n.*?^```$", re.MULTILINE | re.DOTALL)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    """Insert the README into the index, and draw the diagram with Graphviz instead of Mermaid.

    Mermaid would need a script from another server.
    """
    if name == "index":
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        source[0] = _LINK.sub(lambda link: "](" if link[1] else "](../", readme) + source[0]
    source[0] = source[0].replace("](../README.md", "](index.md")
    directive = "{graphviz}" if shutil.which("dot") else "text"
    picture = f"```{directive}\n{schema_diagram.dot()}```"
    source[0] = _MERMAID.sub(lambda _: picture, source[0])


def setup(app: Sphinx) -> None:
    """Register the changes made to a page before it is parsed."""
    app.connect("source-read", _read)


# Pygments has no parameters ($name) in Cypher.
suppress_warnings = ["misc.highlighting_failure"]
