"""Unicode normalization of uids and names: one name has one spelling.

The same text can be encoded in several ways: ``é`` is one code point or two, depending on the
operating system and the keyboard. Uids and names are stored in normal form C (NFC); case and white
space are kept.
"""

from __future__ import annotations

from unicodedata import normalize


def normalize_name(text: str) -> str:
    """Return a uid or name in normal form C."""
    return text if text.isascii() else normalize("NFC", text)


def is_normalized_name(text: str) -> bool:
    """Return whether a uid or name is in normal form C."""
    return normalize_name(text) == text


def comparison_key(text: str) -> str:
    """Return a key that is equal for names that differ by normalization, case or white space.

    Only white space around a name is ignored.
    """
    stripped = text.strip()
    if stripped.isascii():
        return stripped.casefold()
    return normalize("NFC", normalize("NFD", stripped).casefold())


def normalize_optional(value: object) -> object:
    """Return a string in normal form C, and any other value unchanged."""
    return normalize_name(value) if isinstance(value, str) else value
