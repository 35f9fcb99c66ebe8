"""A subgraph as an SVG picture, from left to right, with one column per distance from the root.

It needs no scripts and no embedded fonts, and follows the reader's light or dark colour scheme.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate
from genai_graph.pictures.spanning_tree import build_spanning_tree
from genai_graph.pictures.style import INK, MAX_LINE_LENGTH, color_of

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge, SubgraphNode

_BOX_HEIGHT, _ROW_HEIGHT, _NOTICE_HEIGHT, _LABEL_HEIGHT = 38, 48, 18, 12
_COLUMN_GAP, _MARGIN = 190, 12
_MAX_EDGE_LABEL_LENGTH = 24
_MAX_WIDTH = 960  # about the width of a notebook; wider pictures are scaled down
_PAPER, _MUTED = "#ffffff", "#6b6b6b"
# A notebook may embed several pictures in one page: the class restricts the rules to the picture.
_DARK_STYLE = (
    "@media screen and (prefers-color-scheme: dark) {"
    " .genai-graph .paper { fill: #16181c; stroke: #16181c }"
    " .genai-graph .line { stroke: #9aa0a8 }"
    " .genai-graph .text { fill: #9aa0a8; stroke: #16181c } }"
)


class _Box(NamedTuple):
    """The rectangle of a node: x of its left side, y of its centre, width."""

    left: float
    middle: float
    width: float

    @property
    def right(self) -> float:
        return self.left + self.width


def draw(subgraph: Subgraph, *, notice: str = "") -> str:
    """Return the picture; the root has a thick border, and notices are below the graph."""
    notices = [text for text in (notice, subgraph.notice) if text]
    boxes, width, graph_height = _place_nodes(subgraph)
    height, scale = graph_height + _NOTICE_HEIGHT * len(notices), min(1, _MAX_WIDTH / width)
    picture = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "genai-graph",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width * scale:g}",
            "height": f"{height * scale:g}",
            "font-family": "system-ui, sans-serif",
            "role": "img",
        },
    )
    SubElement(picture, "title").text = escape_unprintable(
        f"{subgraph.root} and its neighbourhood: {len(boxes)} nodes, {len(subgraph.edges)} edges"
    )
    SubElement(picture, "style").text = _DARK_STYLE
    SubElement(picture, "rect", {"class": "paper", "fill": _PAPER}, width="100%", height="100%")
    # SVG paints in document order: all lines before all labels, so that no line covers a label.
    lines, labels = SubElement(picture, "g"), SubElement(picture, "g")
    routes: dict[Any, list[SubgraphEdge]] = defaultdict(list)
    for edge in subgraph.edges:
        routes[edge.route].append(edge)
    for edges in routes.values():
        _draw_edges(lines, labels, edges, boxes[edges[0].source], boxes[edges[0].target])
    for node, box in boxes.items():
        _draw_node(picture, node, box)
    for number, text in enumerate(notices):
        y = graph_height + _NOTICE_HEIGHT * number + 6
        _draw_text(picture, text, _MARGIN, y, anchor="start")
    return tostring(picture, encoding="unicode")


def _place_nodes(subgraph: Subgraph) -> tuple[dict[SubgraphNode, _Box], float, float]:
    """Return the boxes of the nodes, and the width and height of the graph.

    A column is in breadth-first order, so that children are near their parents.
    """
    columns: dict[int, list[SubgraphNode]] = defaultdict(list)
    for node in build_spanning_tree(subgraph):
        columns[node.distance].append(node)
    height = _ROW_HEIGHT * max(map(len, columns.values())) + 2 * _MARGIN
    boxes: dict[SubgraphNode, _Box] = {}
    left = float(_MARGIN)
    for nodes in columns.values():
        texts = (text for node in nodes for text in (_truncated_uid(node), node.label))
        width = 24 + max(map(_estimate_width, texts))
        top = (height - _ROW_HEIGHT * (len(nodes) - 1)) / 2
        for row, node in enumerate(nodes):
            boxes[node] = _Box(left, top + _ROW_HEIGHT * row, width)
        left += width + _COLUMN_GAP
    return boxes, left - _COLUMN_GAP + _MARGIN, height


def _truncated_uid(node: SubgraphNode) -> str:
    return truncate(node.uid, MAX_LINE_LENGTH)


def _estimate_width(text: str) -> float:
    """Estimate the width of a text at size 12; the viewer's font is unknown."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return 7.6 * len(text) + 6 * wide


