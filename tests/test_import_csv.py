"""Import of tables of runs."""

from __future__ import annotations

import gzip
import json
import lzma
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from genai_graph import Experiment, import_from
from genai_graph.database import Connection
from genai_graph.errors import (
    FixtureError,
    GenaiGraphError,
    ImportSourceError,
    OutputError,
    SettingsError,
)
from genai_graph.exchange import record_stream
from genai_graph.importers import ImportReport

DATA = Path(__file__).parent / "data" / "mlflow"
TABLE = """\
Name,Created,User,Notes,State,Runtime,Tags,lr,opt.name,api_key,loss,val/acc,Color
a,2026-01-01T00:00:00Z,ann,-,finished,90,"x, y",0.1,adam,sk,0.5,1e-3,red
b,2026-01-02 12:00:00+02:00,,first,running,5,,1,-,,NaN,inf,blue
c,2026-01-03,bob,,odd,,,,,,,text,
"""
MAP: dict[str, Any] = {
    "project": {"value": "team/churn"},
    "id": {"columns": ["Name", "Created"]},
    "name": "Name",
    "started_at": "Created",
    "created_by": "User",
    "description": "Notes",
    "status": {
        "column": "State",
        "values": {"finished": "FINISHED", "crashed": "FAILED", "running": "RUNNING"},
    },
    "duration": {"column": "Runtime", "unit": "s"},
    "tags": {"column": "Tags", "split": ","},
    "parameters": ["lr", "opt.*", "api_key"],
    "metrics": ["loss", "val/*"],
}


def import_to_file(*files: str, **options: Any) -> tuple[dict[str, Any], ImportReport]:
    """Return the properties of the nodes by uid, and the report."""
    report = import_from("csv", *files, output="out.jsonl", overwrite=True, **options)
    for item, read in report.read.items():
        assert read == report.written[item] + sum(report.skipped.get(item, {}).values()), item
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()[1:]]
    return {row["uid"]: row["props"] for row in rows if "node" in row}, report


def test_a_table_is_mapped_by_its_columns() -> None:
    Path("t.csv").write_text(TABLE)
    nodes, report = import_to_file("t.csv", map=MAP)
    first = nodes["a/2026-01-01T00:00:00Z"]
    origin = first.pop("origin")
    assert origin == f"csv:{Path('t.csv').resolve()}"
    assert first == {
        "name": "a",
        "status": "FINISHED",
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:01:30Z",
        "created_by": "ann",
        "parameters": {"lr": "0.1", "opt.name": "adam"},
        "tags": ["x", "y"],
        "metadata": None,
    }
    second = nodes["b/2026-01-02 12:00:00+02:00"]
    assert second["started_at"] == "2026-01-02T10:00:00Z"
    assert (second["ended_at"], second["status"]) == (None, "RUNNING")
    assert nodes["a%2F2026-01-01T00:00:00Z/val%2Facc"]["value"] == 0.001
    assert nodes["b%2F2026-01-02 12:00:00+02:00/loss"]["value"] == "NaN"
    assert nodes["b%2F2026-01-02 12:00:00+02:00/val%2Facc"]["value"] == "Infinity"
    assert "team/churn" in nodes
    assert report.messages == [
        "t.csv: columns are not imported: Color",
        "t.csv:2: parameters: 'api_key' looks like a secret and is not imported",
        "t.csv:4: metric 'val/acc': expected a number, got 'text'",
        "t.csv:4: unknown status 'odd': map it in --map",
        "t.csv:4: Created: times without a time zone are taken as UTC",
    ]
    assert report.skipped["parameters"]["secret"] == 1
    assert report.skipped["values"]["invalid"] == 1  # the status
    with pytest.raises(FixtureError, match="expected a number"):
        import_to_file("t.csv", map=MAP, strict=True)


def test_runs_are_selected_and_named_by_options() -> None:
    Path("t.csv").write_text(TABLE)
    metrics = {"val/*": {"name": "accuracy", "split": "val"}, "loss": {}}
    nodes, report = import_to_file(
        "t.csv", map={**MAP, "metrics": metrics}, since="2026-01-02", project="other"
    )
    assert report.skipped["runs"] == {"filtered out": 1}
    assert "b%2F2026-01-02 12:00:00+02:00/accuracy//val" in nodes
    assert "b%2F2026-01-02 12:00:00+02:00/loss" in nodes
    assert "other" in nodes
    assert "team/churn" not in nodes


