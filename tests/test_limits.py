"""What the package refuses as a whole, because it could not keep its promises otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from genai_graph import Dataset, Experiment, FixtureError, Metric, atomic, check, connect, query
from genai_graph.database import Connection
from genai_graph.errors import PropertyError, TransactionError, UnsupportedError


def test_the_five_classes_can_not_be_extended() -> None:
    # Its nodes would have another label, without a unique uid.
    with pytest.raises(UnsupportedError, match="Own: the five classes can't be extended"):
        type("Own", (Dataset,), {"__module__": "their.program"})


HISTORIES = [
    (
        {"steps": [1, 2, 3], "values": [1.0]},
        "values: expected as many values as steps, got 1 and 3",
    ),
    ({"steps": [2, 1], "values": [1.0, 2.0]}, "steps: expected steps that rise, each once"),
    ({"steps": [1, 1], "values": [1.0, 2.0]}, "steps: expected steps that rise, each once"),
]


@pytest.mark.parametrize(("history", "message"), HISTORIES)
def test_a_history_that_is_none_is_refused(history: dict[str, Any], message: str) -> None:
    with pytest.raises(PropertyError, match=f"Metric.{message}"):
        Metric(uid="m", name="loss", value=1.0, **history)


@pytest.mark.parametrize(("history", "message"), HISTORIES)
def test_a_history_that_is_none_is_refused_in_fixtures(
    history: dict[str, Any], message: str
) -> None:
    entry = json.dumps({"value": 1, **history})
    Path("f.yaml").write_text(
        f"format: genai_graph/1\nExperiment:\n  e:\n    metrics: {{loss: {entry}}}\n".replace(
            "'", ""
        )
    )
    with pytest.raises(FixtureError, match=f"f.yaml:4: Metric 'e/loss': {message}"):
        check("f.yaml")


def test_a_history_that_is_none_is_refused_in_json_lines() -> None:
    Path("f.jsonl").write_text(
        '{"format": "genai_graph/1"}\n{"node": "Experiment", "uid": "e"}\n'
        '{"node": "Metric", "uid": "e/loss", "props": {"value": 1, "steps": [1], "values": []}}\n'
        '{"edge": "HAS", "from": ["Experiment", "e"], "to": ["Metric", "e/loss"]}\n'
    )
    with pytest.raises(FixtureError, match=r"f.jsonl:3: Metric 'e/loss': values: expected as many"):
        check("f.jsonl")


def test_the_name_of_a_metric_is_its_key() -> None:
    Path("f.yaml").write_text(
        "format: genai_graph/1\nExperiment:\n  e:\n    metrics: {x: {value: 1, name: y}}\n"
    )
    with pytest.raises(FixtureError, match=r"f.yaml:4: .*name: is the key above"):
        check("f.yaml")


def test_two_tasks_of_one_thread_do_not_write_at_once(embedded: Connection) -> None:
    async def write(name: str) -> None:
        with atomic():
            Dataset.upsert(name=name)
            await asyncio.sleep(0.2)

    async def both() -> list[BaseException | None]:
        return await asyncio.gather(write("a"), write("b"), return_exceptions=True)

    first, second = asyncio.run(both())
    assert first is None
    assert isinstance(second, TransactionError)
    assert [node.name for node in Dataset.nodes.all()] == ["a"]


def test_no_other_connection_is_opened_in_a_transaction(graph: Connection) -> None:
    with atomic(), pytest.raises(TransactionError, match="end it before you connect elsewhere"):
        connect()


def test_bulk_save_takes_nodes_of_its_class_only(graph: Connection) -> None:
    run = Experiment(name="run")
    with pytest.raises(UnsupportedError, match=r"Dataset.bulk_save: got <Experiment"):
        Dataset.nodes.bulk_save([Dataset(name="a"), run])
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 0}]


@pytest.mark.skipif(os.name == "nt", reason="make is for Unix")
def test_the_demo_does_not_write_to_a_server_of_the_user() -> None:
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(
            ["make", "-o", ".venv/.installed", "demo"],
            cwd=ROOT,
            env={**os.environ, "NEO4J_URI": "bolt://127.0.0.1:1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "unset NEO4J_URI" in done.stderr
