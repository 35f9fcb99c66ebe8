"""The records that an importer yields: nodes, edges, errors, and counts of items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genai_graph.errors import FixtureIssue, SourceLocation, escape_unprintable
from genai_graph.exchange.formats.records import EdgeRecord, InvalidEdge, InvalidNode, NodeRecord

UNREADABLE = "unreadable"  # the `reason` of items of the source that can't be read


@dataclass(frozen=True, slots=True)
class Skipped:
    """Items of the source that are not imported, of one sort (such as "points").

    `reason` is a short text that groups them in the summary, such as "deleted". With a `message`,
    they are reported, and an error with ``--strict``; without one, they are only counted, because
    the user chose to leave them out or nothing is lost.
    """

    location: SourceLocation
    item: str
    reason: str
    count: int = 1
    message: str = ""

    def __str__(self) -> str:
        text = self.message or f"{self.count:,} {self.item}: {self.reason}"
        return escape_unprintable(f"{self.location}: {text}")


@dataclass(frozen=True, slots=True)
class Read:
    """Items read from the source: each of them is either written or skipped."""

    item: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Written:
    """Items of the source that became part of the graph."""

    item: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark about the import, such as an unknown word; it counts no skipped items."""

    location: SourceLocation
    message: str

    def __str__(self) -> str:
        return escape_unprintable(f"{self.location}: {self.message}")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The source in the summary, such as ``mlflow.db (MLflow, schema dc11669786a5)``.

    `details` are JSON-compatible values for the report. `total` is the number of `item`s to read,
    for the progress display; 0 means unknown. `origin` is that of the records.
    """

    title: str
    details: dict[str, Any] = field(default_factory=dict)
    item: str = ""
    total: int = 0
    origin: str = ""


ImportRecord = (
    NodeRecord
    | EdgeRecord
    | InvalidNode
    | InvalidEdge
    | FixtureIssue
    | Skipped
    | Read
    | Written
    | Notice
    | SourceInfo
)
