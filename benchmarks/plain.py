"""The same graph in plain neomodel, without this package: other labels, the same properties."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from neomodel import (
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    RelationshipTo,
    StringProperty,
    StructuredNode,
    StructuredRel,
    db,
)

from genai_graph.registry import EdgeType

if TYPE_CHECKING:
    from benchmarks.engines import Engine
    from genai_graph.registry import EdgeType

PREFIX = "Plain"


class PlainTrainedOn(StructuredRel):
    """The edge with a role."""

    role = StringProperty()


class PlainUsed(StructuredRel):
    """The other edge with a role."""

    role = StringProperty()


class PlainDerivedFrom(StructuredRel):
    """The edge with a kind."""

    kind = StringProperty()


class PlainDataset(StructuredNode):
    """Dataset."""

    uid = StringProperty(unique_index=True, required=True)
    created_at = DateTimeProperty(default_now=True)
    updated_at = DateTimeProperty(default_now=True)
    name = StringProperty(index=True)
    version = StringProperty(index=True)
    digest = StringProperty(index=True)
    location = StringProperty()
    size = IntegerProperty()
    num_rows = IntegerProperty()
    license = StringProperty(index=True)
    encoding_format = StringProperty()
    derived_from_dataset = RelationshipTo(
        "benchmarks.plain.PlainDataset", "PLAINDERIVED_FROM", model=PlainDerivedFrom
    )


class PlainModel(StructuredNode):
    """Model."""

    uid = StringProperty(unique_index=True, required=True)
    created_at = DateTimeProperty(default_now=True)
    updated_at = DateTimeProperty(default_now=True)
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
        "benchmarks.plain.PlainModel", "PLAINDERIVED_FROM", model=PlainDerivedFrom
    )


class PlainMetric(StructuredNode):
    """Metric."""

    uid = StringProperty(unique_index=True, required=True)
    created_at = DateTimeProperty(default_now=True)
    updated_at = DateTimeProperty(default_now=True)
    name = StringProperty(index=True)
    value = FloatProperty(index=True)
    step = IntegerProperty()
    split = StringProperty()
    unit = StringProperty()
    greater_is_better = BooleanProperty()
    recorded_at = DateTimeProperty()
    evaluated_on_dataset = RelationshipTo(PlainDataset, "PLAINEVALUATED_ON")


class PlainExperiment(StructuredNode):
    """Experiment."""

    uid = StringProperty(unique_index=True, required=True)
    created_at = DateTimeProperty(default_now=True)
    updated_at = DateTimeProperty(default_now=True)
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


class PlainProject(StructuredNode):
    """Project."""

    uid = StringProperty(unique_index=True, required=True)
    created_at = DateTimeProperty(default_now=True)
    updated_at = DateTimeProperty(default_now=True)
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


def relationship(node: Any, kind: EdgeType) -> Any:
    """Return the manager of a node's edges of a kind."""
    return getattr(node, f"{kind.type}_{kind.target}".lower())


@contextmanager
def bare_neomodel(engine: Engine) -> Iterator[None]:
    """Give neomodel the bare driver in place of this package's."""
    before = db.driver, db._database_name
    db.driver, db._database_name = engine.driver, engine.database
    try:
        yield
    finally:
        db.driver, db._database_name = before
