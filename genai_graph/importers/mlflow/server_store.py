"""MLflow stores behind a tracking server, read by its REST API."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError
from genai_graph.importers.mlflow.entities import (
    ACTIVE,
    UNCHANGED,
    DatasetInput,
    Experiment,
    LoggedModel,
    ModelPoint,
    ModelVersion,
    Point,
    Run,
)
from genai_graph.importers.mlflow.histories import History
from genai_graph.importers.mlflow.rest import TrackingServer
from genai_graph.importers.mlflow_conventions import decode_value

if TYPE_CHECKING:
    from genai_graph.importers.mlflow.entities import Selection

_API, _API_3 = "api/2.0/mlflow", "api/3.0/mlflow"
_BULK = "ajax-api/2.0/mlflow/metrics/get-history-bulk"
_PAGE = 1_000
_MODELS_PER_PAGE = 50
_RUNS_PER_REQUEST = 100
_BULK_LIMIT = 25_000  # points of one answer; the server cuts a longer one
_CONTEXT = "mlflow.data.context"
_IS_PROMPT = "mlflow.prompt.is_prompt"
_MODEL_STATUSES = {
    "LOGGED_MODEL_PENDING": "PENDING",
    "LOGGED_MODEL_READY": "READY",
    "LOGGED_MODEL_UPLOAD_FAILED": "FAILED",
}
_Histories = dict[str, dict[str, History]]  # by run and metric


class ServerStore:
    """An MLflow store behind a tracking server. See `TrackingServer` for the errors."""

    schema: str | None = None

    def __init__(self, uri: str) -> None:
        self._server = TrackingServer(uri)
        self.title = self._server.title
        self.location = self._server.location
        self._experiments: list[tuple[str | None, str]] = []  # with their workspaces
        self._workspaces = [self._server.workspace]
        self._with_models: set[str] = set()
        self._measuring: set[str] = set()
        self._model_points: dict[str, list[ModelPoint]] = defaultdict(list)
        self._has_bulk = True

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def count_runs(self) -> int:
        """Return 0: the server has no number of runs."""
        return 0

    def experiments(self) -> list[Experiment]:
        """Return all experiments of all workspaces, deleted ones included."""
        found = self._read_experiments()
        if found is None:
            raise ImportSourceError(
                self.title, "is not an MLflow server from version 1.30: HTTP 404"
            )
        for workspace in self._other_workspaces():
            self._workspaces.append(workspace)
            self._server.workspace = workspace
            found += self._read_experiments() or []
        self._experiments = [(each.workspace, each.id) for each in found]
        return found

    def _read_experiments(self) -> list[Experiment] | None:
        """Return the experiments of a workspace, or None if the server lacks the API."""
        arguments = {"max_results": _PAGE, "view_type": "ALL"}
        pages = list(self._server.pages("POST", f"{_API}/experiments/search", arguments))
        if not pages:
            return None
        found = {
            str(each.get("experiment_id")): each
            for page in pages
            for each in _dicts(page, "experiments")
        }
        return [
            Experiment(
                experiment_id,
                _text(each, "name") or "",
                _text(each, "lifecycle_stage") or ACTIVE,
                _integer(each.get("creation_time")),
                _key_values(each.get("tags")),
                self._server.workspace,
            )
            for experiment_id, each in found.items()
        ]

    def _other_workspaces(self) -> list[str]:
        """Return the workspaces besides the default one (MLflow 3)."""
        if self._server.workspace:  # chosen by the user
            return []
        info = self._server.get(f"{_API_3}/server-info", missing_ok=True)
        if not info or not info.get("workspaces_enabled"):
            return []
        answer = self._server.get(f"{_API_3}/workspaces", missing_ok=True)
        names = [_text(each, "name") for each in _dicts(answer or {}, "workspaces")]
        return [name for name in names if name and name != "default"]

    def logged_models(self) -> Iterator[LoggedModel]:
        """Yield the logged models that are not deleted."""
        for workspace, experiment in self._experiments:
            self._server.workspace = workspace
            arguments = {"experiment_ids": [experiment], "max_results": _MODELS_PER_PAGE}
            for model in self._search("POST", "logged-models", arguments, "models", _model_id):
                self._with_models.add(experiment)
                yield self._logged_model(model, experiment)

    def runs(self, selection: Selection, *, history: bool | None) -> Iterator[Run]:
        """Yield all runs; skipped ones without their content."""
        arguments = {"run_view_type": "ALL", "max_results": _PAGE}
        for workspace, experiment in self._experiments:
            self._server.workspace = workspace
            given = {**arguments, "experiment_ids": [experiment]}
            found = self._search("POST", "runs", given, "runs", _run_id)
            while batch := list(itertools.islice(found, _RUNS_PER_REQUEST)):
                yield from self._read_runs(batch, selection, history)

    def model_versions(self) -> Iterator[ModelVersion]:
        """Yield the versions of the registered models, without prompts and deleted versions."""
        for workspace in self._workspaces:
            self._server.workspace = workspace
            yield from self._read_versions()

    def _read_versions(self) -> Iterator[ModelVersion]:
        models: dict[str, Any] = {}
        found = self._search(
            "GET", "model-versions", {"max_results": _PAGE}, "model_versions", _name_and_version
        )
        for version in found:
            name, number = _name_and_version(version)
            if name not in models:
                models[name] = self._registered_model(name)
            description, model_tags, aliases = models[name]
            tags = _key_values(version.get("tags"))
            if _IS_PROMPT in tags or _IS_PROMPT in model_tags:
                continue
            yield ModelVersion(
                name,
                number,
                self._server.workspace,
                _integer(version.get("creation_timestamp")),
                _text(version, "description"),
                _text(version, "user_id"),
                _text(version, "current_stage"),
                _text(version, "source"),
                _text(version, "run_id"),
                _text(version, "status"),
                tags,
                aliases.get(number, []),
                description,
                model_tags,
            )

    def _search(
        self,
        method: str,
        path: str,
        arguments: dict[str, Any],
        items: str,
        id_of: Callable[[dict[str, Any]], Any],
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of a search, each once.

        Pages begin at offsets: if an item is created meanwhile, the last item of a page is also the
        first of the next one.
        """
        seen = set()
        for page in self._server.pages(method, f"{_API}/{path}/search", arguments):
            for item in _dicts(page, items):
                item_id = id_of(item)
                if item_id not in seen:
                    seen.add(item_id)
                    yield item

    def _registered_model(
        self, name: str
    ) -> tuple[str | None, dict[str, str], dict[str, list[str]]]:
        """Return the description, the tags, and the aliases by version (only in this answer)."""
        answer = self._server.get(f"{_API}/registered-models/get", {"name": name}, missing_ok=True)
        model = _dict(answer or {}, "registered_model")
        aliases = defaultdict(list)
        for each in _dicts(model, "aliases"):
            aliases[str(each.get("version"))].append(str(each.get("alias")))
        return _text(model, "description"), _key_values(model.get("tags")), aliases

    def _logged_model(self, model: dict[str, Any], experiment: str) -> LoggedModel:
        info, data = _dict(model, "info"), _dict(model, "data")
        model_id = _model_id(model)
        for metric in _dicts(data, "metrics"):
            name, digest = _text(metric, "dataset_name"), _text(metric, "dataset_digest")
            self._measuring.add(str(metric.get("run_id")))
            if name:
                point = _point(metric)
                self._model_points[str(metric.get("run_id"))].append(
                    ModelPoint(model_id, name, digest or "", *point)
                )
        return LoggedModel(
            model_id,
            str(info.get("experiment_id") or experiment),
            _text(info, "name") or model_id,
            _text(info, "lifecycle_stage") or ACTIVE,
            _integer(info.get("creation_timestamp_ms")),
            _MODEL_STATUSES.get(str(info.get("status"))),
            _text(info, "model_type"),
            _text(info, "source_run_id"),
            _text(info, "artifact_uri") or _text(info, "artifact_location"),
            _key_values(data.get("params")),
            _key_values(info.get("tags")),
        )

    # Runs

    def _read_runs(
        self, batch: Sequence[dict[str, Any]], selection: Selection, history: bool | None
    ) -> Iterator[Run]:
        runs = [_run(content) for content in batch]
        latest: dict[str, list[Point]] = {}
        wanted: dict[str, list[str]] = defaultdict(list)  # runs by metric, for histories
        for run, content in zip(runs, batch, strict=True):
            metrics = [_point(each) for each in _dicts(_dict(content, "data"), "metrics")]
            run.last_point = max((point.timestamp for point in metrics), default=None)
            reason = selection.skip_reason(run)
            if reason in (None, UNCHANGED):
                self._add_content(run, content)
            if reason is None:
                latest[run.id] = metrics
                # Most metrics at step 0 have a single point, but not those of several models.
                measured = {point.key for point in run.model_points}
                for point in metrics:
                    if history is True or point.step != 0 or point.key in measured:
                        wanted[point.key].append(run.id)
        histories = {} if history is False else self._histories(wanted)
        for run in runs:
            run.points = _points(latest.get(run.id, ()), histories.get(run.id, {}))
            yield run

    def _add_content(self, run: Run, content: dict[str, Any]) -> None:
        data, inputs = _dict(content, "data"), _dict(content, "inputs")
        run.params = _key_values(data.get("params"))
        run.tags = _key_values(data.get("tags"))
        if run.experiment_id in self._with_models or run.id in self._measuring:
            # The search does not return the models that a run used.
            found = self._server.get(f"{_API}/runs/get", {"run_id": run.id}, missing_ok=True)
            full = _dict(found or {}, "run") or content
            inputs, content = _dict(full, "inputs") or inputs, full
        outputs = _dicts(_dict(content, "outputs"), "model_outputs")
        run.outputs = [(str(each.get("model_id")), _integer(each.get("step"))) for each in outputs]
        run.outputs.sort(key=lambda output: output[0])
        models = _dicts(inputs, "model_inputs")
        run.model_inputs = sorted(str(each.get("model_id")) for each in models)
        run.inputs = [_dataset_input(each) for each in _dicts(inputs, "dataset_inputs")]
        run.model_points = self._model_points.pop(run.id, [])

    def _histories(self, wanted: dict[str, list[str]]) -> _Histories:
        """Return the histories of some runs by metric."""
        found: _Histories = defaultdict(dict)
        for key, run_ids in wanted.items():
            for run_id, points in self._read_history(key, run_ids):
                history = found[run_id].setdefault(key, History())
                for point in points:
                    history.add(point.step, point.timestamp, point.value)
        return found

    def _read_history(self, key: str, run_ids: list[str]) -> Iterator[tuple[str, list[Point]]]:
        """Yield the points of a metric by run: read by one request, if the server has that API."""
        metrics = None
        if self._has_bulk:
            parameters = [
                ("metric_key", key),
                ("max_results", str(_BULK_LIMIT)),
                *(("run_id", run_id) for run_id in run_ids),
            ]
            answer = self._server.get(_BULK, parameters, missing_ok=True)
            self._has_bulk = answer is not None
            metrics = None if answer is None else _dicts(answer, "metrics")
        if metrics is None or len(metrics) >= _BULK_LIMIT:
            for run_id in run_ids:
                yield run_id, list(self._read_single_history(key, run_id))
            return
        by_run: dict[str, list[Point]] = {run_id: [] for run_id in run_ids}
        for metric in metrics:
            by_run.setdefault(str(metric.get("run_id")), []).append(_point(metric))
        yield from by_run.items()

    def _read_single_history(self, key: str, run_id: str) -> Iterator[Point]:
        arguments = {"run_id": run_id, "metric_key": key, "max_results": _BULK_LIMIT}
        for page in self._server.pages("GET", f"{_API}/metrics/get-history", arguments):
            yield from (_point(metric) for metric in _dicts(page, "metrics"))