def test_tables_of_mlflow_need_no_map(graph: None) -> None:
    Path("runs.csv").write_bytes(lzma.decompress((DATA / "3.17.csv.xz").read_bytes()))
    answers = json.loads((DATA / "3.17.json").read_text())
    import_from("csv", "runs.csv", project="fraud")
    base = next(run for run in answers["runs"] if run["name"] == "base")
    found = Experiment.nodes.get(uid=base["id"])
    parameters = {key: value for key, value in base["params"].items() if key != "db_password"}
    assert found.parameters == parameters
    assert found.random_seed == 42
    assert (found.name, found.status, found.created_by) == ("base", "FINISHED", "ann")
    assert found.started_at is not None
    assert found.started_at.timestamp() * 1000 == base["start"]
    assert found.metadata["mlflow"] == {"source.type": "LOCAL"}
    values = {metric.name: metric.value for metric in found.metrics.all()}
    assert values == {key: float(text) for key, text in base["latest"].items()}
    assert [run.name for run in found.parts.all()] == ["child"]
    again = import_from("csv", "runs.csv", project="fraud")
    assert not [c for c in {**again.nodes, **again.edges}.values() if c.created or c.changed]


@pytest.mark.parametrize(
    ("table", "mapping", "error"),
    [
        ("a,b\n1,2\n", {}, "t.csv: has no columns of MLflow"),
        ("", MAP, "t.csv: is empty"),
        ("a,a\n", MAP, "t.csv: has two columns 'a'"),
        ("a,b\n1,2\n", {"id": "A"}, "map: t.csv has no column 'A' (did you mean 'a'?)"),
        ("a,b\n1,2\n", {"name": "a"}, "map: id: is required"),
        (
            "a,b\n1,2\n",
            {"id": "a", "duration": {"column": "b", "unit": "x"}},
            "map: duration: unit: expected one of ms, s, min, h, got 'x'",
        ),
        (
            "a,b\n1,2\n",
            {"id": "a", "duration": {"column": "b", "unit": ["s"]}},
            "map: duration: unit: expected one of ms, s, min, h, got a list",
        ),
        ("a\n1\n", {"id": {"columns": []}}, "map: id: expected the name of a column, got a list"),
        ("a\n1\n", {"id": "a", "project": {"value": 3}}, "map: project: value: expected a name"),
        (
            "a\n1\n",
            {"id": "a", "status": {"column": "a", "values": [1]}},
            "map: status: values: expected a map, got a list",
        ),
        (
            "a\n1\n",
            {"id": "a", "tags": {"column": "a", "split": 3}},
            "map: tags: split: expected a text, got 3",
        ),
        (
            "a\n1\n",
            {"id": "a", "status": {"column": "a", "vales": {}}},
            "map: status: unknown key 'vales' (did you mean 'values'?): expected column, values",
        ),
        (
            "a\n1\n",
            {"id": "a", "status": {"column": "a", "values": {"done": "DONE"}}},
            "map: status: values: done: expected one of SCHEDULED, RUNNING, FINISHED, FAILED, ",
        ),
        (
            "a\n1\n",
            {"id": "a", "duration": {"column": "a", "units": "h"}},
            "map: duration: unknown key 'units'",
        ),
        ("a\n1\n", {"id": "a", "tags": {"column": "a", "spilt": ","}}, "map: tags: unknown key"),
        ("a\n1\n", {"id": "a", "name": {"column": 3}}, "map: name: expected the name of a column"),
        ("a,b\n1,2\n", {"id": ["a"]}, "map: id: expected the name of a column, got a list"),
        ("a,b\n1,2\n1,3\n", {"id": "a"}, "Experiment '1': uid: duplicate (first at t.csv:2)"),
    ],
)
def test_tables_and_maps_that_do_not_fit_are_errors(
    table: str, mapping: dict[str, Any], error: str
) -> None:
    Path("t.csv").write_text(table)
    with pytest.raises(GenaiGraphError) as raised:
        import_to_file("t.csv", map=mapping)
    assert error in str(raised.value)


