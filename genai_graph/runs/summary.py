"""Summaries of the journals on this machine, for `runs list` and `runs show`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genai_graph.database.settings import read_settings
from genai_graph.errors import FixtureError, FixtureIssue, RunError
from genai_graph.exchange.formats.journal import merge_values
from genai_graph.exchange.formats.records import EdgeRecord, JournalNode
from genai_graph.exchange.sources import FixtureSource
from genai_graph.models import Experiment, Metric
from genai_graph.properties.messages import did_you_mean
from genai_graph.properties.validation import inflate_values
from genai_graph.runs.journal_files import JournalFile, find_journals


def list_journals() -> list[dict[str, Any]]:
    """Return a row for each journal: its run, its process, and how much of it is in the graph."""
    graph = read_settings().graph
    return [_row(journal, graph) for journal in find_journals()]


def _row(journal: JournalFile, graph: str) -> dict[str, Any]:
    state = journal.read_state()
    sent = state.offset if state.graph == graph else 0
    size = journal.size
    return {
        "run": journal.uid,
        "name": journal.name,
        "process": "running" if journal.has_live_owner() else "ended",
        "bytes": size,
        "unsent": size - sent,
        "written_at": journal.modified_at,
        "journal": str(journal.path),
    }


def is_complete(journal: JournalFile) -> bool:
    """Return whether a journal is complete in the graph that the settings select."""
    state, graph = journal.read_state(), read_settings().graph
    return state.graph == graph and state.offset >= journal.size and not journal.has_live_owner()


def find_run(uid: str) -> list[JournalFile]:
    """Return the journals of a run; raise `RunError` if there are none."""
    found = find_journals(uid)
    if not found:
        known = sorted({journal.uid for journal in find_journals()})
        hint = did_you_mean(uid, known)
        raise RunError(f"run {uid!r}: no journal on this machine{hint}: see genai-graph runs list")
    return found


def describe_run(uid: str) -> dict[str, Any]:
    """Return the values of a run from its journals.

    They are the properties of the Experiment that are set, and `metrics`: rows with the uid, the
    number of points, and the last step and value of each metric.
    """
    values: dict[str, Any] = {}
    metrics: dict[str, dict[str, Any]] = {}
    for journal in find_run(uid):
        for record in read_nodes(journal):
            if record.label == Experiment.__label__ and record.uid == uid:
                values |= merge_values(record.label, values, record.given)
            elif record.label == Metric.__label__ and record.steps:
                row = metrics.setdefault(record.uid, {"metric": record.uid, "points": 0})
                row["points"] += len(record.steps)
                if record.steps[-1] >= row.get("step", record.steps[-1]):
                    row |= {"step": record.steps[-1], "value": record.values[-1]}
    given = {name: value for name, value in values.items() if value is not None}
    return {"uid": uid, **inflate_values(Experiment, given), "metrics": list(metrics.values())}


def read_nodes(journal: JournalFile) -> Iterator[JournalNode]:
    """Yield the merged nodes of a journal; raise `FixtureError` for an invalid line."""
    for record in FixtureSource(str(journal.path), "jsonl").records(None, lambda _: None):
        if isinstance(record, JournalNode):
            yield record
        elif isinstance(record, FixtureIssue):
            raise FixtureError([record])
        else:
            assert isinstance(record, EdgeRecord)
