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

    digest = StringProperty(index=True, help_text="hash of the data")
    location = LocationProperty(sensitive=True, help_text="where the data are")
    source_type = StringProperty(help_text="what kind of place that is, such as s3")
    size = IntegerProperty(minimum=0, help_text="in bytes")
    num_rows = IntegerProperty(minimum=0, help_text="rows, or examples")
    num_features = IntegerProperty(minimum=0, help_text="columns")
    license = StringProperty(index=True, help_text="such as CC-BY-4.0")
    encoding_format = StringProperty(help_text="media type, such as text/csv")
    url = LocationProperty(help_text="its page")
    creator = StringProperty(help_text="who made it")
    citation = StringProperty(help_text="how it is cited")
    data_schema = JSONProperty(help_text="fields and types of the data")

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
