"""The page that `show --format html` writes: what is in it, and what Chromium makes of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, reason_for_none
from traps import TRAPS

from genai_graph import Subgraph, SubgraphEdge, SubgraphNode
from genai_graph.pictures import draw
from genai_graph.pictures.layout import SPACE, positions

in_chromium = pytest.mark.skipif(bool(reason_for_none()), reason=reason_for_none())


def subgraph(nodes: list[SubgraphNode], edges: list[SubgraphEdge]) -> Subgraph:
    return Subgraph(nodes[0], tuple(nodes), tuple(edges), 8, 5_000, False)


def trapped() -> Subgraph:
    """Return a subgraph in which every text is a trap."""
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
    return subgraph(nodes, edges)


def star() -> Subgraph:
    """Return a dataset and two models trained on it, one of them with a parent."""
    data = SubgraphNode("Dataset", "images", 0, {"license": "CC-BY-4.0"})
    models = [SubgraphNode("Model", uid, 1, {"architecture": f"A{uid}"}) for uid in ("m1", "m2")]
    parent = SubgraphNode("Model", "base", 2, {"description": "the first of all"})
    edges = [SubgraphEdge("TRAINED_ON", one, data, {"split": "train"}) for one in models]
    edges.append(SubgraphEdge("DERIVED_FROM", models[0], parent, {}))
    return subgraph([data, *models, parent], edges)


def large(count: int) -> Subgraph:
    """Return a project and its models, each trained on two of 50 datasets and run once."""
    root = SubgraphNode("Project", "vision", 0, {"owner": "ml-team"})
    data = [SubgraphNode("Dataset", f"dataset-{n:02}", 1) for n in range(50)]
    models = [SubgraphNode("Model", f"model-{n:04}", 1) for n in range((count - 51) // 2)]
    runs = [SubgraphNode("Experiment", f"run-{n:04}", 2) for n in range(count - 51 - len(models))]
    edges = [SubgraphEdge("HAS", root, node) for node in (*data, *models)]
    for number, model in enumerate(models):
        ends = data[number % 50], data[number * 7 % 50]
        edges += [SubgraphEdge("TRAINED_ON", model, end) for end in ends]
    edges += [SubgraphEdge("RUN", run, models[n % len(models)]) for n, run in enumerate(runs)]
    return subgraph([root, *data, *models, *runs], edges)


# Without a browser


def test_the_page_is_one_file_that_asks_for_nothing_else() -> None:
    page = draw(star(), "html")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert not re.search(r"<(link|iframe|object|embed|base|form)\b|<\w+[^>]*\s(src|href)=", page)


def test_what_the_graph_holds_is_in_the_page_as_it_is_and_is_no_markup() -> None:
    page = draw(trapped(), "html")
    assert page.count("<script") == draw(star(), "html").count("<script")
    (content,) = re.findall('id="data">(.*?)</script>', page, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(content)
    told = json.loads(content)
    assert [node["uid"] for node in told["nodes"]] == [node.uid for node in trapped().nodes]
    assert ["name", TRAPS[0]] in told["nodes"][0]["properties"]


@pytest.mark.parametrize("drawn", [star(), trapped(), large(300), large(2_000)])
def test_no_two_nodes_are_drawn_over_each_other(drawn: Subgraph) -> None:
    places = positions(drawn)
    assert places.keys() == {*drawn.nodes}
    assert places[drawn.root] == (0, 0)
    nearest = min(math.dist(one, other) for one, other in combinations(places.values(), 2))
    assert nearest > SPACE / 2


def test_who_is_farther_from_the_root_is_drawn_farther_from_it() -> None:
    places = positions(large(400))
    radii = [(node.distance, math.hypot(*place)) for node, place in places.items()]
    assert max(far for distance, far in radii if distance == 1) < min(
        far for distance, far in radii if distance == 2
    )


# In Chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


# What waits for what the page draws next.
_DRAWN = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"


class Page:
    """A page that is open; `cy` in its scripts is Cytoscape's view of it."""

    def __init__(self, driver: Any, drawn: Subgraph) -> None:
        self.driver = driver
        Path("page.html").write_text(draw(drawn, "html"), encoding="utf-8")
        driver.get_log("browser")
        driver.get(Path("page.html").resolve().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        cy = "const cy = document.getElementById('graph')._cyreg.cy; "
        return self.driver.execute_script(cy + script, *arguments)

    def text(self, selector: str) -> str:
        """Return what an element says, hidden or not."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def faults(self) -> list[str]:
        """Return what the console has: errors, and what the policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def search(self, text: str) -> None:
        box = self.driver.find_element("id", "search")
        box.clear()
        box.send_keys(text)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, **more}
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def click(self, node: str) -> None:
        """Click on a node where it is drawn."""
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
        """Drag to the right and up, the background from the lower left corner unless told else."""
        self.mouse("mousePressed", x, y, buttons=1)
        for step in range(1, 11):
            self.mouse("mouseMoved", x + 10 * step, y - 5 * step, buttons=1)
        self.mouse("mouseReleased", x + 100, y - 50)


