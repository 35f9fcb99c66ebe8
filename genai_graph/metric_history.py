"""The history of a metric: its values by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from genai_graph.conversion import is_missing
from genai_graph.errors import PropertyError
from genai_graph.properties.messages import describe
from genai_graph.properties.validation import clean_fields
from genai_graph.storage.rows import values_equal


@dataclass(frozen=True)
class MetricHistory:
    """Values by step, or a value without a step; a whole history `replaces` the stored one."""

    by_step: dict[int, float]
    value: float | None = None
    replaces: bool = False

    @classmethod
    def from_arguments(cls, given: Mapping[str, Any]) -> MetricHistory:
        """Build a history from the validated arguments of `Experiment.record`."""
        value, step = given.get("value"), given.get("step")
        values, steps = given.get("values"), given.get("steps")
        if values is None:
            if value is None or steps is not None:
                raise PropertyError("Metric.value: expected a value, or values with their steps")
            return cls({}, value) if step is None else cls({step: value})
        if value is not None or step is not None:
            raise PropertyError("Metric.values: expected a value or values, got both")
        is_whole = steps is None
        steps = list(range(len(values))) if steps is None else steps
        if len(steps) != len(values) or not values:
            raise PropertyError(
                "Metric.values: expected as many values as steps, and at least one, "
                f"got {len(values)} and {len(steps)}"
            )
        return cls(dict(zip(steps, values, strict=True)), replaces=is_whole)

    def merged_into(self, stored: Mapping[str, Any]) -> MetricHistory:
        """Return the stored history of a metric, updated with this one or replaced by it."""
        if self.replaces:
            return self
        steps, values = stored.get("steps") or [], stored.get("values") or []
        is_valid = isinstance(steps, list) and all(isinstance(step, int) for step in steps)
        if not is_valid or not isinstance(values, list) or len(values) != len(steps):
            raise PropertyError(
                f"Metric {stored.get('uid')!r}: the stored history is invalid: set steps and "
                "values with Metric.upsert()"
            )
        before = dict(zip(steps, values, strict=True))
        step, value = stored.get("step"), stored.get("value")
        if not before and isinstance(step, int) and isinstance(value, (int, float)):
            before = {step: value}  # a fixture need not have a history
        return MetricHistory({**before, **self.by_step}, self.value)

    def properties(self) -> dict[str, Any]:
        """Return the properties of the metric to set."""
        if self.value is not None:
            return {"value": self.value, "step": None}
        steps = sorted(self.by_step)
        values = [self.by_step[step] for step in steps]
        return {"steps": steps, "values": values, "step": steps[-1], "value": values[-1]}


def validate_recorded(
    metric_class: Any, arguments: Mapping[str, Any], properties: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the validated arguments of `Experiment.record` that were given."""
    if "uid" in properties:
        raise PropertyError(
            "Metric.uid: is derived from experiment, name, dataset, split and model"
        )
    given = {
        name: _as_list(value) if name in ("values", "steps") else value
        for name, value in arguments.items()
        if name == "name" or not is_missing(value)
    }
    return clean_fields(metric_class, given)


def _as_list(values: Any) -> Any:
    """Convert any iterable to a list; arrays and other values are returned for validation."""
    refused = (str, bytes, Mapping, Set)
    is_series = isinstance(values, Iterable) and not isinstance(values, refused)
    return list(values) if is_series and not hasattr(values, "ndim") else values


def history_errors(values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
    """Yield (property, error) unless `steps` and `values` form a history.

    Both must be given or removed together, or new steps would be paired with stored values.
    """
    given = [name for name in ("steps", "values") if name in values]
    steps, history = values.get("steps"), values.get("values")
    if len(given) == 1 or (steps is None) != (history is None):
        yield given[0], PropertyError("expected steps and values together: give or remove both")
    if not isinstance(steps, list) or not isinstance(history, list):
        return
    if len(steps) != len(history):
        problem = f"expected as many values as steps, got {len(history)} and {len(steps)}"
        yield "values", PropertyError(problem)
        return
    integers = (step for step in steps if isinstance(step, int))  # validation reports the others
    if any(later <= step for step, later in pairwise(integers)):
        yield "steps", PropertyError("expected steps in ascending order, each once")


def stored_history_errors(stored: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
    """Yield (property, error) unless `value` and `step` repeat the last entry of the history.

    A value without a step is independent of the history. Invalid histories are reported by
    `history_errors`.
    """
    steps, values, step = stored.get("steps"), stored.get("values"), stored.get("step")
    if step is None or not isinstance(steps, list) or not isinstance(values, list):
        return
    if not steps or len(steps) != len(values):
        return
    if step != steps[-1]:
        problem = f"expected {describe(steps[-1])}, the last step of the history"
        yield "step", PropertyError(f"{problem}, got {describe(step)}")
    elif not values_equal(stored.get("value"), values[-1]):
        problem = f"expected {describe(values[-1])}, the value of step {step} in the history"
        yield "value", PropertyError(f"{problem}, got {describe(stored.get('value'))}")
