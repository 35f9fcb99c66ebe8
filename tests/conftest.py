"""What the tests share: one embedded engine for the whole run, emptied for every test that asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click.testing
import pytest

import genai_graph
from genai_graph.database import Connection, managed_engine

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"

Run = Callable[..., click.testing.Result]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--uri", help="run on this server instead of the embedded engine")


@pytest.fixture(scope="session", autouse=True)
def _environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Keep the tests away from the user's own graph and settings."""
    with pytest.MonkeyPatch.context() as patch:
        uri = request.config.getoption("--uri")
        for name in list(os.environ):
            if name.startswith(("NEO4J_", "GENAI_GRAPH_")) and not (uri and "PASSWORD" in name):
                patch.delenv(name)
        if uri:
            patch.setenv("NEO4J_URI", uri)
        patch.setenv("GENAI_GRAPH_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in a folder of its own: no .env and no fixtures/ of the project."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """One engine, kept up for the run so that no test waits for a start."""
    if request.config.getoption("--uri"):
        yield
        return
    managed = managed_engine("embedded", Path(os.environ["GENAI_GRAPH_HOME"]))
    managed.keep()
    yield
    assert managed.stop() is True, "a test left a connection open"


@pytest.fixture
def graph(engine: None) -> Iterator[Connection]:
    """A connection to an empty graph."""
    with genai_graph.connect() as connection:
        genai_graph.query("MATCH (n) DETACH DELETE n", write=True)
        yield connection


@pytest.fixture
def embedded(graph: Connection) -> Connection:
    """The same, for what only the embedded engine does."""
    if graph.engine != "embedded":
        pytest.skip("this is about the embedded engine")
    return graph


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, where no engine runs yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(home))
    monkeypatch.delenv("NEO4J_URI", raising=False)
    return home


@pytest.fixture
def cli() -> Run:
    """Run the command line in this process: ``cli("load", path, input=...)``."""
    from genai_graph.cli import main

    def run(*arguments: object, input: str | bytes | None = None) -> click.testing.Result:
        runner = click.testing.CliRunner()
        return runner.invoke(main, [str(argument) for argument in arguments], input=input)

    return run