@in_chromium
def test_nothing_in_the_graph_runs_or_becomes_an_element(browser: Any) -> None:
    page = Page(browser, trapped())
    assert page.run("return document.title") == " ".join(f"Model {TRAPS[0]}0".split())
    assert page.text("h1") == f"Model {TRAPS[0]}0"
    for number, node in enumerate(trapped().nodes):
        page.run("cy.getElementById(arguments[0]).emit('tap')", f"n{number}")
        assert page.text("#details h2") == f"Model {node.uid}"
        assert page.text("#details dd") == node.properties["name"]
    page.run("cy.getElementById('e3').emit('tap')")
    assert page.text("#details dd") == trapped().edges[3].properties["kind"]
    page.search("onerror")
    assert page.text("#details h2") == "1 found"
    assert page.run("return document.scripts.length") == 3
    assert page.run("return document.querySelectorAll('img, b, a, iframe').length") == 1
    assert page.faults() == []


@in_chromium
def test_it_needs_no_network(browser: Any) -> None:
    page = Page(browser, star())
    assert page.run("return performance.getEntriesByType('resource').map(e => e.name)") == []


@in_chromium
def test_a_click_shows_the_properties(browser: Any) -> None:
    page = Page(browser, star())
    assert page.text("#details h2") == "Dataset images"
    page.click("n1")
    page.driver.execute_async_script("setTimeout(arguments[0], 400)")  # a tap is not a double one
    assert page.text("#details h2") == "Model m1"
    assert page.text("#details dl") == "architectureAm1"
    buttons = page.driver.find_elements("css selector", "#details li button")
    shown = [button.text for button in buttons]
    assert shown == ["TRAINED_ON → Dataset images", "DERIVED_FROM → Model base"]
    buttons[1].click()
    assert page.text("#details h2") == "Model base"


@in_chromium
def test_search_finds_names_and_properties(browser: Any) -> None:
    page = Page(browser, star())
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
def test_it_moves_and_zooms_and_comes_back(browser: Any) -> None:
    page = Page(browser, star())
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
def test_it_is_dark_where_that_is_preferred_and_light_on_paper(browser: Any) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    colours = (
        "return [getComputedStyle(document.body).backgroundColor, cy.nodes()[0].style('color')]"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    page = Page(browser, star())
    light = page.run(colours)
    assert light == ["rgb(255, 255, 255)", "rgb(34,34,34)"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        browser.execute_async_script(_DRAWN)
        assert page.run(colours) == ["rgb(22, 24, 28)", "rgb(232,232,232)"]
        page.run("dispatchEvent(new Event('beforeprint'))")
        assert page.run(colours) == light
        page.run("return document.getElementById('paper').decode()")
        assert page.run("return document.getElementById('paper').naturalWidth") > 50
        page.run("dispatchEvent(new Event('afterprint'))")
        assert page.run(colours)[0] == "rgb(22, 24, 28)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@in_chromium
def test_five_thousand_nodes_are_moved_as_one_picture(browser: Any) -> None:
    page = Page(browser, large(5_000))
    assert page.text("#counts") == "5000 nodes, 9947 edges"
    assert page.text("#legend") == "Project 1Dataset 50Model 2474Experiment 2475"
    assert page.run("return cy.renderer().textureOnViewport") is True
    x, y = page.run(
        "const place = cy.nodes('.root').renderedPosition(), "
        "frame = cy.container().getBoundingClientRect(); "
        "return [frame.x + place.x, frame.y + place.y]"
    )
    for start in ((12, 640), (x, y)):  # the background, and a node
        before = page.run("return cy.pan()")
        page.drag(*start)
        assert page.run("return cy.pan()")["x"] > before["x"]
    assert page.run("return cy.nodes('.root').position()") == {"x": 0, "y": 0}
    assert page.faults() == []


@in_chromium
def test_what_is_cut_is_told_on_the_page(browser: Any) -> None:
    whole = star()
    cut = Subgraph(whole.root, whole.nodes, whole.edges, 8, 4, True)
    assert Page(browser, cut).driver.find_element("id", "notice").text == cut.notice
    assert not Page(browser, whole).driver.find_element("id", "notice").is_displayed()
