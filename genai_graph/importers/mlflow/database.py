"""MLflow stores in databases, read by SQLAlchemy: SQLite, PostgreSQL, MySQL and MariaDB.

The SQL is the same for all of them. Everything is read in one read-only transaction, in ranges of
run ids: the small tables of a range are buffered and its metrics streamed last, because PyMySQL
streams one result per connection.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from genai_graph.errors import ImportSourceError, MissingExtraError, SourceLocation
from genai_graph.importers.mlflow.entities import (
    UNCHANGED,
    DatasetInput,
    Experiment,
    LoggedModel,
    ModelPoint,
    ModelVersion,
    Point,
    Run,
)
from genai_graph.importers.mlflow.tables import TABLES
from genai_graph.importers.mlflow_conventions import decode_value
from genai_graph.importers.records import UNREADABLE, Read, Skipped
from genai_graph.properties.redaction import strip_credentials

if TYPE_CHECKING:
    from genai_graph.importers.mlflow.entities import Selection

EXTRA = "mlflow"
_RUNS_PER_RANGE = 500
_ROWS_PER_FETCH = 5_000
_DRIVERS = {  # by dialect, in order of preference: (driver, module)
    "postgresql": [("psycopg", "psycopg"), ("psycopg2", "psycopg2")],
    "mysql": [("pymysql", "pymysql"), ("mysqldb", "MySQLdb")],
}
_DRIVERS["mariadb"] = _DRIVERS["mysql"]
_REQUIRED = ("experiments", "runs")
_MODEL_STATUSES = {1: "PENDING", 2: "READY", 3: "FAILED"}
_CONTEXT = "mlflow.data.context"
_IS_PROMPT = "mlflow.prompt.is_prompt"
_DELETED_VERSION = "Deleted_Internal"


class DatabaseStore:
    """An MLflow store in a database, given by the URL that SQLAlchemy takes.

    Raises `ImportSourceError` if it can't be read or is no MLflow store, and `MissingExtraError`
    without SQLAlchemy or a driver.
    """

    def __init__(self, uri: str) -> None:
        self._sqlalchemy: Any = _import_sqlalchemy()
        self._skipped: list[Skipped | Read] = []
        self._engine, self.title, self.location = self._create_engine(uri)
        with self._translate_errors():
            self._connection = self._connect()
            inspector = self._sqlalchemy.inspect(self._connection)
            tables = set(inspector.get_table_names())
            if not tables.issuperset(_REQUIRED):
                raise ImportSourceError(
                    self.title, f"is not an MLflow store: it has no table {_missing(tables)}"
                )
            self._columns = {
                table: {column["name"] for column in inspector.get_columns(table)}
                for table in TABLES
                if table in tables
            }
            self.schema = self._read_schema_version(tables)

    def close(self) -> None:
        """End the transaction and close the connection."""
        self._connection.close()
        self._engine.dispose()

    # Content

    def count_runs(self) -> int:
        """Return the number of runs."""
        return int(self._execute("SELECT COUNT(*) FROM runs t")[0][0])

    def experiments(self) -> list[Experiment]:
        """Return all experiments, deleted ones included."""
        tags = self._key_values("experiment_tags")
        return [
            Experiment(row[0], row[1] or "", row[2], row[3], tags.get(row[0], {}), row[4])
            for row in self._select("experiments")
        ]

    def logged_models(self) -> Iterator[LoggedModel]:
        """Yield all logged models, deleted ones included."""
        params = self._key_values("logged_model_params")
        tags = self._key_values("logged_model_tags")
        for row in self._select("logged_models", "ORDER BY t.model_id"):
            model_id, experiment, name, stage, created, status, type_, run, location = row
            yield LoggedModel(
                model_id,
                experiment,
                name or model_id,
                stage or "active",
                created,
                _MODEL_STATUSES.get(status),
                type_,
                run,
                location,
                params.get(model_id, {}),
                tags.get(model_id, {}),
            )

    def runs(self, selection: Selection, *, history: bool | None) -> Iterator[Run | Skipped | Read]:
        """Yield all runs, ordered by id; skipped ones without their content."""
        last: Any = ""
        next_page = "WHERE t.run_uuid > :last ORDER BY t.run_uuid LIMIT :limit"
        statement = self._statement("runs", next_page)
        while rows := self._execute(statement, last=last, limit=_RUNS_PER_RANGE):
            last = rows[-1][0]
            runs = [_run(row) for row in TABLES["runs"].convert(rows, self._skip)]
            if runs:
                yield from self._read_range(runs, selection, history)
        yield from self._drain()

    def _read_range(
        self, runs: list[Run], selection: Selection, history: bool | None
    ) -> Iterator[Run]:
        first, last = runs[0].id, runs[-1].id
        if selection.is_incremental:
            self._add_last_points(runs)
        reasons = {run.id: selection.skip_reason(run) for run in runs}
        unchanged = {run.id: run for run in runs if reasons[run.id] == UNCHANGED}
        if unchanged:
            self._add_links(unchanged, {"first": first, "last": last})
        wanted = {run.id: run for run in runs if reasons[run.id] is None}
        if wanted:
            self._add_content(wanted, first, last)
            points = self._points(first, last, latest=history is False)
            yield from _with_points(runs, points)
        else:
            yield from runs

    def model_versions(self) -> Iterator[ModelVersion | Skipped | Read]:
        """Yield the versions of the registered models, without prompts and deleted versions."""
        models = {(row[2], row[0]): row[1] for row in self._select("registered_models")}
        model_tags: dict[Any, dict[str, str]] = defaultdict(dict)
        for name, key, value, workspace in self._select("registered_model_tags"):
            model_tags[workspace, name][key] = value or ""
        aliases = defaultdict(list)
        for name, alias, version, workspace in self._select("registered_model_aliases"):
            aliases[workspace, name, version].append(alias)
        tags: dict[Any, dict[str, str]] = defaultdict(dict)
        for name, version, key, value, workspace in self._select("model_version_tags"):
            tags[workspace, name, version][key] = value or ""
        for row in self._select("model_versions", "ORDER BY t.name, t.version"):
            name, version, created, text, user, stage, source, run_id, status, workspace = row
            own_tags, of_model = tags[workspace, name, version], model_tags[workspace, name]
            if stage == _DELETED_VERSION or _IS_PROMPT in own_tags or _IS_PROMPT in of_model:
                continue
            yield ModelVersion(
                name,
                version,
                workspace,
                created,
                text,
                user,
                stage,
                source,
                run_id,
                status,
                own_tags,
                aliases[workspace, name, version],
                models.get((workspace, name)),
                of_model,
            )
        yield from self._drain()

    # Runs

    def _add_last_points(self, runs: list[Run]) -> None:
        rows = self._execute(
            "SELECT t.run_uuid, MAX(t.timestamp) FROM latest_metrics t "
            "WHERE t.run_uuid BETWEEN :first AND :last GROUP BY t.run_uuid",
            first=runs[0].id,
            last=runs[-1].id,
        )
        last = dict(map(tuple, rows))
        for run in runs:
            run.last_point = last.get(run.id)

    def _add_content(self, runs: dict[str, Run], first: str, last: str) -> None:
        """Add the content of a range of runs, except for its points."""
        span = {"first": first, "last": last}
        in_range = "WHERE t.run_uuid BETWEEN :first AND :last"
        for run_id, key, value in self._select("params", in_range, **span):
            if run_id in runs:
                runs[run_id].params[key] = value or ""
        for run_id, key, value in self._select("tags", in_range, **span):
            if run_id in runs:
                runs[run_id].tags[key] = value or ""
        self._add_links(runs, span)

    def _add_links(self, runs: dict[str, Run], span: dict[str, str]) -> None:
        """Add the datasets and models of a range of runs, and the points that measure models."""
        in_range = "WHERE t.run_id BETWEEN :first AND :last ORDER BY t.run_id, t.model_id"
        for run_id, *values in self._select("logged_model_metrics", in_range, **span):
            if run_id in runs:
                model, name, digest, key, step, time, value = values
                point = decode_value(value or 0.0, is_nan=False)  # SQLite has NULL for NaN
                runs[run_id].model_points.append(
                    ModelPoint(model, name or "", digest or "", key, step, time, point)
                )
        self._add_inputs(runs, span)
        self._add_models(runs, span)

    def _add_inputs(self, runs: dict[str, Run], span: dict[str, str]) -> None:
        where = (
            "{0}.source_type = 'DATASET' AND {0}.destination_type = 'RUN' "
            "AND {0}.destination_id BETWEEN :first AND :last"
        )
        join = f"JOIN inputs i ON i.input_uuid = t.input_uuid WHERE {where.format('i')}"
        contexts = defaultdict(list)
        tags = self._select("input_tags", f"{join} AND t.name = '{_CONTEXT}'", **span)
        for input_id, _, value in tags:
            contexts[input_id].append(value or "")
        ids = f"SELECT i.source_id FROM inputs i WHERE {where.format('i')}"
        found = self._select("datasets", f"WHERE t.dataset_uuid IN ({ids})", **span)
        datasets = {row[0]: row[1:] for row in found}
        inputs = self._select("inputs", f"WHERE {where.format('t')}", **span)
        for input_id, _, dataset_id, _, run_id, _ in inputs:
            if run_id in runs and dataset_id in datasets:
                name, digest, type_, source, schema, profile = datasets[dataset_id]
                words = sorted(contexts[input_id])
                runs[run_id].inputs.append(
                    DatasetInput(name or "", digest or "", type_, source, schema, profile, words)
                )

    def _add_models(self, runs: dict[str, Run], span: dict[str, str]) -> None:
        in_range = (
            "WHERE t.source_type IN ('RUN_OUTPUT', 'RUN_INPUT') "
            "AND t.source_id BETWEEN :first AND :last ORDER BY t.source_id, t.destination_id"
        )
        for _, type_, run_id, _, model_id, step in self._select("inputs", in_range, **span):
            if run_id not in runs:
                continue
            if type_ == "RUN_OUTPUT":
                runs[run_id].outputs.append((model_id, step))
            else:
                runs[run_id].model_inputs.append(model_id)

    def _points(self, first: str, last: str, *, latest: bool) -> Iterator[tuple[str, Point]]:
        """Stream the points of a range of runs, ordered by run."""
        table = "latest_metrics" if latest and "latest_metrics" in self._columns else "metrics"
        in_range = "WHERE t.run_uuid BETWEEN :first AND :last ORDER BY t.run_uuid"
        rows = self._stream(self._statement(table, in_range), first=first, last=last)
        for run_id, key, step, time, value, is_nan in TABLES[table].convert(rows, self._skip):
            yield run_id, Point(key, step, time, decode_value(value, is_nan))

    def _skip(self, message: str) -> None:
        """Report a row that can't be read."""
        location = SourceLocation(self.title)
        self._skipped += [
            Read("rows"),
            Skipped(location, "rows", UNREADABLE, message=message),
        ]

    def _drain(self) -> Iterator[Skipped | Read]:
        yield from self._skipped
        self._skipped.clear()

    # SQL

    def _select(self, table: str, clause: str = "", **parameters: Any) -> list[Any]:
        """Return the rows of a table; an older schema may not have it."""
        if table not in self._columns:
            return []
        rows = self._execute(self._statement(table, clause), **parameters)
        return list(TABLES[table].convert(rows, self._skip))

    def _statement(self, table: str, clause: str) -> str:
        # Qualified, because `key` is a reserved word of MySQL.
        names = [
            f"t.{name}" if name in self._columns[table] else f"NULL AS {name}"
            for name in TABLES[table].columns
        ]
        return f"SELECT {', '.join(names)} FROM {table} t {clause}"

    def _execute(self, statement: str, **parameters: Any) -> list[Any]:
        with self._translate_errors():
            text = self._sqlalchemy.text(statement)
            rows: list[Any] = self._connection.execute(text, parameters).all()
            return rows

    def _stream(self, statement: str, **parameters: Any) -> Iterator[Any]:
        with self._translate_errors():
            text = self._sqlalchemy.text(statement)
            options = {"stream_results": True, "yield_per": _ROWS_PER_FETCH}
            rows = self._connection.execute(text, parameters, execution_options=options)
        fetch = partial(self._fetch, rows)
        yield from itertools.chain.from_iterable(iter(fetch, []))

    def _fetch(self, rows: Any) -> list[Any]:
        with self._translate_errors():
            found: list[Any] = rows.fetchmany(_ROWS_PER_FETCH)
            return found

    def _key_values(self, table: str) -> dict[Any, dict[str, str]]:
        found: dict[Any, dict[str, str]] = defaultdict(dict)
        for owner, key, value in self._select(table):
            found[owner][key] = value or ""
        return found

    # Connecting

    def _create_engine(self, uri: str) -> tuple[Any, str, str]:
        """Return an engine, and the names of the store in messages and in `origin`."""
        try:
            url = self._sqlalchemy.make_url(uri)
        except (self._sqlalchemy.exc.ArgumentError, ValueError):  # the latter for a port
            title = strip_credentials(uri)
            raise ImportSourceError(
                title, "expected a database URL such as sqlite:///mlflow.db"
            ) from None
        if url.get_backend_name() == "sqlite":
            return self._create_sqlite_engine(url.database)
        host = url.host or url.query.get("host") or "localhost"  # libpq takes it as a parameter
        port = url.port or url.query.get("port")
        place = f"{host}{f':{port}' if port else ''}/{url.database or ''}"
        title = f"{url.get_backend_name()}://{place}"
        options = _server_options(url.get_backend_name())
        try:
            engine = self._sqlalchemy.create_engine(_with_driver(url), **options)
        except self._sqlalchemy.exc.NoSuchModuleError:
            raise ImportSourceError(title, "expected sqlite, postgresql or mysql") from None
        except ImportError:
            raise MissingExtraError(f"the driver of {url.drivername}", EXTRA) from None
        return engine, title, place

    def _create_sqlite_engine(self, database: str | None) -> tuple[Any, str, str]:
        name = database or ""
        path = Path(name)
        if not name or not path.is_file():
            raise ImportSourceError(name or "sqlite://", "no such file")
        # A plain URL would create a missing file.
        file = f"file:{quote(str(path.absolute()))}?mode=ro"
        connect = partial(_connect_sqlite, file)
        pool = self._sqlalchemy.pool.NullPool
        engine = self._sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=pool)
        return engine, path.name, os.path.realpath(path)

    def _connect(self) -> Any:
        connection = self._engine.connect()
        if self._engine.dialect.name == "sqlite":
            # The driver starts no transaction for SELECT: later queries would see later commits.
            connection.exec_driver_sql("BEGIN")
        return connection

    def _read_schema_version(self, tables: set[str]) -> str | None:
        if "alembic_version" not in tables:
            return None
        rows = self._execute("SELECT t.version_num FROM alembic_version t")
        return str(rows[0][0]) if rows else None

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        errors = (self._sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, UnicodeDecodeError)
        try:
            yield
        except errors as error:
            raise ImportSourceError(self.title, _error_text(error)) from None


