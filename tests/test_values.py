"""Values of other libraries: NumPy, pandas, Decimal, paths; what is lossless is accepted."""

from __future__ import annotations

import enum
import logging
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genai_graph import Connection, Dataset, Experiment, Metric, Model, ask, query
from genai_graph.errors import PropertyError, PropertyTypeError, QueryError

MOMENT = datetime(2024, 1, 1, tzinfo=timezone.utc)


def metric(**values: Any) -> Metric:
    return Metric(**{"uid": "m", "name": "m", "value": 0.5, **values})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.int64(3), 3.0),
        (np.uint8(3), 3.0),
        (np.array(0.5), 0.5),
        (np.array(7), 7.0),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (2**53, float(2**53)),
    ],
)
def test_number_that_a_float_represents_is_accepted(value: Any, expected: float) -> None:
    stored = metric(value=value).value
    assert (stored, type(stored)) == (expected, float)


@pytest.mark.parametrize("value", [Decimal("0.1"), Fraction(1, 3), 2**53 + 1])
def test_number_that_a_float_rounds_is_rejected_with_the_fix(value: Any) -> None:
    with pytest.raises(PropertyError, match=r"Metric\.value: .*exactly.*float\(\.\.\.\)"):
        metric(value=value)


@pytest.mark.parametrize(
    "value", [np.int64(3), np.uint8(3), np.array(3), 3.0, np.float32(3), Decimal(3), np.float64(3)]
)
def test_integral_step_is_accepted(value: Any) -> None:
    step = metric(step=value).step
    assert (step, type(step)) == (3, int)


@pytest.mark.parametrize(
    "value", [3.5, np.float32(3.5), float("nan"), np.array([3]), Decimal("3.5")]
)
def test_fractional_step_is_rejected(value: Any) -> None:
    with pytest.raises(PropertyTypeError, match=r"Metric\.step: expected an integer"):
        metric(step=value)


def test_float_is_no_count() -> None:
    with pytest.raises(PropertyTypeError, match=r"Dataset\.size: .*convert it with int\(\.\.\.\)"):
        Dataset(name="d", size=5.0)
    assert Dataset(name="d", size=np.int32(5)).size == 5


@pytest.mark.parametrize("value", [np.bool_(True), np.array(True)])
def test_numpy_bool_is_accepted(value: Any) -> None:
    assert metric(greater_is_better=value).greater_is_better is True


@pytest.mark.parametrize("value", [np.bool_(True), True])
@pytest.mark.parametrize("name", ["value", "step"])
def test_bool_is_no_number(name: str, value: Any) -> None:
    with pytest.raises(PropertyTypeError, match=rf"Metric\.{name}: "):
        metric(**{name: value})


@pytest.mark.parametrize("tags", [("b", "a"), {"a", "b"}, frozenset("ab"), np.array(["a", "b"])])
def test_tags_may_be_any_collection(tags: Any) -> None:
    assert sorted(Model(name="m", tags=tags).tags or ()) == ["a", "b"]


def test_steps_in_a_set_are_rejected() -> None:
    with pytest.raises(PropertyTypeError, match=r"Metric\.steps"):
        metric(steps={1, 2}, values=[1.0, 2.0])


def test_arrays_are_histories(graph: Connection) -> None:
    run = Experiment(uid="run").save()
    steps, values = np.arange(3), np.array([3, 2, 1], dtype=np.float32)
    recorded = run.record("loss", values=values, steps=steps)
    assert (recorded.steps, recorded.values) == ([0, 1, 2], [3.0, 2.0, 1.0])
    assert metric(steps=steps, values=values).values == [3.0, 2.0, 1.0]
    assert run.record("loss", np.float32(0.5), step=3.0).steps == [0, 1, 2, 3]


def test_location_may_be_a_path() -> None:
    assert Dataset(name="d", location=PurePosixPath("/data/d.csv")).location == "/data/d.csv"


def test_timestamp_becomes_a_datetime(graph: Connection, caplog: pytest.LogCaptureFixture) -> None:
    run = Experiment(uid="run").save()
    run.started_at = pd.Timestamp("2024-01-01T00:00:00Z")
    run.save()
    assert (run.started_at, type(run.started_at)) == (MOMENT, datetime)
    assert caplog.messages == []
    with caplog.at_level(logging.WARNING, "genai_graph"):
        run = Experiment.upsert(uid="run", ended_at=pd.Timestamp("2024-01-01T00:00:00.000001500Z"))
    assert run.ended_at == MOMENT.replace(microsecond=2)
    assert any("Experiment.ended_at: nanoseconds" in text for text in caplog.messages)


