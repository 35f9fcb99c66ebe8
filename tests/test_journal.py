"""Journals: JSON Lines in which nodes recur and points are added to metrics."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from conftest import Run, errors_of, write_file

from genai_graph import Experiment, Metric, Model, check, dump, load, verify
from genai_graph.database import Connection

HEADER = '{"format": "genai_graph/1", "journal": {}}\n'
RUN = '{"node":"Experiment","uid":"r","props":{"status":"RUNNING","parameters":{"lr":0.1}}}\n'
LOSS = (
    '{"edge":"HAS","from":["Experiment","r"],"to":["Metric","r/loss"]}\n'
    '{"node":"Metric","uid":"r/loss","props":{"name":"loss","steps":[0],"values":[1.0]}}\n'
)


def point(step: int, value: float | str) -> str:
    return json.dumps({"point": "r/loss", "value": value, "step": step}) + "\n"


def history(uid: str = "r/loss") -> dict[int, float]:
    metric = Metric.nodes.get(uid=uid)
    assert metric.step == metric.steps[-1]
    assert metric.value == metric.values[-1] or math.isnan(metric.value)
    return dict(zip(metric.steps, metric.values, strict=True))


def test_points_and_values_are_merged(graph: Connection) -> None:
    finished = (
        '{"node":"Experiment","uid":"r","props":{"status":"FINISHED","parameters":{"depth":6}}}\n'
    )
    journal = HEADER + RUN + LOSS + point(2, 0.5) + point(1, 0.75) + point(2, "NaN") + finished
    report = load(write_file("run.jsonl", journal))
    assert report.nodes["Experiment"].created == report.nodes["Metric"].created == 1
    run = Experiment.nodes.get(uid="r")
    assert run.status == "FINISHED"
    assert run.parameters == {"lr": 0.1, "depth": 6}
    assert {**history(), 2: None} == {0: 1.0, 1: 0.75, 2: None}
    assert math.isnan(history()[2])
    again = load("run.jsonl")
    assert {counts.unchanged for counts in again.nodes.values()} == {1}
    assert not list(verify())


def test_value_of_a_step_is_kept_when_the_history_begins(graph: Connection) -> None:
    run = Experiment(uid="r").save()
    for name, step in [("loss", 3), ("error", 9)]:
        metric = run.record(name, 0.0)
        Metric.upsert(uid=metric.uid, value=0.5, step=5)  # as a fixture without a history does
        run.record(name, 0.25, step=step)
        assert history(metric.uid) == {5: 0.5, step: 0.25}
    for step in (3, 9):
        Metric.upsert(uid="r/loss", value=0.5, step=5, steps=None, values=None)
        load(write_file(f"{step}.jsonl", HEADER + point(step, 0.25)))
        assert history() == {5: 0.5, step: 0.25}
    assert not list(verify())


def test_points_are_added_to_a_stored_history(graph: Connection) -> None:
    load(write_file("first.jsonl", HEADER + RUN + LOSS + point(5, 0.5)))
    # After the stored steps, between them, and over one of them.
    for name, points, expected in [
        ("later", point(6, 0.25) + point(7, -0.0), {0: 1.0, 5: 0.5, 6: 0.25, 7: -0.0}),
        ("between", point(2, 0.75), {0: 1.0, 2: 0.75, 5: 0.5, 6: 0.25, 7: -0.0}),
        ("over", point(0, 2.0), {0: 2.0, 2: 0.75, 5: 0.5, 6: 0.25, 7: -0.0}),
    ]:
        report = load(write_file(f"{name}.jsonl", HEADER + points))
        assert report.nodes["Metric"].changed == 1
        assert history() == expected
        assert load(f"{name}.jsonl").nodes["Metric"].unchanged == 1
    assert not list(verify())


def test_maps_and_tags_are_merged_with_stored_ones(graph: Connection) -> None:
    Experiment(uid="r", parameters={"lr": 0.5, "seed": 1}, tags=["baseline", "team=a"]).save()
    tags = '{"node":"Experiment","uid":"r","props":{"tags":["team=b","gpu"]}}\n'
    load(write_file("run.jsonl", HEADER + RUN + tags))
    run = Experiment.nodes.get(uid="r")
    assert run.parameters == {"lr": 0.1, "seed": 1}
    assert run.tags == ["baseline", "team=b", "gpu"]


def test_incomplete_ends_are_skipped(graph: Connection, caplog: pytest.LogCaptureFixture) -> None:
    edge = '{"edge":"RUN","from":["Experiment","r"],"to":["Model","m"]}\n'
    torn = HEADER + RUN + '{"point":"r/lo\x18\n' + LOSS + edge + '{"node":"Mod'
    load(write_file("run.jsonl", torn))
    assert [record.getMessage() for record in caplog.records] == [
        "run.jsonl:7: the last line is incomplete: skipped"
    ]
    assert history() == {0: 1.0}
    assert not Model.nodes.exists()


def test_a_large_history_is_appended_in_slices(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genai_graph.storage.histories.SLICE_POINTS", 7)
    expected = {step: 1 / (step + 1) for step in range(20)}
    lines = [point(step, value) for step, value in expected.items()]
    load(write_file("run.jsonl", HEADER + RUN + LOSS + "".join(lines)))
    assert history() == expected
    load(write_file("first.jsonl", HEADER + point(-1, 9.0)))
    assert history() == {-1: 9.0, **expected}


def test_errors_in_journals() -> None:
    write_file("run.jsonl", HEADER + RUN + '{"point":"r/loss","value":"high","step":"1"}\n')
    assert errors_of("run.jsonl") == [
        "run.jsonl:3: Metric 'r/loss': value: expected a number, got 'high'",
        "run.jsonl:3: Metric 'r/loss': step: expected an integer, got '1'",
    ]
    write_file("run.jsonl", HEADER + '{"point":"r/loss","value":1,"time":2}\n{"point":1}\n')
    assert errors_of("run.jsonl") == [
        "run.jsonl:2: unknown key 'time': expected point, value, step",
        "run.jsonl:2: Metric 'r/loss': step: expected an integer, got nothing",
        "run.jsonl:3: point: expected a uid, got 1",
    ]
    write_file("run.jsonl", HEADER + point(1, 0.5))
    assert errors_of("run.jsonl") == [
        "run.jsonl:2: Metric 'r/loss': has no Experiment: nest it under one, or add an edge "
        "Experiment-HAS->Metric"
    ]
    write_file("plain.jsonl", '{"format": "genai_graph/1"}\n' + point(1, 0.5))
    assert errors_of("plain.jsonl") == [
        'plain.jsonl:2: points are read in journals only: add "journal": {} to the header'
    ]


def test_compressed_journals_and_dumps(graph: Connection, cli: Run) -> None:
    Path("run.jsonl.gz").write_bytes(gzip.compress((HEADER + RUN + LOSS).encode()))
    assert check("run.jsonl.gz") == (2, 1)
    assert cli("load", "run.jsonl.gz").exit_code == 0
    dump("dumped.jsonl")
    assert load("dumped.jsonl").nodes["Metric"].unchanged == 1
