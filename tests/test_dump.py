"""Dumping: round trips, formats, outputs and invalid graphs."""

from __future__ import annotations

import gzip
import lzma
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from conftest import FIXTURES, Run
from graphs import AWKWARD_TEXTS, content, load_dump

import genai_graph
from genai_graph import Dataset, Experiment, Metric, Model, Project, dump, load, query
from genai_graph.errors import OutputError, SettingsError
from genai_graph.exchange import graph_reader
from genai_graph.storage import batching

pytestmark = pytest.mark.usefixtures("graph")

FORMATS = ["jsonl", "yaml", "cypher", "csv"]
# The other formats are written from the same records and loaded as JSON Lines are.
ENGINE_FORMATS = [
    "jsonl",
    "cypher",
    pytest.param("yaml", marks=pytest.mark.any_engine),
    pytest.param("csv", marks=pytest.mark.any_engine),
]
CHARACTERS = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
SECOND = timedelta(seconds=1)
TIMES = [
    datetime(2026, 3, 1, 9, tzinfo=timezone.utc),
    datetime(2026, 3, 1, 9, 0, 0, 1, tzinfo=timezone.utc),
    datetime(2026, 3, 1, 9, 0, 0, 120000, tzinfo=timezone.utc),
    datetime(1, 1, 1, tzinfo=timezone.utc),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=2))),
]
FLOATS = [
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 0.1, 1.0, 1e16, 1e-5, 123456789012345680.0),
    *(5e-324, sys.float_info.max, sys.float_info.min, -1e100),
]
INTEGERS = [0, -1, 2**63 - 1, -(2**63)]
JSON = {
    "numbers": [0, -0.0, 1e-5, 1e16, 2**63 - 1, -(2**63), 1.5e300],
    "texts": AWKWARD_TEXTS,
    "nothing": [None, {}, [], "", True, False],
    "deep": {"a": [[{"b": {}}]]},
    **{key: key for key in AWKWARD_TEXTS},
}


def clear() -> None:
    query("MATCH (n) DETACH DELETE n", write=True)


def assert_round_trip(tmp_path: Path, format: str) -> bytes:
    """Dump, load and dump again; return the bytes after checking that they are equal."""
    first, second, whole = (tmp_path / f"{name}.{format}" for name in ("first", "second", "whole"))
    dump(whole.with_suffix(".jsonl"), overwrite=True)
    dump(first, format=format, overwrite=True)
    load_dump(first)
    dump(second, format=format, overwrite=True)
    assert content(second) == content(first)
    before = whole.with_suffix(".jsonl").read_bytes()
    dump(whole.with_suffix(".jsonl"), overwrite=True)
    assert whole.with_suffix(".jsonl").read_bytes() == before
    return content(first)


def small_graph() -> None:
    project = Project(name="p").save()
    dataset, model = Dataset(name="d", version="1").save(), Model(name="m").save()
    run = Experiment(uid="e").save()
    project.datasets.connect(dataset)
    model.trained_on.connect(dataset, {"role": "test"})
    run.models.connect(model)
    run.record("accuracy", 0.5, dataset=dataset, split="val")
    run.record("accuracy", 0.75)


def odd_values() -> None:
    for number, text in enumerate(AWKWARD_TEXTS):
        node = Dataset(uid=f"t{number}" + text, name=text or "x", description=text, tags=[text])
        node.save()
    for number, moment in enumerate(TIMES):
        Dataset(name=f"time{number}", created_at=moment, updated_at=moment).save()
        Experiment(uid=f"time{number}", started_at=moment, ended_at=moment).save()
    for integer in INTEGERS:
        Experiment(uid=f"seed{integer}", random_seed=integer).save()
    Model(name="json", hyperparameters=JSON, metadata={}, training_history=[], tags=[]).save()
    Model(name="null", hyperparameters=None).save()


def odd_metrics() -> None:
    run = Experiment(uid="a/run%").save()
    for number, value in enumerate(FLOATS):
        run.record(f"m{number}", values=[value, 1.0], steps=[-1, 2**62], ci_lower=value)
    for text in AWKWARD_TEXTS:
        if text:
            run.record(text, 1.0, dataset=Dataset(name=text).save(), split=text)
            run.record(text, 2.0)
    own = Metric(uid="custom uid", name="accuracy", value=1.0, steps=[], values=[]).save()
    run.metrics.connect(own)


@pytest.mark.parametrize("format", ENGINE_FORMATS)
@pytest.mark.parametrize("fill", [small_graph, odd_values, odd_metrics, clear])
def test_round_trip_gives_the_same_bytes(
    fill: Callable[[], None], format: str, tmp_path: Path
) -> None:
    fill()
    assert_round_trip(tmp_path, format)


