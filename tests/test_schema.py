"""Constraints and indexes: creation and comparison with the models."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from conftest import Run

from genai_graph import Dataset, Experiment, Model, ask, connect, query, schema
from genai_graph.database import Connection
from genai_graph.registry import EDGES, NODES


@pytest.fixture
def installed(graph: Connection) -> Iterator[Connection]:
    """A graph with an up-to-date schema, restored after the test."""
    schema.install()
    yield graph
    drift = schema.check()
    for index in [*drift.extra, *(have for _, have in drift.different)]:
        query(f"DROP INDEX {index.name}", write=True)
    schema.install()


def test_uid_is_the_only_unique_property_of_every_label() -> None:
    unique = [index for index in schema.list_declared() if index.type == "UNIQUENESS"]
    assert {(index.label, index.property) for index in unique} == {
        (label, "uid") for label in NODES
    }


def test_indexed_properties() -> None:
    indexed = {
        label: {
            i.property for i in schema.list_declared() if i.label == label and i.type == "RANGE"
        }
        for label in NODES
    }
    assert indexed == {
        "Project": {"name", "owner", "origin"},
        "Dataset": {"name", "version", "digest", "license", "origin"},
        "Model": {"name", "version", "architecture", "task", "license", "origin"},
        "Experiment": {"name", "status", "started_at", "created_by", "origin"},
        "Metric": {"name", "value"},
    }
    of_edges = [index for index in schema.list_declared() if index.of_edges]
    assert [(index.label, index.property) for index in of_edges] == [("DERIVED_FROM", "kind")]


def test_install_can_be_repeated(installed: Connection) -> None:
    assert schema.install() == []
    assert not schema.check()


def test_a_missing_index_is_reported_and_created(installed: Connection, cli: Run) -> None:
    query("DROP INDEX index_Dataset_license", write=True)
    drift = schema.check()
    assert [index.name for index in drift.missing] == ["index_Dataset_license"]
    checked = cli("schema", "check")
    assert checked.exit_code == 1
    assert checked.stdout == "missing: index index_Dataset_license on Dataset.license\n"
    installed_again = cli("schema", "install")
    assert "created: index index_Dataset_license on Dataset.license" in installed_again.stderr
    assert cli("schema", "check").exit_code == 0


def test_a_missing_constraint_is_reported_and_created(installed: Connection) -> None:
    query("DROP CONSTRAINT constraint_unique_Metric_uid", write=True)
    assert [index.name for index in schema.check().missing] == ["constraint_unique_Metric_uid"]
    schema.install()
    assert not schema.check()


def test_an_extra_index_is_reported(installed: Connection, cli: Run) -> None:
    query("CREATE INDEX mine FOR (n:Dataset) ON (n.url)", write=True)
    assert cli("schema", "check").stdout == "extra: index mine on Dataset.url\n"


def test_another_index_on_a_property_is_reported_as_different(
    installed: Connection, cli: Run
) -> None:
    query("DROP INDEX index_Project_owner", write=True)
    query("CREATE INDEX mine FOR (n:Project) ON (n.owner)", write=True)
    result = cli("schema", "check")
    assert result.exit_code == 1
    assert result.stdout == (
        "different: expected index index_Project_owner on Project.owner, "
        "found index mine on Project.owner\n"
    )


def test_an_index_on_edges_is_created_compared_and_used(installed: Connection, cli: Run) -> None:
    """The embedded engine has no indexes on edges."""
    if installed.engine == "embedded":
        assert not any(index.of_edges for index in schema.list_declared("embedded"))
        return
    query("DROP INDEX index_DERIVED_FROM_kind", write=True)
    missing = "missing: index index_DERIVED_FROM_kind on DERIVED_FROM.kind\n"
    assert cli("schema", "check").stdout == missing
    old, new = (Dataset.upsert(name="a", version=version) for version in ("1", "2"))
    new.parents.connect(old, {"kind": "version"})
    Model.upsert(name="m").trained_on.connect(old)
    without_index = ask("stale-models")
    assert [row["available"] for row in without_index] == ["a@2"]
    statements = cli("schema", "show", "--cypher").stdout.splitlines()
    (wanted,) = (line for line in statements if "index_DERIVED_FROM_kind" in line)
    query(wanted.rstrip(";"), write=True)
    assert not schema.check()
    assert ask("stale-models") == without_index
    query("CREATE INDEX mine FOR ()-[r:TRAINED_ON]-() ON (r.role)", write=True)
    assert cli("schema", "check").stdout == "extra: index mine on TRAINED_ON.role\n"


def test_several_clients_create_an_index_on_edges_at_the_same_time(
    neo4j_graph: Connection,
) -> None:
    """Neo4j raises an error for one of them, despite IF NOT EXISTS."""
    schema.install()

    def install(ready: threading.Barrier) -> None:
        with connect():
            query("RETURN 1")
            ready.wait()
            schema.install()

    for _ in range(5):
        query("DROP INDEX index_DERIVED_FROM_kind", write=True)
        with ThreadPoolExecutor(4) as pool:
            ready = threading.Barrier(4)
            for done in [pool.submit(install, ready) for _ in range(4)]:
                done.result()
        assert not schema.check()


def test_indexes_on_other_labels_are_ignored(installed: Connection) -> None:
    query("CREATE INDEX theirs FOR (n:Thing) ON (n.name)", write=True)
    assert not schema.check()
    query("DROP INDEX theirs", write=True)


def test_the_first_write_installs_the_schema(installed: Connection, cli: Run) -> None:
    declared = schema.list_declared(installed.engine)
    for index in declared:
        keyword = "CONSTRAINT" if index.type == "UNIQUENESS" else "INDEX"
        query(f"DROP {keyword} {index.name}", write=True)
    with connect():
        assert query("MATCH (n) RETURN n") == []
        assert schema.check().missing == sorted(declared)
    assert cli("schema", "check").exit_code == 1
    # In another process, since this one uses the open connection again.
    command = [sys.executable, "-m", "genai_graph", "shell", "-c", "Dataset(name='a').save()"]
    subprocess.run(command, check=True, timeout=60)
    assert cli("schema", "check").exit_code == 0


def test_datetimes_have_no_index_on_the_embedded_engine(embedded: Connection, cli: Run) -> None:
    schema.install()
    indexed = {row["properties"][0] for row in query("SHOW INDEXES") if row["type"] == "RANGE"}
    assert "created_by" in indexed
    assert "started_at" not in indexed
    shown = cli("schema", "show").stdout
    line = next(line for line in shown.splitlines() if "started_at" in line)
    assert "not on the embedded engine" in line


def test_schema_show_cypher_creates_the_schema(installed: Connection, cli: Run) -> None:
    statements = cli("schema", "show", "--cypher").stdout.strip().splitlines()
    assert len(statements) == len(schema.list_declared())
    assert all(statement.endswith(";") for statement in statements)
    query("DROP INDEX index_Dataset_license", write=True)
    wanted = next(s for s in statements if "index_Dataset_license" in s)
    query(wanted.rstrip(";"), write=True)
    assert not schema.check()


def test_schema_draw_contains_every_label_and_edge_type(cli: Run) -> None:
    drawn = cli("schema", "draw").stdout.splitlines()
    assert drawn[0] == "flowchart LR"
    assert {f"  {label}([{label}])" for label in NODES} <= {*drawn}
    edges = {f"  {edge.source} -->|{edge.type}| {edge.target}" for edge in EDGES}
    assert {line for line in drawn if "-->" in line} == edges


def test_graphviz_draws_the_models(cli: Run) -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    drawn = subprocess.run(
        ["dot", "-Tplain"],
        input=cli("schema", "draw", "--format", "dot").stdout,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in drawn.stdout.splitlines()]
    assert {words[1] for words in lines if words[0] == "node"} == {*NODES}
    ends = Counter((words[1], words[2]) for words in lines if words[0] == "edge")
    assert ends == Counter((edge.source, edge.target) for edge in EDGES)


def test_the_database_rejects_duplicate_uids(installed: Connection) -> None:
    Dataset(name="a").save()
    with pytest.raises(ValueError, match="a node with this uid already exists"):
        query("CREATE (:Dataset {uid: 'a'})", write=True)


def test_schema_check_reports_all_differences_and_status_that_there_are_some(
    installed: Connection, cli: Run
) -> None:
    query("DROP INDEX index_Model_task", write=True)
    query("DROP INDEX index_Project_owner", write=True)
    query("CREATE INDEX mine FOR (n:Project) ON (n.owner)", write=True)
    query("CREATE INDEX pair FOR (n:Dataset) ON (n.url, n.creator)", write=True)
    result = cli("schema", "check")
    hint = "set GENAI_GRAPH_MODELS if a module of your own declares the extra ones\n"
    assert (result.exit_code, result.stderr) == (1, hint)
    assert result.stdout.splitlines() == [
        "missing: index index_Model_task on Model.task",
        "extra: index pair on Dataset.url,creator",
        "different: expected index index_Project_owner on Project.owner, "
        "found index mine on Project.owner",
    ]
    assert "schema    differs: see genai-graph schema check" in cli("status").stdout


def test_an_index_instead_of_a_constraint_is_reported(installed: Connection) -> None:
    query("DROP CONSTRAINT constraint_unique_Metric_uid", write=True)
    query("CREATE INDEX plain FOR (n:Metric) ON (n.uid)", write=True)
    drift = schema.check()
    assert (drift.missing, drift.extra) == ([], [])
    assert str(drift) == (
        "different: expected unique constraint constraint_unique_Metric_uid on Metric.uid, "
        "found index plain on Metric.uid"
    )


def test_the_index_on_metric_values_finds_integers_and_floats(installed: Connection) -> None:
    run = Experiment().save()
    values = [1, 0.75, -0.5, math.nan, math.inf, 1e300]
    for place, value in enumerate(values):
        run.record(f"m{place}", value)
    found = query("MATCH (m:Metric) WHERE m.value > 0.5 RETURN m.value AS value ORDER BY value")
    assert [row["value"] for row in found] == [0.75, 1.0, 1e300, math.inf]
    assert query("MATCH (m:Metric {value: 0.75}) RETURN m.name AS name") == [{"name": "m1"}]


def test_a_range_of_datetimes_is_correct_after_updates_and_deletions(installed: Connection) -> None:
    times = [datetime(2026, 3, day, tzinfo=timezone.utc) for day in range(1, 6)]
    runs = [Experiment(started_at=time).save() for time in times]
    for run in runs:
        run.started_at += timedelta(days=10)
        run.save()
    runs[0].delete()
    found = query(
        "MATCH (x:Experiment) WHERE x.started_at >= $since RETURN x.uid AS uid",
        since=times[2] + timedelta(days=10),
    )
    assert sorted(row["uid"] for row in found) == sorted(run.uid for run in runs[2:])
