"""The engines to measure on: managed ones with their own data directory, or a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
import neo4j
from neomodel import db

from benchmarks import plain_models
from benchmarks.sample import Sample
from genai_graph.database import Connection, connect, indexes, query, quote_name
from genai_graph.database.settings import Settings
from genai_graph.registry import NODES
from genai_graph.server.engines import managed_engine
from genai_graph.status import read_status
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.columns import json_names
from genai_graph.storage.lookups import count_nodes

_CLASSES = [*NODES.values(), *plain_models.CLASSES.values()]
_FEW_NODES = 2_000
_TIMESTAMPS = 2  # created_at and updated_at, added to each node


class Engine:
    """An engine, with the plain Neo4j driver of its connection."""

    def __init__(self, connection: Connection) -> None:
        self.name = _name(connection)
        self.is_embedded = connection.engine == "embedded"
        self.is_local = urlsplit(connection.uri).hostname in ("localhost", "127.0.0.1", "::1")
        self.database = connection.database
        self.driver = connection.driver("WRITE")

    @contextmanager
    def plain_neomodel(self) -> Iterator[None]:
        """Let neomodel use the plain driver instead of the one of this package."""
        before = db.driver, db._database_name
        db.driver, db._database_name = self.driver, self.database
        try:
            yield
        finally:
            db.driver, db._database_name = before

    def session(self) -> neo4j.Session:
        """Open a session of the plain driver."""
        return self.driver.session(database=self.database)

    def install(self) -> None:
        """Create missing indexes, and wait until they are online."""
        indexes.install(_CLASSES)
        if not self.is_embedded:
            query("CALL db.awaitIndexes()")

    def empty(self) -> None:
        """Delete all nodes and edges; the indexes stay."""
        counts = {cls.__label__: count_nodes(cls.__label__) for cls in _CLASSES}
        is_slow = self.is_embedded and sum(counts.values()) > _FEW_NODES
        if is_slow:  # with indexes, it scans all nodes of equal values for each deletion
            self._drop_indexes()
        for label, nodes in counts.items():
            if nodes:
                while _delete_batch(label):
                    pass
        if is_slow:
            self.install()

    def verify(self, sample: Sample, prefix: str = "") -> None:
        """Fail unless the graph has as many nodes, edges and properties as the sample.

        JSON is not counted: this package stores it as several properties.
        """
        for label, rows in sample.nodes.items():
            names = json_names(label)
            found = query(
                f"MATCH (n:{quote_name(prefix + label)}) RETURN count(n) AS nodes, "
                "sum(size([k IN keys(n) WHERE NOT split(k, '.')[0] IN $json])) AS properties",
                json=sorted(names),
            )[0]
            properties = sum(len(values.keys() - names) for _, values in rows)
            properties += (1 + _TIMESTAMPS) * len(rows)
            _expect(label, (len(rows), properties), (found["nodes"], found["properties"]))
        for edge_type, edges in sample.edges.items():
            ends = [
                f"(:{quote_name(prefix + label)})" for label in (edge_type.source, edge_type.target)
            ]
            pattern = f"{ends[0]}-[r:{quote_name(prefix.upper() + edge_type.type)}]->{ends[1]}"
            found = query(f"MATCH {pattern} RETURN count(r) AS edges")[0]
            _expect(str(edge_type), len(edges), found["edges"])

    def _drop_indexes(self) -> None:
        for index in indexes.existing(_CLASSES):
            if index.type != indexes.UNIQUENESS:
                query(f"DROP INDEX {quote_name(index.name)}", write=True)


def _delete_batch(label: str) -> int:
    deleted = query(
        f"MATCH (n:{quote_name(label)}) WITH n LIMIT $size "
        "DETACH DELETE n RETURN count(*) AS count",
        write=True,
        size=BATCH_ROWS,
    )
    return int(deleted[0]["count"])


def _expect(name: str, expected: object, counted: object) -> None:
    if counted != expected:
        raise click.ClickException(f"{name}: expected {expected} in the graph, got {counted}")


def _name(connection: Connection) -> str:
    product = "ArcadeDB" if connection.engine == "embedded" else "Neo4j"
    return f"{product} {read_status().version}"


@contextmanager
def open_engine(settings: Settings, *, wipe: bool) -> Iterator[Engine]:
    """Connect to the engine of the settings; its graph must be empty unless `wipe` is true."""
    with _environment(settings), connect() as connection:
        engine = Engine(connection)
        if not wipe and query("MATCH (n) RETURN 1 AS one LIMIT 1"):
            raise click.ClickException(
                f"the graph at {connection.uri} is not empty, and the benchmarks delete all nodes "
                "of the labels that they use: use an empty graph, or pass --wipe"
            )
        engine.install()
        engine.empty()
        yield engine
        engine.empty()


@contextmanager
def running(name: str, home: Path) -> Iterator[None]:
    """Keep a managed engine running on a data directory; stop it afterwards."""
    managed = managed_engine(name, home)
    managed.start()
    try:
        yield
    finally:
        managed.stop()


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """Put the settings into the environment of this process and its subprocesses."""
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
