"""Names that differ in spelling only: case, Unicode normalization, hyphens, underscores, spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\s\-_/.:@]+")
_WORDS = re.compile(r"[^\s()/,;:+|&]+")
_VARIANT = re.compile(r"-(?:only|or-later)$")


def fold(name: str) -> str:
    """Return the same text for names that differ in case, surrounding space or Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()


def key(name: str) -> str:
    """Return the same text for names that differ in separators, too."""
    return _SEPARATORS.sub("_", fold(name)).strip("_")


def other_spellings(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are spelled differently from a name."""
    wanted = key(name)
    return sorted(other for other in set(known) if other != name and key(other) == wanted)


def similar_licenses(name: str, known: Iterable[str]) -> list[str]:
    """Return licenses that differ in separators, and expressions that contain the license."""
    wanted, folded = key(name), fold(name)
    without_variant = _VARIANT.sub("", folded)
    return sorted(
        other
        for other in set(known)
        if fold(other) != folded
        and (key(other) == wanted or without_variant in _licenses_in(other))
    )


def _licenses_in(expression: str) -> set[str]:
    """Return the licenses in an expression, without the suffixes of SPDX ids."""
    return {_VARIANT.sub("", word) for word in _WORDS.findall(fold(expression))}
