"""CSV fixtures: a folder in the dialect of `neo4j-admin database import`, read and written."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import neo4j_server
import pytest
from conftest import Run, errors_of
from graphs import (
    TEXTS,
    Graph,
    any_records,
    edge,
    node,
    plain,
    stored,
    without_nulls,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_mutations import assert_loads_twice_or_is_refused, often, spoilt

import genai_graph
from genai_graph import Connection, Dataset, FixtureError, Metric, Model, check, load, query
from genai_graph.errors import PropertyError
from genai_graph.exchange.formats import csv, csv_cells, csv_writer, jsonl, jsonl_writer
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, Record
from genai_graph.registry import EDGES, NODES

UID = "uid:ID(Dataset)"


def write(name: str, *lines: str | bytes, end: bytes = b"\n") -> str:
    """Write a file into the folder `f`, and return the folder's name."""
    Path("f").mkdir(exist_ok=True)
    whole = [line if isinstance(line, bytes) else line.encode() for line in lines]
    Path("f", name).write_bytes(b"".join(line + end for line in whole))
    return "f"


def dataset(*lines: str | bytes) -> list[str]:
    """Return the faults of a file of datasets, without its name."""
    return [
        fault.removeprefix("f/Dataset.csv:") for fault in errors_of(write("Dataset.csv", *lines))
    ]


# Reading


def test_a_folder_holds_a_file_for_each_kind_of_node_and_edge(graph: Connection) -> None:
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


def test_values_come_through_with_their_types(graph: Connection) -> None:
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


def test_an_empty_cell_is_nothing_and_a_quoted_one_an_empty_text(graph: Connection) -> None:
    write("Dataset.csv", f"{UID},description,location,tags:string[]", 'a,,"",""', '"b","",,')
    load("f")
    found = query(
        "MATCH (d:Dataset) RETURN d.uid AS u, d.description AS d, d.location AS l, d.tags AS t"
    )
    assert sorted(map(repr, (list(row.values()) for row in found))) == [
        "['a', None, '', []]",
        "['b', '', None, None]",
    ]


def test_a_quoted_empty_cell_is_nothing_where_no_text_is_due(graph: Connection) -> None:
    write("Dataset.csv", f"{UID},size:long,created_at:datetime", '"a","5",', '"a@1","",""')
    load("f")
    write("Dataset.csv", f"{UID},size:long", '"a",""')
    assert load("f").nodes["Dataset"].unchanged == 1
    assert [dataset.size for dataset in Dataset.nodes.order_by("uid").all()] == [5, None]


def test_the_column_exact_says_what_cells_can_not(graph: Connection) -> None:
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
def test_a_right_file_is_taken_however_it_is_spaced(lines: list[str], end: bytes) -> None:
    if "uid:id(dataset)" in lines[0]:
        lines = [lines[0].replace("uid:id(dataset)", "uid:id(Dataset)"), *lines[1:]]
    assert check(write("Dataset.csv", *lines, end=end)) == (1, 0)


def test_the_ends_of_an_edge_may_be_told_in_any_order(graph: Connection) -> None:
    write("Dataset.csv", "uid:ID", "a", "b")
    write("Dataset-DERIVED_FROM-Dataset.csv", ":END_ID,kind,:START_ID(Dataset)", "a,subset,b")
    load("f")
    assert [parent.uid for parent in Dataset.nodes.get(uid="b").parents.all()] == ["a"]


def test_a_last_line_needs_no_end() -> None:
    Path("f").mkdir()
    Path("f/Dataset.csv").write_text("uid:ID\nd")
    assert check("f") == (1, 0)


def test_other_files_in_the_folder_are_left_alone() -> None:
    write("Dataset.csv", UID, "d")
    for name in ("README.md", "import.report", "Dataset.csv.bak"):
        Path("f", name).write_text("x")
    Path("f/more").mkdir()
    assert check("f", format="csv") == (1, 0)


