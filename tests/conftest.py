"""What the tests share: an engine of each kind in its turn, emptied for every test that asks.

A test that uses `graph` runs on all three, or on those that `--engine` names. One that uses
`embedded` runs on that engine only, one marked `any_engine` on the first. The others are about no
engine or start their own, and run once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click.testing
import neo4j_server
import pytest

import genai_graph
from genai_graph.database import Connection
from genai_graph.server.arcadedb import ArcadeDB
from genai_graph.server.lifecycle import ManagedEngine, RunningEngine, Server, Users

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
ENGINES: dict[str, type[Server]] = {
    "embedded": ArcadeDB,
    "neo4j": neo4j_server.ShortLived,
    "neo4j-5": neo4j_server.Neo4j5,
}

Run = Callable[..., click.testing.Result]


def written(name: str, content: str | bytes) -> str:
    """Write a file into the test's folder, and return its name."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def faults_of(*names: str, **options: Any) -> list[str]:
    """Return the faults that `check` finds in fixtures, a line each as users see them."""
    with pytest.raises(genai_graph.FixtureError) as raised:
        genai_graph.check(*names, **options)
    error = raised.value
    assert str(error).splitlines()[: len(error.errors)] == [str(fault) for fault in error.errors]
    return str(error).splitlines()


def _engine_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(ENGINES):
        raise pytest.UsageError(f"no such engine: {', '.join(unknown)} ({', '.join(ENGINES)})")
    return names


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        action="extend",
        type=_engine_names,
        metavar="NAME,...",
        help=f"run the tests that use a graph on these engines only ({', '.join(ENGINES)})",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses an engine on each of them."""
    if "engine" not in metafunc.fixturenames:
        return
    names = metafunc.config.getoption("--engine") or list(ENGINES)
    if {"embedded", "embedded_engine"} & set(metafunc.fixturenames):
        names = [name for name in names if name == "embedded"]
    elif "neo4j_graph" in metafunc.fixturenames:
        names = [name for name in names if name != "embedded"]
    elif metafunc.definition.get_closest_marker("any_engine"):
        names = names[:1]
    metafunc.parametrize("engine", list(dict.fromkeys(names)), indirect=True, scope="session")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep an engine's tests in one process, and a file's other tests too (`pytest -n 3`)."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByEngine(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            engine = test.partition("[")[2].removesuffix("]")
            named = (name for name in ENGINES if engine == name or engine.startswith(f"{name}-"))
            return max(named, key=len, default=file)  # neo4j-5 is not neo4j

    return ByEngine(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests passed on each engine."""
    passed = Counter(
        dict(report.user_properties).get("engine", "no engine, or one of their own")
        for report in terminalreporter.stats.get("passed", ())
        if report.when == "call"
    )
    terminalreporter.section("passed by engine")
    for name, count in sorted(passed.items()):
        terminalreporter.line(f"{count:6,} on {name}")


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the user's own graph and settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("NEO4J_", "GENAI_GRAPH_")):
                patch.delenv(name)
        patch.setenv("GENAI_GRAPH_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in a folder of its own: no .env and no fixtures/ of the project."""
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Engine:
    """An engine that is kept up for the run, and what a program must be told to use it."""

    name: str
    settings: dict[str, str]


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One engine of each kind, kept up so that no test waits for a start."""
    server = ENGINES[request.param]()
    neo4j_server.install_or_skip(server)
    managed = ManagedEngine(server, Path(os.environ["GENAI_GRAPH_HOME"]))
    running = managed.start()
    yield Engine(server.name, _settings(server.name, running))
    assert managed.stop() is True, "a test left a connection open"
    if (process := running.process()) is not None:
        process.kill()  # what a slow one still has to do is of no use: its folder is the run's


@pytest.fixture(scope="session")
def embedded_engine(engine: Engine) -> Engine:
    """The embedded one, for those who need no graph of their own on it."""
    return engine


def _settings(name: str, running: RunningEngine) -> dict[str, str]:
    if name == "neo4j-5":  # which the package does not manage: it is a server like any other
        return {"NEO4J_URI": running.uri, "NEO4J_PASSWORD": running.users.password}
    return {"GENAI_GRAPH_ENGINE": name}


@pytest.fixture
def graph(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> Iterator[Connection]:
    """A connection to an empty graph."""
    record_property("engine", engine.name)
    for name, value in engine.settings.items():
        monkeypatch.setenv(name, value)
    with genai_graph.connect() as connection:
        genai_graph.query("MATCH (n) DETACH DELETE n", write=True)
        yield connection


def users_of(connection: Connection) -> Users:
    """Return who may enter the engine of `graph`, for those who connect to it by other ways."""
    home = Path(os.environ["GENAI_GRAPH_HOME"])
    engines = (ManagedEngine(server(), home).running() for server in ENGINES.values())
    return next(one.users for one in engines if one is not None and one.uri == connection.uri)


@pytest.fixture
def embedded(graph: Connection) -> Connection:
    """The same, for what only the embedded engine does."""
    return graph


@pytest.fixture
def neo4j_graph(graph: Connection) -> Connection:
    """The same, for what only Neo4j tells."""
    return graph


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, where no engine runs yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(home))
    for name in ("NEO4J_URI", "NEO4J_PASSWORD", "GENAI_GRAPH_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def cli() -> Run:
    """Run the command line in this process: ``cli("load", path, input=...)``."""
    from genai_graph.cli import main

    def run(*arguments: object, input: str | bytes | None = None) -> click.testing.Result:
        runner = click.testing.CliRunner()
        return runner.invoke(main, [str(argument) for argument in arguments], input=input)

    return run
