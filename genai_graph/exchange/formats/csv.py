"""CSV: a folder of files in the dialect of `neo4j-admin database import`, one for each kind.

::

    Model.csv
        uid:ID(Model),framework:string,size:long,tags:string[]
        xgb-fraud@2.1,xgboost,1048576,a;b
    Model-TRAINED_ON-Dataset.csv
        :START_ID(Model),:END_ID(Dataset),role:string
        xgb-fraud@2.1,transactions@2026,training

An empty cell says nothing, a quoted empty one is an empty text. A right row is converted cell by
cell; only one that is refused is looked at again, for all that is wrong with it in the words of the
other formats.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from genai_graph.errors import FixtureIssue, PropertyError, SourceLocation
from genai_graph.exchange.formats.building import edge_records, node_records
from genai_graph.exchange.formats.csv_cells import (
    EMPTY,
    malformed,
    rows,
    split,
    text_of,
)
from genai_graph.exchange.formats.csv_schema import EXACT, csv_schemas
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    InvalidEdge,
    InvalidNode,
    NodeRecord,
    TruncatedFile,
)
from genai_graph.properties.json_values import parse_json
from genai_graph.properties.messages import describe, did_you_mean
from genai_graph.properties.types import MAX_INDEXED_BYTES
from genai_graph.registry import NODES, properties_of

if TYPE_CHECKING:
    from genai_graph.exchange.formats.csv_schema import CsvSchema
    from genai_graph.exchange.formats.records import Record
    from genai_graph.properties.json_values import parse_json
from genai_graph.registry import EdgeType

__all__ = ["import_command", "records", "sheets", "write"]

_COLUMN = re.compile(r"([^:]*)(?::([^:()]+)(?:\(([^()]*)\))?)?")


def size(folder: Path) -> int:
    """Return how many bytes the CSV files of a folder have."""
    return sum(path.stat().st_size for path in folder.glob("*.csv") if path.is_file())


def records(
    folder: Path,
    wanted: type[Record] | None = None,
    advance: Callable[[int], None] = lambda size: None,
) -> Iterator[Record]:
    """Yield the records of a folder's files, nodes first, and the faults in them.

    Only the files of the wanted kind are read; `advance` hears the bytes of each.
    """
    known = {sheet.name: sheet for sheet in csv_schemas().values()}
    try:
        found = {path.name for path in folder.iterdir() if path.suffix.lower() == ".csv"}
    except OSError as error:
        yield _unreadable(str(folder), error)
        return
    if not found:
        message = f"is a folder without CSV files such as {next(iter(known))}: name the files in it"
        yield FixtureIssue(SourceLocation(str(folder), 1), message)
    for name in sorted(found - known.keys()):
        yield FixtureIssue(SourceLocation(str(folder / name), 1), _unknown_file(name, known))
    for name, sheet in known.items():
        if name in found and wanted in (None, sheet.record):
            yield from _read_file(folder / name, sheet)
            advance((folder / name).stat().st_size)


def _read_file(path: Path, sheet: CsvSchema) -> Iterator[Record]:
    try:
        with path.open("rb") as stream:
            yield from _read(stream, str(path), sheet)
    except OSError as error:
        yield _unreadable(str(path), error)


def _unreadable(name: str, error: OSError) -> FixtureIssue:
    return TruncatedFile(SourceLocation(name, 1), f"can't be read: {error.strerror or error}")


def _unknown_file(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"no kind of node or edge has a file of this name{hint}: expected {', '.join(known)}"


def _read(stream: IO[bytes], file: str, sheet: CsvSchema) -> Iterator[Record]:
    found = rows(stream, file)
    head = next(found, None)
    if head is None:
        message = f"expected a header with {_keys(sheet)}, got an empty file"
        yield FixtureIssue(SourceLocation(file, 1), message)
    elif isinstance(head, FixtureIssue):
        yield head
    elif (cells := split(head[1])) is None:
        yield malformed(head[1], file, head[0])
    else:
        table = CsvReader(sheet, len(cells))
        for problem in table.take_header(map(text_of, cells)):
            yield FixtureIssue(SourceLocation(file, head[0]), problem)
        if table.is_usable:
            yield from _records(found, file, table)


def _records(
    found: Iterator[tuple[int, str] | FixtureIssue], file: str, table: CsvReader
) -> Iterator[Record]:
    for row in found:
        if isinstance(row, FixtureIssue):
            yield row
            continue
        number, text = row
        cells = split(text)
        if cells is None:
            yield malformed(text, file, number)
        elif len(cells) != table.width:
            yield FixtureIssue(SourceLocation(file, number), _ragged(len(cells), table.width))
        else:
            try:
                record = table.read(cells, file, number)
            except PropertyError:
                yield from table.explain(cells, SourceLocation(file, number))
            else:
                yield record


def _ragged(found: int, expected: int) -> str:
    advice = ": quote a cell that has commas" if found > expected else ""
    return f"has {found} cells, where the header has {expected} columns{advice}"


def _keys(sheet: CsvSchema) -> str:
    return " and ".join(sheet.keys)


@dataclass(slots=True)
class CsvReader:
    """The columns of one file: where the keys stand, and how each property's cells are read."""

    sheet: CsvSchema
    width: int
    keys: dict[str, int] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    # By column, as long as the header: the name and what its cells mean, or None for the others.
    converters: list[tuple[str, Callable[[str], Any]] | None] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    named: int | None = None
    exact: int | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it is known what each row is about."""
        return len(self.keys) == len(self.sheet.keys)

    def take_header(self, names: Iterable[str]) -> Iterator[str]:
        """Take the columns in, and yield what is wrong with them."""
        for index, text in enumerate(names):
            if (problem := self._take_column(index, text)) is not None:
                yield problem
        for key in self.sheet.keys:
            if key not in self.keys:
                yield f"{key}: is missing: every row needs it"
        self.ends = [self.keys[key] for key in self.sheet.keys if key in self.keys]
        self.converters = [None] * self.width
        for name, index in self.columns.items():
            self.converters[index] = (name, self.sheet.properties[name].from_csv)

    def _take_column(self, index: int, text: str) -> str | None:
        found = _COLUMN.fullmatch(text)
        name, type_, space = found.groups() if found else (text, None, None)
        kind = (type_ or "string").lower()
        if kind == "ignore":
            return self._take_ignored(index, name)
        if name in ("", "uid"):
            return self._take_key(index, text, f"{name}:{kind.upper()}", space)
        return self._take_property(index, name, kind)

    def _take_ignored(self, index: int, name: str) -> str | None:
        if name != EXACT:
            return None
        self.exact, before = index, self.exact
        return None if before is None else f"{EXACT}: stands twice: keep one"

    def _take_key(self, index: int, text: str, short: str, space: str | None) -> str | None:
        if short == self._own_name:
            self.named, before = index, self.named
            return None if before is None else f"{text}: stands twice: keep one"
        for key in self.sheet.keys:
            if key == f"{short}({space})" or (space is None and _short(key) == short):
                if key in self.keys:
                    return f"{text}: stands twice: keep one"
                self.keys[key] = index
                return None
        return f"{describe(text)}: is no column here: expected {_keys(self.sheet)}"

    def _take_property(self, index: int, name: str, type_: str) -> str | None:
        prop = self.sheet.properties.get(name)
        if prop is None:
            hint = did_you_mean(name, self.sheet.properties)
            return f"{name}: {self.sheet.of} has no such property{hint}"
        if name in self.columns:
            return f"{name}: stands twice: keep one"
        self.columns[name] = index
        expected = prop.csv_types
        if type_ in expected:
            return None
        return f"{name}: expected the type {expected[0]}, got {type_}: write {name}:{expected[0]}"

    @property
    def _own_name(self) -> str:
        """The column that says once more what the file's name says."""
        return ":LABEL" if isinstance(self.sheet.of, str) else ":TYPE"

    def read(self, cells: list[str], file: str, line: int) -> Record:
        """Return the record of a right row; `PropertyError` means that `explain` must read it."""
        given = {}
        for cell, column in zip(cells, self.converters, strict=True):
            if cell != EMPTY and column is not None:
                name, convert = column
                given[name] = convert(text_of(cell))
        if self.exact is not None and (cell := cells[self.exact]) != EMPTY:
            given.update(dict.fromkeys(_nulls(self.sheet.of, cell)))
        if self.named is not None and self._name_fault(cells):
            raise PropertyError("is in the wrong file")
        of = self.sheet.of
        if isinstance(of, str):
            return _node(of, text_of(cells[self.ends[0]]), given, sum(map(len, cells)), file, line)
        source, target = self._uids(cells)
        if not (source and target):
            raise PropertyError("has no end")
        return EdgeRecord(source, target, given, sum(map(len, cells)), of, file, line)

    def _uids(self, cells: list[str]) -> list[str]:
        return [text_of(cells[index]) for index in self.ends]

    def explain(self, cells: list[str], place: SourceLocation) -> Iterator[Record]:
        """Read a row once more, slowly, and yield its record or all that is wrong with it."""
        of = self.sheet.of
        uids = self._uids(cells)
        values, problems = self._values(cells)
        if isinstance(of, str):
            subject = f"{of} {uids[0]!r}"
            rest = node_records(of, uids[0], values, place, lambda *_: place)
            flawed: Record = InvalidNode(of, uids[0], place)
        else:
            subject = f"{of.source} {uids[0]!r}: {of.type}: {uids[1]!r}"
            rest = edge_records(of, uids[0], uids[1], values, place, lambda *_: place, subject)
            flawed = InvalidEdge(of, uids[1])
            problems += [
                f"{key}: expected a uid that is not empty"
                for key, uid in zip(self.sheet.keys, uids, strict=True)
                if not uid
            ]
        sound = not problems
        yield from (FixtureIssue(place, f"{subject}: {problem}") for problem in problems)
        for record in rest:
            sound = sound and not isinstance(record, (FixtureIssue, InvalidNode, InvalidEdge))
            if sound or isinstance(record, FixtureIssue):
                yield record
        if not sound:
            yield flawed

    def _values(self, cells: list[str]) -> tuple[dict[str, Any], list[str]]:
        """Return the values of a row as JSON would have them, and what is wrong with the others."""
        values: dict[str, Any] = {}
        problems = [fault] if (fault := self._name_fault(cells)) else []
        for name, index in self.columns.items():
            prop, text = self.sheet.properties[name], text_of(cells[index])
            if text or (cells[index] != EMPTY and prop.keeps_empty_cells):
                try:
                    values[name] = prop.parse_csv(text)
                except PropertyError as error:
                    problems.append(f"{name}: {error}")
        try:
            values.update(self._exact_values(cells))
        except PropertyError as error:
            problems.append(f"{EXACT}: {error}")
        return values, problems

    def _exact_values(self, cells: list[str]) -> dict[str, Any]:
        if self.exact is None or cells[self.exact] == EMPTY:
            return {}
        found = parse_json(text_of(cells[self.exact]))
        if not isinstance(found, dict):
            raise PropertyError(f"expected a map in JSON, got {describe(found)}")
        if "uid" in found:
            raise PropertyError("uid: has a column of its own: leave it out here")
        return found

    def _name_fault(self, cells: list[str]) -> str | None:
        of = self.sheet.of
        expected = of if isinstance(of, str) else of.type
        found = "" if self.named is None else text_of(cells[self.named])
        if found in ("", expected):
            return None
        return f"{self._own_name}: expected {expected}, as the file's name says, got {found!r}"


def _node(
    label: str, uid: str, given: dict[str, Any], size: int, file: str, line: int
) -> NodeRecord:
    if not 0 < len(uid) <= MAX_INDEXED_BYTES // 4:
        _uid_check(label)(uid)
    for _, error in NODES[label].check_constraints(given):
        raise error
    return NodeRecord(uid, given, size, label, file, line)


@functools.lru_cache
def _nulls(of: str | EdgeType, cell: str) -> tuple[str, ...]:
    """Return the properties to be removed, where that is all that the cell says."""
    found = parse_json(text_of(cell))
    known = csv_schemas()[of].properties
    if isinstance(found, dict) and all(
        value is None and name in known and not known[name].is_required
        for name, value in found.items()
    ):
        return tuple(found)
    raise PropertyError("says more")


@functools.cache
def _uid_check(label: str) -> Callable[[Any], Any]:
    return properties_of(NODES[label])["uid"].validate


def _short(key: str) -> str:
    return key.partition("(")[0]
