"""Names: conflicts with a caller's classes, arbitrary strings, and suggestions for typos."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import neomodel
import pytest
from conftest import Run, write_file
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import genai_graph
from genai_graph import Dataset, Experiment, Metric, Model, Project, query, registry
from genai_graph.database import Connection
from genai_graph.errors import EdgeTypeError, FixtureError, UnknownPropertyError
from genai_graph.names import normalize_name
from genai_graph.registry import properties_of
from genai_graph.storage.columns import from_columns

ODD = [
    'it\'s "quoted" and `ticked`',
    "``; MATCH (n) DETACH DELETE n //",
    "'}) DETACH DELETE n //",
    'a\\b\\u0041\\n{"$ref": 1}',
    "meta-llama/Llama-3.1-8B@main",
    "100%25 @ 50%/%40%2F",
    "two\nlines\r\nand\ta tab",
    " spaces around it ",
    "$uid {name} [0] (x) <b> & ; # ~",
    "\u2028\u2029\x85\x0b\x0c",
    "\u00e9 in normal form C",
    "\u202eright to left\u200f\u200d",
    "\U0001f469\u200d\U0001f52c \U0010ffff \ufffe \ufeff",
    "\x01\x1f\x7f\x9f",
    "数据集 données דאטה",
    "null",
    "true",
    "-1e5",
    "2026-03-01T09:00:00Z",
    "%",
    "@",
    "/",
    "`",
]
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
).map(normalize_name)
on_the_graph = settings(
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Definitions of a program with the names of the models, before or after the import.
PLAIN = """
class Dataset: pass
class Model: pass
class Experiment: pass
class Metric: pass
class Project: pass
"""
FUNCTIONS = """
def Dataset(): raise RuntimeError("the caller's own")
Model = Experiment = 5
Metric = None
Project = "a project"
"""
NODES = """
import neomodel
class Dataset(neomodel.StructuredNode):
    title = neomodel.StringProperty(required=True)
class Model(neomodel.StructuredNode):
    title = neomodel.StringProperty(required=True)
    trained_on = neomodel.RelationshipTo("Dataset", "TRAINED_ON")
    parents = neomodel.RelationshipTo("Model", "DERIVED_FROM")
class Metric(neomodel.StructuredNode):
    uid = neomodel.UniqueIdProperty()
    value = neomodel.StringProperty()
class Experiment(neomodel.StructuredNode):
    title = neomodel.StringProperty()
    metrics = neomodel.RelationshipTo("Metric", "HAS", cardinality=neomodel.One)
class Project(neomodel.StructuredNode):
    title = neomodel.StringProperty()
    datasets = neomodel.RelationshipTo("Dataset", "HAS")
"""
# Uses every class and every edge type, from both ends, and prints the nodes found.
PROGRAM = """
import json
import genai_graph as gg

with gg.connect():
    project = gg.Project(name="p").save()
    dataset = gg.Dataset.upsert(name="d", version="1")
    raw = gg.Dataset.nodes.bulk_create({"name": "raw"})[0]
    model, base = gg.Model(name="m").save(), gg.Model(name="base").save()
    run = gg.Experiment(uid="e").save()
    metric = run.record("accuracy", 0.5, dataset=dataset, split="test")
    project.datasets.connect(dataset)
    project.models.connect(model)
    run.projects.connect(project)
    model.trained_on.connect(dataset, {"role": "test"})
    model.parents.connect(base, {"kind": "adapted"})
    raw.children.connect(dataset, {"kind": "subset"})
    run.models.connect(model, {"step": 3})
    dataset.experiments.connect(run)
    found = [
        project.datasets.all(), project.models.all(), project.experiments.all(),
        dataset.projects.all(), dataset.trained_models.all(), dataset.experiments.all(),
        dataset.metrics.all(), dataset.parents.all(), raw.children.all(),
        model.projects.all(), model.trained_on.match(role="test").all(),
        model.experiments.filter(uid="e").all(), model.parents.all(), base.children.all(),
        run.projects.all(), run.models.all(), run.metrics.order_by("name").all(),
        run.datasets.all(), metric.experiment.all(), metric.dataset.all(),
        [gg.Project.nodes.get(uid="p")], [gg.Dataset.nodes.first(uid="raw")],
        gg.Model.nodes.filter(uid="m").traverse("trained_on").all()[0][:2],
        list(gg.Experiment.nodes), list(gg.Metric.nodes),
    ]
    for nodes in found:
        for node in nodes:
            assert type(node) is getattr(gg, type(node).__name__), type(node)
    print(json.dumps([[repr(node) for node in nodes] for nodes in found]))
