"""Nodes in portions that an engine can hold, however large their values are.

Five thousand rows of seven short values are a megabyte; five thousand model cards, or histories of
ten thousand steps, are half a gigabyte. So it is asked how large values are before they are read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

from genai_graph.database import quote
from genai_graph.models import store
from genai_graph.models.checking import properties_of
from genai_graph.models.properties import ArrayProperty, JSONProperty, Strict, StringProperty
from genai_graph.models.registry import NODES

_NUMBER = 9  # bytes


def portions(label: str) -> Iterator[list[str]]:
    """Yield all uids of a label in their order, so many at a time as have `BATCH_BYTES`."""
    last = ""
    while found := store.weighed_uids_after(label, last, store.BATCH, weight_of(label)):
        weights = (weight for _, weight in found)
        start = 0
        for count in fitting(weights, store.BATCH_BYTES):
            yield [uid for uid, _ in found[start : start + count]]
            start += count
        last = found[-1][0]


def fitting(weights: Iterable[int], most: int) -> Iterator[int]:
    """Yield how many of the next weights come to no more than a weight, or one that has more."""
    count = total = 0
    for weight in weights:
        if count and total + weight > most:
            yield count
            count = total = 0
        count += 1
        total += weight
    if count:
        yield count


@functools.cache
def weight_of(label: str) -> str:
    """Return Cypher for about how many bytes the values of a node `n` have that can be long.

    What stands in the place of another type has no weight.
    """
    declared = properties_of(NODES[label]).items()
    return " + ".join(
        weight for name, prop in declared if (weight := _weight(f"n.{quote(name)}", prop))
    )


def _weight(value: str, prop: Strict) -> str:
    if isinstance(prop, ArrayProperty):
        each = _length("item") if isinstance(prop.item, StringProperty) else str(_NUMBER)
        items = f"reduce(sum = 0, item IN {value} | sum + {each})"
        return f"CASE WHEN valueType({value}) STARTS WITH 'LIST' THEN {items} ELSE 0 END"
    is_text = isinstance(prop, StringProperty) and not (prop.is_indexed or prop.choices)
    return _length(value) if is_text or isinstance(prop, JSONProperty) else ""


def _length(value: str) -> str:
    return f"coalesce(size(toStringOrNull({value})), 0)"
