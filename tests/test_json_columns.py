"""JSON as native properties by path: `parameters.lr`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, write_file
from hypothesis import example, given, settings
from hypothesis import strategies as st

import genai_graph
from genai_graph import Avg, Connection, Dataset, Experiment, Project, dump, load, query
from genai_graph.access.keys import count_by_key, rotate
from genai_graph.access.roles import statements
from genai_graph.database.keyring import generate_key
from genai_graph.errors import NodeSetError, PropertyTypeError, UnsupportedError
from genai_graph.properties.json_columns import divide, unite

PARAMETERS = {
    "lr": 0.1,
    "optimizer": {"name": "adam", "betas": [0.9, 0.999], "schedule": {"warmup.steps": 5}},
    "layers": [64, 32],
    "amp": True,
    "100%": "yes",
    "none": None,
    "empty": {},
    "nothing": [],
    "mixed": [1, 2.5],
    "blocks": [{"size": 1}],
    "back\\slash": 1,
    "long" * 70: 1,
}
NATIVE = {
    "parameters.lr": 0.1,
    "parameters.optimizer.name": "adam",
    "parameters.optimizer.betas": [0.9, 0.999],
    "parameters.optimizer.schedule.warmup%2Esteps": 5,
    "parameters.layers": [64, 32],
    "parameters.amp": True,
    "parameters.100%25": "yes",
}
REST = {
    name: value
    for name, value in PARAMETERS.items()
    if name not in ("lr", "optimizer", "layers", "amp", "100%")
}

keys = st.text(st.sampled_from("ab.%\\\0é`"), max_size=3)
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
leaves |= st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def stored(uid: str = "run", label: str = "Experiment") -> dict[str, Any]:
    """Return the stored properties of JSON."""
    (row,) = query(f"MATCH (n:{label} {{uid: $uid}}) RETURN properties(n) AS found", uid=uid)
    names = ("parameters", "results", "hyperparameters", "metadata")
    return {name: value for name, value in row["found"].items() if name.partition(".")[0] in names}


def exact(value: Any) -> str:
    """Return a text that tells apart 1, 1.0 and True."""
    return json.dumps(value, sort_keys=True)


@settings(max_examples=300)
@given(values)
@example({"a": {"b": {}}, "a.b": 1, "a%2Eb": -0.0})
@example({str(number): number for number in range(1001)})
@example([{"a": 1}])
def test_a_value_is_united_as_it_was_divided(value: Any) -> None:
    text = genai_graph.properties.JSONProperty().to_db(value)
    columns = divide("p", text)
    assert exact(json.loads(unite("p", columns))) == exact(value)
    assert not any("\\" in name or "\0" in name for name in columns)
    for name, item in columns.items():
        items = item if isinstance(item, list) else [item]
        assert name == "p" or len({*map(type, items)}) == 1 <= len(items)


def test_properties_by_path(graph: Connection) -> None:
    Experiment(uid="run", parameters=PARAMETERS).save()
    found = stored()
    assert json.loads(found.pop("parameters")) == REST
    assert found == NATIVE
    assert Experiment.nodes.get(uid="run").parameters == PARAMETERS
    rows = query("MATCH (e:Experiment) WHERE e.`parameters.lr` < 0.2 RETURN e.uid AS uid")
    assert rows == [{"uid": "run"}]


def test_many_leaves_are_one_text(graph: Connection) -> None:
    values = {f"key {number}": number for number in range(1001)}
    run = Experiment(uid="run", parameters=values).save()
    assert list(stored()) == ["parameters"]
    del values["key 7"]
    run.parameters = values
    run.save()
    assert len(stored()) == 1000
    assert Experiment.nodes.get(uid="run").parameters == values


def test_loads_of_many_keys_are_compared(graph: Connection) -> None:
    parameters = {f"p{number}": number for number in range(150)}
    others = {f"q{number}": number for number in range(150)}
    for changed, counts in ((0, (2, 0, 0)), (0, (0, 0, 2)), (1, (0, 1, 1))):
        runs = {"a": {"parameters": {**parameters, "p0": changed}}, "b": {"parameters": others}}
        Path("f.json").write_text(json.dumps({"format": "genai_graph/1", "Experiment": runs}))
        found = load("f.json").nodes["Experiment"]
        assert (found.created, found.changed, found.unchanged) == counts


@pytest.mark.parametrize("value", [{}, [], [1, {"a": 2}], "text", 0, {"a": {}}])
def test_any_json_value_can_be_stored_and_replaced(graph: Connection, value: Any) -> None:
    Experiment(uid="run", parameters=value, results={"a": 1}).save()
    assert Experiment.nodes.get(uid="run").parameters == value
    Experiment.upsert(uid="run", parameters={"a": 1})
    assert stored() == {"parameters.a": 1, "results.a": 1}
    Experiment.upsert(uid="run", parameters=None)
    assert stored() == {"results.a": 1}


def test_a_change_of_one_key_writes_that_key(graph: Connection) -> None:
    """Clients that change different keys do not overwrite each other's."""
    Experiment(uid="run", parameters={"lr": 0.1, "depth": 3, "old": [1], "opt": "sgd"}).save()
    one, other = Experiment.nodes.get(uid="run"), Experiment.nodes.get(uid="run")
    one.parameters["lr"] = 1
    del one.parameters["old"]
    one.save()
    other.parameters["depth"] = 4
    other.parameters["opt"] = {"name": "adam", "none": None}
    other.save()
    assert stored() == {
        "parameters": '{"opt":{"none":null}}',
        "parameters.lr": 1,
        "parameters.depth": 4,
        "parameters.opt.name": "adam",
    }
    other.parameters = {"depth": 4}
    Experiment.nodes.bulk_update([other], ["parameters"])
    assert stored() == {"parameters.depth": 4}
    Experiment.nodes.update(parameters={"lr": -0.0})
    assert Experiment.nodes.get(uid="run").parameters == {"lr": 0.0}


