"""Database products by their Bolt agent: Neo4j, and servers that only speak its protocol."""

from __future__ import annotations

import re
from typing import NamedTuple

from genai_graph.errors import UnsupportedServerError, escape_unprintable

_NEO4J = re.compile(r"Neo4j/(\S+)")
_COMPATIBLE = re.compile(r"Neo4j/\S+ compatible \((?P<name>\w+) (?P<version>[^\s)]+)\)")
_REASONS = {
    "ArcadeDB": "it is only supported as the embedded engine of this package, which adds the locks "
    "and the read-only user that it needs: with concurrent writers it stores duplicate edges, and "
    "reads in its clusters are stale",
}
_OTHER_REASON = (
    "this package is tested with Neo4j only, and depends on its locks, constraints and access modes"
)


class Product(NamedTuple):
    """Name and version of a database product, from the agent string of its Bolt handshake."""

    name: str
    version: str

    @classmethod
    def parse(cls, agent: str) -> Product:
        """Parse ``Neo4j/5.26.0``, or ``Neo4j/5.26.0 compatible (ArcadeDB 26.10.2)``."""
        if (match := _NEO4J.fullmatch(agent)) is not None:
            return cls("Neo4j", match[1])
        if (match := _COMPATIBLE.fullmatch(agent)) is not None:
            return cls(match["name"], match["version"])
        return cls(escape_unprintable(agent)[:80], "")

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


def require_neo4j(product: Product, uri: str) -> None:
    """Raise `UnsupportedServerError` unless a server is Neo4j."""
    if product.name != "Neo4j":
        raise UnsupportedServerError(
            f"the server at {uri} is {product}, not Neo4j: "
            f"{_REASONS.get(product.name, _OTHER_REASON)}: use Neo4j, or unset NEO4J_URI to use a "
            "managed engine; GENAI_GRAPH_UNSUPPORTED_SERVER=1 connects anyway"
        )
