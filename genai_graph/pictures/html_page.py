"""A subgraph as an interactive page: one file that works offline, drawn by Cytoscape.js.

Nothing in the graph can become markup: the data is embedded as JSON without `<`, `>` and `&`, the
page's script shows it as text, and the Content-Security-Policy forbids all other scripts.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from genai_graph.formatting import to_text
from genai_graph.pictures import curves
from genai_graph.pictures.spanning_tree import build_spanning_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genai_graph.pictures.subgraph import Subgraph, SubgraphNode

# Cytoscape.js adds this rule to a page unless it is present; the policy would block it.
_CYTOSCAPE_STYLE = ".__________cytoscape_container { position: relative; }"
_MOST_CURVES = 100  # about 20 kB each
_MARKUP = re.compile("[<>&\u2028\u2029]")


def draw(subgraph: Subgraph) -> str:
    """Return the page."""
    styles = {"cytoscape_style": _CYTOSCAPE_STYLE, "style": _read("page.css")}
    scripts = {"cytoscape": _read("cytoscape.min.js"), "script": _read("page.js")}
    policy = (
        f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src {_hashes(scripts)}; style-src {_hashes(styles)}"
    )
    data = json.dumps(_content(subgraph), ensure_ascii=False, separators=(",", ":"))
    data = _MARKUP.sub(lambda match: f"\\u{ord(match[0]):04x}", data)
    return Template(_read("page.html")).substitute(styles, **scripts, policy=policy, data=data)


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hashes(sources: Mapping[str, str]) -> str:
    digests = (hashlib.sha256(source.encode()).digest() for source in sources.values())
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _content(subgraph: Subgraph) -> dict[str, Any]:
    # Breadth-first order: the layouts of the page then place children near their parents.
    numbers = {node: number for number, node in enumerate(build_spanning_tree(subgraph))}
    pictures = _learning_curves(numbers)
    return {
        "notice": subgraph.notice,
        "nodes": [
            {**node.as_dict(), "properties": _texts(node.properties), **pictures.get(node, {})}
            for node in numbers
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


def _learning_curves(nodes: Iterable[SubgraphNode]) -> dict[SubgraphNode, dict[str, str]]:
    """Return the learning curves of the first metrics as images, if matplotlib is installed."""
    if not curves.can_draw_svg():
        return {}
    found = ((node, curves.curve_of(node.uid, node.properties)) for node in nodes)
    drawn = ((node, curve) for node, curve in found if node.label == "Metric" and curve)
    return {
        node: {"picture": _data_uri(curves.draw_svg({"": [curve.thinned(200)]}, width=4.0))}
        for node, curve in itertools.islice(drawn, _MOST_CURVES)
    }


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _texts(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, to_text(value)) for name, value in properties.items()]
