"""Experiment.record: one metric per experiment, name, dataset, split and model."""

from __future__ import annotations

import contextlib
import math
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_graph import (
    Dataset,
    Experiment,
    GenaiGraphError,
    Metric,
    Model,
    atomic,
    query,
    verify,
)
from genai_graph.database import Connection
from genai_graph.errors import (
    EdgeTypeError,
    NodeNotFoundError,
    NotSavedError,
    PropertyError,
    PropertyTypeError,
    UnknownPropertyError,
)

MOMENT = datetime(2026, 3, 1, 9, tzinfo=timezone.utc)


@pytest.fixture
def run(graph: Connection) -> Experiment:
    return Experiment(uid="run-1").save()


@pytest.fixture
def imagenet(graph: Connection) -> Dataset:
    return Dataset(name="imagenet", version="1k").save()


def only_metric() -> Metric:
    """Return the only metric in the graph."""
    (metric,) = Metric.nodes.all()
    return metric


def delete_with_cypher(node: Any) -> None:
    query(
        f"MATCH (n:{type(node).__name__} {{uid: $uid}}) DETACH DELETE n", write=True, uid=node.uid
    )


def history(metric: Metric) -> list[tuple[int, float]]:
    return list(zip(metric.steps, metric.values, strict=True))


# Creating


def test_record_creates_and_returns_metric(run: Experiment, imagenet: Dataset) -> None:
    metric = run.record(
        "accuracy", 0.98, dataset=imagenet, split="test", step=3, greater_is_better=True
    )
    assert isinstance(metric, Metric)
    for found in [metric, only_metric()]:
        assert (found.name, found.value, found.split, found.step) == ("accuracy", 0.98, "test", 3)
        assert found.greater_is_better is True
        assert history(found) == [(3, 0.98)]
        assert found.experiment.all() == [run]
        assert found.dataset.all() == [imagenet]
        assert found.created_at == found.updated_at is not None
    assert run.metrics.all() == [metric]
    assert imagenet.metrics.all() == [metric]


def test_record_sets_other_properties(run: Experiment) -> None:
    properties: dict[str, Any] = {
        "unit": "%",
        "greater_is_better": False,
        "recorded_at": MOMENT,
        "ci_lower": 0.1,
        "ci_upper": 0.9,
        "description": "with dropout",
        "tags": ["final"],
        "metadata": {"seed": 1},
        "created_at": MOMENT,
    }
    run.record("loss", 0.5, **properties)
    found = only_metric()
    assert {name: getattr(found, name) for name in properties} == properties


@pytest.mark.parametrize(
    ("with_dataset", "split", "uid"),
    [
        (False, None, "run-1/loss"),
        (True, None, "run-1/loss/imagenet@1k"),
        (False, "val", "run-1/loss//val"),
        (True, "val", "run-1/loss/imagenet@1k/val"),
    ],
)
def test_metric_uid(
    run: Experiment, imagenet: Dataset, with_dataset: bool, split: str | None, uid: str
) -> None:
    metric = run.record("loss", 0.5, dataset=imagenet if with_dataset else None, split=split)
    assert (metric.uid, Metric.nodes.get(uid=uid).split) == (uid, split)
    assert metric.dataset.all() == ([imagenet] if with_dataset else [])


def test_metric_uids_with_slashes_are_distinct(graph: Connection) -> None:
    a, ab = Experiment(uid="a").save(), Experiment(uid="a/b").save()
    d = Dataset(name="d").save()
    slashed = Dataset(name="c/d").save()
    metrics = [
        ab.record("c", 1),
        a.record("b/c", 2),
        a.record("b", 3, dataset=Dataset(name="c").save()),
        a.record("b", 4, split="c"),
        a.record("b/c", 5, dataset=d),
        a.record("b", 6, dataset=slashed),
        a.record("b", 7, dataset=d, split="%2F"),
        a.record("b", 8, dataset=d, split="/"),
        a.record("b", 9, dataset=d, split=""),
        a.record("b", 10, dataset=d),
    ]
    assert len({metric.uid for metric in metrics}) == len(metrics)
    assert sorted(metric.value for metric in Metric.nodes.all()) == list(range(1, 11))
    assert len(a.metrics) == 9


