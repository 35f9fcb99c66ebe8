"""What comes near a name that is not in the graph: the hint in an error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from genai_graph.errors import NodeNotFoundError
from genai_graph.models import store

_TOLD = 5
_LOOKED_AT = 1_000


def node_not_found(label: str, uid: str) -> NodeNotFoundError:
    """Return the error for a node that is not there, with the uids that come near."""
    longer = store.uids_beginning(label, uid, _TOLD) if uid else []
    near = longer or nearest(uid, store.uids_after(label, "", _LOOKED_AT))
    return NodeNotFoundError(
        f"no {label} with uid {uid!r} is in the graph{_hint(near)}: "
        f"genai-graph query 'MATCH (n:{label}) RETURN n.uid'  lists them"
    )


def value_not_found(label: str, name: str, values: Iterable[str]) -> str:
    """Say that no node has one of the values, and which there are; nothing where one has."""
    asked = list(values)
    if store.value_occurs(label, name, asked):
        return ""
    known = store.values_among(label, name, _LOOKED_AT)
    near = [other for value in asked for other in nearest(value, known)]
    told = " or ".join(map(repr, asked))
    some = f": some are {', '.join(map(repr, known[:_TOLD]))}" if known else ""
    return f"no {label} has the {name} {told}{_hint(near) or some}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that hold a text, or else look like it, whatever their case."""
    folded = {other.casefold(): other for other in known}
    wanted = name.casefold()
    holding = [other for text, other in folded.items() if wanted and wanted in text]
    if holding:
        return sorted(holding)[:_TOLD]
    return [folded[text] for text in difflib.get_close_matches(wanted, folded, n=1)]


def _hint(near: list[str]) -> str:
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
