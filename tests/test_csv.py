"""CSV fixtures: a directory in the dialect of `neo4j-admin database import`."""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import neo4j_server
import pytest
from conftest import Run, errors_of
from graphs import (
    TEXTS,
    Graph,
    any_records,
    as_text,
    edge,
    node,
    read_graph,
    without_nulls,
)
from hypothesis import strategies as st
from test_mutations import (
    assert_loads_twice_or_is_invalid,
    check_examples,
    corrupted,
    few_or_many,
)

import genai_graph
from genai_graph import Connection, Dataset, FixtureError, Metric, Model, check, load, query
from genai_graph.errors import PropertyError
from genai_graph.exchange.formats import csv, csv_cells, jsonl
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, Record
from genai_graph.registry import EDGES, NODES

UID = "uid:ID(Dataset)"


def write(name: str, *lines: str | bytes, end: bytes = b"\n") -> str:
    """Write a file into the directory `f`, and return the name of the directory."""
    Path("f").mkdir(exist_ok=True)
    whole = [line if isinstance(line, bytes) else line.encode() for line in lines]
    Path("f", name).write_bytes(b"".join(line + end for line in whole))
    return "f"


def dataset(*lines: str | bytes) -> list[str]:
    """Return the errors in Dataset.csv, without the file name."""
    return [
        error.removeprefix("f/Dataset.csv:") for error in errors_of(write("Dataset.csv", *lines))
    ]


# Reading


def test_directory_has_one_file_per_label_and_edge_type(graph: Connection) -> None:
    write("Dataset.csv", f"{UID},num_rows:long,tags:string[]", "d@1,84000,a;b")
    write("Model.csv", "uid:ID(Model),framework", "m,xgboost")
    write(
        "Model-TRAINED_ON-Dataset.csv",
        ":START_ID(Model),:END_ID(Dataset),role:string",
        "m,d@1,test",
    )
    report = load("f")
    assert (sum(tally.created for tally in report.nodes.values()), report.edges) == (
        2,
        {"Model-TRAINED_ON->Dataset": report.edges["Model-TRAINED_ON->Dataset"]},
    )
    found = Dataset.nodes.get(uid="d@1")
    assert (found.name, found.version, found.num_rows, found.tags) == ("d", "1", 84000, ["a", "b"])
    (edge,) = query("MATCH ()-[r:TRAINED_ON]->() RETURN r.role AS role")
    assert edge == {"role": "test"}


def test_values_keep_their_types(graph: Connection) -> None:
    write(
        "Experiment.csv",
        "uid:ID,started_at:datetime,random_seed:int,parameters:string",
        'x,2026-03-01T11:00:00.25+02:00,-9223372036854775808,"{""lr"":1e-4,""on"":true}"',
    )
    write(
        "Metric.csv",
        "uid:ID,name:string,value:float,greater_is_better:boolean,steps:long[],values:double[]",
        "m,loss,NaN,false,1;3,1;-Infinity",
    )
    write("Experiment-HAS-Metric.csv", ":START_ID,:END_ID", "x,m")
    load("f")
    experiment, metric = genai_graph.Experiment.nodes.get(uid="x"), Metric.nodes.get(uid="m")
    assert experiment.started_at == datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=timezone.utc)
    assert experiment.random_seed == -(2**63)
    assert experiment.parameters == {"lr": 0.0001, "on": True}
    assert math.isnan(metric.value)
    assert metric.greater_is_better is False
    assert (metric.steps, metric.values) == ([1, 3], [1.0, -math.inf])


def test_quoted_empty_cell_is_an_empty_string_and_unquoted_one_no_value(graph: Connection) -> None:
    write("Dataset.csv", f"{UID},description,location,tags:string[]", 'a,,"",""', '"b","",,')
    load("f")
    found = query(
        "MATCH (d:Dataset) RETURN d.uid AS u, d.description AS d, d.location AS l, d.tags AS t"
    )
    assert sorted(map(repr, (list(row.values()) for row in found))) == [
        "['a', None, '', []]",
        "['b', '', None, None]",
    ]


