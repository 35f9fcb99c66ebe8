"""The command line: output, exit codes and help."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import click.testing
import pytest
from conftest import FIXTURES, Engine, Run

import genai_graph
from genai_graph import Dataset, query
from genai_graph.cli import main
from genai_graph.database import Connection

BAD = "format: genai_graph/1\nDataset:\n  a: {size: x}\n  b: {size: y}\n"
COLUMNS = "RETURN 1 AS one, 'text' AS two"


def interruptible() -> None:
    """Restore SIGINT in a child process: a background job inherits it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def commands(group: click.Group = main, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


def genai_graph_command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "genai_graph", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda value: str(value))
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help, name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda value: str(value))
def test_every_summary_is_a_short_sentence(name: str, command: click.Command) -> None:
    summary = command.get_short_help_str(limit=45)
    assert summary[:1].isupper()
    assert summary.endswith("."), summary
    assert not summary.endswith("..."), summary


def test_no_list_of_commands_is_truncated(cli: Run) -> None:
    groups = [name for name, command in commands() if isinstance(command, click.Group)]
    for name in ["", *groups]:
        listing = cli(*name.split(), "--help").stdout.partition("Commands:\n")[2]
        assert listing
        assert "..." not in listing, listing


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command(cli: Run, option: str) -> None:
    result = cli(option)
    assert result.exit_code == 0
    for name in main.commands:
        assert f"  {name} " in result.stdout
    assert "NEO4J_URI" in result.stdout


def test_version_matches_the_package(cli: Run) -> None:
    assert genai_graph.__version__ in cli("--version").stdout


def test_python_m_runs_the_command_line() -> None:
    done = genai_graph_command("--version")
    assert done.returncode == 0
    assert genai_graph.__version__ in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["load"],
        ["query"],
        ["load", "x", "--format", "xml"],
        ["query", "x", "--param", "=1"],
    ],
)
def test_wrong_usage_exits_with_2(cli: Run, arguments: list[str]) -> None:
    assert cli(*arguments).exit_code == 2


def test_load_reports_on_stderr_only(graph: Connection, cli: Run) -> None:
    result = cli("load", FIXTURES / "quickstart.yaml")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "Model: 2 created, 0 changed, 0 unchanged" in result.stderr
    assert "Experiment-HAS->Metric: 2 created" in result.stderr


def test_load_reports_as_json_on_stdout(graph: Connection, cli: Run) -> None:
    cli("load", FIXTURES / "quickstart.yaml")
    report = json.loads(cli("load", "--json", FIXTURES / "quickstart.yaml").stdout)
    assert report["nodes"]["Model"] == {"created": 0, "changed": 0, "unchanged": 2, "pending": 0}
    assert report["seconds"] >= 0


def test_load_of_an_invalid_fixture_exits_with_1_and_writes_nothing(
    graph: Connection, cli: Run, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    result = cli("load", "bad.yaml")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "bad.yaml:3: Dataset 'a': size: expected an integer, got 'x'",
        "bad.yaml:4: Dataset 'b': size: expected an integer, got 'y'",
    ]
    assert Dataset.nodes.all() == []


def test_load_dry_run_writes_nothing(graph: Connection, cli: Run) -> None:
    result = cli("load", "--dry-run", FIXTURES / "quickstart.yaml")
    assert result.exit_code == 0
    assert result.stderr.endswith("no errors; nothing was written (dry run)\n")
    assert "Dataset: 2 to write\n" in result.stderr
    assert Dataset.nodes.all() == []


def test_load_dry_run_reports_pending_counts_as_json(graph: Connection, cli: Run) -> None:
    row = '{"edge": "DERIVED_FROM", "from": ["Model", "m"], "to": ["Model", "base"]}\n'
    nodes = '{"node": "Model", "uid": "m"}\n{"node": "Dataset", "uid": "d"}\n'
    Path("f.jsonl").write_text('{"format": "genai_graph/1"}\n' + nodes + row)
    cli("load", "-", input="format: genai_graph/1\nModel: {m: {framework: x}, base: {}}")
    report = json.loads(cli("load", "--dry-run", "--json", "f.jsonl").stdout)
    assert report["nodes"] == {label: pending_counts(1) for label in ("Dataset", "Model")}
    assert report["edges"] == {"Model-DERIVED_FROM->Model": pending_counts(1)}
    assert report["entities"] == 3
    made = json.loads(cli("load", "--json", "f.jsonl").stdout)
    assert made.keys() == report.keys()
    for group in ("nodes", "edges"):
        assert {name: sum(tally.values()) for name, tally in made[group].items()} == {
            name: sum(tally.values()) for name, tally in report[group].items()
        }


