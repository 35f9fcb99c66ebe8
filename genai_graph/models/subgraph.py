"""Parts of the graph round a node: its neighbourhood, its lineage, what rests on it.

They are walked level by level, all nodes of a level at once, one statement for each kind of edge:
so circles end by themselves, and many ways to a node cost no more than one.
"""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.errors import QuestionError
from genai_graph.models import encryption, store
from genai_graph.models.base import NODE_LIMIT, loaded
from genai_graph.models.checking import properties_of
from genai_graph.models.nearby import node_not_found
from genai_graph.models.properties import describe
from genai_graph.models.registry import EDGES, NODES
from genai_graph.pictures.subgraph import EDGES_PER_NODE, Subgraph, SubgraphEdge, SubgraphNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from genai_graph.models.store import EdgeKind


class Step(NamedTuple):
    """A way to go on: along the edges of a kind, from their sources or from their targets.

    Where there are `roles`, only along the edges that have one of them.
    """

    kind: EdgeKind
    by_source: bool
    roles: tuple[str | None, ...] = ()

    @property
    def label(self) -> str:
        """The label of the nodes that it starts from."""
        return self.kind.source if self.by_source else self.kind.target

    def allows(self, values: Mapping[str, Any]) -> bool:
        """Tell whether an edge of these values is one to go along."""
        return not self.roles or values.get("role") in self.roles


# What a model was validated or tested on is nothing that it rests on; no role means training.
_TRAINING = (None, "training")
_LINEAGE = ("Model", "Dataset")


def neighbourhood(label: str, uid: str, *, depth: int = 1, limit: int = NODE_LIMIT) -> Subgraph:
    """Return what is within `depth` edges of a node, whatever their kind and direction."""
    steps = [Step(kind, by_source) for kind in EDGES for by_source in (True, False)]
    return _walk(label, uid, steps, depth, limit)


def lineage(uid: str, *, depth: int, limit: int) -> Subgraph:
    """Return what a model rests on: see `Model.lineage`."""
    return _walk("Model", uid, list(_lineage_steps(by_source=True)), depth, limit)


def impact(uid: str, *, depth: int, limit: int) -> Subgraph:
    """Return what rests on a dataset: see `Dataset.impact`."""
    return _walk("Dataset", uid, list(_lineage_steps(by_source=False)), depth, limit)


def _lineage_steps(*, by_source: bool) -> Iterator[Step]:
    for kind in EDGES:
        if kind.source in _LINEAGE and kind.target in _LINEAGE:
            has_roles = "role" in properties_of(EDGES[kind])
            yield Step(kind, by_source, _TRAINING if has_roles else ())


class _Found:
    """What a walk has met so far: nodes with their distance, and edges."""

    def __init__(self, root: tuple[str, str], limit: int) -> None:
        self.distances = {root: 0}
        self.edges: dict[tuple[EdgeKind, str, str], Mapping[str, Any]] = {}
        self.is_cut = False
        self._limit = limit

    def follow(self, step: Step, uids: list[str], distance: int) -> None:
        """Go a step from some nodes."""
        # No more can come to nodes that there is room for. The database does not put them in order:
        # for a hub's edges that takes much longer than to read the first of them.
        most = self._limit * min(EDGES_PER_NODE, len(uids))
        found = store.read_edges(step.kind, uids, most + 1, by_source=step.by_source)
        self.is_cut |= len(found) > most
        edges = [edge for edge in found if type(edge[0]) is type(edge[1]) is str]
        for source, target, values, _ in sorted(edges, key=itemgetter(0, 1)):
            if step.allows(values):
                self._add(step.kind, source, target, values, distance)

    def _add(
        self, kind: EdgeKind, source: str, target: str, values: Mapping[str, Any], distance: int
    ) -> None:
        ends = (kind.source, source), (kind.target, target)
        new = [end for end in ends if end not in self.distances]
        has_room = (
            len(self.distances) + len(new) <= self._limit
            and len(self.edges) < self._limit * EDGES_PER_NODE
        )
        if has_room or (kind, source, target) in self.edges:
            self.distances.update(dict.fromkeys(new, distance))
            self.edges.setdefault((kind, source, target), values)
        else:
            self.is_cut = True

    def front(self, distance: int) -> dict[str, list[str]]:
        """Return the uids of the nodes at a distance, sorted, by label."""
        front = defaultdict(list)
        for (label, uid), far in self.distances.items():
            if far == distance:
                front[label].append(uid)
        return {label: sorted(uids) for label, uids in front.items()}


def _walk(label: str, uid: str, steps: list[Step], depth: int, limit: int) -> Subgraph:
    _check(depth=(depth, 0), limit=(limit, 1))
    if not store.existing_nodes(label, [uid]):
        raise node_not_found(label, uid)
    found = _Found((label, uid), limit)
    for distance in range(1, depth + 1):
        front = found.front(distance - 1)
        if not front:
            break
        for step in steps:
            for uids in store.batches(front.get(step.label, ())):
                found.follow(step, uids, distance)
    return _read(found, depth, limit)


def _check(**values: tuple[Any, int]) -> None:
    for name, (value, least) in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise QuestionError(
                f"{name}: expected an integer of at least {least}, got {describe(value)}"
            )


def _read(found: _Found, depth: int, limit: int) -> Subgraph:
    """Read the properties of the nodes, and put all in order."""
    values = {
        label: store.find_nodes(label, [uid for other, uid in found.distances if other == label])
        for label in dict.fromkeys(label for label, _ in found.distances)
    }
    nodes = {
        (label, uid): SubgraphNode(label, uid, distance, _shown(label, values[label].get(uid, {})))
        for (label, uid), distance in sorted(found.distances.items(), key=_by_distance)
    }
    edges = [
        SubgraphEdge(kind.type, nodes[kind.source, source], nodes[kind.target, target], values)
        for (kind, source, target), values in _sorted(found.edges)
    ]
    ordered = tuple(nodes.values())
    return Subgraph(ordered[0], ordered, tuple(edges), depth, limit, found.is_cut)


def _by_distance(item: tuple[tuple[str, str], int]) -> tuple[int, tuple[str, str]]:
    return item[1], item[0]


def _sorted(
    edges: dict[tuple[EdgeKind, str, str], Mapping[str, Any]],
) -> Iterable[tuple[tuple[EdgeKind, str, str], Mapping[str, Any]]]:
    return sorted(edges.items(), key=lambda item: (str(item[0][0]), *item[0][1:]))


def _shown(label: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the declared values; what others wrote may hold secrets that ours never do."""
    cls = NODES[label]
    known = properties_of(cls)
    declared = {name: found.get(name) for name in known}
    values = loaded(cls, encryption.opened(label, declared)) if found else {}
    return {
        name: known[name].shown(value)
        for name, value in values.items()
        if value is not None and name != "uid"
    }
