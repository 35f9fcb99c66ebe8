"""The types that a type checker infers for users of the package."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import ROOT

CODE = """
from genai_graph import Dataset, Experiment, Metric, Model, Project, query, load

def f(project: Project, model: Model, dataset: Dataset, run: Experiment) -> None:
    reveal_type(project.datasets.all())  # list[Dataset]
    reveal_type(dataset.trained_models.single())  # Model | None
    reveal_type([one.size for one in dataset.children])  # list[int | None]
    reveal_type(dataset.name)  # str
    if dataset.size is None:
        dataset.size = 1
    dataset.description = None
    reveal_type(Dataset.nodes.get(name="x"))  # Dataset
    reveal_type(Dataset.nodes.filter(name="x").all())  # list[Dataset]
    reveal_type(model.trained_on.filter(name="x").all())  # list[Dataset]
    reveal_type(Model(name="x").save())  # Model
    reveal_type(Model.upsert(name="x"))  # Model
    reveal_type(run.record("accuracy", 0.9).value)  # float
    reveal_type(dataset.created_at)  # datetime | None
    reveal_type(query("RETURN 1"))  # Rows
    reveal_type(query("RETURN 1")[0])  # dict[str, Any]
    reveal_type(Model.nodes.first())  # Model | None
    reveal_type(Model.nodes[0])  # Model
    reveal_type(Model.nodes[:2])  # NodeSet[Model]
    reveal_type(Model.nodes.values("uid")[0])  # dict[str, Any]
    reveal_type(project.models[0])  # Model
    reveal_type(project.models.filter(name="x").count())  # int
    reveal_type(project.models.get_or_create(name="x"))  # tuple[Model, bool]
    Model.nodes.cuont()  # error: [attr-defined]
    project.models.cuont()  # error: [attr-defined]
    project.datasets.connect(model)  # error: [arg-type]
    model.trained_on.connect("x")  # error: [arg-type]
    run.record(3)  # error: [arg-type]
"""


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The messages of mypy by line number."""
    file = tmp_path_factory.mktemp("typing") / "example.py"
    file.write_text(CODE)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = re.findall(r"example\.py:(\d+): (.*)", done.stdout)
    assert lines, done.stdout + done.stderr
    return {int(number): text for number, text in lines}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (number, line.split("# ")[1])
        for number, line in enumerate(CODE.splitlines(), 1)
        if "# " in line
    ],
)
def test_mypy_reports(messages: dict[int, str], number: int, expected: str) -> None:
    line = re.sub(r"\b(genai_graph|builtins|datetime)\.(\w+\.)*", "", messages[number])
    assert expected.removeprefix("error: ") in line, line
