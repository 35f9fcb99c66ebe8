"""The status of the graph: its server, the state of its schema, and its size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from genai_graph import schema
from genai_graph.database import Connection, current_connection, query
from genai_graph.registry import EDGES, NODES
from genai_graph.storage.lookups import count_edges, count_nodes


@dataclass(frozen=True)
class Member:
    """A server that hosts the database; `writer` is true for the leader."""

    address: str
    role: str
    writer: bool
    status: str

    def __str__(self) -> str:
        return ", ".join([self.role, *["leader"] * self.writer, self.status])


@dataclass(frozen=True)
class Status:
    """The status of the graph; `drift` describes schema differences, and is empty without any.

    `members` are the servers that host the database, only one without a cluster; they are empty for
    an engine other than Neo4j.
    """

    engine: str
    version: str
    edition: str
    uri: str
    database: str | None
    members: tuple[Member, ...]
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
        ]
        if len(self.members) == 1:
            lines.append(f"role      {self.members[0]}")
        else:
            lines += [f"member    {member.address}: {member}" for member in self.members]
        lines.append(f"schema    {self._schema_state()}")
        counts = {**self.nodes, **self.edges}
        width = max(map(len, counts))
        return "\n".join(lines + [f"{name:{width}}  {count}" for name, count in counts.items()])


def read_status() -> Status:
    """Query the status of the connected database."""
    connection = current_connection()
    engine, engine_version, edition = _read_engine(connection)
    return Status(
        engine=engine,
        version=engine_version,
        edition=edition,
        uri=connection.uri,
        database=connection.database,
        members=_read_members(connection.database) if engine == "neo4j" else (),
        drift=str(schema.check()),
        nodes={label: count_nodes(label) for label in NODES},
        edges={str(edge_type): count_edges(edge_type) for edge_type in EDGES},
    )


def _read_engine(connection: Connection) -> tuple[str, str, str]:
    """Return the name, version and edition of the engine or server."""
    if connection.engine == "embedded":
        return connection.engine, version("arcadedb-embedded"), "ArcadeDB"
    product = connection.product
    if product is not None and product.name != "Neo4j":
        return product.name.lower(), product.version, "unsupported"
    # Neo4j lists further components, such as Cypher, after its kernel.
    kernel = query("CALL dbms.components() YIELD versions, edition RETURN versions, edition")[0]
    return connection.engine, kernel["versions"][0], kernel["edition"]


def _read_members(database: str | None) -> tuple[Member, ...]:
    """Return the servers that host the database, the leader first."""
    rows = query(
        "SHOW DATABASES YIELD name, aliases, home, address, role, writer, currentStatus "
        "RETURN name, aliases, home, address, role, writer, currentStatus"
    )
    wanted = None if database is None else database.lower()
    members = [
        Member(
            row["address"] or "",
            row["role"] or "unknown",
            bool(row["writer"]),
            row["currentStatus"],
        )
        for row in rows
        if (row["home"] if wanted is None else wanted in (row["name"], *row["aliases"]))
    ]
    return tuple(sorted(members, key=lambda member: (not member.writer, member.address)))
