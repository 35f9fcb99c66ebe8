"""Reading the fixtures of a load or a check, as often as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.errors import FixtureIssue
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.progress import Progress
    from genai_graph.exchange.sources import Source


# A load up to this size holds its records in memory.
_KEPT_BYTES = 32 * 2**20
_KEPT_RECORDS = 100_000


class RecordStream:
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


class CachedRecordStream(RecordStream):
    """The same, for who reads all of them first: they are weighed, and few are read once only."""

    bytes = 0  # bytes that they take where they are sent, once they were read
    _kept: list[Record] | None = None

    def records(self, stage: str, wanted: type[Record] | None = None) -> Iterator[Record]:
        """Yield all records and faults, or the records of a kind and the faults."""
        if self._kept is not None:
            return self._again(self._kept, stage, wanted)
        read = super().records(stage, wanted)
        return self._weighed(read) if wanted is None else read

    def _weighed(self, records: Iterable[Record]) -> Iterator[Record]:
        self.bytes = 0
        kept: list[Record] | None = [] if self._size <= _KEPT_BYTES else None
        for record in records:
            if isinstance(record, (NodeRecord, EdgeRecord)):
                self.bytes += record.size
            if kept is not None:
                kept.append(record)
                if len(kept) > _KEPT_RECORDS or self.bytes > _KEPT_BYTES:
                    kept = None
            yield record
        self._kept = kept

    def _again(
        self, kept: list[Record], stage: str, wanted: type[Record] | None
    ) -> Iterator[Record]:
        self._progress.start(stage, len(kept))
        for record in kept:
            if wanted is None or isinstance(record, (wanted, FixtureIssue)):
                yield record
        self._progress.advance(len(kept))