def test_invalid_values_are_reported_once() -> None:
    Path("t.csv").write_text(
        "run,start,secs,state,tags,team\na,soon,1,odd,x;y,\nb,2026-13-01,1,odd,-,t\n"
        "c,2026-01-01T00:00:00Z,1e99,finished,;,t\nd,NaT,-,finished,z,t\n"
        "e,2026-01-01T00:00:00Z,NaN,failed,,t\n"
    )
    mapping = {
        "id": {"column": "run"},
        "started_at": "start",
        "duration": "secs",
        "status": "state",
        "tags": {"column": "tags", "split": ";"},
        "project": {"column": "team"},
        "parameters": "secs",
        "metrics": None,
    }
    nodes, report = import_to_file("t.csv", map=mapping)
    assert {uid for uid in nodes if uid != "t"} == {*"abcde"}
    assert [nodes[uid].get("tags") for uid in "abcd"] == [["x", "y"], [], [], ["z"]]
    assert nodes["d"]["status"] == "FINISHED"
    assert report.skipped["values"]["invalid"] == 6
    assert [message.removeprefix("t.csv:") for message in report.messages] == [
        "2: unknown status 'odd': map it in --map",
        "2: start: expected a time, got 'soon'",
        "3: start: expected a time, got '2026-13-01'",
        "4: secs: expected a duration, got '1e99'",
        "6: secs: expected a duration, got 'NaN'",
    ]


TIME = "2024-12-09T15:00:00.123Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, TIME) for text in ("1733756400123", "1733756400.123", "1733756400123.0")),
        *((text, TIME) for text in ("1733756400123000", "1733756400123000000")),
        ("2024-12-09 15:00:00.123000+00:00", TIME),
        ("2024-12-09 16:00:00.123456789 +0100", "2024-12-09T15:00:00.123456Z"),
        ("2024/12/9 15:00:00,123 UTC", TIME),
        ("20241209T150000Z", "2024-12-09T15:00:00Z"),
        *((text, None) for text in ("1.73376E+12", "45678.4375", "12345", "09/12/2024 15:00")),
        *((text, None) for text in ("253402300800000", "10000-01-01", "9999-12-31T23:59:59-05:00")),
    ],
)
def test_times_are_read_if_they_are_unambiguous(text: str, expected: str | None) -> None:
    Path("t.csv").write_text(f'run_id;start_time\n1;"{text}"\n')
    nodes, report = import_to_file("t.csv", project="p")
    assert nodes["1"].get("started_at") == (expected and expected.replace(".123Z", ".123000Z"))
    assert bool(report.messages) is (expected is None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1500ms", 1.5),
        ("1.5min", 90),
        ("0:01:30", 90),
        ("1 days 00:00:01.5", 86401.5),
        ("-5", None),
    ],
)
def test_durations_have_units(text: str, seconds: float | None) -> None:
    Path("t.csv").write_text(f"id,start,time,state\n1,1700000000,{text},failed\n")
    columns = {"started_at": "start", "duration": "time", "status": "state"}
    nodes, report = import_to_file("t.csv", map={"id": "id", **columns})
    ended = nodes["1"]["ended_at"]
    assert (ended and datetime.fromisoformat(ended.replace("Z", "+00:00")).timestamp()) == (
        seconds and 1_700_000_000 + seconds
    )
    assert bool(report.messages) is (seconds is None)


@pytest.mark.parametrize(
    ("rows", "uids", "message"),
    [
        ('1,a\n2,"b\n3,c\n4,d\n', ["1"], "t.csv:3: the quote has no end: the rest of the"),
        ('1,"a\nb"\n2,"x ""y"""\n3,"c\r\n4,d', ["1", "2"], "t.csv:5: the quote has no end"),
        ('1,"a\n2,b\n3,"c\n4,d\n', ["4"], "in lines 2 to 4: is a quote missing?"),
        ('1,"a\n2,b"\n3,c,"d\ne"\n', ["1"], "t.csv:4: expected 2 cells, got 3 in lines 4 to 5"),
        (f'1,a\n2,"{"b" * 2**23}\n3,c\n', ["1"], "t.csv:3: the quote has no end"),
        (f"1,a\n2,{'b' * 2**23}c\n3,c\n", ["1", "3"], "t.csv:3: is not a row of CSV: field larger"),
        ("1,a\n2,b,,\n3,c,d\n", ["1", "2"], "t.csv:4: expected 2 cells, got 3"),
        ("1,a\nb\0c,d\n", ["1"], "t.csv:3: has a NUL character: save the table as text"),
        ("1,a\nsk-hunter2AAAAAAAAAAAAAAAA,b\n", ["1"], "t.csv:3: its id looks like a secret"),
    ],
)
def test_rows_that_can_not_be_read_are_reported(rows: str, uids: list[str], message: str) -> None:
    Path("t.csv").write_text(f"id,name\n{rows}", newline="")
    nodes, report = import_to_file("t.csv", map={"id": "id", "name": "name"})
    assert list(nodes) == uids
    (found,) = report.messages
    assert message in found
    assert report.skipped["runs"].total() == 1