@pytest.mark.parametrize("missing", [pd.NaT, pd.NA, np.datetime64("NaT"), None])
def test_missing_value_is_not_given(graph: Connection, missing: Any) -> None:
    assert Experiment(uid="run", ended_at=missing).save().ended_at is None
    run = Experiment.upsert(uid="run", ended_at=MOMENT)
    run.ended_at = missing
    assert run.save().ended_at is None
    Experiment.upsert(uid="run", ended_at=MOMENT)
    assert Experiment.upsert(uid="run", ended_at=missing).ended_at is None


@pytest.mark.parametrize("value", [date(2024, 1, 1), np.datetime64("2024-01-01")])
def test_date_is_no_time(value: Any) -> None:
    with pytest.raises(PropertyTypeError, match=r"Experiment\.started_at: expected a time"):
        Experiment(started_at=value)


def test_json_takes_numpy_scalars_and_tuples(graph: Connection) -> None:
    parameters = {"lr": np.float64(0.1), "depth": np.int64(6), "betas": (0.9, 0.99), "on": np.True_}
    run = Experiment(uid="run", parameters=parameters).save()
    assert run.parameters == {"lr": 0.1, "depth": 6, "betas": [0.9, 0.99], "on": True}


def test_type_in_an_error_has_its_module() -> None:
    with pytest.raises(PropertyTypeError, match=r"\(numpy\.ndarray\)"):
        metric(value=np.array([0.5]))


class Tensor:
    """A 0-d tensor, as far as PyTorch, JAX and CuPy agree about it."""

    ndim = 0
    shape = ()

    def __init__(self, value: Any) -> None:
        self._value = value

    def item(self) -> Any:
        return self._value


class State(enum.Enum):
    DONE = "FINISHED"


@pytest.mark.any_engine
def test_tensors_and_enums(graph: Connection) -> None:
    run = Experiment(uid="run", status=State.DONE, parameters={"a": State.DONE}).save()
    assert (run.status, run.parameters) == ("FINISHED", {"a": "FINISHED"})
    metric = run.record("acc", Tensor(0.5), step=Tensor(3), greater_is_better=Tensor(True))
    assert (metric.value, metric.step, metric.greater_is_better) == (0.5, 3, True)
    model = Model(name="m").save()
    edge: Any = run.models.connect(model, {"step": np.int64(5), "role": pd.NA})
    assert (edge.step, edge.role) == (5, None)


@pytest.mark.any_engine
def test_query_parameters(graph: Connection, caplog: pytest.LogCaptureFixture) -> None:
    lossless: list[tuple[Any, Any]] = [
        (np.float32(0.5), 0.5),
        (np.array(3), 3),
        (np.array([[1, 2]]), [[1, 2]]),
        (pd.Series([1.5]), [1.5]),
        (Tensor(np.float16(0.5)), 0.5),
        (np.bool_(True), True),
        (Decimal("0.5"), 0.5),
        (Fraction(4, 2), 2),
        (("a", ("b",)), ["a", ["b"]]),
        ({"a": [np.int8(1)]}, {"a": [1]}),
        (PurePosixPath("/a"), "/a"),
        (State.DONE, "FINISHED"),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timestamp(MOMENT), MOMENT),
    ]
    for value, expected in lossless:
        (row,) = query("RETURN $value AS value", value=value)
        assert (row["value"], type(row["value"])) == (expected, type(expected))
    (row,) = query("RETURN $at AS at", at=pd.Timestamp("2024-01-01T00:00:00.000001500Z"))
    assert row["at"] == MOMENT.replace(microsecond=2)
    assert any("parameter at: nanoseconds are rounded" in text for text in caplog.messages)
    assert query("RETURN $x AS x", x={"b", "a"}) == [{"x": ["a", "b"]}]
    for value, message in [
        (Decimal("0.1"), r"parameter x: .*Decimal\('0.1'\).*float\(\.\.\.\)"),
        (2**63, "parameter x: expected an integer of at most 64 bits, got 9223372036854775808"),
        ("\ud800", "parameter x: expected Unicode text, got a lone surrogate"),
        (Experiment(uid="run"), r"parameter x: .* node <Experiment run>: give its uid"),
        (iter(()), "parameter x: the type tuple_iterator is not supported"),
    ]:
        with pytest.raises(QueryError, match=message):
            query("RETURN $a, $x", a=1, x=[value])
    with pytest.raises(QueryError, match=r"parameter x\.a: the type complex is not supported"):
        query("RETURN $x", x={"a": 1j})


