"""Unusual states: data of other programs, rollbacks, lost races."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from neomodel import db

from genai_graph import Dataset, Experiment, Metric, Model, atomic, models, query
from genai_graph.database import Connection, sandbox
from genai_graph.errors import GenaiGraphError, NodeExistsError
from genai_graph.ogm.node import VersionedNode


def test_edge_to_other_label_is_not_part_of_cycle(graph: Connection) -> None:
    a, b = Model(name="a").save(), Model(name="b").save()
    Dataset(name="a").save()
    query(
        "MATCH (m:Model {uid: 'b'}) MATCH (d:Dataset {uid: 'a'}) CREATE (m)-[:DERIVED_FROM]->(d)",
        write=True,
    )
    a.parents.connect(b)
    assert a.parents.all() == [b]


def test_ancestor_without_uid_does_not_block_edges(graph: Connection) -> None:
    a, b, c = [Model(name=name).save() for name in "abc"]
    b.parents.connect(c)
    query("MATCH (m:Model {uid: 'b'}) CREATE (m)-[:DERIVED_FROM]->(:Model {name: 'x'})", write=True)
    a.parents.connect(b)
    assert a.parents.all() == [b]


def test_bulk_get_or_create_with_random_uids(graph: Connection) -> None:
    nodes = Experiment.nodes.bulk_get_or_create({"name": "x"}, {"name": "x"})
    assert len({node.uid for node in nodes}) == 2


def test_unchanged_save_normalizes_attributes(graph: Connection) -> None:
    node = Dataset(name="d", location="s3://x/y").save()
    node.location = "s3://user:secret@x/y"
    node.save()
    assert node.location == "s3://x/y"


def test_unchanged_save_restores_defaults(graph: Connection) -> None:
    node = Dataset(name="d").save()
    created_at = node.created_at
    node.tags = node.metadata = node.created_at = None  # type: ignore[assignment]
    node.save()
    assert (node.tags, node.metadata, node.created_at) == ([], {}, created_at)


def test_new_node_can_be_saved_again_after_rollback(graph: Connection) -> None:
    node = Dataset(name="d")
    with contextlib.suppress(ZeroDivisionError), atomic():
        node.save()
        _ = 1 / 0
    with contextlib.suppress(GenaiGraphError):  # an error would be fine
        node.save()
        assert len(Dataset.nodes) == 1


def test_change_can_be_saved_again_after_rollback(graph: Connection) -> None:
    node = Dataset(name="d", size=1).save()
    node.size = 2
    with contextlib.suppress(ZeroDivisionError), atomic():
        node.save()
        _ = 1 / 0
    node.save()
    assert Dataset.nodes.get(uid="d").size == 2


@pytest.mark.parametrize("stored", ["'\"\\\\ud800\"'", "datetime()", "date()", "[datetime()]"])
def test_invalid_stored_json_can_be_fixed(graph: Connection, stored: str) -> None:
    query(f"CREATE (d:Dataset {{uid: 'd', name: 'd'}}) SET d.metadata = {stored}", write=True)
    node = Dataset.nodes.get(uid="d")
    node.metadata = {"a": 1}
    node.save()
    assert Dataset.nodes.get(uid="d").metadata == {"a": 1}


@pytest.mark.parametrize(
    ("name", "stored", "value"), [("greater_is_better", 1, True), ("step", 2.0, 2)]
)
def test_number_of_wrong_type_can_be_fixed(
    graph: Connection, name: str, stored: Any, value: Any
) -> None:
    query(
        f"CREATE (m:Metric {{uid: 'm', name: 'm', value: 0.5}}) SET m.{name} = $v",
        write=True,
        v=stored,
    )
    Metric.upsert(uid="m", **{name: value})  # the fix that `verify` suggests
    rows = query(f"MATCH (m:Metric) RETURN m.{name} AS value")
    assert type(rows[0]["value"]) is type(value)


@pytest.mark.parametrize("steps", [["x"], 5])
def test_record_reports_invalid_stored_history(graph: Connection, steps: Any) -> None:
    run = Experiment(uid="e").save()
    run.record("m", 1.0, step=1)
    query("MATCH (m:Metric) SET m.steps = $steps", write=True, steps=steps)
    with contextlib.suppress(GenaiGraphError):
        run.record("m", 1.0, step=2)


def test_record_merges_metric_created_meanwhile(
    neo4j_graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, lock_node = Experiment(uid="e").save(), models.lock_node
    other = threading.Thread(target=run.record, args=("m", 0.5), kwargs={"step": 1})

    def lock_and_start_race(label: str, uid: str) -> Any:
        found = lock_node(label, uid)
        monkeypatch.setattr(models, "lock_node", lock_node)
        # Neo4j makes it wait, since the first transaction locks the uid that it has not found.
        other.start()
        other.join(timeout=1)
        return found

    monkeypatch.setattr(models, "lock_node", lock_and_start_race)
    run.record("m", 0.4, step=2)
    other.join()
    assert Metric.nodes.get(uid="e/m").steps == [1, 2]


def test_upserted_node_can_be_saved_after_rollback(graph: Connection) -> None:
    with contextlib.suppress(ZeroDivisionError), atomic():
        node = Dataset.upsert(name="d", size=1)
        _ = 1 / 0
    node.save()
    assert Dataset.nodes.get(uid="d").size == 1


def test_node_saved_in_a_sandbox_can_be_saved_after_it(graph: Connection) -> None:
    node, other = Dataset(name="d"), Dataset(name="other", size=1).save()
    with sandbox():
        node.save()
        node.save()
        other.size = 2
        other.save()
    node.save()
    other.save()
    assert sorted((found.uid, found.size) for found in Dataset.nodes.all()) == [
        ("d", None),
        ("other", 2),
    ]


def test_node_saved_in_a_transaction_of_neomodel_can_be_saved_after_it(graph: Connection) -> None:
    node = Dataset(name="d")
    with contextlib.suppress(ZeroDivisionError), db.transaction:
        node.save()
        _ = 1 / 0
    node.save()
    assert len(Dataset.nodes) == 1


def test_nodes_of_several_classes_are_saved_together(graph: Connection) -> None:
    with pytest.raises(NodeExistsError):
        VersionedNode.bulk_save([Dataset(name="a"), Model(name="m"), Model(name="m")])
    assert len(Dataset.nodes) == 0
    VersionedNode.bulk_save([Dataset(name="a"), Model(name="m")])
    assert (len(Dataset.nodes), len(Model.nodes)) == (1, 1)
