"""Additional users of the embedded engine, for other clients: readers and writers."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from genai_graph.database import connect, query, quote_name
from genai_graph.database.settings import read_settings
from genai_graph.errors import SettingsError
from genai_graph.registry import edge_type_names
from genai_graph.server import arcadedb
from genai_graph.server.engines import managed_engine

if TYPE_CHECKING:
    from genai_graph.server.lifecycle import ManagedEngine

ROLES = ("reader", "writer")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}", re.ASCII)


def add_user(name: str, role: str) -> str:
    """Create or update a user, and return its new password, which is not stored in plaintext.

    A running engine recognizes the user after a second. Raises `SettingsError` for an invalid name
    or role, and if the graph is not on the embedded engine.
    """
    if not _NAME.fullmatch(name) or name in arcadedb.OWN_USERS:
        raise SettingsError(
            f"user name {name!r}: expected letters, digits, underscores, dots and dashes, with a "
            f"letter first, at most 63 in all, and not {' or '.join(arcadedb.OWN_USERS)}"
        )
    if role not in ROLES:
        raise SettingsError(f"role: expected one of {', '.join(ROLES)}, got {role!r}")
    managed, password = embedded_engine(), secrets.token_urlsafe(24)
    if role == "writer":
        # On this engine the first edge of a type changes the schema, which writers can't do.
        with connect():
            existing = {row["relationshipType"] for row in query("CALL db.relationshipTypes()")}
            for type_ in set(edge_type_names()) - existing:
                query(f"CREATE (n:Project)-[r:{quote_name(type_)}]->(n) DELETE r, n", write=True)
    with managed.locked() as directory:
        arcadedb.save_user(directory, name, role, password)
    return password


def delete_user(name: str) -> bool:
    """Delete a user, and return whether it existed; its open connections are not closed."""
    with embedded_engine().locked() as directory:
        return arcadedb.delete_user(directory, name)


def list_users() -> dict[str, str]:
    """Return the roles of the additional users, by name."""
    with embedded_engine().locked() as directory:
        return arcadedb.list_users(directory)


def embedded_engine() -> ManagedEngine:
    """Return the embedded engine; raise `SettingsError` if the graph is on another one."""
    settings = read_settings()
    if settings.uri is not None or settings.engine != "embedded":
        raise SettingsError(
            "users can only be managed on the embedded engine, and NEO4J_URI or GENAI_GRAPH_ENGINE "
            "selects Neo4j: use CREATE USER and GRANT ROLE there"
        )
    return managed_engine("embedded", settings.home)
