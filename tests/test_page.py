"""The page that `show --format html` writes: its content, and its behaviour in Chromium."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, missing_requirement
from traps import TRAPS

from genai_graph import Subgraph, SubgraphEdge, SubgraphNode
from genai_graph.pictures.formats import draw

in_chromium = pytest.mark.skipif(bool(missing_requirement()), reason=missing_requirement())


def build_subgraph(nodes: list[SubgraphNode], edges: list[SubgraphEdge]) -> Subgraph:
    return Subgraph(nodes[0], tuple(nodes), tuple(edges), 8, 5_000, False)


def build_with_traps() -> Subgraph:
    """Return a subgraph in which every text could be mistaken for markup."""
    nodes = [
        SubgraphNode(
            "Model",
            f"{trap}{number}",
            min(number, 1),
            {"name": trap, "description": trap, "metadata": {trap: [trap]}},
        )
        for number, trap in enumerate(TRAPS)
    ]
    edges = [SubgraphEdge("DERIVED_FROM", nodes[0], node, {"kind": node.uid}) for node in nodes[1:]]
    return build_subgraph(nodes, edges)


def build_star() -> Subgraph:
    """Return a dataset and two models trained on it, one of them with a parent."""
    data = SubgraphNode("Dataset", "images", 0, {"license": "CC-BY-4.0"})
    models = [SubgraphNode("Model", uid, 1, {"architecture": f"A{uid}"}) for uid in ("m1", "m2")]
    parent = SubgraphNode("Model", "base", 2, {"description": "the first of all"})
    edges = [SubgraphEdge("TRAINED_ON", model, data, {"split": "train"}) for model in models]
    edges.append(SubgraphEdge("DERIVED_FROM", models[0], parent, {}))
    return build_subgraph([data, *models, parent], edges)


def build_lineage() -> Subgraph:
    """Return a model and its ancestors; the oldest has the same data as the model."""
    models = [SubgraphNode("Model", f"version-{number}", number) for number in range(4)]
    data = SubgraphNode("Dataset", "images", 1)
    edges = [SubgraphEdge("DERIVED_FROM", *ends) for ends in pairwise(models)]
    edges += [SubgraphEdge("TRAINED_ON", model, data) for model in (models[0], models[3])]
    return build_subgraph([models[0], models[1], data, *models[2:]], edges)


def build_project(size: int) -> Subgraph:
    """Return a project and its models, each trained on two of 50 datasets and run once."""
    root = SubgraphNode("Project", "vision", 0, {"owner": "ml-team"})
    data = [SubgraphNode("Dataset", f"dataset-{n:02}", 1) for n in range(50)]
    models = [SubgraphNode("Model", f"model-{n:04}", 1) for n in range((size - 51) // 2)]
    runs = [SubgraphNode("Experiment", f"run-{n:04}", 2) for n in range(size - 51 - len(models))]
    edges = [SubgraphEdge("HAS", root, node) for node in (*data, *models)]
    for number, model in enumerate(models):
        ends = data[number % 50], data[number * 7 % 50]
        edges += [SubgraphEdge("TRAINED_ON", model, end) for end in ends]
    edges += [SubgraphEdge("RUN", run, models[n % len(models)]) for n, run in enumerate(runs)]
    return build_subgraph([root, *data, *models, *runs], edges)


# Without a browser


def test_the_page_is_self_contained() -> None:
    page = draw(build_star(), "html")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert not re.search(r"<(link|iframe|object|embed|base|form)\b|<\w+[^>]*\s(src|href)=", page)


def test_texts_are_embedded_unchanged_and_without_markup() -> None:
    subgraph = build_with_traps()
    page = draw(subgraph, "html")
    assert page.count("<script") == draw(build_star(), "html").count("<script")
    (data,) = re.findall('id="data">(.*?)</script>', page, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(data)
    content = json.loads(data)
    assert [node["uid"] for node in content["nodes"]] == [node.uid for node in subgraph.nodes]
    assert ["name", TRAPS[0]] in content["nodes"][0]["properties"]


# In Chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


# Waits until the page is painted.
_PAINTED = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"


class Page:
    """An open page; `cy` in its scripts is the Cytoscape.js instance."""

    def __init__(self, driver: Any, subgraph: Subgraph) -> None:
        self.driver = driver
        Path("page.html").write_text(draw(subgraph, "html"), encoding="utf-8")
        driver.get_log("browser")
        driver.get(Path("page.html").resolve().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        cy = "const cy = document.getElementById('graph')._cyreg.cy; "
        return self.driver.execute_script(cy + script, *arguments)

    def text(self, selector: str) -> str:
        """Return the text of an element, even if it is hidden."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def boxes(self) -> dict[str, dict[str, float]]:
        """Return x1, y1, x2 and y2 of each node by uid, without its label."""
        box = "[n.data('name'), n.renderedBoundingBox({includeLabels: false})]"
        return dict(self.run(f"return cy.nodes().map(n => {box})"))

    def errors(self) -> list[str]:
        """Return the errors in the console, among them violations of the policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def search(self, text: str) -> None:
        box = self.driver.find_element("id", "search")
        box.clear()
        box.send_keys(text)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, **more}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def click(self, node: str) -> None:
        """Click on a node in the picture."""
        x, y = self.run(
            "const at = cy.getElementById(arguments[0]).renderedPosition();"
            "const box = document.getElementById('graph').getBoundingClientRect();"
            "return [at.x + box.left, at.y + box.top]",
            node,
        )
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, buttons=1)
        self.mouse("mouseReleased", x, y)

    def drag(self, x: float = 12, y: float = 640) -> None:
        """Drag to the right and up; by default the background, from the lower left corner."""
        self.mouse("mousePressed", x, y, buttons=1)
        for step in range(1, 11):
            self.mouse("mouseMoved", x + 10 * step, y - 5 * step, buttons=1)
        self.mouse("mouseReleased", x + 100, y - 50)


@in_chromium
def test_texts_never_become_elements_or_scripts(browser: Any) -> None:
    subgraph = build_with_traps()
    page = Page(browser, subgraph)
    assert page.run("return document.title") == " ".join(f"Model {TRAPS[0]}0".split())
    assert page.text("h1") == f"Model {TRAPS[0]}0"
    for number, node in enumerate(subgraph.nodes):
        page.run("cy.getElementById(arguments[0]).emit('tap')", f"n{number}")
        assert page.text("#details h2") == f"Model {node.uid}"
        assert page.text("#details dd") == node.properties["name"]
    page.run("cy.getElementById('e3').emit('tap')")
    assert page.text("#details dd") == subgraph.edges[3].properties["kind"]
    page.search("onerror")
    assert page.text("#details h2") == "1 found"
    assert page.run("return document.scripts.length") == 3
    assert page.run("return document.querySelectorAll('img, b, a, iframe').length") == 1
    assert page.errors() == []


@in_chromium
def test_page_needs_no_network(browser: Any) -> None:
    page = Page(browser, build_star())
    assert page.run("return performance.getEntriesByType('resource').map(e => e.name)") == []


@in_chromium
def test_click_shows_the_properties(browser: Any) -> None:
    page = Page(browser, build_star())
    assert page.text("#details h2") == "Dataset images"
    page.click("n1")
    page.driver.execute_async_script(
        "setTimeout(arguments[0], 400)"
    )  # Cytoscape.js first waits for a double tap
    assert page.text("#details h2") == "Model m1"
    assert page.text("#details dl") == "architectureAm1"
    buttons = page.driver.find_elements("css selector", "#details li button")
    assert [button.text for button in buttons] == [
        "TRAINED_ON → Dataset images",
        "DERIVED_FROM → Model base",
    ]
    buttons[1].click()
    assert page.text("#details h2") == "Model base"


@in_chromium
def test_search_matches_names_and_properties(browser: Any) -> None:
    page = Page(browser, build_star())
    page.search("FIRST of")
    assert page.text("#details h2") == "1 found"
    assert page.run("return cy.nodes('.found').map(n => n.data('name'))") == ["base"]
    assert page.run("return cy.nodes('.faded').length") == 3
    page.search("nowhere")
    assert page.text("#details h2") == "0 found"
    page.search("am2\n")
    assert page.text("#details h2") == "Model m2"
    assert page.run("return cy.nodes(':selected').map(n => n.data('name'))") == ["m2"]


@in_chromium
def test_drag_wheel_and_fit(browser: Any) -> None:
    page = Page(browser, build_star())
    before, zoom = page.run("return [cy.pan(), cy.zoom()]")
    page.drag()
    moved = page.run("return cy.pan()")
    assert moved["x"] > before["x"]
    assert moved["y"] < before["y"]
    page.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-240)
    assert page.run("return cy.zoom()") > zoom
    page.driver.find_element("id", "fit").click()
    assert page.run("return [cy.pan(), cy.zoom()]") == [before, zoom]


@in_chromium
def test_colours_follow_the_reader_and_are_light_in_print(browser: Any) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    colours = (
        "return [getComputedStyle(document.body).backgroundColor, cy.nodes()[0].style('color')]"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page = Page(browser, build_star())
    light = page.run(colours)
    assert light == ["rgb(255, 255, 255)", "rgb(34,34,34)"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        browser.execute_async_script(_PAINTED)
        assert page.run(colours) == ["rgb(22, 24, 28)", "rgb(232,232,232)"]
        page.run("dispatchEvent(new Event('beforeprint'))")
        assert page.run(colours) == light
        page.run("return document.getElementById('paper').decode()")
        assert page.run("return document.getElementById('paper').naturalWidth") > 50
        page.run("dispatchEvent(new Event('afterprint'))")
        assert page.run(colours)[0] == "rgb(22, 24, 28)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["x1"] < other["x2"]
        and other["x1"] < one["x2"]
        and one["y1"] < other["y2"]
        and other["y1"] < one["y2"]
    )


@in_chromium
@pytest.mark.parametrize("build", [build_star, build_lineage, build_with_traps])
def test_a_small_graph_has_the_root_on_the_left_and_a_column_per_distance(
    browser: Any, build: Callable[[], Subgraph]
) -> None:
    subgraph = build()
    page = Page(browser, subgraph)
    boxes = page.boxes()
    assert not any(overlap(*pair) for pair in combinations(boxes.values(), 2))
    columns: dict[int, list[float]] = defaultdict(list)
    for node in subgraph.nodes:
        columns[node.distance].append(boxes[node.uid]["x1"] + boxes[node.uid]["x2"])
    assert len(columns[0]) == 1
    assert all(column == pytest.approx([column[0]] * len(column)) for column in columns.values())
    assert all(left[0] + 50 < right[0] for left, right in pairwise(columns.values()))
    assert page.run("return cy.zoom()") > 0.7  # the labels are readable


@in_chromium
@pytest.mark.parametrize("size", [60, 300])
def test_a_larger_graph_has_the_root_in_the_middle_and_rings_by_distance(
    browser: Any, size: int
) -> None:
    subgraph = build_project(size)
    page = Page(browser, subgraph)
    boxes = page.boxes()
    assert not any(overlap(*pair) for pair in combinations(boxes.values(), 2))
    centres = {
        uid: ((box["x1"] + box["x2"]) / 2, (box["y1"] + box["y2"]) / 2)
        for uid, box in boxes.items()
    }
    radii: dict[int, list[float]] = defaultdict(list)
    for node in subgraph.nodes:
        radius = math.dist(centres[node.uid], centres[subgraph.root.uid])
        radii[node.distance].append(radius)
    assert max(radii[1]) < min(radii[2])


@in_chromium
@pytest.mark.slow
def test_five_thousand_nodes_are_panned_as_one_image(browser: Any) -> None:
    page = Page(browser, build_project(5_000))
    assert page.text("#counts") == "5000 nodes, 9947 edges"
    assert page.text("#legend") == "Project 1Dataset 50Model 2474Experiment 2475"
    assert page.run("return cy.renderer().textureOnViewport") is True
    x, y = page.run(
        "const root = cy.nodes('.root').renderedPosition(), "
        "frame = cy.container().getBoundingClientRect(); "
        "return [frame.x + root.x, frame.y + root.y]"
    )
    position = page.run("return cy.nodes('.root').position()")
    for start in ((12, 640), (x, y)):  # the background, and a node
        before = page.run("return cy.pan()")
        page.drag(*start)
        assert page.run("return cy.pan()")["x"] > before["x"]
    assert page.run("return cy.nodes('.root').position()") == position
    assert page.errors() == []


@in_chromium
def test_a_cut_subgraph_has_a_notice_on_the_page(browser: Any) -> None:
    complete = build_star()
    cut = replace(complete, limit=4, is_cut=True)
    assert Page(browser, cut).driver.find_element("id", "notice").text == cut.notice
    assert not Page(browser, complete).driver.find_element("id", "notice").is_displayed()
