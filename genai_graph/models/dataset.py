"""Dataset: data that models are trained or evaluated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.models.base import VersionedNode
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
