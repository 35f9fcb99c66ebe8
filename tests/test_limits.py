"""What the package refuses as a whole, because it could not keep its promises otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run, write_file
from hypothesis import given
from hypothesis import strategies as st

from genai_graph import (
    Dataset,
    Experiment,
    FixtureError,
    Metric,
    atomic,
    check,
    connect,
    load,
    query,
)
from genai_graph.database import Connection
from genai_graph.errors import PropertyError, QueryError, TransactionError, UnsupportedError
from genai_graph.storage.batching import SIZED_TOGETHER, batch_by_key
from genai_graph.storage.rows import NodeRow


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
    ({"steps": [1]}, "steps: expected steps and values together: give or remove both"),
    ({"values": [1.0]}, "values: expected steps and values together: give or remove both"),
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


def test_a_part_of_a_history_is_not_joined_with_that_of_the_graph(graph: Connection) -> None:
    uid = Experiment(uid="e").save().record("loss", values=[0.5], steps=[1]).uid
    for part in ({"steps": [1, 2]}, {"values": [0.5, 0.25]}, {"steps": None}, {"values": None}):
        with pytest.raises(PropertyError, match=r"Metric.\w+: expected steps and values together"):
            Metric.upsert(uid=uid, **part)
        [name] = part
        line = json.dumps({"node": "Metric", "uid": uid, "props": part})
        with pytest.raises(FixtureError, match=f"f.jsonl:2: Metric 'e/loss': {name}: expected"):
            load(write_file("f.jsonl", f'{{"format": "genai_graph/1"}}\n{line}\n'))
    assert Metric.upsert(uid=uid, steps=[1, 2], values=[0.5, 0.25]).values == [0.5, 0.25]
    assert Metric.upsert(uid=uid, steps=None, values=None).steps == []


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


LONG = 8 * 2**20 + 1


def test_a_text_that_an_engine_would_not_take_is_refused_on_every_way(cli: Run) -> None:
    long = "x" * LONG
    for values, problem in (
        ({"description": long}, f"description: a string may have {LONG - 1} bytes of UTF-8, this"),
        ({"tags": ["a", long]}, f"tags: item 2: a string may have {LONG - 1} bytes of UTF-8, this"),
        ({"metadata": {"a": long}}, f"metadata: JSON may have {LONG - 1} bytes of UTF-8, this has"),
    ):
        with pytest.raises(PropertyError, match=f"Dataset.{problem}"):
            Dataset(name="d", **values)
        line = json.dumps({"node": "Dataset", "uid": "d", "props": values})
        result = cli("check", write_file("f.jsonl", f'{{"format": "genai_graph/1"}}\n{line}\n'))
        assert f"f.jsonl:2: Dataset 'd': {problem}" in result.stderr
        Path("folder").mkdir(exist_ok=True)
        cells = {"description": long, "tags": f"a;{long}", "metadata": f'"{{""a"":""{long}""}}"'}
        [name] = values
        column = {"tags": "tags:string[]"}.get(name, name)
        write_file("folder/Dataset.csv", f"uid:ID(Dataset),{column}\nd,{cells[name]}\n")
        assert f"Dataset.csv:2: Dataset 'd': {problem}" in cli("check", "folder").stderr


def test_large_values_are_written_in_statements_that_an_engine_takes(graph: Connection) -> None:
    # 17 MB: the embedded engine takes 16 MiB unless it is told otherwise.
    text = "x" * 5_700_000
    rows = [{"node": "Dataset", "uid": uid, "props": {"description": text}} for uid in "abc"]
    lines = [{"format": "genai_graph/1"}, *rows]
    assert (
        load(write_file("f.jsonl", "\n".join(map(json.dumps, lines)))).nodes["Dataset"].created == 3
    )
    Dataset(name="d", description=text, location=text, metadata={"text": text}).save()
    whole = "MATCH (d:Dataset) WHERE d.description = $text RETURN count(d) AS count"
    assert query(whole, text=text) == [{"count": 4}]


def test_a_message_that_the_engine_would_never_answer_is_not_sent(embedded: Connection) -> None:
    largest = embedded.largest_message
    assert largest is not None
    text = "x" * 10_000_000
    with pytest.raises(QueryError, match=rf"may have {largest:,} bytes on this engine.*send less"):
        query("RETURN size($texts) AS size", texts=[text] * (largest // len(text) + 1))
    assert query("RETURN size($texts) AS size", texts=[text] * 6) == [{"size": 6}]


def test_a_batch_ends_at_its_rows_or_at_its_bytes() -> None:
    rows = [NodeRow(str(at), {"description": "x" * 3 * 2**20}) for at in range(4)]
    small = [NodeRow(str(at), {}) for at in range(4)]
    assert [len(batch) for _, batch in batch_by_key(rows, type, 5_000)] == [3, 1]
    assert [len(batch) for _, batch in batch_by_key(rows, type, 2)] == [2, 2]
    assert [len(batch) for _, batch in batch_by_key(small, type, 5_000)] == [4]


# Runs of a group: many small rows, or some of megabytes.
_RUN = st.one_of(
    st.tuples(st.integers(1, 3 * SIZED_TOGETHER), st.just(0)),
    st.tuples(st.integers(1, 4), st.sampled_from([3, 9])),
)
_SIZES = [1, 2, *(SIZED_TOGETHER + more for more in (-1, 0, 1)), 3 * SIZED_TOGETHER]


@given(st.lists(st.tuples(st.sampled_from("ab"), _RUN), max_size=8), st.sampled_from(_SIZES))
def test_batches_hold_all_rows_of_their_group_in_order_and_none_more_than_fit(
    runs: list[tuple[str, tuple[int, int]]], size: int
) -> None:
    rows = [(group, megabytes) for group, (length, megabytes) in runs for _ in range(length)]
    text = {megabytes: "x" * (megabytes * 2**20) for megabytes in (0, 3, 9)}
    nodes = [
        NodeRow(f"{group}{at}", {"description": text[megabytes]})
        for at, (group, megabytes) in enumerate(rows)
    ]
    found: dict[str, list[list[NodeRow]]] = {"a": [], "b": []}
    for group, batch in batch_by_key(nodes, lambda row: row.uid[0], size):
        found[group].append(batch)
    for group, batches in found.items():
        assert list(chain.from_iterable(batches)) == [row for row in nodes if row.uid[0] == group]
        full = [len(batch) == size or _megabytes(batch) > 8 for batch in batches]
        assert all(full[:-1]), "only the last ends for want of rows"
        assert all(len(batch) <= size and _megabytes(batch[:-1]) <= 8 for batch in batches)


def _megabytes(rows: list[NodeRow]) -> int:
    return sum(len(row.given["description"]) for row in rows) // 2**20
