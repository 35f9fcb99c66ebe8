"""The same graph in plain neomodel: other labels, the same properties."""

from __future__ import annotations

from typing import Any

from neomodel import (
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    RelationshipTo,
    StringProperty,
    StructuredNode,
    StructuredRel,
)

from genai_graph.registry import EdgeType

PREFIX = "Plain"


class PlainTrainedOn(StructuredRel):
    """Properties of TRAINED_ON."""

    role = StringProperty()


class PlainUsed(StructuredRel):
    """Properties of USED."""

    role = StringProperty()


class PlainDerivedFrom(StructuredRel):
    """Properties of DERIVED_FROM."""

    kind = StringProperty()


class PlainNode(StructuredNode):
    """Properties of every node."""

    __abstract_node__ = True

    uid = StringProperty(unique_index=True, required=True)
    created_at = DateTimeProperty(default_now=True)
    updated_at = DateTimeProperty(default_now=True)


class PlainDataset(PlainNode):
    """Plain counterpart of Dataset."""

    name = StringProperty(index=True)
    version = StringProperty(index=True)
    digest = StringProperty(index=True)
    location = StringProperty()
    size = IntegerProperty()
    num_rows = IntegerProperty()
    license = StringProperty(index=True)
    encoding_format = StringProperty()
    derived_from_dataset = RelationshipTo(
        "benchmarks.plain_models.PlainDataset", "PLAINDERIVED_FROM", model=PlainDerivedFrom
    )


class PlainModel(PlainNode):
    """Plain counterpart of Model."""

    name = StringProperty(index=True)
    version = StringProperty(index=True)
    architecture = StringProperty(index=True)
    task = StringProperty(index=True)
    framework = StringProperty()
    num_parameters = IntegerProperty()
    hyperparameters = StringProperty()
    license = StringProperty(index=True)
    trained_on_dataset = RelationshipTo(PlainDataset, "PLAINTRAINED_ON", model=PlainTrainedOn)
    derived_from_model = RelationshipTo(
        "benchmarks.plain_models.PlainModel", "PLAINDERIVED_FROM", model=PlainDerivedFrom
    )


class PlainMetric(PlainNode):
    """Plain counterpart of Metric."""

    name = StringProperty(index=True)
    value = FloatProperty(index=True)
    step = IntegerProperty()
    split = StringProperty()
    unit = StringProperty()
    greater_is_better = BooleanProperty()
    recorded_at = DateTimeProperty()
    evaluated_on_dataset = RelationshipTo(PlainDataset, "PLAINEVALUATED_ON")


class PlainExperiment(PlainNode):
    """Plain counterpart of Experiment."""

    name = StringProperty(index=True)
    status = StringProperty(index=True)
    started_at = DateTimeProperty()
    ended_at = DateTimeProperty()
    parameters = StringProperty()
    random_seed = IntegerProperty()
    created_by = StringProperty(index=True)
    code_version = StringProperty()
    run_model = RelationshipTo(PlainModel, "PLAINRUN")
    has_metric = RelationshipTo(PlainMetric, "PLAINHAS")
    used_dataset = RelationshipTo(PlainDataset, "PLAINUSED", model=PlainUsed)


class PlainProject(PlainNode):
    """Plain counterpart of Project."""

    name = StringProperty(index=True)
    owner = StringProperty(index=True)
    license = StringProperty()
    has_dataset = RelationshipTo(PlainDataset, "PLAINHAS")
    has_model = RelationshipTo(PlainModel, "PLAINHAS")
    has_experiment = RelationshipTo(PlainExperiment, "PLAINHAS")


CLASSES: dict[str, Any] = {
    "Project": PlainProject,
    "Dataset": PlainDataset,
    "Model": PlainModel,
    "Experiment": PlainExperiment,
    "Metric": PlainMetric,
}


def relationship(node: Any, edge_type: EdgeType) -> Any:
    """Return the manager of a node's edges of one type."""
    return getattr(node, f"{edge_type.type}_{edge_type.target}".lower())