def _draw_node(picture: Element, node: SubgraphNode, box: _Box) -> None:
    group = SubElement(picture, "g")
    SubElement(group, "title").text = escape_unprintable(str(node))
    frame = {
        "class": "line",
        "x": f"{box.left:g}",
        "y": f"{box.middle - _BOX_HEIGHT / 2:g}",
        "width": f"{box.width:g}",
        "height": str(_BOX_HEIGHT),
        "rx": "6",
        "fill": color_of(node.label),
        "stroke": INK,
        "stroke-width": "3" if node.distance == 0 else "1",
    }
    SubElement(group, "rect", frame)
    for text, size, offset in ((node.label, 10, -6), (_truncated_uid(node), 12, 10)):
        position = {"x": f"{box.left + 12:g}", "y": f"{box.middle + offset:g}"}
        style = {"fill": INK, "font-size": str(size)}
        SubElement(group, "text", position | style).text = text


def _draw_edges(
    lines: Element, labels: Element, edges: list[SubgraphEdge], source: _Box, target: _Box
) -> None:
    """Draw parallel edges as one line with a label for each role."""
    near, far = sorted((source, target))
    same_column = near.left == far.left  # the edge then leaves to the right and returns
    start, end = near.right, far.right if same_column else far.left
    turn = end + _COLUMN_GAP / 2 if same_column else (start + end) / 2
    curve = f"C{turn:g} {near.middle:g} {turn:g} {far.middle:g} {end:g} {far.middle:g}"
    _draw_line(lines, f"M{start:g} {near.middle:g} {curve}")
    tip = end if target is far else start
    back = tip + (-7 if target is far and not same_column else 7)
    above, below = target.middle - 4, target.middle + 4
    _draw_line(lines, f"M{back:g} {above:g} L{tip:g} {target.middle:g} L{back:g} {below:g}")
    # The label is on the curve: halfway between nodes of one column, else nearer to the far node,
    # where the curves of one near node are apart.
    share = 0.5 if same_column else 0.65
    x = (start + end + 6 * turn) / 8 if same_column else start + 0.58 * (end - start)
    y = near.middle + share * (far.middle - near.middle)
    texts = list(dict.fromkeys(map(_edge_label, edges)))
    top = y - _LABEL_HEIGHT * (len(texts) - 1) / 2
    for number, text in enumerate(texts):
        _draw_text(labels, text, x, top + _LABEL_HEIGHT * number)


def _edge_label(edge: SubgraphEdge) -> str:
    role = to_text(edge.properties.get("role", edge.properties.get("kind")))
    return truncate(f"{edge.type} {role}".rstrip(), _MAX_EDGE_LABEL_LENGTH)


def _draw_line(lines: Element, path: str) -> None:
    SubElement(lines, "path", {"class": "line", "fill": "none", "stroke": _MUTED, "d": path})


def _draw_text(picture: Element, text: str, x: float, y: float, *, anchor: str = "middle") -> None:
    """Draw a text with an outline in the colour of the paper, which interrupts lines below it."""
    element = SubElement(picture, "text", {"class": "text", "fill": _MUTED, "stroke": _PAPER})
    element.attrib |= {"x": f"{x:g}", "y": f"{y + 3:g}", "stroke-width": "4"}
    element.attrib |= {"paint-order": "stroke", "font-size": "10", "text-anchor": anchor}
    element.text = escape_unprintable(text)
