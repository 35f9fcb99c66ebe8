"""The lifecycle of the embedded engine, tested with processes on separate data directories.

The first client of a data directory starts the engine, all clients share it, and the last one stops
it, also if clients are killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from conftest import Run

import genai_graph
from genai_graph import GenaiGraphError, atomic, connect, query
from genai_graph.errors import EngineError, UnavailableError

pytestmark = pytest.mark.slow

LIMIT = 60  # seconds; generous, for a loaded machine
COUNT = "MATCH (n:Thing) RETURN count(n) AS count"
CREATE = "CREATE (:Thing)"


def engines(home: Path) -> list[psutil.Process]:
    """Return the running engines of a data directory."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if any(str(home) in part for part in line) and Path(line[0]).stem == "java":
                found.append(process)
    return found


def listening(engine: psutil.Process) -> set[tuple[str, int]]:
    """Return the TCP addresses and ports that an engine listens on."""
    return {
        (one.laddr.ip.removeprefix("::ffff:"), one.laddr.port)
        for one in engine.net_connections()
        if one.status == psutil.CONN_LISTEN
    }


def wait_until(condition: Callable[[], object], failure: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.02)


def wait_for_end(home: Path) -> None:
    wait_until(lambda: not engines(home), "an engine is still running")


def kill_engine(home: Path) -> None:
    (process,) = engines(home)
    process.kill()
    wait_until(lambda: has_ended(process), "a killed engine is still running")


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended with all threads; it may still be a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "genai_graph", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def ask(cypher: str, *options: str, **environment: str) -> str:
    """Run a query on the command line and return the output."""
    done = command("query", cypher, *options, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def can_connect() -> bool:
    """Connect from this process and return whether the engine responds."""
    with connect():
        return query("RETURN 1 AS one") == [{"one": 1}]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@dataclass
class Client:
    """A process that connects, and runs the queries it receives line by line until stdin ends."""

    process: subprocess.Popen[str]

    CODE = textwrap.dedent("""
        import sys, genai_graph
        with genai_graph.connect() as connection:
            print(connection.uri, flush=True)
            for line in sys.stdin:
                print(genai_graph.query(line, write=True), flush=True)
    """)

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, cypher: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(cypher + "\n")
        self.process.stdin.flush()
        return self.read()

    def exit(self) -> None:
        _, errors = self.process.communicate(timeout=LIMIT)
        assert (self.process.returncode, errors) == (0, "")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=LIMIT)


