"""Loading fixtures: merging with the graph, references, errors and reports."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import FIXTURES

from genai_graph import (
    Connection,
    Dataset,
    FixtureError,
    Model,
    Project,
    Report,
    check,
    load,
    query,
)
from genai_graph.errors import NotConnectedError
from genai_graph.exchange.progress import Progress

HEADER = "format: genai_graph/1\n"


def write(text: str, name: str = "f.yaml") -> str:
    Path(name).write_text(HEADER + text, encoding="utf-8")
    return name


def write_rows(*rows: object, name: str = "f.jsonl") -> str:
    lines = map(json.dumps, ({"format": "genai_graph/1"}, *rows))
    Path(name).write_text("\n".join(lines))
    return name


def counts(report: Report) -> dict[str, tuple[int, int, int]]:
    """Return the created, changed and unchanged rows by label and edge type."""
    return {
        name: (one.created, one.changed, one.unchanged)
        for name, one in {**report.nodes, **report.edges}.items()
    }


def graph_content() -> list[str]:
    """Return all nodes and edges, without timestamps."""
    nodes = query("MATCH (n) RETURN labels(n) AS labels, properties(n) AS props")
    edges = query(
        "MATCH (a)-[r]->(b) RETURN labels(a) AS source, a.uid AS start, type(r) AS type, "
        "labels(b) AS target, b.uid AS end, properties(r) AS props"
    )
    rows: list[dict[str, Any]] = [*nodes, *edges]
    for row in rows:
        props = {k: v for k, v in row["props"].items() if k not in ("created_at", "updated_at")}
        row["props"] = sorted(props.items())
    return sorted(map(repr, rows))


def size_of_graph() -> int:
    return int(query("MATCH (n) RETURN count(n) AS count")[0]["count"])


def load_errors(*names: str, **options: Any) -> list[str]:
    with pytest.raises(FixtureError) as raised:
        load(*names, **options)
    return str(raised.value).splitlines()


# Fixtures of the project


def test_quickstart_fixture(graph: Connection) -> None:
    report = load(FIXTURES / "quickstart.yaml")
    assert counts(report) == {
        "Project": (1, 0, 0),
        "Dataset": (2, 0, 0),
        "Model": (2, 0, 0),
        "Experiment": (1, 0, 0),
        "Metric": (2, 0, 0),
        "Project-HAS->Dataset": (2, 0, 0),
        "Project-HAS->Model": (2, 0, 0),
        "Project-HAS->Experiment": (1, 0, 0),
        "Model-TRAINED_ON->Dataset": (3, 0, 0),
        "Model-DERIVED_FROM->Model": (1, 0, 0),
        "Experiment-RUN->Model": (1, 0, 0),
        "Experiment-HAS->Metric": (2, 0, 0),
        "Metric-EVALUATED_ON->Dataset": (1, 0, 0),
    }
    model = Model.nodes.get(uid="xgb-fraud@2.1")
    assert (model.name, model.version) == ("xgb-fraud", "2.1")
    assert model.hyperparameters == {"max_depth": 8, "eta": 0.1}
    edge = model.trained_on.relationship(Dataset.nodes.get(uid="transactions@2026"))
    assert edge is not None
    assert (edge.role, edge.split) == ("training", "train")
    scores = query("MATCH (m:Metric) RETURN m.uid AS uid, m.value AS value ORDER BY uid")
    assert scores == [
        {"uid": "fraud-2026-03-01/accuracy/transactions@2026/test", "value": 0.981},
        {"uid": "fraud-2026-03-01/auc", "value": 0.994},
    ]


def test_torchvision_fixture_and_a_second_load_that_changes_nothing(
    graph: Connection,
) -> None:
    created = counts(load(FIXTURES / "torchvision.yaml"))
    assert (created["Model"], created["Metric"], created["Dataset"]) == (
        (166, 0, 0),
        (327, 0, 0),
        (19, 0, 0),
    )
    assert created["Metric-EVALUATED_ON->Dataset"] == (327, 0, 0)
    stored = query("MATCH (m:Model) RETURN count(m) AS models, max(m.updated_at) AS updated")
    assert stored[0]["models"] == 166
    best = query(
        "MATCH (x:Experiment)-[:HAS]->(m:Metric {name: 'acc@1'})-[:EVALUATED_ON]->(:Dataset "
        "{uid: 'ImageNet-1K'}) MATCH (x)-[:RUN]->(model:Model) "
        "RETURN model.uid AS uid, m.value AS value ORDER BY value DESC LIMIT 1"
    )
    assert best == [{"uid": "ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1", "value": 88.552}]
    again = counts(load(FIXTURES / "torchvision.yaml"))
    assert again == {name: (0, 0, created[name][0]) for name in created}
    assert stored == query(
        "MATCH (m:Model) RETURN count(m) AS models, max(m.updated_at) AS updated"
    )


def test_name_is_short_for_a_file_in_the_fixtures_directory(graph: Connection) -> None:
    Path("fixtures").mkdir()
    shutil.copy(FIXTURES / "quickstart.yaml", "fixtures/quickstart.yaml")
    write_rows({"node": "Dataset", "uid": "d"}, name="fixtures/rows.jsonl")
    assert counts(load("quickstart"))["Model"] == (2, 0, 0)
    assert counts(load("rows"))["Dataset"] == (1, 0, 0)
    assert load_errors("slowstart") == ["slowstart: no such file, and no fixtures/slowstart.yaml"]


# Merging


def test_loading_again_changes_no_values_and_no_timestamps(graph: Connection) -> None:
    name = write(
        "Dataset:\n  d: {size: 5, tags: [a], metadata: {b: 1, a: [1.5, null]}}\n"
        "Experiment:\n  e:\n    started_at: 2026-03-01T11:00:00+02:00\n"
        "    metrics:\n"
        "      acc: {value: NaN, dataset: d, steps: [1, 2], values: [1, .nan], ci_upper: 1}\n"
        "Model:\n  m: {trained_on: {d: {split: train}}, status: null}\n"
    )
    load(name)
    before = query(
        "MATCH (n) RETURN n.uid AS uid, n.created_at AS c, n.updated_at AS u ORDER BY uid"
    )
    report = load(name)
    assert counts(report) == {
        "Dataset": (0, 0, 1),
        "Experiment": (0, 0, 1),
        "Metric": (0, 0, 1),
        "Model": (0, 0, 1),
        "Experiment-HAS->Metric": (0, 0, 1),
        "Metric-EVALUATED_ON->Dataset": (0, 0, 1),
        "Model-TRAINED_ON->Dataset": (0, 0, 1),
    }
    after = query(
        "MATCH (n) RETURN n.uid AS uid, n.created_at AS c, n.updated_at AS u ORDER BY uid"
    )
    assert before == after
    assert len(before) == 4


def test_updated_at_changes_only_for_changed_nodes(graph: Connection) -> None:
    load(write("Dataset:\n  a: {size: 1}\n  b: {size: 1}\n"))
    times = {node.uid: node.updated_at for node in Dataset.nodes.all()}
    report = load(write("Dataset:\n  a: {size: 1}\n  b: {size: 2}\n  c:\n"))
    assert counts(report) == {"Dataset": (1, 1, 1)}
    later = {node.uid: node.updated_at for node in Dataset.nodes.all()}
    assert later["a"] == times["a"]
    assert later["b"] > times["b"]


def test_omitted_values_are_kept(graph: Connection) -> None:
    load(
        write(
            "Dataset:\n  d: {size: 5, license: MIT}\n  other: {size: 1}\n"
            "Model:\n  m: {trained_on: {d: {split: train, role: test}}}\n"
        )
    )
    load(
        write(
            "Dataset:\n  d: {size: 6}\n"
            "Model:\n  m: {trained_on: {d: {split: train, role: test, revision: '1'}}}\n"
        )
    )
    load(write("Model:\n  m: {trained_on: {d: {split: train, role: test}}}\n"))
    d = Dataset.nodes.get(uid="d")
    assert (d.size, d.license) == (6, "MIT")
    assert Dataset.nodes.get(uid="other").size == 1
    edge = Model.nodes.get(uid="m").trained_on.relationship(d)
    assert edge is not None
    assert (edge.split, edge.role, edge.revision) == ("train", "test", "1")


def test_null_removes_a_property_of_a_node_and_of_an_edge(graph: Connection) -> None:
    load(
        write(
            "Dataset:\n  d: {size: 5, license: MIT, tags: [a], metadata: {a: 1}}\n"
            "Model:\n  m: {trained_on: {d: {revision: '1', role: test}}}\n"
        )
    )
    removing = write(
        "Dataset:\n  d: {size: null, tags: , metadata: ~}\n"
        "Model:\n  m: {trained_on: {d: {revision: null, role: test}}}\n"
    )
    assert counts(load(removing)) == {
        "Dataset": (0, 1, 0),
        "Model": (0, 0, 1),
        "Model-TRAINED_ON->Dataset": (0, 1, 0),
    }
    node, edge = query(
        "MATCH (m:Model)-[r:TRAINED_ON]->(d:Dataset) "
        "UNWIND [properties(d), properties(r)] AS props RETURN props"
    )
    assert set(node["props"]) == {"uid", "name", "license", "created_at", "updated_at"}
    assert edge["props"] == {"role": "test"}
    assert counts(load(removing))["Dataset"] == (0, 0, 1)


def test_null_for_a_required_property_of_an_existing_node_is_rejected(
    graph: Connection,
) -> None:
    load(write("Dataset:\n  d:\n"))
    assert load_errors(write("Dataset:\n  d: {name: null}\n")) == [
        "f.yaml:3: Dataset 'd': name: is required and can't be removed"
    ]


def test_null_does_not_remove_timestamps(graph: Connection) -> None:
    write("Dataset:\n  d: {created_at: null, updated_at: null}\n")
    for _ in range(2):
        load("f.yaml")
        node = Dataset.nodes.get(uid="d")
        assert node.created_at is not None
        assert node.updated_at is not None


def test_given_timestamps_are_stored(graph: Connection) -> None:
    name = write(
        "Dataset:\n  d: {created_at: 2020-01-01T00:00:00Z, updated_at: 2021-01-01T00:00:00Z}\n"
    )
    load(name)
    node = Dataset.nodes.get(uid="d")
    assert (node.created_at.year, node.updated_at.year) == (2020, 2021)
    assert counts(load(name)) == {"Dataset": (0, 0, 1)}


def test_omitted_edges_are_kept(graph: Connection) -> None:
    load(write("Dataset:\n  a:\n  b:\nProject:\n  p: {datasets: [a, b]}\n"))
    load(write("Project:\n  p: {datasets: [a]}\n"))
    load(write("Project:\n  p: {datasets: }\n"))
    assert {node.uid for node in Project.nodes.get(uid="p").datasets.all()} == {"a", "b"}


def test_names_and_versions_default_from_the_uid_for_new_nodes_only(graph: Connection) -> None:
    load(write("Dataset:\n  'a%40b@1@2':\n  c@1: {name: other}\n"))
    node = Dataset.nodes.get(uid="a%40b@1@2")
    assert (node.name, node.version) == ("a@b", "1@2")
    node = Dataset.nodes.get(uid="c@1")
    assert (node.name, node.version) == ("other", "1")
    load(write("Dataset:\n  c@1: {size: 1}\n"))
    assert Dataset.nodes.get(uid="c@1").name == "other"


UNUSUAL_TEXTS = [
    'it\'s "quoted" `so`',
    "back\\slash/and/slash",
    "a@b%c#d",
    "line\nbreak\r\n\ttab",
    "nul\0del\x7fescape\x1b[31m",
    "é 😀 \u202e \u2028 \x85 \ufeff \uffff",
    "$x {y} [z] 'OR 1=1--",
    " leading and trailing ",
    "no",
    "1e-4",
]


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_unicode_is_stored_unchanged(graph: Connection, format: str) -> None:
    values = {
        text: {"description": text, "tags": [text], "metadata": {text: [text]}}
        for text in UNUSUAL_TEXTS
    }
    if format == "json":
        sections = {
            "Dataset": values,
            "Model": {text: {"trained_on": UNUSUAL_TEXTS} for text in UNUSUAL_TEXTS},
        }
        Path("f.json").write_text(json.dumps({"format": "genai_graph/1", **sections}))
    else:
        edges = [
            {"edge": "TRAINED_ON", "from": ["Model", model], "to": ["Dataset", dataset]}
            for model in UNUSUAL_TEXTS
            for dataset in UNUSUAL_TEXTS
        ]
        write_rows(
            *({"node": "Dataset", "uid": uid, "props": props} for uid, props in values.items()),
            *({"node": "Model", "uid": uid} for uid in UNUSUAL_TEXTS),
            *edges,
        )
    load(f"f.{format}")
    found = {
        node.uid: {"description": node.description, "tags": node.tags, "metadata": node.metadata}
        for node in Dataset.nodes.all()
    }
    assert found == values
    assert (
        len(query("MATCH (m:Model)-[r:TRAINED_ON]->(d:Dataset) RETURN r"))
        == len(UNUSUAL_TEXTS) ** 2
    )
    assert counts(load(f"f.{format}"))["Dataset"] == (0, 0, len(UNUSUAL_TEXTS))


# References


def test_references_forward_and_to_other_files(graph: Connection) -> None:
    write("Model:\n  m: {trained_on: [d], parents: [base]}\n", "a.yaml")
    write("Model:\n  base:\nDataset:\n  d: {parents: [e]}\n  e:\n", "b.yaml")
    created = counts(load("a.yaml", "b.yaml"))
    assert created["Model"] == (2, 0, 0)
    assert created["Model-TRAINED_ON->Dataset"] == (1, 0, 0)
    assert created["Model-DERIVED_FROM->Model"] == (1, 0, 0)


def test_references_to_the_graph(graph: Connection) -> None:
    Dataset.upsert(name="d")
    name = write("Model:\n  m: {trained_on: [d]}\n")
    with pytest.raises(FixtureError):
        check(name)
    assert counts(load(name))["Model-TRAINED_ON->Dataset"] == (1, 0, 0)


def test_edge_between_existing_nodes(graph: Connection) -> None:
    Dataset.upsert(name="d")
    Model.upsert(name="m")
    edge = {"edge": "TRAINED_ON", "from": ["Model", "m"], "to": ["Dataset", "d"]}
    assert counts(load(write_rows(edge))) == {"Model-TRAINED_ON->Dataset": (1, 0, 0)}


def test_required_values_may_be_stored_in_the_graph(graph: Connection) -> None:
    load(write("Experiment:\n  e: {metrics: {acc: {value: 1, uid: m}}}\n"))
    assert counts(load(write("Metric:\n  m: {unit: percent}\n"))) == {"Metric": (0, 1, 0)}
    assert load_errors(write("Metric:\n  n: {name: acc, unit: percent}\n")) == [
        "f.yaml:3: Metric 'n': value: is required",
        "f.yaml:3: Metric 'n': has no Experiment: nest it under one, "
        "or add an edge Experiment-HAS->Metric",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Model:\n  m: {trained_on: [gone]}\n",
            "3: Model 'm': TRAINED_ON: no Dataset 'gone' is in the files or in the graph",
        ),
        (
            "Model:\n  base: {parents: [m]}\n",
            "3: Model 'base': DERIVED_FROM must not form a cycle: 'base' -> 'm' -> 'base'",
        ),
        (
            "Model:\n  new: {parents: [m]}\n  base: {parents: [new]}\n",
            "DERIVED_FROM must not form a cycle: ",
        ),
        (
            "Experiment:\n  f: {metrics: {acc: {value: 1, uid: score}}}\n",
            "3: Experiment 'f': Metric 'score' can have only one Experiment: it has 'e', not 'f'",
        ),
        (
            "Experiment:\n  e: {metrics: {acc: {value: 1, uid: score, dataset: d2}}}\n",
            "3: Metric 'score' can have only one Dataset: it has 'd', not 'd2'",
        ),
    ],
)
def test_conflicts_with_the_graph_are_rejected(graph: Connection, text: str, expected: str) -> None:
    load(
        write(
            "Model:\n  m: {parents: [base]}\n  base:\nDataset:\n  d:\n  d2:\n"
            "Experiment:\n  e: {metrics: {acc: {value: 1, uid: score, dataset: d}}}\n"
        )
    )
    before = graph_content()
    (message,) = load_errors(write(text))
    assert expected in message
    assert graph_content() == before


# All or nothing


def test_nothing_is_written_if_any_file_has_an_error(graph: Connection) -> None:
    write("Dataset:\n  d:\n", "a.yaml")
    write("Dataset:\n  e:\n  f: {size: x}\n", "b.yaml")
    assert load_errors("a.yaml", "b.yaml") == [
        "b.yaml:4: Dataset 'f': size: expected an integer, got 'x'"
    ]
    assert load_errors("a.yaml", "gone.yaml") == ["gone.yaml: no such file"]
    assert size_of_graph() == 0


def test_cypher_can_not_be_loaded(graph: Connection) -> None:
    Path("g.cypher.gz").write_bytes(b"")
    assert load_errors("g.cypher.gz") == [
        "g.cypher.gz: Cypher can't be loaded: run it with cypher-shell"
    ]


def test_dry_run_checks_against_the_graph_and_writes_nothing(graph: Connection) -> None:
    Dataset.upsert(name="d")
    name = write("Model:\n  m: {trained_on: [d]}\n")
    load(name, dry_run=True)
    assert size_of_graph() == 1
    with pytest.raises(FixtureError, match="no Dataset 'gone' is in the files or in the graph"):
        load(write("Model:\n  m: {trained_on: [gone]}\n"), dry_run=True)


def test_max_errors(graph: Connection) -> None:
    name = write("Dataset:\n" + "".join(f"  d{i}: {{size: x}}\n" for i in range(4)))
    with pytest.raises(FixtureError, match="and 3 more") as raised:
        load(name, max_errors=1)
    assert raised.value.omitted == 3


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batch_size_does_not_change_the_result(graph: Connection, batch_size: int) -> None:
    small = counts(load(FIXTURES / "quickstart.yaml", batch_size=batch_size))
    in_small_batches = graph_content()
    query("MATCH (n) DETACH DELETE n", write=True)
    large = counts(load(FIXTURES / "quickstart.yaml"))
    assert small == large
    assert in_small_batches == graph_content()


# Inputs


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}Dataset:\n  d:\n",
        '{"format": "genai_graph/1", "Dataset": {"d": {}}}',
        '{"format": "genai_graph/1"}\n{"node": "Dataset", "uid": "d"}\n',
    ],
    ids=["yaml", "json", "jsonl"],
)
def test_standard_input_in_each_format(
    graph: Connection, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert counts(load("-")) == {"Dataset": (1, 0, 0)}


def test_standard_input_together_with_a_file(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write("Model:\n  m: {trained_on: [d]}\n")
    text = f"{HEADER}Dataset:\n  d: {{parents: [gone]}}\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert load_errors(name, "-") == [
        "<stdin>:3: Dataset 'd': DERIVED_FROM: no Dataset 'gone' is in the files or in the graph"
    ]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="requires /dev/fd")
def test_pipe(graph: Connection) -> None:
    reader, writer = os.pipe()
    os.write(writer, b'{"format": "genai_graph/1"}\n{"node": "Dataset", "uid": "d"}\n')
    os.close(writer)
    try:
        assert counts(load(f"/dev/fd/{reader}")) == {"Dataset": (1, 0, 0)}
    finally:
        os.close(reader)


def test_load_without_a_connection() -> None:
    with pytest.raises(NotConnectedError, match=r"call genai_graph\.connect\(\) first"):
        load(write("Dataset:\n  d:\n"))


# The report


def test_report_as_text_and_as_dict(graph: Connection) -> None:
    report = load(write("Dataset:\n  d:\nProject:\n  p: {datasets: [d]}\n"))
    *lines, last = str(report).splitlines()
    assert lines == [
        "Dataset: 1 created, 0 changed, 0 unchanged",
        "Project: 1 created, 0 changed, 0 unchanged",
        "Project-HAS->Dataset: 1 created, 0 changed, 0 unchanged",
    ]
    assert last.startswith("3 entities in ")
    assert last.endswith(" per second)")
    plain = json.loads(json.dumps(report.as_dict()))
    one = {"created": 1, "changed": 0, "unchanged": 0, "pending": 0}
    assert plain["nodes"] == {"Dataset": one, "Project": one}
    assert plain["edges"] == {"Project-HAS->Dataset": one}
    assert plain["seconds"] >= 0


def test_report_of_an_empty_load(graph: Connection) -> None:
    assert counts(load()) == {}
    assert counts(load(write("Dataset:\n"))) == {}


class Interference(Progress):
    """Calls a function before the first batch of nodes is written."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        if stage == "nodes":
            self._function()