def test_quoted_empty_cell_of_a_non_string_is_no_value(graph: Connection) -> None:
    write("Dataset.csv", f"{UID},size:long,created_at:datetime", '"a","5",', '"a@1","",""')
    load("f")
    write("Dataset.csv", f"{UID},size:long", '"a",""')
    assert load("f").nodes["Dataset"].unchanged == 1
    assert [dataset.size for dataset in Dataset.nodes.order_by("uid").all()] == [5, None]


def test_exact_column_overrides_cells(graph: Connection) -> None:
    write("Dataset.csv", f"{UID},license,tags:string[],exact:IGNORE", "d@1,mit,a;b,")
    load("f")
    exact = '"{""license"": null, ""tags"": [""a;b"", """"], ""size"": 5}"'
    write("Dataset.csv", f"{UID},license,tags:string[],exact:IGNORE", f"d@1,mit,a;b,{exact}")
    load("f")
    found = Dataset.nodes.get(uid="d@1")
    assert (found.license, found.tags, found.size) == (None, ["a;b", ""], 5)


@pytest.mark.parametrize(
    "lines",
    [
        ["\ufeff" + f"{UID},name", "d,x"],
        [f"{UID},name", "", "d,x", "  "],
        [f"name:STRING,:LABEL,{UID.lower()},note:IGNORE,:IGNORE", "x,Dataset,d,a,b"],
        ['"uid:ID(Dataset)","name:string",:LABEL', '"d","x",'],
    ],
    ids=["byte order mark", "blank lines", "columns in any order", "quoted"],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_valid_layouts_are_accepted(lines: list[str], end: bytes) -> None:
    if "uid:id(dataset)" in lines[0]:
        lines = [lines[0].replace("uid:id(dataset)", "uid:id(Dataset)"), *lines[1:]]
    assert check(write("Dataset.csv", *lines, end=end)) == (1, 0)


def test_columns_of_source_and_target_may_be_in_any_order(graph: Connection) -> None:
    write("Dataset.csv", "uid:ID", "a", "b")
    write("Dataset-DERIVED_FROM-Dataset.csv", ":END_ID,kind,:START_ID(Dataset)", "a,subset,b")
    load("f")
    assert [parent.uid for parent in Dataset.nodes.get(uid="b").parents.all()] == ["a"]


def test_last_line_break_is_optional() -> None:
    Path("f").mkdir()
    Path("f/Dataset.csv").write_text("uid:ID\nd")
    assert check("f") == (1, 0)


def test_other_files_in_the_directory_are_ignored() -> None:
    write("Dataset.csv", UID, "d")
    for name in ("README.md", "import.report", "Dataset.csv.bak"):
        Path("f", name).write_text("x")
    Path("f/more").mkdir()
    assert check("f", format="csv") == (1, 0)


def test_unknown_file_name_is_rejected() -> None:
    write("Datasets.csv", UID)
    write("Dataset-TRAINED_ON-Model.csv", UID)
    first, second = errors_of("f")
    assert first.startswith("f/Dataset-TRAINED_ON-Model.csv: unknown file name")
    assert (
        "(did you mean 'Dataset.csv'?): expected one of Project.csv, Dataset.csv, Model.csv"
        in second
    )


def test_directory_without_csv_files_is_rejected(cli: Run) -> None:
    Path("f").mkdir()
    message = "f: directory without CSV files such as Project.csv: name the files in it instead"
    assert errors_of("f") == [message]
    assert cli("check", "f", "--format", "csv").stderr.splitlines()[-1].endswith(message)


def test_link_to_a_missing_file_is_an_error() -> None:
    write("Dataset.csv", UID, "d")
    Path("f", "Model.csv").symlink_to("missing.csv")
    assert errors_of("f") == ["f/Model.csv: can't be read: No such file or directory"]


def test_only_csv_is_a_directory() -> None:
    write("Dataset.csv", UID, "d")
    with pytest.raises(FixtureError, match=r"Dataset\.csv: not a directory: CSV is a directory"):
        check("f/Dataset.csv", format="csv")
    with pytest.raises(FixtureError, match="f: is a directory: use --format csv"):
        check("f", format="jsonl")


# Invalid headers


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("name", "uid:ID(Dataset): required column is missing"),
        ("uid", "unknown column 'uid': expected uid:ID(Dataset)"),
        ("uid:ID(Model)", "unknown column 'uid:ID(Model)': expected uid:ID(Dataset)"),
        (":ID(Dataset)", "unknown column ':ID(Dataset)': expected uid:ID(Dataset)"),
        (f"{UID},uid:ID", "uid:ID: duplicate column"),
        (f"{UID},name,name:string", "name: duplicate column"),
        (f"{UID},exact:IGNORE,exact:IGNORE", "exact: duplicate column"),
        (f"{UID},:LABEL,:LABEL", ":LABEL: duplicate column"),
        (f"{UID},num_row:long", "num_row: Dataset has no such property (did you mean 'num_rows'?)"),
        (f"{UID},size", "size: expected the type long, got string: write size:long"),
        (f"{UID},size:lnog", "size: expected the type long, got lnog: write size:long"),
        (f"{UID},tags:string", "tags: expected the type string[], got string: write tags:string[]"),
        (f"{UID},:START_ID", "unknown column ':START_ID': expected uid:ID(Dataset)"),
        (f"{UID},", "unknown column '': expected uid:ID(Dataset)"),
        (f'{UID},"na', "cell 2: quote is not closed"),
    ],
)
def test_invalid_header_is_rejected(header: str, problem: str) -> None:
    assert f"1: {problem}" in dataset(header)


