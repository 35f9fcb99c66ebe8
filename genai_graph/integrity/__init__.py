"""Verification of the graph against the models: constraints that the database can't enforce."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.errors import SettingsError, escape_unprintable
from genai_graph.integrity import edge_checks, node_checks, schema_checks, undeclared_checks
from genai_graph.integrity.findings import Finding
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import EDGES, NODES

__all__ = ["Finding", "verify"]

_log = logging.getLogger("genai_graph")


def verify(*, allowed: Collection[str] = ()) -> Iterator[Finding]:
    """Check the graph against the models, and yield each violation as it is found.

    The graph is read one page at a time, so that memory use does not grow with it, except for the
    uids at the ends of DERIVED_FROM and PART_OF edges, which are needed to find cycles. Nodes
    without a declared label are ignored, unless they look like nodes of a class that is not loaded.
    Undeclared labels of other nodes are ignored, too. Findings with an `allowed` subject, such as
    ``Dataset.reviewed`` or ``Dataset-HAS->Review``, are skipped: use it for data of other
    applications. An allowed subject that does not occur is logged as a warning.

    Raises `SettingsError` if `allowed` is a string, and a `DatabaseError` while it is iterated.
    """
    if isinstance(allowed, str):  # `in` would match substrings
        raise SettingsError(f"allowed: expected a list of subjects, got a string: [{allowed!r}]")
    findings = chain(
        schema_checks.findings(),
        undeclared_checks.findings(),
        *(node_checks.findings(label) for label in NODES),
        *(edge_checks.findings(edge_type) for edge_type in EDGES),
        *(edge_checks.undeclared_edges(label) for label in NODES),
        edge_checks.duplicate_metrics(),
    )
    return _without_allowed(findings, allowed)


def _without_allowed(findings: Iterable[Finding], allowed: Collection[str]) -> Iterator[Finding]:
    """Skip allowed findings, and warn of allowed subjects without any: they may be misspelt."""
    subjects = set()
    for finding in findings:
        subjects.add(finding.subject)
        if finding.subject not in allowed:
            yield finding
    for subject in allowed:
        if subject not in subjects:
            hint = did_you_mean(subject, subjects)
            _log.warning("no finding for --allow %s%s", escape_unprintable(subject), hint)
