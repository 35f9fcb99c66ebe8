"""Dataset: data that models are trained or evaluated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.models.base import LINEAGE_DEPTH, NODE_LIMIT, VersionedNode
from genai_graph.models.properties import (
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    StringProperty,
)
from genai_graph.models.relationships import (
    DatasetDerivedFrom,
    EvaluatedOn,
    From,
    Has,
    To,
    TrainedOn,
    Used,
)

if TYPE_CHECKING:
    from genai_graph.models.experiment import Experiment
    from genai_graph.models.metric import Metric
    from genai_graph.models.model import Model
    from genai_graph.models.project import Project
    from genai_graph.pictures.subgraph import Subgraph


class Dataset(VersionedNode):
    """A version of a set of data; its uid is ``name[@version]``."""

    digest = StringProperty(index=True)
    location = LocationProperty(sensitive=True)
    source_type = StringProperty()
    size = IntegerProperty(minimum=0)  # bytes
    num_rows = IntegerProperty(minimum=0)
    num_features = IntegerProperty(minimum=0)
    license = StringProperty(index=True)
    encoding_format = StringProperty()
    url = LocationProperty()
    creator = StringProperty()
    citation = StringProperty()
    data_schema = JSONProperty()

    projects: From[Project] = From("Project", "datasets", "HAS", Has)
    trained_models: From[Model] = From("Model", "trained_on", "TRAINED_ON", TrainedOn)
    experiments: From[Experiment] = From("Experiment", "datasets", "USED", Used)
    metrics: From[Metric] = From("Metric", "dataset", "EVALUATED_ON", EvaluatedOn)
    parents: To[Dataset] = To("Dataset", "DERIVED_FROM", DatasetDerivedFrom, acyclic=True)
    children: From[Dataset] = From("Dataset", "parents", "DERIVED_FROM", DatasetDerivedFrom)

    def impact(self, *, depth: int = LINEAGE_DEPTH, limit: int = NODE_LIMIT) -> Subgraph:
        """Return what rests on the dataset: what is derived from it, and the models trained on it.

        It is `Model.lineage` the other way round, by the same rules: a dataset is in the lineage
        of a model where the model is in the impact of the dataset.

        Raises `NotSavedError`, `NodeNotFoundError`, `QuestionError` (a wrong depth or limit).
        """
        from genai_graph.models import subgraph

        return subgraph.impact(self.saved_uid, depth=depth, limit=limit)