def test_empty_file_is_rejected() -> None:
    message = "1: expected a header with uid:ID(Dataset), got an empty file"
    assert dataset() == [message]
    assert dataset("", " ") == [message]


def test_both_uid_columns_of_an_edge_are_required() -> None:
    assert errors_of(write("Model-TRAINED_ON-Dataset.csv", ":START_ID(Model)", "m")) == [
        "f/Model-TRAINED_ON-Dataset.csv:1: :END_ID(Dataset): required column is missing"
    ]


# Invalid rows


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("size:long", "x", "size: expected an integer, got 'x'"),
        ("size:long", "5.0", "size: expected an integer, got '5.0'"),
        ("size:long", "1_000", "size: expected an integer, got '1_000'"),
        ("size:long", "-1", "size: expected an integer of at least 0, got -1"),
        ("size:long", f"{2**63}", f"size: expected an integer of at most 2^63-1, got {2**63}"),
        (
            "created_at:datetime",
            "2026-02-30T00:00:00Z",
            "created_at: expected a time with a time zone, such as 2026-03-01T09:00:00Z, "
            "got '2026-02-30T00:00:00Z'",
        ),
        ("name", '""', "name: expected a non-empty string"),
        (
            "exact:IGNORE",
            '"{""num_row"": 5}"',
            "num_row: Dataset has no such property (did you mean 'num_rows'?)",
        ),
        ("exact:IGNORE", '"{""version"": 2.1}"', "version: expected a string, got 2.1 (quote it)"),
        ("exact:IGNORE", '"{""name"": null}"', "name: is required and can't be removed"),
        ("exact:IGNORE", "5", "exact: expected a map in JSON, got 5"),
        (
            "exact:IGNORE",
            '"{""uid"": ""e""}"',
            "exact: uid: already given by its own column; remove it here",
        ),
        (":LABEL", "Model", ":LABEL: expected Dataset as in the file name, got 'Model'"),
    ],
)
def test_invalid_cell_is_reported_with_its_line(column: str, cell: str, problem: str) -> None:
    assert dataset(f"{UID},{column}", "c,", f"d,{cell}") == [f"3: Dataset 'd': {problem}"]


