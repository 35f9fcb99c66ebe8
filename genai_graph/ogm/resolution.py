"""Resolution of node classes: nodes with additional labels are read by their registered class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neomodel.sync_._registry import registry as neomodel_registry

from genai_graph.errors import UnsupportedError
from genai_graph.registry import NODES

if TYPE_CHECKING:
    from collections.abc import Iterable

_get_class_by_exact_labels = neomodel_registry.get_class


def _get_class(labels: frozenset[Any], database_name: str | None) -> Any | None:
    """Return the class for the labels of a node; neomodel requires an exact match."""
    found = _get_class_by_exact_labels(labels, database_name)
    registered = [label for label in NODES if label in labels]
    if found is not None or not registered:
        return found
    refuse_several(registered)
    return NODES[registered[0]]


def refuse_several(labels: Iterable[str]) -> None:
    """Raise `UnsupportedError` if a node has the labels of several classes."""
    registered = [label for label in NODES if label in labels]
    if len(registered) > 1:
        raise UnsupportedError(
            f"a node has the labels {' and '.join(registered)}, but can only be read as one: "
            "`genai-graph verify` reports its uid and how to fix it"
        )


def install_resolver() -> None:
    """Make neomodel resolve node classes by their registered labels."""
    neomodel_registry.get_class = _get_class  # type: ignore[method-assign, assignment]
