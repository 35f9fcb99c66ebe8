"""The CSV files for the importer of Neo4j: those of a dump, with JSON values by path.

The type of a column is in its header, so nodes whose JSON values have other types at the same path
are in another file. A column begins with the first row that has a value for it: earlier rows are
shorter, which the importer reads as null, and headers are written last, into files of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.exchange.formats import csv
from genai_graph.exchange.formats.csv_schema import csv_schemas
from genai_graph.properties.literals import csv_quote
from genai_graph.properties.types import (
    ArrayProperty,
    BooleanProperty,
    FloatProperty,
    IntegerProperty,
    Property,
    StringProperty,
)
from genai_graph.storage.columns import json_columns, json_names
from genai_graph.storage.rows import TIMESTAMPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genai_graph.exchange.formats.csv_schema import CsvSchema
    from genai_graph.properties.json_columns import Columns
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
        self._known: dict[tuple[str, Leaves], _ImportFile | None] = {}

    def add_node(self, label: str, uid: str, values: dict[str, Any]) -> bool:
        """Add a new node by its values, without its uid; return False if CSV can't hold them."""
        json = json_names(label)
        if json.isdisjoint(values):
            return self._files[label][0].write((uid,), values)
        columns = json_columns(json & values.keys(), values)
        file = self._file_with(label, columns)
        others = {name: value for name, value in values.items() if name not in json}
        return file is not None and file.write((uid,), {**others, **columns})

    def add_edge(
        self, edge_type: EdgeType, source: str, target: str, values: dict[str, Any]
    ) -> bool:
        """Add a new edge by its values; return False if CSV can't hold them."""
        return self._files[edge_type][0].write((source, target), values)

    def close(self) -> list[str]:
        """Write the remaining rows and the headers, and return the options of the importer."""
        files = [file for files in self._files.values() for file in files]
        for file in files:
            file.close()
        return csv.import_options(
            [(file.group, file.names) for file in files],
            longest_row=max(file.longest_row for file in files),
            multiline=any(file.is_multiline for file in files),
        )

    def _file_with(self, label: str, columns: Columns) -> _ImportFile | None:
        """Return the file of nodes with such values in JSON, or None."""
        leaves = tuple(
            [
                (name, type(value), type(value[0]) if type(value) is list else None)
                for name, value in columns.items()
                if "." in name
            ]
        )
        key = label, leaves
        if key not in self._known:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            self._known[key] = self._find_file(label, leaves)
        return self._known[key]

    def _find_file(self, label: str, leaves: Leaves) -> _ImportFile | None:
        columns = {}
        for name, type_, item in leaves:
            prop = _SCALARS.get(type_) if item is None else _LISTS.get(item)
            if prop is None or not _COLUMN_NAME.fullmatch(name):
                return None
            columns[name] = prop
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


def _formatted_once(to_csv: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a function that remembers the cell of its last argument, for repeated values."""
    last, cell = object(), ""

    def format_value(value: Any) -> str:
        nonlocal last, cell
        if value is not last:
            last, cell = value, to_csv(value)
        return cell

    return format_value


class _Layout(NamedTuple):
    """How rows with values in the same columns are written.

    The template has the quotes of texts, so that most values are inserted as they are.
    """

    names: list[str]  # the properties, in the order of the columns
    texts: list[int]  # the cells with texts
    conversions: list[tuple[int, Callable[[Any], str]]]  # of the cells with other values
    lists: list[tuple[int, ArrayProperty]]
    template: str = ""
    quotes: int = 0  # in a row without quotes in its values


class _ImportFile:
    """A file of rows, to which columns may be added, and one with its header."""

    def __init__(self, directory: Path, schema: CsvSchema, name: str) -> None:
        self.group: str | EdgeType = schema.group
        self.names = f"header-{name}", name
        self.longest_row = 0  # in bytes, at most
        self.is_multiline = False  # whether a value contains a line break
        self._header, self._rows = (directory / each for each in self.names)
        self._keys = schema.keys
        self._columns: dict[str, Property[Any]] = dict(schema.properties)
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._waiting: list[str] = []
        self._size = 0

    def add_columns(self, columns: dict[str, Property[Any]]) -> bool:
        """Add columns unless one has another type already; return whether the file has them."""
        if any(self._columns.get(name, prop) is not prop for name, prop in columns.items()):
            return False
        if len(self._columns | columns) > _MAX_COLUMNS:
            return False
        self._columns |= columns
        return True

    def write(self, uids: tuple[str, ...], values: dict[str, Any]) -> bool:
        """Add a row; return False if CSV can't hold one of the values."""
        names = tuple(values)
        layout = self._layouts.get(names)
        if layout is None:
            if len(self._layouts) > _MAX_KNOWN:
                self._layouts.clear()
            layout = self._layouts[names] = self._lay_out(names)
        cells = [*uids, *map(values.__getitem__, layout.names)]
        for index, prop in layout.lists:
            value = cells[index]
            # The importer drops empty lists.
            if value in ([], [""]) or not prop.fits_csv(value):
                return False
        for index, to_csv in layout.conversions:
            cells[index] = to_csv(cells[index])
        row = layout.template % tuple(cells)
        if row.count('"') != layout.quotes:
            for index in layout.texts:
                cells[index] = cells[index].replace('"', '""')
            row = layout.template % tuple(cells)
        self._waiting.append(row)
        self._size += len(row)
        if self._size > _MAX_WAITING:
            self._flush()
        return True

    def _lay_out(self, given: tuple[str, ...]) -> _Layout:
        cells = ['"%s"'] * len(self._keys)
        layout = _Layout([], [*range(len(cells))], [], [])
        for name, prop in self._columns.items():
            index = len(self._keys) + len(layout.names)
            if name not in given:
                cells.append("")
                continue
            layout.names.append(name)
            if prop.csv_types[0] == "string":
                layout.texts.append(index)
                cells.append('"%s"')
                continue
            cells.append("%s")
            if type(prop).to_csv is not Property.to_csv:
                is_timestamp = name in TIMESTAMPS
                to_csv = _formatted_once(prop.to_csv) if is_timestamp else prop.to_csv
                layout.conversions.append((index, to_csv))
            if isinstance(prop, ArrayProperty):
                layout.lists.append((index, prop))
        # The importer refuses a short row that ends with an empty cell.
        template = ",".join(cells).rstrip(",")
        return layout._replace(
            template=template, quotes=template.count('"') + 2 * len(layout.lists)
        )

    def close(self) -> None:
        """Write the remaining rows and the header."""
        self._flush()
        columns = (csv_quote(f"{name}:{prop.csv_types[0]}") for name, prop in self._columns.items())
        self._header.write_text(",".join([*self._keys, *columns]) + "\n", encoding="utf-8")

    def _flush(self) -> None:
        text = "".join([f"{row}\n" for row in self._waiting])
        self.longest_row = max([self.longest_row, *(4 * len(row) for row in self._waiting)])
        if "\r" in text or text.count("\n") != len(self._waiting):
            self.is_multiline = True
        with self._rows.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        self._waiting, self._size = [], 0
