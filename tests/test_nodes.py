"""Nodes: validation, uids, saving, loading and node sets."""

from __future__ import annotations

import contextlib
import enum
import json
import math
import struct
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import neomodel
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from neomodel import Q

from genai_graph import Dataset, Experiment, GenaiGraphError, Metric, Model, Project, query
from genai_graph.database import Connection
from genai_graph.errors import (
    NodeExistsError,
    NodeNotFoundError,
    NotSavedError,
    PropertyError,
    PropertyTypeError,
    UnknownPropertyError,
    UnsupportedError,
)
from genai_graph.names import normalize_name
from genai_graph.ogm.uids import MetricKey, metric_uid, parse_metric_uid, split_uid

MOMENT = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=timezone.utc)
INTEGERS = (-(2**63), 2**63 - 1)

# Every property of every node class, with a valid value.
COMMON_PROPERTIES: dict[str, Any] = {
    "description": "a description",
    "tags": ["fraud", "2026"],
    "metadata": {"team": {"size": 3}, "flags": [True, None]},
    "origin": "mlflow:tracking.example.org/ml",
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
ALL_PROPERTIES: dict[type[Any], dict[str, Any]] = {
    Project: {
        **COMMON_PROPERTIES,
        "uid": "the-project",
        "name": "fraud",
        "owner": "ada",
        "url": "https://example.org",
        "license": "Apache-2.0",
    },
    Dataset: {
        **COMMON_PROPERTIES,
        "uid": "the-dataset",
        "name": "transactions",
        "version": "2026",
        "digest": "sha256:0",
        "location": "s3://ml/transactions",
        "source_type": "s3",
        "size": 1_234_567_890_123,
        "num_rows": 12_500_000,
        "num_features": 0,
        "license": "CC-BY-4.0",
        "encoding_format": "text/csv",
        "url": "https://example.org",
        "creator": "ada",
        "citation": "Ada (2026)",
        "data_schema": [{"name": "amount", "type": "float"}],
    },
    Model: {
        **COMMON_PROPERTIES,
        "uid": "the-model",
        "name": "xgb-fraud",
        "version": "2.1",
        "architecture": "gbdt",
        "task": "classification",
        "framework": "xgboost",
        "num_parameters": 7_000_000_000,
        "hyperparameters": {"eta": 0.1, "depth": 6},
        "training_history": {"loss": [0.9, 0.1]},
        "status": "READY",
        "size": 4096,
        "license": "MIT",
        "location": "s3://ml/xgb",
        "digest": "sha256:1",
    },
    Experiment: {
        **COMMON_PROPERTIES,
        "uid": "the-experiment",
        "name": "first try",
        "status": "FINISHED",
        "started_at": MOMENT,
        "ended_at": MOMENT + timedelta(hours=1),
        "parameters": {"lr": 1e-4},
        "results": {"accuracy": 0.98},
        "code_version": "9f2c",
        "code_url": "https://example.org",
        "random_seed": -1,
        "environment": {"python": "3.12"},
        "created_by": "ada",
        "source": "train.py",
    },
    Metric: {
        **COMMON_PROPERTIES,
        "uid": "the-experiment/accuracy",
        "name": "accuracy",
        "value": 0.981,
        "step": 3,
        "split": "test",
        "unit": "%",
        "greater_is_better": False,
        "recorded_at": MOMENT,
        "ci_lower": 0.97,
        "ci_upper": 0.99,
        "steps": [1, 3],
        "values": [0.5, 0.981],
    },
}
CLASSES = list(ALL_PROPERTIES)
# By name: Hypothesis prints arguments, and calls `_repr_pretty_` of a class as if of an object.
LABELS = {cls.__name__: cls for cls in CLASSES}
REQUIRED = {Project: ["name"], Dataset: ["name"], Model: ["name"], Metric: ["name", "value"]}
JSON_PROPERTIES = [
    (cls, name)
    for cls, names in {
        Project: ["metadata"],
        Dataset: ["metadata", "data_schema"],
        Model: ["metadata", "hyperparameters", "training_history"],
        Experiment: ["metadata", "parameters", "results", "environment"],
        Metric: ["metadata"],
    }.items()
    for name in names
]
LISTS = [(cls, "tags") for cls in CLASSES] + [(Metric, "steps"), (Metric, "values")]

database_settings = settings(
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
fast_settings = settings(max_examples=200, deadline=None, database=None)
type_settings = settings(max_examples=50, deadline=None, database=None)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).map(
    normalize_name
)
integers = st.integers(*INTEGERS)
zones = st.builds(
    timezone, st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
)
times = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)
json_values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


any_value = st.one_of(
    integers,
    st.floats(),
    st.booleans(),
    texts,
    st.binary(max_size=9),
    st.dates(),
    st.dictionaries(texts, integers, max_size=2),
    st.sets(integers, min_size=1, max_size=2),
    st.complex_numbers(),
    st.builds(object),
    st.just(int),
)


class Status(str, enum.Enum):
    """A string enum, as many programs declare their choices."""

    READY = "READY"


def make_node(cls: type[Any], **values: Any) -> Any:
    """Return a new node with the required properties and the given values."""
    required = {name: ALL_PROPERTIES[cls][name] for name in ["uid", *REQUIRED.get(cls, [])]}
    return cls(**{**required, **values})


def stored_properties(node: Any) -> dict[str, Any]:
    """Return the properties of a node in the graph."""
    rows = query(f"MATCH (n:{type(node).__name__} {{uid: $uid}}) RETURN n", uid=node.uid)
    properties: dict[str, Any] = rows[0]["n"]
    return properties


def count_nodes(label: str) -> int:
    return int(query(f"MATCH (n:{label}) RETURN count(n) AS count")[0]["count"])


def delete_with_cypher(node: Any) -> None:
    query(
        f"MATCH (n:{type(node).__name__} {{uid: $uid}}) DETACH DELETE n", write=True, uid=node.uid
    )


def float_bits(value: float) -> bytes:
    """Return the bits of a float: 0.0 and -0.0 differ, all NaNs are equal."""
    return b"NaN" if math.isnan(value) else struct.pack(">d", value)


# Construction


@pytest.mark.parametrize("cls", CLASSES)
def test_declared_properties(cls: type[Any]) -> None:
    assert set(cls.defined_properties(aliases=False, rels=False)) == set(ALL_PROPERTIES[cls])


@pytest.mark.parametrize("cls", CLASSES)
def test_properties_are_keyword_arguments_and_attributes(cls: type[Any]) -> None:
    node = cls(**ALL_PROPERTIES[cls])
    assert {name: getattr(node, name) for name in ALL_PROPERTIES[cls]} == ALL_PROPERTIES[cls]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_property_round_trips(graph: Connection, cls: type[Any]) -> None:
    cls(**ALL_PROPERTIES[cls]).save()
    node = cls.nodes.get(uid=ALL_PROPERTIES[cls]["uid"])
    found = {name: getattr(node, name) for name in ALL_PROPERTIES[cls]}
    assert found == ALL_PROPERTIES[cls]
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in ALL_PROPERTIES[cls].items()
    }


@pytest.mark.parametrize("cls", CLASSES)
def test_unset_properties_are_none_or_empty(cls: type[Any]) -> None:
    node = make_node(cls)
    empty = {name: {} for owner, name in JSON_PROPERTIES if owner is cls}
    empty |= {name: [] for owner, name in LISTS if owner is cls}
    for name in set(ALL_PROPERTIES[cls]) - {"uid", *REQUIRED.get(cls, [])}:
        assert getattr(node, name) == empty.get(name), name


