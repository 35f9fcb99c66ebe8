"""Records: what fixtures are made of once they are read, whatever their format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.errors import Fault, Place

if TYPE_CHECKING:
    from genai_graph.models.store import EdgeKind


class _Placed(msgspec.Struct, frozen=True, gc=False):
    """What stands in a line of a file; a million of them are made, so they are cheap to make.

    Those that are written are packed as arrays where they are weighed: without names, it is sooner.
    """

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.file, self.line)  # type: ignore[attr-defined]


class NodeRecord(_Placed, frozen=True, gc=False, array_like=True):
    """A node: the values that are given (None removes one), as the database keeps them."""

    label: str
    uid: str
    given: dict[str, Any]
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.label} {self.uid!r}"


class EdgeRecord(_Placed, frozen=True, gc=False, array_like=True):
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
