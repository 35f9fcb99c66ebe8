"""MLflow file stores: directories of experiments, runs, logged models and registered models."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError, SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError
from genai_graph.importers.files import (
    UnreadableFileError,
    is_inside,
    list_directory,
    name_of,
    read_text,
    walk_files,
)
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
from genai_graph.importers.records import UNREADABLE, Read, Skipped
from genai_graph.importers.safe_yaml import parse_yaml, text_of

if TYPE_CHECKING:
    from genai_graph.importers.mlflow.entities import Selection

_META = "meta.yaml"
_TRASH, _MODELS = ".trash", "models"
_CONTENT = frozenset(["metrics", "params", "tags", "inputs", "outputs", "artifacts"])
_RUN_STATUSES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_MODEL_STATUSES = {1: "PENDING", 2: "READY", 3: "FAILED"}
_CONTEXT = "mlflow.data.context"
_IS_PROMPT = "mlflow.prompt.is_prompt"
_DELETED_VERSION = "Deleted_Internal"


class FileStore:
    """An MLflow store in a directory. Raises `ImportSourceError` for any other directory.

    Links that lead out of the directory are not followed, and artifacts are never opened.
    """

    schema: str | None = None

    def __init__(self, root: Path) -> None:
        self._root = root
        self.title = name_of(root)
        self._skipped: list[Skipped | Read] = []
        self._model_points: dict[str, list[ModelPoint]] = defaultdict(list)
        if not root.is_dir():
            raise ImportSourceError(self.title, "no such file or directory")
        self.location = name_of(root.resolve())
        try:
            list_directory(root, root)
        except UnreadableFileError as error:
            raise ImportSourceError(self.title, str(error)) from error
        self._directories = self._experiment_directories()
        if not any(os.path.isfile(path / _META) for path in self._directories):
            raise ImportSourceError(
                self.title, "is not an MLflow file store: it has no directory with a meta.yaml"
            )

    def close(self) -> None:
        """Do nothing: files are closed after they are read."""

    def count_runs(self) -> int:
        """Return 0: counting the directories takes as long as reading them."""
        return 0

    def experiments(self) -> list[Experiment]:
        """Return all experiments, deleted ones included."""
        found = []
        for directory in list(self._directories):
            meta = self._read_meta(directory, "experiments")
            if meta is None:
                continue
            if self._is_copy(directory, "experiments", _text(meta, "experiment_id")):
                self._directories.remove(directory)
                continue
            in_trash = directory.parent.name == _TRASH
            found.append(
                Experiment(
                    directory.name,
                    _text(meta, "name") or "",
                    "deleted" if in_trash else _text(meta, "lifecycle_stage") or ACTIVE,
                    _number(meta, "creation_time"),
                    self._read_texts(directory / "tags"),
                    _text(meta, "workspace"),
                )
            )
        return found

    def logged_models(self) -> Iterator[LoggedModel]:
        """Yield all logged models, deleted ones included."""
        for experiment in self._directories:
            for directory in self._list(experiment / _MODELS):
                if self._has_only_metrics(directory):
                    self._read_model_points(directory.name, directory / "metrics")
                    continue
                meta = self._read_meta(directory, "logged models")
                if meta is None:
                    continue
                model_id = directory.name
                if self._is_copy(directory, "logged models", _text(meta, "model_id")):
                    continue
                self._read_model_points(model_id, directory / "metrics")
                yield LoggedModel(
                    model_id,
                    experiment.name,
                    _text(meta, "name") or model_id,
                    _text(meta, "lifecycle_stage") or ACTIVE,
                    _number(meta, "creation_timestamp"),
                    _MODEL_STATUSES.get(_number(meta, "status") or 0),
                    _text(meta, "model_type"),
                    _text(meta, "source_run_id"),
                    _text(meta, "artifact_location"),
                    self._read_texts(directory / "params"),
                    self._read_texts(directory / "tags"),
                )

    def runs(self, selection: Selection, *, history: bool | None) -> Iterator[Run | Skipped | Read]:
        """Yield all runs; skipped ones without their content."""
        for experiment in self._directories:
            for directory in self._list(experiment):
                if _CONTENT.isdisjoint(path.name for path in self._entries(directory)):
                    continue  # tags, traces and datasets of the experiment
                meta = self._read_meta(directory, "runs")
                if meta is None:
                    continue
                run_id = _text(meta, "run_id") or _text(meta, "run_uuid")
                if self._is_copy(directory, "runs", run_id):
                    continue
                run = _run(meta, directory.name, experiment.name)
                run.tags = self._read_texts(directory / "tags")
                if selection.is_incremental:
                    run.last_point = self._last_point(directory / "metrics")
                reason = selection.skip_reason(run)
                if reason in (None, UNCHANGED):
                    self._add_links(run, directory, experiment)
                if reason is None:
                    run.params = self._read_texts(directory / "params")
                    metrics = directory / "metrics"
                    run.points = self._read_points(run.id, metrics, latest=history is False)
                yield run
        yield from self._drain()

    def model_versions(self) -> Iterator[ModelVersion | Skipped | Read]:
        """Yield the versions of the registered models, without prompts and deleted versions."""
        for model in self._list(self._root / _MODELS):
            meta = self._read_meta(model, "model versions")
            if meta is None:
                continue
            model_tags = self._read_texts(model / "tags")
            aliases = defaultdict(list)
            for alias, version in self._read_texts(model / "aliases").items():
                aliases[version.strip()].append(alias)
            for directory in self._list(model):
                if not directory.name.startswith("version-"):
                    continue
                tags = self._read_texts(directory / "tags")
                content = self._read_meta(directory, "model versions")
                if content is None or _IS_PROMPT in tags or _IS_PROMPT in model_tags:
                    continue
                found = _model_version(content, meta, directory)
                if found.stage != _DELETED_VERSION:
                    found.tags, found.model_tags = tags, model_tags
                    found.aliases = aliases[found.version]
                    yield found
        yield from self._drain()

    # Runs

    def _add_links(self, run: Run, directory: Path, experiment: Path) -> None:
        """Add the datasets and models of a run, and the points that measure models."""
        run.model_points = self._model_points.pop(run.id, [])
        for path in self._list(directory / "inputs"):
            content = self._read_meta(path, "dataset inputs")
            if content is None:
                continue
            source_type, source_id = _text(content, "source_type"), _text(content, "source_id")
            if source_type == "DATASET" and source_id:
                dataset = self._read_dataset(experiment / "datasets" / source_id)
                if dataset is not None:
                    tags = content.get("tags")
                    word = _text(tags, _CONTEXT) if isinstance(tags, dict) else None
                    dataset.contexts = [word] if word else []
                    run.inputs.append(dataset)
            elif source_id:
                run.model_inputs.append(source_id)
        for path in self._list(directory / "outputs"):
            content = self._read_meta(path, "logged models")
            if content is not None:
                run.outputs.append((path.name, _number(content, "step")))

    def _read_dataset(self, directory: Path) -> DatasetInput | None:
        if directory.parent.parent not in self._directories or not is_inside(directory, self._root):
            return None
        meta = self._read_meta(directory, "dataset inputs")
        if meta is None:
            return None
        return DatasetInput(
            _text(meta, "name") or "",
            _text(meta, "digest") or "",
            _text(meta, "source_type"),
            _text(meta, "source"),
            _text(meta, "schema"),
            _text(meta, "profile"),
        )

    def _last_point(self, directory: Path) -> int | None:
        """Return the newest time of the latest points; invalid lines are not reported here."""
        num_skipped = len(self._skipped)
        points = self._read_points("", directory, latest=True)
        newest = max((point.timestamp for point in points), default=None)
        del self._skipped[num_skipped:]
        return newest

    def _read_points(self, run_id: str, directory: Path, *, latest: bool) -> Iterator[Point]:
        for path in self._files(directory):
            key = name_of(path.relative_to(directory))
            points = []
            for values in self._read_lines(path, f"run {run_id}: metric {key!r}"):
                time, value, step, *_ = [*values, "0"]
                points.append(Point(key, int(step), int(time), float(value)))
            if latest and points:
                yield max(points, key=lambda point: (point.step, point.timestamp, point.value))
            else:
                yield from points

    def _has_only_metrics(self, directory: Path) -> bool:
        """Return whether the directory of a model has metrics only.

        It then belongs to a model of another experiment that a run of this one measured.
        """
        return {path.name for path in self._entries(directory)} == {"metrics"}

    def _read_model_points(self, model_id: str, directory: Path) -> None:
        """Keep the points that measure a model on a dataset, by their run."""
        for path in self._files(directory):
            key = name_of(path.relative_to(directory))
            for values in self._read_lines(path, f"model {model_id}: metric {key!r}"):
                if len(values) < 6:
                    continue  # without a dataset
                time, value, step, run_id, *name, digest = values
                self._model_points[run_id].append(
                    ModelPoint(
                        model_id, " ".join(name), digest, key, int(step), int(time), float(value)
                    )
                )

    def _read_lines(self, path: Path, subject: str) -> Iterator[list[str]]:
        """Yield the fields of the valid lines of a metric: time, value, step and others."""
        invalid = 0
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    values = line.strip().split(" ")
                    if _is_point(values):
                        yield values
                    elif line.strip():
                        invalid += 1
        except OSError as error:
            self._skip("points", subject, f"can't be read: {error.strerror}")
        if invalid:
            self._skip("points", subject, f"{invalid:,} invalid lines", invalid)

    # Files

    def _experiment_directories(self) -> list[Path]:
        found = [path for path in self._list(self._root) if path.name not in (_TRASH, _MODELS)]
        return [*found, *self._list(self._root / _TRASH)]

    def _list(self, directory: Path) -> list[Path]:
        """Return the directories in a directory."""
        return [path for path in self._entries(directory) if os.path.isdir(path)]

    def _entries(self, directory: Path) -> list[Path]:
        """Return the entries of a directory; one that can't be read is reported."""
        try:
            return list_directory(directory, self._root)
        except UnreadableFileError as error:
            self._skip("files", name_of(directory.relative_to(self._root)), str(error))
            return []

    def _files(self, directory: Path) -> Iterator[Path]:
        """Yield the files below a directory; one that can't be read is reported."""
        try:
            yield from walk_files(directory, self._root)
        except UnreadableFileError as error:
            self._skip("files", name_of(directory.relative_to(self._root)), str(error))

    def _is_copy(self, directory: Path, item: str, stored_id: str | None) -> bool:
        """Return whether a directory has the id of another one; report it. MLflow ignores it."""
        if stored_id in (None, directory.name):
            return False
        name = name_of(directory.relative_to(self._root))
        self._skip(item, name, f"has the id of {stored_id}: is it a copy?")
        return True

    def _read_meta(self, directory: Path, item: str) -> dict[str, Any] | None:
        path = directory / _META
        name = name_of(path.relative_to(self._root))
        try:
            content = parse_yaml(read_text(path)).content if os.path.exists(path) else None
        except (UnreadableFileError, DocumentError) as error:
            self._skip(item, name, str(error))
            return None
        if not isinstance(content, dict):
            self._skip(item, name, "is empty or missing")
            return None
        return content

    def _read_texts(self, directory: Path) -> dict[str, str]:
        """Return the contents of the files below a directory, by their path."""
        found = {}
        for path in self._files(directory):
            try:
                found[name_of(path.relative_to(directory))] = read_text(path)
            except UnreadableFileError as error:
                name = name_of(path.relative_to(self._root))
                self._skip("files", name, str(error))
        return found

    def _drain(self) -> Iterator[Skipped | Read]:
        yield from self._skipped
        self._skipped.clear()

    def _skip(self, item: str, subject: str, message: str, count: int = 1) -> None:
        location = SourceLocation(f"{self.title}: {subject}")
        self._skipped.append(Read(item, count))
        self._skipped.append(Skipped(location, item, UNREADABLE, count, message))


