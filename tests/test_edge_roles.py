"""Edges that differ in role and split: several between the same nodes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, errors_of, write_file

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    FixtureError,
    Model,
    ask,
    check,
    dump,
    load,
    query,
    verify,
)
from genai_graph.errors import EdgeError, PropertyError, UnknownPropertyError
from genai_graph.pictures.formats import FORMATS

TRAIN = {"role": "training", "split": "train"}
VAL = {"role": "validation", "split": "val"}
NODES: list[dict[str, Any]] = [
    {"node": "Dataset", "uid": "d"},
    {"node": "Model", "uid": "m"},
    {"node": "Experiment", "uid": "x"},
]


@pytest.fixture
def model(graph: Connection) -> Model:
    return Model(name="m").save()


@pytest.fixture
def dataset(graph: Connection) -> Dataset:
    return Dataset(name="d").save()


def values(edge: Any) -> dict[str, Any]:
    """Return the properties of an edge that are set."""
    return {name: value for name, value in edge.__properties__.items() if value is not None}


def stored(edge_type: str = "TRAINED_ON") -> list[dict[str, Any]]:
    """Return the properties of the stored edges of a type."""
    found = query(f"MATCH ()-[r:{edge_type}]->() RETURN properties(r) AS r")
    return sorted((row["r"] for row in found), key=str)


def trained_on(**props: str) -> dict[str, Any]:
    return {"edge": "TRAINED_ON", "from": ["Model", "m"], "to": ["Dataset", "d"], "props": props}


def jsonl(*rows: dict[str, Any], name: str = "f.jsonl") -> str:
    return write_file(name, "".join(map("{}\n".format, map(json.dumps, [HEADER, *rows]))))


HEADER = {"format": "genai_graph/1"}


# Python


@pytest.mark.parametrize(
    ("attribute", "other", "properties"),
    [
        ("trained_on", "trained_models", [{}, {"split": "a"}, {"role": "test"}, TRAIN, VAL]),
        ("datasets", "experiments", [{}, {"split": "a"}, {"role": "test"}, TRAIN, VAL]),
        ("models", "experiments", [{}, {"role": "input"}]),
    ],
)
def test_an_edge_for_each_role_and_split(
    graph: Connection, attribute: str, other: str, properties: list[dict[str, Any]]
) -> None:
    source: Any = Model(name="m").save() if attribute == "trained_on" else Experiment().save()
    target: Any = Model(name="t").save() if attribute == "models" else Dataset(name="t").save()
    forward, backward = getattr(source, attribute), getattr(target, other)
    for _, given in itertools.product(range(2), properties):
        assert values(forward.connect(target, given)) == given
        assert values(backward.connect(source, given)) == given
    for edges, node in ((forward, target), (backward, source)):
        for found in (edges.all_relationships(node), list(edges.edges())):
            assert sorted(map(values, found), key=str) == sorted(properties, key=str)
            assert {(edge.start_node(), edge.end_node()) for edge in found} == {(source, target)}
        assert (edges.all(), len(edges), list(edges), edges.single()) == ([node], 1, [node], node)
        assert (edges.filter(uid=node.uid).all(), edges.get(uid=node.uid)) == ([node], node)
        assert edges.order_by("-uid")[0:5].all() == [node]
        assert len(edges.match(role=properties[-1]["role"])) == 1
        assert node in edges


def test_no_role_is_the_default_role(model: Model, dataset: Dataset) -> None:
    edges = model.trained_on
    edges.connect(dataset, {"revision": "1"})
    assert edges.match(role="training").all() == [dataset]
    assert Model.nodes.filter(**{"trained_on|role__in": ["training"]}).all() == [model]
    assert not edges.match(role__ne="training")
    assert values(edges.connect(dataset, {"role": "training"})) == {
        "role": "training",
        "revision": "1",
    }
    assert values(edges.connect(dataset)) == {"role": "training", "revision": "1"}
    assert values(edges.connect(dataset, {"role": None})) == {"revision": "1"}
    assert stored() == [{"revision": "1"}]
    run = Experiment().save()
    run.models.connect(model, {"step": 1})
    run.models.connect(model, {"role": "output", "step": 2})
    assert stored("RUN") == [{"role": "output", "step": 2}]


def test_relationship_finds_one_edge(model: Model, dataset: Dataset) -> None:
    edges = model.trained_on
    assert edges.relationship(dataset, role="training") is None
    for given in [VAL, {"role": "test"}, TRAIN, {"split": "b"}, {"role": "training", "split": "a"}]:
        edges.connect(dataset, given)
    found = [(edge.role, edge.split) for edge in edges.all_relationships(dataset)]
    assert found == [
        ("training", "a"), (None, "b"), ("training", "train"), ("test", None), ("validation", "val")
    ]  # fmt: skip
    assert values(edges.relationship(dataset)) == {"role": "training", "split": "a"}
    for having, expected in [
        ({"role": "validation"}, VAL),
        ({"role": "validation", "split": "val"}, VAL),
        ({"role": "training", "split": "b"}, {"split": "b"}),
        ({"role": None, "split": "train"}, TRAIN),
        ({"split": None}, {"role": "test"}),
    ]:
        assert values(edges.relationship(dataset, **having)) == expected
        assert values(dataset.trained_models.relationship(model, **having)) == expected
    assert edges.relationship(dataset, role="test", split="val") is None
    with pytest.raises(PropertyError, match="did you mean 'test'"):
        edges.relationship(dataset, role="tst")
    with pytest.raises(UnknownPropertyError, match="did you mean 'split'"):
        edges.relationship(dataset, splt="a")


def test_disconnect_one_edge_or_all(model: Model, dataset: Dataset) -> None:
    other = Dataset(name="other").save()
    edges = model.trained_on
    for node, given in itertools.product((dataset, other), (TRAIN, VAL, {})):
        edges.connect(node, given)
    edges.disconnect(dataset, VAL)
    assert [values(edge) for edge in edges.all_relationships(dataset)] == [{}, TRAIN]
    dataset.trained_models.disconnect(model, role="training", split=None)
    assert [values(edge) for edge in edges.all_relationships(dataset)] == [TRAIN]
    edges.disconnect(dataset, role="test")
    with pytest.raises(PropertyError):
        edges.disconnect(dataset, {"role": "tst"})
    assert len(edges.all_relationships(dataset)) == 1
    edges.disconnect(other)
    assert (edges.all(), stored()) == ([dataset], [TRAIN])


def test_reconnect_and_replace_move_all_edges(model: Model, dataset: Dataset) -> None:
    other = Dataset(name="other").save()
    edges = model.trained_on
    for given in ({}, {**VAL, "revision": "1"}, {"role": "test"}):
        edges.connect(dataset, given)
    edges.connect(other, {"revision": "2", **VAL})
    edges.reconnect(dataset, other)
    assert edges.all() == [other]
    found = [values(edge) for edge in edges.all_relationships(other)]
    assert found == [{}, {"role": "test"}, {**VAL, "revision": "1"}]
    assert len(stored()) == 3
    edges.replace(dataset, TRAIN)
    assert (edges.all(), stored()) == ([dataset], [TRAIN])
    with pytest.raises(EdgeError, match="not connected"):
        edges.reconnect(other, dataset)


def test_edges_of_all_nodes_in_order(model: Model, dataset: Dataset) -> None:
    second = Dataset(name="c", num_rows=5).save()
    assert list(model.trained_on.edges()) == []
    for node, given in [(dataset, VAL), (second, {}), (dataset, TRAIN)]:
        model.trained_on.connect(node, given)
    found = list(model.trained_on.edges())
    assert [(edge.end_node().uid, values(edge)) for edge in found] == [
        ("c", {}),
        ("d", TRAIN),
        ("d", VAL),
    ]
    assert found[0].end_node().num_rows == 5  # type: ignore[attr-defined]
    second.parents.connect(dataset, {"kind": "subset"})
    (edge,) = dataset.children.edges()
    assert (edge.start_node(), edge.end_node(), values(edge)) == (
        second,
        dataset,
        {"kind": "subset"},
    )


@pytest.mark.parametrize("roles", list(itertools.permutations([TRAIN, VAL, {"role": "test"}])))
def test_other_roles_do_not_hide_training(
    model: Model, dataset: Dataset, roles: tuple[dict[str, Any], ...]
) -> None:
    dataset.license = "NC"
    dataset.save()
    for role in roles:
        model.trained_on.connect(dataset, role)
    assert [row["model"] for row in ask("license-impact", licenses=["NC"])] == ["m"]
    assert [edge.properties for edge in model.lineage().edges] == [TRAIN]
    assert [node.uid for node in dataset.impact().nodes] == ["d", "m"]
    assert [edge.properties for edge in model.neighbourhood().edges] == [
        TRAIN,
        {"role": "test"},
        VAL,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("attribute", ["connect", "load"])
def test_concurrent_writers_create_no_duplicates(graph: Connection, attribute: str) -> None:
    """Each thread creates the edges of all roles and splits between the same nodes."""
    model, dataset, run = (
        Model(name="m").save(),
        Dataset(name="d").save(),
        Experiment(uid="x").save(),
    )
    keys = list(itertools.product([None, "training", "test"], [None, "a", "b"]))
    rows = [
        {key: value for key, value in (("role", role), ("split", split)) if value}
        for role, split in keys
    ]
    distinct = [row for row in rows if row.get("role") != "training"]
    jsonl(*NODES, *(trained_on(**row) for row in distinct))

    def write(number: int) -> None:
        if attribute == "load":
            load("f.jsonl", atomic=number % 2 == 0)
            return
        for row in rows[number:] + rows[:number]:
            model.trained_on.connect(dataset, row)
            dataset.experiments.connect(run, row)
            run.models.connect(model, {"role": "input" if row.get("role") == "test" else None})

    for _ in range(5):
        query("MATCH ()-[r]->() DELETE r", write=True)
        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(write, number) for number in range(6)]:
                done.result()
        assert len(stored()) == 6
        if attribute == "connect":
            assert (len(stored("USED")), len(stored("RUN"))) == (6, 2)
    assert [finding for finding in verify() if finding.kind == "duplicate"] == []


# Files

YAML = """\
format: genai_graph/1
Dataset:
  d: {}
