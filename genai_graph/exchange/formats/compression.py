"""Files as they lie on the disk: plain, or compressed by gzip or xz."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_BUFFER = 1 << 20
_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"


def open_compressed(path: Path, advance: Callable[[int], None] | None = None) -> IO[bytes]:
    """Open a file for reading, decompressed when its first bytes say that it is compressed.

    `advance` hears how many bytes of the file were read.
    """
    raw: Any = path.open("rb", buffering=0)
    if advance is not None:
        raw = _Counted(raw, advance)
    stream: Any = io.BufferedReader(raw, _BUFFER)
    try:
        start = stream.peek(len(_XZ))
    except OSError:
        stream.close()
        raise
    if start.startswith(_GZIP):
        return _Decompressed(gzip.GzipFile(fileobj=stream, mode="rb"), stream)
    if start.startswith(_XZ):
        return _Decompressed(lzma.LZMAFile(stream), stream)
    return stream  # type: ignore[no-any-return]


# What reading a file's lines raises where it can't be read further.
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError)


def unreadable(error: BaseException) -> str:
    """Say why a file can't be read further."""
    if isinstance(error, OSError) and error.strerror:
        return f"can't be read: {error.strerror}"
    return f"the compressed data can't be read further: {error}"


class _Decompressed(io.BufferedReader):
    """What a compressed file holds; closing it closes the file too."""

    def __init__(self, content: Any, file: IO[bytes]) -> None:
        super().__init__(content, _BUFFER)
        self._file = file

    def close(self) -> None:
        """Close both."""
        super().close()
        self._file.close()


class _Counted(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, file: Any, advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and tell how much."""
        size: int = self._file.readinto(buffer)
        self._advance(size)
        return size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
