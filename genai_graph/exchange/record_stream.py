"""The records of several fixtures as one stream that can be read repeatedly."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Protocol

from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from genai_graph.exchange.formats.records import Record
    from genai_graph.exchange.progress import Progress


class Source(Protocol):
    """Records that can be read repeatedly: a fixture, or the spooled records of an import."""

    @property
    def size(self) -> int:
        """The size in bytes, for the progress display."""

    def records(
        self, wanted: type[Record] | None, advance: Callable[[int], None]
    ) -> Iterator[Record]:
        """Yield all records and errors, or the records of one class and the errors, in order.

        `advance` is called with the number of bytes read since its last call.
        """
        ...


# Records are cached up to these limits, so that a small load parses its files once.
_MAX_CACHED_BYTES = 64 * 2**20
_MAX_CACHED_RECORDS = 100_000


class RecordStream:
    """The records of fixtures, parsed on each call."""

    def __init__(self, sources: Sequence[Source], progress: Progress) -> None:
        self._sources = sources
        self._progress = progress

    @property
    def _size(self) -> int:
        """The size in bytes; an import that is not spooled yet has none."""
        return sum(source.size for source in self._sources)

    def records(self, stage: str, wanted: type[Record] | None = None) -> Iterator[Record]:
        """Yield all records and errors, or the records of one class and the errors.

        `stage` names the pass for the progress display.
        """
        self._progress.start(stage, self._size or None)
        advance = self._progress.advance
        return chain.from_iterable(source.records(wanted, advance) for source in self._sources)


class CachedRecordStream(RecordStream):
    """A stream that measures its records, and caches them if they are few.

    The first complete pass must be over all records.
    """

    bytes = 0  # size of the records in messages to the database, after the first pass
    _cache: list[Record] | None = None

    def records(self, stage: str, wanted: type[Record] | None = None) -> Iterator[Record]:
        """Yield all records and errors, or the records of one class and the errors."""
        if self._cache is not None:
            return self._cached(self._cache, stage, wanted)
        read = super().records(stage, wanted)
        return self._measured(read) if wanted is None else read

    def _measured(self, records: Iterable[Record]) -> Iterator[Record]:
        self.bytes = 0
        cache: list[Record] | None = [] if self._size <= _MAX_CACHED_BYTES else None
        for record in records:
            if isinstance(record, (NodeRecord, EdgeRecord)):
                self.bytes += record.size
            if cache is not None:
                cache.append(record)
                if len(cache) > _MAX_CACHED_RECORDS or self.bytes > _MAX_CACHED_BYTES:
                    cache = None
            yield record
        self._cache = cache

    def _cached(
        self, cache: list[Record], stage: str, wanted: type[Record] | None
    ) -> Iterator[Record]:
        self._progress.start(stage, len(cache))
        yield from select(cache, wanted)
        self._progress.advance(len(cache))
