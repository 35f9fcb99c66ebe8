"""Reading directories of third parties: no links out of them, no large files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from genai_graph.errors import GenaiGraphError, ImportSourceError

MAX_FILE_BYTES = 64 * 2**20
MAX_CARD_BYTES = 8 * 2**20

# Directories that can't be read, with the reasons.
Unreadable = list[tuple[Path, str]]


class UnreadableFileError(GenaiGraphError):
    """A file of a source can't be read; the message does not contain its path."""


def origin_of(kind: str, source: str) -> str:
    """Return the origin of the nodes of a file or directory, such as ``csv:/data/runs.csv``.

    Raises `ImportSourceError` if the path is invalid.
    """
    if not source:
        raise ImportSourceError("''", "expected a path")
    try:
        path = os.path.realpath(Path(source).expanduser())
    except (OSError, ValueError, RuntimeError) as error:  # a NUL character; an unknown user
        raise ImportSourceError(source, f"can't be read: {error}") from None
    return f"{kind}:{path}".encode(errors="replace").decode()


def name_of(path: Path) -> str:
    """Return a path as text; bytes of a file name that are not UTF-8 become U+FFFD."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def list_directory(directory: Path, root: Path) -> list[Path]:
    """Return the entries of a directory by name, without links that lead out of the root."""
    try:
        entries = sorted(directory.iterdir(), key=lambda path: path.name)
        return [path for path in entries if is_inside(path, root)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnreadableFileError(f"can't be read: {error.strerror}") from error


def list_readable(directory: Path, root: Path, unreadable: Unreadable | None) -> list[Path]:
    """Return the entries of a directory; one that can't be read is added to `unreadable`.

    Without such a list, raises `UnreadableFileError`.
    """
    try:
        return list_directory(directory, root)
    except UnreadableFileError as error:
        if unreadable is None:
            raise
        unreadable.append((directory, str(error)))
        return []


def is_inside(path: Path, root: Path) -> bool:
    """Return whether a path is below the root, also after links are resolved."""
    if not path.is_symlink():
        return True
    real = os.path.realpath(path)
    return os.path.commonpath([real, os.path.realpath(root)]) == os.path.realpath(root)


def read_bytes(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of a regular file, or raise `UnreadableFileError`."""
    try:
        if not path.is_file():
            raise UnreadableFileError("is not a regular file")
        if path.stat().st_size > limit:
            raise UnreadableFileError(f"is larger than {limit >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFileError(f"can't be read: {reason}") from error


def read_text(path: Path, limit: int = MAX_FILE_BYTES) -> str:
    """Return the text of a file; invalid UTF-8 becomes U+FFFD."""
    return read_bytes(path, limit).decode("utf-8", "replace")


def walk_files(directory: Path, root: Path, unreadable: Unreadable | None = None) -> Iterator[Path]:
    """Yield the regular files below a directory, by name, without links out of the root."""
    for path in list_readable(directory, root, unreadable):
        if os.path.isdir(path):
            if not path.is_symlink():  # a link inside of the root would be a second copy
                yield from walk_files(path, root, unreadable)
        elif os.path.isfile(path):
            yield path