@pytest.mark.parametrize("text", ["{lr: 0.1}", '{"a": NaN}', "[" * 100_000, '{"a": 1e999}'])
def test_invalid_json_in_a_cell_is_rejected(text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    (message,) = dataset(f"{UID},metadata:string", f"d,{quoted}")
    assert message.startswith("2: Dataset 'd': metadata: expected JSON, got ")


@pytest.mark.parametrize(
    ("columns", "cells", "problem"),
    [
        ("value:double", "abc", "value: expected a number, got 'abc'"),
        ("value:double", "inf", "value: expected a number, got 'inf': write Infinity"),
        (
            "value:double",
            "1e999",
            "value: expected a number, got 1e999 (a number out of the range of a float)",
        ),
        (
            "value:double,greater_is_better:boolean",
            "1,TRUE",
            "greater_is_better: expected true or false, got 'TRUE': write true",
        ),
        (
            "value:double,steps:long[],values:double[]",
            "1,1;x,1;2",
            "steps: item 2: expected an integer, got 'x'",
        ),
        (
            "value:double,steps:long[],values:double[]",
            "1,1;2,1",
            "values: expected as many values as steps, got 1 and 2",
        ),
    ],
)
def test_invalid_value_of_a_metric_is_rejected(columns: str, cells: str, problem: str) -> None:
    write("Experiment.csv", "uid:ID", "x")
    write("Experiment-HAS-Metric.csv", ":START_ID,:END_ID", "x,m")
    write("Metric.csv", f"uid:ID,name,{columns}", f"m,n,{cells}")
    assert errors_of("f") == [f"f/Metric.csv:2: Metric 'm': {problem}"]


def test_all_errors_of_all_rows_are_reported() -> None:
    assert dataset(
        f"{UID},size:long,metadata,created_at:datetime", 'd,x,"{",now', ",1,,", 'd2,y,"[]",'
    ) == [
        "2: Dataset 'd': metadata: expected JSON, got '{': Input data was truncated",
        "2: Dataset 'd': created_at: expected a time with a time zone, such as "
        "2026-03-01T09:00:00Z, got 'now'",
        "2: Dataset 'd': size: expected an integer, got 'x'",
        "3: Dataset '': uid: expected a non-empty string",
        "4: Dataset 'd2': size: expected an integer, got 'y'",
    ]


def test_invalid_edge_is_not_also_reported_as_missing() -> None:
    write("Model.csv", "uid:ID", "m")
    write("Dataset.csv", "uid:ID", "d")
    write(
        "Model-TRAINED_ON-Dataset.csv",
        ":START_ID,:END_ID,role,:TYPE",
        "m,d,train,TRAINED_ON",
        ",d,,",
        "m,e,,USED",
        "m,gone,,",
    )
    begin = "f/Model-TRAINED_ON-Dataset.csv"
    assert errors_of("f") == [
        f"{begin}:2: Model 'm': TRAINED_ON: 'd': role: expected one of training, validation, test, "
        "got 'train' (did you mean 'training'?)",
        f"{begin}:3: Model '': TRAINED_ON: 'd': :START_ID(Model): expected a non-empty uid",
        f"{begin}:4: Model 'm': TRAINED_ON: 'e': :TYPE: expected TRAINED_ON as in the file name, "
        "got 'USED'",
        f"{begin}:5: Model 'm': TRAINED_ON: no Dataset 'gone' is in the files or in the graph",
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("d", "expected 2 cells as in the header, got 1"),
        ("d,a,b", "expected 2 cells as in the header, got 3: quote cells that contain commas"),
        (
            'd,5" disk',
            "cell 2: contains a quote: quote the cell, and double the quotes inside",
        ),
        ('d,a "b"', "cell 2: contains a quote: quote the cell, and double the quotes inside"),
        ('d,"a" b', "cell 2: text after the closing quote: double the quotes inside the cell"),
        ("d,a\rb", "cell 2: contains a line break: quote the cell"),
        ('d,"open', "cell 2: quote is not closed"),
        (b"d,\xff", "is not UTF-8 text: save the file as UTF-8"),
    ],
)
def test_malformed_row_is_reported_with_its_line(row: str | bytes, problem: str) -> None:
    assert dataset(f"{UID},name", "c,", row) == [f"3: {problem}"]