def pending_counts(count: int) -> dict[str, int]:
    return {"created": 0, "changed": 0, "unchanged": 0, "pending": count}


def test_load_reads_standard_input(graph: Connection, cli: Run) -> None:
    text = (FIXTURES / "quickstart.yaml").read_bytes()
    assert cli("load", "-", input=text).exit_code == 0
    assert len(Dataset.nodes) == 2


def test_check_needs_no_database(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    result = cli("check", FIXTURES / "torchvision.yaml")
    assert result.exit_code == 0
    assert "679 nodes, 1,612 edges: no errors" in result.stderr


def test_check_reports_every_error(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    result = cli("check", "missing", "bad.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "missing: no such file, and no fixtures/missing.yaml",
        "bad.yaml:3: Dataset 'a': size: expected an integer, got 'x'",
        "bad.yaml:4: Dataset 'b': size: expected an integer, got 'y'",
    ]


def test_query_prints_json_lines_by_default_in_a_pipe(graph: Connection, cli: Run) -> None:
    assert cli("query", COLUMNS).stdout == '{"one": 1, "two": "text"}\n'


def test_query_prints_a_json_array(graph: Connection, cli: Run) -> None:
    result = cli("query", "--format", "json", "UNWIND [1, 2] AS n RETURN n")
    assert json.loads(result.stdout) == [{"n": 1}, {"n": 2}]
    assert json.loads(cli("query", "--format", "json", "UNWIND [] AS n RETURN n").stdout) == []


def test_query_prints_csv(graph: Connection, cli: Run) -> None:
    text = cli("query", "--format", "csv", "RETURN 'a,\"b\"' AS x, null AS y, [1] AS z").stdout
    assert list(csv.reader(io.StringIO(text))) == [["x", "y", "z"], ['a,"b"', "", "[1]"]]


def test_query_prints_a_table_without_truncation_in_a_pipe(graph: Connection, cli: Run) -> None:
    long = "x" * 300
    result = cli("query", "--format", "table", "RETURN $long AS long", "--param", f"long={long}")
    assert long in result.stdout
    assert "\x1b" not in result.stdout
    assert "1 row\n" in result.stderr


def test_query_escapes_control_characters_in_tables(graph: Connection, cli: Run) -> None:
    result = cli(
        "query", "--format", "table", "RETURN $text AS text", "--param", 'text="a\\u001b[31mb\\nc"'
    )
    assert "a\\x1b[31mb\\nc" in result.stdout


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("0.0 / 0.0", "NaN"),
        ("1.0 / 0.0", "Infinity"),
        ("-1.0 / 0.0", "-Infinity"),
        ("datetime('2026-03-01T09:00:00Z')", "2026-03-01T09:00:00Z"),
        ("date('2026-03-01')", "2026-03-01"),
        ("[1, null, 'é😀']", [1, None, "é😀"]),
        ("{a: {b: true}}", {"a": {"b": True}}),
    ],
)
def test_query_prints_every_value_as_json(
    graph: Connection, cli: Run, expression: str, printed: object
) -> None:
    assert json.loads(cli("query", f"RETURN {expression} AS x").stdout) == {"x": printed}


@pytest.mark.parametrize(
    ("given", "value"),
    [("1", 1), ("1.5", 1.5), ("[1,2]", [1, 2]), ("true", True), ("plain text", "plain text"),
     ('"1"', "1"), ("", ""), ("a=b", "a=b"), ("null", None)],
)  # fmt: skip
def test_a_query_parameter_is_json_or_else_a_string(
    graph: Connection, cli: Run, given: str, value: object
) -> None:
    result = cli("query", "RETURN $x AS x", "--param", f"x={given}")
    assert json.loads(result.stdout) == {"x": value}


