"""File formats and compressions by file name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


SUFFIXES = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".cypher": "cypher",
}
_COMPRESSIONS = {".gz": "gzip", ".xz": "xz"}


def compression_of(path: Path) -> str | None:
    """Return ``gzip`` or ``xz``, or None if the name has no compression suffix."""
    return _COMPRESSIONS.get(path.suffix.lower())


def format_of(path: Path) -> str | None:
    """Return the format, or None if the name has no known suffix."""
    return SUFFIXES.get(suffix_of(path))


def suffix_of(path: Path) -> str:
    """Return the suffix of a name in lower case, ignoring a compression suffix."""
    uncompressed = path.with_suffix("") if compression_of(path) else path
    return uncompressed.suffix.lower()