def test_metrics_that_can_not_be_stored_are_reported() -> None:
    names = ["big", "small", "key", "m" * 9000]
    secret = "sk-hunter2AAAAAAAAAAAAAAAA"
    Path("t.csv").write_text(f"id,{','.join(names)},,\n1,1e400,-1e999,{secret},1,,\n2,inf,,,,,\n")
    nodes, report = import_to_file("t.csv", map={"id": "id", "metrics": names})
    assert {uid: props["value"] for uid, props in nodes.items() if "value" in props} == {
        "2/big": "Infinity"
    }
    assert [message[:70] for message in report.messages] == [
        "t.csv: columns are not imported: (without a name), (without a name)",
        "t.csv:2: metric 'big': expected a number, got '1e400'",
        "t.csv:2: metric 'small': expected a number, got '-1e999'",
        "t.csv:2: metric 'key': expected a number, got a secret",
        f"t.csv:2: metric '{'m' * 53}",
    ]
    Path("runs.csv").write_text("run_id,status,metrics.\n1,FINISHED,2\n")
    assert import_to_file("runs.csv")[1].messages == ["runs.csv:2: metric 'metrics.': has no name"]


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"id,name\n1,\xc3\xa9\n", mtime=0),  # equal in all processes
        lzma.compress(b"id,name\n1,\xc3\xa9\n"),
        "id\tname\r\n1\t\u00e9\r\n".encode("utf-16"),
        b'\xef\xbb\xbf"sep=|"\r\nid|name\r\n1|\xc3\xa9\r\n',
        b",,\rid,name\r1,\xc3\xa9\r",
    ],
)
def test_files_of_all_forms_are_read(data: bytes) -> None:
    Path("t.csv").write_bytes(data)
    nodes, _ = import_to_file("t.csv", map={"id": "id", "name": "name"})
    assert nodes["1"]["name"] == "\u00e9"


def test_parents_that_are_not_in_a_table_are_reported() -> None:
    Path("t.csv").write_text("run_id,status,tags.mlflow.parentRunId\na,,b\nb,,a\nc,,x\nd,,c\n")
    _, report = import_to_file("t.csv", project="p")
    assert report.edges["Experiment-PART_OF->Experiment"].created == 1
    assert report.messages == [
        "t.csv: run 'a': its parent 'b' is one of its parts",
        "t.csv: run 'b': its parent 'a' is one of its parts",
        "t.csv: run 'c': its parent 'x' is not in the table",
    ]


def test_invalid_rows_are_skipped() -> None:
    Path("t.csv").write_bytes(b"\xef\xbb\xbfid,m\r\n1,2,3\r\n,4\r\n\r\n5,0.5\r\n")
    nodes, report = import_to_file("t.csv", map={"id": "id", "metrics": ["m"]})
    assert set(nodes) == {"5", "5/m"}
    Path("t.csv").write_text("sep=,\n\nid,m\n1,2,3\n")
    _, later = import_to_file("t.csv", map={"id": "id", "metrics": ["m"]})
    assert later.messages == ["t.csv:4: expected 2 cells, got 3"]
    assert report.messages == [
        "t.csv:2: expected 2 cells, got 3",
        "t.csv:3: has no value in the column 'id'",
    ]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("run;start;secs;lr;m;n\nA;2026-01-01;1,5;0,1;0,25;1.5\n", (0.25, 1.5)),
        ('"run";"start";"secs";"lr";"m";"n"\r\nA;2026-01-01;1,5;"0,1";-2,5e-3;NaN\r\n', (-0.0025,)),
        ("sep=;\n\nrun;start; secs;lr ;m;n\nA;2026-01-01;1,5;0,1;0,25;-\n", (0.25,)),
        ("run\tstart\tsecs\tlr\tm\tn\nA\t2026-01-01\t1.5\t0,1\t0.25\t1,5\n", (0.25,)),
    ],
)
def test_tables_of_spreadsheets_have_other_delimiters(table: str, values: tuple[float]) -> None:
    Path("t.csv").write_text(table)
    mapping = {
        "id": "run",
        "started_at": "start",
        "status": {"column": "run", "values": {"A": "FINISHED"}},
        "duration": {"column": "secs", "unit": "s"},
        "parameters": ["lr"],
        "metrics": ["m", "n"],
    }
    nodes, _ = import_to_file("t.csv", map=mapping)
    run = nodes["A"]
    assert (run["ended_at"], run["parameters"]) == ("2026-01-01T00:00:01.500000Z", {"lr": "0,1"})
    found = [props["value"] for uid, props in nodes.items() if uid.startswith("A/")]
    assert tuple(value for value in found if value != "NaN") == values


