"""Scores of model cards: their values, names and datasets."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from genai_graph.importers.hub_ids import hub_id
from genai_graph.importers.safe_yaml import text_of
from genai_graph.properties.messages import describe

_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_PLAIN = re.compile(rf"{_NUMBER}\Z")
_DEVIATION = re.compile(rf"({_NUMBER})\s*(?:\+/-|\+-|±)\s*({_NUMBER})\Z")
_PERCENT = re.compile(rf"({_NUMBER})\s*%\Z")
# Types of datasets in cards that are the names of splits; `unknown` stands for no dataset.
_SPLITS = frozenset(["dev", "validation", "test", "train", "eval"])
_UNKNOWN = "unknown"
_DEFAULT_CONFIGS = frozenset(["default", "plain_text"])


class Value(NamedTuple):
    """A number, with its unit and the deviation after ``+/-``."""

    number: float
    unit: str | None = None
    plus_minus: float | None = None


class ScoredDataset(NamedTuple):
    """A dataset of a score: its id on the Hub, a config of it, and a split."""

    id: str | None
    config: str | None = None
    split: str | None = None

    @property
    def uid(self) -> str | None:
        """The id, with the config."""
        return self.id if self.id is None or self.config is None else f"{self.id}:{self.config}"


@dataclass
class Score:
    """One metric of a result: `line` is its place in the card."""

    type: str
    name: str | None
    value: Any
    dataset: ScoredDataset
    line: int
    metadata: dict[str, Any] = field(default_factory=dict)


class InvalidResult(NamedTuple):
    """A part of a model index that can't be read."""

    line: int
    message: str


