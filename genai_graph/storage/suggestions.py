"""Errors for names that are not in the graph, with suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from genai_graph.errors import NodeNotFoundError
from genai_graph.properties.messages import most_similar
from genai_graph.storage.lookups import sample_values, uids_with_prefix, value_exists
from genai_graph.storage.scans import uids_after

_MAX_SUGGESTIONS = 5
_SAMPLE = 1_000


def node_not_found(label: str, uid: str) -> NodeNotFoundError:
    """Return the error for a node that does not exist, with similar uids."""
    longer = uids_with_prefix(label, uid, _MAX_SUGGESTIONS) if uid else []
    similar = longer or similar_names(uid, uids_after(label, "", _SAMPLE))
    return NodeNotFoundError(
        f"no {label} with uid {uid!r} exists in the graph{_hint(similar)}: "
        f"`genai-graph query 'MATCH (n:{label}) RETURN n.uid'` lists them"
    )


def describe_missing_value(label: str, name: str, values: Iterable[str]) -> str:
    """Return a message if no node has one of the values, with existing ones; else ""."""
    wanted = list(values)
    if value_exists(label, name, wanted):
        return ""
    known = sample_values(label, name, _SAMPLE)
    similar = [other for value in wanted for other in similar_names(value, known)]
    examples = f": examples are {', '.join(map(repr, known[:_MAX_SUGGESTIONS]))}" if known else ""
    listed = " or ".join(map(repr, wanted))
    return f"no {label} has the {name} {listed}{_hint(similar) or examples}"


def similar_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that contain a name, or else the most similar one, ignoring case."""
    names = list(known)
    wanted = name.casefold()
    containing = [other for other in names if wanted and wanted in other.casefold()]
    if containing:
        return sorted(containing)[:_MAX_SUGGESTIONS]
    match = most_similar(name, names)
    return [] if match is None else [match]


def _hint(similar: list[str]) -> str:
    return f" (did you mean {' or '.join(map(repr, similar))}?)" if similar else ""