def test_uids_and_names_are_in_normal_form_c() -> None:
    """File names of macOS and some databases have accents as characters of their own (NFD)."""
    Path("t.csv").write_text("run,m\u00e9,me\u0301,team\nre\u0301,1,2,e\u0301quipe\n", "utf-8")
    mapping = {"id": "run", "metrics": ["m*"], "project": "team", "name": "run"}
    nodes, report = import_to_file("t.csv", map=mapping)
    assert set(nodes) == {"r\u00e9", "r\u00e9/m\u00e9", "\u00e9quipe"}
    assert nodes["r\u00e9/m\u00e9"]["name"] == "m\u00e9"
    assert "has the same uid as another column" in report.messages[0]
    ends = [json.loads(line).get("to") for line in Path("out.jsonl").read_text().splitlines()]
    assert {tuple(end) for end in ends if end} == {
        ("Experiment", "r\u00e9"),
        ("Metric", "r\u00e9/m\u00e9"),
    }


def test_large_imports_are_read_again_from_a_temporary_file(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_stream, "_MAX_CACHED_RECORDS", 0)
    Path("t.csv").write_text(TABLE)
    report = import_from("csv", "t.csv", map=MAP)
    assert report.nodes["Experiment"].created == 3
    assert report.edges["Project-HAS->Experiment"].created == 3
    Path("t.csv").write_text(TABLE.replace("\na,", f"\n{'a' * 9000},"))
    with pytest.raises(FixtureError, match=r"t\.csv:2: Experiment 'aaa.*8000 bytes"):
        import_from("csv", "t.csv", map=MAP)


def test_a_temporary_file_that_can_not_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("t.csv").write_text(TABLE)
    monkeypatch.setattr(tempfile, "tempdir", "missing")
    with pytest.raises(OutputError, match=r"spooled to missing: No such file.*: set TMPDIR"):
        import_to_file("t.csv", map=MAP)


def test_unreadable_files_are_errors() -> None:
    problems = {
        "binary.csv": (
            b"id\na\n\xff\xfe\n",
            "binary.csv:3: is not text in UTF-8: save it as UTF-8",
        ),
        "line.csv": (b"a" * 9_000_000, "line.csv: is not CSV: field larger than field limit"),
        "book.csv": (b"PK\x03\x04...[Content_Types].xml", "is an Excel workbook: save it as CSV"),
        "cut.csv.gz": (gzip.compress(b"id\n" * 99)[:-9], "can't be decompressed"),
        "empty.csv": (b",,\n", "is empty: expected a header"),
        "open.csv": (b'id,"m\n1,2\n', "open.csv:1: the quote has no end"),
        "nul.csv": (b"i\0d\n1\n", "nul.csv:1: has a NUL character"),
    }
    for file, (data, _) in problems.items():
        Path(file).write_bytes(data)
    errors = {file: error for file, (_, error) in problems.items()}
    for file, error in {"missing.csv": "No such file", **errors}.items():
        with pytest.raises(ImportSourceError, match=error):
            import_to_file(file, map={"id": "id"})
    with pytest.raises(SettingsError, match="expected FILE"):
        import_to_file()


def test_messages_are_kept_up_to_a_limit() -> None:
    rows = "".join(f"r{i},n/a\n" for i in range(10_003))
    Path("t.csv").write_text(f"Run ID,loss\n{rows}")
    _, report = import_to_file("t.csv", map={"id": "Run ID", "metrics": ["loss"]}, project="p")
    assert (len(report.messages), report.omitted_messages) == (10_000, 3)
    assert report.read["runs"] == 10_003
