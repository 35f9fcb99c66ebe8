"""Learning curves: of a metric and of a run, as SVG and on a terminal."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import Run as RunCommand

from genai_graph import Experiment, Metric, start_run
from genai_graph.database import Connection
from genai_graph.errors import MissingExtraError
from genai_graph.pictures.curves import Curve, Plot
from genai_graph.runs.journal_files import find_journals

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _no_journals_before() -> None:
    for journal in find_journals():
        journal.delete()


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    return ["".join(each.itertext()).strip() for each in root.iter(f"{SVG}text")]


@pytest.mark.any_engine
def test_metric_shows_its_curve(
    graph: Connection, cli: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Experiment(uid="r").save()
    metric = run.record("loss", values=[1.0, math.nan, 0.25])
    assert "loss" in texts(metric.plot().svg)
    assert metric._repr_html_().count("<svg") == 1
    assert metric._repr_html_() == Metric.nodes.get(uid="r/loss")._repr_html_()
    shown = cli("show", "Metric", "r/loss").stdout
    assert "1.00┤" in shown
    assert "\x1b" not in shown
    page = cli("show", "Experiment", "r", "--format", "html").stdout
    assert page.count("data:image/svg+xml;base64,") == 1
    assert "<svg" not in run.record("score", 0.5)._repr_html_()
    assert "┤" not in cli("show", "Metric", "r/score").stdout
    run.record("long", values=list(range(5_000)))
    shown = cli("show", "Metric", "r/long").stdout
    assert "19] and 4,980 more\n" in shown
    assert "4999┤" in shown or "4999.0┤" in shown
    monkeypatch.setattr("genai_graph.pictures.curves.find_spec", lambda name: None)
    assert "data:image/svg" not in cli("show", "Experiment", "r", "--format", "html").stdout


def test_run_plots_its_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_GRAPH_OFFLINE", "1")
    with start_run(uid="r") as run:
        for step in range(5):
            run.log_metric("loss", 1 / (step + 1), split="train")
            run.log_metric("loss", 2 / (step + 1), split="val")
            run.log_metric("auc", step / 5)
        plot = run.plot()
    assert {title: len(curves) for title, curves in plot.panels.items()} == {"loss": 2, "auc": 1}
    assert list(run.plot("auc").panels) == ["auc"]
    assert {"loss", "auc", "train", "val"} <= set(texts(plot._repr_svg_() or ""))
    plot.save("curves.svg")
    assert Path("curves.svg").read_text() == plot.svg
    assert str(plot).count("┤") > 4
    assert run.plot("none")._repr_svg_() is None


def test_names_are_drawn_as_plain_text() -> None:
    curve = Curve("_$x$", [0, 1], [1.0, 2.0])
    svg = Plot({"<b>$y$ & $z$": [curve, Curve("b", [0], [math.inf])]}).svg
    assert {"<b>$y$ & $z$", "_$x$"} <= set(texts(svg))


def test_long_curves_keep_their_extremes() -> None:
    values = [math.sin(step / 50) for step in range(100_000)]
    values[777], values[888] = 99.0, -99.0
    thin = Curve("x", range(len(values)), values).thinned()
    assert len(thin.steps) <= 1_002
    assert {99.0, -99.0} <= set(thin.values)
    assert [thin.steps[0], thin.steps[-1]] == [0, 99_999]
    assert list(thin.steps) == sorted(thin.steps)
    assert all(values[step] == value for step, value in zip(thin.steps, thin.values, strict=True))


def test_places_without_a_metric_are_empty() -> None:
    """An odd number of metrics leaves one; a curve without a finite value is not drawn."""
    panels = {name: [Curve("x", [0, 1], [1.0, 2.0])] for name in "abcd"}
    plot = Plot({**panels, "none": [Curve("y", [0], [math.nan])]})
    assert {"a", "d", "none"} <= set(texts(plot.svg))
    assert plot.svg.count('id="axes_') == 5
    assert "none" in str(plot)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    plot = Plot({"x": [Curve("x", [0, 1], [1.0, 2.0])]})
    monkeypatch.setattr("genai_graph.pictures.curves.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"genai-graph\[plot\]"):
        _ = plot.svg
    with pytest.raises(MissingExtraError, match=r"genai-graph\[plot\]"):
        str(plot)
    assert plot._repr_svg_() is None