@pytest.fixture
def client() -> Iterator[Callable[[], Client]]:
    """Start clients; they are killed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start() -> Client:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", Client.CODE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
            stack.callback(process.kill)
            return Client(process)

        yield start


@dataclass
class FirstRuns:
    """The results of two consecutive commands on a new data directory."""

    home: Path
    outputs: list[str]
    used_a_cache: bool

    @property
    def caches(self) -> list[Path]:
        return list((self.home / "embedded").glob("start-*"))


@pytest.fixture(scope="module")
def first_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRuns]:
    home = tmp_path_factory.mktemp("first")
    with kill_engines_at_exit(home):
        outputs = [ask(f"RETURN {number} AS n", GENAI_GRAPH_HOME=str(home)) for number in (1, 2)]
        used = "AOTCache=" in (home / "embedded" / "engine.log").read_text()
        wait_for_end(home)
        yield FirstRuns(home, outputs, used)


@contextlib.contextmanager
def kill_engines_at_exit(home: Path) -> Iterator[None]:
    try:
        yield
    finally:
        running = engines(home)
        for process in running:
            process.kill()
        psutil.wait_procs(running, timeout=LIMIT)


@pytest.fixture
def new_home(own_home: Path) -> Iterator[Path]:
    """A data directory that does not exist yet; its engine is killed."""
    with kill_engines_at_exit(own_home):
        yield own_home


@pytest.fixture
def home(new_home: Path, first_runs: FirstRuns) -> Path:
    """A new data directory with the ahead-of-time cache, which makes starts fast."""
    folder = new_home / "embedded"
    folder.mkdir(parents=True, mode=0o700)
    for cache in first_runs.caches:
        os.link(cache, folder / cache.name)
    return new_home


def state(home: Path) -> dict[str, object]:
    """Return the state file of the running engine."""
    content: dict[str, object] = json.loads((home / "embedded" / "engine.json").read_text())
    return content


def passwords(home: Path) -> list[str]:
    users = state(home)["users"]
    assert isinstance(users, dict)
    return [value for name, value in users.items() if "password" in name]


# Started by the first client, stopped by the last


def test_command_starts_and_stops_the_engine(home: Path) -> None:
    assert ask("RETURN 1 AS one") == '{"one": 1}\n'
    wait_for_end(home)


def test_processes_share_an_engine_and_the_last_stops_it(
    home: Path, client: Callable[[], Client]
) -> None:
    first = client()
    address = first.read()
    second = client()
    assert second.read() == address
    assert len(engines(home)) == 1
    first.ask(CREATE)
    assert second.ask(COUNT) == "[{'count': 1}]"
    first.exit()
    assert len(engines(home)) == 1
    assert second.ask(COUNT) == "[{'count': 1}]"
    second.exit()
    wait_for_end(home)


def test_close_stops_the_engine_while_the_program_continues(home: Path) -> None:
    for count in range(2):
        with connect():
            assert query(COUNT) == [{"count": count}]
            query(CREATE, write=True)
            assert len(engines(home)) == 1
        wait_for_end(home)


def test_connections_of_a_program_share_an_engine(home: Path) -> None:
    with connect() as outer, connect() as inner:
        assert inner.uri == outer.uri
        assert len(engines(home)) == 1
    wait_for_end(home)


def test_concurrent_first_commands_start_one_engine(
    home: Path, client: Callable[[], Client]
) -> None:
    clients = [client() for _ in range(4)]
    addresses = {one.read() for one in clients}
    assert len(addresses) == 1
    assert len(engines(home)) == 1
    for one in clients:
        one.exit()
    wait_for_end(home)


def test_concurrent_commands_never_use_a_stopping_engine(home: Path) -> None:
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "genai_graph", "query", f"RETURN {number} AS n"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(4)
    ]
    outputs = [one.communicate(timeout=LIMIT)[0] for one in commands]
    assert outputs == [f'{{"n": {number}}}\n' for number in range(4)]
    wait_for_end(home)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_child_keeps_the_engine_running_after_its_parent(home: Path) -> None:
    done = python("""
        import os, genai_graph

        with genai_graph.connect():
            read, write = os.pipe()
            child = os.fork()
            if child:
                genai_graph.query("CREATE (:Thing)", write=True)
            else:
                with genai_graph.connect():
                    os.close(write)
                    os.read(read, 1)  # until the parent has ended
                    print(genai_graph.query("MATCH (n:Thing) RETURN count(n) AS count"))
    """)
    assert done.stdout == "[{'count': 1}]\n", done.stderr
    wait_for_end(home)


# server start, stop, status


def test_server_start_keeps_the_engine_running_until_server_stop(home: Path, cli: Run) -> None:
    started = command("server", "start")
    assert started.returncode == 0
    (engine,) = engines(home)
    assert str(engine.pid) in started.stderr
    assert can_connect()
    assert ask("RETURN 1 AS one") == '{"one": 1}\n'
    assert cli("server", "start").stderr == started.stderr
    assert engines(home) == [engine]
    assert command("server", "stop").returncode == 0
    assert engines(home) == [], "server stop must wait for the end"
    assert can_connect()
    wait_for_end(home)


def test_server_start_keeps_an_engine_started_by_a_client(
    home: Path, client: Callable[[], Client], cli: Run
) -> None:
    first = client()
    first.read()
    assert cli("server", "start").exit_code == 0
    first.exit()
    assert len(engines(home)) == 1
    assert cli("server", "stop").exit_code == 0
    assert engines(home) == []


def test_server_stop_does_not_stop_an_engine_in_use(
    home: Path, client: Callable[[], Client], cli: Run
) -> None:
    cli("server", "start")
    user = client()
    user.read()
    stopped = cli("server", "stop")
    assert stopped.exit_code == 0
    assert "in use" in stopped.stderr
    assert user.ask("RETURN 1 AS one") == "[{'one': 1}]"
    user.exit()
    wait_for_end(home)


def test_server_stop_without_a_running_engine_succeeds(home: Path, cli: Run) -> None:
    for _ in range(2):
        result = cli("server", "stop")
        assert (result.exit_code, result.stderr) == (0, "nothing was running\n")


def test_server_stop_does_not_create_the_data_directory(new_home: Path, cli: Run) -> None:
    assert cli("server", "stop").exit_code == 0
    assert not new_home.exists()


def test_server_status_shows_the_address_without_starting_the_engine(home: Path, cli: Run) -> None:
    result = cli("server", "status")
    assert result.exit_code == 0
    assert result.stdout.startswith("the embedded engine is not running\n")
    assert str(home) in result.stdout
    assert engines(home) == []
    with connect() as connection:
        (engine,) = engines(home)
        result = cli("server", "status")
        assert connection.uri in result.stdout
        assert str(engine.pid) in result.stdout
        assert not any(password in result.output for password in passwords(home))


# Killed clients and engines


def test_next_client_stops_the_engine_of_a_killed_client(
    home: Path, client: Callable[[], Client]
) -> None:
    victim = client()
    address = victim.read()
    victim.kill()
    assert len(engines(home)) == 1
    after = client()
    assert after.read() == address
    after.exit()
    wait_for_end(home)


def test_server_stop_stops_the_engine_of_a_killed_client(
    home: Path, client: Callable[[], Client], cli: Run
) -> None:
    victim = client()
    victim.read()
    victim.kill()
    assert cli("server", "stop").stderr == "stopped\n"
    assert engines(home) == []


def test_next_start_succeeds_after_a_client_was_killed_during_a_start(
    home: Path, client: Callable[[], Client]
) -> None:
    victim = client()
    wait_until(lambda: engines(home), "no engine was started")
    victim.kill()
    assert can_connect()
    wait_for_end(home)


# Ends right after the start of Java, like a process that is killed at this moment.
ENDS_AT_START = """
    import os, subprocess
    import genai_graph
    start = subprocess.Popen
    def start_and_end(*arguments, **keywords):
        start(*arguments, **keywords)
        os._exit(9)
    subprocess.Popen = start_and_end
    genai_graph.connect()
