"""Runs: experiments that are logged to a journal, which is sent to the graph in the background."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from genai_graph.conversion import is_missing, unwrap
from genai_graph.database.settings import read_settings
from genai_graph.errors import OutputError, PropertyError, RunError
from genai_graph.models import Dataset, Experiment, Metric, Model, Project
from genai_graph.ogm.uids import metric_uid, parse_metric_uid
from genai_graph.pictures.curves import Curve, Plot
from genai_graph.properties.json_values import INTEGER_MAX, INTEGER_MIN
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import clean_fields, deflate_values, full_clean
from genai_graph.runs.background import FINISH_TIMEOUT, sender
from genai_graph.runs.environment import (
    current_user,
    describe_code,
    describe_environment,
    imported_packages,
)
from genai_graph.runs.journal import Journal
from genai_graph.runs.journal_files import find_journals
from genai_graph.runs.lines import (
    Series,
    describe_node,
    edge_line,
    metric_lines,
    node_line,
    tag_list,
    to_name,
    to_step,
    to_value,
)
from genai_graph.runs.summary import find_run, read_nodes

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

_log = logging.getLogger("genai_graph")
_ENDED = ("FINISHED", "FAILED", "KILLED")
_SeriesKey = tuple[str, "Dataset | str | None", str | None, "Model | str | None"]
# The run whose block is being executed: runs that start in it are part of it.
_active: ContextVar[Run | None] = ContextVar("genai_graph_run", default=None)
_open_runs: dict[str, Run] = {}  # finished at the exit of Python
_all_runs: weakref.WeakSet[Run] = weakref.WeakSet()


def start_run(
    name: str | None = None,
    *,
    project: Project | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | Iterable[str] | None = None,
    description: str | None = None,
    random_seed: int | None = None,
    uid: str | None = None,
    resume: str | None = None,
    parent: Run | Experiment | str | None = None,
) -> Run:
    """Start a run: an Experiment with the status RUNNING, to which metrics are logged.

    Everything is written to a journal first, a file in the directory ``runs`` of
    `GENAI_GRAPH_HOME`, and sent to the graph in the background. So logging does not wait for the
    database, which may be down. With ``GENAI_GRAPH_OFFLINE=1``, nothing is sent before
    ``genai-graph runs sync``.

    Used as a context manager, the run becomes FINISHED at the end of the block, KILLED by Ctrl-C,
    or FAILED by any other exception; otherwise call `Run.finish`. A run in the block of another one
    is part of it, unless another `parent` is given. The commit of the code, the environment, the
    script and the user are recorded. `resume` continues the run with this uid, which keeps its
    parent.

    Raises `PropertyError` for an invalid value, `RunError` if the run is open in this process, and
    `OutputError` if the journal can't be written.
    """
    if uid is not None and resume is not None:
        raise RunError("start_run: uid is for a new run, resume for an existing one: give only one")
    if resume is not None and parent is not None:
        raise RunError("start_run: a run that is resumed keeps its parent: leave out parent")
    given = {
        "name": name,
        "parameters": None if parameters is None else dict(parameters),
        "tags": None if tags is None else tag_list(tags),
        "description": description,
        "random_seed": random_seed,
        "created_by": current_user(),
        "environment": describe_environment(),
        **describe_code(),
    }
    values: dict[str, Any] = {key: value for key, value in given.items() if not is_missing(value)}
    values["uid"] = uid or resume or uuid.uuid4().hex
    values["status"] = "RUNNING"
    if resume is None:
        values["started_at"] = datetime.now(timezone.utc)
    values = full_clean(Experiment, values)
    if values["uid"] in _open_runs:
        raise RunError(f"run {values['uid']!r} is open in this process: finish it first")
    run = Run(values.pop("uid"), values.get("name"))
    if parent is None and resume is None:
        parent = _active.get()
    run._begin(values, project, parent, resume is not None)
    return run


class Run:
    """A run that is being logged. Created by `start_run`.

    Its methods may be called from several threads, and in forked processes, which write journals
    of their own. Pickled, it can be passed to other processes on this machine: they log to the same
    run, and do not end it.
    """

    def __init__(self, uid: str, name: str | None = None) -> None:
        self.uid = uid
        self.name = name
        self._lock = threading.RLock()
        self._owner = 0  # the process that ends the run
        self._is_offline = False
        self._is_resumed = False
        self._series: dict[_SeriesKey, Series] = {}
        self._next_steps: dict[str, int] | None = None  # by the uid of the metric
        self._datasets: set[tuple[str, str, str | None]] = set()
        self._models: set[str] = set()  # uids of those that the run produced
        self._maps: dict[str, dict[str, Any]] = {"parameters": {}, "results": {}, "environment": {}}
        self._token: Token[Run | None] | None = None
        self._journal = Journal(uid, name, lambda: node_line("Experiment", uid, {}))
        _all_runs.add(self)

    def __repr__(self) -> str:
        return f"<Run {self.uid}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (self.uid, self.name)

    def __enter__(self) -> Self:
        self._token = _active.set(self)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            with suppress(ValueError):  # left in another context
                _active.reset(self._token)
        if error is None:
            self.finish()
            return
        try:
            self._finish_after(error)
        except OutputError as output_error:  # it would hide the error of the block
            _log.warning("run %s: %s", self.uid, output_error)

    @property
    def journal(self) -> Path | None:
        """The path of the journal of this process, or None if it has not written one."""
        return self._journal.path

    @property
    def experiment(self) -> Experiment:
        """The Experiment, read from the graph. Raises `DoesNotExist` if it was not sent yet."""
        return Experiment.nodes.get(uid=self.uid)

    # Metrics

    def log_metric(
        self,
        name: str,
        value: float,
        step: int | None = None,
        *,
        dataset: Dataset | str | None = None,
        split: str | None = None,
        model: Model | str | None = None,
        greater_is_better: bool | None = None,
        unit: str | None = None,
    ) -> None:
        """Add a value to the history of a metric: when the call returns, it is in the journal.

        The default step follows the last one of the metric. A value replaces that of the same
        step. There is one Metric per name, dataset, split and model, as for `Experiment.record`;
        datasets and models are nodes or uids.

        Raises `PropertyError`, `OutputError` if the journal can't be written, and `RunError` if the
        run is finished.
        """
        key = (name, dataset, split, model)
        series = self._series.get(key)
        if series is None or greater_is_better is not None or unit is not None:
            properties = {"greater_is_better": greater_is_better, "unit": unit}
            properties = {name: each for name, each in properties.items() if each is not None}
            if series is None or not properties.items() <= series.properties.items():
                self._declare(key, properties, value, step)
                return
        if step is None:
            with self._lock:
                step = series.next_step
                if step > INTEGER_MAX:
                    step = to_step(step)
                series.next_step = step + 1
        else:
            if type(step) is not int or not INTEGER_MIN <= step <= INTEGER_MAX:
                step = to_step(step)
            if step >= series.next_step:
                series.next_step = step + 1
        self._journal.append(series.point(value, step))

    def log_metrics(
        self, metrics: Mapping[str, float], step: int | None = None, **options: Any
    ) -> None:
        """Add a value to each of several metrics, with the same options as `log_metric`."""
        for name, value in metrics.items():
            self.log_metric(name, value, step, **options)

    def _declare(self, key: _SeriesKey, properties: dict[str, Any], value: Any, step: Any) -> None:
        """Write the node and the edges of a metric, with its first point."""
        name, dataset, split, model = key
        optional = {"split": split, **properties}
        optional = {key: each for key, each in optional.items() if each is not None}
        given = clean_fields(Metric, {"name": to_name(name), **optional})
        number = to_value(value)
        with self._lock:
            targets = {
                relationship.edge_type: describe_node(cls, node, f"Run.log_metric: {argument}")
                for relationship, cls, node, argument in (
                    (Metric.dataset, Dataset, dataset, "dataset"),
                    (Metric.model, Model, model, "model"),
                )
                if node is not None
            }
            uids = [
                targets[each.edge_type][0] if each.edge_type in targets else None
                for each in (Metric.dataset, Metric.model)
            ]
            uid = metric_uid(self.uid, given["name"], uids[0], given.get("split"), uids[1])
            clean_fields(Metric, {"uid": uid})  # raises an error if the uid is too long
            series = self._series.get(key) or Series(uid, 0)
            if step is None:
                step = max(series.next_step, self._first_step(uid))
            series.next_step = max(series.next_step, to_step(step) + 1)
            point = {"steps": [to_step(step)], "values": [number]}
            lines = [line for _, line in targets.values()]
            lines.append(edge_line(Experiment.metrics.edge_type, self.uid, uid))
            lines += [
                edge_line(edge_type, uid, target) for edge_type, (target, _) in targets.items()
            ]
            lines.append(node_line("Metric", uid, {**deflate_values(Metric, given), **point}))
            self._journal.append(b"".join(lines))
            series.properties |= properties
            self._series[key] = series  # after its declaration, which other threads rely on

    def _first_step(self, uid: str) -> int:
        """Return the step after the last one that the journals of a resumed run have."""
        if self._next_steps is None:
            self._next_steps = _next_steps(self) if self._is_resumed else {}
        return self._next_steps.get(uid, 0)

    def plot(self, *names: str) -> Plot:
        """Return the learning curves of the metrics with these names, by default of all metrics.

        They are read from the journals on this machine. Notebooks display them, and `save` writes
        them as SVG. Raises `RunError` without a journal.
        """
        histories: dict[str, dict[int, float]] = {}
        for journal in find_run(self.uid):
            for record in read_nodes(journal):
                points = zip(record.steps, record.values, strict=True)
                histories.setdefault(record.uid, {}).update(points)
        panels: dict[str, list[Curve]] = {}
        for uid, history in histories.items():
            key = parse_metric_uid(uid)
            if history and key is not None and (not names or key.name in names):
                steps = sorted(history)
                name = "/".join(each for each in (key.dataset, key.split, key.model) if each)
                curve = Curve(name or key.name, steps, [history[step] for step in steps])
                panels.setdefault(key.name, []).append(curve)
        return Plot(panels)

    # Data, models and other values

    def use(
        self, dataset: Dataset | str, *, role: str | None = None, split: str | None = None
    ) -> None:
        """Record that the run uses a dataset, given as a node or a uid; a new node is created.

        The role is training, validation, test or other; the default is training. The models that
        the run produces are recorded as trained on the dataset, unless its role is other.
        """
        uid, line = describe_node(Dataset, dataset, "Run.use: dataset")
        edges = [edge_line(Experiment.datasets.edge_type, self.uid, uid, role=role, split=split)]
        with self._lock:
            self._datasets.add((uid, role or "training", split))
            edges += [_trained_on(model, uid, role, split) for model in sorted(self._models)]
            self._journal.append(b"".join([*edges, line]))

    def log_model(
        self, model: Model | str, *, role: str | None = None, step: int | None = None
    ) -> None:
        """Record a model that the run produced (role output, the default) or used (input).

        The model is a node or a uid; a new node is created. `step` is that of a checkpoint. A
        produced model is recorded as trained on the datasets of the run, unless their role is
        other.
        """
        uid, line = describe_node(Model, model, "Run.log_model: model")
        edges = [edge_line(Experiment.models.edge_type, self.uid, uid, role=role, step=step)]
        with self._lock:
            if role in (None, "output"):
                self._models.add(uid)
                edges += [
                    _trained_on(uid, dataset, data_role, split)
                    for dataset, data_role, split in sorted(self._datasets, key=str)
                ]
            self._journal.append(b"".join([*edges, line]))

    def log_part(
        self,
        name: str | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float | Iterable[float]] | None = None,
        status: str = "FINISHED",
    ) -> str:
        """Record a part of the run that has ended, such as a trial or a fold; return its uid.

        A part is an Experiment. Several values of a metric are its history, from step 0. Raises
        `PropertyError`.
        """
        uid = uuid.uuid4().hex
        given = {"name": name, "parameters": parameters, "status": status}
        values = full_clean(Experiment, {key: each for key, each in given.items() if each})
        lines = [edge_line(Experiment.part_of.edge_type, uid, self.uid)]
        lines.append(node_line("Experiment", uid, deflate_values(Experiment, values)))
        for metric, logged in (metrics or {}).items():
            logged = unwrap(logged)
            points = list(logged) if isinstance(logged, Iterable) else [logged]
            lines += metric_lines(uid, metric, list(map(to_value, points)))
        self._journal.append(b"".join(lines))
        return uid

    def log_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Add to the parameters; those of the same name are replaced. Raises `PropertyError`."""
        self._update_map("parameters", parameters)

    def log_results(self, results: Mapping[str, Any]) -> None:
        """Add to the results other than metrics. Raises `PropertyError`."""
        self._update_map("results", results)

    def set_tags(self, tags: Mapping[str, Any] | Iterable[str]) -> None:
        """Add tags: words, or a mapping, which is stored as ``name=value``.

        A tag replaces that of the same name.
        """
        self._update({"tags": tag_list(tags)})

    def _update_map(self, name: str, values: Mapping[str, Any]) -> None:
        with self._lock:
            merged = {**self._maps[name], **values}
            self._update({name: merged})
            self._maps[name] = merged

    def _update(self, values: Mapping[str, Any]) -> None:
        """Write values of the Experiment."""
        given = deflate_values(Experiment, full_clean(Experiment, values))
        self._journal.append(node_line("Experiment", self.uid, given))

    # Beginning and end

    def _begin(
        self,
        values: dict[str, Any],
        project: Project | str | None,
        parent: Run | Experiment | str | None,
        is_resumed: bool,
    ) -> None:
        nodes, edges = [], []
        if project is not None:
            node = Project(name=project) if isinstance(project, str) else project
            uid, line = describe_node(Project, node, "start_run: project")
            edges.append(edge_line(Project.experiments.edge_type, uid, self.uid))
            nodes.append(line)
        if parent is not None:
            found = parent.uid if isinstance(parent, Run) else parent
            uid, line = describe_node(Experiment, found, "start_run: parent")
            if uid == self.uid:
                raise RunError(
                    f"start_run: run {uid!r} can't be part of itself: name another parent"
                )
            edges.append(edge_line(Experiment.part_of.edge_type, self.uid, uid))
            nodes.append(line)
        given = deflate_values(Experiment, values)
        if is_resumed:
            given["ended_at"] = None
        for name in self._maps:
            self._maps[name] |= values.get(name) or {}
        self._owner, self._is_resumed = os.getpid(), is_resumed
        self._is_offline = read_settings().offline
        experiment = node_line("Experiment", self.uid, given)
        self._journal.append(b"".join([*nodes, *edges, experiment]))
        _open_runs[self.uid] = self
        if not self._is_offline:
            sender.add(self.uid)

    def finish(self, status: str = "FINISHED", *, timeout: float = FINISH_TIMEOUT) -> None:
        """End the run, and wait until it is in the graph, for at most `timeout` seconds.

        If it is not, a warning is logged, and ``genai-graph runs sync`` sends the rest. Later calls
        do nothing, and so do those in processes that the run was passed to.

        Raises `PropertyError` unless the status is FINISHED, FAILED or KILLED, and `OutputError` if
        the journal can't be written; the run is not finished then.
        """
        if status not in _ENDED:
            raise PropertyError(
                f"Run.finish: status: expected one of {', '.join(_ENDED)}, got {describe(status)}"
            )
        with self._lock:
            is_owner = self._owner == os.getpid()
            if is_owner:
                self._update({"status": status, "ended_at": datetime.now(timezone.utc)})
                self._update_packages()
            self._owner = 0
            self._journal.close()
        if not is_owner:
            return
        _open_runs.pop(self.uid, None)
        problem = "" if self._is_offline else sender.finish(self.uid, timeout)
        if problem:
            _log.warning(
                "run %s: is not completely in the graph (%s): `genai-graph runs sync` sends the "
                "rest from %s",
                *(self.uid, problem, self.journal),
            )

    def _finish_after(self, error: BaseException, timeout: float = FINISH_TIMEOUT) -> None:
        """End the run with the status that an exception means."""
        if isinstance(error, SystemExit) and not error.code:
            self.finish(timeout=timeout)
            return
        if self._owner == os.getpid():
            cls = type(error)
            module = "" if cls.__module__ == "builtins" else f"{cls.__module__}."
            self.log_results({"error": f"{module}{cls.__qualname__}"})
        is_killed = isinstance(error, KeyboardInterrupt)
        self.finish("KILLED" if is_killed else "FAILED", timeout=timeout)

    def _update_packages(self) -> None:
        """Record the packages that were imported since the start."""
        environment, packages = self._maps["environment"], imported_packages()
        if environment.get("packages", {}) != packages:
            self._update({"environment": {**environment, "packages": packages}})

    def _detach_in_child(self) -> None:
        """Declare the metrics again in the journal of a forked process."""
        self._lock = threading.RLock()  # another thread may have held it
        known = {series.uid: series.next_step for series in self._series.values()}
        self._next_steps = {**(self._next_steps or {}), **known}
        self._series = {}


