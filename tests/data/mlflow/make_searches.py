"""Make the MLflow store of tests/test_search_mlflow.py and MLflow's answers to filter strings.

The filter strings are of each kind that MLflow documents for runs, experiments and logged models.
Run it in an environment with MLflow, as described in make_store.py; this package is not needed:

    /tmp/mlflow/bin/python make_searches.py /tmp/searches.db && xz /tmp/searches.db

The answers are written next to the store, as searches.json: the names that each filter finds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

T0 = 1_760_000_000_000
RUNS = [
    "metrics.accuracy > 0.72",
    "metrics.accuracy >= 0.7",
    "metrics.accuracy = 0.7",
    "metrics.accuracy != 0.7",
    "metric.loss < 0.3",
    "metrics.loss <= 3e-1",
    "metrics.loss > -1.5",
    'metrics."f1 score" > 0.5',
    "metrics.`f1 score` > 0.5",
    "metrics.`f1 score` < 0.5 and metrics.loss > 0.5",
    'metrics."2019-04-02 error rate" < 1',
    "metrics.`val/loss` = 0.25",
    "metrics.m1 != -2",
    "params.model = 'GPT-3'",
    'params.model = "GPT-3" and params.lambda = "0.001" and metrics.loss <= 0.55',
    "params.model != 'GPT-3'",
    "params.model LIKE 'GPT%'",
    "params.model LIKE 'gpt%'",
    "params.model ILIKE 'gpt%'",
    "params.model LIKE '%3_'",
    "params.`model` LIKE '%.5'",
    "parameters.lambda = '0.001'",
    "param.lambda = '0.010'",
    "params.batch_size = '2'",
    "params.batch_size LIKE '%2%'",
    'params."model-type" = "tree"',
    "params.opt.name = 'adam'",
    "params.`opt.name` ILIKE 'ADAM'",
    'params.quote = "it\'s"',
    "params.percent LIKE '100%'",
    "params.model IS NULL",
    "params.model IS NOT NULL",
    "params.model is not null AND params.lambda = '0.001'",
    "params.model = ''",
    "tags.environment = 'notebook'",
    "tags.environment != 'notebook'",
    "tags.task = 'causal lm'",
    "tags.task ILIKE '%CLASS%'",
    "tags.task LIKE 'CLASS%'",
    "tags.`task` IS NULL",
    "tags.task IS NOT NULL AND tags.environment = 'notebook'",
    "tags.`mlflow.user` = 'ann'",
    "tags.mlflow.user != 'ann'",
    "tags.mlflow.source.name LIKE '%.py'",
    "tags.`mlflow.runName` = 'run-3'",
    "tags.mlflow.parentRunId IS NOT NULL",
    "tags.`a.b/c` = '1'",
    'tags."key with = sign" = "x=y"',
    "tag.environment = 'notebook'",
    "attributes.status = 'FAILED'",
    "attributes.status != 'FINISHED'",
    "status = 'RUNNING'",
    'attributes.status ILIKE "fin%"',
    "attr.status = 'FINISHED' and metrics.accuracy > 0.5",
    "run.status = 'FINISHED'",
    "attributes.run_name = 'run-3'",
    "attributes.`run name` LIKE 'run-%'",
    "attributes.`Run Name` ILIKE 'RUN-_'",
    f"attributes.start_time >= {T0 + 300_000}",
    f"attributes.created < {T0 + 60_000}",
    f"attributes.Created > {T0}",
    f"start_time = {T0 + 120_000}",
    f"start_time != {T0 + 120_000}",
    f"attributes.end_time > {T0 + 330_000}",
    "attributes.user_id = 'ann'",
    "user_id LIKE 'b%'",
    "attributes.run_id = '{run-3}'",
    "attributes.run_id IN ('{run-1}', '{run-4}')",
    "run_id NOT IN ('{run-1}', '{run-4}')",
    "datasets.name = 'custom'",
    "dataset.name = 'custom'",
    "datasets.name LIKE '%custom'",
    "dataset.name IN ('custom', 'other')",
    "datasets.digest = 's8ds293b'",
    "dataset.digest LIKE 's8%'",
    "datasets.context = 'train'",
    "dataset.context = 'test'",
    "dataset.name = 'custom' AND dataset.context = 'train' AND metrics.accuracy > 0.1",
    "  metrics.accuracy>0.5   AND   params.model='GPT-3'  ",
]
EXPERIMENTS = [
    "attribute.name = 'x-one'",
    "name = 'x-one'",
    "attribute.name LIKE 'x%'",
    "name ILIKE 'X%'",
    "name != 'x-one'",
    "tags.group != 'x'",
    "tags.group ILIKE '%x%'",
    "attribute.name LIKE 'x%' AND tags.group = 'y'",
]
MODELS = [
    "params.depth = '3'",
    "metrics.acc > 0.5",
    "metrics.acc > 0.5 AND params.depth = '3'",
    "tags.kind = 'xgb'",
    "name = 'first'",
    "name LIKE '%d'",
]


def add_runs(client: MlflowClient) -> dict[str, str]:
    """Make runs with values that are missing in some; return their ids by name."""
    experiment, other, *_ = (
        client.create_experiment(name, f"/data/{name}", tags={"group": group})
        for name, group in (("x-one", "Xy"), ("X-two", "x"), ("third", "y"), ("x-four", "y"))
    )
    models = ["GPT-2", "GPT-3", "GPT-3.5", "GPT-4", "gpt-mini"]
    tasks = ["classification", "regression", "causal lm"]
    ids: dict[str, str] = {}
    for i in range(10):
        name = f"run-{i}" if i < 9 else "last"
        tags = {"mlflow.user": "ann" if i % 2 else "bob", "mlflow.source.name": f"train{i}.py"}
        tags |= {"task": tasks[i]} if i < 3 else {}
        tags |= {"environment": "notebook" if i < 5 else "job"} if i < 8 else {}
        tags |= {"a.b/c": "1", "key with = sign": "x=y"} if i == 4 else {}
        tags |= {"mlflow.parentRunId": ids["run-0"]} if i == 6 else {}
        start = T0 + i * 60_000
        where = experiment if i < 7 else other
        run = client.create_run(where, start_time=start, tags=tags, run_name=name)
        ids[name] = run.info.run_id
        params: dict[str, str] = {"lambda": ["0.001", "0.010"][i % 2], "batch_size": str(2 + i % 2)}
        params |= {"model": models[i]} if i < 5 else {}
        params |= {"model-type": "tree", "opt.name": "adam", "quote": "it's"} if i == 1 else {}
        params |= {"percent": "100% sure"} if i == 2 else {}
        metrics = {"accuracy": i / 10, "loss": 1 - i / 10, "val/loss": i / 8, "m1": -i}
        metrics |= {"f1 score": i / 10, "2019-04-02 error rate": i / 5} if i != 5 else {}
        client.log_batch(
            ids[name],
            metrics=[Metric(key, value, T0, 0) for key, value in metrics.items()],
            params=[Param(key, value) for key, value in params.items()],
        )
        if i < 8:
            source = '{"uri": "/data.csv"}'
            name, digest = ("custom", "s8ds293b") if i < 4 else ("also custom", "jks834s2")
            context = InputTag("mlflow.data.context", "train" if i < 6 else "test")
            found = DatasetInput(Dataset(name, digest, "local", source), [context])
            client.log_inputs(run.info.run_id, [found])
        status = {3: "FAILED", 4: "KILLED", 9: "RUNNING"}.get(i, "FINISHED")
        if status != "RUNNING":
            client.set_terminated(run.info.run_id, status, end_time=start + 30_000)
    return {**ids, "": experiment}


def add_models(client: MlflowClient, ids: dict[str, str]) -> None:
    """Make logged models with parameters, tags and metrics."""
    for name, depth, accuracy in (("first", 3, 0.9), ("second", 4, 0.8), ("third", 3, 0.2)):
        run = ids["run-1"]
        tags, params = {"kind": "xgb" if depth == 3 else "nn"}, {"depth": str(depth)}
        model = client.create_logged_model(ids[""], name, run, tags=tags, params=params)
        client.finalize_logged_model(model.model_id, "READY")
        score = Metric("acc", accuracy, T0, 0, model.model_id, "custom", "s8ds293b")
        client.log_batch(run, metrics=[score])


def main() -> None:
    """Write the store and the answers."""
    path = Path(sys.argv[1])
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    client = MlflowClient()
    ids = add_runs(client)
    add_models(client, ids)
    experiments = [each.experiment_id for each in client.search_experiments()]
    answers: list[Any] = []
    for text in RUNS:
        for name, run_id in ids.items():
            text = text.replace(f"{{{name}}}", run_id) if name else text
        found = client.search_runs(experiments, text)
        answers.append(["experiments", text, sorted(run.info.run_name for run in found)])
    for text in EXPERIMENTS:
        found = client.search_experiments(filter_string=text)
        names = sorted(each.name for each in found if each.name != "Default")
        answers.append(["projects", text, names])
    for text in MODELS:
        found = client.search_logged_models(experiments, text)
        answers.append(["models", text, sorted(model.name for model in found)])
    lines = ",\n".join(json.dumps(answer) for answer in answers)
    path.with_suffix(".json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