def _import_sqlalchemy() -> Any:
    try:
        import sqlalchemy
        import sqlalchemy.exc
        import sqlalchemy.pool
    except ImportError:
        raise MissingExtraError("SQLAlchemy, for MLflow databases,", EXTRA) from None
    return sqlalchemy


def _connect_sqlite(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, uri=True)
    connection.text_factory = _decode
    return connection


def _decode(text: bytes) -> str | bytes:
    """Return a text, or the bytes if it is not UTF-8: the row is reported like one with a BLOB."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text


def _with_driver(url: Any) -> Any:
    """Name an installed driver: the default of SQLAlchemy may be another one."""
    if "+" in url.drivername:
        return url
    for driver, module in _DRIVERS.get(url.drivername, ()):
        if importlib.util.find_spec(module) is not None:
            return url.set(drivername=f"{url.drivername}+{driver}")
    return url


def _server_options(dialect: str) -> dict[str, Any]:
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"}
    if dialect == "postgresql":
        options["execution_options"] = {"postgresql_readonly": True}
    return options


def _missing(tables: set[str]) -> str:
    return next(table for table in _REQUIRED if table not in tables)


def _error_text(error: Exception) -> str:
    """Return the first line of an error without the statement and without credentials."""
    cause = getattr(error, "orig", None) or error
    message = cause.args[-1] if cause.args else cause
    text = (str(message).strip() or type(cause).__name__).splitlines()[0]
    # SQLite writes a file next to a database in WAL mode, even to read it.
    hint = ": import a copy" if text == "attempt to write a readonly database" else ""
    return f"can't be read: {strip_credentials(text)}{hint}"


def _run(row: Any) -> Run:
    run_id, name, source, user, status, start, end, version, stage, experiment = row
    return Run(
        run_id, experiment, name, status, user, source, version, start, end, stage or "active"
    )


def _with_points(runs: Iterable[Run], points: Iterator[tuple[str, Point]]) -> Iterator[Run]:
    """Yield runs with their points: both are ordered by run."""
    groups = itertools.groupby(points, itemgetter(0))
    known = {run.id for run in runs}
    group = next(groups, None)
    for run in runs:
        while group is not None and group[0] not in known:
            group = next(groups, None)
        if group is not None and group[0] == run.id:
            run.points = map(itemgetter(1), group[1])
            yield run
            group = next(groups, None)
        else:
            yield run
