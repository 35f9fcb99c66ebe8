"""XGBoost: ``xgboost.train(..., callbacks=[RunCallback(run)])``, also for `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xgboost

from genai_graph.runs import Run


class RunCallback(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """Logs the metrics of each iteration as ``DATASET/METRIC``."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def after_iteration(
        self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, list[Any]]]
    ) -> bool:
        """Log an iteration; `xgboost.cv` gives means with their standard deviations."""
        for dataset, metrics in evals_log.items():
            for metric, history in metrics.items():
                values = history[-1] if isinstance(history[-1], tuple) else (history[-1],)
                for suffix, value in zip(("", "/stdv"), values, strict=False):
                    self._run.log_metric(f"{dataset}/{metric}{suffix}", value, step=epoch)
        return False  # do not stop the training
