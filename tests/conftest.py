"""Shared fixtures and options: one running engine of each kind, emptied before each test.

A test that uses `graph` runs on all three engines (`--engine` selects some of them), one that uses
`embedded` or `neo4j_graph` on these only, and one marked `any_engine`, or such a set of its
parameters, on the first. Tests without
an engine fixture run once; they need no engine or start their own.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click.testing
import hypothesis
import neo4j_server
import pytest
from portalocker import LockFlags

import genai_graph
from genai_graph.database import Connection
from genai_graph.server.arcadedb import ArcadeDB
from genai_graph.server.lifecycle import ManagedEngine, RunningEngine, Server, Users
from genai_graph.server.locks import open_private, try_lock

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"


class ShortLived(ArcadeDB):
    """The embedded engine with options for short runs."""

    def command(self, directory: Path, java_options: list[str]) -> list[str]:
        """Return the command line, without recording a cache and with the quick compiler only.

        The other compiler would use three times the CPU time of the tests.
        """
        return super().command(directory, ["-XX:TieredStopAtLevel=1"])


ENGINES: dict[str, type[Server]] = {
    "embedded": ShortLived,
    "neo4j": neo4j_server.LongLived,
    "neo4j-5": neo4j_server.Neo4j5,
}

# Exceeding the time limit of a test would count as a failing example, which is then minimized
# without a limit. --hypothesis-profile=default minimizes examples.
hypothesis.settings.register_profile(
    "tests", phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate)
)
hypothesis.settings.load_profile("tests")

# Their statements are those of other tests, and the two Neo4j answer them alike. On the older one,
# these files run only if --engine names it: the whole suite takes half an hour on two cores.
ON_ONE_NEO4J = {
    f"test_{name}.py"
    for name in (
        *("asyncio", "blocks", "cli", "cluster", "compare", "copies", "csv", "curves"),
        *("documentation", "dump", "edge_cases", "edge_roles", "encryption", "forks", "habits"),
        *("import_again", "import_croissant", "import_csv", "import_huggingface"),
        *("import_interrupted", "import_kinds", "import_mlflow", "interrupted", "journal"),
        *("json", "json_columns", "jsonl", "limits", "load", "mutations", "names", "node_sets"),
        *("nodes", "notebook", "own_classes", "own_questions", "parts_and_scores", "plans"),
        *("protection", "question_cases", "question_search", "record", "relationships"),
        *("renaming", "round_trip", "runs", "sandbox", "search", "search_mlflow", "shared"),
        *("shell", "show", "transactions", "unicode_names", "values", "verify", "volume"),
        *("yaml",),
    )
}

Run = Callable[..., click.testing.Result]


def write_file(name: str, content: str | bytes) -> str:
    """Write a file into the test's directory and return its name."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def errors_of(*names: str, **options: Any) -> list[str]:
    """Return the errors that `check` reports for fixtures, one line each."""
    with pytest.raises(genai_graph.FixtureError) as raised:
        genai_graph.check(*names, **options)
    error = raised.value
    assert str(error).splitlines()[: len(error.errors)] == [str(issue) for issue in error.errors]
    return str(error).splitlines()


def _engine_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(ENGINES):
        raise pytest.UsageError(f"unknown engine: {', '.join(unknown)} ({', '.join(ENGINES)})")
    return names


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine",
        action="extend",
        type=_engine_names,
        metavar="NAME,...",
        help=f"run the tests that use a graph on these engines only ({', '.join(ENGINES)})",
    )