"""
FOUND = [
    ["<Dataset d@1>"],
    ["<Model m>"],
    ["<Experiment e>"],
    ["<Project p>"],
    ["<Model m>"],
    ["<Experiment e>"],
    ["<Metric e/accuracy/d@1/test>"],
    ["<Dataset raw>"],
    ["<Dataset d@1>"],
    ["<Project p>"],
    ["<Dataset d@1>"],
    ["<Experiment e>"],
    ["<Model base>"],
    ["<Model m>"],
    ["<Project p>"],
    ["<Model m>"],
    ["<Metric e/accuracy/d@1/test>"],
    ["<Dataset d@1>"],
    ["<Experiment e>"],
    ["<Dataset d@1>"],
    ["<Project p>"],
    ["<Dataset raw>"],
    ["<Model m>", "<Dataset d@1>"],
    ["<Experiment e>"],
    ["<Metric e/accuracy/d@1/test>"],
]


def run_script(text: str, folder: Path) -> str:
    """Run a program in a process of its own on the graph of the test; return its output."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Conflicting names


@pytest.mark.slow
@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, ""),
        ("from genai_graph import Dataset as _, connect", PLAIN),
        (FUNCTIONS, ""),
        (NODES, ""),
        ("import genai_graph; genai_graph.Dataset", NODES),
    ],
    ids=[
        "plain classes before",
        "plain classes after",
        "functions and values",
        "nodes before",
        "nodes after",
    ],
)
def test_a_program_can_define_the_names_of_the_models(
    graph: Connection, tmp_path: Path, before: str, after: str
) -> None:
    printed = run_script(before + "\n" + after + "\n" + PROGRAM, tmp_path)
    assert json.loads(printed) == FOUND


def test_definitions_of_a_program_are_not_replaced(graph: Connection, tmp_path: Path) -> None:
    printed = run_script(
        NODES + PROGRAM + "print(Dataset(title='own').title, Dataset.__module__)", tmp_path
    )
    assert printed.splitlines()[-1] == "own __main__"


def test_a_program_with_conflicting_names_can_load_a_fixture(
    graph: Connection, tmp_path: Path
) -> None:
    fixture = tmp_path / "own.yaml"
    fixture.write_text("format: genai_graph/1\nModel: {m: {trained_on: [d]}}\nDataset: {d: {}}\n")
    program = """
    import genai_graph
    with genai_graph.connect():
        genai_graph.load("own.yaml")
        print(genai_graph.Model.nodes.get(uid="m").trained_on.all())
    """
    assert run_script(NODES + textwrap.dedent(program), tmp_path) == "[<Dataset d>]\n"


def test_an_edge_to_a_class_of_the_same_name_is_rejected(graph: Connection) -> None:
    own = type("Dataset", (), {"__module__": "their.program"})
    model = Model(name="m").save()
    with pytest.raises(EdgeTypeError) as caught:
        model.trained_on.connect(own())
    message = str(caught.value)
    assert "genai_graph" in message
    assert "their.program" in message
    with pytest.raises(EdgeTypeError, match=r"genai_graph.*their\.program"):
        Experiment(uid="e").save().record("loss", 0.5, dataset=own())


def test_a_node_class_of_the_same_label_does_not_replace_the_model(graph: Connection) -> None:
    dataset = Dataset(name="d").save()
    own = type(
        "Dataset", (neomodel.StructuredNode,), {"title": neomodel.StringProperty(required=True)}
    )
    assert own.__label__ == "Dataset"  # type: ignore[attr-defined]
    (found,) = Dataset.nodes.all()
    assert type(found) is genai_graph.Dataset
    model = Model(name="m").save()
    model.trained_on.connect(dataset)
    assert [type(node) for node in model.trained_on] == [genai_graph.Dataset]


# Arbitrary strings


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_odd_strings_are_valid_uids_values_and_keys(graph: Connection, text: str) -> None:
    check_everywhere(text, text)


@pytest.mark.slow
@on_the_graph
@given(one=texts, other=texts)
@example(one="a@b", other="b@a")
@example(one="%40", other="@")
def test_any_string_is_a_valid_uid_value_and_key(graph: Connection, one: str, other: str) -> None:
    query("MATCH (n) DETACH DELETE n", write=True)
    check_everywhere(one, other)


