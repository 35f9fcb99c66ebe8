"""The status of the graph: its server, the state of its schema, and its size."""

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
    """The status of the graph; `drift` describes schema differences, and is empty without any."""

    engine: str
    version: str
    edition: str
    uri: str
    database: str | None
    drift: str
    nodes: dict[str, int]
    edges: dict[str, int]

    def _schema_state(self) -> str:
        if not self.drift:
            return "up to date"
        is_new = all(line.startswith("missing:") for line in self.drift.splitlines())
        if self.is_empty and is_new:
            return "none yet: the graph is empty, and the first write installs the schema"
        return "differs: see genai-graph schema check"

    @property
    def is_empty(self) -> bool:
        """Whether the graph has no nodes of the models."""
        return not any(self.nodes.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a dict, as printed by ``status --json``."""
        return {**asdict(self), "schema_up_to_date": not self.drift, "empty": self.is_empty}

    def __str__(self) -> str:
        lines = [
            f"engine    {self.engine} {self.version} ({self.edition})",
            f"address   {self.uri}",
            f"database  {self.database or 'default'}",
            f"schema    {self._schema_state()}",
        ]
        counts = {**self.nodes, **self.edges}
        width = max(map(len, counts))
        return "\n".join(lines + [f"{name:{width}}  {count}" for name, count in counts.items()])


def read_status() -> Status:
    """Query the status of the connected database."""
    connection = current_connection()
    if connection.engine == "embedded":
        engine_version, edition = version("arcadedb-embedded"), "ArcadeDB"
    else:
        # Neo4j lists further components, such as Cypher, after its kernel.
        kernel = query("CALL dbms.components() YIELD versions, edition RETURN versions, edition")[0]
        engine_version, edition = kernel["versions"][0], kernel["edition"]
    return Status(
        engine=connection.engine,
        version=engine_version,
        edition=edition,
        uri=connection.uri,
        database=connection.database,
        drift=str(schema.check()),
        nodes={label: count_nodes(label) for label in NODES},
        edges={str(edge_type): count_edges(edge_type) for edge_type in EDGES},
    )
