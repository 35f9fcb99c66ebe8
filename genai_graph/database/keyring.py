"""The keys that encrypt values: AES-SIV, with the place of a value as associated data.

An encrypted value is the text ``enc:1:KEY:DATA``: the id of the key, eight hexadecimal digits of
its hash, and what AES-SIV (RFC 5297) makes of the value, in URL-safe base64. The associated data
are the label, the uid and the property. So the same value in the same place is the same text, and
neither can equal values in two places be told, nor a text be moved to another place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


KEY_BYTES = 64  # AES-SIV takes two keys of AES-256
PREFIX = "enc:1:"
# At least the 16 bytes of AES-SIV's tag: a beginning alone makes no text an encrypted one.
_TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{8}}):([A-Za-z0-9_-]{{22,}})", re.ASCII)
_SETTING = "GENAI_GRAPH_KEYS"
_ADVICE = f"{_SETTING}: expected keys as `genai-graph access keys generate` prints them"


class ValueLocation(NamedTuple):
    """Where a value stands."""

    label: str
    uid: str
    property: str

    def __str__(self) -> str:
        return f"{self.label} {self.uid!r}: {self.property}"


def key_id_of(text: str) -> str | None:
    """Return the id of the key that made an encrypted text, or None when the text is none."""
    found = _TOKEN.fullmatch(text)
    return found and found[1]


def generate_key() -> str:
    """Return a new random key as text."""
    return _text(os.urandom(KEY_BYTES))


class Keyring:
    """Keys by their ids: the first one encrypts, each of them decrypts what it encrypted.

    Raises `MissingExtraError` when the package `cryptography` is not installed.
    """

    def __init__(self, keys: Iterable[bytes]) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        except ImportError:
            raise MissingExtraError("the package cryptography", "encryption") from None
        self._invalid = InvalidTag
        self._ciphers = {_id_of(key): AESSIV(key) for key in keys}
        self.first = next(iter(self._ciphers))

    @classmethod
    def read(cls, text: str) -> Keyring:
        """Read keys as the setting has them, with commas between; no part of one is ever told.

        Raises `SettingsError`.
        """
        return cls(
            [_key(part.strip(), position) for position, part in enumerate(text.split(","), 1)]
        )

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self._ciphers)}>"

    def __contains__(self, key: str) -> bool:
        return key in self._ciphers

    def __iter__(self) -> Iterator[str]:
        return iter(self._ciphers)

    def encrypt(self, text: str, spot: ValueLocation) -> str:
        """Return a text encrypted for its place, under the first key."""
        data = self._ciphers[self.first].encrypt(text.encode(), _associated(spot))
        return f"{PREFIX}{self.first}:{_text(data)}"

    def decrypt(self, token: str, spot: ValueLocation) -> str | None:
        """Return what was encrypted, or None: the key is missing, or it was not made for there."""
        _, _, key, text = token.split(":")
        if key not in self._ciphers:
            return None
        try:
            data: bytes = self._ciphers[key].decrypt(_bytes(text), _associated(spot))
            return data.decode()
        except (self._invalid, ValueError):
            return None


def _associated(spot: ValueLocation) -> list[bytes]:
    return [part.encode() for part in spot]


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"genai_graph key id\0" + key).hexdigest()[:8]


def _key(text: str, position: int) -> bytes:
    try:
        key = _bytes(text)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{_ADVICE}, with commas between them; number {position} is none")
    return key


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
