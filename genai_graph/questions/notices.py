"""Notices: what a question could not judge, and values that the graph has in another form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from genai_graph.database import query
from genai_graph.licenses import spdx_license
from genai_graph.questions.facts import RUNS_THAT_COUNT, GraphFacts
from genai_graph.questions.question import Question
from genai_graph.questions.spelling import key, other_spellings, similar_licenses
from genai_graph.questions.splits import canonical_name
from genai_graph.storage.suggestions import describe_missing_value

_MAX_NAMES = 5
_MAX_SCORES = 10_000  # scores of a metric that are searched for those without a dataset

Rows = Sequence[Mapping[str, Any]]


class Omitted(NamedTuple):
    """What the statement of a question did not judge, and the number of scores without a rank.

    `left_out` has the values of a column by its name, one for each row.
    """

    left_out: Mapping[str, Sequence[str]]
    not_ranked: int


def find_notices(question: Question, facts: GraphFacts, rows: Rows, omitted: Omitted) -> list[str]:
    """Return the notices of a question about its parameters and rows."""
    notices = _omitted(question, facts, omitted)
    if question.name in _NOTICES:
        notices += _NOTICES[question.name](facts, rows)
    if facts.depth_of_cut:
        notices.append(
            f"incomplete: lineage was followed over {facts.depth_of_cut} steps only, because more "
            "nodes depend on each other than a question can hold"
        )
    return notices


def _omitted(question: Question, facts: GraphFacts, omitted: Omitted) -> list[str]:
    notices = []
    for column, names in omitted.left_out.items():
        if names:
            reason = question.left_out[column]
            listed = _listed(Counter(names))
            notices.append(f"left out ({len(names):,} in total): {listed}: {reason}")
    if omitted.not_ranked:
        scores = f"{_count(omitted.not_ranked, 'score')} of {facts.values['metric']!r}"
        notices.append(f"not ranked: {scores}: {question.not_ranked}")
    return notices


# Rankings


def _ranking(facts: GraphFacts, rows: Rows) -> list[str]:
    metric = facts.values["metric"]
    counts = Counter[str]()
    for group in facts.metrics:
        counts[group.name] += group.total
    spellings = other_spellings(metric, counts)
    notices = []
    if spellings:
        listed = _listed({name: counts[name] for name in spellings})
        notices.append(f"not included: scores with another spelling of {metric!r}: {listed}")
    without_dataset, without_model = _count_incomplete(facts)
    if not rows:
        is_explained = bool(spellings or without_dataset or without_model)
        notices += _no_scores(facts, is_explained=is_explained)
    for count, missing in (
        (without_dataset, "without a dataset"),
        (without_model, "of runs without a model"),
    ):
        if count:
            notices.append(f"left out: {_count(count, 'score')} of {metric!r} {missing}")
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
    reason = "all are of failed or killed runs"
    return [missing or f"no scores of {metric!r}{place} to compare: {reason}"]


def _datasets_with(metric: str) -> list[str]:
    rows = query(
        "MATCH (s:Metric {name: $metric}) WITH s LIMIT $limit "
        f"MATCH (s)<-[:HAS]-(x:Experiment) WHERE {RUNS_THAT_COUNT} "
        "MATCH (s)-[:EVALUATED_ON]->(d:Dataset) RETURN collect(DISTINCT d.uid) AS uids",
        metric=metric,
        limit=_MAX_SCORES,
    )
    return sorted(rows[0]["uids"])


def _count_incomplete(facts: GraphFacts) -> tuple[int, int]:
    """Return how many scores lack a dataset, and how many on the dataset have no model."""
    values = facts.values
    rows = query(
        "MATCH (s:Metric {name: $metric}) WITH s LIMIT $limit "
        f"MATCH (s)<-[:HAS]-(x:Experiment) WHERE {RUNS_THAT_COUNT} "
        "OPTIONAL MATCH (s)-[:EVALUATED_ON]->(d:Dataset) "
        "WITH s, x, d WHERE d IS NULL OR (($dataset IS NULL OR d.uid = $dataset) "
        "AND NOT EXISTS { MATCH (s)-[:MEASURES]->(:Model) } "
        "AND NOT EXISTS { MATCH (x)-[:RUN]->(:Model) }) "
        "WITH coalesce(s.split, '') AS split, coalesce(s.unit, '') AS unit, "
        "count(DISTINCT CASE WHEN d IS NULL THEN s.uid END) AS without_dataset, "
        "count(DISTINCT CASE WHEN d IS NOT NULL THEN s.uid END) AS without_model "
        "RETURN collect([split, unit, without_dataset, without_model]) AS found",
        metric=values["metric"],
        dataset=values.get("dataset"),
        limit=_MAX_SCORES,
    )
    found = [
        counts
        for split, unit, *counts in rows[0]["found"]
        if values["split"] in (None, canonical_name(str(split))) and values["unit"] in (None, unit)
    ]
    return sum(counts[0] for counts in found), sum(counts[1] for counts in found)


# Comparisons


def _regressions(facts: GraphFacts, rows: Rows) -> list[str]:
    del rows
    notices = _unknown_filters(facts)
    names = {group.name for group in facts.metrics}
    variants = {name: key(name) for name in names if other_spellings(name, names)}
    if variants and (pairs := _variants_of_parents(variants)):
        notices.append(f"not compared: metrics spelled differently: {_quoted(pairs)}")
    if any(group.total > group.with_dataset for group in facts.metrics):
        without = _without_dataset_in_lineage()
        if without:
            total = sum(without.values())
            notices.append(
                f"left out: {_count(total, 'score')} without a dataset: {_listed(without)}"
            )
    return notices


def _unknown_filters(facts: GraphFacts) -> list[str]:
    """Explain that no score has the split or the unit that was asked for."""
    known = {
        "split": set(facts.split_names().values()),
        "unit": {group.unit for group in facts.metrics},
    }
    return [
        f"no scores with the {name} {facts.values[name]!r}: expected {_quoted(found - {''})}"
        for name, found in known.items()
        if facts.values[name] is not None and facts.values[name] not in found
    ]


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
        f"WHERE {RUNS_THAT_COUNT} "
        "MATCH (x)-[:HAS]->(s:Metric) WHERE NOT EXISTS { MATCH (s)-[:EVALUATED_ON]->(:Dataset) } "
        "WITH DISTINCT s WITH s.name AS name, count(*) AS scores "
        "RETURN collect([name, scores]) AS found"
    )
    return dict(rows[0]["found"])


def _contaminated_scores(facts: GraphFacts, rows: Rows) -> list[str]:
    del rows
    without_dataset = Counter[str]()
    for group in facts.metrics:
        without_dataset[group.name] += group.total - group.with_dataset
    return [
        f"left out: {_count(counts.total(), 'score')} {missing}: {_listed(+counts)}"
        for counts, missing in (
            (without_dataset, "without a dataset"),
            (_count_without_model(), "of runs without a model"),
        )
        if counts.total()
    ]


def _count_without_model() -> Counter[str]:
    """Return how many scores on a dataset have no model, by the name of the metric."""
    rows = query(
        f"MATCH (x:Experiment) WHERE {RUNS_THAT_COUNT} "
        "AND NOT EXISTS { MATCH (x)-[:RUN]->(:Model) } "
        "MATCH (x)-[:HAS]->(s:Metric)-[:EVALUATED_ON]->(:Dataset) "
        "WHERE NOT EXISTS { MATCH (s)-[:MEASURES]->(:Model) } "
        "WITH DISTINCT s WITH s.name AS name, count(*) AS scores "
        "RETURN collect([name, scores]) AS found"
    )
    return Counter(dict(rows[0]["found"]))


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
    if own := _models_with_license(asked):
        notices.append(
            "not included: models that have such a license themselves, and models derived from "
            f"them: {_listed(own)}"
        )
    return notices


def _models_with_license(licenses: Iterable[str]) -> dict[str, int]:
    """Return the number of models that have a license themselves, by license.

    Finds the usual spellings only, which an index does: a graph may have many models.
    """
    spellings = {
        spelling
        for name in licenses
        for spelling in (name, name.lower(), name.upper(), name.title(), spdx_license(name))
    }
    rows = query(
        "UNWIND $licenses AS license MATCH (m:Model {license: license}) "
        "WITH license, count(*) AS models RETURN collect([license, models]) AS found",
        licenses=sorted(spellings),
    )
    return dict(rows[0]["found"])


_NOTICES: dict[str, Callable[[GraphFacts, Rows], list[str]]] = {
    "best-models": _ranking,
    "contaminated-scores": _contaminated_scores,
    "leaderboard": _ranking,
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
