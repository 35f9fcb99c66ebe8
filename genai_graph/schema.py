"""The schema: constraints and indexes declared by the models, compared with the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import genai_graph.models  # noqa: F401  (registers the node classes)
from genai_graph import registry
from genai_graph.database import current_connection, indexes
from genai_graph.database.settings import read_settings
from genai_graph.errors import UnknownPropertyError
from genai_graph.properties import encryption
from genai_graph.properties.json_columns import is_column_name, is_in_json
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.columns import json_names

if TYPE_CHECKING:
    from genai_graph.database.indexes import Index


@dataclass(frozen=True)
class Drift:
    """The differences between the database's schema and the models'; false if there are none.

    `different` contains pairs of a declared and an existing index on the same property.
    """

    missing: list[Index]
    extra: list[Index]
    different: list[tuple[Index, Index]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.different)

    def __str__(self) -> str:
        lines = [f"missing: {index}" for index in self.missing]
        lines += [f"extra: {index}" for index in self.extra]
        pairs = (f"expected {expected}, found {found}" for expected, found in self.different)
        lines += [f"different: {pair}" for pair in pairs]
        return "\n".join(lines)


def install() -> list[Index]:
    """Create the missing constraints and indexes, and return them."""
    return indexes.install(NODES.values(), registry.edge_classes())


def index_json(path: str, *, drop: bool = False) -> list[Index]:
    """Create the indexes on a value inside a JSON property, or drop them; return them.

    `path` is such as ``parameters.lr``, for all labels with this property, or
    ``Experiment.parameters.lr``. Raises `UnknownPropertyError` for an unknown property, and
    `UnsupportedError` on the embedded engine and for an encrypted property.
    """
    registry.close()
    label, dot, column = path.partition(".")
    labels = [label] if dot and label in NODES else list(NODES)
    column = column if dot and label in NODES else path
    name, *keys = column.split(".")
    labels = [one for one in labels if name in json_names(one)]
    if not labels or not all(keys) or not keys or not is_column_name(column):
        raise UnknownPropertyError(
            f"{path}: expected a JSON property and keys, such as parameters.lr or "
            "Experiment.parameters.lr"
        )
    for one in labels:
        encryption.refuse_search(properties_of(NODES[one])[name])
    if drop:
        found = [one for one in indexes.existing_columns() if one.property == column]
        dropped = [index for index in found if index.label in labels]
        for index in dropped:
            indexes.drop_column(index)
        return dropped
    return [indexes.create_column(one, column) for one in labels]


def _is_in_json(index: Index) -> bool:
    return not index.of_edges and is_in_json(index.property, json_names(index.label))


def list_declared(engine: str | None = None) -> list[Index]:
    """Return the constraints and indexes of the models, optionally only those of an engine."""
    registry.close()
    return indexes.declared(NODES.values(), registry.edge_classes(), engine)


def list_unsearchable() -> list[str]:
    """Return the properties that are encrypted if keys are configured, as ``Label.name``.

    Raises `SettingsError` if ``GENAI_GRAPH_ENCRYPTED`` is invalid.
    """
    registry.close()
    encrypted = encryption.encrypted_properties(read_settings().encrypted)
    return sorted(f"{label}.{name}" for label, names in encrypted.items() for name in names)


def check() -> Drift:
    """Compare the database's schema with the models'."""
    declared = set(list_declared(current_connection().engine))
    found = indexes.existing(NODES.values(), registry.edge_classes())
    existing = {index for index in found if not _is_in_json(index)}
    missing, extra = declared - existing, existing - declared
    different = {
        (expected, found)
        for expected in missing
        for found in extra
        if expected._replace(type="", name="") == found._replace(type="", name="")
    }
    missing -= {expected for expected, _ in different}
    extra -= {found for _, found in different}
    return Drift(sorted(missing), sorted(extra), sorted(different))
