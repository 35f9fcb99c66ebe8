"""LightGBM: ``lightgbm.train(..., callbacks=[RunCallback(run)])``, also for `cv` and `fit`."""

from __future__ import annotations

from typing import Any

from genai_graph.integrations.values import json_ready
from genai_graph.runs import Run


class RunCallback:
    """Logs the metrics of each iteration as ``DATASET/METRIC``, and the parameters.

    `lightgbm.cv` gives the means over the folds, and their standard deviations as
    ``DATASET/METRIC/stdv``.
    """

    order = 20  # after early stopping was evaluated, as LightGBM's own recording
    before_iteration = False

    def __init__(self, run: Run) -> None:
        self._run = run
        self._has_parameters = False

    def __call__(self, env: Any) -> None:
        """Log an iteration."""
        if not self._has_parameters:
            self._has_parameters = True
            self._run.log_parameters({str(k): json_ready(v) for k, v in env.params.items()})
        for dataset, metric, value, is_higher_better, *deviation in env.evaluation_result_list:
            name = f"{dataset}/{metric}"
            self._run.log_metric(
                name, value, step=env.iteration, greater_is_better=bool(is_higher_better)
            )
            for each in deviation:
                self._run.log_metric(f"{name}/stdv", each, step=env.iteration)
