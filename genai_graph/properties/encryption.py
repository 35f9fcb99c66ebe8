"""Encryption of property values: which properties are encrypted, and encrypting and decrypting.

A value is encrypted as its text. The ciphertext of a JSON property is quoted, so that it is valid
JSON. Empty values are stored in the clear: they hold no secret, and questions search for them. A
ciphertext given as a value, for example from a dump, is kept if it was made for the same location.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genai_graph.database.connection import current_connection
from genai_graph.database.keyring import PREFIX, ValueLocation, key_id_of
from genai_graph.errors import PropertyError, SettingsError, UnsupportedError
from genai_graph.properties.json_columns import StoredJSON
from genai_graph.registry import NODES, properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_graph.database.keyring import Keyring
    from genai_graph.properties.types import Property

SETTING, KEYS = "GENAI_GRAPH_ENCRYPTED", "GENAI_GRAPH_KEYS"
EMPTY = ("", "{}", "[]")
_PREFIXES = (PREFIX, f'"{PREFIX}')


@dataclass(frozen=True)
class EncryptedValue:
    """A value that can't be decrypted here: it can be saved unchanged but not read.

    `key` is the id of the key that it needs; `text` is the stored ciphertext.
    """

    location: ValueLocation
    text: str
    key: str

    def __repr__(self) -> str:
        return f"<encrypted with the key {self.key}>"

    __str__ = __repr__

    @property
    def is_corrupt(self) -> bool:
        """Whether the key is available but does not decrypt it."""
        return self.key in (current_connection().keyring or ())

    @property
    def reason(self) -> str:
        """The reason why it can't be decrypted."""
        if self.is_corrupt:
            return f"ciphertext belongs elsewhere or is corrupt (key {self.key})"
        return f"is encrypted with the key {self.key}, which {KEYS} does not contain"

    def ciphertext_for(self, label: object, uid: object, name: str) -> str:
        """Return the ciphertext for the location where it is stored.

        Raises `PropertyError` for any other location, where no key could decrypt it.
        """
        if self.location != (label, uid, name):
            raise PropertyError(
                f"{label} {uid!r}: {name}: a value of {self.location} is encrypted with the key "
                f"{self.key} for that location: set {KEYS} to use it elsewhere"
            )
        return self.text


# Which properties are encrypted


@functools.cache
def encryptable_properties(label: str) -> dict[str, Property[Any]]:
    """Return the properties of a label that can be encrypted.

    Indexed, required, enumerated and uid-bearing properties can't.
    """
    cls = NODES[label]
    return {
        name: prop
        for name, prop in properties_of(cls).items()
        if prop.encryptable and name not in cls.uid_fields
    }


@functools.cache
def encrypted_properties(setting: str | None = None) -> dict[str, frozenset[str]]:
    """Return the encrypted properties by label: the sensitive ones, or those of the setting.

    The setting is a comma-separated list: ``metadata`` for every node, ``Model.location`` for one
    label. Raises `SettingsError`.
    """
    if setting is None:
        return {
            label: frozenset(name for name, prop in properties_of(cls).items() if prop.sensitive)
            for label, cls in NODES.items()
        }
    encrypted: dict[str, set[str]] = {label: set() for label in NODES}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        label, _, name = part.rpartition(".")
        labels = [
            each for each in NODES if label in ("", each) and name in encryptable_properties(each)
        ]
        if not labels:
            raise SettingsError(f"{SETTING}: {part!r}: {_refusal(label, name)}")
        for each in labels:
            encrypted[each].add(name)
    return {label: frozenset(names) for label, names in encrypted.items()}


def _refusal(label: str, name: str) -> str:
    known = [each for each, cls in NODES.items() if name in properties_of(cls)]
    if not known or label not in ("", *known):
        return "no such property: expected names such as metadata or Model.location"
    return (
        "can't be encrypted: expected a string or JSON that is not required, indexed, limited to "
        "choices or part of the uid"
    )


def encrypted_names(label: str) -> frozenset[str]:
    """Return the properties of a label that are encrypted on the current connection."""
    return encrypted_properties(current_connection().encrypted)[label]


def refuse_search(prop: Property[Any]) -> None:
    """Raise `UnsupportedError` if a property can't be searched, because it is encrypted."""
    if not prop.encryptable or current_connection().keyring is None:
        return
    for label, names in encrypted_properties(current_connection().encrypted).items():
        for name in names:
            if properties_of(NODES[label])[name] is prop:  # an inherited property has no owner
                raise UnsupportedError(
                    f"{f'{label}.' if prop.owner else ''}{name}: is encrypted, and equal values "
                    "have different ciphertexts: filter by another property, and compare in Python"
                )