def test_none_means_not_given() -> None:
    node = Dataset(uid=None, name="iris", version=None, size=None, tags=None, metadata=None)
    assert (node.uid, node.version, node.size, node.tags, node.metadata) == (
        "iris",
        None,
        None,
        [],
        {},
    )


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("value", ["red", None])
def test_unknown_property_is_rejected(cls: type[Any], value: Any) -> None:
    with pytest.raises(UnknownPropertyError, match=rf"{cls.__name__}.*colour"):
        make_node(cls, colour=value)


@pytest.mark.parametrize(
    ("cls", "name", "suggestion"),
    [
        (Dataset, "num_row", "num_rows"),
        (Model, "hyper_parameters", "hyperparameters"),
        (Metric, "greater_is_bettr", "greater_is_better"),
        (Project, "licence", "license"),
        (Experiment, "start_at", "started_at"),
    ],
)
def test_misspelled_property_suggests_similar_name(
    cls: type[Any], name: str, suggestion: str
) -> None:
    problem = rf"{cls.__name__}\.{name}.*mean '{suggestion}'"
    with pytest.raises(UnknownPropertyError, match=problem):
        make_node(cls, **{name: 1})


def test_relationship_is_rejected_as_property() -> None:
    with pytest.raises(UnknownPropertyError, match="projects"):
        Dataset(name="iris", projects=[Project(name="p")])


@pytest.mark.parametrize("name", ["element_id", "element_id_property", "id", "deleted"])
def test_internal_attributes_are_rejected_as_properties(name: str) -> None:
    with pytest.raises(UnknownPropertyError, match=name):
        Dataset(name="iris", **{name: "4:0:1"})


def test_positional_arguments_are_rejected() -> None:
    with pytest.raises(TypeError):
        Dataset("iris")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls, names in REQUIRED.items() for name in names]
)
@pytest.mark.parametrize("given", [{}, None], ids=["missing", "None"])
def test_missing_required_property_is_rejected(cls: type[Any], name: str, given: Any) -> None:
    values = {key: ALL_PROPERTIES[cls][key] for key in ["uid", *REQUIRED[cls]] if key != name}
    if given is None:
        values[name] = None
    expected = "a number" if name == "value" else "a string"
    problem = rf"{cls.__name__}\.{name}.*required.*{expected}.*nothing"
    with pytest.raises(PropertyError, match=problem):
        cls(**values)


@pytest.mark.parametrize(
    ("cls", "name", "value", "expected", "got"),
    [
        (Dataset, "name", 2026, "a string", "2026"),
        (Dataset, "version", 3.1, "a string", "3.1"),
        (Dataset, "version", False, "a string", "False"),
        (Dataset, "uid", b"iris", "a string", "b'iris' (bytes)"),
        (Dataset, "size", "11", "an integer", "'11'"),
        (Dataset, "size", 11.0, "an integer", "11.0"),
        (Dataset, "size", True, "an integer", "True"),
        (Dataset, "tags", "fraud", "a list of strings", "'fraud'"),
        (Dataset, "tags", {"a": 1}, "a list of strings", "a map"),
        (Dataset, "tags", ["a", 2], "item 2: expected a string", "2"),
        (Dataset, "tags", ["a", None], "item 2: expected a string", "nothing"),
        (Metric, "value", "0.98", "a number", "'0.98'"),
        (Metric, "value", True, "a number", "True"),
        (Metric, "greater_is_better", 1, "true or false", "1"),
        (Metric, "greater_is_better", "false", "true or false", "'false'"),
        (Metric, "steps", [1, 2.5], "item 2: expected an integer", "2.5"),
        (Metric, "values", [1, "2"], "item 2: expected a number", "'2'"),
        (Experiment, "started_at", "2026-03-01", "a time with a time zone", "'2026-03-01'"),
        (Experiment, "started_at", date(2026, 3, 1), "a time with a time zone", "(date)"),
        (Experiment, "started_at", 1772355600, "a time with a time zone", "1772355600"),
        (Experiment, "random_seed", 1e6, "an integer", "1000000.0"),
    ],
)
def test_values_are_not_cast(
    cls: type[Any], name: str, value: Any, expected: str, got: str
) -> None:
    with pytest.raises(PropertyTypeError) as caught:
        make_node(cls, **{name: value})
    message = str(caught.value)
    assert message.startswith(f"{cls.__name__}.{name}: ")
    assert expected in message
    assert got in message


def test_naive_datetime_is_rejected_with_hint() -> None:
    with pytest.raises(PropertyTypeError, match=r"Experiment\.started_at.*timezone\.utc"):
        Experiment(started_at=datetime(2026, 3, 1))


@pytest.mark.parametrize(
    ("cls", "choices", "wrong", "suggestion"),
    [
        (Model, ["PENDING", "READY", "FAILED"], "READDY", "READY"),
        (
            Experiment,
            ["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"],
            "FINISHD",
            "FINISHED",
        ),
    ],
)
def test_value_outside_choices_is_rejected(
    cls: type[Any], choices: list[str], wrong: str, suggestion: str
) -> None:
    assert [make_node(cls, status=choice).status for choice in choices] == choices
    with pytest.raises(PropertyError) as caught:
        make_node(cls, status=wrong)
    message = str(caught.value)
    assert message.startswith(f"{cls.__name__}.status: ")
    assert ", ".join(choices) in message
    assert repr(wrong) in message
    assert f"did you mean {suggestion!r}" in message


def test_choice_accepts_str_enum_member() -> None:
    assert Model(name="m", status=Status.READY).status == "READY"


def test_json_stores_str_enum_member_as_its_value() -> None:
    assert Model(name="m", metadata={"status": Status.READY}).metadata == {"status": "READY"}


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (Dataset, "size"),
        (Dataset, "num_rows"),
        (Dataset, "num_features"),
        (Model, "size"),
        (Model, "num_parameters"),
    ],
)
def test_negative_count_is_rejected(cls: type[Any], name: str) -> None:
    assert getattr(make_node(cls, **{name: 0}), name) == 0
    with pytest.raises(PropertyError, match=rf"{cls.__name__}\.{name}: .*at least 0.*got -1"):
        make_node(cls, **{name: -1})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
@pytest.mark.parametrize(("cls", "name"), [(Experiment, "random_seed"), (Metric, "step")])
def test_integer_over_64_bits_is_rejected(cls: type[Any], name: str, value: int) -> None:
    with pytest.raises(PropertyError, match=rf"{cls.__name__}\.{name}: expected an integer of"):
        make_node(cls, **{name: value})


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (Dataset, "size", 10**5000),
        (Dataset, "size", -(10**5000)),
        (Experiment, "random_seed", -(10**5000)),
        (Metric, "value", 10**5000),
        (Metric, "steps", [1, -(10**5000)]),
        (Dataset, "name", 10**5000),
        (Dataset, "name", [10**5000]),
        (Dataset, "metadata", {"n": 10**5000}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_error_for_huge_integer_is_short(cls: type[Any], name: str, value: Any) -> None:
    with pytest.raises(PropertyError, match=rf"{cls.__name__}\.{name}: ") as caught:
        make_node(cls, **{name: value})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("value", "path", "hint"),
    [
        ({"a": {"b": [1, {1, 2}]}}, "a.b[1]", "a list"),
        ({"a": {1, 2}}, "a", "a list"),
        ({"a": [math.nan]}, "a[0]", "null or a string"),
        ([1, -math.inf], "[1]", "null or a string"),
        ({"a": {1: 2}}, "a", "string keys"),
        ({"a": 2**63}, "a", "a string"),
        ({"a": {"b": datetime(2026, 3, 1)}}, "a.b", "JSON"),
        ({"a": b"bytes"}, "a", "JSON"),
        ({"a": Path("x")}, "a", "write it as a string, str(...)"),
        ({"a": "\ud800"}, "a", "surrogate"),
        ({"\udfff": 1}, "", "surrogate"),
    ],
)
def test_invalid_json_value_is_rejected_with_path(value: Any, path: str, hint: str) -> None:
    with pytest.raises(PropertyError) as caught:
        Dataset(name="iris", metadata=value)
    message = str(caught.value)
    assert message.startswith("Dataset.metadata: ")
    assert f" at {path}" in message or not path
    assert hint in message


