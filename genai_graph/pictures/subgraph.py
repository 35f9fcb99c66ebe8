"""A subgraph: read-only nodes and edges around a root."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from genai_graph.formatting import to_json_value
from genai_graph.pictures import svg, text_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGES_PER_NODE = 5  # the limit of edges is this multiple of the limit of nodes
_MAX_NOTEBOOK_NODES = 40  # larger pictures are unreadable in a notebook


@dataclass(frozen=True)
class SubgraphNode:
    """A node of a subgraph; it can't be saved.

    `distance` is the number of edges to the root. `properties` are those that are set, except uid.
    """

    label: str
    uid: str
    distance: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def __str__(self) -> str:
        return f"{self.label} {self.uid}"

    def as_dict(self) -> dict[str, Any]:
        """Return the node as JSON values."""
        return {
            "label": self.label,
            "uid": self.uid,
            "distance": self.distance,
            "properties": to_json_value(self.properties),
        }


@dataclass(frozen=True)
class SubgraphEdge:
    """An edge between two nodes of a subgraph."""

    type: str
    source: SubgraphNode
    target: SubgraphNode
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def route(self) -> tuple[str, SubgraphNode, SubgraphNode]:
        """The type and the ends, which parallel edges of different roles share."""
        return self.type, self.source, self.target

    def as_dict(self) -> dict[str, Any]:
        """Return the edge as JSON values; its ends are given by label and uid."""
        return {
            "type": self.type,
            "source": {"label": self.source.label, "uid": self.source.uid},
            "target": {"label": self.target.label, "uid": self.target.uid},
            "properties": to_json_value(self.properties),
        }


@dataclass(frozen=True)
class Subgraph:
    """Nodes and edges around a root, in a stable order.

    The root is first; the other nodes are sorted by distance, label and uid. `depth` is the maximum
    distance, or None. If `is_cut` is true, there is more: the graph has more nodes or edges within
    `depth` than `limit` allows, and the database decides which of them are included, or a lineage
    goes on beyond `depth` (`is_cut_at_depth`).
    """

    root: SubgraphNode
    nodes: tuple[SubgraphNode, ...] = field(repr=False)
    edges: tuple[SubgraphEdge, ...] = field(repr=False)
    depth: int | None
    limit: int
    is_cut: bool
    is_cut_at_depth: bool = False

    @property
    def notice(self) -> str:
        """A note on the depth or limit if the subgraph is cut, else ""."""
        if self.is_cut_at_depth:
            return f"incomplete: the lineage goes on beyond the depth of {self.depth:,}"
        max_edges = self.limit * EDGES_PER_NODE
        notice = f"incomplete: cut at the limit of {self.limit:,} nodes and {max_edges:,} edges"
        return notice if self.is_cut else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the subgraph as JSON values, as ``show --format json`` prints it."""
        return {
            "root": {"label": self.root.label, "uid": self.root.uid},
            "depth": self.depth,
            "limit": self.limit,
            "is_cut": self.is_cut,
            "nodes": [node.as_dict() for node in self.nodes],
            "edges": [edge.as_dict() for edge in self.edges],
        }

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the subgraph as a tree in IPython."""
        is_nested = len(printer.stack) > 1
        printer.text(repr(self) if is_nested else text_tree.draw(self).rstrip("\n"))

    def _repr_svg_(self) -> str:
        """Return an SVG picture of the nearest nodes, for notebooks."""
        nearest = self.nodes[:_MAX_NOTEBOOK_NODES]
        if len(nearest) == len(self.nodes):
            return svg.draw(self)
        included = set(nearest)
        edges = [edge for edge in self.edges if {edge.source, edge.target} <= included]
        notice = f"the nearest {len(nearest)} of {len(self.nodes):,} nodes"
        return svg.draw(replace(self, nodes=nearest, edges=tuple(edges)), notice=notice)
