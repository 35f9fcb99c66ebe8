"""PyTorch Lightning: ``Trainer(logger=RunLogger(run))``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from genai_graph.integrations.values import json_ready, numbers
from genai_graph.runs import Run


class RunLogger(Logger):  # type: ignore[misc]
    """Logs metrics and hyperparameters to a run, which it does not end.

    Of several processes of a training, the first one logs.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    @property
    def name(self) -> str | None:
        """The name of the run."""
        return self._run.name

    @property
    def version(self) -> str:
        """The uid of the run."""
        return self._run.uid

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Log hyperparameters as parameters."""
        values = vars(params) if isinstance(params, Namespace) else params
        self._run.log_parameters({str(name): json_ready(value) for name, value in values.items()})

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics."""
        self._run.log_metrics(numbers(metrics), step=step)