"""


def test_next_start_stops_an_engine_whose_process_was_not_written_down(home: Path) -> None:
    assert python(ENDS_AT_START).returncode == 9
    (orphan,) = engines(home)
    wait_until(lambda: listening(orphan), "the engine did not start")
    assert can_connect()
    assert has_ended(orphan)
    wait_for_end(home)


def test_server_stop_stops_an_engine_whose_start_was_killed(home: Path, cli: Run) -> None:
    assert python(ENDS_AT_START).returncode == 9
    assert cli("server", "stop").stderr == "stopped\n"
    assert engines(home) == []
    assert cli("server", "stop").stderr == "nothing was running\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_interrupted_start_leaves_no_engine_running(
    home: Path, client: Callable[[], Client]
) -> None:
    interrupted = client()
    wait_until(lambda: engines(home), "no engine was started")
    interrupted.process.send_signal(signal.SIGINT)
    interrupted.process.communicate(timeout=LIMIT)
    wait_for_end(home)
    assert can_connect()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_ctrl_c_in_one_terminal_does_not_stop_a_shared_engine(
    home: Path, client: Callable[[], Client]
) -> None:
    starter = client()
    starter.read()
    other = client()
    other.read()
    os.killpg(starter.process.pid, signal.SIGINT)  # as Ctrl-C sends it to the whole group
    starter.process.communicate(timeout=LIMIT)
    assert other.ask("RETURN 1 AS one") == "[{'one': 1}]"
    other.exit()
    wait_for_end(home)


def test_data_survives_a_killed_engine(home: Path) -> None:
    with connect():
        query(CREATE, write=True)
        kill_engine(home)
        with pytest.raises(UnavailableError):
            query(COUNT)
    with connect():
        assert query(COUNT) == [{"count": 1}]
    wait_for_end(home)


@pytest.mark.slow
def test_reconnect_before_closing_a_lost_connection(
    home: Path,
) -> None:
    with connect():
        kill_engine(home)
        with connect():
            query(CREATE, write=True)
    wait_for_end(home)
    with connect():
        assert query(COUNT) == [{"count": 1}]


def test_connect_right_after_a_kill_starts_a_new_engine(home: Path) -> None:
    with connect():
        query(CREATE, write=True)
        (process,) = engines(home)
        process.kill()
        with connect():  # while the system is still cleaning up the process
            assert query(COUNT) == [{"count": 1}]
    wait_for_end(home)


def test_regular_stop_raises_unavailable_error_in_clients(home: Path) -> None:
    def read_and_write() -> None:
        while True:
            query(COUNT)
            query(CREATE, write=True)

    def read_in_a_block() -> None:
        with atomic():
            while True:
                query(COUNT)

    with connect(), ThreadPoolExecutor(3) as pool:
        query(CREATE, write=True)
        clients = [pool.submit(work) for work in (read_and_write, read_in_a_block, read_and_write)]
        (process,) = engines(home)
        process.terminate()
        for client in clients:
            with pytest.raises(UnavailableError, match="it has stopped or can't be reached"):
                client.result(LIMIT)
    with connect():  # after or during the stop
        assert query(COUNT)[0]["count"] > 0


def test_client_of_a_killed_engine_stops_its_successor_if_it_is_the_last(
    home: Path, client: Callable[[], Client]
) -> None:
    old = client()
    old.read()
    kill_engine(home)
    new = client()
    new.read()
    new.exit()
    old.exit()
    wait_for_end(home)
    assert can_connect()


def test_killed_engine_rolls_back_an_open_transaction(home: Path) -> None:
    def write() -> None:
        with atomic():
            query(CREATE, write=True)
            kill_engine(home)

    with connect(), pytest.raises(UnavailableError):
        write()
    with connect():
        assert query(COUNT) == [{"count": 0}]


def test_killed_engine_does_not_hide_an_error_of_the_program(home: Path) -> None:
    def fail() -> None:
        with atomic():
            query(CREATE, write=True)
            kill_engine(home)
            raise KeyError("own")

    with connect(), pytest.raises(KeyError, match="own"):
        fail()


def test_successor_of_a_killed_engine_stops_with_its_last_client(home: Path, cli: Run) -> None:
    cli("server", "start")
    kill_engine(home)
    assert cli("server", "status").stdout.startswith("the embedded engine is not running")
    assert can_connect()
    wait_for_end(home)


def test_stale_keep_file_does_not_keep_an_engine_running(home: Path) -> None:
    (home / "embedded" / "engine.keep").touch()
    assert can_connect()
    wait_for_end(home)


def test_stale_state_does_not_affect_a_process_with_the_same_id(home: Path, cli: Run) -> None:
    cli("server", "start")
    stale = state(home)
    kill_engine(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as unrelated:
        stale.update(
            pid=unrelated.pid, create_time=psutil.Process(unrelated.pid).create_time() - 3600
        )
        (home / "embedded" / "engine.json").write_text(json.dumps(stale))
        assert cli("server", "stop").stderr == "nothing was running\n"
        assert can_connect()
        assert unrelated.poll() is None
        unrelated.communicate(b"\n")
    wait_for_end(home)


STATE = (
    '{"pid": PID, "create_time": TIME, "port": 1, "users": '
    '{"username": "a", "password": "b", "reader": "c", "reader_password": "d"}}'
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        '{"pid": 1}',
        '{"pid": "x", "create_time": 0, "port": 1, "users": {}}',
        *(
            STATE.replace("PID", pid).replace("TIME", "0")
            for pid in ('"x"', "-1", "0", "1.5", "null", "99999999999999999999", "[]")
        ),
        STATE.replace("PID", str(os.getpid())).replace("TIME", '"x"'),
        "\0",
    ],
)
def test_invalid_state_file_is_ignored(home: Path, cli: Run, text: str) -> None:
    (home / "embedded" / "engine.json").write_text(text)
    result = cli("server", "status")
    assert (result.exit_code, result.exception) == (0, None)
    assert result.stdout.startswith("the embedded engine is not running\n")


def test_binary_state_file_is_ignored(home: Path) -> None:
    (home / "embedded" / "engine.json").write_bytes(b"\xff\xfe\x00")
    assert can_connect()
    wait_for_end(home)


def test_last_client_stops_an_engine_whose_directory_was_deleted(home: Path) -> None:
    with connect():
        assert len(engines(home)) == 1
        shutil.rmtree(home)
        with pytest.raises(GenaiGraphError):
            query(CREATE, write=True)
    wait_for_end(home)


# Data directories


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_data_directory_may_have_any_name(home: Path, tmp_path: Path, locale: str) -> None:
    renamed = home.rename(tmp_path / "my data, é☃ 'q' 100% [x] #1")
    with kill_engines_at_exit(tmp_path):
        for _ in range(2):
            assert (
                ask("RETURN 1 AS n", GENAI_GRAPH_HOME=str(renamed), LC_ALL=locale) == '{"n": 1}\n'
            )
            wait_for_end(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == [renamed.name]


def test_relative_data_directory_is_resolved_against_the_current_one(
    home: Path, tmp_path: Path
) -> None:
    with connect(home="home") as relative, connect(home=home) as absolute:
        assert relative.uri == absolute.uri
    wait_for_end(home)


@pytest.mark.parametrize("inside", [False, True], ids=["itself", "parent"])
def test_file_as_data_directory_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Run, inside: bool
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(file / "home" if inside else file))
    for arguments in (("query", "RETURN 1 AS one"), ("server", "start")):
        result = cli(*arguments)
        assert result.exit_code == 1
        assert str(file) in result.stderr
        assert "GENAI_GRAPH_HOME" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    with pytest.raises(EngineError):
        connect()


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a tmpfs, or skip the test if this is not allowed."""
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the mount command")
    if done.returncode:
        pytest.skip(f"mount failed: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_full_file_system_is_an_error_until_space_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    home = disk / "home"
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(home))
    with mounted(disk, "size=1m"), kill_engines_at_exit(disk):
        ballast = disk / "ballast"
        for free in (0, 64 * 1024):
            ballast.write_bytes(b"x" * (free_bytes(disk) - free))
            done = command("query", "RETURN 1 AS one")
            assert done.returncode == 1
            assert "space" in done.stderr
            assert "Traceback" not in done.stderr
            assert "\tat " not in done.stderr, "a Java stack trace"
            wait_for_end(disk)
            ballast.unlink()
        assert can_connect()
        wait_for_end(disk)


