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

    architecture = StringProperty(index=True, help_text="such as ResNet50")
    task = StringProperty(index=True, help_text="such as image-classification")
    framework = StringProperty(help_text="such as xgboost")
    num_parameters = IntegerProperty(minimum=0, help_text="weights")
    hyperparameters = JSONProperty(help_text="what training was given")
    training_history = JSONProperty(help_text="how training went")
    status = StringProperty(
        choices=("PENDING", "READY", "FAILED"), help_text="whether it can be used"
    )
    size = IntegerProperty(minimum=0, help_text="in bytes")
    license = StringProperty(index=True, help_text="such as Apache-2.0")
    location = LocationProperty(sensitive=True, help_text="where the weights are")
    digest = StringProperty(help_text="hash of the weights")

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