@pytest.mark.parametrize(
    "format",
    [
        pytest.param("yaml", marks=pytest.mark.any_engine),
        pytest.param("csv", marks=[pytest.mark.any_engine, pytest.mark.slow]),
        pytest.param("jsonl", marks=pytest.mark.slow),
        pytest.param("cypher", marks=pytest.mark.slow),
    ],
)
def test_round_trip_of_every_character(format: str, tmp_path: Path) -> None:
    Model(name="m", description=CHARACTERS, metadata={"all": CHARACTERS}).save()
    assert_round_trip(tmp_path, format)
    assert Model.nodes.get(uid="m").description == CHARACTERS


@pytest.mark.parametrize("format", ENGINE_FORMATS)
def test_round_trip_of_the_quickstart_fixture(format: str, tmp_path: Path) -> None:
    load(FIXTURES / "quickstart.yaml")
    assert_round_trip(tmp_path, format)


def test_jsonl_is_sorted_with_keys_in_order_of_declaration(tmp_path: Path) -> None:
    load_text(
        tmp_path,
        '{"node":"Model","uid":"b@2","props":{"framework":"x","created_at":"2026-01-01T00:00:00Z",'
        '"updated_at":"2026-01-01T00:00:00.5Z","metadata":{"b":1,"a":"é"}}}',
        '{"node":"Dataset","uid":"a","props":{"created_at":"2026-01-01T00:00:00Z",'
        '"updated_at":"2026-01-01T00:00:00Z"}}',
        '{"edge":"TRAINED_ON","from":["Model","b@2"],"to":["Dataset","a"],"props":{"split":"s"}}',
    )
    dump(tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines() == [
        '{"format":"genai_graph/1"}',
        '{"node":"Dataset","uid":"a","props":{"created_at":"2026-01-01T00:00:00Z",'
        '"updated_at":"2026-01-01T00:00:00Z","name":"a"}}',
        '{"node":"Model","uid":"b@2","props":{"metadata":{"a":"é","b":1},'
        '"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00.500000Z",'
        '"name":"b","version":"2","framework":"x"}}',
        '{"edge":"TRAINED_ON","from":["Model","b@2"],"to":["Dataset","a"],"props":{"split":"s"}}',
    ]


def load_text(tmp_path: Path, *lines: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(['{"format": "genai_graph/1"}', *lines]), encoding="utf-8")
    load(path)


def test_yaml_is_nested_and_valid_for_other_parsers(tmp_path: Path) -> None:
    small_graph()
    dump(tmp_path / "out.yaml")
    read = yaml.safe_load((tmp_path / "out.yaml").read_text(encoding="utf-8"))
    assert list(read) == ["format", "Project", "Dataset", "Model", "Experiment"]
    assert read["Project"]["p"]["datasets"] == {"d@1": {}}
    assert read["Model"]["m"]["trained_on"] == {"d@1": {"role": "test"}}
    bare, on_dataset = read["Experiment"]["e"]["metrics"]["accuracy"]
    assert (bare["value"], on_dataset["value"]) == (0.75, 0.5)
    assert (on_dataset["dataset"], on_dataset["split"]) == ("d@1", "val")
    assert "uid" not in on_dataset
    assert on_dataset["created_at"].tzinfo is not None


def test_missing_values_that_the_uid_contains_are_dumped_as_null(tmp_path: Path) -> None:
    Model(uid="m@1", name="m").save()
    Metric(uid="e/loss//val", name="loss", value=1.0).save()
    Experiment(uid="e").save().metrics.connect(Metric.nodes.get(uid="e/loss//val"))
    assert b'"version":null' in assert_round_trip(tmp_path, "jsonl")
    assert b'"split":null' in assert_round_trip(tmp_path, "jsonl")
    assert_round_trip(tmp_path, "yaml")


@pytest.mark.slow
def test_page_size_and_hubs_do_not_change_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, run = Project(name="hub").save(), Experiment(uid="run").save()
    for number in range(12):
        text = AWKWARD_TEXTS[-number] + f"{number}"
        dataset = Dataset(name=text).save()
        hub.datasets.connect(dataset)
        run.datasets.connect(dataset)
        run.record(text[-1], 1.0, dataset=dataset)
    whole = {each: assert_round_trip(tmp_path, each) for each in FORMATS}
    for size in (1, 2, 5):
        monkeypatch.setattr(batching, "BATCH_ROWS", size)
        monkeypatch.setattr(graph_reader, "EDGE_LIMIT", size)
        for each in ("jsonl", "yaml"):
            dump(tmp_path / f"paged.{each}", overwrite=True)
            assert (tmp_path / f"paged.{each}").read_bytes() == whole[each]


def test_labels_select_nodes_and_the_edges_between_them(tmp_path: Path, cli: Run) -> None:
    small_graph()
    out = tmp_path / "out.jsonl"
    assert dump(out, labels=["Model", "Dataset"]) == (2, 1)
    assert dump(out, exclude=["Dataset"], overwrite=True) == (5, 3)
    assert dump(out, labels=["Model"], exclude=["Model"], overwrite=True) == (0, 0)
    assert out.read_bytes() == b'{"format":"genai_graph/1"}\n'
    assert dump(tmp_path / "out.yaml", labels=["Metric"]) == (2, 0)
    done = cli("dump", "--label", "Model", "--label", "Dataset", "--exclude", "Model")
    assert (done.exit_code, done.stderr) == (0, "1 node, 0 edges\n")
    assert '"node":"Dataset"' in done.stdout


def test_unknown_label_is_a_usage_error(tmp_path: Path, cli: Run) -> None:
    done = cli("dump", "--label", "Modle")
    assert done.exit_code == 2
    assert "did you mean 'Model'?" in done.stderr
    with pytest.raises(genai_graph.errors.SettingsError, match="did you mean 'Model'"):
        dump(tmp_path / "out.jsonl", labels=["Modle"])


@pytest.mark.parametrize(
    ("suffix", "unpack"),
    [(".gz", gzip.decompress), (".GZ", gzip.decompress), (".xz", lzma.decompress)],
)
def test_file_extension_selects_the_compression(
    suffix: str, unpack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    small_graph()
    dump(tmp_path / "plain.yaml")
    dump(tmp_path / f"one.yaml{suffix}")
    dump(tmp_path / f"other.yaml{suffix}")
    packed = (tmp_path / f"one.yaml{suffix}").read_bytes()
    assert packed == (tmp_path / f"other.yaml{suffix}").read_bytes()
    assert unpack(packed) == (tmp_path / "plain.yaml").read_bytes()


def test_existing_output_is_overwritten_only_with_force(tmp_path: Path, cli: Run) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("other")
    out.chmod(0o640)
    done = cli("dump", "-o", out)
    assert done.exit_code == 1
    assert "already exists (use --force to overwrite)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert out.read_text() == "other"
    assert cli("dump", "-o", out, "--force").exit_code == 0
    assert out.read_text() == '{"format":"genai_graph/1"}\n'
    assert out.stat().st_mode & 0o777 == 0o640


def test_directory_with_other_files_is_not_replaced(tmp_path: Path, cli: Run) -> None:
    small_graph()
    directory = tmp_path / "directory"
    written = cli("dump", "--format", "csv", "-o", directory)
    assert written.exit_code == 0
    assert f"cd {directory} && neo4j-admin database import full" in written.stderr
    refused = cli("dump", "--format", "csv", "-o", directory)
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"{directory}: already exists (use --force to overwrite)\n",
    )
    assert cli("dump", "--format", "csv", "-o", directory, "--force").exit_code == 0
    (directory / "notes.txt").write_text("other")
    refused = cli("dump", "--format", "csv", "-o", directory, "--force")
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"{directory}: contains notes.txt, which is not part of a dump: "
        "use a new or an empty directory\n",
    )
    assert (directory / "notes.txt").read_text() == "other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory"]


