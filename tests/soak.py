"""Spoil fixtures for as long as is wanted: `python tests/soak.py [MINUTES] [SEED]`.

It does what the tests of spoilt fixtures do, in every format, with other examples each time: each
example is checked, and where that finds no fault it is loaded twice into an engine of its own. It
prints how many there were, for how long it ran, and the seed of each round. A failure ends it; with
the seed it can be had again.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import test_csv
import test_mutations
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import genai_graph

EXAMPLES = 500
# A longer time between two examples is one in which the process was stopped.
LONGEST = 5.0


class Clock:
    """Counts examples, and the seconds in which it ran: not those in which it was stopped."""

    def __init__(self) -> None:
        self.examples = 0
        self.loaded = 0
        self.seconds = 0.0
        self._last = time.monotonic()

    def tick(self) -> None:
        """Count an example."""
        now = time.monotonic()
        self.examples += 1
        self.seconds += min(now - self._last, LONGEST)
        self._last = now


Check = Callable[..., str]


def one_file(name: str) -> Check:
    def check(data: bytes) -> str:
        test_mutations.assert_valid_or_located_errors(name, data)
        return name

    return check


def one_of_a_folder(found: tuple[str, bytes]) -> str:
    test_csv.assert_valid_or_located_errors(*found)
    return "f"


FORMATS: dict[str, tuple[st.SearchStrategy[object], Check]] = {
    **{name: (how, one_file(name)) for name, how in test_mutations.CORRUPTED.items()},
    "csv": (test_csv.corrupted_files(), one_of_a_folder),
}


def spoil(how: st.SearchStrategy[object], check: Check, number: int, clock: Clock) -> None:
    """Check so many spoilt fixtures of a format, and load those that are right."""

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(how)
    def check_one(found: object) -> None:
        clock.tick()
        clock.loaded += test_mutations.assert_loads_twice_or_is_invalid(check(found))

    check_one()


def main(minutes: float = 60, first: int | None = None) -> None:
    """Go round the formats until the time is over."""
    first = random.randrange(1_000_000_000) if first is None else first
    home = tempfile.mkdtemp(prefix="genai-graph-soak-")
    os.environ["GENAI_GRAPH_HOME"] = str(Path(home, "home"))
    os.environ.pop("NEO4J_URI", None)
    os.chdir(home)
    clock = Clock()
    with genai_graph.connect():
        for number in itertools.count(first):
            for how, check in FORMATS.values():
                spoil(how, check, number, clock)
            print(  # noqa: T201
                f"seed {number}: {clock.examples:,} examples, {clock.loaded:,} of them loaded, "
                f"{clock.seconds / 60:.1f} minutes, no failure",
                flush=True,
            )
            if clock.seconds > minutes * 60:
                return


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3]))
