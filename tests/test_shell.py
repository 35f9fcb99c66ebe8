"""The shell in a terminal and without one, and its completion."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, write_file
from test_cli import interruptible

from genai_graph import Connection, Dataset, Model, ask, query
from genai_graph.shell import completion
from genai_graph.shell.completion import Completion, complete

TIMEOUT = 30
IPYTHON_PROMPT, PYTHON_PROMPT = r"In \[\d+\]: ", r">>> "
# Starts the command line in a process in which IPython can't be imported.
WITHOUT_IPYTHON = (
    "import sys; sys.modules['IPython'] = None; from genai_graph.cli import main; main()"
)
LONG_QUERY = (
    "UNWIND range(1, 10000) AS a UNWIND range(1, 1000) AS b WITH a, b WHERE a = -b RETURN a"
)
in_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")


# In a terminal


class Terminal:
    """The shell in a pseudo-terminal, and its output since the last input."""

    def __init__(self, *options: str, prompt: str, program: tuple[str, ...]) -> None:
        import pexpect

        self.prompt = prompt
        self._child = pexpect.spawn(
            sys.executable,
            [*program, "shell", *options],
            encoding="utf-8",
            timeout=TIMEOUT,
            dimensions=(50, 200),
            env={
                **os.environ,
                "TERM": "xterm",
                "PAGER": "cat",
                "IPYTHONDIR": os.getcwd(),
                "PROMPT_TOOLKIT_NO_CPR": "1",  # pexpect answers no cursor position requests
            },
            preexec_fn=interruptible,
        )
        self.type = self._child.send
        self.key = self._child.sendcontrol
        self.start = self.until(self.prompt)

    def until(self, pattern: str) -> str:
        """Wait for a pattern in the output, and return the output without colours."""
        import pexpect

        output = ""
        while not re.search(pattern, output):
            try:
                output += self._child.read_nonblocking(10_000, timeout=TIMEOUT)
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                raise AssertionError(f"expected {pattern!r}, got {output!r}") from error
            output = re.sub(r"\x1b(\[[\d;?]*[a-zA-Z]|[=>]|\][^\x07]*\x07)", "", output)
        return output

    def run(self, line: str, answer: str) -> str:
        """Type a line, and wait for its answer and the next prompt."""
        self.type(f"{line}\r")
        return self.until(f"(?s){answer}.*{self.prompt}")

    def exit(self) -> int:
        """Press Ctrl-D, wait for the end of the process, and return its exit code."""
        import pexpect

        self.key("d")
        self._child.expect(pexpect.EOF)
        self.close()
        return int(self._child.exitstatus)

    def close(self) -> None:
        self._child.close(force=True)


Open = Callable[..., Terminal]


@pytest.fixture
def ipython(graph: Connection) -> Iterator[Open]:
    """Open the shell in IPython, with options of the command."""
    with contextlib.ExitStack() as stack:

        def open_terminal(*options: str) -> Terminal:
            program = ("-m", "genai_graph")
            terminal = Terminal(*options, prompt=IPYTHON_PROMPT, program=program)
            return stack.enter_context(contextlib.closing(terminal))

        yield open_terminal


@in_a_terminal
@pytest.mark.any_engine
@pytest.mark.slow
def test_session_in_ipython(ipython: Open, graph: Connection) -> None:
    Dataset(name="ImageNet-1K").save()
    shell = ipython()
    banner = f"(?s)genai_graph [\\d.]+ on {graph.engine} at {graph.uri}.*Defined: Dataset, .*query"
    assert re.search(banner, shell.start)

    # IPython inserts the closing quotes and brackets itself, behind the cursor.
    shell.type("print(len(Dataset.nodes.get(uid='Imag\t")
    shell.until("ImageNet-1K")
    assert "11" in shell.run("').uid))", r"\b11\b")
    shell.type("ask('depend\t")
    shell.until("dependency-share")
    shell.run("')", "0 rows")
    shell.type("Datas\t")
    shell.until("Dataset")
    shell.run("(name='typed').save()", "<Dataset typed>")
    shell.type("Model(framew\t")
    shell.until("framework=")
    shell.run("'x', name='m').save().trained_on.add(Dataset.nodes.get(name='typed'))", "")
    shell.run("Model.nodes.order_by('uid')", r"│ m +│ x +│")
    assert "num_parameters (integer" in shell.run("Model?", "Relationships")

    output = shell.run("Dataset(nme='a')", "did you mean 'name'")
    assert "PropertyError: Dataset.nme: " in output
    assert "Traceback" not in output
    output = shell.run("Dataset.nodes.get(uid='typd')", r"did you mean 'typed'\?")
    assert "DatasetDoesNotExist: " in output
    assert "Traceback" not in output
    assert "Traceback" in shell.run("1 / 0", "ZeroDivisionError")

    shell.type("half a line")
    shell.until("half a line")
    shell.key("c")
    shell.run("6 * 7", r"\b42\b")
    shell.type(f"query('{LONG_QUERY}')\r")
    shell.until("RETURN a")
    time.sleep(0.5)  # until the query runs
    output = shell.run("\x03", "KeyboardInterrupt")
    assert "Traceback" not in output
    shell.run("query('RETURN 40 + 2 AS x')", "│ 42 │")
    assert shell.exit() == 0
    assert Dataset.nodes.get(uid="typed")


@in_a_terminal
@pytest.mark.any_engine
def test_session_without_ipython(graph: Connection) -> None:
    with contextlib.closing(
        Terminal(prompt=PYTHON_PROMPT, program=("-c", WITHOUT_IPYTHON))
    ) as shell:
        banner = f"(?s)genai_graph [\\d.]+ on {graph.engine} at {graph.uri}.*Defined: Dataset, "
        assert re.search(banner, shell.start)
        shell.type("Datas\t")
        shell.until(r"Dataset\(")
        shell.run("name='typed').save()", "<Dataset typed>")
        shell.run("Dataset.nodes", "│ typed │")
        output = shell.run("Dataset(nme='a')", "did you mean 'name'")
        assert "PropertyError: Dataset.nme: " in output
        assert "Traceback" not in output
        assert "Traceback" in shell.run("1 / 0", "ZeroDivisionError")
        shell.run("query('RETURN 40 + 2 AS x')", "│ 42 │")
        shell.run("_[0]", "{'x': 42}")
        assert shell.exit() == 0
    assert Dataset.nodes.get(uid="typed")


@in_a_terminal
@pytest.mark.any_engine
@pytest.mark.slow
def test_history_is_kept_in_a_private_file(ipython: Open) -> None:
    shell = ipython()
    shell.run("print(6 * 7)", "42")
    assert shell.exit() == 0
    shell = ipython()
    shell.type("\x1b[A")
    shell.until(r"print\(6 \* 7\)")
    shell.run("", "42")
    assert shell.exit() == 0
    files = list(Path(os.environ["GENAI_GRAPH_HOME"]).glob("shell-history*"))
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@in_a_terminal
@pytest.mark.any_engine
@pytest.mark.slow
def test_sandbox_in_a_terminal_is_rolled_back(ipython: Open) -> None:
    shell = ipython("--sandbox")
    assert "(sandbox: rolled back at the end)" in shell.start
    shell.run("Dataset(name='typed').save()", "<Dataset typed>")
    shell.run("len(Dataset.nodes)", r"\b1\b")
    assert "rolled back" not in shell.run("query('MATCH (n')", "QueryError: ")
    shell.run("len(Dataset.nodes)", r"\b1\b")
    output = shell.run("query('UNWIND [1, 0] AS x RETURN 1 / x AS y')", "QueryError: ")
    assert "the sandbox was rolled back and starts over" in output
    shell.run("len(Dataset.nodes)", r"\b0\b")
    shell.run("Dataset(name='again').save()", "<Dataset again>")
    assert shell.exit() == 0
    assert len(Dataset.nodes) == 0


@in_a_terminal
@pytest.mark.any_engine
@pytest.mark.slow
def test_read_only_shell_in_a_terminal_rejects_writes(ipython: Open) -> None:
    shell = ipython("--read-only", "--print-cypher")
    assert "(read-only)" in shell.start
    shell.run("Dataset(name='typed').save()", "ReadOnlyError: the connection is read-only")
    output = shell.run("query('RETURN $x AS x', x='hunter2')", r"\$x: string of 7")
    assert "│ hunter2 │" in output
    assert shell.exit() == 0
    assert len(Dataset.nodes) == 0


# Without a terminal


def test_code_in_a_sandbox_is_rolled_back(graph: Connection, cli: Run) -> None:
    result = cli("shell", "--sandbox", "-c", "Dataset(name='a').save(); print(len(Dataset.nodes))")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert len(Dataset.nodes) == 0


def test_read_only_code_fails_to_write(graph: Connection, cli: Run) -> None:
    result = cli("shell", "--read-only", input="Dataset(name='a').save()")
    assert result.exit_code == 1
    assert result.stderr == ("the connection is read-only: connect without read_only to write\n")


def test_print_cypher_writes_statements_to_stderr(graph: Connection, cli: Run) -> None:
    result = cli("shell", "--print-cypher", "-", input="print(query('RETURN $a AS b', a='secret'))")
    assert result.stdout == "[{'b': 'secret'}]\n"
    assert "RETURN $a AS b\n  // $a: string of 6\n" in result.stderr
    assert "secret" not in result.stderr
    assert cli("shell", "-c", "query('RETURN 1 AS x')").stderr == ""


def test_a_file_is_run(graph: Connection, cli: Run) -> None:
    Path("scripts").mkdir()
    write_file("scripts/helper.py", "def count(nodes): return len(nodes)\n")
    code = "from helper import count\nprint(__name__, count(Dataset.nodes))\n"
    write_file("scripts/report.py", code)
    result = cli("shell", "scripts/report.py")
    assert (result.exit_code, result.output) == (0, "__main__ 0\n")
    write_file("scripts/report.py", f"{code}1 / 0\n")
    result = cli("shell", "scripts/report.py")
    assert result.exit_code == 1
    assert 'File "scripts/report.py", line 3' in result.stderr
    write_file("scripts/report.py", b"print('\xff')")
    assert cli("shell", "scripts/report.py").stderr == (
        "scripts/report.py: not UTF-8 text: save it as UTF-8\n"
    )
    result = cli("shell", "missing.py")
    assert result.exit_code == 1
    assert result.stderr == "missing.py: can't be read: No such file or directory\n"


def test_names_of_the_package_are_defined(cli: Run, graph: Connection) -> None:
    code = "Dataset(name='a').save(); print(Dataset.nodes.filter(Q(name='a'), created_at__lt="
    code += "datetime.now(timezone.utc) + timedelta(days=1)).count()); "
    code += "print(show(Dataset.nodes.get(name='a')).root); clear(); print(len(Dataset.nodes))"
    assert cli("shell", "-c", code).stdout == "1\nDataset a\n0\n"


@pytest.mark.parametrize("options", [["--sandbox", "--read-only"], ["-", "-c", "1"]])
def test_options_that_exclude_each_other_are_a_usage_error(cli: Run, options: list[str]) -> None:
    assert cli("shell", *options).exit_code == 2


# Display


def test_set_is_shown_without_a_connection() -> None:
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    assert pretty(Dataset.nodes) == repr(Dataset.nodes)


def test_sets_answers_and_subgraphs_are_shown_as_tables_and_trees(graph: Connection) -> None:
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    dataset = Dataset(name="d", license="MIT").save()
    model = Model(name="m").save()
    model.trained_on.connect(dataset)
    assert pretty(Dataset.nodes) == (
        "┏━━━━━┳━━━━━━━━━┓\n"
        "┃ uid ┃ license ┃\n"
        "┡━━━━━╇━━━━━━━━━┩\n"
        "│ d   │ MIT     │\n"
        "└─────┴─────────┘\n"
        "Dataset: 1"
    )
    assert pretty(model.trained_on) == pretty(Dataset.nodes)
    assert pretty([dataset, model]) == "[<Dataset d>, <Model m>]"
    assert pretty(Dataset.nodes.values_list("license")).splitlines()[3] == "│ MIT │"
    assert pretty(model.lineage()).endswith("└── -TRAINED_ON-> Dataset d")
    assert pretty(ask("dependency-share")).splitlines()[3:] == [
        "│ d       │ MIT     │ 1          │ 100.0   │",
        "└─────────┴─────────┴────────────┴─────────┘",
        "1 row",
    ]
    assert pretty(query("MATCH (n:Project) RETURN n")) == "0 rows"
    assert pretty([query("RETURN 1 AS x")]) == "[[{'x': 1}]]"
    assert pretty(Model(name="new").trained_on).startswith("<trained_on of ")
    Dataset.bulk_save([Dataset(name=f"d{number}") for number in range(30)])
    assert pretty(Dataset.nodes).endswith("Dataset: 31, … and 11 more: all() returns all of them")


# Completion


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('ask("lea', Completion("lea", ["leaderboard"])),
        ("rows = ask('lin", Completion("lin", ["lineage"])),
        (
            "ask('leaderboard', ",
            Completion("", ["dataset=", "limit=", "metric=", "split=", "unit="]),
        ),
        ('ask("leaderboard", lim', Completion("lim", ["limit="])),
        ("ask('orphans', ", Completion("", ["limit="])),
        ("ask('leaderboard', metric='acc@1', da", Completion("da", ["dataset="])),
        ("ask('leaderboard', metric='acc", None),
        ("ask('nonsense', da", None),
        ("query('MATCH (m:Mo", Completion("Mo", ["Model"])),
        ("query('MATCH (m:Model)-[:USED|TR", Completion("TR", ["TRAINED_ON"])),
        ("Model(framew", Completion("framew", ["framework="])),
        ("Model(name='a, (', framew", Completion("framew", ["framework="])),
        ("x = Model.upsert(framew", Completion("framew", ["framework="])),
        ("Model.nodes.filter(framew", Completion("framew", ["framework="])),
        (
            "Model.nodes.filter(name='a')[:3].exclude(num_parameters__g",
            Completion("num_parameters__g", ["num_parameters__gt=", "num_parameters__gte="]),
        ),
        ("(Model.nodes\n  .filter(trai", Completion("trai", ["trained_on__", "training_history="])),
        (
            "Model.nodes.get(trained_on__lic",
            Completion("trained_on__lic", ["trained_on__license="]),
        ),
        ("Model.nodes.order_by('-num", Completion("-num", ["-num_parameters"])),
        ('Model.nodes.values("uid", "fra', Completion("fra", ["framework"])),
        ("Model.nodes.prefetch_related('trai", Completion("trai", ["trained_on"])),
        ("model.trained_on.filter(lic", Completion("lic", ["license="])),
        ("models.order_by('fra", Completion("fra", ["framework"])),
        ("model.save(", None),
        ("print(fra", None),
        ("Model(name='x')", None),
        ("Datas", None),
        ("open('Image", None),
        ("x = {'uid': 'Image", None),
        ("(lambda: 1)(uid='Image", None),
        ("ask('leaderboard', *", None),
        ("", None),
    ],
)
def test_completion_without_the_database(code: str, expected: Completion | None) -> None:
    variables = {"model": Model(name="x"), "models": Model.nodes.filter(name="x")}
    assert complete(code, variables) == expected


def test_completion_of_uids(graph: Connection) -> None:
    both = Completion("Image", ["ImageNet-1K", "ImageNet-22K"])
    names = ("ImageNet-1K", "ImageNet-22K", "it's", "back\\slash", "two\nlines", "COCO")
    Dataset.bulk_save([Dataset(name=name) for name in names])
    Model(name="ImageNet-model").save()
    cases = {
        "ask('leaderboard', metric='acc@1', dataset='Image": both,
        'Dataset.nodes.get(uid="Image': both,
        "Model.nodes.all(); Dataset.nodes.filter(uid = 'Image": both,
        "query('MATCH (d:Dataset {uid: \"Image": both,
        "query(\n  'MATCH (d:Dataset {uid: \"Image": both,
        "Model(uid='Image": Completion("Image", ["ImageNet-model"]),
        "Dataset(uid='": Completion("", ["COCO", "ImageNet-1K", "ImageNet-22K"]),
        'Dataset(uid="it': Completion("it", ["it's"]),
        "Dataset(uid='nothing": Completion("nothing", []),
    }
    assert {code: complete(code) for code in cases} == cases


def test_completion_of_uids_is_limited(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "MAX_CANDIDATES", 3)
    Dataset.bulk_save([Dataset(name=name) for name in ("a1", "a2", "a3", "b1", "b2")])
    assert complete("Dataset(uid='") == Completion("", ["a1", "a2", "a3"])
    assert complete("Dataset(uid='b") == Completion("b", ["b1", "b2"])


def test_completion_without_a_server_has_no_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://localhost:1")
    assert complete("Dataset(uid='a") == Completion("a", [])


def test_completion_logs_no_statements(graph: Connection, cli: Run) -> None:
    code = 'from genai_graph.shell.completion import complete; complete("Dataset(uid=\'a")'
    assert cli("shell", "--print-cypher", "-c", code).stderr == ""