def test_methods_of_neomodel_validate_values(graph: Connection) -> None:
    stored = Dataset.deflate({"uid": "d", "name": "d", "size": 5, "metadata": {"a": 1}})
    assert stored["size"] == 5
    properties = Dataset.defined_properties(rels=False)
    assert properties["metadata"].inflate(stored["metadata"]) == {"a": 1}
    with pytest.raises(PropertyError, match=r"Dataset\.size: expected an integer"):
        Dataset.deflate({"uid": "d", "name": "d", "size": "big"})
    with pytest.raises(PropertyError, match="size__isnull=True"):
        properties["size"].deflate(None)


def test_deferred_value_of_a_deleted_node(graph: Connection) -> None:
    Dataset(name="iris", url="https://example.org").save()
    node = Dataset.nodes.only("name").get()
    assert node in Dataset.nodes.order_by("name")[:1]
    query("MATCH (n:Dataset) DETACH DELETE n", write=True)
    with pytest.raises(NodeNotFoundError, match="iris"):
        _ = node.url


def test_labels_of_other_applications_do_not_change_the_class(graph: Connection) -> None:
    query("CREATE (:Dataset:Extra {uid: 'iris', name: 'iris'})", write=True)
    rows, _ = neomodel.db.cypher_query("MATCH (n:Dataset) RETURN n", resolve_objects=True)
    assert rows == [[Dataset(name="iris")]]


def test_history_is_written_as_a_whole(graph: Connection) -> None:
    metric = Experiment(uid="x").save().record("loss", values=[0.5, 0.25])
    metric.steps = [0, 1, 2]
    with pytest.raises(PropertyError, match="as many values as steps"):
        Metric.nodes.bulk_update([metric], ["steps"])


def test_tensor_without_data_is_no_number() -> None:
    class Tensor:
        ndim, shape = 0, ()

        def item(self) -> int:
            raise RuntimeError("no data")

    with pytest.raises(PropertyError, match=r"size: expected an integer"):
        Dataset(name="iris", size=Tensor())


def test_values_are_described_on_one_line() -> None:
    with pytest.raises(PropertyError, match=r"^Dataset\.size: expected an integer, got .*$"):
        Dataset(name="iris", size=np.zeros((3, 2)))


def test_self_referencing_json_is_rejected() -> None:
    recursive: list[Any] = []
    recursive.append(recursive)
    with pytest.raises(PropertyError, match=r"Dataset\.metadata: .*levels"):
        Dataset(name="iris", metadata=recursive)


@pytest.mark.parametrize("name", ["name", "description", "tags"])
def test_lone_surrogate_is_rejected(name: str) -> None:
    value: Any = ["ab\ud800"] if name == "tags" else "ab\ud800"
    with pytest.raises(PropertyError, match=rf"Dataset\.{name}: .*surrogate at character 3"):
        Dataset(**{"name": "iris", name: value})


@pytest.mark.parametrize(("cls", "name"), [(Dataset, "name"), (Project, "name"), (Model, "uid")])
def test_empty_name_or_uid_is_rejected(cls: type[Any], name: str) -> None:
    with pytest.raises(PropertyError, match=rf"{cls.__name__}\.{name}: .*non-empty string"):
        make_node(cls, **{name: ""})


def test_indexed_string_length_limit(graph: Connection) -> None:
    longest = "é" * 4000
    assert Dataset(name=longest).save().uid == longest
    assert Dataset.nodes.get(name=longest).name == longest
    with pytest.raises(PropertyError, match=r"Dataset\.name: .*8000 bytes.*8002"):
        Dataset(name=longest + "é")


def test_unindexed_string_may_be_long(graph: Connection) -> None:
    text = "né" * 200_000
    Dataset(name="iris", description=text).save()
    assert Dataset.nodes.get(name="iris").description == text


def test_errors_derive_from_package_and_builtin_errors() -> None:
    for values, builtin in [
        ({"sise": 1}, TypeError),
        ({"size": "1"}, TypeError),
        ({"size": -1}, ValueError),
    ]:
        with pytest.raises(builtin) as caught:
            Dataset(name="iris", **values)
        assert isinstance(caught.value, GenaiGraphError)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("label", "name", "type_"),
    [
        ("Dataset", "name", str),
        ("Dataset", "description", str),
        ("Dataset", "size", int),
        ("Dataset", "tags", list),
        ("Metric", "value", (int, float)),
        ("Metric", "greater_is_better", bool),
        ("Experiment", "started_at", datetime),
    ],
)
@type_settings
@given(value=any_value)
def test_any_value_of_wrong_type_is_rejected(label: str, name: str, type_: Any, value: Any) -> None:
    assume(not isinstance(value, type_) or (isinstance(value, bool) and type_ is not bool))
    with pytest.raises(PropertyTypeError, match=rf"{label}\.{name}: .*expected .*, got "):
        make_node(LABELS[label], **{name: value})


# Uids


@pytest.mark.parametrize(
    ("node", "uid"),
    [
        (Project(name="fraud detection"), "fraud detection"),
        (Project(name="50% of @all/things"), "50%25 of @all/things"),
        (Dataset(name="iris"), "iris"),
        (Dataset(name="transactions", version="2026"), "transactions@2026"),
        (Dataset(name="@huggingface/glue", version="1@2"), "%40huggingface/glue@1%402"),
        (Dataset(name="100%", version=""), "100%25@"),
        (Model(name="xgb-fraud", version="2.1"), "xgb-fraud@2.1"),
        (Model(name="meta-llama/Llama-3.1-8B"), "meta-llama/Llama-3.1-8B"),
    ],
)
def test_uid_is_derived_from_name_and_version(node: Any, uid: str) -> None:
    assert node.uid == uid


def test_default_experiment_uid_is_random() -> None:
    uids = [Experiment(name="same").uid for _ in range(2)]
    assert uids[0] != uids[1]
    assert all(uuid.UUID(uid).version == 4 and uuid.UUID(uid).hex == uid for uid in uids)


@pytest.mark.parametrize("make", [Metric, Metric.upsert])
def test_metric_without_uid_is_rejected(make: Callable[..., Metric]) -> None:
    with pytest.raises(PropertyError, match=r"Metric\.uid: .*experiment\.record.*give a uid"):
        make(name="accuracy", value=0.98)


@pytest.mark.parametrize("label", LABELS)
@type_settings
@given(uid=names)
def test_explicit_uid_is_kept(label: str, uid: str) -> None:
    assert make_node(LABELS[label], uid=uid).uid == uid


@fast_settings
@given(names)
@example("%")
@example("%25")
def test_project_uid_round_trips(name: str) -> None:
    assert Project.parse_uid(Project(name=name).uid) == {"name": name}


