"""Unique constraints and indexes: those declared by classes, existing ones, and installation."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from neomodel import db

from genai_graph.database.connection import current_connection
from genai_graph.database.cypher import quote_name
from genai_graph.database.transaction import query, retry
from genai_graph.errors import DatabaseError, TransientError, UnavailableError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from genai_graph.database.connection import Connection


UNIQUENESS, RANGE = "UNIQUENESS", "RANGE"


EdgeClasses: TypeAlias = "Collection[tuple[str, Any]]"  # edge types, each with its class


class Index(NamedTuple):
    """A unique constraint or a range index on one property of a label or an edge type."""

    label: str  # or the type of the edges
    property: str
    type: str
    name: str
    of_edges: bool = False

    def __str__(self) -> str:
        noun = "unique constraint" if self.type == UNIQUENESS else "index"
        return f"{noun} {self.name} on {self.label}.{self.property}"

    def cypher(self) -> str:
        """Return the statement that creates it, for cypher-shell or Neo4j Browser."""
        if self.of_edges:
            return (
                f"CREATE INDEX {quote_name(self.name)} IF NOT EXISTS "
                f"FOR ()-[r:{quote_name(self.label)}]-() ON (r.{quote_name(self.property)});"
            )
        node = f"(n:{quote_name(self.label)})"
        if self.type == UNIQUENESS:
            return (
                f"CREATE CONSTRAINT {quote_name(self.name)} IF NOT EXISTS "
                f"FOR {node} REQUIRE n.{quote_name(self.property)} IS UNIQUE;"
            )
        on = f"ON (n.{quote_name(self.property)})"
        return f"CREATE INDEX {quote_name(self.name)} IF NOT EXISTS FOR {node} {on};"


def declared(
    classes: Iterable[Any], edges: EdgeClasses = (), engine: str | None = None
) -> list[Index]:
    """Return the constraints and indexes that the classes declare, if supported by the engine.

    The embedded engine gets no index on edges, and none on datetimes: with one, range queries
    return a node several times after updates, and fail after a deletion.
    """
    found = [
        index
        for cls in classes
        for name, prop in cls.defined_properties(aliases=False, rels=False).items()
        if (index := _index_of(cls.__label__, name, prop)) is not None
        if engine != "embedded" or not getattr(prop, "is_timestamp", False)
    ]
    of_edges = {
        Index(type_, name, RANGE, f"index_{type_}_{name}", of_edges=True): None
        for type_, cls in edges
        for name, prop in cls.defined_properties(aliases=False, rels=False).items()
        if prop.index and engine != "embedded"
    }
    return [*found, *of_edges]


def existing(classes: Iterable[Any], edges: EdgeClasses = ()) -> list[Index]:
    """Return the constraints and indexes in the database on the classes' labels and edge types."""
    owners = {("NODE", cls.__label__) for cls in classes}
    owners |= {("RELATIONSHIP", type_) for type_, _ in edges}
    # The constraints' type is UNIQUENESS, and NODE_PROPERTY_UNIQUENESS in Cypher 25.
    rows = [
        (UNIQUENESS, row) for row in query("SHOW CONSTRAINTS") if row["type"].endswith(UNIQUENESS)
    ]
    rows += [
        (row["type"], row)
        for row in query("SHOW INDEXES")
        if row["type"] != "LOOKUP" and row.get("owningConstraint") is None
    ]
    return [
        Index(
            row["labelsOrTypes"][0],
            ",".join(row["properties"]),
            type_,
            row["name"],
            of_edges=row["entityType"] == "RELATIONSHIP",
        )
        for type_, row in rows
        if (row["entityType"], row["labelsOrTypes"][0]) in owners
    ]


# The indexes on values inside JSON, by connection: read once, for the text of statements.
_columns: WeakKeyDictionary[Connection, dict[str, frozenset[str]]] = WeakKeyDictionary()


def indexed_columns(label: str) -> frozenset[str]:
    """Return the properties of values inside JSON that have an index, such as ``parameters.lr``.

    They are read once for each connection. The embedded engine has none: its indexes convert all
    values to one type.
    """
    connection = current_connection()
    if connection.engine == "embedded":
        return frozenset()
    if connection not in _columns:
        found: dict[str, set[str]] = defaultdict(set)
        for index in existing_columns():
            found[index.label].add(index.property)
        _columns[connection] = {name: frozenset(names) for name, names in found.items()}
    return _columns[connection].get(label, frozenset())


def existing_columns() -> list[Index]:
    """Return the indexes in the database on single properties with a dot, of any label."""
    return [
        Index(row["labelsOrTypes"][0], row["properties"][0], RANGE, row["name"])
        for row in query("SHOW INDEXES")
        if row["type"] == RANGE and row["entityType"] == "NODE" and len(row["properties"]) == 1
        if "." in row["properties"][0] and "\\" not in row["properties"][0]
    ]