def test_a_name_that_no_file_can_have_is_told() -> None:
    write("Datasets.csv", UID)
    write("Dataset-TRAINED_ON-Model.csv", UID)
    first, second = errors_of("f")
    assert first.startswith("f/Dataset-TRAINED_ON-Model.csv:1: no kind of node or edge has a file")
    assert "(did you mean 'Dataset.csv'?): expected Project.csv, Dataset.csv, Model.csv" in second


def test_a_folder_without_csv_files_is_told(cli: Run) -> None:
    Path("f").mkdir()
    message = "f:1: is a folder without CSV files such as Project.csv: name the files in it"
    assert errors_of("f") == [message]
    assert cli("check", "f", "--format", "csv").stderr.splitlines()[-1].endswith(message)


def test_csv_is_a_folder_and_nothing_else_is() -> None:
    write("Dataset.csv", UID, "d")
    with pytest.raises(FixtureError, match=r"f/Dataset\.csv:1: is a file: CSV is a folder"):
        check("f/Dataset.csv", format="csv")
    with pytest.raises(FixtureError, match="f:1: is a folder: name the files in it"):
        check("f", format="jsonl")


# What is wrong with a header


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("name", "uid:ID(Dataset): is missing: every row needs it"),
        ("uid", "'uid': is no column here: expected uid:ID(Dataset)"),
        ("uid:ID(Model)", "'uid:ID(Model)': is no column here: expected uid:ID(Dataset)"),
        (":ID(Dataset)", "':ID(Dataset)': is no column here: expected uid:ID(Dataset)"),
        (f"{UID},uid:ID", "uid:ID: stands twice: keep one"),
        (f"{UID},name,name:string", "name: stands twice: keep one"),
        (f"{UID},exact:IGNORE,exact:IGNORE", "exact: stands twice: keep one"),
        (f"{UID},:LABEL,:LABEL", ":LABEL: stands twice: keep one"),
        (f"{UID},num_row:long", "num_row: Dataset has no such property (did you mean 'num_rows'?)"),
        (f"{UID},size", "size: expected the type long, got string: write size:long"),
        (f"{UID},size:lnog", "size: expected the type long, got lnog: write size:long"),
        (f"{UID},tags:string", "tags: expected the type string[], got string: write tags:string[]"),
        (f"{UID},:START_ID", "':START_ID': is no column here: expected uid:ID(Dataset)"),
        (f"{UID},", "'': is no column here: expected uid:ID(Dataset)"),
        (f'{UID},"na', "cell 2: its quote is not closed"),
    ],
)
def test_a_wrong_header_is_told(header: str, problem: str) -> None:
    assert f"1: {problem}" in dataset(header)


def test_an_empty_file_has_no_header() -> None:
    message = "1: expected a header with uid:ID(Dataset), got an empty file"
    assert dataset() == [message]
    assert dataset("", " ") == [message]


def test_an_edge_needs_both_ends() -> None:
    assert errors_of(write("Model-TRAINED_ON-Dataset.csv", ":START_ID(Model)", "m")) == [
        "f/Model-TRAINED_ON-Dataset.csv:1: :END_ID(Dataset): is missing: every row needs it"
    ]


# What is wrong with a row


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
            "created_at: expected a time with its zone, such as 2026-03-01T09:00:00Z, "
            "got '2026-02-30T00:00:00Z'",
        ),
        ("name", '""', "name: expected a string that is not empty"),
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
            "exact: uid: has a column of its own: leave it out here",
        ),
        (":LABEL", "Model", ":LABEL: expected Dataset, as the file's name says, got 'Model'"),
    ],
)
def test_a_wrong_cell_is_told_with_its_line(column: str, cell: str, problem: str) -> None:
    assert dataset(f"{UID},{column}", "c,", f"d,{cell}") == [f"3: Dataset 'd': {problem}"]


