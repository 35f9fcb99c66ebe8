"""Metric: a value that an experiment took, and its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from genai_graph.errors import PropertyError
from genai_graph.models import identity
from genai_graph.models.base import Node
from genai_graph.models.properties import (
    ArrayProperty,
    BooleanProperty,
    DateTimeProperty,
    FloatProperty,
    IntegerProperty,
    RequiredFloatProperty,
    RequiredStringProperty,
    StringProperty,
)
from genai_graph.models.relationships import EvaluatedOn, From, Has, To

if TYPE_CHECKING:
    from genai_graph.models.dataset import Dataset
    from genai_graph.models.experiment import Experiment


class Metric(Node):
    """A value of one experiment, with its history in `steps` and `values` (parallel, by step).

    `Experiment.record` makes it. Its uid is ``experiment/name[/dataset[/split]]``.
    """

    name = RequiredStringProperty(index=True, help_text="such as accuracy")
    value = RequiredFloatProperty(index=True, help_text="NaN and the infinities are values")
    step = IntegerProperty(help_text="the step of `value`")
    split = StringProperty(help_text="part of the dataset, such as val")
    unit = StringProperty(help_text="such as ms")
    greater_is_better = BooleanProperty(help_text="not set: unknown")
    recorded_at = DateTimeProperty(help_text="when it was taken")
    ci_lower = FloatProperty(help_text="lower end of its confidence interval")
    ci_upper = FloatProperty(help_text="upper end of it")
    steps = ArrayProperty(IntegerProperty(), help_text="the history, by step")
    values = ArrayProperty(FloatProperty(), help_text="the history, parallel to `steps`")

    given_together = ("steps", "values")

    experiment: From[Experiment] = From("Experiment", "metrics", "HAS", Has)
    dataset: To[Dataset] = To("Dataset", "EVALUATED_ON", EvaluatedOn, one_target=True)

    @classmethod
    def rule_faults(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
        """Yield a history that is none: `steps` rise, and each has its value.

        They are given together: one of them alone would be joined with what the graph has.
        """
        if "steps" not in values and "values" not in values:  # as with most of them
            return iter(())
        return _history_faults(values)

    @classmethod
    def derive_uid(cls, values: Mapping[str, Any]) -> str:
        """Refuse: a metric's uid begins with its experiment, which the values do not tell."""
        raise PropertyError(
            "Metric.uid: begins with its experiment: expected experiment.record(name, value) "
            "or a uid of its own, got nothing"
        )

    told_by_uid = frozenset({"name", "split"})

    @classmethod
    def read_uid(cls, uid: str) -> dict[str, str]:
        """Return the name and the split, where the uid is a derived one."""
        parts = identity.split(uid, "/")
        if not 2 <= len(parts) <= 4:
            return {}
        told = {"name": parts[1]}
        return {**told, "split": parts[3]} if len(parts) == 4 else told


def _history_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, PropertyError]]:
    given = [name for name in Metric.given_together if name in values]
    steps, history = values.get("steps"), values.get("values")
    if len(given) == 1 or (steps is None) != (history is None):
        yield given[0], PropertyError("expected steps and values together: give or remove both")
    if not isinstance(steps, list) or not isinstance(history, list):
        return
    if len(steps) != len(history):
        problem = f"expected as many values as steps, got {len(history)} and {len(steps)}"
        yield "values", PropertyError(problem)
    elif any(not later > step for step, later in pairwise(filter(_is_integer, steps))):
        yield "steps", PropertyError("expected steps that rise, each once")


def _is_integer(step: object) -> bool:
    return isinstance(step, int)  # what is none is told by its own check
