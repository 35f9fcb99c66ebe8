"""Splitting rows into batches by number and size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

BATCH_ROWS, BATCH_BYTES = 5_000, 8 * 2**20
TRANSACTION_BYTES = 64 * 2**20  # every engine can hold this much in one transaction


class Sized(Protocol):
    """A row with its size in bytes."""

    @property
    def size(self) -> int:
        """The approximate size in bytes."""


T = TypeVar("T")
R = TypeVar("R", bound=Sized)
K = TypeVar("K")


def batched(items: Iterable[T], max_rows: int | None = None) -> Iterator[list[T]]:
    """Yield lists of at most `max_rows` items (default `BATCH_ROWS`)."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, max_rows or BATCH_ROWS)):
        yield batch


def batch_by_key(
    rows: Iterable[R], key_of: Callable[[R], K], max_rows: int
) -> Iterator[tuple[K, list[R]]]:
    """Yield (key, rows with that key) in one pass.

    A batch has at most `max_rows` rows and ends with the row that reaches `BATCH_BYTES`.
    """
    waiting: dict[K, list[R]] = {}
    sizes: dict[K, int] = {}
    for key, run in itertools.groupby(rows, key_of):
        batch, size = waiting.setdefault(key, []), sizes.get(key, 0)
        for row in run:
            batch.append(row)
            size += row.size
            if len(batch) >= max_rows or size >= BATCH_BYTES:
                yield key, batch
                batch, size = [], 0
                waiting[key] = batch
        sizes[key] = size
    yield from ((key, batch) for key, batch in waiting.items() if batch)


def batch_by_size(rows: Iterable[R], max_rows: int) -> Iterator[list[R]]:
    """Yield lists of at most `max_rows` rows, which end with the row that reaches `BATCH_BYTES`."""
    return (batch for _, batch in batch_by_key(rows, lambda _: None, max_rows))


def chunk_by_size(items: Iterable[T], sizes: Iterable[int], limit: int) -> Iterator[list[T]]:
    """Yield lists of items of at most `limit` bytes together, or of one larger item."""
    chunk: list[T] = []
    total = 0
    for item, size in zip(items, sizes, strict=True):
        if chunk and total + size > limit:
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += size
    if chunk:
        yield chunk