@pytest.mark.parametrize("label", ["Dataset", "Model"])
@fast_settings
@given(name=names, version=st.none() | texts.map(normalize_name))
@example(name="a@b", version="c")
@example(name="a", version="b@c")
@example(name="a%40b", version="%")
@example(name="a", version="")
def test_versioned_uid_round_trips(label: str, name: str, version: str | None) -> None:
    fields = {"name": name} if version is None else {"name": name, "version": version}
    cls = LABELS[label]
    assert cls.parse_uid(cls(name=name, version=version).uid) == fields


@fast_settings
@given(
    names,
    names,
    st.none() | names,
    st.none() | texts,
)
@example("a/b", "c", None, None)
@example("a", "b/c", None, None)
@example("a", "b", None, "c")
@example("a", "b", "c", None)
@example("a%2Fb", "c", "%", "")
def test_metric_uid_round_trips(
    experiment: str, name: str, dataset: str | None, split: str | None
) -> None:
    uid = metric_uid(experiment, name, dataset, split)
    parts = split_uid(uid, "/")
    assert parts[:2] == [experiment, name]
    assert parts[2:] == (
        []
        if dataset is None and split is None
        else [dataset or ""]
        if split is None
        else [dataset or "", split]
    )
    fields = {"name": name} if split is None else {"name": name, "split": split}
    assert Metric.parse_uid(uid) == fields


@fast_settings
@given(names, names, st.none() | names, st.none() | texts, st.none() | names)
@example("a", "b", None, None, "c")
@example("a", "b", None, "", "c")
@example("a", "b", "c", "%", "d/e")
@example("a", "b", "", "%25", "%")
def test_metric_uid_with_a_model_round_trips(
    experiment: str, name: str, dataset: str | None, split: str | None, model: str | None
) -> None:
    key = MetricKey(experiment, name, dataset or None, split, model)
    assert parse_metric_uid(metric_uid(*key)) == key
    fields = {"name": name} if split is None else {"name": name, "split": split}
    assert Metric.parse_uid(metric_uid(*key)) == fields


def test_equality_by_class_and_uid() -> None:
    assert Dataset(name="a") == Dataset(name="a", size=3)
    assert Dataset(name="a") != Dataset(name="b")
    assert Dataset(name="a") != Model(name="a")
    assert Dataset(name="a") != "a"
    assert len({Dataset(name="a"), Dataset(uid="a", name="x"), Model(name="a")}) == 2


def test_uid_is_unique_per_class(graph: Connection) -> None:
    Dataset(name="same", description="data").save()
    Model(name="same", description="model").save()
    assert Dataset.nodes.get(uid="same").description == "data"
    assert Model.nodes.get(uid="same").description == "model"


# Representations


def test_repr() -> None:
    assert repr(Model(name="xgb-fraud", version="2.1")) == "<Model xgb-fraud@2.1>"
    assert str(Dataset(name="données")) == "<Dataset données>"


@pytest.mark.parametrize("label", LABELS)
@type_settings
@given(uid=st.text(min_size=1, max_size=200))
@example(uid="x" * 8000)
@example(uid="a\nb")
def test_repr_is_one_line(label: str, uid: str) -> None:
    try:
        node = make_node(LABELS[label], uid=uid)
    except PropertyError:  # a lone surrogate
        assume(False)
    text = repr(node)
    assert text.startswith(f"<{label} ")
    assert text.endswith(">")
    assert len(text) < 80
    assert text.isprintable()


def test_ipython_repr_has_one_property_per_line() -> None:
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    node = Dataset(name="iris", version="1", size=150, tags=["flowers"], metadata={"a": "b\nc"})
    first, *lines = pretty(node).splitlines()
    assert first == "<Dataset iris@1>"
    assert sorted(lines) == [
        "  metadata: {'a': 'b\\nc'}",
        "  name: 'iris'",
        "  size: 150",
        "  tags: ['flowers']",
        "  uid: 'iris@1'",
        "  version: '1'",
    ]


def test_ipython_repr_of_class() -> None:
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    assert "Dataset" in pretty([Dataset])


def test_ipython_repr_includes_zero_and_false() -> None:
    pretty = pytest.importorskip("IPython.lib.pretty").pretty
    lines = pretty(make_node(Metric, value=0, step=0, greater_is_better=False)).splitlines()
    assert {"  value: 0.0", "  step: 0", "  greater_is_better: False"} <= set(lines)


# JSON and list values


@pytest.mark.parametrize(("cls", "name"), JSON_PROPERTIES)
def test_default_json_is_not_shared_between_nodes(cls: type[Any], name: str) -> None:
    one, other = make_node(cls), make_node(cls)
    getattr(one, name)["key"] = "value"
    assert getattr(other, name) == {}
    assert getattr(make_node(cls), name) == {}


@pytest.mark.parametrize(("cls", "name"), LISTS)
def test_default_list_is_not_shared_between_nodes(cls: type[Any], name: str) -> None:
    one, other = make_node(cls), make_node(cls)
    getattr(one, name).append(1)
    assert getattr(other, name) == []
    assert getattr(make_node(cls), name) == []


def test_given_values_are_copied() -> None:
    tags, metadata = ["a"], {"list": [1]}
    one, other = Dataset(name="a", tags=tags, metadata=metadata), Dataset(name="b", tags=tags)
    one.tags.append("b")
    one.metadata["list"].append(2)
    assert (tags, metadata, other.tags) == (["a"], {"list": [1]}, ["a"])


def test_in_place_changes_are_saved(graph: Connection) -> None:
    node = Experiment(uid="e").save()
    node.parameters["lr"] = 0.1
    node.tags.append("new")
    node.save()
    node.parameters["layers"] = [1]
    node.save()
    node.parameters["layers"].append(2)
    node.tags.append("newer")
    node.save()
    found = Experiment.nodes.get(uid="e")
    assert found.parameters == {"lr": 0.1, "layers": [1, 2]}
    assert found.tags == ["new", "newer"]
    found.parameters["lr"] = 0.2
    found.save()
    assert Experiment.nodes.get(uid="e").parameters["lr"] == 0.2


def test_unmodified_default_is_not_stored(graph: Connection) -> None:
    node = Model(name="m").save()
    node.save()
    assert set(stored_properties(node)) == {"uid", "name", "created_at", "updated_at"}


def test_explicit_empty_value_is_stored(graph: Connection) -> None:
    node = Model(name="m", metadata={}, tags=[]).save()
    assert (stored_properties(node)["metadata"], stored_properties(node)["tags"]) == ("{}", [])
    node.metadata = None
    node.tags = None
    node.save()
    assert not {"metadata", "tags"} & set(stored_properties(node))
    assert (node.metadata, node.tags) == ({}, [])


def test_save_validates_json(graph: Connection) -> None:
    node = Experiment(uid="e", parameters={"lr": 0.1}).save()
    node.parameters["lr"] = math.nan
    with pytest.raises(PropertyError, match=r"Experiment\.parameters: .* at lr"):
        node.save()
    assert Experiment.nodes.get(uid="e").parameters == {"lr": 0.1}


# Round trips of each property type


@database_settings
@given(integers)
@example(INTEGERS[0])
@example(INTEGERS[1])
@example(2**31)
def test_integer_round_trips(graph: Connection, value: int) -> None:
    Experiment.upsert(uid="e", random_seed=value)
    found = Experiment.nodes.get(uid="e").random_seed
    assert (found, type(found)) == (value, int)


