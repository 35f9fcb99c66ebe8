"""Selection of the experiments and runs to import."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from genai_graph.errors import SettingsError
from genai_graph.importers.builder import time_of
from genai_graph.importers.known_runs import RunState
from genai_graph.importers.mlflow.entities import ACTIVE, DELETED, UNCHANGED, Experiment, Run
from genai_graph.importers.times import FILTERED, TimeRange
from genai_graph.names import normalize_name
from genai_graph.properties.messages import describe

if TYPE_CHECKING:
    from collections.abc import Iterable


_UNFINISHED = ("RUNNING", "SCHEDULED")


class RunSelection:
    """The filters of an import: experiments by name or id, runs by start time, deleted items."""

    def __init__(
        self,
        experiments: Sequence[str],
        exclude_experiments: Sequence[str],
        since: Any,
        until: Any,
        with_deleted: bool,
    ) -> None:
        for name, globs in (
            ("experiments", experiments),
            ("exclude_experiments", exclude_experiments),
        ):
            if isinstance(globs, str):
                raise SettingsError(f"{name}: expected a list of names, got {describe(globs)}")
        self._include = tuple(experiments)
        self._exclude = tuple(exclude_experiments)
        self.times = TimeRange(since, until)
        self.with_deleted = with_deleted
        self._reasons: dict[str, str | None] = {}
        self._known: dict[str, RunState] = {}
        self.is_incremental = False

    @property
    def has_filters(self) -> bool:
        """Whether any run can be filtered out."""
        return bool(self._include or self._exclude or self.times)

    def add(self, experiments: Iterable[Experiment]) -> None:
        """Decide which experiments are imported; runs of unknown experiments are skipped."""
        for experiment in experiments:
            self._reasons[experiment.id] = self._experiment_reason(experiment)

    def reject(self, experiment_id: str, reason: str) -> None:
        """Skip the runs and models of an experiment."""
        self._reasons[experiment_id] = reason

    def compare_with(self, known: dict[str, RunState]) -> None:
        """Skip runs that agree with those in the graph: the import is incremental."""
        self._known, self.is_incremental = known, True

    def experiment_reason(self, experiment_id: str) -> str | None:
        """Return why an experiment is not imported, or None."""
        return self._reasons.get(experiment_id, "without an experiment")

    def skip_reason(self, run: Run) -> str | None:
        """Return why a run is not imported, or None."""
        reason = self.experiment_reason(run.experiment_id)
        if reason is not None:
            return reason
        if run.lifecycle_stage == DELETED and not self.with_deleted:
            return DELETED
        if time_of(run.start_time) not in self.times:
            return FILTERED
        return UNCHANGED if self._is_unchanged(run) else None

    def _is_unchanged(self, run: Run) -> bool:
        known = self._known.get(run.id)
        if known is None or run.status in _UNFINISHED:
            return False
        name = None if run.name is None else normalize_name(run.name)
        found = RunState(name, run.status, time_of(run.end_time), time_of(run.last_point))
        return known == found

    def _experiment_reason(self, experiment: Experiment) -> str | None:
        if self._include and not _matches(experiment, self._include):
            return FILTERED
        if _matches(experiment, self._exclude):
            return FILTERED
        if experiment.lifecycle_stage != ACTIVE and not self.with_deleted:
            return DELETED
        return None if experiment.name else "experiment without a name"


def _matches(experiment: Experiment, globs: Sequence[str]) -> bool:
    names = (experiment.name, experiment.id, f"{experiment.workspace}/{experiment.name}")
    return any(fnmatchcase(name, glob) for glob in globs for name in names)
