"""Notices: values that a question could not judge, and parameters that match no value exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from genai_graph.database import match_uid, query
from genai_graph.licenses import spdx_license
from genai_graph.questions.facts import IS_TRAINING, RUNS_THAT_COUNT, GraphFacts, strings
from genai_graph.questions.question import Question
from genai_graph.questions.spelling import key, other_spellings, similar_licenses
from genai_graph.questions.splits import canonical_name
from genai_graph.storage.suggestions import describe_missing_value

_NAME = "coalesce(toStringOrNull(s.name), 'unnamed')"  # other programs may have written a list
_MAX_NAMES = 5
_MAX_SCORES = 10_000  # scores of a metric that are searched for those without a dataset


@dataclass
class Omitted:
    """The values that the statement of a question left out, and the scores without a rank.

    `left_out` has the frequencies of the values of a column, by its name.
    """

    left_out: dict[str, Counter[str]]
    not_ranked: set[str] = field(default_factory=set)


def find_notices(
    question: Question, facts: GraphFacts, omitted: Omitted, *, is_empty: bool
) -> list[str]:
    """Return the notices of a question about its parameters, and about an answer without rows."""
    notices = _omitted(question, facts, omitted)
    if question.name in _NOTICES:
        notices += _NOTICES[question.name](facts, is_empty)
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
            notices.append(f"left out ({names.total():,} in total): {_listed(names)}: {reason}")
    if omitted.not_ranked:
        scores = f"{_count(len(omitted.not_ranked), 'score')} of {facts.values['metric']!r}"
        notices.append(f"not ranked: {scores}: {question.not_ranked}")
    return notices


# Rankings


def _ranking(facts: GraphFacts, is_empty: bool) -> list[str]:
    metric = facts.values["metric"]
    names, without_dataset, without_model = _read_ranking(facts)
    notices = []
    spellings = _count_spellings(facts, other_spellings(metric, names))
    if spellings:
        listed = _listed(spellings)
        notices.append(f"not included: scores with another spelling of {metric!r}: {listed}")
    if is_empty:
        is_explained = bool(spellings or without_dataset or without_model)
        notices += _no_scores(facts, is_explained=is_explained)
    for count, missing in (
        (without_dataset, "without a dataset"),
        (without_model, "of runs without a model"),
    ):
        if count:
            notices.append(f"left out: {_count(count, 'score')} of {metric!r} {missing}")
    return notices


def _read_ranking(facts: GraphFacts) -> tuple[list[str], int, int]:
    """Return names of metrics, and how many scores lack a dataset, and how many a model.

    If a dataset was asked for, the names and the scores without a model are those on it.
    """
    values = facts.values
    has_dataset = values.get("dataset") is not None
    first = "MATCH (s:Metric {name: $metric}) WITH s LIMIT $limit "
    if not has_dataset:
        names = "COLLECT { MATCH (s:Metric) WHERE s.name IS NOT NULL RETURN DISTINCT s.name }"
        on_dataset = f"{first} MATCH (s)-[:EVALUATED_ON]->(:Dataset)"
    else:
        names = "[]"
        on_dataset = (
            f"{match_uid('d', 'Dataset', '$dataset')} "
            "MATCH (d)<-[:EVALUATED_ON]-(s:Metric {name: $metric})"
        )
    groups = (
        "WITH DISTINCT s WITH coalesce(s.split, '') AS split, coalesce(s.unit, '') AS unit, "
        "count(*) AS scores RETURN [split, unit, scores]"
    )
    (row,) = query(
        f"RETURN {names} AS names, COLLECT {{ {first} "
        "WHERE NOT EXISTS { MATCH (s)-[:EVALUATED_ON]->(:Dataset) } "
        f"MATCH (s)<-[:HAS]-(x:Experiment) WHERE {RUNS_THAT_COUNT} {groups} }} AS without_dataset, "
        f"COLLECT {{ {on_dataset} MATCH (s)<-[:HAS]-(x:Experiment) WHERE {RUNS_THAT_COUNT} "
        "AND NOT EXISTS { MATCH (s)-[:MEASURES]->(:Model) } "
        f"AND NOT EXISTS {{ MATCH (x)-[:RUN]->(:Model) }} {groups} }} AS without_model",
        metric=values["metric"],
        dataset=values.get("dataset"),
        limit=_MAX_SCORES,
    )
    counts = [
        sum(
            scores
            for split, unit, scores in row[name]
            if values["split"] in (None, canonical_name(str(split)))
            and values["unit"] in (None, unit)
        )
        for name in ("without_dataset", "without_model")
    ]
    found = [group.name for group in facts.metrics] if has_dataset else row["names"]
    return [name for name in found if isinstance(name, str)], counts[0], counts[1]


def _count_spellings(facts: GraphFacts, names: list[str]) -> dict[str, int]:
    """Return the numbers of scores of metrics, on the dataset if one was asked for."""
    counts = Counter[str]()
    if facts.values.get("dataset") is not None:
        for group in facts.metrics:
            if group.name in names:
                counts[group.name] += group.total
    elif names:
        rows = query(
            "UNWIND $names AS name MATCH (s:Metric {name: name})<-[:HAS]-(x:Experiment) "
            f"WHERE {RUNS_THAT_COUNT} WITH name, count(*) AS scores "
            "RETURN collect([name, scores]) AS found",
            names=names,
        )
        counts.update(dict(rows[0]["found"]))
    return counts


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


# Comparisons


def _regressions(facts: GraphFacts, is_empty: bool) -> list[str]:
    del is_empty
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
        "unit": set(strings([group.unit for group in facts.metrics])),
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
        f"WITH DISTINCT s WITH {_NAME} AS name, count(*) AS scores "
        "RETURN collect([name, scores]) AS found"
    )
    return dict(rows[0]["found"])


def _contaminated_scores(facts: GraphFacts, is_empty: bool) -> list[str]:
    del is_empty
    counts = _count_not_checked(facts)
    return [
        f"left out: {_count(counts[missing].total(), 'score')} {text}: {_listed(counts[missing])}"
        for missing, text in (
            ("dataset", "without a dataset"),
            ("model", "of runs without a model"),
            ("training", "of models whose training data is unknown"),
        )
        if missing in counts
    ]


def _count_not_checked(facts: GraphFacts) -> dict[str, Counter[str]]:
    """Return how many scores lack a dataset, a model or training data, by the metric's name.

    The training data of a model is known if that of an ancestor is.
    """
    rows = query(
        f"MATCH (x:Experiment)-[:HAS]->(s:Metric) WHERE {RUNS_THAT_COUNT} "
        "WITH DISTINCT x, s, EXISTS { MATCH (s)-[:EVALUATED_ON]->(:Dataset) } AS has_dataset "
        "OPTIONAL MATCH (s)-[:MEASURES]->(measured:Model) "
        "OPTIONAL MATCH (x)-[run:RUN]->(ran:Model) "
        "WHERE measured IS NULL AND (coalesce(run.role, 'output') = 'output' OR NOT EXISTS { "
        "MATCH (x)-[out:RUN]->(:Model) WHERE coalesce(out.role, 'output') = 'output' }) "
        "WITH has_dataset, CASE WHEN has_dataset THEN coalesce(measured, ran) END AS m, "
        "collect(DISTINCT s) AS scores "
        "CALL (m) { "
        "UNWIND [m.uid] + coalesce($ancestors[toStringOrNull(m.uid)], []) AS uid "
        f"{match_uid('near', 'Model', 'uid')} MATCH (near)-[data:TRAINED_ON]->(:Dataset) "
        f"WHERE {IS_TRAINING} WITH data LIMIT 1 RETURN count(data) AS trainings }} "
        "WITH scores, CASE WHEN NOT has_dataset THEN 'dataset' WHEN m IS NULL THEN 'model' "
        "WHEN trainings = 0 THEN 'training' END AS missing WHERE missing IS NOT NULL "
        f"UNWIND scores AS s WITH missing, {_NAME} AS name, count(DISTINCT s) AS scores "
        "RETURN collect([missing, name, scores]) AS found",
        ancestors=facts.ancestors(),
    )
    counts: dict[str, Counter[str]] = {}
    for missing, name, scores in rows[0]["found"]:
        counts.setdefault(missing, Counter())[name] += scores
    return counts


# Licenses


def _license_impact(facts: GraphFacts, is_empty: bool) -> list[str]:
    del is_empty
    asked, (known, without) = facts.values["licenses"], facts.licenses
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
    if without:
        notices.append(f"left out: {_count(without, 'dataset')} without a license")
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


_NOTICES: dict[str, Callable[[GraphFacts, bool], list[str]]] = {
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