def test_invalid_stored_history_is_reported(tmp_path: Path) -> None:
    Experiment(uid="x").save().record("loss", 1.0)
    query("MATCH (n:Metric) SET n.steps = [1, 2], n.values = [0.5]", write=True)
    with pytest.raises(genai_graph.GenaiGraphError, match="Metric 'x/loss': values: expected as"):
        dump(tmp_path / "out.jsonl")


def test_csv_dump_that_fails_leaves_no_files(tmp_path: Path) -> None:
    model = Model(name="m").save()
    model.trained_on.connect(Dataset(name="d").save())
    (tmp_path / "file").write_text("other")
    with pytest.raises(OutputError, match="not a directory"):
        dump(tmp_path / "file", format="csv", overwrite=True)
    with pytest.raises(SettingsError, match=r"format: expected one of .*did you mean 'csv'"):
        dump(tmp_path / "x", format="csvv")
    query("MATCH ()-[r:TRAINED_ON]->() SET r.split = 5", write=True)
    with pytest.raises(genai_graph.GenaiGraphError, match=r"Model 'm': TRAINED_ON: 'd': split"):
        dump(tmp_path / "x", format="csv")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_csv_to_standard_output_is_rejected(cli: Run) -> None:
    refused = cli("dump", "--format", "csv")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "csv needs a directory as output: use -o DIRECTORY\n",
    )


