"""Checking fixtures: all errors in file order, each with its line and a fix."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import errors_of, write_file

from genai_graph import FixtureError, check
from genai_graph.errors import GenaiGraphError
from genai_graph.exchange import consistency, uid_table
from genai_graph.storage import batching

HEADER = "format: genai_graph/1\n"
LABELS = "Project, Dataset, Model, Experiment, Metric"
ADVICE = 'start the file with "format": "genai_graph/1"'


def write(text: str, name: str = "f.yaml") -> str:
    return write_file(name, text)


INVALID = [
    # names
    (
        "Datasets:\n  d: {}\n",
        ["2: unknown label 'Datasets' (did you mean 'Dataset'?): expected one of " + LABELS],
    ),
    (
        "Zoo:\n",
        [
            f"2: unknown label 'Zoo': expected one of {LABELS}, or a class of a module named by "
            "GENAI_GRAPH_MODELS"
        ],
    ),
    (
        "Dataset:\n  d: {num_row: 5}\n",
        [
            "3: Dataset 'd': num_row: Dataset has no such property or edge "
            "(did you mean 'num_rows'?)"
        ],
    ),
    (
        "Model:\n  m: {traind_on: [d]}\n",
        [
            "3: Model 'm': traind_on: Model has no such property or edge "
            "(did you mean 'trained_on'?)"
        ],
    ),
    ("Model:\n  m: {zzzz: 5}\n", ["3: Model 'm': zzzz: Model has no such property or edge"]),
    (
        "Experiment:\n  e:\n    metrics:\n      acc: {value: 1, datset: d}\n",
        [
            "5: Experiment 'e': metrics: acc: datset: Metric has no such property or edge "
            "(did you mean 'dataset'?)"
        ],
    ),
    (
        "Dataset:\n  d: {uid: e}\n",
        ["3: Dataset 'd': uid: already given by the key above; remove it"],
    ),
    # edges
    (
        "Dataset:\n  d:\nModel:\n  m:\n    trained_on:\n      d: {rol: test}\n",
        [
            "7: Model 'm': trained_on: 'd': rol: Model-TRAINED_ON->Dataset has no such property "
            "(did you mean 'role'?)"
        ],
    ),
    (
        "Dataset:\n  d:\nProject:\n  p:\n    datasets:\n      d: {role: test}\n",
        ["7: Project 'p': datasets: 'd': role: Project-HAS->Dataset has no such property"],
    ),
    (
        "Dataset:\n  d:\nModel:\n  m:\n    trained_on:\n      d:\n        split: no\n",
        [
            "8: Model 'm': trained_on: 'd': split: expected a string, got no "
            "(a bool in YAML 1.1) (quote it)"
        ],
    ),
    (
        "Model:\n  m: {trained_on: d}\n",
        [
            "3: Model 'm': trained_on: expected a list of uids, or a map of uids to properties, "
            "got 'd'"
        ],
    ),
    (
        "Dataset:\n  d:\nModel:\n  m: {trained_on: {d: training}}\n",
        ["5: Model 'm': trained_on: 'd': expected a map of properties, got 'training'"],
    ),
    (
        "Model:\n  m: {trained_on: [5]}\n",
        ["3: Model 'm': trained_on: expected a uid, got 5 (quote it)"],
    ),
    (
        "Model:\n  m: {trained_on: ['']}\n",
        ["3: Model 'm': trained_on: expected a non-empty uid"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: {value: 1, dataset: 5}}}\n",
        ["3: Metric 'e/acc': dataset: expected a uid, got 5"],
    ),
    # the wrong direction
    (
        "Dataset:\n  d:\n    projects: [p]\n",
        [
            "4: Dataset 'd': projects: edges are written under their source: "
            "move it to the Project, as datasets"
        ],
    ),
    (
        "Dataset:\n  d:\n    trained_models: [m]\n",
        [
            "4: Dataset 'd': trained_models: edges are written under their source: "
            "move it to the Model, as trained_on"
        ],
    ),
    (
        "Model:\n  m:\n    children: [n]\n",
        [
            "4: Model 'm': children: edges are written under their source: "
            "move it to the Model, as parents"
        ],
    ),
    # choices
    (
        "Model:\n  m: {status: READ}\n",
        [
            "3: Model 'm': status: expected one of PENDING, READY, FAILED, got 'READ' "
            "(did you mean 'READY'?)"
        ],
    ),
    (
        "Experiment:\n  e: {status: over}\n",
        [
            "3: Experiment 'e': status: expected one of SCHEDULED, RUNNING, FINISHED, FAILED, "
            "KILLED, got 'over'"
        ],
    ),
    (
        "Model:\n  m: {parents: {b: {kind: finetuned}}}\n  b:\n",
        [
            "3: Model 'm': parents: 'b': kind: expected one of fine-tuned, adapted, quantized, "
            "version, merged, got 'finetuned' (did you mean 'fine-tuned'?)"
        ],
    ),
    (
        "Dataset:\n  d: {parents: {b: {kind: quantized}}}\n  b:\n",
        [
            "3: Dataset 'd': parents: 'b': kind: expected one of version, subset, preprocessed, "
            "translation, got 'quantized'"
        ],
    ),
    # references
    (
        "Model:\n  m:\n    trained_on: [d]\n",
        ["4: Model 'm': TRAINED_ON: no Dataset 'd' is in the files or in the graph"],
    ),
    (
        "Experiment:\n  e:\n    metrics:\n      acc: {value: 1, dataset: d}\n",
        ["5: Metric 'e/acc/d': EVALUATED_ON: no Dataset 'd' is in the files or in the graph"],
    ),
    (
        "Dataset:\n  m:\nModel:\n  n: {parents: [m]}\n",
        ["5: Model 'n': DERIVED_FROM: no Model 'm' is in the files or in the graph"],
    ),
    # cycles
    (
        "Model:\n  a: {parents: [a]}\n",
        ["3: Model 'a': DERIVED_FROM must not form a cycle: 'a' -> 'a'"],
    ),
    (
        "Dataset:\n  a: {parents: [b]}\n  b: {parents: [a]}\n",
        ["3: Dataset 'a': DERIVED_FROM must not form a cycle: 'a' -> 'b' -> 'a'"],
    ),
    (
        "Model:\n  a: {parents: [b]}\n  b: {parents: [c]}\n  c: {parents: [a]}\n",
        ["3: Model 'a': DERIVED_FROM must not form a cycle: 'a' -> 'b' -> 'c' -> 'a'"],
    ),
    (
        "Model:\n  a: {parents: [a]}\n  b: {parents: [c, a]}\n  c: {parents: [b]}\n",
        [
            "3: Model 'a': DERIVED_FROM must not form a cycle: 'a' -> 'a'",
            "4: Model 'b': DERIVED_FROM must not form a cycle: 'b' -> 'c' -> 'b'",
        ],
    ),
    # metrics and their experiment
    (
        "Metric:\n  m: {name: acc, value: 1}\n",
        [
            "3: Metric 'm': has no Experiment: nest it under one, "
            "or add an edge Experiment-HAS->Metric"
        ],
    ),
    (
        "Experiment:\n  e:\n    metrics: [m]\n",
        ["4: Experiment 'e': metrics: expected a map of metrics by name, got a list"],
    ),
    (
        "Experiment:\n  e:\n    metrics:\n      a: {value: 1, experiment: f}\n"
        "      b: {value: 1, experiment: {role: x}}\n",
        [
            "5: Experiment 'e': metrics: a: experiment: expected a map of properties of the edge, "
            "got 'f'",
            "6: Experiment 'e': metrics: b: experiment: role: Experiment-HAS->Metric has no such "
            "property",
        ],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: [{value: 1}, {value: 2}]}}\n",
        ["3: Metric 'e/acc': uid: duplicate (first at f.yaml:3)"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: {value: 1, uid: 5}}}\n",
        ["3: Experiment 'e': metrics: acc: uid: expected a string, got 5 (quote it)"],
    ),
    (
        "Dataset:\n  c:\n  d:\nExperiment:\n  e:\n    metrics:\n"
        "      acc: {value: 1, dataset: {c: , d: {}}}\n",
        ["8: Metric 'e/acc/c' can have only one Dataset: it has 'c', not 'd' (first at f.yaml:8)"],
    ),
    # required values
    (
        "Experiment:\n  e: {metrics: {acc: {}}}\n",
        ["3: Metric 'e/acc': value: is required"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: }}\n",
        ["3: Metric 'e/acc': value: is required and can't be removed"],
    ),
    (
        "Metric:\n  m: {}\n",
        [
            "3: Metric 'm': name: is required",
            "3: Metric 'm': value: is required",
            "3: Metric 'm': has no Experiment: nest it under one, "
            "or add an edge Experiment-HAS->Metric",
        ],
    ),
    ("Project:\n  p: {name: null}\n", ["3: Project 'p': name: is required and can't be removed"]),
    ("Project:\n  '': {}\n", ["3: Project '': uid: expected a non-empty string"]),
    # shapes
    ("Dataset: [d]\n", ["2: Dataset: expected a map of nodes by uid, got a list"]),
    ("Dataset: d\n", ["2: Dataset: expected a map of nodes by uid, got 'd'"]),
    ("Dataset:\n  d: text\n", ["3: Dataset 'd': expected a map of properties, got 'text'"]),
    ("Dataset:\n  d: [text]\n", ["3: Dataset 'd': expected a map of properties, got a list"]),
]


@pytest.mark.parametrize(("text", "expected"), INVALID, ids=[text for text, _ in INVALID])
def test_error_has_a_location_and_a_fix(text: str, expected: list[str]) -> None:
    assert errors_of(write(HEADER + text)) == [f"f.yaml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dataset:\n  d: {}\n", f"1: missing format: {ADVICE}"),
        ("\n\nDataset:\n  d: {}\n", f"3: missing format: {ADVICE}"),
        ("Format: genai_graph/1\n", f"1: missing format: {ADVICE}"),
        ("format: genai_graph/2\n", "1: format: expected genai_graph/1, got 'genai_graph/2'"),
        ("Dataset:\nformat: 1\n", "2: format: expected genai_graph/1, got 1"),
        ("format:\n", "1: format: expected genai_graph/1, got nothing"),
        ("", f"1: expected a map of sections, got an empty file: {ADVICE}"),
    ],
)
def test_invalid_or_missing_header(text: str, expected: str) -> None:
    assert errors_of(write(text))[0] == f"f.yaml:{expected}"


def test_all_errors_are_reported_in_line_order() -> None:
    text = (
        "format: genai_graph/0\n"
        "Dataset:\n"
        "  d:\n"
        "    size: x\n"
        "    version: 1.5\n"
        "    foo: 1\n"
        "  e: {parents: [gone]}\n"
        "Modl: {}\n"
        "Experiment:\n"
        "  e:\n"
        "    status: DONE\n"
        "    metrics: {acc: }\n"
        "Metric:\n"
        "  m: {name: auc, value: 1}\n"
        "Model:\n"
        "  a: {parents: [a], trained_on: {d: {role: x}}}\n"
    )
    assert [line.split(": ")[0] for line in errors_of(write(text))] == [
        f"f.yaml:{line}" for line in (1, 4, 5, 6, 7, 8, 11, 12, 14, 16, 16)
    ]


def test_rejected_yaml_features_do_not_hide_other_errors() -> None:
    text = (
        "Dataset:\n  d:\n    license: 5\n    size: 1\n    size: 2\n"
        "    url: !!str x\n    5: x\n    location: &anchor x\n    citation: 7\n"
    )
    assert [line.split(": ")[0] for line in errors_of(write(HEADER + text))] == [
        f"f.yaml:{line}" for line in (4, 6, 7, 8, 9, 10)
    ]


def test_references_to_an_invalid_node_are_not_reported() -> None:
    text = (
        "Dataset:\n  d: {size: x}\nModel:\n  m: {trained_on: [d]}\n  n: {trained_on: [d]}\n"
        "Experiment:\n  e: {status: DONE, metrics: {acc: 1, auc: high}}\n"
    )
    assert errors_of(write(HEADER + text)) == [
        "f.yaml:3: Dataset 'd': size: expected an integer, got 'x'",
        "f.yaml:8: Experiment 'e': status: expected one of SCHEDULED, RUNNING, FINISHED, FAILED, "
        "KILLED, got 'DONE'",
        "f.yaml:8: Metric 'e/auc': value: expected a number, got 'high'",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Dataset:\n  d: text\n", "3: Dataset 'd': expected a map of properties, got 'text'"),
        (
            "Dataset:\n  c: {}\nDataset:\n  d: {}\n",
            "4: duplicate key 'Dataset' (first in line 2)",
        ),
        ("Dataset:\n  !x d: {}\n", "3: tag !x is not allowed: remove it"),
    ],
)
def test_malformed_node_is_not_also_reported_as_missing(text: str, error: str) -> None:
    models = "Model:\n  m: {trained_on: [d]}\n"
    assert errors_of(write(HEADER + text + models)) == [f"f.yaml:{error}"]


@pytest.mark.parametrize("rest", ['"props": 5', '"props": {}, "x": 1', '"props": {"size": "x"}'])
def test_edges_of_an_invalid_line_are_not_reported(rest: str) -> None:
    lines = (
        f'{{"format": "genai_graph/1"}}\n{{"node": "Dataset", "uid": "d", {rest}}}\n'
        '{"node": "Model", "uid": "m"}\n'
        '{"edge": "TRAINED_ON", "from": ["Model", "m"], "to": ["Dataset", "d"]}\n'
    )
    (message,) = errors_of(write(lines, "f.jsonl"))
    assert message.startswith("f.jsonl:2: ")


def test_each_reference_to_a_missing_node_is_reported() -> None:
    text = "Model:\n  a: {trained_on: [d]}\n  b: {trained_on: [d]}\n"
    assert errors_of(write(HEADER + text)) == [
        "f.yaml:3: Model 'a': TRAINED_ON: no Dataset 'd' is in the files or in the graph",
        "f.yaml:4: Model 'b': TRAINED_ON: no Dataset 'd' is in the files or in the graph",
    ]


@pytest.mark.parametrize(
    ("label", "uid"), [("Dataset", "x" * 9000), ("Model", "x" * 9000), ("Metric", "x" * 9000)]
)
def test_too_long_uid_is_rejected_in_each_format(label: str, uid: str) -> None:
    rows = [{"format": "genai_graph/1"}, {"node": label, "uid": uid}]
    for name in (
        write(f"{HEADER}{label}:\n  ? {uid}\n  : {{}}\n"),
        write(json.dumps({"format": "genai_graph/1", label: {uid: {}}}), "f.json"),
        write("\n".join(map(json.dumps, rows)), "f.jsonl"),
    ):
        assert any(
            "uid: an indexed string is limited to 8000 bytes" in x for x in errors_of(name)
        ), name


@pytest.mark.parametrize("uid", ["@1", "@"])
def test_uid_with_an_empty_name_needs_a_name(uid: str) -> None:
    (message,) = errors_of(write(f"{HEADER}Dataset:\n  '{uid}': {{}}\n"))
    assert message.startswith(f"f.yaml:3: Dataset '{uid}': name: ")
    assert check(write(f"{HEADER}Dataset:\n  '{uid}': {{name: x}}\n")) == (1, 0)


@pytest.mark.parametrize("dataset", ["d", "[d]", "{d: {}}", "{d: }"])
def test_metric_uid_contains_the_dataset_in_each_notation(dataset: str) -> None:
    metrics = f"{{acc: [{{value: 1}}, {{value: 2, dataset: {dataset}}}]}}"
    text = f"Dataset:\n  d:\nExperiment:\n  e: {{metrics: {metrics}}}\n"
    assert check(write(HEADER + text)) == (4, 3)


def test_metrics_with_different_datasets_and_splits_are_distinct() -> None:
    text = (
        "Dataset:\n  c:\n  d:\nExperiment:\n  e:\n    metrics:\n      acc:\n        - 1\n"
        "        - {value: 1, split: test}\n        - {value: 1, dataset: c}\n"
        "        - {value: 1, dataset: d}\n        - {value: 1, dataset: d, split: test}\n"
        "        - {value: 1, uid: acc}\n"
    )
    assert check(write(HEADER + text)) == (9, 9)


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\x85b\u2028c", "a\rb\tc", "\u202e"])
def test_errors_are_one_printable_line(text: str) -> None:
    key = json.dumps(text)
    document = (
        f'{{"format": "genai_graph/1", {key}: {{}}, "Dataset": {{"d": {{{key}: 1}}, {key}: '
        f'{{"size": {key}, "metadata": {{{key}: 1e999}}, "parents": [{key}, 5]}}}}, '
        f'"Model": {{{key}: {{"trained_on": {{{key}: {{{key}: 1}}}}, "status": {key}}}}}, '
        f'"Experiment": {{"e": {{"metrics": {{{key}: {{"value": {key}, {key}: 1}}}}}}}}}}'
    )
    edge = f'{{"edge": {key}, "from": ["Model", {key}], "to": ["Dataset", {key}]}}'
    lines = f'{{"format": "genai_graph/1"}}\n{edge}\n{{"node": {key}, "uid": {key}, {key}: 1}}\n'
    for name in (write(document, "f.json"), write(lines, "f.jsonl")):
        with pytest.raises(FixtureError) as raised:
            check(name)
        assert len(raised.value.errors) >= 2
        for error in raised.value.errors:
            assert str(error).isprintable(), error


# Limits


def test_max_errors_limits_the_list_and_counts_the_rest() -> None:
    name = write(HEADER + "Dataset:\n" + "".join(f"  d{i}: {{size: x}}\n" for i in range(5)))
    assert errors_of(name, max_errors=2) == [
        "f.yaml:3: Dataset 'd0': size: expected an integer, got 'x'",
        "f.yaml:4: Dataset 'd1': size: expected an integer, got 'x'",
        "and 3 more",
    ]
    assert len(errors_of(name, max_errors=5)) == 5


def test_default_of_max_errors_is_100() -> None:
    name = write(HEADER + "Dataset:\n" + "".join(f"  d{i}: {{size: x}}\n" for i in range(150)))
    with pytest.raises(FixtureError) as raised:
        check(name)
    assert (len(raised.value.errors), raised.value.omitted) == (100, 50)
    assert str(raised.value).endswith("\nand 50 more")


# Files


def test_missing_file_and_directory_without_csv_files() -> None:
    Path("folder").mkdir()
    assert errors_of("gone.yaml") == ["gone.yaml: no such file"]
    assert errors_of("gone") == ["gone: no such file, and no fixtures/gone.yaml"]
    assert errors_of("folder") == [
        "folder: directory without CSV files such as Project.csv: name the files in it instead"
    ]


def test_missing_file_is_also_an_os_error() -> None:
    with pytest.raises(OSError, match="no such file"):
        check("gone.yaml")
    with pytest.raises(GenaiGraphError, match="no such file"):
        check("gone.yaml")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "", "f.yaml/g.yaml", "\udc80"])
def test_impossible_file_name_is_an_error(name: str) -> None:
    write(HEADER)
    with pytest.raises(FixtureError) as raised:
        check(name)
    assert len(raised.value.errors) == 1
    assert raised.value.errors[0].location.line is None


def test_unreadable_file_does_not_hide_errors_in_other_files() -> None:
    write(HEADER + "Dataset:\n  d: {size: x}\n")
    assert [line.split(": ")[0] for line in errors_of("gone.yaml", "f.yaml", "lost.yaml")] == [
        "gone.yaml",
        "f.yaml:3",
        "lost.yaml",
    ]


def test_header_and_content_that_can_not_be_used() -> None:
    header = '{"format": "genai_graph/1", "models": "team"}\n'
    assert errors_of(write_file("a.jsonl", header)) == [
        "a.jsonl:1: models: expected a list of modules, got 'team'"
    ]
    edge = '{"Model": {"m": {"trained_on": {"\\ud800": {}}}}, "format": "genai_graph/1"}'
    assert errors_of(write_file("a.json", edge)) == [
        "a.json:1: Model 'm': trained_on: expected Unicode text, got a lone surrogate at "
        "character 1"
    ]
    text = "format: genai_graph/1\nModel:\n" + "".join(f"  m{i}: {{}}\n" for i in range(999))
    assert errors_of(write_file("a.yaml.gz", gzip.compress(text.encode())[:-20])) == [
        "a.yaml.gz: can't be decompressed: Compressed file ended before the end-of-stream "
        "marker was reached"
    ]


def test_similar_uids_of_the_files_are_suggested() -> None:
    write(HEADER + "Dataset:\n  bert@2: {}\nModel:\n  m: {trained_on: [bertt@2]}\n")
    (error,) = errors_of("f.yaml")
    assert error == (
        "f.yaml:5: Model 'm': TRAINED_ON: no Dataset 'bertt@2' is in the files or in the graph "
        "(did you mean 'bert@2'?)"
    )


def test_properties_outside_of_props() -> None:
    write('{"format": "genai_graph/1"}\n{"node": "Dataset", "uid": "d", "region": 1}', "c.jsonl")
    (error,) = errors_of("c.jsonl")
    assert error.endswith(
        'expected node, uid, props; properties belong into props: "props": {"region": ...}'
    )


def test_references_between_files() -> None:
    write(HEADER + "Model:\n  m: {trained_on: [d], parents: [base]}\n", "a.yaml")
    write('{"format": "genai_graph/1", "Dataset": {"d": {}}}', "b.json")
    write('{"format": "genai_graph/1"}\n{"node": "Model", "uid": "base"}\n', "c.jsonl")
    assert check("a.yaml", "b.json", "c.jsonl") == (3, 2)
    assert check(Path("c.jsonl"), Path("b.json"), Path("a.yaml")) == (3, 2)
    assert errors_of("a.yaml", "c.jsonl") == [
        "a.yaml:3: Model 'm': TRAINED_ON: no Dataset 'd' is in the files or in the graph"
    ]


def test_errors_are_in_argument_order() -> None:
    write(HEADER + "Dataset:\n  d: {parents: [gone]}\n", "z.yaml")
    write(HEADER + "Dataset: [\n", "m.yaml")
    write(HEADER + "Dataset:\n  e: {size: x}\n", "a.yaml")
    files = ["z.yaml:3", "m.yaml:3", "a.yaml:3"]
    assert [line.split(": ")[0] for line in errors_of("z.yaml", "m.yaml", "a.yaml")] == files
    assert [line.split(": ")[0] for line in errors_of("a.yaml", "m.yaml", "z.yaml")] == files[::-1]


def test_cycle_across_files() -> None:
    write(HEADER + "Model:\n  a: {parents: [b]}\n", "a.yaml")
    write(HEADER + "Model:\n  b: {parents: [c]}\n", "b.yaml")
    write(HEADER + "Model:\n\n  c: {parents: [a]}\n", "c.yaml")
    cycle = "DERIVED_FROM must not form a cycle: 'a' -> 'b' -> 'c' -> 'a'"
    assert errors_of("a.yaml", "b.yaml", "c.yaml") == [f"a.yaml:3: Model 'a': {cycle}"]
    assert errors_of("c.yaml", "b.yaml", "a.yaml") == [f"a.yaml:3: Model 'a': {cycle}"]


def test_long_chain_is_not_a_cycle_and_does_not_exhaust_the_stack() -> None:
    line = "".join(f"  m{i}: {{parents: [m{i + 1}]}}\n" for i in range(2000))
    assert check(write(f"{HEADER}Model:\n{line}  m2000:\n")) == (2001, 2000)
    assert (
        "must not form a cycle"
        in errors_of(write(f"{HEADER}Model:\n{line}  m2000: {{parents: [m0]}}\n"))[0]
    )


def test_cycles_are_found_behind_and_before_other_edges() -> None:
    chance = random.Random(4)
    found = Counter[bool]()
    for _ in range(100):
        pairs = {(chance.choice("abcdef"), chance.choice("abcdef")) for _ in range(6)}
        parents = {uid: sorted(b for a, b in pairs if a == uid) for uid in "abcdef"}
        path = write(
            f"{HEADER}Model: {json.dumps({a: {'parents': b} for a, b in parents.items()})}"
        )
        try:
            TopologicalSorter(parents).prepare()
        except CycleError:
            errors = errors_of(path)
            cycles = [re.findall("'(.)'", error.partition("cycle: ")[2]) for error in errors]
            assert all(cycle[0] == cycle[-1] for cycle in cycles)
            assert all(pairs.issuperset(pairwise(cycle)) for cycle in cycles)
            found[True] += 1
        else:
            assert check(path) == (6, len(pairs))
            found[False] += 1
    assert min(found.values()) > 10


def test_two_paths_to_an_ancestor_are_not_a_cycle() -> None:
    text = "Model:\n  a: {parents: [b, c]}\n  b: {parents: [d]}\n  c: {parents: [d]}\n  d:\n"
    assert check(write(HEADER + text)) == (4, 4)


def test_uid_is_unique_per_label_across_files() -> None:
    write(HEADER + "Dataset:\n  d:\nModel:\n  d:\n", "a.yaml")
    write(HEADER + "Project:\n  d:\n\nDataset:\n  d:\n", "b.yaml")
    assert check("a.yaml") == (2, 0)
    assert errors_of("a.yaml", "b.yaml") == [
        "b.yaml:6: Dataset 'd': uid: duplicate (first at a.yaml:3)"
    ]
    assert errors_of("a.yaml", "a.yaml")[0] == (
        "a.yaml:3: Dataset 'd': uid: duplicate (first at a.yaml:3)"
    )


def test_metric_has_one_experiment_across_files() -> None:
    rows = [
        {"format": "genai_graph/1"},
        {"node": "Experiment", "uid": "e"},
        {"node": "Experiment", "uid": "f"},
        {"node": "Metric", "uid": "m", "props": {"name": "acc", "value": 1}},
        {"edge": "HAS", "from": ["Experiment", "e"], "to": ["Metric", "m"]},
    ]
    name = write("\n".join(map(json.dumps, rows)), "a.jsonl")
    assert check(name) == (3, 1)
    again = [rows[0], {**rows[4], "from": ["Experiment", "f"]}]
    other = write("\n".join(map(json.dumps, again)), "b.jsonl")
    assert errors_of(name, other) == [
        "b.jsonl:2: Experiment 'f': Metric 'm' can have only one Experiment: it has 'e', not 'f' "
        "(first at a.jsonl:5)"
    ]
    twice = write("\n".join(map(json.dumps, [rows[0], rows[4]])), "c.jsonl")
    assert errors_of(name, twice) == [
        "c.jsonl:2: Experiment 'e': HAS: 'm': duplicate (first at a.jsonl:5)"
    ]


def test_errors_of_fixtures_that_exceed_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uid_table, "_MAX_INDEXED", 3)
    monkeypatch.setattr(consistency, "_MAX_SORTED", 4)
    monkeypatch.setattr(batching, "BATCH_ROWS", 2)
    dataset = {"node": "Dataset", "uid": "d\u00e9@0"}
    metrics = [{"node": "Metric", "uid": f"e/m{i}", "props": {"value": i}} for i in range(20)]
    owned = [
        {"edge": "HAS", "from": ["Experiment", f"e{i % 7}"], "to": ["Metric", f"e/m{i}"]}
        for i in range(20)
    ]
    experiments = [{"node": "Experiment", "uid": f"e{i}"} for i in range(7)]
    used = {"edge": "USED", "from": ["Experiment", "e6"], "to": ["Dataset", dataset["uid"]]}
    rows = [*experiments, *metrics, *owned, dataset, used]
    header = {"format": "genai_graph/1"}
    valid = write("\n".join(map(json.dumps, [header, *rows])), "valid.jsonl")
    assert check(valid) == (28, 21)

    missing = {**used, "to": ["Dataset", "d@1"]}
    second = {**owned[0], "from": ["Experiment", "e5"]}
    orphan = {"node": "Metric", "uid": "e/m20", "props": {"value": 1}}
    wrong = [header, experiments[4], used, owned[3], missing, second, orphan]
    invalid = write("\n".join(map(json.dumps, wrong)), "invalid.jsonl")
    assert errors_of(valid, invalid) == [
        "invalid.jsonl:2: Experiment 'e4': uid: duplicate (first at valid.jsonl:6)",
        "invalid.jsonl:3: Experiment 'e6': USED: 'd\u00e9@0': duplicate (first at valid.jsonl:50)",
        "invalid.jsonl:4: Experiment 'e3': HAS: 'e/m3': duplicate (first at valid.jsonl:32)",
        "invalid.jsonl:5: Experiment 'e6': USED: no Dataset 'd@1' is in the files or in the graph",
        "invalid.jsonl:6: Experiment 'e5': Metric 'e/m0' can have only one Experiment: "
        "it has 'e0', not 'e5' (first at valid.jsonl:29)",
        "invalid.jsonl:7: Metric 'e/m20': has no Experiment: nest it under one, or add an edge "
        "Experiment-HAS->Metric",
    ]


def test_check_without_files() -> None:
    assert check() == (0, 0)
