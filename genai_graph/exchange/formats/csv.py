"""CSV: a directory of files in the dialect of `neo4j-admin database import`.

::

    Model.csv
        uid:ID(Model),framework:string,size:long,tags:string[]
        xgb-fraud@2.1,xgboost,1048576,a;b
    Model-TRAINED_ON-Dataset.csv
        :START_ID(Model),:END_ID(Dataset),role:string
        xgb-fraud@2.1,transactions@2026,training

An empty cell means no value, a quoted empty cell is an empty string. A valid row is converted cell
by cell; only an invalid one is read again, to report all of its errors with the messages of the
other formats.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from genai_graph.errors import FixtureIssue, PropertyError, SourceLocation
from genai_graph.exchange.formats.builders import build_edge, build_node
from genai_graph.exchange.formats.compression import read_error_message
from genai_graph.exchange.formats.csv_cells import (
    EMPTY,
    MAX_ROW_BYTES,
    cell_text,
    iter_raw_rows,
    iter_rows,
    malformed_row,
    split_row,
)
from genai_graph.exchange.formats.csv_schema import EXACT, csv_schemas
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    TruncatedFile,
    group_key,
)
from genai_graph.names import normalize_name
from genai_graph.properties.json_values import parse_json
from genai_graph.properties.literals import LIST_SEPARATOR, csv_quote
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.properties.types import MAX_INDEXED_BYTES
from genai_graph.registry import MODULES_SETTING, NODES, properties_of
from genai_graph.storage.batching import BATCH_ROWS, batch_by_key

if TYPE_CHECKING:
    from genai_graph.exchange.formats.csv_schema import CsvSchema
    from genai_graph.exchange.formats.records import Record
    from genai_graph.registry import EdgeType


_COMPRESSED = (".gz", ".xz", ".bz2", ".zip", ".zst")
_OTHER_SEPARATORS = {";": "semicolons (;)", "\t": "tabs", "|": "vertical bars (|)"}
_COLUMN = re.compile(r"([^:]*)(?::([^:()]+)(?:\(([^()]*)\))?)?")
_SAFE_UID_LENGTH = MAX_INDEXED_BYTES // 4  # a character has up to four bytes
_ADMIN_BUFFER_BYTES = 4 * 1024 * 1024  # the default of neo4j-admin; each row must fit into it


# Reading


def size(directory: Path) -> int:
    """Return the total size of the CSV files of a directory in bytes."""
    return sum(path.stat().st_size for path in directory.glob("*.csv") if path.is_file())


def records(
    directory: Path,
    wanted: type[Record] | None = None,
    advance: Callable[[int], None] = lambda size: None,
) -> Iterator[Record]:
    """Yield the records and errors of a directory's files, nodes first.

    With `wanted`, only the files with records of that class are read. `advance` is called with the
    size of each file.
    """
    schemas = {schema.name: schema for schema in csv_schemas().values()}
    try:
        found = {path.name for path in directory.iterdir() if path.suffix.lower() == ".csv"}
    except OSError as error:
        yield TruncatedFile(SourceLocation(str(directory)), read_error_message(error))
        return
    if not found and not _compressed(directory):
        example = next(iter(schemas))
        message = f"directory without CSV files such as {example}: name the files in it instead"
        yield FixtureIssue(SourceLocation(str(directory)), message)
    for name in sorted(_compressed(directory)):
        message = "CSV files are read uncompressed: decompress it"
        yield FixtureIssue(SourceLocation(str(directory / name)), message)
    for name in sorted(found - schemas.keys()):
        hint = did_you_mean(name, schemas)
        expected = f"expected one of {', '.join(schemas)}"
        own = f"or set {MODULES_SETTING} to the module with its class"
        location = SourceLocation(str(directory / name))
        yield FixtureIssue(location, f"unknown file name{hint}: {expected}, {own}")
    for name, schema in schemas.items():
        if name in found and wanted in (None, schema.record_class):
            path = directory / name
            try:
                with path.open("rb") as stream:
                    yield from _read_file(stream, str(path), schema)
                advance(path.stat().st_size)
            except OSError as error:
                yield TruncatedFile(SourceLocation(str(path)), read_error_message(error))


def file_error(path: Path) -> str:
    """Return the error for a CSV file that was named instead of its directory."""
    problem = "not a directory: CSV is a directory of files, one for each label and edge type"
    if path.name in {schema.name for schema in csv_schemas().values()}:
        return f"{problem}: name {str(path.parent)!r}"
    return f"{problem}, such as Model.csv; for a table of runs, use genai-graph import csv"


def _read_file(stream: IO[bytes], file: str, schema: CsvSchema) -> Iterator[Record]:
    rows = iter_rows(stream, file)
    header = next(rows, None)
    if header is None:
        message = f"expected a header with {' and '.join(schema.keys)}, got an empty file"
        yield FixtureIssue(SourceLocation(file, 1), message)
    elif isinstance(header, FixtureIssue):
        yield header
    elif (cells := split_row(header[1])) is None:
        yield malformed_row(header[1], file, header[0])
    else:
        reader = CsvReader(schema, map(cell_text, cells))
        separator = _other_separator(header[1])
        errors = reader.errors
        if separator and not reader.has_keys:
            errors = [f"cells are separated by {separator}: write commas"]
        for message in errors:
            yield FixtureIssue(SourceLocation(file, header[0]), message)
        if reader.has_keys:
            yield from _read_rows(rows, file, reader)


def _compressed(directory: Path) -> list[str]:
    """Return the names of compressed CSV files in a directory."""
    found = (path for path in directory.iterdir() if path.suffix.lower() in _COMPRESSED)
    return [path.name for path in found if path.with_suffix("").suffix.lower() == ".csv"]


def _other_separator(header: str) -> str:
    """Return the description of a separator other than the comma, or ""."""
    return next((name for mark, name in _OTHER_SEPARATORS.items() if mark in header), "")


def _read_rows(
    rows: Iterator[tuple[int, str] | FixtureIssue], file: str, reader: CsvReader
) -> Iterator[Record]:
    for row in rows:
        if isinstance(row, FixtureIssue):
            yield row
            continue
        line, text = row
        cells = split_row(text)
        if cells is None:
            yield malformed_row(text, file, line)
        elif len(cells) != reader.width:
            hint = ": quote cells that contain commas" if len(cells) > reader.width else ""
            message = f"expected {reader.width} cells as in the header, got {len(cells)}{hint}"
            yield FixtureIssue(SourceLocation(file, line), message)
        else:
            try:
                record = reader.read_row(cells, len(text), file, line)
            except PropertyError:
                yield from reader.validate_row(cells, SourceLocation(file, line))
            else:
                yield record


class CsvReader:
    """Reads the rows of a file by the columns of its header, whose errors are in `errors`."""

    def __init__(self, schema: CsvSchema, columns: Iterable[str]) -> None:
        self._schema = schema
        self._keys: dict[str, int] = {}
        self._properties: dict[str, int] = {}
        self._group_column: int | None = None
        self._exact_column: int | None = None
        names = list(columns)
        self.width = len(names)
        found = (self._add_column(index, name) for index, name in enumerate(names))
        self.errors = [error for error in found if error is not None]
        self.errors += [
            f"{key}: required column is missing" for key in schema.keys if key not in self._keys
        ]
        self._uid_columns = [self._keys[key] for key in schema.keys if key in self._keys]
        # The conversion of each cell in the order of the columns; None for all but properties.
        self._converters: list[tuple[str, Callable[[str], Any]] | None] = [None] * self.width
        for name, index in self._properties.items():
            self._converters[index] = (name, schema.properties[name].from_csv)

    @property
    def has_keys(self) -> bool:
        """Whether the header has all key columns, without which no row can be read."""
        return len(self._keys) == len(self._schema.keys)

    def _add_column(self, index: int, text: str) -> str | None:
        """Add a column of the header, or return an error."""
        found = _COLUMN.fullmatch(text)
        name, type_, id_space = found.groups() if found else (text, None, None)
        type_ = (type_ or "string").lower()
        if type_ == "ignore":
            if name != EXACT:
                return None
            self._exact_column, previous = index, self._exact_column
            return None if previous is None else f"{EXACT}: duplicate column"
        if name in ("", "uid"):
            return self._add_key(index, text, f"{name}:{type_.upper()}", id_space)
        return self._add_property(index, name, type_)

    def _add_key(self, index: int, text: str, name: str, id_space: str | None) -> str | None:
        if name == self._schema.group_column[0]:
            self._group_column, previous = index, self._group_column
            return None if previous is None else f"{text}: duplicate column"
        for key in self._schema.keys:
            # The id space, the label in parentheses, may be omitted.
            if key == f"{name}({id_space})" or (id_space is None and key.partition("(")[0] == name):
                if key in self._keys:
                    return f"{text}: duplicate column"
                self._keys[key] = index
                return None
        return f"unknown column {describe(text)}: expected {' and '.join(self._schema.keys)}"

    def _add_property(self, index: int, name: str, type_: str) -> str | None:
        prop = self._schema.properties.get(name)
        if prop is None:
            hint = did_you_mean(name, self._schema.properties)
            return f"{name}: {self._schema.group} has no such property{hint}"
        if name in self._properties:
            return f"{name}: duplicate column"
        self._properties[name] = index
        expected = prop.csv_types
        if type_ in expected:
            return None
        return f"{name}: expected the type {expected[0]}, got {type_}: write {name}:{expected[0]}"

    def read_row(self, cells: list[str], size: int, file: str, line: int) -> Record:
        """Return the record of a valid row; for any other raise `PropertyError`."""
        given = {}
        for cell, column in zip(cells, self._converters, strict=True):
            if cell != EMPTY and column is not None:
                name, convert = column
                given[name] = convert(cell_text(cell))
        group = self._schema.group
        if self._exact_column is not None and (cell := cells[self._exact_column]) != EMPTY:
            given.update(dict.fromkeys(_removed_properties(group, cell)))
        if self._group_column is not None and self._group_error(cells):
            raise PropertyError("row of another label or type")
        if isinstance(group, str):
            (uid,) = self._uids(cells)
            if not 0 < len(uid) <= _SAFE_UID_LENGTH:
                properties_of(NODES[group])["uid"].validate(uid)
            for _, error in NODES[group].check_constraints(given):
                raise error
            return NodeRecord(uid, given, size, group, file, line)
        source, target = self._uids(cells)
        if not (source and target):
            raise PropertyError("empty uid")
        return EdgeRecord(source, target, given, size, group, file, line)

    def _uids(self, cells: list[str]) -> list[str]:
        return [normalize_name(cell_text(cells[index])) for index in self._uid_columns]

    def validate_row(self, cells: list[str], location: SourceLocation) -> Iterator[Record]:
        """Yield the record of a row, or all of its errors; slower than `read_row`."""
        group = self._schema.group
        uids = self._uids(cells)
        values, errors = self._parse_values(cells)
        if isinstance(group, str):
            subject = f"{group} {uids[0]!r}"
            built = build_node(group, uids[0], values, location, lambda *_: location)
            invalid: Record = InvalidNode(group, uids[0], location)
        else:
            source, target = uids
            subject = f"{group.source} {source!r}: {group.type}: {target!r}"
            built = build_edge(
                group, source, target, values, location, lambda *_: location, subject
            )
            invalid = InvalidEdge(group, target)
            empty = (key for key, uid in zip(self._schema.keys, uids, strict=True) if not uid)
            errors += [f"{key}: expected a non-empty uid" for key in empty]
        issues: list[Record] = [FixtureIssue(location, f"{subject}: {error}") for error in errors]
        found = list(built)
        issues += [record for record in found if isinstance(record, FixtureIssue)]
        yield from [*issues, invalid] if issues else found

    def _parse_values(self, cells: list[str]) -> tuple[dict[str, Any], list[str]]:
        """Return the values of a row as a document would give them, and errors."""
        values: dict[str, Any] = {}
        errors = [error] if (error := self._group_error(cells)) else []
        for name, index in self._properties.items():
            prop, text = self._schema.properties[name], cell_text(cells[index])
            if text or (cells[index] != EMPTY and prop.keeps_empty_cells):
                try:
                    values[name] = prop.parse_csv(text)
                except PropertyError as error:
                    errors.append(f"{name}: {error}")
        if self._exact_column is not None and (cell := cells[self._exact_column]) != EMPTY:
            try:
                found = parse_json(cell_text(cell))
                if not isinstance(found, dict):
                    raise PropertyError(f"expected a map in JSON, got {describe(found)}")
                if "uid" in found:
                    raise PropertyError("uid: already given by its own column; remove it here")
                values.update(found)
            except PropertyError as error:
                errors.append(f"{EXACT}: {error}")
        return values, errors

    def _group_error(self, cells: list[str]) -> str:
        """Return an error if the label or type in the row differs from the file's, or ""."""
        column, expected = self._schema.group_column
        found = "" if self._group_column is None else cell_text(cells[self._group_column])
        if found in ("", expected):
            return ""
        return f"{column}: expected {expected} as in the file name, got {found!r}"


