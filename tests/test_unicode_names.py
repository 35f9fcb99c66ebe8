"""Uids and names in Unicode normal form C, whatever their spelling where they come from."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Run, errors_of, write_file

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    Metric,
    Model,
    Project,
    ask,
    load,
    query,
    verify,
)
from genai_graph.ogm.edge import Edge
from genai_graph.registry import EDGES, NODES, properties_of

NFC = "café"
NFD = unicodedata.normalize("NFD", NFC)


def test_every_property_in_a_uid_is_normalized() -> None:
    for cls in NODES.values():
        known = properties_of(cls)
        for name in {"uid", *cls.uid_fields}:
            assert known[name].is_name, (cls, name)
    edges: set[type[Edge]] = set(EDGES.values())
    for edge in edges:
        if "split" in properties_of(edge):
            assert properties_of(edge)["split"].is_name, edge


def test_normal_forms_of_a_name_are_one_node(graph: Connection) -> None:
    assert NFC != NFD
    dataset = Dataset(name=NFD, version=NFD, description=NFD).save()
    assert (dataset.name, dataset.version, dataset.uid) == (NFC, NFC, f"{NFC}@{NFC}")
    assert dataset.description == NFD  # only uids and names are normalized
    assert Dataset.upsert(name=NFC, version=NFC, size=1) == dataset
    assert Dataset.nodes.get(uid=f"{NFD}@{NFD}").size == 1
    assert Dataset.nodes.get(name=NFD) == dataset
    assert Dataset.nodes.filter(name__in=[NFD]).all() == [dataset]
    assert len(Dataset.nodes.bulk_create_or_update({"name": NFD, "version": NFC})) == 1
    dataset.name = NFD
    assert dataset.save().name == NFC
    assert len(Dataset.nodes) == 1
    run = Experiment(uid=NFD, name=NFD).save()
    run.record(NFD, 0.5, dataset=dataset, split=NFD)
    assert run.record(NFC, 0.6, dataset=dataset, split=NFC).uid == (
        f"{NFC}/{NFC}/{dataset.uid}/{NFC}"
    )
    assert len(Metric.nodes) == 1
    model = Model(name="m").save()
    model.trained_on.connect(dataset, {"split": NFD})
    edge: Any = model.trained_on.relationship(dataset)
    assert edge.split == NFC


def yaml_file(name: str) -> str:
    return (
        f"format: genai_graph/1\nDataset:\n  {name}: {{version: {name}}}\n"
        f"Model:\n  {name}@1:\n    trained_on: {{{name}: {{split: {name}}}}}\n"
        f"Experiment:\n  {name}:\n    models: [{name}@1]\n"
        f"    metrics: {{{name}: {{value: 1, dataset: {name}, split: {name}}}}}\n"
    )


def json_file(name: str) -> str:
    return json.dumps(
        {
            "format": "genai_graph/1",
            "Dataset": {name: {"version": name}},
            "Model": {f"{name}@1": {"trained_on": {name: {"split": name}}}},
            "Experiment": {
                name: {
                    "models": [f"{name}@1"],
                    "metrics": {name: {"value": 1, "dataset": name, "split": name}},
                }
            },
        }
    )


def jsonl_file(name: str) -> str:
    metric = f"{name}/{name}/{name}/{name}"
    rows: list[dict[str, Any]] = [
        {"format": "genai_graph/1"},
        {"node": "Dataset", "uid": name, "props": {"name": name, "version": name}},
        {"node": "Model", "uid": f"{name}@1"},
        {"node": "Experiment", "uid": name},
        {"node": "Metric", "uid": metric, "props": {"name": name, "value": 1, "split": name}},
        {
            "edge": "TRAINED_ON",
            "from": ["Model", f"{name}@1"],
            "to": ["Dataset", name],
            "props": {"split": name},
        },
        {"edge": "RUN", "from": ["Experiment", name], "to": ["Model", f"{name}@1"]},
        {"edge": "HAS", "from": ["Experiment", name], "to": ["Metric", metric]},
        {"edge": "EVALUATED_ON", "from": ["Metric", metric], "to": ["Dataset", name]},
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def csv_files(name: str) -> dict[str, str]:
    metric = f"{name}/{name}/{name}/{name}"
    return {
        "Dataset.csv": f"uid:ID,version\n{name},{name}\n",
        "Model.csv": f"uid:ID\n{name}@1\n",
        "Experiment.csv": f"uid:ID\n{name}\n",
        "Metric.csv": f"uid:ID,name,value:double,split\n{metric},{name},1,{name}\n",
        "Model-TRAINED_ON-Dataset.csv": f":START_ID,:END_ID,split\n{name}@1,{name},{name}\n",
        "Experiment-RUN-Model.csv": f":START_ID,:END_ID\n{name},{name}@1\n",
        "Experiment-HAS-Metric.csv": f":START_ID,:END_ID\n{name},{metric}\n",
        "Metric-EVALUATED_ON-Dataset.csv": f":START_ID,:END_ID\n{metric},{name}\n",
    }


def write_fixture(format: str, name: str, directory: Any) -> str:
    single: dict[str, Callable[[str], str]] = {
        "yaml": yaml_file,
        "json": json_file,
        "jsonl": jsonl_file,
    }
    if format in single:
        return write_file(str(directory / f"f.{format}"), single[format](name))
    for file, text in csv_files(name).items():
        write_file(str(directory / file), text)
    return str(directory)


@pytest.mark.any_engine
@pytest.mark.parametrize("format", ["yaml", "json", "jsonl", "csv"])
def test_fixtures_are_normalized(graph: Connection, format: str, tmp_path: Any) -> None:
    for name in (NFC, NFD):
        (tmp_path / str(len(name))).mkdir()
    load(write_fixture(format, NFC, tmp_path / str(len(NFC))))
    report = load(write_fixture(format, NFD, tmp_path / str(len(NFD))))
    changed = {**report.nodes, **report.edges}
    assert {(each.created, each.changed) for each in changed.values()} == {(0, 0)}, changed
    assert Metric.nodes.get().uid == f"{NFC}/{NFC}/{NFC}/{NFC}"
    assert query("MATCH (:Model)-[r:TRAINED_ON]->(d) RETURN r.split AS split") == [{"split": NFC}]


def test_two_spellings_in_a_fixture_are_a_duplicate(tmp_path: Any) -> None:
    text = f"format: genai_graph/1\nDataset:\n  {NFC}: {{}}\n  {NFD}: {{}}\n"
    (error,) = errors_of(write_file(str(tmp_path / "f.yaml"), text))
    assert "duplicate" in error


@pytest.mark.any_engine
def test_lookups_take_any_spelling(graph: Connection, cli: Run) -> None:
    dataset, model = Dataset(name=NFC).save(), Model(name=NFC).save()
    model.trained_on.connect(dataset)
    run = Experiment(name="run").save()
    run.models.connect(model)
    run.record("accuracy", 0.5, dataset=dataset)
    assert ask("leaderboard", metric="accuracy", dataset=NFD)
    for command in (["show", "Dataset", NFD], ["lineage", NFD], ["impact", NFD]):
        result = cli(*command)
        assert (result.exit_code, NFC in result.stdout) == (0, True), command
    shown = cli("ask", "leaderboard", "--metric", "accuracy", "--dataset", NFD)
    assert shown.exit_code == 0
    assert NFC in json.loads(shown.stdout.splitlines()[0])["model"]


def test_case_is_kept(graph: Connection) -> None:
    assert {Project(name=name).save().uid for name in ("A", "a")} == {"A", "a"}


def test_verify_reports_uids_that_are_easily_confused(graph: Connection) -> None:
    for name in ("Iris", "iris", "iris ", "other", "STRASSE", "straße"):
        Dataset(name=name).save()
    Model(name="iris").save()
    found = {finding.uids: finding for finding in verify() if finding.kind == "similar"}
    assert set(found) == {("Iris", "iris", "iris "), ("STRASSE", "straße")}
    finding = found["Iris", "iris", "iris "]
    assert finding.subject == "Dataset.uid"
    assert "differ only by surrounding white space and case" in finding.problem
    assert list(verify(allowed=["Dataset.uid"])) == []


def test_verify_reports_other_normal_forms(graph: Connection) -> None:
    Dataset(name=NFC).save()
    query(
        "CREATE (:Dataset {uid: $uid, name: 'a'}) CREATE (:Dataset {uid: 'b', name: $uid})",
        write=True,
        uid=NFD,
    )
    found = {(finding.kind, finding.subject): finding.problem for finding in verify()}
    assert set(found) == {
        ("uid", "Dataset"),
        ("value", "Dataset.name"),
        ("similar", "Dataset.uid"),
    }
    assert "Unicode normalization" in found["similar", "Dataset.uid"]
    other = next(node for node in Dataset.nodes.all() if node.uid == NFD)
    other.size = 5
    other.save()  # although its uid is not in normal form
    with pytest.raises(ValueError, match="already exists"):
        other.rename(NFC)
    other.delete()
    Dataset.upsert(uid="b", name="b")
    assert list(verify()) == []
