"""JSON Lines fixtures, and comparisons of all formats."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import errors_of, write_file

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    FixtureError,
    Metric,
    Model,
    check,
    load,
    query,
)
from genai_graph.exchange import record_stream

HEADER = '{"format": "genai_graph/1"}'
NODE = '{{"node": "{}", "uid": "d", "props": {{{}}}}}'
TRAINED = '{{"edge": "TRAINED_ON", "from": ["Model", "m"], "to": ["Dataset", "d"]{}}}'
MODEL = '{"node": "Model", "uid": "m"}'
DATASET = '{"node": "Dataset", "uid": "d"}'
LABELS = "Project, Dataset, Model, Experiment, Metric"
TYPES = "HAS, DERIVED_FROM, TRAINED_ON, RUN, USED, PART_OF, EVALUATED_ON, MEASURES"
BRACKETS = 200_000


def write(*lines: str | bytes) -> str:
    """Write a fixture whose second line is the first of `lines`."""
    whole = [line if isinstance(line, bytes) else line.encode() for line in (HEADER, *lines)]
    return write_file("f.jsonl", b"\n".join(whole) + b"\n")


def errors_in(*lines: str | bytes) -> list[str]:
    return errors_of(write(*lines))


# Nodes


@pytest.mark.parametrize(
    ("props", "problem"),
    [
        ('"version": 2.1', "version: expected a string, got 2.1 (quote it)"),
        ('"version": false', "version: expected a string, got False (quote it)"),
        ('"tags": ["a", 5]', "tags: item 2: expected a string, got 5 (quote it)"),
        ('"name": null', "name: is required and can't be removed"),
        ('"name": ""', "name: expected a non-empty string"),
        ('"size": "5"', "size: expected an integer, got '5'"),
        ('"size": 5.0', "size: expected an integer, got 5.0"),
        ('"size": -1', "size: expected an integer of at least 0, got -1"),
        (f'"size": {2**63}', f"size: expected an integer of at most 2^63-1, got {2**63}"),
        (
            f'"metadata": {{"a": {2**63}}}',
            f"metadata: expected an integer of at most 64 bits, got {2**63} at a: "
            "write it as a string",
        ),
        ('"num_row": 5', "num_row: Dataset has no such property (did you mean 'num_rows'?)"),
        (
            r'"location": "a\ud800"',
            "location: expected Unicode text, got a lone surrogate at character 2",
        ),
        (
            r'"license": "\udc00"',
            "license: expected Unicode text, got a lone surrogate at character 1",
        ),
        (
            r'"tags": ["\ud800"]',
            "tags: item 1: expected Unicode text, got a lone surrogate at character 1",
        ),
        ('"uid": "e"', "uid: already given outside of props; remove it from props"),
    ],
    ids=lambda text: text[:30],
)
def test_invalid_value_is_reported_with_its_line(props: str, problem: str) -> None:
    assert errors_in("", NODE.format("Dataset", props)) == [f"f.jsonl:3: Dataset 'd': {problem}"]


@pytest.mark.parametrize(
    "number", [2**63, 2**64 - 1, 2**64, 3 * 10**19, 10**25, -(2**63) - 1, -3 * 10**19, -(10**25)]
)
def test_integer_over_64_bits_is_rejected_inside_json_values(number: int) -> None:
    (error,) = errors_in(NODE.format("Dataset", f'"metadata": {{"a": [{number}]}}'))
    assert "metadata: expected an integer of at most 64 bits, got" in error


def test_integer_of_thousands_of_digits_is_rejected() -> None:
    (message,) = errors_in(NODE.format("Dataset", f'"size": {"9" * 5000}'))
    assert message.startswith("f.jsonl:2: Dataset 'd': size: expected an integer, got 999999999")
    assert len(message) < 200


@pytest.mark.parametrize(
    "value", ['"2026-02-30T00:00:00Z"', '"2026-03-01"', '"yesterday"', "1700000000", "true"]
)
def test_invalid_time_is_rejected(value: str) -> None:
    (message,) = errors_in(NODE.format("Experiment", f'"started_at": {value}'))
    assert message.startswith(
        "f.jsonl:2: Experiment 'd': started_at: expected a time with a time zone"
    )


def test_error_of_a_time_without_time_zone_quotes_the_file() -> None:
    (message,) = errors_in(NODE.format("Experiment", '"started_at": "2026-02-20T00:00:00"'))
    assert message.startswith(
        "f.jsonl:2: Experiment 'd': started_at: expected a time with a time zone"
    )
    assert "2026-02-20T00:00:00" in message
    assert "datetime.datetime" not in message


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '{"node": "Datset", "uid": "d"}',
            f"unknown label 'Datset' (did you mean 'Dataset'?): expected one of {LABELS}",
        ),
        ('{"node": 5, "uid": "d"}', f"unknown label 5: expected one of {LABELS}"),
        ('{"node": "Dataset"}', "Dataset: uid: expected a string, got nothing"),
        ('{"node": "Dataset", "uid": 5}', "Dataset: uid: expected a string, got 5"),
        (
            '{"node": "Dataset", "uid": ""}',
            "Dataset '': uid: expected a non-empty string",
        ),
        (
            '{"node": "Dataset", "uid": "d", "prop": {}}',
            "unknown key 'prop' (did you mean 'props'?): expected node, uid, props",
        ),
        ('{"uid": "d"}', 'expected a map with "node" or "edge"'),
        ("[]", 'expected a map with "node" or "edge"'),
        ("5", 'expected a map with "node" or "edge"'),
        (HEADER, 'expected a map with "node" or "edge"'),
    ],
)
def test_invalid_node_line_is_rejected(line: str, problem: str) -> None:
    assert errors_in(line) == [f"f.jsonl:2: {problem}"]


@pytest.mark.parametrize("props", ["[]", "[1]", "0", "5", '""', '"x"', "false", "true"])
def test_props_must_be_a_map(props: str) -> None:
    (message,) = errors_in(f'{{"node": "Dataset", "uid": "d", "props": {props}}}')
    assert message.startswith("f.jsonl:2: Dataset 'd': props: expected a map, got ")
    (message,) = errors_in(MODEL, DATASET, TRAINED.format(f', "props": {props}'))
    assert message.startswith("f.jsonl:4: Model 'm': TRAINED_ON: props: expected a map, got ")


# Edges


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '{"edge": "TRAIND_ON", "from": ["Model", "m"], "to": ["Dataset", "d"]}',
            "Model 'm': TRAIND_ON: unknown edge type (did you mean 'TRAINED_ON'?): "
            f"expected one of {TYPES}",
        ),
        (
            '{"edge": "TRAINED_ON", "from": ["Dataset", "d"], "to": ["Model", "m"]}',
            "Dataset 'd': TRAINED_ON: goes from Model to Dataset, not from Dataset to Model: "
            "swap from and to",
        ),
        (
            '{"edge": "RUN", "from": ["Model", "m"], "to": ["Dataset", "d"]}',
            "Model 'm': RUN: goes from Experiment to Model, not from Model to Dataset",
        ),
        (
            '{"edge": "HAS", "from": ["Dataset", "d"], "to": ["Project", "p"]}',
            "Dataset 'd': HAS: goes from Project to Dataset or from Project to Model or from "
            "Project to Experiment or from Experiment to Metric, not from Dataset to Project: "
            "swap from and to",
        ),
        (
            '{"edge": "TRAINED_ON", "from": ["Modl", "m"], "to": ["Dataset", "d"]}',
            "'TRAINED_ON': from: unknown label 'Modl' (did you mean 'Model'?): "
            f"expected one of {LABELS}",
        ),
        (
            '{"edge": "TRAINED_ON", "from": ["Model", "m"]}',
            '\'TRAINED_ON\': to: expected ["Label", "uid"], got nothing',
        ),
        (
            '{"edge": "TRAINED_ON", "from": "m", "to": ["Dataset", "d"]}',
            "'TRAINED_ON': from: expected [\"Label\", \"uid\"], got 'm'",
        ),
        (
            '{"edge": "TRAINED_ON", "from": ["Model", ""], "to": ["Dataset", "d"]}',
            "'TRAINED_ON': from: expected a non-empty uid",
        ),
    ],
)
def test_invalid_edge_is_rejected(line: str, problem: str) -> None:
    assert errors_in(line) == [f"f.jsonl:2: {problem}"]


@pytest.mark.parametrize(
    ("props", "problem"),
    [
        (
            '"rol": "test"',
            "rol: Model-TRAINED_ON->Dataset has no such property (did you mean 'role'?)",
        ),
        (
            '"role": "train"',
            "role: expected one of training, validation, test, got 'train' "
            "(did you mean 'training'?)",
        ),
        ('"split": 5', "split: expected a string, got 5 (quote it)"),
    ],
)
def test_invalid_property_of_an_edge_is_rejected(props: str, problem: str) -> None:
    edge = TRAINED.format(f', "props": {{{props}}}')
    assert errors_in(MODEL, DATASET, edge) == [f"f.jsonl:4: Model 'm': TRAINED_ON: 'd': {problem}"]


VALID_METRIC = '"props": {"name": "x", "value": 1}'


@pytest.mark.parametrize(
    ("node", "edge", "problem"),
    [
        (
            '"props": {"value": 1, "uid": "x"}',
            "",
            "2: Metric 'x': uid: already given outside of props",
        ),
        ('"props": []', "", "2: Metric 'x': props: expected a map, got a list"),
        (VALID_METRIC, ', "props": {"a": 1}', "3: Experiment 'e': HAS: 'x': a: "),
        (VALID_METRIC, ', "props": []', "3: Experiment 'e': HAS: props: expected a map"),
    ],
)
def test_invalid_node_or_edge_is_not_also_reported_as_missing(
    node: str, edge: str, problem: str
) -> None:
    [error] = errors_in(
        f'{{"node": "Metric", "uid": "x", {node}}}',
        f'{{"edge": "HAS", "from": ["Experiment", "e"], "to": ["Metric", "x"]{edge}}}',
        '{"node": "Experiment", "uid": "e"}',
    )
    assert error.startswith(f"f.jsonl:{problem}")


def test_choices_depend_on_the_ends_of_the_edge() -> None:
    edge = (
        '{"edge": "DERIVED_FROM", "from": ["Dataset", "d"], "to": ["Dataset", "e"], '
        '"props": {"kind": "quantized"}}'
    )
    assert errors_in(DATASET, '{"node": "Dataset", "uid": "e"}', edge) == [
        "f.jsonl:4: Dataset 'd': DERIVED_FROM: 'e': kind: expected one of version, subset, "
        "preprocessed, translation, got 'quantized'"
    ]


# Invalid syntax


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("hello", "is not JSON: Expecting value (column 1)"),
        (DATASET + "x", "is not JSON: Extra data (column 32)"),
        ('{"node": "Dataset", "uid": "d"', "is not JSON: Expecting ',' delimiter (column 31)"),
        ("{'node': 'Dataset'}", "is not JSON: "),
        (NODE.format("Dataset", '"size": 017'), "is not JSON: "),
        (NODE.format("Dataset", '"size": NaN'), 'is not JSON: NaN (write it as a string: "'),
        (
            NODE.format("Metric", '"value": -Infinity'),
            "is not JSON: -Infinity (write it as a string",
        ),
        ("[" * BRACKETS, "is nested too deeply"),
        ('{"a":' * BRACKETS, "is nested too deeply"),
        (NODE.format("Dataset", '"metadata": ' + "[" * BRACKETS), "is nested too deeply"),
        (b'{"node": "Dataset", "uid": "caf\xe9"}', "is not UTF-8 text: save the file as UTF-8"),
        (b'{"node": "Dataset", "uid": "\xed\xa0\x80"}', "is not UTF-8 text: save the file as"),
    ],
    ids=range(12),
)
def test_lines_after_a_malformed_line_are_read(line: str | bytes, problem: str) -> None:
    first, second = errors_in("", line, NODE.format("Dataset", '"size": "x"'))
    assert first.startswith(f"f.jsonl:3: {problem}")
    assert second == "f.jsonl:4: Dataset 'd': size: expected an integer, got 'x'"


def test_depth_of_json_values_is_limited() -> None:
    assert check(write(NODE.format("Dataset", f'"metadata": {"[" * 60}{"]" * 60}'))) == (1, 0)
    (message,) = errors_in(NODE.format("Dataset", f'"metadata": {"[" * 70}{"]" * 70}'))
    assert message.startswith(
        "f.jsonl:2: Dataset 'd': metadata: expected JSON of at most 64 levels"
    )


def test_all_errors_of_all_lines_are_reported() -> None:
    assert errors_in(
        NODE.format("Dataset", '"size": "x", "version": 5, "foo": 1'),
        DATASET.replace('"d"', '"e"'),
        "nonsense",
        NODE.format("Model", '"size": -1'),
    ) == [
        "f.jsonl:2: Dataset 'd': size: expected an integer, got 'x'",
        "f.jsonl:2: Dataset 'd': version: expected a string, got 5 (quote it)",
        "f.jsonl:2: Dataset 'd': foo: Dataset has no such property",
        "f.jsonl:4: is not JSON: Expecting value (column 1)",
        "f.jsonl:5: Model 'd': size: expected an integer of at least 0, got -1",
    ]


# The header


HINT = 'start the file with "format": "genai_graph/1"'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DATASET, f"missing header: {HINT}"),
        ("\ufeff" + DATASET, f"missing header: {HINT}"),
        ("", f"expected a header, got an empty file: {HINT}"),
    ],
)
def test_missing_header_is_rejected(text: str, problem: str) -> None:
    Path("f.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(FixtureError) as raised:
        check("f.jsonl")
    assert str(raised.value) == f"f.jsonl:1: {problem}"


@pytest.mark.parametrize(
    ("header", "got"),
    [
        ('{"format": "genai_graph/2"}', "'genai_graph/2'"),
        ('{"format": null}', "nothing"),
        ('{"format": 1}', "1"),
    ],
)
def test_invalid_header_is_rejected(header: str, got: str) -> None:
    Path("f.jsonl").write_text(f"{header}\n{DATASET}\n")
    with pytest.raises(FixtureError) as raised:
        check("f.jsonl")
    message = str(raised.value)
    assert message.startswith("f.jsonl:1: format: expected genai_graph/1")
    assert message.endswith(f"got {got}")


def test_fixtures_with_classes_that_are_not_needed_are_loaded(graph: Connection) -> None:
    header = '{"format": "genai_graph/1", "models": ["not_here"]}'
    Path("f.jsonl").write_text(f"{header}\n{DATASET}\n")
    assert load("f.jsonl").nodes["Dataset"].created == 1
    Path("f.jsonl").write_text(f'{header}\n{DATASET}\n{{"node": "Other", "uid": "o"}}\n')
    with pytest.raises(FixtureError, match="not_here"):
        load("f.jsonl")


def test_uids_are_suggested_unless_there_are_too_many() -> None:
    lines = [f'{{"node": "Dataset", "uid": "data-{number}"}}' for number in range(10_001)]
    edge = TRAINED.replace('"d"]{}', '"data-1x"]').format()
    assert "did you mean" in errors_in(MODEL, *lines[:10], edge)[0]
    assert "did you mean" not in errors_in(MODEL, *lines, edge)[0]


def test_other_keys_in_the_header_are_rejected() -> None:
    Path("f.jsonl").write_text('{"format": "genai_graph/1", "modles": 1}\n')
    with pytest.raises(FixtureError, match="nothing else but models in the header"):
        check("f.jsonl")


def test_node_instead_of_a_header_is_validated() -> None:
    Path("f.jsonl").write_text(NODE.format("Dataset", '"size": "x"') + "\n")
    with pytest.raises(FixtureError) as raised:
        check("f.jsonl")
    assert [str(error.location) for error in raised.value.errors] == ["f.jsonl:1", "f.jsonl:1"]
    assert "size: expected an integer" in str(raised.value)


# Valid files


@pytest.mark.parametrize(
    "data",
    [
        f"{HEADER}\n{DATASET}\n{MODEL}\n{TRAINED.format('')}",
        f"\ufeff{HEADER}\n{DATASET}\n{MODEL}\n{TRAINED.format('')}\n",
        f"{HEADER}\r\n{DATASET}\r\n\r\n{MODEL}\r\n{TRAINED.format('')}\r\n",
        f"{HEADER}\n\n  {DATASET}  \n \n{MODEL}\n{TRAINED.format('')}\n\n",
        f"{HEADER}\n{TRAINED.format('')}\n{MODEL}\n{DATASET}\n",
        '{ "format":"genai_graph/1" }\n{"uid":"d","props":{},"node":"Dataset"}\n'
        '{"props":null,"uid":"m","node":"Model"}\n'
        '{"to":["Dataset","d"],"from":["Model","m"],"edge":"TRAINED_ON"}',
    ],
    ids=[
        "no last end",
        "byte order mark",
        "CRLF",
        "blank lines",
        "edge first",
        "keys in any order",
    ],
)
def test_valid_layouts_are_accepted(data: str) -> None:
    Path("f.jsonl").write_bytes(data.encode())
    assert check("f.jsonl") == (2, 1)


def test_header_alone_is_an_empty_fixture() -> None:
    assert check(write()) == (0, 0)


@pytest.mark.parametrize("word", ["node", "edge"])
def test_uid_may_be_named_like_a_key(word: str) -> None:
    nodes = [f'{{"uid": "{word}", "node": "{label}"}}' for label in ("Model", "Dataset")]
    edge = f'{{"to": ["Dataset", "{word}"], "edge": "TRAINED_ON", "from": ["Model", "{word}"]}}'
    assert check(write(*nodes, edge)) == (2, 1)


def test_lines_with_keys_in_unusual_order_or_notation_are_loaded(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_stream, "_MAX_CACHED_RECORDS", 0)  # read the file again
    lines = [
        r'{"nod\u0065": "Dataset", "uid": "node"}',
        '{"uid": "edge", "props": {"metadata": {"edge": 1}}, "node": "Model"}',
        '{"from": ["Model", "edge"], "to": ["Dataset", "node"], "edge": "TRAINED_ON"}',
    ]
    report = load(write(*lines))
    assert {name: counts.created for name, counts in {**report.nodes, **report.edges}.items()} == {
        "Dataset": 1,
        "Model": 1,
        "Model-TRAINED_ON->Dataset": 1,
    }
    assert [model.uid for model in Dataset.nodes.get(uid="node").trained_models.all()] == ["edge"]


def test_last_duplicate_key_wins(graph: Connection) -> None:
    load(write(NODE.format("Dataset", '"license": "a", "license": "b"')))
    assert Dataset.nodes.get(uid="d").license == "b"


@pytest.mark.parametrize(
    "text",
    ["without_edges", "é😀", "a\u2028b\x85c", '"\\/', "\0\x01\x1f\x7f", " \n\t ", "no", "1e-4"],
)
def test_strings_are_unchanged(graph: Connection, text: str) -> None:
    raw = json.dumps(text, ensure_ascii=False)
    load(
        write(
            NODE.format("Dataset", f'"description": {raw}, "location": {json.dumps(text)}'),
            NODE.format("Model", f'"tags": [{raw}], "metadata": {{{raw}: [{raw}]}}'),
        )
    )
    found = Dataset.nodes.get(uid="d")
    assert (found.description, found.location) == (text, text)
    (model,) = Model.nodes.all()
    assert (model.tags, model.metadata) == ([text], {text: [text]})


def test_values_keep_their_types(graph: Connection) -> None:
    load(
        write(
            NODE.format(
                "Experiment",
                '"started_at": "2026-03-01T11:00:00.25+02:00", "random_seed": -9223372036854775808,'
                '"parameters": {"lr": 1e-4, "one": 1.0, "on": true, "none": null, "no": "no"}',
            ),
            '{"node": "Metric", "uid": "m", "props": {"name": "loss", "value": "NaN", "step": 3, '
            '"ci_lower": "-Infinity", "ci_upper": 5, "greater_is_better": false, '
            '"steps": [1, 3], "values": [1, "NaN"]}}',
            '{"edge": "HAS", "from": ["Experiment", "d"], "to": ["Metric", "m"]}',
        )
    )
    experiment, metric = Experiment.nodes.get(uid="d"), Metric.nodes.get(uid="m")
    assert experiment.started_at == datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=timezone.utc)
    assert experiment.random_seed == -(2**63)
    assert repr(sorted(experiment.parameters.items())) == repr(
        [("lr", 0.0001), ("no", "no"), ("none", None), ("on", True), ("one", 1.0)]
    )
    assert math.isnan(metric.value)
    assert repr((metric.ci_lower, metric.ci_upper)) == "(-inf, 5.0)"
    assert (metric.step, metric.greater_is_better) == (3, False)
    assert repr((metric.steps, metric.values)) == "([1, 3], [1.0, nan])"


# All formats

YAML = """\
format: genai_graph/1
Project:
  vision:
    {owner: "it's \\u00e9\\n😀", tags: [a, 'no'], datasets: [d@1, e], models: [m], experiments: [x]}