Model:
  m:
    trained_on:
      d:
        - {role: training, split: train}
        - {role: validation, split: val}
        -
Experiment:
  x:
    models: {m: [{role: output}, {role: input, step: 3}]}
    datasets: {d: [{split: a}, {role: test}]}
"""
EXPECTED = {
    "TRAINED_ON": [TRAIN, VAL, {}],
    "RUN": [{"role": "input", "step": 3}, {"role": "output"}],
    "USED": [{"role": "test"}, {"split": "a"}],
}


def assert_loaded() -> None:
    assert {edge_type: stored(edge_type) for edge_type in EXPECTED} == EXPECTED


@pytest.mark.parametrize("name", ["g.yaml", "g.jsonl", "g.cypher", "directory"])
def test_round_trip(graph: Connection, name: str) -> None:
    write_file("f.yaml", YAML)
    assert check("f.yaml") == (3, 7)
    report = load("f.yaml")
    assert report.edges["Model-TRAINED_ON->Dataset"].created == 3
    assert_loaded()
    assert load("f.yaml").edges["Model-TRAINED_ON->Dataset"].unchanged == 3
    chosen = "csv" if name == "directory" else None
    assert dump(name, format=chosen) == (3, 7)
    query("MATCH (n) DETACH DELETE n", write=True)
    for _ in range(2):
        if name.endswith(".cypher"):
            for statement in Path(name).read_text().split(";\n")[:-1]:
                query(statement, write=True)
        else:
            load(name)
        assert_loaded()
    again = name.replace("g.", "h.").replace("directory", "other")
    dump(again, format=chosen)
    for first in [Path(name)] if Path(name).is_file() else Path(name).iterdir():
        second = Path(again) if first.name == name else Path(again, first.name)
        assert first.read_bytes() == second.read_bytes()


def test_dump_as_yaml_lists_the_edges_to_a_node(model: Model, dataset: Dataset) -> None:
    other = Dataset(name="e").save()
    for node, given in [(dataset, VAL), (other, {}), (dataset, {})]:
        model.trained_on.connect(node, given)
    dump("f.yaml")
    assert Path("f.yaml").read_text().endswith(
        "    trained_on:\n"
        "      d:\n"
        "        - {}\n"
        "        - {role: validation, split: val}\n"
        "      e: {}\n"
    )  # fmt: skip


def test_json_lists_the_edges_to_a_node(graph: Connection) -> None:
    content = {
        **HEADER,
        "Dataset": {"d": {}},
        "Model": {"m": {"trained_on": {"d": [TRAIN, VAL, None]}}},
        "Experiment": {
            "x": {"models": {"m": EXPECTED["RUN"]}, "datasets": {"d": EXPECTED["USED"]}}
        },
    }
    write_file("f.json", json.dumps(content))
    load("f.json")
    assert_loaded()


def yaml_edges(*maps: str) -> str:
    items = "".join(f"        - {each}\n" for each in maps)
    return write_file(
        "f.yaml",
        "format: genai_graph/1\nDataset: {d: }\nModel:\n  m:\n    trained_on:\n      d:\n" + items,
    )


def json_edges(*maps: str) -> str:
    found = [dict(re.findall(r"(\w+): (\w+)", each)) for each in maps]
    listed = ",\n".join(json.dumps(each) for each in found)
    return write_file(
        "f.json",
        '{"format": "genai_graph/1",\n"Dataset": {"d": {}},\n"Model":\n{"m":\n{"trained_on":\n'
        f'{{"d": [\n{listed}]}}}}}}}}',
    )


def jsonl_edges(*maps: str) -> str:
    rows = [trained_on(**dict(re.findall(r"(\w+): (\w+)", each))) for each in maps]
    return jsonl(*NODES, {"node": "Dataset", "uid": "e"}, {"node": "Dataset", "uid": "f"}, *rows)


def csv_edges(*maps: str) -> str:
    Path("f").mkdir()
    write_file("f/Dataset.csv", "uid:ID\nd\n")
    write_file("f/Model.csv", "uid:ID\nm\n")
    rows = [dict(re.findall(r"(\w+): (\w+)", each)) for each in maps]
    cells = (f"m,d,{row.get('role', '')},{row.get('split', '')}\n" for row in rows)
    # Empty lines: the first edge is in line 7 of the files of all formats.
    header = ":START_ID,:END_ID,role,split\n"
    write_file("f/Model-TRAINED_ON-Dataset.csv", f"{header}\n\n\n\n\n{''.join(cells)}")
    return "f"


@pytest.mark.parametrize("write", [yaml_edges, json_edges, jsonl_edges, csv_edges])
def test_duplicate_identity_is_one_error_in_each_format(write: Callable[..., str]) -> None:
    maps = ["{role: training}", "{role: test, split: a}", "{}", "{role: test, split: b}"]
    name = write(*maps, "{role: test, split: a}")
    file = "f/Model-TRAINED_ON-Dataset.csv" if name == "f" else name
    assert errors_of(name) == [
        f"{file}:9: Model 'm': TRAINED_ON: 'd': duplicate (first at {file}:7)",
        f"{file}:11: Model 'm': TRAINED_ON: 'd' with role 'test', split 'a': "
        f"duplicate (first at {file}:8)",
    ]


def test_duplicates_of_other_types_and_across_files(graph: Connection) -> None:
    derived = {"edge": "DERIVED_FROM", "from": ["Model", "m"], "to": ["Model", "n"]}
    first = jsonl({"node": "Model", "uid": "n"}, *NODES, derived, trained_on(split="a"))
    write_file("g.yaml", "format: genai_graph/1\nDataset:\n  a:\n  b: {parents: [a, a]}\n")
    second = jsonl({**derived, "props": {"kind": "adapted"}}, trained_on(split="a"), name="h.jsonl")
    with pytest.raises(FixtureError) as raised:
        load(first, "g.yaml", second)
    assert [str(error) for error in raised.value.errors] == [
        "g.yaml:4: Dataset 'b': DERIVED_FROM: 'a': duplicate (first at g.yaml:4)",
        "h.jsonl:2: Model 'm': DERIVED_FROM: 'n': duplicate (first at f.jsonl:6)",
        "h.jsonl:3: Model 'm': TRAINED_ON: 'd' with split 'a': duplicate (first at f.jsonl:7)",
    ]
    assert query("MATCH (n) RETURN n") == []


@pytest.mark.parametrize(
    ("edges", "problem"),
    [
        ("d: []", "expected a map of properties, got a list"),
        ("d: [training]", "expected a map of properties, got 'training'"),
        ("d: [{role: test}, {role: tst}]", "role: expected one of training, validation, test"),
        ("d: [[{role: test}]]", "expected a map of properties, got a list"),
    ],
)
def test_invalid_list_of_properties(edges: str, problem: str) -> None:
    text = f"format: genai_graph/1\nDataset: {{d: }}\nModel:\n  m:\n    trained_on: {{{edges}}}\n"
    (error,) = errors_of(write_file("f.yaml", text))
    assert error.startswith(f"f.yaml:5: Model 'm': trained_on: 'd': {problem}")


# Reading: verify, hubs, pictures


def test_verify_reports_duplicates_of_one_identity_only(model: Model, dataset: Dataset) -> None:
    for given in ({}, TRAIN, VAL, {"role": "test"}):
        model.trained_on.connect(dataset, given)
    assert list(verify()) == []
    create = "MATCH (m:Model) MATCH (d:Dataset) CREATE (m)-[r:TRAINED_ON]->(d) SET r = $values"
    query(create, write=True, values={"role": "training"})
    query(create, write=True, values={**VAL, "revision": "1"})
    assert [(finding.kind, finding.problem) for finding in verify()] == [
        ("duplicate", "Model 'm': 2 edges TRAINED_ON to Dataset 'd'"),
        (
            "duplicate",
            "Model 'm': 2 edges TRAINED_ON to Dataset 'd' with role 'validation', split 'val'",
        ),
    ]
    model.trained_on.connect(dataset, {**VAL, "revision": "2"})  # both are updated
    found = model.trained_on.all_relationships(dataset, **VAL)
    assert [edge.revision for edge in found] == ["2", "2"]  # type: ignore[attr-defined]
    query(create, write=True, values={"role": "training", "split": ["a"]})
    assert {finding.kind for finding in verify()} == {"duplicate", "value"}
    assert len(model.neighbourhood().edges) == 5


def test_hub_with_parallel_edges_is_read_in_pages(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {**trained_on(**given), "from": ["Model", name]}
        for name in ("m", "n")
        for given in (
            {},
            VAL,
            TRAIN,
            {"split": "a"},
            {"role": "test"},
            {"role": "test", "split": "b"},
        )
    ]
    load(jsonl(*NODES, {"node": "Model", "uid": "n"}, *rows))
    dump("a.jsonl")
    dump("a.yaml")
    for limit in (1, 2, 4, 5):
        monkeypatch.setattr("genai_graph.exchange.graph_reader.EDGE_LIMIT", limit)
        dump("b.jsonl", overwrite=True)
        assert Path("b.jsonl").read_text() == Path("a.jsonl").read_text()
        dump("b.yaml", overwrite=True)
        assert Path("b.yaml").read_text() == Path("a.yaml").read_text()
        assert list(verify()) == []


def test_pictures_show_each_role(graph: Connection, cli: Run) -> None:
    load(jsonl(*NODES, trained_on(**TRAIN), trained_on(**VAL), trained_on()))
    query("MATCH (n) REMOVE n.created_at, n.updated_at", write=True)
    assert cli("show", "Model", "m").stdout.splitlines()[2:] == [
        "└── -TRAINED_ON-> Dataset d {} {role: training, split: train} "
        "{role: validation, split: val}"
    ]
    for name in sorted(FORMATS):
        result = cli("show", "Model", "m", "--format", name)
        assert result.exit_code == 0
        assert "training" in result.stdout
        assert "validation" in result.stdout
    svg = cli("show", "Model", "m", "--format", "svg").stdout
    assert re.findall(">(TRAINED_ON[^<]*)", svg) == [
        "TRAINED_ON",
        "TRAINED_ON training",
        "TRAINED_ON validation",
    ]