@pytest.mark.parametrize("text", ["{lr: 0.1}", '{"a": NaN}', "[" * 100_000, '{"a": 1e999}'])
def test_json_that_is_none_is_told(text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    (message,) = dataset(f"{UID},metadata:string", f"d,{quoted}")
    assert message.startswith("2: Dataset 'd': metadata: expected JSON, got ")


@pytest.mark.parametrize(
    ("columns", "cells", "problem"),
    [
        ("value:double", "abc", "value: expected a number, got 'abc'"),
        ("value:double", "inf", "value: expected a number, got 'inf'"),
        (
            "value:double",
            "1e999",
            "value: expected a number, got 1e999 (a number that a float can't hold)",
        ),
        (
            "value:double,greater_is_better:boolean",
            "1,TRUE",
            "greater_is_better: expected true or false, got 'TRUE'",
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
def test_a_wrong_value_of_a_metric_is_told(columns: str, cells: str, problem: str) -> None:
    write("Experiment.csv", "uid:ID", "x")
    write("Experiment-HAS-Metric.csv", ":START_ID,:END_ID", "x,m")
    write("Metric.csv", f"uid:ID,name,{columns}", f"m,n,{cells}")
    assert errors_of("f") == [f"f/Metric.csv:2: Metric 'm': {problem}"]


def test_all_faults_of_a_row_are_told_and_all_rows() -> None:
    assert dataset(
        f"{UID},size:long,metadata,created_at:datetime", 'd,x,"{",now', ",1,,", 'd2,y,"[]",'
    ) == [
        "2: Dataset 'd': metadata: expected JSON, got '{': Input data was truncated",
        "2: Dataset 'd': created_at: expected a time with its zone, such as "
        "2026-03-01T09:00:00Z, got 'now'",
        "2: Dataset 'd': size: expected an integer, got 'x'",
        "3: Dataset '': uid: expected a string that is not empty",
        "4: Dataset 'd2': size: expected an integer, got 'y'",
    ]


def test_a_wrong_edge_is_told_and_not_its_absence_too() -> None:
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
        f"{begin}:3: Model '': TRAINED_ON: 'd': :START_ID(Model): expected a uid that is not empty",
        f"{begin}:4: Model 'm': TRAINED_ON: 'e': :TYPE: expected TRAINED_ON, "
        "as the file's name says, got 'USED'",
        f"{begin}:5: Model 'm': TRAINED_ON: no Dataset 'gone' is in the files or in the graph",
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("d", "has 1 cells, where the header has 2 columns"),
        ("d,a,b", "has 3 cells, where the header has 2 columns: quote a cell that has commas"),
        ('d,5" disk', "cell 2: its quote is not closed"),
        ('d,a "b"', "cell 2: has a quote inside: quote the cell, and write its quotes twice"),
        ('d,"a" b', "cell 2: goes on behind its closing quote: write a quote inside of it twice"),
        ("d,a\rb", "cell 2: has a line end inside: quote the cell"),
        ('d,"open', "cell 2: its quote is not closed"),
        (b"d,\xff", "is not UTF-8 text: save the file as UTF-8"),
    ],
)
def test_a_malformed_row_is_told_with_its_line(row: str | bytes, problem: str) -> None:
    if problem == "cell 2: its quote is not closed" and isinstance(row, str) and "disk" in row:
        problem = "cell 2: has a quote inside: quote the cell, and write its quotes twice"
    assert dataset(f"{UID},name", "c,", row) == [f"3: {problem}"]


def test_lines_are_those_of_the_file_also_behind_cells_of_many_lines() -> None:
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


def test_a_quote_that_is_not_closed_is_told_where_it_opens_and_alone() -> None:
    write("Model-TRAINED_ON-Dataset.csv", ":START_ID,:END_ID", "m,d", "m,e")
    write("Model.csv", "uid:ID", "m")
    rows = [f"{UID},description,location", 'd,"one', 'two","three', "four", "e,,"]
    assert dataset(*rows) == ["3: cell 3: its quote is not closed"]


def test_a_quote_that_is_not_closed_does_not_take_the_rest_of_a_large_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(csv_cells, "LONGEST_ROW", 1_000)
    row = ",".join(["d", '"' + "x" * 600 + "\n" + "y" * 380 + '"'])
    assert len(row) < 1_000
    write("Dataset.csv", f"{UID},description", row)
    assert check("f") == (1, 0)
    assert dataset(f"{UID},description", row, 'e,"', *["f,x"] * 10_000, 'g,"') == [
        "4: cell 2: its quote is not closed within 1,000 bytes"
    ]


def test_what_would_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_writer, "LONGEST_ROW", 1_000)
    with pytest.raises(PropertyError, match="Dataset 'd': its row would have more than 1,000 byte"):
        write_folder("f", [node("Dataset", "d", description="é" * 500)])
    write_folder("f", [node("Dataset", "d", description="x" * 900)])


def test_a_uid_that_stands_twice_is_told_with_both_places() -> None:
    assert dataset(UID, "d", "d") == [
        "3: Dataset 'd': uid: stands twice (first at f/Dataset.csv:2): keep one"
    ]


@pytest.mark.parametrize("text", ['"' * 200_001, '""' * 100_000 + "x", '"x' * 100_001])
def test_a_long_row_of_quotes_is_refused_at_once(text: str) -> None:
    (message,) = dataset(f"{UID},description", f"d,{text}")
    assert message.startswith("2: cell ")


# Writing


def read(folder: str) -> list[Record]:
    return list(csv.records(Path(folder)))


MOMENT = datetime(2026, 3, 1, 9, 0, 0, 123_456, tzinfo=timezone.utc)
FIRST = datetime(1, 1, 1, tzinfo=timezone.utc)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc)
TIMES: dict[str, Any] = {"created_at": MOMENT, "updated_at": MOMENT}
# What neo4j-admin takes exactly.
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
# And what it does not.
BEYOND = [
    node("Dataset", "empty", name="e", tags=[], **TIMES),
    node("Dataset", "empty item", name="e", tags=[""], **TIMES),
    node("Dataset", "separator", name="e", tags=["a\x1fb"], **TIMES),
    node("Dataset", "two separators", name="e", tags=["a\x1f", "b;c"], **TIMES),
]


