"""The command line: what goes where, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import click.testing
import pytest
from conftest import FIXTURES, Run

import genai_graph
from genai_graph import Dataset, query
from genai_graph.cli import main
from genai_graph.database import Connection

BAD = "format: genai_graph/1\nDataset:\n  a: {size: x}\n  b: {size: y}\n"
COLUMNS = "RETURN 1 AS one, 'text' AS two"


def commands(group: click.Group = main, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
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


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command(cli: Run, option: str) -> None:
    result = cli(option)
    assert result.exit_code == 0
    for name in main.commands:
        assert f"  {name} " in result.stdout
    assert "NEO4J_URI" in result.stdout


def test_version_is_that_of_the_package(cli: Run) -> None:
    assert genai_graph.__version__ in cli("--version").stdout


def test_python_m_is_the_same_command_line() -> None:
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
def test_wrong_usage_ends_with_two(cli: Run, arguments: list[str]) -> None:
    assert cli(*arguments).exit_code == 2


def test_load_reports_on_stderr_and_leaves_stdout_to_data(graph: Connection, cli: Run) -> None:
    result = cli("load", FIXTURES / "quickstart.yaml")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "Model: 2 created, 0 changed, 0 unchanged" in result.stderr
    assert "Experiment-HAS->Metric: 2 created" in result.stderr


def test_load_reports_as_json_on_stdout(graph: Connection, cli: Run) -> None:
    cli("load", FIXTURES / "quickstart.yaml")
    report = json.loads(cli("load", "--json", FIXTURES / "quickstart.yaml").stdout)
    assert report["nodes"]["Model"] == {"created": 0, "changed": 0, "unchanged": 2}
    assert report["seconds"] >= 0


def test_load_with_a_fault_ends_with_one_and_writes_nothing(
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
    assert "nothing was written" in result.stderr
    assert Dataset.nodes.all() == []


def test_load_reads_standard_input(graph: Connection, cli: Run) -> None:
    text = (FIXTURES / "quickstart.yaml").read_bytes()
    assert cli("load", "-", input=text).exit_code == 0
    assert len(Dataset.nodes) == 2


def test_check_needs_no_database(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    result = cli("check", FIXTURES / "torchvision.yaml")
    assert result.exit_code == 0
    assert "679 nodes, 1612 edges: no faults" in result.stderr


def test_check_tells_every_fault_as_load_does(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    result = cli("check", "bad.yaml", "missing")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith("missing:1: there is no such file")


def test_query_prints_json_lines_in_a_pipe(graph: Connection, cli: Run) -> None:
    assert cli("query", COLUMNS).stdout == '{"one": 1, "two": "text"}\n'


def test_query_prints_one_json_array(graph: Connection, cli: Run) -> None:
    result = cli("query", "--format", "json", "UNWIND [1, 2] AS n RETURN n")
    assert json.loads(result.stdout) == [{"n": 1}, {"n": 2}]
    assert json.loads(cli("query", "--format", "json", "UNWIND [] AS n RETURN n").stdout) == []


def test_query_prints_csv(graph: Connection, cli: Run) -> None:
    text = cli("query", "--format", "csv", "RETURN 'a,\"b\"' AS x, null AS y, [1] AS z").stdout
    assert list(csv.reader(io.StringIO(text))) == [["x", "y", "z"], ['a,"b"', "", "[1]"]]


def test_query_prints_a_table_also_in_a_pipe_and_cuts_nothing(graph: Connection, cli: Run) -> None:
    long = "x" * 300
    result = cli("query", "--format", "table", "RETURN $long AS long", "--param", f"long={long}")
    assert long in result.stdout
    assert "\x1b" not in result.stdout
    assert "1 row\n" in result.stderr


def test_query_shows_control_characters_and_sends_none(graph: Connection, cli: Run) -> None:
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
def test_a_parameter_is_json_or_else_text(
    graph: Connection, cli: Run, given: str, value: object
) -> None:
    result = cli("query", "RETURN $x AS x", "--param", f"x={given}")
    assert json.loads(result.stdout) == {"x": value}


def test_query_reads_standard_input(graph: Connection, cli: Run) -> None:
    assert cli("query", "-", input=COLUMNS).stdout == '{"one": 1, "two": "text"}\n'


def test_query_refuses_to_write_unless_told(graph: Connection, cli: Run) -> None:
    result = cli("query", "CREATE (:Thing)")
    assert result.exit_code == 1
    assert "--write" in result.stderr
    assert cli("query", "--write", "CREATE (:Thing)").exit_code == 0
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 1}]


def test_a_query_that_can_not_be_run_is_told_in_one_line(graph: Connection, cli: Run) -> None:
    result = cli("query", "RETURN")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_status_tells_where_and_how_much(graph: Connection, cli: Run) -> None:
    cli("load", FIXTURES / "quickstart.yaml")
    shown = cli("status").stdout
    assert graph.uri in shown
    assert "in step" in shown
    told = json.loads(cli("status", "--json").stdout)
    assert told["schema_in_step"] is True
    assert told["nodes"]["Model"] == 2
    assert told["edges"]["Model-TRAINED_ON->Dataset"] == 3
    assert told["engine"] == graph.engine


def test_clear_asks_first(graph: Connection, cli: Run) -> None:
    cli("load", FIXTURES / "quickstart.yaml")
    refused = cli("clear", input="n\n")
    assert refused.exit_code == 1
    assert "2 Dataset" in refused.stderr
    assert len(Dataset.nodes) == 2
    assert cli("clear", input="y\n").exit_code == 0
    assert len(Dataset.nodes) == 0


def test_clear_deletes_only_nodes_of_our_kinds(graph: Connection, cli: Run) -> None:
    query("CREATE (:Thing)", write=True)
    Dataset(name="a").save()
    assert "deleted 1 Dataset" in cli("clear", "--yes").stderr
    assert "nothing to delete" in cli("clear", "--yes").stderr
    assert query("MATCH (n) RETURN labels(n) AS labels") == [{"labels": ["Thing"]}]


def test_server_is_started_kept_and_stopped(own_home: Path, cli: Run) -> None:
    assert "nothing was running" in cli("server", "stop").stderr
    assert "not running" in cli("server", "status").stdout
    try:
        started = cli("server", "start")
        assert started.exit_code == 0
        assert cli("query", "RETURN 1 AS x").stdout == '{"x": 1}\n'
        shown = cli("server", "status").stdout
        assert "running at bolt://127.0.0.1:" in shown
        assert str(own_home) in shown
    finally:
        stopped = cli("server", "stop")
    assert "stopped" in stopped.stderr
    assert "not running" in cli("server", "status").stdout


def test_shell_runs_code_with_the_graph_at_hand(graph: Connection, cli: Run) -> None:
    result = cli("shell", "-c", "print(Dataset(name='a').save(), query('RETURN 1 AS x'), load)")
    assert result.exit_code == 0, result.output
    assert "<Dataset a> [{'x': 1}] <function load" in result.stdout


def test_shell_runs_what_comes_in_a_pipe(graph: Connection, cli: Run) -> None:
    result = cli("shell", input="for i in range(2):\n    print(i, Model(name='m'))\n")
    assert result.stdout == "0 <Model m>\n1 <Model m>\n"


def test_shell_tells_an_error_of_the_package_in_its_words(graph: Connection, cli: Run) -> None:
    result = cli("shell", "-c", "Dataset(nme='a')")
    assert result.exit_code == 1
    assert result.stderr == "Dataset.nme: Dataset has no such property (did you mean 'name'?)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")
@pytest.mark.parametrize(
    ("interface", "prompt"), [("python", ">>> "), ("ipython", r"In \[.*\d.*\]: ")]
)
def test_shell_in_a_terminal(graph: Connection, interface: str, prompt: str) -> None:
    import pexpect

    child = pexpect.spawn(
        sys.executable,
        ["-m", "genai_graph", "shell", "--interface", interface],
        encoding="utf-8",
        timeout=30,
        env={**os.environ, "TERM": "dumb", "IPYTHONDIR": os.getcwd()},
    )
    child.expect("genai_graph .* at hand: .*query")
    child.expect(prompt)
    child.sendline("Dataset(name='typed').save()")
    child.expect("<Dataset typed>")
    child.sendline("print(query('RETURN 40 + 2 AS x'))")
    child.expect("'x': 42")
    child.expect(prompt)
    child.sendline("exit()")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert Dataset.nodes.get(name="typed")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_with_130(graph: Connection) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "genai_graph", "shell", "-c",
         "import time; print('ready', flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    child.send_signal(2)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in errors


def test_a_reader_that_goes_away_is_no_traceback(graph: Connection) -> None:
    code = "UNWIND range(1, 50000) AS n RETURN n, 'a long text to fill the pipe' AS text"
    child = subprocess.Popen(
        [sys.executable, "-m", "genai_graph", "query", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr is not None
    assert "Traceback" not in child.stderr.read()
    child.stderr.close()
    child.wait(timeout=30)


def test_output_is_utf8_whatever_the_locale(graph: Connection) -> None:
    done = genai_graph_command(
        "query", "RETURN 'é😀' AS x", env={**os.environ, "LC_ALL": "C"},
        encoding="utf-8",
    )  # fmt: skip
    assert done.stdout == '{"x": "é😀"}\n', done.stderr
