"""LOAD CSV on Neo4j: the server reads CSV files from a local web server."""

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
from genai_graph.registry import EdgeType
from genai_graph.storage.batching import BATCH_ROWS
from genai_graph.storage.rows import now

if TYPE_CHECKING:
    import neo4j

    from benchmarks.engines import Engine

_CONVERSIONS = {bool: "toBoolean", int: "toInteger", float: "toFloat", datetime: "datetime"}


class Table(NamedTuple):
    """A CSV file and the Cypher clauses that merge one of its rows."""

    file: str
    cypher: str


def prepare(engine: Engine, sample: Sample, parent: Path) -> Callable[[], None]:
    """Write the rows as CSV files, and return a function that loads them."""
    directory = parent / f"csv-{sample.entities}"
    directory.mkdir(exist_ok=True)
    tables = [_node_table(directory, label, rows) for label, rows in sample.nodes.items()]
    tables += [_edge_table(directory, edge_type, rows) for edge_type, rows in sample.edges.items()]

    def write() -> None:
        with _serve(directory) as address, engine.session() as session:
            if sample.fits_one_transaction:
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


def _node_table(directory: Path, label: str, rows: list[tuple[str, Values]]) -> Table:
    lines = [{"uid": uid, **values} for uid, values in rows]
    props = _assignments([values for _, values in rows])
    cypher = (
        f"MERGE (n:{quote_name(label)} {{uid: row.uid}}) "
        f"SET n.created_at = $now, n.updated_at = $now, n += {props}"
    )
    return _table(directory, f"{label}.csv", lines, cypher)


def _edge_table(directory: Path, edge_type: EdgeType, rows: list[tuple[str, str, Values]]) -> Table:
    lines = [{"source": source, "target": target, **values} for source, target, values in rows]
    cypher = (
        f"MATCH (a:{quote_name(edge_type.source)} {{uid: row.source}}) "
        f"MATCH (b:{quote_name(edge_type.target)} {{uid: row.target}}) "
        f"MERGE {edge_type.pattern} SET r += {_assignments([values for *_, values in rows])}"
    )
    return _table(
        directory, f"{edge_type.source}-{edge_type.type}-{edge_type.target}.csv", lines, cypher
    )


def _table(directory: Path, name: str, lines: list[dict[str, Any]], cypher: str) -> Table:
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with (directory / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for line in lines:
            writer.writerow({column: _cell(value) for column, value in line.items()})
    return Table(name, cypher)


def _assignments(rows: list[Values]) -> str:
    """Return a Cypher map of all properties, read from their columns."""
    values = {name: value for row in rows for name, value in row.items()}
    return "{" + ", ".join(f"{name}: {_column(name, values[name])}" for name in values) + "}"


def _column(name: str, value: object) -> str:
    conversion = _CONVERSIONS.get(type(value))
    return f"{conversion}(row.{quote_name(name)})" if conversion else f"row.{quote_name(name)}"


def _cell(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


@contextmanager
def _serve(directory: Path) -> Iterator[str]:
    handler = functools.partial(_QuietHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
