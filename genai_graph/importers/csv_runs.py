"""Import of tables of runs: from ``mlflow experiments csv``, or with a map of the columns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from genai_graph.errors import ImportSourceError, SettingsError, SourceLocation
from genai_graph.importers.builder import RecordBuilder, edges_in_cycles
from genai_graph.importers.column_map import (
    ColumnMap,
    check_columns,
    mlflow_columns,
    read_column_map,
)
from genai_graph.importers.context import Context
from genai_graph.importers.files import origin_of
from genai_graph.importers.mlflow_conventions import (
    PARENT,
    RUN_NAME,
    RUN_STATUSES,
    decode_value,
    random_seed,
    split_tags,
    tag_properties,
)
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written
from genai_graph.importers.secret_values import has_secret_shape, is_secret
from genai_graph.importers.tables import Table, open_table
from genai_graph.importers.times import (
    FILTERED,
    TimeRange,
    parse_duration,
    parse_epoch,
    parse_time,
)
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import escape_part, join_parts, metric_uid
from genai_graph.properties.messages import describe
from genai_graph.properties.redaction import strip_credentials

if TYPE_CHECKING:
    from genai_graph.importers.records import ImportRecord

_ENDED = ("FINISHED", "FAILED", "KILLED")
_NO_VALUE = ("", "-")
_NUMBERS = {"inf": math.inf, "-inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf}


def records(
    *files: str, context: Context | None = None, since: Any = None, until: Any = None
) -> Iterator[ImportRecord]:
    """Yield the records of tables of runs, one run per row.

    The map of the context says which columns have which values; the columns of MLflow need none.
    docs/importing.md describes the options. Raises `ImportSourceError` if a file can't be read, and
    `SettingsError` for a map that does not fit.
    """
    times = TimeRange(since, until)
    for file in files:
        yield from _TableImport(context or Context(), times, file).records()


class _TableImport:
    """Maps the rows of one table."""

    def __init__(self, context: Context, times: TimeRange, file: str) -> None:
        self._context = context
        self._times = times
        self._file = file
        self._builder = RecordBuilder(origin_of("csv", file))
        self._reported: set[tuple[str, str]] = set()
        self._events: list[ImportRecord] = []
        self._columns = ColumnMap([])
        self._delimiter = ","
        self._runs: set[str] = set()
        self._parents: dict[str, str] = {}

    def records(self) -> Iterator[ImportRecord]:
        yield SourceInfo(f"{self._file} (CSV)", item="runs")
        with open_table(self._file) as table:
            yield from self._map_rows(table)
        pairs = {pair for pair in self._parents.items() if self._runs.issuperset(pair)}
        pairs -= edges_in_cycles(pairs)
        location = SourceLocation(self._file)
        for run, parent in sorted(self._parents.items()):
            yield Read("parents")
            if (run, parent) in pairs:
                yield Written("parents")
                ends = ("Experiment", run, "PART_OF", "Experiment", parent)
                yield self._builder.edge(ends, location)
            else:
                problem = "is one of its parts" if parent in self._runs else "is not in the table"
                message = f"run {run!r}: its parent {parent!r} {problem}"
                yield Skipped(location, "parents", "not imported", message=message)
        yield from self._builder.finish()

    def _map_rows(self, table: Table) -> Iterator[ImportRecord]:
        self._delimiter = table.delimiter
        # A secret among the names is a cell of a table without a header: it must not be reported.
        header = ["" if has_secret_shape(name) else name for name in table.header]
        counts = Counter(filter(None, header))
        repeated = next((name for name, count in counts.items() if count > 1), None)
        if repeated is not None:
            raise ImportSourceError(self._file, f"has two columns {repeated!r}")
        self._choose_columns(header)
        yield from self._report_unmapped(header)
        for row in table.rows():
            location = SourceLocation(self._file, row.line)
            cells = row.cells
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            yield Read("runs")
            problem = row.problem
            if not problem and len(cells) != len(header):
                problem = f"expected {len(header)} cells, got {len(cells)}"
            if problem:
                if row.last_line > row.line:
                    problem += f" in lines {row.line} to {row.last_line}: is a quote missing?"
                yield Skipped(location, "runs", "invalid row", message=problem)
                continue
            yield from self._map_row(dict(zip(header, cells, strict=True)), location)
            yield from self._events
            self._events.clear()

    def _choose_columns(self, header: Sequence[str]) -> None:
        columns = read_column_map(self._context.sections) or mlflow_columns(header)
        if columns is None:
            raise SettingsError(
                f"{self._file}: has no columns of MLflow (run_id, start_time, ...): "
                "describe its columns with --map"
            )
        check_columns(columns, header, self._file)
        self._columns = columns
        names = list(filter(None, header))
        self._parameters = columns.matching(columns.parameters, names)
        self._metrics = columns.matching(columns.metrics, names)
        self._tags = columns.matching(columns.mlflow_tags, names)

    def _report_unmapped(self, header: Sequence[str]) -> Iterator[ImportRecord]:
        mapped = {*self._columns.named_columns, *self._parameters, *self._metrics, *self._tags}
        known = {"experiment_id", "artifact_uri"} if self._columns.has_prefixes else set()
        unmapped = [name for name in header if name not in mapped and name not in known]
        yield Read("columns", len(header))
        yield Written("columns", len(header) - len(unmapped) - len(known & {*header}))
        location = SourceLocation(self._file)
        if known & {*header}:
            yield Skipped(location, "columns", "ignored", len(known & {*header}))
        if unmapped:
            yield Skipped(location, "columns", "not mapped", len(unmapped))
            names = ", ".join(name or "(without a name)" for name in unmapped)
            yield Notice(location, f"columns are not imported: {names}")

    # Rows

    def _map_row(self, row: dict[str, str], location: SourceLocation) -> Iterator[ImportRecord]:
        parts = [row[name].strip() for name in self._columns.id]
        if not all(parts):
            message = f"has no value in the column {self._columns.id[parts.index('')]!r}"
            yield Skipped(location, "runs", "without an id", message=message)
            return
        uid = parts[0] if len(parts) == 1 else join_parts(parts, "/")
        if has_secret_shape(uid):
            message = "its id looks like a secret and is not imported"
            yield Skipped(location, "runs", "secret", message=message)
            return
        values = self._values(row, location)
        if values["started_at"] not in self._times:
            yield Skipped(location, "runs", FILTERED)
            return
        yield Written("runs")
        self._runs.add(uid)
        parent = next((row[c] for c, name in self._tags.items() if name == PARENT and row[c]), None)
        if parent is not None:
            self._parents[uid] = parent
        yield from self._builder.node("Experiment", uid, values, location)
        project = self._project(row, location)
        if project is not None:
            self._builder.collect("Project", project, {}, location)
            ends = ("Project", project, "HAS", "Experiment", uid)
            yield self._builder.edge(ends, location)
        yield from self._map_metrics(uid, row, location)

    def _project(self, row: dict[str, str], location: SourceLocation) -> str | None:
        if self._context.project is not None:
            return escape_part(self._context.project)
        name = self._columns.project
        if self._columns.project_column is not None:
            name = row[self._columns.project_column].strip()
        if name and has_secret_shape(name):
            self._skip_secret("values", str(self._columns.project_column), location)
            name = None
        return escape_part(self._context.project_name(name)) if name else None

    def _values(self, row: dict[str, str], location: SourceLocation) -> dict[str, Any]:
        given: dict[str, Any] = self._texts(row, location)
        mlflow_tags = {name: row[column] for column, name in self._tags.items() if row[column]}
        groups = split_tags(mlflow_tags)
        for name in groups.secrets:
            self._skip_secret("tags", name, location)
        given |= tag_properties(mlflow_tags)
        if mlflow_tags.get(RUN_NAME):
            given["name"] = mlflow_tags[RUN_NAME]
        parameters = self._parameter_values(row, location)
        status = self._status(row, location)
        started = self._time(row, "started_at", location)
        given |= {"status": status} if status else {}
        ended = self._time(row, "ended_at", location)
        if ended is None and started is not None and status in _ENDED:
            ended = self._end(row, started, location)
        tags = []
        for tag in self._split_tags(row):
            if is_secret(tag.partition("=")[0], tag):
                self._skip_secret("tags", str(self._columns.tags), location)
            else:
                tags.append(tag)
        optional = {
            "started_at": started,
            "ended_at": ended,
            "parameters": parameters,
            "random_seed": random_seed(parameters),
            "tags": [*groups.short, *tags],
            "metadata": groups.metadata,
        }
        # Written even if they are None, so that an import removes values that the table has lost.
        written = ("ended_at", "tags", "metadata", "started_at")
        return given | {k: v for k, v in optional.items() if v is not None or k in written}

    def _texts(self, row: dict[str, str], location: SourceLocation) -> dict[str, str]:
        """Return the properties that are texts, without secrets."""
        found = {}
        for name in ("name", "created_by", "description", "source"):
            column = self._columns.columns.get(name)
            text = row[column].strip() if column else ""
            text = strip_credentials(text) if name == "source" else text
            if text in _NO_VALUE:
                continue
            if is_secret(name, text):
                self._skip_secret("values", str(column), location)
            else:
                found[name] = text
        return found

    def _parameter_values(self, row: dict[str, str], location: SourceLocation) -> dict[str, str]:
        found = {}
        for column, name in self._parameters.items():
            if row[column] == "":
                continue
            self._events.append(Read("parameters"))
            if is_secret(name, row[column]):
                self._skip_secret("parameters", name, location)
            else:
                found[name] = row[column]
                self._events.append(Written("parameters"))
        return found

    def _skip_secret(self, item: str, name: str, location: SourceLocation) -> None:
        if item != "parameters":
            self._events.append(Read(item))
        self._events.append(Skipped(location, item, "secret"))
        if self._is_new("secret", name):
            message = f"{item}: {name!r} looks like a secret and is not imported"
            self._events.append(Notice(location, message))

    def _split_tags(self, row: dict[str, str]) -> list[str]:
        text = row[self._columns.tags].strip() if self._columns.tags else ""
        if text in _NO_VALUE:
            return []
        separator = self._columns.tag_separator
        parts = [text] if separator is None else text.split(separator)
        return [part.strip() for part in parts if part.strip()]

    def _status(self, row: dict[str, str], location: SourceLocation) -> str | None:
        column = self._columns.columns.get("status")
        text = row[column].strip() if column else ""
        if text in _NO_VALUE:
            return None
        status = self._columns.statuses.get(text, text.upper())
        if status in RUN_STATUSES:
            return status
        message = f"unknown status {_describe_value(text)}: map it in --map"
        self._skip_value(message if self._is_new("status", text) else "", location)
        return None

    def _time(self, row: dict[str, str], name: str, location: SourceLocation) -> datetime | None:
        column = self._columns.columns.get(name)
        text = row[column].strip() if column else ""
        if text in (*_NO_VALUE, "NaT"):
            return None
        moment = parse_time(text) or parse_epoch(text)
        if moment is None:
            self._skip_value(f"{column}: expected a time, got {_describe_value(text)}", location)
            return None
        if moment.tzinfo is None:
            if self._is_new("zone", str(column)):
                message = f"{column}: times without a time zone are taken as UTC"
                self._events.append(Notice(location, message))
            moment = moment.replace(tzinfo=timezone.utc)
        return moment

    def _end(
        self, row: dict[str, str], started: datetime, location: SourceLocation
    ) -> datetime | None:
        column = self._columns.duration
        text = row[column].strip() if column else ""
        if text in _NO_VALUE:
            return None
        number = _parse_number(text, self._delimiter)
        seconds = parse_duration(text) if number is None else number * self._columns.duration_unit
        try:
            if seconds is not None and seconds >= 0:
                return started + timedelta(seconds=seconds)
        except (ValueError, OverflowError):  # NaN, or beyond the year 9999
            pass
        self._skip_value(f"{column}: expected a duration, got {_describe_value(text)}", location)
        return None

    def _skip_value(self, message: str, location: SourceLocation) -> None:
        """Count a value that is not imported; without a message, it was reported before."""
        self._events += [Read("values"), Skipped(location, "values", "invalid", message=message)]

    def _map_metrics(
        self, run: str, row: dict[str, str], location: SourceLocation
    ) -> Iterator[ImportRecord]:
        seen: set[str] = set()
        for column, name in self._metrics.items():
            text = row[column].strip()
            if text in _NO_VALUE:
                continue
            yield Read("metrics")
            value = _parse_number(text, self._delimiter)
            if value is not None and self._columns.has_prefixes:
                value = decode_value(value, is_nan=False)
            term = self._context.metric(name)
            uid = normalize_name(metric_uid(run, term.name, None, term.split))
            problem = self._builder.uid_error("Metric", uid)
            if uid in seen:
                problem = "has the same uid as another column"
            elif not name:
                problem = "has no name"
            elif value is None:
                problem = f"expected a number, got {_describe_value(text, name)}"
            if value is None or problem:
                message = f"metric {(name or column)[:100]!r}: {problem}"
                yield Skipped(location, "metrics", "invalid", message=message)
                continue
            seen.add(uid)
            yield Written("metrics")
            given = {"name": term.name, "value": value, **term.values}
            yield self._builder.metric(uid, given, location)
            yield self._builder.edge(("Experiment", run, "HAS", "Metric", uid), location)

    def _is_new(self, kind: str, name: str) -> bool:
        is_new = (kind, name) not in self._reported
        self._reported.add((kind, name))
        return is_new


def _parse_number(text: str, delimiter: str) -> float | None:
    """Return a number; with semicolons as delimiters, its decimal point may be a comma."""
    if text.lower() in _NUMBERS:
        return _NUMBERS[text.lower()]
    if delimiter == ";" and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    try:
        number = float(text.replace("_", "x"))
    except ValueError:
        return None
    # The text of a finite number that is too large for a float has digits.
    return None if math.isinf(number) and text[-1].isdigit() else number


def _describe_value(text: str, name: str = "") -> str:
    return "a secret" if is_secret(name, text) else describe(text)
