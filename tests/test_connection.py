"""Connections: settings, errors, and lifetime.

No server listens on ports 1, 2 and 3: the error shows which address was used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Engine, Run

from genai_graph import Connection, Dataset, Project, atomic, connect, query
from genai_graph.database.products import Product, require_neo4j
from genai_graph.errors import (
    AuthenticationError,
    GenaiGraphError,
    NotConnectedError,
    QueryError,
    SettingsError,
    UnavailableError,
    UnsupportedServerError,
)

SECRET = "hunter2-sekret"


def users() -> dict[str, str]:
    """Return the names and passwords of the shared engine."""
    state = Path(os.environ["GENAI_GRAPH_HOME"], "embedded", "engine.json")
    credentials: dict[str, str] = json.loads(state.read_text())["users"]
    return credentials


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def used_port(**arguments: Any) -> str:
    """Return the port that a connect used."""
    with pytest.raises(UnavailableError) as caught:
        connect(**arguments)
    return next(port for port in "123" if f"127.0.0.1:{port}" in str(caught.value))


@pytest.fixture
def other_home(tmp_path: Path) -> Iterator[Path]:
    """Another data directory; its engine is killed."""
    home = tmp_path / "other"
    yield home
    for process in psutil.process_iter(["cmdline"]):
        if any(str(home) in argument for argument in process.info["cmdline"] or ()):
            process.kill()


# Settings


def test_precedence_of_arguments_environment_and_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("NEO4J_URI=bolt://127.0.0.1:1\n")
    assert used_port() == "1"
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:2")
    assert used_port() == "2"
    assert used_port(uri="bolt://127.0.0.1:3") == "3"


def test_empty_variable_is_treated_as_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("NEO4J_URI=bolt://127.0.0.1:1\n")
    monkeypatch.setenv("NEO4J_URI", "")
    assert used_port() == "1"


@pytest.mark.usefixtures("unsupported_server")
def test_user_and_password_may_come_from_different_sources(
    embedded: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = users()
    (tmp_path / ".env").write_text(f"NEO4J_URI={embedded.uri}\nNEO4J_USERNAME=nobody\n")
    monkeypatch.setenv("NEO4J_USERNAME", credentials["username"])
    monkeypatch.setenv("NEO4J_PASSWORD", "wrong")
    with pytest.raises(AuthenticationError):
        connect()
    with connect(password=credentials["password"]) as connection:
        assert connection.uri == embedded.uri
        assert query("RETURN 1 AS one") == [{"one": 1}]


@pytest.mark.usefixtures("unsupported_server")
def test_database_is_read_from_the_settings(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = users()
    account: dict[str, Any] = {
        "username": credentials["username"],
        "password": credentials["password"],
    }
    monkeypatch.setenv("NEO4J_DATABASE", "nowhere")
    with pytest.raises(QueryError, match="NEO4J_DATABASE"):
        connect(embedded.uri, **account)
    with connect(embedded.uri, database="neo4j", **account) as connection:
        assert connection.database == "neo4j"


def test_default_is_the_embedded_engine(embedded: Connection) -> None:
    assert embedded.engine == "embedded"
    assert embedded.uri.startswith("bolt://127.0.0.1:")


def test_env_file_with_a_byte_order_mark_is_rejected(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\ufeffNEO4J_URI=bolt://127.0.0.1:1\n")
    with pytest.raises(SettingsError, match=r"^\.env:1: starts with a byte order mark"):
        connect()


def test_unknown_variables_in_the_env_file_are_ignored(graph: Connection, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOMETHING_ELSE=1\nNEO4J_AURA_NAME=x\n")
    with connect() as connection:
        assert connection.uri == graph.uri


def test_binary_env_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"NEO4J_PASSWORD=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"^\.env: not UTF-8 text: save the file as UTF-8$"):
        connect()


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:7474",
        "localhost:7687",
        "localhost",
        "bolt://",
        "bolt://:7687",
        "",
        " ",
        "bolt://[::1",
        "bolt://localhost:port",
        "bolt://localhost:99999999",
        "bolt://localhost?policy=europe",
        "bolt://localhost:1,localhost:2",
    ],
)
def test_invalid_uri_is_rejected(uri: str) -> None:
    with pytest.raises(SettingsError, match="NEO4J_URI"):
        connect(uri)


@pytest.mark.parametrize(
    "uri", [f"bolt://neo4j:{SECRET}@localhost", f"neo4j+s://:{SECRET}@localhost"]
)
def test_password_in_the_uri_is_rejected_and_not_repeated(uri: str) -> None:
    with pytest.raises(SettingsError, match="NEO4J_PASSWORD") as caught:
        connect(uri)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value.__context__)


def test_path_in_the_uri_is_rejected() -> None:
    with pytest.raises(SettingsError, match=r"NEO4J_URI: .* NEO4J_DATABASE"):
        connect("bolt://localhost:1/movies")
    with pytest.raises(UnavailableError):
        connect("bolt://localhost:1/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("writer_timeout", -1),
        ("writer_timeout", float("nan")),
        ("writer_timeout", "soon"),
        ("home", 5),
        ("home", "nul\0byte"),
        ("home", "~no-such-user/graph"),
        ("trusted_certificates", "~no-such-user/ca.pem"),
        ("username", 5),
        ("password", 5),
        ("database", 5),
    ],
)
def test_invalid_setting_is_named(name: str, value: Any) -> None:
    variable = ("GENAI_GRAPH_" if name in {"writer_timeout", "home"} else "NEO4J_") + name.upper()
    with pytest.raises(SettingsError, match=variable):
        connect(**{name: value})


def test_all_invalid_settings_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "ftp://somewhere")
    monkeypatch.setenv("GENAI_GRAPH_WRITER_TIMEOUT", "soon")
    monkeypatch.setenv("GENAI_GRAPH_STATEMENT_TIMEOUT", "inf")
    names = r"NEO4J_URI.*GENAI_GRAPH_WRITER_TIMEOUT.*GENAI_GRAPH_STATEMENT_TIMEOUT"
    with pytest.raises(SettingsError, match=names):
        connect()


# Secrets


def test_errors_do_not_contain_the_password(embedded: Connection) -> None:
    with pytest.raises(AuthenticationError) as wrong_password:
        connect(embedded.uri, username="root", password=SECRET)
    with pytest.raises(UnavailableError) as unreachable:
        connect("bolt://127.0.0.1:1", password=SECRET)
    with pytest.raises(SettingsError) as invalid:
        connect(SECRET, password=SECRET)
    for caught in (wrong_password.value, unreachable.value, invalid.value):
        assert SECRET not in "".join(traceback.format_exception(caught))


def test_repr_shows_the_uri_but_no_password(embedded: Connection) -> None:
    credentials = users()
    for text in (repr(embedded), str(embedded), repr(vars(embedded))):
        assert credentials["password"] not in text
        assert credentials["reader_password"] not in text
    assert embedded.uri in repr(embedded)


def test_command_line_does_not_repeat_a_password(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", f"bolt://neo4j:{SECRET}@localhost")
    result = cli("query", "RETURN 1 AS one")
    assert result.exit_code == 1
    assert "NEO4J_PASSWORD" in result.stderr
    assert SECRET not in result.output


# Unreachable servers


@pytest.mark.parametrize(
    "uri",
    ["bolt://127.0.0.1:1", "neo4j://127.0.0.1:1", "neo4j://127.0.0.1:1,127.0.0.1:2"],
)
def test_refused_connection_is_a_one_line_error(uri: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        connect(uri, password=SECRET)
    assert isinstance(caught.value, ConnectionError)
    message = str(caught.value)
    assert "127.0.0.1:1" in message
    assert "\n" not in message
    assert "Resolved" not in message, "a class name of the driver"


def test_unknown_host_is_a_one_line_error() -> None:
    with pytest.raises(UnavailableError, match=r"^.*nowhere\.invalid.*$") as caught:
        connect("bolt+s://nowhere.invalid")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("uri", ["bolt://127.0.0.1:1", "neo4j://127.0.0.1:1"])
def test_command_reports_a_refused_connection_in_one_line(uri: str) -> None:
    done = python(
        "from genai_graph.cli import main; main(['query', 'RETURN 1 AS one'])", NEO4J_URI=uri
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_wrong_password_error_names_the_settings(embedded: Connection) -> None:
    with pytest.raises(PermissionError, match="NEO4J_USERNAME and NEO4J_PASSWORD"):
        connect(embedded.uri, password=SECRET)


def test_servers_other_than_neo4j_are_rejected(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch, cli: Run
) -> None:
    credentials = users()
    monkeypatch.setenv("NEO4J_URI", embedded.uri)
    monkeypatch.setenv("NEO4J_USERNAME", credentials["username"])
    monkeypatch.setenv("NEO4J_PASSWORD", credentials["password"])
    monkeypatch.setenv("NEO4J_DATABASE", "neo4j")
    refused = cli("status")
    assert (refused.exit_code, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert "is ArcadeDB 26." in line
    assert "duplicate edges" in line
    assert "unset NEO4J_URI" in line
    monkeypatch.setenv("GENAI_GRAPH_UNSUPPORTED_SERVER", "1")
    assert cli("status").stdout.startswith("engine    arcadedb 26.")


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        ("Neo4j/5.26.0", "Neo4j", "5.26.0"),
        ("Neo4j/2026.08-aura", "Neo4j", "2026.08-aura"),
        ("Neo4j/5.26.0 compatible (ArcadeDB 26.10.2)", "ArcadeDB", "26.10.2"),
        ("Neo4j/v5.11.0 compatible graph database server - Memgraph", None, ""),
        ("Neptune/1.3", "Neptune/1.3", ""),
    ],
)
def test_products_are_recognized_by_their_agent(agent: str, name: str | None, version: str) -> None:
    product = Product.parse(agent)
    assert product == (name or agent, version)
    if name == "Neo4j":
        require_neo4j(product, "neo4j://host")
    else:
        with pytest.raises(UnsupportedServerError, match="GENAI_GRAPH_UNSUPPORTED_SERVER=1"):
            require_neo4j(product, "neo4j://host")


def test_failed_connect_keeps_the_open_connection(graph: Connection) -> None:
    with pytest.raises(UnavailableError):
        connect("bolt://127.0.0.1:1")
    assert query("RETURN 1 AS one") == [{"one": 1}]


# Not connected


def in_a_transaction() -> None:
    with atomic():
        pass


@pytest.mark.parametrize(
    "use",
    [
        lambda: query("RETURN 1 AS one"),
        lambda: query("CREATE (:Thing)", write=True),
        lambda: Dataset.nodes.all(),
        lambda: Dataset.nodes.get(name="mnist"),
        lambda: len(Dataset.nodes),
        lambda: Dataset(name="mnist").save(),
        lambda: Dataset.upsert(name="mnist"),
        in_a_transaction,
    ],
    ids=["query", "write", "all", "get", "len", "save", "upsert", "atomic"],
)
def test_not_connected_error_names_connect(use: Callable[[], Any]) -> None:
    with pytest.raises(NotConnectedError, match=r"genai_graph\.connect\(\)") as caught:
        use()
    assert isinstance(caught.value, GenaiGraphError)


def test_neomodel_raises_not_connected_error_before_connect() -> None:
    done = python("""
        import genai_graph
        from neomodel import db
        for use in (genai_graph.Dataset.nodes.all, lambda: db.cypher_query("RETURN 1")):
            try:
                use()
            except genai_graph.errors.NotConnectedError as error:
                print(error)
    """)
    assert done.stdout.count("genai_graph.connect()") == 2, done.stderr


# Lifetime


def test_connection_closes_at_the_end_of_its_block(embedded_engine: Engine) -> None:
    with connect() as connection:
        assert isinstance(connection, Connection)
        assert query("RETURN 1 AS one") == [{"one": 1}]
    with pytest.raises(NotConnectedError):
        query("RETURN 1 AS one")


def test_connection_closes_when_its_block_fails(embedded_engine: Engine) -> None:
    with pytest.raises(KeyError), connect():
        raise KeyError("boom")
    with pytest.raises(NotConnectedError):
        query("RETURN 1 AS one")


def test_connection_without_a_block_and_repeated_close(
    embedded_engine: Engine,
) -> None:
    connection = connect()
    try:
        assert query("RETURN 1 AS one") == [{"one": 1}]
    finally:
        connection.close()
    connection.close()
    with pytest.raises(NotConnectedError):
        query("RETURN 1 AS one")


def test_program_may_exit_without_close(embedded_engine: Engine) -> None:
    done = python("import genai_graph as g; g.connect(); print(g.query('RETURN 1 AS one'))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[{'one': 1}]\n", "")


def test_nested_connections(embedded: Connection, other_home: Path) -> None:
    Project(name="outer").save()
    with connect(home=other_home) as inner:
        assert inner.uri != embedded.uri
        assert Project.nodes.all() == []
        Project(name="inner").save()
        assert [project.name for project in Project.nodes.all()] == ["inner"]
    assert [project.name for project in Project.nodes.all()] == ["outer"]


def test_connections_can_be_closed_in_any_order(graph: Connection) -> None:
    first, second = connect(), connect()
    first.close()
    assert query("RETURN 1 AS one") == [{"one": 1}]
    second.close()
    assert query("RETURN 1 AS one") == [{"one": 1}]


def test_connection_may_be_closed_inside_its_block(graph: Connection) -> None:
    with connect() as inner:
        inner.close()
        assert query("RETURN 1 AS one") == [{"one": 1}]


def test_close_inside_a_transaction_rolls_back(graph: Connection) -> None:
    def write_and_close() -> None:
        inner = connect(writer_timeout=50)
        with atomic():
            query("CREATE (:Thing)", write=True)
            inner.close()

    with pytest.raises(GenaiGraphError):
        write_and_close()
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 0}]
    query("CREATE (:Thing)", write=True)
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 1}]


# Threads and forks


def test_all_threads_use_the_same_database(graph: Connection) -> None:
    Dataset(name="mnist").save()
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: Dataset.nodes.get(name="mnist").uid, range(8)))
        counts = list(pool.map(lambda _: query("MATCH (n:Dataset) RETURN n.uid AS uid"), range(8)))
    assert names == ["mnist"] * 8
    assert counts == [[{"uid": "mnist"}]] * 8


def test_writes_of_a_thread_are_visible_to_others(graph: Connection) -> None:
    thread = threading.Thread(target=lambda: Dataset(name="mnist").save())
    thread.start()
    thread.join()
    assert Dataset.nodes.get(name="mnist").uid == "mnist"


def test_connect_in_a_thread_applies_to_the_program(embedded_engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool:
        connection = pool.submit(connect).result()
    with connection:
        assert query("RETURN 1 AS one") == [{"one": 1}]


FORK = """
    import gc, os, sys, genai_graph
    from genai_graph import atomic, connect, query
    from genai_graph.errors import TransactionError

    def in_child(work):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work()
                code = 0
            finally:
                gc.collect()
                sys.stdout.flush()
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0

    def refused():
        try:
            query("RETURN 1 AS one")
        except TransactionError as error:
            print(error)

    def write():
        query("CREATE (:Thing {by: 'child'})", write=True)
        with connect(writer_timeout=20) as again:
            assert again is connection

    def things():
        return [row["by"] for row in query("MATCH (n:Thing) RETURN n.by AS by ORDER BY by")]

    connection = connect(writer_timeout=20)
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