def test_line_numbers_are_correct_after_multiline_cells() -> None:
    rows = [
        f"{UID},description,size:long",
        'a,"one\n\r\n\ntwo""\n",1',
        'b,"\n\n",x',
        b'c,"\n\xff",1',
    ]
    assert dataset(*rows, "d,,y") == [
        "7: Dataset 'b': size: expected an integer, got 'x'",
        "11: is not UTF-8 text: save the file as UTF-8",
        "12: Dataset 'd': size: expected an integer, got 'y'",
    ]


def test_unclosed_quote_is_the_only_error_and_located_at_its_start() -> None:
    write("Model-TRAINED_ON-Dataset.csv", ":START_ID,:END_ID", "m,d", "m,e")
    write("Model.csv", "uid:ID", "m")
    rows = [f"{UID},description,location", 'd,"one', 'two","three', "four", "e,,"]
    assert dataset(*rows) == ["3: cell 3: quote is not closed"]


def test_rows_that_a_quote_has_joined_are_not_reported_as_missing() -> None:
    write("Model-TRAINED_ON-Dataset.csv", ":START_ID,:END_ID", "m,d", "m,e", "m,f")
    write("Model.csv", "uid:ID", "m")
    message = "contains a quote: quote the cell, and double the quotes inside"
    rows = [f"{UID},description", "c,ok", 'd,5" disk', "e,x", 'f,"six"']
    assert dataset(*rows) == [f"3: cell 2: {message}"]


def test_search_for_the_closing_quote_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_cells, "MAX_ROW_BYTES", 1_000)
    row = ",".join(["d", '"' + "x" * 600 + "\n" + "y" * 380 + '"'])
    assert len(row) < 1_000
    write("Dataset.csv", f"{UID},description", row)
    assert check("f") == (1, 0)
    assert dataset(f"{UID},description", row, 'e,"', *["f,x"] * 10_000, 'g,"') == [
        "4: cell 2: quote is not closed within 1,000 bytes"
    ]


def test_row_over_the_limit_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "MAX_ROW_BYTES", 1_000)
    with pytest.raises(PropertyError, match="Dataset 'd': row exceeds 1,000 bytes"):
        write_directory("f", [node("Dataset", "d", description="é" * 500)])
    write_directory("f", [node("Dataset", "d", description="x" * 900)])


def test_duplicate_uid_is_reported_with_both_locations() -> None:
    assert dataset(UID, "d", "d") == ["3: Dataset 'd': uid: duplicate (first at f/Dataset.csv:2)"]


@pytest.mark.parametrize("text", ['"' * 200_001, '""' * 100_000 + "x", '"x' * 100_001])
def test_long_row_of_quotes_is_rejected_in_linear_time(text: str) -> None:
    (message,) = dataset(f"{UID},description", f"d,{text}")
    assert message.startswith("2: cell ")


# Writing


def read(directory: str) -> list[Record]:
    return list(csv.records(Path(directory)))


