"""The managed engines by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from genai_graph.server.lifecycle import ManagedEngine, Server


def managed_engine(name: str, home: Path) -> ManagedEngine:
    """Return the engine of a name, with its data below `home`; starting it installs it."""
    from genai_graph.server.arcadedb import ArcadeDB
    from genai_graph.server.lifecycle import ManagedEngine
    from genai_graph.server.neo4j_community import Neo4jCommunity

    servers: dict[str, type[Server]] = {"embedded": ArcadeDB, "neo4j": Neo4jCommunity}
    return ManagedEngine(servers[name](), home)
