"""Prefetching: the related nodes of many nodes, in one statement for each relationship."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from genai_graph.database import match_uid, query
from genai_graph.ogm.compiler import pattern
from genai_graph.ogm.conditions import Step, step_over
from genai_graph.registry import NODES
from genai_graph.storage.batching import batched

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def fill(label: str, nodes: Iterable[Any], paths: Iterable[str]) -> None:
    """Read the relationships on the paths, such as ``trained_on__projects``, of all nodes."""
    by_first: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        first, _, rest = path.partition("__")
        by_first[first] += [rest] if rest else []
    owners = list(nodes)
    for name, further in by_first.items():
        step = step_over(label, name)
        found = _related(step, label, list({node.uid: None for node in owners}))
        for owner in owners:
            getattr(owner, name).set_prefetched(found.get(owner.uid, []))
        related = {id(node): node for nodes_of in found.values() for node in nodes_of}
        if further:
            fill(step.far, related.values(), further)


def _related(step: Step, label: str, uids: Sequence[str]) -> dict[str, list[Any]]:
    """Return the nodes at the ends of a step, each once, by the uid of its start."""
    related: dict[str, list[Any]] = defaultdict(list)
    cls: Any = NODES[step.far]
    for batch in batched(uids):
        rows = query(
            f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
            f"MATCH {pattern('n', 'r', 'x', step)} WITH DISTINCT uid, x "
            "RETURN uid, properties(x) AS related",
            uids=batch,
        )
        inflated: dict[str, Any] = {}  # one object for a node, however many nodes it is related to
        for row in rows:
            values = row["related"]
            node = inflated.get(values.get("uid")) or cls.inflate(values)
            inflated[values.get("uid")] = node
            related[row["uid"]].append(node)
    return related
