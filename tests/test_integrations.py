"""Callbacks of training frameworks, each with the real package where it is small enough.

Lightning needs PyTorch, which is too large for the tests: its logger is tested against a stand-in
for the base class, with the calls that its documentation describes.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import types
from argparse import Namespace
from typing import Any

import numpy as np
import pytest
from conftest import Run as RunCommand

from genai_graph import Experiment, Metric, check, start_run
from genai_graph.database import Connection
from genai_graph.integrations.values import json_ready
from genai_graph.runs.journal_files import find_journals
from genai_graph.runs.summary import describe_run

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(1)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GENAI_GRAPH_OFFLINE", "1")
    yield
    for journal in find_journals():
        journal.delete()


def logged(uid: str = "r") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the metrics of a run, from its journal."""
    found = describe_run(uid)
    metrics = {row.pop("metric").removeprefix(f"{uid}/"): row for row in found["metrics"]}
    for journal in find_journals(uid):
        check(str(journal.path))
    return found.get("parameters", {}), metrics


KERAS_PROGRAM = """
import keras, numpy
from genai_graph import start_run
from genai_graph.integrations.keras import RunCallback

x = numpy.random.default_rng(1).normal(size=(120, 3))
y = (x[:, 0] > 0).astype(int)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
model.compile(optimizer=keras.optimizers.SGD(0.5), loss="binary_crossentropy")
with start_run(uid="r") as run:
    callbacks = [RunCallback(run, batches=True)]
    model.fit(x, y, epochs=3, batch_size=40, validation_split=0.5, verbose=0, callbacks=callbacks)
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_keras() -> None:
    """In a process of its own: after an import of JAX, forks of this one would warn."""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    program = [sys.executable, "-c", KERAS_PROGRAM]
    subprocess.run(program, env=environment, check=True, timeout=110)
    parameters, metrics = logged()
    assert parameters["epochs"] == 3
    assert parameters["optimizer"]["learning_rate"] == pytest.approx(0.5)
    assert {name: (row["points"], row["step"]) for name, row in metrics.items()} == {
        "loss": (3, 2),
        "val_loss": (3, 2),
        "batch%2Floss": (6, 5),
    }


def test_lightgbm() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from genai_graph.integrations.lightgbm import RunCallback

    data = lightgbm.Dataset(X, Y)
    options = {"objective": "binary", "metric": ["auc"], "verbose": -1, "num_threads": 1}
    with start_run(uid="r") as run:
        lightgbm.train(
            options, data, 5, valid_sets=[data], valid_names=["fit"], callbacks=[RunCallback(run)]
        )
    with start_run(uid="cv") as run:
        lightgbm.cv(options, data, 4, nfold=2, callbacks=[RunCallback(run)])
    parameters, metrics = logged()
    assert parameters["objective"] == "binary"
    assert {name: row["points"] for name, row in metrics.items()} == {"fit%2Fauc": 5}
    _, metrics = logged("cv")
    assert {name: row["points"] for name, row in metrics.items()} == {
        "valid%2Fauc": 4,
        "valid%2Fauc%2Fstdv": 4,
    }


def test_xgboost() -> None:
    xgboost = pytest.importorskip("xgboost")
    from genai_graph.integrations.xgboost import RunCallback

    data = xgboost.DMatrix(X, Y)
    options = {"objective": "binary:logistic", "nthread": 1}
    with start_run(uid="r") as run:
        xgboost.train(
            options,
            data,
            5,
            evals=[(data, "fit")],
            verbose_eval=False,
            callbacks=[RunCallback(run)],
        )
    _, metrics = logged()
    assert {name: row["points"] for name, row in metrics.items()} == {"fit%2Flogloss": 5}


def test_sklearn_search(embedded: Connection, cli: RunCommand) -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    from genai_graph.integrations.sklearn import log_search

    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 10.0]}, cv=3).fit(X, Y)
    with start_run(uid="r", name="search") as run:
        uids = log_search(run, search)
    assert cli("runs", "sync").exit_code == 0
    part = Experiment.nodes.get(uid=uids[1])
    assert (part.name, part.status, part.parameters) == ("candidate 1", "FINISHED", {"C": 10.0})
    assert part.part_of.get().uid == "r"
    mean = Metric.nodes.get(uid=f"{uids[1]}/mean_test_score")
    assert mean.value == pytest.approx(search.cv_results_["mean_test_score"][1])
    assert len(Metric.nodes.get(uid=f"{uids[1]}/split_test_score").values) == 3
    assert Experiment.nodes.get(uid="r").parameters["best_C"] in (0.1, 10.0)
    assert Metric.nodes.get(uid="r/best_score").value == pytest.approx(search.best_score_)


def test_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base class of the real package does nothing in these methods."""
    if importlib.util.find_spec("transformers") is None:
        stand_in = types.ModuleType("transformers")
        stand_in.TrainerCallback = type("TrainerCallback", (), {})  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "transformers", stand_in)
    module = importlib.import_module("genai_graph.integrations.transformers")
    values = {"learning_rate": 5e-5, "hub_token": "<HUB_TOKEN>", "optim": "adamw"}
    arguments = Namespace(to_sanitized_dict=lambda: values)
    with start_run(uid="r") as run:
        callback = module.RunCallback(run)
        for is_first in (True, False):
            state = Namespace(is_world_process_zero=is_first, global_step=10)
            callback.on_train_begin(arguments, state, None, model=None)
            callback.on_log(arguments, state, None, logs={"loss": 0.5, "epoch": 1, "note": "x"})
    parameters, metrics = logged()
    assert parameters == {"learning_rate": 5e-5, "optim": "adamw"}
    assert {name: (row["points"], row["step"]) for name, row in metrics.items()} == {
        "loss": (1, 10),
        "epoch": (1, 10),
    }


def test_lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning", "lightning.pytorch", "lightning.pytorch.loggers"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "lightning.pytorch.utilities", types.ModuleType("utilities"))
    logger, rank_zero = types.ModuleType("logger"), types.ModuleType("rank_zero")
    logger.Logger = type("Logger", (), {})  # type: ignore[attr-defined]
    rank_zero.rank_zero_only = lambda function: function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning.pytorch.loggers.logger", logger)
    monkeypatch.setitem(sys.modules, "lightning.pytorch.utilities.rank_zero", rank_zero)
    module = importlib.import_module("genai_graph.integrations.lightning")
    with start_run("fit", uid="r") as run:
        written = module.RunLogger(run)
        assert (written.name, written.version) == ("fit", "r")
        written.log_hyperparams(Namespace(lr=0.1, activation=np.tanh))
        written.log_metrics({"train_loss": np.float32(0.5)}, step=7)
    parameters, metrics = logged()
    assert parameters == {"lr": 0.1, "activation": "tanh"}
    assert metrics == {"train_loss": {"points": 1, "step": 7, "value": 0.5}}


def test_parameters_of_any_type() -> None:
    given = {1: [np.int64(2), (3, float("nan"))], "f": print, "n": None, "o": np.zeros(2)}
    assert json_ready(given) == {"1": [2, [3, "nan"]], "f": "print", "n": None, "o": "[0. 0.]"}
