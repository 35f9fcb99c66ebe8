"""The keys of what is encrypted: how much is under which, and all of it under a new one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genai_graph.database import current
from genai_graph.database.keyring import Spot
from genai_graph.errors import SettingsError
from genai_graph.models import NODES, encryption, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genai_graph.database.keyring import Keyring


@dataclass
class Usage:
    """How many values are under each key, by its id, and how many sensitive ones are clear."""

    keys: Counter[str] = field(default_factory=Counter)
    clear: int = 0

    def __str__(self) -> str:
        ours = list(current().keyring or ())
        told = {**dict.fromkeys(ours, 0), **self.keys}
        lines = [f"{key}  {told[key]:,} values{_note(key, ours)}" for key in told]
        return "\n".join([*lines, f"clear     {self.clear:,} values"])


def _note(key: str, ours: list[str]) -> str:
    if key not in ours:
        return f" (the key is not in {encryption.KEYS})"
    return " (the first key)" if key == ours[0] else ""


@dataclass
class Rotation:
    """How many values a rotation wrote, and how many it had to leave, by the id of their key."""

    written: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"{self.written:,} values were put under the first key"]
        lines += [
            f"{count:,} under {key} can't be decrypted: add that key to {encryption.KEYS}"
            for key, count in self.left.items()
        ]
        return "\n".join(lines)


def usage() -> Usage:
    """Count the encrypted values by their keys, and the sensitive ones that are clear."""
    found = Usage()
    for _, text in _texts():
        key = encryption.key_in(text)
        if key is None:
            found.clear += 1
        else:
            found.keys[key] += 1
    return found


def rotate(advance: Callable[[int], None] = lambda count: None) -> Rotation:
    """Put all sensitive values under the first of the keys, and encrypt those that are clear.

    Each page of nodes is a transaction, and what is under the first key is left alone: when it is
    cut short, doing it again does the rest. `updated_at` stays, since no value changes.

    Raises `SettingsError` when there are no keys.
    """
    keyring = current().keyring
    if keyring is None:
        raise SettingsError(
            f"{encryption.KEYS}: there is no key: `genai-graph access keys generate` makes one"
        )
    done = Rotation()
    for label in NODES:
        for uids in store.pages(label):
            rows = list(_renewed(keyring, label, uids, done))
            if rows:
                done.written += store.replace_values(label, rows)
            advance(len(uids))
    return done


def _renewed(
    keyring: Keyring, label: str, uids: list[str], done: Rotation
) -> Iterator[tuple[str, str, str, str]]:
    for spot, old in _texts_of(label, uids):
        new = encryption.resealed(keyring, spot, old)
        if new is None:
            done.left[encryption.key_in(old) or ""] += 1
        elif new != old:
            yield spot.uid, spot.property, old, new


def _texts() -> Iterator[tuple[Spot, str]]:
    for label in NODES:
        for uids in store.pages(label):
            yield from _texts_of(label, uids)


def _texts_of(label: str, uids: list[str]) -> Iterator[tuple[Spot, str]]:
    """Yield what is encrypted, and what should be."""
    names, sensitive = list(encryption.possible(label)), encryption.names_of(label)
    for uid, values in store.values_of(label, uids, names):
        for name, text in zip(names, values, strict=True):
            if isinstance(text, str) and (
                encryption.key_in(text) or (name in sensitive and text not in encryption.EMPTY)
            ):
                yield Spot(label, uid, name), text
