"""Wording shared by error messages."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

_MAX_LENGTH = 40
_MIN_SIMILARITY = 0.6


class AmbiguousScalar:
    """An unquoted scalar that parsers read differently, such as YAML ``no`` or ``017``.

    Every property rejects it; `reading` describes the other reading.
    """

    def __init__(self, text: str, reading: str) -> None:
        self.text = text
        self.reading = reading


def describe(value: Any) -> str:
    """Return a short description of a value for an error, with its type unless that is obvious."""
    if value is None:
        return "nothing"
    if isinstance(value, AmbiguousScalar):
        return f"{value.text} ({value.reading})"
    if isinstance(value, (dict, list)):
        return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 128:  # Python may refuse to print it
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    if "\n" in text:  # a table or an array
        text = " ".join(text.split())
    short = text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 3] + "..."
    module = type(value).__module__
    package = module.partition(".")[0]
    if isinstance(value, (str, bool, int, float)) and package in ("builtins", "genai_graph"):
        return short  # its class is obvious, or one of a parser of this package
    is_known = package in sys.stdlib_module_names
    return f"{short} ({'' if is_known else f'{module}.'}{type(value).__name__})"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a suggestion of the most similar known name, or "" if none is similar."""
    match = most_similar(name, known)
    return "" if match is None else f" (did you mean {match!r}?)"


def most_similar(name: str, known: Iterable[str]) -> str | None:
    """Return the known name with the smallest edit distance, ignoring case, if it is similar."""
    from rapidfuzz import process  # slow to import, and needed for errors only
    from rapidfuzz.distance import OSA

    found = process.extractOne(
        name,
        sorted(known),
        scorer=OSA.normalized_similarity,
        processor=str.casefold,
        score_cutoff=_MIN_SIMILARITY,
    )
    return None if found is None else str(found[0])
