"""Randomly corrupted fixtures: each is valid, or has errors with locations."""

from __future__ import annotations

import functools
import gzip
import json
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_graph import Connection, FixtureError, check, load, query

YAML = """\
# A fixture with all features.
format: genai_graph/1

Project:
  "vision é😀":
    description: |
      two
      lines
    owner: 'it''s'
    tags: [a, "no", b/c]
    datasets: [imagenet@1, "coco@2"]
    models: [resnet@50]
    experiments: [run-1]

Dataset:
  imagenet@1: {num_rows: 1281167, size: 0o17, location: "s3://data/a b/", license: null}
  coco@2:
    created_at: 2026-03-01T09:00:00Z
    data_schema: {columns: [{name: id, type: int}, {name: x, scale: 1e-4}], ok: true}
    parents:
      imagenet@1: {kind: subset}

Model:
  resnet@50:
    status: READY
    hyperparameters:
      lr: 0.1
      layers: [3, 4, 6, 3]
    trained_on:
      imagenet@1: {role: training, split: train}
      coco@2:
  base:

Experiment:
  run-1:
    started_at: 2026-03-01T11:00:00+02:00
    random_seed: -9223372036854775808
    models: {resnet@50: {role: output, step: 3}}
    datasets: [imagenet@1]
    metrics:
      loss: .nan
      accuracy:
        - {value: 0.981, dataset: imagenet@1, split: val, greater_is_better: true}
        - {value: 1, dataset: coco@2, steps: [1, 2], values: [0.5, Infinity]}
""".encode()

NODES: dict[str, dict[str, object]] = {
    "Project": {"vision é😀": {"owner": "it's\n", "tags": ["a", "no"], "license": None}},
    "Dataset": {
        "imagenet@1": {"num_rows": 1281167, "location": 's3://data/"a b"/\\'},
        "coco@2": {"created_at": "2026-03-01T09:00:00Z", "data_schema": {"a": [1, {"b": 1e-4}]}},
    },
    "Model": {"resnet@50": {"status": "READY", "hyperparameters": {"lr": 0.1, "on": True}}},
    "Experiment": {"run-1": {"started_at": "2026-03-01T11:00:00+02:00", "random_seed": -(2**63)}},
}
EDGES = {
    "Project": {"vision é😀": {"datasets": ["imagenet@1"], "models": {"resnet@50": {}}}},
    "Dataset": {"coco@2": {"parents": {"imagenet@1": {"kind": "subset"}}}},
    "Model": {"resnet@50": {"trained_on": {"coco@2": {"role": "test"}, "imagenet@1": None}}},
    "Experiment": {
        "run-1": {
            "metrics": {
                "loss": "NaN",
                "accuracy": [
                    {"value": 1, "dataset": "coco@2", "steps": [1, 2], "values": [0.5, "-Infinity"]}
                ],
            }
        }
    },
}


def as_json() -> bytes:
    document: dict[str, object] = {"format": "genai_graph/1"}
    for label, nodes in NODES.items():
        document[label] = {
            uid: {**props, **EDGES[label].get(uid, {})}  # type: ignore[dict-item]
            for uid, props in nodes.items()
        }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def as_jsonl() -> bytes:
    metric = {
        "name": "loss",
        "value": "NaN",
        "steps": [1, 2],
        "values": [1, "Infinity"],
        "greater_is_better": False,
    }
    edges = [
        ("HAS", "Project", "vision é😀", "Dataset", "imagenet@1", {}),
        ("HAS", "Experiment", "run-1", "Metric", "m", None),
        ("DERIVED_FROM", "Dataset", "coco@2", "Dataset", "imagenet@1", {"kind": "subset"}),
        ("TRAINED_ON", "Model", "resnet@50", "Dataset", "coco@2", {"role": "test", "split": "s"}),
        ("EVALUATED_ON", "Metric", "m", "Dataset", "coco@2", {}),
    ]
    rows: list[object] = [{"format": "genai_graph/1"}]
    rows += [
        {"node": label, "uid": uid, "props": props}
        for label, nodes in [*NODES.items(), ("Metric", {"m": metric})]
        for uid, props in nodes.items()
    ]
    rows += [
        {"edge": type_, "from": [label, uid], "to": [other, target], "props": props}
        for type_, label, uid, other, target, props in edges
    ]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode() + b"\n"


FIXTURES = {"f.yaml": YAML, "f.json": as_json(), "f.jsonl": as_jsonl()}
COMPRESSORS = {"f.jsonl.gz": functools.partial(gzip.compress, mtime=0), "f.jsonl.xz": lzma.compress}

# Replacements of values: other types, and syntax that could confuse a parser.
REPLACEMENTS = [
    b"", b"null", b"true", b"no", b"0", b"-1", b"1.5", b"1e400", b"017", b"0x", b"12:30", b"NaN",
    b".nan", b"2026-02-30", b"0000-00-00T99:99:99Z", b'""', b"''", b'"x"', b"[]", b"{}", b"[[",
    b"}}", b"{a: ", b"- - -", b"? ", b": ", b"*a", b"&a", b"!!set", b"!<x%0A>", b"%", b"|",
    b">-\n", b"#", b'"\\ud800"', b'"\\u0000"', b"\\", b"\x00", b"\x1b[31m", b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\r", b"\n", b"\t", b"---",
    b"...", b"<<", b"9" * 30, b"9" * 5000, b"x" * 9000, b"[" * 300, b"imagenet@1", b"run-1",
    b"Dataset", b"uid", b"format", b"name", b"parents", b"metrics", b"value", b"node", b"edge",
    b"@", b"/",
]  # fmt: skip
TOKEN = re.compile(rb"[^\s,:\[\]{}]+")

