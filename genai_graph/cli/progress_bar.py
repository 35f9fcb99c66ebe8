"""The progress of a load or a dump, on a terminal's stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from genai_graph.exchange.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """Show bars while the block runs, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        yield _Shown(bars)


class _Lines(Progress):
    """Says what must be said, a line each."""

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text, err=True)


class _Shown(Progress):
    """Shows a bar for each stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._stage: TaskID | None = None

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(text, markup=False, highlight=False)

    def start(self, stage: str, total: int) -> None:
        """Begin a bar."""
        self._stage = self._bars.add_task(stage, total=total)

    def advance(self, amount: int) -> None:
        """Move the newest bar."""
        if self._stage is not None:
            self._bars.advance(self._stage, amount)