@pytest.mark.parametrize("format", ["yaml", "jsonl", "csv"])
def test_loads_and_dumps(graph: Connection, tmp_path: Path, format: str) -> None:
    Experiment(uid="run", parameters=PARAMETERS, metadata={"a": {"b": [True]}}).save()
    Experiment(uid="empty", parameters={}).save()
    path = tmp_path / f"dump.{format}"
    dump(path, format=format)
    assert load(path).nodes["Experiment"].unchanged == 2
    before = stored(), stored("empty")
    query(
        "MATCH (e:Experiment {uid: 'run'}) SET e.`parameters.lr` = 5, e.`parameters.x` = 1",
        write=True,
    )
    report = load(path)
    assert report.nodes["Experiment"].changed == 1
    assert (stored(), stored("empty")) == before
    query("MATCH (n) DETACH DELETE n", write=True)
    load(path)
    assert (stored(), stored("empty")) == before


def test_cypher_dump(graph: Connection) -> None:
    hostile = {"`": "'\"`", "a = 1 //": 2.5, "'\"": 1, "list": ["x", "$y"], "rest": [None]}
    Experiment(uid="run", parameters=hostile, metadata={"a": -0.0}).save()
    before = stored()
    dump("dump.cypher", format="cypher")
    query("MATCH (n) DETACH DELETE n", write=True)
    for statement in Path("dump.cypher").read_text(encoding="utf-8").split(";\n"):
        if statement.startswith("UNWIND"):
            query(statement, write=True)
    assert stored() == before
    assert Experiment.nodes.get(uid="run").parameters == hostile


def test_json_texts_of_other_programs(graph: Connection, cli: Run) -> None:
    """A whole text is read; it is stored by path when it is written again."""
    query(
        "CREATE (:Experiment {uid: 'run', name: 'run', parameters: '{\"b\": 1, \"a\": [2]}'})",
        write=True,
    )
    run = Experiment.nodes.get(uid="run")
    assert run.parameters == {"a": [2], "b": 1}
    del run.parameters["b"]
    run.save()
    assert stored() == {"parameters.a": [2]}
    query("MATCH (e:Experiment) REMOVE e.`parameters.a` SET e.parameters = '{\"a\":1}'", write=True)
    query("MATCH (e:Experiment) SET e.`parameters.a` = null", write=True)
    load(write_file("f.yaml", "format: genai_graph/1\nExperiment:\n  run: {parameters: {a: 1}}\n"))
    assert stored() == {"parameters.a": 1}
    changes = {"parameters.a.b": 2, "results.x": float("nan")}
    query("MATCH (e:Experiment) SET e += $changes", changes=changes, write=True)
    report = cli("verify").stdout
    assert "parameters: is stored twice: parameters.a" in report
    assert "results: expected the text of a JSON value" in report
    Experiment.upsert(uid="run", parameters={"a": {"b": 2}}, results={})
    assert stored() == {"parameters.a.b": 2, "results": "{}"}
    assert cli("verify").exit_code == 0


# The ORM


