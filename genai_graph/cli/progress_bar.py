"""Progress bars on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from genai_graph.exchange.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_RATE_SECONDS = 0.2  # between two updates of a rate


@contextlib.contextmanager
def show_progress(*, bars: bool = True) -> Iterator[Progress]:
    """Show progress bars during the block if stderr is a terminal, else messages only.

    A block that prompts needs `bars` to be false: they would overwrite the prompt.
    """
    if not bars or not sys.stderr.isatty():
        yield _ProgressMessages()
        return
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TextColumn

    columns = (*RichProgress.get_default_columns(), TextColumn("{task.fields[rate]}"))
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as rich_progress:
        yield _ProgressBars(rich_progress)


class _ProgressMessages(Progress):
    """Prints messages only."""

    def say(self, text: str) -> None:
        click.echo(text, err=True)


class _ProgressBars(Progress):
    """Shows a bar for each stage, and messages above the bars."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._stage: TaskID | None = None
        self._unit = ""
        self._count = 0
        self._started = self._shown = 0.0

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        self._stage = self._bars.add_task(stage, total=total, rate="")
        self._unit, self._count = unit, 0
        self._started = self._shown = time.monotonic()

    def advance(self, amount: int) -> None:
        if self._stage is None:
            return
        self._count += amount
        self._bars.advance(self._stage, amount)
        moment = time.monotonic()
        if self._unit and moment - self._shown >= _RATE_SECONDS:
            self._shown = moment
            per_second = self._count / (moment - self._started)
            rate = f"{self._count:,} {self._unit}, {per_second:,.0f} per second"
            self._bars.update(self._stage, rate=rate)
