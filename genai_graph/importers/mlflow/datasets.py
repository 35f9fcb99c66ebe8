"""Datasets of MLflow runs: identity, size, schema and location from MLflow's JSON texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from genai_graph.errors import SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError
from genai_graph.importers.builder import plain_json
from genai_graph.importers.mlflow.entities import DatasetInput
from genai_graph.importers.safe_yaml import parse_json
from genai_graph.importers.secret_values import has_secret_shape, remove_secrets
from genai_graph.ogm.uids import versioned_uid
from genai_graph.properties.redaction import strip_credentials

if TYPE_CHECKING:
    from genai_graph.importers.builder import RecordBuilder
    from genai_graph.importers.context import Context
    from genai_graph.importers.mlflow.entities import Run

HUGGING_FACE = "hugging_face"
_MAX_SCHEMA_BYTES = 64 * 2**10
_LOCATION_KEYS = ("uri", "url", "path", "delta_table_name", "table_name")
# The name, the digest, the type and the JSON of the source, the schema and the profile.
_Values = tuple[str, str, str | None, str | None, str | None, str | None]
_Rank = tuple[float, str]
ReportSecret = Callable[[str, SourceLocation], None]


class DatasetCollector:
    """Collects the datasets of runs.

    Of different values for one uid, those of the run that started first count. A store returns
    runs in no particular order: datasets are added to the builder at the end.
    """

    def __init__(self, context: Context, builder: RecordBuilder) -> None:
        self._context = context
        self._builder = builder
        self._uids: dict[_Values, str] = {}
        self._found: dict[tuple[str, _Values], tuple[_Rank, SourceLocation]] = {}
        self._measured: dict[str, SourceLocation] = {}

    def uid_of(self, dataset: DatasetInput) -> str:
        """Return the uid of a dataset: ``name@digest``, or the one in the user's map."""
        values = _values_of(dataset)
        if values not in self._uids:
            uid = versioned_uid(dataset.name, dataset.digest)
            location = _location(dataset)
            self._uids[values] = self._context.dataset_uid(
                uid, name=dataset.name, location=location
            )
        return self._uids[values]

    def add(self, uid: str, dataset: DatasetInput, run: Run, location: SourceLocation) -> None:
        """Add a dataset of a run."""
        started = math.inf if run.start_time is None else run.start_time
        found = (started, run.id), location
        key = uid, _values_of(dataset)
        self._found[key] = min(self._found.get(key, found), found, key=itemgetter(0))

    def add_uid(self, uid: str, location: SourceLocation) -> None:
        """Add a dataset of which only the uid is known."""
        self._measured.setdefault(uid, location)

    def finish(self, report_secret: ReportSecret) -> None:
        """Add the datasets to the builder, without secrets: these are reported."""
        for (uid, values), (_, location) in sorted(
            self._found.items(), key=lambda each: each[1][0]
        ):
            self._collect(uid, DatasetInput(*values), location, report_secret)
        for uid, location in self._measured.items():
            self._builder.collect("Dataset", uid, {}, location)

    def _collect(
        self,
        uid: str,
        dataset: DatasetInput,
        location: SourceLocation,
        report_secret: ReportSecret,
    ) -> None:
        """Add a dataset and, for one of the Hugging Face Hub, the repository it is part of."""
        subject = f"dataset {dataset.name!r}"
        place, schema = _location(dataset), {"data_schema": _schema(dataset.schema)}
        # The login in a URL is removed by the model class, and the rest of the URL is kept.
        if place is not None and has_secret_shape(strip_credentials(place)):
            report_secret(f"{subject}: location", location)
            place = None
        remove_secrets(schema, lambda name: report_secret(f"{subject}: {name}", location))
        self._builder.collect(
            "Dataset",
            uid,
            {
                "digest": f"mlflow:{dataset.digest}",
                "source_type": dataset.source_type or None,
                "location": place,
                "num_rows": _num_rows(dataset.profile),
                **schema,
            },
            location,
        )
        if dataset.source_type == HUGGING_FACE:
            source = _parse_dict(dataset.source)
            parent = _collect_hub_dataset(source, self._context, self._builder, location)
            if parent is not None:
                _collect_subset(uid, parent, self._builder, location)


def _values_of(dataset: DatasetInput) -> _Values:
    return (
        dataset.name,
        dataset.digest,
        dataset.source_type,
        dataset.source,
        dataset.schema,
        dataset.profile,
    )


def _collect_hub_dataset(
    source: dict[str, Any], context: Context, builder: RecordBuilder, location: SourceLocation
) -> str | None:
    path, config = source.get("path"), source.get("config_name")
    if not isinstance(path, str) or not path:
        return None
    repository = context.dataset_uid(path, local=False)
    builder.collect("Dataset", repository, {}, location)
    if not isinstance(config, str) or not config:
        return repository
    uid = context.dataset_uid(f"{path}:{config}", local=False)
    builder.collect("Dataset", uid, {}, location)
    _collect_subset(uid, repository, builder, location)
    return uid


def _collect_subset(
    uid: str, parent: str, builder: RecordBuilder, location: SourceLocation
) -> None:
    ends = ("Dataset", uid, "DERIVED_FROM", "Dataset", parent)
    builder.collect_edge(ends, location, {"kind": "subset"})


def _location(dataset: DatasetInput) -> str | None:
    """Return the place of the data: a value of the source's JSON, or a source that is not JSON."""
    if not dataset.source:
        return None
    source = _parse(dataset.source)
    if isinstance(source, dict):
        found = (source.get(key) for key in _LOCATION_KEYS)
        return next((value for value in found if isinstance(value, str) and value), None)
    return source if isinstance(source, str) else dataset.source


def _num_rows(profile: str | None) -> int | None:
    """Return the number of rows; Spark's `approx_count` is an estimate, and ignored."""
    content = _parse_dict(profile)
    rows = content.get("num_rows")
    if rows is None:
        shape = content.get("features_shape")
        if isinstance(shape, dict):  # a shape for each array
            shape = next(iter(shape.values()), None)
        rows = shape[0] if isinstance(shape, list) and shape else None
    is_count = isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0
    return rows if is_count else None


def _schema(text: str | None) -> Any:
    if not text or len(text.encode(errors="replace")) > _MAX_SCHEMA_BYTES:
        return None
    return plain_json(_parse(text))


def _parse(text: str) -> Any:
    """Return the content of a JSON text, or the text itself if it is not JSON."""
    try:
        return parse_json(text.encode())
    except (DocumentError, UnicodeEncodeError):
        return text


def _parse_dict(text: str | None) -> dict[str, Any]:
    content = _parse(text) if text else None
    return content if isinstance(content, dict) else {}