def whole_graph() -> Graph:
    """Return all records, in the order in which a graph is dumped."""
    order = [*NODES, *EDGES]

    def key(record: NodeRecord | EdgeRecord) -> tuple[int, str, str]:
        if isinstance(record, NodeRecord):
            return order.index(record.label), record.uid, ""
        return order.index(record.kind), record.source, record.target

    return sorted([*GRAPH, *BEYOND], key=key)


def write_folder(name: str, records: Iterable[NodeRecord | EdgeRecord]) -> dict[str, bytes]:
    Path(name).mkdir(exist_ok=True)
    csv_writer.write(records, Path(name))
    return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def test_what_is_written_is_read_back() -> None:
    records = whole_graph()
    write_folder("f", records)
    assert plain(read("f")) == plain(records)


def test_every_file_is_written_so_that_nothing_of_another_graph_is_left() -> None:
    write_folder("f", whole_graph())
    files = write_folder("f", [])
    assert len(files) == len(NODES) + len(EDGES)
    assert all(data.count(b"\n") == 1 for data in files.values())
    assert files["Experiment-RUN-Model.csv"] == (
        b":START_ID(Experiment),:END_ID(Model),role:string,step:long,exact:IGNORE\n"
    )
    assert files["Metric.csv"].decode().strip().split(",")[:3] == [
        "uid:ID(Metric)",
        "description:string",
        "tags:string[]",
    ]
    assert check("f") == (0, 0)


def test_times_are_written_alike_as_values_and_as_texts() -> None:
    text = MOMENT.isoformat().replace("+00:00", "Z")
    first = write_folder("a", [node("Dataset", "d", created_at=MOMENT)])
    assert write_folder("b", [node("Dataset", "d", created_at=text)]) == first


@settings(often, max_examples=300)
@given(any_records())
def test_any_record_that_the_models_can_hold_is_read_as_it_was_written(
    records: Graph,
) -> None:
    write_folder("f", records)
    assert plain(read("f")) == plain(records)


@settings(often, max_examples=300)
@given(any_records())
def test_json_lines_too_are_read_as_they_were_written(
    records: Graph,
) -> None:
    with Path("f.jsonl").open("wb") as stream:
        jsonl_writer.write(records, stream)
    with Path("f.jsonl").open("rb") as stream:
        assert plain(jsonl.records(stream, "f.jsonl")) == plain(records)


# The graph that comes out


def test_load_and_write_again_gives_the_same_graph_and_the_same_bytes(graph: Connection) -> None:
    write_folder("a", whole_graph())
    load("a")
    assert without_nulls(stored()) == without_nulls(whole_graph())
    first = write_folder("b", stored())
    query("MATCH (n) DETACH DELETE n", write=True)
    load("b")
    assert write_folder("c", stored()) == first
    report = load("c")
    assert not any(tally.created or tally.changed for tally in report.nodes.values())


@pytest.fixture
def lib() -> Path:
    return neo4j_server.lib_or_skip()


def run_import(lib: Path, home: Path, folder: Path) -> None:
    """Run the very command that is printed, by a shell that finds a neo4j-admin."""
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
        ["/bin/sh", "-c", csv_writer.import_command(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.neo4j
def test_neo4j_admin_makes_the_same_graph_of_the_folder(lib: Path, tmp_path: Path) -> None:
    """Lists that are empty, of one empty text, or with U+001F in a text are what it can't hold."""
    long = node("Model", "very long", name="m", description="é\n" * 2_700_000, **TIMES)
    folder = tmp_path / "a folder, with 'quotes'"
    write_folder(str(folder), [*GRAPH, long])
    run_import(lib, tmp_path / "home", folder)
    with (
        neo4j_server.server(lib, tmp_path / "home") as (uri, password),
        genai_graph.connect(uri, password=password),
    ):
        assert without_nulls(stored()) == without_nulls([*GRAPH, long])
        assert load(folder).nodes["Model"].unchanged == 2
        assert Model.nodes.get(uid="m").hyperparameters == json.loads(
            '{"a":"x\\n\\"y\\"","b":[1,"",2]}'
        )


# Files spoilt at random


SOUND = [
    "Dataset.csv",
    "Model.csv",
    "Metric.csv",
    "Experiment-HAS-Metric.csv",
    "Model-TRAINED_ON-Dataset.csv",
]


@st.composite
def spoilt_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """Spoil one file of the folder `f`, in which the others stay right."""
    files = write_folder("f", whole_graph())
    name = draw(st.sampled_from(SOUND))
    return name, draw(spoilt(files[name]))


def assert_checked_or_refused_with_a_place(name: str, data: bytes) -> None:
    Path("f", name).write_bytes(data)
    last = len(data.decode(errors="replace").splitlines()) + 1
    try:
        nodes, edges = check("f")
    except FixtureError as error:
        assert error.errors  # noqa: PT017
        for fault in error.errors:
            assert fault.location.file.startswith("f/")
            assert fault.location.line >= 1
            assert fault.location.file != f"f/{name}" or fault.location.line <= last
    else:
        assert min(nodes, edges) >= 0


@often
@given(spoilt_files())
def test_spoilt_csv_is_checked_or_refused_with_a_place(found: tuple[str, bytes]) -> None:
    assert_checked_or_refused_with_a_place(*found)


@settings(often, max_examples=25, suppress_health_check=list(HealthCheck))
@given(found=spoilt_files())
def test_what_check_takes_of_spoilt_csv_can_be_loaded_twice(
    graph: Connection, found: tuple[str, bytes]
) -> None:
    Path("f", found[0]).write_bytes(found[1])
    assert_loads_twice_or_is_refused("f")


@often
@given(st.text(), st.sampled_from(SOUND))
def test_any_text_at_all_is_refused_with_a_place(text: str, name: str) -> None:
    write_folder("f", whole_graph())
    assert_checked_or_refused_with_a_place(name, text.encode("utf-8", "surrogatepass"))
