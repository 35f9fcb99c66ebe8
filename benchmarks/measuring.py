"""Measuring: contenders in turn, round after round, each beside the baseline of its round."""

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
    """What one thing took, by contender and round, and the contender to compare with."""

    title: str
    engine: str
    entities: int
    baseline: str
    values: dict[str, list[float]]
    machine: str = ""
    unit: str = SECONDS

    def median(self, contender: str) -> float:
        """Return the median of a contender's rounds."""
        return statistics.median(self.values[contender])

    def ratios(self, contender: str) -> list[float]:
        """Return how many times as fast as the baseline it is (else: as much), by round."""
        pairs = zip(self.values[self.baseline], self.values[contender], strict=True)
        if self.unit != SECONDS:
            return [value / base for base, value in pairs]
        return [base / value for base, value in pairs]


@dataclass(frozen=True)
class Contender:
    """A name, and what measures itself once: it returns what it took, by title."""

    name: str
    run: Callable[[], dict[str, float]]


class Clock:
    """The seconds that a block took."""

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
    """Run contenders in turn, in alternating order; the first of them is the baseline."""
    taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with _rows_left_alone():
        for number in range(rounds):
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                gc.collect()
                for title, value in contender.run().items():
                    taken[title][contender.name].append(value)
                    told = f"{engine}, {entities:,} entities, {title}: {contender.name}"
                    click.echo(f"{told}: {value:.3f} {unit}", err=True)
    baseline = contenders[0].name
    return [
        Result(title, engine, entities, baseline, _ordered(values, contenders), unit=unit)
        for title, values in taken.items()
    ]


@contextmanager
def _rows_left_alone() -> Iterator[None]:
    """Keep Python from looking for garbage in the rows of one contender while another runs."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _ordered(
    values: dict[str, list[float]], contenders: Sequence[Contender]
) -> dict[str, list[float]]:
    return {one.name: values[one.name] for one in contenders if one.name in values}
