"""Import into an empty managed Neo4j with its own importer, which is faster than statements.

Records are checked as for a load and written to CSV. Values that the importer can't store as this
package does, such as empty lists, are loaded afterwards.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from genai_graph import registry
from genai_graph.database import connect, indexes, query
from genai_graph.database.settings import read_settings
from genai_graph.errors import EngineError, FixtureError, FixtureIssue, SettingsError
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
from genai_graph.registry import NODES, EdgeType
from genai_graph.server.engines import managed_engine
from genai_graph.server.neo4j_community import import_directory, run_admin
from genai_graph.storage.columns import json_names, to_columns
from genai_graph.storage.edge_rules import EmptyGraph
from genai_graph.storage.lookups import count_edges, count_nodes
from genai_graph.storage.rows import WriteCounts, new_node_values, now

if TYPE_CHECKING:
    from datetime import datetime
    from os import PathLike
    from pathlib import Path

    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.progress import Progress
    from genai_graph.server.lifecycle import ManagedEngine

_ENGINE = "neo4j"


@reduced_gc()
def bulk_import(
    *fixtures: str | PathLike[str],
    format: str | None = None,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
) -> Report:
    """Import fixtures into the managed Neo4j, which has to be empty and not in use.

    Fixtures are given as for `load`, and checked in the same way. The importer runs while the
    engine is stopped; then the engine is started, the schema is installed, and the numbers of nodes
    and edges are compared with those of the fixtures. The values are written to CSV first, in the
    engine's directory.

    Raises `FixtureError` before anything is written, `SettingsError` if `NEO4J_URI` or keys for
    encryption are set, and `EngineError` if the engine is in use, not empty, or the importer fails.
    """
    require_minimum(1, max_errors=max_errors)
    started = time.monotonic()
    registry.close()
    stream = RecordStream(open_sources(fixtures, format), progress)
    managed = _managed_engine()
    index = check_records(lambda: stream.records("checking"), EmptyGraph(), max_errors)
    managed.server.install()
    _require_empty(managed)
    with managed.stopped() as directory, import_directory(directory) as files:
        options, remainder = _write(stream, files)
        progress.say("importing")
        command = ["database", "import", "full", "neo4j", "--overwrite-destination=true"]
        run_admin(managed, [*command, *options], files)
        if remainder is not None:
            remainder = remainder.replace(directory / "remainder.jsonl")
    with connect(engine=_ENGINE):
        progress.say("creating the constraints and indexes")
        indexes.install(NODES.values())  # waits for the constraints, not for the indexes
        if remainder is not None:
            try:
                load(remainder, atomic=False, progress=progress)
            finally:
                remainder.unlink()
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


def _require_empty(managed: ManagedEngine) -> None:
    """Raise `EngineError` unless the engine's database is empty or does not exist yet."""
    if not (managed.directory / "data" / "databases" / managed.server.database).exists():
        return
    with connect(engine=_ENGINE):
        if query("MATCH (n) RETURN 1 AS one LIMIT 1"):
            raise EngineError(
                f"the database in {managed.directory} is not empty: use `genai-graph load`, or "
                "another GENAI_GRAPH_HOME"
            )


def _write(stream: RecordStream, directory: Path) -> tuple[list[str], Path | None]:
    """Write the CSV files; return the importer's options, and the file to load afterwards."""
    files, moment = ImportFiles(directory), now()
    path = directory / "remainder.jsonl"
    has_remainder = False
    with path.open("wb") as remainder:
        jsonl.write([], remainder)  # the header
        for record in stream.records("writing"):
            if (left := _add(record, files, moment)) is not None:
                has_remainder = True
                remainder.write(jsonl.encode_record(left))
    return files.close(), path if has_remainder else None


def _add(record: Record, files: ImportFiles, moment: datetime) -> NodeRecord | EdgeRecord | None:
    """Add a record to the files, or return the record to load afterwards.

    A node with values that CSV can't hold is imported without values, which are all loaded.
    """
    replace = msgspec.structs.replace
    if isinstance(record, NodeRecord) and not isinstance(record, JournalNode):
        values = new_node_values(with_uid_fields(record), moment)
        values.pop("uid", None)
        has_json = not json_names(record.label).isdisjoint(values)
        stored = to_columns(record.label, values) if has_json else values
        if files.add(replace(record, given=stored)):
            return None
        files.add(replace(record, given={}))
        return replace(record, given=values)
    if isinstance(record, EdgeRecord):
        given = {name: value for name, value in record.given.items() if value is not None}
        row = replace(record, given=given)
        return None if files.add(row) else row
    if isinstance(record, UnloadedModules):
        return None
    if isinstance(record, FixtureIssue):  # a file changed since the check
        raise FixtureError([record])
    raise SettingsError("a journal can't be imported: use `genai-graph load`")


def _verified_report(counts: dict[str | EdgeType, int], seconds: float) -> Report:
    """Compare the numbers of nodes and edges with the expected ones, and report them."""
    report = Report(seconds=seconds)
    for key, expected in counts.items():
        found = count_edges(key) if isinstance(key, EdgeType) else count_nodes(key)
        if found != expected:
            raise EngineError(
                f"{key}: imported {found:,} of {expected:,}: delete the data directory of the "
                "engine, and import again"
            )
        group = report.edges if isinstance(key, EdgeType) else report.nodes
        group[str(key)] = WriteCounts(created=found)
    return report
