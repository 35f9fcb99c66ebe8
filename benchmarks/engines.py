"""The engines to measure on: the embedded one with a data folder of its own, or a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
import neo4j

from benchmarks import plain
from benchmarks.sample import Sample
from genai_graph.database import Connection, connect, indexes, query, quote_name
from genai_graph.database.settings import Settings
from genai_graph.registry import NODES
from genai_graph.server.engines import managed_engine
from genai_graph.status import read_status
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.lookups import count_nodes

_CLASSES = [*NODES.values(), *plain.CLASSES.values()]
_FEW = 2_000
_TIMES = 2  # created_at and updated_at, which every write adds


class Engine:
    """An engine and the bare driver of its connection."""

    def __init__(self, connection: Connection) -> None:
        self.name = _name(connection)
        self.is_embedded = connection.engine == "embedded"
        self.is_local = urlsplit(connection.uri).hostname in ("localhost", "127.0.0.1", "::1")
        self.database = connection.database
        self.driver = connection.driver("WRITE")

    def session(self) -> neo4j.Session:
        """Open a session of the bare driver."""
        return self.driver.session(database=self.database)

    def install(self) -> None:
        """Make the indexes that are not there, and wait until they can be used."""
        indexes.install(_CLASSES)
        if not self.is_embedded:
            query("CALL db.awaitIndexes()")

    def empty(self) -> None:
        """Delete everything but the indexes."""
        filled = {cls.__label__: count_nodes(cls.__label__) for cls in _CLASSES}
        is_slow = self.is_embedded and sum(filled.values()) > _FEW
        if is_slow:  # with indexes it deletes many nodes slowly
            self._drop_indexes()
        for label, nodes in filled.items():
            if nodes:
                while _delete_batch(label):
                    pass
        if is_slow:
            self.install()

    def verify(self, sample: Sample, prefix: str = "") -> None:
        """Fail unless the graph has the nodes, the edges and as many properties as the sample."""
        for label, rows in sample.nodes.items():
            found = query(
                f"MATCH (n:{quote_name(prefix + label)}) "
                "RETURN count(n) AS nodes, sum(size(keys(n))) AS properties"
            )[0]
            properties = sum(len(values) for _, values in rows) + (1 + _TIMES) * len(rows)
            _expect(label, (len(rows), properties), (found["nodes"], found["properties"]))
        for kind, edges in sample.edges.items():
            ends = [f"(:{quote_name(prefix + label)})" for label in (kind.source, kind.target)]
            pattern = f"{ends[0]}-[r:{quote_name(prefix.upper() + kind.type)}]->{ends[1]}"
            found = query(f"MATCH {pattern} RETURN count(r) AS edges")[0]
            _expect(str(kind), len(edges), found["edges"])

    def _drop_indexes(self) -> None:
        for index in indexes.existing(_CLASSES):
            if index.type != indexes.UNIQUENESS:
                query(f"DROP INDEX {quote_name(index.name)}", write=True)


def _delete_batch(label: str) -> int:
    found = query(
        f"MATCH (n:{quote_name(label)}) WITH n LIMIT $size DETACH DELETE n RETURN count(*) AS count",
        write=True,
        size=BATCH_ROWS,
    )
    return int(found[0]["count"])


def _expect(what: str, expected: object, found: object) -> None:
    if found != expected:
        raise click.ClickException(f"{what}: expected {expected} in the graph, got {found}")


def _name(connection: Connection) -> str:
    product = "ArcadeDB" if connection.engine == "embedded" else "Neo4j"
    return f"{product} {read_status().version}"


@contextmanager
def opened(settings: Settings, *, wipe: bool) -> Iterator[Engine]:
    """Open the engine that the settings name; its graph must be empty, unless it may be wiped."""
    with _environment(settings), connect() as connection:
        engine = Engine(connection)
        if not wipe and query("MATCH (n) RETURN 1 AS one LIMIT 1"):
            raise click.ClickException(
                f"the graph at {connection.uri} is not empty, and the benchmarks delete the nodes "
                "of all our labels: name an empty one, or pass --wipe"
            )
        engine.install()
        engine.empty()
        yield engine
        engine.empty()


@contextmanager
def kept(name: str, home: Path) -> Iterator[None]:
    """Keep a managed engine up on a data folder, and stop it to its end."""
    managed = managed_engine(name, home)
    managed.start()
    try:
        yield
    finally:
        managed.stop()


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """Put the settings into the environment, for this process and for those it starts."""
    before = dict(os.environ)
    os.environ["GENAI_GRAPH_HOME"] = str(settings.home)
    os.environ["GENAI_GRAPH_ENGINE"] = settings.engine
    server = {
        "NEO4J_URI": settings.uri,
        "NEO4J_USERNAME": settings.username,
        "NEO4J_PASSWORD": settings.password.get_secret_value() if settings.password else None,
        "NEO4J_DATABASE": settings.database,
    }
    for name, value in server.items():
        if settings.uri is None or value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
