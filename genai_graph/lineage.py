"""Traversal of the graph from a node: its neighbourhood, its lineage, its impact.

The traversal is breadth first: all nodes at a distance at once, with one statement per edge type.
Hence it ends in spite of cycles, and several paths to a node cost no more than one.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.errors import QuestionError
from genai_graph.names import normalize_name
from genai_graph.pictures.subgraph import EDGES_PER_NODE, Subgraph, SubgraphEdge, SubgraphNode
from genai_graph.properties import encryption
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import inflate_value, inflate_values
from genai_graph.registry import EDGES, NODES, properties_of
from genai_graph.storage.batching import batched
from genai_graph.storage.lookups import existing_uids, find_nodes
from genai_graph.storage.scans import read_edges
from genai_graph.storage.suggestions import node_not_found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from genai_graph.registry import EdgeType

MAX_NODES = 5_000  # default limit of a traversal
_UNLIMITED = 100_000_000

_NodeKey = tuple[str, str]  # label, uid
# Type, uid of the source, uid of the target, key in a form that can be sorted.
_EdgeKey = tuple["EdgeType", str, str, tuple[tuple[bool, str], ...]]

# A model does not depend on its validation and test data. A missing role means training.
_TRAINING_ROLES = (None, "training")
# Users may declare other edges between models and datasets, such as REPLACES.
_LINEAGE_LABELS, _LINEAGE_TYPES = ("Model", "Dataset"), ("DERIVED_FROM", "TRAINED_ON")


class Step(NamedTuple):
    """A traversal step: an edge type, a direction, and the roles to follow (default: all)."""

    edge_type: EdgeType
    by_source: bool
    roles: tuple[str | None, ...] = ()

    @property
    def label(self) -> str:
        """The label of the nodes that it starts from."""
        return self.edge_type.source if self.by_source else self.edge_type.target

    def follows(self, properties: Mapping[str, Any]) -> bool:
        """Return whether an edge with these properties is followed."""
        return not self.roles or properties.get("role") in self.roles


def neighbourhood(label: str, uid: str, *, depth: int = 1, limit: int = MAX_NODES) -> Subgraph:
    """Return everything within `depth` edges of a node, of all types and in both directions."""
    steps = [Step(edge_type, by_source) for edge_type in EDGES for by_source in (True, False)]
    _validate("depth", depth, minimum=0)
    return _traverse(label, uid, steps, depth, limit)


def lineage(uid: str, *, depth: int | None = None, limit: int = MAX_NODES) -> Subgraph:
    """Return everything that a model depends on (see `Model.lineage`)."""
    return _follow_lineage("Model", uid, depth, limit, by_source=True)


def impact(uid: str, *, depth: int | None = None, limit: int = MAX_NODES) -> Subgraph:
    """Return everything that depends on a dataset (see `Dataset.impact`)."""
    return _follow_lineage("Dataset", uid, depth, limit, by_source=False)


def dependents(label: str, uid: str) -> dict[str, list[str]]:
    """Return the uids, by label, of a model or dataset and of all that depend on it.

    Raises `NodeNotFoundError`.
    """
    steps = list(_lineage_steps(by_source=False))
    found: dict[str, list[str]] = defaultdict(list)
    for node in _traverse(label, uid, steps, None, _UNLIMITED).nodes:
        found[node.label].append(node.uid)
    return found


def _follow_lineage(
    label: str, uid: str, depth: int | None, limit: int, *, by_source: bool
) -> Subgraph:
    if depth is not None:
        _validate("depth", depth, minimum=0)
    steps = list(_lineage_steps(by_source=by_source))
    return _traverse(label, uid, steps, depth, limit, reports_depth=True)


def _lineage_steps(*, by_source: bool) -> Iterator[Step]:
    for edge_type, edge_class in EDGES.items():
        ends = {edge_type.source, edge_type.target}
        if edge_type.type in _LINEAGE_TYPES and ends.issubset(_LINEAGE_LABELS):
            has_roles = "role" in properties_of(edge_class)
            yield Step(edge_type, by_source, _TRAINING_ROLES if has_roles else ())


class _Traversal:
    """The nodes found so far, with their distance from the root, and the edges."""

    def __init__(self, root: _NodeKey, limit: int) -> None:
        self.distances = {root: 0}
        self.edges: dict[_EdgeKey, Mapping[str, Any]] = {}
        self.is_cut = False
        self.is_cut_at_depth = False
        self._limit = limit

    def follow(self, step: Step, uids: list[str], distance: int) -> None:
        """Follow a step from some nodes."""
        for edge, properties in self._read(step, uids):
            self._add(edge, properties, distance)

    def look_further(self, step: Step, uids: list[str]) -> None:
        """Find out whether a step leads from some nodes to one that was not found."""
        self.is_cut_at_depth |= any(
            end not in self.distances
            for (edge_type, source, target, _), _ in self._read(step, uids)
            for end in ((edge_type.source, source), (edge_type.target, target))
        )

    def _read(self, step: Step, uids: list[str]) -> Iterator[tuple[_EdgeKey, Mapping[str, Any]]]:
        # The limit bounds the edges read. The database does not sort them: that is slow for a hub.
        limit = self._limit * min(EDGES_PER_NODE, len(uids))
        found = read_edges(step.edge_type, uids, limit + 1, by_source=step.by_source)
        self.is_cut |= len(found) > limit
        edges = [edge for edge in found if type(edge[0]) is type(edge[1]) is str]
        sort_key = step.edge_type.sort_key
        for source, target, properties, _ in sorted(
            edges, key=lambda edge: (edge[0], edge[1], sort_key(edge[2]))
        ):
            if step.follows(properties):
                yield (step.edge_type, source, target, sort_key(properties)), properties

    def _add(self, edge: _EdgeKey, properties: Mapping[str, Any], distance: int) -> None:
        edge_type, source, target, _ = edge
        ends = (edge_type.source, source), (edge_type.target, target)
        new = [end for end in ends if end not in self.distances]
        has_room = (
            len(self.distances) + len(new) <= self._limit
            and len(self.edges) < self._limit * EDGES_PER_NODE
        )
        if has_room or edge in self.edges:
            self.distances.update(dict.fromkeys(new, distance))
            self.edges.setdefault(edge, properties)
        else:
            self.is_cut = True

    def frontier(self, distance: int) -> dict[str, list[str]]:
        """Return the uids of the nodes at a distance, sorted, by label."""
        frontier = defaultdict(list)
        for (label, uid), found_at in self.distances.items():
            if found_at == distance:
                frontier[label].append(uid)
        return {label: sorted(uids) for label, uids in frontier.items()}


def _traverse(
    label: str,
    uid: str,
    steps: list[Step],
    depth: int | None,
    limit: int,
    *,
    reports_depth: bool = False,
) -> Subgraph:
    """Follow the steps from a node, to the end or over `depth` edges.

    With `reports_depth` the subgraph says whether there is more beyond that depth.
    """
    _validate("limit", limit, minimum=1)
    uid = normalize_name(uid) if isinstance(uid, str) else uid
    if not existing_uids(label, [uid]):
        raise node_not_found(label, uid)
    traversal = _Traversal((label, uid), limit)
    for distance in itertools.count(1):
        frontier = traversal.frontier(distance - 1)
        is_beyond = depth is not None and distance > depth
        if not frontier or (is_beyond and not reports_depth):
            break
        for step in steps:
            for uids in batched(frontier.get(step.label, ())):
                if is_beyond:
                    traversal.look_further(step, uids)
                else:
                    traversal.follow(step, uids, distance)
        if is_beyond:
            break
    return _subgraph(traversal, depth, limit)


def _validate(name: str, value: Any, *, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise QuestionError(
            f"{name}: expected an integer of at least {minimum}, got {describe(value)}"
        )


def _subgraph(traversal: _Traversal, depth: int | None, limit: int) -> Subgraph:
    """Read the properties of the nodes, and sort nodes and edges."""
    keys = sorted(traversal.distances, key=lambda key: (traversal.distances[key], key))
    stored = {
        label: find_nodes(label, [uid for other, uid in keys if other == label])
        for label in dict.fromkeys(label for label, _ in keys)
    }
    nodes = {
        (label, uid): SubgraphNode(
            label,
            uid,
            traversal.distances[label, uid],
            _redacted_properties(label, stored[label].get(uid, {})),
        )
        for label, uid in keys
    }
    edges = [
        SubgraphEdge(
            edge_type.type,
            nodes[edge_type.source, source],
            nodes[edge_type.target, target],
            _in_order(edge_type, properties),
        )
        for (edge_type, source, target, _), properties in sorted(
            traversal.edges.items(), key=lambda item: (str(item[0][0]), *item[0][1:])
        )
    ]
    ordered = tuple(nodes.values())
    return Subgraph(
        ordered[0],
        ordered,
        tuple(edges),
        depth,
        limit,
        is_cut=traversal.is_cut or traversal.is_cut_at_depth,
        is_cut_at_depth=traversal.is_cut_at_depth,
    )


def _in_order(edge_type: EdgeType, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of an edge in order of declaration, whatever the engine's order.

    The origin is left out, because pictures would show it at each edge, and so are credentials that
    other programs may have stored.
    """
    known = properties_of(EDGES[edge_type])
    return {
        name: known[name].redact(inflate_value(known[name], properties[name]))
        if name in known
        else properties[name]
        for name in (*known, *sorted(properties.keys() - known.keys()))
        if name in properties and name != "origin"
    }


def _redacted_properties(label: str, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the declared properties, without credentials that other programs may have stored."""
    cls = NODES[label]
    known = properties_of(cls)
    declared = {name: stored.get(name) for name in known}
    values = inflate_values(cls, encryption.decrypt_values(label, declared)) if stored else {}
    return {
        name: known[name].redact(value)
        for name, value in values.items()
        if value is not None and name != "uid"
    }
