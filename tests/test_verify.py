"""Verification of the graph."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from conftest import FIXTURES, Run
from test_cli import genai_graph_command

from genai_graph import (
    Dataset,
    Experiment,
    Finding,
    Metric,
    Model,
    connect,
    load,
    query,
    schema,
    verify,
)
from genai_graph.database import Connection
from genai_graph.database.keyring import generate_key
from genai_graph.errors import SettingsError
from genai_graph.storage import scans

GRAPH = """\
format: genai_graph/1
Project: {p: {datasets: [d], models: [m]}}
Dataset: {d: {size: 1}, e: {parents: {d: {kind: version}}}}
Model: {m: {trained_on: {d: {role: training}}}, n: {parents: [m]}}
Experiment:
  x:
    started_at: 2026-03-01T09:00:00Z
    models: [m]
    metrics: {acc: [{value: 1, dataset: d}, {value: 2, dataset: d, split: s}, {value: .nan}]}
  y: {}
"""


@pytest.fixture
def valid_graph(graph: Connection) -> Connection:
    """A connection to a graph without violations."""
    Path("graph.yaml").write_text(GRAPH)
    load("graph.yaml")
    assert list(verify()) == []
    return graph


def only_finding() -> Finding:
    """Return the only finding of the graph."""
    (finding,) = verify()
    return finding


def test_fixtures_have_no_findings(graph: Connection) -> None:
    load(FIXTURES / "torchvision.yaml", FIXTURES / "quickstart.yaml")
    assert list(verify()) == []


# Statements of other applications; kind, subject and uids of the finding; part of its text.
VIOLATIONS = [
    (
        "MATCH (n:Dataset {uid: 'd'}) SET n.size = 'big'",
        ("value", "Dataset.size", ("d",)),
        "Dataset 'd': size: expected an integer, got 'big': "
        "set it: Dataset.upsert(uid='d', size=...)",
    ),
    (
        "MATCH (n:Experiment {uid: 'x'}) SET n.started_at = '2026-03-01T09:00:00Z'",
        ("value", "Experiment.started_at", ("x",)),
        "expected a time with a time zone, such as 2026-03-01T09:00:00Z, "
        "got '2026-03-01T09:00:00Z'",
    ),
    (
        "MATCH (n:Experiment {uid: 'x'}) SET n.started_at = [1, 2]",
        ("value", "Experiment.started_at", ("x",)),
        "got a list",
    ),
    (
        "MATCH (n:Model {uid: 'm'}) SET n.metadata = '{broken'",
        ("value", "Model.metadata", ("m",)),
        "expected the text of a JSON value, got '{broken'",
    ),
    (
        "MATCH (n:Model {uid: 'm'}) SET n.status = 'DONE'",
        ("value", "Model.status", ("m",)),
        "expected one of PENDING, READY, FAILED, got 'DONE'",
    ),
    (
        "MATCH (n:Model {uid: 'm'}) SET n.location = 'https://u:secret@host/x'",
        ("value", "Model.location", ("m",)),
        "Model 'm': location: contains credentials: "
        "set it: Model.upsert(uid='m', location=...)",
    ),
    (
        "MATCH (n:Metric {uid: 'x/acc'}) SET n.steps = [2, 1], n.values = [0.5, 0.25]",
        ("value", "Metric.steps", ("x/acc",)),
        "expected steps in ascending order, each once: set it: "
        "Metric.upsert(uid='x/acc', steps=..., values=...)",
    ),
    (
        "MATCH (n:Metric {uid: 'x/acc'}) SET n.steps = [1, 2], n.values = [0.5, 0.25], n.step = 1",
        ("value", "Metric.step", ("x/acc",)),
        "expected 2, the last step of the history, got 1",
    ),
    (
        "MATCH (n:Metric {uid: 'x/acc'}) SET n.steps = [1], n.values = [0.5], n.step = 1, "
        "n.value = 0.7",
        ("value", "Metric.value", ("x/acc",)),
        "expected 0.5, the value of step 1 in the history, got 0.7",
    ),
    (
        "MATCH (n:Metric {uid: 'x/acc'}) SET n.steps = [1, 2], n.values = [0.5], n.step = 2",
        ("value", "Metric.values", ("x/acc",)),
        "expected as many values as steps, got 1 and 2",
    ),
    (
        "MATCH (n:Metric {uid: 'x/acc'}) SET n.steps = ['a'], n.values = [0.5]",
        ("value", "Metric.steps", ("x/acc",)),
        "expected an integer, got 'a'",
    ),
    (
        "MATCH (n:Dataset {uid: 'd'}) REMOVE n.name",
        ("missing", "Dataset.name", ("d",)),
        "Dataset 'd': name: is required: set it",
    ),
    (
        "MATCH (:Model {uid: 'm'})-[r:TRAINED_ON]->(:Dataset {uid: 'd'}) SET r.role = 'train'",
        ("value", "Model-TRAINED_ON->Dataset.role", ("m", "d")),
        "TRAINED_ON to 'd': role: expected one of training, validation, test, got 'train'",
    ),
    (
        "MATCH (n:Dataset) SET n.licence = 'MIT'",
        ("undeclared", "Dataset.licence", ("d", "e")),
        "Dataset does not declare 'licence' (did you mean 'license'?), found on 'd', 'e': "
        "set GENAI_GRAPH_MODELS to the module that declares it, "
        "rename or remove it (MATCH (n:Dataset) SET n.`licence` = null), "
        "or pass --allow Dataset.licence",
    ),
    (
        "MATCH (:Model {uid: 'm'})-[r:TRAINED_ON]->(:Dataset) SET r.epochs = 3",
        ("undeclared", "Model-TRAINED_ON->Dataset.epochs", ("m",)),
        "(MATCH (:Model)-[r:TRAINED_ON]->(:Dataset) SET r.`epochs` = null), "
        "or pass --allow 'Model-TRAINED_ON->Dataset.epochs'",
    ),
    (
        "MATCH (a:Model {uid: 'm'}) MATCH (b:Dataset {uid: 'd'}) CREATE (a)-[:TRAINED_ON]->(b)",
        ("duplicate", "Model-TRAINED_ON->Dataset", ("m", "d")),
        "Model 'm': 2 edges TRAINED_ON to Dataset 'd': delete all but one",
    ),
    (
        "MATCH (a:Project {uid: 'p'}) MATCH (b:Dataset {uid: 'd'}) CREATE (a)-[:HAS]->(b)",
        ("duplicate", "Project-HAS->Dataset", ("p", "d")),
        "2 edges HAS",
    ),
    (
        "MATCH (:Experiment)-[r:HAS]->(:Metric {uid: 'x/acc'}) DELETE r",
        ("cardinality", "Experiment-HAS->Metric", ("x/acc",)),
        "Metric 'x/acc' has no Experiment: connect it, or delete it",
    ),
    (
        "MATCH (a:Experiment {uid: 'y'}) MATCH (b:Metric {uid: 'x/acc'}) CREATE (a)-[:HAS]->(b)",
        ("cardinality", "Experiment-HAS->Metric", ("x/acc", "x", "y")),
        "Metric 'x/acc' can have only one Experiment, and has 'x', 'y'",
    ),
    (
        "MATCH (a:Metric {uid: 'x/acc/d'}) MATCH (b:Dataset {uid: 'e'}) "
        "CREATE (a)-[:EVALUATED_ON]->(b)",
        ("cardinality", "Metric-EVALUATED_ON->Dataset", ("x/acc/d", "d", "e")),
        "can have only one Dataset, and has 'd', 'e'",
    ),
    (
        "MATCH (a:Metric {uid: 'x/acc'}) MATCH (b:Model {uid: 'm'}) MATCH (c:Model {uid: 'n'}) "
        "CREATE (a)-[:MEASURES]->(b) CREATE (a)-[:MEASURES]->(c)",
        ("cardinality", "Metric-MEASURES->Model", ("x/acc", "m", "n")),
        "Metric 'x/acc' can have only one Model, and has 'm', 'n': disconnect all but one",
    ),
    (
        "MATCH (a:Experiment {uid: 'x'}) MATCH (b:Experiment {uid: 'y'}) "
        "CREATE (c:Experiment {uid: 'z'})-[:PART_OF]->(a) CREATE (c)-[:PART_OF]->(b)",
        ("cardinality", "Experiment-PART_OF->Experiment", ("z", "x", "y")),
        "Experiment 'z' can have only one Experiment (PART_OF), and has 'x', 'y'",
    ),
    (
        "MATCH (a:Experiment {uid: 'x'}) MATCH (b:Experiment {uid: 'y'}) "
        "CREATE (a)-[:PART_OF]->(b) CREATE (b)-[:PART_OF]->(a)",
        ("cycle", "Experiment-PART_OF->Experiment", ("x", "y")),
        "PART_OF forms a cycle: 'x' -> 'y' -> 'x': delete one of its edges",
    ),
    (
        "MATCH (n:Model {uid: 'm'}) SET n.origin = 'mlflow:https://u:secret@host/x'",
        ("value", "Model.origin", ("m",)),
        "Model 'm': origin: contains credentials",
    ),
    (
        "MATCH (a:Model {uid: 'm'}) MATCH (b:Model {uid: 'n'}) CREATE (a)-[:DERIVED_FROM]->(b)",
        ("cycle", "Model-DERIVED_FROM->Model", ("m", "n")),
        "DERIVED_FROM forms a cycle: 'm' -> 'n' -> 'm': delete one of its edges",
    ),
    (
        "MATCH (a:Dataset {uid: 'e'}) CREATE (a)-[:DERIVED_FROM]->(a)",
        ("cycle", "Dataset-DERIVED_FROM->Dataset", ("e",)),
        "'e' -> 'e'",
    ),
    (
        "MATCH (a:Dataset {uid: 'd'}) MATCH (b:Model {uid: 'm'}) CREATE (a)-[:TRAINED_ON]->(b)",
        ("ends", "Dataset-TRAINED_ON->Model", ("d", "m")),
        "Dataset 'd': undeclared edge TRAINED_ON to Model 'm': delete it",
    ),
    (
        "MATCH (a:Model {uid: 'm'}) CREATE (a)-[:TRAINED_ON]->(:Datset {uid: 'z'})",
        ("ends", "Model-TRAINED_ON->Datset", ("m", "z")),
        "pass --allow 'Model-TRAINED_ON->Datset'",
    ),
    (
        "MATCH (a:Dataset {uid: 'd'}) CREATE (:Review)-[:HAS]->(a)",
        ("ends", "Review-HAS->Dataset", ("d",)),
        "Review None: undeclared edge HAS to Dataset 'd'",
    ),
    (
        "MATCH (x:Experiment {uid: 'x'}) CREATE (x)-[:HAS]->"
        "(:Metric {uid: 'another', name: 'acc', value: 1.0})",
        ("duplicate_metric", "Metric", ("x", "another", "x/acc")),
        "Experiment 'x' has 2 metrics 'acc': 'another', 'x/acc': delete all but one",
    ),
    (
        "MATCH (x:Experiment {uid: 'x'}) MATCH (m:Model {uid: 'm'}) UNWIND ['one', 'two'] AS uid "
        "CREATE (x)-[:HAS]->(:Metric {uid: uid, name: 'acc', value: 1.0})-[:MEASURES]->(m)",
        ("duplicate_metric", "Metric", ("x", "one", "two")),
        "Experiment 'x' has 2 metrics 'acc', model 'm': 'one', 'two': delete all but one",
    ),
    (
        "CREATE (:Project {name: 'nameless'})",
        ("uid", "Project", ()),
        "1 Project without a string uid: set their uids",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "expected", "text"),
    VIOLATIONS,
    ids=[expected[1] for _, expected, _ in VIOLATIONS],
)
def test_violation_is_reported_once_with_a_hint(
    valid_graph: Connection, statement: str, expected: tuple[str, str, tuple[str, ...]], text: str
) -> None:
    query(statement, write=True)
    finding = only_finding()
    assert (finding.kind, finding.subject, finding.uids) == expected
    assert text in str(finding)
    assert list(verify(allowed=[finding.subject])) == []


def test_hints_with_code_fix_the_violation(valid_graph: Connection) -> None:
    query("MATCH (n:Dataset {uid: 'd'}) SET n.size = 'big' REMOVE n.name", write=True)
    assert [finding.kind for finding in verify()] == ["value", "missing"]
    Dataset.upsert(uid="d", size=3)
    Dataset.upsert(uid="d", name="d")
    query("MATCH (n:Metric {uid: 'x/acc'}) SET n.steps = [2, 1], n.values = [1.0, 2.0]", write=True)
    Metric.upsert(uid="x/acc", steps=[1, 2], values=[1.0, 2.0])
    query("MATCH (n:Dataset) SET n.licence = 'MIT'", write=True)
    query("MATCH (n:Dataset) SET n.licence = null", write=True)
    assert list(verify()) == []


@pytest.mark.parametrize("of_edge", [False, True])
@pytest.mark.parametrize("name", ["licence", "we ird", "it's", "a-b", "$HOME"])
def test_hints_for_an_undeclared_property_can_be_pasted(
    valid_graph: Connection, cli: Run, name: str, of_edge: bool
) -> None:
    where = "MATCH (:Dataset {uid: 'e'})-[n:DERIVED_FROM]->()" if of_edge else "MATCH (n:Dataset)"
    query(f"{where} SET n.`{name}` = 1", write=True)
    hint = re.fullmatch(
        r"set .* declares it, rename or remove it \((.*)\), or pass (.*) if another .*",
        only_finding().hint,
    )
    assert hint is not None
    assert cli("verify", *shlex.split(hint[2])).stderr == "no findings\n"
    query(hint[1], write=True)
    assert list(verify()) == []


def test_nodes_of_a_class_that_is_not_loaded_are_counted(valid_graph: Connection) -> None:
    times = "created_at: datetime(), updated_at: datetime()"
    query(f"UNWIND ['a', 'b'] AS uid CREATE (:Deployment {{uid: uid, {times}}})", write=True)
    finding = only_finding()
    assert (finding.kind, finding.subject) == ("undeclared", "Deployment")
    assert str(finding) == (
        "no loaded class declares the label Deployment (2 nodes): set GENAI_GRAPH_MODELS to the "
        "module that declares it, or pass --allow Deployment if another application uses it"
    )
    assert list(verify(allowed=["Deployment"])) == []


def test_credentials_in_a_location_are_reported_without_showing_them(
    valid_graph: Connection, cli: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Reading does not remove credentials, so that no warning is logged."""
    location = "https://u:secret@host/x?sig=secret"
    query("MATCH (n:Dataset) SET n.url = $location", write=True, location=location)
    result = cli("verify", "--json")
    assert (result.exit_code, result.stderr) == (1, "2 findings\n")
    assert "secret" not in result.stdout
    assert caplog.messages == []
    Dataset.upsert(uid="d", url=location)
    assert only_finding().uids == ("e",)


