"""The pytest plugin, loaded by its entry point in a separate process, as in users' tests."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import FIXTURES, ROOT
from documentation import examples

pytest_plugins = "pytester"
# Each test starts a pytest session and an engine.
pytestmark = pytest.mark.slow

LIMIT = 60
TEAM = """\
format: genai_graph/1
Dataset: {transactions@2026: {}}
Model: {xgb@1: {trained_on: [transactions@2026]}}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def session(
    pytester: pytest.Pytester, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A directory for tests, with another one as the user's cache."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(cache))
    monkeypatch.delenv("GENAI_GRAPH_HOME")
    return pytester


def engines(cache: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(cache) in " ".join(process.info["cmdline"] or ())
        and "ArcadeDBServer" in process.info["cmdline"][-1]
    ]


def wait_for_engines_to_stop(cache: Path) -> None:
    """Wait; the first run of an engine takes some seconds longer to stop."""
    deadline = time.monotonic() + LIMIT
    while engines(cache):
        assert time.monotonic() < deadline
        time.sleep(0.05)


ISOLATED = """
import os
import subprocess
import sys

import pytest

from genai_graph import Dataset, connect, load, query
from genai_graph.errors import SettingsError


@pytest.mark.parametrize("turn", [1, 2])
def test_the_graph_is_empty_at_the_start(empty_graph, turn):
    assert empty_graph.engine == "embedded"
    assert query("MATCH (n) RETURN count(n) AS count") == [{"count": 0}]
    Dataset(name="mnist").save()
    query("CREATE (:Thing)", write=True)


def test_subprocesses_and_other_connections_use_the_same_graph(empty_graph):
    Dataset(name="mnist").save()
    command = [sys.executable, "-m", "genai_graph", "query", "MATCH (n) RETURN n.uid AS uid"]
    assert subprocess.check_output(command) == b'{"uid": "mnist"}\\n'
    with connect() as other:
        assert other.uri == empty_graph.uri


def test_fixtures_are_found_next_to_the_test_and_as_in_load(load_graph):
    assert load_graph("data/team.yaml", dry_run=True).nodes["Model"].pending == 1
    assert load_graph("data/team.yaml").nodes["Dataset"].created == 1
    assert load_graph("quickstart").nodes["Dataset"].created == 1, "it has the other one, too"


def test_without_the_fixture_the_settings_are_unchanged():
    assert os.environ["NEO4J_URI"] == "nonsense://"
    with pytest.raises(SettingsError):
        connect()
"""


def test_the_fixtures_isolate_tests_from_the_users_settings(
    session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", "nonsense://")
    Path(".env").write_text("NEO4J_URI=bolt://127.0.0.1:1\nGENAI_GRAPH_KEYS=broken\n")
    Path("fixtures").symlink_to(FIXTURES)
    directory = session.mkdir("inner")
    (directory / "test_isolated.py").write_text(ISOLATED)
    (directory / "test_examples.py").write_text(examples(ROOT / "docs" / "testing.md"))
    (directory / "data").mkdir()
    for name in ("team.yaml", "data/team.yaml"):
        (directory / name).write_text(TEAM)
    session.runpytest_subprocess("inner").assert_outcomes(passed=7)


def test_each_xdist_process_has_its_own_engine(session: pytest.Pytester, cache: Path) -> None:
    session.makepyfile("""
        import time
        from pathlib import Path

        import pytest
        from genai_graph import Dataset

        @pytest.mark.parametrize("number", range(2))
        def test_alone(empty_graph, number):
            Path(f"{number}.uri").write_text(empty_graph.uri)
            Dataset(name="mnist").save()
            while len(list(Path.cwd().glob("*.uri"))) < 2:
                time.sleep(0.01)
            assert len(Dataset.nodes) == 1
    """)
    done = session.runpytest_subprocess("-n", "2", "--dist", "load")
    done.assert_outcomes(passed=2)
    assert Path("0.uri").read_text() != Path("1.uri").read_text()
    wait_for_engines_to_stop(cache)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_an_engine_left_by_a_killed_session_is_stopped_by_the_next(
    session: pytest.Pytester, cache: Path
) -> None:
    session.makepyfile("""
        import os, signal
        from genai_graph import Dataset

        def test_killed(empty_graph):
            Dataset(name="mnist").save()
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert session.runpytest_subprocess().ret == -9
    (left,) = engines(cache)
    session.makepyfile("def test_next(empty_graph): pass")
    session.runpytest_subprocess("-k", "next").assert_outcomes(passed=1)
    assert not left.is_running()
    wait_for_engines_to_stop(cache)


def test_the_plugin_imports_nothing_until_it_is_used(session: pytest.Pytester) -> None:
    session.makepyfile("""
        import sys

        def test_imports(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("genai_graph")
            assert not {"neomodel", "neo4j", "pydantic", "msgspec"} & set(sys.modules)
            imported = {name for name in sys.modules if name.startswith("genai_graph")}
            assert imported == {"genai_graph", "genai_graph.errors", "genai_graph.pytest_plugin"}
    """)
    session.runpytest_subprocess().assert_outcomes(passed=1)
