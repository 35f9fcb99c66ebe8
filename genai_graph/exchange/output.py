"""Output files: replaced atomically when complete, compressed by their extension, or a stream."""

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
    """Open an output for writing; a regular file appears when the block ends without an error.

    Raises `OutputError` if the file exists (unless `overwrite` is true) or can't be written.
    """
    if name == STDOUT:  # errors are left to the caller, which ignores a closed pipe
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = _path(name)
    with _translate_os_errors(name):
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe or a device
            with path.open("wb") as stream, _compress(stream, path) as compressed:
                yield compressed
            return
        with _replace_file(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
            with _compress(stream, path) as compressed:
                yield compressed
            stream.flush()
            os.fsync(stream.fileno())


@contextlib.contextmanager
def open_directory(name: str, *, replaceable: Collection[str]) -> Iterator[Path]:
    """Yield a temporary directory, renamed to the output when the block ends without an error.

    An existing directory is replaced only if all its files are among the `replaceable` names.
    """
    path = Path(os.path.realpath(_path(name)))  # replace the target of a symbolic link
    with _translate_os_errors(name):
        if path.exists():
            if not path.is_dir():
                raise OutputError(f"{path}: not a directory")
            others = sorted({entry.name for entry in path.iterdir()} - {*replaceable})
            if others and not replaceable:
                raise _exists_error(path)
            if others:
                raise OutputError(
                    f"{path}: contains {others[0]}, which is not part of a dump: "
                    "use a new or an empty directory"
                )
        temporary = _temporary_sibling(path)
        try:
            temporary.mkdir(0o700)
            yield temporary
            temporary.chmod(_final_mode(path, 0o777))
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _path(name: str) -> Path:
    if not name:  # would be the current directory
        raise OutputError("output: expected a file name, or - for standard output")
    return Path(name)


@contextlib.contextmanager
def _replace_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    path = Path(os.path.realpath(path))  # replace the target of a symbolic link, not the link
    if path.is_dir():
        raise OutputError(f"{path}: is a directory")
    if path.exists() and not overwrite:
        raise _exists_error(path)
    temporary = _temporary_sibling(path)
    try:
        temporary.touch(0o600, exist_ok=False)
        yield temporary
        temporary.chmod(_final_mode(path, 0o666))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary_sibling(path: Path) -> Path:
    # The name is known before the file is created, so that an interruption can't leave it behind.
    return path.with_name(f".genai-graph-{uuid4().hex}")


def _exists_error(path: Path) -> OutputError:
    return OutputError(f"{path}: already exists (use --force to overwrite)")


def _final_mode(path: Path, default: int) -> int:
    """Return the mode of the replaced file, or `default` less the umask."""
    if path.exists():
        return path.stat().st_mode
    mask = os.umask(0)  # it can only be read by setting it
    os.umask(mask)
    return default & ~mask


def _compress(stream: IO[bytes], path: Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    """Wrap a stream in the compression of the file extension, without timestamps or names."""
    compression = compression_of(path)
    if compression == "gzip":
        return cast("IO[bytes]", gzip.GzipFile("", "wb", 6, stream, mtime=0))
    if compression == "xz":
        return cast("IO[bytes]", lzma.LZMAFile(stream, "wb"))
    return contextlib.nullcontext(stream)


@contextlib.contextmanager
def _translate_os_errors(name: str) -> Iterator[None]:
    """Translate operating system errors into one-line errors that name the output."""
    try:
        yield
    except GenaiGraphError:  # some are an OSError, too, such as UnavailableError
        raise
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has closed the pipe: no message is needed
            raise
        raise OutputError(f"{name}: can't be written: {error.strerror or error}") from error
