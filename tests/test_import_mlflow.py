"""Import of MLflow stores: compared with the answers of MLflow's own client."""

from __future__ import annotations

import json
import lzma
import math
import os
import shutil
import sqlite3
import tarfile
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from genai_graph import Experiment, Model, Project, Report, import_from, load, query
from genai_graph.errors import FixtureError, GenaiGraphError, ImportSourceError, SettingsError
from genai_graph.importers import ImportReport, mlflow
from genai_graph.importers.files import MAX_FILE_BYTES
from genai_graph.importers.records import Skipped

DATA = Path(__file__).parent / "data" / "mlflow"
STORES = ["1.30.db", "2.3.db", "2.22.db", "3.17.db", "3.17-files"]
T0 = datetime(2025, 10, 9, 8, 53, 20, tzinfo=timezone.utc)  # of make_store.py
SECRETS = {"db_password"}
IGNORED_TAGS = {"mlflow.log-model.history"}


def unpack(name: str) -> str:
    """Copy a store into the test's directory and return its name."""
    packed = DATA / f"{name}{'.tar' if name.endswith('-files') else ''}.xz"
    if name.endswith("-files"):
        with tarfile.open(packed) as archive:
            archive.extractall(".", filter="data")
    else:
        Path(name).write_bytes(lzma.decompress(packed.read_bytes()))
    return name


def client_answers(name: str) -> dict[str, Any]:
    """Return the answers of MLflow's client for a store."""
    found: dict[str, Any] = json.loads((DATA / f"{name.removesuffix('.db')}.json").read_text())
    return {**found, "is_file_store": name.endswith("-files")}