@database_settings
@given(st.floats())
@example(0.0)
@example(-0.0)
@example(1.0)
@example(5e-324)
@example(math.nan)
@example(math.inf)
@example(-math.inf)
def test_float_round_trips(graph: Connection, value: float) -> None:
    Metric.upsert(uid="m", name="m", value=0.5, ci_lower=None)
    Metric.upsert(uid="m", value=value, ci_lower=value)
    found = Metric.nodes.get(uid="m")
    assert type(found.value) is float
    assert float_bits(found.value) == float_bits(value)
    assert float_bits(found.ci_lower) == float_bits(value)


def test_integer_is_converted_to_float(graph: Connection) -> None:
    assert type(make_node(Metric, value=1).value) is float
    make_node(Metric, value=1, values=[1, 2.5], steps=[1, 2]).save()
    found = Metric.nodes.get(name="accuracy")
    assert [type(value) for value in [found.value, *found.values]] == [float] * 3
    assert [found.value, *found.values] == [1.0, 1.0, 2.5]


@database_settings
@given(st.none() | st.booleans())
def test_boolean_round_trips(graph: Connection, value: bool | None) -> None:
    Metric.upsert(uid="m", name="m", value=0.5, greater_is_better=value)
    assert Metric.nodes.get(uid="m").greater_is_better is value


@database_settings
@given(times)
@example(datetime(1970, 1, 1, tzinfo=timezone.utc))
@example(datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))))
@example(datetime(1, 1, 1, tzinfo=timezone.utc))
@example(datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc))
def test_datetime_round_trips_in_utc(graph: Connection, value: datetime) -> None:
    Experiment.upsert(uid="e", started_at=value)
    found = Experiment.nodes.get(uid="e").started_at
    assert found == value
    assert found.tzinfo is timezone.utc
    assert query("MATCH (e:Experiment) RETURN e.started_at AS time") == [{"time": value}]


def test_datetime_out_of_range_is_rejected() -> None:
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(PropertyError, match=r"Experiment\.ended_at: .*years 1 to 9999"):
        Experiment(ended_at=early)


@database_settings
@given(json_values)
@example(False)
@example(0)
@example(1.0)
@example("")
@example("null")
@example({"": {"": []}})
def test_json_round_trips(graph: Connection, value: Any) -> None:
    Experiment.upsert(uid="e", results=value)
    found = Experiment.nodes.get(uid="e").results
    expected = {} if value is None else value  # not set
    assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


@database_settings
@given(st.lists(texts, max_size=5), st.dictionaries(integers, st.floats(), max_size=5))
@example(["", "a"], {1: math.nan, 2**40: -math.inf, -1: 0.5})
@example([], {})
def test_list_round_trips(graph: Connection, tags: list[str], history: dict[int, float]) -> None:
    steps = sorted(history)
    values = [history[step] for step in steps]
    Metric.upsert(uid="m", name="m", value=0.5, tags=tags, steps=steps, values=values)
    found = Metric.nodes.get(uid="m")
    assert found.tags == tags
    assert (found.steps, [type(step) for step in found.steps]) == (steps, [int] * len(steps))
    assert [type(value) for value in found.values] == [float] * len(values)
    assert list(map(float_bits, found.values)) == list(map(float_bits, values))


# save


def test_save_creates_and_returns_node(graph: Connection) -> None:
    node = Dataset(name="iris", size=11)
    assert not node.was_saved
    assert node.save() is node
    assert node.was_saved
    assert [(found.uid, found.size) for found in Dataset.nodes.all()] == [("iris", 11)]


def test_save_sets_timestamps_in_utc(graph: Connection) -> None:
    before = datetime.now(timezone.utc)
    node = Dataset(name="iris").save()
    after = datetime.now(timezone.utc)
    assert node.created_at is not None
    assert before <= node.created_at <= after
    assert node.updated_at == node.created_at
    assert node.created_at.utcoffset() == timedelta(0)
    found = Dataset.nodes.get(uid="iris")
    assert (found.created_at, found.updated_at) == (node.created_at, node.updated_at)


@pytest.mark.parametrize("write", [lambda **values: Dataset(**values).save(), Dataset.upsert])
def test_created_at_can_be_given(graph: Connection, write: Callable[..., Dataset]) -> None:
    written = write(name="iris", created_at=MOMENT.astimezone(timezone(timedelta(hours=2))))
    assert (written.created_at, Dataset.nodes.get(uid="iris").created_at) == (MOMENT, MOMENT)
    assert written.updated_at is not None
    assert written.updated_at > MOMENT


def test_unchanged_save_keeps_timestamps(graph: Connection) -> None:
    node = Metric(
        uid="m", name="m", value=math.nan, steps=[1], values=[math.nan], metadata={"a": 1}
    ).save()
    times = node.created_at, node.updated_at
    node.save()
    again = Metric.nodes.get(uid="m").save()
    assert (again.created_at, again.updated_at) == times
    assert (node.created_at, node.updated_at) == times


def test_changed_save_updates_only_updated_at(graph: Connection) -> None:
    node = Dataset(name="iris").save()
    created, updated = node.created_at, node.updated_at
    assert updated is not None
    node.size = 5
    node.save()
    assert node.updated_at is not None
    assert node.updated_at > updated
    assert node.created_at == created
    found = Dataset.nodes.get(uid="iris")
    assert (found.created_at, found.updated_at) == (created, node.updated_at)


@pytest.mark.parametrize("name", ["created_at", "updated_at"])
@pytest.mark.parametrize("write", ["save", "upsert"])
def test_timestamps_are_never_removed(graph: Connection, name: str, write: str) -> None:
    node = Dataset(name="iris").save()
    with contextlib.suppress(PropertyError):  # rejecting None is fine, too
        if write == "upsert":
            Dataset.upsert(name="iris", **{name: None})
        else:
            setattr(node, name, None)
            node.save()
    assert {"created_at", "updated_at"} <= set(stored_properties(node))


@pytest.mark.parametrize("name", ["created_at", "updated_at"])
def test_new_node_with_null_timestamp_gets_timestamps(graph: Connection, name: str) -> None:
    for node in [
        Dataset(name="a", **{name: None}).save(),
        Dataset.upsert(name="b", **{name: None}),
    ]:
        assert {"created_at", "updated_at"} <= set(stored_properties(node))


@pytest.mark.parametrize("cls", CLASSES)
def test_save_with_existing_uid_raises_error(graph: Connection, cls: type[Any]) -> None:
    first = make_node(cls, description="first").save()
    with pytest.raises(NodeExistsError) as caught:
        make_node(cls, description="second").save()
    message = str(caught.value)
    assert cls.__name__ in message
    assert repr(first.uid) in message
    assert "upsert" in message
    assert stored_properties(first)["description"] == "first"
    assert count_nodes(cls.__name__) == 1


def test_save_succeeds_after_conflicting_node_is_deleted(graph: Connection) -> None:
    first, second = Dataset(name="iris").save(), Dataset(name="iris", size=2)
    with pytest.raises(NodeExistsError):
        second.save()
    assert not second.was_saved
    first.delete()
    second.save()
    assert Dataset.nodes.get(uid="iris").size == 2


def test_save_of_node_deleted_elsewhere_raises_error(graph: Connection) -> None:
    node = Dataset(name="iris").save()
    delete_with_cypher(node)
    for size in (5, 6):
        node.size = size
        with pytest.raises(NodeNotFoundError, match=r"Dataset.*'iris'"):
            node.save()
    assert count_nodes("Dataset") == 0


def test_given_uid_is_kept_when_name_changes(graph: Connection) -> None:
    node = Dataset(uid="ds-1", name="iris", version="1").save()
    node.name, node.version = "flowers", "2"
    node.save()
    assert (node.uid, Dataset.nodes.get(name="flowers").uid) == ("ds-1", "ds-1")


