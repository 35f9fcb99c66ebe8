"""The keys of what is encrypted: how much is under which, and all of it under a new one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genai_graph.database import current_connection
from genai_graph.database.keyring import ValueLocation
from genai_graph.errors import SettingsError
from genai_graph.properties import encryption
from genai_graph.properties.encryption import EncryptedValue
from genai_graph.registry import NODES
from genai_graph.storage.batching import BATCH_ROWS, batch_by_size
from genai_graph.storage.encrypted_values import Replacement, replace_ciphertexts
from genai_graph.storage.scans import iter_pages_by_size, read_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Usage:
    """How many values are under each key, by its id, and how many sensitive ones are clear.

    `spoiled` are those of them that can't be decrypted though their key is here.
    """

    keys: Counter[str] = field(default_factory=Counter)
    spoiled: Counter[str] = field(default_factory=Counter)
    clear: int = 0

    def __str__(self) -> str:
        ours = list(current_connection().keyring or ())
        told = {**dict.fromkeys(ours, 0), **self.keys}
        lines = [f"{key}  {told[key]:,} values{self._note(key, ours)}" for key in told]
        return "\n".join([*lines, f"clear     {self.clear:,} values"])

    def _note(self, key: str, ours: list[str]) -> str:
        notes = []
        if key not in ours:
            notes.append(f"the key is not in {encryption.KEYS}")
        elif key == ours[0]:
            notes.append("the first key")
        if self.spoiled[key]:
            notes.append(_spoiled(self.spoiled[key]))
        return f" ({'; '.join(notes)})" if notes else ""


def _spoiled(count: int) -> str:
    return (
        f"{count:,} of them can't be decrypted, though it is there: not made for their places, or "
        "changed since: `genai-graph verify` names them"
    )


@dataclass
class Rotation:
    """How many values a rotation wrote, and how many it had to leave, by the id of their key.

    `spoiled` are those of them whose key is here.
    """

    written: int = 0
    left: Counter[str] = field(default_factory=Counter)
    spoiled: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{self.written:,} values were put under the first key"]
        for key, count in self.left.items():
            if self.spoiled[key]:
                lines.append(f"under {key}: {_spoiled(count)}")
            else:
                lines.append(
                    f"{count:,} under {key} can't be decrypted: add that key to {encryption.KEYS}"
                )
        return "\n".join(lines)


def usage() -> Usage:
    """Count the encrypted values by their keys, and the sensitive ones that are clear."""
    found = Usage()
    for spot, text in _texts():
        key = encryption.key_id_in(text)
        if key is None:
            found.clear += 1
            continue
        found.keys[key] += 1
        value = encryption.decrypt_text(spot, text)
        if isinstance(value, EncryptedValue) and value.is_corrupt:
            found.spoiled[key] += 1
    return found


def rotate(advance: Callable[[int], None] = lambda count: None) -> Rotation:
    """Put all sensitive values under the first of the keys, and encrypt those that are clear.

    Each batch is a transaction, and what is under the first key is left alone: when it is cut
    short, doing it again does the rest. `updated_at` stays, since no value changes.

    Raises `SettingsError` when there are no keys.
    """
    if current_connection().keyring is None:
        raise SettingsError(
            f"{encryption.KEYS}: there is no key: `genai-graph access keys generate` makes one"
        )
    done = Rotation()
    for label in NODES:
        for uids in iter_pages_by_size(label):
            renewed = _renewed(label, uids, done)
            for rows in batch_by_size(renewed, BATCH_ROWS):
                done.written += replace_ciphertexts(label, rows)
            advance(len(uids))
    return done


def _renewed(label: str, uids: list[str], done: Rotation) -> Iterator[Replacement]:
    for spot, old in _texts_of(label, uids):
        new = encryption.reencrypt(spot, old)
        if isinstance(new, EncryptedValue):
            done.left[new.key] += 1
            done.spoiled[new.key] += new.is_corrupt
        elif new != old:
            yield Replacement(spot.uid, spot.property, old, new)


def _texts() -> Iterator[tuple[ValueLocation, str]]:
    for label in NODES:
        for uids in iter_pages_by_size(label):
            yield from _texts_of(label, uids)


def _texts_of(label: str, uids: list[str]) -> Iterator[tuple[ValueLocation, str]]:
    """Yield what is encrypted, and what should be."""
    names, sensitive = (
        list(encryption.encryptable_properties(label)),
        encryption.encrypted_names(label),
    )
    for uid, values in read_values(label, uids, names):
        for name, text in zip(names, values, strict=True):
            if isinstance(text, str) and (
                encryption.key_id_in(text) or (name in sensitive and text not in encryption.EMPTY)
            ):
                yield ValueLocation(label, uid, name), text
