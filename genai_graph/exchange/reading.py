"""Reading the fixtures of a load or a check, as often as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.errors import Fault
from genai_graph.exchange.records import weight
from genai_graph.models.store import WEIGHED, batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genai_graph.exchange.fixtures import Source
    from genai_graph.exchange.progress import Progress
    from genai_graph.exchange.records import Record

# A load up to this size holds its records in memory.
_KEPT_BYTES = 32 * 2**20
_KEPT_RECORDS = 100_000


class Reading:
    """The records of fixtures, read anew each time."""

    def __init__(self, sources: list[Source], progress: Progress) -> None:
        self._sources = sources
        self._progress = progress
        self._size = sum(source.size for source in sources)

    def records(self, stage: str, wanted: type[Record] | None = None) -> Iterator[Record]:
        """Yield all records and faults, or the records of a kind and the faults."""
        self._progress.start(stage, self._size)
        for source in self._sources:
            yield from source.records(wanted, self._progress.advance)


class KeptReading(Reading):
    """The same, for who reads all of them first: they are weighed, and few are read once only."""

    weight = 0  # bytes that they take where they are sent, once they were read
    _kept: list[Record] | None = None

    def records(self, stage: str, wanted: type[Record] | None = None) -> Iterator[Record]:
        """Yield all records and faults, or the records of a kind and the faults."""
        if self._kept is not None:
            return self._again(self._kept, stage, wanted)
        read = super().records(stage, wanted)
        return self._weighed(read) if wanted is None else read

    def _weighed(self, records: Iterable[Record]) -> Iterator[Record]:
        self.weight = 0
        kept: list[Record] | None = [] if self._size <= _KEPT_BYTES else None
        for part in batches(records, WEIGHED):
            self.weight += weight(part)
            if kept is not None:
                kept += part
                if len(kept) > _KEPT_RECORDS or self.weight > _KEPT_BYTES:
                    kept = None
            yield from part
        self._kept = kept

    def _again(
        self, kept: list[Record], stage: str, wanted: type[Record] | None
    ) -> Iterator[Record]:
        self._progress.start(stage, len(kept))
        for record in kept:
            if wanted is None or isinstance(record, (wanted, Fault)):
                yield record
        self._progress.advance(len(kept))
