"""Clearing the graph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run

from genai_graph import Connection, Dataset, Model, Project, clear, load, query, schema
from genai_graph.exchange.progress import Progress


class ProgressRecorder(Progress):
    """Records the progress, and interrupts after some parts."""

    def __init__(self, stop_after: int = 1_000_000) -> None:
        self.total = 0
        self.parts: list[int] = []
        self._stop_after = stop_after

    def start(self, stage: str, total: int) -> None:
        """Record the size of the stage."""
        self.total = total

    def advance(self, amount: int) -> None:
        """Record the part, or raise `KeyboardInterrupt`."""
        self.parts.append(amount)
        if len(self.parts) >= self._stop_after:
            raise KeyboardInterrupt


def load_hub(count: int) -> None:
    rows = [
        {"format": "genai_graph/1"},
        {"node": "Dataset", "uid": "hub"},
        {"node": "Project", "uid": "p"},
    ]
    for number in range(count):
        uid = f"m{number}"
        rows += [
            {"node": "Model", "uid": uid, "props": {"license": "MIT"}},
            {"edge": "TRAINED_ON", "from": ["Model", uid], "to": ["Dataset", "hub"]},
            {"edge": "HAS", "from": ["Project", "p"], "to": ["Model", uid]},
        ]
    Path("hub.jsonl").write_text("\n".join(map(json.dumps, rows)))
    load("hub.jsonl")


def test_clear_deletes_all_nodes_and_returns_their_numbers(graph: Connection) -> None:
    load_hub(20)
    assert clear() == {"Project": 1, "Dataset": 1, "Model": 20}
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 0}]
    assert clear() == {}


def test_clear_keeps_nodes_with_other_labels(graph: Connection) -> None:
    query("CREATE (:Other {uid: 'x'})", write=True)
    Project(name="p").save()
    assert clear() == {"Project": 1}
    assert query("MATCH (n:Other) RETURN n.uid AS uid") == [{"uid": "x"}]


def test_clear_deletes_in_batches_and_reports_progress(graph: Connection) -> None:
    load_hub(20)
    recorder = ProgressRecorder()
    clear(batch_size=8, progress=recorder)
    assert (recorder.total, recorder.parts) == (22, [1, 1, 8, 8, 4])


def test_schema_is_complete_after_clear(graph: Connection) -> None:
    load_hub(3)
    clear()
    assert not schema.check()


def test_interrupted_clear_leaves_whole_batches_and_the_schema(graph: Connection) -> None:
    load_hub(20)
    with pytest.raises(KeyboardInterrupt):
        clear(batch_size=8, progress=ProgressRecorder(stop_after=3))
    assert len(Model.nodes) == 12
    assert len(Dataset.nodes) == 0
    assert not schema.check()
    assert clear() == {"Model": 12}


def test_command_asks_for_confirmation(graph: Connection, cli: Run) -> None:
    load_hub(2)
    refused = cli("clear", input="n\n")
    assert refused.exit_code == 1
    assert "Delete 1 Project, 1 Dataset, 2 Model, and their edges?" in refused.stderr
    assert len(Model.nodes) == 2
    done = cli("clear", "--yes")
    assert (done.exit_code, done.stderr) == (0, "deleted 1 Project, 1 Dataset, 2 Model\n")
    assert cli("clear", "--yes").stderr == "nothing to delete\n"
