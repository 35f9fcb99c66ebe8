"""Records: what fixtures are made of once they are read, whatever their format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.database.values import packed_size
from genai_graph.errors import Fault, Place

if TYPE_CHECKING:
    from genai_graph.models.store import EdgeKind


class _Placed(msgspec.Struct, frozen=True, gc=False):
    """What stands in a line of a file; a million of them are made, so they are cheap to make."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.file, self.line)  # type: ignore[attr-defined]


class NodeRecord(_Placed, frozen=True, gc=False):
    """A node: the values that are given (None removes one), as the database keeps them."""

    label: str
    uid: str
    given: dict[str, Any]
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.label} {self.uid!r}"


class EdgeRecord(_Placed, frozen=True, gc=False):
    """An edge between two uids, with the values that are given."""

    kind: EdgeKind
    source: str
    target: str
    given: dict[str, Any]
    file: str
    line: int


class FlawedNode(_Placed, frozen=True, gc=False):
    """A node that is declared but has faults: references to it are not faults too."""

    label: str
    uid: str
    file: str
    line: int


class FlawedEdge(_Placed, frozen=True, gc=False):
    """An edge that is meant but has faults: its target is not also without a source."""

    kind: EdgeKind
    target: str
    file: str
    line: int


class Unread(Fault):
    """A fault behind which the rest of a file is unknown: what seems missing may stand there."""

    __slots__ = ()


# A reader yields what it understood and what it did not, in the order of the file.
Record = NodeRecord | EdgeRecord | FlawedNode | FlawedEdge | Fault


def group_of(record: NodeRecord | EdgeRecord) -> str | EdgeKind:
    """Return what a record is one of: a label, or a kind of edge."""
    return record.label if isinstance(record, NodeRecord) else record.kind


def weight_of_nodes(nodes: Iterable[NodeRecord]) -> int:
    """Return about how many bytes nodes take where they are sent."""
    return packed_size([(node.uid, node.given) for node in nodes])


def weight_of_edges(edges: Iterable[EdgeRecord]) -> int:
    """Return the same for edges."""
    return packed_size([(edge.source, edge.target, edge.given) for edge in edges])


def weight(records: Sequence[Record]) -> int:
    """Return the same for records of all kinds: faults are not sent."""
    return weight_of_nodes(
        record for record in records if isinstance(record, NodeRecord)
    ) + weight_of_edges(record for record in records if isinstance(record, EdgeRecord))
