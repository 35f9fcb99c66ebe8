"""Asking: nodes, their neighbours, and each question, beside the shortest way there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import hub
from benchmarks.measuring import Contender, clock
from benchmarks.sample import Sample
from genai_graph import Dataset, Model, ask, query
from genai_graph.questions import get_question, list_questions
from genai_graph.storage.lookups import find_nodes

ALL = "Questions"
FROM_A_NODE = "Questions that start from a node"
LOOKUPS = "Lookups"
_ROUND_TRIP = "one node by its uid"
_FIRST = 100
_TIMES = 20


def questions() -> list[Contender]:
    """Return all questions, for the graph of the hub."""
    values = {
        "licenses": [hub.RARE_LICENSE],
        "dataset": hub.dataset(0),
        "metric": "accuracy",
        "model": None,
        "min_shared": 1,
    }
    asked = [_asking(ALL, name, values, _FIRST) for name in list_questions()]
    everything = _asking(ALL, "shared-data", values, 0, "shared-data, all of its rows")
    return [_round_trip(ALL, hub.dataset(0)), *asked, everything]


def from_a_node(sample: Sample) -> list[Contender]:
    """Return those that start from a node, one of many like it; its license becomes a rare one."""
    dataset, model = (_typical(sample, label) for label in ("Dataset", "Model"))
    Dataset.upsert(uid=dataset, license=hub.RARE_LICENSE)
    values = {
        "licenses": [hub.RARE_LICENSE],
        "dataset": dataset,
        "metric": "accuracy",
        "model": model,
    }
    started = ("license-impact", "dataset-impact", "leaderboard", "lineage")
    asked = [_asking(FROM_A_NODE, name, values) for name in started]
    return [_round_trip(FROM_A_NODE, dataset), *asked]


def lookups(sample: Sample) -> list[Contender]:
    """Return what finds one node, and what goes one step from there."""
    uid = _typical(sample, "Model")
    model = Model.nodes.get(uid=uid)
    return [
        _looking("RETURN 1", lambda: query("RETURN 1 AS one")),
        _looking("Model.nodes.get(uid=...)", lambda: Model.nodes.get(uid=uid)),
        _looking("Model.nodes.filter(name=...)", Model.nodes.filter(name=model.name).all),
        _looking("model.trained_on.all()", model.trained_on.all),
    ]


def _looking(name: str, look: Callable[[], object]) -> Contender:
    def run() -> dict[str, float]:
        with clock() as looking:
            for _ in range(_TIMES):
                look()
        return {LOOKUPS: looking.seconds * 1000 / _TIMES}

    return Contender(name, run)


def _typical(sample: Sample, label: str) -> str:
    """Return the uid of a node that has parents and children."""
    rows = sample.nodes[label]
    return rows[len(rows) // 50][0]


def _asking(
    title: str, name: str, values: Mapping[str, Any], limit: int = 0, told: str | None = None
) -> Contender:
    given = {key: values[key] for key in get_question(name).parameters}

    def run() -> dict[str, float]:
        with clock() as asking:
            ask(name, limit=limit, **given)
        return {title: asking.seconds * 1000}

    return Contender(told or name, run)


def _round_trip(title: str, uid: str) -> Contender:
    def run() -> dict[str, float]:
        with clock() as reading:
            find_nodes("Dataset", [uid])
        return {title: reading.seconds * 1000}

    return Contender(_ROUND_TRIP, run)
