"""Keras 3: ``model.fit(..., callbacks=[RunCallback(run)])``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from genai_graph.integrations.values import json_ready, numbers
from genai_graph.runs import Run


class RunCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Logs the metrics of each epoch, with the epoch as the step, and the optimizer.

    With `batches`, those of each batch are logged too, as ``batch/NAME``.
    """

    def __init__(self, run: Run, *, batches: bool = False) -> None:
        super().__init__()
        self._run = run
        self._batches = batches
        self._batch = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Log the parameters of the training."""
        optimizer = getattr(self.model, "optimizer", None)
        parameters = {name: json_ready(value) for name, value in (self.params or {}).items()}
        if optimizer is not None:
            parameters["optimizer"] = json_ready(optimizer.get_config())
        self._run.log_parameters(parameters)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the metrics of a batch."""
        if self._batches:
            for name, value in numbers(logs or {}).items():
                self._run.log_metric(f"batch/{name}", value, step=self._batch)
            self._batch += 1

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log the metrics of an epoch."""
        self._run.log_metrics(numbers(logs or {}), step=epoch)
