"""The wheel: its content, and the types that it gives to a program in a fresh environment."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, untimed

# Dependencies are installed from the package index.
pytestmark = pytest.mark.slow

PROGRAM = """
from genai_graph import Dataset, Experiment, Model, connect, load, query

with connect():
    report = load("team.yaml")
    created: int = report.nodes["Dataset"].created
    created = report.nodes["Dataset"].label  # [attr-defined]
    load("team.yaml", dryrun=True)  # [call-arg]
    dataset = Dataset(name="transactions").save()
    name: str = dataset.name
    size: int = dataset.size  # [assignment]
    dataset.size = "large"  # [assignment]
    dataset.size = 3
    dataset.colour  # [attr-defined]
    model = Model.nodes.get(name="xgb")
    model.trained_on.connect(dataset)
    model.trained_on.connect(model)  # [arg-type]
    value: float = Experiment(name="run").save().record("accuracy", 0.9).value
    first: str = query("RETURN 1")  # [assignment]
"""


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, so that no earlier build can add a file."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # Directories that must not become packages of the wheel.
    for name in ("genai_graph", "tests", "benchmarks", "fixtures"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", "."]
    output = run(*command, cwd=source)
    assert "warning" not in output.lower()
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment, and return its interpreter."""
    folder = tmp_path_factory.mktemp("fresh")
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    with untimed():
        run(sys.executable, "-m", "venv", folder, cwd=folder)
        run(python, "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return python


def test_the_wheel_has_the_files_of_the_package_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        contents = {name: archive.read(name) for name in names}
    inside = {name for name in names if ".dist-info/" not in name}
    assert len(names) == len(set(names))
    assert inside == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "genai_graph").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".LICENSE"
    }
    assert "genai_graph/py.typed" in inside
    digests = [hashlib.sha256(text).hexdigest() for text in contents.values() if text]
    assert len(digests) == len(set(digests))
    assert sum(name.endswith("LICENSE") for name in names) == 2  # one of Cytoscape.js


def test_the_wheel_is_installed_with_its_dependencies(installed: Path, tmp_path: Path) -> None:
    assert "load" in run(installed, "-m", "genai_graph", "--help", cwd=tmp_path)


def test_the_types_of_the_installed_package_find_mistakes(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    reported = re.findall(r"^program\.py:(\d+): error: .*(\[[\w-]+\])$", done.stdout, re.MULTILINE)
    expected = [
        (str(number), code[0])
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        if (code := re.findall(r"# (\[[\w-]+\])$", line))
    ]
    assert reported == expected, done.stdout + done.stderr


def test_the_running_version_of_python_is_listed() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = [int(minor) for minor in re.findall(r'"Programming Language.*:: 3\.(\d+)"', pyproject)]
    oldest = re.search(r'^requires-python = ">=3\.(\d+)"$', pyproject, re.MULTILINE)
    assert oldest is not None
    assert listed == list(range(int(oldest[1]), max(listed) + 1))
    assert sys.version_info.minor in listed