@pytest.mark.any_engine
def test_question_parameters(graph: Connection) -> None:
    for licenses in (("MIT",), {"MIT"}, np.array(["MIT"]), pd.Series(["MIT"])):
        assert ask("license-impact", licenses=licenses, limit=np.int64(5)) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": float("nan")}, r"Metric\.step: .*got nan: give None for a missing value"),
        ({"split": float("nan")}, r"Metric\.split: .*got nan: give None for a missing value"),
        (
            {"value": np.array([0.5])},
            r"Metric\.value: .*\(numpy.ndarray\): give one number, .*item",
        ),
        ({"value": np.timedelta64(1, "s")}, r"Metric\.value: expected a number"),
        ({"value": np.datetime64(1, "ns")}, r"Metric\.value: expected a number"),
        ({"recorded_at": pd.Timestamp("2024-01-01")}, r"recorded_at: .*tz_localize\(\"UTC\"\)"),
        ({"recorded_at": np.datetime64(1, "s")}, r"recorded_at: .*replace\(tzinfo=timezone.utc\)"),
        ({"recorded_at": date(2024, 1, 1)}, r"recorded_at: .*is not a time: give datetime\("),
        ({"metadata": {"a": Decimal("0.1")}}, r"at a: convert it with float\(\.\.\.\), or write"),
        ({"metadata": {"a": MOMENT}}, r"at a: write it as a string, such as value\.isoformat\(\)"),
        ({"value": Decimal("sNaN")}, r"Metric\.value: expected a number that a float"),
    ],
)
def test_error_names_the_property_and_the_fix(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PropertyError, match=message):
        metric(**values)


def test_missing_and_masked_values_are_not_numbers() -> None:
    assert metric(unit=pd.NA, ci_lower=np.ma.masked, step=pd.NaT).step is None
    with pytest.raises(PropertyError, match=r"Metric\.value: is required"):
        metric(value=np.ma.masked)


def test_json_takes_arrays(graph: Connection) -> None:
    parameters = {"a": np.ones((2, 2)), "b": pd.Series([1, 2]), "c": Decimal("0.5"), "d": pd.NaT}
    run = Experiment(uid="run", parameters=parameters).save()
    assert run.parameters == {"a": [[1.0, 1.0], [1.0, 1.0]], "b": [1, 2], "c": 0.5, "d": None}


def test_filters_take_values_of_other_libraries(embedded: Connection) -> None:
    missing = Experiment(uid="missing").save()
    run = Experiment(uid="run", started_at=pd.Timestamp("2024-05-01", tz="UTC")).save()
    missing.record("a", 1.0, unit="s")
    for marker in (pd.NaT, pd.NA, np.datetime64("NaT"), None):
        assert Experiment.nodes.filter(started_at=marker).all() == [missing]
        assert Experiment.nodes.exclude(started_at=marker).all() == [run]
        assert not Experiment.nodes.filter(started_at__in=[marker]).exists()
        assert Experiment.nodes.filter(metrics=marker).all() == [run]
        for lookup in ("started_at__lt", "started_at__date"):
            with pytest.raises(PropertyError, match=r"Experiment\.started_at: .*got nothing"):
                Experiment.nodes.filter(**{lookup: marker})
    assert Experiment.nodes.filter(started_at__year=np.int16(2024)).all() == [run]
    assert Experiment.nodes.filter(started_at__month__lt=np.int8(6)).all() == [run]
    assert Experiment.nodes.filter(started_at__isnull=np.bool_(False)).all() == [run]
    assert Experiment.nodes.filter(metrics__isnull=np.bool_(True)).all() == [run]


@pytest.mark.parametrize("values", [(0.0, -0.0), (-0.0, 0.0)])
def test_sign_of_zero_is_kept(graph: Connection, values: tuple[float, float]) -> None:
    run = Experiment(uid="run").save()
    for value in (*values, values[1]):
        metric = run.record("delta", values=[value, 1.0, value])
        Metric.upsert(uid=metric.uid, ci_lower=value)
        found = Metric.nodes.get(uid=metric.uid)
        texts = [str(number) for number in (found.value, *found.values, found.ci_lower)]
        assert texts == [str(value), str(value), "1.0", str(value), str(value)]
    found.value = values[0]
    found.save()
    assert str(Metric.nodes.get(uid=metric.uid).value) == str(values[0])
    time = found.updated_at
    assert found.save().updated_at == time