def test_one_metric_per_name_dataset_and_split(run: Experiment, imagenet: Dataset) -> None:
    cifar = Dataset(name="cifar").save()
    for value in (0.1, 0.2):
        run.record("accuracy", value)
        run.record("accuracy", value, dataset=imagenet)
        run.record("accuracy", value, dataset=cifar)
        run.record("accuracy", value, dataset=cifar, split="test")
        run.record("accuracy", value, split="test")
        run.record("loss", value)
    assert len(run.metrics) == 6
    assert {metric.value for metric in run.metrics} == {0.2}
    assert len(cifar.metrics) == 2
    edges = query("MATCH (:Experiment)-[r:HAS]->(:Metric) RETURN count(r) AS count")
    assert edges == [{"count": 6}]


@pytest.mark.parametrize(
    ("with_dataset", "split", "uid"),
    [
        (False, None, "run-1/acc///m@1"),
        (True, None, "run-1/acc/imagenet@1k//m@1"),
        (False, "val", "run-1/acc//val/m@1"),
        (True, "val", "run-1/acc/imagenet@1k/val/m@1"),
        (True, "", "run-1/acc/imagenet@1k/%/m@1"),
    ],
)
def test_metric_of_a_model(
    run: Experiment, imagenet: Dataset, with_dataset: bool, split: str | None, uid: str
) -> None:
    model = Model(name="m", version="1").save()
    dataset = imagenet if with_dataset else None
    for value in (0.1, 0.2):
        metric = run.record("acc", value, dataset=dataset, split=split, model=model)
        assert (metric.uid, metric.split, metric.value) == (uid, split, value)
    assert only_metric().model.all() == [model]
    assert model.metrics.all() == run.metrics.all() == [metric]
    assert metric.dataset.all() == ([imagenet] if with_dataset else [])
    assert list(verify()) == []


def test_scores_of_the_models_of_a_run_are_separate(run: Experiment, imagenet: Dataset) -> None:
    first, second = Model(name="a/b").save(), Model(name="b").save()
    for model, value in [(first, 0.1), (second, 0.2), (None, 0.3)]:
        run.record("acc", value, dataset=imagenet, model=model)
        run.record("acc", value + 1, dataset=imagenet, model=model, step=2)
    assert sorted((metric.value, metric.step) for metric in run.metrics) == [
        (1.1, 2),
        (1.2, 2),
        (1.3, 2),
    ]
    assert [metric.value for metric in first.metrics] == [1.1]
    assert [metric.value for metric in second.metrics] == [1.2]
    assert list(verify()) == []


def test_metrics_are_separate_per_experiment(run: Experiment) -> None:
    other = Experiment(uid="run-2").save()
    run.record("loss", 0.1)
    other.record("loss", 0.2)
    assert [metric.value for metric in run.metrics] == [0.1]
    assert [metric.value for metric in other.metrics] == [0.2]


def test_renamed_dataset_keeps_its_metric(run: Experiment, imagenet: Dataset) -> None:
    run.record("accuracy", 0.1, dataset=imagenet)
    imagenet.rename("renamed")
    run.record("accuracy", 0.2, dataset=Dataset.nodes.get(name="renamed"))
    assert only_metric().value == 0.2


# History


def test_values_with_steps_form_history(run: Experiment) -> None:
    for step, value in [(1, 0.5), (2, 0.4), (3, 0.3)]:
        metric = run.record("loss", value, step=step)
        assert (metric.value, metric.step) == (value, step)
    assert history(only_metric()) == [(1, 0.5), (2, 0.4), (3, 0.3)]


def test_history_is_sorted_and_value_is_that_of_last_step(run: Experiment) -> None:
    for step in (5, -1, 3, 0):
        metric = run.record("loss", step / 10, step=step)
    assert history(metric) == [(-1, -0.1), (0, 0.0), (3, 0.3), (5, 0.5)]
    assert (metric.value, metric.step) == (0.5, 5)
    assert history(only_metric()) == history(metric)


