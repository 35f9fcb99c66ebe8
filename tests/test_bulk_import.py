"""`server import`: fixtures into an empty managed Neo4j by its own importer."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
from conftest import Run, write_file
from graphs import read_graph, without_nulls
from neo4j_server import ShortLived, install_or_skip
from test_csv import MOMENT, whole_graph
from test_engine import kill_engines_at_exit
from test_load import counts, size_of_graph, write_rows

from genai_graph import connect, load, query, schema
from genai_graph.exchange import bulk_import
from genai_graph.exchange.formats import csv, jsonl
from genai_graph.exchange.formats.records import NodeRecord
from genai_graph.exchange.import_files import ImportFiles
from genai_graph.exchange.progress import Progress
from genai_graph.server.engines import SERVERS
from genai_graph.server.locks import file_lock
from genai_graph.server.neo4j_community import Neo4jCommunity, unfinished_import

MORE = """\
{"format":"genai_graph/1"}
{"node":"Model","uid":"resnet@50","props":{"hyperparameters":{"lr":0.1,"layers":[1,2]}}}
{"edge":"DERIVED_FROM","from":["Model","resnet@50"],"to":["Model","m"]}
"""

MULTIPROCESSING = multiprocessing.get_context("fork")  # the processes inherit the options

JSON_VALUES = [
    {"lr": 0.1, "depth": 3, "name": "adam", "nested": {"a": {"b": True}}},
    {"lr": 1, "depth": 3.5, "name": False, "nested": {"a": {"b": "text"}}},
    {"lr": "0.1", "depth": None, "late": {"x": 1e-300, "y": -0.0, "z": 2**63 - 1}},
    {"lr": [1, 2], "depth": [0.5, 1.5], "name": ["a", "b;c", 'd"\n,'], "late": {"x": 2.5}},
    {"lr": [True, False], "depth": [], "name": ["a", 1], "late": [[1], {"a": 1}]},
    {"lr": [""], "depth": ["\x1f", "a"], "name": "", "late": {"x": {}}},
    {"optimizer__lr:1": 1, "a.b/c d": 2, "50%": 3, "é=ß": 4, "{x}": 5, "f(x)": 6, '"q"': 7},
    {" spaces ": 1, "a:string": "x", "a:ID(Model)": "x", ":LABEL": "Dataset", "": 1, ",": 2},
    {"text": "line\nbreak, 'quotes' \"and\" \\ more", "one": "'", "two": '"'},
    [1, 2, {"a": None}],
    "text",
    {},
]


def stored_json() -> dict[str, str]:
    """Return the stored properties of the models of `JSON_VALUES` by uid, without times."""
    rows = query(
        "MATCH (n:Model) WHERE n.uid STARTS WITH 'json' RETURN properties(n) AS properties"
    )
    times = ("created_at", "updated_at")
    return {
        row["properties"]["uid"]: repr(
            sorted(item for item in row["properties"].items() if item[0] not in times)
        )
        for row in rows
    }


def test_errors_are_found_before_the_engine_is_touched(own_home: Path, cli: Run) -> None:
    write_file("f.jsonl", MORE.replace('"lr":0.1', '"lr":NaN,'))
    of_a_killed_process = own_home / "neo4j" / "bulk-import" / "Model.csv"
    of_a_killed_process.parent.mkdir(parents=True)
    of_a_killed_process.touch()
    refused = cli("server", "import", "f.jsonl")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "f.jsonl:2: " in refused.stderr
    # Only the lock against a second import remains.
    assert [path.name for path in (own_home / "neo4j").iterdir()] == ["bulk-import.lock"]


def test_a_second_import_is_refused(own_home: Path, cli: Run) -> None:
    write_file("f.jsonl", MORE)
    (own_home / "neo4j").mkdir(parents=True)
    with file_lock(own_home / "neo4j" / "bulk-import.lock", timeout=1):
        refused = cli("server", "import", "f.jsonl")
    assert refused.exit_code == 1
    assert "bulk-import.lock: locked by another process" in refused.stderr


def test_a_journal_is_refused(own_home: Path, cli: Run) -> None:
    write_file(
        "f.jsonl", '{"format":"genai_graph/1","journal":1}\n{"node":"Experiment","uid":"r"}\n'
    )
    refused = cli("server", "import", "f.jsonl")
    assert refused.exit_code == 1
    assert refused.stderr == "a journal can't be imported: use `genai-graph load`\n"


@pytest.mark.parametrize("text", ["one line, 'two'", "two\nlines", "two\rlines"])
def test_importer_is_told_whether_values_have_line_breaks(tmp_path: Path, text: str) -> None:
    files = ImportFiles(tmp_path)
    files.add_node("Project", "p", {"description": text})
    is_multiline = str(text.startswith("two")).lower()
    assert f"--multiline-fields={is_multiline}" in files.close()
    csv.write([NodeRecord("p", {"description": text}, 1, "Project", "f", 1)], tmp_path)
    assert f" --multiline-fields={is_multiline} " in csv.import_command(tmp_path)


@pytest.fixture
def neo4j_home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new data directory of the managed Neo4j, which is started with options for short runs."""
    install_or_skip(ShortLived())
    monkeypatch.setitem(SERVERS, "neo4j", ShortLived)
    monkeypatch.setenv("GENAI_GRAPH_ENGINE", "neo4j")
    with kill_engines_at_exit(own_home):
        yield own_home


