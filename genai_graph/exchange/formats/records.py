"""Records: the nodes and edges of a fixture, and its errors, independent of the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.errors import FixtureIssue, SourceLocation
from genai_graph.registry import NODES
from genai_graph.storage.rows import EdgeRow, NodeRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_graph.registry import EdgeType


class NodeRecord(NodeRow, frozen=True, gc=False):
    """A node with its given values as database values (None removes one)."""

    label: str
    file: str
    line: int | None

    def __str__(self) -> str:
        return f"{self.label} {self.uid!r}"

    @property
    def location(self) -> SourceLocation:
        """The location of the declaration."""
        return SourceLocation(self.file, self.line)


class EdgeRecord(EdgeRow, frozen=True, gc=False):
    """An edge between two uids, with its given values."""

    edge_type: EdgeType
    file: str
    line: int | None

    @property
    def location(self) -> SourceLocation:
        """The location of the declaration."""
        return SourceLocation(self.file, self.line)


class JournalNode(NodeRecord, frozen=True, gc=False):
    """A node of a journal, whose values are merged with the stored ones.

    `steps`, ascending, and `values` are the points of a metric; `given` does not have them.
    """

    steps: list[int]
    values: list[float]


class PointsRecord(msgspec.Struct, frozen=True, gc=False):
    """Points of a metric in a journal, in the order of the file."""

    uid: str
    steps: list[int]
    values: list[float]
    file: str
    line: int | None


class InvalidNode(msgspec.Struct, frozen=True, gc=False):
    """A declared node with errors; recorded so that references to it are not reported, too."""

    label: str
    uid: str
    location: SourceLocation


class InvalidEdge(msgspec.Struct, frozen=True, gc=False):
    """A declared edge with errors; recorded so that its target is not reported as orphaned."""

    edge_type: EdgeType
    target: str


class TruncatedFile(FixtureIssue):
    """An error after which the rest of a file was not read: missing nodes may be declared there."""

    __slots__ = ()


class UnloadedModules(FixtureIssue):
    """A note, listed only beside errors: the file was written with classes that are not loaded."""

    __slots__ = ()


# A format yields records and errors in the order of the file.
# Points are merged into the nodes of their journal.
Record = NodeRecord | EdgeRecord | InvalidNode | InvalidEdge | FixtureIssue | PointsRecord


def select(records: Iterable[Record], wanted: type[Record] | None) -> Iterable[Record]:
    """Return all records and errors, or the records of one class and the errors."""
    if wanted is None:
        return records
    return (record for record in records if isinstance(record, (wanted, FixtureIssue)))


def group_key(record: NodeRecord | EdgeRecord) -> str | EdgeType:
    """Return the label or the edge type of a record."""
    return record.label if isinstance(record, NodeRecord) else record.edge_type


def with_uid_fields(record: NodeRecord) -> dict[str, Any]:
    """Return the values of a new node: the given ones, with defaults parsed from the uid."""
    cls, given = NODES[record.label], record.given
    if isinstance(record, JournalNode) and record.steps:
        given = {**given, "step": record.steps[-1], "value": record.values[-1]}
    if given.keys() >= cls.uid_fields:
        return given
    defaults = cls.parse_uid(record.uid).items()
    return {**{name: value for name, value in defaults if value and name not in given}, **given}