def test_changed_uid_is_rejected(graph: Connection) -> None:
    node = Dataset(name="iris").save()
    node.uid = "flowers"
    with pytest.raises(
        PropertyError, match=r"Dataset\.uid: can't be changed once saved.*'iris'.*'flowers'"
    ):
        node.save()
    assert [found.uid for found in Dataset.nodes.all()] == ["iris"]


def test_save_removes_property_set_to_none(graph: Connection) -> None:
    node = Dataset(name="iris", size=11, license="MIT").save()
    node.size = None
    node.save()
    assert "size" not in stored_properties(node)
    assert (Dataset.nodes.get(uid="iris").size, node.license) == (None, "MIT")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("name", None, "required"),
        ("name", 5, "expected a string, got 5"),
        ("size", -1, "at least 0"),
        ("size", "11", "expected an integer, got '11'"),
        ("tags", "a", "expected a list"),
        ("created_at", "yesterday", "a time"),
        ("num_row", 5, "did you mean 'num_rows'"),
    ],
)
@pytest.mark.parametrize("new", [True, False], ids=["new", "saved"])
def test_save_validates_attributes(
    graph: Connection, name: str, value: Any, problem: str, new: bool
) -> None:
    node = Dataset(name="iris", size=11)
    before = None if new else stored_properties(node.save())
    setattr(node, name, value)
    with pytest.raises(PropertyError, match=rf"Dataset\.{name}: .*{problem}"):
        node.save()
    if before is None:
        assert count_nodes("Dataset") == 0
    else:
        assert stored_properties(node) == before


def test_save_succeeds_after_invalid_value_is_fixed(graph: Connection) -> None:
    node = Dataset(name="iris")
    node.size = -1
    with pytest.raises(PropertyError):
        node.save()
    node.size = 1
    assert node.save().size == 1


def test_save_writes_only_changed_properties(graph: Connection) -> None:
    Dataset(name="iris", size=1, num_rows=1).save()
    one, other = Dataset.nodes.get(uid="iris"), Dataset.nodes.get(uid="iris")
    one.size = 2
    one.save()
    other.num_rows = 3
    other.save()
    found = Dataset.nodes.get(uid="iris")
    assert (found.size, found.num_rows) == (2, 3)


# Invalid nodes written by other programs


def test_node_with_invalid_values_can_be_loaded_and_fixed(graph: Connection) -> None:
    query(
        "CREATE (:Dataset {uid: 'odd', name: 'odd', size: 'big', metadata: '{oops', own: 'red'})",
        write=True,
    )
    node = Dataset.nodes.get(uid="odd")
    assert node.size == "big"
    with pytest.raises(PropertyTypeError, match=r"Dataset\.size: expected an integer, got 'big'"):
        node.save()
    node.size = 5
    node.metadata = {"a": 1}
    node.save()
    found = Dataset.nodes.get(uid="odd")
    assert (found.size, found.metadata, stored_properties(found)["own"]) == (5, {"a": 1}, "red")


def test_node_without_required_values_can_be_loaded_and_fixed(graph: Connection) -> None:
    query("CREATE (:Metric {uid: 'odd'})", write=True)
    node = Metric.nodes.get(uid="odd")
    with pytest.raises(PropertyError, match=r"Metric\.name: is required"):
        node.save()
    node.name, node.value = "loss", 0.5
    node.save()
    assert Metric.nodes.get(uid="odd").value == 0.5


def test_repr_of_node_without_uid(graph: Connection) -> None:
    query("CREATE (:Dataset {name: 'odd'})", write=True)
    (node,) = Dataset.nodes.filter(name="odd").all()
    assert repr(node).startswith("<Dataset ")


# upsert


def test_upsert_creates_and_returns_node(graph: Connection) -> None:
    node = Dataset.upsert(name="transactions", version="2026", size=11)
    assert isinstance(node, Dataset)
    assert (node.uid, node.size, node.was_saved) == ("transactions@2026", 11, True)
    assert node.created_at == node.updated_at is not None
    assert Dataset.nodes.get(uid="transactions@2026").size == 11


def test_upsert_keeps_values_not_given(graph: Connection) -> None:
    first = Dataset(name="iris", version="1", size=1, license="MIT", tags=["a"]).save()
    node = Dataset.upsert(name="iris", version="1", size=2, digest="d")
    assert (node.size, node.digest, node.license, node.tags) == (2, "d", "MIT", ["a"])
    assert node.created_at == first.created_at
    assert node.updated_at is not None
    assert first.updated_at is not None
    assert node.updated_at > first.updated_at
    assert count_nodes("Dataset") == 1


def test_upsert_of_same_values_keeps_updated_at(graph: Connection) -> None:
    values: dict[str, Any] = {**ALL_PROPERTIES[Metric], "value": math.nan, "values": [math.nan] * 2}
    del values["updated_at"]
    first = Metric.upsert(**values)
    again = Metric.upsert(**values)
    assert again.updated_at == first.updated_at


@pytest.mark.parametrize("cls", CLASSES)
def test_upsert_by_uid_alone(graph: Connection, cls: type[Any]) -> None:
    make_node(cls, tags=["a"]).save()
    node = cls.upsert(uid=ALL_PROPERTIES[cls]["uid"], description="new")
    assert (node.description, node.tags) == ("new", ["a"])
    assert count_nodes(cls.__name__) == 1


def test_upsert_removes_values_set_to_none(graph: Connection) -> None:
    Dataset(name="iris", size=1, license="MIT", metadata={"a": 1}).save()
    node = Dataset.upsert(name="iris", size=None, metadata=None, digest=None)
    assert (node.size, node.metadata, node.license) == (None, {}, "MIT")
    assert not {"size", "metadata", "digest"} & set(stored_properties(node))


def test_upsert_keeps_required_values(graph: Connection) -> None:
    Metric(uid="m", name="m", value=1.0).save()
    with pytest.raises(PropertyError, match=r"Metric\.value: .*required"):
        Metric.upsert(uid="m", value=None)
    assert Metric.nodes.get(uid="m").value == 1.0


@pytest.mark.parametrize(
    ("cls", "values", "problem"),
    [
        (Dataset, {"size": 1}, r"Dataset\.name: is required: expected a string, got nothing"),
        (Dataset, {"uid": "new", "size": 1}, r"Dataset\.name: is required"),
        (Metric, {"uid": "new", "name": "n"}, r"Metric\.value: is required"),
        (Dataset, {"name": "new", "sise": 1}, r"Dataset\.sise: .*did you mean 'size'"),
        (Dataset, {"name": "new", "sise": None}, r"Dataset\.sise: "),
        (Dataset, {"name": "new", "size": "1"}, r"Dataset\.size: expected an integer, got '1'"),
        (Model, {"name": "new", "status": "READDY"}, r"Model\.status: .*did you mean 'READY'"),
    ],
)
def test_upsert_validates_values(
    graph: Connection, cls: type[Any], values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PropertyError, match=problem):
        cls.upsert(**values)
    assert count_nodes(cls.__name__) == 0


# refresh


def test_refresh_reads_changes_by_other_clients(graph: Connection) -> None:
    node = Dataset(name="iris", size=1, license="MIT", tags=["a"]).save()
    Dataset.upsert(name="iris", size=2, license=None, metadata={"a": 1})
    node.refresh()
    assert (node.size, node.license, node.metadata, node.tags) == (2, None, {"a": 1}, ["a"])
    node.num_rows = 3
    node.save()
    assert Dataset.nodes.get(uid="iris").size == 2


