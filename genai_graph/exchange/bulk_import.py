"""Import into an empty managed Neo4j with its own importer, which is faster than statements.

Records are checked as for a load, and written to CSV in the same pass. Values that the importer
can't store as this package does, such as empty lists, are loaded afterwards.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import neo4j

from genai_graph import registry, schema
from genai_graph.database import connect, query, quote_name
from genai_graph.database.settings import read_settings
from genai_graph.errors import EngineError, SettingsError
from genai_graph.exchange.consistency import MAX_ERRORS, check_records, require_minimum
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.records import (
    EdgeRecord,
    JournalNode,
    NodeRecord,
    UnloadedModules,
    with_uid_fields,
)
from genai_graph.exchange.import_files import ImportFiles
from genai_graph.exchange.loader import Report, load, reduced_gc
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.exchange.record_stream import RecordStream
from genai_graph.exchange.sources import open_sources
from genai_graph.registry import EdgeType
from genai_graph.server.engines import managed_engine
from genai_graph.server.locks import file_lock
from genai_graph.server.neo4j_community import run_admin, unfinished_import
from genai_graph.storage.edge_rules import EmptyGraph
from genai_graph.storage.rows import WriteCounts, new_node_values, now, without_nulls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike
    from pathlib import Path

    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.progress import Progress
    from genai_graph.exchange.record_stream import Source
    from genai_graph.server.lifecycle import ManagedEngine, RunningEngine

_ENGINE = "neo4j"


@reduced_gc()
def bulk_import(
    *fixtures: str | PathLike[str],
    format: str | None = None,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
) -> Report:
    """Import fixtures into the managed Neo4j, which has to be empty and not in use.

    Fixtures are given as for `load`, and checked in the same way, while their values are written to
    CSV in the engine's directory. The importer runs while the engine is stopped; then the engine is
    started, the schema is installed, and the numbers of nodes and edges are compared with those of
    the fixtures.

    Raises `FixtureError` before the engine is stopped, `SettingsError` if `NEO4J_URI` or keys for
    encryption are set, and `EngineError` if the engine is in use, not empty, or the importer fails.
    """
    require_minimum(1, max_errors=max_errors)
    started = time.monotonic()
    registry.close()
    sources = open_sources(fixtures, format)
    managed = _managed_engine()
    with _files_directory(managed.directory) as directory:
        stream = _WrittenStream(sources, progress, directory)
        index = check_records(lambda: stream.records("checking"), EmptyGraph(), max_errors)
        managed.server.install()
        check = partial(_require_empty, managed)
        with contextlib.ExitStack() as stack:
            with managed.stopped(check) as engine_directory:
                stack.enter_context(unfinished_import(engine_directory))
                progress.say("importing")
                command = ["database", "import", "full", "neo4j", "--overwrite-destination=true"]
                run_admin(managed, [*command, *stream.close()], directory)
            with connect(engine=_ENGINE):
                progress.say("creating the constraints and indexes")
                schema.install()  # waits for the constraints, not for the indexes
                if stream.has_remainder:
                    load(stream.remainder, atomic=False, progress=progress)
                return _verified_report(index.counts(), time.monotonic() - started)


def _managed_engine() -> ManagedEngine:
    settings = read_settings(engine=_ENGINE)
    if settings.uri is not None:
        raise SettingsError(
            "NEO4J_URI: is set, but the import is into the managed Neo4j: unset it, or run "
            "neo4j-admin there with the command that `genai-graph dump --format csv` prints"
        )
    if settings.keys is not None:
        raise SettingsError(
            "GENAI_GRAPH_KEYS: is set, but the import does not encrypt values: use "
            "`genai-graph load`"
        )
    return managed_engine(settings.engine, settings.home)


def _require_empty(managed: ManagedEngine, running: RunningEngine) -> None:
    login = (running.users.username, running.users.password)
    statement = "MATCH (n) RETURN 1 AS one LIMIT 1"
    try:
        # Not by `connect`, which would wait for the lock that keeps other clients out.
        with neo4j.GraphDatabase.driver(running.uri, auth=login) as driver:
            found = driver.execute_query(statement, database_=managed.server.database)
    except (neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError) as error:
        raise EngineError(f"the engine at {running.uri} does not answer: {error}") from None
    if found.records:
        raise EngineError(
            f"the database in {managed.directory} is not empty: use `genai-graph load`, or another "
            "GENAI_GRAPH_HOME"
        )


@contextlib.contextmanager
def _files_directory(engine_directory: Path) -> Iterator[Path]:
    """Yield a new directory for the files of an import; those of a killed one are deleted."""
    directory = engine_directory / "bulk-import"  # Neo4j's own directory is "import"
    try:
        engine_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with file_lock(engine_directory / "bulk-import.lock", timeout=1):
            if directory.exists():
                shutil.rmtree(directory)
            directory.mkdir(mode=0o700)
            try:
                yield directory
            finally:
                shutil.rmtree(directory)
    except OSError as error:
        raise EngineError(
            f"{directory}: the files of the import can't be written ({error.strerror or error}): "
            "free some space, or set GENAI_GRAPH_HOME"
        ) from error


class _WrittenStream(RecordStream):
    """A stream whose first pass writes the records to CSV, up to the first error.

    Nodes with values that CSV can't hold are written without values, and again, with all values, to
    the remainder, which is to be loaded; so are edges with such values.
    """

    def __init__(self, sources: Sequence[Source], progress: Progress, directory: Path) -> None:
        super().__init__(sources, progress)
        self.remainder = directory / "remainder.jsonl"
        self.has_remainder = False
        self._files = ImportFiles(directory)
        self._is_written = False
        self._moment = now()

    def records(self, stage: str, wanted: type[Record] | None = None) -> Iterator[Record]:
        """Yield all records and errors, or the records of one class and the errors."""
        records = super().records(stage, wanted)
        return records if self._is_written else self._written(records)

    def close(self) -> list[str]:
        """Write the remaining rows, and return the options of the importer."""
        return self._files.close()

    def _written(self, records: Iterator[Record]) -> Iterator[Record]:
        with self.remainder.open("wb") as remainder:
            jsonl.write([], remainder)  # the header
            left: NodeRecord | EdgeRecord | None
            for record in records:
                if isinstance(record, EdgeRecord):
                    left = self._left_of_edge(record)
                elif isinstance(record, NodeRecord):
                    left = self._left_of_node(record)
                elif isinstance(record, UnloadedModules):
                    left = None
                else:
                    self._is_written = True
                    yield record
                    break
                if left is not None:
                    self.has_remainder = True
                    remainder.write(jsonl.encode_record(left))
                yield record
        self._is_written = True
        yield from records

    def _left_of_edge(self, record: EdgeRecord) -> EdgeRecord | None:
        """Write an edge, or return it if CSV can't hold its values."""
        given = without_nulls(record.given)
        if self._files.add_edge(record.edge_type, record.source, record.target, given):
            return None
        return msgspec.structs.replace(record, given=given)

    def _left_of_node(self, record: NodeRecord) -> NodeRecord | None:
        """Write a node; return it with all values if CSV can't hold them."""
        if isinstance(record, JournalNode):
            raise SettingsError("a journal can't be imported: use `genai-graph load`")
        values = new_node_values(with_uid_fields(record), self._moment)
        values.pop("uid", None)
        if self._files.add_node(record.label, record.uid, values):
            return None
        self._files.add_node(record.label, record.uid, {})
        return msgspec.structs.replace(record, given=values)


def _verified_report(counts: dict[str | EdgeType, int], seconds: float) -> Report:
    """Compare the numbers of nodes and edges with the expected ones, and report these.

    Edges are counted by type and one label, at either end: Neo4j keeps these counts, while it would
    have to read all edges to count those of two labels.
    """
    report = Report(seconds=seconds)
    expected: dict[str, int] = defaultdict(int)  # by pattern
    for key, count in counts.items():
        group = report.edges if isinstance(key, EdgeType) else report.nodes
        group[str(key)] = WriteCounts(created=count)
        if isinstance(key, EdgeType):
            expected[f"(:{quote_name(key.source)})-[r:{quote_name(key.type)}]->()"] += count
            expected[f"()-[r:{quote_name(key.type)}]->(:{quote_name(key.target)})"] += count
        else:
            expected[f"(r:{quote_name(key)})"] += count
    for pattern, count in expected.items():
        found = query(f"MATCH {pattern} RETURN count(r) AS found")[0]["found"]
        if found != count:
            raise EngineError(
                f"{pattern}: imported {found:,} of {count:,}: the database is deleted, import again"
            )
    return report
