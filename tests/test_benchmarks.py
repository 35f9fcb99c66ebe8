"""The benchmarks run, and write their page; how fast anything is, is not tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

from genai_graph import check, query
from genai_graph.database import Connection


def bench(*arguments: object, expected: int = 0) -> str:
    """Run the program on the tests' engine, and return what it prints on stderr."""
    folders = ["--results", Path("results").absolute(), "--output", Path("page.md").absolute()]
    command = [sys.executable, "-m", "benchmarks", *map(str, [*folders, *arguments])]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == expected, done.stderr
    return done.stderr


def test_a_run_writes_its_tables(embedded: Connection) -> None:
    Path("page.md").write_text(
        "# Page\n\n<!-- Made by `make bench`, not by hand, as far as the next mark. -->\nold\n"
        "<!-- Made by hand from here on. -->\nEnd.\n"
    )
    home = os.environ["GENAI_GRAPH_HOME"]
    bench("--sizes", 200, "--slow-size", 200, "--rounds", 1, "--home", home)
    page = Path("page.md").read_text()
    assert page.startswith("# Page\n")
    assert page.endswith("\nEnd.\n")
    assert "\nold\n" not in page
    parts = ("First load", "Second load", "Row by row", "Dump", "Check", "Questions", "Peak memory")
    for part in parts:
        assert f"### {part}" in page
    for contender in ("genai_graph.load", "one MERGE per row", "neomodel save() and connect()"):
        assert f"| {contender} |" in page
    assert str(ROOT) not in page
    assert not query("MATCH (n) RETURN n LIMIT 1")


def test_a_graph_that_is_not_empty_is_left_alone(embedded: Connection) -> None:
    query("CREATE (:Mine)", write=True)
    home = os.environ["GENAI_GRAPH_HOME"]
    told = bench("--sizes", 200, "--only", "load", "--home", home, expected=1)
    assert "is not empty" in told
    assert query("MATCH (n:Mine) RETURN count(n) AS count") == [{"count": 1}]


def test_the_graph_has_the_size_that_is_asked_for_and_no_faults() -> None:
    sys.path.insert(0, str(ROOT))
    from benchmarks import graph

    for entities in (200, 1001):
        graph.write(Path("graph.jsonl"), entities)
        assert sum(check("graph.jsonl")) == entities
