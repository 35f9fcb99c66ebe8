"""Encryption keys: count the values of each key, and reencrypt all values with the first key."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genai_graph.database import current_connection
from genai_graph.database.keyring import ValueLocation
from genai_graph.errors import SettingsError
from genai_graph.properties import encryption
from genai_graph.properties.encryption import EncryptedValue
from genai_graph.properties.json_columns import unite
from genai_graph.registry import NODES
from genai_graph.storage import batching
from genai_graph.storage.encrypted_values import Replacement, replace_ciphertexts
from genai_graph.storage.scans import iter_pages_by_size, read_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genai_graph.properties.json_columns import Columns


@dataclass
class KeyCounts:
    """The number of values encrypted with each key, by key id, and of sensitive clear values.

    `corrupt` counts those that can't be decrypted although their key is available.
    """

    encrypted: Counter[str] = field(default_factory=Counter)
    corrupt: Counter[str] = field(default_factory=Counter)
    clear: int = 0

    def __str__(self) -> str:
        available = list(current_connection().keyring or ())
        lines = []
        for key in dict.fromkeys([*available, *self.encrypted]):
            notes = []
            if key not in available:
                notes.append(f"the key is not in {encryption.KEYS}")
            elif key == available[0]:
                notes.append("the first key")
            if self.corrupt[key]:
                notes.append(_describe_corrupt(self.corrupt[key]))
            note = f" ({'; '.join(notes)})" if notes else ""
            lines.append(f"{key}  {self.encrypted[key]:,} values{note}")
        return "\n".join([*lines, f"plaintext {self.clear:,} values"])


def _describe_corrupt(count: int) -> str:
    return (
        f"{count:,} can't be decrypted although the key is available: moved or changed; "
        "`genai-graph verify` lists them"
    )


@dataclass
class RotationResult:
    """The number of values that a rotation reencrypted, and of those it skipped, by key id.

    `corrupt` counts the skipped values whose key is available.
    """

    reencrypted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    corrupt: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = [f"encrypted {self.reencrypted:,} values with the first key"]
        for key, count in self.skipped.items():
            if self.corrupt[key]:
                lines.append(f"skipped values of {key}: {_describe_corrupt(count)}")
            else:
                fix = f"add that key to {encryption.KEYS}"
                lines.append(f"skipped {count:,} values of {key}: {fix}")
        return "\n".join(lines)


def count_by_key() -> KeyCounts:
    """Count the encrypted values by their keys, and the sensitive values in the clear."""
    counts = KeyCounts()
    for label in NODES:
        for uids in iter_pages_by_size(label):
            for location, text, _ in _sensitive_texts(label, uids):
                key = encryption.key_id_in(text)
                if key is None:
                    counts.clear += 1
                    continue
                counts.encrypted[key] += 1
                value = encryption.decrypt_text(location, text)
                if isinstance(value, EncryptedValue) and value.is_corrupt:
                    counts.corrupt[key] += 1
    return counts


def rotate(advance: Callable[[int], None] = lambda count: None) -> RotationResult:
    """Encrypt all sensitive values with the first key, also those in the clear.

    Each batch is a transaction, and values of the first key are skipped, so an interrupted
    rotation can be repeated. `updated_at` does not change, because no value does. `advance` is
    called with the number of nodes of each page.

    Raises `SettingsError` if no keys are configured.
    """
    if current_connection().keyring is None:
        raise SettingsError(
            f"{encryption.KEYS} is not set: `genai-graph access keys generate` prints a new key"
        )
    result = RotationResult()
    for label in NODES:
        for uids in iter_pages_by_size(label):
            replacements = _reencrypt(label, uids, result)
            for rows in batching.batch_by_size(replacements, batching.BATCH_ROWS):
                result.reencrypted += replace_ciphertexts(label, rows)
            advance(len(uids))
    return result


def _reencrypt(label: str, uids: list[str], result: RotationResult) -> Iterator[Replacement]:
    for location, text, columns in _sensitive_texts(label, uids):
        new = encryption.reencrypt(location, text)
        if isinstance(new, EncryptedValue):
            result.skipped[new.key] += 1
            result.corrupt[new.key] += new.is_corrupt
        elif new != text:
            yield Replacement(location.uid, location.property, columns, new)


def _sensitive_texts(label: str, uids: list[str]) -> Iterator[tuple[ValueLocation, str, Columns]]:
    """Yield the texts that are encrypted or should be, with the properties that store them."""
    properties = encryption.encryptable_properties(label)
    sensitive = encryption.encrypted_names(label)
    for uid, name, columns in read_columns(label, uids, list(properties)):
        text = unite(name, columns) if properties[name].is_json else columns[name]
        if isinstance(text, str) and (
            encryption.key_id_in(text) or (name in sensitive and text not in encryption.EMPTY)
        ):
            yield ValueLocation(label, uid, name), text, columns
