"""The models: five node classes, their properties and relationships.

This module declares the whole domain: validation, schema, file formats, documentation and
completion are derived from it. docs/models.md describes the classes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, final

from genai_graph import lineage as lineage_of
from genai_graph.database.transaction import run_in_transaction
from genai_graph.errors import PropertyError
from genai_graph.lineage import MAX_NODES
from genai_graph.metric_history import (
    MetricHistory,
    history_errors,
    stored_history_errors,
    validate_recorded,
)
from genai_graph.ogm.edge import Edge
from genai_graph.ogm.managers import require_class
from genai_graph.ogm.node import Node, VersionedNode
from genai_graph.ogm.relationships import RelationshipFrom, RelationshipTo
from genai_graph.ogm.uids import (
    escape_part,
    join_parts,
    metric_uid,
    parse_metric_uid,
    split_uid,
    unescape_part,
)
from genai_graph.pictures.curves import Plot, curve_of
from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    RequiredFloatProperty,
    RequiredStringProperty,
    StringProperty,
)
from genai_graph.properties.validation import require_fields
from genai_graph.storage.bulk_deletes import delete_targets
from genai_graph.storage.edges import insert_edges, merge_edges
from genai_graph.storage.nodes import lock_node
from genai_graph.storage.rows import EdgeRow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from genai_graph.pictures.subgraph import Subgraph
    from genai_graph.signatures import (
        DatasetBase,
        DatasetDerivedFromValues,
        ExperimentBase,
        MetricBase,
        ModelBase,
        ModelDerivedFromValues,
        ProjectBase,
        RecordedValues,
        RunValues,
        TrainedOnValues,
        UsedValues,
    )
else:
    ProjectBase = ExperimentBase = MetricBase = Node
    DatasetBase = ModelBase = VersionedNode

# The positions of the uids of other nodes in the uid of a metric, by relationship.
_METRIC_UID_PARTS = {"experiment": 0, "dataset": 2, "model": 4}
DATA_ROLES = ("training", "validation", "test")
USED_ROLES = (*DATA_ROLES, "other")  # other: such as inference or calibration
MODEL_ROLES = ("output", "input")
MODEL_KINDS = ("fine-tuned", "adapted", "quantized", "version", "merged")
DATASET_KINDS = ("version", "subset", "preprocessed", "translation")


# Edges


class Has(Edge):
    """A project has datasets, models and experiments; an experiment has metrics."""


class TrainedOn(Edge):
    """A model was trained on a dataset: one edge for each role and split."""

    identified_by: ClassVar = {"role": "training", "split": None}

    role = StringProperty(choices=DATA_ROLES, help_text="default: training")
    split = StringProperty(is_name=True, help_text="split of the dataset, such as train")
    revision = StringProperty(help_text="commit or revision of the dataset")


class Run(Edge):
    """An experiment produced or used a model: one edge for each role."""

    identified_by: ClassVar = {"role": "output"}

    role = StringProperty(choices=MODEL_ROLES, help_text="default: output")
    step = IntegerProperty(allow_float=True, help_text="training step of a checkpoint")


class Used(Edge):
    """An experiment used a dataset: one edge for each role and split."""

    identified_by: ClassVar = {"role": "training", "split": None}

    role = StringProperty(choices=USED_ROLES, help_text="default: training")
    split = StringProperty(is_name=True, help_text="split of the dataset, such as train")


class PartOf(Edge):
    """An experiment is part of another one, such as a trial of a sweep or a fold."""


class EvaluatedOn(Edge):
    """A metric was measured on a dataset."""


class Measures(Edge):
    """A metric is a score of a model."""


class DerivedFrom(Edge):
    """A node was derived from another one with the same label."""


class ModelDerivedFrom(DerivedFrom):
    """A model was derived from another model."""

    kind = StringProperty(index=True, choices=MODEL_KINDS, help_text="how it was derived")


class DatasetDerivedFrom(DerivedFrom):
    """A dataset was derived from another dataset."""

    kind = StringProperty(index=True, choices=DATASET_KINDS, help_text="how it was derived")


# Nodes


@final
class Project(ProjectBase):
    """A body of work, such as an MLflow experiment. Its uid is its name."""

    name = RequiredStringProperty(index=True, is_name=True, help_text="name of the project")
    owner = StringProperty(index=True, help_text="person or team responsible")
    url = LocationProperty(help_text="home page")
    license = StringProperty(help_text="license of the project")

    datasets: RelationshipTo[Dataset, Has] = RelationshipTo(
        "Dataset", "HAS", Has, start_at_target=True
    )
    models: RelationshipTo[Model, Has] = RelationshipTo("Model", "HAS", Has, start_at_target=True)
    experiments: RelationshipTo[Experiment, Has] = RelationshipTo(
        "Experiment", "HAS", Has, start_at_target=True
    )

    uid_fields = frozenset({"name"})

    @classmethod
    def build_uid(cls, values: Mapping[str, Any]) -> str:
        """Return the name, with ``%`` escaped."""
        require_fields(cls, {"uid": "", **values})
        return escape_part(values["name"])

    @classmethod
    def parse_uid(cls, uid: str) -> dict[str, str]:
        """Return the name."""
        return {"name": unescape_part(uid)}


@final
class Dataset(DatasetBase):
    """A version of a dataset. Its uid is ``name[@version]``."""

    digest = StringProperty(index=True, help_text="hash of the data")
    location = LocationProperty(sensitive=True, help_text="URI or path of the data")
    source_type = StringProperty(help_text="type of storage, such as s3")
    size = IntegerProperty(minimum=0, help_text="size in bytes")
    num_rows = IntegerProperty(minimum=0, help_text="number of rows or examples")
    num_features = IntegerProperty(minimum=0, help_text="number of columns")
    license = StringProperty(index=True, help_text="license, such as CC-BY-4.0")
    encoding_format = StringProperty(help_text="media type, such as text/csv")
    url = LocationProperty(help_text="home page")
    creator = StringProperty(help_text="author or organization")
    citation = StringProperty(help_text="preferred citation")
    data_schema = JSONProperty(help_text="fields and types of the data")

    projects: RelationshipFrom[Project, Has] = RelationshipFrom("Project", "datasets", "HAS", Has)
    trained_models: RelationshipFrom[Model, TrainedOn, TrainedOnValues] = RelationshipFrom(
        "Model", "trained_on", "TRAINED_ON", TrainedOn, protects=True
    )
    experiments: RelationshipFrom[Experiment, Used, UsedValues] = RelationshipFrom(
        "Experiment", "datasets", "USED", Used
    )
    metrics: RelationshipFrom[Metric, EvaluatedOn] = RelationshipFrom(
        "Metric", "dataset", "EVALUATED_ON", EvaluatedOn, protects=True
    )
    parents: RelationshipTo[Dataset, DatasetDerivedFrom, DatasetDerivedFromValues] = RelationshipTo(
        "Dataset", "DERIVED_FROM", DatasetDerivedFrom, acyclic=True
    )
    children: RelationshipFrom[Dataset, DatasetDerivedFrom, DatasetDerivedFromValues] = (
        RelationshipFrom("Dataset", "parents", "DERIVED_FROM", DatasetDerivedFrom, protects=True)
    )

    def impact(self, *, depth: int | None = None, limit: int = MAX_NODES) -> Subgraph:
        """Return everything that depends on the dataset: derived datasets and trained models.

        The inverse of `Model.lineage`: a dataset is in the lineage of a model if and only if the
        model is in the impact of the dataset.

        Raises `NotSavedError`, `NodeNotFoundError`, `QuestionError` (invalid depth or limit).
        """
        return lineage_of.impact(self.saved_uid, depth=depth, limit=limit)


@final
class Model(ModelBase):
    """A version of a model. Its uid is ``name[@version]``."""

    architecture = StringProperty(index=True, help_text="such as ResNet50")
    task = StringProperty(index=True, help_text="such as image-classification")
    framework = StringProperty(help_text="such as xgboost")
    num_parameters = IntegerProperty(minimum=0, help_text="number of weights")
    hyperparameters = JSONProperty(help_text="hyperparameters of the training")
    training_history = JSONProperty(help_text="log of the training")
    status = StringProperty(
        choices=("PENDING", "READY", "FAILED"), help_text="whether the model can be used"
    )
    size = IntegerProperty(minimum=0, help_text="size in bytes")
    license = StringProperty(index=True, help_text="license, such as Apache-2.0")
    location = LocationProperty(sensitive=True, help_text="URI or path of the weights")
    digest = StringProperty(help_text="hash of the weights")

    projects: RelationshipFrom[Project, Has] = RelationshipFrom("Project", "models", "HAS", Has)
    trained_on: RelationshipTo[Dataset, TrainedOn, TrainedOnValues] = RelationshipTo(
        "Dataset", "TRAINED_ON", TrainedOn
    )
    experiments: RelationshipFrom[Experiment, Run, RunValues] = RelationshipFrom(
        "Experiment", "models", "RUN", Run
    )
    parents: RelationshipTo[Model, ModelDerivedFrom, ModelDerivedFromValues] = RelationshipTo(
        "Model", "DERIVED_FROM", ModelDerivedFrom, acyclic=True
    )
    children: RelationshipFrom[Model, ModelDerivedFrom, ModelDerivedFromValues] = RelationshipFrom(
        "Model", "parents", "DERIVED_FROM", ModelDerivedFrom, protects=True
    )
    metrics: RelationshipFrom[Metric, Measures] = RelationshipFrom(
        "Metric", "model", "MEASURES", Measures, protects=True
    )

    def lineage(self, *, depth: int | None = None, limit: int = MAX_NODES) -> Subgraph:
        """Return everything that the model depends on: its ancestors, and all training data.

        Follows DERIVED_FROM, and TRAINED_ON with the role training (the default), to the end or
        over at most `depth` edges. Returns at most `limit` nodes and five times as many edges;
        `is_cut` is true if there are more.

        Raises `NotSavedError`, `NodeNotFoundError`, `QuestionError` (invalid depth or limit).
        """
        return lineage_of.lineage(self.saved_uid, depth=depth, limit=limit)


@final
class Experiment(ExperimentBase):
    """One run of training or evaluation (an MLflow run). Its uid is random unless given."""

    name = StringProperty(index=True, is_name=True, help_text="name of the run")
    status = StringProperty(
        index=True,
        choices=("SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"),
        help_text="state of the run",
    )
    started_at = DateTimeProperty(index=True, help_text="start time")
    ended_at = DateTimeProperty(help_text="end time")
    parameters = JSONProperty(help_text="parameters of the run")
    results = JSONProperty(help_text="results other than metrics")
    code_version = StringProperty(help_text="commit or release of the code")
    code_url = LocationProperty(help_text="repository of the code")
    random_seed = IntegerProperty(help_text="random seed")
    environment = JSONProperty(sensitive=True, help_text="machine, packages, variables")
    created_by = StringProperty(index=True, help_text="user or job that started the run")
    source = StringProperty(help_text="script, notebook or job that ran")

    projects: RelationshipFrom[Project, Has] = RelationshipFrom(
        "Project", "experiments", "HAS", Has
    )
    models: RelationshipTo[Model, Run, RunValues] = RelationshipTo("Model", "RUN", Run)
    metrics: RelationshipTo[Metric, Has] = RelationshipTo(
        "Metric", "HAS", Has, exclusive=True, start_at_target=True
    )
    datasets: RelationshipTo[Dataset, Used, UsedValues] = RelationshipTo("Dataset", "USED", Used)
    part_of: RelationshipTo[Experiment, PartOf] = RelationshipTo(
        "Experiment", "PART_OF", PartOf, acyclic=True, at_most_one=True
    )
    parts: RelationshipFrom[Experiment, PartOf] = RelationshipFrom(
        "Experiment", "part_of", "PART_OF", PartOf
    )

    @classmethod
    def build_uid(cls, values: Mapping[str, Any]) -> str:
        """Return a random uid: two runs are never the same."""
        return uuid.uuid4().hex

    def record(
        self,
        name: str,
        value: float | None = None,
        *,
        dataset: Dataset | None = None,
        split: str | None = None,
        model: Model | None = None,
        step: int | None = None,
        values: Iterable[float] | None = None,
        steps: Iterable[int] | None = None,
        **properties: Unpack[RecordedValues],
    ) -> Metric:
        """Record a metric of this experiment and return it.

        There is one Metric per name, dataset, split and `model`: the model whose score it is, if
        the experiment ran several. With a `step` the value is added to its history, replacing the
        value of the same step; `values` with `steps` adds several at once, and `values` alone is
        the whole history, at the steps 0, 1, 2, ... `value` and `step` are then those of the
        largest step. A value without a step sets `value` and clears `step`. Other properties, such
        as `greater_is_better` or `unit`, are set as given.

        Raises `PropertyError`, `EdgeTypeError` (`dataset` is not a Dataset, or `model` not a
        Model), `NotSavedError`.
        """
        dataset_uid = _recorded_uid(dataset, Dataset, "dataset")
        model_uid = _recorded_uid(model, Model, "model")
        arguments = {
            "name": name,
            "value": value,
            "split": split,
            "step": step,
            "values": values,
            "steps": steps,
        }
        given = validate_recorded(Metric, arguments, properties)
        uid = metric_uid(self.saved_uid, given["name"], dataset_uid, given.get("split"), model_uid)

        def write() -> Metric:
            before = lock_node(Metric.__label__, uid)
            history = MetricHistory.from_arguments(given).merged_into(before or {})
            metric = Metric._upsert_known(
                {
                    **properties,
                    **history.properties(),
                    "uid": uid,
                    "name": given["name"],
                    "split": given.get("split"),
                },
                before,
            )
            # A new metric has no edges yet, so they need not be merged.
            write_edges = insert_edges if before is None else merge_edges
            write_edges(Experiment.metrics.edge_type, [EdgeRow(self.saved_uid, uid, {}, 0)])
            for relationship, target in ((Metric.dataset, dataset_uid), (Metric.model, model_uid)):
                if target is not None:
                    write_edges(relationship.edge_type, [EdgeRow(uid, target, {}, 0)])
            return metric

        return run_in_transaction(write)

    def _delete_owned(self) -> None:
        """Delete the metrics: they belong to one experiment only."""
        delete_targets(Experiment.metrics.edge_type, [self.saved_uid])

    @classmethod
    def _delete_owned_by(cls, uids: list[str]) -> dict[str, int]:
        """Delete the metrics of several experiments."""
        metrics = delete_targets(Experiment.metrics.edge_type, uids)
        return {Metric.__label__: metrics}


@final
class Metric(MetricBase):
    """A value measured by an experiment, with its history in `steps` and `values`.

    Created by `Experiment.record`. Its uid is ``experiment/name[/dataset[/split[/model]]]``.
    """

    # Without an index: the embedded engine scans all nodes of an equal value for each deletion.
    origin = LocationProperty(help_text="the same as that of its experiment; not indexed")
    name = RequiredStringProperty(index=True, is_name=True, help_text="such as accuracy")
    value = RequiredFloatProperty(index=True, help_text="latest value; may be NaN or infinite")
    step = IntegerProperty(allow_float=True, help_text="step of `value`")
    split = StringProperty(is_name=True, help_text="split of the dataset, such as val")
    unit = StringProperty(help_text="unit, such as ms")
    greater_is_better = BooleanProperty(help_text="unknown if not set")
    recorded_at = DateTimeProperty(help_text="time of the measurement")
    ci_lower = FloatProperty(help_text="lower bound of the confidence interval")
    ci_upper = FloatProperty(help_text="upper bound of the confidence interval")
    steps = ArrayProperty(
        IntegerProperty(allow_float=True), help_text="steps of the history, ascending"
    )
    values = ArrayProperty(FloatProperty(), help_text="values of the history, parallel to `steps`")

    experiment: RelationshipFrom[Experiment, Has] = RelationshipFrom(
        "Experiment", "metrics", "HAS", Has
    )
    dataset: RelationshipTo[Dataset, EvaluatedOn] = RelationshipTo(
        "Dataset", "EVALUATED_ON", EvaluatedOn, at_most_one=True
    )
    model: RelationshipTo[Model, Measures] = RelationshipTo(
        "Model", "MEASURES", Measures, at_most_one=True
    )

    uid_fields = frozenset({"name", "split"})
    uid_references = ("experiment", "dataset", "model")
    required_together = ("steps", "values")

    @classmethod
    def check_constraints(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield the errors of the history: `steps` ascend, and each step has a value."""
        if "steps" not in values and "values" not in values:  # the common case, kept cheap
            return iter(())
        return history_errors(values)

    def plot(self) -> Plot:
        """Return the learning curve: notebooks display it, and `save` writes it as SVG."""
        curve = curve_of(self.name, {"steps": self.steps, "values": self.values})
        return Plot({self.name: [curve]} if curve else {})

    def _repr_html_(self) -> str:
        """Show the properties and the learning curve in a notebook."""
        return super()._repr_html_() + (self.plot()._repr_svg_() or "")

    @classmethod
    def stored_errors(cls, stored: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield an error if `value` and `step` contradict the history."""
        return stored_history_errors(stored)

    @classmethod
    def build_uid(cls, values: Mapping[str, Any]) -> str:
        """Raise `PropertyError`: the uid starts with the experiment, which is not a property."""
        raise PropertyError(
            "Metric.uid: is derived from the experiment: call experiment.record(name, value), "
            "or give a uid"
        )

    @classmethod
    def parse_uid(cls, uid: str) -> dict[str, str]:
        """Return the name and the split of a derived uid, or nothing for any other uid."""
        key = parse_metric_uid(uid)
        if key is None:
            return {}
        return {"name": key.name} if key.split is None else {"name": key.name, "split": key.split}

    @classmethod
    def renamed_uid(cls, uid: str, values: Mapping[str, Any]) -> str:
        """Return the uid with the name replaced."""
        parts = split_uid(uid, "/")
        return join_parts([parts[0], values["name"], *parts[2:]], "/")

    @classmethod
    def replace_in_uid(cls, uid: str, reference: str, old: str, new: str) -> str | None:
        """Return the uid with that of the experiment, dataset or model replaced, or None."""
        parts, position = split_uid(uid, "/"), _METRIC_UID_PARTS[reference]
        if len(parts) <= position or parts[position] != old or join_parts(parts, "/") != uid:
            return None
        parts[position] = new
        return join_parts(parts, "/")


def _recorded_uid(node: Node | None, expected: type[Node], name: str) -> str | None:
    """Return the uid of an argument of `Experiment.record`, or None if it is not given."""
    if node is None:
        return None
    require_class(node, expected, f"Experiment.record: {name}")
    return node.saved_uid