# A compressed fixture has twenty lines, and each of three mutations may double it.
MAX_LINES = 20 * 2**3

Mutation = Callable[[st.DrawFn, bytes], bytes]
T = TypeVar("T")


def flip_byte(draw: st.DrawFn, data: bytes) -> bytes:
    position = draw(st.integers(0, len(data) - 1))
    other = bytes([data[position] ^ draw(st.integers(1, 255))])
    return data[:position] + other + data[position + 1 :]


def truncate(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data) - 1))]


def delete_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data) - 1))
    return data[:start] + data[start + draw(st.integers(1, 40)) :]


def delete_line(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[draw(st.integers(0, len(lines) - 1))]
    return b"".join(lines)


def swap_lines(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def duplicate_line(draw: st.DrawFn, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    position = draw(st.integers(0, len(lines) - 1))
    lines.insert(draw(st.integers(0, len(lines))), lines[position])
    return b"".join(lines)


def replace_token(draw: st.DrawFn, data: bytes) -> bytes:
    tokens = list(TOKEN.finditer(data))
    if not tokens:
        return data
    token = tokens[draw(st.integers(0, len(tokens) - 1))]
    return data[: token.start()] + draw(st.sampled_from(REPLACEMENTS)) + data[token.end() :]


def insert_token(draw: st.DrawFn, data: bytes) -> bytes:
    position = draw(st.integers(0, len(data)))
    return data[:position] + draw(st.sampled_from(REPLACEMENTS)) + data[position:]


MUTATIONS: list[Mutation] = [
    flip_byte,
    truncate,
    delete_bytes,
    delete_line,
    swap_lines,
    duplicate_line,
    replace_token,
    insert_token,
]


@st.composite
def corrupted(draw: st.DrawFn, data: bytes) -> bytes:
    for mutation in draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=3)):
        if data:
            data = mutation(draw, data)
    return data


@st.composite
def corrupted_archives(draw: st.DrawFn, name: str) -> bytes:
    """Corrupt the content, the compressed file, or both."""
    data = FIXTURES["f.jsonl"]
    inside, outside = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    packed = COMPRESSORS[name](draw(corrupted(data)) if inside else data)
    return draw(corrupted(packed)) if outside else packed


# Also used by tests/soak.py.
CORRUPTED = {
    **{name: corrupted(data) for name, data in FIXTURES.items()},
    **{name: corrupted_archives(name) for name in COMPRESSORS},
}


def assert_valid_or_located_errors(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)
    last = len(data.decode(errors="replace").splitlines()) + 1
    if name in COMPRESSORS:
        last = MAX_LINES
    try:
        nodes, edges = check(name)
    except FixtureError as error:
        assert error.errors  # noqa: PT017
        for issue in error.errors:
            assert issue.location.file == name
            assert 1 <= (issue.location.line or 1) <= last, issue
            assert issue.message
    else:
        assert min(nodes, edges) >= 0


@pytest.mark.parametrize("name", list(FIXTURES))
def test_fixtures_are_valid_before_they_are_corrupted(name: str) -> None:
    Path(name).write_bytes(FIXTURES[name])
    nodes, edges = check(name)
    assert nodes >= 6
    assert edges >= 5


few_or_many = pytest.mark.parametrize(
    "examples", [50, pytest.param(350, marks=pytest.mark.slow)], ids=["few", "many"]
)


def check_examples(
    strategy: st.SearchStrategy[T], check: Callable[[T], object], examples: int
) -> None:
    """Call a function for a number of drawn examples, the same in each run."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def check_one(example: T) -> None:
        check(example)

    check_one()


@few_or_many
@pytest.mark.parametrize("name", list(CORRUPTED))
def test_corrupted_fixture_is_valid_or_has_located_errors(name: str, examples: int) -> None:
    check_examples(
        CORRUPTED[name], lambda data: assert_valid_or_located_errors(name, data), examples
    )


@few_or_many
def test_fixture_read_as_another_format_has_located_errors(examples: int) -> None:
    names = st.sampled_from(["f", "f.yaml", "f.json"])
    check_examples(
        st.tuples(names, corrupted(FIXTURES["f.jsonl"])),
        lambda drawn: assert_valid_or_located_errors(*drawn),
        examples,
    )


@few_or_many
def test_any_text_has_located_errors(examples: int) -> None:
    data = st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    check_examples(
        st.tuples(st.sampled_from(list(FIXTURES)), data),
        lambda drawn: assert_valid_or_located_errors(*drawn),
        examples,
    )


def changed_values(data: bytes) -> st.SearchStrategy[bytes]:
    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        found = data
        for _ in range(draw(st.integers(1, 3))):
            found = draw(st.sampled_from([replace_token, duplicate_line, delete_line]))(draw, found)
        return found

    return changed()


def assert_loads_twice_or_is_invalid(name: str) -> bool:
    """Check that a valid fixture can be loaded, and that a second load changes nothing."""
    try:
        check(name)
    except FixtureError:
        return False
    query("MATCH (n) DETACH DELETE n", write=True)
    made = load(name)
    again = load(name)
    for first, second in ((made.nodes, again.nodes), (made.edges, again.edges)):
        for key, counts in second.items():
            assert (counts.created, counts.changed) == (0, 0), key
            assert counts.unchanged >= first[key].created > 0
    return True


@pytest.mark.parametrize("examples", [20, pytest.param(60, marks=pytest.mark.slow)])
def test_valid_fixture_can_be_loaded_again_without_changes(
    graph: Connection, examples: int
) -> None:
    def check_data(data: bytes) -> None:
        Path("fixture").write_bytes(data)
        assert_loads_twice_or_is_invalid("fixture")

    strategy = st.one_of(*map(changed_values, FIXTURES.values()))
    check_examples(strategy, check_data, examples)