def free_bytes(folder: Path) -> int:
    return psutil.disk_usage(str(folder)).free


def test_read_only_file_system_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(disk / "home"))
    with mounted(disk, "size=1m,ro"):
        done = command("query", "RETURN 1 AS one")
        assert done.returncode == 1
        assert "GENAI_GRAPH_HOME" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert engines(disk) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can write to any directory"
)
def test_read_only_data_directory_is_an_error(home: Path) -> None:
    (home / "embedded").chmod(0o500)
    done = command("query", "RETURN 1 AS one")
    (home / "embedded").chmod(0o700)
    assert done.returncode == 1
    assert "GENAI_GRAPH_HOME" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# Missing extra

WITHOUT_EXTRA = """
    import sys

    class HidingFinder:
        def __init__(self, finder):
            self.finder = finder
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] != "arcadedb_embedded":
                return self.finder.find_spec(name, path, target)
        def __getattr__(self, name):
            return getattr(self.finder, name)

    sys.meta_path[:] = map(HidingFinder, sys.meta_path)
"""


def test_missing_extra_error_gives_the_pip_command(new_home: Path) -> None:
    done = python(
        WITHOUT_EXTRA
        + """
    from genai_graph.cli import main
    main(["query", "RETURN 1 AS one"])
    """
    )
    assert done.returncode == 1
    assert re.search(r"pip install 'genai-graph\[embedded\]'`$", done.stderr.strip())
    assert len(done.stderr.splitlines()) == 1
    assert not new_home.exists()


