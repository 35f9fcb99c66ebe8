"""The history of a metric: values by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genai_graph.errors import PropertyError


@dataclass(frozen=True)
class History:
    """Values by step, and a value without a step."""

    by_step: dict[int, float]
    value: float | None = None

    @classmethod
    def given(cls, checked: Mapping[str, Any]) -> History:
        """Read the arguments of `Experiment.record` once they are checked."""
        value, step = checked.get("value"), checked.get("step")
        values, steps = checked.get("values"), checked.get("steps")
        if values is None:
            if value is None or steps is not None:
                raise PropertyError("Metric.value: expected a value, or values with their steps")
            return cls({}, value) if step is None else cls({step: value})
        if value is not None or step is not None:
            raise PropertyError("Metric.values: expected a value or values, got both")
        return cls(_by_step(list(range(len(values))) if steps is None else steps, values))

    @classmethod
    def stored(cls, properties: Mapping[str, Any]) -> History:
        """Read the history of a metric that is there."""
        steps, values = properties.get("steps") or [], properties.get("values") or []
        return cls(dict(zip(steps, values, strict=False)), properties.get("value"))

    def joined(self, before: History) -> History:
        """Return the history before, with these values in the place of those of the same steps."""
        return History({**before.by_step, **self.by_step}, self.value)

    def properties(self) -> dict[str, Any]:
        """Return what changes in the metric."""
        if self.value is not None:
            return {"value": self.value}
        steps = sorted(self.by_step)
        values = [self.by_step[step] for step in steps]
        return {"steps": steps, "values": values, "step": steps[-1], "value": values[-1]}


def _by_step(steps: list[int], values: list[float]) -> dict[int, float]:
    if len(steps) != len(values) or not values:
        raise PropertyError(
            f"Metric.values: expected as many values as steps, and at least one, "
            f"got {len(values)} and {len(steps)}"
        )
    return dict(zip(steps, values, strict=True))