def test_refresh_discards_unsaved_changes(graph: Connection) -> None:
    node = Dataset(name="iris", size=1).save()
    node.size, node.uid = 5, "other"
    node.metadata["a"] = 1
    node.refresh()
    assert (node.size, node.uid, node.metadata) == (1, "iris", {})


def test_refresh_of_deleted_node_raises_error(graph: Connection) -> None:
    node = Dataset(name="iris").save()
    delete_with_cypher(node)
    with pytest.raises(NodeNotFoundError, match=r"Dataset.*'iris'"):
        node.refresh()
    with pytest.raises(LookupError):
        node.refresh()


@pytest.mark.parametrize("name", ["refresh", "delete", "labels"])
def test_unsaved_node_raises_error(graph: Connection, name: str) -> None:
    with pytest.raises(NotSavedError, match=r"iris.*save\(\)"):
        getattr(Dataset(name="iris"), name)()


# delete


def test_delete_removes_node_and_its_edges(graph: Connection) -> None:
    dataset, model = Dataset(name="iris").save(), Model(name="m").save()
    model.trained_on.connect(dataset)
    assert dataset.delete(force=True) is True
    assert count_nodes("Dataset") == 0
    assert model.trained_on.all() == []
    assert Model.nodes.get(uid="m") == model


@pytest.mark.parametrize("name", ["delete", "refresh", "save", "labels"])
def test_deleted_object_raises_error(graph: Connection, name: str) -> None:
    node = Dataset(name="iris").save()
    node.delete()
    with pytest.raises(NotSavedError, match=r"iris.*deleted"):
        getattr(node, name)()
    assert count_nodes("Dataset") == 0


def test_delete_of_node_deleted_elsewhere_raises_error(graph: Connection) -> None:
    node = Dataset(name="iris").save()
    delete_with_cypher(node)
    with pytest.raises(NodeNotFoundError, match=r"Dataset.*'iris'"):
        node.delete()


def test_delete_uses_saved_uid(graph: Connection) -> None:
    node, other = Dataset(name="iris").save(), Dataset(name="other").save()
    node.uid = other.uid
    node.delete()
    assert [found.uid for found in Dataset.nodes.all()] == ["other"]


def test_uid_can_be_reused_after_delete(graph: Connection) -> None:
    Dataset(name="iris", size=1).save().delete()
    assert Dataset(name="iris").save().size is None
    assert Dataset.nodes.get(uid="iris").size is None


@pytest.mark.parametrize("name", ["save", "refresh", "delete", "labels"])
def test_stale_object_does_not_modify_node_with_reused_element_id(
    embedded: Connection, name: str
) -> None:
    element_id = "MATCH (d:Dataset) RETURN elementId(d) AS id"
    stale = Dataset(name="old", size=1).save()
    old_id = query(element_id)
    delete_with_cypher(stale)
    other = Dataset(name="new", size=2).save()
    assert query(element_id) == old_id  # otherwise the test proves nothing
    stale.size = 99
    with pytest.raises(NodeNotFoundError, match="'old'"):
        getattr(stale, name)()
    assert Dataset.nodes.get(uid="new").size == 2
    assert other.labels() == ["Dataset"]


def test_cypher_matches_node_by_uid(graph: Connection) -> None:
    read = Dataset.nodes.get(uid=Dataset(name="old").save().uid)
    delete_with_cypher(read)
    Dataset(name="new").save()
    with pytest.raises(NodeNotFoundError, match="'old'"):
        read.cypher("MATCH (d) WHERE elementId(d) = $self RETURN d.uid")
    new = Dataset.nodes.get(uid="new")
    rows, _ = new.cypher("MATCH (d) WHERE elementId(d) = $self RETURN d.uid, $more", {"more": 1})
    assert rows == [["new", 1]]


# Bulk methods


def test_bulk_create_sets_uids_and_timestamps(graph: Connection) -> None:
    nodes = Dataset.nodes.bulk_create({"name": "a", "version": "1"}, {"name": "b", "size": 2})
    assert [(node.uid, node.size) for node in nodes] == [("a@1", None), ("b", 2)]
    for node in Dataset.nodes.all():
        assert node.created_at is not None
        assert node.created_at == node.updated_at


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"name": "b", "size": "2"}, r"Dataset\.size: expected an integer, got '2'"),
        ({"name": "b", "sise": 2}, r"did you mean 'size'"),
        ({"size": 2}, r"Dataset\.name: is required"),
    ],
)
@pytest.mark.parametrize("method", ["bulk_create", "bulk_create_or_update", "bulk_get_or_create"])
def test_bulk_methods_validate_every_row_before_writing(
    graph: Connection, method: str, values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PropertyError, match=problem):
        getattr(Dataset.nodes, method)({"name": "a"}, values)
    assert count_nodes("Dataset") == 0


def test_bulk_create_with_existing_uid_writes_nothing(graph: Connection) -> None:
    Dataset(name="b", size=1).save()
    with pytest.raises(NodeExistsError, match="'b'"):
        Dataset.nodes.bulk_create({"name": "a"}, {"name": "b", "size": 2})
    assert [(node.uid, node.size) for node in Dataset.nodes.all()] == [("b", 1)]


def test_bulk_create_or_update_merges_by_uid(graph: Connection) -> None:
    first = Dataset(name="a", size=1, license="MIT").save()
    nodes = Dataset.nodes.bulk_create_or_update(
        {"name": "a", "size": 2}, {"name": "b"}, {"name": "a", "num_rows": 3}
    )
    assert [node.uid for node in nodes] == ["a", "b", "a"]
    found = Dataset.nodes.get(uid="a")
    assert (found.size, found.num_rows, found.license) == (2, 3, "MIT")
    assert found.created_at == first.created_at
    assert found.updated_at is not None
    assert first.updated_at is not None
    assert found.updated_at > first.updated_at
    assert count_nodes("Dataset") == 2


def test_bulk_get_or_create_keeps_existing_nodes(graph: Connection) -> None:
    first = Dataset(name="a", size=1).save()
    nodes = Dataset.nodes.bulk_get_or_create({"name": "a", "size": 2}, {"name": "b", "size": 3})
    assert [(node.uid, node.size) for node in nodes] == [("a", 1), ("b", 3)]
    assert nodes[0].updated_at == first.updated_at
    assert nodes[1].created_at == nodes[1].updated_at is not None


def test_bulk_get_or_create_with_duplicate_rows(graph: Connection) -> None:
    nodes = Dataset.nodes.bulk_get_or_create({"name": "a"}, {"name": "a", "size": 2})
    assert [node.uid for node in nodes] == ["a", "a"]
    assert count_nodes("Dataset") == 1


@pytest.mark.parametrize("bulk_save", [Dataset.nodes.bulk_save, Dataset.bulk_save])
def test_bulk_save_creates_and_updates(graph: Connection, bulk_save: Callable[..., Any]) -> None:
    old = Dataset(name="old").save()
    updated = old.updated_at
    old.size = 1
    new = Dataset(name="new")
    assert bulk_save([old, new]) == [old, new]
    assert Dataset.nodes.get(uid="old").size == 1
    assert old.updated_at is not None
    assert updated is not None
    assert old.updated_at > updated
    assert Dataset.nodes.get(uid="new").created_at == new.created_at is not None


def test_bulk_save_is_atomic(graph: Connection) -> None:
    old = Dataset(name="old", size=1).save()
    old.size = 2
    with pytest.raises(NodeExistsError, match="'old'"):
        Dataset.bulk_save([old, Dataset(name="new"), Dataset(name="old")])
    assert [(node.uid, node.size) for node in Dataset.nodes.all()] == [("old", 1)]


