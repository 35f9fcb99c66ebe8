"""What notebooks show: tables of nodes and answers, pictures of subgraphs; the tour in docs/."""

from __future__ import annotations

import re
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
TOUR = ROOT / "docs" / "explore.ipynb"


class Table(HTMLParser):
    """A table as a browser reads it: its title, head, rows, what is below, and the tags in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.title = self.note = ""
        self.meanings: list[str | None] = []
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
            self.meanings.append(dict(attrs).get("title"))

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


def shown(thing: Any) -> dict[str, str]:
    """Return what a notebook is given of a thing, by its type."""
    data, _ = DisplayFormatter().format(thing)
    return dict(data)


def table(thing: Any) -> Table:
    return Table(shown(thing)["text/html"])


def picture(subgraph: Subgraph) -> ElementTree.Element:
    return ElementTree.fromstring(shown(subgraph)["image/svg+xml"])


def texts(drawn: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in drawn.iter(f"{SVG}text")]


def models(count: int) -> None:
    Model.nodes.bulk_create(*({"name": f"m{n:02}", "license": "MIT"} for n in range(count)))


# Tables


def test_a_node_is_a_table_of_what_it_has(graph: Connection) -> None:
    node = Dataset(name="d", license="MIT", num_rows=7, tags=["a", "b"])
    found = table(node)
    assert found.title == "Dataset d"
    assert found.values == {
        "uid": "d", "name": "d", "num_rows": "7", "license": "MIT", "tags": '["a", "b"]',
    }  # fmt: skip
    assert repr(node) == "<Dataset d>"
    assert shown(node)["text/plain"].startswith("<Dataset d>\n  uid: 'd'\n")
    assert table(node.save()).values["created_at"].endswith("Z")


def test_a_set_is_a_table_of_its_first_nodes_and_stays_as_it_is(graph: Connection) -> None:
    models(23)
    nodes = Model.nodes.filter(license="MIT").order_by("-name")
    found = table(nodes)
    assert (found.title, found.note) == ("Model: 23", "… and 3 more: all() has all of them")
    assert found.rows[:2] == [["uid", "license"], ["m22", "MIT"]]  # the name is the uid
    assert len(found.rows) == 1 + 20
    assert len(nodes.all()) == 23


def test_a_slice_of_a_set_has_no_more_rows_than_it_has_nodes(graph: Connection) -> None:
    models(23)
    found = table(Model.nodes.order_by("name")[5:8])
    assert [row[0] for row in found.rows[1:]] == ["m05", "m06", "m07"]
    assert (found.title, found.note) == ("Model: 3", "")


def test_a_set_without_nodes_says_so(graph: Connection) -> None:
    found = table(Model.nodes)
    assert (found.title, found.rows, found.note) == ("Model: 0", [["uid"]], "no rows")


def test_the_nodes_at_the_other_ends_are_a_table(graph: Connection) -> None:
    project = Project(name="p").save()
    for number in range(21):
        project.datasets.connect(Dataset(name=f"d{number}", num_rows=number).save())
    found = table(project.datasets)
    assert (found.title, found.rows[0]) == ("Dataset: 21", ["uid", "num_rows"])
    assert found.note == "… and 1 more: all() has all of them"
    assert len(table(project.datasets.filter(name="d7")).rows) == 1 + 1


def test_what_a_traversal_met_stands_side_by_side(graph: Connection) -> None:
    Model(name="m").save().trained_on.connect(Dataset(name="d").save(), {"role": "test"})
    found = table(Model.nodes.traverse("trained_on"))
    assert found.rows == [
        ["1 Model", "2 Dataset", "3 TrainedOn"],
        ["m", "d", "<TrainedOn {'role': 'test'}>"],
    ]


def test_an_answer_is_a_table_whose_columns_say_what_they_mean() -> None:
    question = get_question("orphans")
    answer = Answer(question, [{"kind": "Model", "uid": f"m{n}"} for n in range(21)])
    found = table(answer)
    assert found.title == question.title
    assert found.rows[:2] == [["kind", "uid"], ["Model", "m0"]]
    assert found.meanings == list(question.columns.values())
    assert found.note == "… and 1 more: to_pandas() has all of them"
    assert shown(answer)["text/plain"].startswith("[{'kind': 'Model', 'uid': 'm0'}")


def test_an_answer_without_rows_has_its_columns(graph: Connection) -> None:
    found = table(ask("orphans"))
    assert (found.rows, found.note) == ([["kind", "uid"]], "no rows")


def test_long_values_are_cut(graph: Connection) -> None:
    text = table(Model(name="m", description="x" * 10_000)).values["description"]
    assert text == "x" * 199 + "…"


def test_tables_leave_the_colours_to_the_notebook() -> None:
    assert "color" not in shown(Model(name="m"))["text/html"]


def test_nothing_becomes_markup(graph: Connection) -> None:
    plain = Model(name="m", description="m", tags=["m"], metadata={"m": "m"}).save()
    for number, trap in enumerate(TRAPS):
        told = escape_unprintable(trap)
        node = Model(name=trap, description=trap, tags=[trap], metadata={trap: trap}).save()
        assert table(node).tags == table(plain).tags
        assert table(node).values["description"] == told
        answer = Answer(get_question("orphans"), [{"kind": trap, "uid": trap}])
        assert table(answer).rows[1] == [told, told]
        plain.children.connect(node)
        assert escape_unprintable(node.uid) in [row[0] for row in table(plain.children).rows]
        assert table(plain.children).tags.count("tr") == 2 + number
    assert {*table(plain.children).tags} == {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip


def test_encrypted_values_and_logins_are_not_shown(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    from genai_graph import connect
    from genai_graph.database.keyring import generate_key as generate

    monkeypatch.setenv("GENAI_GRAPH_KEYS", generate())
    with connect():
        node = Dataset(name="d", metadata={"contact": "bucket-17"}).save()
        assert "bucket-17" in table(node).values["metadata"]
    monkeypatch.delenv("GENAI_GRAPH_KEYS")
    query("MATCH (d:Dataset) SET d.url = 'https://me:bucket-17@there/x'", write=True)
    node = Dataset.nodes.get(uid="d")
    assert table(node).values["metadata"].startswith("<encrypted with the key ")
    assert table(node).values["url"] == "https://there/x"
    for thing in (node, Dataset.nodes, node.neighbourhood()):
        assert "bucket-17" not in str(shown(thing))


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


def test_a_subgraph_is_a_picture_of_its_nodes_and_edges() -> None:
    drawn = texts(picture(star(2)))
    assert sorted(drawn) == [
        "DERIVED_FROM", "DERIVED_FROM", "Dataset", "Model", "Model", "Model", "Model",
        "TRAINED_ON test", "TRAINED_ON test", "data", "far-0", "far-1", "near-0", "near-1",
    ]  # fmt: skip


def test_who_is_farther_away_stands_farther_right_and_nobody_on_another() -> None:
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


def test_the_nearest_nodes_of_many_are_drawn_and_the_others_told() -> None:
    drawn = texts(picture(star(30)))
    assert len([text for text in drawn if text in ("Dataset", "Model")]) == 40
    assert "near-29" in drawn
    assert "the nearest 40 of 61 nodes" in drawn
    assert not any("nearest" in text for text in texts(picture(star(3))))


def test_a_subgraph_that_was_cut_says_so(graph: Connection) -> None:
    project = Project(name="p").save()
    for number in range(3):
        project.datasets.connect(Dataset(name=f"d{number}").save())
    subgraph = project.neighbourhood(limit=2)
    assert subgraph.notice in texts(picture(subgraph))


def test_a_picture_holds_nothing_but_shapes_and_texts(graph: Connection) -> None:
    root = SubgraphNode("Project", "root")
    nodes = [SubgraphNode("Model", f"{trap}{n}", 1) for n, trap in enumerate(TRAPS)]
    edges = [SubgraphEdge("HAS", root, node, {"role": node.uid}) for node in nodes]
    drawn = picture(Subgraph(root, (root, *nodes), tuple(edges), 1, 5_000, False))
    tags = {element.tag.removeprefix(SVG) for element in drawn.iter()}
    assert tags == {"svg", "title", "style", "g", "path", "rect", "text"}
    assert {escape_unprintable(node.uid) for node in nodes} <= {*texts(drawn)}


def test_show_writes_the_picture_too(graph: Connection, cli: Run) -> None:
    models(1)
    assert cli("show", "Model", "m00", "-o", "m.svg").exit_code == 0
    assert Path("m.svg").read_text() == shown(Model.nodes.first().neighbourhood())["image/svg+xml"]


# The tour


def test_the_tour_is_committed_without_outputs() -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert {*notebook.metadata} == {"kernelspec", "language_info"}


def test_the_tour_runs(graph: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    notebook = nbformat.read(TOUR, as_version=4)
    where = {"metadata": {"path": str(TOUR.parent)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=where).execute()
    outputs = {
        cell.source: output.data
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    }

    def output(code: str, kind: str) -> str:
        return next(str(data[kind]) for source, data in outputs.items() if code in source)

    best = Table(output("limit=5", "text/html"))
    assert best.rows[:2] == [
        ["rank", "model", "value"],
        ["1", "ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1", "88.552"],
    ]
    drawn = ElementTree.fromstring(output("(uid=best).lineage()", "image/svg+xml"))
    assert {"ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1", "IG-3.6B", "ImageNet-1K"} <= {*texts(drawn)}
    void = Table(output("with atomic()", "text/html"))
    assert [row[0] for row in void.rows] == ["model", "my-detector-tuned"]
    assert "ShuffleNet" in output("to_pandas()", "text/html")
    load(FIXTURES / "torchvision.yaml")
    assert (len(Model.nodes), len(Dataset.nodes)) == (166, 19)  # what it added is gone
