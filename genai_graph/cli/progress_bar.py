"""Progress bars on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from genai_graph.exchange.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


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

    with RichProgress(console=Console(stderr=True), transient=True) as rich_progress:
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

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def start(self, stage: str, total: int) -> None:
        self._stage = self._bars.add_task(stage, total=total)

    def advance(self, amount: int) -> None:
        if self._stage is not None:
            self._bars.advance(self._stage, amount)
