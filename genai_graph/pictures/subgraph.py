"""A part of the graph as it is drawn: plain nodes and edges round a root."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from genai_graph.formatting import to_json_value

if TYPE_CHECKING:
    from collections.abc import Mapping


EDGES_PER_NODE = 5
LONGEST_LINE = 48  # of a text in a picture, which would be as wide as that
_DRAWN = 40  # more in one picture of a notebook are nothing to be read


@dataclass(frozen=True)
class SubgraphNode:
    """A node as it was read: no object to be saved.

    `distance` is how many edges it is from the root; `properties` are those that have a value,
    beside the uid.
    """

    label: str
    uid: str
    distance: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def __str__(self) -> str:
        return f"{self.label} {self.uid}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "label": self.label,
            "uid": self.uid,
            "distance": self.distance,
            "properties": to_json_value(self.properties),
        }


@dataclass(frozen=True)
class SubgraphEdge:
    """An edge as it was read, between two nodes of the subgraph."""

    type: str
    source: SubgraphNode
    target: SubgraphNode
    properties: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; its ends are named by label and uid."""
        return {
            "type": self.type,
            "source": {"label": self.source.label, "uid": self.source.uid},
            "target": {"label": self.target.label, "uid": self.target.uid},
            "properties": to_json_value(self.properties),
        }


@dataclass(frozen=True)
class Subgraph:
    """Nodes and edges round a root, in an order that is always the same.

    The root comes first, then the nodes by distance, label and uid. `is_cut` tells that there are
    more within `depth` than the limit let in; which ones came is then the database's choice.
    """

    root: SubgraphNode
    nodes: tuple[SubgraphNode, ...] = field(repr=False)
    edges: tuple[SubgraphEdge, ...] = field(repr=False)
    depth: int
    limit: int
    is_cut: bool

    @property
    def notice(self) -> str:
        """What is to be said when it is cut; else nothing."""
        if not self.is_cut:
            return ""
        return (
            f"cut: there is more than {self.limit:,} nodes and "
            f"{self.limit * EDGES_PER_NODE:,} edges, the limit, let in"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it, as ``show --format json`` prints it."""
        return {
            "root": {"label": self.root.label, "uid": self.root.uid},
            "depth": self.depth,
            "limit": self.limit,
            "is_cut": self.is_cut,
            "nodes": [node.as_dict() for node in self.nodes],
            "edges": [edge.as_dict() for edge in self.edges],
        }

    def _repr_svg_(self) -> str:
        """Draw the nearest nodes, as notebooks do."""
        from genai_graph.pictures import svg

        near = self.nodes[:_DRAWN]
        if len(near) == len(self.nodes):
            return svg.draw(self)
        drawn = set(near)
        edges = [edge for edge in self.edges if {edge.source, edge.target} <= drawn]
        notice = f"the nearest {len(near)} of {len(self.nodes):,} nodes"
        return svg.draw(replace(self, nodes=near, edges=tuple(edges)), notice=notice)