def test_node_with_two_declared_labels_is_reported_once(valid_graph: Connection) -> None:
    query("CREATE (:Model:Dataset {uid: 'both', name: 'both'})", write=True)
    (labels,) = [finding for finding in verify() if finding.kind == "labels"]
    assert labels.uids == ("both",)
    assert "Dataset 'both' is also a Model" in labels.problem


def test_data_of_other_applications_is_ignored(valid_graph: Connection) -> None:
    query(
        "MATCH (d:Dataset {uid: 'd'}) "
        "CREATE (a:Person {uid: 5, size: 'x'})-[:REVIEWED {by: 1}]->(d)"
        "-[:MENTIONED_IN]->(b:Person {name: 3})-[:HAS]->(a)",
        write=True,
    )
    assert list(verify()) == []


def test_encrypted_values_are_valid(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        Dataset(name="d", location="s3://secret/", metadata={"owner": "someone"}).save()
        assert list(verify()) == []
    monkeypatch.delenv("GENAI_GRAPH_KEYS")
    assert list(verify()) == []


def test_moved_ciphertext_is_found_if_its_key_is_available(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        Dataset(name="d", location="s3://secret/", metadata={"owner": "someone"}).save()
        query(
            "MATCH (d:Dataset) CREATE (:Dataset {uid: 'e', name: 'e', location: d.location, "
            "created_at: d.created_at, updated_at: d.updated_at})",
            write=True,
        )
        moved = only_finding()
        assert (moved.kind, moved.subject, moved.uids) == ("value", "Dataset.location", ("e",))
        assert "'e': location: ciphertext belongs elsewhere or is corrupt" in moved.problem
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        assert list(verify()) == []


def test_duplicate_uid_is_reported_once(valid_graph: Connection) -> None:
    query("DROP CONSTRAINT constraint_unique_Project_uid", write=True)
    again = "UNWIND [1, 2] AS one CREATE (:Project {uid: 'p', name: 'again', description: $text})"
    query(again, write=True, text="x" * 5_000_000)  # more together than one page
    schema, repeated = verify()
    assert (schema.kind, schema.subject) == ("schema", "constraint_unique_Project_uid")
    assert schema.hint == "run `genai-graph schema install`"
    assert (repeated.kind, repeated.uids) == ("uid", ("p",))
    assert "3 nodes have this uid" in repeated.problem
    query("MATCH (n:Project {name: 'again'}) DETACH DELETE n", write=True)


def test_undeclared_index(valid_graph: Connection) -> None:
    query("CREATE INDEX other_index FOR (n:Dataset) ON (n.creator)", write=True)
    finding = only_finding()
    assert "(DROP INDEX `other_index`)" in finding.hint
    query("DROP INDEX `other_index`", write=True)
    assert (finding.kind, finding.subject) == ("schema", "other_index")
    assert list(verify()) == []


def test_another_index_on_a_property(valid_graph: Connection) -> None:
    query("DROP INDEX index_Dataset_name", write=True)
    query("CREATE INDEX other FOR (n:Dataset) ON (n.name)", write=True)
    finding = only_finding()
    assert (finding.kind, finding.subject) == ("schema", "other")
    assert "instead of" in finding.problem
    query("DROP INDEX other", write=True)
    schema.install()
    assert list(verify()) == []


def test_violations_in_each_page_and_at_hubs_are_found(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pages of three nodes, each violation is found once."""
    monkeypatch.setattr("genai_graph.storage.batching.BATCH_ROWS", 3)
    monkeypatch.setattr("genai_graph.exchange.graph_reader.EDGE_LIMIT", 2)
    datasets = [Dataset(name=f"d{number}").save() for number in range(7)]
    model = Model(name="m").save()
    run = Experiment(uid="run").save()
    for dataset in datasets:
        model.trained_on.connect(dataset)
        run.record("acc", 1, dataset=dataset)
    assert list(verify()) == []
    query("MATCH (n:Dataset) SET n.size = -1", write=True)
    query("MATCH (m:Model)-[:TRAINED_ON]->(d:Dataset) CREATE (m)-[:TRAINED_ON]->(d)", write=True)
    query("MATCH (:Experiment)-[r:HAS]->(:Metric) DELETE r", write=True)
    kinds = [finding.kind for finding in verify()]
    assert sorted(kinds) == ["cardinality"] * 7 + ["duplicate"] * 7 + ["value"] * 7


def test_findings_are_yielded_before_the_rest_is_read(
    valid_graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    query("MATCH (n:Dataset {uid: 'd'}) SET n.size = 'big'", write=True)
    findings = verify()
    assert next(findings).kind == "value"
    monkeypatch.setattr(scans, "uids_after", lambda *_: pytest.fail("another page was read"))
    findings.close()


def test_allowed_must_not_be_a_string() -> None:
    with pytest.raises(SettingsError, match=r"expected a list .*: \['Dataset.size'\]"):
        verify(allowed="Dataset.size")


def test_allowed_subject_without_findings_is_a_warning(valid_graph: Connection) -> None:
    query("MATCH (n:Dataset {uid: 'd'}) SET n.reviewed = true", write=True)
    allowed = ("Datset.reviewed", "Dataset.reviewed", "Model-HAS->Review")
    done = genai_graph_command("verify", *(part for each in allowed for part in ("--allow", each)))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "no finding for --allow Datset.reviewed (did you mean 'Dataset.reviewed'?)",
        "no finding for --allow Model-HAS->Review",
        "no findings",
    ]


def test_command_exits_with_1_if_there_are_findings(cli: Run, valid_graph: Connection) -> None:
    result = cli("verify")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no findings\n")
    query("MATCH (n:Dataset {uid: 'd'}) SET n.size = 'big', n.reviewed = true", write=True)
    result = cli("verify")
    assert (result.exit_code, result.stderr) == (1, "2 findings\n")
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == [
        "Dataset 'd'",
        "Dataset does not declare 'reviewed', found on 'd'",
    ]
    result = cli("verify", "--json", "--allow", "Dataset.reviewed")
    assert (result.exit_code, result.stderr) == (1, "1 finding\n")
    assert json.loads(result.stdout) == {
        "kind": "value",
        "subject": "Dataset.size",
        "uids": ["d"],
        "problem": "Dataset 'd': size: expected an integer, got 'big'",
        "hint": "set it: Dataset.upsert(uid='d', size=...)",
    }
