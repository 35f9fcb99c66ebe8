"""Files as plain bytes, or compressed by gzip or xz."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_BUFFER_BYTES = 1 << 20
_GZIP_MAGIC, _XZ_MAGIC = b"\x1f\x8b", b"\xfd7zXZ\x00"

# Raised by opening and reading files.
READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)


def open_compressed(path: Path, advance: Callable[[int], None] | None = None) -> IO[bytes]:
    """Open a file for reading; decompress it if its first bytes are those of gzip or xz.

    `advance` is called with the number of bytes of each read from the disk.
    """
    raw: Any = path.open("rb", buffering=0)
    if advance is not None:
        raw = _ProgressFile(raw, advance)
    stream: Any = io.BufferedReader(raw, _BUFFER_BYTES)
    try:
        start = stream.peek(len(_XZ_MAGIC))
    except OSError:
        stream.close()
        raise
    if start.startswith(_GZIP_MAGIC):
        return _DecompressedFile(gzip.GzipFile(fileobj=stream, mode="rb"), stream)
    if start.startswith(_XZ_MAGIC):
        return _DecompressedFile(lzma.LZMAFile(stream), stream)
    return stream  # type: ignore[no-any-return]


def read_error_message(error: BaseException) -> str:
    """Return the message for one of `READ_ERRORS`."""
    if isinstance(error, OSError) and error.strerror:
        return f"can't be read: {error.strerror}"
    return f"can't be decompressed: {error}"


class _DecompressedFile(io.BufferedReader):
    """The content of a compressed file; closing it closes the file, too."""

    def __init__(self, content: Any, file: IO[bytes]) -> None:
        super().__init__(content, _BUFFER_BYTES)
        self._file = file

    def close(self) -> None:
        """Close both."""
        super().close()
        self._file.close()


class _ProgressFile(io.RawIOBase):
    """A file that reports the number of bytes read."""

    def __init__(self, file: Any, advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and report the number of bytes."""
        size: int = self._file.readinto(buffer)
        self._advance(size)
        return size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
