"""Repeated imports of an MLflow store that has changed: incremental ones, and pruning."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from test_import_mlflow import run_named, unpack

from genai_graph import Dataset, Experiment, Model, Project, clear, import_from, query
from genai_graph.errors import SettingsError

STORE = "3.17.db"


def change(*statements: str) -> None:
    with sqlite3.connect(STORE) as database:
        for statement in statements:
            database.execute(statement)


def content() -> list[str]:
    """Return all nodes and edges, without the times of writing."""
    nodes = query("MATCH (n) RETURN labels(n) AS kind, properties(n) AS props")
    edges = query(
        "MATCH (a)-[r]->(b) RETURN a.uid AS a, type(r) AS kind, b.uid AS b, properties(r) AS props"
    )
    rows: list[dict[str, Any]] = [*nodes, *edges]
    for row in rows:
        for name in ("created_at", "updated_at", "tags"):
            row["props"].pop(name, None)
        row["props"] = sorted(row["props"].items())
    return sorted(map(repr, rows))


def update_store() -> None:
    """Delete, finish and rename items, as MLflow does."""
    base, child = run_named("base"), run_named("child")
    change(
        f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = '{child}'",
        "UPDATE runs SET status = 'FINISHED', end_time = 1760000099000 WHERE name = 'running'",
        "UPDATE runs SET lifecycle_stage = 'active' WHERE name = 'deleted'",
        "UPDATE experiments SET name = 'frauds' WHERE name = 'fraud'",
        "DELETE FROM model_versions WHERE version = 1",
        f"UPDATE runs SET name = 'renamed' WHERE run_uuid = '{base}'",
        "UPDATE logged_models SET lifecycle_stage = 'deleted' WHERE name = 'side'",
    )


def test_pruning_gives_the_graph_of_a_fresh_import(graph: None) -> None:
    import_from("mlflow", unpack(STORE))
    update_store()
    listed = import_from("mlflow", STORE, prune=True, dry_run=True)
    child = run_named("child")
    assert f"Experiment {child!r}" in listed.pruned
    assert "Model 'fraud@1'" in listed.pruned
    assert "Project 'fraud'" in listed.pruned
    assert Experiment.nodes.get(uid=child)
    refused = import_from("mlflow", STORE, prune=True, confirm=lambda lines: False)
    assert refused.pruned == []
    report = import_from("mlflow", STORE, prune=True)
    assert f"Experiment {child!r}" in report.pruned
    pruned = content()
    assert import_from("mlflow", STORE, prune=True).pruned == []
    clear()
    import_from("mlflow", STORE)
    fresh = content()
    # Datasets are never pruned: those of the deleted run remain.
    assert all("mnist" in row for row in pruned if row not in fresh)
    assert not [row for row in fresh if row not in pruned]


def test_pruning_follows_a_store_without_content(graph: None) -> None:
    import_from("mlflow", unpack(STORE))
    change("UPDATE params SET value = x'00'")
    report = import_from("mlflow", STORE, prune=True)
    assert report.pruned == []
    assert "nothing is pruned" in report.messages[-1]
    change("DELETE FROM params", "UPDATE experiments SET lifecycle_stage = 'deleted'")
    change("DELETE FROM model_versions")
    import_from("mlflow", STORE, prune=True)
    assert {row["kind"] for row in query("MATCH (n) RETURN labels(n)[0] AS kind")} == {"Dataset"}


def test_pruning_keeps_nodes_of_other_sources(graph: None) -> None:
    import_from("mlflow", unpack(STORE))
    own = Project(name="own").save()
    tuned = Model(name="tuned").save()
    tuned.parents.connect(Model.nodes.get(uid="fraud@1"))
    Project.nodes.get(uid="fraud").experiments.connect(Experiment(uid="mine").save())
    update_store()
    change("DELETE FROM inputs")
    report = import_from("mlflow", STORE, prune=True)
    assert "Model 'fraud@1' is not pruned: other nodes depend on it" in report.messages
    assert {"own", "fraud"} <= {project.uid for project in Project.nodes.all()}
    assert Project.nodes.get(uid="fraud").experiments.all() == [Experiment.nodes.get(uid="mine")]
    assert Model.nodes.get(uid="fraud@1") in tuned.parents.all()
    assert Dataset.nodes.get(uid="transactions@436c3a4c")
    assert own.uid == "own"


def test_pruning_keeps_edges_of_users(graph: None) -> None:
    import_from("mlflow", unpack(STORE))
    base = Experiment.nodes.get(uid=run_named("base"))
    data = Dataset.nodes.get(uid="holdout@h1")
    base.datasets.connect(data, {"role": "other"})
    project = Project.nodes.get(uid="/Shared/vision/cats")
    project.experiments.connect(base)
    before = content()
    report = import_from("mlflow", STORE, prune=True)
    assert report.pruned == []
    assert content() == before
    change("DELETE FROM experiments WHERE name LIKE '/Shared%'")
    report = import_from("mlflow", STORE, prune=True)
    assert f"Project {project.uid!r}" not in report.pruned
    assert base in project.experiments.all()


def test_an_incremental_import_skips_unchanged_runs(graph: None) -> None:
    import_from("mlflow", unpack(STORE))
    first = import_from("mlflow", STORE, incremental=True)
    assert first.skipped["runs"] == {"deleted": 2, "unchanged": first.read["runs"] - 2 - 2}
    assert first.written["runs"] == 2  # running, and one whose newest metric is not the latest
    changes = {**first.nodes, **first.edges}.items()
    assert not [name for name, counts in changes if counts.created or counts.changed]
    update_store()
    import_from("mlflow", STORE, incremental=True)
    change("UPDATE experiments SET name = 'fraud again' WHERE name = 'frauds'")
    again = import_from("mlflow", STORE, incremental=True)
    assert again.skipped["runs"]["unchanged"] > 1
    renamed = Project.nodes.get(uid="fraud again")
    assert renamed.experiments.count() == Project.nodes.get(uid="frauds").experiments.count()
    assert Experiment.nodes.get(uid=run_named("base")).name == "renamed"
    assert Experiment.nodes.get(uid=run_named("running")).status == "FINISHED"


def test_an_incremental_import_of_files_skips_unchanged_runs(graph: None) -> None:
    store = unpack("3.17-files")
    import_from("mlflow", store)
    before = content()
    again = import_from("mlflow", store, incremental=True)
    assert again.skipped["runs"] == {"deleted": 2, "unchanged": again.read["runs"] - 2 - 2}
    assert content() == before
    base = run_named("base", "3.17-files")
    (metric,) = Path(store).glob(f"*/{base}/metrics/loss")
    with metric.open("a") as lines:
        lines.write("1999999999999 0.125 9000\n")
    import_from("mlflow", store, incremental=True)
    loss = Experiment.nodes.get(uid=base).metrics.get(name="loss")
    assert (loss.value, loss.step) == (0.125, 9000)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("mlflow", {"prune": True, "since": "2026-01-01"}, "prune: can't be used with since"),
        ("mlflow", {"prune": True, "output": "x.jsonl"}, "prune: compares with the graph"),
        ("mlflow", {"incremental": True, "output": "x.jsonl"}, "incremental: compares with"),
        ("mlflow", {"incremental": True, "prune": True}, "prune: needs a complete import"),
        ("croissant", {"prune": True}, "prune: can't be used with croissant"),
    ],
)
def test_options_that_do_not_fit_are_errors(kind: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(SettingsError, match=error):
        import_from(kind, "x", **options)


def test_the_command_asks_before_it_prunes(cli: Run, embedded: None) -> None:
    import_from("mlflow", unpack(STORE))
    update_store()
    done = cli("import", "mlflow", STORE, "--prune", input="n\n")
    assert done.exit_code == 0
    assert "Delete" in done.stderr
    assert Project.nodes.get(uid="fraud")
    done = cli("import", "mlflow", STORE, "--prune", "--yes")
    assert "pruned: Project 'fraud'" in done.stderr
    assert "fraud" not in {project.uid for project in Project.nodes.all()}
    assert Path(STORE).exists()