MOMENT = datetime(2026, 3, 1, 9, 0, 0, 123_456, tzinfo=timezone.utc)
FIRST = datetime(1, 1, 1, tzinfo=timezone.utc)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc)
TIMES: dict[str, Any] = {"created_at": MOMENT, "updated_at": MOMENT}
# A graph that neo4j-admin imports without a loss.
GRAPH: Graph = [
    node("Project", 'p "1",;\n/é', name="p", tags=["a", "b;c", ""], **TIMES),
    *(
        node("Dataset", f"d{i:02}", name="d", description=text, tags=[text, "x"], **TIMES)
        for i, text in enumerate(text for text in TEXTS if "\x1f" not in text)
    ),
    node("Dataset", "times", name="d", created_at=FIRST, updated_at=LAST, size=2**63 - 1),
    node("Dataset", "unversioned@1", name="unversioned", version=None, **TIMES),
    node("Model", "m", name="m", hyperparameters='{"a":"x\\n\\"y\\"","b":[1,"",2]}', **TIMES),
    node("Experiment", "x", random_seed=-(2**63), description="\x1f", **TIMES),
    *(
        node("Metric", f"n{i}", name="n", value=value, values=[value, 1.0], steps=[-1, i], **TIMES)
        for i, value in enumerate((math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.5e308, 0.1))
    ),
    node("Metric", "n7", name="n", value=1.0, greater_is_better=False, **TIMES),
    node("Metric", "n8", name="n", value=1.0, greater_is_better=True, **TIMES),
    edge("Project-HAS->Model", 'p "1",;\n/é', "m"),
    edge("Model-TRAINED_ON->Dataset", "m", "d00", role="test", split="a\nb", revision=""),
    edge("Model-TRAINED_ON->Dataset", "m", "d01"),
    edge("Experiment-RUN->Model", "x", "m", step=-5),
    *(edge("Experiment-HAS->Metric", "x", f"n{i}") for i in range(9)),
]
# Nodes that neo4j-admin changes or splits.
BEYOND = [
    node("Dataset", "empty", name="e", tags=[], **TIMES),
    node("Dataset", "empty item", name="e", tags=[""], **TIMES),
    node("Dataset", "separator", name="e", tags=["a\x1fb"], **TIMES),
    node("Dataset", "two separators", name="e", tags=["a\x1f", "b;c"], **TIMES),
]


def whole_graph() -> Graph:
    """Return all records in the order of a dump."""
    order = [*NODES, *EDGES]

    def key(record: NodeRecord | EdgeRecord) -> tuple[int, str, str]:
        if isinstance(record, NodeRecord):
            return order.index(record.label), record.uid, ""
        return order.index(record.edge_type), record.source, record.target

    return sorted([*GRAPH, *BEYOND], key=key)


def write_directory(name: str, records: Iterable[NodeRecord | EdgeRecord]) -> dict[str, bytes]:
    Path(name).mkdir(exist_ok=True)
    csv.write(records, Path(name))
    return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def test_written_records_are_read_back() -> None:
    records = whole_graph()
    write_directory("f", records)
    assert as_text(read("f")) == as_text(records)


def test_all_files_are_replaced_even_by_empty_ones() -> None:
    write_directory("f", whole_graph())
    files = write_directory("f", [])
    assert len(files) == len(NODES) + len(EDGES)
    assert all(data.count(b"\n") == 1 for data in files.values())
    assert files["Experiment-RUN-Model.csv"] == (
        b":START_ID(Experiment),:END_ID(Model),origin:string,role:string,step:long,exact:IGNORE\n"
    )
    assert files["Metric.csv"].decode().strip().split(",")[:3] == [
        "uid:ID(Metric)",
        "description:string",
        "tags:string[]",
    ]
    assert check("f") == (0, 0)


def test_times_are_written_in_utc() -> None:
    local = MOMENT.astimezone(timezone(timedelta(hours=2)))
    files = write_directory("f", [node("Dataset", "d", created_at=local)])
    assert b",2026-03-01T09:00:00.123456Z," in files["Dataset.csv"]


@few_or_many
def test_any_valid_record_survives_csv(examples: int) -> None:
    def check_records(records: Graph) -> None:
        write_directory("f", records)
        assert as_text(read("f")) == as_text(records)

    check_examples(any_records(), check_records, examples)


@few_or_many
def test_any_valid_record_survives_json_lines(examples: int) -> None:
    def check_records(records: Graph) -> None:
        with Path("f.jsonl").open("wb") as stream:
            jsonl.write(records, stream)
        with Path("f.jsonl").open("rb") as stream:
            assert as_text(jsonl.records(stream, "f.jsonl")) == as_text(records)

    check_examples(any_records(), check_records, examples)


# Databases


def test_loading_and_writing_again_gives_the_same_graph_and_bytes(graph: Connection) -> None:
    write_directory("a", whole_graph())
    load("a")
    assert without_nulls(read_graph()) == without_nulls(whole_graph())
    first = write_directory("b", read_graph())
    query("MATCH (n) DETACH DELETE n", write=True)
    load("b")
    assert write_directory("c", read_graph()) == first
    report = load("c")
    assert not any(tally.created or tally.changed for tally in report.nodes.values())


@pytest.fixture
def lib() -> Path:
    return neo4j_server.lib_or_skip()


def run_import(lib: Path, home: Path, directory: Path) -> None:
    """Run the printed command in a shell with neo4j-admin in its PATH."""
    neo4j_server.configure(home, 0)
    (home / "bin").mkdir()
    script = home / "bin" / "neo4j-admin"
    java = " ".join(f"'{word}'" for word in neo4j_server.java(lib, neo4j_server.ADMIN))
    script.write_text(f'#!/bin/sh\nexec {java} "$@"\n')
    script.chmod(0o755)
    environment = {
        **os.environ,
        **neo4j_server.admin_environment(home),
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", csv.import_command(directory)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.neo4j
def test_neo4j_admin_imports_the_same_graph(lib: Path, tmp_path: Path) -> None:
    """The graph has no empty lists, no lists of one empty string, and no U+001F in lists."""
    long = node("Model", "very long", name="m", description="é\n" * 2_700_000, **TIMES)
    directory = tmp_path / "a directory, with 'quotes'"
    write_directory(str(directory), [*GRAPH, long])
    run_import(lib, tmp_path / "home", directory)
    with (
        neo4j_server.server(lib, tmp_path / "home") as (uri, password),
        genai_graph.connect(uri, password=password),
    ):
        assert without_nulls(read_graph()) == without_nulls([*GRAPH, long])
        counts = load(directory).nodes["Model"]
        assert (counts.changed, counts.unchanged) == (1, 1)  # JSON is stored by path
        assert Model.nodes.get(uid="m").hyperparameters == json.loads(
            '{"a":"x\\n\\"y\\"","b":[1,"",2]}'
        )


# Randomly corrupted files


CORRUPTED_FILES = [
    "Dataset.csv",
    "Model.csv",
    "Metric.csv",
    "Experiment-HAS-Metric.csv",
    "Model-TRAINED_ON-Dataset.csv",
]


@functools.cache
def valid_files() -> dict[str, bytes]:
    """Return the content of all files of a valid directory."""
    return write_directory("f", whole_graph())


@st.composite
def corrupted_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """Draw the name of a file and corrupted content for it."""
    name = draw(st.sampled_from(CORRUPTED_FILES))
    return name, draw(corrupted(valid_files()[name]))


def write_corrupted(name: str, data: bytes) -> None:
    """Write a valid directory `f` with other content in one of its files."""
    Path("f").mkdir(exist_ok=True)
    for file, content in {**valid_files(), name: data}.items():
        Path("f", file).write_bytes(content)


def assert_valid_or_located_errors(name: str, data: bytes) -> None:
    write_corrupted(name, data)
    last = len(data.decode(errors="replace").splitlines()) + 1
    try:
        nodes, edges = check("f")
    except FixtureError as error:
        assert error.errors  # noqa: PT017
        for issue in error.errors:
            assert issue.location.file.startswith("f/")
            line = 1 if issue.location.line is None else issue.location.line
            assert line >= 1
            assert issue.location.file != f"f/{name}" or line <= last
    else:
        assert min(nodes, edges) >= 0


@few_or_many
def test_corrupted_csv_is_valid_or_has_located_errors(examples: int) -> None:
    check_examples(
        corrupted_files(), lambda drawn: assert_valid_or_located_errors(*drawn), examples
    )


@pytest.mark.parametrize("examples", [8, pytest.param(25, marks=pytest.mark.slow)])
def test_corrupted_csv_that_is_valid_can_be_loaded_twice(graph: Connection, examples: int) -> None:
    def check_drawn(drawn: tuple[str, bytes]) -> None:
        write_corrupted(*drawn)
        assert_loads_twice_or_is_invalid("f")

    check_examples(corrupted_files(), check_drawn, examples)


@few_or_many
def test_any_text_has_located_errors(examples: int) -> None:
    data = st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    check_examples(
        st.tuples(st.sampled_from(CORRUPTED_FILES), data),
        lambda drawn: assert_valid_or_located_errors(*drawn),
        examples,
    )
