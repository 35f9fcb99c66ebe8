"""Records: what fixtures are made of once they are read, whatever their format."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from genai_graph.errors import Fault, Place

if TYPE_CHECKING:
    from genai_graph.models.store import EdgeKind

T = TypeVar("T")

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node: the values that are given (None removes one), as the database keeps them."""

    label: str
    uid: str
    given: dict[str, Any]
    place: Place

    def __str__(self) -> str:
        return f"{self.label} {self.uid!r}"


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """An edge between two uids, with the values that are given."""

    kind: EdgeKind
    source: str
    target: str
    given: dict[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class FlawedNode:
    """A node that is declared but has faults: references to it are not faults too."""

    label: str
    uid: str
    place: Place


@dataclass(frozen=True, slots=True)
class FlawedEdge:
    """An edge that is meant but has faults: its target is not also without a source."""

    kind: EdgeKind
    target: str
    place: Place


# A reader yields what it understood and what it did not, in the order of the file.
Record = NodeRecord | EdgeRecord | FlawedNode | FlawedEdge | Fault


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
