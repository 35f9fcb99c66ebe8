"""Which values are encrypted, and how they go to the database and come back.

A value is encrypted as its text; that of a JSON property then stands in quotes, so that it is still
JSON. An empty one is not: it holds no secret, and questions ask for it. A text of this form that is
given, out of a dump say, is kept when it was made for its place.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genai_graph.database import current
from genai_graph.database.keyring import PREFIX, Spot, key_of
from genai_graph.errors import PropertyError, SettingsError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_graph.database.keyring import Keyring
    from genai_graph.models.properties import Strict

SETTING, KEYS = "GENAI_GRAPH_ENCRYPTED", "GENAI_GRAPH_KEYS"
EMPTY = ("", "{}", "[]")
_BEGINNINGS = (PREFIX, f'"{PREFIX}')


@dataclass(frozen=True)
class Encrypted:
    """A value that can't be decrypted here: it can be kept, and says no more.

    It can be replaced only where its key is here.

    `key` is the id of the key that it needs; `text` is what the graph has.
    """

    spot: Spot
    text: str
    key: str

    def __repr__(self) -> str:
        return f"<encrypted with the key {self.key}>"

    __str__ = __repr__

    @property
    def is_spoiled(self) -> bool:
        """Whether its key is here, so that nothing but a new value helps."""
        return self.key in (current().keyring or ())

    @property
    def why(self) -> str:
        """Why it can't be decrypted."""
        if self.is_spoiled:
            return f"was not encrypted for there with the key {self.key}, or was changed since"
        return f"is encrypted with the key {self.key}, which {KEYS} does not hold"

    def kept(self, label: object, uid: object, name: str) -> str:
        """Return what the graph has, for the place where it has it.

        Raises `PropertyError` for another place, where no key could decrypt it.
        """
        if self.spot != (label, uid, name):
            raise PropertyError(
                f"{label} {uid!r}: {name}: this value of {self.spot} is encrypted with the key "
                f"{self.key} for there: set {KEYS} to use it elsewhere"
            )
        return self.text


@functools.cache
def possible(label: str) -> dict[str, bool]:
    """Return the properties of a label that can be encrypted, and whether they are JSON.

    What is looked for, required, told by the uid or chosen from a list can't.
    """
    from genai_graph.models.checking import properties_of
    from genai_graph.models.properties import JSONProperty
    from genai_graph.models.registry import NODES

    cls = NODES[label]
    return {
        name: isinstance(prop, JSONProperty)
        for name, prop in properties_of(cls).items()
        if prop.encryptable and name not in cls.told_by_uid
    }


@functools.cache
def chosen(setting: str | None = None) -> dict[str, frozenset[str]]:
    """Return the properties that are encrypted, by label: those that are marked, or the setting's.

    The setting has commas between its names: ``metadata`` is one of every node, ``Model.location``
    one of a label. Raises `SettingsError`.
    """
    from genai_graph.models.checking import properties_of
    from genai_graph.models.registry import NODES

    if setting is None:
        return {
            label: frozenset(name for name, prop in properties_of(cls).items() if prop.sensitive)
            for label, cls in NODES.items()
        }
    found: dict[str, set[str]] = {label: set() for label in NODES}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        label, _, name = part.rpartition(".")
        labels = [each for each in NODES if label in ("", each) and name in possible(each)]
        if not labels:
            raise SettingsError(f"{SETTING}: {part!r}: {_refusal(label, name)}")
        for each in labels:
            found[each].add(name)
    return {label: frozenset(names) for label, names in found.items()}


def _refusal(label: str, name: str) -> str:
    from genai_graph.models.checking import properties_of
    from genai_graph.models.registry import NODES

    known = [each for each, cls in NODES.items() if name in properties_of(cls)]
    if not known or label not in ("", *known):
        return "no such property: expected names such as metadata or Model.location"
    return "can't be encrypted: only texts and JSON that are neither looked for nor in the uid can"


def names_of(label: str) -> frozenset[str]:
    """Return the properties of a label that are encrypted, on the connection in use."""
    return chosen(current().encrypted)[label]


