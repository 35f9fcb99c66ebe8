"""Datasets of MLflow runs: identity, size, schema and location from MLflow's JSON texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_graph.errors import SourceLocation
from genai_graph.exchange.formats.parsing import DocumentError
from genai_graph.importers.builder import plain_json
from genai_graph.importers.safe_yaml import parse_json
from genai_graph.ogm.uids import versioned_uid

if TYPE_CHECKING:
    from genai_graph.importers.builder import RecordBuilder
    from genai_graph.importers.context import Context
    from genai_graph.importers.mlflow.entities import DatasetInput

HUGGING_FACE = "hugging_face"
_MAX_SCHEMA_BYTES = 64 * 2**10
_LOCATION_KEYS = ("uri", "url", "path", "delta_table_name", "table_name")


def dataset_uid(dataset: DatasetInput, context: Context) -> str:
    """Return the uid of a dataset: ``name@digest``, or the one in the user's map."""
    uid = versioned_uid(dataset.name, dataset.digest)
    return context.dataset_uid(uid, name=dataset.name, location=_location(dataset))


def collect_dataset(
    dataset: DatasetInput,
    uid: str,
    context: Context,
    builder: RecordBuilder,
    location: SourceLocation,
) -> None:
    """Add a dataset and, for one of the Hugging Face Hub, the repository it is part of."""
    builder.collect(
        "Dataset",
        uid,
        {
            "digest": f"mlflow:{dataset.digest}",
            "source_type": dataset.source_type or None,
            "location": _location(dataset),
            "num_rows": _num_rows(dataset.profile),
            "data_schema": _schema(dataset.schema),
        },
        location,
    )
    if dataset.source_type == HUGGING_FACE:
        parent = _collect_hub_dataset(_parse_dict(dataset.source), context, builder, location)
        if parent is not None:
            _collect_subset(uid, parent, builder, location)


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
    """Return the number of rows; Spark's `approx_count` is no such number."""
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
