"""The map of a table's columns (`--map` of ``import csv``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from genai_graph.errors import SettingsError
from genai_graph.importers.context import check_keys
from genai_graph.importers.kinds import CSV
from genai_graph.importers.mlflow_conventions import RUN_STATUSES
from genai_graph.properties.messages import describe, did_you_mean

_COLUMN_KEYS = (*("name", "started_at", "ended_at", "created_by", "description", "source"),)
_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}


@dataclass
class ColumnMap:
    """The columns of a table that have the values of a run.

    `columns` are single columns by property; `parameters`, `metrics` and `mlflow_tags` are
    patterns. With `has_prefixes`, the name is the part of a column after its first dot, such as lr
    for ``params.lr``.
    """

    id: list[str]
    columns: dict[str, str] = field(default_factory=dict)
    project: str | None = None
    project_column: str | None = None
    statuses: dict[str, str] = field(default_factory=dict)
    duration: str | None = None
    duration_unit: float = 1
    tags: str | None = None
    tag_separator: str | None = None
    parameters: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    mlflow_tags: list[str] = field(default_factory=list)
    has_prefixes: bool = False

    def matching(self, patterns: Sequence[str], header: Iterable[str]) -> dict[str, str]:
        """Return the columns that a pattern matches, with their names in the graph."""
        return {
            column: column.partition(".")[2] if self.has_prefixes else column
            for column in header
            if any(fnmatchcase(column, pattern) for pattern in patterns)
        }

    @property
    def named_columns(self) -> list[str]:
        """The columns that must exist."""
        optional = (self.project_column, self.duration, self.tags)
        return [*self.id, *self.columns.values(), *(name for name in optional if name)]


def mlflow_columns(header: Sequence[str]) -> ColumnMap | None:
    """Return the map of a table written by ``mlflow experiments csv``, or None for another one."""
    if "run_id" not in header or not {"status", "start_time"} & {*header}:
        return None
    known = {"status": "status", "started_at": "start_time", "ended_at": "end_time"}
    return ColumnMap(
        id=["run_id"],
        columns={name: column for name, column in known.items() if column in header},
        parameters=["params.*"],
        metrics=["metrics.*"],
        mlflow_tags=["tags.*"],
        has_prefixes=True,
    )


def read_column_map(sections: Mapping[str, Any]) -> ColumnMap | None:
    """Return the map of the columns in a user's map, or None if it has none.

    Raises `SettingsError`.
    """
    if not sections.keys() & {*CSV.map_sections} - {"metrics"}:
        return None
    if "id" not in sections:
        raise SettingsError("map: id: is required: the column that identifies a run")
    columns = {name: _column(name, sections[name]) for name in _COLUMN_KEYS if sections.get(name)}
    result = ColumnMap(_id_columns(sections["id"]), columns)
    _read_project(result, sections.get("project"))
    _read_status(result, sections.get("status"))
    _read_duration(result, sections.get("duration"))
    _read_tags(result, sections.get("tags"))
    result.parameters = _patterns("parameters", sections.get("parameters"))
    metrics = sections.get("metrics")
    result.metrics = (
        list(metrics) if isinstance(metrics, Mapping) else _patterns("metrics", metrics)
    )
    return result


def check_columns(columns: ColumnMap, header: Sequence[str], file: str) -> None:
    """Raise `SettingsError` for a column that the table does not have."""
    for name in columns.named_columns:
        if name not in header:
            hint = did_you_mean(name, header)
            raise SettingsError(f"map: {file} has no column {name!r}{hint}")


def _id_columns(value: Any) -> list[str]:
    if isinstance(value, Mapping) and "columns" in value:
        check_keys("map: id", value, ["columns"])
        value = value["columns"]
        if isinstance(value, list) and value:
            return [_column("id", name) for name in value]
    return [_column("id", value)]


def _column(key: str, value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"column"}:
        value = value["column"]
    if not isinstance(value, str) or not value:
        raise SettingsError(f"map: {key}: expected the name of a column, got {describe(value)}")
    return value


def _patterns(key: str, value: Any) -> list[str]:
    items = [] if value is None else value if isinstance(value, list) else [value]
    return [_column(key, item) for item in items]


def _read_project(result: ColumnMap, value: Any) -> None:
    if isinstance(value, Mapping) and "value" in value:
        check_keys("map: project", value, ["value"])
        if not isinstance(value["value"], str) or not value["value"]:
            got = describe(value["value"])
            raise SettingsError(f"map: project: value: expected a name, got {got}")
        result.project = value["value"]
    elif value is not None:
        result.project_column = _column("project", value)


def _read_status(result: ColumnMap, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        check_keys("map: status", value, ["column", "values"])
        statuses = value.get("values") or {}
        if not isinstance(statuses, Mapping):
            raise SettingsError(f"map: status: values: expected a map, got {describe(statuses)}")
        for key, status in statuses.items():
            if status not in RUN_STATUSES:
                raise SettingsError(
                    f"map: status: values: {key}: expected one of {', '.join(RUN_STATUSES)}, "
                    f"got {describe(status)}"
                )
        result.statuses = {str(key): status for key, status in statuses.items()}
        value = value.get("column")
    result.columns["status"] = _column("status", value)


def _read_duration(result: ColumnMap, value: Any) -> None:
    if value is None:
        return
    unit = "s"
    if isinstance(value, Mapping):
        check_keys("map: duration", value, ["column", "unit"])
        unit, value = value.get("unit", "s"), value.get("column")
    if not isinstance(unit, str) or unit not in _UNITS:
        expected = ", ".join(_UNITS)
        raise SettingsError(
            f"map: duration: unit: expected one of {expected}, got {describe(unit)}"
        )
    result.duration, result.duration_unit = _column("duration", value), _UNITS[unit]


def _read_tags(result: ColumnMap, value: Any) -> None:
    if isinstance(value, Mapping):
        check_keys("map: tags", value, ["column", "split"])
        separator = value.get("split")
        if separator is not None and (not isinstance(separator, str) or not separator):
            raise SettingsError(f"map: tags: split: expected a text, got {describe(separator)}")
        result.tag_separator, value = separator, value.get("column")
    if value is not None:
        result.tags = _column("tags", value)
