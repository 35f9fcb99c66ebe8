"""Import of MLflow stores in PostgreSQL and MariaDB, which the tests start on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import database_servers
import pytest
from test_import_mlflow import Graph, unpack
from test_import_mlflow_server import import_lines

from genai_graph.errors import ImportSourceError
from genai_graph.importers.mlflow.database import _with_driver
from genai_graph.importers.mlflow.tables import TABLES

sqlalchemy: Any = pytest.importorskip("sqlalchemy")


def copy_store(name: str, uri: str) -> None:
    """Copy the tables of a store in SQLite to another database."""
    source = sqlalchemy.create_engine(f"sqlite:///{name}")
    target = sqlalchemy.create_engine(_with_driver(sqlalchemy.make_url(uri)))
    metadata = sqlalchemy.MetaData()
    metadata.reflect(source, only=lambda table, _: table in (*TABLES, "alembic_version"))
    for table in metadata.tables.values():
        for index in list(table.indexes):  # some have names of SQLite only
            table.indexes.discard(index)
        for constraint in list(table.constraints):
            if not isinstance(constraint, sqlalchemy.PrimaryKeyConstraint):
                table.constraints.discard(constraint)
        for column in table.columns:
            column.server_default, column.autoincrement = None, False
            column.foreign_keys.clear()
            if isinstance(column.type, sqlalchemy.Float):
                column.type = sqlalchemy.Float(53)  # as in the models of MLflow
    metadata.create_all(target)
    with source.connect() as reader, target.begin() as writer:
        for table in metadata.tables.values():
            rows = [dict(row._mapping) for row in reader.execute(table.select())]
            if rows:
                writer.execute(table.insert(), rows)
    source.dispose()
    target.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("start", [database_servers.postgresql, database_servers.mariadb])
@pytest.mark.parametrize("store", ["3.17.db", "1.30.db"])
def test_a_server_gives_the_graph_of_sqlite(
    start: Callable[[], contextlib.AbstractContextManager[str]], store: str
) -> None:
    expected = import_lines(unpack(store))
    with start() as uri:
        copy_store(store, uri)
        assert import_lines(uri) == expected
        origins = {p["origin"] for p in Graph("out.jsonl").nodes["Experiment"].values()}
        assert origins == {f"mlflow:{uri.partition('@')[2]}"}
        with pytest.raises(ImportSourceError) as raised:
            import_lines(uri.replace("s3cret", "wr0ng"))
        assert "wr0ng" not in str(raised.value)
        assert "can't be read" in str(raised.value)