def sealed(label: str, uid: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values for the database: where there are keys, the sensitive ones encrypted.

    Raises `PropertyError` for an encrypted text that was made for another place.
    """
    keyring = current().keyring
    if keyring is None or names_of(label).isdisjoint(values):
        return values
    changed = {
        name: _sealed(keyring, Spot(label, uid, name), values[name])
        for name in names_of(label)
        if values.get(name) is not None
    }
    return {**values, **changed}


def resealed(spot: Spot, text: str) -> str | Encrypted:
    """Return a stored text under the first key, or what it is when it can't be decrypted."""
    value = read(spot, text)
    keyring = current().keyring
    if isinstance(value, Encrypted) or keyring is None:
        return value
    return text if key_in(text) == keyring.first else _new(keyring, spot, value)


def _sealed(keyring: Keyring, spot: Spot, text: str) -> str:
    if (key := key_in(text)) is not None:
        clear = _opened(keyring, spot, text)
        if clear is None:
            if key not in keyring:
                return text
            raise PropertyError(
                f"{spot}: is an encrypted text that was made for another place, or was changed: "
                "give the value itself"
            )
        if key == keyring.first:
            return text
        text = clear
    return _new(keyring, spot, text)


def _new(keyring: Keyring, spot: Spot, text: str) -> str:
    if text in EMPTY:
        return text
    token = keyring.encrypt(text, spot)
    return f'"{token}"' if possible(spot.label)[spot.property] else token


def opened(label: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node's values as they were before they were encrypted.

    A value that can't be decrypted, for want of its key, is `Encrypted`.
    """
    values = dict(found)
    for name in possible(label):
        text: Any = values.get(name)
        if key_in(text) is not None:
            values[name] = read(Spot(label, str(found.get("uid")), name), text)
    return values


def read(spot: Spot, text: str) -> str | Encrypted:
    """Return a stored text as it was before it was encrypted."""
    key, keyring = key_in(text), current().keyring
    if key is None:
        return text
    clear = None if keyring is None else _opened(keyring, spot, text)
    return Encrypted(spot, text, key) if clear is None else clear


def decrypted(label: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node's values in the clear; `PropertyError` for one that can't be decrypted."""
    values = opened(label, found)
    for value in values.values():
        if isinstance(value, Encrypted):
            raise PropertyError(f"{value.spot}: {value.why}")
    return values


def refuse_unread(
    label: str, uid: str, before: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Raise `PropertyError` for a value that can't come in place of the one before."""
    for name, value in given.items():
        refusal = refused(label, uid, name, before.get(name), key_in(value))
        if refusal is not None:
            raise refusal


def refused(
    label: str, uid: str, name: str, before: object, given: str | None
) -> PropertyError | None:
    """Return why a value can't come in place of the one before; `given` is its key, if any.

    What is encrypted under a key that is not here is neither replaced nor removed, but by another
    text under that key, as a dump has it: who made it has the key.
    """
    key = key_in(before)
    if key is None or key == given or key in (current().keyring or ()):
        return None
    return PropertyError(
        f"{Spot(label, uid, name)}: is encrypted in the graph with the key {key}, which {KEYS} "
        "does not hold: add it to change the value, or to find it unchanged"
    )


def unread() -> tuple[list[str], list[str]]:
    """Return how encrypted texts begin, and how those do for which there is a key here."""
    ours = [f"{start}{key}:" for start in _BEGINNINGS for key in current().keyring or ()]
    return list(_BEGINNINGS), ours


def refuse_search(prop: Strict) -> None:
    """Raise `UnsupportedError` for a property that can't be searched, since it is encrypted."""
    from genai_graph.models.checking import properties_of
    from genai_graph.models.registry import NODES

    if not prop.encryptable or current().keyring is None:
        return
    for label, names in chosen(current().encrypted).items():
        for name in names:
            if properties_of(NODES[label])[name] is prop:  # inherited ones have no owner
                raise UnsupportedError(
                    f"{f'{label}.' if prop.owner else ''}{name}: is encrypted, and equal values "
                    "are different texts, so it can't be searched: search for something else, and "
                    "compare in Python"
                )


def key_in(value: object) -> str | None:
    """Return the id of the key of a stored value, or None where it is no encrypted text."""
    if type(value) is not str or not value.startswith(_BEGINNINGS):
        return None
    return key_of(value[1:-1] if value[:1] == '"' == value[-1:] else value)


def _opened(keyring: Keyring, spot: Spot, text: str) -> str | None:
    return keyring.decrypt(text.strip('"'), spot)
