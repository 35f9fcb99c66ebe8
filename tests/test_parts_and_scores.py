"""Experiments that are part of others, scores of models, and the origin of nodes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from conftest import write_file as write

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    FixtureError,
    Metric,
    Model,
    Project,
    check,
    dump,
    load,
    query,
    verify,
)
from genai_graph.errors import EdgeError
from genai_graph.exchange import clear

GRAPH = """\
format: genai_graph/1
Project:
  p: {origin: mlflow:tracking.example.org/ml}
Dataset:
  d@1: {}
Model:
  a: {}
  b/c@1:
    parents: {a: {kind: merged}}
Experiment:
  sweep: {origin: "wandb:a, b"}
  trial:
    part_of: sweep
    models: [a, b/c@1]
    datasets:
      d@1: {role: other}
    metrics:
      acc:
        - {value: 0.1, model: a}
        - {value: 0.2, model: b/c@1}
        - {value: 0.3, dataset: d@1, model: b/c@1}
        - {value: 0.4, dataset: d@1, split: test, model: {b/c@1: {}}}
        - {value: 0.5, split: "", model: a}
        - {value: 0.6, dataset: d@1, split: test}
      loss: {value: 0.7, uid: custom, model: a}
  fold:
    part_of: {trial: {}}
"""
SCORES = {
    "trial/acc///a": "a",
    "trial/acc///b%2Fc@1": "b/c@1",
    "trial/acc/d@1//b%2Fc@1": "b/c@1",
    "trial/acc/d@1/test/b%2Fc@1": "b/c@1",
    "trial/acc//%/a": "a",
    "trial/acc/d@1/test": None,
    "custom": "a",
}


def scores() -> dict[str, Any]:
    """Return the model of each metric."""
    rows = query(
        "MATCH (n:Metric) OPTIONAL MATCH (n)-[:MEASURES]->(m:Model) RETURN n.uid AS n, m.uid AS m"
    )
    return {row["n"]: row["m"] for row in rows}


def parents() -> list[tuple[str, str]]:
    """Return the PART_OF edges."""
    rows = query("MATCH (a)-[:PART_OF]->(b) RETURN a.uid AS a, b.uid AS b ORDER BY a")
    return [(row["a"], row["b"]) for row in rows]


# Python


def test_parts_of_an_experiment(graph: Connection) -> None:
    sweep, first, second = (Experiment(uid=uid).save() for uid in ("sweep", "a", "b"))
    first.part_of.connect(sweep)
    sweep.parts.connect(second)
    assert sweep.parts.order_by("uid").all() == [first, second]
    assert (first.part_of.single(), sweep.part_of.single()) == (sweep, None)
    assert Experiment.nodes.filter(part_of__uid="sweep").all() != []
    first.record("loss", 0.5)
    sweep.record("loss", 0.1)
    sweep.delete()
    assert Experiment.nodes.order_by("uid").all() == [first, second]
    assert [metric.uid for metric in Metric.nodes.all()] == ["a/loss"]
    assert parents() == []


@pytest.mark.parametrize("connect_from", ["part", "parent"])
def test_experiment_is_part_of_at_most_one(graph: Connection, connect_from: str) -> None:
    part, first, second = (Experiment(uid=uid).save() for uid in ("part", "first", "second"))
    part.part_of.connect(first)
    edges, node = (part.part_of, second) if connect_from == "part" else (second.parts, part)
    with pytest.raises(
        EdgeError,
        match=r"'part' can have only one Experiment \(PART_OF\): it has 'first', not 'second'",
    ):
        edges.connect(node)
    assert parents() == [("part", "first")]
    part.part_of.replace(second)
    part.part_of.connect(second)
    assert parents() == [("part", "second")]
    part.part_of.reconnect(second, first)
    assert parents() == [("part", "first")]


@pytest.mark.parametrize("depth", [0, 1, 20])
def test_parts_form_no_cycle(graph: Connection, depth: int) -> None:
    nested = [Experiment(uid=str(number)).save() for number in range(depth + 1)]
    for part, parent in zip(nested[1:], nested, strict=False):
        part.part_of.connect(parent)
    with pytest.raises(EdgeError, match="PART_OF must not form a cycle: '0' -> "):
        nested[0].part_of.connect(nested[-1])
    with pytest.raises(EdgeError, match="PART_OF must not form a cycle"):
        nested[-1].parts.connect(nested[0])
    assert len(parents()) == depth


@pytest.mark.parametrize("connect_from", ["metric", "model"])
def test_metric_measures_at_most_one_model(graph: Connection, connect_from: str) -> None:
    first, second = Model(name="first").save(), Model(name="second").save()
    metric = Experiment(uid="e").save().record("acc", 0.5, model=first)
    edges, node = (metric.model, second) if connect_from == "metric" else (second.metrics, metric)
    with pytest.raises(
        EdgeError, match=r"'e/acc///first' can have only one Model: it has 'first', not 'second'"
    ):
        edges.connect(node)  # type: ignore[arg-type]
    metric.model.connect(first)
    assert scores() == {"e/acc///first": "first"}
    metric.model.replace(second)
    assert scores() == {"e/acc///second": "second"}
    assert Experiment.nodes.get(uid="e").record("acc", 0.6, model=second).uid == metric.uid
    metric.refresh()
    assert (first.metrics.all(), second.metrics.all()) == ([], [metric])


def test_origin_is_found_and_holds_no_credentials(graph: Connection) -> None:
    for cls in (Project, Dataset, Model):
        cls(name="n", origin="mlflow:https://u:secret@host/x?token=secret").save()
    run = Experiment(origin="mlflow:https://host/x").save()
    run.record("acc", 0.5, origin="mlflow:https://host/x")
    for cls in (Project, Dataset, Model, Experiment, Metric):
        (found,) = cls.nodes.filter(origin="mlflow:https://host/x").all()
        assert found.origin == "mlflow:https://host/x"


# Concurrent writers


def _connect_part(number: int) -> None:
    part, parent = (Experiment.nodes.get(uid=uid) for uid in ("part", f"e{number}"))
    part.part_of.connect(parent)


def _connect_model(number: int) -> None:
    Metric.nodes.get(uid="e0/acc").model.connect(Model.nodes.get(uid=f"m{number}"))


def _connect_dataset(number: int) -> None:
    Dataset.nodes.get(uid=f"d{number}").metrics.connect(Metric.nodes.get(uid="e0/acc"))


def _connect_experiment(number: int) -> None:
    Experiment.nodes.get(uid=f"e{number}").metrics.connect(Metric.nodes.get(uid="lost"))


def _load_part(number: int) -> None:
    text = f"format: genai_graph/1\nExperiment:\n  part: {{part_of: e{number}}}\n"
    load(write(f"{number}.yaml", text))


@pytest.mark.parametrize(
    ("write_edge", "type_"),
    [
        (_connect_part, "PART_OF"),
        (_connect_model, "MEASURES"),
        (_connect_dataset, "EVALUATED_ON"),
        (_connect_experiment, "HAS"),
        (_load_part, "PART_OF"),
    ],
)
def test_concurrent_writers_give_a_node_one_neighbour(
    graph: Connection, write_edge: Callable[[int], None], type_: str
) -> None:
    writers = 4
    for number in range(writers):
        Model(name=f"m{number}").save()
        Dataset(name=f"d{number}").save()
        Experiment(uid=f"e{number}").save()
    Experiment.nodes.get(uid="e0").record("acc", 0.5)
    Experiment(uid="part").save()
    Metric(uid="lost", name="lost", value=1.0).save()
    barrier = threading.Barrier(writers)

    def attempt(number: int) -> str:
        barrier.wait()
        try:
            write_edge(number)
        except (EdgeError, FixtureError) as error:
            return str(error)
        return ""

    where = "b" if type_ == "HAS" else "a"
    uid = {"PART_OF": "part", "HAS": "lost"}.get(type_, "e0/acc")
    for _ in range(5):
        with ThreadPoolExecutor(writers) as pool:
            outcomes = list(pool.map(attempt, range(writers)))
        edges = query(
            f"MATCH (a)-[r:{type_}]->(b) WHERE {where}.uid = $uid RETURN count(r) AS n", uid=uid
        )
        assert edges == [{"n": 1}]
        assert outcomes.count("") == 1, outcomes
        assert all("only one" in outcome for outcome in outcomes if outcome)
        query(f"MATCH (a)-[r:{type_}]->(b) WHERE {where}.uid = $uid DELETE r", write=True, uid=uid)


@pytest.mark.parametrize("attribute", ["part_of", "parents"])
def test_concurrent_writers_form_no_cycle_of_two(graph: Connection, attribute: str) -> None:
    cls: Any = Experiment if attribute == "part_of" else Model
    name = {} if cls is Experiment else {"name": "n"}
    one, other = (cls(uid=uid, **name).save() for uid in ("one", "other"))
    barrier = threading.Barrier(2)

    def attempt(ends: tuple[Any, Any]) -> str:
        barrier.wait()
        try:
            getattr(ends[0], attribute).connect(ends[1])
        except EdgeError as error:
            return str(error)
        return ""

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(attempt, [(one, other), (other, one)]))
        assert sorted(map(bool, outcomes)) == [False, True], outcomes
        assert "cycle" in "".join(outcomes)
        query("MATCH ()-[r]->() DELETE r", write=True)


# Files


def test_load_yaml(graph: Connection) -> None:
    load(write("graph.yaml", GRAPH))
    assert scores() == SCORES
    assert parents() == [("fold", "trial"), ("trial", "sweep")]
    assert Project.nodes.get(uid="p").origin == "mlflow:tracking.example.org/ml"
    splits = {metric.uid: metric.split for metric in Metric.nodes.all()}
    assert (splits["trial/acc//%/a"], splits["trial/acc///a"]) == ("", None)
    assert list(verify()) == []
    report = load("graph.yaml")
    assert {c.created + c.changed for c in (*report.nodes.values(), *report.edges.values())} == {0}
    trial = Experiment.nodes.get(uid="trial")
    trial.record("acc", 0.2, model=Model.nodes.get(uid="b/c@1"))
    assert scores() == SCORES


@pytest.mark.parametrize("name", ["dump.yaml", "dump.jsonl", "dump.cypher", "dump"])
def test_formats_keep_parts_scores_and_origins(graph: Connection, name: str) -> None:
    load(write("graph.yaml", GRAPH))
    dump("before.jsonl")
    dump(name, format=None if Path(name).suffix else "csv")
    clear()
    if name.endswith(".cypher"):
        for statement in Path(name).read_text().split(";\n")[:-1]:
            query(statement, write=True)
    else:
        load(name)
    dump("after.jsonl")
    assert Path("after.jsonl").read_bytes() == Path("before.jsonl").read_bytes()
    assert scores() == SCORES
    assert list(verify()) == []


def test_a_dump_without_models_keeps_the_uids_of_metrics(graph: Connection) -> None:
    load(write("graph.yaml", GRAPH))
    dump("partial.yaml", labels=["Experiment", "Metric", "Dataset"])
    clear()
    load("partial.yaml")
    assert scores() == dict.fromkeys(SCORES)
    assert Metric.nodes.get(uid="trial/acc/d@1/test/b%2Fc@1").split == "test"


ERRORS = [
    ("  e: {part_of: [f, g]}", "5: Experiment 'e' can have only one Experiment (PART_OF): it has "
     "'f', not 'g' (first at graph.yaml:5)"),
    ("  e: {part_of: e}", "5: Experiment 'e': PART_OF must not form a cycle: 'e' -> 'e'"),
    ("  e: {part_of: {f: {step: 1}}}", "5: Experiment 'e': part_of: 'f': step: "
     "Experiment-PART_OF->Experiment has no such property"),
    ("  e: {part_of: h}", "5: Experiment 'e': PART_OF: no Experiment 'h' is in the files"),
    ("  e: {part_of: 1}", "5: Experiment 'e': part_of: expected a uid, got 1"),
    ("  e: {parts: [f]}", "5: Experiment 'e': parts: edges are written under their source: "
     "move it to the Experiment, as part_of"),
    ("  e: {metrics: {acc: {value: 1, model: [m, n]}}}", "5: Metric 'e/acc///m' can have "
     "only one Model: it has 'm', not 'n' (first at graph.yaml:5)"),
    ("  e: {metrics: {acc: {value: 1, model: z}}}",
     "5: Metric 'e/acc///z': MEASURES: no Model 'z' is in the files"),
    ("  e: {metrics: {acc: {value: 1, model: 2}}}",
     "5: Metric 'e/acc': model: expected a uid, got 2"),
    ("  e: {metrics: {acc: [{value: 1, model: m}, {value: 2, model: m}]}}",
     "5: Metric 'e/acc///m': uid: duplicate (first at graph.yaml:5)"),
    ("  e: {datasets: {d: {role: others}}}", "5: Experiment 'e': datasets: 'd': role: expected "
     "one of training, validation, test, other, got 'others' (did you mean 'other'?)"),
]  # fmt: skip


@pytest.mark.any_engine
@pytest.mark.parametrize(("line", "error"), ERRORS)
def test_errors_in_a_file(line: str, error: str) -> None:
    nodes = "Model: {m: {}, n: {}}\nDataset: {d: {}}\nExperiment:\n"
    rest = "\n  f: {}\n  g: {}\n"
    with pytest.raises(FixtureError) as caught:
        check(write("graph.yaml", f"format: genai_graph/1\n{nodes}{line}{rest}"))
    assert f"graph.yaml:{error}" in str(caught.value)


def edge_line(type_: str, source: tuple[str, str], target: tuple[str, str]) -> str:
    return json.dumps({"edge": type_, "from": source, "to": target})


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(
    ("type_", "source", "target", "error"),
    [
        ("PART_OF", ("Experiment", "fold"), ("Experiment", "sweep"), "it has 'trial', not 'sweep'"),
        (
            "PART_OF",
            ("Experiment", "sweep"),
            ("Experiment", "fold"),
            "cycle: 'sweep' -> 'fold' -> ",
        ),
        ("MEASURES", ("Metric", "custom"), ("Model", "b/c@1"), "it has 'a', not 'b/c@1'"),
    ],
)
def test_errors_against_the_graph(
    graph: Connection,
    batched: bool,
    type_: str,
    source: tuple[str, str],
    target: tuple[str, str],
    error: str,
) -> None:
    load(write("graph.yaml", GRAPH))
    lines = ['{"format": "genai_graph/1"}', edge_line(type_, source, target)]
    with pytest.raises(FixtureError, match=error):
        load(write("edge.jsonl", "\n".join(lines)), atomic=not batched)
    header = f":START_ID({source[0]}),:END_ID({target[0]})"
    Path("edges").mkdir()
    write(f"edges/{source[0]}-{type_}-{target[0]}.csv", f"{header}\n{source[1]},{target[1]}\n")
    with pytest.raises(FixtureError, match=error):
        load("edges", atomic=not batched)


# Pictures


def test_show_includes_parts_and_scores(graph: Connection, cli: Run) -> None:
    load(write("graph.yaml", GRAPH))
    tree = cli("show", "Experiment", "trial").stdout
    for line in ("-PART_OF-> Experiment sweep", "<-PART_OF- Experiment fold"):
        assert line in tree
    assert "<-MEASURES- Metric trial/acc///a" in cli("show", "Model", "a").stdout
    for format_ in ("json", "mermaid", "dot", "svg", "html"):
        picture = cli("show", "Experiment", "trial", "--depth", "2", "--format", format_).stdout
        assert "PART_OF" in picture
        assert "MEASURES" in picture
    lineage = cli("lineage", "b/c@1").stdout
    assert "merged" in lineage
    assert "Metric" not in lineage
