"""Constraints and indexes: made before the first write, compared with the models."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from conftest import Run

from genai_graph import Dataset, Experiment, connect, query, schema
from genai_graph.database import Connection
from genai_graph.registry import EDGES, NODES


@pytest.fixture
def installed(graph: Connection) -> Iterator[Connection]:
    """A graph whose schema is in step, before the test and after it."""
    schema.install()
    yield graph
    drift = schema.check()
    for index in [*drift.extra, *(have for _, have in drift.different)]:
        query(f"DROP INDEX {index.name}", write=True)
    schema.install()


def test_every_kind_of_node_has_a_unique_uid_and_nothing_else_is_unique() -> None:
    unique = [index for index in schema.declared() if index.type == "UNIQUENESS"]
    assert {(index.label, index.property) for index in unique} == {
        (label, "uid") for label in NODES
    }


def test_the_indexed_properties_are_those_of_the_design() -> None:
    indexed = {
        label: {i.property for i in schema.declared() if i.label == label and i.type == "RANGE"}
        for label in NODES
    }
    assert indexed == {
        "Project": {"name", "owner"},
        "Dataset": {"name", "version", "digest", "license"},
        "Model": {"name", "version", "architecture", "task", "license"},
        "Experiment": {"name", "status", "started_at", "created_by"},
        "Metric": {"name", "value"},
    }


def test_install_is_safe_to_repeat(installed: Connection) -> None:
    assert schema.install() == []
    assert not schema.check()


def test_a_missing_index_is_told_and_made_again(installed: Connection, cli: Run) -> None:
    query("DROP INDEX index_Dataset_license", write=True)
    drift = schema.check()
    assert [index.name for index in drift.missing] == ["index_Dataset_license"]
    checked = cli("schema", "check")
    assert checked.exit_code == 1
    assert checked.stdout == "missing: index index_Dataset_license on Dataset.license\n"
    made = cli("schema", "install")
    assert "made: index index_Dataset_license on Dataset.license" in made.stderr
    assert cli("schema", "check").exit_code == 0


def test_a_missing_constraint_is_told_and_made_again(installed: Connection) -> None:
    query("DROP CONSTRAINT constraint_unique_Metric_uid", write=True)
    assert [index.name for index in schema.check().missing] == ["constraint_unique_Metric_uid"]
    schema.install()
    assert not schema.check()


def test_an_extra_index_is_told(installed: Connection, cli: Run) -> None:
    query("CREATE INDEX mine FOR (n:Dataset) ON (n.url)", write=True)
    assert cli("schema", "check").stdout == "extra: index mine on Dataset.url\n"


def test_an_index_in_the_place_of_another_is_told_as_different(
    installed: Connection, cli: Run
) -> None:
    query("DROP INDEX index_Project_owner", write=True)
    query("CREATE INDEX mine FOR (n:Project) ON (n.owner)", write=True)
    result = cli("schema", "check")
    assert result.exit_code == 1
    assert result.stdout == (
        "different: expected index index_Project_owner on Project.owner, "
        "there is index mine on Project.owner\n"
    )


def test_an_index_on_labels_of_others_is_none_of_our_business(installed: Connection) -> None:
    query("CREATE INDEX theirs FOR (n:Thing) ON (n.name)", write=True)
    assert not schema.check()
    query("DROP INDEX theirs", write=True)


def test_reading_makes_no_schema_and_the_first_write_makes_all_of_it(
    installed: Connection, cli: Run
) -> None:
    there = schema.declared() if installed.engine != "embedded" else schema.on_embedded()
    for index in there:
        kind = "CONSTRAINT" if index.type == "UNIQUENESS" else "INDEX"
        query(f"DROP {kind} {index.name}", write=True)
    with connect():
        assert query("MATCH (n) RETURN n") == []
        assert schema.check().missing == sorted(there)
    assert cli("schema", "check").exit_code == 1
    assert cli("shell", "-c", "Dataset(name='a').save()").exit_code == 0
    assert cli("schema", "check").exit_code == 0


def test_times_have_no_index_on_the_embedded_engine(embedded: Connection, cli: Run) -> None:
    schema.install()
    there = {row["properties"][0] for row in query("SHOW INDEXES") if row["type"] == "RANGE"}
    assert "created_by" in there
    assert "started_at" not in there
    shown = cli("schema", "show").stdout
    line = next(line for line in shown.splitlines() if "started_at" in line)
    assert "not on the embedded engine" in line


def test_schema_show_cypher_makes_the_schema(installed: Connection, cli: Run) -> None:
    statements = cli("schema", "show", "--cypher").stdout.strip().splitlines()
    assert len(statements) == len(schema.declared())
    assert all(statement.endswith(";") for statement in statements)
    query("DROP INDEX index_Dataset_license", write=True)
    wanted = next(s for s in statements if "index_Dataset_license" in s)
    query(wanted.rstrip(";"), write=True)
    assert not schema.check()


def test_schema_draw_draws_every_kind_of_node_and_edge(cli: Run) -> None:
    drawn = cli("schema", "draw").stdout.splitlines()
    assert drawn[0] == "flowchart LR"
    assert {f"  {label}([{label}])" for label in NODES} <= {*drawn}
    edges = {f"  {kind.source} -->|{kind.type}| {kind.target}" for kind in EDGES}
    assert {line for line in drawn if "-->" in line} == edges


def test_graphviz_draws_the_models(cli: Run) -> None:
    if shutil.which("dot") is None:
        pytest.skip("there is no dot: Graphviz is not installed")
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
    assert ends == Counter((kind.source, kind.target) for kind in EDGES)


def test_two_nodes_can_not_share_a_uid_whoever_makes_them(installed: Connection) -> None:
    Dataset(name="a").save()
    with pytest.raises(ValueError, match="a node of this uid is already in the graph"):
        query("CREATE (:Dataset {uid: 'a'})", write=True)


def test_all_that_differs_is_told_at_once_and_status_knows(installed: Connection, cli: Run) -> None:
    query("DROP INDEX index_Model_task", write=True)
    query("DROP INDEX index_Project_owner", write=True)
    query("CREATE INDEX mine FOR (n:Project) ON (n.owner)", write=True)
    query("CREATE INDEX pair FOR (n:Dataset) ON (n.url, n.creator)", write=True)
    result = cli("schema", "check")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines() == [
        "missing: index index_Model_task on Model.task",
        "extra: index pair on Dataset.url,creator",
        "different: expected index index_Project_owner on Project.owner, "
        "there is index mine on Project.owner",
    ]
    assert "schema    not in step: see genai-graph schema check" in cli("status").stdout


def test_a_plain_index_in_the_place_of_a_constraint_is_told(installed: Connection) -> None:
    query("DROP CONSTRAINT constraint_unique_Metric_uid", write=True)
    query("CREATE INDEX plain FOR (n:Metric) ON (n.uid)", write=True)
    drift = schema.check()
    assert (drift.missing, drift.extra) == ([], [])
    assert str(drift) == (
        "different: expected unique constraint constraint_unique_Metric_uid on Metric.uid, "
        "there is index plain on Metric.uid"
    )


def test_the_index_on_values_finds_every_kind_of_number(installed: Connection) -> None:
    run = Experiment().save()
    values = [1, 0.75, -0.5, math.nan, math.inf, 1e300]
    for place, value in enumerate(values):
        run.record(f"m{place}", value)
    found = query("MATCH (m:Metric) WHERE m.value > 0.5 RETURN m.value AS value ORDER BY value")
    assert [row["value"] for row in found] == [0.75, 1.0, 1e300, math.inf]
    assert query("MATCH (m:Metric {value: 0.75}) RETURN m.name AS name") == [{"name": "m1"}]


def test_a_range_of_times_is_right_after_updates_and_deletions(installed: Connection) -> None:
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
