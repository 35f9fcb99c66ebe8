"""Notices: what a question could not judge, and values that the graph has in another form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from genai_graph.database import query
from genai_graph.questions.facts import GraphFacts
from genai_graph.questions.question import Question
from genai_graph.questions.spelling import key, other_spellings, similar_licenses
from genai_graph.storage.suggestions import describe_missing_value

_MAX_NAMES = 5
_MAX_SCORES = 10_000  # scores of a metric that are searched for those without a dataset

Rows = Sequence[Mapping[str, Any]]


def describe_not_judged(question: Question, names: Iterable[str]) -> list[str]:
    """Return the notice for rows that the statement could not judge."""
    counts = Counter(names)
    if not counts or question.not_judged is None:
        return []
    total = sum(counts.values())
    return [f"not judged ({total:,} in total): {_listed(counts)}: {question.not_judged[1]}"]


def find_notices(question: Question, facts: GraphFacts, rows: Rows) -> list[str]:
    """Return the notices of a question about its parameters and rows."""
    notices = _NOTICES[question.name](facts, rows) if question.name in _NOTICES else []
    if facts.depth_of_cut:
        notices.append(
            f"incomplete: lineage was followed over {facts.depth_of_cut} steps only, because more "
            "nodes depend on each other than a question can hold"
        )
    return notices


# Rankings


def _leaderboard(facts: GraphFacts, rows: Rows) -> list[str]:
    unranked = [row for row in rows if row["rank"] is None and row["value"] == row["value"]]
    return _unranked(facts, len(unranked)) + _about_metric(facts, rows)


def _best_models(facts: GraphFacts, rows: Rows) -> list[str]:
    unranked = sum(row["candidates"] for row in rows if row["best_model"] is None)
    return _unranked(facts, unranked) + _about_metric(facts, rows)


def _unranked(facts: GraphFacts, count: int) -> list[str]:
    if not count:
        return []
    scores = f"{_count(count, 'score')} of {facts.values['metric']!r}"
    return [
        f"not ranked: {scores}: it is unknown whether greater is better, or the scores contradict "
        "each other; set greater_is_better"
    ]


def _about_metric(facts: GraphFacts, rows: Rows) -> list[str]:
    metric = facts.values["metric"]
    counts = Counter[str]()
    for group in facts.metrics:
        counts[group.name] += group.total
    spellings = other_spellings(metric, counts)
    notices = []
    if spellings:
        listed = _listed({name: counts[name] for name in spellings})
        notices.append(f"not included: scores with another spelling of {metric!r}: {listed}")
    without = _count_without_dataset(metric)
    if not rows:
        notices += _no_scores(facts, is_explained=bool(spellings or without))
    if without:
        notices.append(f"not judged: {_count(without, 'score')} of {metric!r} without a dataset")
    return notices


def _no_scores(facts: GraphFacts, *, is_explained: bool) -> list[str]:
    """Explain an empty ranking, unless another notice does."""
    metric, dataset = facts.values["metric"], facts.values.get("dataset")
    on_dataset = [group for group in facts.metrics if group.name == metric and group.with_dataset]
    place = "" if dataset is None else f" on {dataset!r}"
    if on_dataset:
        found = {
            name: {
                repr(getattr(group, name)) if getattr(group, name) else "empty"
                for group in on_dataset
            }
            for name in ("split", "unit")
            if facts.values[name] is not None
        }
        known = "; ".join(f"the {name} is {' or '.join(sorted(v))}" for name, v in found.items())
        return [f"no scores of {metric!r}{place} to compare{known and f': {known}'}"]
    elsewhere = [uid for uid in _datasets_with(metric) if dataset not in (None, uid)]
    if elsewhere:
        return [f"no scores of {metric!r}{place}, but on {_quoted(elsewhere)}"]
    if is_explained:
        return []
    missing = describe_missing_value("Metric", "name", [metric])
    reason = "all are of failed or killed runs, or of runs without a model"
    return [missing or f"no scores of {metric!r}{place} to compare: {reason}"]


def _datasets_with(metric: str) -> list[str]:
    rows = query(
        "MATCH (s:Metric {name: $metric}) WITH s LIMIT $limit "
        "MATCH (s)<-[:HAS]-(x:Experiment) WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED'] "
        "MATCH (s)-[:EVALUATED_ON]->(d:Dataset) RETURN collect(DISTINCT d.uid) AS uids",
        metric=metric,
        limit=_MAX_SCORES,
    )
    return sorted(rows[0]["uids"])


def _count_without_dataset(metric: str) -> int:
    rows = query(
        "MATCH (s:Metric {name: $metric}) WITH s LIMIT $limit "
        "WHERE NOT EXISTS { MATCH (s)-[:EVALUATED_ON]->(:Dataset) } "
        "MATCH (s)<-[:HAS]-(x:Experiment) WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED'] "
        "RETURN count(DISTINCT s) AS found",
        metric=metric,
        limit=_MAX_SCORES,
    )
    return int(rows[0]["found"])


# Comparisons


def _regressions(facts: GraphFacts, rows: Rows) -> list[str]:
    del rows
    notices = []
    names = {group.name for group in facts.metrics}
    variants = {name: key(name) for name in names if other_spellings(name, names)}
    if variants and (pairs := _variants_of_parents(variants)):
        notices.append(f"not compared: metrics spelled differently: {_quoted(pairs)}")
    if any(group.total > group.with_dataset for group in facts.metrics):
        without = _without_dataset_in_lineage()
        if without:
            total = sum(without.values())
            notices.append(
                f"not judged: {_count(total, 'score')} without a dataset: {_listed(without)}"
            )
    return notices


def _variants_of_parents(variants: Mapping[str, str]) -> list[str]:
    """Return those names that a child has in one spelling and its parent in another."""
    rows = query(
        "UNWIND $names AS name MATCH (s:Metric {name: name}) "
        "MATCH (s)<-[:HAS]-(:Experiment)-[:RUN]->(m:Model) WITH DISTINCT name, m "
        "MATCH (m)-[:DERIVED_FROM]->(:Model)<-[:RUN]-(:Experiment)-[:HAS]->(other:Metric) "
        "WHERE other.name <> name AND other.name IN $names AND $keys[other.name] = $keys[name] "
        "WITH collect(DISTINCT name) + collect(DISTINCT other.name) AS found "
        "UNWIND found AS one RETURN collect(DISTINCT one) AS found",
        names=sorted(variants),
        keys=dict(variants),
    )
    return sorted(rows[0]["found"])


def _without_dataset_in_lineage() -> dict[str, int]:
    """Return the scores of parents and children without a dataset, by name."""
    rows = query(
        "MATCH (child:Model)-[:DERIVED_FROM]->(parent:Model) UNWIND [child, parent] AS m "
        "WITH DISTINCT m MATCH (m)<-[:RUN]-(x:Experiment) "
        "WHERE NOT coalesce(x.status, '') IN ['FAILED', 'KILLED'] "
        "MATCH (x)-[:HAS]->(s:Metric) WHERE NOT EXISTS { MATCH (s)-[:EVALUATED_ON]->(:Dataset) } "
        "WITH DISTINCT s WITH s.name AS name, count(*) AS scores "
        "RETURN collect([name, scores]) AS found"
    )
    return dict(rows[0]["found"])


def _contaminated_scores(facts: GraphFacts, rows: Rows) -> list[str]:
    del rows
    without = Counter[str]()
    for group in facts.metrics:
        without[group.name] += group.total - group.with_dataset
    total = sum(without.values())
    if not total:
        return []
    return [f"not judged: {_count(total, 'score')} without a dataset: {_listed(+without)}"]


# Licenses


def _license_impact(facts: GraphFacts, rows: Rows) -> list[str]:
    del rows
    asked, known = facts.values["licenses"], facts.licenses
    included = {*asked, *facts.spellings()}
    notices = []
    for name in asked:
        similar = set(similar_licenses(name, known)) - included
        if similar:
            notices.append(f"not included: licenses similar to {name!r}: {_quoted(similar)}")
    keys = {key(name) for name in known}
    if missing := [name for name in asked if key(name) not in keys]:
        notices.append(describe_missing_value("Dataset", "license", missing))
    return notices


_NOTICES: dict[str, Callable[[GraphFacts, Rows], list[str]]] = {
    "best-models": _best_models,
    "contaminated-scores": _contaminated_scores,
    "leaderboard": _leaderboard,
    "license-impact": _license_impact,
    "regressions": _regressions,
}


# Text


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(counts: Mapping[str, int]) -> str:
    """Return names with their counts, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    shown = [f"{name!r} ({count:,})" for name, count in ordered[:_MAX_NAMES]]
    return ", ".join(shown) + _more(len(ordered) - len(shown))


def _quoted(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(map(repr, ordered[:_MAX_NAMES])) + _more(len(ordered) - _MAX_NAMES)


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""