def parse_value(value: Any) -> Value | None:
    """Return the value of a score, or None if it is not a number, or too large for a float."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return Value(float(value))
    if not isinstance(value, str):
        return None
    text = value.strip()
    if found := _DEVIATION.match(text):
        parsed = Value(float(found[1]), plus_minus=float(found[2]))
    elif found := _PERCENT.match(text):
        parsed = Value(float(found[1]), unit="%")
    elif _PLAIN.match(text):
        parsed = Value(float(text))
    else:
        return None
    return None if math.inf in (abs(parsed.number), parsed.plus_minus) else parsed


def scored_dataset(type_: str | None, config: str | None, split: str | None) -> ScoredDataset:
    """Return the dataset of a score by the type, config and split of a result."""
    if not type_ or type_.lower() == _UNKNOWN:
        return ScoredDataset(None, None, split)
    if type_.lower() in _SPLITS:
        return ScoredDataset(None, None, split or type_)
    id_ = hub_id(type_)
    is_whole = (
        not config
        or config in _DEFAULT_CONFIGS
        or config in (id_, id_.rpartition("/")[2])
        or "--" in config
    )
    return ScoredDataset(id_, None if is_whole else config, split)


def read_model_index(index: Any, line: int) -> Iterator[Score | InvalidResult]:
    """Yield the scores of a model index, each read on its own."""
    if isinstance(index, dict):
        index = [index]
    if not isinstance(index, list):
        yield InvalidResult(line, f"model-index: expected a list, got {describe(index)}")
        return
    for entry, at in _with_lines(index, line):
        if not isinstance(entry, dict):
            yield InvalidResult(at, f"model-index: expected a map, got {describe(entry)}")
            continue
        results = entry.get("results")
        if results is None:  # or the entry itself is a result
            results = [entry] if entry.keys() & {"metrics", "metric"} else []
        results = [results] if isinstance(results, dict) else results
        if not isinstance(results, list):
            yield InvalidResult(at, f"results: expected a list, got {describe(results)}")
            continue
        for result, result_line in _with_lines(results, at):
            yield from _read_result(result, result_line)


def _with_lines(items: list[Any], line: int) -> Iterator[tuple[Any, int]]:
    """Yield items with their lines; a list without lines has the given one for each."""
    return zip(items, getattr(items, "lines", [line] * len(items)), strict=True)


def _read_result(result: Any, line: int) -> Iterator[Score | InvalidResult]:
    if not isinstance(result, dict):
        yield InvalidResult(line, f"result: expected a map, got {describe(result)}")
        return
    metrics = result.get("metrics", result.get("metric"))
    metrics = [metrics] if isinstance(metrics, dict) else metrics
    if not isinstance(metrics, list):
        if metrics is not None:
            yield InvalidResult(line, f"metrics: expected a list, got {describe(metrics)}")
        return
    dataset, metadata = _read_dataset(result)
    for metric, at in _with_lines(metrics, line):
        if not isinstance(metric, dict):
            yield InvalidResult(at, f"metric: expected a map, got {describe(metric)}")
            continue
        name = text_of(metric.get("name")) or None
        type_ = text_of(metric.get("type")) or name
        if type_ is None:
            yield InvalidResult(at, "metric: has no type")
            continue
        known = ["value", "verified"] if "args" in metadata else ["value", "verified", "args"]
        rest = _other_values(metric, ("type", "name"), known)
        own = {
            "args": metadata.get("args", metric.get("args")),
            "card": {**metadata.get("card", {}), **rest} or None,
            "name": name if name != type_ else None,
            "verified": metric.get("verified"),
        }
        given = {key: value for key, value in own.items() if value is not None}
        yield Score(type_, name, metric.get("value"), dataset, at, {**metadata, **given})


def _other_values(
    given: dict[str, Any], texts: Collection[str], others: Collection[str] = ()
) -> dict[str, Any]:
    """Return the values without the keys `others`, and without the keys `texts` that have texts."""
    return {
        key: value
        for key, value in given.items()
        if value is not None and key not in others and (key not in texts or text_of(value) is None)
    }


def _read_dataset(result: dict[str, Any]) -> tuple[ScoredDataset, dict[str, Any]]:
    """Return the dataset of a result, and the metadata of its scores."""
    given = result.get("dataset")
    given = given if isinstance(given, dict) else {"type": given}
    args = given.get("args")
    config = text_of(given.get("config"))
    if config is None and isinstance(args, str):
        config = args
    type_ = text_of(given.get("type")) or None
    dataset = scored_dataset(type_, config, text_of(given.get("split")) or None)
    task = result.get("task")
    task_type = text_of(task.get("type") if isinstance(task, dict) else task)
    name = text_of(given.get("name"))
    rest = _other_values(result, (), ("dataset", "metrics", "metric", "results", "source", "task"))
    rest["dataset"] = _other_values(
        given, ("type", "name", "config", "split", "revision"), ("args",)
    )
    rest["task"] = task if task_type is None else None
    metadata = {
        "args": None if args == config else args,
        "card": {key: value for key, value in rest.items() if value} or None,
        "dataset": name if name != type_ else None,
        "revision": text_of(given.get("revision")),
        "source": result.get("source"),
        "task": task_type,
    }
    return dataset, {key: value for key, value in metadata.items() if value is not None}


def read_eval_results(content: Any) -> Iterator[Score | InvalidResult]:
    """Yield the scores of a file in ``.eval_results``; the metric is named by its task."""
    entries = [content] if isinstance(content, dict) else content
    if not isinstance(entries, list):
        yield InvalidResult(1, f"expected a list of results, got {describe(content)}")
        return
    for entry, line in _with_lines(entries, 1):
        if not isinstance(entry, dict):
            yield InvalidResult(line, f"result: expected a map, got {describe(entry)}")
            continue
        given = entry.get("dataset")
        given = given if isinstance(given, dict) else {"id": given}
        config = text_of(given.get("config"))
        task = text_of(given.get("task_id")) or config or "default"
        dataset = scored_dataset(
            text_of(given.get("id")), task, text_of(given.get("split")) or None
        )
        rest = _other_values(entry, ("date", "notes"), ("dataset", "value", "source"))
        named = ("id", "split", "revision", "task_id" if given.get("task_id") else "config")
        rest["dataset"] = _other_values(given, named)
        metadata = {
            "card": {key: value for key, value in rest.items() if value} or None,
            "date": text_of(entry.get("date")),
            "notes": text_of(entry.get("notes")),
            "revision": text_of(given.get("revision")),
            "source": entry.get("source"),
        }
        kept = {key: value for key, value in metadata.items() if value is not None}
        yield Score(task, None, entry.get("value"), dataset, line, kept)


def name_scores(scores: list[Score]) -> list[str]:
    """Return the names of the metrics of scores: the type, or the name if the type is repeated.

    Scores of one dataset, config and split then have different names, if the card has names.
    """
    types = Counter((score.type, score.dataset) for score in scores)
    return [
        (score.name or score.type) if types[score.type, score.dataset] > 1 else score.type
        for score in scores
    ]
