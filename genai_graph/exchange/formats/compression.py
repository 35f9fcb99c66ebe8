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
_READ_COMPRESSIONS = "only gzip and xz are read: decompress it"
TABLE_HINT = "tables are read as CSV only, in a directory of files such as Model.csv"
# The first bytes of files that are often taken for fixtures, and what they are.
_OTHER_CONTENT = {
    **{b"BZh%d" % n: f"is compressed by bzip2: {_READ_COMPRESSIONS}" for n in range(1, 10)},
    b"(\xb5/\xfd": f"is compressed by zstd: {_READ_COMPRESSIONS}",
    b'\x04"M\x18': f"is compressed by lz4: {_READ_COMPRESSIONS}",
    b"7z\xbc\xaf\x27\x1c": "is a 7z archive: extract it",
    b"PK\x03\x04": "is a zip archive: extract it",
    b"PK\x05\x06": "is an empty zip archive",
    b"PAR1": f"is a Parquet file: {TABLE_HINT}",
    b"ARROW1": f"is an Arrow file: {TABLE_HINT}",
    b"\xd0\xcf\x11\xe0": f"is an Excel workbook: {TABLE_HINT}",
    b"SQLite format 3\x00": "is an SQLite database, not text",
    b"\x89HDF": "is an HDF5 file, not text",
    b"%PDF": "is a PDF file, not text",
}
_WORKBOOK_PARTS = (b"[Content_Types].xml", b"xl/")  # an .xlsx file is a zip archive of them
_TAR_MAGIC, _TAR_OFFSET = b"ustar", 257

# Raised by opening and reading files.
READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)


class OtherContentError(OSError):
    """The content of a file is not text; the message says what it is."""


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
        decompress = _decompressor(start)
        _refuse_other_content(path, decompress)
    except OSError:
        stream.close()
        raise
    return stream if decompress is None else _DecompressedFile(decompress(stream), stream)


def _decompressor(start: bytes) -> Any:
    """Return the function that decompresses a file with these first bytes, or None."""
    if start.startswith(_GZIP_MAGIC):
        return lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")
    return lzma.LZMAFile if start.startswith(_XZ_MAGIC) else None


def _refuse_other_content(path: Path, decompress: Any) -> None:
    """Raise `OtherContentError` if a file, decompressed, is not text."""
    with path.open("rb") as file:
        content = file if decompress is None else decompress(file)
        try:
            start = content.read(_TAR_OFFSET + len(_TAR_MAGIC))
        except READ_ERRORS:  # reported with its line when the file is read
            return
    reason = _describe_content(start)
    if decompress is not None and _decompressor(start) is not None:
        reason = "is compressed twice: decompress it once"
    elif decompress is not None and reason:
        reason = f"its content {reason}"
    if reason:
        raise OtherContentError(reason)


def _describe_content(start: bytes) -> str:
    """Return what a file with these first bytes is, or "" if it may be text."""
    if start.startswith(b"PK") and any(part in start for part in _WORKBOOK_PARTS):
        return f"is an Excel workbook: {TABLE_HINT}"
    if start[_TAR_OFFSET:].startswith(_TAR_MAGIC):
        return "is a tar archive: extract it"
    return next((text for magic, text in _OTHER_CONTENT.items() if start.startswith(magic)), "")


def read_error_message(error: BaseException) -> str:
    """Return the message for one of `READ_ERRORS`."""
    if isinstance(error, OtherContentError):
        return str(error)
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
