"""Comparison of experiments side by side."""

from __future__ import annotations

import json
import math
import sys

import pytest
from conftest import Run

from genai_graph import Connection, Dataset, Experiment, Model, compare, query
from genai_graph.errors import MissingExtraError, NodeNotFoundError, SearchError


@pytest.fixture
def runs(graph: Connection) -> None:
    data = Dataset(name="data").save()
    for uid, lr, accuracy, loss in (("a", 0.1, 0.9, 0.3), ("b", 0.01, 0.8, 0.2)):
        run = Experiment(uid=uid, status="FINISHED", parameters={"lr": lr, "opt": {"name": "adam"}})
        run.save()
        run.record("accuracy", accuracy, dataset=data, split="test")
        run.record("loss", loss)
        run.record("custom", loss)
    Experiment.nodes.get(uid="a").record("cost", 1.0, greater_is_better=False)
    Experiment(uid="c <b>", status="FAILED", parameters={"new": [1, None]}).save().record(
        "loss", math.nan
    )


def test_compare(runs: None) -> None:
    found = compare("a", Experiment.nodes.get(uid="b"))
    assert [value.key for value in found if value.differs] == [
        "parameters.lr",
        "metrics.accuracy (data, test)",
        "metrics.cost",
        "metrics.custom",
        "metrics.loss",
    ]
    assert [value.key for value in found if not value.differs] == [
        "status",
        "parameters.opt.name",
    ]
    assert found["metrics.accuracy (data, test)"].best == ("a",)
    assert found["metrics.loss"].best == ("b",)
    assert found["metrics.custom"].best == found["metrics.cost"].best == ()
    frame = found.to_pandas()
    assert list(frame.columns) == ["a", "b"]
    assert frame.loc["parameters.lr", "b"] == 0.01
    with pytest.raises(KeyError, match="unknown"):
        found["unknown"]
    assert compare("a", "c <b>")["metrics.loss"].best == ("a",)  # NaN is no value
    assert len(found) == len(list(found)) == len(found.table())
    by_search = compare(search="parameters.lr > 0", order_by=["parameters.lr"])
    assert by_search.uids == ("b", "a")


def test_metrics_of_several_models(runs: None) -> None:
    """Scores of several models of a run are different rows; one model of each run is not."""
    a, b = (Experiment.nodes.get(uid=uid) for uid in "ab")
    for run, name, score in ((a, "small", 0.7), (a, "large", 0.8), (b, "large", 0.6)):
        run.record("f1", score, model=Model.upsert(name=name), split="test")
    for run, score in ((a, 0.1), (b, 0.2)):
        run.record("auc", score, model=Model.upsert(name=f"model of {run.uid}"))
    found = {value.key: value for value in compare("a", "b")}
    assert dict(found["metrics.f1 (test, small)"].values) == {"a": 0.7, "b": None}
    assert dict(found["metrics.f1 (test, large)"].values) == {"a": 0.8, "b": 0.6}
    assert found["metrics.auc"].best == ("b",)


def test_html(runs: None, cli: Run) -> None:
    page = cli("compare", "a", "c <b>", "--format", "html").stdout
    assert "c &lt;b&gt;" in page
    assert "<b>" not in page.replace("<body>", "")
    assert "0.9" in compare("a", "b")._repr_html_()


def test_learning_curves(runs: None, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for uid in ("a", "b"):
        run = Experiment.nodes.get(uid=uid)
        run.record("error", values=[1.0, 0.5, 0.25], dataset=Dataset.nodes.get(uid="data"))
    run.record("<i>only b</i>", values=[1.0, math.nan])
    plot = compare("c <b>", "a", "b").plot()
    assert {title: [curve.name for curve in curves] for title, curves in plot.panels.items()} == {
        "<i>only b</i>": ["a", "b"],
        "error (data)": ["a", "b"],
    }
    assert plot.panels["error (data)"][1].values == [1.0, 0.5, 0.25]
    assert list(compare("a", "b").plot("error").panels) == ["error (data)"]
    page = cli("compare", "a", "b", "--format", "html").stdout
    assert page.count("<svg") == 1
    assert "error (data)" in page[page.index("<svg") :]
    assert "&lt;i&gt;only b&lt;/i&gt;" in page[page.index("<svg") :]
    assert "<i>" not in page
    assert "<script" not in page
    assert "<svg" not in compare("a", "c <b>").to_html().replace("<svg", "", 1)
    query("MATCH (m:Metric {uid: 'a/error/data'}) SET m.steps = 5", write=True)
    assert compare("a", "b").plot("error").panels["error (data)"][0].name == "b"
    monkeypatch.setattr("genai_graph.pictures.curves.find_spec", lambda name: None)
    assert "<svg" not in compare("a", "b").to_html()


def test_command(runs: None, cli: Run) -> None:
    table = cli("compare", "a", "b").stdout
    assert "0.9 *" in table
    rows = json.loads(cli("compare", "a", "b", "--format", "json").stdout)
    assert rows[0] == {
        "key": "parameters.lr",
        "differs": True,
        "best": [],
        "values": {"a": 0.1, "b": 0.01},
    }
    lines = cli("compare", "--search", "status = 'FINISHED'", "--format", "csv").stdout.splitlines()
    assert lines[0] in ("key,a,b", "key,b,a")
    assert cli("compare", "a").exit_code == 2


def test_without_pandas(runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"genai-graph\[pandas\]"):
        compare("a", "b").to_pandas()


def test_errors(runs: None) -> None:
    with pytest.raises(NodeNotFoundError, match="'nothing'"):
        compare("a", "nothing")
    with pytest.raises(SearchError, match="at least two"):
        compare(search="uid = 'a'")