@functools.lru_cache
def _removed_properties(group: str | EdgeType, cell: str) -> tuple[str, ...]:
    """Return the names of removed properties in an `exact` cell that contains nothing else.

    Cached, because the rows of a file mostly remove the same ones. Raises `PropertyError` for other
    cells, which `CsvReader.validate_row` reads.
    """
    found = parse_json(cell_text(cell))
    known = csv_schemas()[group].properties
    if isinstance(found, dict) and all(
        value is None and name in known and not known[name].is_required
        for name, value in found.items()
    ):
        return tuple(found)
    raise PropertyError("contains values")


# Writing


def write(records: Iterable[NodeRecord | EdgeRecord], directory: Path) -> None:
    """Write records into a directory, one file per label and edge type.

    Every file is written, even if only with a header: no rows of a previous dump remain, and one
    import command fits all graphs.
    """
    schemas = csv_schemas()
    for schema in schemas.values():
        with _open(directory, schema, "w") as stream:
            stream.write(",".join(schema.header) + "\n")
    for group, members in batch_by_key(records, group_key, BATCH_ROWS):
        with _open(directory, schemas[group], "a") as stream:
            stream.writelines(_format_rows(schemas[group], members))


def _open(directory: Path, schema: CsvSchema, mode: str) -> IO[str]:
    return (directory / schema.name).open(mode, encoding="utf-8", newline="\n")