def _points(latest: Sequence[Point], histories: dict[str, History]) -> Iterator[Point]:
    for point in latest:
        history = histories.get(point.key)
        if history is None or not len(history):
            yield point
        else:
            rows = zip(history.steps, history.times, history.values, strict=True)
            yield from (Point(point.key, *row) for row in rows)


def _run_id(run: dict[str, Any]) -> str:
    info = _dict(run, "info")
    return str(info.get("run_id") or info.get("run_uuid"))


def _model_id(model: dict[str, Any]) -> str:
    return str(_dict(model, "info").get("model_id"))


def _name_and_version(version: dict[str, Any]) -> tuple[str, str]:
    return str(version.get("name")), str(version.get("version"))


def _run(content: dict[str, Any]) -> Run:
    info = _dict(content, "info")
    return Run(
        id=_run_id(content),
        experiment_id=str(info.get("experiment_id")),
        name=_text(info, "run_name"),
        status=_text(info, "status"),
        user_id=_text(info, "user_id"),
        start_time=_integer(info.get("start_time")),
        end_time=_integer(info.get("end_time")),
        lifecycle_stage=_text(info, "lifecycle_stage") or ACTIVE,
    )


def _dataset_input(content: dict[str, Any]) -> DatasetInput:
    dataset = _dict(content, "dataset")
    return DatasetInput(
        _text(dataset, "name") or "",
        _text(dataset, "digest") or "",
        _text(dataset, "source_type"),
        _text(dataset, "source"),
        _text(dataset, "schema"),
        _text(dataset, "profile"),
        [
            str(tag.get("value"))
            for tag in _dicts(content, "tags")
            if tag.get("key") == _CONTEXT and tag.get("value")
        ],
    )


def _point(metric: dict[str, Any]) -> Point:
    try:
        value = float(metric.get("value", math.nan))
    except (TypeError, ValueError):
        value = math.nan
    step, timestamp = _integer(metric.get("step")), _integer(metric.get("timestamp"))
    decoded = decode_value(value, is_nan=False)
    return Point(str(metric.get("key")), step or 0, timestamp or 0, decoded)


def _integer(value: Any) -> int | None:
    """Return an integer of 64 bits, which JSON may have as a text."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def _text(content: dict[str, Any], name: str) -> str | None:
    """Return a text that is not empty, or None."""
    value = content.get(name)
    return value if isinstance(value, str) and value else None


def _dict(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _dicts(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = content.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _key_values(items: Any) -> dict[str, str]:
    return {
        str(item["key"]): str(item.get("value") or "")
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and "key" in item
    }
