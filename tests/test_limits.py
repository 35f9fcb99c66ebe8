"""Limits: inputs that are rejected because no engine, or no guarantee, supports them."""

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
from genai_graph.errors import (
    DeclarationError,
    NodeSetTypeError,
    PropertyError,
    QueryError,
    TransactionError,
)
from genai_graph.storage.batching import batch_by_key
from genai_graph.storage.rows import NodeRow


def test_node_classes_can_not_be_subclassed() -> None:
    # A subclass would have another label, without a unique uid.
    with pytest.raises(DeclarationError, match="Own: Dataset can't be subclassed: add properties"):
        type("Own", (Dataset,), {"__module__": "user.program"})


HISTORIES = [
    (
        {"steps": [1, 2, 3], "values": [1.0]},
        "values: expected as many values as steps, got 1 and 3",
    ),
    (
        {"steps": [2, 1], "values": [1.0, 2.0]},
        "steps: expected steps in ascending order, each once",
    ),
    (
        {"steps": [1, 1], "values": [1.0, 2.0]},
        "steps: expected steps in ascending order, each once",
    ),
    ({"steps": [1]}, "steps: expected steps and values together: give or remove both"),
    ({"values": [1.0]}, "values: expected steps and values together: give or remove both"),
]


@pytest.mark.parametrize(("history", "message"), HISTORIES)
def test_invalid_history_is_rejected(history: dict[str, Any], message: str) -> None:
    with pytest.raises(PropertyError, match=f"Metric.{message}"):
        Metric(uid="m", name="loss", value=1.0, **history)


@pytest.mark.parametrize(("history", "message"), HISTORIES)
def test_invalid_history_is_rejected_in_yaml(history: dict[str, Any], message: str) -> None:
    entry = json.dumps({"value": 1, **history})
    Path("f.yaml").write_text(
        f"format: genai_graph/1\nExperiment:\n  e:\n    metrics: {{loss: {entry}}}\n".replace(
            "'", ""
        )
    )
    with pytest.raises(FixtureError, match=f"f.yaml:4: Metric 'e/loss': {message}"):
        check("f.yaml")


def test_invalid_history_is_rejected_in_json_lines() -> None:
    Path("f.jsonl").write_text(
        '{"format": "genai_graph/1"}\n{"node": "Experiment", "uid": "e"}\n'
        '{"node": "Metric", "uid": "e/loss", "props": {"value": 1, "steps": [1], "values": []}}\n'
        '{"edge": "HAS", "from": ["Experiment", "e"], "to": ["Metric", "e/loss"]}\n'
    )
    with pytest.raises(FixtureError, match=r"f.jsonl:3: Metric 'e/loss': values: expected as many"):
        check("f.jsonl")


def test_partial_history_is_not_merged_with_the_stored_one(graph: Connection) -> None:
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


def test_metric_name_repeated_in_its_entry_is_rejected() -> None:
    Path("f.yaml").write_text(
        "format: genai_graph/1\nExperiment:\n  e:\n    metrics: {x: {value: 1, name: y}}\n"
    )
    with pytest.raises(FixtureError, match=r"f.yaml:4: .*name: already given by the key above"):
        check("f.yaml")


def test_concurrent_writes_of_asyncio_tasks_are_rejected(embedded: Connection) -> None:
    async def write(name: str) -> None:
        with atomic():
            Dataset.upsert(name=name)
            await asyncio.sleep(0.2)

    async def write_both() -> list[BaseException | None]:
        return await asyncio.gather(write("a"), write("b"), return_exceptions=True)

    first, second = asyncio.run(write_both())
    assert first is None
    assert isinstance(second, TransactionError)
    assert [node.name for node in Dataset.nodes.all()] == ["a"]


def test_connect_in_a_transaction_is_rejected(graph: Connection) -> None:
    with atomic(), pytest.raises(TransactionError, match="end it before you connect elsewhere"):
        connect(writer_timeout=50)


