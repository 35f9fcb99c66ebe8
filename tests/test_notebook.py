"""Notebook output: tables of nodes and answers, pictures of subgraphs; and those in docs/."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbclient
import nbformat
import pytest
from conftest import FIXTURES, ROOT, Run
from IPython.core.formatters import DisplayFormatter
from traps import TRAPS

from genai_graph import (
    Answer,
    Dataset,
    Experiment,
    Model,
    Project,
    Subgraph,
    SubgraphEdge,
    SubgraphNode,
    ask,
    load,
    query,
)
from genai_graph.database import Connection
from genai_graph.errors import escape_unprintable
from genai_graph.questions import get_question

SVG = "{http://www.w3.org/2000/svg}"
EXPLORE, TRAINING = (ROOT / "docs" / f"{name}.ipynb" for name in ("explore", "training"))


class Table(HTMLParser):
    """The title, rows (the first is the header), tooltips, note and tags of an HTML table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.title = self.note = ""
        self.tooltips: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style", "title"}
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "th":
            self.tooltips.append(dict(attrs).get("title"))

    def handle_data(self, data: str) -> None:
        match self.tags[-1]:
            case "caption":
                self.title += data
            case "p":
                self.note += data
            case "td" | "th":
                self.rows[-1][-1] += data

    @property
    def values(self) -> dict[str, str]:
        """The second column by the first."""
        return dict(self.rows[1:])


def display(value: Any) -> dict[str, str]:
    """Return the output of a notebook for a value, by MIME type."""
    data, _ = DisplayFormatter().format(value)
    return dict(data)


def table(value: Any) -> Table:
    return Table(display(value)["text/html"])


def picture(subgraph: Subgraph) -> ElementTree.Element:
    return ElementTree.fromstring(display(subgraph)["image/svg+xml"])


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


def create_models(count: int) -> None:
    Model.nodes.bulk_create(*({"name": f"m{n:02}", "license": "MIT"} for n in range(count)))


# Tables


def test_node_is_a_table_of_its_properties(graph: Connection) -> None:
    node = Dataset(name="d", license="MIT", num_rows=7, tags=["a", "b"])
    result = table(node)
    assert result.title == "Dataset d"
    assert result.values == {
        "uid": "d", "name": "d", "num_rows": "7", "license": "MIT", "tags": '["a", "b"]',
    }  # fmt: skip
    assert repr(node) == "<Dataset d>"
    assert display(node)["text/plain"].startswith("<Dataset d>\n  uid: 'd'\n")
    assert table(node.save()).values["created_at"].endswith("Z")


def test_node_set_is_a_table_of_its_first_nodes_and_unchanged(graph: Connection) -> None:
    create_models(23)
    nodes = Model.nodes.filter(license="MIT").order_by("-name")
    result = table(nodes)
    assert (result.title, result.note) == ("Model: 23", "… and 3 more: all() returns all of them")
    assert result.rows[:2] == [["uid", "license"], ["m22", "MIT"]]  # the name is the uid
    assert len(result.rows) == 1 + 20
    assert len(nodes.all()) == 23


def test_slice_of_a_node_set_shows_only_its_nodes(graph: Connection) -> None:
    create_models(23)
    result = table(Model.nodes.order_by("name")[5:8])
    assert [row[0] for row in result.rows[1:]] == ["m05", "m06", "m07"]
    assert (result.title, result.note) == ("Model: 3", "")


def test_empty_node_set_says_no_rows(graph: Connection) -> None:
    result = table(Model.nodes)
    assert (result.title, result.rows, result.note) == ("Model: 0", [["uid"]], "no rows")


def test_related_nodes_are_a_table(graph: Connection) -> None:
    project = Project(name="p").save()
    for number in range(21):
        project.datasets.connect(Dataset(name=f"d{number}", num_rows=number).save())
    result = table(project.datasets)
    assert (result.title, result.rows[0]) == ("Dataset: 21", ["uid", "num_rows"])
    assert result.note == "… and 1 more: all() returns all of them"
    assert len(table(project.datasets.filter(name="d7")).rows) == 1 + 1


def test_traversal_has_a_column_per_step(graph: Connection) -> None:
    Model(name="m").save().trained_on.connect(Dataset(name="d").save(), {"role": "test"})
    result = table(Model.nodes.traverse("trained_on"))
    assert result.rows == [
        ["1 Model", "2 Dataset", "3 TrainedOn"],
        ["m", "d", "<TrainedOn {'role': 'test'}>"],
    ]