class Graph:
    """The content of an imported fixture: nodes by label and uid, edges by type."""

    def __init__(self, path: str) -> None:
        self.nodes: dict[str, dict[str, Any]] = defaultdict(dict)
        self.edges: dict[str, dict[tuple[str, str], list[Any]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.origins: set[str] = set()  # of edges
        for line in Path(path).read_text().splitlines()[1:]:
            row = json.loads(line)
            if "node" in row:
                self.nodes[row["node"]][row["uid"]] = row["props"]
            else:
                (source, start), (target, end) = row["from"], row["to"]
                name = f"{source}-{row['edge']}->{target}"
                props = row.get("props", {})
                if "Metric" not in name:
                    self.origins.add(props.pop("origin"))
                self.edges[name][start, end].append(props)


def import_to_file(*sources: str, **options: Any) -> tuple[Graph, ImportReport]:
    report = import_from("mlflow", *sources, output="out.jsonl", overwrite=True, **options)
    return Graph("out.jsonl"), report


def time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)
    return moment.isoformat().replace("+00:00", "Z")


def value_of(text: str) -> float:
    """Return the value that MLflow means: its SQL store cuts infinities."""
    value = float(text)
    return math.copysign(math.inf, value) if abs(value) == 1.7976931348623157e308 else value


def json_value(value: float) -> Any:
    names = {math.inf: "Infinity", -math.inf: "-Infinity"}
    return "NaN" if math.isnan(value) else names.get(value, value)


def expected_history(points: list[Any]) -> dict[int, tuple[int, float]]:
    """Return the last point of each step, by time and value."""
    by_step: dict[int, tuple[int, float]] = {}
    for step, moment, text in sorted(
        points, key=lambda p: (p[0], p[1], 0.0 if p[2] == "nan" else value_of(p[2]))
    ):
        by_step[step] = moment, value_of(text)
    return by_step


def model_points(answers: dict[str, Any], run_id: str) -> list[list[Any]]:
    return [
        [model, *rest]
        for model in answers["models"]
        for run, *rest in model["metrics"]
        if run == run_id and rest[4] is not None
    ]


def check_run(graph: Graph, run: dict[str, Any], answers: dict[str, Any]) -> None:
    props = graph.nodes["Experiment"][run["id"]]
    tags = run["tags"]
    assert props["name"] == run["name"]
    assert props["status"] == run["status"]
    assert props["started_at"] == time(run["start"])
    assert props["ended_at"] == time(run["end"])
    assert props["created_by"] == run["user"]
    assert props["parameters"] == {
        key: value for key, value in run["params"].items() if key not in SECRETS
    }
    others = {key: value for key, value in tags.items() if not key.startswith("mlflow.")}
    assert props["tags"] == [f"{k}={v}" for k, v in sorted(others.items()) if len(v) < 240]
    names = [experiment["name"] for experiment in answers["experiments"]]
    projects = {
        project for project, uid in graph.edges["Project-HAS->Experiment"] if uid == run["id"]
    }
    assert len(projects) == 1
    assert projects <= set(names)
    check_metrics(graph, run, answers)
    check_datasets(graph, run)


def check_metrics(graph: Graph, run: dict[str, Any], answers: dict[str, Any]) -> None:
    if run["name"] == "evaluation" and answers["is_file_store"]:
        return  # the client returns the last score of a model only; compared with a database below
    measured = defaultdict(list)
    repeated = defaultdict(list)
    imported = set(graph.nodes["Model"])
    for model, key, step, moment, text, name, digest in model_points(answers, run["id"]):
        uid = f"{model['name']}@{model['id']}"
        if uid in imported:
            dataset = f"{name}@{digest}"
            measured[f"{run['id']}/{key}/{dataset}//{uid}"].append([step, moment, text])
            repeated[key].append([step, moment, text])
    expected = dict(measured)
    for key, points in run["histories"].items():
        rest = list(points)
        for step, moment, text in repeated[key]:
            # MLflow loses NaN of models, and its reader of file stores these steps.
            candidates = [[step, moment, text], [step, moment, "nan"], [0, moment, text]]
            rest.remove(next(point for point in candidates if point in rest))
        if rest:
            expected[f"{run['id']}/{key.replace('/', '%2F')}"] = rest
    uids = {uid for run_id, uid in graph.edges["Experiment-HAS->Metric"] if run_id == run["id"]}
    assert uids == set(expected)
    for uid, points in expected.items():
        props, history = graph.nodes["Metric"][uid], expected_history(points)
        if "//" in uid and run["name"] == "evaluation" and "/f1/" in uid:
            history = {0: (history[0][0], math.nan)}
        assert props["steps"] == sorted(history)
        assert props["values"] == [json_value(history[step][1]) for step in sorted(history)]
        assert props["step"] == max(history)
        assert props["value"] == json_value(history[max(history)][1])
        assert props["recorded_at"] == time(history[max(history)][0])


ROLES = {
    "training": "training",
    "train": "training",
    "Validation": "validation",
    "eval": "test",
    "testing": "test",
    "calibration": "other",
}


def check_datasets(graph: Graph, run: dict[str, Any]) -> None:
    expected = {
        f"{each['name']}@{each['digest']}": [{"role": ROLES[word]} for word in each["contexts"]]
        or [{}]
        for each in run.get("inputs", ())
    }
    found = {
        uid: props
        for (run_id, uid), props in graph.edges["Experiment-USED->Dataset"].items()
        if run_id == run["id"]
    }
    assert found == expected
    for uid in expected:
        assert graph.nodes["Dataset"][uid]["digest"] == f"mlflow:{uid.rpartition('@')[2]}"


@pytest.mark.parametrize("store", STORES)
def test_the_graph_has_the_values_of_the_client(store: str) -> None:
    answers = client_answers(store)
    graph, report = import_to_file(unpack(store))
    active = {e["id"]: e for e in answers["experiments"] if e["stage"] == "active"}
    runs = [r for r in answers["runs"] if r["stage"] == "active" and r["experiment"] in active]
    assert set(graph.nodes["Experiment"]) == {run["id"] for run in runs}
    assert set(graph.nodes["Project"]) == {
        e["name"] for e in active.values() if e["name"] != "Default"
    }
    for run in runs:
        check_run(graph, run, answers)
    for model in answers["models"]:
        props = graph.nodes["Model"][f"{model['name']}@{model['id']}"]
        assert props["status"] == model["status"]
        assert props.get("framework") == model["type"]
        assert props.get("hyperparameters", {}) == model["params"]
        assert props["created_at"] == time(model["created"])
    for version in answers["versions"]:
        props = graph.nodes["Model"][f"{version['name']}@{version['version']}"]
        assert props["location"] == version["source"]
        assert props["status"] == version["status"]
        assert props.get("description") == (version["description"] or None)
        aliases = [f"@{alias}" for alias in version["aliases"]]
        assert props["tags"] == [*aliases, *(f"{k}={v}" for k, v in version["tags"].items())]
    assert report.read["runs"] == len(answers["runs"])


@pytest.mark.parametrize("store", STORES)
def test_the_counts_add_up(store: str) -> None:
    _, report = import_to_file(unpack(store))
    assert report.read["points"] > 10
    check_counts(report)


def without_ids(graph: Graph, answers: dict[str, Any]) -> str:
    """Return a graph as text, with names in the place of the random ids."""
    text = json.dumps([graph.nodes, {k: list(v.items()) for k, v in graph.edges.items()}])
    for run in answers["runs"]:
        text = text.replace(run["id"], f"<{run['name']}>")
    for model in answers["models"]:
        text = text.replace(model["id"], f"<{model['name']}>")
    content = json.loads(text)
    for nodes in content[0].values():
        for props in nodes.values():
            for name in ("created_at", "origin", "location"):
                props.pop(name, None)
    nodes = sorted(json.dumps(item, sort_keys=True) for item in content[0].items())
    edges = {kind: sorted(json.dumps(edge) for edge in of) for kind, of in content[1].items()}
    return "\n".join([*nodes, json.dumps(edges, sort_keys=True, indent=1)])


@pytest.mark.parametrize("options", [{}, {"history": False}], ids=["history", "latest"])
def test_a_file_store_gives_the_graph_of_a_database(options: dict[str, Any]) -> None:
    Path("map.yaml").write_text("# no terms\nmodels:\n")
    database, _ = import_to_file(unpack("3.17.db"), map=Path("map.yaml"), **options)
    files, _ = import_to_file(unpack("3.17-files"), **options)
    assert without_ids(files, client_answers("3.17-files")) == without_ids(
        database, client_answers("3.17.db")
    )


def run_named(name: str, store: str = "3.17.db") -> str:
    runs = client_answers(store)["runs"]
    found: str = next(run["id"] for run in runs if run["name"] == name)
    return found


def test_runs_models_and_data_are_connected() -> None:
    graph, _ = import_to_file(unpack("3.17.db"))
    base, child = run_named("base"), run_named("child")
    assert set(graph.edges["Experiment-PART_OF->Experiment"]) == {
        (child, base),
        (run_named("grandchild"), child),
    }
    orphan = graph.nodes["Experiment"][run_named("orphan")]
    assert orphan["metadata"]["mlflow"] == {"parent": run_named("deleted")}
    names = {model["id"]: model["name"] for model in client_answers("3.17.db")["models"]}
    runs = {
        (start, end.partition("@m-")[0] if "@m-" in end else end): props
        for (start, end), props in graph.edges["Experiment-RUN->Model"].items()
    }
    assert runs == {
        (base, "fraud"): [{"role": "output", "step": 2}],
        (child, "side"): [{"role": "output"}],
        (run_named("evaluation"), "fraud"): [{"role": "input"}],
        (base, "fraud@1"): [{"role": "output"}],
        (child, "fraud@2"): [{"role": "output"}],
    }
    logged = next(f"{name}@{model}" for model, name in names.items() if name == "fraud")
    assert set(graph.edges["Model-DERIVED_FROM->Model"]) == {("fraud@5", logged)}
    trained = graph.edges["Model-TRAINED_ON->Dataset"]
    assert {end: props for (start, end), props in trained.items() if start == logged} == {
        "delta@d1": [{"role": "training"}],
        "holdout@h1": [{"role": "test"}],
        "mrpc@m1": [{"role": "test"}],
        "plain@p1": [{}],
        "transactions@436c3a4c": [{"role": "training"}],
        "transactions@99aa": [{"role": "validation"}],
    }
    assert set(graph.edges["Dataset-DERIVED_FROM->Dataset"]) == {
        ("mrpc@m1", "nyu-mll/glue:mrpc"),
        ("nyu-mll/glue:mrpc", "nyu-mll/glue"),
        ("mnist@mm", "ylecun/mnist"),
    }


def test_values_of_nodes_are_mapped() -> None:
    graph, _ = import_to_file(unpack("3.17.db"))
    base = graph.nodes["Experiment"][run_named("base")]
    assert base["random_seed"] == 42
    assert base["source"] == "train.py"
    assert base["code_version"] == "abc123"
    assert base["code_url"] == "https://github.com/x/y.git"
    assert base["description"] == "first run"
    assert base["parameters"]["opt.name"] == "adam"
    assert base["metadata"] == {"mlflow": {"source.type": "LOCAL"}, "tags": {"long": "x" * 400}}
    datasets = graph.nodes["Dataset"]
    assert datasets["transactions@436c3a4c"]["num_rows"] == 1000
    assert datasets["transactions@436c3a4c"]["location"] == "/data/transactions.csv"
    assert datasets["transactions@99aa"]["num_rows"] == 200
    assert datasets["holdout@h1"]["location"] == "not json"
    assert "num_rows" not in datasets["delta@d1"]
    assert datasets["delta@d1"]["location"] == "c.s.t"
    assert datasets["calib@c1"]["location"] == "s3://b/k"
    assert "location" not in datasets["plain@p1"]
    assert graph.nodes["Project"]["fraud"]["description"] == "Card fraud"
    assert graph.nodes["Project"]["fraud"]["tags"] == ["team=risk"]
    assert base["origin"] == f"mlflow:{Path('3.17.db').resolve()}"
    assert graph.origins == {base["origin"]}
    assert "hunter2" not in Path("out.jsonl").read_text()


def test_the_dataset_of_a_score_is_no_training_data() -> None:
    # log_metric(dataset=...) adds the dataset to the inputs of the run, without a context.
    store = DATA.parents[2] / "docs" / "tutorial" / "mlflow.db.xz"
    Path("mlflow.db").write_bytes(lzma.decompress(store.read_bytes()))
    graph, _ = import_to_file("mlflow.db")
    edges = graph.edges["Model-TRAINED_ON->Dataset"].items()
    assert sorted(
        (end.partition("@")[0], props)
        for (start, end), props in edges
        if start.startswith("network@")
    ) == [("digits-test", [{"role": "test"}]), ("digits-train", [{"role": "training"}])]


def test_the_run_that_started_first_has_the_values_of_a_dataset() -> None:
    unpack("3.17.db")
    # Runs are read by their ids; the run that is read first started last.
    starts = {run_named(name): start for start, name in enumerate(["base", "grandchild", "child"])}
    with sqlite3.connect("3.17.db") as database:
        for run, start in starts.items():
            database.execute("UPDATE runs SET start_time = ? WHERE run_uuid = ?", [start, run])
        database.execute(
            "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, "
            "dataset_source) VALUES ('d2', 0, 'transactions', '436c3a4c', 'local', 'other.csv')"
        )
        database.execute(
            "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, "
            "destination_id) VALUES ('i2', 'DATASET', 'd2', 'RUN', ?)",
            [run_named("grandchild")],
        )
    graph, report = import_to_file("3.17.db")
    assert graph.nodes["Dataset"]["transactions@436c3a4c"]["location"] == "/data/transactions.csv"
    assert any("location: 'other.csv': the value in" in text for text in report.messages)


def test_a_model_can_be_measured_by_a_run_of_another_experiment() -> None:
    # A file store writes the points into the experiment of the run, without the model's meta.yaml.
    unpack("3.17-files")
    run = run_named("base", "3.17-files")
    directory = next(Path("3.17-files").glob(f"*/{run}"))
    model = next(Path("3.17-files").glob("*/models/m-*"))
    experiments = [path.parent for path in Path("3.17-files").glob("*/meta.yaml")]
    elsewhere = next(path for path in experiments if path != model.parents[1])
    metric = elsewhere / "models" / model.name / "metrics" / "recall"
    metric.parent.mkdir(parents=True)
    metric.write_text(f"1700000000000 0.5 0 {run} test set 12ab\n")
    (directory / "metrics" / "recall").write_text("1700000000000 0.5 0\n")
    graph, report = import_to_file("3.17-files")
    measures = [start for start, _ in graph.edges["Metric-MEASURES->Model"] if "/recall/" in start]
    assert [uid.partition("//")[0] for uid in measures] == [f"{run}/recall/test set@12ab"]
    assert "unreadable" not in report.skipped.get("logged models", {})


def test_options_select_runs() -> None:
    unpack("3.17.db")
    all_runs = {run["name"] for run in client_answers("3.17.db")["runs"]}

    def names(**options: Any) -> set[str]:
        graph, _ = import_to_file("3.17.db", **options)
        return {props["name"] for props in graph.nodes["Experiment"].values()}

    cats = "Größe <cat> 'quoted' %2F"
    assert names(experiments=["/Shared/*"]) == {cats}
    assert cats not in names(exclude_experiments=["/Shared/*"])
    assert names(since=T0 + timedelta(hours=1)) == {"failed"}
    assert names(until="2025-10-10") == names() - {"failed"}
    assert names(with_deleted=True) == all_runs
    graph, _ = import_to_file("3.17.db", with_deleted=True)
    assert graph.nodes["Project"]["gone"]["tags"][0] == "deleted"
    assert graph.nodes["Experiment"][run_named("deleted")]["tags"] == ["deleted"]


def test_the_history_can_be_left_out_or_thinned() -> None:
    unpack("3.17.db")
    uid = f"{run_named('base')}/loss"
    graph, _ = import_to_file("3.17.db", history=False)
    assert graph.nodes["Metric"][uid]["value"] == 0.25
    assert "steps" not in graph.nodes["Metric"][uid]
    graph, report = import_to_file("3.17.db", history_limit=2)
    assert graph.nodes["Metric"][uid]["steps"] == [0, 2]
    assert report.skipped["points"]["thinned"] == 1


def test_names_can_be_prefixed_and_mapped() -> None:
    unpack("3.17.db")
    mapping = {
        "projects": {"/Shared/vision/*": "vision"},
        "datasets": {"mnist": "ylecun/mnist", "holdout@*": "Holdout@2026"},
        "models": {"fraud@2": "fraud-prod@2"},
        "metrics": {"val/*": {"name": "accuracy", "split": "val", "greater_is_better": True}},
        "contexts": {"calibration": "validation"},
    }
    graph, report = import_to_file("3.17.db", namespace="team", map=mapping)
    assert set(graph.nodes["Project"]) == {"team/fraud", "vision"}
    assert "team/transactions@436c3a4c" in graph.nodes["Dataset"]
    assert {"ylecun/mnist", "Holdout@2026"} <= set(graph.nodes["Dataset"])
    assert {"fraud-prod@2", "team/fraud@1"} <= set(graph.nodes["Model"])
    metric = graph.nodes["Metric"][f"{run_named('odd values')}/accuracy//val"]
    assert metric["greater_is_better"] is True
    used = graph.edges["Experiment-USED->Dataset"][run_named("base"), "team/calib@c1"]
    assert used == [{"role": "validation"}]
    assert not [line for line in report.messages if "calibration" in line]
    graph, _ = import_to_file("3.17.db", map={"models": {"*": "any"}, "datasets": {"*": "all"}})
    assert set(graph.nodes["Model"]) == {"any"}
    assert set(graph.nodes["Dataset"]) == {"all"}
    uses = graph.edges["Experiment-RUN->Model"][run_named("base"), "any"]
    assert uses == [{"role": "output", "step": 2}]


@pytest.mark.parametrize(
    ("mapping", "error"),
    [
        ({"dataset": {}}, "map: unknown key 'dataset' (did you mean 'datasets'?)"),
        ({"contexts": {"x": "training set"}}, "map: contexts: x: expected one of training"),
        ({"metrics": {"x": {"nam": "y"}}}, "map: metrics: x: unknown key 'nam'"),
        ({"models": {"x": 3}}, "map: models: x: expected a non-empty string, got 3"),
        ({"models": ["x"]}, "map: models: expected a map, got a list"),
        ({"contexts": ["x"]}, "map: contexts: expected a map, got a list"),
        ({"metrics": 3}, "map: metrics: expected a map, got 3"),
        ({"metrics": {"x": 3}}, "map: metrics: x: expected a map, got 3"),
        ({"metrics": {"x": {"greater_is_better": 1}}}, "expected true or false, got 1"),
        ({"metrics": {"x": {"name": ""}}}, "map: metrics: x: name: expected a non-empty string"),
        ("[1]", "map: map.yaml: expected a map, got a list"),
        ("models: {}\nmodels: {}", "map: map.yaml:2: duplicate key 'models': the last value coun"),
        ("models: {\n", "map: map.yaml:2: is not YAML"),
        ("models: {}\n---\nmodels: {}\n", "map: map.yaml:2: is more than one YAML document"),
        ("# " + "x" * 8 * 2**20, "map: map.yaml: is larger than "),
        (None, "map: map.yaml: can't be read: No such file"),
    ],
)
def test_an_invalid_map_is_an_error(mapping: Any, error: str) -> None:
    if not isinstance(mapping, dict):
        if mapping is not None:
            Path("map.yaml").write_text(mapping)
        mapping = Path("map.yaml")
    with pytest.raises(SettingsError) as raised:
        import_from("mlflow", unpack("3.17.db"), map=mapping, output="-")
    assert error in str(raised.value)


def test_importing_again_changes_nothing(graph: None) -> None:
    first = import_from("mlflow", unpack("3.17.db"))
    assert first.nodes["Experiment"].created == 10
    times = "MATCH (n) RETURN n.uid AS uid, n.updated_at AS at ORDER BY uid, at"
    before = query(times)
    run = Experiment.nodes.get(uid=run_named("base"))
    assert run.metrics.filter(name="loss").all()[0].values == [1.0, 0.5, 0.25]
    assert run.parts.all()[0].name == "child"
    again = import_from("mlflow", "3.17.db")
    changed = {**again.nodes, **again.edges}
    assert not [name for name, counts in changed.items() if counts.created or counts.changed]
    assert query(times) == before


def test_additions_are_kept_and_revoked_values_removed(graph: None) -> None:
    import_from("mlflow", unpack("3.17.db"))
    base = Experiment.nodes.get(uid=run_named("base"))
    base.results = {"note": "mine"}
    base.metadata = {**base.metadata, "reviewed": True}
    base.origin = "elsewhere"
    base.save()
    version = Model.nodes.get(uid="fraud@2")
    assert version.tags == ["@champion"]
    with sqlite3.connect("3.17.db") as database:
        database.execute("DELETE FROM registered_model_aliases")
        database.execute("DELETE FROM tags WHERE key IN ('stage', 'long')")
        database.execute("DELETE FROM experiment_tags")
        database.execute("UPDATE runs SET end_time = NULL, status = 'RUNNING'")
    report = import_from("mlflow", "3.17.db")
    assert report.nodes["Experiment"].changed
    base = Experiment.nodes.get(uid=run_named("base"))
    assert base.results == {"note": "mine"}
    assert base.metadata == {"mlflow": {"source.type": "LOCAL"}, "reviewed": True}
    assert base.origin == "elsewhere"
    assert base.tags == []
    assert base.ended_at is None
    assert Model.nodes.get(uid="fraud@2").tags == []
    fraud = Project.nodes.get(uid="fraud")
    assert (fraud.tags, fraud.description) == ([], "Card fraud")


def test_a_fixture_of_an_import_can_be_loaded(graph: None) -> None:
    import_from("mlflow", unpack("3.17.db"), output="store.jsonl.xz")
    report: Report = load("store.jsonl.xz")
    assert report.nodes["Experiment"].created == 10
    again = import_from("mlflow", "3.17.db")
    assert again.nodes["Metric"].unchanged == again.nodes["Metric"].total


def test_the_command_prints_a_summary(cli: Run, embedded: None) -> None:
    unpack("3.17.db")
    done = cli("import", "mlflow", "sqlite:///3.17.db", "--dry-run")
    assert done.exit_code == 0
    assert "3.17.db (MLflow, schema" in done.stderr
    assert "10 of 12 runs (2 deleted)" in done.stderr
    assert "dataset context 'calibration' is imported as 'other'" in done.stderr
    done = cli("import", "mlflow", "3.17.db", "--json")
    report = json.loads(done.stdout)
    assert report["read"]["runs"] == 12
    assert report["skipped"]["runs"] == {"deleted": 2}
    assert report["sources"][0]["alembic_version"]
    assert report["nodes"]["Experiment"]["created"] == 10
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["mlflow", "3.17.db", "--json", "-o", "-"], "--json and -o - both write to standard"),
        (["mlflow", "a.db", "b.db"], "expected [URI], got 2 sources"),
        (["mlfow", "3.17.db"], "did you mean 'mlflow'?"),
    ],
)
def test_wrong_arguments_of_the_command(cli: Run, arguments: list[str], problem: str) -> None:
    done = cli("import", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert problem in done.stderr


def test_the_command_prints_the_first_messages_only(cli: Run) -> None:
    unpack("3.17.db")
    done = cli("import", "mlflow", "3.17.db", "-o", "out.jsonl", "--max-errors", 1)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "\nand 2 more\n" in done.stderr


def test_the_default_is_the_tracking_uri(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    unpack("3.17.db")
    done = cli("import", "mlflow", "-o", "out.jsonl")
    assert done.exit_code == 1
    assert "no store: set MLFLOW_TRACKING_URI" in done.stderr
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///3.17.db")
    assert cli("import", "mlflow", "-o", "out.jsonl").exit_code == 0
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shutil.move("3.17.db", "mlflow.db")
    done = cli("import", "mlflow", "-o", "-")
    assert json.loads(done.stdout.splitlines()[0]) == {"format": "genai_graph/1"}
    assert "mlflow.db (MLflow" in done.stderr


def test_sources_that_are_no_store_are_errors() -> None:
    Path("empty").mkdir()
    Path("text.db").write_text("x" * 2000)
    sqlite3.connect("other.db").execute("CREATE TABLE runs (a)").connection.close()
    for source, problem in {
        "missing.db": "missing.db: no such file or directory",
        "sqlite:///missing.db": "missing.db: no such file",
        "empty": "empty: is not an MLflow file store",
        "text.db": "text.db: can't be read: file is not a database",
        "other.db": "other.db: is not an MLflow store: it has no table experiments",
        "ftp://user:secret@x/y": "ftp://x/y: expected a database URL",
        "postgresql+nonsense://user:secret@x/y": "postgresql://x/y: ",
    }.items():
        with pytest.raises(ImportSourceError) as raised:
            import_from("mlflow", source, output="out.jsonl")
        assert str(raised.value).startswith(problem)
        assert "secret" not in str(raised.value)
    assert not Path("missing.db").exists()


def test_unreadable_files_are_skipped_or_errors() -> None:
    unpack("3.17-files")
    run = next(Path("3.17-files").glob(f"*/{run_named('base', '3.17-files')}"))
    (run / "meta.yaml").write_text("")
    other = run.parent / run_named("child", "3.17-files")
    (other / "meta.yaml").write_text("!!python/object/apply:os.system [touch hacked]")
    third = run.parent / run_named("odd values", "3.17-files")
    (third / "metrics" / "mixed").write_text("1 2 3\nbroken line\n\n")
    (third / "params" / "link").symlink_to("/etc/passwd")
    (third / "tags" / "up").symlink_to("../../../../..")
    registered = Path("3.17-files", "models")
    (registered / "fraud" / "meta.yaml").write_text("")
    (registered / "greet" / "version-1" / "meta.yaml").write_text("name: [")
    logged = next(Path("3.17-files").glob("*/models/m-*"))
    (logged / "meta.yaml").unlink()
    with (third / "tags" / "large").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    inputs = sorted(third.parent.glob("*/inputs/*/meta.yaml"))
    inputs[0].write_text("")
    inputs[1].write_text("source_type: DATASET\nsource_id: missing\n")
    graph, report = import_to_file("3.17-files")
    assert not Path("hacked").exists()
    messages = "\n".join(report.messages)
    assert f"{run.name}/meta.yaml: is empty or missing" in messages
    assert f"{other.name}/meta.yaml: has the YAML tag" in messages
    assert "metric 'mixed': 1 invalid lines" in messages
    assert f"{third.name}/tags/large: is larger than 64 MiB" in messages
    assert report.skipped["dataset inputs"]["unreadable"] == 2
    assert "models/fraud/meta.yaml: is empty or missing" in messages
    assert "models/greet/version-1/meta.yaml: is not YAML" in messages
    assert report.skipped["model versions"]["unreadable"] == 2
    assert report.skipped["logged models"]["unreadable"] == 1
    assert graph.nodes["Experiment"][third.name]["parameters"] == {"random_state": "7"}
    assert report.read["runs"] == report.written["runs"] + 2 + 2  # deleted ones, too
    with pytest.raises(FixtureError, match="is empty or missing"):
        import_from("mlflow", "3.17-files", output="strict.jsonl", strict=True)
    assert not Path("strict.jsonl").exists()


def test_copies_and_odd_names_of_files() -> None:
    directory = Path(unpack("3.17-files")).rename("my store")
    run = next(directory.glob(f"*/{run_named('base', '3.17-files')}"))
    shutil.copytree(run, run.parent / "backup")
    shutil.copytree(run.parent, directory / "backup")
    Path(os.fsdecode(bytes(run / "params") + b"/\xff")).write_text("1")
    graph, report = import_to_file(f"file://{directory.resolve()}".replace(" ", "%20"))
    assert graph.nodes["Experiment"][run.name]["parameters"]["\ufffd"] == "1"
    messages = "\n".join(report.messages)
    assert f"{run.parent.name}/backup: has the id of {run.name}: is it a copy?" in messages
    assert f"my store: backup: has the id of {run.parent.name}" in messages
    check_counts(report)


def change(*statements: str) -> None:
    """Change the store 3.17.db, also to values that its schema does not allow."""
    with sqlite3.connect(unpack("3.17.db")) as database:
        for statement in ("PRAGMA ignore_check_constraints = ON", *statements):
            database.execute(statement)


def check_counts(report: ImportReport) -> None:
    for item, read in report.read.items():
        skipped = sum(report.skipped.get(item, {}).values())
        assert read == report.written[item] + skipped, item


def test_a_copied_version_derives_from_its_origin() -> None:
    change(
        "UPDATE model_versions SET source = 'models:/fraud/5' WHERE name = 'fraud' AND version = 2",
        "UPDATE model_versions SET source = 'models:/fraud/9' WHERE name = 'fraud' AND version = 1",
    )
    graph, _ = import_to_file("3.17.db")
    parents = [end for start, end in graph.edges["Model-DERIVED_FROM->Model"] if start == "fraud@2"]
    assert parents == ["fraud@5"]
    made = {uid for _, uid in graph.edges["Experiment-RUN->Model"] if uid.startswith("fraud@")}
    assert "fraud@1" in made  # its origin is gone
    assert "fraud@2" not in made
    assert ("fraud", "fraud@2") in graph.edges["Project-HAS->Model"]


@pytest.mark.parametrize(
    ("table", "column", "item"),
    [
        ("experiments", "name", "experiments"),
        ("runs", "run_uuid", "runs"),
        ("datasets", "name", "dataset inputs"),
        ("metrics", "key", "points"),
        ("logged_models", "name", "logged models"),
        ("model_versions", "name", "model versions"),
    ],
)
def test_names_that_the_graph_can_not_hold_are_skipped(table: str, column: str, item: str) -> None:
    name = f"hex(zeroblob(4500)) || {column}"
    change(f"UPDATE {table} SET {column} = {name} WHERE {column} <> 'Default'")
    graph, report = import_to_file("3.17.db")
    assert report.skipped[item]["invalid name"]
    assert "uid: an indexed string is limited to 8000 bytes" in "\n".join(report.messages)
    assert max(len(uid) for nodes in graph.nodes.values() for uid in nodes) < 200
    check_counts(report)
    with pytest.raises(FixtureError, match="uid: an indexed string is limited"):
        import_from("mlflow", "3.17.db", output="strict.jsonl", strict=True)


def test_rows_of_other_types_are_skipped() -> None:
    # SQLite stores any value in any column.
    graph, _ = import_to_file(unpack("3.17.db"))
    num_metrics = len(graph.nodes["Metric"])
    base = run_named("base")
    where = f"WHERE run_uuid = '{base}'"
    change(
        f"UPDATE params SET value = x'00ff' {where} AND key = 'lr'",
        f"UPDATE tags SET value = CAST(x'ff' AS TEXT) {where} AND key = 'stage'",
        f"UPDATE metrics SET step = 'three' {where} AND key = 'auc'",
        f"UPDATE latest_metrics SET value = x'00' {where} AND key = 'auc'",
        "UPDATE runs SET name = x'00' WHERE name = 'failed'",
        "UPDATE datasets SET digest = 7.5 WHERE name = 'holdout'",
        "UPDATE experiments SET creation_time = 'now' WHERE name = 'gone'",
        "UPDATE model_versions SET description = x'00' WHERE version = 5",
        "UPDATE logged_models SET name = x'00' WHERE name = 'side'",
    )
    graph, report = import_to_file("3.17.db")
    assert "3.17.db: table params: " in "\n".join(report.messages)
    for problem in (
        f"params: run_uuid '{base}', key 'lr': value: expected a text, got a BLOB",
        f"tags: run_uuid '{base}', key 'stage': value: expected a text, got a BLOB",
        f"metrics: run_uuid '{base}', key 'auc': step: expected an integer, got a text",
        "creation_time: expected an integer, got a text",
        "model_versions: name 'fraud', version '5': description: expected a text, got a BLOB",
    ):
        assert [line for line in report.messages if problem in line], problem
    assert report.skipped["rows"] == {"unreadable": 3 + 6}
    assert "lr" not in graph.nodes["Experiment"][base]["parameters"]
    assert len(graph.nodes["Metric"]) == num_metrics - 2  # auc, and those of the failed run
    assert "holdout@7.5" in graph.nodes["Dataset"]
    check_counts(report)


def test_each_workspace_has_projects_of_its_own() -> None:
    change(
        "INSERT INTO experiments (name, workspace, lifecycle_stage) VALUES "
        "('Default', 'a', 'active'), ('fraud', 'a', 'active'), ('Default', 'b', 'active')",
        "UPDATE runs SET experiment_id = (SELECT experiment_id FROM experiments "
        "WHERE name = 'Default' AND workspace = 'a') WHERE name = 'failed'",
    )
    graph, report = import_to_file("3.17.db")
    assert {"fraud", "a/fraud", "a/Default"} <= set(graph.nodes["Project"])
    assert report.skipped["experiments"]["without runs"] == 2
    check_counts(report)


@pytest.mark.parametrize("moment", [9 * 10**18, -(10**15)])
def test_times_that_the_graph_can_not_hold_are_skipped(moment: int) -> None:
    change(
        f"UPDATE experiments SET creation_time = {moment}",
        f"UPDATE runs SET start_time = {moment}, end_time = -1000",
        f"UPDATE metrics SET timestamp = {moment} WHERE key = 'loss'",
        f"UPDATE model_versions SET creation_time = {moment}",
    )
    graph, report = import_to_file("3.17.db")
    base = graph.nodes["Experiment"][run_named("base")]
    assert "started_at" not in base
    assert base["ended_at"] == "1969-12-31T23:59:59Z"
    messages = "\n".join(report.messages)
    for name in ("started_at", "created_at", "metric 'loss'"):
        assert f"{name}: expected a time in the years 1 to 9999, got {moment} ms" in messages
    check_counts(report)


@pytest.mark.parametrize(
    ("statement", "item", "reason"),
    [
        (
            "UPDATE experiments SET name = '' "
            "WHERE experiment_id = (SELECT experiment_id FROM runs LIMIT 1)",
            "runs",
            "experiment without a name",
        ),
        ("DELETE FROM experiments", "runs", "without an experiment"),
        ("UPDATE metrics SET key = ''", "points", "of a metric"),
        ("UPDATE datasets SET dataset_profile = '[', dataset_schema = '3'", "", ""),
        ("UPDATE datasets SET dataset_source_type = 'hugging_face', dataset_source = '{}'", "", ""),
        ("UPDATE runs SET name = NULL, status = NULL, start_time = 9000000000000000000", "", ""),
    ],
)
def test_databases_with_odd_values_are_imported(statement: str, item: str, reason: str) -> None:
    unpack("3.17.db")
    with sqlite3.connect("3.17.db") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        assert database.execute(statement).rowcount > 0
    graph, report = import_to_file("3.17.db")
    assert report.read["runs"] == 12
    if reason:
        assert [name for name in report.skipped[item] if name.startswith(reason)]
    else:
        assert len(graph.nodes["Experiment"]) == 10


def test_records_can_be_read_in_python() -> None:
    records = list(mlflow.records(unpack("3.17.db")))
    assert sum(isinstance(record, Skipped) for record in records) > 3
    with pytest.raises(SettingsError, match="history_limit"):
        next(mlflow.records("3.17.db", history_limit=-1))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"experiment": "x"}, "no option 'experiment' (did you mean 'experiments'?)"),
        ({"experiments": "x"}, "experiments: expected a list of names, got 'x'"),
        ({"since": "yesterday"}, "since: expected a date or a time with a time zone"),
        ({"since": "2026-01-01T00:00:00"}, "since: expected a date or a time with a time zone"),
        ({"project": "x"}, "project: can't be set for mlflow"),
        ({"output": "x.yaml"}, "x.yaml: an import is written as JSON Lines"),
        ({"namespace": ""}, "namespace: expected a name"),
    ],
)
def test_invalid_options_are_errors(options: dict[str, Any], error: str) -> None:
    with pytest.raises(GenaiGraphError) as raised:
        import_from("mlflow", unpack("3.17.db"), **{"output": "out.jsonl", **options})
    assert error in str(raised.value)
    with pytest.raises(
        SettingsError, match="unknown kind of import 'wandb': expected mlflow, huggingface"
    ):
        import_from("wandb", "x")
