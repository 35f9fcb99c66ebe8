"""The state of the graph: where it lives, whether its schema is in step, how much it holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from genai_graph import schema
from genai_graph.database import current_connection, query
from genai_graph.registry import EDGES, NODES
from genai_graph.storage.lookups import count_edges, count_nodes


@dataclass(frozen=True)
class Status:
    """The state of the graph; `drift` is empty when the schema is in step."""

    engine: str
    version: str
    edition: str
    uri: str
    database: str | None
    drift: str
    nodes: dict[str, int]
    edges: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, as `status --json` prints it."""
        return {**asdict(self), "schema_in_step": not self.drift}

    def __str__(self) -> str:
        lines = [
            f"engine    {self.engine} {self.version} ({self.edition})",
            f"address   {self.uri}",
            f"database  {self.database or 'the default one'}",
            f"schema    {'not in step: see genai-graph schema check' if self.drift else 'in step'}",
        ]
        counts = {**self.nodes, **self.edges}
        width = max(map(len, counts))
        return "\n".join(lines + [f"{name:{width}}  {count}" for name, count in counts.items()])


def read_status() -> Status:
    """Ask the database that is connected."""
    connection = current_connection()
    engine_version, edition = _server()
    return Status(
        engine=connection.engine,
        version=engine_version,
        edition=edition,
        uri=connection.uri,
        database=connection.database,
        drift=str(schema.check()),
        nodes={label: count_nodes(label) for label in NODES},
        edges={str(kind): count_edges(kind) for kind in EDGES},
    )


def _server() -> tuple[str, str]:
    if current_connection().engine == "embedded":
        return version("arcadedb-embedded"), "ArcadeDB"
    server = query("CALL dbms.components() YIELD versions, edition RETURN versions, edition")[0]
    return server["versions"][0], server["edition"]