def test_missing_extra_is_an_import_error_and_does_not_affect_servers(
    new_home: Path,
) -> None:
    done = python(
        WITHOUT_EXTRA
        + """
    import genai_graph
    try:
        genai_graph.connect()
    except ImportError as error:
        print(type(error).__name__)
    try:
        genai_graph.connect("bolt://127.0.0.1:1")
    except ConnectionError as error:
        print(type(error).__name__)
    """
    )
    assert done.stdout.split() == ["MissingExtraError", "UnavailableError"], done.stderr


# Isolation from other users of the machine


def test_engine_listens_on_loopback_only(home: Path) -> None:
    with connect() as connection:
        (engine,) = engines(home)
        found = listening(engine)
        assert {ip for ip, _ in found} == {"127.0.0.1"}
        assert int(connection.uri.rpartition(":")[2]) in {port for _, port in found}
        assert len(found) >= 2, "Bolt and HTTP"
        assert not [one for one in engine.net_connections("udp") if one.laddr]


def test_passwords_are_in_one_private_file_only(home: Path) -> None:
    with connect():
        secrets = passwords(home)
        assert len(set(secrets)) == 2
        assert min(map(len, secrets)) >= 20
        (engine,) = engines(home)
        environment = "\0".join(f"{name}={value}" for name, value in engine.environ().items())
        for secret in secrets:
            assert secret not in "\0".join(engine.cmdline())
            assert secret not in environment
        holding = [
            file
            for file in home.rglob("*")
            if file.is_file() and any(secret.encode() in file.read_bytes() for secret in secrets)
        ]
    assert [file.name for file in holding] == ["engine.json"]
    wait_for_end(home)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_files_are_private_with_an_open_umask(new_home: Path) -> None:
    done = python("""
        import os, stat, genai_graph
        from pathlib import Path

        os.umask(0)
        with genai_graph.connect():
            genai_graph.query("CREATE (:Thing)", write=True)
            folder = Path(os.environ["GENAI_GRAPH_HOME"], "embedded")
            for path in [folder, *sorted(folder.iterdir()), *sorted(folder.glob("config/*"))]:
                print(oct(stat.S_IMODE(path.stat().st_mode)), path.relative_to(folder.parent))
    """)
    modes = {name: mode for mode, name in map(str.split, done.stdout.splitlines())}
    assert modes["embedded"] == "0o700", "accessible to other users"
    assert modes["embedded/engine.json"] == "0o600"
    assert modes["embedded/config/server-users.jsonl"] == "0o600"
    assert modes["embedded/config/server-groups.json"] == "0o600"
    locks = [mode for name, mode in modes.items() if name.endswith((".lock", ".lease", ".mutex"))]
    assert set(locks) == {"0o600"}