def test_bulk_save_can_be_retried_after_failure(graph: Connection) -> None:
    good, bad = Dataset(name="good"), Dataset(name="bad")
    bad.size = -1
    with pytest.raises(PropertyError, match=r"Dataset\.size"):
        Dataset.bulk_save([good, bad])
    bad.size = 1
    Dataset.bulk_save([good, bad])
    assert sorted(node.uid for node in Dataset.nodes.all()) == ["bad", "good"]


@pytest.mark.parametrize(
    ("method", "option"),
    [
        ("bulk_create", {"lazy": True}),
        ("bulk_create_or_update", {"merge_by": {"keys": ["name"]}}),
        ("bulk_create_or_update", {"lazy": True}),
        ("bulk_get_or_create", {"relationship": None}),
    ],
)
def test_bulk_options_that_bypass_uid_are_rejected(
    graph: Connection, method: str, option: dict[str, Any]
) -> None:
    with pytest.raises(UnsupportedError, match=f"{next(iter(option))}.*uid"):
        getattr(Dataset.nodes, method)({"name": "a"}, **option)
    assert count_nodes("Dataset") == 0


@pytest.mark.parametrize("method", ["create", "create_or_update", "get_or_create"])
def test_deprecated_class_methods_validate(graph: Connection, method: str) -> None:
    with pytest.deprecated_call():
        (node,) = getattr(Dataset, method)({"name": "a", "version": "1"})
    assert (node.uid, node.created_at is None) == ("a@1", False)
    with pytest.deprecated_call(), pytest.raises(PropertyTypeError, match=r"Dataset\.size"):
        getattr(Dataset, method)({"name": "b", "size": "2"})


# Node sets


@pytest.fixture
def models(graph: Connection) -> None:
    """Four models that differ in properties of each type."""
    Model.nodes.bulk_create(
        {"name": "alpha", "size": 10, "status": "READY", "tags": ["a", "b"], "created_at": MOMENT},
        {"name": "Beta", "size": 20, "status": "FAILED", "tags": ["b"]},
        {"name": 'gamma\'s "`.*`"', "size": 30, "version": "2"},
        {"name": "delta\\n\n%", "metadata": {"a": 1}},
    )


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"name": "alpha"}, ["alpha"]),
    ({"name": 'gamma\'s "`.*`"'}, ["gamma"]),
    ({"name": "delta\\n\n%"}, ["delta"]),
    ({"name__in": ["alpha", "Beta", "none"]}, ["Beta", "alpha"]),
    ({"uid__in": []}, []),
    ({"name__startswith": "gamma's \""}, ["gamma"]),
    ({"name__contains": ".*"}, ["gamma"]),
    ({"name__endswith": "\n%"}, ["delta"]),
    ({"name__icontains": "BET"}, ["Beta"]),
    ({"name__iexact": "ALPHA"}, ["alpha"]),
    ({"name__regex": "^[a-g].m|^al"}, ["alpha", "gamma"]),
    ({"name__ne": "alpha"}, ["Beta", "delta", "gamma"]),
    ({"size": 10}, ["alpha"]),
    ({"size__gt": 10}, ["Beta", "gamma"]),
    ({"size__gte": 10, "size__lt": 30}, ["Beta", "alpha"]),
    ({"size__isnull": True}, ["delta"]),
    ({"version__isnull": False}, ["gamma"]),
    ({"status": "READY"}, ["alpha"]),
    ({"status__in": ["READY", "FAILED"]}, ["Beta", "alpha"]),
    ({"created_at": MOMENT}, ["alpha"]),
    ({"created_at__lte": MOMENT.astimezone(timezone(timedelta(hours=9)))}, ["alpha"]),
    ({"created_at__gt": MOMENT}, ["Beta", "delta", "gamma"]),
    ({"tags__includes": "b"}, ["Beta", "alpha"]),
    ({"tags__includes_all": ["a", "b"]}, ["alpha"]),
    ({"metadata": {"a": 1}}, ["delta"]),
]


def test_filter(models: None) -> None:
    for filters, expected in FILTERS:
        names = [node.name[:5] for node in Model.nodes.filter(**filters)]
        assert sorted(names) == sorted(name[:5] for name in expected), filters


def test_filter_with_q_and_exclude(models: None) -> None:
    matching = Model.nodes.filter(Q(name="alpha") | Q(size__gt=20)).all()
    assert {node.size for node in matching} == {10, 30}
    assert {node.size for node in Model.nodes.exclude(name="alpha").filter(size__gt=0)} == {20, 30}
    assert len(Model.nodes.filter(size__gt=10, status="READY")) == 0


def test_order_by_and_slicing(models: None) -> None:
    sized = Model.nodes.filter(size__isnull=False)
    assert [node.size for node in sized.order_by("-size")] == [30, 20, 10]
    ordered = Model.nodes.filter(size__isnull=False).order_by("size")
    assert [node.size for node in ordered[1:3]] == [20, 30]
    first = Model.nodes.order_by("name")[0]
    assert isinstance(first, Model)
    assert first.name == "Beta"


def test_node_set_length_and_membership(models: None) -> None:
    alpha = Model.nodes.get(name="alpha")
    assert len(Model.nodes) == 4
    assert bool(Model.nodes)
    assert not Model.nodes.filter(name="none")
    assert alpha in Model.nodes
    assert alpha not in Model.nodes.filter(size__gt=10)
    with pytest.raises(NotSavedError, match="new"):
        _ = Model(name="new") in Model.nodes


def test_get_and_first(models: None) -> None:
    assert Model.nodes.get(name="alpha").size == 10
    assert Model.nodes.get_or_none(name="none") is None
    assert Model.nodes.first_or_none(name="none") is None
    assert Model.nodes.order_by("-size").first(size__gt=0).size == 30
    with pytest.raises(Model.DoesNotExist, match="none"):
        Model.nodes.get(name="none")
    assert Model.nodes.first(name="none") is None
    with pytest.raises(neomodel.MultipleNodesReturned):
        Model.nodes.get(size__gt=10)


def test_node_deleted_elsewhere_is_not_in_node_set(models: None) -> None:
    alpha = Model.nodes.get(name="alpha")
    delete_with_cypher(alpha)
    assert alpha not in Model.nodes


@pytest.mark.parametrize(
    ("filters", "mentioned"),
    [
        ({"nme": "alpha"}, "nme"),
        ({"size": "10"}, "'10'"),
        ({"size__gt": 1.5}, "1.5"),
        ({"status": "READDY"}, "READY"),
        ({"created_at__gt": datetime(2026, 3, 1)}, "zone"),
    ],
)
def test_filter_validates_names_and_values(
    graph: Connection, filters: dict[str, Any], mentioned: str
) -> None:
    with pytest.raises(ValueError, match=mentioned):
        Model.nodes.filter(**filters).all()


def test_datetime_range_after_updates_and_delete(graph: Connection) -> None:
    nodes = [Experiment(uid=str(hour), started_at=MOMENT).save() for hour in range(4)]
    for minute in range(1, 4):
        for hour, node in enumerate(nodes):
            node.started_at = MOMENT + timedelta(hours=hour, minutes=minute)
            node.save()
    late = {"started_at__gte": MOMENT + timedelta(hours=2)}
    assert sorted(node.uid for node in Experiment.nodes.filter(**late)) == ["2", "3"]
    nodes[3].delete()
    assert [node.uid for node in Experiment.nodes.filter(**late)] == ["2"]
