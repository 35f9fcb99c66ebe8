"""The shell in a real terminal, and what it completes."""

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
from conftest import Run
from test_cli import interruptible

from genai_graph import Connection, Dataset, Model, load
from genai_graph.shell import completion
from genai_graph.shell.completion import Completion, complete

LIMIT = 30
PROMPTS = {"python": r">>> ", "ipython": r"In \[\d+\]: "}
LONG = "UNWIND range(1, 10000) AS a UNWIND range(1, 1000) AS b WITH a, b WHERE a = -b RETURN a"
in_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")


# In a terminal


class Terminal:
    """The shell, and what is on its screen since the last key."""

    def __init__(self, interface: str, *options: str) -> None:
        import pexpect

        self.prompt = PROMPTS[interface]
        # What IPython leaves to the one who types.
        self.quote, self.bracket = ("'", "(") if interface == "ipython" else ("", "")
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "genai_graph", "shell", "--interface", interface, *options],
            encoding="utf-8",
            timeout=LIMIT,
            dimensions=(50, 200),
            env={
                **os.environ,
                "TERM": "xterm",
                "IPYTHONDIR": os.getcwd(),
                "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody answers where the cursor is
            },
            preexec_fn=interruptible,
        )
        self.type = self._child.send
        self.key = self._child.sendcontrol
        self.start = self.until(self.prompt)

    def until(self, pattern: str) -> str:
        """Wait for a text on the screen, and return what is there without its colours."""
        import pexpect

        seen = ""
        while not re.search(pattern, seen):
            try:
                seen += self._child.read_nonblocking(10_000, timeout=LIMIT)
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                raise AssertionError(f"expected {pattern!r}, seen {seen!r}") from error
            seen = re.sub(r"\x1b(\[[\d;?]*[a-zA-Z]|[=>]|\][^\x07]*\x07)", "", seen)
        return seen

    def run(self, line: str, answer: str) -> str:
        """Type a line, and wait for its answer and the next prompt."""
        self.type(f"{line}\r")
        return self.until(f"(?s){answer}.*{self.prompt}")

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        import pexpect

        self._child.expect(pexpect.EOF)
        self.close()
        return int(self._child.exitstatus)

    def close(self) -> None:
        self._child.close(force=True)


Open = Callable[..., Terminal]


@pytest.fixture(params=PROMPTS)
def terminal(request: pytest.FixtureRequest, graph: Connection) -> Iterator[Open]:
    with contextlib.ExitStack() as stack:
        yield lambda *options: stack.enter_context(
            contextlib.closing(Terminal(request.param, *options))
        )


@in_a_terminal
@pytest.mark.any_engine
def test_a_session_in_a_terminal(terminal: Open, graph: Connection) -> None:
    Dataset(name="ImageNet-1K").save()
    shell = terminal()
    banner = f"genai_graph [\\d.]+ on {graph.engine} at {graph.uri}; at hand: Dataset, .*query"
    assert re.search(banner, shell.start)

    shell.type("print(len(Dataset.nodes.get(uid='Imag\t")
    shell.until("ImageNet-1K")
    assert "11" in shell.run(f"{shell.quote}).uid))", r"\b11\b")
    shell.type("ask('depend\t")
    shell.until("dependency-share")
    shell.run(f"{shell.quote})", r"\[\]")
    shell.type("Datas\t")
    shell.until("Dataset")
    shell.run(f"{shell.bracket}name='typed').save()", "<Dataset typed>")

    told = shell.run("Dataset(nme='a')", "did you mean 'name'")
    assert "PropertyError: Dataset.nme: Dataset has no such property" in told
    assert "Traceback" not in told
    assert "Traceback" in shell.run("1 / 0", "ZeroDivisionError")

    shell.type("half a line")
    shell.until("half a line")
    shell.key("c")
    shell.run("6 * 7", r"\b42\b")
    shell.type(f"query('{LONG}')\r")
    shell.until("RETURN a")
    time.sleep(0.5)  # until it runs
    told = shell.run("\x03", "KeyboardInterrupt")
    assert "Traceback" not in told
    shell.run("query('RETURN 40 + 2 AS x')", r"'x': 42")

    shell.key("d")
    assert shell.end() == 0
    assert Dataset.nodes.get(uid="typed")


@in_a_terminal
@pytest.mark.any_engine
def test_what_was_typed_is_kept_for_the_next_session_in_a_private_file(terminal: Open) -> None:
    shell = terminal()
    shell.run("print(6 * 7)", "42")
    shell.key("d")
    assert shell.end() == 0
    shell = terminal()
    shell.type("\x1b[A")
    shell.until(r"print\(6 \* 7\)")
    shell.run("", "42")
    shell.key("d")
    assert shell.end() == 0
    files = list(Path(os.environ["GENAI_GRAPH_HOME"]).glob("shell-history*"))
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@in_a_terminal
@pytest.mark.any_engine
def test_a_sandbox_in_a_terminal_is_rolled_back(terminal: Open) -> None:
    shell = terminal("--sandbox")
    assert "in a sandbox: nothing is kept" in shell.start
    shell.run("Dataset(name='typed').save()", "<Dataset typed>")
    shell.run("len(Dataset.nodes)", r"\b1\b")
    told = shell.run("query('MATCH (n')", "QueryError: ")
    assert "the sandbox was rolled back and starts over" in told
    shell.run("len(Dataset.nodes)", r"\b0\b")
    shell.run("Dataset(name='again').save()", "<Dataset again>")
    shell.key("d")
    assert shell.end() == 0
    assert len(Dataset.nodes) == 0