def check_everywhere(one: str, other: str) -> None:
    """Write two strings to every kind of string property, and read them back."""
    data: dict[str, Any] = {one: {other: [other, {one: None}]}, "same": one}
    dataset = Dataset(
        name=one, version=other, description=other, tags=[other, one, other], metadata=data
    ).save()
    project = Project.upsert(name=one, owner=other)
    model = Model.upsert(uid=one, name=other, metadata=data)
    run = Experiment.upsert(uid=other, created_by=one, parameters=data)
    project.datasets.connect(dataset)
    model.trained_on.connect(dataset, {"split": one, "revision": other})
    metric = run.record(one, 0.5, dataset=dataset, split=other, step=1)
    assert run.record(one, 0.4, dataset=dataset, split=other, step=2) == metric

    found = Dataset.nodes.get(uid=dataset.uid)
    assert (found.name, found.version, found.description) == (one, other, other)
    assert (found.tags, found.metadata) == ([other, one, other], data)
    assert Dataset.parse_uid(found.uid) == {"name": one, "version": other}
    assert Dataset.nodes.filter(name=one, version=other).all() == [dataset]
    assert Dataset.nodes.filter(tags__includes=one).all() == [dataset]
    assert Dataset.nodes.filter(metadata=data).all() == [dataset]
    assert Project.nodes.get(owner=other).name == one
    assert Model.nodes.get(uid=one).name == other
    assert Experiment.nodes.get(uid=other).parameters == data
    assert (metric.name, metric.split) == (one, other)
    assert Metric.nodes.get(uid=metric.uid).values == [0.5, 0.4]
    assert (metric.experiment.all(), metric.dataset.all()) == ([run], [dataset])
    assert project.datasets.all() == [dataset]
    assert model.trained_on.match(split=one, revision=other).all() == [dataset]
    edge: Any = model.trained_on.relationship(dataset)
    assert (edge.split, edge.revision) == (one, other)
    check_queries(one, other, data, dataset.uid)


def check_queries(one: str, other: str, data: dict[str, Any], uid: str) -> None:
    """Read the same values with Cypher parameters."""
    assert query(
        "MATCH (d:Dataset {uid: $uid}) RETURN d.name AS name, d.tags AS tags", uid=uid
    ) == [{"name": one, "tags": [other, one, other]}]
    rows = query("RETURN $value AS value", value={one: [other, {other: one}]})
    assert rows == [{"value": {one: [other, {other: one}]}}]
    (row,) = query("MATCH (m:Model {uid: $uid}) RETURN properties(m) AS stored", uid=one)
    assert row["stored"]["metadata.same"] == one
    assert json.loads(from_columns("Model", row["stored"])["metadata"]) == data


def test_similar_strings_are_different_uids(graph: Connection) -> None:
    names = ["é", "E", "e", "e ", " e", "e\n", "\uff45", "ß", "ss", "\u017f"]
    for number, name in enumerate(names):
        Dataset(name=name, size=number).save()
    assert [Dataset.nodes.get(uid=name).size for name in names] == list(range(len(names)))
    assert len(Dataset.nodes) == len(names)


@pytest.mark.parametrize(
    "text", [*ODD, "x" * 500, "\U0001f600" * 100], ids=lambda text: ascii(text)[:30]
)
def test_repr_is_one_line_for_odd_names(text: str) -> None:
    shown = repr(Dataset(name=text))
    assert shown.isprintable()
    assert len(shown) < 80
    assert shown.startswith("<Dataset ")


def test_strings_that_look_like_other_types_stay_strings(graph: Connection) -> None:
    for text in ["007", "1.0", "NaN", "true", "null", "2026-03-01", "[1]", "{}"]:
        Dataset(name=text, version=text, tags=[text], metadata=text).save()
        found = Dataset.nodes.get(name=text)
        assert (found.version, found.tags, found.metadata) == (text, [text], text)


# Suggestions


LICENSED = [label for label, cls in registry.NODES.items() if "license" in properties_of(cls)]


def test_several_labels_have_a_license() -> None:
    assert {"Dataset", "Model"} <= set(LICENSED)


@pytest.mark.parametrize("label", LICENSED)
def test_a_misspelled_property_is_suggested_in_python(label: str) -> None:
    with pytest.raises(UnknownPropertyError, match=r"\(did you mean 'license'\?\)"):
        registry.NODES[label](name="n", lisence="MIT")


@pytest.mark.parametrize("label", LICENSED)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.yaml", "format: genai_graph/1\n{}: {{n: {{lisence: MIT}}}}\n"),
        ("f.json", '{{"format": "genai_graph/1", "{}": {{"n": {{"lisence": "MIT"}}}}}}'),
        (
            "f.jsonl",
            '{{"format": "genai_graph/1"}}\n'
            '{{"node": "{}", "uid": "n", "props": {{"lisence": "MIT"}}}}\n',
        ),
        ("graph/{}.csv", "uid:ID({0}),lisence\nn,MIT\n"),
    ],
)
def test_a_misspelled_property_is_suggested_in_fixtures(
    cli: Run, label: str, name: str, content: str
) -> None:
    Path("graph").mkdir()
    path = write_file(name.format(label), content.format(label)).removesuffix(f"/{label}.csv")
    with pytest.raises(FixtureError, match=r"\(did you mean 'license'\?\)"):
        genai_graph.check(path)
    result = cli("check", path)
    assert result.exit_code == 1
    assert "(did you mean 'license'?)" in result.stderr
