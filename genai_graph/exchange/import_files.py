"""The CSV files for the importer of Neo4j: those of a dump, with JSON values by path.

The type of a column is in its header, so nodes whose JSON values have other types at the same path
are in another file. A column begins with the first row that has a value for it: earlier rows are
shorter, which the importer reads as null, and headers are written last, into files of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from genai_graph.exchange.formats import csv
from genai_graph.exchange.formats.csv_schema import csv_schemas
from genai_graph.exchange.formats.records import NodeRecord, group_key
from genai_graph.properties.literals import csv_quote
from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    FloatProperty,
    IntegerProperty,
    Property,
    StringProperty,
)
from genai_graph.storage.rows import TIMESTAMPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genai_graph.exchange.formats.csv_schema import CsvSchema
    from genai_graph.exchange.formats.records import EdgeRecord
    from genai_graph.registry import EdgeType

    Leaves = tuple[tuple[str, type, type | None], ...]  # name, type, type of the items of a list

# Each row has a cell for each column of its file.
_MAX_COLUMNS, _MAX_FILES = 500, 20  # of a file, of a label
_MAX_KNOWN = 10_000  # combinations of JSON values whose file is remembered
_MAX_WAITING = 2**20  # characters of rows to write
_STRING, _INTEGER, _FLOAT = StringProperty(), IntegerProperty(), FloatProperty()
_SCALARS: dict[type, Property[Any]] = {
    bool: BooleanProperty(),
    int: _INTEGER,
    float: _FLOAT,
    str: _STRING,
}
_LISTS: dict[type | None, Property[Any]] = {
    int: ArrayProperty(_INTEGER),
    float: ArrayProperty(_FLOAT),
    str: ArrayProperty(_STRING),
}
# The importer reads options of a column in parentheses and braces.
_COLUMN_NAME = re.compile(r'[^(){}"]*[^(){}"\s]')


class ImportFiles:
    """The files of an import, in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = {
            group: [_ImportFile(directory, schema, schema.name)]
            for group, schema in csv_schemas().items()
        }
        self._inexact = {
            group: [
                (name, prop.fits_csv)
                for name, prop in schema.properties.items()
                if type(prop).fits_csv is not Property.fits_csv
            ]
            for group, schema in csv_schemas().items()
        }
        self._known: dict[tuple[str, Leaves], _ImportFile | None] = {}

    def add(self, record: NodeRecord | EdgeRecord) -> bool:
        """Add a node or an edge by its stored properties; return False if CSV can't hold them."""
        group, given = group_key(record), record.given
        for name, fits_csv in self._inexact[group]:
            value = given.get(name)
            # The importer drops empty lists.
            if value is not None and (value in ([], [""]) or not fits_csv(value)):
                return False
        file: _ImportFile | None = self._files[group][0]
        if isinstance(record, NodeRecord):
            leaves = [(name, value) for name, value in given.items() if "." in name]
            if leaves:
                if not all(_fits(value) for _, value in leaves if type(value) is list):
                    return False
                file = self._file_with(record.label, tuple(_describe(*leaf) for leaf in leaves))
        if file is None:
            return False
        file.write(record)
        return True

    def close(self) -> list[str]:
        """Write the remaining rows and the headers, and return the options of the importer."""
        files = [file for files in self._files.values() for file in files]
        for file in files:
            file.close()
        names = [(file.group, file.names) for file in files]
        return csv.import_options(names, max(file.longest_row for file in files))

    def _file_with(self, label: str, leaves: Leaves) -> _ImportFile | None:
        """Return the file of nodes with these values in JSON, or None."""
        key = label, leaves
        if key not in self._known:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._find_file(label, leaves)
        return self._known[key]

    def _find_file(self, label: str, leaves: Leaves) -> _ImportFile | None:
        if not all(_COLUMN_NAME.fullmatch(name) for name, *_ in leaves):
            return None
        columns = {name: _property(type_, item) for name, type_, item in leaves}
        files = self._files[label]
        for file in files:
            if file.add_columns(columns):
                return file
        if len(files) == _MAX_FILES:
            return None
        file = _ImportFile(self._directory, csv_schemas()[label], f"{label}-{len(files) + 1}.csv")
        if not file.add_columns(columns):  # more than fit into any file
            return None
        files.append(file)
        return file


def _describe(name: str, value: Any) -> tuple[str, type, type | None]:
    return name, type(value), type(value[0]) if type(value) is list else None


def _property(type_: type, item: type | None) -> Property[Any]:
    return _SCALARS[type_] if item is None else _LISTS[item]


def _fits(values: list[Any]) -> bool:
    """Return whether a cell holds a list from JSON, which is not empty."""
    prop = _LISTS.get(type(values[0]))
    return prop is not None and values != [""] and prop.fits_csv(values)


def _formatted_once(to_csv: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a function that remembers the cell of its last argument, for repeated values."""
    last, cell = object(), ""

    def format_value(value: Any) -> str:
        nonlocal last, cell
        if value is not last:
            last, cell = value, to_csv(value)
        return cell

    return format_value


class _ImportFile:
    """A file of rows, to which columns may be added, and one with its header."""

    def __init__(self, directory: Path, schema: CsvSchema, name: str) -> None:
        self.group: str | EdgeType = schema.group
        self.names = f"header-{name}", name
        self.longest_row = 0  # in bytes, at most
        self._header, self._rows = (directory / each for each in self.names)
        self._keys = schema.keys
        self._columns: dict[str, Property[Any]] = dict(schema.properties)
        self._formats = self._list_formats()
        self._waiting: list[str] = []
        self._size = 0

    def add_columns(self, columns: dict[str, Property[Any]]) -> bool:
        """Add columns unless one has another type already; return whether the file has them."""
        if any(self._columns.get(name, prop) is not prop for name, prop in columns.items()):
            return False
        if len(self._columns | columns) > _MAX_COLUMNS:
            return False
        self._columns |= columns
        self._formats = self._list_formats()
        return True

    def _list_formats(self) -> list[tuple[str, Callable[[Any], str]]]:
        return [
            (name, _formatted_once(prop.to_csv) if name in TIMESTAMPS else prop.to_csv)
            for name, prop in self._columns.items()
        ]

    def write(self, record: NodeRecord | EdgeRecord) -> None:
        """Add a row."""
        get = record.given.get
        uids = (record.uid,) if isinstance(record, NodeRecord) else (record.source, record.target)
        cells = [csv_quote(uid) for uid in uids]
        cells += [
            "" if (value := get(name)) is None else to_csv(value) for name, to_csv in self._formats
        ]
        # The importer refuses a short row that ends with an empty cell.
        row = ",".join(cells).rstrip(",")
        self._waiting.append(row)
        self._size += len(row)
        self.longest_row = max(self.longest_row, 4 * len(row))
        if self._size > _MAX_WAITING:
            self._flush()

    def close(self) -> None:
        """Write the remaining rows and the header."""
        self._flush()
        columns = (csv_quote(f"{name}:{prop.csv_types[0]}") for name, prop in self._columns.items())
        self._header.write_text(",".join([*self._keys, *columns]) + "\n", encoding="utf-8")

    def _flush(self) -> None:
        with self._rows.open("a", encoding="utf-8", newline="\n") as stream:
            stream.writelines(f"{row}\n" for row in self._waiting)
        self._waiting, self._size = [], 0
