"""A subgraph as a page: one file that works offline, drawn by Cytoscape.js.

Nothing of the graph becomes markup: it stands in the page as JSON without the signs that could end
it, the page's script shows it as text, and the policy lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from genai_graph.formatting import to_text
from genai_graph.pictures.layout import positions

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph


# What Cytoscape.js would add to the page by itself, where the policy would not let it.
_CYTOSCAPE_STYLE = ".__________cytoscape_container { position: relative; }"
_MARKUP = re.compile("[<>&\u2028\u2029]")


def draw(subgraph: Subgraph) -> str:
    """Return the page."""
    styles = {"cytoscape_style": _CYTOSCAPE_STYLE, "style": _part("page.css")}
    scripts = {"cytoscape": _part("cytoscape.min.js"), "script": _part("page.js")}
    policy = (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src {_hashes(scripts)}; style-src {_hashes(styles)}"
    )
    page = Template(_part("page.html"))
    return page.substitute(styles, **scripts, policy=policy, data=_escaped(_content(subgraph)))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hashes(parts: Mapping[str, str]) -> str:
    digests = (hashlib.sha256(part.encode()).digest() for part in parts.values())
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _content(subgraph: Subgraph) -> dict[str, Any]:
    numbers = {node: number for number, node in enumerate(subgraph.nodes)}
    places = positions(subgraph)
    return {
        "notice": subgraph.notice,
        "nodes": [
            {
                "label": node.label,
                "uid": node.uid,
                "x": places[node][0],
                "y": places[node][1],
                "properties": _texts(node.properties),
            }
            for node in subgraph.nodes
        ],
        "edges": [
            {
                "type": edge.type,
                "source": numbers[edge.source],
                "target": numbers[edge.target],
                "properties": _texts(edge.properties),
            }
            for edge in subgraph.edges
        ],
    }


def _texts(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, to_text(value)) for name, value in properties.items()]


def _escaped(content: dict[str, Any]) -> str:
    """Return it as JSON without the signs that mean something to HTML."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return _MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
