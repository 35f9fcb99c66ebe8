"""Transformers: ``Trainer(..., callbacks=[RunCallback(run)])``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from genai_graph.integrations.values import json_ready, numbers
from genai_graph.runs import Run


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Logs what the Trainer logs, with its global step, and its arguments as parameters.

    Of several processes of a training, the first one logs.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def on_train_begin(self, args: Any, state: Any, control: Any, **options: Any) -> None:
        """Log the arguments of the Trainer, without its tokens."""
        if state.is_world_process_zero:
            values = args.to_sanitized_dict()
            named = {name: value for name, value in values.items() if not name.endswith("token")}
            self._run.log_parameters({name: json_ready(value) for name, value in named.items()})

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Log metrics."""
        if state.is_world_process_zero:
            self._run.log_metrics(numbers(logs or {}), step=state.global_step)
