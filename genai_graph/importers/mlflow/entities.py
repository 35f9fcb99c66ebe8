"""The records of an MLflow store, the same from a database, a server and a file store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from genai_graph.importers.records import Read, Skipped

ACTIVE, DELETED = "active", "deleted"
UNCHANGED = "unchanged"  # since an earlier import


class Point(NamedTuple):
    """One value of a metric; `value` may be NaN or infinite, as MLflow logged it."""

    key: str
    step: int
    timestamp: int
    value: float


class ModelPoint(NamedTuple):
    """A value of a metric that measures a logged model on a dataset."""

    model_id: str
    dataset_name: str
    dataset_digest: str
    key: str
    step: int
    timestamp: int
    value: float


@dataclass(slots=True)
class Experiment:
    """An experiment: a Project of the graph."""

    id: str
    name: str
    lifecycle_stage: str = ACTIVE
    creation_time: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    workspace: str | None = None


@dataclass(slots=True)
class DatasetInput:
    """A dataset of a run; `contexts` are the values of the tag ``mlflow.data.context``."""

    name: str
    digest: str
    source_type: str | None = None
    source: str | None = None
    schema: str | None = None
    profile: str | None = None
    contexts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """A run, with everything that belongs to it; `points` may be iterated once."""

    id: str
    experiment_id: str
    name: str | None = None
    status: str | None = None
    user_id: str | None = None
    source_name: str | None = None
    source_version: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    lifecycle_stage: str = ACTIVE
    last_point: int | None = None  # the newest time of the latest metrics, if it is known
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: Iterable[Point] = ()
    model_points: list[ModelPoint] = field(default_factory=list)
    inputs: list[DatasetInput] = field(default_factory=list)
    outputs: list[tuple[str, int | None]] = field(default_factory=list)  # model id, step
    model_inputs: list[str] = field(default_factory=list)


@dataclass(slots=True)
class LoggedModel:
    """A logged model (MLflow 3)."""

    id: str
    experiment_id: str
    name: str
    lifecycle_stage: str = ACTIVE
    creation_time: int | None = None
    status: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    location: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ModelVersion:
    """A version of a registered model; `model_*` are properties of the registered model."""

    name: str
    version: str
    workspace: str | None = None
    creation_time: int | None = None
    description: str | None = None
    user_id: str | None = None
    stage: str | None = None
    source: str | None = None
    run_id: str | None = None
    status: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    model_description: str | None = None
    model_tags: dict[str, str] = field(default_factory=dict)


class Selection(Protocol):
    """The runs to read, by the options of the import."""

    is_incremental: bool

    def skip_reason(self, run: Run) -> str | None:
        """Return why a run is not imported, or None.

        Of an `UNCHANGED` run only the datasets and models are read.
        """
        ...


class Store(Protocol):
    """A store to read. The methods are called once each, in this order."""

    title: str  # in messages, without credentials
    schema: str | None
    location: str  # in `origin`

    def count_runs(self) -> int:
        """Return the number of runs, or 0 if it is unknown, for the progress display."""
        ...

    def experiments(self) -> list[Experiment]:
        """Return all experiments, deleted ones included."""
        ...

    def logged_models(self) -> Iterator[LoggedModel]:
        """Yield all logged models, deleted ones included."""
        ...

    def runs(self, selection: Selection, *, history: bool | None) -> Iterator[Run | Skipped | Read]:
        """Yield all runs; those with a `skip_reason` come without their content.

        Without `history`, metrics have their last point only.
        """
        ...

    def model_versions(self) -> Iterator[ModelVersion | Skipped | Read]:
        """Yield the versions of the registered models, without prompts and deleted versions."""
        ...

    def close(self) -> None:
        """End the connection."""
