"""Make the MLflow stores of tests/test_import_mlflow.py. Needs MLflow, not this package.

Run it in an environment with the version of MLflow that is to write the store:

    python -m venv /tmp/mlflow
    /tmp/mlflow/bin/pip install mlflow-skinny==3.17.2 sqlalchemy alembic
    /tmp/mlflow/bin/python make_store.py sqlite:////tmp/3.17.db && xz /tmp/3.17.db
    MLFLOW_ALLOW_FILE_STORE=true /tmp/mlflow/bin/python make_store.py file:///tmp/3.17-files
    tar -C /tmp -cJf 3.17-files.tar.xz 3.17-files

Versions 1.30.1 and 2.3.2 need `setuptools<80`; up to 2.22.4, `sqlalchemy<2.1` is needed. The
answers of MLflow's client are written next to the store, as NAME.json: the tests compare the graph
with them.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, ViewType
from mlflow.exceptions import MlflowException

VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
T0 = 1_760_000_000_000
HAS_DATASETS = VERSION >= (2, 4)
HAS_MODELS = VERSION >= (3, 0)


def add_run(
    client: MlflowClient,
    experiment: str,
    name: str,
    points: Any = (),
    params: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
    status: str = "FINISHED",
    start: int = T0,
) -> str:
    run = client.create_run(experiment, start_time=start, tags=tags or {}, run_name=name)
    run_id: str = run.info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, time, step) for key, value, time, step in points],
        params=[Param(key, str(value)) for key, value in (params or {}).items()],
    )
    if status != "RUNNING":
        client.set_terminated(run_id, status, end_time=start + 60_000)
    return run_id


def add_runs(client: MlflowClient) -> dict[str, str]:
    """Make runs of all sorts; return their ids, and those of the experiments, by name."""
    fraud = client.create_experiment(
        "fraud", tags={"team": "risk", "mlflow.note.content": "Card fraud"}
    )
    vision = client.create_experiment("/Shared/vision/cats")
    gone = client.create_experiment("gone")
    base = add_run(
        client,
        fraud,
        "base",
        [
            ("loss", 1.0, T0 + 1, 0),
            ("loss", 0.5, T0 + 2, 1),
            ("loss", 0.25, T0 + 3, 2),
            ("auc", 0.9, T0 + 4, 0),
            ("auc", 0.91, T0 + 5, 0),
            ("auc", 0.905, T0 + 5, 0),
        ],
        {"lr": 0.1, "seed": 42, "opt.name": "adam", "db_password": "hunter2"},
        {
            "mlflow.user": "ann",
            "mlflow.source.name": "train.py",
            "mlflow.source.git.commit": "abc123",
            "mlflow.source.git.repoURL": "https://user:pw@github.com/x/y.git",
            "mlflow.note.content": "first run",
            "mlflow.source.type": "LOCAL",
            "mlflow.log-model.history": "[]",
            "stage": "dev",
            "long": "x" * 400,
        },
    )
    odd_values = [
        ("nan", math.nan, T0, 0),
        ("inf", math.inf, T0, 0),
        ("neg", -math.inf, T0, 0),
        ("mixed", 1.0, T0, 0),
        ("mixed", math.nan, T0 + 1, 5),
        ("neg step", 3.0, T0, -2),
        ("val/acc", 0.5, T0, 3),
    ]
    add_run(client, fraud, "odd values", odd_values, {"random_state": "7"})
    add_run(client, fraud, "failed", status="FAILED", start=T0 + 86_400_000)
    add_run(client, fraud, "killed", status="KILLED")
    add_run(client, fraud, "running", [("loss", 3.0, T0, 0)], status="RUNNING")
    child = add_run(
        client, fraud, "child", [("loss", 2.0, T0, 0)], {"fold": 1}, {"mlflow.parentRunId": base}
    )
    add_run(client, fraud, "grandchild", tags={"mlflow.parentRunId": child})
    deleted = add_run(client, fraud, "deleted", [("loss", 9.0, T0, 0)])
    add_run(client, fraud, "orphan", tags={"mlflow.parentRunId": deleted})
    client.delete_run(deleted)
    name = "Größe <cat> 'quoted' %2F"
    params = {"param": "ünï\ncode", "empty": " "}
    add_run(client, vision, name, [("map 50", 0.7, T0, 0)], params)
    add_run(client, gone, "lost", [("loss", 1.0, T0, 0)])
    client.delete_experiment(gone)
    return {"fraud": fraud, "base": base, "child": child, "deleted": deleted}


def dataset(
    name: str,
    digest: str,
    context: str | None = None,
    source_type: str = "local",
    source: Any = None,
    schema: Any = None,
    profile: Any = None,
) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    def text(value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value)

    source = {"uri": f"/data/{name}.csv"} if source is None else source
    found = Dataset(name, digest, source_type, text(source), text(schema), text(profile))
    return DatasetInput(found, [InputTag("mlflow.data.context", context)] if context else [])


def add_datasets(client: MlflowClient, ids: dict[str, str]) -> None:
    columns = {"mlflow_colspec": [{"type": "long", "name": "a", "required": True}]}
    glue = {"path": "nyu-mll/glue", "config_name": "mrpc", "split": "test"}
    rows = {"num_rows": 1000, "num_elements": 5000}
    shape = {"features_shape": [200, 5]}
    signed = {"uri": "s3://b/k?X-Amz-Signature=zz"}
    table = {"delta_table_name": "c.s.t"}
    client.log_inputs(
        ids["base"],
        [
            dataset("transactions", "436c3a4c", "training", schema=columns, profile=rows),
            dataset("transactions", "99aa", "Validation", profile=shape),
            dataset("holdout", "h1", "eval", source="not json", profile="{broken"),
            dataset("calib", "c1", "calibration", "s3", signed),
            dataset("plain", "p1", None, "code", {"tags": {"a": "b"}}),
            dataset("mrpc", "m1", "testing", "hugging_face", glue, profile={"num_rows": 1725}),
            dataset("delta", "d1", "train", "delta_table", table, profile={"approx_count": 10}),
        ],
    )
    mnist = dataset("mnist", "mm", "training", "hugging_face", {"path": "ylecun/mnist"})
    client.log_inputs(ids["child"], [dataset("transactions", "436c3a4c", "training"), mnist])


def add_models(client: MlflowClient, ids: dict[str, str]) -> str:
    """Make logged models and their scores; return the id of the first one."""
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    fraud, base = ids["fraud"], ids["base"]
    first = client.create_logged_model(
        fraud, "fraud", base, tags={"kind": "xgb"}, params={"depth": "3"}, model_type="sklearn"
    )
    model_id: str = first.model_id
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(base, [LoggedModelOutput(model_id, 2)])
    second = client.create_logged_model(fraud, name="side", source_run_id=ids["child"])
    trash = client.create_logged_model(fraud, name="trash", source_run_id=base)
    client.delete_logged_model(trash.model_id)
    run_id = add_run(client, fraud, "evaluation")
    client.log_inputs(run_id, [dataset("holdout", "h1", "eval")], [LoggedModelInput(model_id)])
    on_holdout = ("holdout", "h1")
    client.log_batch(
        run_id,
        metrics=[
            Metric("acc", 0.8, T0, 4, model_id, *on_holdout),
            Metric("acc", 0.85, T0 + 1, 5, model_id, *on_holdout),
            Metric("acc", 0.7, T0, 0, second.model_id, *on_holdout),
            Metric("acc", 0.6, T0 + 9, 1),
            Metric("f1", math.nan, T0, 0, model_id, *on_holdout),
            Metric("nodata", 0.1, T0, 0, model_id),
            Metric("gone", 0.2, T0, 0, trash.model_id, *on_holdout),
        ],
    )
    return model_id


def add_registry(client: MlflowClient, ids: dict[str, str], model_id: str | None) -> None:
    client.create_registered_model("fraud", {"owner": "risk"}, "The fraud model")
    uri = "s3://bucket/fraud/"
    base = ids["base"]
    client.create_model_version("fraud", f"{uri}1", base, {"q": "ok"}, description="first")
    second = client.create_model_version("fraud", f"{uri}2", ids["child"])
    client.create_model_version("fraud", f"{uri}3", ids["deleted"])
    fourth = client.create_model_version("fraud", f"{uri}4")
    client.delete_model_version("fraud", fourth.version)
    if model_id is not None:
        client.create_model_version("fraud", f"models:/{model_id}", base)
        mlflow.genai.register_prompt("greet", "Hello {{name}}")
    if VERSION >= (2, 3):
        client.set_registered_model_alias("fraud", "champion", second.version)


def describe(client: MlflowClient) -> dict[str, Any]:
    """Return what MLflow's client says about the store."""
    search = getattr(client, "search_experiments", None) or client.list_experiments
    experiments = list(search(view_type=ViewType.ALL))
    ids = [experiment.experiment_id for experiment in experiments]
    runs = [
        describe_run(client, client.get_run(run.info.run_id))
        for run in client.search_runs(ids, "", ViewType.ALL)
    ]
    found: dict[str, Any] = {
        "version": mlflow.__version__,
        "experiments": [
            {
                "id": experiment.experiment_id,
                "name": experiment.name,
                "stage": experiment.lifecycle_stage,
                "tags": dict(experiment.tags),
            }
            for experiment in experiments
        ],
        "runs": runs,
        "models": [],
        "versions": [],
    }
    if HAS_MODELS:
        models = client.search_logged_models(ids)
        found["models"] = [describe_model(model) for model in models]
    try:
        versions = client.search_model_versions("name='fraud'")
    except MlflowException:  # no registry in file stores of old versions
        return found
    aliases = getattr(client.get_registered_model("fraud"), "aliases", {})
    found["versions"] = [
        {
            "name": version.name,
            "version": str(version.version),
            "source": version.source,
            "run": version.run_id,
            "status": version.status,
            "description": version.description,
            "tags": version.tags,
            "aliases": [name for name, of in aliases.items() if str(of) == str(version.version)],
        }
        for version in versions
    ]
    return found


