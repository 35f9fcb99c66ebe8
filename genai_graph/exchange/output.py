"""Where a dump goes: a file that is there whole or not at all, a pipe, or standard output."""

from __future__ import annotations

import contextlib
import errno
import gzip
import lzma
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from genai_graph.errors import GenaiGraphError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = "-"


@contextlib.contextmanager
def open_output(name: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open an output, compressed as its name says; a file appears when all of it is written.

    Raises `OutputError` when it is there already, or can't be written.
    """
    if name == STDOUT:  # its errors are the caller's: who reads it may have gone away
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    with _told(name):
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe, a device
            with path.open("wb") as stream, _compressed(stream, path) as compressed:
                yield compressed
            return
        with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
            with _compressed(stream, path) as compressed:
                yield compressed
            stream.flush()
            os.fsync(stream.fileno())


@contextlib.contextmanager
def open_folder(name: str, *, overwrite: bool) -> Iterator[Path]:
    """Give an empty folder that takes the output's name when all of it is written."""
    path = Path(name)
    with _told(name), replacing(path, overwrite=overwrite, folder=True) as temporary:
        yield temporary


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool, folder: bool = False) -> Iterator[Path]:
    """Give a temporary file (or folder) beside a path, and rename it to it at the end."""
    path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    _refuse_existing(path, overwrite=overwrite, folder=folder)
    temporary = _temporary(path.parent, folder)
    try:
        yield temporary
        if folder and path.exists():
            shutil.rmtree(path)
        temporary.chmod(path.stat().st_mode if path.exists() else _usual_mode(folder))
        temporary.replace(path)
    except BaseException:
        _remove(temporary)
        raise


def _refuse_existing(path: Path, *, overwrite: bool, folder: bool) -> None:
    if not path.exists():
        return
    if path.is_dir() != folder:
        raise OutputError(f"{path}: is {'a folder' if path.is_dir() else 'no folder'}")
    if folder and not any(path.iterdir()):
        return
    if not overwrite:
        raise OutputError(f"{path}: is there already: overwrite=True (--force) replaces it")


def _temporary(parent: Path, folder: bool) -> Path:
    if folder:
        return Path(tempfile.mkdtemp(dir=parent, prefix=".genai-graph-"))
    descriptor, name = tempfile.mkstemp(dir=parent, prefix=".genai-graph-")
    os.close(descriptor)
    return Path(name)


def _usual_mode(folder: bool) -> int:
    """Return the mode that a new file or folder gets; a temporary one is its owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    return (0o777 if folder else 0o666) & ~mask


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)


def _compressed(stream: IO[bytes], path: Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Return a stream that compresses as the name says: the same bytes for the same content."""
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.GzipFile("", "wb", 6, stream, mtime=0))
    if path.suffix == ".xz":
        return cast("IO[bytes]", lzma.LZMAFile(stream, "wb"))
    return contextlib.nullcontext(stream)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn the system's errors into one line that names the output."""
    try:
        yield
    except GenaiGraphError:  # some of them are the system's too: no server answers
        raise
    except OSError as error:
        if error.errno == errno.EPIPE:  # who reads it has gone away, and knows
            raise
        raise OutputError(f"{name}: can't be written: {error.strerror or error}") from error
