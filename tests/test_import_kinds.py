"""A kind of import of another package, which is installed by pip and found by its entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import Run

from genai_graph import Experiment, Project, import_from
from genai_graph.errors import FixtureError, SettingsError

MODULE = '''\
"""Import of notes: one line per run, "name value"."""

from pathlib import Path

from genai_graph.errors import SourceLocation
from genai_graph.importers.builder import RecordBuilder
from genai_graph.importers.kinds import Kind, Option
from genai_graph.importers.records import Read, Skipped, SourceInfo, Written
from genai_graph.ogm.uids import metric_uid

KIND = Kind(
    name="notes",
    summary="Import notes of runs.",
    description="FILE has a name and a value in each line.",
    reader="notes_import:records",
    sources="FILE",
    maximum_sources=1,
    options=(Option("first", "Only the first lines.", type=int, metavar="N"),),
    has_project=True,
)
BROKEN = "not a kind"


def records(file, *, context, first=None):
    lines = Path(file).read_text().splitlines()[:first]
    builder = RecordBuilder(f"notes:{file}")
    yield SourceInfo(f"{file} (notes)", item="lines", total=len(lines))
    project = context.project_name(context.project or "notes")
    builder.collect("Project", project, {}, SourceLocation(file))
    for number, line in enumerate(lines, 1):
        location = SourceLocation(file, number)
        name, _, value = line.partition(" ")
        yield Read("lines")
        if not value:
            yield Skipped(location, "lines", "without a value", message="expected a value")
            continue
        yield Written("lines")
        yield from builder.node("Experiment", name, {}, location)
        yield builder.edge(("Project", project, "HAS", "Experiment", name), location)
        term = context.metric("score")
        values = {"name": term.name, "value": float(value), **term.values}
        metric = metric_uid(name, term.name, None, term.split, None)
        yield builder.metric(metric, values, location)
        yield builder.edge(("Experiment", name, "HAS", "Metric", metric), location)
    yield from builder.finish()
'''
ENTRY_POINTS = """\
[genai_graph.importers]
notes = notes_import:KIND
absent = no_such_module:KIND
broken = notes_import:BROKEN
"""


@pytest.fixture
def notes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the package and put it on the path; return a file of notes."""
    directory = tmp_path_factory.mktemp("notes")
    wheel, target = directory / "notes_import-1.0-py3-none-any.whl", directory / "target"
    info = "notes_import-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("notes_import.py", MODULE)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: notes-import\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", ENTRY_POINTS)
        archive.writestr(f"{info}/RECORD", "")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    options = ["--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*command, *options, str(wheel)], check=True)
    monkeypatch.syspath_prepend(target)
    monkeypatch.setenv("PYTHONPATH", f"{target}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    file = Path("runs.txt")
    file.write_text("a 0.5\nb\nc 0.25\n")
    return file


@pytest.mark.slow
def test_a_kind_of_another_package_is_a_command(notes: Path, cli: Run) -> None:
    listed = cli("import", "--help").stdout
    assert "Import notes of runs." in listed
    assert "absent       (can't be loaded)" in listed
    failed = cli("import", "absent", "x", "--project", "y")
    assert failed.exit_code == 1
    assert "no_such_module:KIND can't be loaded" in failed.stderr
    described = cli("import", "notes", "--help").stdout
    for text in ("FILE has a name and a value", "--first N", "--project", "--map", "--dry-run"):
        assert text in described
    assert "--prune" not in described
    done = cli("import", "notes", notes, "-o", "-", "--namespace", "team", "--first", 2)
    assert done.exit_code == 0
    assert "runs.txt (notes): 1 of 2 lines (1 without a value)" in done.stderr
    assert "runs.txt:2: expected a value" in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()[1:]]
    assert [row["uid"] for row in rows if "node" in row] == ["a", "a/score", "team/notes"]
    done = cli("import", "notes", "missing.txt", "-o", "-")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "missing.txt: can't be read: No such file" in done.stderr
    process = subprocess.run(
        [sys.executable, "-m", "genai_graph", "import", "notes", notes, "-o", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.count('"Experiment"') > 2


def test_a_kind_of_another_package_has_the_options_of_all(graph: None, notes: Path) -> None:
    mapping = {"metrics": {"score": {"name": "accuracy", "split": "test"}}}
    report = import_from("notes", notes, project="risk", map=mapping)
    assert report.read == {"lines": 3}
    assert (report.written, report.skipped) == ({"lines": 2}, {"lines": {"without a value": 1}})
    assert {run.uid for run in Project.nodes.get(uid="risk").experiments.all()} == {"a", "c"}
    metric = Experiment.nodes.get(uid="a").metrics.all()[0]
    assert (metric.uid, metric.origin) == ("a/accuracy//test", "notes:runs.txt")
    again = import_from("notes", notes, project="risk", map=mapping)
    assert not [c for c in {**again.nodes, **again.edges}.values() if c.created or c.changed]
    with pytest.raises(FixtureError, match=r"runs.txt:2: expected a value"):
        import_from("notes", notes, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options", "problem"),
    [
        ("absent", {}, "import absent: no_such_module:KIND can't be loaded: ModuleNotFoundError"),
        ("broken", {}, "import broken: notes_import:BROKEN is not a Kind"),
        ("notes", {"frist": 1}, r"no option 'frist' \(did you mean 'first'\?\)"),
        ("notes", {"prune": True}, "prune: can't be used with notes"),
    ],
)
def test_invalid_kinds_and_options_are_errors(
    notes: Path, kind: str, options: dict[str, object], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        import_from(kind, notes, **options)