def _format_rows(schema: CsvSchema, records: Iterable[NodeRecord | EdgeRecord]) -> Iterator[str]:
    columns = [(name, prop.to_csv, prop.fits_csv) for name, prop in schema.properties.items()]
    for record in records:
        given = record.given
        uids = (record.uid,) if isinstance(record, NodeRecord) else (record.source, record.target)
        cells = [csv_quote(uid) for uid in uids]
        exact: dict[str, Any] = {}  # null, and lists that would be split at the wrong places
        for name, to_csv, fits_csv in columns:
            value = given.get(name)
            if value is None:
                cells.append("")
                if name in given:
                    exact[name] = None
            else:
                cells.append(to_csv(value))
                if not fits_csv(value):
                    exact[name] = value
        encoded = msgspec.json.encode(exact, order="sorted").decode() if exact else ""
        cells.append(csv_quote(encoded) if exact else "")
        row = ",".join(cells) + "\n"
        if len(row) > MAX_ROW_BYTES // 4 and len(row.encode()) > MAX_ROW_BYTES:
            raise PropertyError(
                f"{schema.group} {' '.join(map(repr, uids))}: row exceeds {MAX_ROW_BYTES:,} bytes, "
                "the limit for reading it: dump it in another format"
            )
        yield row


def import_command(directory: Path, database: str = "neo4j") -> str:
    """Return the shell command that imports the files that `write` wrote into a new database."""
    schemas = csv_schemas().values()
    rows = [_measure_rows(directory / schema.name) for schema in schemas]
    options = import_options(
        [(schema.group, [schema.name]) for schema in schemas],
        longest_row=max(length for length, _ in rows),
        multiline=any(is_multiline for _, is_multiline in rows),
    )
    command = ["neo4j-admin", "database", "import", "full", database, *options]
    # neo4j-admin splits at commas, which a path may contain: hence file names and a `cd`.
    return f"cd {shlex.quote(str(directory))} && {shlex.join(command)}"