def _attach(uid: str, name: str | None) -> Run:
    """Return a run that is passed to another process."""
    run = Run(uid, name)
    run._journal.is_attached = True
    return run


def _trained_on(model: str, dataset: str, role: str | None, split: str | None) -> bytes:
    """Return the line of the edge from a produced model to a dataset, or b""."""
    if role == "other":
        return b""
    return edge_line(Model.trained_on.edge_type, model, dataset, role=role, split=split)


def _next_steps(run: Run) -> dict[str, int]:
    """Return the step after the last one of each metric, by uid, from the other journals."""
    found: dict[str, int] = {}
    for journal in find_journals(run.uid):
        if journal.path == run.journal:
            continue
        for record in read_nodes(journal):
            if record.steps:
                found[record.uid] = max(found.get(record.uid, 0), record.steps[-1] + 1)
    return found


@atexit.register
def _finish_open_runs() -> None:
    """End the runs that the program has left open, all of them within the time for one."""
    error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
    deadline = time.monotonic() + FINISH_TIMEOUT
    for run in list(_open_runs.values()):
        remaining = max(deadline - time.monotonic(), 0)
        try:
            if error is None:
                run.finish(timeout=remaining)
            else:
                run._finish_after(error, remaining)
        except OutputError as output_error:  # the other runs are finished, too
            _log.warning("run %s: %s", run.uid, output_error)


def _detach_all_in_child() -> None:
    _open_runs.clear()
    for run in list(_all_runs):
        run._detach_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_detach_all_in_child)