def _selected_engines(config: pytest.Config) -> list[str]:
    return config.getoption("--engine") or list(ENGINES)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses an engine on each of them, and mark the runs on Neo4j."""
    if "engine" not in metafunc.fixturenames:
        return
    names = list(ENGINES)
    if {"embedded", "embedded_engine"} & set(metafunc.fixturenames):
        names = ["embedded"]
    elif "neo4j_graph" in metafunc.fixturenames:
        names.remove("embedded")
    is_named = metafunc.config.getoption("--engine")
    if "neo4j-5" in names and not is_named and metafunc.definition.path.name in ON_ONE_NEO4J:
        names.remove("neo4j-5")
    engines = [
        pytest.param(name, marks=[] if name == "embedded" else pytest.mark.neo4j) for name in names
    ]
    metafunc.parametrize("engine", engines, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests on engines that `--engine` does not name, and repetitions of `any_engine`."""
    selected = _selected_engines(config)
    left_out = []
    for item in items:
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        usable = selected[:1] if item.get_closest_marker("any_engine") else selected
        if engine is not None and engine not in usable:
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        deselected = set(left_out)
        items[:] = [item for item in items if item not in deselected]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run all tests on one Neo4j in one process, and the other tests by file.

    Each process has engines of its own. The embedded one starts in two seconds, Neo4j in up to 50.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByEngine(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            engine = re.search(r"(?<=[\[-])(neo4j-5|neo4j)(?=[-\]])", test)
            return engine[0] if engine else file

    return ByEngine(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of tests passed on each engine."""
    passed = Counter(
        dict(report.user_properties).get("engine", "no engine, or an engine of their own")
        for report in terminalreporter.stats.get("passed", ())
        if report.when == "call"
    )
    if passed:
        terminalreporter.section("passed by engine")
    for name, count in sorted(passed.items()):
        terminalreporter.line(f"{count:6,} on {name}")


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Isolate the tests from the user's graph and settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("NEO4J_", "GENAI_GRAPH_")):
                patch.delenv(name)
        patch.setenv("GENAI_GRAPH_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GENAI_GRAPH_RETRY_TIMEOUT", "15")
        yield


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty directory, away from the project's .env and fixtures/."""
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Engine:
    """An engine that runs for the whole session, and the environment variables that select it."""

    name: str
    settings: dict[str, str]
    lease: Path  # locked by every client


@contextmanager
def untimed() -> Iterator[None]:
    """Stop the clock of the test's time limit.

    For preparations that tests share and that have time limits of their own, such as the start of
    an engine: they would count for the first test that needs them. Neo4j can take more than a
    minute to start on a loaded machine.
    """
    if not hasattr(signal, "setitimer"):  # on Windows, pytest-timeout uses a thread
        yield
        return
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A running engine, shared by the tests of the session."""
    server = ENGINES[request.param]()
    neo4j_server.install_or_skip(server)
    managed = ManagedEngine(server, Path(os.environ["GENAI_GRAPH_HOME"]))
    with untimed():
        running = managed.start()
    yield Engine(server.name, _settings(server.name, running), managed.directory / "engine.lease")
    assert managed.stop() is True, "a test left a connection open"
    if (process := running.process()) is not None:
        process.kill()  # an orderly stop of Neo4j takes seconds, and its data is temporary


@pytest.fixture(scope="session")
def embedded_engine(engine: Engine) -> Engine:
    """The running embedded engine, for tests that need no empty graph."""
    return engine


def _settings(name: str, running: RunningEngine) -> dict[str, str]:
    if name == "neo4j-5":  # the package does not manage it, so it is used like any server
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
    assert _is_unused(engine), "the test left a connection open"


def _is_unused(engine: Engine) -> bool:
    """Return whether no process uses an engine; workers that were just stopped are waited for."""
    deadline = time.monotonic() + 10
    descriptor = open_private(engine.lease)
    try:
        while not try_lock(descriptor, LockFlags.EXCLUSIVE):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True
    finally:
        os.close(descriptor)


def users_of(connection: Connection) -> Users:
    """Return the users of the engine of `graph`, for direct connections to it."""
    home = Path(os.environ["GENAI_GRAPH_HOME"])
    engines = (ManagedEngine(server(), home).running() for server in ENGINES.values())
    return next(one.users for one in engines if one is not None and one.uri == connection.uri)


@pytest.fixture
def embedded(graph: Connection) -> Connection:
    """`graph`, on the embedded engine only."""
    return graph


@pytest.fixture
def neo4j_graph(graph: Connection) -> Connection:
    """`graph`, on Neo4j only."""
    return graph


@pytest.fixture
def unsupported_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow connections to the embedded engine by its address, as to any server."""
    monkeypatch.setenv("GENAI_GRAPH_UNSUPPORTED_SERVER", "1")


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own, without a running engine."""
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
