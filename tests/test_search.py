"""Search: the expressions, their results, and that no text of them reaches Cypher."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import Run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    Model,
    Project,
    connect,
    query,
    schema,
    search,
)
from genai_graph.database.keyring import generate_key
from genai_graph.errors import GenaiGraphError, SearchError
from genai_graph.ogm.compiler import Compiler
from genai_graph.searches.conditions import Resolver, to_tree
from genai_graph.searches.parsing import parse_expression

TIME = datetime(2026, 3, 1, 9, tzinfo=timezone.utc)


@pytest.fixture
def runs(graph: Connection) -> None:
    imagenet = Dataset(name="ImageNet", license="custom").save()
    small = Dataset(name="small").save()
    small.parents.connect(imagenet)
    base = Model(name="base", architecture="ResNet", hyperparameters={"depth": 50}).save()
    tuned = Model(name="tuned").save()
    tuned.parents.connect(base)
    base.trained_on.connect(small)
    a = Experiment(
        uid="a",
        name="first",
        status="FINISHED",
        started_at=TIME,
        parameters={"lr": 0.01, "optimizer": {"name": "adam"}, "p0": "1", "a.b": "x"},
        tags=["team=vision", "best"],
        metadata={"mlflow": {"project.env": "conda"}, "tags": {"note": "long"}},
    ).save()
    b = Experiment(uid="b", status="FAILED", parameters={"lr": 0.1, "p0": 1, "on": True}).save()
    c = Experiment(uid="c", parameters={"lr": "0.001"}, created_by="ann").save()
    Experiment(uid="d").save()
    c.part_of.connect(a)
    a.models.connect(tuned)
    b.datasets.connect(small, {"role": "training"})
    for run, accuracy, loss in ((a, 0.9, 0.1), (b, 0.5, 0.9)):
        run.record("accuracy", accuracy)
        run.record("val/loss", loss, dataset=small)
    Project(name="fraud").save().experiments.connect(a)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", "abcd"),
        ("status = 'FINISHED'", "a"),
        ('attributes.status != "FINISHED"', "b"),
        ("run_id IN ('a', 'c')", "ac"),
        ("uid NOT IN ('a')", "bcd"),
        ("attributes.run_name LIKE 'fir%'", "a"),
        ("name ILIKE 'F_RST'", "a"),
        ("name NOT LIKE 'x%'", "a"),
        ("start_time >= 1772355600000", "a"),
        ("started_at = '2026-03-01T09:00:00Z'", "a"),
        ("started_at < '2026-03-01'", ""),
        ("created_by IS NULL", "abd"),
        ("params.lr < 0.05", "ac"),
        ("parameters.lr = 0.1", "b"),
        ("params.p0 = '1'", "ab"),
        ("params.p0 = 1", "ab"),
        ("params.on = true", "b"),
        ("params.optimizer.name = 'adam'", "a"),
        ("params.optimizer.name != 'sgd'", "a"),
        ("params.a.b = 'x'", "a"),
        ("params.`a.b` = 'x'", "a"),
        ('params."lr" IS NOT NULL', "abc"),
        ("params.lr != 0.1", "ac"),
        ("params.lr IS NULL", "d"),
        ("params.optimizer.name IS NULL", "bcd"),
        ("params.lr IN (0.1, '0.001')", "bc"),
        ("metrics.accuracy > 0.8", "a"),
        ("metrics.`val/loss` <= 0.1", "a"),
        ("metrics.accuracy > 0.1 and metrics.`val/loss` > 0.5", "b"),
        ("metrics.accuracy > 0.8 OR params.lr = 0.1", "ab"),
        ("NOT metrics.accuracy > 0.8", "bcd"),
        ("metrics.accuracy IS NULL", "cd"),
        ("metrics.accuracy IS NOT NULL", "ab"),
        ("tags.team = 'vision'", "a"),
        ("tags.best = ''", "a"),
        ("NOT tags.team = 'vision'", "bcd"),
        ("tags.team LIKE 'vis%'", "a"),
        ("tags.best IS NOT NULL", "a"),
        ("tags.note = 'long'", "a"),
        ("tags.mlflow.project.env = 'conda'", "a"),
        ("tags.mlflow.runName = 'first'", "a"),
        ("tags CONTAINS 'best'", "a"),
        ("tags.note IN ('long', 5)", "a"),
        ("(status = 'FAILED' OR status = 'FINISHED') AND NOT (params.lr = 0.1)", "a"),
        ("dataset.name = 'small'", "b"),
        ("model.name = 'tuned' AND model.uid = 'tuned'", "a"),
        ("models.parents.architecture = 'ResNet'", "a"),
        ("model.parent.hyperparameters.depth = 50", "a"),
        ("project.name = 'fraud'", "a"),
        ("parent.status = 'FINISHED'", "c"),
        ("dataset.license IS NULL", "abcd"),
        ("dataset.role = 'training'", "b"),
        ("dataset.context = 'train' AND dataset.name = 'small'", "b"),
        ("dataset.context = 'test'", ""),
        ("tags.mlflow.parentRunId = 'a'", "c"),
        ('rests_on("ImageNet")', "ab"),
        ("rests_on('ImageNet') AND status = 'FAILED'", "b"),
        ("rests_on('base')", "a"),
    ],
)
def test_expressions(runs: None, expression: str, expected: str) -> None:
    found = search(expression, order_by="uid", columns=["status"])
    assert "".join(row["uid"] for row in found) == expected


def test_search_of_each_kind(runs: None) -> None:
    def uids(kind: str, expression: str) -> list[str]:
        return [row["uid"] for row in search(expression, kind=kind)]

    assert uids("models", "rests_on('ImageNet')") == ["base", "tuned"]
    assert uids("models", "dataset.name = 'small' AND params.depth = 50") == ["base"]
    assert uids("datasets", "license IS NOT NULL") == ["ImageNet"]
    rest = {"mix": [1, 2.5], "map": {"x": []}, "none": None}
    Experiment(uid="rest", parameters=rest).save()  # values that are not native properties
    for key in ("mix", "map", "map.x"):
        assert uids("experiments", f"params.{key} IS NOT NULL") == ["rest"], key
        assert "rest" not in uids("experiments", f"params.{key} IS NULL"), key
    assert "rest" in uids("experiments", "params.none IS NULL")
    assert uids("datasets", "metrics.`val/loss` < 0.2") == ["small"]
    assert uids("projects", "experiments.status = 'FINISHED'") == ["fraud"]
    assert uids("metrics", "name = 'accuracy' AND value > 0.6") == ["a/accuracy"]
    found = uids("metrics", "experiment.parameters.lr = 0.1 AND value > 0.6")
    assert found == ["b/val%2Floss/small"]


def test_rows(runs: None) -> None:
    rows = search("status IS NOT NULL", order_by=["metrics.accuracy ASC"])
    assert [row["uid"] for row in rows] == ["b", "a"]
    assert rows.columns[:2] == ("uid", "name")
    assert search("uid = 'a'", columns=["uid", "status"]).columns == ("uid", "status")
    assert rows[1]["started_at"] == TIME
    assert rows[1]["parameters.optimizer.name"] == "adam"
    assert rows[0]["metrics.val/loss"] == 0.9
    assert set(rows[0]) == set(rows[1]) == set(rows.columns)
    assert list(rows.to_pandas().uid) == ["b", "a"]
    assert {node.uid for node in rows.nodes()} == {"a", "b"}
    assert "val/loss" in rows._repr_html_()
    names = ["metrics.accuracy", "params.lr", "tags.team", "project.name", "params.a.b"]
    assert search("uid = 'a'", columns=names) == [
        {
            "uid": "a",
            "metrics.accuracy": 0.9,
            "params.lr": 0.01,
            "tags.team": "vision",
            "project.name": "fraud",
            "params.a.b": "x",
        }
    ]
    assert [row["uid"] for row in search(order_by="params.p0 DESC", limit=1)] != []
    assert [row["uid"] for row in search(order_by=["tags.team", "uid DESC"])] == [*"adcb"]
    assert search("uid = 'nothing'").columns == ("uid",)


def test_sort_keys(graph: Connection) -> None:
    """NaN is after numbers, missing values are last; keys with dots and nested ones are equal."""
    for uid, value in (("low", 0.1), ("none", None), ("nan", float("nan")), ("high", float("inf"))):
        run = Experiment(
            uid=uid, parameters={"a.b": value, "c": {"d": uid}} if value == 0.1 else {}
        )
        run.save()
        if value is not None:
            run.record("auc", value)
    nested = Experiment(uid="nested", parameters={"a": {"b": 0.2}}).save()
    nested.part_of.connect(Experiment.nodes.get(uid="low"))

    def order(key: str) -> list[str]:
        return [row["uid"] for row in search(order_by=key)]

    assert order("metrics.auc DESC") == ["high", "low", "nan", "nested", "none"]
    assert order("metrics.auc") == ["low", "high", "nan", "nested", "none"]
    assert order("params.a.b DESC")[:2] == ["nested", "low"]
    assert order("parent.params.a.b")[0] == "nested"
    (row,) = search("uid = 'nested'", columns=["parent.params.a.b", "parent.params.c.d"])
    assert row == {"uid": "nested", "parent.params.a.b": 0.1, "parent.params.c.d": "low"}


def test_negation_refers_to_one_related_node(graph: Connection) -> None:
    """`NOT IN` matches another value, as `!=` does."""
    run = Experiment(uid="r", source="C:\\data\\n'").save()
    for name in ("x", "y"):
        run.datasets.connect(Dataset(name=name, digest=f"of {name}").save())
    run.record("loss", 0.1)
    run.record("auc", 0.5)
    for expression, is_found in [
        ("dataset.name NOT IN ('x')", True),
        ("dataset.name NOT IN ('x', 'y')", False),
        ("dataset.name NOT LIKE 'x%' AND dataset.digest = 'of y'", True),
        ("dataset.name NOT LIKE 'x%' AND dataset.digest = 'of x'", False),
        ("metrics.auc NOT IN (0.1)", True),
        ("metrics.auc NOT IN (0.5)", False),
        ("source = 'C:\\data\\n'''", True),
        ("source LIKE 'C:\\%'", True),
        ("source LIKE 'C:\\\\%'", False),
    ]:
        assert bool(search(expression)) is is_found, expression


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prompt"], "kind: expected one of experiments, models, datasets, projects, metrics, got"),
        (["modles", "name = 'x'"], "got 'modles' (did you mean 'models'?)"),
        (["metrics.auc", ">", "0.9"], "expected one EXPRESSION, got 3: quote it"),
    ],
)
@pytest.mark.any_engine
def test_invalid_arguments_are_usage_errors(cli: Run, words: list[str], message: str) -> None:
    result = cli("search", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_values_of_every_kind(runs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = {"deep": {"empty": {}, "mixed": [1, "a"]}, "list": [1, 2], "none": None, "x.y": 1}
    for number in range(45):
        Experiment(uid=f"many-{number:02}", parameters={"n": number}, results=mixed).save()
    run = Experiment(uid="json", parameters=mixed, random_seed=7, tags=["x=1", "x=2"]).save()
    run.record("loss", 1.0, dataset=Dataset(name="other").save())
    run.record("loss", 2.0)
    query("MATCH (n:Experiment {uid: 'json'}) SET n.started_at = 'soon'", write=True)
    query(
        "MATCH (n:Experiment {uid: 'd'}) SET n.parameters = $text",
        text='{"whole": {"text": true}}',
        write=True,
    )
    rows = {row["uid"]: row for row in search()}
    assert [rows[f"many-{number:02}"]["parameters.n"] for number in range(45)] == [*range(45)]
    assert rows["many-44"]["results"] == mixed
    found = {name: value for name, value in rows["json"].items() if value is not None}
    assert found == {
        "uid": "json",
        "started_at": "soon",
        "random_seed": 7,
        "tags": ["x=1", "x=2"],
        "parameters.deep.mixed": [1, "a"],
        "parameters.list": [1, 2],
        "parameters.x.y": 1,
        "metrics.loss": 2.0,
    }
    assert rows["d"]["parameters.whole.text"] is True
    names = ["parameters", "params.deep.mixed", "params.whole", "parent.metrics.accuracy"]
    assert [row["uid"] for row in search(order_by="dataset.context DESC", limit=1)] == ["b"]
    assert search("uid = 'b'", columns="dataset.context")[0]["dataset.context"] == "training"
    rows = {row["uid"]: row for row in search(columns=names)}
    assert rows["json"]["parameters"] == mixed
    assert rows["json"]["params.deep.mixed"] == [1, "a"]
    assert rows["d"]["params.whole"] == {"text": True}
    assert rows["c"]["parent.metrics.accuracy"] == 0.9
    assert rows["a"]["parent.metrics.accuracy"] is None
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    monkeypatch.setenv("GENAI_GRAPH_ENCRYPTED", "Experiment.parameters,Experiment.source")
    with connect():
        Experiment(uid="e", parameters={"a": {"b": 1}}, source="train.py").save()
        (row,) = search("uid = 'e'")
        assert row == {"uid": "e", "source": "train.py", "parameters.a.b": 1}
        (row,) = search("uid = 'e'", columns=["params.a.b", "source"])
        assert row == {"uid": "e", "params.a.b": 1, "source": "train.py"}
    (row,) = search("uid = 'e'")
    assert "encrypted with the key" in str(row["parameters"])
    assert "encrypted with the key" in str(row["source"])


def test_texts_of_numbers_and_booleans(graph: Connection) -> None:
    """MLflow's parameters are Python's texts of values; numbers and booleans keep their types."""
    values = {"n": 1, "f": 1.0, "s": "1", "small": 1e-05, "java": "1.0E-5", "b": True, "t": "true"}
    values |= {"large": 2**60 + 1, "near": 2**60, "list": [1], "high": 1e300}
    for uid, value in values.items():
        Experiment(uid=uid, parameters={"x": value}).save()
    expected = {
        "= '1'": "n s",
        "= '1.0'": "f",
        "= 1": "f n s",
        "< 1": "java small",
        "= '1e-05'": "small",
        "= 'True'": "b",
        "= 'true'": "b t",
        "!= 'True'": "f high java large list n near s small t",
        f"= '{2**60 + 1}'": "large",
        "IN ('1e+300', '1', 5)": "high n s",
        "NOT IN ('1e-05', '1')": "b f high java large list near t",
        f"= '{10**30}'": "",
    }

    def found() -> dict[str, str]:
        rows = {condition: search(f"params.x {condition}") for condition in expected}
        return {key: " ".join(sorted(row["uid"] for row in rows[key])) for key in rows}

    assert found() == expected
    if graph.engine == "neo4j":
        schema.index_json("Experiment.parameters.x")
        try:
            assert found() == expected
        finally:
            schema.index_json("Experiment.parameters.x", drop=True)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("status = ", "character 10, at the end: expected a text"),
        ("status = 'FINISHED' x", "expected AND or OR"),
        ("statsu = 'FINISHED'", "character 1, near .*did you mean 'status'"),
        ("status = 'FINISHD'", "character 10, .*did you mean 'FINISHED'"),
        ("name > 5", "expected a string, got 5"),
        ("started_at > 'soon'", "expected a time such as"),
        ("metrics.accuracy = 'high'", "expected a number"),
        ("parameters = 1", "add a key"),
        ("dataset.licence = 'MIT'", "did you mean 'license'"),
        ("nothing('x')", "unknown function"),
        ("rests_on('ImageNt')", "did you mean"),
        ("tags = 'x'", "use CONTAINS"),
        ("metrics > 1", "'metrics' needs a key, such as"),
        ("status.x = 1", "'status' is not JSON, and has no key 'x'"),
        ("rests_on(5)", "expected a uid in quotes"),
        ("name LIKE 5", "expected a text in quotes, got 5"),
        ("(" * 5_000, "expected"),
        ("NOT " * 500 + "uid = 'a'", "too deeply"),
        ("NOT " * 150 + "uid = 'a'", "levels"),
        ("x" * 30_000, "at most 20,000 characters"),
    ],
)
def test_errors(runs: None, expression: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search(expression)


def test_errors_that_depend_on_the_kind(runs: None) -> None:
    with pytest.raises(SearchError, match="Project has"):
        search("metrics.accuracy > 1", kind="projects")
    with pytest.raises(SearchError, match="rests_on can't be used for Project"):
        search("rests_on('ImageNet')", kind="projects")
    with pytest.raises(SearchError, match=r"add a key"):
        search(order_by="parameters")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "modles"}, "kind: expected one of experiments, models, .*mean 'models'"),
        ({"limit": -1}, "limit: expected an integer of at least 0, got -1"),
        ({"limit": "1"}, "limit: expected an integer of at least 0, got '1'"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        search("uid = 'a'", **options)


def test_command(runs: None, cli: Run) -> None:
    result = cli("search", "params.lr < 0.05", "--columns", "params.lr", "--format", "json")
    assert json.loads(result.stdout) == [
        {"uid": "a", "params.lr": 0.01},
        {"uid": "c", "params.lr": "0.001"},
    ]
    assert cli("search", "models", "--format", "csv", "--limit", 1).stdout.startswith("uid,")
    failed = cli("search", "metrcs.x = 1")
    assert failed.exit_code == 1
    assert "did you mean 'metrics'" in failed.stderr
    assert cli("search", "a", "b").exit_code == 2


# Texts in statements

MARK = "zq7"
names = st.sampled_from(["status", "params", "metrics", "tags", "dataset", "name", "`", MARK])
texts = st.text(st.sampled_from("zq7'\"`\\u0060{}$;) OR//"), max_size=8).map(lambda t: MARK + t)
tokens = st.one_of(
    names,
    texts,
    texts.map(lambda text: f"'{text}'"),
    texts.map(lambda text: f"`{text}`"),
    st.sampled_from([".", "=", "!=", "<", "LIKE", "IN", "(", ")", ",", "AND", "OR", "NOT", "IS"]),
    st.sampled_from(["NULL", "CONTAINS", "5", "0.1", "true"]),
)
keys = st.builds(
    lambda group, name: f"{group}.`{name.replace('`', '')}`",
    st.sampled_from(["params", "metrics", "tags", "model.hyperparameters"]),
    texts,
)
conditions = st.builds(
    lambda key, operator, text: f"{key} {operator} '{text.translate({39: None, 92: None})}'",
    keys,
    st.sampled_from(["=", "!=", "<", "LIKE", "NOT LIKE", "CONTAINS", "ILIKE"]),
    texts,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(tokens, max_size=12).map(" ".join), conditions, st.text(max_size=30)))
@example("params.`zq7``) DETACH DELETE n //` = 'zq7'")
@pytest.mark.any_engine
def test_no_text_reaches_cypher(graph: Connection, expression: str) -> None:
    try:
        tree = parse_expression(expression)
        compiler = Compiler()
        found = [] if tree is None else [to_tree(tree, Resolver("Experiment", expression))]
        statement = compiler.match("Experiment", found, "n")
    except GenaiGraphError:
        return
    assert MARK not in statement
    assert "\\u" not in statement


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(conditions)
def test_hostile_texts_find_nothing(runs: None, expression: str) -> None:
    try:
        rows: list[dict[str, Any]] = search(expression, columns=["status"], order_by="uid")
        assert rows == [] or "!=" in expression
    except SearchError as error:
        assert "expected a" in str(error)  # noqa: PT017
    assert query("MATCH (n:Experiment) RETURN count(n) AS count") == [{"count": 4}]