def test_value_of_same_step_is_replaced(run: Experiment) -> None:
    run.record("loss", values=[0.3, 0.2, 0.1])
    metric = run.record("loss", 9, step=1)
    assert history(metric) == [(0, 0.3), (1, 9.0), (2, 0.1)]
    metric = run.record("loss", 8, step=2)
    assert (history(metric)[-1], metric.value) == ((2, 8.0), 8.0)


def test_record_without_step_changes_value_only(run: Experiment) -> None:
    run.record("loss", values=[0.3, 0.2], steps=[10, 20])
    metric = run.record("loss", 7)
    assert (metric.value, metric.step) == (7.0, None)
    assert history(metric) == [(10, 0.3), (20, 0.2)]
    metric = run.record("loss", 0.25, step=15)
    assert (metric.value, metric.step) == (0.2, 20)


def test_metric_without_step_has_no_history(run: Experiment) -> None:
    metric = run.record("loss", 0.5)
    assert (metric.value, metric.step, metric.steps, metric.values) == (0.5, None, [], [])
    metric = run.record("loss", 0.4, step=0)
    assert (metric.value, history(metric)) == (0.4, [(0, 0.4)])


def test_record_whole_history(run: Experiment) -> None:
    metric = run.record("loss", values=[0.1, 0.3, 0.2], steps=[30, 10, 20])
    assert history(metric) == [(10, 0.3), (20, 0.2), (30, 0.1)]
    assert (metric.value, metric.step) == (0.1, 30)
    assert history(only_metric()) == history(metric)


def test_default_steps_start_at_zero(run: Experiment) -> None:
    assert history(run.record("loss", values=(3, 2))) == [(0, 3.0), (1, 2.0)]


def test_history_is_merged_into_existing_one(run: Experiment) -> None:
    run.record("loss", values=[1, 2, 3], steps=[1, 2, 3])
    metric = run.record("loss", values=[20, 0], steps=range(2, -1, -2))
    assert history(metric) == [(0, 0.0), (1, 1.0), (2, 20.0), (3, 3.0)]
    assert metric.value == 3.0


def test_last_value_of_duplicate_step_wins(run: Experiment) -> None:
    assert history(run.record("loss", values=[1, 2, 3], steps=[1, 1, 0])) == [(0, 3.0), (1, 2.0)]


def test_steps_of_64_bits(run: Experiment) -> None:
    steps = [-(2**63), -1, 0, 2**31, 2**53 + 1, 2**63 - 1]
    run.record("loss", values=[float(step) for step in steps], steps=steps)
    assert only_metric().steps == steps


def test_long_history(run: Experiment) -> None:
    values = [number / 7 for number in range(5_000)]
    run.record("loss", values=values)
    run.record("loss", -1, step=5_000)
    assert only_metric().values == [*values, -1.0]
    assert only_metric().steps == list(range(5_001))


def test_history_values_are_floats(run: Experiment) -> None:
    run.record("loss", values=[1, 0.75, 2])
    run.record("loss", 3, step=3)
    found = only_metric()
    assert [type(value) for value in [*found.values, found.value]] == [float] * 5
    assert found.values == [1.0, 0.75, 2.0, 3.0]


def test_fraction_after_whole_numbers_is_not_truncated(run: Experiment) -> None:
    for number in range(3):
        run.record(f"whole {number}", number)
    run.record("fraction", 0.75)
    run.record("whole 1", 1.25)
    assert Metric.nodes.get(name="fraction").value == 0.75
    assert Metric.nodes.get(name="whole 1").value == 1.25
    assert {metric.name for metric in Metric.nodes.filter(value__gt=0.5)} == {
        "fraction",
        "whole 1",
        "whole 2",
    }


steps_and_values = st.lists(
    st.tuples(st.integers(-5, 5), st.floats(allow_nan=False)), min_size=1, max_size=6
)


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(steps_and_values, min_size=1, max_size=3))
def test_histories_merge_like_dicts(run: Experiment, writes: list[list[tuple[int, float]]]) -> None:
    query("MATCH (m:Metric) DETACH DELETE m", write=True)
    expected: dict[int, float] = {}
    for pairs in writes:
        steps, values = zip(*pairs, strict=True)
        if len(pairs) == 1:
            metric = run.record("loss", values[0], step=steps[0])
        else:
            metric = run.record("loss", values=values, steps=steps)
        expected |= dict(pairs)
        assert history(metric) == sorted(expected.items())
        assert metric.value == expected[max(expected)]
    assert history(only_metric()) == sorted(expected.items())