def create_column(label: str, column: str) -> Index:
    """Create an index on a value inside JSON, unless it exists; return it.

    Raises `UnsupportedError` on the embedded engine.
    """
    _refuse_embedded()
    index = Index(label, column, RANGE, f"index_{label}_{column}")
    retry(lambda: query(index.cypher().removesuffix(";"), write=True), idempotent=True)
    _columns.pop(current_connection(), None)
    return index


def drop_column(index: Index) -> None:
    """Drop an index on a value inside JSON."""
    statement = f"DROP INDEX {quote_name(index.name)} IF EXISTS"
    retry(lambda: query(statement, write=True), idempotent=True)
    _columns.pop(current_connection(), None)


def _refuse_embedded() -> None:
    if current_connection().engine == "embedded":
        raise UnsupportedError(
            "the embedded engine has no index on values in JSON: it would convert all of them to "
            "the type of the first one: searches scan the label, or use Neo4j"
        )


def install(classes: Iterable[Any], edges: EdgeClasses = ()) -> list[Index]:
    """Create missing constraints and indexes, those of nodes with neomodel; return them.

    Idempotent, and safe with concurrent clients. Neo4j returns when it has created the constraints,
    and fills the indexes afterwards: so that it does not fill them meanwhile, they come last.
    """
    classes = list(classes)
    missing, created = _missing(classes, edges), list[Index]()
    for type_ in (UNIQUENESS, RANGE):
        for cls in classes:
            owner = (cls.__label__, type_, False)
            own = {one for one in missing if (one.label, one.type, one.of_edges) == owner}
            created += retry(partial(_install_class, cls, own), idempotent=True)
    for index in missing:
        if index.of_edges:
            retry(partial(_install_of_edges, index, edges), idempotent=True)
            created.append(index)
    return sorted(created)


@contextlib.contextmanager
def without_indexes(classes: Iterable[Any]) -> Iterator[None]:
    """Drop the indexes during mass deletions on the embedded engine; constraints remain.

    With an index, each deletion scans all nodes with an equal value. If the block is interrupted,
    the next write on a new connection creates the indexes again. In a sandbox they are kept:
    dropping an index can't be rolled back.
    """
    classes = list(classes)
    if current_connection().engine != "embedded" or current_connection().sandbox is not None:
        yield
        return
    own = {index[:3] for index in declared(classes)}
    for index in existing(classes):
        if index.type != UNIQUENESS and index[:3] in own:
            query(f"DROP INDEX {quote_name(index.name)}", write=True)
    try:
        yield
    finally:
        install(classes)


def _install_class(cls: Any, missing: set[Index]) -> set[Index]:
    created = missing
    while missing:
        stand_in = _MissingIndexes(cls, {index.property for index in missing})
        try:
            db.install_labels(stand_in, quiet=True, stdout=io.StringIO())
            break
        except (TransientError, UnavailableError):
            raise
        except DatabaseError as error:
            before, missing = missing, missing & _missing([cls])
            if missing == before:  # else another client created some of them
                names = ", ".join(map(str, sorted(missing)))
                raise DatabaseError(f"can't create {names}: {error}") from error
    return created


def _install_of_edges(index: Index, edges: EdgeClasses) -> None:
    try:
        query(index.cypher().removesuffix(";"), write=True)
    except (TransientError, UnavailableError):
        raise
    except DatabaseError as error:
        if index in _missing((), edges):  # else another client created it, despite IF NOT EXISTS
            raise DatabaseError(f"can't create {index}: {error}") from error


def _missing(classes: Collection[Any], edges: EdgeClasses = ()) -> set[Index]:
    """Return the declared indexes without an existing equivalent of any name."""
    found = {index._replace(name="") for index in existing(classes, edges)}
    return {
        index
        for index in declared(classes, edges, current_connection().engine)
        if index._replace(name="") not in found
    }


class _MissingIndexes:
    """A replacement for a class in `install_labels`: only the properties that lack their index.

    On the embedded engine, `install_labels` fails if an index already exists.
    """

    def __init__(self, cls: Any, missing: set[str]) -> None:
        self.__label__ = cls.__label__
        self._properties = {
            name: prop
            for name, prop in cls.defined_properties(aliases=False, rels=False).items()
            if name in missing
        }

    def defined_properties(
        self, aliases: bool = True, properties: bool = True, rels: bool = True
    ) -> dict[str, Any]:
        """Return the properties, like `StructuredNode.defined_properties`."""
        return self._properties if properties else {}


def _index_of(label: str, name: str, prop: Any) -> Index | None:
    # The names given by neomodel's install_labels.
    if prop.unique_index:
        return Index(label, name, UNIQUENESS, f"constraint_unique_{label}_{name}")
    return Index(label, name, RANGE, f"index_{label}_{name}") if prop.index else None
