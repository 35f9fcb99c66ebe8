"""Where a dump goes: a file that is there whole or not at all, a pipe, or standard output."""

from __future__ import annotations

import contextlib
import errno
import gzip
import lzma
import os
import shutil
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from uuid import uuid4

from genai_graph.errors import GenaiGraphError, OutputError
from genai_graph.exchange.filenames import compression_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


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
    path = _path(name)
    with _told(name):
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe, a device
            with path.open("wb") as stream, _compressed(stream, path) as compressed:
                yield compressed
            return
        with _replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
            with _compressed(stream, path) as compressed:
                yield compressed
            stream.flush()
            os.fsync(stream.fileno())


@contextlib.contextmanager
def open_folder(name: str, *, replaceable: Collection[str]) -> Iterator[Path]:
    """Give an empty folder that takes the output's name when all of it is written.

    A folder that is there is replaced only when it holds nothing but files of these names.
    """
    path = _path(name)
    with _told(name), _replacing_folder(path, replaceable) as temporary:
        yield temporary


def _path(name: str) -> Path:
    if not name:  # which would be the current folder
        raise OutputError("the output's name is empty: name a file, or - for standard output")
    return Path(name)


@contextlib.contextmanager
def _replacing_folder(path: Path, replaceable: Collection[str]) -> Iterator[Path]:
    path = Path(os.path.realpath(path))
    _refuse_folder(path, replaceable)
    temporary = _beside(path)
    try:
        temporary.mkdir(0o700)
        yield temporary
        temporary.chmod(_mode(path, 0o777))
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _beside(path: Path) -> Path:
    """Return a name for what is to replace a path: who makes it knows it before it is there."""
    return path.with_name(f".genai-graph-{uuid4().hex}")


def _refuse_folder(path: Path, replaceable: Collection[str]) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"{path}: is no folder")
    found = sorted(entry.name for entry in path.iterdir())
    others = [name for name in found if name not in replaceable]
    if others and not replaceable:
        raise OutputError(f"{path}: is there already: overwrite=True (--force) replaces it")
    if others:
        raise OutputError(
            f"{path}: holds {others[0]}, which no dump wrote: name a folder that is new or empty"
        )


@contextlib.contextmanager
def _replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary file beside a path, and rename it to it at the end."""
    path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    if path.is_dir():
        raise OutputError(f"{path}: is a folder")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already: overwrite=True (--force) replaces it")
    temporary = _beside(path)
    try:
        temporary.touch(0o600, exist_ok=False)
        yield temporary
        temporary.chmod(_mode(path, 0o666))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode(path: Path, usual: int) -> int:
    """Return the mode of what is replaced, or what a new one gets; a temporary one is private."""
    if path.exists():
        return path.stat().st_mode
    mask = os.umask(0)
    os.umask(mask)
    return usual & ~mask


def _compressed(stream: IO[bytes], path: Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Return a stream that compresses as the name says: the same bytes for the same content."""
    compression = compression_of(path)
    if compression == "gzip":
        return cast("IO[bytes]", gzip.GzipFile("", "wb", 6, stream, mtime=0))
    if compression == "xz":
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
