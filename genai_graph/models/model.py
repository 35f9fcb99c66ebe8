"""Model: what training makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.models.base import LINEAGE_DEPTH, NODE_LIMIT, VersionedNode
from genai_graph.models.properties import (
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    StringProperty,
)
from genai_graph.models.relationships import From, Has, ModelDerivedFrom, Run, To, TrainedOn

if TYPE_CHECKING:
    from genai_graph.models.dataset import Dataset
    from genai_graph.models.experiment import Experiment
    from genai_graph.models.project import Project
    from genai_graph.pictures.subgraph import Subgraph


class Model(VersionedNode):
    """A version of a model; its uid is ``name[@version]``."""

    architecture = StringProperty(index=True)
    task = StringProperty(index=True)
    framework = StringProperty()
    num_parameters = IntegerProperty(minimum=0)
    hyperparameters = JSONProperty()
    training_history = JSONProperty()
    status = StringProperty(choices=("PENDING", "READY", "FAILED"))
    size = IntegerProperty(minimum=0)  # bytes
    license = StringProperty(index=True)
    location = LocationProperty(sensitive=True)
    digest = StringProperty()

    projects: From[Project] = From("Project", "models", "HAS", Has)
    trained_on: To[Dataset] = To("Dataset", "TRAINED_ON", TrainedOn)
    experiments: From[Experiment] = From("Experiment", "models", "RUN", Run)
    parents: To[Model] = To("Model", "DERIVED_FROM", ModelDerivedFrom, acyclic=True)
    children: From[Model] = From("Model", "parents", "DERIVED_FROM", ModelDerivedFrom)

    def lineage(self, *, depth: int = LINEAGE_DEPTH, limit: int = NODE_LIMIT) -> Subgraph:
        """Return what the model rests on: its parents, and the data that they were trained on.

        It follows DERIVED_FROM, and TRAINED_ON where the role is training or not said, for at most
        `depth` edges. At most `limit` nodes come, and five times as many edges; `is_cut` tells
        when there are more.

        Raises `NotSavedError`, `NodeNotFoundError`, `QuestionError` (a wrong depth or limit).
        """
        from genai_graph.models import subgraph

        return subgraph.lineage(self.saved_uid, depth=depth, limit=limit)
