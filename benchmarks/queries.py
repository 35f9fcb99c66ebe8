"""Lookups and questions, compared with the round trip of a minimal query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import hub
from benchmarks.measurement import Contender, clock
from benchmarks.sample import Sample
from genai_graph import Dataset, Model, ask, query
from genai_graph.questions import get_question, list_questions
from genai_graph.storage.lookups import find_nodes

ALL = "Questions"
FROM_A_NODE = "Questions that start from a node"
LOOKUPS = "Lookups"
_ROUND_TRIP = "one node by its uid"
_FIRST_ROWS = 100
_REPETITIONS = 20


def questions() -> list[Contender]:
    """Return all questions, for the graph of `hub`."""
    values = {
        "licenses": [hub.RARE_LICENSE],
        "dataset": hub.dataset(0),
        "metric": "accuracy",
        "model": None,
        "min_shared": 1,
    }
    asked = [question(ALL, name, values, _FIRST_ROWS) for name in list_questions()]
    all_rows = question(ALL, "shared-data", values, 0, "shared-data, all rows")
    return [round_trip(ALL, hub.dataset(0)), *asked, all_rows]


def questions_from_a_node(sample: Sample) -> list[Contender]:
    """Return the questions that start from a node; its license is set to a rare one."""
    dataset, model = (_typical(sample, label) for label in ("Dataset", "Model"))
    Dataset.upsert(uid=dataset, license=hub.RARE_LICENSE)
    values = {
        "licenses": [hub.RARE_LICENSE],
        "dataset": dataset,
        "metric": "accuracy",
        "model": model,
    }
    selected = ("license-impact", "dataset-impact", "leaderboard", "lineage")
    asked = [question(FROM_A_NODE, name, values) for name in selected]
    return [round_trip(FROM_A_NODE, dataset), *asked]


def lookups(sample: Sample) -> list[Contender]:
    """Return lookups of one node, and one step from it."""
    uid = _typical(sample, "Model")
    model = Model.nodes.get(uid=uid)
    return [
        _lookup("RETURN 1", lambda: query("RETURN 1 AS one")),
        _lookup("Model.nodes.get(uid=...)", lambda: Model.nodes.get(uid=uid)),
        _lookup("Model.nodes.filter(name=...)", Model.nodes.filter(name=model.name).all),
        _lookup("model.trained_on.all()", model.trained_on.all),
    ]


def _lookup(name: str, function: Callable[[], object]) -> Contender:
    def run() -> dict[str, float]:
        with clock() as time:
            for _ in range(_REPETITIONS):
                function()
        return {LOOKUPS: time.seconds * 1000 / _REPETITIONS}

    return Contender(name, run)


def _typical(sample: Sample, label: str) -> str:
    """Return the uid of a node that has parents and children."""
    rows = sample.nodes[label]
    return rows[len(rows) // 50][0]


def question(
    title: str, name: str, values: Mapping[str, Any], limit: int = 0, label: str | None = None
) -> Contender:
    """Return a question; `values` has its parameters, and may have others."""
    parameters = {key: values.get(key) for key in get_question(name).parameters}

    def run() -> dict[str, float]:
        with clock() as time:
            ask(name, limit=limit, **parameters)
        return {title: time.seconds * 1000}

    return Contender(label or name, run)


def round_trip(title: str, uid: str) -> Contender:
    """Return the lookup of a dataset, the baseline of the questions."""

    def run() -> dict[str, float]:
        with clock() as time:
            find_nodes("Dataset", [uid])
        return {title: time.seconds * 1000}

    return Contender(_ROUND_TRIP, run)