def test_passwords_are_new_at_every_start(home: Path) -> None:
    found = []
    for _ in range(2):
        with connect():
            found += passwords(home)
        wait_for_end(home)
    assert len(set(found)) == 4


def test_environment_is_not_passed_to_the_engine(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"):
        monkeypatch.setenv(name, "-Dsecret=hunter2")
    monkeypatch.setenv("CLASSPATH", "/nowhere/hunter2.jar")
    monkeypatch.setenv("MY_API_KEY", "hunter2")
    monkeypatch.setenv("NEO4J_PASSWORD", "hunter2")
    with connect():
        (engine,) = engines(home)
        assert "hunter2" not in str(engine.environ())
        assert "hunter2" not in str(engine.cmdline())
        assert "hunter2" not in (home / "embedded" / "engine.log").read_text()
    wait_for_end(home)


# The ahead-of-time cache


def test_first_run_records_the_cache(
    first_runs: FirstRuns,
) -> None:
    assert first_runs.outputs == ['{"n": 1}\n', '{"n": 2}\n']
    (cache,) = first_runs.caches
    assert cache.stat().st_size > 1_000_000


def test_later_runs_use_the_cache(home: Path) -> None:
    with connect():
        (engine,) = engines(home)
        (option,) = [part for part in engine.cmdline() if part.startswith("-XX:AOTCache=")]
        cache = Path(option.partition("=")[2])
        assert cache.is_file()
        assert cache.parent == home / "embedded"
        assert "[aot]" not in (home / "embedded" / "engine.log").read_text()
    wait_for_end(home)
    assert cache.is_file()


@pytest.mark.parametrize("kept", [9, 5_000_000])
def test_corrupt_cache_does_not_prevent_a_start(
    new_home: Path, kept: int, first_runs: FirstRuns
) -> None:
    folder = new_home / "embedded"
    folder.mkdir(parents=True)
    for cache in first_runs.caches:
        (folder / cache.name).write_bytes(cache.read_bytes()[:kept])
    assert can_connect()
    wait_for_end(new_home)


def test_java_is_not_loaded_into_the_python_process(home: Path) -> None:
    with connect():
        assert "arcadedb_embedded" not in sys.modules
        assert "jpype" not in sys.modules
    assert genai_graph.__version__
    wait_for_end(home)