@needs_fork
def test_forked_child_opens_the_connection_again(
    embedded: Connection,
) -> None:
    done = python(
        FORK
        + """
    in_child(write)
    query("CREATE (:Thing {by: 'parent'})", write=True)
    print(things())
    """
    )
    assert done.stdout == "['child', 'parent']\n", done.stderr


@needs_fork
def test_child_forked_in_a_transaction_cannot_use_it(embedded: Connection) -> None:
    done = python(
        FORK
        + """
    with atomic():
        query("CREATE (:Thing {by: 'first'})", write=True)
        in_child(refused)
        query("CREATE (:Thing {by: 'second'})", write=True)
    in_child(write)
    print(things())
    """
    )
    message, after = done.stdout.splitlines()
    assert "forked inside an atomic() block" in message
    assert after == "['child', 'first', 'second']", done.stderr


@needs_fork
def test_child_forked_in_a_transaction_may_leave_the_block(embedded: Connection) -> None:
    done = python("""
        import os, sys, genai_graph
        from genai_graph import atomic, connect, query

        connect()
        with atomic():
            query("CREATE (:Thing)", write=True)
            child = os.fork()
            if child == 0:
                sys.exit(0)
            status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status))
        print(query("MATCH (n:Thing) RETURN count(n) AS count"))
    """)
    assert done.stdout == "0\n[{'count': 1}]\n", done.stderr
