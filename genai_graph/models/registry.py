"""The node classes by label and the kinds of edges, derived from the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neomodel import db
from neomodel.sync_._registry import registry as neomodel_registry

from genai_graph.database import indexes
from genai_graph.database.connection import before_first_write
from genai_graph.errors import UnsupportedError
from genai_graph.models.dataset import Dataset
from genai_graph.models.experiment import Experiment
from genai_graph.models.metric import Metric
from genai_graph.models.model import Model
from genai_graph.models.project import Project
from genai_graph.models.relationships import Edge, From, To

if TYPE_CHECKING:
    from genai_graph.models.base import Node
    from genai_graph.models.store import EdgeKind

NODES: dict[str, type[Node]] = {
    cls.__label__: cls for cls in (Project, Dataset, Model, Experiment, Metric)
}
# A class of the same name in a caller's program does not take our nodes away from us.
for _label, _cls in NODES.items():
    db._NODE_CLASS_REGISTRY[frozenset({_label})] = _cls


def _with_further_labels(label_set: frozenset[Any], database_name: str | None) -> Any | None:
    """Return the class for a node's labels: others may have given ours further ones."""
    found = _by_exact_labels(label_set, database_name)
    ours = [label for label in NODES if label in label_set]
    if found is not None or not ours:
        return found
    if len(ours) > 1:
        raise UnsupportedError(
            f"a node is both {' and '.join(ours)}, and can be read as one of them only: "
            "genai-graph verify  tells its uid, and how to mend it"
        )
    return NODES[ours[0]]


_by_exact_labels = neomodel_registry.get_class
neomodel_registry.get_class = _with_further_labels  # type: ignore[method-assign]


def _relationships(cls: Any, kind: type) -> dict[str, Any]:
    return {name: rel for name, rel in cls.__all_relationships__ if isinstance(rel, kind)}


# By label, then by the name of the attribute at the source or at the target.
OUTGOING: dict[str, dict[str, To[Any]]] = {
    label: _relationships(cls, To) for label, cls in NODES.items()
}
INCOMING: dict[str, dict[str, From[Any]]] = {
    label: _relationships(cls, From) for label, cls in NODES.items()
}
EDGES: dict[EdgeKind, type[Edge]] = {
    rel.kind: rel.definition["model"] for rels in OUTGOING.values() for rel in rels.values()
}

# The unique keys must be there before any data: without them two clients can make one node twice.
before_first_write(lambda: indexes.install(NODES.values()))