def _is_point(values: list[str]) -> bool:
    if len(values) < 2:
        return False
    try:
        time, step = int(values[0]), int(values[2]) if len(values) > 2 else 0
        float(values[1])
    except ValueError:
        return False
    return all(-(2**63) <= number < 2**63 for number in (time, step))


def _run(meta: dict[str, Any], run_id: str, experiment_id: str) -> Run:
    status = meta.get("status")
    return Run(
        id=run_id,
        experiment_id=experiment_id,
        name=_text(meta, "run_name") or _text(meta, "name"),
        status=_RUN_STATUSES.get(status) if isinstance(status, int) else text_of(status),
        user_id=_text(meta, "user_id"),
        source_name=_text(meta, "source_name"),
        source_version=_text(meta, "source_version"),
        start_time=_number(meta, "start_time"),
        end_time=_number(meta, "end_time"),
        lifecycle_stage=_text(meta, "lifecycle_stage") or ACTIVE,
    )


def _model_version(content: dict[str, Any], model: dict[str, Any], directory: Path) -> ModelVersion:
    return ModelVersion(
        name=_text(content, "name") or directory.parent.name,
        version=_text(content, "version") or directory.name.removeprefix("version-"),
        workspace=_text(content, "workspace"),
        creation_time=_number(content, "creation_timestamp"),
        description=_text(content, "description"),
        user_id=_text(content, "user_id"),
        stage=_text(content, "current_stage"),
        source=_text(content, "source"),
        run_id=_text(content, "run_id"),
        status=_text(content, "status"),
        model_description=_text(model, "description"),
    )


def _text(values: dict[str, Any], name: str) -> str | None:
    return text_of(values.get(name)) or None


def _number(values: dict[str, Any], name: str) -> int | None:
    value = values.get(name)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
