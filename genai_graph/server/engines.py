"""The managed engines by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_graph.server.arcadedb import ArcadeDB
from genai_graph.server.lifecycle import ManagedEngine, Server
from genai_graph.server.neo4j_community import Neo4jCommunity

if TYPE_CHECKING:
    from pathlib import Path

SERVERS: dict[str, type[Server]] = {"embedded": ArcadeDB, "neo4j": Neo4jCommunity}


def managed_engine(name: str, home: Path) -> ManagedEngine:
    """Return a managed engine with its data in a directory; it is not installed until it starts."""
    return ManagedEngine(SERVERS[name](), home)
