"""Long-running test with mutated fixtures: `python tests/soak.py [MINUTES] [SEED]`.

Runs the mutation tests in every format with new examples: each example is checked and, if valid,
loaded twice into a separate engine. Prints the number of examples, the duration and the seed of
each round; the first failure ends the run, and the seed reproduces it.
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
# A longer gap between two examples means that the process was suspended.
MAX_GAP = 5.0


class Clock:
    """Counts examples and running time, without the time of suspensions."""

    def __init__(self) -> None:
        self.examples = 0
        self.loaded = 0
        self.seconds = 0.0
        self._last = time.monotonic()

    def tick(self) -> None:
        """Count an example."""
        now = time.monotonic()
        self.examples += 1
        self.seconds += min(now - self._last, MAX_GAP)
        self._last = now


Check = Callable[..., str]


def check_file(name: str) -> Check:
    def check(data: bytes) -> str:
        test_mutations.assert_valid_or_located_errors(name, data)
        return name

    return check


def check_csv_file(file: tuple[str, bytes]) -> str:
    test_csv.assert_valid_or_located_errors(*file)
    return "f"


FORMATS: dict[str, tuple[st.SearchStrategy[object], Check]] = {
    **{name: (strategy, check_file(name)) for name, strategy in test_mutations.CORRUPTED.items()},
    "csv": (test_csv.corrupted_files(), check_csv_file),
}


def run_round(
    strategy: st.SearchStrategy[object], check: Check, seed_number: int, clock: Clock
) -> None:
    """Check `EXAMPLES` mutated fixtures of a format, and load the valid ones."""

    @seed(seed_number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def check_example(example: object) -> None:
        clock.tick()
        clock.loaded += test_mutations.assert_loads_twice_or_is_invalid(check(example))

    check_example()


def main(minutes: float = 60, first: int | None = None) -> None:
    """Run rounds over all formats until the time has elapsed."""
    first = random.randrange(1_000_000_000) if first is None else first
    home = tempfile.mkdtemp(prefix="genai-graph-soak-")
    os.environ["GENAI_GRAPH_HOME"] = str(Path(home, "home"))
    os.environ.pop("NEO4J_URI", None)
    os.chdir(home)
    clock = Clock()
    with genai_graph.connect():
        for number in itertools.count(first):
            for strategy, check in FORMATS.values():
                run_round(strategy, check, number, clock)
            print(  # noqa: T201
                f"seed {number}: {clock.examples:,} examples, {clock.loaded:,} of them loaded, "
                f"{clock.seconds / 60:.1f} minutes, no failure",
                flush=True,
            )
            if clock.seconds > minutes * 60:
                return


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3]))
