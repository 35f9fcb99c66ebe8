"""All questions on generated graphs, compared with a plain search in Python."""

from __future__ import annotations

import math
import os
import random
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from question_search import LICENSES, METRICS, SPLITS, Row, Search, generate, write

from genai_graph import Answer, ask
from genai_graph.database import Connection

EXAMPLES = os.environ.get("GENAI_GRAPH_TEST_EXAMPLES")


def rows(answer: Answer) -> list[Row]:
    return [_comparable(tuple(row.values())) for row in answer]


def _comparable(row: Row) -> Row:
    """Replace NaN, which is not equal to itself."""
    return tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row)


def assert_equal(found: list[Row], expected: list[Row], *, is_ordered: bool = True) -> None:
    expected = list(map(_comparable, expected))
    assert Counter(map(str, found)) == Counter(map(str, expected))
    if is_ordered:
        assert found == expected


def left_out(answer: Answer) -> int:
    """Return the number of rows that could not be judged, from the notices."""
    return _sum_of(r"left out \(([\d,]+) in total\)", answer)


def _sum_of(pattern: str, answer: Answer) -> int:
    counts = re.findall(pattern, "\n".join(answer.notices))
    return sum(int(count.replace(",", "")) for count in counts)


def compare(seed: int, num_models: int) -> None:
    """Compare the answers of all questions on a generated graph."""
    graph = generate(seed, num_models)
    write(graph)
    search = Search(graph)
    chance = random.Random(seed)
    options: list[dict[str, Any]] = [
        {"split": None, "unit": None},
        {"split": chance.choice(list(SPLITS)), "unit": chance.choice((None, "", "ms"))},
    ]
    _compare_rankings(search, chance, options)
    for given_options in options:
        answer = ask("regressions", **given_options)
        expected, unknown = search.regressions(**given_options)
        assert_equal(rows(answer), expected)
        assert left_out(answer) == unknown
    contaminated = ask("contaminated-scores")
    expected, unknown = search.contaminated()
    assert_equal(rows(contaminated), expected)
    assert left_out(contaminated) == unknown
    _compare_lineage(search, chance)
    for min_shared in (1, 2):
        answer = ask("shared-data", min_shared=min_shared)
        assert_equal(rows(answer), search.shared_data(min_shared))
    assert_equal(rows(ask("stale-models")), search.stale_models())
    assert_equal(rows(ask("not-reproducible")), search.not_reproducible())
    assert_equal(rows(ask("orphans")), search.orphans())


def _compare_rankings(search: Search, chance: random.Random, options: list[dict[str, Any]]) -> None:
    datasets = sorted(search.graph.nodes["Dataset"])[:4]
    for metric in METRICS:
        for given_options in options:
            board = ask("best-models", metric=metric, **given_options)
            found = [
                (
                    row["dataset"],
                    row["best_model"],
                    row["value"],
                    row["candidates"],
                    (SPLITS[row["split"]][0], row["unit"] or ""),
                )
                for row in board
            ]
            assert_equal(found, search.best_models(metric, **given_options))
            assert _omitted(board) == search.omitted(metric, None, **given_options)
        dataset = chance.choice(datasets)
        for given_options in options:
            board = ask("leaderboard", metric=metric, dataset=dataset, **given_options)
            expected = search.leaderboard(metric, dataset, **given_options)
            # Of equal scores of a model in one run, any metric is shown.
            by_score = [row[:3] + row[5:] for row in rows(board)]
            assert_equal(by_score, [row[:3] + row[5:] for row in expected])
            assert _omitted(board) == search.omitted(metric, dataset, **given_options)


def _omitted(answer: Answer) -> tuple[int, int, int]:
    """Return how many scores have no rank, no dataset and no model, from the notices."""
    reasons = (
        r"not ranked: ([\d,]+) score",
        r"([\d,]+) .* without a dataset",
        r"([\d,]+) .* a model",
    )
    not_ranked, no_dataset, no_model = (_sum_of(reason, answer) for reason in reasons)
    return not_ranked, no_dataset, no_model


def _compare_lineage(search: Search, chance: random.Random) -> None:
    for licenses in (["MIT"], ["cc-by-4.0", "odd"], [name for name in LICENSES if name]):
        answer = ask("license-impact", licenses=licenses)
        assert_equal(rows(answer), search.license_impact(licenses))
    for dataset in chance.sample(sorted(search.graph.nodes["Dataset"]), 3):
        found = rows(ask("dataset-impact", dataset=dataset))
        assert_equal(found, [search.dataset_impact(dataset)])
    assert_equal(rows(ask("dependency-share")), search.dependency_share())
    chains = search.lineage()
    assert_equal(rows(ask("lineage")), chains)
    model = chance.choice(sorted(search.graph.nodes["Model"]))
    one = [row for row in chains if row[0] == model]
    assert_equal(rows(ask("lineage", model=model)), one)


def checked_with(examples: int, max_models: int) -> Any:
    """Run a test with generated graphs; the same ones each time, unless a number is given."""
    configure = settings(
        max_examples=int(EXAMPLES or examples),
        derandomize=EXAMPLES is None,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    generated = given(st.integers(0, 2**32), st.integers(1, max_models))
    return lambda test: configure(generated(test))


@pytest.mark.slow
@pytest.mark.timeout(300)
@example(seed=2, num_models=200)
@checked_with(examples=2, max_models=50)
def test_answers_are_those_of_a_search(graph: Connection, seed: int, num_models: int) -> None:
    compare(seed, num_models)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@checked_with(examples=10, max_models=50)
def test_many_answers_are_those_of_a_search(
    embedded: Connection, seed: int, num_models: int
) -> None:
    compare(seed, num_models)
