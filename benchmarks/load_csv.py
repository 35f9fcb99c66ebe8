"""LOAD CSV on Neo4j: the server reads the rows itself, from a web server on this machine."""

from __future__ import annotations

import csv
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.sample import Sample, Values
from genai_graph.database import quote_name
from genai_graph.exchange.loader import TRANSACTION_ROWS
from genai_graph.registry import EdgeType
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.rows import now

if TYPE_CHECKING:
    import neo4j

    from benchmarks.engines import Engine

_READERS = {bool: "toBoolean", int: "toInteger", float: "toFloat", datetime: "datetime"}


class Table(NamedTuple):
    """A file of rows, and the statement that merges one."""

    file: str
    cypher: str


def prepared(engine: Engine, sample: Sample, folder: Path) -> Callable[[], None]:
    """Write the rows as CSV, and return what loads them."""
    place = folder / f"csv-{sample.entities}"
    place.mkdir(exist_ok=True)
    tables = [_node_table(place, label, rows) for label, rows in sample.nodes.items()]
    tables += [_edge_table(place, kind, rows) for kind, rows in sample.edges.items()]

    def write() -> None:
        with _served(place) as address, engine.session() as session:
            if sample.entities <= TRANSACTION_ROWS:
                _in_one_transaction(session, tables, address)
            else:
                _in_batches(session, tables, address)

    return write


def _in_one_transaction(session: neo4j.Session, tables: list[Table], address: str) -> None:
    with session.begin_transaction() as transaction:
        for table in tables:
            cypher = f"LOAD CSV WITH HEADERS FROM $url AS row {table.cypher}"
            transaction.run(cypher, url=f"{address}/{table.file}", now=now()).consume()
        transaction.commit()


def _in_batches(session: neo4j.Session, tables: list[Table], address: str) -> None:
    for table in tables:
        cypher = (
            "LOAD CSV WITH HEADERS FROM $url AS row "
            f"CALL (row) {{ {table.cypher} }} IN TRANSACTIONS OF {BATCH_ROWS} ROWS"
        )
        session.run(cypher, url=f"{address}/{table.file}", now=now()).consume()


def _node_table(folder: Path, label: str, rows: list[tuple[str, Values]]) -> Table:
    lines = [{"uid": uid, **values} for uid, values in rows]
    props = _assignments([values for _, values in rows])
    cypher = (
        f"MERGE (n:{quote_name(label)} {{uid: row.uid}}) "
        f"SET n.created_at = $now, n.updated_at = $now, n += {props}"
    )
    return _table(folder, f"{label}.csv", lines, cypher)


def _edge_table(folder: Path, kind: EdgeType, rows: list[tuple[str, str, Values]]) -> Table:
    lines = [{"source": source, "target": target, **values} for source, target, values in rows]
    cypher = (
        f"MATCH (a:{quote_name(kind.source)} {{uid: row.source}}) "
        f"MATCH (b:{quote_name(kind.target)} {{uid: row.target}}) "
        f"MERGE {kind.pattern} SET r += {_assignments([values for *_, values in rows])}"
    )
    return _table(folder, f"{kind.source}-{kind.type}-{kind.target}.csv", lines, cypher)


def _table(folder: Path, name: str, lines: list[dict[str, Any]], cypher: str) -> Table:
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for line in lines:
            writer.writerow({column: _cell(value) for column, value in line.items()})
    return Table(name, cypher)


def _assignments(rows: list[Values]) -> str:
    """Return a Cypher map of all properties, each read from its column."""
    values = {name: value for row in rows for name, value in row.items()}
    return "{" + ", ".join(f"{name}: {_read(name, values[name])}" for name in values) + "}"


def _read(name: str, value: object) -> str:
    reader = _READERS.get(type(value))
    return f"{reader}(row.{quote_name(name)})" if reader else f"row.{quote_name(name)}"


def _cell(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
