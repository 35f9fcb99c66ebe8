"""Whether what is in the graph keeps to the models: what the database itself can't enforce."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from genai_graph.integrity import edges, nodes, schema
from genai_graph.integrity.findings import Finding
from genai_graph.models import EDGES, NODES

__all__ = ["Finding", "verify"]


def verify(*, allowed: Collection[str] = ()) -> Iterator[Finding]:
    """Look through the graph and yield what does not keep to the models, as it is found.

    Our nodes are read a page at a time, so memory stays the same whatever the size of the graph,
    but for the ends of DERIVED_FROM, which are remembered to find circles. Nodes without a label of
    ours, and labels of others on our nodes, are not looked at. What another program keeps in our
    nodes or ties to them by our types of edges is left out where its subject is `allowed`, such as
    ``Dataset.reviewed`` or ``Dataset-HAS->Review``.

    Raises `NotConnectedError`, or another `DatabaseError`, while it is iterated.
    """
    found = chain(
        schema.findings(),
        *(nodes.findings(label) for label in NODES),
        *(edges.findings(kind) for kind in EDGES),
        *(edges.strays(label) for label in NODES),
        edges.twins(),
    )
    return (finding for finding in found if finding.subject not in allowed)