def test_query_reads_standard_input(graph: Connection, cli: Run) -> None:
    assert cli("query", "-", input=COLUMNS).stdout == '{"one": 1, "two": "text"}\n'


def test_query_writes_only_with_write(graph: Connection, cli: Run) -> None:
    result = cli("query", "CREATE (:Thing)")
    assert result.exit_code == 1
    assert "--write" in result.stderr
    assert cli("query", "--write", "CREATE (:Thing)").exit_code == 0
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 1}]


def test_a_query_error_is_one_line(graph: Connection, cli: Run) -> None:
    result = cli("query", "RETURN")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_status_shows_address_schema_and_counts(graph: Connection, cli: Run) -> None:
    cli("load", FIXTURES / "quickstart.yaml")
    shown = cli("status").stdout
    assert graph.uri in shown
    assert "schema    up to date\n" in shown
    status = json.loads(cli("status", "--json").stdout)
    assert status["schema_up_to_date"] is True
    assert status["nodes"]["Model"] == 2
    assert status["edges"]["Model-TRAINED_ON->Dataset"] == 3
    assert status["engine"] == graph.engine
    if graph.engine == "neo4j":
        assert "(community)\n" in shown
        assert "role      primary, leader, online\n" in shown
        (member,) = status["members"]
        assert member["writer"] is True
    else:
        assert status["members"] == []


def test_clear_asks_for_confirmation(graph: Connection, cli: Run) -> None:
    cli("load", FIXTURES / "quickstart.yaml")
    refused = cli("clear", input="n\n")
    assert refused.exit_code == 1
    assert "2 Dataset" in refused.stderr
    assert len(Dataset.nodes) == 2
    assert cli("clear", input="y\n").exit_code == 0
    assert len(Dataset.nodes) == 0


def test_clear_deletes_nodes_of_the_models_only(graph: Connection, cli: Run) -> None:
    query("CREATE (:Thing)", write=True)
    Dataset(name="a").save()
    assert "deleted 1 Dataset" in cli("clear", "--yes").stderr
    assert "nothing to delete" in cli("clear", "--yes").stderr
    assert query("MATCH (n) RETURN labels(n) AS labels") == [{"labels": ["Thing"]}]


@pytest.mark.slow
def test_server_start_keeps_the_engine_until_server_stop(own_home: Path, cli: Run) -> None:
    assert "nothing was running" in cli("server", "stop").stderr
    assert "not running" in cli("server", "status").stdout
    outdated = own_home / "embedded" / "start-0123456789abcdef.aot"
    outdated.parent.mkdir(parents=True, mode=0o700)
    outdated.touch()
    try:
        started = cli("server", "start")
        assert started.exit_code == 0
        assert cli("query", "RETURN 1 AS x").stdout == '{"x": 1}\n'
        shown = cli("server", "status").stdout
        assert "is running at bolt://127.0.0.1:" in shown
        assert str(own_home) in shown
        assert not outdated.exists()
    finally:
        stopped = cli("server", "stop")
    assert "stopped" in stopped.stderr
    assert "not running" in cli("server", "status").stdout


