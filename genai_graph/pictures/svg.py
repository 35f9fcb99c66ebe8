"""A subgraph as a picture in SVG: from left to right, a column for each distance from the root.

It needs no script and no font of its own, and is light or dark as the reader's system is.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate
from genai_graph.pictures.colors import COLORS, INK
from genai_graph.pictures.spanning_tree import branches
from genai_graph.pictures.subgraph import LONGEST_LINE

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph, SubgraphEdge, SubgraphNode


_BOX, _ROW, _GAP, _MARGIN = 38, 48, 190, 12  # heights of a box and a row, width between columns
_LONGEST_LABEL = 24
_WIDEST = 960  # about what a notebook has; one that is wider is drawn smaller
_PAPER, _MUTED = "#ffffff", "#6b6b6b"
# It is alone in a file, or beside others in a page: the class keeps the rules to the picture.
_DARK = (
    "@media screen and (prefers-color-scheme: dark) {"
    " .genai-graph .paper { fill: #16181c; stroke: #16181c }"
    " .genai-graph .line { stroke: #9aa0a8 }"
    " .genai-graph .text { fill: #9aa0a8; stroke: #16181c } }"
)


class _Box(NamedTuple):
    """Where a node is drawn: its left side, the middle of its height, its width."""

    left: float
    middle: float
    width: float

    @property
    def right(self) -> float:
        return self.left + self.width


def draw(subgraph: Subgraph, *, notice: str = "") -> str:
    """Return the picture; the root has a thick border, and below it all stands a notice."""
    notices = [text for text in (notice, subgraph.notice) if text]
    boxes, width, height = _boxes(subgraph)
    whole_height, scale = height + 18 * len(notices), min(1, _WIDEST / width)
    picture = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "genai-graph",
            "viewBox": f"0 0 {width:g} {whole_height:g}",
            "width": f"{width * scale:g}",
            "height": f"{whole_height * scale:g}",
            "font-family": "system-ui, sans-serif",
            "role": "img",
        },
    )
    SubElement(picture, "title").text = escape_unprintable(
        f"{subgraph.root} and what is round it: {len(boxes)} nodes, {len(subgraph.edges)} edges"
    )
    SubElement(picture, "style").text = _DARK
    paper = {"class": "paper", "fill": _PAPER, "width": "100%", "height": "100%"}
    SubElement(picture, "rect", paper)
    lines, labels = SubElement(picture, "g"), SubElement(picture, "g")  # no line over a label
    for edge in subgraph.edges:
        _draw_edge(lines, labels, edge, boxes[edge.source], boxes[edge.target])
    for node, box in boxes.items():
        _draw_node(picture, node, box)
    for place, text in enumerate(notices):
        _write(picture, text, _MARGIN, height + 18 * place + 6, anchor="start")
    return tostring(picture, encoding="unicode")


def _boxes(subgraph: Subgraph) -> tuple[dict[SubgraphNode, _Box], float, float]:
    """Return where the nodes are drawn, and the size of it all; children stand beside parents."""
    columns: dict[int, list[SubgraphNode]] = defaultdict(list)
    for node in branches(subgraph):
        columns[node.distance].append(node)
    height = _ROW * max(map(len, columns.values())) + 2 * _MARGIN
    boxes: dict[SubgraphNode, _Box] = {}
    left = float(_MARGIN)
    for nodes in columns.values():
        width = 24 + max(_width(text) for node in nodes for text in (_name(node), node.label))
        top = (height - _ROW * (len(nodes) - 1)) / 2
        for row, node in enumerate(nodes):
            boxes[node] = _Box(left, top + _ROW * row, width)
        left += width + _GAP
    return boxes, left - _GAP + _MARGIN, height


def _name(node: SubgraphNode) -> str:
    return truncate(node.uid, LONGEST_LINE)


def _width(text: str) -> float:
    """Return how wide a text is, about: who draws it has the font, and we have not."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return 7.6 * len(text) + 6 * wide


def _draw_node(picture: Element, node: SubgraphNode, box: _Box) -> None:
    drawn = SubElement(picture, "g")
    SubElement(drawn, "title").text = escape_unprintable(str(node))
    frame = {
        "class": "line",
        "x": f"{box.left:g}",
        "y": f"{box.middle - _BOX / 2:g}",
        "width": f"{box.width:g}",
        "height": str(_BOX),
        "rx": "6",
        "fill": COLORS[node.label],
        "stroke": INK,
        "stroke-width": "3" if node.distance == 0 else "1",
    }
    SubElement(drawn, "rect", frame)
    for text, size, below in ((node.label, 10, -6), (_name(node), 12, 10)):
        place = {"x": f"{box.left + 12:g}", "y": f"{box.middle + below:g}"}
        line = SubElement(drawn, "text", place, fill=INK)
        line.set("font-size", str(size))
        line.text = text


def _draw_edge(
    lines: Element, labels: Element, edge: SubgraphEdge, source: _Box, target: _Box
) -> None:
    near, far = sorted((source, target))
    same_column = near.left == far.left  # then it goes out to the right, and back
    start, end = near.right, far.right if same_column else far.left
    turn = end + _GAP / 2 if same_column else (start + end) / 2
    _draw_line(
        lines,
        f"M{start:g} {near.middle:g} "
        f"C{turn:g} {near.middle:g} {turn:g} {far.middle:g} {end:g} {far.middle:g}",
    )
    at = end if target is far else start
    back = at + (-7 if target is far and not same_column else 7)
    above, below = target.middle - 4, target.middle + 4
    _draw_line(lines, f"M{back:g} {above:g} L{at:g} {target.middle:g} L{back:g} {below:g}")
    # On the curve: a loop's half way, others' where they have parted, nearer to the far end.
    far_part = 0.5 if same_column else 0.65
    x = (start + end + 6 * turn) / 8 if same_column else start + 0.58 * (end - start)
    y = near.middle + far_part * (far.middle - near.middle)
    role = to_text(edge.properties.get("role", edge.properties.get("kind")))
    _write(labels, truncate(f"{edge.type} {role}".rstrip(), _LONGEST_LABEL), x, y)


def _draw_line(lines: Element, path: str) -> None:
    SubElement(lines, "path", {"class": "line", "fill": "none", "stroke": _MUTED, "d": path})


def _write(picture: Element, text: str, x: float, y: float, *, anchor: str = "middle") -> None:
    """Write on the paper, with some of it round the text so that no line goes through."""
    written = SubElement(picture, "text", {"class": "text", "fill": _MUTED, "stroke": _PAPER})
    written.attrib |= {
        "x": f"{x:g}",
        "y": f"{y + 3:g}",
        "stroke-width": "4",
        "paint-order": "stroke",
        "font-size": "10",
        "text-anchor": anchor,
    }
    written.text = escape_unprintable(text)