# Non-finite values


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_values(run: Experiment, value: float) -> None:
    run.record("loss", value)
    assert repr(only_metric().value) == repr(value)
    run.record("loss", value, step=1, ci_lower=value)
    found = only_metric()
    assert repr([found.value, found.ci_lower, *found.values]) == repr([value] * 3)
    assert query("MATCH (m:Metric) RETURN m.values[0] = m.value AS same") == [
        {"same": not math.isnan(value)}
    ]


def test_non_finite_values_in_history(run: Experiment) -> None:
    metric = run.record("loss", values=[1, math.nan, math.inf])
    assert repr(metric.values) == "[1.0, nan, inf]"
    metric = run.record("loss", -math.inf, step=3)
    assert repr(only_metric().values) == repr(metric.values) == "[1.0, nan, inf, -inf]"
    metric = run.record("loss", 0.5, step=1)
    assert metric.values == [1.0, 0.5, math.inf, -math.inf]


# Updating


def test_record_keeps_values_not_given(run: Experiment) -> None:
    first = run.record("loss", 0.5, unit="nats", greater_is_better=False, tags=["a"])
    again = run.record("loss", 0.4, unit="bits")
    assert (again.unit, again.greater_is_better, again.tags) == ("bits", False, ["a"])
    assert again.created_at == first.created_at
    assert again.updated_at is not None
    assert first.updated_at is not None
    assert again.updated_at > first.updated_at


def test_record_of_same_values_keeps_updated_at(run: Experiment, imagenet: Dataset) -> None:
    calls: list[dict[str, Any]] = [
        {"name": "a", "value": math.nan},
        {"name": "b", "value": 0.5, "step": 1, "dataset": imagenet},
        {"name": "c", "values": [math.nan, 1.0], "split": "test", "unit": "s"},
    ]
    first = [run.record(**arguments) for arguments in calls]
    again = [run.record(**arguments) for arguments in calls]
    assert [metric.updated_at for metric in again] == [metric.updated_at for metric in first]


def test_record_removes_property_set_to_none(run: Experiment) -> None:
    run.record("loss", 0.5, unit="nats", greater_is_better=False)
    metric = run.record("loss", 0.5, unit=None, greater_is_better=None)
    assert (metric.unit, metric.greater_is_better) == (None, None)
    assert only_metric().unit is None


def test_record_from_copy_of_experiment(run: Experiment) -> None:
    run.record("loss", 0.5, step=0)
    Experiment.nodes.get(uid="run-1").record("loss", 0.4, step=1)
    run.name = "renamed"
    run.save()
    assert history(run.record("loss", 0.3, step=2)) == [(0, 0.5), (1, 0.4), (2, 0.3)]


def test_recorded_metric_can_be_saved_and_deleted(run: Experiment) -> None:
    metric = run.record("loss", 0.5, step=0)
    metric.unit = "nats"
    metric.save()
    assert run.record("loss", 0.4, step=1).unit == "nats"
    metric.delete()
    assert run.metrics.all() == []
    assert history(run.record("loss", 0.3, step=2)) == [(2, 0.3)]


def test_record_is_rolled_back_with_outer_block(run: Experiment) -> None:
    with contextlib.suppress(ZeroDivisionError), atomic():
        run.record("loss", 0.5)
        run.record("accuracy", 1 / 0)
    assert Metric.nodes.all() == []


# Errors


