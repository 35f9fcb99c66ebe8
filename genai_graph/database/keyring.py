"""Encryption keys: AES-SIV (RFC 5297), with the location of a value as associated data.

An encrypted value is the text ``enc:1:KEY:DATA``: the key id, which is eight hexadecimal digits of
the hash of the key, and the ciphertext in URL-safe base64. The associated data are the label, the
uid and the property. So encryption is deterministic at one location, equal values elsewhere give
different ciphertexts, and ciphertexts can't be moved.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


KEY_BYTES = 64  # AES-SIV uses two AES-256 keys
PREFIX = "enc:1:"
# At least 22 characters, the 16 bytes of the AES-SIV tag: the prefix alone is ordinary text.
_TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{8}}):([A-Za-z0-9_-]{{22,}})", re.ASCII)
_SETTING = "GENAI_GRAPH_KEYS"
_HINT = f"{_SETTING}: expected comma-separated keys from `genai-graph access keys generate`"


class ValueLocation(NamedTuple):
    """The location of a value: a property of a node."""

    label: str
    uid: str
    property: str

    def __str__(self) -> str:
        return f"{self.label} {self.uid!r}: {self.property}"


def key_id_of(text: str) -> str | None:
    """Return the key id of a ciphertext, or None for other text."""
    match = _TOKEN.fullmatch(text)
    return match and match[1]


def generate_key() -> str:
    """Return a new random key as text."""
    return _encode(os.urandom(KEY_BYTES))


class Keyring:
    """Keys by id: the first one encrypts, all of them decrypt.

    Raises `MissingExtraError` if the package `cryptography` is not installed.
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
        """Parse comma-separated keys; errors (`SettingsError`) never contain any part of a key."""
        return cls(
            [_parse_key(part.strip(), number) for number, part in enumerate(text.split(","), 1)]
        )

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self._ciphers)}>"

    def __contains__(self, key: str) -> bool:
        return key in self._ciphers

    def __iter__(self) -> Iterator[str]:
        return iter(self._ciphers)

    def encrypt(self, text: str, location: ValueLocation) -> str:
        """Encrypt a text for its location with the first key."""
        data = self._ciphers[self.first].encrypt(text.encode(), _associated_data(location))
        return f"{PREFIX}{self.first}:{_encode(data)}"

    def decrypt(self, token: str, location: ValueLocation) -> str | None:
        """Decrypt a ciphertext; return None if the key is missing or the location differs."""
        _, _, key, text = token.split(":")
        if key not in self._ciphers:
            return None
        try:
            data: bytes = self._ciphers[key].decrypt(_decode(text), _associated_data(location))
            return data.decode()
        except (self._invalid, ValueError):
            return None


def _associated_data(location: ValueLocation) -> list[bytes]:
    return [part.encode() for part in location]


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"genai_graph key id\0" + key).hexdigest()[:8]


def _parse_key(text: str, number: int) -> bytes:
    try:
        key = _decode(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{_HINT}; key {number} is invalid")
    return key


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
