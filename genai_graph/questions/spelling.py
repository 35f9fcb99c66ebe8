"""Names that differ in spelling only: case, Unicode normalization, hyphens, underscores, spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\s\-_/.:@]+")
_OPERATORS = re.compile(r"\b(?:and|or|with)\b(?!-later)|[()/,;|&]")
_LICENSE_WORDS = re.compile(r"[a-z]+|\d+")
# Words of full names as in SPDX ids; an empty text for words that may be missing.
_LICENSE_SYNONYMS = {
    **dict.fromkeys(["the", "license", "licence", "version", "v", "only", "or", "later"], ""),
    "gnu": "",
    "general": "g",
    "public": "p",
    "lesser": "l",
    "affero": "a",
    "creative": "c",
    "commons": "c",
    "attribution": "by",
    "noncommercial": "nc",
    "sharealike": "sa",
    "noderivatives": "nd",
    "noderivs": "nd",
    "international": "",
}


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
    """Return licenses with the same words and numbers, and expressions that contain the license.

    ``Apache License, Version 2.0``, ``apache2`` and ``MIT OR Apache-2.0`` are similar to
    ``Apache-2.0``, as is ``GPL-3.0+`` to ``GPL-3.0-only``.
    """
    wanted, folded = _license_key(name), fold(name)
    return sorted(
        other
        for other in set(known)
        if fold(other) != folded
        and wanted in map(_license_key, (other, *_OPERATORS.split(fold(other))))
    )


def _license_key(name: str) -> str:
    """Return the same text for the spellings of a license."""
    text = re.sub(r"(?<=non)-(?=commercial)|(?<=share)-(?=alike)|(?<=no)-(?=deriv)", "", fold(name))
    text = re.sub(r"(gnu .*public) license", r"\1 l", text)  # GPL
    found = _LICENSE_WORDS.findall(re.sub(r"v(?=\d)", " ", text))
    words = [_LICENSE_SYNONYMS.get(word, word) for word in found]
    words = list(filter(None, words))
    if len(words) > 1 and words[-1] == "0" and words[-2].isdigit():  # 2.0 is 2, but MIT-0 not MIT
        words.pop()
    return "".join(words)