def test_target_of_a_symbolic_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("other")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    dump(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == '{"format":"genai_graph/1"}\n'


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/out.jsonl", "No such file or directory"),
        ("/proc/out.jsonl", "can't be written"),
        (".", "is a directory"),
        ("", "output: expected a file name, or - for standard output"),
        ("out.json", "JSON can be loaded but not dumped: use .jsonl"),
        ("out.csv", "csv needs a directory as output"),
        ("out.csv.gz", "csv needs a directory as output"),
        ("x" * 300, "File name too long"),
    ],
)
def test_unwritable_output_is_a_one_line_error(name: str, message: str, cli: Run) -> None:
    done = cli("dump", "-o", name)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert os.listdir() == []


def test_failed_dump_leaves_no_files(tmp_path: Path, cli: Run) -> None:
    Model(name="m").save()
    query("MATCH (n:Model) SET n.size = 'big'", write=True)
    done = cli("dump", "-o", tmp_path / "out.jsonl")
    assert done.exit_code == 1
    assert "Model 'm': size: expected an integer, got 'big'" in done.stderr
    assert "fix it in the database" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("n.name = null", "name: is required"),
        ("n.status = 'DONE'", "status: expected one of PENDING"),
        ("n.created_at = 5", "created_at: expected a time"),
        ("n.created_at = ['2026']", "created_at: expected a time"),
        ("n.created_at = 'soon'", "created_at: expected a time"),
        ("n.metadata = 'no json'", "metadata: expected the text of a JSON value"),
        ("n.metadata = 1", "metadata: expected the text of a JSON value"),
        ("n.tags = [1]", "tags: item 1: expected a string"),
        ("n.num_parameters = -1", "num_parameters: expected an integer of at least 0"),
        ("n.updated_at = ['2026']", "updated_at: expected a time"),
    ],
)
def test_invalid_stored_value_is_reported(change: str, message: str, tmp_path: Path) -> None:
    Model(name="m").save()
    query(f"MATCH (n:Model) SET {change}", write=True)
    with pytest.raises(genai_graph.GenaiGraphError, match="Model 'm': ") as raised:
        dump(tmp_path / "out.jsonl")
    assert message in str(raised.value)


def test_undeclared_properties_are_skipped_only_on_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small_graph()
    query("MATCH (n:Metric) SET n.colour = 'red'", write=True)
    query("MATCH (:Model)-[r:TRAINED_ON]->(:Dataset) SET r.weight = 1", write=True)
    with pytest.raises(
        OutputError, match=r"would lack Metric\.colour, Model-TRAINED_ON->Dataset\.w"
    ):
        dump(tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    caplog.clear()
    dump(tmp_path / "out.jsonl", declared_only=True)
    assert sorted(record.message for record in caplog.records) == [
        "skipped the property 'colour', which Metric does not declare",
        "skipped the property 'weight', which Model-TRAINED_ON->Dataset does not declare",
    ]
    assert b"red" not in (tmp_path / "out.jsonl").read_bytes()


@pytest.mark.parametrize("format", ENGINE_FORMATS)
def test_nodes_without_a_uid_are_skipped_with_a_warning(
    format: str, tmp_path: Path, cli: Run, caplog: pytest.LogCaptureFixture
) -> None:
    small_graph()
    odd: list[object] = [None, "", 5, 2.5, True]
    query("UNWIND $odd AS uid CREATE (:Model {uid: uid, name: 'm'})", write=True, odd=odd)
    query("CREATE (:Metric {name: 'm', value: 1.0})", write=True)
    query("MATCH (e:Experiment), (m:Model {name: 'm'}) MERGE (e)-[:RUN]->(m)", write=True)
    result = cli("dump", "--format", format, "-o", tmp_path / f"out.{format}")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == "6 nodes, 6 edges"
    assert [record.message for record in caplog.records] == [
        "skipped 5 Model without a string uid, and their edges",
        "skipped 1 Metric without a string uid, and their edges",
    ]
    load_dump(tmp_path / f"out.{format}")


def run_dump(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "genai_graph", "dump", *map(str, arguments)]
    return subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.any_engine
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="requires /dev/full")
def test_full_disk_is_a_one_line_error() -> None:
    small_graph()
    done = run_dump("-o", "/dev/full")
    assert (done.returncode, done.stderr) == (
        1,
        "/dev/full: can't be written: No space left on device\n",
    )
    with open("/dev/full", "wb") as full:
        done = run_dump(stdout=full)
    assert done.returncode == 1
    assert done.stderr == "the output can't be written: No space left on device\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires named pipes")
def test_fifo_is_written_directly(tmp_path: Path) -> None:
    small_graph()
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_bytes()))
    reader.start()
    dump(fifo)
    reader.join()
    dump(tmp_path / "out.jsonl")
    assert received == [(tmp_path / "out.jsonl").read_bytes()]
    assert fifo.is_fifo()


def test_closed_pipe_is_silent(tmp_path: Path) -> None:
    Model(name="m", description="x" * 1_000_000).save()
    read, write = os.pipe()
    os.close(read)
    done = run_dump(stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
