"""The embedded engine's life, seen from outside: real processes on data folders of their own.

It is started on first use, shared by every process on its data folder, and gone when the last of
them has left, however they leave.
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

LIMIT = 30
COUNT = "MATCH (n:Thing) RETURN count(n) AS count"
MAKE = "CREATE (:Thing)"


def engines(home: Path) -> list[psutil.Process]:
    """Return the engines that run on a data folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if any(str(home) in part for part in line) and Path(line[0]).stem == "java":
                found.append(process)
    return found


def listening(engine: psutil.Process) -> set[tuple[str, int]]:
    """Return the addresses and ports of TCP at which an engine can be reached."""
    return {
        (one.laddr.ip.removeprefix("::ffff:"), one.laddr.port)
        for one in engine.net_connections()
        if one.status == psutil.CONN_LISTEN
    }


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def wait_for_end(home: Path) -> None:
    wait_until(lambda: not engines(home), "an engine was left behind")


def kill_engine(home: Path) -> None:
    (process,) = engines(home)
    process.kill()
    wait_until(lambda: has_ended(process), "an engine can't be killed")


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone with all its threads; its parent may not have asked yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "genai_graph", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def ask(cypher: str, *options: str, **environment: str) -> str:
    """Run a query on the command line and return what it prints."""
    done = command("query", cypher, *options, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def works() -> bool:
    """Connect from this process and tell whether the engine answers."""
    with connect():
        return query("RETURN 1 AS one") == [{"one": 1}]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own."""
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
    """A process that connects, answers queries a line at a time, and leaves when told."""

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

    def leave(self) -> None:
        _, errors = self.process.communicate(timeout=LIMIT)
        assert (self.process.returncode, errors) == (0, "")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=LIMIT)


@pytest.fixture
def client() -> Iterator[Callable[[], Client]]:
    """Start clients; those that are still there in the end are killed."""
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
class FirstLives:
    """What happened on a new data folder: two commands, one right after the other."""

    home: Path
    answers: list[str]
    used_a_cache: bool

    @property
    def caches(self) -> list[Path]:
        return list((self.home / "embedded").glob("start-*"))


@pytest.fixture(scope="module")
def first_lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstLives]:
    home = tmp_path_factory.mktemp("first")
    with killed_in_the_end(home):
        answers = [ask(f"RETURN {number} AS n", GENAI_GRAPH_HOME=str(home)) for number in (1, 2)]
        used = "AOTCache=" in (home / "embedded" / "engine.log").read_text()
        wait_for_end(home)
        yield FirstLives(home, answers, used)


@contextlib.contextmanager
def killed_in_the_end(home: Path) -> Iterator[None]:
    try:
        yield
    finally:
        left = engines(home)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=LIMIT)


@pytest.fixture
def new_home(own_home: Path) -> Iterator[Path]:
    """A data folder that does not exist yet; no engine is left on it."""
    with killed_in_the_end(own_home):
        yield own_home


@pytest.fixture
def home(new_home: Path, first_lives: FirstLives) -> Path:
    """A data folder where no engine has run, but whose cache is there: starts are quick."""
    folder = new_home / "embedded"
    folder.mkdir(parents=True, mode=0o700)
    for cache in first_lives.caches:
        os.link(cache, folder / cache.name)
    return new_home


def state(home: Path) -> dict[str, object]:
    """Return the running engine's port and passwords, as its clients read them."""
    found: dict[str, object] = json.loads((home / "embedded" / "engine.json").read_text())
    return found


def passwords(home: Path) -> list[str]:
    users = state(home)["users"]
    assert isinstance(users, dict)
    return [value for name, value in users.items() if "password" in name]


# Started on first use, stopped by the last


def test_a_command_starts_the_engine_and_stops_it(home: Path) -> None:
    assert ask("RETURN 1 AS one") == '{"one": 1}\n'
    wait_for_end(home)


def test_two_processes_share_one_engine_and_the_last_stops_it(
    home: Path, client: Callable[[], Client]
) -> None:
    first = client()
    address = first.read()
    second = client()
    assert second.read() == address
    assert len(engines(home)) == 1
    first.ask(MAKE)
    assert second.ask(COUNT) == "[{'count': 1}]"
    first.leave()
    assert len(engines(home)) == 1
    assert second.ask(COUNT) == "[{'count': 1}]"
    second.leave()
    wait_for_end(home)


def test_a_program_that_closes_its_connection_goes_on_without_an_engine(home: Path) -> None:
    for count in range(2):
        with connect():
            assert query(COUNT) == [{"count": count}]
            query(MAKE, write=True)
            assert len(engines(home)) == 1
        wait_for_end(home)


def test_two_connections_of_one_program_share_one_engine(home: Path) -> None:
    with connect() as outer, connect() as inner:
        assert inner.uri == outer.uri
        assert len(engines(home)) == 1
    wait_for_end(home)


def test_several_first_commands_at_once_start_one_engine(
    home: Path, client: Callable[[], Client]
) -> None:
    several = [client() for _ in range(4)]
    addresses = {one.read() for one in several}
    assert len(addresses) == 1
    assert len(engines(home)) == 1
    for one in several:
        one.leave()
    wait_for_end(home)


def test_commands_that_come_and_go_at_once_never_meet_a_stopping_engine(home: Path) -> None:
    several = [
        subprocess.Popen(
            [sys.executable, "-m", "genai_graph", "query", f"RETURN {number} AS n"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(4)
    ]
    outputs = [one.communicate(timeout=LIMIT)[0] for one in several]
    assert outputs == [f'{{"n": {number}}}\n' for number in range(4)]
    wait_for_end(home)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
def test_a_forked_child_keeps_the_engine_up_after_its_parent(home: Path) -> None:
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


def test_server_start_keeps_the_engine_until_server_stop(home: Path, cli: Run) -> None:
    started = command("server", "start")
    assert started.returncode == 0
    (engine,) = engines(home)
    assert str(engine.pid) in started.stderr
    assert works()
    assert ask("RETURN 1 AS one") == '{"one": 1}\n'
    assert cli("server", "start").stderr == started.stderr
    assert engines(home) == [engine]
    assert command("server", "stop").returncode == 0
    assert engines(home) == [], "server stop waits for the end"
    assert works()
    wait_for_end(home)


def test_server_start_keeps_an_engine_that_a_client_started(
    home: Path, client: Callable[[], Client], cli: Run
) -> None:
    first = client()
    first.read()
    assert cli("server", "start").exit_code == 0
    first.leave()
    assert len(engines(home)) == 1
    assert cli("server", "stop").exit_code == 0
    assert engines(home) == []


def test_server_stop_leaves_the_engine_to_those_who_use_it(
    home: Path, client: Callable[[], Client], cli: Run
) -> None:
    cli("server", "start")
    user = client()
    user.read()
    stopped = cli("server", "stop")
    assert stopped.exit_code == 0
    assert "in use" in stopped.stderr
    assert user.ask("RETURN 1 AS one") == "[{'one': 1}]"
    user.leave()
    wait_for_end(home)


def test_server_stop_with_nothing_running_is_no_fault(home: Path, cli: Run) -> None:
    for _ in range(2):
        result = cli("server", "stop")
        assert (result.exit_code, result.stderr) == (0, "nothing was running\n")


def test_server_stop_on_a_folder_that_is_not_there_makes_none(new_home: Path, cli: Run) -> None:
    assert cli("server", "stop").exit_code == 0
    assert not new_home.exists()


def test_server_status_tells_where_and_starts_nothing(home: Path, cli: Run) -> None:
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


# Killed clients and killed engines


def test_the_next_client_stops_what_a_killed_one_left_behind(
    home: Path, client: Callable[[], Client]
) -> None:
    victim = client()
    address = victim.read()
    victim.kill()
    assert len(engines(home)) == 1
    after = client()
    assert after.read() == address
    after.leave()
    wait_for_end(home)


def test_server_stop_stops_what_a_killed_client_left_behind(
    home: Path, client: Callable[[], Client], cli: Run
) -> None:
    victim = client()
    victim.read()
    victim.kill()
    assert cli("server", "stop").stderr == "stopped\n"
    assert engines(home) == []


def test_a_client_killed_during_the_start_does_not_spoil_the_folder(
    home: Path, client: Callable[[], Client]
) -> None:
    victim = client()
    wait_until(lambda: engines(home), "no engine was started")
    victim.kill()
    assert works()
    wait_for_end(home)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_an_interrupt_during_the_start_leaves_no_engine(
    home: Path, client: Callable[[], Client]
) -> None:
    interrupted = client()
    wait_until(lambda: engines(home), "no engine was started")
    interrupted.process.send_signal(signal.SIGINT)
    interrupted.process.communicate(timeout=LIMIT)
    wait_for_end(home)
    assert works()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_an_interrupt_in_one_terminal_does_not_end_the_engine_of_another(
    home: Path, client: Callable[[], Client]
) -> None:
    starter = client()
    starter.read()
    other = client()
    other.read()
    os.killpg(starter.process.pid, signal.SIGINT)  # as Ctrl-C sends it to the whole group
    starter.process.communicate(timeout=LIMIT)
    assert other.ask("RETURN 1 AS one") == "[{'one': 1}]"
    other.leave()
    wait_for_end(home)


def test_after_the_engine_was_killed_a_new_connection_finds_the_data(home: Path) -> None:
    with connect():
        query(MAKE, write=True)
        kill_engine(home)
        with pytest.raises(UnavailableError):
            query(COUNT)
    with connect():
        assert query(COUNT) == [{"count": 1}]
    wait_for_end(home)


def test_a_program_may_connect_anew_before_it_closes_the_connection_that_was_lost(
    home: Path,
) -> None:
    with connect():
        kill_engine(home)
        with connect():
            query(MAKE, write=True)
    wait_for_end(home)
    with connect():
        assert query(COUNT) == [{"count": 1}]


def test_a_connection_right_after_a_kill_gets_a_new_engine(home: Path) -> None:
    with connect():
        query(MAKE, write=True)
        (process,) = engines(home)
        process.kill()
        with connect():  # while the system is still taking the process apart
            assert query(COUNT) == [{"count": 1}]
    wait_for_end(home)


def test_an_engine_that_stops_in_order_is_told_as_stopped(home: Path) -> None:
    def read_and_write() -> None:
        while True:
            query(COUNT)
            query(MAKE, write=True)

    def read_in_a_block() -> None:
        with atomic():
            while True:
                query(COUNT)

    with connect(), ThreadPoolExecutor(3) as pool:
        query(MAKE, write=True)
        users = [pool.submit(work) for work in (read_and_write, read_in_a_block, read_and_write)]
        (process,) = engines(home)
        process.terminate()
        for use in users:
            with pytest.raises(UnavailableError, match="it has stopped, or can't be reached"):
                use.result(LIMIT)
    with connect():  # after or while it stops
        assert query(COUNT)[0]["count"] > 0


def test_who_used_the_killed_engine_stops_the_new_one_when_it_is_the_last(
    home: Path, client: Callable[[], Client]
) -> None:
    old = client()
    old.read()
    kill_engine(home)
    new = client()
    new.read()
    new.leave()
    old.leave()
    wait_for_end(home)
    assert works()


def test_a_killed_engine_ends_a_transaction_and_nothing_of_it_is_kept(home: Path) -> None:
    def write() -> None:
        with atomic():
            query(MAKE, write=True)
            kill_engine(home)

    with connect(), pytest.raises(UnavailableError):
        write()
    with connect():
        assert query(COUNT) == [{"count": 0}]


def test_a_killed_engine_does_not_hide_a_programs_own_error(home: Path) -> None:
    def fail() -> None:
        with atomic():
            query(MAKE, write=True)
            kill_engine(home)
            raise KeyError("mine")

    with connect(), pytest.raises(KeyError, match="mine"):
        fail()


def test_a_kept_engine_that_was_killed_is_not_kept_by_its_remains(home: Path, cli: Run) -> None:
    cli("server", "start")
    kill_engine(home)
    assert cli("server", "status").stdout.startswith("the embedded engine is not running")
    assert works()
    wait_for_end(home)


def test_a_stale_keep_file_does_not_keep_an_engine(home: Path) -> None:
    (home / "embedded" / "engine.keep").touch()
    assert works()
    wait_for_end(home)


def test_a_stale_state_does_not_touch_the_process_that_got_the_number(home: Path, cli: Run) -> None:
    cli("server", "start")
    stale = state(home)
    kill_engine(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as innocent:
        stale.update(pid=innocent.pid, born=psutil.Process(innocent.pid).create_time() - 3600)
        (home / "embedded" / "engine.json").write_text(json.dumps(stale))
        assert cli("server", "stop").stderr == "nothing was running\n"
        assert works()
        assert innocent.poll() is None
        innocent.communicate(b"\n")
    wait_for_end(home)


BROKEN = (
    '{"pid": PID, "born": BORN, "port": 1, "users": '
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
        '{"pid": "x", "born": 0, "port": 1, "users": {}}',
        *(
            BROKEN.replace("PID", pid).replace("BORN", "0")
            for pid in ('"x"', "-1", "0", "1.5", "null", "99999999999999999999", "[]")
        ),
        BROKEN.replace("PID", str(os.getpid())).replace("BORN", '"x"'),
        "\0",
    ],
)
def test_a_broken_state_file_counts_as_no_engine(home: Path, cli: Run, text: str) -> None:
    (home / "embedded" / "engine.json").write_text(text)
    result = cli("server", "status")
    assert (result.exit_code, result.exception) == (0, None)
    assert result.stdout.startswith("the embedded engine is not running\n")


def test_a_state_file_that_is_not_text_counts_as_no_engine(home: Path) -> None:
    (home / "embedded" / "engine.json").write_bytes(b"\xff\xfe\x00")
    assert works()
    wait_for_end(home)


def test_an_engine_whose_folder_was_removed_is_stopped_by_its_last_client(home: Path) -> None:
    with connect():
        assert len(engines(home)) == 1
        shutil.rmtree(home)
        with pytest.raises(GenaiGraphError):
            query(MAKE, write=True)
    wait_for_end(home)


# Data folders


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_a_folder_of_any_name_will_do(home: Path, tmp_path: Path, locale: str) -> None:
    odd = home.rename(tmp_path / "my data, é☃ 'q' 100% [x] #1")
    with killed_in_the_end(tmp_path):
        for _ in range(2):
            assert ask("RETURN 1 AS n", GENAI_GRAPH_HOME=str(odd), LC_ALL=locale) == '{"n": 1}\n'
            wait_for_end(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == [odd.name]


def test_a_relative_folder_is_meant_from_where_the_command_runs(home: Path, tmp_path: Path) -> None:
    with connect(home="home") as relative, connect(home=home) as absolute:
        assert relative.uri == absolute.uri
    wait_for_end(home)


@pytest.mark.parametrize("inside", [False, True], ids=["itself", "above it"])
def test_a_file_in_the_folders_place_is_told(
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
    """Mount a file system of its own in the memory, where this is allowed."""
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_file_system_is_told_and_mended_by_making_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    home = disk / "home"
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(home))
    with mounted(disk, "size=1m"), killed_in_the_end(disk):
        ballast = disk / "ballast"
        for left in (0, 64 * 1024):
            ballast.write_bytes(b"x" * (free_bytes(disk) - left))
            done = command("query", "RETURN 1 AS one")
            assert done.returncode == 1
            assert "space" in done.stderr
            assert "Traceback" not in done.stderr
            assert "\tat " not in done.stderr, "Java's own traceback is none for users"
            wait_for_end(disk)
            ballast.unlink()
        assert works()
        wait_for_end(disk)


def free_bytes(folder: Path) -> int:
    return psutil.disk_usage(str(folder)).free


def test_a_read_only_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    monkeypatch.setenv("GENAI_GRAPH_HOME", str(disk / "home"))
    with mounted(disk, "size=1m,ro"):
        done = command("query", "RETURN 1 AS one")
        assert done.returncode == 1
        assert "GENAI_GRAPH_HOME" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert engines(disk) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into any folder"
)
def test_a_read_only_folder_is_told(home: Path) -> None:
    (home / "embedded").chmod(0o500)
    done = command("query", "RETURN 1 AS one")
    (home / "embedded").chmod(0o700)
    assert done.returncode == 1
    assert "GENAI_GRAPH_HOME" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# Missing extra

WITHOUT_EXTRA = """
    import sys

    class Hiding:
        def __init__(self, finder):
            self.finder = finder
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] != "arcadedb_embedded":
                return self.finder.find_spec(name, path, target)
        def __getattr__(self, name):
            return getattr(self.finder, name)

    sys.meta_path[:] = map(Hiding, sys.meta_path)
"""


def test_without_the_extra_the_message_gives_the_pip_command(new_home: Path) -> None:
    done = python(
        WITHOUT_EXTRA
        + """
    from genai_graph.cli import main
    main(["query", "RETURN 1 AS one"])
    """
    )
    assert done.returncode == 1
    assert re.search(r"pip install 'genai-graph\[embedded\]'$", done.stderr.strip())
    assert len(done.stderr.splitlines()) == 1
    assert not new_home.exists()


def test_without_the_extra_it_is_an_import_error_and_a_server_still_works(
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


# What others on the machine can see


def test_it_listens_on_the_loopback_interface_only(home: Path) -> None:
    with connect() as connection:
        (engine,) = engines(home)
        found = listening(engine)
        assert {ip for ip, _ in found} == {"127.0.0.1"}
        assert int(connection.uri.rpartition(":")[2]) in {port for _, port in found}
        assert len(found) >= 2, "Bolt and HTTP"
        assert not [one for one in engine.net_connections("udp") if one.laddr]


def test_the_passwords_are_in_one_private_file_and_nowhere_else(home: Path) -> None:
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_the_files_are_private_also_when_the_users_mask_is_open(new_home: Path) -> None:
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
    assert modes["embedded"] == "0o700", "nobody else may enter"
    assert modes["embedded/engine.json"] == "0o600"
    assert modes["embedded/config/server-users.jsonl"] == "0o600"
    assert modes["embedded/config/server-groups.json"] == "0o600"
    locks = [mode for name, mode in modes.items() if name.endswith((".lock", ".lease", ".mutex"))]
    assert set(locks) == {"0o600"}


def test_every_start_has_new_passwords(home: Path) -> None:
    found = []
    for _ in range(2):
        with connect():
            found += passwords(home)
        wait_for_end(home)
    assert len(set(found)) == 4


def test_the_callers_environment_is_not_passed_on(
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


def test_the_first_life_leaves_a_cache_and_does_not_hinder_the_second(
    first_lives: FirstLives,
) -> None:
    assert first_lives.answers == ['{"n": 1}\n', '{"n": 2}\n']
    (cache,) = first_lives.caches
    assert cache.stat().st_size > 1_000_000


def test_the_cache_is_used_by_the_lives_after_it(home: Path) -> None:
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
def test_a_broken_cache_does_not_stop_a_start(
    new_home: Path, kept: int, first_lives: FirstLives
) -> None:
    folder = new_home / "embedded"
    folder.mkdir(parents=True)
    for cache in first_lives.caches:
        (folder / cache.name).write_bytes(cache.read_bytes()[:kept])
    assert works()
    wait_for_end(new_home)


def test_the_package_does_not_load_java_into_the_callers_process(home: Path) -> None:
    with connect():
        assert "arcadedb_embedded" not in sys.modules
        assert "jpype" not in sys.modules
    assert genai_graph.__version__
    wait_for_end(home)
