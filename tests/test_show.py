"""Neighbourhood, lineage and impact, and their pictures."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import FIXTURES, Run
from traps import TRAPS

from genai_graph import Dataset, Experiment, Model, Project, Subgraph, ask, load, query
from genai_graph.cli import main
from genai_graph.cli.show import FORMATS as COMMAND_FORMATS
from genai_graph.database import Connection
from genai_graph.errors import NodeNotFoundError, NotSavedError, QuestionError
from genai_graph.formatting import truncate
from genai_graph.lineage import neighbourhood
from genai_graph.pictures.formats import FORMATS, draw
from genai_graph.pictures.style import MAX_LINE_LENGTH
from genai_graph.registry import NODES

SVG = "{http://www.w3.org/2000/svg}"


def load_yaml(text: str) -> None:
    """Load a graph from YAML that lacks the line of the format."""
    Path("graph.yaml").write_text("format: genai_graph/1\n" + dedent(text))
    load("graph.yaml")


def nodes(subgraph: Subgraph) -> list[str]:
    return [str(node) for node in subgraph.nodes]


def edges(subgraph: Subgraph) -> list[str]:
    return [f"{edge.source} -{edge.type}-> {edge.target}" for edge in subgraph.edges]


def model(uid: str) -> Model:
    return Model.nodes.get(uid=uid)


def dataset(uid: str) -> Dataset:
    return Dataset.nodes.get(uid=uid)


LINEAGE = """
    Project:
      p: {models: [child], datasets: [raw]}
    Dataset:
      raw: {}
      clean: {parents: {raw: {kind: preprocessed}}}
      test: {}
      other: {}
    Model:
      base: {trained_on: [raw]}
      child:
        parents: {base: {kind: fine-tuned}}
        trained_on: {clean: {role: training}, test: {role: test}}
      other: {trained_on: [other]}
      merged: {parents: [base, child]}
    Experiment:
      run: {models: [child], datasets: [test], metrics: {acc: {value: 0.5, dataset: test}}}
    """

CHAIN = "Model:\n" + "".join(f"  m{n}: {{parents: [m{n + 1}]}}\n" for n in range(9)) + "  m9: {}"


def create_cycle() -> None:
    """Derive base from child, too; the package itself rejects cycles."""
    query(
        "MATCH (a:Model {uid: 'base'}) MATCH (b:Model {uid: 'child'}) "
        "CREATE (a)-[:DERIVED_FROM]->(b)",
        write=True,
    )


# Lineage


def test_lineage_is_everything_a_model_depends_on(graph: Connection) -> None:
    """Two paths lead to raw. Test data and unrelated nodes are not included."""
    load_yaml(LINEAGE)
    subgraph = model("child").lineage()
    assert nodes(subgraph) == ["Model child", "Dataset clean", "Model base", "Dataset raw"]
    assert edges(subgraph) == [
        "Dataset clean -DERIVED_FROM-> Dataset raw",
        "Model child -DERIVED_FROM-> Model base",
        "Model base -TRAINED_ON-> Dataset raw",
        "Model child -TRAINED_ON-> Dataset clean",
    ]
    assert [node.distance for node in subgraph.nodes] == [0, 1, 1, 2]
    assert subgraph.root is subgraph.nodes[0]
    assert subgraph.edges[1].properties == {"kind": "fine-tuned"}
    assert not subgraph.is_cut


def test_impact_is_everything_that_depends_on_a_dataset(graph: Connection) -> None:
    load_yaml(LINEAGE)
    subgraph = dataset("raw").impact()
    assert nodes(subgraph) == [
        "Dataset raw", "Dataset clean", "Model base", "Model child", "Model merged",
    ]  # fmt: skip
    (counts,) = ask("dataset-impact", dataset="raw")
    assert counts["datasets"] == sum(node.label == "Dataset" for node in subgraph.nodes)
    assert counts["models"] == sum(node.label == "Model" for node in subgraph.nodes)


def test_lineage_and_impact_are_consistent(graph: Connection) -> None:
    load(FIXTURES / "torchvision.yaml")
    from_models = {
        (node.uid, model.uid)
        for model in Model.nodes.all()[::9]
        for node in model.lineage().nodes
        if node.label == "Dataset"
    }
    models = {uid for _, uid in from_models}
    from_datasets = {
        (dataset.uid, node.uid)
        for dataset in Dataset.nodes
        for node in dataset.impact().nodes
        if node.uid in models
    }
    assert len(from_models) > 10
    assert from_models == from_datasets


def test_traversal_of_a_cycle_terminates(graph: Connection) -> None:
    load_yaml(LINEAGE)
    create_cycle()
    subgraph = model("base").lineage()
    assert nodes(subgraph) == ["Model base", "Dataset raw", "Model child", "Dataset clean"]
    assert "Model base -DERIVED_FROM-> Model child" in edges(subgraph)
    assert "Model child -DERIVED_FROM-> Model base" in edges(subgraph)
    assert nodes(dataset("clean").impact())[:3] == ["Dataset clean", "Model child", "Model base"]


@pytest.mark.parametrize(("depth", "uids"), [(0, "m0"), (1, "m0 m1"), (3, "m0 m1 m2 m3")])
def test_depth_limits_the_traversal(graph: Connection, depth: int, uids: str) -> None:
    load_yaml(CHAIN)
    subgraph = model("m0").lineage(depth=depth)
    assert [node.uid for node in subgraph.nodes] == uids.split()
    assert (subgraph.is_cut, subgraph.is_cut_at_depth) == (True, True)


def test_lineage_is_followed_to_its_end(graph: Connection, cli: Run) -> None:
    load_yaml(CHAIN)
    whole = model("m0").lineage()
    assert whole.nodes[-1].distance == len(whole.nodes) - 1 > 8
    assert (whole.is_cut, whole.notice) == (False, "")
    last = len(whole.nodes) - 1
    assert not model("m0").lineage(depth=last).is_cut
    cut = model("m0").lineage(depth=last - 1)
    assert cut.notice == f"incomplete: the lineage goes on beyond the depth of {last - 1}"
    arguments = ("lineage", "m0", "--depth", last - 1)
    shown = cli(*arguments)
    assert (shown.exit_code, shown.stderr) == (0, f"{cut.notice}; raise --depth\n")
    assert cli(*arguments, "--strict").exit_code == 1
    assert cli("lineage", "m0", "--strict").exit_code == 0
    assert not model("m0").neighbourhood(depth=1).is_cut  # all that was asked for


@pytest.mark.parametrize("depth", [-1, 1.5, True, "1"])
def test_invalid_depth_is_rejected(graph: Connection, depth: Any) -> None:
    node = Model(name="m").save()
    with pytest.raises(QuestionError, match="depth: expected an integer of at least 0"):
        node.lineage(depth=depth)


def test_unsaved_and_deleted_nodes_have_no_lineage(graph: Connection) -> None:
    with pytest.raises(NotSavedError):
        Model(name="m").lineage()
    saved = Dataset(name="d").save()
    query("MATCH (n) DETACH DELETE n", write=True)
    with pytest.raises(NodeNotFoundError, match="no Dataset with uid 'd'"):
        saved.impact()


# The neighbourhood


def test_neighbourhood_has_all_edge_types_in_both_directions(graph: Connection) -> None:
    load_yaml(LINEAGE)
    subgraph = model("child").neighbourhood()
    assert edges(subgraph) == [
        "Experiment run -RUN-> Model child",
        "Model child -DERIVED_FROM-> Model base",
        "Model merged -DERIVED_FROM-> Model child",
        "Model child -TRAINED_ON-> Dataset clean",
        "Model child -TRAINED_ON-> Dataset test",
        "Project p -HAS-> Model child",
    ]
    assert {node.distance for node in subgraph.nodes[1:]} == {1}


def test_properties_are_python_values(graph: Connection) -> None:
    load(FIXTURES / "quickstart.yaml")
    subgraph = model("xgb-fraud@2.1").neighbourhood()
    run = next(node for node in subgraph.nodes if node.label == "Experiment")
    saved = Experiment.nodes.get(uid="fraud-2026-03-01")
    assert run.properties["started_at"] == saved.started_at
    assert subgraph.root.properties["hyperparameters"] == {"max_depth": 8, "eta": 0.1}
    assert "uid" not in run.properties
    assert "ended_at" not in run.properties


def test_invalid_values_of_other_programs_are_shown_without_credentials(graph: Connection) -> None:
    query(
        "CREATE (:Dataset {uid: 'd', creator: 7, data_schema: '{', password: 'abc', "
        "location: 'https://user:secret@host/x?sig=abc&part=1'})-[:HAS]->(:Thing {uid: 't'})",
        write=True,
    )
    query("CREATE (:Project {name: 'without uid'})", write=True)
    query("MATCH (p:Project) MATCH (d:Dataset) CREATE (p)-[:HAS]->(d)", write=True)
    subgraph = dataset("d").neighbourhood()
    assert nodes(subgraph) == ["Dataset d"]
    assert subgraph.root.properties == {
        "creator": 7,
        "data_schema": "{",
        "location": "https://host/x?part=1",
    }


def test_limit_of_nodes_is_applied_and_reported(graph: Connection, cli: Run) -> None:
    load_yaml(
        "Dataset:\n  d: {}\nModel:\n" + "".join(f"  m{n}: {{trained_on: [d]}}\n" for n in range(9))
    )
    subgraph = dataset("d").neighbourhood(limit=4)
    assert [node.label for node in subgraph.nodes] == ["Dataset", "Model", "Model", "Model"]
    assert {edge.source for edge in subgraph.edges} == {*subgraph.nodes[1:]}
    assert subgraph.is_cut
    whole = dataset("d").neighbourhood(limit=10)
    assert (len(whole.nodes), whole.is_cut, whole.notice) == (10, False, "")
    for name in ("tree", "mermaid", "dot"):
        shown = cli("show", "Dataset", "d", "--limit", 4, "--format", name)
        assert "incomplete: cut at the limit of 4 nodes" in shown.stdout, name
        assert "raise --limit" in shown.stderr
    assert json.loads(cli("show", "Dataset", "d", "--limit", 4, "--format", "json").stdout)[
        "is_cut"
    ]


@pytest.mark.parametrize("limit", [2**31 - 1, 2**32 - 1, 2**32, 2**63 - 1, 2**64])
def test_huge_limits_cut_nothing(graph: Connection, limit: int) -> None:
    load_yaml(LINEAGE)
    whole = model("child").neighbourhood(depth=3)
    subgraph = model("child").neighbourhood(depth=3, limit=limit)
    assert (subgraph.nodes, subgraph.edges, subgraph.is_cut) == (whole.nodes, whole.edges, False)


def test_limit_of_edges_is_five_times_that_of_nodes(graph: Connection) -> None:
    """12 models trained on 12 datasets each have 144 edges; 5 * 24 are returned."""
    datasets = [f"d{n:02}" for n in range(12)]
    load_yaml(
        "Dataset:\n"
        + "".join(f"  {uid}: {{}}\n" for uid in datasets)
        + "Model:\n"
        + "".join(f"  m{n:02}: {{trained_on: [{', '.join(datasets)}]}}\n" for n in range(12))
    )
    subgraph = dataset("d00").neighbourhood(depth=3, limit=24)
    assert len(subgraph.nodes) <= 24
    assert len(subgraph.edges) == 5 * 24
    assert subgraph.is_cut


def test_equal_graphs_have_equal_pictures(graph: Connection, cli: Run) -> None:
    load(FIXTURES / "torchvision.yaml")
    cli("dump", "-o", "all.jsonl")
    arguments = ("show", "Dataset", "COCO", "--depth", 2, "--format", "json")
    first = cli(*arguments).stdout
    query("MATCH (n) DETACH DELETE n", write=True)
    header, *lines = Path("all.jsonl").read_text().splitlines()
    Path("other.jsonl").write_text("\n".join([header, *reversed(lines)]))
    load("other.jsonl")
    assert len(json.loads(first)["nodes"]) > 300
    assert cli(*arguments).stdout == first


# The command


def test_tree_shows_properties_and_each_node_once(graph: Connection, cli: Run) -> None:
    load_yaml(LINEAGE)
    query("MATCH (n) REMOVE n.created_at, n.updated_at", write=True)
    assert cli("show", "Model", "child", "--depth", 2).stdout == dedent("""\
        Model child
          name: child
        ├── <-RUN- Experiment run
        │   ├── -HAS-> Metric run/acc/test
        │   └── -USED-> Dataset test (shown elsewhere)
        ├── -DERIVED_FROM-> Model base {kind: fine-tuned}
        │   └── -TRAINED_ON-> Dataset raw
        ├── <-DERIVED_FROM- Model merged
        │   └── -DERIVED_FROM-> Model base (shown elsewhere)
        ├── -TRAINED_ON-> Dataset clean {role: training}
        │   └── -DERIVED_FROM-> Dataset raw {kind: preprocessed} (shown elsewhere)
        ├── -TRAINED_ON-> Dataset test {role: test}
        │   └── <-EVALUATED_ON- Metric run/acc/test (shown elsewhere)
        └── <-HAS- Project p
            └── -HAS-> Dataset raw (shown elsewhere)
        """)


def test_commands_lineage_and_impact(graph: Connection, cli: Run) -> None:
    load_yaml(LINEAGE)
    query("MATCH (n) REMOVE n.created_at, n.updated_at", write=True)
    assert cli("lineage", "child").stdout == dedent("""\
        Model child
          name: child
        ├── -DERIVED_FROM-> Model base {kind: fine-tuned}
        │   └── -TRAINED_ON-> Dataset raw
        └── -TRAINED_ON-> Dataset clean {role: training}
            └── -DERIVED_FROM-> Dataset raw {kind: preprocessed} (shown elsewhere)
        """)
    assert cli("impact", "clean", "-o", "impact.json").exit_code == 0
    assert json.loads(Path("impact.json").read_text()) == dataset("clean").impact().as_dict()
    short = json.loads(cli("lineage", "child", "--depth", 1, "--format", "json").stdout)
    assert short == model("child").lineage(depth=1).as_dict()
    result = cli("lineage", "CHIL")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no Model with uid 'CHIL' exists in the graph (did you mean 'child'?)" in result.stderr


@pytest.mark.parametrize(
    ("uid", "hint"),
    [
        ("imagenet", " (did you mean 'ImageNet-1K' or 'ImageNet-22K'?)"),
        ("ImageNet-2", " (did you mean 'ImageNet-22K'?)"),
        ("COKO", " (did you mean 'COCO'?)"),
        ("", ""),
        ("nothing like it", ""),
    ],
)
def test_unknown_uid_is_reported_with_similar_uids(
    graph: Connection, cli: Run, uid: str, hint: str
) -> None:
    load_yaml("Dataset: {COCO: {}, ImageNet-1K: {}, ImageNet-22K: {}}")
    result = cli("show", "Dataset", uid)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"no Dataset with uid {uid!r} exists in the graph{hint}: ")


def test_json_format(graph: Connection, cli: Run) -> None:
    load(FIXTURES / "quickstart.yaml")
    Experiment.upsert(uid="fraud-2026-03-01").record("loss", float("nan"))
    shown = json.loads(cli("show", "Experiment", "fraud-2026-03-01", "--format", "json").stdout)
    assert shown["root"] == {"label": "Experiment", "uid": "fraud-2026-03-01"}
    assert shown["nodes"][0]["properties"]["started_at"] == "2026-03-01T09:00:00Z"
    values = {node["uid"]: node["properties"].get("value") for node in shown["nodes"]}
    assert values["fraud-2026-03-01/loss"] == "NaN"
    ends = {(edge["type"], edge["target"]["uid"]) for edge in shown["edges"]}
    assert ("RUN", "xgb-fraud@2.1") in ends


def test_unknown_label_is_reported_with_a_similar_label(cli: Run) -> None:
    result = cli("show", "Modle", "m")
    assert result.exit_code == 2
    assert "did you mean 'Model'?" in result.stderr


def test_unknown_uid_is_reported_with_uids_that_it_is_a_prefix_of(
    graph: Connection, cli: Run
) -> None:
    load(FIXTURES / "quickstart.yaml")
    result = cli("show", "Model", "xgb-fraud")
    assert result.exit_code == 1
    assert result.stderr == (
        "no Model with uid 'xgb-fraud' exists in the graph (did you mean 'xgb-fraud@2.0' or "
        "'xgb-fraud@2.1'?): `genai-graph query 'MATCH (n:Model) RETURN n.uid'` lists them\n"
    )
    assert "did you mean" not in cli("show", "Metric", "zzz").stderr


def test_extension_selects_the_format_and_force_overwrites(graph: Connection, cli: Run) -> None:
    Model(name="m").save()
    assert cli("show", "Model", "m", "-o", "m.dot").exit_code == 0
    assert Path("m.dot").read_text().startswith("digraph")
    refused = cli("show", "Model", "m", "-o", "m.dot")
    assert (refused.exit_code, "--force" in refused.stderr) == (1, True)
    assert cli("show", "Model", "m", "-o", "m.dot", "--force", "--format", "json").exit_code == 0
    assert json.loads(Path("m.dot").read_text())["root"]["uid"] == "m"


@pytest.mark.parametrize("name", ["m.png", "m.svgz", "m.png.gz", "m@2.1"])
def test_unknown_extension_is_rejected(graph: Connection, cli: Run, name: str) -> None:
    Model(name="m").save()
    refused = cli("show", "Model", "m", "-o", name)
    assert refused.exit_code == 1
    assert f"{name}: unknown extension ." in refused.stderr
    assert ".html" in refused.stderr
    assert not Path(name).exists()
    assert cli("show", "Model", "m", "-o", name, "--format", "dot").exit_code == 0
    assert Path(name).exists()


def test_name_without_extension_selects_a_tree(graph: Connection, cli: Run) -> None:
    Model(name="m").save()
    assert cli("show", "Model", "m", "-o", "m").exit_code == 0
    assert Path("m").read_text().startswith("Model m\n")


def test_options_of_the_commands_match_the_library() -> None:
    """The commands repeat formats and defaults, since the imports would slow down `--help`."""
    assert COMMAND_FORMATS == FORMATS
    functions = {
        main.commands["show"]: neighbourhood,
        main.commands["lineage"]: Model.lineage,
        main.commands["impact"]: Dataset.impact,
    }
    for command, function in functions.items():
        arguments = ["Model", "m"] if command.name == "show" else ["m"]
        options = command.make_context(command.name, arguments).params
        for name in ("depth", "limit"):
            assert options[name] == inspect.signature(function).parameters[name].default


def test_encrypted_values_are_not_shown_without_keys(
    graph: Connection, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    from genai_graph import connect
    from genai_graph.database.keyring import generate_key

    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        Dataset(name="d", location="s3://bucket-17/place", metadata={"bucket-17": 1}).save()
    assert "s3://bucket-17/place" in cli("show", "Dataset", "d").stdout
    monkeypatch.delenv("GENAI_GRAPH_KEYS")
    for name in FORMATS:
        shown = cli("show", "Dataset", "d", "--format", name).stdout
        assert "bucket-17" not in shown
    assert "<encrypted with the key" in cli("show", "Dataset", "d").stdout


# Other tools


def load_traps() -> Subgraph:
    """Return a neighbourhood in which every text could be mistaken for markup."""
    root = Project(name="root").save()
    for number, trap in enumerate(TRAPS):
        values = {"uid": f"{trap}{number}", "name": trap, "description": trap, "tags": [trap]}
        run = Experiment(**values, parameters={trap: trap}).save()
        data = Dataset(**values).save()
        model = Model(**values).save()
        root.experiments.connect(run)
        root.datasets.connect(data)
        model.trained_on.connect(data, {"split": trap, "revision": trap})
    return root.neighbourhood(depth=2)


def test_graphviz_reads_dot(graph: Connection) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    subgraph = load_traps()
    drawn = subprocess.run(
        ["dot", "-Tsvg"],
        input=draw(subgraph, "dot"),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert drawn.stderr == ""
    picture = ElementTree.fromstring(drawn.stdout)
    texts = [(text.text or "").replace("\xa0", " ") for text in picture.iter(f"{SVG}text")]
    assert len([text for text in texts if text in NODES]) == len(subgraph.nodes)
    assert {truncate(node.uid, MAX_LINE_LENGTH) for node in subgraph.nodes} <= {*texts}
    assert texts.count("TRAINED_ON") == len(TRAPS)


@pytest.mark.parametrize("name", ["dot", "svg"])
def test_long_texts_are_truncated(graph: Connection, name: str) -> None:
    long = "x" * 5_000
    model, data = Model(name=long).save(), Dataset(name="d").save()
    model.trained_on.connect(data, {"revision": long})
    picture = re.sub("<title>.*?</title>", "", draw(model.lineage(), name))
    assert re.search("[:x]x{37,46}…", picture)  # in DOT after the name of the property
    assert "x" * 48 not in picture


def test_mermaid_labels_are_escaped(
    graph: Connection,
) -> None:
    subgraph = load_traps()
    lines = draw(subgraph, "mermaid").splitlines()
    labels = [line.split('"')[1] for line in lines if '"' in line]
    assert len(labels) == len(subgraph.nodes) + len(subgraph.edges)
    assert all(line.count('"') in (0, 2) for line in lines)
    for label in labels:
        text = re.sub(r"<br>|#\d+;|TRAINED_ON| ", "", label)
        assert text.isalnum(), label


def test_exceeded_limits_of_mermaid_are_reported(graph: Connection, cli: Run) -> None:
    load(FIXTURES / "torchvision.yaml")
    large = cli("show", "Project", "torchvision", "--depth", 2, "--format", "mermaid")
    assert "maxEdges (500) and maxTextSize (50,000)" in large.stderr
    small = cli("show", "Dataset", "IG-3.6B", "--format", "mermaid")
    assert (small.exit_code, small.stderr) == (0, "")


def test_tree_contains_only_printable_text(graph: Connection) -> None:
    drawn = draw(load_traps(), "tree")
    assert all(line.isprintable() for line in drawn.splitlines())
