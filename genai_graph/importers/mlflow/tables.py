"""Tables of MLflow's databases: the columns that are read, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

# By table; ``!`` marks required values, ``:int`` and ``:float`` numbers; all others are texts.
_COLUMNS = {
    "experiments": "experiment_id! name lifecycle_stage creation_time:int workspace",
    "experiment_tags": "experiment_id! key! value",
    "runs": "run_uuid! name source_name user_id status start_time:int end_time:int source_version "
    "lifecycle_stage experiment_id!",
    "params": "run_uuid! key! value",
    "tags": "run_uuid! key! value",
    "metrics": "run_uuid! key! step:int! timestamp:int! value:float! is_nan:int",
    "latest_metrics": "run_uuid! key! step:int! timestamp:int! value:float! is_nan:int",
    "datasets": "dataset_uuid! name digest dataset_source_type dataset_source dataset_schema "
    "dataset_profile",
    "inputs": "input_uuid source_type! source_id! destination_type! destination_id! step:int",
    "input_tags": "input_uuid! name! value",
    "logged_models": "model_id! experiment_id! name lifecycle_stage creation_timestamp_ms:int "
    "status:int model_type source_run_id artifact_location",
    "logged_model_params": "model_id! param_key! param_value",
    "logged_model_tags": "model_id! tag_key! tag_value",
    "logged_model_metrics": "run_id! model_id! dataset_name dataset_digest metric_name! "
    "metric_step:int! metric_timestamp_ms:int! metric_value:float",
    "registered_models": "name! description workspace",
    "registered_model_tags": "name! key! value workspace",
    "registered_model_aliases": "name! alias! version! workspace",
    "model_versions": "name! version! creation_time:int description user_id current_stage source "
    "run_id status workspace",
    "model_version_tags": "name! version! key! value workspace",
}
# The types that a value may have, by the marker of its column.
_TYPES: dict[str, set[type[Any]]] = {"": {str}, "int": {int, bool}, "float": {float, int}}
_EXPECTED = {"": "a text", "int": "an integer", "float": "a number"}
_FOUND = {type(None): "NULL", bytes: "a BLOB", str: "a text"}
_SHOWN_LENGTH = 80


class Table:
    """A table, with the columns that are read."""

    def __init__(self, name: str, columns: str) -> None:
        self.name = name
        marked = [text.removesuffix("!").partition(":") for text in columns.split()]
        self.columns = [column for column, _, _ in marked]
        self._kinds = [kind for _, _, kind in marked]
        self._required = [text.endswith("!") for text in columns.split()]
        self._valid_types: set[tuple[type[Any], ...]] = set()

    def convert(self, rows: Iterable[Any], report: Callable[[str], None]) -> Iterator[Any]:
        """Yield the rows with values of the right types, and report the others.

        SQLite stores values of any type in any column, such as a BLOB in a column of texts.
        """
        for row in rows:
            types = tuple(map(type, row))
            if types in self._valid_types:
                yield row
                continue
            try:
                converted = [
                    _convert(column, value, kind, is_required)
                    for column, value, kind, is_required in zip(
                        self.columns, row, self._kinds, self._required, strict=True
                    )
                ]
            except ValueError as error:
                report(f"table {self.name}: {self._key_of(row)}: {error}")
                continue
            if all(new is old for new, old in zip(converted, row, strict=True)):
                self._valid_types.add(types)
            yield converted

    def _key_of(self, row: Any) -> str:
        """Return the required texts of a row, which identify it."""
        return ", ".join(
            f"{column} {str(value)[:_SHOWN_LENGTH]!r}"
            for column, value, kind, is_required in zip(
                self.columns, row, self._kinds, self._required, strict=True
            )
            if is_required and not kind and isinstance(value, (str, int))
        )


TABLES = {name: Table(name, columns) for name, columns in _COLUMNS.items()}


def _convert(column: str, value: Any, kind: str, is_required: bool) -> Any:
    """Return a value of a column as one of its types, or raise `ValueError`."""
    if type(value) in _TYPES[kind] or (value is None and not is_required):
        return value
    if kind == "" and isinstance(value, (int, float)):
        return str(value)
    if kind == "float" and isinstance(value, Decimal):
        return float(value)
    if kind == "int" and isinstance(value, (float, Decimal)) and _is_int64(value):
        return int(value)
    found = _FOUND.get(type(value), type(value).__name__)
    raise ValueError(f"{column}: expected {_EXPECTED[kind]}, got {found}")


def _is_int64(value: float | Decimal) -> bool:
    return value == value // 1 and -(2**63) <= value < 2**63