def test_nodes_that_another_client_creates_between_batches_are_merged(graph: Connection) -> None:
    fixture = write_rows(*({"node": "Project", "uid": f"p{i}"} for i in range(6)))
    other = Interference(lambda: Project(name="p3", owner="other").save())
    report = load(fixture, atomic=False, batch_size=2, progress=other)
    assert counts(report) == {"Project": (5, 0, 1)}
    assert [(one.name, one.owner) for one in Project.nodes.filter(name="p3")] == [("p3", "other")]
    assert size_of_graph() == 6


def test_nodes_and_edges_that_another_client_creates_during_an_atomic_load_are_merged(
    neo4j_graph: Connection,
) -> None:
    """The graph is empty when the load begins to write, so it creates without reading."""
    nodes = [
        {"node": label, "uid": f"{label[0].lower()}{i}"}
        for label in ("Project", "Dataset")
        for i in range(6)
    ]
    edges = [
        {"edge": "HAS", "from": ["Project", f"p{i}"], "to": ["Dataset", f"d{i}"]} for i in range(6)
    ]
    fixture = write_rows(*nodes, *edges)

    def create() -> None:
        project = Project(name="p3", owner="other").save()
        project.datasets.connect(Dataset(name="d3").save())

    with ThreadPoolExecutor(1) as other:  # outside of the transaction
        progress = Interference(lambda: size_of_graph() or other.submit(create).result())
        report = load(fixture, batch_size=2, progress=progress)
    assert counts(report) == {
        "Project": (5, 0, 1),
        "Dataset": (5, 0, 1),
        "Project-HAS->Dataset": (5, 0, 1),
    }
    assert Project.nodes.get(uid="p3").owner == "other"
    assert size_of_graph() == 12


def test_new_nodes_beside_existing_ones_are_written_before_their_edges(graph: Connection) -> None:
    """The labels have nodes, but no edges, so nodes are merged and edges created."""
    Project(name="p0").save()
    Dataset(name="d0").save()
    fixture = write_rows(
        *({"node": "Project", "uid": f"p{i}"} for i in range(4)),
        *({"node": "Dataset", "uid": f"d{i}"} for i in range(4)),
        *(
            {"edge": "HAS", "from": ["Project", f"p{i}"], "to": ["Dataset", f"d{i}"]}
            for i in reversed(range(4))
        ),
    )
    report = load(fixture, batch_size=2)
    assert counts(report) == {
        "Project": (3, 0, 1),
        "Dataset": (3, 0, 1),
        "Project-HAS->Dataset": (4, 0, 0),
    }
