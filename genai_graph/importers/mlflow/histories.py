"""Histories of metrics: the points of a run, collected by metric, one point per step."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_graph.importers.mlflow.entities import Point


class History:
    """The points of one metric, in three arrays: a point takes 24 bytes."""

    __slots__ = ("_is_sorted", "steps", "times", "values")

    def __init__(self) -> None:
        self.steps = array("q")
        self.times = array("q")
        self.values = array("d")
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: int, time: int, value: float) -> None:
        """Add a point."""
        if self._is_sorted and self.steps and step <= self.steps[-1]:
            self._is_sorted = False
        self.steps.append(step)
        self.times.append(time)
        self.values.append(value)

    def fold(self) -> int:
        """Sort the points by step and keep one per step; return the number of folded points.

        The point with the latest time counts and, of these, the one with the largest value, as in
        MLflow's table of latest metrics, where NaN counts as 0.
        """
        if self._is_sorted:
            return 0
        order = sorted(range(len(self.steps)), key=self._rank)
        last = [
            index
            for index, following in zip(order, [*order[1:], None], strict=True)
            if following is None or self.steps[following] != self.steps[index]
        ]
        folded = len(self.steps) - len(last)
        self._keep(last)
        return folded

    def thin(self, limit: int) -> int:
        """Keep at most `limit` points, evenly spread; return the number of removed points.

        The first, the last, the smallest and the largest value are kept.
        """
        count = len(self.steps)
        if not limit or count <= limit:
            return 0
        finite = [index for index in range(count) if not math.isnan(self.values[index])]
        kept = {0, count - 1}
        if finite:
            kept.add(min(finite, key=self.values.__getitem__))
            kept.add(max(finite, key=self.values.__getitem__))
        places = max(limit - len(kept), 0)
        kept.update(round((count - 1) * place / (places + 1)) for place in range(1, places + 1))
        self._keep(sorted(kept))
        return count - len(kept)

    def _rank(self, index: int) -> tuple[int, int, float]:
        value = self.values[index]
        return self.steps[index], self.times[index], 0.0 if math.isnan(value) else value

    def _keep(self, indices: Iterable[int]) -> None:
        kept = list(indices)
        self.steps = array("q", [self.steps[index] for index in kept])
        self.times = array("q", [self.times[index] for index in kept])
        self.values = array("d", [self.values[index] for index in kept])
        self._is_sorted = True


def collect_histories(points: Iterable[Point]) -> dict[str, History]:
    """Return the points of a run by metric."""
    histories: dict[str, History] = {}
    for key, step, time, value in points:
        history = histories.get(key)
        if history is None:
            history = histories[key] = History()
        history.add(step, time, value)
    return histories
