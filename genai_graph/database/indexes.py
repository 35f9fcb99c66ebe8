"""Constraints and indexes: which ones classes declare, which ones are there, and making them."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import neomodel
from neomodel import db

from genai_graph.database.connection import current_connection
from genai_graph.database.cypher import quote_name
from genai_graph.database.transaction import query
from genai_graph.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator


UNIQUENESS, RANGE = "UNIQUENESS", "RANGE"
# Cypher 25 has another word for it.
_UNIQUENESS_TYPES = (UNIQUENESS, "NODE_PROPERTY_UNIQUENESS")


class Index(NamedTuple):
    """A unique constraint or an index, on one property of one label."""

    label: str
    property: str
    type: str
    name: str

    def __str__(self) -> str:
        kind = "unique constraint" if self.type == UNIQUENESS else "index"
        return f"{kind} {self.name} on {self.label}.{self.property}"

    def cypher(self) -> str:
        """Return the statement that makes it, for cypher-shell or Neo4j Browser."""
        node = f"(n:{quote_name(self.label)})"
        if self.type == UNIQUENESS:
            return (
                f"CREATE CONSTRAINT {quote_name(self.name)} IF NOT EXISTS "
                f"FOR {node} REQUIRE n.{quote_name(self.property)} IS UNIQUE;"
            )
        on = f"ON (n.{quote_name(self.property)})"
        return f"CREATE INDEX {quote_name(self.name)} IF NOT EXISTS FOR {node} {on};"


def declared(classes: Iterable[Any], engine: str | None = None) -> list[Index]:
    """Return what the classes declare, as far as an engine can have it.

    An index on times answers wrongly on the embedded engine, so it has none: after updates a
    range query there returns a node several times, after a deletion it fails.
    """
    return [
        index
        for cls in classes
        for name, prop in cls.defined_properties(aliases=False, rels=False).items()
        if (index := _index_of(cls.__label__, name, prop)) is not None
        if engine != "embedded" or not isinstance(prop, neomodel.DateTimeNeo4jFormatProperty)
    ]


def existing(classes: Iterable[Any]) -> list[Index]:
    """Return what the database has on the labels of the classes."""
    labels = {cls.__label__ for cls in classes}
    constraints = [row for row in query("SHOW CONSTRAINTS") if row["type"] in _UNIQUENESS_TYPES]
    indexes = [
        row
        for row in query("SHOW INDEXES")
        if row["type"] != "LOOKUP" and row.get("owningConstraint") is None
    ]
    found = [(row, UNIQUENESS) for row in constraints] + [(row, row["type"]) for row in indexes]
    return [
        Index(row["labelsOrTypes"][0], ",".join(row["properties"]), kind, row["name"])
        for row, kind in found
        if row["entityType"] == "NODE" and row["labelsOrTypes"][0] in labels
    ]


def install(classes: Iterable[Any]) -> list[Index]:
    """Make what is missing by neomodel's `install_labels`, and return what was made.

    Safe to repeat, and when several clients do it at once.
    """
    classes = list(classes)
    lacking = _missing(classes)
    made = [
        index for cls in classes if lacking & set(declared([cls])) for index in _install_class(cls)
    ]
    return sorted(made)


@contextlib.contextmanager
def without_indexes(classes: Iterable[Any]) -> Iterator[None]:
    """Do without the indexes while much is deleted on the embedded engine; the keys stay.

    There each deletion walks through all nodes that have the same value as the deleted one. When
    the block is cut short the next write on a new connection makes them again. In a sandbox they
    stay: an index that is dropped does not come back with what is rolled back.
    """
    classes = list(classes)
    if current_connection().engine != "embedded" or current_connection().sandbox is not None:
        yield
        return
    ours = {index[:3] for index in declared(classes)}
    for index in existing(classes):
        if index.type != UNIQUENESS and index[:3] in ours:
            query(f"DROP INDEX {quote_name(index.name)}", write=True)
    try:
        yield
    finally:
        install(classes)


def _install_class(cls: Any) -> set[Index]:
    made = lacking = _missing([cls])
    while lacking:
        names = {index.property for index in lacking}
        try:
            db.install_labels(_Lacking(cls, names), quiet=True, stdout=io.StringIO())
        except DatabaseError as error:
            before, lacking = lacking, _missing([cls])
            if lacking == before:
                listed = ", ".join(map(str, sorted(lacking)))
                raise DatabaseError(f"the schema lacks {listed}: {error}") from error
            continue  # another client made some of them meanwhile
        break
    return made


def _missing(classes: Collection[Any]) -> set[Index]:
    """Return what is declared and not there, whatever the name of what is there."""
    there = {index[:3] for index in existing(classes)}
    return {
        index for index in declared(classes, current_connection().engine) if index[:3] not in there
    }


class _Lacking:
    """A class as `install_labels` sees it, with those properties only whose index is missing.

    `install_labels` fails on the embedded engine when an index is there already.
    """

    def __init__(self, cls: Any, lacking: set[str]) -> None:
        self.__label__ = cls.__label__
        self._properties = {
            name: prop
            for name, prop in cls.defined_properties(aliases=False, rels=False).items()
            if name in lacking
        }

    def defined_properties(
        self, aliases: bool = True, properties: bool = True, rels: bool = True
    ) -> dict[str, Any]:
        """Return the properties, as a node class does."""
        return self._properties if properties else {}


def _index_of(label: str, name: str, prop: Any) -> Index | None:
    # The names are those that neomodel's install_labels gives.
    if prop.unique_index:
        return Index(label, name, UNIQUENESS, f"constraint_unique_{label}_{name}")
    return Index(label, name, RANGE, f"index_{label}_{name}") if prop.index else None
