"""Imports that are killed or interrupted at random moments, and repeated."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from test_import_again import STORE, content
from test_import_mlflow import unpack
from test_interrupted import LIMIT, interruptible

from genai_graph import clear, import_from, query

pytestmark = pytest.mark.slow

pexpect = pytest.importorskip("pexpect")
SEED = random.randrange(10**9)


def size_of_graph() -> int:
    return int(query("MATCH (n) RETURN count(n) AS count")[0]["count"])


def wait_for_nodes(minimum: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and size_of_graph() < minimum:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def settled_content() -> list[str]:
    """Return the content after the engine has ended the statement of a killed client."""
    found = content()
    while found != (found := content()):
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_a_killed_import_is_completed_by_the_next(graph: None) -> None:
    import_from("mlflow", unpack(STORE))
    complete, nodes = content(), size_of_graph()
    moments = random.Random(SEED)
    command = [sys.executable, "-m", "genai_graph", "import", "mlflow", STORE]
    for options in (["--batched", "--batch-size", "5"], ["--atomic"]):
        clear()
        minimum = moments.randrange(nodes) if "--batched" in options else 0
        with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
            wait_for_nodes(minimum, process)
            time.sleep(moments.uniform(0, 0.05 if minimum else 2.0))
            process.kill()
        # Each batch of nodes and edges is complete: nothing else is in the graph.
        assert set(settled_content()) <= set(complete), f"seed {SEED}"
        import_from("mlflow", STORE)
        assert content() == complete, f"seed {SEED}"


@pytest.mark.slow
def test_ctrl_c_leaves_whole_batches_and_no_file(
    graph: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_from("mlflow", unpack(STORE))
    complete, nodes = content(), size_of_graph()
    clear()
    spool = tmp_path / "spool"
    spool.mkdir()
    moments = random.Random(SEED)
    interrupted = 0
    while not interrupted:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "genai_graph", "import", "mlflow", STORE, "--batched", "--batch-size", "5"],
            encoding="utf-8",
            timeout=LIMIT,
            env={**os.environ, "TERM": "xterm", "TMPDIR": str(spool)},
            dimensions=(24, 300),
            preexec_fn=interruptible,
        )
        child.expect("nodes")
        minimum = moments.randrange(nodes)
        while child.isalive() and size_of_graph() < minimum:
            time.sleep(0.002)
        child.sendintr()
        output = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", child.read())
        child.close()
        assert "Traceback" not in output
        if child.exitstatus == 0:  # the import was faster
            clear()
            continue
        interrupted += 1
        assert child.exitstatus == 130, f"{output} (seed {SEED})"
        words = " ".join(output.split())  # the width of the terminal may be that of another one
        assert "import again to write the rest" in words, words
        assert output.rstrip().endswith("interrupted")
    assert not list(spool.iterdir()), "the records of the import are deleted"
    assert set(settled_content()) <= set(complete), f"seed {SEED}"
    import_from("mlflow", STORE)
    assert content() == complete, f"seed {SEED}"


def test_the_bar_shows_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = (
        "import time\n"
        "from genai_graph.cli.progress_bar import show_progress\n"
        "with show_progress() as progress:\n"
        "    progress.start('reading', None, 'runs')\n"
        "    for _ in range(10):\n"
        "        time.sleep(0.1)\n"
        "        progress.advance(1000)\n"
    )
    child = pexpect.spawn(
        sys.executable,
        ["-c", script],
        encoding="utf-8",
        timeout=LIMIT,
        env={**os.environ, "TERM": "xterm"},
        dimensions=(24, 120),
    )
    child.expect(r"reading.*[0-9],000 runs, [0-9,]+ per second")
    child.expect(pexpect.EOF)