Dataset:
  d@1:
    size: 0o17
    num_rows: 0x1F
    created_at: 2026-03-01T09:00:00Z
    parents: {e: {kind: subset}}
  e:
Model:
  m:
    hyperparameters: {lr: 1e-4, layers: [1, {deep: true}], seed: , name: "no", one: 1.0}
    trained_on:
      d@1: {role: training, split: train}
      e:
  base: {status: READY}
  m2:
    parents: [m, base]
Experiment:
  x:
    started_at: 2026-03-01T11:00:00+02:00
    models: {m: {role: input, step: 3}}
    datasets: [e]
    metrics:
      auc: .nan
      accuracy:
        - {value: 1, dataset: d@1, split: val/1, greater_is_better: true}
        - {value: -.inf, dataset: e, steps: [1, 2], values: [0.5, .inf]}
      f1: {value: 0.5, uid: my-f1, split: test}
"""


def as_json() -> str:
    """Return the same graph in JSON, hand-written."""
    accuracy = [
        {"value": 1, "dataset": "d@1", "split": "val/1", "greater_is_better": True},
        {"value": "-Infinity", "dataset": "e", "steps": [1, 2], "values": [0.5, "Infinity"]},
    ]
    metrics = {
        "auc": "NaN",
        "accuracy": accuracy,
        "f1": {"value": 0.5, "uid": "my-f1", "split": "test"},
    }
    return json.dumps({"format": "genai_graph/1", **nested(metrics)})


def nested(metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "Project": {
            "vision": {
                "owner": "it's é\n😀",
                "tags": ["a", "no"],
                "datasets": {"d@1": {}, "e": None},
                "models": ["m"],
                "experiments": ["x"],
            }
        },
        "Dataset": {
            "d@1": {
                "size": 15,
                "num_rows": 31,
                "created_at": "2026-03-01T09:00:00Z",
                "parents": {"e": {"kind": "subset"}},
            },
            "e": {},
        },
        "Model": {
            "m": {
                "hyperparameters": HYPERPARAMETERS,
                "trained_on": {"d@1": {"role": "training", "split": "train"}, "e": {}},
            },
            "base": {"status": "READY"},
            "m2": {"parents": ["m", "base"]},
        },
        "Experiment": {
            "x": {
                "started_at": "2026-03-01T09:00:00Z",
                "models": {"m": {"role": "input", "step": 3}},
                "datasets": ["e"],
                "metrics": metrics,
            }
        },
    }


HYPERPARAMETERS = {
    "lr": 0.0001,
    "layers": [1, {"deep": True}],
    "seed": None,
    "name": "no",
    "one": 1.0,
}


def as_jsonl() -> str:
    """Return the same graph in JSON Lines: edges before nodes, with derived uids of metrics."""
    tree = nested({})
    accuracy = {"name": "accuracy", "split": "val/1", "value": 1, "greater_is_better": True}
    spread = {
        "name": "accuracy",
        "value": "-Infinity",
        "steps": [1, 2],
        "values": [0.5, "Infinity"],
    }
    metrics = {
        "x/auc": {"value": "NaN"},
        "x/accuracy/d@1/val%2F1": accuracy,
        "x/accuracy/e": spread,
        "my-f1": {"name": "f1", "value": 0.5, "split": "test"},
    }
    edges: list[Any] = [
        ("HAS", "Project/vision", "Dataset/d@1", {}),
        ("HAS", "Project/vision", "Dataset/e", None),
        ("HAS", "Project/vision", "Model/m", {}),
        ("HAS", "Project/vision", "Experiment/x", {}),
        ("DERIVED_FROM", "Dataset/d@1", "Dataset/e", {"kind": "subset"}),
        ("TRAINED_ON", "Model/m", "Dataset/d@1", {"role": "training", "split": "train"}),
        ("TRAINED_ON", "Model/m", "Dataset/e", {}),
        ("DERIVED_FROM", "Model/m2", "Model/m", {}),
        ("DERIVED_FROM", "Model/m2", "Model/base", {}),
        ("RUN", "Experiment/x", "Model/m", {"role": "input", "step": 3}),
        ("USED", "Experiment/x", "Dataset/e", {}),
        *(("HAS", "Experiment/x", f"Metric/{uid}", {}) for uid in metrics),
        ("EVALUATED_ON", "Metric/x/accuracy/d@1/val%2F1", "Dataset/d@1", {}),
        ("EVALUATED_ON", "Metric/x/accuracy/e", "Dataset/e", {}),
    ]
    named = {
        "edge": [
            {"edge": type_, "from": start.split("/", 1), "to": end.split("/", 1), "props": props}
            for type_, start, end, props in edges
        ],
        "node": [
            {"node": label, "uid": uid, "props": without_edges(props)}
            for label, nodes in {**tree, "Metric": metrics}.items()
            for uid, props in nodes.items()
        ],
    }
    return "\n".join([HEADER, *(json.dumps(row) for rows in named.values() for row in rows)])


def without_edges(props: dict[str, Any]) -> dict[str, Any]:
    edges = {"datasets", "models", "experiments", "parents", "trained_on", "metrics"}
    return {name: value for name, value in props.items() if name not in edges}


def read_graph() -> tuple[list[str], list[str]]:
    """Return all nodes and edges as text, because NaN is not equal to itself."""
    nodes = query("MATCH (n) RETURN labels(n) AS labels, properties(n) AS props")
    edges = query(
        "MATCH (a)-[r]->(b) RETURN labels(a) AS source, a.uid AS start, type(r) AS type, "
        "labels(b) AS target, b.uid AS end, properties(r) AS props"
    )
    for row in nodes:
        del row["props"]["updated_at"]
        if row["props"]["uid"] != "d@1":
            del row["props"]["created_at"]
    return sorted(map(as_text, nodes)), sorted(map(as_text, edges))


def as_text(row: dict[str, Any]) -> str:
    return repr({**row, "props": sorted(row["props"].items())})


def write_all() -> list[str]:
    for name, text in {"a.yaml": YAML, "b.json": as_json(), "c.jsonl": as_jsonl()}.items():
        Path(name).write_text(text, encoding="utf-8")
    return ["a.yaml", "b.json", "c.jsonl"]


def test_formats_give_the_same_graph(graph: Connection) -> None:
    found = []
    for name in write_all():
        query("MATCH (n) DETACH DELETE n", write=True)
        load(name)
        found.append(read_graph())
    assert len(found[0][0]) == 11
    assert len(found[0][1]) == 17
    assert found[1] == found[0]
    assert found[2] == found[0]


def test_loading_another_format_changes_nothing(graph: Connection) -> None:
    first, *others = write_all()
    load(first)
    for name in others:
        report = load(name)
        for counts in (*report.nodes.values(), *report.edges.values()):
            assert (counts.created, counts.changed) == (0, 0), name
            assert counts.unchanged


def test_formats_have_the_same_numbers_of_nodes_and_edges() -> None:
    assert [check(name) for name in write_all()] == [(11, 17)] * 3


@pytest.mark.parametrize("name", ["a.yaml", "b.json", "c.jsonl"])
def test_format_is_detected_from_the_content_without_a_known_extension(name: str) -> None:
    write_all()
    Path(name).rename("fixture.txt")
    assert check("fixture.txt") == (11, 17)


def test_given_format_overrides_the_extension() -> None:
    write_all()
    Path("c.jsonl").rename("c.yaml")
    assert check("c.yaml", format="jsonl") == (11, 17)
    with pytest.raises(ValueError, match="format: expected one of yaml, json, jsonl"):
        check("c.yaml", format="toml")


@pytest.mark.parametrize("suffix", ["yml", "YAML", "ndjson", "Json"])
def test_other_spellings_of_the_extensions_are_accepted(suffix: str) -> None:
    write_all()
    source = {"yml": "a.yaml", "YAML": "a.yaml", "ndjson": "c.jsonl", "Json": "b.json"}[suffix]
    Path(source).rename(f"fixture.{suffix}")
    assert check(f"fixture.{suffix}") == (11, 17)
