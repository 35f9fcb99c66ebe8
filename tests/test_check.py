"""Checking fixtures: all faults, in the order of the files, each with its line and its cure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import errors_of, write_file

from genai_graph import FixtureError, check
from genai_graph.errors import GenaiGraphError

HEADER = "format: genai_graph/1\n"
LABELS = "Project, Dataset, Model, Experiment, Metric"
ADVICE = 'the first thing in a fixture is its format: "genai_graph/1"'


def write(text: str, name: str = "f.yaml") -> str:
    return write_file(name, text)


FAULTY = [
    # names
    (
        "Datasets:\n  d: {}\n",
        [
            "2: 'Datasets': no such kind of node (did you mean 'Dataset'?): expected one of "
            + LABELS
        ],
    ),
    ("Zoo:\n", [f"2: 'Zoo': no such kind of node: expected one of {LABELS}"]),
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
    ("Dataset:\n  d: {uid: e}\n", ["3: Dataset 'd': uid: is the name above: leave it out here"]),
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
        ["3: Model 'm': trained_on: expected a uid that is not empty"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: {value: 1, dataset: 5}}}\n",
        ["3: Metric 'e/acc': dataset: expected a uid, got 5"],
    ),
    # the wrong direction
    (
        "Dataset:\n  d:\n    projects: [p]\n",
        [
            "4: Dataset 'd': projects: is the other end of an edge: write it under the Project, "
            "as datasets with this Dataset"
        ],
    ),
    (
        "Dataset:\n  d:\n    trained_models: [m]\n",
        [
            "4: Dataset 'd': trained_models: is the other end of an edge: write it under the "
            "Model, as trained_on with this Dataset"
        ],
    ),
    (
        "Model:\n  m:\n    children: [n]\n",
        [
            "4: Model 'm': children: is the other end of an edge: write it under the Model, "
            "as parents with this Model"
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
            "version, got 'finetuned' (did you mean 'fine-tuned'?)"
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
    # circles
    (
        "Model:\n  a: {parents: [a]}\n",
        ["3: Model 'a': DERIVED_FROM may not go in a circle: 'a' -> 'a'"],
    ),
    (
        "Dataset:\n  a: {parents: [b]}\n  b: {parents: [a]}\n",
        ["3: Dataset 'a': DERIVED_FROM may not go in a circle: 'a' -> 'b' -> 'a'"],
    ),
    (
        "Model:\n  a: {parents: [b]}\n  b: {parents: [c]}\n  c: {parents: [a]}\n",
        ["3: Model 'a': DERIVED_FROM may not go in a circle: 'a' -> 'b' -> 'c' -> 'a'"],
    ),
    (
        "Model:\n  a: {parents: [a]}\n  b: {parents: [c, a]}\n  c: {parents: [b]}\n",
        [
            "3: Model 'a': DERIVED_FROM may not go in a circle: 'a' -> 'a'",
            "4: Model 'b': DERIVED_FROM may not go in a circle: 'b' -> 'c' -> 'b'",
        ],
    ),
    # metrics and their experiment
    (
        "Metric:\n  m: {name: acc, value: 1}\n",
        [
            "3: Metric 'm': belongs to no Experiment: write it under one, "
            "or add the edge Experiment-HAS->Metric"
        ],
    ),
    (
        "Experiment:\n  e:\n    metrics: [m]\n",
        ["4: Experiment 'e': metrics: expected a map of names, got a list"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: [{value: 1}, {value: 2}]}}\n",
        ["3: Metric 'e/acc': uid: stands twice (first at f.yaml:3): keep one"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: {value: 1, uid: 5}}}\n",
        ["3: Experiment 'e': metrics: acc: uid: expected a string, got 5 (quote it)"],
    ),
    (
        "Dataset:\n  c:\n  d:\nExperiment:\n  e:\n    metrics:\n"
        "      acc: {value: 1, dataset: {c: , d: {}}}\n",
        ["8: Metric 'e/acc/c': Metric 'e/acc/c' can have one Dataset only and has 'c', not 'd'"],
    ),
    # required values
    (
        "Experiment:\n  e: {metrics: {acc: {}}}\n",
        ["3: Metric 'e/acc': value: is required: give it"],
    ),
    (
        "Experiment:\n  e: {metrics: {acc: }}\n",
        ["3: Metric 'e/acc': value: is required and can't be removed"],
    ),
    (
        "Metric:\n  m: {}\n",
        [
            "3: Metric 'm': name: is required: give it",
            "3: Metric 'm': value: is required: give it",
            "3: Metric 'm': belongs to no Experiment: write it under one, "
            "or add the edge Experiment-HAS->Metric",
        ],
    ),
    ("Project:\n  p: {name: null}\n", ["3: Project 'p': name: is required and can't be removed"]),
    ("Project:\n  '': {}\n", ["3: Project '': uid: expected a string that is not empty"]),
    # shapes
    ("Dataset: [d]\n", ["2: Dataset: expected a map of nodes by uid, got a list"]),
    ("Dataset: d\n", ["2: Dataset: expected a map of nodes by uid, got 'd'"]),
    ("Dataset:\n  d: text\n", ["3: Dataset 'd': expected a map of properties, got 'text'"]),
    ("Dataset:\n  d: [text]\n", ["3: Dataset 'd': expected a map of properties, got a list"]),
]


@pytest.mark.parametrize(("text", "expected"), FAULTY, ids=[text for text, _ in FAULTY])
def test_a_fault_is_told_with_its_place_and_its_cure(text: str, expected: list[str]) -> None:
    assert errors_of(write(HEADER + text)) == [f"f.yaml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dataset:\n  d: {}\n", f"1: {ADVICE}"),
        ("\n\nDataset:\n  d: {}\n", f"3: {ADVICE}"),
        ("Format: genai_graph/1\n", f"1: {ADVICE}"),
        ("format: genai_graph/2\n", "1: format: expected genai_graph/1, got 'genai_graph/2'"),
        ("Dataset:\nformat: 1\n", "2: format: expected genai_graph/1, got 1"),
        ("format:\n", "1: format: expected genai_graph/1, got nothing"),
        ("", f"1: expected a map of sections, got an empty file: {ADVICE}"),
    ],
)
def test_a_wrong_or_missing_header_is_told(text: str, expected: str) -> None:
    assert errors_of(write(text))[0] == f"f.yaml:{expected}"


def test_all_faults_are_told_at_once_in_the_order_of_the_lines() -> None:
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


def test_what_only_yaml_s_extras_spoil_does_not_hide_the_other_faults() -> None:
    text = (
        "Dataset:\n  d:\n    license: 5\n    size: 1\n    size: 2\n"
        "    url: !!str x\n    5: x\n    location: &anchor x\n    citation: 7\n"
    )
    assert [line.split(": ")[0] for line in errors_of(write(HEADER + text))] == [
        f"f.yaml:{line}" for line in (4, 6, 7, 8, 9, 10)
    ]


def test_a_fault_of_a_node_is_not_told_again_by_those_that_refer_to_it() -> None:
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
    ("text", "fault"),
    [
        ("Dataset:\n  d: text\n", "3: Dataset 'd': expected a map of properties, got 'text'"),
        (
            "Dataset:\n  c: {}\nDataset:\n  d: {}\n",
            "4: the key 'Dataset' stands here twice (first in line 2)",
        ),
        ("Dataset:\n  !x d: {}\n", "3: the tag !x is not allowed: remove it"),
    ],
)
def test_a_node_that_is_written_wrongly_is_not_called_missing_too(text: str, fault: str) -> None:
    models = "Model:\n  m: {trained_on: [d]}\n"
    assert errors_of(write(HEADER + text + models)) == [f"f.yaml:{fault}"]


@pytest.mark.parametrize("rest", ['"props": 5', '"props": {}, "x": 1', '"props": {"size": "x"}'])
def test_a_line_of_a_node_that_is_wrong_is_not_called_missing_by_its_edges(rest: str) -> None:
    lines = (
        f'{{"format": "genai_graph/1"}}\n{{"node": "Dataset", "uid": "d", {rest}}}\n'
        '{"node": "Model", "uid": "m"}\n'
        '{"edge": "TRAINED_ON", "from": ["Model", "m"], "to": ["Dataset", "d"]}\n'
    )
    (message,) = errors_of(write(lines, "f.jsonl"))
    assert message.startswith("f.jsonl:2: ")


def test_every_reference_to_a_node_that_is_missing_is_told() -> None:
    text = "Model:\n  a: {trained_on: [d]}\n  b: {trained_on: [d]}\n"
    assert errors_of(write(HEADER + text)) == [
        "f.yaml:3: Model 'a': TRAINED_ON: no Dataset 'd' is in the files or in the graph",
        "f.yaml:4: Model 'b': TRAINED_ON: no Dataset 'd' is in the files or in the graph",
    ]


@pytest.mark.parametrize(
    ("label", "uid"), [("Dataset", "x" * 9000), ("Model", "x" * 9000), ("Metric", "x" * 9000)]
)
def test_a_uid_that_no_index_can_hold_is_refused_in_every_format(label: str, uid: str) -> None:
    rows = [{"format": "genai_graph/1"}, {"node": label, "uid": uid}]
    for name in (
        write(f"{HEADER}{label}:\n  ? {uid}\n  : {{}}\n"),
        write(json.dumps({"format": "genai_graph/1", label: {uid: {}}}), "f.json"),
        write("\n".join(map(json.dumps, rows)), "f.jsonl"),
    ):
        assert any("uid: an indexed string may have 8000 bytes" in x for x in errors_of(name)), name


@pytest.mark.parametrize("uid", ["@1", "@"])
def test_a_uid_that_tells_an_empty_name_needs_a_name(uid: str) -> None:
    (message,) = errors_of(write(f"{HEADER}Dataset:\n  '{uid}': {{}}\n"))
    assert message.startswith(f"f.yaml:3: Dataset '{uid}': name: ")
    assert check(write(f"{HEADER}Dataset:\n  '{uid}': {{name: x}}\n")) == (1, 0)


@pytest.mark.parametrize("dataset", ["d", "[d]", "{d: {}}", "{d: }"])
def test_the_dataset_of_a_metric_tells_its_uid_however_it_is_written(dataset: str) -> None:
    metrics = f"{{acc: [{{value: 1}}, {{value: 2, dataset: {dataset}}}]}}"
    text = f"Dataset:\n  d:\nExperiment:\n  e: {{metrics: {metrics}}}\n"
    assert check(write(HEADER + text)) == (4, 3)


def test_metrics_of_one_name_on_several_datasets_and_splits_are_several() -> None:
    text = (
        "Dataset:\n  c:\n  d:\nExperiment:\n  e:\n    metrics:\n      acc:\n        - 1\n"
        "        - {value: 1, split: test}\n        - {value: 1, dataset: c}\n"
        "        - {value: 1, dataset: d}\n        - {value: 1, dataset: d, split: test}\n"
        "        - {value: 1, uid: acc}\n"
    )
    assert check(write(HEADER + text)) == (9, 9)


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\x85b\u2028c", "a\rb\tc", "\u202e"])
def test_a_fault_is_one_line_of_plain_text_whatever_the_names_in_it(text: str) -> None:
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
        for fault in raised.value.errors:
            assert str(fault).isprintable(), fault


# The limit


def test_no_more_faults_are_told_than_the_limit_and_the_rest_is_counted() -> None:
    name = write(HEADER + "Dataset:\n" + "".join(f"  d{i}: {{size: x}}\n" for i in range(5)))
    assert errors_of(name, max_errors=2) == [
        "f.yaml:3: Dataset 'd0': size: expected an integer, got 'x'",
        "f.yaml:4: Dataset 'd1': size: expected an integer, got 'x'",
        "and 3 more",
    ]
    assert len(errors_of(name, max_errors=5)) == 5


def test_a_hundred_faults_are_told_when_no_limit_is_given() -> None:
    name = write(HEADER + "Dataset:\n" + "".join(f"  d{i}: {{size: x}}\n" for i in range(150)))
    with pytest.raises(FixtureError) as raised:
        check(name)
    assert (len(raised.value.errors), raised.value.omitted) == (100, 50)
    assert str(raised.value).endswith("\nand 50 more")


# Files


def test_a_missing_file_and_a_folder_are_told_as_faults_of_the_file() -> None:
    Path("folder").mkdir()
    assert errors_of("gone.yaml") == ["gone.yaml:1: there is no such file"]
    assert errors_of("gone") == ["gone:1: there is no such file, and no fixtures/gone.yaml"]
    assert errors_of("folder") == [
        "folder:1: is a folder without CSV files such as Project.csv: name the files in it"
    ]


def test_a_file_that_can_not_be_read_is_an_oserror_too() -> None:
    with pytest.raises(OSError, match="there is no such file"):
        check("gone.yaml")
    with pytest.raises(GenaiGraphError, match="there is no such file"):
        check("gone.yaml")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "", "f.yaml/g.yaml", "\udc80"])
def test_a_name_that_no_file_can_have_is_a_fault(name: str) -> None:
    write(HEADER)
    with pytest.raises(FixtureError) as raised:
        check(name)
    assert len(raised.value.errors) == 1
    assert raised.value.errors[0].place.line == 1


def test_what_can_not_be_read_does_not_hide_the_faults_of_the_other_files() -> None:
    write(HEADER + "Dataset:\n  d: {size: x}\n")
    assert [line.split(": ")[0] for line in errors_of("gone.yaml", "f.yaml", "lost.yaml")] == [
        "gone.yaml:1",
        "f.yaml:3",
        "lost.yaml:1",
    ]


def test_several_files_are_checked_as_one() -> None:
    write(HEADER + "Model:\n  m: {trained_on: [d], parents: [base]}\n", "a.yaml")
    write('{"format": "genai_graph/1", "Dataset": {"d": {}}}', "b.json")
    write('{"format": "genai_graph/1"}\n{"node": "Model", "uid": "base"}\n', "c.jsonl")
    assert check("a.yaml", "b.json", "c.jsonl") == (3, 2)
    assert check(Path("c.jsonl"), Path("b.json"), Path("a.yaml")) == (3, 2)
    assert errors_of("a.yaml", "c.jsonl") == [
        "a.yaml:3: Model 'm': TRAINED_ON: no Dataset 'd' is in the files or in the graph"
    ]


def test_faults_come_in_the_order_in_which_the_files_are_named() -> None:
    write(HEADER + "Dataset:\n  d: {parents: [gone]}\n", "z.yaml")
    write(HEADER + "Dataset: [\n", "m.yaml")
    write(HEADER + "Dataset:\n  e: {size: x}\n", "a.yaml")
    files = ["z.yaml:3", "m.yaml:3", "a.yaml:3"]
    assert [line.split(": ")[0] for line in errors_of("z.yaml", "m.yaml", "a.yaml")] == files
    assert [line.split(": ")[0] for line in errors_of("a.yaml", "m.yaml", "z.yaml")] == files[::-1]


def test_a_circle_over_several_files_is_told() -> None:
    write(HEADER + "Model:\n  a: {parents: [b]}\n", "a.yaml")
    write(HEADER + "Model:\n  b: {parents: [c]}\n", "b.yaml")
    write(HEADER + "Model:\n\n  c: {parents: [a]}\n", "c.yaml")
    circle = "DERIVED_FROM may not go in a circle: 'a' -> 'b' -> 'c' -> 'a'"
    assert errors_of("a.yaml", "b.yaml", "c.yaml") == [f"a.yaml:3: Model 'a': {circle}"]
    assert errors_of("c.yaml", "b.yaml", "a.yaml") == [f"a.yaml:3: Model 'a': {circle}"]


def test_a_long_line_of_descent_is_no_circle_and_does_not_exhaust_the_stack() -> None:
    line = "".join(f"  m{i}: {{parents: [m{i + 1}]}}\n" for i in range(2000))
    assert check(write(f"{HEADER}Model:\n{line}  m2000:\n")) == (2001, 2000)
    assert (
        "may not go in a circle"
        in errors_of(write(f"{HEADER}Model:\n{line}  m2000: {{parents: [m0]}}\n"))[0]
    )


def test_two_ways_to_one_ancestor_are_no_circle() -> None:
    text = "Model:\n  a: {parents: [b, c]}\n  b: {parents: [d]}\n  c: {parents: [d]}\n  d:\n"
    assert check(write(HEADER + text)) == (4, 4)


def test_a_uid_may_stand_once_in_all_files_and_once_for_each_kind_of_node() -> None:
    write(HEADER + "Dataset:\n  d:\nModel:\n  d:\n", "a.yaml")
    write(HEADER + "Project:\n  d:\n\nDataset:\n  d:\n", "b.yaml")
    assert check("a.yaml") == (2, 0)
    assert errors_of("a.yaml", "b.yaml") == [
        "b.yaml:6: Dataset 'd': uid: stands twice (first at a.yaml:3): keep one"
    ]
    assert errors_of("a.yaml", "a.yaml")[0] == (
        "a.yaml:3: Dataset 'd': uid: stands twice (first at a.yaml:3): keep one"
    )


def test_a_metric_may_have_one_experiment_over_all_files() -> None:
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
        "b.jsonl:2: Experiment 'f': Metric 'm' can have one Experiment only and has 'e', not 'f'"
    ]
    twice = write("\n".join(map(json.dumps, [rows[0], rows[4]])), "c.jsonl")
    assert check(name, twice) == (3, 2)


def test_no_files_at_all_hold_nothing() -> None:
    assert check() == (0, 0)
