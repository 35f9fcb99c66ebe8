"""Users of the embedded engine beside its owner: they may read, or write without its schema."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from genai_graph.database import connect, query, quote_name
from genai_graph.database.settings import read_settings
from genai_graph.errors import SettingsError
from genai_graph.registry import EDGES
from genai_graph.server import arcadedb
from genai_graph.server.engines import managed_engine

if TYPE_CHECKING:
    from genai_graph.server.lifecycle import ManagedEngine


ROLES = ("reader", "writer")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}", re.ASCII)


def add(name: str, role: str) -> str:
    """Make a user, or give one another role, and return the new password, which is kept nowhere.

    A running engine knows the user a second later. Raises `SettingsError` for a name that can't
    be one, or where the graph is not on the embedded engine.
    """
    if not _NAME.fullmatch(name) or name in arcadedb.OWN_USERS:
        raise SettingsError(
            f"{name!r}: expected a name of letters, digits, dots and dashes that begins with a "
            f"letter and is not {' or '.join(arcadedb.OWN_USERS)}"
        )
    if role not in ROLES:
        raise SettingsError(f"role: expected one of {', '.join(ROLES)}, got {role!r}")
    managed, password = engine(), secrets.token_urlsafe(24)
    if role == "writer":
        _make_types()
    with managed.locked() as folder:
        arcadedb.save_user(folder, name, role, password)
    return password


def _make_types() -> None:
    """Make the types of edges: they are schema here, which no writer may change."""
    with connect():
        there = {row["relationshipType"] for row in query("CALL db.relationshipTypes()")}
        for type_ in {kind.type for kind in EDGES} - there:
            query(f"CREATE (n:Project)-[r:{quote_name(type_)}]->(n) DELETE r, n", write=True)


def drop(name: str) -> bool:
    """Take a user away, and tell whether there was one; who is logged in stays until the end."""
    with engine().locked() as folder:
        return arcadedb.delete_user(folder, name)


def listed() -> dict[str, str]:
    """Return the role of each user that was made here, by name."""
    with engine().locked() as folder:
        return arcadedb.list_users(folder)


def engine() -> ManagedEngine:
    """Return the embedded engine; `SettingsError` where the graph is on another."""
    settings = read_settings()
    if settings.uri is not None or settings.engine != "embedded":
        raise SettingsError(
            "NEO4J_URI or GENAI_GRAPH_ENGINE names a Neo4j: make its users there (CREATE USER, "
            "GRANT ROLE); this is for the embedded engine"
        )
    return managed_engine("embedded", settings.home)