@contextmanager
def importing_process(file: str, stage: str) -> Iterator[BaseProcess]:
    """Import a file in a new process, yield the process at a stage of the import, and kill it."""
    reached = MULTIPROCESSING.Event()

    class Stage(Progress):
        def say(self, text: str) -> None:
            if text.startswith(stage):
                reached.set()

    process = MULTIPROCESSING.Process(
        target=bulk_import.bulk_import, args=(file,), kwargs={"progress": Stage()}
    )
    process.start()
    try:
        assert reached.wait(300)
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.neo4j
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_importer_of_a_killed_process_is_ended_by_the_next(neo4j_home: Path) -> None:
    write_rows(*({"node": "Project", "uid": f"p{i}"} for i in range(100_000)), name="f.jsonl")
    with importing_process("f.jsonl", "importing") as process:
        importers: list[psutil.Process] = []
        while not importers:
            assert process.is_alive()
            importers = psutil.Process(process.pid).children()
            time.sleep(0.05)
    assert importers[0].is_running()
    with connect():
        assert size_of_graph() == 0
    assert not importers[0].is_running() or importers[0].status() == psutil.STATUS_ZOMBIE


@pytest.mark.neo4j
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_import_that_fails_after_the_importer_leaves_an_empty_database(
    neo4j_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes with values that are loaded afterwards are incomplete until then."""
    rows = [{"node": "Dataset", "uid": f"d{i}", "props": {"tags": []}} for i in range(20)]
    write_rows(*rows, name="f.jsonl")
    with importing_process("f.jsonl", "creating the constraints"):
        pass
    with connect():
        assert size_of_graph() == 0
    with monkeypatch.context() as patch:
        patch.setattr(bulk_import, "load", raise_keyboard_interrupt)
        with pytest.raises(KeyboardInterrupt):
            bulk_import.bulk_import("f.jsonl")
    bulk_import.bulk_import("f.jsonl")
    with connect():
        found = query("MATCH (n:Dataset) RETURN DISTINCT n.tags AS tags, n.name <> '' AS named")
        assert found == [{"tags": [], "named": True}]
        assert size_of_graph() == 20


def raise_keyboard_interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_import_into_an_external_server_is_refused(
    own_home: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file("f.jsonl", MORE)
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    refused = cli("server", "import", "f.jsonl")
    assert refused.stderr.startswith("NEO4J_URI: ")
    assert "neo4j-admin" in refused.stderr


@pytest.mark.neo4j
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_imported_graph_equals_the_loaded_one(neo4j_home: Path, cli: Run) -> None:
    with Path("f.jsonl").open("wb") as stream:
        jsonl.write(whole_graph(), stream)
    write_file("more.jsonl", MORE)
    rows = [
        {"node": "Model", "uid": f"json{i}", "props": {"hyperparameters": value, "tags": ["a"]}}
        for i, value in enumerate(JSON_VALUES)
    ]
    write_rows(*rows, name="json.jsonl")
    done = cli("server", "import", "f.jsonl", "more.jsonl", "json.jsonl")
    assert done.exit_code == 0, done.stderr
    assert "Metric: 9 created, 0 changed, 0 unchanged\n" in done.stderr
    with connect():
        added = ("resnet@50", "json")
        found = [one for one in read_graph() if not any(uid in str(one) for uid in added)]
        assert without_nulls(found) == without_nulls(whole_graph())
        assert not schema.check()
        models = query("MATCH (n:Model {`hyperparameters.lr`: 0.1}) RETURN n.name AS name")
        assert {row["name"] for row in models} == {"resnet", "json0"}
        (times,) = query(
            "MATCH (n:Model {uid: 'resnet@50'}) RETURN n.created_at AS a, n.updated_at AS b"
        )
        assert times["a"] == times["b"] > MOMENT
        imported = stored_json()
        report = load("f.jsonl", "more.jsonl", "json.jsonl")
        assert all(changed == created == 0 for created, changed, _ in counts(report).values())
        query("MATCH (n:Model) WHERE n.uid STARTS WITH 'json' DELETE n", write=True)
        load("json.jsonl")
        assert imported == stored_json()
    again = cli("server", "import", "f.jsonl")
    assert again.exit_code == 1
    assert "is not empty: use `genai-graph load`" in again.stderr
    assert len(again.stderr.splitlines()) == 1
    assert [path.name for path in (neo4j_home / "neo4j").glob("*import*")] == ["bulk-import.lock"]


def test_database_of_an_interrupted_import_is_deleted(tmp_path: Path) -> None:
    """Neo4j can't start with it."""
    database, log = (tmp_path / "data" / kind / "neo4j" for kind in ("databases", "transactions"))

    def write_parts() -> None:
        for directory in (database, log):
            directory.mkdir(parents=True)
            (directory / "neostore").write_text("incomplete")

    def import_parts() -> None:
        with unfinished_import(tmp_path):
            write_parts()
            raise KeyboardInterrupt

    server, mark = Neo4jCommunity(), tmp_path / "unfinished-import"
    server.prepare(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_parts()
    server.prepare(tmp_path)
    assert not any(path.exists() for path in (mark, database, log))
    mark.touch()  # as a killed process leaves it
    write_parts()
    server.prepare(tmp_path)
    assert not any(path.exists() for path in (mark, database, log))


def test_nodes_with_too_many_values_leave_files_to_others(tmp_path: Path) -> None:
    files = ImportFiles(tmp_path)

    def add(uid: str, values: dict[str, int]) -> bool:
        return files.add_node("Model", uid, {"hyperparameters": json.dumps(values)})

    for i in range(30):
        assert not add(f"wide{i}", {f"k{i}-{j}": j for j in range(600)})
    assert add("m", {"lr": 1})
    files.close()
    assert (tmp_path / "Model.csv").read_text().startswith('"m",')
    assert not list(tmp_path.glob("Model-[0-9]*.csv"))
