"""Import of model and dataset cards of the Hugging Face Hub, from files or the Hub's cache."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError, SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError
from genai_graph.importers.builder import RecordBuilder, plain_json
from genai_graph.importers.cards import (
    RESULTS,
    Repository,
    find_repositories,
    label_of,
    read_front_matter,
)
from genai_graph.importers.context import Context
from genai_graph.importers.files import (
    MAX_CARD_BYTES,
    UnreadableFileError,
    is_inside,
    list_directory,
    read_bytes,
    read_text,
)
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written
from genai_graph.importers.safe_yaml import parse_json, parse_yaml, text_of
from genai_graph.importers.scores import (
    InvalidResult,
    Score,
    hub_id,
    name_scores,
    parse_value,
    read_eval_results,
    read_model_index,
)
from genai_graph.importers.secret_values import is_secret
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import escape_part, metric_uid, versioned_uid
from genai_graph.properties.messages import describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_graph.importers.records import ImportRecord

_MODEL_INDEX = "model-index"
_RELATIONS = {
    "finetune": "fine-tuned",
    "adapter": "adapted",
    "quantized": "quantized",
    "merge": "merged",
}
_NO_SOURCE = frozenset(["original", "extended", "other"])
_CONSUMED = {
    "Model": {
        *("license", "licenses", "library_name", "pipeline_tag", "tags", "datasets"),
        *("base_model", "base_model_relation", _MODEL_INDEX),
    },
    "Dataset": {"license", "licenses", "tags", "pretty_name", "dataset_info", "source_datasets"},
}
_LEFT_OUT = re.compile(r"widget|extra_gated_.*|verifyToken")


def records(
    *paths: str, context: Context | None = None, name: str | None = None
) -> Iterator[ImportRecord]:
    """Yield the records of cards: a README.md, directories of repositories, or the Hub's cache.

    `name` is the id of the repository of a single README.md. docs/importing.md describes the
    mapping. Raises `ImportSourceError` if a path does not exist or has no readable card.
    """
    yield from _CardImport(context or Context()).records(paths, name)


class _CardImport:
    """Maps the cards of some paths; projects, models and datasets are written at the end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._builder = RecordBuilder("")
        self._experiments: set[str] = set()
        self._project: str | None = None
        self._reported: set[str] = set()
        self._events: list[ImportRecord] = []

    def records(self, paths: tuple[str, ...], name: str | None) -> Iterator[ImportRecord]:
        yield SourceInfo(f"{', '.join(paths)} (Hugging Face)", item="cards")
        found, problem = 0, ""
        seen: dict[tuple[str | None, str], Path] = {}
        for path in paths:
            self._builder.origin = f"huggingface:{os.path.realpath(Path(path).expanduser())}"
            self._collect_project(path)
            for repository in find_repositories(path, name):
                found += 1
                problem = ""
                for record in self._map_repository(repository, seen):
                    if isinstance(record, Skipped) and record.item == "cards":
                        problem = record.message
                    yield record
        if not found:
            raise ImportSourceError(", ".join(paths), "no README.md found")
        if found == 1 and problem:
            raise ImportSourceError(paths[0], problem)
        yield from self._builder.finish()

    def _collect_project(self, path: str) -> None:
        if self._context.project is not None:
            self._project = escape_part(self._context.project)
            self._builder.collect("Project", self._project, {}, SourceLocation(path))

    def _map_repository(
        self, repository: Repository, seen: dict[tuple[str | None, str], Path]
    ) -> Iterator[ImportRecord]:
        yield Read("cards")
        card, path = repository.card, str(repository.card)
        content: dict[str, Any] = {}
        if card.exists() and is_inside(card, repository.root):
            try:
                document = read_front_matter(card)
            except UnreadableFileError as error:
                yield Skipped(SourceLocation(path), "cards", "unreadable", message=str(error))
                return
            except DocumentError as error:
                location = SourceLocation(path, error.line)
                yield Skipped(location, "cards", "invalid front matter", message=str(error))
                return
            content = document.content
            for line, message in document.notices:
                yield Notice(SourceLocation(path, line), message)
        label = repository.label or label_of(content)
        key = label, repository.id
        if key in seen:
            message = f"{label} {repository.id!r} is described by {seen[key]}, too"
            yield Skipped(SourceLocation(path), "cards", "duplicate", message=message)
            return
        seen[key] = card
        yield Written("cards")
        location = SourceLocation(path, 1)
        if label == "Dataset":
            self._map_dataset(repository, content, location)
        else:
            yield from self._map_model(repository, content, location)
        yield from self._events
        self._events.clear()

    # Models

    def _map_model(
        self, repository: Repository, card: dict[str, Any], location: SourceLocation
    ) -> Iterator[ImportRecord]:
        uid = self._model_uid(repository.id)
        scores = list(self._scores(read_model_index(card.get(_MODEL_INDEX), 1), card, location))
        license_, metadata = self._license(card)
        task = text_of(card.get("pipeline_tag")) or _only_task(scores)
        metadata |= self._metadata("Model", repository, card, location)
        self._builder.collect(
            "Model",
            uid,
            {
                "license": license_,
                "framework": text_of(card.get("library_name")) or None,
                "task": task,
                "tags": _texts(card.get("tags")) or None,
                "architecture": self._architecture(repository, location),
                "metadata": metadata or None,
            },
            location,
        )
        self._own("Model", uid, location)
        self._map_training_data(uid, card, location)
        self._map_base_models(uid, card, location)
        yield from self._map_scores(uid, f"{repository.id}/README.md", scores, location)
        for path in self._result_files(repository):
            yield from self._map_result_file(uid, repository, path)

    def _map_training_data(self, uid: str, card: dict[str, Any], location: SourceLocation) -> None:
        for dataset in self._references("datasets", card.get("datasets"), location):
            target = self._dataset_uid(dataset)
            self._builder.collect("Dataset", target, {}, location)
            ends = ("Model", uid, "TRAINED_ON", "Dataset", target)
            self._builder.collect_edge(ends, location, {"role": "training"})

    def _map_base_models(self, uid: str, card: dict[str, Any], location: SourceLocation) -> None:
        relation = text_of(card.get("base_model_relation"))
        kind = _RELATIONS.get(relation or "")
        if relation and kind is None and relation not in self._reported:
            self._reported.add(relation)
            self._events.append(Notice(location, f"unknown base_model_relation {relation!r}"))
        for base in self._references("base_model", card.get("base_model"), location):
            target = self._model_uid(base)
            self._builder.collect("Model", target, {}, location)
            ends = ("Model", uid, "DERIVED_FROM", "Model", target)
            self._builder.collect_edge(ends, location, {"kind": kind})

    def _references(self, key: str, value: Any, location: SourceLocation) -> list[str]:
        """Return the ids in a text or a list; other items are skipped and reported."""
        found: dict[str, None] = {}
        for item in value if isinstance(value, list) else [value]:
            text = text_of(item)
            if text and text.strip():
                found[hub_id(text)] = None
            elif text is None and item is not None:
                self._events.append(Read("references"))
                message = f"{key}: expected the id of a repository, got {describe(item)}"
                self._events.append(Skipped(location, "references", "not an id", message=message))
        return list(found)

    def _architecture(self, repository: Repository, location: SourceLocation) -> str | None:
        path = repository.directory / "config.json"
        if not path.exists() or not is_inside(path, repository.root):
            return None
        try:
            config = parse_json(read_bytes(path))
        except (UnreadableFileError, DocumentError) as error:
            self._events.append(Notice(SourceLocation(str(path)), str(error)))
            return None
        names = config.get("architectures") if isinstance(config, dict) else None
        first = names[0] if isinstance(names, list) and names else None
        return first if isinstance(first, str) and first else None

    # Scores

    def _scores(
        self,
        results: Iterable[Score | InvalidResult],
        card: dict[str, Any],
        location: SourceLocation,
    ) -> Iterator[Score]:
        if card.get(_MODEL_INDEX) is None:
            return
        yield from self._valid_scores(results, location.file)

    def _valid_scores(self, results: Iterable[Score | InvalidResult], file: str) -> Iterator[Score]:
        """Yield the scores with a value; report the others."""
        for score in results:
            location = SourceLocation(file, score.line)
            if isinstance(score, InvalidResult):
                self._events.append(Read("scores"))
                message = score.message
                self._events.append(Skipped(location, "scores", "invalid", message=message))
                continue
            self._events.append(Read("scores"))
            if parse_value(score.value) is None:
                message = f"{score.type}: expected a number, got {describe(score.value)}"
                self._events.append(Skipped(location, "scores", "not a number", message=message))
                continue
            yield score

    def _map_scores(
        self,
        model: str,
        experiment: str,
        scores: list[Score],
        location: SourceLocation,
        values: dict[str, Any] | None = None,
    ) -> Iterator[ImportRecord]:
        """Yield the experiment of a file with scores, and its metrics."""
        if not scores:
            return
        yield from self._builder.node(
            "Experiment", experiment, {"name": experiment, **(values or {})}, location
        )
        self._own("Experiment", experiment, location)
        ends = ("Experiment", experiment, "RUN", "Model", model)
        yield self._builder.edge(ends, location, {"role": "input"})
        by_uid: dict[str, tuple[Score, str, str | None]] = {}
        for score, name in zip(scores, name_scores(scores), strict=True):
            dataset = self._collect_scored(score, location.file)
            term = self._context.metric(name)
            split = term.split or score.dataset.split
            uid = normalize_name(metric_uid(experiment, term.name, dataset, split))
            if uid in by_uid:
                at = SourceLocation(location.file, by_uid[uid][0].line)
                message = f"{name}: replaced by the score in line {score.line}"
                self._events.append(Skipped(at, "scores", "repeated", message=message))
            by_uid[uid] = score, name, dataset
        self._events.append(Written("scores", len(by_uid)))
        for uid, (score, name, dataset) in by_uid.items():
            yield from self._map_score(experiment, uid, score, name, dataset, location.file)

    def _collect_scored(self, score: Score, file: str) -> str | None:
        """Add the dataset of a score; return its uid."""
        location = SourceLocation(file, score.line)
        id_, uid = score.dataset.id, score.dataset.uid
        if id_ is None or uid is None:
            return None
        target = self._dataset_uid(uid)
        self._builder.collect("Dataset", target, {}, location)
        if uid != id_:
            whole = self._dataset_uid(id_)
            self._builder.collect("Dataset", whole, {}, location)
            ends = ("Dataset", target, "DERIVED_FROM", "Dataset", whole)
            self._builder.collect_edge(ends, location, {"kind": "subset"})
        return target

    def _map_score(
        self,
        experiment: str,
        uid: str,
        score: Score,
        name: str,
        dataset: str | None,
        file: str,
    ) -> Iterator[ImportRecord]:
        location = SourceLocation(file, score.line)
        value = parse_value(score.value)
        assert value is not None
        term = self._context.metric(name)
        metadata = dict(score.metadata)
        notes, date = metadata.pop("notes", None), metadata.pop("date", None)
        metadata["plus_minus"] = value.plus_minus
        given_metadata = {key: item for key, item in metadata.items() if item is not None}
        kept = self._without_secrets(plain_json(given_metadata), location)
        values = {
            "name": term.name,
            "value": value.number,
            "unit": value.unit,
            "split": score.dataset.split,
            **term.values,
            "description": notes,
            "recorded_at": _parse_time(date),
        }
        given = {key: item for key, item in values.items() if item is not None}
        yield from self._builder.node("Metric", uid, {**given, "metadata": kept or None}, location)
        yield self._builder.edge(("Experiment", experiment, "HAS", "Metric", uid), location)
        if dataset is not None:
            ends = ("Metric", uid, "EVALUATED_ON", "Dataset", dataset)
            yield self._builder.edge(ends, location)

    def _result_files(self, repository: Repository) -> list[Path]:
        directory = repository.directory / RESULTS
        if not directory.is_dir() or not is_inside(directory, repository.root):
            return []
        return [
            path
            for path in list_directory(directory, repository.root)
            if path.suffix in (".yaml", ".yml") and path.is_file()
        ]

    def _map_result_file(
        self, model: str, repository: Repository, path: Path
    ) -> Iterator[ImportRecord]:
        location = SourceLocation(str(path), 1)
        yield Read("result files")
        try:
            document = parse_yaml(read_text(path, MAX_CARD_BYTES))
        except (UnreadableFileError, DocumentError) as error:
            at = SourceLocation(str(path), getattr(error, "line", None))
            yield Skipped(at, "result files", "unreadable", message=str(error))
            return
        yield Written("result files")
        for line, message in document.notices:
            yield Notice(SourceLocation(str(path), line), message)
        scores = list(self._valid_scores(read_eval_results(document.content), str(path)))
        experiment = f"{repository.id}/{RESULTS}/{path.name}"
        yield from self._map_scores(model, experiment, scores, location)

    # Datasets

    def _map_dataset(
        self, repository: Repository, card: dict[str, Any], location: SourceLocation
    ) -> None:
        uid = self._dataset_uid(repository.id)
        license_, metadata = self._license(card)
        metadata |= self._metadata("Dataset", repository, card, location)
        self._builder.collect(
            "Dataset",
            uid,
            {
                "license": license_,
                "description": text_of(card.get("pretty_name")) or None,
                "tags": _texts(card.get("tags")) or None,
                **_dataset_size(card.get("dataset_info")),
                "metadata": metadata or None,
            },
            location,
        )
        self._own("Dataset", uid, location)
        for text in self._references("source_datasets", card.get("source_datasets"), location):
            source = text.removeprefix("extended|")
            if source not in _NO_SOURCE and not source.startswith("other-"):
                target = self._dataset_uid(hub_id(source))
                self._builder.collect("Dataset", target, {}, location)
                ends = ("Dataset", uid, "DERIVED_FROM", "Dataset", target)
                self._builder.collect_edge(ends, location)

    # Both

    def _dataset_uid(self, hub_id: str) -> str:
        return self._context.dataset_uid(versioned_uid(hub_id, None), name=hub_id, local=False)

    def _model_uid(self, hub_id: str) -> str:
        return self._context.model_uid(versioned_uid(hub_id, None), name=hub_id, local=False)

    def _own(self, label: str, uid: str, location: SourceLocation) -> None:
        if self._project is not None:
            self._builder.collect_edge(("Project", self._project, "HAS", label, uid), location)

    def _license(self, card: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Return the license, and the metadata with its text if that was changed."""
        value = card.get("license", card.get("licenses"))
        texts = _texts(value)
        own_name = text_of(card.get("license_name"))
        if texts == ["other"] and own_name:
            texts = [own_name]
        if not texts:
            return None, {}
        license_ = ", ".join(map(self._context.license, texts))
        original = ", ".join(_texts(value))
        return license_, {} if license_ == original else {"license": original}

    def _metadata(
        self,
        label: str,
        repository: Repository,
        card: dict[str, Any],
        location: SourceLocation,
    ) -> dict[str, Any]:
        kept = {
            key: self._without_secrets(plain_json(value), location)
            for key, value in card.items()
            if key not in _CONSUMED[label]
            and not _LEFT_OUT.fullmatch(key)
            and not self._is_secret(key, value, location)
        }
        metadata = {"card": kept, "revision": repository.revision}
        return {key: value for key, value in metadata.items() if value}

    def _is_secret(self, key: str, value: Any, location: SourceLocation) -> bool:
        if not is_secret(key, value):
            return False
        self._events += [Read("keys"), Skipped(location, "keys", "secret")]
        if key not in self._reported:
            self._reported.add(key)
            message = f"{key!r} looks like a secret and is not imported"
            self._events.append(Notice(location, message))
        return True

    def _without_secrets(self, value: Any, location: SourceLocation) -> Any:
        if isinstance(value, dict):
            return {
                key: self._without_secrets(item, location)
                for key, item in value.items()
                if not _LEFT_OUT.fullmatch(key) and not self._is_secret(key, item, location)
            }
        if isinstance(value, list):
            return [
                self._without_secrets(item, location)
                for item in value
                if not self._is_secret("", item, location)
            ]
        return value


def _texts(value: Any) -> list[str]:
    """Return the distinct scalars of a text or a list as texts."""
    items = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(text for item in items if (text := text_of(item))))


def _only_task(scores: list[Score]) -> str | None:
    tasks = {score.metadata.get("task") for score in scores}
    found = tasks.pop() if len(tasks) == 1 else None
    return found or None


def _dataset_size(info: Any) -> dict[str, int | None]:
    """Return the size of a dataset with a single config."""
    if isinstance(info, list) and len(info) == 1:
        info = info[0]
    if not isinstance(info, dict):
        return {}
    splits, features = info.get("splits"), info.get("features")
    counts = [
        _count(split.get("num_examples")) if isinstance(split, dict) else None
        for split in (splits if isinstance(splits, list) else [])
    ]
    known = [count for count in counts if count is not None]
    return {
        "num_rows": sum(known) if known and len(known) == len(counts) else None,
        "size": _count(info.get("dataset_size")),
        "num_features": len(features) if isinstance(features, list) and features else None,
    }


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return int(value) if is_count else None


def _parse_time(text: str | None) -> datetime | None:
    """Return the time of a date, in UTC, or of a time; None for any other text."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        return None
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment
