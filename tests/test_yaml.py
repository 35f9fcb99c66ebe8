"""YAML fixtures: values, ambiguous scalars and syntax errors, with their lines."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import errors_of, write_file

from genai_graph import Connection, Dataset, Experiment, FixtureError, Metric, check, load

HEADER = "format: genai_graph/1\n"
DATASET = HEADER + "Dataset:\n  d:\n"
EXPERIMENT = HEADER + "Experiment:\n  e:\n"
BRACKETS = 200_000


def write(text: str | bytes) -> str:
    return write_file("f.yaml", text)


def error_in(text: str | bytes) -> str:
    return "\n".join(errors_of(write(text)))


# Invalid strings


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("version: 2.1", "version: expected a string, got 2.1 (quote it)"),
        ("version: 2026", "version: expected a string, got 2026 (quote it)"),
        ("version: 1e3", "version: expected a string, got 1000.0 (quote it)"),
        ("version: .inf", "version: expected a string, got inf (quote it)"),
        ("version: true", "version: expected a string, got True (quote it)"),
        ("license: no", "license: expected a string, got no (a bool in YAML 1.1) (quote it)"),
        ("license: Off", "license: expected a string, got Off (a bool in YAML 1.1) (quote it)"),
        (
            "version: 2026-03-01",
            "version: expected a string, got 2026-03-01 (a date in YAML 1.1) (quote it)",
        ),
        (
            "version: 12:30:00",
            "version: expected a string, got 12:30:00 (a base-60 number in YAML 1.1) (quote it)",
        ),
        (
            "version: 017",
            "version: expected a string, got 017 "
            "(a number that YAML versions read differently) (quote it)",
        ),
        ("tags: [a, 5]", "tags: item 2: expected a string, got 5 (quote it)"),
        ("tags: a", "tags: expected a list of strings, got 'a'"),
        ("name: null", "name: is required and can't be removed"),
        ("name: ''", "name: expected a non-empty string"),
    ],
)
def test_invalid_string_is_rejected(line: str, problem: str) -> None:
    assert error_in(f"{DATASET}    {line}\n") == f"f.yaml:4: Dataset 'd': {problem}"


def test_quoting_is_advised_for_a_version_like_a_number() -> None:
    message = error_in(f"{DATASET}    version: 3.10\n")
    assert message.startswith("f.yaml:4: Dataset 'd': version: expected a string, got 3.1")
    assert message.endswith("(quote it)")


# Invalid numbers, booleans and times


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("'5'", "expected an integer, got '5'"),
        ("1.0", "expected an integer, got 1.0"),
        ("true", "expected an integer, got True"),
        ("-1", "expected an integer of at least 0, got -1"),
        ("017", "expected an integer, got 017 (a number that YAML versions read differently)"),
        ("0b11", "expected an integer, got 0b11 (a number that YAML versions read differently)"),
        ("1_000", "expected an integer, got 1_000 (a number in YAML 1.1)"),
        ("12:30:00", "expected an integer, got 12:30:00 (a base-60 number in YAML 1.1)"),
        (str(2**63), f"expected an integer of at most 2^63-1, got {2**63}"),
        ("9" * 100, "expected an integer of at most 2^63-1, got an integer of 333 bits"),
        (
            "9" * 5000,
            "expected an integer, got 99999999999999999999... (an integer over 64 bits)",
        ),
        ("0x" + "f" * 5000, "expected an integer, got 0xffffffffffffffffff... "),
    ],
    ids=lambda text: text[:20],
)
def test_invalid_integer_is_rejected(text: str, problem: str) -> None:
    message = error_in(f"{DATASET}    size: {text}\n")
    expected = f"f.yaml:4: Dataset 'd': size: {problem}"
    assert message == expected or (problem.endswith(" ") and message.startswith(expected))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("high", "expected a number, got 'high'"),
        ("'0.5'", "expected a number, got '0.5'"),
        ("true", "expected a number, got True"),
        ("nan", "expected a number, got 'nan': write NaN"),
        ("017.5", "expected a number, got 017.5 (a number that YAML versions read differently)"),
        ("1e400", "expected a number, got 1e400 (a number out of the range of a float)"),
        (
            "1" + "0" * 400,
            "expected a number that a float represents exactly, got an integer of 1329 bits",
        ),
        ("12:30", "expected a number, got 12:30 (a base-60 number in YAML 1.1)"),
        ("null", "is required and can't be removed"),
    ],
    ids=lambda text: text[:20],
)
def test_invalid_number_is_rejected(text: str, problem: str) -> None:
    message = error_in(f"{EXPERIMENT}    metrics:\n      loss: {text}\n")
    assert message == f"f.yaml:5: Metric 'e/loss': value: {problem}"


@pytest.mark.parametrize("text", ["'true'", "yes", "1", "[]"])
def test_invalid_boolean_is_rejected(text: str) -> None:
    message = error_in(
        f"{EXPERIMENT}    metrics:\n      loss: {{value: 1, greater_is_better: {text}}}\n"
    )
    assert message.startswith(
        "f.yaml:5: Metric 'e/loss': greater_is_better: expected true or false"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T00:00:00Z",
        "2026-03-01",
        "5",
        "'yesterday'",
        "'2026-13-01T00:00:00Z'",
        "12:30:00",
    ],
)
def test_invalid_time_is_rejected(text: str) -> None:
    message = error_in(f"{EXPERIMENT}    started_at: {text}\n")
    assert message.startswith(
        "f.yaml:4: Experiment 'e': started_at: expected a time with a time zone, "
        f"such as 2026-03-01T09:00:00Z, got {text}"
    )


def test_error_of_a_time_without_time_zone_quotes_the_file() -> None:
    message = error_in(f"{EXPERIMENT}    started_at: 2026-02-20T00:00:00\n")
    assert message.startswith(
        "f.yaml:4: Experiment 'e': started_at: expected a time with a time zone, "
        "such as 2026-03-01T09:00:00Z, got "
    )
    assert "2026-02-20T00:00:00" in message
    assert "datetime.datetime" not in message
    assert "tzinfo" not in message


@pytest.mark.parametrize("text", ["[a]", "{a: b}"])
def test_quoting_is_not_advised_for_lists_and_maps(text: str) -> None:
    message = error_in(f"{DATASET}    license: {text}\n")
    assert message.startswith("f.yaml:4: Dataset 'd': license: expected a string, got ")
    assert not message.endswith("(quote it)")


# Inside JSON values


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("{a: no}", "no (a bool in YAML 1.1) at a (quote it)"),
        ("{a: {b: [1, 2026-01-01]}}", "2026-01-01 (a date in YAML 1.1) at a.b[1] (quote it)"),
        ("[12:30:00]", "12:30:00 (a base-60 number in YAML 1.1) at [0] (quote it)"),
        (
            "{a: 017}",
            "017 (a number that YAML versions read differently) at a (quote it)",
        ),
        ("{a: 1e400}", "1e400 (a number out of the range of a float) at a (quote it)"),
    ],
)
def test_ambiguous_scalars_are_rejected_inside_json_values(text: str, got: str) -> None:
    assert error_in(f"{DATASET}    metadata: {text}\n") == (
        f"f.yaml:4: Dataset 'd': metadata: expected JSON, got {got}"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{a: [1, {b: .nan}]}", "JSON has no nan at a[1].b: use null or a string"),
        ("-.inf", "JSON has no -inf: use null or a string"),
        (
            "{a: 9223372036854775808}",
            "expected an integer of at most 64 bits, got 9223372036854775808 at a: "
            "write it as a string",
        ),
    ],
)
def test_values_that_json_lacks_are_rejected_with_their_path(text: str, problem: str) -> None:
    message = error_in(f"{DATASET}    metadata: {text}\n")
    assert message == f"f.yaml:4: Dataset 'd': metadata: {problem}"


def test_depth_of_json_values_is_limited() -> None:
    assert check(write(f"{DATASET}    metadata: {'[' * 60}{']' * 60}\n")) == (1, 0)
    assert error_in(f"{DATASET}    metadata: {'[' * 70}{']' * 70}\n").startswith(
        "f.yaml:4: Dataset 'd': metadata: expected JSON of at most 64 levels"
    )


# Features of YAML that are not allowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            DATASET + "    license: a\n    location: b\n    license: c\n",
            "f.yaml:6: duplicate key 'license' (first in line 4)",
        ),
        (
            HEADER + "Dataset:\n  d: {}\n  e: {}\n  'd': {}\n",
            "f.yaml:5: duplicate key 'd' (first in line 3)",
        ),
        (
            HEADER + "Dataset:\n  d: {}\n\nDataset:\n  e: {}\n",
            "f.yaml:5: duplicate key 'Dataset' (first in line 2)",
        ),
        (
            DATASET + "    metadata: {a: 1, b: {c: 1, c: 2}}\n",
            "f.yaml:4: duplicate key 'c' (first in line 4)",
        ),
        (
            DATASET + "    license: &mit MIT\n",
            "f.yaml:4: anchor &mit is not allowed: remove it",
        ),
        (
            DATASET + "    license: *mit\n",
            "f.yaml:4: alias *mit is not allowed: write out the value",
        ),
        (
            DATASET + "    &key license: MIT\n",
            "f.yaml:4: anchor &key is not allowed: remove it",
        ),
        (
            DATASET + "    version: !!str 5\n",
            "f.yaml:4: tag tag:yaml.org,2002:str is not allowed: remove it",
        ),
        (
            DATASET + "    metadata: !!python/object/apply:os.system [ls]\n",
            "f.yaml:4: tag tag:yaml.org,2002:python/object/apply:os.system is not allowed: "
            "remove it",
        ),
        (
            HEADER + "Dataset: !dataset\n  d: {}\n",
            "f.yaml:2: tag !dataset is not allowed: remove it",
        ),
        (
            HEADER + "Dataset:\n  [a, b]: {}\n",
            "f.yaml:3: a list or a map can't be a key: use a string",
        ),
        (
            HEADER + "Dataset:\n  ? {a: b}\n  : {}\n",
            "f.yaml:3: a list or a map can't be a key: use a string",
        ),
        (HEADER + "Dataset:\n  5: {}\n", "f.yaml:3: expected a string as key, got 5 (quote it)"),
        (
            HEADER + "Dataset:\n  3.10: {}\n",
            "f.yaml:3: expected a string as key, got 3.10 (quote it)",
        ),
        (HEADER + "Dataset:\n  no: {}\n", "f.yaml:3: expected a string as key, got no (quote it)"),
        (HEADER + "Dataset:\n  ~: {}\n", "f.yaml:3: expected a string as key, got ~ (quote it)"),
        (
            HEADER + "Dataset:\n  2026-01-01: {}\n",
            "f.yaml:3: expected a string as key, got 2026-01-01 (quote it)",
        ),
        (
            DATASET + "    metadata: {5: a}\n",
            "f.yaml:4: expected a string as key, got 5 (quote it)",
        ),
        (
            HEADER + "---\n" + HEADER,
            "f.yaml:2: a file has one document: remove the second one",
        ),
    ],
)
def test_duplicate_keys_anchors_and_tags_are_rejected(text: str, expected: str) -> None:
    assert error_in(text) == expected


def test_tab_in_the_indentation_is_rejected() -> None:
    message = error_in(HEADER + "Dataset:\n\td: {}\n")
    assert message.startswith("f.yaml:3: ")
    assert "tab" in message


# Invalid syntax


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DATASET + "    description: a: b\n", "f.yaml:4: is not YAML: mapping values are not"),
        (DATASET + "    description: @a\n", "f.yaml:4: is not YAML: "),
        (DATASET + "    description: 'a\n", "f.yaml:5: is not YAML: "),
        (DATASET + "    tags: [a, b\n    size: 5\n", "f.yaml:5: is not YAML: "),
        (HEADER + "Dataset\n  d: {}\n", "f.yaml:3: is not YAML: could not find expected ':'"),
        (DATASET + "    license: a\n   location: b\n", "f.yaml:5: is not YAML: "),
        ("%YAML 2.0\n---\n" + HEADER, "f.yaml:1: is not YAML: "),
        (
            DATASET + "    description: a\x01b\n",
            "f.yaml:4: character not allowed in YAML: control characters",
        ),
    ],
)
def test_invalid_syntax_is_reported_with_its_line(text: str, expected: str) -> None:
    message = error_in(text)
    assert message.startswith(expected)
    assert "\n" not in message


def test_line_of_a_forbidden_character_is_correct_after_multibyte_characters() -> None:
    text = f"{HEADER}Dataset:\n  {'é' * 400}:\n    description: a\x01b\n" + "\n" * 300
    assert error_in(text).startswith("f.yaml:4: character not allowed in YAML")


@pytest.mark.parametrize(
    "opening",
    ["[", "{a: ", "- ", "? ", "[{a: ", HEADER + "Dataset:\n  d:\n    metadata: ["],
)
def test_unclosed_brackets_do_not_crash(opening: str) -> None:
    head, bracket = opening[:-1], opening[-1]
    text = opening * BRACKETS if len(opening) < 10 else head + bracket * BRACKETS
    message = error_in(text)
    line = text[: len(opening)].count("\n") + 1
    assert message.startswith(f"f.yaml:{line}: ")
    assert "nested more than 100 levels deep" in message or "can't be a key" in message


def test_deep_nesting_does_not_crash() -> None:
    text = f"{DATASET}    metadata: {'[' * 5000}{']' * 5000}\n"
    assert error_in(text) == "f.yaml:4: is nested more than 100 levels deep"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ((DATASET + "    license: ").encode() + b"caf\xe9\n", 4),
        ((DATASET + "    license: é\n\n\n    location: ").encode() + b"caf\xe9\n", 7),
        (b"\xff\n" + HEADER.encode(), 1),
        (DATASET.encode("utf-16"), 1),
        (DATASET.replace("\n", "\r\n").encode() + b"    license: caf\xe9\r\n", 4),
        ((DATASET + "    license: ").encode() + b"\xed\xa0\x80\n", 4),
    ],
)
def test_invalid_utf_8_is_reported_with_its_line(data: bytes, line: int) -> None:
    assert error_in(data) == f"f.yaml:{line}: is not UTF-8 text: save the file as UTF-8"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "\ufeff"])
def test_empty_file_is_rejected(text: str) -> None:
    assert error_in(text) == (
        "f.yaml:1: expected a map of sections, got an empty file: "
        'start the file with "format": "genai_graph/1"'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello\n", "f.yaml:1: expected a map of sections, got 'hello': "),
        ("\n\n5\n", "f.yaml:3: expected a map of sections, got 5: "),
        ("- a\n", "f.yaml:1: expected a map of sections, got a list"),
    ],
)
def test_file_without_a_map_is_rejected(text: str, expected: str) -> None:
    message = error_in(text)
    assert message.startswith(expected)
    assert "Located" not in message


# Valid files


@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 0.0001),
        ("1E5", 100000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.5", -0.5),
        ("+12", 12),
        ("-12", -12),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("text", "text"),
        ("y", "y"),
        ("nope", "nope"),
        ("'no'", "no"),
        ("'1e-4'", "1e-4"),
        ('"2026-03-01"', "2026-03-01"),
        ('"a\\nb\\t\\u00e9\\x41"', "a\nb\té" + "A"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        ("1e", "1e"),
        ("a#b", "a#b"),
        ("a # comment", "a"),
        ("s3://bucket/key", "s3://bucket/key"),
        ("[1, [2, {a: 3}], ]", [1, [2, {"a": 3}]]),
        ("{}", {}),
        ("[]", []),
    ],
)
def test_plain_scalars_are_read_as_in_yaml_1_2(graph: Connection, text: str, expected: Any) -> None:
    load(write(f"{EXPERIMENT}    parameters:\n      value: {text}\n"))
    found = Experiment.nodes.get(uid="e").parameters["value"]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("|\n      a\n        b\n\n      c\n", "a\n  b\n\nc\n"),
        ("|-\n      a\n      b\n", "a\nb"),
        (">\n      a\n      b\n\n      c\n", "a b\nc\n"),
        ("a\n      b\n", "a b"),
        ("'it''s'\n", "it's"),
        ('"a\\\n      b"\n', "ab"),
        ("|\n      no\n", "no\n"),
        ("'no'\n", "no"),
        ('"\\u2028\\N\\_\\0"\n', "\u2028\x85\xa0\0"),
        ("Größe 😀\n", "Größe 😀"),
    ],
)
def test_strings_of_all_styles_are_parsed(graph: Connection, text: str, expected: str) -> None:
    load(write(f"{DATASET}    description: {text}"))
    assert Dataset.nodes.get(uid="d").description == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:00:00Z",
        "'2026-03-01T09:00:00Z'",
        "2026-03-01T11:00:00+02:00",
        "2026-03-01 09:00:00Z",
    ],
)
def test_times_are_converted_to_utc(graph: Connection, text: str) -> None:
    load(write(f"{EXPERIMENT}    started_at: {text}\n"))
    found = Experiment.nodes.get(uid="e").started_at
    assert found == datetime(2026, 3, 1, 9, tzinfo=timezone.utc)
    assert found.tzinfo is timezone.utc


def test_non_finite_numbers_are_accepted_in_yaml_and_json_notation(
    graph: Connection,
) -> None:
    texts = ["NaN", "'NaN'", ".nan", "Infinity", ".inf", "-Infinity", "-.Inf", "5"]
    lines = "".join(f"      m{position}: {text}\n" for position, text in enumerate(texts))
    load(write(f"{EXPERIMENT}    metrics:\n{lines}"))
    found = [Metric.nodes.get(uid=f"e/m{position}").value for position in range(len(texts))]
    assert [math.isnan(value) for value in found] == [True] * 3 + [False] * 5
    assert found[3:] == [math.inf, math.inf, -math.inf, -math.inf, 5.0]
    assert type(found[-1]) is float


def test_empty_sections_nodes_and_edges_are_accepted() -> None:
    text = HEADER + "Project:\nModel: {}\nDataset:\n  d:\n  e: {}\n  f:\n    parents:\n    tags:\n"
    text += "Experiment: {x: {metrics: }}\n"
    assert check(write(text)) == (4, 0)


def test_comments_document_markers_and_quoted_keys_are_accepted() -> None:
    text = "# first\n---\n\"format\": 'genai_graph/1' # it\n'Dataset':\n  \"d\": {'size': 5}\n...\n"
    assert check(write(text)) == (1, 0)


@pytest.mark.parametrize(
    "data",
    [
        ("\ufeff" + DATASET + "    size: x\n").encode(),
        (DATASET + "    size: x\n").replace("\n", "\r\n").encode(),
        (DATASET + "    size: x").encode(),
    ],
    ids=["byte order mark", "CRLF", "no end of line"],
)
def test_line_numbers_are_correct_with_byte_order_mark_and_crlf(data: bytes) -> None:
    assert error_in(data) == "f.yaml:4: Dataset 'd': size: expected an integer, got 'x'"


@pytest.mark.parametrize("data", ["\ufeff" + DATASET, DATASET.replace("\n", "\r\n")])
def test_byte_order_mark_and_crlf_are_accepted(data: str) -> None:
    assert check(write(data + "    size: 5")) == (1, 0)


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("quote", ['"', "'", ""])
def test_unicode_line_separator_is_unchanged_or_rejected_with_its_line(
    graph: Connection, character: str, quote: str
) -> None:
    text = f"{DATASET}    description: {quote}a{character}b{quote}\n    creator: c\n"
    try:
        load(write(text))
    except FixtureError as error:
        assert [error.location.line for error in error.errors] == [4]  # noqa: PT017
    else:
        assert Dataset.nodes.get(uid="d").description == f"a{character}b"


def test_errors_have_their_own_line_in_every_style() -> None:
    text = (
        HEADER + "Dataset:\n  a:\n    license: 5\n  b: {\n    license: 6,\n    size: x}\n"
        "  ? c\n  : license: |\n      fine\n    url: 7\n"
        "Model:\n  m:\n    trained_on:\n      - a\n      - 8\n"
        "    parents: {\n      m2: {\n        kind: new}}\n  m2:\n"
    )
    with pytest.raises(FixtureError) as raised:
        check(write(text))
    assert [(error.location.line, error.message[:40]) for error in raised.value.errors] == [
        (4, "Dataset 'a': license: expected a string,"),
        (6, "Dataset 'b': license: expected a string,"),
        (7, "Dataset 'b': size: expected an integer, "),
        (11, "Dataset 'c': url: expected a string, got"),
        (16, "Model 'm': trained_on: expected a uid, g"),
        (19, "Model 'm': parents: 'm2': kind: expected"),
    ]


def test_error_has_the_line_of_the_list_item() -> None:
    message = error_in(f"{DATASET}    tags:\n      - a\n      - 5\n")
    assert message == "f.yaml:6: Dataset 'd': tags: item 2: expected a string, got 5 (quote it)"
