"""Run contenders in turn, in several rounds, and compare each with the baseline of its round."""

from __future__ import annotations

import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click

SECONDS, MILLISECONDS, MEGABYTES = "s", "ms", "MB"


@dataclass
class Result:
    """Measured values by contender and round, and the name of the baseline."""

    title: str
    engine: str
    entities: int
    baseline: str
    values: dict[str, list[float]]
    machine: str = ""
    unit: str = SECONDS

    def median(self, contender: str) -> float:
        """Return the median over the rounds of a contender."""
        return statistics.median(self.values[contender])

    def ratios(self, contender: str) -> list[float]:
        """Return the ratio to the baseline by round: of speeds for times, else of amounts."""
        pairs = zip(self.values[self.baseline], self.values[contender], strict=True)
        if self.unit != SECONDS:
            return [value / base for base, value in pairs]
        return [base / value for base, value in pairs]


@dataclass(frozen=True)
class Contender:
    """A name, and a function that runs once and returns the measured values by title."""

    name: str
    run: Callable[[], dict[str, float]]


class Clock:
    """The duration of a block in seconds."""

    seconds: float = 0.0


@contextmanager
def clock() -> Iterator[Clock]:
    """Measure a block."""
    measured = Clock()
    started = time.perf_counter()
    yield measured
    measured.seconds = time.perf_counter() - started


def compare(
    contenders: Sequence[Contender], rounds: int, engine: str, entities: int, unit: str = SECONDS
) -> list[Result]:
    """Run contenders in turn, in alternating order; the first one is the baseline."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with _frozen_garbage_collection():
        for number in range(rounds):
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                gc.collect()
                for title, value in contender.run().items():
                    values[title][contender.name].append(value)
                    label = f"{engine}, {entities:,} entities, {title}: {contender.name}"
                    click.echo(f"{label}: {value:.3f} {unit}", err=True)
    baseline = contenders[0].name
    return [
        Result(title, engine, entities, baseline, dict(measured), unit=unit)
        for title, measured in values.items()
    ]


@contextmanager
def _frozen_garbage_collection() -> Iterator[None]:
    """Exclude existing objects from garbage collection: the rows that contenders keep in memory."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
