"""MLflow's experiments, runs, models and versions as records of the graph.

The same graph comes from a database, a server and a file store: this module does not know which one
it is.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from genai_graph.errors import SourceLocation
from genai_graph.importers.builder import RecordBuilder, time_of
from genai_graph.importers.context import OTHER_ROLE
from genai_graph.importers.mlflow.datasets import DatasetCollector
from genai_graph.importers.mlflow.entities import (
    ACTIVE,
    DELETED,
    UNCHANGED,
    Experiment,
    LoggedModel,
)
from genai_graph.importers.mlflow.histories import History, collect_histories
from genai_graph.importers.mlflow.nesting import NestedRuns
from genai_graph.importers.mlflow_conventions import (
    IGNORED,
    PARENT,
    RUN_NAME,
    RUN_STATUSES,
    TagGroups,
    note,
    random_seed,
    split_tags,
    tag_properties,
)
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written
from genai_graph.importers.secret_values import is_secret
from genai_graph.importers.times import FILTERED
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import escape_part, metric_uid, versioned_uid

if TYPE_CHECKING:
    from genai_graph.importers.context import Context
    from genai_graph.importers.mlflow.entities import ModelPoint, ModelVersion, Run, Store
    from genai_graph.importers.mlflow.selection import RunSelection
    from genai_graph.importers.records import ImportRecord

_MODEL_STATUSES = {
    "PENDING": "PENDING",
    "PENDING_REGISTRATION": "PENDING",
    "READY": "READY",
    "FAILED": "FAILED",
    "FAILED_REGISTRATION": "FAILED",
}
_LOGGED_SOURCE = re.compile(r"models:/(m-[0-9a-zA-Z]+)\Z")
_COPIED_SOURCE = re.compile(r"models:/([^/]+)/([0-9]{1,18})\Z")
_DEFAULT_EXPERIMENT = "Default"
# Reasons that are reported; others follow from the choice of the user or another report.
_REPORTED = frozenset(["without an experiment", "experiment without a name"])
_UsedDataset = tuple[str, str | None]  # the uid of a dataset, and its role


class StoreMapping:
    """Maps the content of one store; `records` yields it."""

    def __init__(
        self,
        store: Store,
        context: Context,
        selection: RunSelection,
        history: bool | None,
        history_limit: int,
    ) -> None:
        self._store = store
        self._context = context
        self._selection = selection
        self._history = history
        self._history_limit = history_limit
        self._builder = RecordBuilder(f"mlflow:{store.location}")
        self._nested = NestedRuns(self._builder)
        self._datasets = DatasetCollector(context, self._builder)
        self._projects: dict[str, str] = {}  # uid by experiment id
        self._defaults: list[Experiment] = []  # one in each workspace
        self._models: dict[str, LoggedModel] = {}  # imported ones by id
        self._model_reasons: dict[str, str] = {}  # of skipped ones, by id
        self._touched_models: set[str] = set()  # by imported runs
        self._output_models: set[str] = set()  # that name their run
        self._runs: dict[str, str] = {}  # experiment id by run id, of imported runs
        self._skipped_runs: dict[str, str] = {}  # reason by run id
        # Imported versions and their uids, by workspace, name and version.
        self._versions: dict[tuple[str | None, str, str], tuple[ModelVersion, str]] = {}
        self._data: dict[str, list[_UsedDataset]] = {}  # datasets by run id
        self._read_points = self._written_points = 0  # of the run
        self._reported: set[tuple[str, str]] = set()
        self._events: list[ImportRecord] = []  # counts and reports, yielded after each item

    def records(self) -> Iterator[ImportRecord]:
        """Yield the records of the store."""
        schema = f", schema {self._store.schema}" if self._store.schema else ""
        details = {"alembic_version": self._store.schema} if self._store.schema else {}
        title, total = f"{self._store.title} (MLflow{schema})", self._store.count_runs()
        origin = self._builder.origin
        yield SourceInfo(title, details, item="runs", total=total, origin=origin)
        self._map_experiments()
        for model in self._store.logged_models():
            self._add_model(model)
        for run in self._store.runs(self._selection, history=self._history):
            if isinstance(run, (Skipped, Read)):
                yield run
            else:
                yield from self._map_run(run)
            yield from self._drain()
        yield from self._nested.finish()
        self._finish_models()
        for version in self._store.model_versions():
            if isinstance(version, (Skipped, Read)):
                yield version
            else:
                self._add_version(version)
        self._link_versions()
        self._datasets.finish(self._report_secret)
        self._finish_defaults()
        yield from self._drain()
        yield from self._builder.finish()

    def close(self) -> None:
        """Delete temporary files."""
        self._nested.close()

    def _drain(self) -> Iterator[ImportRecord]:
        yield from self._events
        self._events.clear()

    def _at(self, text: str) -> SourceLocation:
        return SourceLocation(f"{self._store.title}: {text}")

    def _report_once(self, kind: str, name: str) -> bool:
        """Return whether a name is to be reported: true for the first call, false after that."""
        is_new = (kind, name) not in self._reported
        self._reported.add((kind, name))
        return is_new

    def _skip(self, location: SourceLocation, item: str, reason: str) -> None:
        """Count a skipped item, and report it if something is wrong with it."""
        message = f"skipped: {reason}" if reason in _REPORTED else ""
        self._events.append(Skipped(location, item, reason, message=message))

    def _can_have_uid(
        self, label: str, uid: str, item: str, location: SourceLocation, count: int = 1
    ) -> bool:
        """Return whether a node can have a uid; if not, report the items as skipped."""
        error = self._builder.uid_error(label, uid)
        if error:
            message = f"{label} {uid[:100]!r}: uid: {error}"
            self._events.append(Skipped(location, item, "invalid name", count, message))
        return not error

    def _time(self, name: str, milliseconds: Any, location: SourceLocation) -> datetime | None:
        """Return a time, or None; one that the graph can't hold is reported."""
        found = time_of(milliseconds)
        if found is None and milliseconds is not None:
            message = f"{name}: expected a time in the years 1 to 9999, got {milliseconds} ms"
            self._events.append(Read("properties"))
            self._events.append(Skipped(location, "properties", "invalid value", message=message))
        return found

    # Experiments

    def _map_experiments(self) -> None:
        # Numbers in a database; a file store has numbers of different lengths.
        experiments = sorted(self._store.experiments(), key=lambda each: (len(each.id), each.id))
        self._selection.add(experiments)
        for experiment in experiments:
            self._events.append(Read("experiments"))
            location = self._at(f"experiment {experiment.id}")
            reason = self._selection.experiment_reason(experiment.id)
            if reason is not None:
                self._skip(location, "experiments", reason)
                continue
            project = escape_part(self._project_name(experiment))
            if not self._can_have_uid("Project", project, "experiments", location):
                self._selection.reject(experiment.id, "of a skipped experiment")
                continue
            self._projects[experiment.id] = project
            if experiment.name == _DEFAULT_EXPERIMENT:
                self._defaults.append(experiment)
                continue
            self._events.append(Written("experiments"))
            self._collect_project(experiment, location)

    def _finish_defaults(self) -> None:
        """Skip the experiments `Default` without runs: every store has one."""
        used = set(self._runs.values())
        for default in self._defaults:
            location = self._at(f"experiment {default.id}")
            project = self._projects[default.id]
            if default.id in used or self._builder.has_edges("Project", project):
                self._events.append(Written("experiments"))
                self._collect_project(default, location)
            else:
                self._events.append(Skipped(location, "experiments", "without runs"))

    def _collect_project(self, experiment: Experiment, location: SourceLocation) -> None:
        groups = self._split_tags(experiment.tags, location)
        tags = self._mark_deleted(groups.short, experiment.lifecycle_stage)
        self._builder.collect(
            "Project",
            self._projects[experiment.id],
            {
                "created_at": self._time("created_at", experiment.creation_time, location),
                "description": note(experiment.tags),
                "tags": tags,
                "metadata": groups.metadata,
            },
            location,
        )

    def _project_name(self, experiment: Experiment) -> str:
        workspace = experiment.workspace
        is_default = workspace in (None, "", "default")
        name = experiment.name if is_default else f"{workspace}/{experiment.name}"
        return self._context.project_name(name)

    # Tags and parameters

    def _split_tags(self, tags: dict[str, str], location: SourceLocation) -> TagGroups:
        groups = split_tags(tags)
        for name in groups.secrets:
            self._skip_secret("tags", name, location)
        num_tags = sum(key not in IGNORED for key in tags)
        self._events.append(Read("tags", num_tags))
        self._events.append(Written("tags", num_tags - len(groups.secrets)))
        return groups

    def _mark_deleted(self, tags: list[str], lifecycle_stage: str) -> list[str]:
        return tags if lifecycle_stage == ACTIVE else [DELETED, *tags]

    def _safe_text(self, name: str, text: str | None, location: SourceLocation) -> str | None:
        """Return a text, or None if it contains a secret."""
        if text and is_secret(name, text):
            self._report_secret(name, location)
            return None
        return text or None

    def _report_secret(self, name: str, location: SourceLocation) -> None:
        if self._report_once("secret", name):
            message = f"{name} looks like a secret and is not imported"
            self._events.append(Notice(location, message))

    def _skip_secret(self, item: str, name: str, location: SourceLocation) -> None:
        self._events.append(Skipped(location, item, "secret"))
        if self._report_once("secret", name):
            self._events.append(
                Notice(location, f"{item}: {name!r} looks like a secret and is not imported")
            )

    def _safe_params(self, params: dict[str, str], location: SourceLocation) -> dict[str, str]:
        """Return the parameters without secrets."""
        safe = {}
        for name, value in params.items():
            if is_secret(name, value):
                self._skip_secret("parameters", name, location)
            else:
                safe[name] = value
        self._events.append(Read("parameters", len(params)))
        self._events.append(Written("parameters", len(safe)))
        return safe

    # Runs

    def _map_run(self, run: Run) -> Iterator[ImportRecord]:
        self._events.append(Read("runs"))
        location = self._at(f"run {run.id}")
        reason = self._selection.skip_reason(run)
        if reason is not None:
            self._skip(location, "runs", reason)
            if reason == UNCHANGED:
                self._runs[run.id] = run.experiment_id
                self._nested.add_root(run.id)
                yield self._project_edge(run, location)  # the experiment may be renamed
                yield from self._map_inputs(run, location)
                self._map_models_of_run(run, location)
            else:
                self._skipped_runs[run.id] = reason
            return
        if not self._can_have_uid("Experiment", run.id, "runs", location):
            self._skipped_runs[run.id] = "invalid name"
            return
        self._runs[run.id] = run.experiment_id
        self._events.append(Written("runs"))
        values = self._run_values(run, location)
        parent = run.tags.get(PARENT)
        if parent:
            self._nested.add(run.id, parent, values, location)
        else:
            self._nested.add_root(run.id)
            yield from self._builder.node("Experiment", run.id, values, location)
        yield self._project_edge(run, location)
        yield from self._map_inputs(run, location)
        self._map_models_of_run(run, location)
        yield from self._map_metrics(run, location)

    def _project_edge(self, run: Run, location: SourceLocation) -> ImportRecord:
        ends = ("Project", self._projects[run.experiment_id], "HAS", "Experiment", run.id)
        return self._builder.edge(ends, location)

    def _run_values(self, run: Run, location: SourceLocation) -> dict[str, Any]:
        """Return the properties of a run."""
        groups = self._split_tags(run.tags, location)
        params = self._safe_params(run.params, location)
        tags = self._mark_deleted(groups.short, run.lifecycle_stage)
        status = run.status if run.status in RUN_STATUSES else None
        values = {
            "name": self._safe_text("name", run.name or run.tags.get(RUN_NAME), location),
            "status": status,
            "started_at": self._time("started_at", run.start_time, location),
            "parameters": params,
            "random_seed": random_seed(params),
            "created_by": self._safe_text("user", run.user_id, location),
            "source": self._safe_text("source", run.source_name, location),
            "code_version": self._safe_text("source version", run.source_version, location),
            **tag_properties(run.tags),
        }
        given = {name: value for name, value in values.items() if value not in (None, "")}
        # Always written, because MLflow revokes them: a run can be resumed, a tag be deleted.
        always = {
            "ended_at": self._time("ended_at", run.end_time, location),
            "tags": tags,
            "metadata": groups.metadata,
        }
        return {**given, **always}

    def _map_inputs(self, run: Run, location: SourceLocation) -> Iterator[ImportRecord]:
        edges: dict[_UsedDataset, None] = {}
        measured = {_dataset_of(point) for point in run.model_points}
        for dataset in sorted(run.inputs, key=attrgetter("name", "digest")):
            self._events.append(Read("dataset inputs"))
            if not dataset.name:
                message = "a dataset without a name"
                skipped = Skipped(location, "dataset inputs", "without a name", message=message)
                self._events.append(skipped)
                continue
            uid = self._datasets.uid_of(dataset)
            if not self._can_have_uid("Dataset", uid, "dataset inputs", location):
                continue
            self._events.append(Written("dataset inputs"))
            self._datasets.add(uid, dataset, run, location)
            project = self._projects[run.experiment_id]
            self._builder.collect_edge(("Project", project, "HAS", "Dataset", uid), location)
            # MLflow adds the dataset of a score to the inputs, without a context.
            is_test = (dataset.name, dataset.digest) in measured
            for word in dataset.contexts or ["test" if is_test else ""]:
                role, is_known = self._context.role(word)
                edges[uid, role] = None
                if not is_known and self._report_once("context", word):
                    text = f"dataset context {word!r} is imported as '{OTHER_ROLE}'"
                    self._events.append(Notice(location, text))
        for uid, role in edges:
            if role is None and (uid, "training") in edges:  # the same edge
                continue
            ends = ("Experiment", run.id, "USED", "Dataset", uid)
            yield self._builder.edge(ends, location, {"role": role})
        self._data[run.id] = list(edges)

    def _map_models_of_run(self, run: Run, location: SourceLocation) -> None:
        links: list[tuple[str, str, int | None]] = [
            (model_id, "output", step) for model_id, step in run.outputs
        ]
        links += [(model_id, "input", None) for model_id in run.model_inputs]
        for model_id, role, step in links:
            model = self._models.get(model_id)
            if model is None:
                continue
            self._touched_models.add(model_id)
            uid = self._logged_uid(model)
            ends = ("Experiment", run.id, "RUN", "Model", uid)
            self._builder.collect_edge(ends, location, {"role": role, "step": step})
            if role == "output":
                self._output_models.add(model_id)
                self._collect_training(uid, run.id, location)

    def _collect_training(self, model_uid: str, run_id: str, location: SourceLocation) -> None:
        """Add the datasets of a run to a model that it produced, except those for other uses."""
        for dataset, role in self._data.get(run_id, ()):
            if role != OTHER_ROLE:
                ends = ("Model", model_uid, "TRAINED_ON", "Dataset", dataset)
                self._builder.collect_edge(ends, location, {"role": role})

    # Metrics

    def _map_metrics(self, run: Run, location: SourceLocation) -> Iterator[ImportRecord]:
        """Yield the metrics of a run, and those by which it measured models.

        MLflow stores a point that measures a model twice, also among the points of the run: there
        it is left out (`repeated`), and only says whether the value is NaN.
        """
        measured: dict[tuple[str, str, str, str], list[ModelPoint]] = {}
        repeated: Counter[tuple[str, int, int, float]] = Counter()
        for point in run.model_points:
            model = self._models.get(point.model_id)
            if model is not None and point.dataset_name and point.key:
                self._touched_models.add(point.model_id)
                group = (point.key, *_dataset_of(point), point.model_id)
                measured.setdefault(group, []).append(point)
        for points in measured.values():
            repeated.update({_point_key(point): 1 for point in points})
        is_nan: set[tuple[str, int, int, float]] = set()

        def own_points() -> Iterator[Any]:
            for point in run.points:
                key = _point_key(point) if repeated else None
                if key is not None and repeated[key] > 0:
                    repeated[key] -= 1
                    if math.isnan(point.value):
                        is_nan.add(key)
                else:
                    yield point

        seen: set[str] = set()
        self._read_points = self._written_points = 0
        for key, history in collect_histories(own_points()).items():
            yield from self._map_metric(run, key, history, location, seen)
        for (key, name, digest, model_id), points in measured.items():
            history = History()
            for point in points:
                value = math.nan if _point_key(point) in is_nan else point.value
                history.add(point.step, point.timestamp, value)
            target = (name, digest, model_id)
            yield from self._map_metric(run, key, history, location, seen, target)
        self._events.append(Read("points", self._read_points))
        self._events.append(Written("points", self._written_points))

    def _map_metric(
        self,
        run: Run,
        key: str,
        history: History,
        location: SourceLocation,
        seen: set[str],
        target: tuple[str, str, str] | None = None,
    ) -> Iterator[ImportRecord]:
        """Map the points of a metric, which may measure a model on a dataset (`target`)."""
        self._read_points += len(history)
        term = self._context.metric(key)
        dataset = model = None
        if target is not None:
            name, digest, model_id = target
            model = self._logged_uid(self._models[model_id])
            dataset = self._context.dataset_uid(versioned_uid(name, digest), name=name)
        uid = normalize_name(metric_uid(run.id, term.name, dataset, term.split, model))
        if not key or uid in seen:
            message = f"metric {key!r}: " + (
                f"{uid!r} is the uid of another metric of the run" if key else "has no name"
            )
            self._events.append(Skipped(location, "points", "of a metric", len(history), message))
            return
        is_valid = dataset is None or self._can_have_uid(
            "Dataset", dataset, "points", location, len(history)
        )
        if not is_valid or not self._can_have_uid("Metric", uid, "points", location, len(history)):
            return
        if dataset is not None:
            self._datasets.add_uid(dataset, location)
        seen.add(uid)
        if folded := history.fold():
            self._events.append(Skipped(location, "points", "at steps with another point", folded))
        if thinned := history.thin(self._history_limit):
            self._events.append(Skipped(location, "points", "thinned", thinned))
            if self._report_once("thinned", uid):
                text = f"metric {key!r}: {thinned:,} points were thinned (--history-limit)"
                self._events.append(Notice(location, text))
        self._written_points += len(history)
        given: dict[str, Any] = {
            "name": term.name,
            "value": history.values[-1],
            "step": history.steps[-1],
            "recorded_at": self._time(f"metric {key!r}", history.times[-1], location),
            **term.values,
        }
        if self._history is not False:
            given |= {"steps": history.steps.tolist(), "values": history.values.tolist()}
        yield self._builder.metric(uid, given, location)
        yield self._builder.edge(("Experiment", run.id, "HAS", "Metric", uid), location)
        if dataset is not None:
            ends = ("Metric", uid, "EVALUATED_ON", "Dataset", dataset)
            yield self._builder.edge(ends, location)
        if model is not None:
            yield self._builder.edge(("Metric", uid, "MEASURES", "Model", model), location)

    # Models

    def _add_model(self, model: LoggedModel) -> None:
        self._events.append(Read("logged models"))
        reason = self._selection.experiment_reason(model.experiment_id)
        if reason is None and model.lifecycle_stage != ACTIVE and not self._selection.with_deleted:
            reason = DELETED
        location = self._at(f"model {model.id}")
        if reason is not None:
            self._model_reasons[model.id] = reason
            self._skip(location, "logged models", reason)
        elif self._can_have_uid("Model", self._logged_uid(model), "logged models", location):
            self._models[model.id] = model

    def _logged_uid(self, model: LoggedModel) -> str:
        return self._context.model_uid(versioned_uid(model.name, model.id), name=model.name)

    def _finish_models(self) -> None:
        for model in self._models.values():
            location = self._at(f"model {model.id}")
            is_made_by_imported = model.source_run_id in self._runs
            if self._selection.times and not (
                is_made_by_imported or model.id in self._touched_models
            ):
                self._events.append(Skipped(location, "logged models", FILTERED))
                continue
            self._events.append(Written("logged models"))
            self._collect_logged_model(model, location)
            if is_made_by_imported and model.id not in self._output_models:
                uid, run_id = self._logged_uid(model), str(model.source_run_id)
                ends = ("Experiment", run_id, "RUN", "Model", uid)
                self._builder.collect_edge(ends, location, {"role": "output"})
                self._collect_training(uid, run_id, location)

    def _collect_logged_model(self, model: LoggedModel, location: SourceLocation) -> None:
        groups = self._split_tags(model.tags, location)
        params = self._safe_params(model.params, location)
        tags = self._mark_deleted(groups.short, model.lifecycle_stage)
        uid = self._logged_uid(model)
        self._builder.collect(
            "Model",
            uid,
            {
                "created_at": self._time("created_at", model.creation_time, location),
                "status": _MODEL_STATUSES.get(model.status or ""),
                "framework": model.model_type or None,
                "location": model.location or None,
                "hyperparameters": params or None,
                "description": note(model.tags),
                "tags": tags,
                "metadata": groups.metadata,
            },
            location,
        )
        project = self._projects[model.experiment_id]
        self._builder.collect_edge(("Project", project, "HAS", "Model", uid), location)

    def _add_version(self, version: ModelVersion) -> None:
        self._events.append(Read("model versions"))
        location = self._version_location(version)
        if self._is_filtered(version):
            self._events.append(Skipped(location, "model versions", FILTERED))
            return
        is_default = version.workspace in (None, "", "default")
        name = version.name if is_default else f"{version.workspace}/{version.name}"
        uid = self._context.model_uid(versioned_uid(name, version.version), name=name)
        if self._can_have_uid("Model", uid, "model versions", location):
            self._events.append(Written("model versions"))
            self._versions[version.workspace, version.name, version.version] = version, uid
            self._collect_version(version, uid, location)

    def _version_location(self, version: ModelVersion) -> SourceLocation:
        return self._at(f"model {version.name} version {version.version}")

    def _link_versions(self) -> None:
        """Connect versions with the logged model or version they come from, else their run."""
        for version, uid in self._versions.values():
            location = self._version_location(version)
            run_id = version.run_id or ""
            experiment_id = self._runs.get(run_id)
            model = self._logged_model_of(version)
            parent = self._logged_uid(model) if model else self._copied_version(version)
            if parent is not None:
                ends = ("Model", uid, "DERIVED_FROM", "Model", parent)
                self._builder.collect_edge(ends, location)
            elif experiment_id is not None:
                ends = ("Experiment", run_id, "RUN", "Model", uid)
                self._builder.collect_edge(ends, location, {"role": "output"})
                self._collect_training(uid, run_id, location)
            if experiment_id is None and model is not None:
                experiment_id = model.experiment_id
            if experiment_id is not None:
                project = self._projects[experiment_id]
                self._builder.collect_edge(("Project", project, "HAS", "Model", uid), location)

    def _logged_model_of(self, version: ModelVersion) -> LoggedModel | None:
        found = _LOGGED_SOURCE.match(version.source or "")
        return self._models.get(found[1]) if found else None

    def _copied_version(self, version: ModelVersion) -> str | None:
        """Return the uid of the version that a version is a copy of."""
        found = _COPIED_SOURCE.match(version.source or "")
        key = (version.workspace, found[1], str(int(found[2]))) if found else None
        return self._versions[key][1] if key in self._versions else None

    def _is_filtered(self, version: ModelVersion) -> bool:
        """Return whether filters leave out the run or the logged model of a version."""
        if not self._selection.has_filters:
            return False
        found = _LOGGED_SOURCE.match(version.source or "")
        reasons = (
            self._skipped_runs.get(version.run_id or ""),
            self._model_reasons.get(found[1]) if found else None,
        )
        return FILTERED in reasons

    def _collect_version(self, version: ModelVersion, uid: str, location: SourceLocation) -> None:
        groups = self._split_tags(version.tags, location)
        model_tags = {}
        for key, value in version.model_tags.items():
            if is_secret(key.removeprefix("mlflow."), value):
                self._report_secret(f"tag {key!r} of the registered model", location)
            else:
                model_tags[key] = value
        details = {
            "stage": version.stage if version.stage not in (None, "", "None") else None,
            "user": self._safe_text("user", version.user_id, location),
            "registered_model_description": self._safe_text(
                "description of the registered model", version.model_description, location
            ),
            "registered_model_tags": model_tags,
        }
        groups.mlflow.update({name: value for name, value in details.items() if value})
        self._builder.collect(
            "Model",
            uid,
            {
                "created_at": self._time("created_at", version.creation_time, location),
                "description": self._safe_text("description", version.description, location)
                or note(version.tags),
                "location": version.source or None,
                "status": _MODEL_STATUSES.get(version.status or ""),
                "tags": [*(f"@{alias}" for alias in sorted(version.aliases)), *groups.short],
                "metadata": groups.metadata,
            },
            location,
        )


def _dataset_of(point: ModelPoint) -> tuple[str, str]:
    return point.dataset_name, point.dataset_digest


def _point_key(point: Any) -> tuple[str, int, int, float]:
    """Return the key by which points are compared; MLflow's model metrics have 0 for NaN."""
    value = 0.0 if math.isnan(point.value) else point.value
    return point.key, point.step, point.timestamp, value