def describe_run(client: MlflowClient, run: Any) -> dict[str, Any]:
    info, data = run.info, run.data
    found = {
        "id": info.run_id,
        "experiment": info.experiment_id,
        "name": getattr(info, "run_name", None) or data.tags.get("mlflow.runName"),
        "status": info.status,
        "start": info.start_time,
        "end": info.end_time,
        "user": data.tags.get("mlflow.user") or info.user_id,
        "stage": info.lifecycle_stage,
        "params": data.params,
        "tags": data.tags,
        "histories": {
            key: [
                [point.step, point.timestamp, str(point.value)]
                for point in client.get_metric_history(info.run_id, key)
            ]
            for key in data.metrics
        },
        "latest": {key: str(value) for key, value in data.metrics.items()},
    }
    if HAS_DATASETS:
        found["inputs"] = [
            {
                **dict(each.dataset),
                "contexts": [t.value for t in each.tags if t.key == "mlflow.data.context"],
            }
            for each in run.inputs.dataset_inputs
        ]
    if HAS_MODELS:
        found["outputs"] = [[each.model_id, each.step] for each in run.outputs.model_outputs]
        found["model_inputs"] = [each.model_id for each in run.inputs.model_inputs]
    return found


def describe_model(model: Any) -> dict[str, Any]:
    return {
        "id": model.model_id,
        "experiment": model.experiment_id,
        "name": model.name,
        "status": str(model.status),
        "type": model.model_type,
        "run": model.source_run_id,
        "created": model.creation_timestamp,
        "params": model.params,
        "tags": {key: value for key, value in model.tags.items() if not key.startswith("mlflow.")},
        "metrics": [
            [m.run_id, m.key, m.step, m.timestamp, str(m.value), m.dataset_name, m.dataset_digest]
            for m in model.metrics or []
        ],
    }


def main(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    ids = add_runs(client)
    model_id = None
    if HAS_DATASETS:
        add_datasets(client, ids)
    if HAS_MODELS:
        model_id = add_models(client, ids)
    try:
        add_registry(client, ids, model_id)
    except MlflowException as error:
        sys.stderr.write(f"no registry: {error}\n")
    path = uri.partition("://")[2].removeprefix("/").removesuffix(".db")
    with open(f"/{path.lstrip('/')}.json", "w") as file:
        json.dump(describe(client), file, indent=1, sort_keys=True)


if __name__ == "__main__":
    main(sys.argv[1])
