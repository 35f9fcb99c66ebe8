"""Spoil fixtures for as long as is wanted: `python tests/soak.py [MINUTES] [SEED]`.

It does what test_mutations.py does, with other examples each time, and prints how many there were
and the seed of each round. A failure ends it; with the seed it can be had again.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import tempfile
import time

from hypothesis import HealthCheck, given, seed, settings
from test_mutations import SPOILT, assert_checked_or_refused_with_a_place

EXAMPLES = 500


def spoil(name: str, number: int) -> int:
    """Check so many spoilt fixtures of a format, and return how many there were."""
    count = 0

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(SPOILT[name])
    def check(data: bytes) -> None:
        nonlocal count
        count += 1
        assert_checked_or_refused_with_a_place(name, data)

    check()
    return count


def main(minutes: float = 60, first: int | None = None) -> None:
    """Go round the formats until the time is over."""
    end = time.monotonic() + minutes * 60
    first = random.randrange(1_000_000_000) if first is None else first
    count = 0
    os.chdir(tempfile.mkdtemp(prefix="genai-graph-soak-"))
    for number in itertools.count(first):
        for name in SPOILT:
            count += spoil(name, number)
        print(f"seed {number}: {count:,} examples, no failure", flush=True)  # noqa: T201
        if time.monotonic() > end:
            return


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3]))