@in_a_terminal
@pytest.mark.any_engine
def test_a_read_only_shell_in_a_terminal_refuses_to_write(terminal: Open) -> None:
    shell = terminal("--read-only", "--print-cypher")
    assert "(read-only)" in shell.start
    shell.run("Dataset(name='typed').save()", "ReadOnlyError: the connection is read-only")
    told = shell.run("query('RETURN $x AS x', x='hunter2')", r"\$x: string of 7")
    assert "[{'x': 'hunter2'}]" in told
    shell.key("d")
    assert shell.end() == 0
    assert len(Dataset.nodes) == 0


# Without one


def test_code_in_a_sandbox_leaves_nothing(graph: Connection, cli: Run) -> None:
    result = cli("shell", "--sandbox", "-c", "Dataset(name='a').save(); print(len(Dataset.nodes))")
    assert (result.exit_code, result.stdout) == (0, "1\n")
    assert len(Dataset.nodes) == 0


def test_code_that_may_only_read_is_told_so(graph: Connection, cli: Run) -> None:
    result = cli("shell", "--read-only", input="Dataset(name='a').save()")
    assert result.exit_code == 1
    assert result.stderr == ("the connection is read-only: connect without read_only to write\n")


def test_statements_are_printed_beside_the_output(graph: Connection, cli: Run) -> None:
    result = cli("shell", "--print-cypher", "-", input="print(query('RETURN $a AS b', a='secret'))")
    assert result.stdout == "[{'b': 'secret'}]\n"
    assert "RETURN $a AS b\n  // $a: string of 6\n" in result.stderr
    assert "secret" not in result.stderr
    assert cli("shell", "-c", "query('RETURN 1 AS x')").stderr == ""


@pytest.mark.parametrize("options", [["--sandbox", "--read-only"], ["-", "-c", "1"]])
def test_options_that_contradict_each_other_are_a_usage_error(cli: Run, options: list[str]) -> None:
    assert cli("shell", *options).exit_code == 2


# Completion


UIDS = Completion("Image", ["ImageNet-1K", "ImageNet-22K"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('ask("lea', Completion("lea", ["leaderboard"])),
        ("rows = ask('lin", Completion("lin", ["lineage"])),
        ("ask('leaderboard', ", Completion("", ["dataset=", "limit=", "metric="])),
        ('ask("leaderboard", lim', Completion("lim", ["limit="])),
        ("ask('orphans', ", Completion("", ["limit="])),
        ("ask('leaderboard', metric='acc@1', da", Completion("da", ["dataset="])),
        ("ask('leaderboard', metric='acc", None),
        ("ask('nonsense', da", None),
        ("query('MATCH (m:Mo", Completion("Mo", ["Model"])),
        ("query('MATCH (m:Model)-[:USED|TR", Completion("TR", ["TRAINED_ON"])),
        ("Datas", None),
        ("open('Image", None),
        ("x = {'uid': 'Image", None),
        ("", None),
    ],
)
def test_completion_of_what_needs_no_graph(code: str, expected: Completion | None) -> None:
    assert complete(code) == expected


def test_completion_of_uids(graph: Connection) -> None:
    names = ("ImageNet-1K", "ImageNet-22K", "it's", "back\\slash", "two\nlines", "COCO")
    Dataset.bulk_save([Dataset(name=name) for name in names])
    Model(name="ImageNet-model").save()
    cases = {
        "ask('leaderboard', metric='acc@1', dataset='Image": UIDS,
        'Dataset.nodes.get(uid="Image': UIDS,
        "Model.nodes.all(); Dataset.nodes.filter(uid = 'Image": UIDS,
        "query('MATCH (d:Dataset {uid: \"Image": UIDS,
        "query(\n  'MATCH (d:Dataset {uid: \"Image": UIDS,
        "Model(uid='Image": Completion("Image", ["ImageNet-model"]),
        "Dataset(uid='": Completion("", ["COCO", "ImageNet-1K", "ImageNet-22K"]),
        'Dataset(uid="it': Completion("it", ["it's"]),
        "Dataset(uid='nothing": Completion("nothing", []),
    }
    assert {code: complete(code) for code in cases} == cases


def test_no_more_uids_are_asked_for_than_are_shown(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "LIMIT", 3)
    with open("f.yaml", "w", encoding="utf-8") as file:
        file.write("format: genai_graph/1\nDataset: {a1: {}, a2: {}, a3: {}, b1: {}, b2: {}}\n")
    load("f.yaml")
    found = complete("Dataset(uid='")
    assert found is not None
    assert (len(found.candidates), found.is_whole) == (3, False)
    assert complete("Dataset(uid='a") == Completion("a", ["a1", "a2", "a3"])


def test_nothing_is_completed_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete("Dataset(uid='a") == Completion("a", [])


def test_completion_prints_no_statements(graph: Connection, cli: Run) -> None:
    code = 'from genai_graph.shell.completion import complete; complete("Dataset(uid=\'a")'
    assert cli("shell", "--print-cypher", "-c", code).stderr == ""
