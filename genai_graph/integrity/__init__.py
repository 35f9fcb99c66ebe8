"""Whether what is in the graph keeps to the models: what the database itself can't enforce."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.errors import SettingsError, escape_unprintable
from genai_graph.integrity import edge_checks, node_checks, schema_checks
from genai_graph.integrity.findings import Finding
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import EDGES, NODES

__all__ = ["Finding", "verify"]

_log = logging.getLogger("genai_graph")


def verify(*, allowed: Collection[str] = ()) -> Iterator[Finding]:
    """Look through the graph and yield what does not keep to the models, as it is found.

    Our nodes are read a page at a time, so memory stays the same whatever the size of the graph,
    but for the ends of DERIVED_FROM, which are remembered to find circles. Nodes without a label of
    ours, and labels of others on our nodes, are not looked at. What another program keeps in our
    nodes or ties to them by our types of edges is left out where its subject is `allowed`, such as
    ``Dataset.reviewed`` or ``Dataset-HAS->Review``; at the end a warning tells what of it was not
    met.

    Raises `SettingsError` for a text in the place of a list, and `NotConnectedError`, or another
    `DatabaseError`, while it is iterated.
    """
    if isinstance(allowed, str):  # in which every part of it would be found
        raise SettingsError(f"allowed: expected a list of subjects, got a text: [{allowed!r}]")
    found = chain(
        schema_checks.findings(),
        *(node_checks.findings(label) for label in NODES),
        *(edge_checks.findings(kind) for kind in EDGES),
        *(edge_checks.undeclared_edges(label) for label in NODES),
        edge_checks.duplicate_metrics(),
    )
    return _without(found, allowed)


def _without(found: Iterable[Finding], allowed: Collection[str]) -> Iterator[Finding]:
    """Leave out what is allowed, and tell what is allowed for nothing: it may be misspelt."""
    met = set()
    for finding in found:
        met.add(finding.subject)
        if finding.subject not in allowed:
            yield finding
    for subject in allowed:
        if subject not in met:
            hint = did_you_mean(subject, met)
            _log.warning(
                "nothing is found of %s, which is allowed%s", escape_unprintable(subject), hint
            )
