"""Large MLflow stores: the tables of a real store, with generated rows.

MLflow's client takes 26 s for 1,000 runs, so the rows are written by SQL.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genai_graph.storage.batching import batched

_ROOT = Path(__file__).parent.parent
_SCHEMA = _ROOT / "tests" / "data" / "mlflow" / "3.17.db.xz"
_EXPERIMENTS, _DATASETS = 10, 3
METRICS, _PARAMS, _TAGS = 20, 20, 5  # of each run
_LONG_EVERY, _LONG_POINTS = 500, 1_000
_START = 1_760_000_000_000
_KEEP = ("alembic_version",)


def write(path: Path, runs: int, *, steps: int = 0) -> int:
    """Write a store, and return the number of points.

    Every 500th run has a metric of 1,000 points; with `steps`, all metrics have this
    number.
    """
    path.write_bytes(lzma.decompress(_SCHEMA.read_bytes()))
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("BEGIN")
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            if table not in _KEEP and not table.startswith("sqlite_"):
                database.execute(f'DELETE FROM "{table}"')
        _write_shared(database)
        ids = range(runs)
        _insert(database, "runs", map(_run, ids))
        for table, count in (("params", _PARAMS), ("tags", _TAGS)):
            rows = (
                {"run_uuid": _run_id(i), "key": f"{table}.{j}", "value": f"{i * j % 97}"}
                for i in ids
                for j in range(count)
            )
            _insert(database, table, rows)
        _insert(database, "latest_metrics", _metrics(ids, steps, latest=True))
        _insert(database, "metrics", _metrics(ids, steps, latest=False))
        _insert(database, "inputs", map(_input, ids))
        tags = (
            {"input_uuid": f"i{i:031x}", "name": "mlflow.data.context", "value": "training"}
            for i in ids
        )
        _insert(database, "input_tags", tags)
        database.execute("COMMIT")
        (found,) = database.execute("SELECT COUNT(*) FROM metrics").fetchone()
    return int(found)


def _write_shared(database: sqlite3.Connection) -> None:
    experiments = (
        {
            "experiment_id": e,
            "name": f"experiment-{e}",
            "artifact_location": f"/data/{e}",
            "lifecycle_stage": "active",
            "creation_time": _START,
            "last_update_time": _START,
        }
        for e in range(1, _EXPERIMENTS + 1)
    )
    _insert(database, "experiments", experiments)
    schema = json.dumps({"mlflow_colspec": [{"type": "double", "name": "x", "required": True}]})
    datasets = (
        {
            "dataset_uuid": f"d{d:031x}",
            "experiment_id": 1,
            "name": f"data-{d}",
            "digest": f"{d:08x}",
            "dataset_source_type": "local",
            "dataset_source": json.dumps({"uri": f"/data/{d}.csv"}),
            "dataset_schema": schema,
            "dataset_profile": json.dumps({"num_rows": 1000}),
        }
        for d in range(_DATASETS)
    )
    _insert(database, "datasets", datasets)


def _run_id(i: int) -> str:
    return f"{i * 2654435761 % 2**64:016x}{i:016x}"  # in no order of time, as MLflow's


def _run(i: int) -> dict[str, Any]:
    start = _START + i * 60_000
    return {
        "run_uuid": _run_id(i),
        "name": f"run-{i}",
        "source_type": "LOCAL",
        "source_name": "",
        "entry_point_name": "",
        "user_id": f"user-{i % 7}",
        "status": "FINISHED",
        "start_time": start,
        "end_time": start + 50_000,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": f"/data/{i}",
        "experiment_id": 1 + i % _EXPERIMENTS,
    }


def _metrics(ids: range, steps: int, *, latest: bool) -> Iterator[dict[str, Any]]:
    for i in ids:
        for j in range(METRICS):
            is_long = i % _LONG_EVERY == 0 and j == 0
            count = steps or (_LONG_POINTS if is_long else 1)
            for step in [count - 1] if latest else range(count):
                value = 1 / (1 + i % 13 + j + step)
                yield {
                    "key": f"metric.{j}",
                    "value": value,
                    "timestamp": _START + step,
                    "run_uuid": _run_id(i),
                    "step": step,
                    "is_nan": 0,
                }


def _input(i: int) -> dict[str, Any]:
    return {
        "input_uuid": f"i{i:031x}",
        "source_type": "DATASET",
        "source_id": f"d{i % _DATASETS:031x}",
        "destination_type": "RUN",
        "destination_id": _run_id(i),
        "step": 0,
    }


def _insert(database: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    for batch in batched(rows):
        names = list(batch[0])
        places = ", ".join(f":{name}" for name in names)
        database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", batch)
