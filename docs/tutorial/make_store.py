"""Make mlflow.db, the MLflow store of docs/tutorial.md. Needs MLflow and scikit-learn.

    python -m venv /tmp/mlflow && /tmp/mlflow/bin/pip install mlflow==3.17.2
    mkdir /tmp/tutorial && cp make_store.py /tmp/tutorial/train.py && cd /tmp/tutorial
    LOGNAME=ann /tmp/mlflow/bin/python train.py && xz mlflow.db

It trains classifiers of handwritten digits: ordinary code with MLflow, which knows no graph.
"""

from __future__ import annotations

import warnings
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

SEED = 7
CLASSES = range(10)

digits = load_digits(as_frame=True)
frame: pd.DataFrame = digits.frame
train, test = train_test_split(frame, test_size=0.3, random_state=SEED, stratify=frame["target"])


def dataset(name: str, rows: pd.DataFrame) -> Any:
    """Return a dataset for MLflow."""
    return mlflow.data.from_pandas(rows, name=name, targets="target", source=f"s3://ml/{name}.csv")


TRAIN, TEST, ALL = (
    dataset("digits-train", train),
    dataset("digits-test", test),
    dataset("digits-all", frame),
)


def evaluate(model: Any, model_id: str) -> None:
    """Log the accuracy of a model on the test data."""
    predicted = model.predict(test.drop(columns="target"))
    score = accuracy_score(test["target"], predicted)
    mlflow.log_metric("test_accuracy", score, model_id=model_id, dataset=TEST)


def fit(model: Any, data: Any, rows: pd.DataFrame, name: str, **params: Any) -> str:
    """Train a model in the active run, log and evaluate it, and return its id."""
    mlflow.log_params({"estimator": type(model).__name__, **params})
    mlflow.log_input(data, context="training")
    model.fit(rows.drop(columns="target"), rows["target"])
    info = mlflow.sklearn.log_model(model, name=name, serialization_format="cloudpickle")
    mlflow.log_input(TEST, context="testing")
    evaluate(model, info.model_id)
    return str(info.model_id)


def sweep() -> None:
    """Train three models in runs that are nested in another one."""
    with mlflow.start_run(run_name="logistic regression"):
        for strength in (0.01, 0.1, 1.0):
            with mlflow.start_run(run_name=f"C={strength}", nested=True):
                model = LogisticRegression(C=strength, max_iter=200)
                fit(model, TRAIN, train, "logistic", C=strength, random_state=SEED)


def train_network() -> None:
    """Log a loss for each epoch."""
    with mlflow.start_run(run_name="network", tags={"team": "vision"}):
        model = MLPClassifier(hidden_layer_sizes=(32,), random_state=SEED)
        mlflow.log_params({"estimator": "MLPClassifier", "random_state": SEED, "hidden": 32})
        mlflow.log_input(TRAIN, context="training")
        values, target = train.drop(columns="target"), train["target"]
        for epoch in range(30):
            model.partial_fit(values, target, classes=np.array(CLASSES))
            loss = log_loss(target, model.predict_proba(values), labels=list(CLASSES))
            mlflow.log_metric("loss", loss, step=epoch)
        info = mlflow.sklearn.log_model(model, name="network", serialization_format="cloudpickle")
        evaluate(model, info.model_id)


def publish() -> None:
    """Register a support vector machine and a forest. The forest has seen the test data."""
    with mlflow.start_run(run_name="svm"):
        model_id = fit(SVC(C=10, gamma=0.001), TRAIN, train, "svm", C=10, random_state=SEED)
    mlflow.register_model(f"models:/{model_id}", "digits")
    with mlflow.start_run(run_name="forest"):
        forest = RandomForestClassifier(n_estimators=60, random_state=SEED)
        model_id = fit(forest, ALL, frame, "forest", n_estimators=60)
    mlflow.register_model(f"models:/{model_id}", "digits")
    mlflow.MlflowClient().set_registered_model_alias("digits", "champion", "2")


def main() -> None:
    """Train all models."""
    warnings.simplefilter("ignore")
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.create_experiment("digits", artifact_location="/tmp/tutorial/artifacts")
    mlflow.set_experiment("digits")
    sweep()
    train_network()
    publish()


if __name__ == "__main__":
    main()