@pytest.fixture
def runs(graph: Connection) -> None:
    Experiment(uid="a", parameters={"lr": 0.1, "opt": {"name": "adam"}, "layers": [64, 32]}).save()
    Experiment(uid="b", parameters={"lr": 1, "opt": {"name": "SGD"}, "tags": ["x", "y"]}).save()
    Experiment(uid="c", parameters={"lr": "high", "lt": 5, "a.b": True, "rest": [{}]}).save()
    Experiment(uid="d").save()


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"parameters__lr": 1.0}, "b"),
        ({"parameters__lr__lt": 0.5}, "a"),
        ({"parameters__lr__gte": 0.1, "parameters__opt__name": "adam"}, "a"),
        ({"parameters__lr__range": (0, 1)}, "ab"),
        ({"parameters__lr__in": [1, "high"]}, "bc"),
        ({"parameters__lr__ne": 1}, "acd"),
        ({"parameters__opt__name__iexact": "sgd"}, "b"),
        ({"parameters__opt__name__regex": "^a"}, "a"),
        ({"parameters__lr__contains": "ig"}, "c"),
        ({"parameters__layers": [64, 32]}, "a"),
        ({"parameters__layers__includes": 64}, "a"),
        ({"parameters__layers__len": 2}, "a"),
        ({"parameters__tags__contains": "x"}, "b"),
        ({"parameters__lr__includes": 1}, ""),
        ({"parameters__lr__len__gt": 0}, ""),
        ({"parameters__lt__exact": 5}, "c"),
        ({"parameters__a.b": True}, "c"),
        ({"parameters__lr__isnull": True}, "d"),
        ({"parameters__opt__isnull": False}, "ab"),
        ({"parameters__opt__name": None}, "cd"),
        ({"parameters__isnull": True}, "d"),
        ({"parameters__has_key": "opt"}, "ab"),
        ({"parameters__opt__has_key": "name"}, "ab"),
        ({"parameters__in": [{"lr": 1, "opt": {"name": "SGD"}, "tags": ["x", "y"]}]}, "b"),
        ({"parameters__in": []}, ""),
        ({"parameters__has_keys": ["lr", "opt"]}, "ab"),
        ({"parameters__has_keys": ["lr", "rest"]}, "c"),
        ({"parameters__has_keys": []}, "abcd"),
        ({"parameters__has_any_keys": ["tags", "rest"]}, "bc"),
        ({"parameters__has_any_keys": []}, ""),
        ({"parameters__opt__has_any_keys": ["name", "x"]}, "ab"),
    ],
)
def test_filters(runs: None, lookups: dict[str, Any], expected: str) -> None:
    found = Experiment.nodes.filter(**lookups).order_by("uid").values_list("uid", flat=True)
    assert "".join(found) == expected
    others = Experiment.nodes.exclude(**lookups)
    assert {node.uid for node in others} == set("abcd") - set(expected)


TEXTS = {
    "null": None,
    "map": {"null": None, "deeper": {"list": []}},
    "list": [],
    "empty": {},
    "mixed": [1, 2.5],
    "maps": [{"inner": 1, "null": "}]"}],
    'quo"te\\': [],
    "last": 'text with "outside": [1',
    "é": [],
}


@pytest.mark.parametrize(
    "store",
    [
        json.dumps,
        lambda value: json.dumps(value, indent=1, ensure_ascii=False),
        None,
    ],
    ids=["ASCII", "indented", "by path"],
)
def test_keys_of_values_that_are_texts(graph: Connection, store: Any) -> None:
    """Also in whole texts of other programs: values that are not native have keys, too."""
    Experiment(uid="run", parameters=TEXTS if store is None else None).save()
    if store is not None:
        query("MATCH (e:Experiment) SET e.parameters = $text", text=store(TEXTS), write=True)
    Experiment(uid="number", parameters=[{"null": None}]).save()
    nodes = Experiment.nodes

    def found(**lookups: Any) -> bool:
        (both,) = {nodes.filter(**lookups).count(), 2 - nodes.exclude(**lookups).count()}
        return bool(both)

    for key in TEXTS:
        assert found(parameters__has_key=key), key
        assert found(**{f"parameters__{key}__isnull": False}), key
    for key in ("outside", "inner", "deeper", "nul", "1", "[", ""):
        assert not found(parameters__has_key=key), key
    assert found(parameters__has_keys=list(TEXTS))
    assert found(parameters__has_any_keys=["outside", "mixed"])
    assert not found(parameters__has_any_keys=["outside", "inner"])
    assert found(parameters__map__has_keys=["null", "deeper"])
    assert found(parameters__map__deeper__has_key="list")
    assert not found(parameters__map__has_key="list")
    assert not found(parameters__maps__has_key="inner")
    # None is also a key whose value is null.
    assert nodes.filter(parameters__null=None).count() == 2
    assert nodes.filter(parameters__map__null=None).count() == 2
    assert [node.uid for node in nodes.filter(parameters__mixed=None)] == ["number"]
    assert [node.uid for node in nodes.exclude(parameters__map=None)] == ["run"]