def import_options(
    files: Iterable[tuple[str | EdgeType, Sequence[str]]], *, longest_row: int, multiline: bool
) -> list[str]:
    """Return the options of ``neo4j-admin database import full`` that is run in a directory.

    `files` are the names of files with the rows of a label or an edge type, the header first;
    `longest_row` is in bytes. `multiline` is whether a value contains a line break: otherwise
    the importer can divide the files anywhere between two lines, which is faster.
    """
    options = []
    for group, names in files:
        kind = f"nodes={group}" if isinstance(group, str) else f"relationships={group.type}"
        # Neo4j 2026.08 fails on names without a directory.
        options.append(f"--{kind}={','.join(f'./{name}' for name in names)}")
    return [
        "--delimiter=,",
        f"--array-delimiter=U+{ord(LIST_SEPARATOR):04X}",
        '--quote="',
        f"--multiline-fields={str(multiline).lower()}",
        "--id-type=string",
        f"--read-buffer-size={max(_ADMIN_BUFFER_BYTES, longest_row)}",
        *options,
    ]


def _measure_rows(path: Path) -> tuple[int, bool]:
    """Return the length of the longest row in bytes, and whether a cell has a line break."""
    longest, is_multiline = 0, False
    with path.open("rb") as stream:
        for _, row in iter_raw_rows(stream):
            longest = max(longest, len(row))
            is_multiline = is_multiline or b"\r" in row or row.count(b"\n") > 1
    return longest, is_multiline
