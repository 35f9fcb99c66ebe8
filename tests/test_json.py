"""JSON fixtures, which have the layout of YAML fixtures."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

import pytest
from conftest import errors_of, write_file

from genai_graph import Connection, Dataset, Experiment, Metric, check, load

# The placeholder is in line 5.
DATASET = '{{\n "format": "genai_graph/1",\n "Dataset": {{\n  "d": {{\n   {}\n  }}\n }}\n}}\n'
EXPERIMENT = DATASET.replace("Dataset", "Experiment")
BRACKETS = 200_000


def write(text: str | bytes) -> str:
    return write_file("f.json", text)


def error_in(text: str | bytes) -> str:
    return "\n".join(errors_of(write(text)))


# Invalid values


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('"version": 2.1', "version: expected a string, got 2.1 (quote it)"),
        ('"version": 2026', "version: expected a string, got 2026 (quote it)"),
        ('"version": true', "version: expected a string, got True (quote it)"),
        ('"tags": ["a", 5]', "tags: item 2: expected a string, got 5 (quote it)"),
        ('"name": null', "name: is required and can't be removed"),
        ('"size": "5"', "size: expected an integer, got '5'"),
        ('"size": 5.0', "size: expected an integer, got 5.0"),
        ('"size": true', "size: expected an integer, got True"),
        ('"size": -1', "size: expected an integer of at least 0, got -1"),
        ('"size": 1e3', "size: expected an integer, got 1000.0"),
        (
            '"size": 9223372036854775808',
            "size: expected an integer of at most 2^63-1, got 9223372036854775808",
        ),
        (
            f'"size": {"9" * 5000}',
            "size: expected an integer, got 99999999999999999999... (an integer over 64 bits)",
        ),
        (
            '"size": 1e400',
            "size: expected an integer, got 1e400 (a number out of the range of a float)",
        ),
        (
            '"metadata": {"a": [{"b": 9223372036854775808}]}',
            "metadata: expected an integer of at most 64 bits, got 9223372036854775808 at a[0].b: "
            "write it as a string",
        ),
        (
            r'"license": "a\ud800"',
            "license: expected Unicode text, got a lone surrogate at character 2",
        ),
        (
            r'"metadata": {"a": "\udfff"}',
            "metadata: expected Unicode text, got a lone surrogate at character 1 at a",
        ),
        ('"nmae": "x"', "nmae: Dataset has no such property or edge (did you mean 'name'?)"),
    ],
    ids=lambda text: text[:30],
)
def test_invalid_value_is_reported_with_its_line(line: str, problem: str) -> None:
    assert error_in(DATASET.format(line)) == f"f.json:5: Dataset 'd': {problem}"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"nan"', "expected a number, got 'nan': write NaN"),
        ('"0.5"', "expected a number, got '0.5'"),
        ("true", "expected a number, got True"),
        ("null", "is required and can't be removed"),
        ("1e400", "expected a number, got 1e400 (a number out of the range of a float)"),
    ],
)
def test_invalid_number_is_rejected(value: str, problem: str) -> None:
    message = error_in(EXPERIMENT.format(f'"metrics": {{"loss": {value}}}'))
    assert message == f"f.json:5: Metric 'd/loss': value: {problem}"


@pytest.mark.parametrize(
    "value", ['"2026-02-30T00:00:00Z"', '"2026-03-01"', '"yesterday"', "5", "true"]
)
def test_invalid_time_is_rejected(value: str) -> None:
    message = error_in(EXPERIMENT.format(f'"started_at": {value}'))
    assert message.startswith(
        "f.json:5: Experiment 'd': started_at: expected a time with a time zone"
    )


@pytest.mark.parametrize("value", ['["a"]', '{"a": "b"}'])
def test_quoting_is_not_advised_for_lists_and_maps(value: str) -> None:
    message = error_in(DATASET.format(f'"license": {value}'))
    assert message.startswith("f.json:5: Dataset 'd': license: expected a string, got ")
    assert not message.endswith("(quote it)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            DATASET.format('"license": "a",\n   "size": 5,\n   "license": "b"'),
            "f.json:7: duplicate key 'license' (first in line 5)",
        ),
        (
            DATASET.format('"metadata": {"a": 1, "b": {"a": 1, "a": 1}}'),
            "f.json:5: duplicate key 'a' (first in line 5)",
        ),
        (
            '{"format": "genai_graph/1",\n"Dataset": {},\n"Dataset": {}}',
            "f.json:3: duplicate key 'Dataset' (first in line 2)",
        ),
        (
            '{"Dataset": {"d": {}, "\\u0064": {}}}',
            "f.json:1: duplicate key 'd' (first in line 1)",
        ),
    ],
)
def test_duplicate_key_is_rejected(text: str, expected: str) -> None:
    assert expected in error_in(text).splitlines()


# Invalid syntax


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('"size": 5,', "6: is not JSON: expected a key in double quotes, got '}'"),
        ('// "size": 5', "5: is not JSON: expected a key in double quotes, got '// \"size\": 5'"),
        ("'size': 5", "5: is not JSON: expected a key in double quotes, got \"'size': 5\""),
        ("size: 5", "5: is not JSON: expected a key in double quotes, got 'size: 5'"),
        ('"size" 5', "5: is not JSON: expected ':', got '5'"),
        ('"size": 5 "url": "u"', "5: is not JSON: expected ',' or '}', got '\"url\": \"u\"'"),
        ('"tags": ["a" "b"]', "5: is not JSON: expected ',' or ']', got '\"b\"]'"),
        ('"tags": ["a",]', "5: is not JSON: expected a value, got ']'"),
        ('"size": 017', "5: is not JSON: expected ',' or '}', got '17'"),
        ('"size": 0x1F', "5: is not JSON: expected ',' or '}', got 'x1F'"),
        ('"size": +1', "5: is not JSON: expected a value, got '+1'"),
        ('"size": .5', "5: is not JSON: expected a value, got '.5'"),
        ('"size": 1.', "5: is not JSON: expected ',' or '}', got '.'"),
        ('"size": 1_000', "5: is not JSON: expected ',' or '}', got '_000'"),
        ('"size": True', "5: is not JSON: expected a value, got 'True'"),
        ('"size": truest', "5: is not JSON: expected ',' or '}', got 'st'"),
        ('"size": \u00a05', "5: is not JSON: expected a value, got '\\xa05'"),
        (r'"url": "\x41"', "5: is not JSON: Invalid \\escape"),
        (r'"url": "\u12"', "5: is not JSON: Invalid \\uXXXX escape"),
    ],
)
def test_invalid_syntax_is_located(line: str, problem: str) -> None:
    assert error_in(DATASET.format(line)) == f"f.json:{problem}"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_non_finite_number_must_be_a_string(word: str) -> None:
    message = error_in(EXPERIMENT.format(f'"metrics": {{"loss": {word}}}'))
    assert message.startswith("f.json:5: is not JSON: ")
    assert f'"{word}"' in message


@pytest.mark.parametrize("text", ['"url": "a\nb"', '"url": "a\x01b"', '"url": "a\tb"', '"url": "a'])
def test_control_character_in_a_string_is_rejected(text: str) -> None:
    message = error_in(DATASET.format(text))
    assert message.startswith("f.json:5: is not JSON: ")
    assert not message.endswith(" at")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n"format"', "2: is not JSON: expected ':', got the end"),
        ('{\n"format": ', "2: is not JSON: expected a value, got the end"),
        ('{\n"format": "genai_graph/1",\n', "is not JSON: expected a key in double quotes, got"),
        ('{\n"format": "genai_graph/1"', "2: is not JSON: expected ',' or '}', got the end"),
        (DATASET.format("") + "x", "9: is not JSON: expected the end of the file, got 'x'"),
        ("{}\n{}", "2: is not JSON: expected the end of the file, got '{}'"),
    ],
)
def test_truncated_or_overlong_file_is_rejected_at_its_end(text: str, expected: str) -> None:
    message = error_in(text)
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "[" * BRACKETS,
        '{"a":' * BRACKETS,
        '[{"a":' * BRACKETS,
        DATASET.format('"metadata": ' + "[" * BRACKETS),
        DATASET.format('"metadata": ' + "[" * 5000 + "]" * 5000),
    ],
    ids=["lists", "maps", "both", "inside a property", "closed"],
)
def test_deep_nesting_does_not_crash(text: str) -> None:
    line = 5 if "Dataset" in text else 1
    assert error_in(text) == f"f.json:{line}: is nested more than 100 levels deep"


def test_depth_of_json_values_is_limited() -> None:
    assert check(write(DATASET.format('"metadata": ' + "[" * 60 + "]" * 60))) == (1, 0)
    assert error_in(DATASET.format('"metadata": ' + "[" * 70 + "]" * 70)).startswith(
        "f.json:5: Dataset 'd': metadata: expected JSON of at most 64 levels"
    )


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (DATASET.format('"url": "@"').encode().replace(b"@", b"caf\xe9"), 5),
        (b"\xff{}", 1),
        (DATASET.format("").encode("utf-16"), 1),
        (DATASET.format('"url": "@"').encode().replace(b"@", b"\xed\xa0\x80"), 5),
    ],
)
def test_invalid_utf_8_is_reported_with_its_line(data: bytes, line: int) -> None:
    assert error_in(data) == f"f.json:{line}: is not UTF-8 text: save the file as UTF-8"


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "\ufeff"])
def test_empty_file_is_rejected(text: str) -> None:
    assert error_in(text) == (
        "f.json:1: expected a map of sections, got an empty file: "
        'start the file with "format": "genai_graph/1"'
    )


@pytest.mark.parametrize("text", ["[]", '"text"', "5", "null", "false"])
def test_file_without_a_map_is_rejected(text: str) -> None:
    message = error_in(f"\n{text}\n")
    assert message.startswith("f.json:2: expected a map of sections, got ")
    assert message.endswith('start the file with "format": "genai_graph/1"')


# Valid files


@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4", 0.0001),
        ("1E5", 100000.0),
        ("-0.5", -0.5),
        ("5", 5),
        ("5.0", 5.0),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        ("true", True),
        ("null", None),
        ('"no"', "no"),
        ('"NaN"', "NaN"),
        (r'"\ud83d\ude00 \u00e9\/\b\f\n\r\t\"\\"', '😀 é/\b\f\n\r\t"\\'),
        (r'"\u0000\u2028\u0085"', "\0\u2028\x85"),
        ("[1, [2, {}], []]", [1, [2, {}], []]),
        (r'{"": {"a b": 1}, "\u00e9": 2}', {"": {"a b": 1}, "é": 2}),
    ],
)
def test_values_are_parsed(graph: Connection, text: str, expected: Any) -> None:
    load(write(EXPERIMENT.format(f'"parameters": {{"value": {text}}}')))
    found = Experiment.nodes.get(uid="d").parameters["value"]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "text", ["plain", "é😀", "a\u2028b\x85c", '"\\/', "\0\x01\x1f\x7f", " \n\t ", "no", "1e-4"]
)
def test_strings_are_unchanged(graph: Connection, text: str) -> None:
    raw = json.dumps(text, ensure_ascii=False)
    load(write(DATASET.format(f'"description": {raw}, "location": {json.dumps(text)}')))
    found = Dataset.nodes.get(uid="d")
    assert (found.description, found.location) == (text, text)


def test_times_are_converted_to_utc(graph: Connection) -> None:
    load(write(EXPERIMENT.format('"started_at": "2026-03-01T11:00:00.25+02:00"')))
    found = Experiment.nodes.get(uid="d").started_at
    assert found == datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=timezone.utc)


def test_non_finite_numbers_are_accepted_as_strings(graph: Connection) -> None:
    metrics = (
        '{"a": "NaN", "b": "Infinity", "c": {"value": "-Infinity", "ci_lower": "NaN"}, "d": 5}'
    )
    load(write(EXPERIMENT.format(f'"metrics": {metrics}')))
    a, b, c, d = (Metric.nodes.get(uid=f"d/{name}") for name in "abcd")
    assert math.isnan(a.value)
    assert (b.value, c.value, d.value) == (math.inf, -math.inf, 5.0)
    assert math.isnan(c.ci_lower)
    assert type(d.value) is float


def test_null_is_accepted_for_sections_nodes_and_edges() -> None:
    text = (
        '{"format": "genai_graph/1", "Project": null, "Model": {}, '
        '"Dataset": {"d": null, "e": {"parents": null, "tags": null}}}'
    )
    assert check(write(text)) == (2, 0)


@pytest.mark.parametrize(
    "data",
    [
        "\ufeff" + DATASET.format('"size": "x"'),
        DATASET.format('"size": "x"').replace("\n", "\r\n"),
        DATASET.format('"size": "x"').rstrip(),
    ],
    ids=["byte order mark", "CRLF", "no end of line"],
)
def test_line_numbers_are_correct_with_byte_order_mark_and_crlf(data: str) -> None:
    assert error_in(data) == "f.json:5: Dataset 'd': size: expected an integer, got 'x'"


def test_unicode_line_separators_do_not_count_as_lines() -> None:
    message = error_in(DATASET.format('"url": "a\u2028b\u2029c\x85",\n   "size": "x"'))
    assert message == "f.json:6: Dataset 'd': size: expected an integer, got 'x'"


def test_error_has_the_line_of_the_list_item() -> None:
    message = error_in(DATASET.format('"tags": [\n    "a",\n    5\n   ]'))
    assert message == "f.json:7: Dataset 'd': tags: item 2: expected a string, got 5 (quote it)"


def test_error_has_the_line_inside_a_json_value() -> None:
    message = error_in(DATASET.format('"metadata": {\n    "a": [\n     1,\n     1e400]}'))
    assert message.startswith("f.json:8: Dataset 'd': metadata: expected JSON")
    assert "at a[1]" in message