def test_keys_in_long_texts(graph: Connection) -> None:
    value = {"rest": [[number, f'{number}"]'] for number in range(20_000)], "z": []}
    deep: Any = []
    for _ in range(60):
        deep = [deep]
    Experiment(uid="run", parameters={**value, "deep": deep}).save()
    assert Experiment.nodes.filter(parameters__has_keys=["rest", "z", "deep"]).count() == 1
    assert Experiment.nodes.filter(parameters__has_key="19999").count() == 0


def test_order_values_and_aggregates_of_json(runs: None) -> None:
    nodes = Experiment.nodes
    assert [node.uid for node in nodes.order_by("-parameters__opt__name")] == ["a", "b", "d", "c"]
    assert nodes.order_by("uid").values_list(
        "uid", "parameters__opt", "parameters__rest"
    ).all() == [
        ("a", {"name": "adam"}, None),
        ("b", {"name": "SGD"}, None),
        ("c", None, [{}]),
        ("d", None, None),
    ]
    assert nodes.order_by("uid").values("parameters").last() == {"parameters": {}}
    assert set(nodes.values_list("parameters__lr", flat=True).distinct()) == {0.1, 1, "high", None}
    assert nodes.aggregate(mean=Avg("parameters__lr")) == {"mean": 0.55}
    (only,) = nodes.only("parameters").filter(uid="b")
    assert only.parameters["tags"] == ["x", "y"]
    project = Project(name="p").save()
    project.experiments.connect(nodes.get(uid="a"))
    assert Project.nodes.filter(experiments__parameters__lr__lt=1).all() == [project]
    assert project.experiments.filter(parameters__lr=0.1).count() == 1
    assert Project.nodes.values_list("experiments__parameters__lr", flat=True).all() == [0.1]


@pytest.mark.any_engine
def test_errors(graph: Connection) -> None:
    with pytest.raises(NodeSetError, match=r"^Experiment.parameters: 'lt': no such lookup"):
        Experiment.nodes.filter(parameters__lt=1)
    with pytest.raises(PropertyTypeError, match="compare the values in it"):
        Experiment.nodes.filter(parameters__opt={"name": "adam"})
    with pytest.raises(NodeSetError, match="use a value in it"):
        Experiment.nodes.order_by("parameters")


# Encryption, indexes, roles


def test_encryption_and_its_removal(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value by path becomes one ciphertext when it is rotated or changed."""
    for uid in ("a", "b"):
        Dataset(uid=uid, name=uid, metadata={"x": 1, "y": {"z": ["t"]}}).save()
    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with genai_graph.connect():
        node = Dataset.nodes.get(uid="b")
        node.metadata["x"] = 2
        node.save()
        assert list(stored("b", "Dataset")) == ["metadata"]
        assert (count_by_key().clear, rotate().reencrypted) == (1, 1)
        assert stored("a", "Dataset")["metadata"].startswith('"enc:')
        assert len(stored("a", "Dataset")) == 1
        assert Dataset.nodes.get(uid="a").metadata == {"x": 1, "y": {"z": ["t"]}}
        assert Dataset.nodes.values_list("metadata__x", flat=True).order_by("uid").all() == [1, 2]
        for lookup in ({"metadata__x": 1}, {"metadata__x__isnull": True}, {"metadata__x": None}):
            with pytest.raises(UnsupportedError, match="is encrypted"):
                Dataset.nodes.filter(**lookup)


def test_index(neo4j_graph: Connection, cli: Run) -> None:
    Experiment(uid="a", parameters={"lr": 0.1}).save()
    assert cli("schema", "index", "parameters.lr").exit_code == 0
    try:
        assert cli("schema", "check").exit_code == 0
        assert [node.uid for node in Experiment.nodes.filter(parameters__lr__lt=1)] == ["a"]
        assert genai_graph.database.indexes.indexed_columns("Experiment") == {"parameters.lr"}
    finally:
        assert cli("schema", "index", "--drop", "Experiment.parameters.lr").exit_code == 0
    assert genai_graph.database.indexes.existing_columns() == []
    for path in ("parameters", "parameters.", "nothing.lr", "Model.parameters.lr", "a.b`c"):
        assert "expected a JSON property" in cli("schema", "index", path).stderr


def test_the_embedded_engine_has_no_index_in_json(embedded: Connection, cli: Run) -> None:
    assert "the embedded engine has no index" in cli("schema", "index", "parameters.lr").stderr


def test_roles_hide_the_keys_of_sensitive_json() -> None:
    lines = statements(keys=["metadata.x", "parameters.lr", "metadata"])
    (denied,) = (line for line in lines if "`metadata`" in line)
    assert "{`metadata`, `metadata.x`}" in denied
    assert not any("parameters" in line for line in lines)