def test_answer_is_a_table_with_tooltips() -> None:
    question = get_question("orphans")
    answer = Answer(question, [{"kind": "Model", "uid": f"m{n}"} for n in range(21)])
    result = table(answer)
    assert result.title == question.title
    assert result.rows[:2] == [["kind", "uid"], ["Model", "m0"]]
    assert result.tooltips == list(question.columns.values())
    assert result.note == "… and 1 more: to_pandas() returns all of them"
    assert "│ Model │ m0  │" in display(answer)["text/plain"]


def test_empty_answer_has_its_columns(graph: Connection) -> None:
    result = table(ask("orphans"))
    assert (result.rows, result.note) == ([["kind", "uid"]], "no rows")


def test_long_values_are_truncated(graph: Connection) -> None:
    text = table(Model(name="m", description="x" * 10_000)).values["description"]
    assert text == "x" * 199 + "…"


def test_tables_have_no_colours() -> None:
    assert "color" not in display(Model(name="m"))["text/html"]


def test_texts_never_become_elements(graph: Connection) -> None:
    plain = Model(name="m", description="m", tags=["m"], metadata={"m": "m"}).save()
    for number, trap in enumerate(TRAPS):
        text = escape_unprintable(trap)
        node = Model(name=trap, description=trap, tags=[trap], metadata={trap: trap}).save()
        assert table(node).tags == table(plain).tags
        assert table(node).values["description"] == text
        assert table(Answer(get_question("orphans"), [{"kind": trap, "uid": trap}])).rows[1] == [
            text,
            text,
        ]
        plain.children.connect(node)
        assert escape_unprintable(node.uid) in [row[0] for row in table(plain.children).rows]
        assert table(plain.children).tags.count("tr") == 2 + number
    assert {*table(plain.children).tags} == {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip


def test_encrypted_values_and_credentials_are_not_shown(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    from genai_graph import connect
    from genai_graph.database.keyring import generate_key

    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate_key())
    with connect():
        node = Dataset(name="d", metadata={"contact": "bucket-17"}).save()
        assert "bucket-17" in table(node).values["metadata"]
    monkeypatch.delenv("GENAI_GRAPH_KEYS")
    query("MATCH (d:Dataset) SET d.url = 'https://me:bucket-17@host/x'", write=True)
    node = Dataset.nodes.get(uid="d")
    assert table(node).values["metadata"].startswith("<encrypted with the key ")
    assert table(node).values["url"] == "https://host/x"
    for value in (node, Dataset.nodes, node.neighbourhood()):
        assert "bucket-17" not in str(display(value))


def test_only_the_shell_imports_ipython() -> None:
    package = ROOT / "genai_graph"
    imports = re.compile(r"^\s*(import|from) IPython\b", re.MULTILINE)
    users = {path.parent.name for path in package.rglob("*.py") if imports.search(path.read_text())}
    assert users == {"shell"}


# Pictures


def star(count: int) -> Subgraph:
    """Return a dataset with models trained on it, each of which has a child."""
    data = SubgraphNode("Dataset", "data", 0)
    near = [SubgraphNode("Model", f"near-{n}", 1) for n in range(count)]
    far = [SubgraphNode("Model", f"far-{n}", 2) for n in range(count)]
    edges = [SubgraphEdge("TRAINED_ON", node, data, {"role": "test"}) for node in near]
    edges += [SubgraphEdge("DERIVED_FROM", *ends) for ends in zip(far, near, strict=True)]
    return Subgraph(data, (data, *near, *far), tuple(edges), 8, 5_000, False)


def test_subgraph_is_a_picture_of_its_nodes_and_edges() -> None:
    labels = texts(picture(star(2)))
    assert sorted(labels) == [
        "DERIVED_FROM", "DERIVED_FROM", "Dataset", "Model", "Model", "Model", "Model",
        "TRAINED_ON test", "TRAINED_ON test", "data", "far-0", "far-1", "near-0", "near-1",
    ]  # fmt: skip


def test_columns_are_by_distance_and_boxes_do_not_overlap() -> None:
    subgraph = star(15)
    frames = [
        [float(frame.attrib[name]) for name in ("x", "y", "width", "height")]
        for frame in picture(subgraph).iter(f"{SVG}rect")
        if "x" in frame.attrib
    ]
    assert len(frames) == len(subgraph.nodes)
    assert [x for x, *_ in frames] == sorted(x for x, *_ in frames)
    for (x, y, width, height), (right, below, *_) in combinations(sorted(frames), 2):
        assert right >= x + width or abs(below - y) >= height


def test_large_subgraph_is_a_picture_of_its_nearest_nodes_with_a_notice() -> None:
    labels = texts(picture(star(30)))
    assert len([text for text in labels if text in ("Dataset", "Model")]) == 40
    assert "near-29" in labels
    assert "the nearest 40 of 61 nodes" in labels
    assert not any("nearest" in text for text in texts(picture(star(3))))


def test_cut_subgraph_has_a_notice(graph: Connection) -> None:
    project = Project(name="p").save()
    for number in range(3):
        project.datasets.connect(Dataset(name=f"d{number}").save())
    subgraph = project.neighbourhood(limit=2)
    assert subgraph.notice in texts(picture(subgraph))


def test_picture_contains_only_shapes_and_texts(graph: Connection) -> None:
    root = SubgraphNode("Project", "root")
    nodes = [SubgraphNode("Model", f"{trap}{n}", 1) for n, trap in enumerate(TRAPS)]
    edges = [SubgraphEdge("HAS", root, node, {"role": node.uid}) for node in nodes]
    svg = picture(Subgraph(root, (root, *nodes), tuple(edges), 1, 5_000, False))
    tags = {element.tag.removeprefix(SVG) for element in svg.iter()}
    assert tags == {"svg", "title", "style", "g", "path", "rect", "text"}
    assert {escape_unprintable(node.uid) for node in nodes} <= {*texts(svg)}


def test_show_writes_the_same_picture(graph: Connection, cli: Run) -> None:
    create_models(1)
    assert cli("show", "Model", "m00", "-o", "m.svg").exit_code == 0
    assert (
        Path("m.svg").read_text() == display(Model.nodes.first().neighbourhood())["image/svg+xml"]
    )


# docs/explore.ipynb, docs/training.ipynb


@pytest.mark.parametrize("path", [EXPLORE, TRAINING], ids=lambda path: path.stem)
def test_notebook_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert {*notebook.metadata} == {"kernelspec", "language_info"}


@pytest.fixture
def run_notebook(
    graph: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], Callable[[str, str], str]]:
    """Run a notebook; return a function that returns the output of the cell with some code."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def run(path: Path) -> Callable[[str, str], str]:
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.parent)}}
        nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
        outputs = {
            cell.source: output.data
            for cell in notebook.cells
            for output in cell.get("outputs", ())
            if output.output_type == "execute_result"
        }
        return lambda code, mime_type: next(
            str(data[mime_type]) for source, data in outputs.items() if code in source
        )

    return run


@pytest.mark.slow
@pytest.mark.any_engine
def test_tour_runs(run_notebook: Callable[[Path], Callable[[str, str], str]]) -> None:
    output = run_notebook(EXPLORE)
    best = Table(output("limit=5", "text/html"))
    assert [row[:3] for row in best.rows[:2]] == [
        ["rank", "model", "value"],
        ["1", "ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1", "88.552"],
    ]
    svg = ElementTree.fromstring(output("(uid=best).lineage()", "image/svg+xml"))
    assert {"ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1", "IG-3.6B", "ImageNet-1K"} <= {*texts(svg)}
    contaminated = Table(output("with atomic()", "text/html"))
    assert [row[0] for row in contaminated.rows] == ["model", "my-detector-tuned"]
    assert "ShuffleNet" in output("to_pandas()", "text/html")
    load(FIXTURES / "torchvision.yaml")
    assert (len(Model.nodes), len(Dataset.nodes)) == (166, 19)  # the notebook deletes what it adds


@pytest.mark.slow
@pytest.mark.any_engine
def test_training_runs(run_notebook: Callable[[Path], Callable[[str, str], str]]) -> None:
    pytest.importorskip("lightgbm")
    output = run_notebook(TRAINING)
    curves = ElementTree.fromstring(output("runs[-1].plot()", "image/svg+xml"))
    assert {"valid/auc", "train/auc"} <= {*texts(curves)}
    _, *rows = Table(output("num_leaves__lt=20", "text/html")).rows
    assert [row[:2] for row in rows] == [["leaves-15", "FINISHED"], ["leaves-3", "FINISHED"]]
    assert "num_leaves" in output("compare(", "text/html")
    found = output("search(\n", "text/plain")
    assert "leaves-63" in found
    assert "leaves-3'" not in found
    lineage = ElementTree.fromstring(output(".lineage()", "image/svg+xml"))
    assert "two-classes@1" in texts(lineage)
    assert "<svg" in output("valid%2Fauc", "text/html")
    assert not Experiment.nodes.filter(projects__name="two-classes").exists()