def test_bulk_save_rejects_nodes_of_another_class(graph: Connection) -> None:
    run = Experiment(name="run")
    with pytest.raises(NodeSetTypeError, match="bulk_save: expected a Dataset, got <Experiment"):
        Dataset.nodes.bulk_save([Dataset(name="a"), run])
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 0}]


@pytest.mark.skipif(os.name == "nt", reason="needs make")
def test_make_demo_refuses_to_use_a_server() -> None:
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


def test_too_long_text_is_rejected_everywhere(cli: Run) -> None:
    long = "x" * LONG
    for values, problem in (
        (
            {"description": long},
            f"description: a string is limited to {LONG - 1} bytes of UTF-8, got",
        ),
        (
            {"tags": ["a", long]},
            f"tags: item 2: a string is limited to {LONG - 1} bytes of UTF-8, got",
        ),
        ({"metadata": {"a": long}}, f"metadata: JSON is limited to {LONG - 1} bytes of UTF-8, got"),
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


def test_large_values_are_split_into_several_statements(graph: Connection) -> None:
    # 17 MB: the default limit of the embedded engine is 16 MiB.
    text = "x" * 5_700_000
    rows = [{"node": "Dataset", "uid": uid, "props": {"description": text}} for uid in "abc"]
    lines = [{"format": "genai_graph/1"}, *rows]
    assert (
        load(write_file("f.jsonl", "\n".join(map(json.dumps, lines)))).nodes["Dataset"].created == 3
    )
    Dataset(name="d", description=text, location=text, metadata={"text": text}).save()
    whole = "MATCH (d:Dataset) WHERE d.description = $text RETURN count(d) AS count"
    assert query(whole, text=text) == [{"count": 4}]


@pytest.mark.slow
def test_too_large_message_is_rejected_before_sending(embedded: Connection) -> None:
    largest = embedded.largest_message
    assert largest is not None
    text = "x" * 10_000_000
    with pytest.raises(QueryError, match=rf"the limit of this engine is {largest:,}: send smaller"):
        query("RETURN size($texts) AS size", texts=[text] * (largest // len(text) + 1))
    assert query("RETURN size($texts) AS size", texts=[text] * 2) == [{"size": 2}]


def test_batch_ends_at_the_row_or_byte_limit() -> None:
    large = [NodeRow(str(number), {}, 3 * 2**20) for number in range(4)]
    small = [NodeRow(str(number), {}, 16) for number in range(4)]
    assert [len(batch) for _, batch in batch_by_key(large, type, 5_000)] == [3, 1]
    assert [len(batch) for _, batch in batch_by_key(large, type, 2)] == [2, 2]
    assert [len(batch) for _, batch in batch_by_key(small, type, 5_000)] == [4]


# Runs of rows with one key: (key, number of rows, megabytes of each row).
_RUN = st.one_of(
    st.tuples(st.sampled_from("ab"), st.integers(1, 60), st.just(0)),
    st.tuples(st.sampled_from("ab"), st.integers(1, 4), st.sampled_from([3, 9])),
)


@given(st.lists(_RUN, max_size=8), st.sampled_from([1, 2, 19, 20, 21, 60]))
def test_batches_preserve_order_and_limits(runs: list[tuple[str, int, int]], size: int) -> None:
    keys = [(key, megabytes) for key, length, megabytes in runs for _ in range(length)]
    rows = [
        NodeRow(f"{key}{number}", {}, megabytes * 2**20)
        for number, (key, megabytes) in enumerate(keys)
    ]
    batches: dict[str, list[list[NodeRow]]] = {"a": [], "b": []}
    for key, batch in batch_by_key(rows, lambda row: row.uid[0], size):
        batches[key].append(batch)
    for key, found in batches.items():
        assert list(chain.from_iterable(found)) == [row for row in rows if row.uid[0] == key]
        is_full = [len(batch) == size or _megabytes(batch) >= 8 for batch in found]
        assert all(is_full[:-1]), "only the last batch may be smaller"
        assert all(len(batch) <= size and _megabytes(batch[:-1]) < 8 for batch in found)


def _megabytes(rows: list[NodeRow]) -> float:
    return sum(row.size for row in rows) / 2**20
