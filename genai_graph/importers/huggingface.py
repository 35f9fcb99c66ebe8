"""Import of model and dataset cards of the Hugging Face Hub, from files or the Hub's cache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError, SettingsError, SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError, decode_utf8
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
    Unreadable,
    UnreadableFileError,
    is_inside,
    list_readable,
    origin_of,
    read_bytes,
)
from genai_graph.importers.hub_ids import hub_id, is_hub_id, is_local_path
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written
from genai_graph.importers.safe_yaml import parse_json, parse_yaml, text_of
from genai_graph.importers.scores import (
    InvalidResult,
    Score,
    name_scores,
    parse_value,
    read_eval_results,
    read_model_index,
)
from genai_graph.importers.secret_values import remove_secrets
from genai_graph.importers.times import parse_time
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import escape_part, metric_uid, versioned_uid
from genai_graph.properties.messages import describe
from genai_graph.properties.redaction import strip_credentials

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
    "Dataset": {"license", "licenses", "tags", "pretty_name", "source_datasets"},
}
_CONFIG_KEYS = ("architectures", "_name_or_path", "base_model_name_or_path")
_NO_ID = frozenset(["", "none", "null", "n/a", "-"])
# Keys that are never imported: settings of the pages of the Hub.
_IGNORED = re.compile(r"widget|extra_gated_.*|verifyToken")


def records(
    *paths: str, context: Context | None = None, name: str | None = None
) -> Iterator[ImportRecord]:
    """Yield the records of cards: a README.md, directories of repositories, or the Hub's cache.

    `name` is the id of the repository of a single README.md. docs/importing.md describes the
    mapping. Raises `ImportSourceError` if a path does not exist or has no readable card, and
    `SettingsError` for a `name` of several repositories.
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
        self._unreadable: Unreadable = []

    def records(self, paths: tuple[str, ...], name: str | None) -> Iterator[ImportRecord]:
        yield SourceInfo(f"{', '.join(paths)} (Hugging Face)", item="cards")
        found = 0
        problem: Skipped | None = None
        seen: dict[tuple[str | None, str], Path] = {}
        for path in paths:
            self._builder.origin = origin_of("huggingface", path)
            self._collect_project(path)
            id_ = name and hub_id(name)
            for repository in find_repositories(path, id_, self._unreadable):
                found += 1
                if name and found > 1:
                    raise SettingsError(f"name: {name!r} is one repository, and several were found")
                problem = None
                for record in self._map_repository(repository, seen):
                    if isinstance(record, Skipped) and record.item == "cards":
                        problem = record
                    yield record
        for directory, message in self._unreadable:
            yield Read("directories")
            at = SourceLocation(str(directory))
            yield Skipped(at, "directories", "unreadable", message=message)
        if not found:
            raise ImportSourceError(", ".join(paths), "no README.md found")
        if found == 1 and problem is not None:
            raise ImportSourceError(str(problem.location), problem.message)
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
        self._clean(content, SourceLocation(path))
        label = repository.label or label_of(content)
        key = label, repository.id
        problem = self._builder.uid_error(label, versioned_uid(repository.id, None))
        if problem:
            message = f"{label} {repository.id[:100]!r}: {problem}"
            yield Skipped(SourceLocation(path), "cards", "invalid id", message=message)
            return
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
        index, line = card.get(_MODEL_INDEX), _line(card, _MODEL_INDEX)
        results = [] if index is None else read_model_index(index, line or 1)
        scores = list(self._valid_scores(results, location.file))
        license_, metadata = self._license(card, location)
        task = self._text(card, "pipeline_tag", location) or _only_task(scores)
        metadata |= self._metadata("Model", repository, card)
        config = self._read_config(repository, "config.json")
        self._builder.collect(
            "Model",
            uid,
            {
                "license": license_,
                "framework": self._text(card, "library_name", location),
                "task": task,
                "tags": self._texts(card, "tags", location) or None,
                "architecture": _architecture(config),
                "metadata": metadata or None,
            },
            location,
        )
        self._collect_project_edge("Model", uid, location)
        self._map_training_data(uid, card, location)
        bases = self._base_models(card, location)
        self._add_configured_base(bases, repository, config)
        for base, kind in bases.items():
            target = self._model_uid(base)
            self._builder.collect("Model", target, {}, location)
            ends = ("Model", uid, "DERIVED_FROM", "Model", target)
            self._builder.collect_edge(ends, location, {"kind": kind})
        yield from self._map_scores(uid, f"{repository.id}/README.md", scores, location)
        for path in self._result_files(repository):
            yield from self._map_result_file(uid, repository, path)

    def _map_training_data(self, uid: str, card: dict[str, Any], location: SourceLocation) -> None:
        for dataset in self._references(card, "datasets", location):
            target = self._dataset_uid(dataset)
            self._builder.collect("Dataset", target, {}, location)
            ends = ("Model", uid, "TRAINED_ON", "Dataset", target)
            self._builder.collect_edge(ends, location, {"role": "training"})

    def _base_models(self, card: dict[str, Any], location: SourceLocation) -> dict[str, str | None]:
        """Return the base models of a card, with the kinds of derivation."""
        key = "base_model_relation"
        at = SourceLocation(location.file, _line(card, key))
        for relation in self._texts(card, key, location):
            if relation not in _RELATIONS and relation not in self._reported:
                self._reported.add(relation)
                self._events.append(Notice(at, f"unknown {key} {relation!r}"))
        models, relations = _items(card.get("base_model")), _items(card.get(key))
        if len(relations) == 1:
            relations = relations * len(models)
        elif relations and len(relations) != len(models):
            self._skip_value(f"{key}: {len(relations)} relations of {len(models)} models", at)
            relations = []
        kinds: dict[str, str | None] = {}
        for model, relation in zip(models, relations, strict=False):
            kinds.setdefault(_id_of(model), _RELATIONS.get(text_of(relation) or ""))
        return {base: kinds.get(base) for base in self._references(card, "base_model", location)}

    def _add_configured_base(
        self, bases: dict[str, str | None], repository: Repository, config: dict[str, Any]
    ) -> None:
        """Add the base model of an adapter or of a configuration if the card names none."""
        name = "adapter_config.json"
        key = "base_model_name_or_path"
        base = _id_of(self._read_config(repository, name).get(key))
        if base in bases:
            bases[base] = bases[base] or _RELATIONS["adapter"]
        if bases:
            return
        if is_hub_id(base):
            bases[base] = _RELATIONS["adapter"]
            return
        if base:
            at = SourceLocation(str(repository.directory / name))
            self._skip_value(f"{key}: expected the id of a repository, got {describe(base)}", at)
        base = _id_of(config.get("_name_or_path"))
        if is_hub_id(base) and base not in (repository.id, repository.id.rpartition("/")[2]):
            bases[base] = None

    def _read_config(self, repository: Repository, name: str) -> dict[str, Any]:
        """Return the values of a JSON file of a repository that are imported."""
        path = repository.directory / name
        if not path.exists() or not is_inside(path, repository.root):
            return {}
        location = SourceLocation(str(path))
        try:
            config = parse_json(read_bytes(path))
        except (UnreadableFileError, DocumentError) as error:
            self._events.append(Notice(location, str(error)))
            return {}
        if not isinstance(config, dict):
            self._events.append(Notice(location, f"expected a map, got {describe(config)}"))
            return {}
        found = {key: config[key] for key in _CONFIG_KEYS if key in config}
        self._clean(found, location)
        return found

    # Scores

    def _valid_scores(self, results: Iterable[Score | InvalidResult], file: str) -> Iterator[Score]:
        """Yield the scores whose value is a number; report all others."""
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
        self._collect_project_edge("Experiment", experiment, location)
        ends = ("Experiment", experiment, "RUN", "Model", model)
        yield self._builder.edge(ends, location, {"role": "input"})
        by_uid: dict[str, tuple[Score, str, str | None]] = {}
        for score, name in zip(scores, name_scores(scores), strict=True):
            id_ = score.dataset.uid
            dataset = None if id_ is None else self._dataset_uid(id_)
            term = self._context.metric(name)
            split = term.split or score.dataset.split
            uid = normalize_name(metric_uid(experiment, term.name, dataset, split))
            if problem := self._builder.uid_error("Metric", uid):
                at = SourceLocation(location.file, score.line)
                message = f"{name[:100]}: {problem}"
                self._events.append(Skipped(at, "scores", "invalid", message=message))
                continue
            self._collect_scored_dataset(score, location.file)
            if uid in by_uid:
                at = SourceLocation(location.file, by_uid[uid][0].line)
                message = f"{name}: replaced by the score in line {score.line}"
                self._events.append(Skipped(at, "scores", "repeated", message=message))
            by_uid[uid] = score, name, dataset
        self._events.append(Written("scores", len(by_uid)))
        for uid, (score, name, dataset) in by_uid.items():
            yield from self._map_score(experiment, uid, score, name, dataset, location.file)

    def _collect_scored_dataset(self, score: Score, file: str) -> None:
        """Add the dataset of a score."""
        location = SourceLocation(file, score.line)
        id_, uid = score.dataset.id, score.dataset.uid
        if id_ is None or uid is None:
            return
        target = self._dataset_uid(uid)
        self._builder.collect("Dataset", target, {}, location)
        if uid != id_:
            whole = self._dataset_uid(id_)
            self._builder.collect("Dataset", whole, {}, location)
            ends = ("Dataset", target, "DERIVED_FROM", "Dataset", whole)
            self._builder.collect_edge(ends, location, {"kind": "subset"})

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
        recorded_at = None if date is None else parse_time(date)
        if date is not None and recorded_at is None:
            self._skip_value(f"date: expected a date, got {describe(date)}", location)
        if recorded_at is not None and recorded_at.tzinfo is None:
            recorded_at = recorded_at.replace(tzinfo=timezone.utc)
        values = {
            "name": term.name,
            "value": value.number,
            "unit": value.unit,
            "split": score.dataset.split,
            **term.values,
            "description": notes,
            "recorded_at": recorded_at,
        }
        given = {key: item for key, item in values.items() if item is not None}
        given["metadata"] = plain_json(given_metadata) or None
        yield from self._builder.node("Metric", uid, given, location)
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
            for path in list_readable(directory, repository.root, self._unreadable)
            if path.suffix in (".yaml", ".yml") and path.is_file()
        ]

    def _map_result_file(
        self, model: str, repository: Repository, path: Path
    ) -> Iterator[ImportRecord]:
        location = SourceLocation(str(path), 1)
        yield Read("result files")
        try:
            document = parse_yaml(decode_utf8(read_bytes(path, MAX_CARD_BYTES)))
        except (UnreadableFileError, DocumentError) as error:
            at = SourceLocation(str(path), getattr(error, "line", None))
            yield Skipped(at, "result files", "unreadable", message=str(error))
            return
        yield Written("result files")
        for line, message in document.notices:
            yield Notice(SourceLocation(str(path), line), message)
        self._clean(document.content, location)
        scores = list(self._valid_scores(read_eval_results(document.content), str(path)))
        experiment = f"{repository.id}/{RESULTS}/{path.name}"
        yield from self._map_scores(model, experiment, scores, location)

    # Datasets

    def _map_dataset(
        self, repository: Repository, card: dict[str, Any], location: SourceLocation
    ) -> None:
        uid = self._dataset_uid(repository.id)
        license_, metadata = self._license(card, location)
        metadata |= self._metadata("Dataset", repository, card)
        self._builder.collect(
            "Dataset",
            uid,
            {
                "license": license_,
                "description": self._text(card, "pretty_name", location),
                "tags": self._texts(card, "tags", location) or None,
                **_dataset_size(card.get("dataset_info")),
                "metadata": metadata or None,
            },
            location,
        )
        self._collect_project_edge("Dataset", uid, location)
        for text in self._references(card, "source_datasets", location):
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

    def _collect_project_edge(self, label: str, uid: str, location: SourceLocation) -> None:
        if self._project is not None:
            self._builder.collect_edge(("Project", self._project, "HAS", label, uid), location)

    def _license(
        self, card: dict[str, Any], location: SourceLocation
    ) -> tuple[str | None, dict[str, Any]]:
        """Return the license, and the metadata with its text if that was changed."""
        keys = ("license", "licenses")
        names = ("name", "id")  # of a license that is a map
        found = {key: self._texts(card, key, location, names) for key in keys}
        texts = list(dict.fromkeys([*found["license"], *found["licenses"]]))
        own_name = text_of(card.get("license_name"))
        licenses = [own_name] if texts == ["other"] and own_name else texts
        if not licenses:
            return None, {}
        license_ = ", ".join(map(self._context.license, licenses))
        original: Any = ", ".join(texts)
        given = [item for key in keys for item in _items(card.get(key)) if item is not None]
        if any(isinstance(item, dict) for item in given):
            original = plain_json(given if len(given) > 1 else given[0])
        return license_, {} if license_ == original else {"license": original}

    def _metadata(self, label: str, repository: Repository, card: dict[str, Any]) -> dict[str, Any]:
        kept = {
            key: plain_json(value) for key, value in card.items() if key not in _CONSUMED[label]
        }
        metadata = {"card": kept, "revision": repository.revision}
        return {key: value for key, value in metadata.items() if value}

    # Values of a card

    def _text(self, card: dict[str, Any], key: str, location: SourceLocation) -> str | None:
        """Return the text of a key; several values, or one that is no text, are reported."""
        texts = self._texts(card, key, location)
        if len(texts) > 1:
            at = SourceLocation(location.file, _line(card, key))
            self._skip_value(f"{key}: expected one text, got {describe(', '.join(texts))}", at)
            return None
        return texts[0] if texts else None

    def _texts(
        self,
        card: dict[str, Any],
        key: str,
        location: SourceLocation,
        names: tuple[str, ...] = (),
    ) -> list[str]:
        """Return the texts of a text or a list; other items are skipped and reported.

        `names` are the keys that have the text in an item that is a map.
        """
        found: dict[str, None] = {}
        for item, line in _with_lines(card, key):
            given = item
            if isinstance(item, dict):
                given = next((item[name] for name in names if name in item), item)
            text = text_of(given)
            if text:
                found[text] = None
            elif text is None and item not in (None, [], {}):
                at = SourceLocation(location.file, line)
                self._skip_value(f"{key}: expected a text, got {describe(given)}", at)
        return list(found)

    def _references(self, card: dict[str, Any], key: str, location: SourceLocation) -> list[str]:
        """Return the ids in a text or a list; other items are skipped and reported."""
        found: dict[str, None] = {}
        for item, line in _with_lines(card, key):
            id_ = _id_of(item)
            if item in (None, [], {}) or (text_of(item) is not None and id_.lower() in _NO_ID):
                continue
            problem = self._builder.uid_error("Model", versioned_uid(id_, None))
            if text_of(item) is None or is_local_path(id_):
                problem = f"expected the id of a repository, got {describe(item)}"
            if problem == "":
                found[id_] = None
            else:
                self._events.append(Read("references"))
                at = SourceLocation(location.file, line)
                message = f"{key}: {problem}"
                self._events.append(Skipped(at, "references", "not an id", message=message))
        return list(found)

    def _skip_value(self, message: str, location: SourceLocation) -> None:
        self._events += [Read("values"), Skipped(location, "values", "invalid", message=message)]

    def _clean(self, content: Any, location: SourceLocation) -> None:
        """Remove secrets, and keys that are never imported, from a document in place."""

        def report_removed(name: str) -> None:
            self._events.extend([Read("keys"), Skipped(location, "keys", "secret")])
            if name not in self._reported:
                self._reported.add(name)
                message = f"{name!r} looks like a secret and is not imported"
                self._events.append(Notice(location, message))

        _remove_ignored(content)
        remove_secrets(content, report_removed)


def _remove_ignored(value: Any) -> None:
    """Remove the keys that are never imported, in place."""
    if isinstance(value, dict):
        for key in [key for key in value if _IGNORED.fullmatch(key)]:
            del value[key]
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        _remove_ignored(item)


def _id_of(value: Any) -> str:
    return hub_id(strip_credentials(text_of(value) or ""))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _line(card: dict[str, Any], key: str) -> int | None:
    line: int | None = getattr(card, "lines", {}).get(key)
    return line


def _with_lines(card: dict[str, Any], key: str) -> list[tuple[Any, int | None]]:
    """Return the items of a list, or a value as the only one, with their lines."""
    items = _items(card.get(key))
    lines = getattr(items, "lines", [_line(card, key)] * len(items))
    return list(zip(items, lines, strict=True))


def _architecture(config: dict[str, Any]) -> str | None:
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else None
    return first if isinstance(first, str) and first else None


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
