"""Experiment: one run (a run of MLflow and of ML-Schema), and the metrics it took."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from genai_graph.database import in_transaction
from genai_graph.errors import EdgeTypeError, PropertyError
from genai_graph.models import identity, store
from genai_graph.models.base import Node
from genai_graph.models.checking import checked_each
from genai_graph.models.dataset import Dataset
from genai_graph.models.history import History
from genai_graph.models.metric import Metric
from genai_graph.models.properties import (
    DateTimeProperty,
    IntegerProperty,
    JSONProperty,
    LocationProperty,
    StringProperty,
)
from genai_graph.models.relationships import From, Has, Run, To, Used

if TYPE_CHECKING:
    from genai_graph.models.model import Model
    from genai_graph.models.project import Project


class Experiment(Node):
    """One run of training or evaluation; its uid is random unless it is given."""

    name = StringProperty(index=True, help_text="what the run is called")
    status = StringProperty(
        index=True,
        choices=("SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"),
        help_text="how far the run is",
    )
    started_at = DateTimeProperty(index=True, help_text="when the run began")
    ended_at = DateTimeProperty(help_text="when the run ended")
    parameters = JSONProperty(help_text="what the run was given")
    results = JSONProperty(help_text="what it found, beside its metrics")
    code_version = StringProperty(help_text="commit or release of the code")
    code_url = LocationProperty(help_text="where the code is")
    random_seed = IntegerProperty(help_text="what random numbers began with")
    environment = JSONProperty(sensitive=True, help_text="machine, packages, variables")
    created_by = StringProperty(index=True, help_text="who started it, or what")
    source = StringProperty(help_text="script, notebook or job that ran")

    projects: From[Project] = From("Project", "experiments", "HAS", Has)
    models: To[Model] = To("Model", "RUN", Run)
    metrics: To[Metric] = To("Metric", "HAS", Has, one_source=True, fan_in=True)
    datasets: To[Dataset] = To("Dataset", "USED", Used)

    @classmethod
    def derive_uid(cls, values: Mapping[str, Any]) -> str:
        """Return a random uid: two runs are never the same."""
        return uuid.uuid4().hex

    def record(
        self,
        name: str,
        value: float | None = None,
        *,
        dataset: Dataset | None = None,
        split: str | None = None,
        step: int | None = None,
        values: Iterable[float] | None = None,
        steps: Iterable[int] | None = None,
        **properties: Any,
    ) -> Metric:
        """Record a metric of this experiment and return it.

        There is one Metric for a name, a dataset and a split. With a `step` the value joins its
        history (the same step is replaced); `values` with their `steps` (by default 0, 1, 2, ...)
        join it all at once. `value` is then the one of the largest step. Without a step only
        `value` changes. Further properties, such as `greater_is_better` or `unit`, are set.

        Raises `PropertyError`, `EdgeTypeError` (the dataset is something else), `NotSavedError`.
        """
        evaluated_on = None if dataset is None else _uid_of(dataset)
        given = _checked_metric(name, value, split, step, values, steps, properties)
        uid = identity.metric(self.saved_uid, given["name"], evaluated_on, given.get("split"))

        def write() -> Metric:
            before = store.find_nodes(Metric.__label__, [uid]).get(uid, {})
            history = History.given(given).joined(History.stored(before))
            metric = Metric.upsert(
                **properties,
                **history.properties(),
                uid=uid,
                name=given["name"],
                split=given.get("split"),
            )
            self.metrics.connect(metric)
            if dataset is not None:
                metric.dataset.connect(dataset)
            return metric

        return in_transaction(write)

    def _delete_parts(self) -> None:
        """Delete its metrics: they belong to one experiment only."""
        store.delete_targets(type(self).metrics.kind, self.saved_uid)


def _uid_of(dataset: Dataset) -> str:
    if not isinstance(dataset, Dataset):
        raise EdgeTypeError(
            f"Experiment.record: dataset: expected a genai_graph.Dataset, got {dataset!r} "
            f"({type(dataset).__module__}.{type(dataset).__qualname__})"
        )
    return dataset.saved_uid


def _checked_metric(
    name: str,
    value: float | None,
    split: str | None,
    step: int | None,
    values: Iterable[float] | None,
    steps: Iterable[int] | None,
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    if "uid" in properties:
        raise PropertyError("Metric.uid: follows from experiment, name, dataset and split")
    optional = {
        "value": value,
        "split": split,
        "step": step,
        "values": _as_list(values),
        "steps": _as_list(steps),
    }
    given = {key: item for key, item in optional.items() if item is not None}
    return checked_each(Metric, {"name": name, **given})


def _as_list(values: Any) -> Any:
    """Return a list of any row of values; what is none is told by its check."""
    is_row = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping, Set))
    return list(values) if is_row else values