def test_server_shows_the_engine_that_is_not_selected(
    embedded_engine: Engine, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENAI_GRAPH_ENGINE", "neo4j")
    shown = cli("server", "status").output
    assert re.search("^the neo4j engine is not running", shown, re.MULTILINE), shown
    assert re.search("^the embedded engine is running at bolt://", shown, re.MULTILINE), shown
    assert "embedded" not in cli("server", "status", "--engine", "neo4j").output
    started = cli("server", "start", "--engine", "embedded")
    assert started.stderr.endswith("set GENAI_GRAPH_ENGINE=embedded to use it\n")


def test_commands_run_in_a_thread(cli: Run, tmp_path: Path) -> None:
    """Python allows signal handlers in the main thread only."""
    (tmp_path / "f.yaml").write_text("format: genai_graph/1\n")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(cli, "check", "f.yaml").result()
    assert (done.exit_code, done.stderr) == (0, "0 nodes, 0 edges: no errors\n")


def test_closed_standard_streams() -> None:
    command = f"{shlex.quote(sys.executable)} -m genai_graph query --format json"
    done = subprocess.run(
        f"{command} - <&- >&-", shell=True, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "the query can't be read: standard input is closed\n"


def test_shell_code_has_the_models_and_functions(graph: Connection, cli: Run) -> None:
    result = cli("shell", "-c", "print(Dataset(name='a').save(), query('RETURN 1 AS x'), load)")
    assert result.exit_code == 0, result.output
    assert "<Dataset a> [{'x': 1}] <function load" in result.stdout


def test_shell_runs_code_from_standard_input(graph: Connection, cli: Run) -> None:
    result = cli("shell", input="for i in range(2):\n    print(i, Model(name='m'))\n")
    assert result.stdout == "0 <Model m>\n1 <Model m>\n"


def test_shell_compiles_code_without_future_imports(graph: Connection, cli: Run) -> None:
    code = "def f(x: int): pass\nprint(f.__annotations__)"
    assert cli("shell", "-c", code).stdout == cli("shell", input=code).stdout
    assert cli("shell", "-c", code).stdout == "{'x': <class 'int'>}\n"


@pytest.mark.parametrize(("command", "content"), [(["shell"], "code"), (["query", "-"], "query")])
def test_standard_input_must_be_utf8(
    graph: Connection, cli: Run, command: list[str], content: str
) -> None:
    result = cli(*command, input=b"\xff")
    assert result.exit_code == 1
    assert result.stderr == f"the {content} on standard input is not UTF-8 text\n"


def test_shell_prints_package_errors_without_traceback(graph: Connection, cli: Run) -> None:
    result = cli("shell", "-c", "Dataset(nme='a')")
    assert result.exit_code == 1
    assert result.stderr == "Dataset.nme: Dataset has no such property (did you mean 'name'?)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs Unix signals")
def test_ctrl_c_exits_with_130(graph: Connection) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "genai_graph", "shell", "-c",
         "import time; print('ready', flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    child.send_signal(2)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="needs Unix signals")
def test_sigterm_exits_with_143_and_leaves_no_files(graph: Connection) -> None:
    folder = Path("temporary")
    folder.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-m", "genai_graph", "load", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder.resolve())},
    )
    assert child.stdin is not None
    try:
        child.stdin.write(b'{"format": "genai_graph/1"}\n')
        child.stdin.flush()
        while not list(folder.glob("genai-graph-*")):  # the copy of standard input
            assert child.poll() is None
            time.sleep(0.01)
        child.terminate()
        assert child.wait(timeout=30) == 143
    finally:
        child.kill()
        _, errors = child.communicate()
    assert errors == b"terminated\n"
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs Unix signals")
def test_sigterm_ends_a_shell_at_once(graph: Connection) -> None:
    code = "import time; print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-m", "genai_graph", "shell", "-c", code], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.terminate()
        assert child.wait(timeout=30) == -signal.SIGTERM


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("query", "UNWIND range(1, 50000) AS n RETURN n, 'a long text to fill the pipe' AS text"),
        ("shell", "-c", "print('a long text to fill the pipe\\n' * 50_000)"),
        ("shell", "-c", "for n in range(50_000): print(n, 'a long text to fill the pipe')"),
    ],
)
def test_a_closed_pipe_causes_no_traceback(graph: Connection, command: tuple[str, ...]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "genai_graph", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr is not None
    assert "Traceback" not in child.stderr.read()
    child.stderr.close()
    child.wait(timeout=30)


def test_output_is_utf8_in_any_locale(graph: Connection) -> None:
    done = genai_graph_command(
        "query", "RETURN 'é😀' AS x", env={**os.environ, "LC_ALL": "C"},
        encoding="utf-8",
    )  # fmt: skip
    assert done.stdout == '{"x": "é😀"}\n', done.stderr


# Errors


def error_lines(result: click.testing.Result) -> list[str]:
    """Return the lines on stderr of a command that failed with exit code 1."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr.splitlines()


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda value: str(value))
def test_every_command_shows_its_help(cli: Run, name: str, command: click.Command) -> None:
    result = cli(*name.split(), "-h")
    assert result.exit_code == 0
    assert command.help is not None
    summary, shown = command.help.split("\n\n")[0], result.stdout.split("\n\n")[1]
    assert shown.split() == summary.split()


@pytest.mark.parametrize(
    "arguments",
    [
        ["load", "f.yaml", "--batch-size", "0"],
        ["load", "f.yaml", "--nonsense"],
        ["check"],
        ["query", "RETURN 1", "--param", "x"],
        ["query", "RETURN 1", "--format", "xml"],
        ["query", "RETURN 1", "RETURN 2"],
        ["schema", "nonsense"],
        ["server", "start", "now"],
        ["status", "--format", "json"],
        ["clear", "everything"],
        ["schema"],
        [],
    ],
)
def test_a_usage_error_exits_with_2_and_prints_the_usage(cli: Run, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")


@pytest.mark.parametrize("command", ["load", "check"])
def test_load_and_check_report_the_same_errors(
    graph: Connection, cli: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "bad.yaml").write_text(BAD)
    assert error_lines(cli(command, "bad.yaml", "empty.yaml")) == [
        "bad.yaml:3: Dataset 'a': size: expected an integer, got 'x'",
        "bad.yaml:4: Dataset 'b': size: expected an integer, got 'y'",
        "empty.yaml:1: expected a map of sections, got an empty file: "
        'start the file with "format": "genai_graph/1"',
    ]
    assert error_lines(cli(command, "missing", "folder")) == [
        "missing: no such file, and no fixtures/missing.yaml",
        "folder: directory without CSV files such as Project.csv: name the files in it instead",
    ]
    assert error_lines(cli(command, "-", input=b"\xff")) == [
        "<stdin>:1: is not UTF-8 text: save the file as UTF-8"
    ]
    assert error_lines(cli(command, "-", "-", input="format: genai_graph/1\n")) == [
        "<stdin>: duplicate: standard input can be read only once"
    ]
    assert error_lines(cli(command, "")) == ["'': expected a file name"]


def test_errors_beyond_100_are_counted(cli: Run, tmp_path: Path) -> None:
    lines = "".join(f"  d{i}: {{size: x}}\n" for i in range(110))
    (tmp_path / "bad.yaml").write_text("format: genai_graph/1\nDataset:\n" + lines)
    messages = error_lines(cli("check", "bad.yaml"))
    assert len(messages) == 101
    assert messages[-1] == "and 10 more"


def test_an_unavailable_server_is_a_one_line_error(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    monkeypatch.setenv("NEO4J_PASSWORD", "never-shown")
    for arguments in (["status"], ["query", "RETURN 1"], ["load", "x.yaml"], ["clear", "--yes"]):
        (message,) = error_lines(cli(*arguments))
        assert "127.0.0.1:1" in message
        assert "never-shown" not in message


def test_an_invalid_uri_is_reported_without_its_password(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://user:never-shown@host")
    (message,) = error_lines(cli("status"))
    assert message.startswith("NEO4J_URI: ")
    assert "never-shown" not in message


@pytest.mark.parametrize(
    "parameter",
    ["x=123456789012345678901234567890", 'x="\\ud800"', "x=" + "[" * 5000, "x=1e999999"],
    ids=["too large", "half a surrogate pair", "deep nesting", "not finite"],
)
def test_an_unsupported_parameter_causes_no_traceback(
    graph: Connection, cli: Run, parameter: str
) -> None:
    result = cli("query", "RETURN $x AS x", "--param", parameter)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert len(result.stderr.splitlines()) == (0 if result.exit_code == 0 else 1)


@pytest.mark.parametrize("cypher", ["", "   ", "RETRN 1", "RETURN $missing AS x"])
def test_an_invalid_query_is_a_one_line_error(graph: Connection, cli: Run, cypher: str) -> None:
    (message,) = error_lines(cli("query", cypher))
    assert message


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (n) DETACH DELETE n",
        "MERGE (:Dataset {uid: 'b'})",
        "MATCH (n) SET n.size = 1",
        "CREATE INDEX mine FOR (n:Thing) ON (n.name)",
        "MATCH (n) REMOVE n.size RETURN n",
        "/* RETURN */ CREATE (n) // RETURN",
    ],
)
def test_every_write_needs_write(graph: Connection, cli: Run, cypher: str) -> None:
    Dataset(name="a", size=5).save()
    (message,) = error_lines(cli("query", cypher))
    assert "--write" in message
    assert [node.size for node in Dataset.nodes.all()] == [5]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_without_traceback(graph: Connection) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "genai_graph", "query", "RETURN 1 AS x"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


# Output


@pytest.mark.parametrize(
    ("format", "printed"), [("json", "[]\n"), ("jsonl", ""), ("csv", ""), ("table", "")]
)
def test_output_of_a_query_without_rows(
    graph: Connection, cli: Run, format: str, printed: str
) -> None:
    result = cli("query", "MATCH (n:Dataset) RETURN n.uid AS uid", "--format", format)
    assert (result.exit_code, result.stdout) == (0, printed)
    assert result.stderr == ("0 rows\n" if format == "table" else "")


def test_every_format_prints_the_same_rows(graph: Connection, cli: Run) -> None:
    cypher = (
        "UNWIND [{a: 'é😀, \"q\"\n', b: 1.5}, {a: null, b: 0.0 / 0.0}] AS row "
        "RETURN row.a AS text, row.b AS number, [row.b, null] AS list"
    )
    wanted = [
        {"text": 'é😀, "q"\n', "number": 1.5, "list": [1.5, None]},
        {"text": None, "number": "NaN", "list": ["NaN", None]},
    ]
    assert json.loads(cli("query", cypher, "--format", "json").stdout) == wanted
    lines = cli("query", cypher, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == wanted
    table = list(
        csv.reader(io.StringIO(cli("query", cypher, "--format", "csv").stdout, newline=""))
    )
    assert table == [
        ["text", "number", "list"],
        ['é😀, "q"\n', "1.5", "[1.5, null]"],
        ["", "NaN", '["NaN", null]'],
    ]
    shown = cli("query", cypher, "--format", "table")
    assert [line.split("│")[1:-1] for line in shown.stdout.splitlines() if "│" in line] == [
        [' é😀, "q"\\n ', " 1.5    ", " [1.5, null]   "],
        ["            ", " NaN    ", ' ["NaN", null] '],
    ]
    assert shown.stderr == "2 rows\n"


def test_a_node_is_printed_as_its_properties(graph: Connection, cli: Run) -> None:
    Dataset(name="d", tags=["a"], metadata={"k": 1}).save()
    row = json.loads(cli("query", "MATCH (d:Dataset) RETURN d").stdout)["d"]
    assert row["uid"] == "d"
    assert row["tags"] == ["a"]
    assert row["created_at"].endswith("Z")


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\rb", "a\x08b", "a\u202eb", "[red]a[/red]"])
def test_a_table_escapes_control_characters_in_names_and_values(
    graph: Connection, cli: Run, text: str
) -> None:
    cypher = f"RETURN $x AS `{text}`, [$x] AS list, {{k: $x}} AS map"
    result = cli("query", cypher, "--format", "table", "--param", f"x={json.dumps(text)}")
    assert result.exit_code == 0
    assert all(line.isprintable() for line in result.stdout.split("\n"))
    assert "[red]" in result.stdout or "red" not in text


@pytest.mark.parametrize("options", [[], ["--format", "table"]])
def test_output_in_a_pipe_has_no_color(graph: Connection, options: list[str]) -> None:
    environment = {**os.environ, "TERM": "xterm-256color"}
    done = genai_graph_command("query", "RETURN 'there' AS here", *options, env=environment)
    assert done.returncode == 0
    assert "there" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ("1 row\n" if options else "")


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")
def test_on_a_terminal_a_query_prints_a_table(graph: Connection) -> None:
    import pexpect

    child = pexpect.spawn(
        sys.executable,
        ["-m", "genai_graph", "query", "RETURN 'there' AS here"],
        encoding="utf-8",
        timeout=30,
        preexec_fn=interruptible,
    )
    child.expect("here")
    child.expect("│.*there.*│")
    child.expect("1 row")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


# Input


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("yaml", "format: genai_graph/1\nDataset: {d: }\n"),
        ("json", '{"format": "genai_graph/1", "Dataset": {"d": null}}'),
        ("jsonl", '{"format": "genai_graph/1"}\n{"node": "Dataset", "uid": "d"}\n'),
    ],
)
def test_standard_input_can_have_any_format(
    graph: Connection, cli: Run, format: str, text: str
) -> None:
    assert cli("load", "-", input=text).exit_code == 0
    assert [node.uid for node in Dataset.nodes.all()] == ["d"]
    checked = cli("check", "--format", format, "-", input=text)
    assert (checked.exit_code, checked.stdout) == (0, "")
    assert "no errors" in checked.stderr


def test_load_accepts_several_files_and_fixture_names(
    graph: Connection, cli: Run, tmp_path: Path
) -> None:
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "base.yaml").write_text("format: genai_graph/1\nDataset:\n  d:\n")
    (tmp_path / "more.yaml").write_text("format: genai_graph/1\nModel:\n  m: {trained_on: [d]}\n")
    result = cli("load", "more.yaml", "base", "--batch-size", "1", "--json")
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert report["nodes"]["Model"]["created"] == 1
    assert report["edges"]["Model-TRAINED_ON->Dataset"]["created"] == 1
    (message,) = error_lines(cli("check", "more.yaml"))
    assert message == (
        "more.yaml:3: Model 'm': TRAINED_ON: no Dataset 'd' is in the files or in the graph"
    )
    assert cli("load", "--dry-run", "more.yaml").exit_code == 0


# Prompts


def test_clear_deletes_nothing_without_an_answer(graph: Connection, cli: Run) -> None:
    Dataset(name="a").save()
    result = cli("clear", input="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(Dataset.nodes) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")
def test_ctrl_c_at_the_confirmation_exits_with_130_and_deletes_nothing(
    graph: Connection,
) -> None:
    import pexpect

    Dataset(name="a").save()
    child = pexpect.spawn(
        sys.executable,
        ["-m", "genai_graph", "clear"],
        encoding="utf-8",
        timeout=30,
        preexec_fn=interruptible,
    )
    child.expect("Delete 1 Dataset.*:")
    for _ in range(
        10
    ):  # Python may lose a signal that arrives right before it waits for the answer
        child.sendintr()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=3) == 0:
            break
    child.close()
    assert child.exitstatus == 130
    assert len(Dataset.nodes) == 1


def test_shell_exits_with_the_code_of_system_exit(graph: Connection, cli: Run) -> None:
    assert cli("shell", "-c", "raise SystemExit(3)").exit_code == 3
    assert cli("shell", input="import sys; sys.exit(4)").exit_code == 4


@pytest.mark.any_engine
@pytest.mark.parametrize("code", ["1 / 0", "def f(", "raise RuntimeError('a\\nb')"])
def test_an_error_in_shell_code_exits_with_1(graph: Connection, code: str) -> None:
    done = genai_graph_command("shell", "-c", code)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr
    assert "genai_graph/cli" not in done.stderr
    assert "click" not in done.stderr


# Settings


@pytest.mark.skipif(
    sys.platform != "linux", reason="the directory has another name on other platforms"
)
def test_the_default_data_directory_is_that_of_the_platform(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GENAI_", "XDG_"))
    }
    done = genai_graph_command(
        "server", "status", env={**environment, "HOME": str(tmp_path), "USERNAME": "x"}
    )
    assert done.returncode == 0
    assert f"data directory {tmp_path}/.local/share/genai-graph/" in done.stdout


def test_schema_show_and_help_work_without_database(
    cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    assert cli("schema", "show").exit_code == 0
    assert cli("load", "--help").exit_code == 0
