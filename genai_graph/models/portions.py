"""Nodes in portions that an engine can hold, however large their values are.

Five thousand rows of seven short values are a megabyte; five thousand model cards, or histories of
ten thousand steps, are half a gigabyte. So it is asked how large values are before they are read.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

from genai_graph.database import match_uid, query, quote
from genai_graph.models import store
from genai_graph.models.checking import properties_of
from genai_graph.models.properties import ArrayProperty, JSONProperty, Strict, StringProperty
from genai_graph.models.registry import NODES

T = TypeVar("T")

_NUMBER = 9  # bytes


def portions(label: str) -> Iterator[list[str]]:
    """Yield all uids of a label in their order, so many at a time as have `BATCH_BYTES`."""
    last = ""
    while found := store.weighed_uids_after(label, last, store.BATCH, weight_of(label)):
        joined: Counter[str] = Counter()
        for uid, weight in found:  # some may share a uid, where others left out the unique key
            joined[uid] += weight
        yield from fitting(joined, joined.values(), store.BATCH_BYTES)
        last = found[-1][0]


def weights(label: str, uids: list[str]) -> dict[str, int]:
    """Return the weights of nodes."""
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect([uid, {weight_of(label)}]) AS found",
        uids=uids,
    )
    return dict(found[0]["found"])


def fitting(items: Iterable[T], weights: Iterable[int], most: int) -> Iterator[list[T]]:
    """Yield items, as many at a time as come to no more than a weight, or one that has more."""
    together: list[T] = []
    total = 0
    for item, weight in zip(items, weights, strict=True):
        if together and total + weight > most:
            yield together
            together, total = [], 0
        together.append(item)
        total += weight
    if together:
        yield together


@functools.cache
def weight_of(label: str) -> str:
    """Return Cypher for about how many bytes the values of a node `n` have that can be long.

    A character counts as one byte, and what stands in the place of another type as none, nor does
    what the class does not declare.
    """
    declared = properties_of(NODES[label]).items()
    return " + ".join(
        weight for name, prop in declared if (weight := _weight(f"n.{quote(name)}", prop))
    )


def _weight(value: str, prop: Strict) -> str:
    if isinstance(prop, ArrayProperty):
        is_of_texts = isinstance(prop.item, StringProperty)
        texts = f"reduce(sum = 0, item IN {value} | sum + {_length('item')})"
        items = texts if is_of_texts else f"{_NUMBER} * size({value})"
        return f"CASE WHEN valueType({value}) STARTS WITH 'LIST' THEN {items} ELSE 0 END"
    is_text = isinstance(prop, StringProperty) and not (prop.is_indexed or prop.choices)
    return _length(value) if is_text or isinstance(prop, JSONProperty) else ""


def _length(value: str) -> str:
    return f"coalesce(size(toStringOrNull({value})), 0)"
