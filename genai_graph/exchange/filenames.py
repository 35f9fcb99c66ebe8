"""What a file's name says of it: its format, and how it is compressed."""

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
    """Return ``gzip`` or ``xz``, or None where the name says neither."""
    return _COMPRESSIONS.get(path.suffix.lower())


def format_of(path: Path) -> str | None:
    """Return the format's name, or None where the file's name does not tell."""
    return SUFFIXES.get(suffix_of(path))


def suffix_of(path: Path) -> str:
    """Return the end of a name, in lower case, without that of a compression."""
    plain = path.with_suffix("") if compression_of(path) else path
    return plain.suffix.lower()
