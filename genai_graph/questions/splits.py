"""Splits of datasets as expressions: parse them, and decide whether two of them share examples.

The syntax is that of Hugging Face Datasets and TensorFlow Datasets: ``train``, ``train+test``,
``test[:50%]``, ``train[10:20]``. Names ignore case; ``val``, ``valid``, ``dev`` and ``validation``
are the same, as are ``full`` and ``all``.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple

_SYNONYMS = {
    "train": "train training",
    "validation": "validation validate valid val dev devel development",
    "test": "test testing",
    "all": "all full whole complete entire everything",
}
# The canonical names of the words that are known.
_KNOWN = {
    f"{word}{ending}": name
    for name, words in _SYNONYMS.items()
    for word in words.split()
    for ending in ("", "set", "data")
}
_EVALUATION = "evaluation"  # may be the validation or the test split
_UNIONS = {
    "trainval": ("train", "validation"),
    "traintest": ("train", "test"),
    "trainvaltest": ("train", "validation", "test"),
}
# Words in longer names, with the known splits that they stand for.
_WORDS = {
    **{word: (name,) for word, name in _KNOWN.items()},
    **dict.fromkeys(("eval", _EVALUATION, "holdout", "heldout"), (_EVALUATION,)),
    **_UNIONS,
}
# Known splits that share no examples.
_APART = {
    frozenset(pair)
    for pair in (
        ("train", "validation"),
        ("train", "test"),
        ("train", _EVALUATION),
        ("validation", "test"),
    )
}
# Texts that say that the split is not known.
_PLACEHOLDERS = frozenset({"unknown", "none", "null", "nan", "na", "default", "unspecified"})

# Words that exclude the split after them: `non-train` is anything else.
_NEGATIONS = frozenset({"non", "not", "no", "without", "except", "excluding", "minus"})

_JOINED = re.compile(r"\s*(?:[+,;&|]|\band\b)\s*")
_PART = re.compile(r"(?P<name>\w[\w.-]*)\s*(?:\[(?P<start>[^:\]]*):(?P<stop>[^:\]]*)\])?")
_BOUND = re.compile(r"(?P<number>-?\d+(?:\.\d+)?)\s*(?P<percent>%?)")
_SEPARATORS = re.compile(r"[-_.]+")
_NOT_LETTERS = re.compile(r"[\W\d_]+")


class Overlap(enum.Enum):
    """Whether two splits of a dataset share examples."""

    CERTAIN = "certain"
    SUSPECTED = "suspected"
    # Different slices of one split. In a derived dataset, examples may be at other positions.
    SLICES = "slices"
    APART = "apart"


class Slice(NamedTuple):
    """A range of examples, by number or by percentage; a negative bound counts from the end."""

    start: float
    stop: float | None
    is_percent: bool

    def overlap(self, other: Slice) -> Overlap:
        """Compare with a slice of the same split."""
        if self._is_empty() or other._is_empty():
            return Overlap.SLICES
        if self._is_whole() or other._is_whole():
            return Overlap.CERTAIN
        if self._ends_before(other) or other._ends_before(self):
            return Overlap.SLICES
        sides = {self._from_end(), other._from_end()}
        if self.is_percent != other.is_percent or len(sides) > 1 or None in sides:
            return Overlap.SUSPECTED  # depends on the number of examples
        is_shared = self.start < other._end() and other.start < self._end()
        return Overlap.CERTAIN if is_shared else Overlap.SLICES

    def _ends_before(self, other: Slice) -> bool:
        """Return whether this is all but the last examples, and the other only the last ones."""
        is_end = other.stop is None and other.start < 0 and self.is_percent == other.is_percent
        return is_end and self.start == 0 and self.stop is not None and self.stop <= other.start

    def _end(self) -> float:
        return float("inf") if self.stop is None else self.stop

    def _is_empty(self) -> bool:
        has_equal_signs = self.stop is not None and (self.start < 0) == (self.stop < 0)
        return self.stop == 0 or (has_equal_signs and self._end() <= self.start)

    def _is_whole(self) -> bool:
        return self.start == 0 and self.stop is None

    def _from_end(self) -> bool | None:
        """Return whether all bounds count from the end, or None for bounds of both kinds."""
        if self.stop is None:
            return self.start < 0
        return self.start < 0 if (self.start < 0) == (self.stop < 0) else None


_WHOLE = Slice(0, None, False)


class Part(NamedTuple):
    """A split with its canonical name, and a slice of it.

    `is_clear` is false for one of the words of a name like ``test-dev``.
    """

    name: str
    slice: Slice
    is_clear: bool = True

    def overlap(self, other: Part) -> Overlap:
        """Compare with a part of the same dataset."""
        found = self._overlap_if_clear(other)
        is_clear = self.is_clear and other.is_clear
        return Overlap.SUSPECTED if found is Overlap.CERTAIN and not is_clear else found

    def _overlap_if_clear(self, other: Part) -> Overlap:
        if self.name == other.name:
            return self.slice.overlap(other.slice)
        if "all" in (self.name, other.name):
            sliced = self.slice if self.name == "all" else other.slice
            part = other.slice if self.name == "all" else self.slice
            if sliced._is_empty() or part._is_empty():
                return Overlap.SLICES
            return Overlap.CERTAIN if sliced._is_whole() else Overlap.SUSPECTED
        # `test2017` or `test_small` may be the split `test`, or a part of it; `extra` may be a part
        # of any.
        families = frozenset((_family(self.name), _family(other.name)))
        return Overlap.APART if families in _APART else Overlap.SUSPECTED


def compare(first: str | None, second: str | None) -> Overlap:
    """Compare two splits of a dataset; an unknown or unclear one may share examples with any."""
    parts, others = parse(first), parse(second)
    if not parts or not others:
        return Overlap.SUSPECTED
    found = {part.overlap(other) for part in parts for other in others}
    return next(overlap for overlap in Overlap if overlap in found)


def canonical_name(split: str) -> str:
    """Return the same text for all spellings of a split: ``Test``, or ``val`` and ``dev``."""
    parts = parse(split)
    if not parts or not all(part.is_clear for part in parts):
        return _fold(split)
    return "+".join(sorted({_part_text(part) for part in parts}))


@functools.lru_cache(maxsize=1024)
def parse(split: str | None) -> tuple[Part, ...]:
    """Return the parts of a split; none if it is empty or unclear."""
    parts: list[Part] = []
    for text in _JOINED.split(_fold(split or "")):
        found = _PART.fullmatch(text)
        examples = found and _parse_slice(found["start"], found["stop"])
        if not found or not examples:
            return ()
        name = found["name"]
        if name in _PLACEHOLDERS or _is_negated(name):
            return ()
        words = _known_words(name)
        if name in _UNIONS:
            parts += (Part(word, examples) for word in _UNIONS[name])
        elif len(words) > 1:
            parts += (Part(word, examples, is_clear=False) for word in words)
        else:
            parts.append(Part(_KNOWN.get(name, _SEPARATORS.sub("_", name)), examples))
    return tuple(parts)


def _fold(split: str) -> str:
    return " ".join(unicodedata.normalize("NFC", split).casefold().split())


def _known_words(name: str) -> list[str]:
    """Return the known splits that a name like ``test_small`` or ``val2017`` contains."""
    words = _NOT_LETTERS.split(name)
    return sorted({split for word in words for split in _WORDS.get(word, ())})


def _is_negated(name: str) -> bool:
    words = _NOT_LETTERS.split(name)
    return any(word in _NEGATIONS and after in _WORDS for word, after in pairwise(words))


def _family(name: str) -> str:
    """Return the known split that a name contains, or an empty string."""
    words = _known_words(name)
    return words[0] if len(words) == 1 else ""


def _parse_slice(start: str | None, stop: str | None) -> Slice | None:
    """Return a slice, or None if it is unclear."""
    if start is None or stop is None:
        return _WHOLE
    texts = start.strip(), stop.strip()
    bounds = [_BOUND.fullmatch(text) for text in texts]
    if any(text and not bound for text, bound in zip(texts, bounds, strict=True)):
        return None
    units = {bound["percent"] for bound in bounds if bound and float(bound["number"])}
    if len(units) > 1:
        return None
    is_percent = units == {"%"}
    numbers = [float(bound["number"]) if bound else None for bound in bounds]
    if is_percent:  # the size is known: 100
        numbers = [None if n is None else _percentage(n) for n in numbers]
        if numbers[1] == 100:
            numbers[1] = None
    if not any(numbers) and numbers[1] is None:
        return _WHOLE
    return Slice(numbers[0] or 0.0, numbers[1], is_percent)


def _percentage(number: float) -> float:
    """Return a percentage that counts from the start, from 0 to 100."""
    return min(100.0, max(0.0, number + 100 if number < 0 else number))


def _part_text(part: Part) -> str:
    if part.slice == _WHOLE:
        return part.name
    unit = "%" if part.slice.is_percent else ""
    stop = "" if part.slice.stop is None else f"{part.slice.stop:g}{unit}"
    return f"{part.name}[{part.slice.start:g}{unit}:{stop}]"
