"""The types that type checkers infer for users of the package, and the mistakes that they find."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from genai_graph import type_stubs

pytestmark = pytest.mark.slow

INFERRED = """
from genai_graph import Count, Dataset, Experiment, Metric, Model, Project, Q, query, load

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
    reveal_type(Model.nodes[:2])  # ModelSet
    reveal_type(Model.nodes.values("uid")[0])  # dict[str, Any]
    reveal_type(project.models[0])  # Model
    reveal_type(project.models.filter(name="x").count())  # int
    reveal_type(project.models[:2])  # NodeSet[Model]
    reveal_type(project.models.get_or_create(name="x"))  # tuple[Model, bool]
    reveal_type(model.trained_on.connect(dataset, {"role": "test"}).role)  # str | None
    reveal_type(list(run.models.edges())[0].step)  # int | None
    reveal_type(Model.nodes.annotate(n=Count("metrics")).filter(n__gt=1)[0])  # Model
"""

VALID = """
from datetime import date, datetime, timezone
from decimal import Decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genai_graph import Dataset, Experiment, Metric, Model, Project, Q

def f(project: Project, model: Model, dataset: Dataset, run: Experiment) -> None:
    now = datetime.now(timezone.utc)
    Dataset(name="x", location=Path("x"), size=3, version=None, tags=("a", "b"), created_at=now)
    Model(name="x", status="READY", hyperparameters={"lr": 0.1}, metadata=[1])
    Model(**model.to_dict())
    values: dict[str, Any] = {"name": "x", "team": "risk"}
    Model(**values)
    Model.upsert(**values)
    Model.upsert(uid="x@1", description=None)
    Metric(uid="m", name="x", value=3, ci_lower=Decimal(1))
    Experiment(parameters={"lr": 0.1}, started_at="2026-03-01T00:00:00Z")
    Model.nodes.filter(Q(name="x") | Q(size__gt=1), projects__name="fraud", pk__in=["a"])
    Model.nodes.filter(experiments=run, task=None, tags__contains="x", name__in={"a", "b"})
    Model.nodes.filter(created_at__date__gte=date.today(), created_at__year=2026)
    Model.nodes.filter(trained_on__name="x").exclude(status="READY").order_by("-size").first()
    Experiment.nodes.filter(parameters__contains={"depth": 4})
    model.parents.connect(model, {"kind": "merged"})
    model.trained_on.connect(dataset, {"role": "training", "split": None})
    run.record("accuracy", 0.9, unit="%", greater_is_better=True)
    Dataset.nodes.update(license="MIT", size=None)
"""

MISTAKES = """
from genai_graph import Dataset, Experiment, Model, Project, ask

def f(project: Project, model: Model, dataset: Dataset, run: Experiment) -> None:
    model.framwork  # attribute that does not exist
    model.framwork = "x"  # assignment to it
    dataset.size = "large"  # value of the wrong type
    model.tags = "x"  # string for a list
    dataset.size + 1  # value that may be None
    model.trained_on.connect(project)  # node of the wrong class
    model.trained_on.single().name  # related node that may be None
    Model.nodes.cuont()  # method of a set
    project.models.cuont()  # method of a relationship
    Model.nodes.get("xgb")  # uid without a keyword
    run.record("accuracy", "high")  # value of a metric
    run.record("accuracy", 0.9, units="%")  # property of a metric
    Model(nmae="x")  # keyword of a constructor
    Model(name=None)  # None for a required value
    Model(name="x", size="large")  # value in a constructor
    Model(name="x", status="DONE")  # choice
    Model.upsert(name="x", framwork="y")  # keyword of upsert
    Model.nodes.filter(num_parameters__gt="many")  # value in a filter
    Model.nodes.filter(status="DONE")  # choice in a filter
    Model.nodes.create(name="x", framwork="y")  # keyword of create
    model.trained_on.connect(dataset, {"rol": "test"})  # property of an edge
    model.trained_on.connect(dataset, {"role": "tset"})  # choice of an edge
    project.models.filter(name="x").connect(model)  # method of a relationship, called on a set
    class Sub(Model): pass  # subclass of a final class
"""


def run_mypy(code: str, directory: Path) -> dict[int, str]:
    """Return the messages of mypy --strict by line number."""
    file = directory / "example.py"
    file.write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    lines = re.findall(r"example\.py:(\d+): (error.*|note: Revealed.*)", done.stdout)
    return {int(number): text for number, text in lines}


def run_pyright(code: str, directory: Path) -> dict[int, str]:
    """Return the errors of pyright by line number."""
    pytest.importorskip("basedpyright")
    (directory / "example.py").write_text(code)
    config = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)]}
    (directory / "pyrightconfig.json").write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "example.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1: one["message"] for one in found}


Check = Callable[[str, Path], dict[int, str]]
CHECKERS = pytest.mark.parametrize("check", [run_mypy, run_pyright])


def comments(code: str) -> dict[int, str]:
    """Return the comments of a program by line number."""
    lines = enumerate(code.splitlines(), 1)
    return {number: line.split("  # ")[1] for number, line in lines if "  # " in line}


def test_the_generated_types_are_up_to_date() -> None:
    text = (ROOT / "genai_graph" / "signatures.pyi").read_text(encoding="utf-8")
    assert text == type_stubs.render(), "run  make reference"


def test_inferred_types(tmp_path: Path) -> None:
    messages = run_mypy(INFERRED, tmp_path)
    for number, expected in comments(INFERRED).items():
        revealed = re.sub(
            r"\b(genai_graph|builtins|datetime|typing)\.(\w+\.)*", "", messages[number]
        )
        assert revealed == f'note: Revealed type is "{expected}"', number
    assert messages.keys() == comments(INFERRED).keys()


@CHECKERS
def test_valid_code_has_no_errors(check: Check, tmp_path: Path) -> None:
    assert check(VALID, tmp_path) == {}


@CHECKERS
def test_mistakes_are_found(check: Check, tmp_path: Path) -> None:
    found = check(MISTAKES, tmp_path)
    missed = [text for number, text in comments(MISTAKES).items() if number not in found]
    assert missed == []
