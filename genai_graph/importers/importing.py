"""Import: read a source once, check its records, and load them or write them to a fixture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import FixtureError, FixtureIssue, SettingsError
from genai_graph.exchange.consistency import MAX_ERRORS, check_records, require_minimum
from genai_graph.exchange.filenames import format_of
from genai_graph.exchange.formats.records import EdgeRecord, InvalidEdge, InvalidNode, NodeRecord
from genai_graph.exchange.loader import load_sources, reduced_gc
from genai_graph.exchange.output import STDOUT, open_output
from genai_graph.exchange.progress import NO_PROGRESS
from genai_graph.exchange.record_stream import RecordStream
from genai_graph.importers.context import Context
from genai_graph.importers.kinds import Kind, find_kind
from genai_graph.importers.known_runs import find_known_runs
from genai_graph.importers.pruning import Imported, delete_stale, find_stale
from genai_graph.importers.reconciling import reconcile_with
from genai_graph.importers.records import UNREADABLE, Read, Skipped, SourceInfo
from genai_graph.importers.report import ImportReport
from genai_graph.importers.spool import RecordSpool
from genai_graph.properties.messages import did_you_mean
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.edge_rules import EmptyGraph
from genai_graph.storage.rows import WriteCounts

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.progress import Progress
    from genai_graph.importers.records import ImportRecord


@reduced_gc()
def import_from(
    kind: str,
    *sources: str | PathLike[str],
    namespace: str | None = None,
    map: str | PathLike[str] | Mapping[str, Any] | None = None,
    project: str | None = None,
    strict: bool = False,
    incremental: bool = False,
    prune: bool = False,
    confirm: Callable[[list[str]], bool] | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    atomic: bool | None = None,
    batch_size: int = BATCH_ROWS,
    max_errors: int = MAX_ERRORS,
    progress: Progress = NO_PROGRESS,
    **options: Any,
) -> ImportReport:
    """Import existing records into the graph, such as those of an MLflow store.

    `kind` is ``mlflow``, ``huggingface``, ``croissant``, ``csv``, or one that another package
    registers; docs/importing.md describes their `sources`, `options` and mapping. `namespace` is a
    prefix for names that are local to the source, `map` has identities and terms (a path or a
    dict), and `project` owns the imported nodes if the source has no projects.

    With `incremental`, runs that agree with the graph by name, status, end and newest metric are
    not read. With `prune`, items are deleted that an earlier import created and the source no
    longer has; `confirm` gets a line for each of them, and returns whether to delete them.

    Items that can't be imported are skipped and counted; with `strict`, they are errors. With
    `output`, the records are written to a fixture instead of the graph. The other options are those
    of `load`.

    Raises `ImportSourceError` if a source can't be read, `FixtureError`, `SettingsError`,
    `MissingExtraError`, `OutputError`, and `DatabaseError` as `load` does.
    """
    require_minimum(1, batch_size=batch_size, max_errors=max_errors)
    found = find_kind(kind)
    _validate_arguments(found, sources, project, options)
    _validate_output(output)
    _validate_updates(found, incremental, prune, output, options)
    context = _context(found, namespace, map, project, incremental)
    imported = Imported() if prune else None
    started = time.monotonic()
    report = ImportReport()
    records = found.read(*(str(source) for source in sources), context=context, **options)
    spool = RecordSpool(_count(records, report, strict, max_errors, progress, imported))
    try:
        if output is not None:
            _write_fixture(spool, str(output), overwrite, dry_run, max_errors, report, progress)
        else:
            _load(spool, found, report, dry_run, atomic, batch_size, max_errors, progress)
            if imported is not None:
                _prune(imported, report, dry_run, confirm)
    finally:
        spool.close()
    report.seconds = time.monotonic() - started
    return report


def _context(
    kind: Kind, namespace: str | None, map: Any, project: str | None, incremental: bool
) -> Context:
    return Context(
        namespace=namespace,
        map=map,
        project=project,
        extra_sections=kind.map_sections,
        known_runs=find_known_runs if incremental else None,
    )


def _load(
    spool: RecordSpool,
    kind: Kind,
    report: ImportReport,
    dry_run: bool,
    atomic: bool | None,
    batch_size: int,
    max_errors: int,
    progress: Progress,
) -> None:
    """Load the records into the graph, and set the counts of the report."""
    loaded = load_sources(
        [spool],
        dry_run=dry_run,
        atomic=atomic,
        batch_size=batch_size,
        max_errors=max_errors,
        progress=progress,
        reconcile=reconcile_with(kind.metadata_keys),
        verb="import",
    )
    report.nodes, report.edges = loaded.nodes, loaded.edges


def _validate_arguments(
    kind: Kind, sources: tuple[Any, ...], project: str | None, options: Mapping[str, Any]
) -> None:
    maximum = kind.maximum_sources
    if len(sources) < kind.minimum_sources or (maximum is not None and len(sources) > maximum):
        raise SettingsError(f"import {kind.name}: expected {kind.sources}, got {len(sources)}")
    if project is not None and not kind.has_project:
        raise SettingsError(
            f"project: can't be set for {kind.name}: the source has projects of its own "
            "(map has names for them)"
        )
    known = [option.name for option in kind.options]
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known)
            raise SettingsError(f"import {kind.name}: no option {name!r}{hint}")


def _validate_updates(
    kind: Kind,
    incremental: bool,
    prune: bool,
    output: str | PathLike[str] | None,
    options: Mapping[str, Any],
) -> None:
    if not incremental and not prune:
        return
    name = "prune" if prune else "incremental"
    if not kind.has_runs:
        raise SettingsError(f"{name}: can't be used with {kind.name}")
    if output is not None:
        raise SettingsError(f"{name}: compares with the graph: can't be used with an output")
    if prune and incremental:
        raise SettingsError("prune: needs a complete import: can't be used with incremental")
    given = [name for name in kind.filters if options.get(name)]
    if prune and given:
        raise SettingsError(
            f"prune: can't be used with {given[0]}: a run that is filtered out is not deleted"
        )


def _prune(
    imported: Imported,
    report: ImportReport,
    dry_run: bool,
    confirm: Callable[[list[str]], bool] | None,
) -> None:
    """Delete what the source no longer has, or list it only."""
    unreadable = sum(reasons[UNREADABLE] for reasons in report.skipped.values())
    if unreadable:
        problem = f"{unreadable:,} items of the source can't be read"
        report.add_message(f"nothing is pruned: {problem}")
        return
    stale = find_stale(imported)
    for uid in stale.kept:
        report.add_message(f"Model {uid!r} is not pruned: other nodes depend on it")
    lines = list(stale.lines())
    if not stale or not (dry_run or confirm is None or confirm(lines)):
        return
    report.pruned = lines
    if not dry_run:
        delete_stale(stale)


def _validate_output(output: str | PathLike[str] | None) -> None:
    name = str(output)
    if output is not None and name != STDOUT and format_of(Path(name)) not in (None, "jsonl"):
        raise SettingsError(f"{name}: an import is written as JSON Lines: use .jsonl or .jsonl.gz")


def _count(
    records: Iterator[ImportRecord],
    report: ImportReport,
    strict: bool,
    max_errors: int,
    progress: Progress,
    imported: Imported | None,
) -> Iterator[Record]:
    """Yield the nodes, edges and errors, and count all other records in the report.

    With `strict`, raises `FixtureError` at the end if items were skipped that can't be imported.
    """
    refused: list[FixtureIssue] = []
    omitted = 0
    progress_item = ""
    for record in records:
        if isinstance(record, (NodeRecord, EdgeRecord, InvalidNode, InvalidEdge, FixtureIssue)):
            if imported is not None:
                imported.add(record)
            yield record
            continue
        if isinstance(record, Skipped) and record.message and strict:
            if len(refused) < max_errors:
                refused.append(FixtureIssue(record.location, record.message))
            else:
                omitted += 1
        if isinstance(record, SourceInfo):
            if imported is not None:
                imported.origin = record.origin
            progress_item = record.item
            progress.start("reading", record.total or None, record.item)
        if isinstance(record, Read) and record.item == progress_item:
            progress.advance(record.count)
        report.add(record)
    if refused:
        raise FixtureError(refused, omitted=omitted)


def _write_fixture(
    spool: RecordSpool,
    output: str,
    overwrite: bool,
    dry_run: bool,
    max_errors: int,
    report: ImportReport,
    progress: Progress,
) -> None:
    """Check the records without a database, and copy them to the output."""
    stream = RecordStream([spool], progress)
    index = check_records(lambda: stream.records("checking"), EmptyGraph(), max_errors)
    for key, count in index.counts().items():
        group = report.nodes if isinstance(key, str) else report.edges
        group[str(key)] = WriteCounts(pending=count) if dry_run else WriteCounts(created=count)
    if not dry_run:
        with open_output(output, overwrite=overwrite) as stream_out:
            spool.copy_to(stream_out)