@pytest.mark.parametrize(
    ("arguments", "name", "problem"),
    [
        ({"value": "high"}, "value", "expected a number, got 'high'"),
        ({"value": True}, "value", "expected a number, got True"),
        ({"value": [0.5]}, "value", "expected a number, got a list"),
        ({"value": 1, "step": "3"}, "step", "expected an integer, got '3'"),
        ({"value": 1, "step": 1.5}, "step", "expected an integer, got 1.5"),
        ({"value": 1, "step": True}, "step", "expected an integer, got True"),
        ({"value": 1, "step": 2**63}, "step", "expected an integer of at most"),
        ({"values": [1, "2"]}, "values", "item 2: expected a number, got '2'"),
        ({"values": [None, 1]}, "values", "item 1: expected a number, got nothing"),
        ({"values": "0.5"}, "values", "expected"),
        ({"values": 0.5}, "values", "expected"),
        ({"values": {0: 0.5}}, "values", "expected"),
        ({"values": b"ab"}, "values", "expected"),
        ({"values": {0.5, 0.4}}, "values", "expected"),
        ({"values": [1, 2], "steps": b"ab"}, "steps", "expected"),
        ({"values": [1, 2], "steps": [0, 1.5]}, "steps", "item 2: expected an integer, got 1.5"),
        ({"values": [1], "steps": 5}, "steps", "expected"),
        ({"values": [1], "steps": "5"}, "steps", "a list of integers, got '5'"),
        ({"values": [1], "steps": [1, 2]}, "values", "as many values as steps"),
        ({"values": [1, 2], "steps": []}, "values", "as many values as steps"),
        ({"values": []}, "values", "at least one"),
        ({"value": 1, "values": [1]}, "values", "got both"),
        ({"values": [1], "step": 1}, "values", "expected"),
        ({"value": 1, "steps": [1]}, "value", "values with their steps"),
        ({}, "value", "expected a value"),
        ({"steps": [1]}, "value", "expected a value"),
        ({"value": 1, "split": 3}, "split", "expected a string, got 3"),
        ({"value": 1, "unit": 3}, "unit", "expected a string, got 3"),
        ({"value": 1, "recorded_at": "now"}, "recorded_at", "zone"),
        ({"value": 1, "greater_is_better": "yes"}, "greater_is_better", "true or false"),
        ({"value": 1, "name": 3}, "name", "expected a string, got 3"),
        ({"value": 1, "name": ""}, "name", "non-empty string"),
        ({"value": 1, "name": None}, "name", "required"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_invalid_argument_is_rejected(
    run: Experiment, arguments: dict[str, Any], name: str, problem: str
) -> None:
    with pytest.raises(PropertyError) as caught:
        run.record(**{"name": "loss", **arguments})
    message = str(caught.value)
    assert message.startswith(f"Metric.{name}: ")
    assert problem in message
    assert Metric.nodes.all() == []


def test_value_of_wrong_type_raises_type_error(run: Experiment) -> None:
    with pytest.raises(PropertyTypeError):
        run.record("loss", "0.5")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        run.record("loss", 0.5, step=1.5)  # type: ignore[arg-type]


def test_misspelled_property_suggests_similar_name(run: Experiment) -> None:
    with pytest.raises(
        UnknownPropertyError, match=r"Metric\.greater_is_bettr.*did you mean 'greater_is_better'"
    ):
        run.record("loss", 0.5, greater_is_bettr=True)
    with pytest.raises(UnknownPropertyError, match=r"Metric\.experiment"):
        run.record("loss", 0.5, experiment=run)
    assert Metric.nodes.all() == []


def test_uid_is_rejected(run: Experiment) -> None:
    with pytest.raises(GenaiGraphError, match="uid"):
        run.record("loss", 0.5, uid="my own")
    assert Metric.nodes.all() == []


@pytest.mark.parametrize("wrong", ["imagenet", 5, Dataset, Model(name="m")])
def test_dataset_of_wrong_type_is_rejected(run: Experiment, wrong: Any) -> None:
    with pytest.raises(
        EdgeTypeError, match=r"record.*dataset.*expected a genai_graph.Dataset, got"
    ) as caught:
        run.record("loss", 0.5, dataset=wrong)
    assert repr(wrong) in str(caught.value)
    assert isinstance(caught.value, TypeError)
    assert Metric.nodes.all() == []


def test_unsaved_experiment_or_dataset_is_rejected(run: Experiment) -> None:
    with pytest.raises(NotSavedError, match=r"<Experiment new>.*save\(\)"):
        Experiment(uid="new").record("loss", 0.5)
    with pytest.raises(NotSavedError, match=r"<Dataset d>.*save\(\)"):
        run.record("loss", 0.5, dataset=Dataset(name="d"))
    with pytest.raises(NotSavedError, match=r"<Model m>.*save\(\)"):
        run.record("loss", 0.5, model=Model(name="m"))


def test_object_that_is_no_model_is_rejected(run: Experiment, imagenet: Dataset) -> None:
    with pytest.raises(EdgeTypeError, match=r"record: model: expected a genai_graph.Model, got"):
        run.record("loss", 0.5, model=imagenet)  # type: ignore[arg-type]
    assert Metric.nodes.all() == []
    assert Metric.nodes.all() == []


def test_record_on_experiment_deleted_elsewhere_writes_nothing(run: Experiment) -> None:
    delete_with_cypher(run)
    with pytest.raises(NodeNotFoundError, match=r"Experiment.*'run-1'"):
        run.record("loss", 0.5)
    assert Metric.nodes.all() == []


def test_record_with_dataset_deleted_elsewhere_writes_nothing(
    run: Experiment, imagenet: Dataset
) -> None:
    delete_with_cypher(imagenet)
    with pytest.raises(NodeNotFoundError, match=r"Dataset.*'imagenet@1k'"):
        run.record("loss", 0.5, dataset=imagenet)
    assert Metric.nodes.all() == []


def test_record_with_dataset_deleted_elsewhere_keeps_existing_metric(
    run: Experiment, imagenet: Dataset
) -> None:
    run.record("loss", 0.5, step=0, dataset=imagenet)
    delete_with_cypher(imagenet)
    with pytest.raises(NodeNotFoundError):
        run.record("loss", 0.4, step=1, dataset=imagenet)
    assert history(only_metric()) == [(0, 0.5)]


def test_record_on_deleted_object_raises_error(run: Experiment) -> None:
    run.delete()
    with pytest.raises(NotSavedError, match=r"<Experiment run-1>.*deleted"):
        run.record("loss", 0.5)


# Deleting


def test_delete_experiment_deletes_its_metrics(run: Experiment, imagenet: Dataset) -> None:
    other, model = Experiment(uid="run-2").save(), Model(name="m").save()
    run.record("loss", values=[0.5, 0.4])
    run.record("accuracy", 0.9, dataset=imagenet)
    kept = other.record("accuracy", 0.8, dataset=imagenet)
    run.models.connect(model)
    run.datasets.connect(imagenet)
    assert run.delete() is True
    assert Experiment.nodes.all() == [other]
    assert Metric.nodes.all() == [kept]
    assert (Dataset.nodes.all(), Model.nodes.all()) == ([imagenet], [model])
    assert imagenet.metrics.all() == [kept]
    assert other.metrics.all() == [kept]


def test_delete_experiment_deletes_metrics_recorded_by_copies(run: Experiment) -> None:
    copy = Experiment.nodes.get(uid="run-1")
    copy.record("loss", 0.5)
    run.delete()
    assert Metric.nodes.all() == []
    with pytest.raises(NodeNotFoundError, match="'run-1'"):
        copy.delete()


def test_delete_dataset_keeps_metrics(run: Experiment, imagenet: Dataset) -> None:
    metric = run.record("accuracy", 0.9, dataset=imagenet)
    imagenet.delete(force=True)
    assert run.metrics.all() == [metric]
    assert metric.dataset.all() == []


def test_rolled_back_delete_keeps_metrics(run: Experiment) -> None:
    run.record("loss", 0.5)
    with contextlib.suppress(ZeroDivisionError), atomic():
        run.delete()
        _ = 1 / 0
    assert [metric.value for metric in Experiment.nodes.get(uid="run-1").metrics] == [0.5]


def test_stale_experiment_does_not_delete_metrics_of_another(embedded: Connection) -> None:
    stale = Experiment(uid="old").save()
    delete_with_cypher(stale)
    other = Experiment(uid="new").save()
    metric = other.record("loss", 0.5)
    with pytest.raises(NodeNotFoundError, match="'old'"):
        stale.delete()
    assert other.metrics.all() == [metric]
