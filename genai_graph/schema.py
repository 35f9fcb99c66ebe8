"""The schema: the constraints and indexes that the models declare, and what the database has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph.database import current_connection, indexes
from genai_graph.database.settings import read_settings
from genai_graph.properties import encryption
from genai_graph.registry import NODES

if TYPE_CHECKING:
    from genai_graph.database.indexes import Index


@dataclass(frozen=True)
class Drift:
    """How the database's schema differs from the models'.

    `different` holds pairs of what the models declare and what is there on the same property.
    """

    missing: list[Index]
    extra: list[Index]
    different: list[tuple[Index, Index]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.different)

    def __str__(self) -> str:
        lines = [f"missing: {index}" for index in self.missing]
        lines += [f"extra: {index}" for index in self.extra]
        lines += [f"different: expected {want}, there is {have}" for want, have in self.different]
        return "\n".join(lines)


def install() -> list[Index]:
    """Make the constraints and indexes that are missing, and return them."""
    return indexes.install(NODES.values())


def declared() -> list[Index]:
    """Return what the models declare, on any engine."""
    return indexes.declared(NODES.values())


def on_embedded() -> list[Index]:
    """Return what of it the embedded engine has."""
    return indexes.declared(NODES.values(), "embedded")


def unsearchable() -> list[str]:
    """Return the properties that are encrypted where there are keys, as ``Label.name``.

    Raises `SettingsError`.
    """
    names = encryption.encrypted_properties(read_settings().encrypted)
    return sorted(f"{label}.{name}" for label in names for name in names[label])


def check() -> Drift:
    """Compare the database's schema with the models'."""
    wanted = set(indexes.declared(NODES.values(), current_connection().engine))
    there = set(indexes.existing(NODES.values()))
    missing, extra = wanted - there, there - wanted
    same_place = {
        (want, have)
        for want in missing
        for have in extra
        if (want.label, want.property) == (have.label, have.property)
    }
    missing -= {want for want, _ in same_place}
    extra -= {have for _, have in same_place}
    return Drift(sorted(missing), sorted(extra), sorted(same_place))