# Encrypting and decrypting


def encrypt_values(label: str, uid: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return database values with the sensitive ones encrypted, if keys are configured.

    Raises `PropertyError` for a ciphertext that was made for another location.
    """
    keyring = current_connection().keyring
    if keyring is None or encrypted_names(label).isdisjoint(values):
        return values
    encrypted = {
        name: _encrypt(keyring, ValueLocation(label, uid, name), values[name])
        for name in encrypted_names(label)
        if values.get(name) is not None
    }
    return {**values, **encrypted}


def _encrypt(keyring: Keyring, location: ValueLocation, text: str) -> str:
    key = key_id_in(text)
    if key is None:
        return _new_ciphertext(keyring, location, text)
    clear = _decrypt(keyring, location, text)
    if clear is None:
        if key not in keyring:
            return text
        raise PropertyError(
            f"{location}: is a ciphertext that belongs elsewhere or is corrupt: give the value"
        )
    return text if key == keyring.first else _new_ciphertext(keyring, location, clear)


def _new_ciphertext(keyring: Keyring, location: ValueLocation, text: str) -> str:
    if text in EMPTY:
        return text
    token = keyring.encrypt(text, location)
    is_json = encryptable_properties(location.label)[location.property].is_json
    return f'"{token}"' if is_json else token


def reencrypt(location: ValueLocation, text: str) -> str | EncryptedValue:
    """Reencrypt a text with the first key; return an `EncryptedValue` if it can't be decrypted."""
    value = decrypt_text(location, text)
    keyring = current_connection().keyring
    if isinstance(value, EncryptedValue) or keyring is None:
        return value
    return text if key_id_in(text) == keyring.first else _new_ciphertext(keyring, location, value)


def decrypt_values(label: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a node decrypted; without its key, a value is an `EncryptedValue`."""
    values = dict(stored)
    for name, prop in encryptable_properties(label).items():
        text: Any = values.get(name)
        if key_id_in(text) is not None:
            value = decrypt_text(ValueLocation(label, str(stored.get("uid")), name), text)
            if prop.is_json and isinstance(value, str):
                value = StoredJSON.of(value, getattr(text, "columns", (name,)))
            values[name] = value
    return values


def decrypt_all(label: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a node decrypted; raise `PropertyError` if one can't be decrypted."""
    values = decrypt_values(label, stored)
    for value in values.values():
        if isinstance(value, EncryptedValue):
            raise PropertyError(f"{value.location}: {value.reason}")
    return values


def decrypt_text(location: ValueLocation, text: str) -> str | EncryptedValue:
    """Decrypt a stored text; return an `EncryptedValue` if it can't be decrypted."""
    key, keyring = key_id_in(text), current_connection().keyring
    if key is None:
        return text
    clear = None if keyring is None else _decrypt(keyring, location, text)
    return EncryptedValue(location, text, key) if clear is None else clear


def _decrypt(keyring: Keyring, location: ValueLocation, text: str) -> str | None:
    return keyring.decrypt(text.strip('"'), location)


def key_id_in(value: object) -> str | None:
    """Return the id of the key of a ciphertext, or None for any other value."""
    if not isinstance(value, str) or not value.startswith(_PREFIXES):
        return None
    return key_id_of(value[1:-1] if value[:1] == '"' == value[-1:] else value)


# Protecting values that can't be decrypted here


def refuse_overwrite(
    label: str, uid: str, before: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Raise `PropertyError` if a given value would replace one that can't be decrypted here."""
    for name, value in given.items():
        error = overwrite_error(label, uid, name, before.get(name), key_id_in(value))
        if error is not None:
            raise error


def overwrite_error(
    label: str, uid: str, name: str, before: object, key: str | None
) -> PropertyError | None:
    """Return the error if a value can't replace the stored one; `key` is its key id, if any.

    A value whose key is missing is only replaced by a ciphertext of the same key, as in a dump:
    its author has the key.
    """
    needed = key_id_in(before)
    if needed is None or needed == key or needed in (current_connection().keyring or ()):
        return None
    return PropertyError(
        f"{ValueLocation(label, uid, name)}: is encrypted in the graph with the key {needed}, "
        f"which {KEYS} does not contain: add the key to change the value, or to compare it"
    )


def ciphertext_prefixes() -> tuple[list[str], list[str]]:
    """Return the prefixes of all ciphertexts, and of those whose key is available."""
    available = [
        f"{prefix}{key}:" for prefix in _PREFIXES for key in current_connection().keyring or ()
    ]
    return list(_PREFIXES), available
