"""Large loads: streams, transactions, reports, concurrency and unreadable files."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from test_cli import interruptible
from test_load import counts, load_errors, size_of_graph

from genai_graph import Connection, Dataset, check, clear, dump, load, query
from genai_graph.errors import (
    FixtureError,
    SettingsError,
    TransactionMemoryError,
    TransientError,
)
from genai_graph.exchange import loader
from genai_graph.exchange.progress import Progress
from genai_graph.storage.scans import iter_pages_by_size

LIMIT = 120
PROCESSES = 6
EDGE = "Model-TRAINED_ON->Dataset"


def node(label: str, uid: str, **props: object) -> dict[str, object]:
    return {"node": label, "uid": uid, "props": props}


def edge(model: str, dataset: str, **props: object) -> dict[str, object]:
    ends = {"from": ["Model", model], "to": ["Dataset", dataset]}
    return {"edge": "TRAINED_ON", **ends, "props": props}


def jsonl(rows: Iterable[object]) -> bytes:
    lines = map(json.dumps, ({"format": "genai_graph/1"}, *rows))
    return b"".join(line.encode() + b"\n" for line in lines)


def write(rows: Iterable[object], name: str = "f.jsonl") -> str:
    Path(name).write_bytes(jsonl(rows))
    return name


def pairs(number: int, size: int = 1) -> list[dict[str, object]]:
    """Return a number of edges, then the two nodes of each."""
    return [
        *(edge(f"m{i}", f"d{i}", role="training") for i in range(number)),
        *(node("Dataset", f"d{i}", size=size) for i in range(number)),
        *(node("Model", f"m{i}", size=size) for i in range(number)),
    ]


def datasets(number: int) -> list[dict[str, object]]:
    return [node("Dataset", f"d{i}") for i in range(number)]


class StageRecorder(Progress):
    """Records messages, and the size of the graph for other clients at the start of each stage."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.seen: dict[str, int] = {}

    def say(self, text: str) -> None:
        assert "nodes" not in self.seen, "the message must come before the first write"
        self.messages.append(text)

    def start(self, stage: str, total: int) -> None:
        with ThreadPoolExecutor(1) as other:  # outside of the transaction
            self.seen[stage] = other.submit(size_of_graph).result()


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "genai_graph", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


# A stream of lines


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "f.jsonl": bytes,
    "f.jsonl.gz": gzip.compress,
    "f.jsonl.xz": lzma.compress,
}


@pytest.mark.parametrize("name", list(COMPRESSIONS))
def test_compressed_lines_from_a_file_and_from_standard_input(
    graph: Connection, cli: Run, name: str
) -> None:
    made = {"Dataset": (7, 0, 0), "Model": (7, 0, 0), EDGE: (7, 0, 0)}
    data = COMPRESSIONS[name](jsonl(pairs(7)))
    Path(name).write_bytes(data)
    assert counts(load(name)) == made
    result = cli("load", "-", "--json", input=data)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["edges"][EDGE]["unchanged"] == 7


def test_concatenated_compressed_files(graph: Connection) -> None:
    first, second = jsonl(datasets(3)), json.dumps(node("Model", "m")).encode()
    for name, pack in COMPRESSIONS.items():
        Path(name).write_bytes(pack(first) + pack(second))
        assert check(name) == (4, 0)


def test_references_forward_to_other_files_and_to_the_graph(graph: Connection) -> None:
    Dataset.upsert(name="stored")
    write(
        [edge("m", "stored"), edge("m", "late"), edge("other", "late"), node("Model", "m")],
        "a.jsonl",
    )
    write([node("Dataset", "late")], "b.jsonl")
    Path("c.yaml").write_text("format: genai_graph/1\nModel:\n  other: {trained_on: [stored]}\n")
    assert counts(load("a.jsonl", "b.jsonl", "c.yaml", batch_size=2)) == {
        "Model": (2, 0, 0),
        "Dataset": (1, 0, 0),
        EDGE: (4, 0, 0),
    }


@pytest.mark.parametrize("options", [{}, {"atomic": False, "batch_size": 10}])
def test_all_errors_of_all_files_are_reported_before_the_first_write(
    graph: Connection, options: dict[str, Any]
) -> None:
    write([*pairs(50), node("Dataset", "d7"), edge("m1", "gone")], "a.jsonl")
    write([node("Model", "m3"), edge("lost", "d1"), node("Model", "new", size="x")], "b.jsonl")
    assert load_errors("a.jsonl", "b.jsonl", **options) == [
        "a.jsonl:152: Dataset 'd7': uid: duplicate (first at a.jsonl:59)",
        "a.jsonl:153: Model 'm1': TRAINED_ON: no Dataset 'gone' is in the files or in the graph",
        "b.jsonl:2: Model 'm3': uid: duplicate (first at a.jsonl:105)",
        "b.jsonl:3: Model 'lost': TRAINED_ON: no Model 'lost' is in the files or in the graph",
        "b.jsonl:4: Model 'new': size: expected an integer, got 'x'",
    ]
    assert size_of_graph() == 0


def test_max_errors_option(graph: Connection, cli: Run) -> None:
    name = write([node("Dataset", f"d{i}", size="x") for i in range(250)])
    for command in ("load", "check"):
        lines = cli(command, name).stderr.splitlines()
        assert (len(lines), lines[-1]) == (101, "and 150 more")
        lines = cli(command, name, "--max-errors", 2).stderr.splitlines()
        assert lines[1:] == [
            "f.jsonl:3: Dataset 'd1': size: expected an integer, got 'x'",
            "and 248 more",
        ]
        assert len(cli(command, name, "--max-errors", 1000).stderr.splitlines()) == 250


@pytest.mark.parametrize(
    ("function", "limits"),
    [(check, {"max_errors": 0}), (load, {"max_errors": -1}), (load, {"batch_size": 0})],
)
def test_invalid_limit_is_rejected_before_files_are_read(
    function: Callable[..., object], limits: dict[str, int]
) -> None:
    [(name, number)] = limits.items()
    with pytest.raises(SettingsError, match=f"{name}: expected at least 1, got {number}"):
        function("no-such-file", **limits)


# Transactions


def test_load_up_to_the_limit_is_one_transaction(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "TRANSACTION_ROWS", 60)
    recorder = StageRecorder()
    load(write(pairs(20)), batch_size=5, progress=recorder)
    assert recorder.messages == []
    assert recorder.seen == {"checking": 0, "nodes": 0, "edges": 0}
    assert size_of_graph() == 40


def test_load_above_the_limit_is_batched_with_a_message(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "TRANSACTION_ROWS", 59)
    recorder = StageRecorder()
    load(write(pairs(20)), batch_size=5, progress=recorder)
    assert recorder.messages == [
        "60 nodes and edges are more than 59: each batch of 5 is written in its own transaction"
    ]
    assert recorder.seen["nodes"] == 0
    assert recorder.seen["edges"] == 40
    assert size_of_graph() == 40


@pytest.mark.any_engine
@pytest.mark.parametrize(
    "line",
    [
        r'{"node": "Model", "uid": "m", "props": {"\ud800": 1}}',
        r'{"node": "Model", "uid": "\ud800"}',
        r'{"edge": "\ud800", "from": ["Model", "m"], "to": ["Dataset", "d"]}',
    ],
)
def test_lone_surrogate_is_rejected(graph: Connection, line: str) -> None:
    Path("f.jsonl").write_text(f'{{"format": "genai_graph/1"}}\n{line}\n')
    with pytest.raises(FixtureError, match=r"^f\.jsonl:2: "):
        load("f.jsonl")


@pytest.mark.any_engine
@pytest.mark.skipif(sys.platform != "linux", reason="requires file names of any bytes")
def test_file_name_that_is_not_utf8(graph: Connection) -> None:
    name = os.fsdecode(b"f\xff.jsonl")
    assert load(write(pairs(2), name)).entities == 6


def large_nodes(number: int) -> list[dict[str, object]]:
    """Return a number of nodes of 8 MB."""
    return [node("Dataset", f"d{i}", description="x" * 8_000_000) for i in range(number)]


@pytest.mark.any_engine
def test_few_rows_with_large_values_are_batched(graph: Connection) -> None:
    Path("f.jsonl.gz").write_bytes(gzip.compress(jsonl(large_nodes(9)), 1))
    recorder = StageRecorder()
    report = load("f.jsonl.gz", progress=recorder)
    assert (report.nodes["Dataset"].created, size_of_graph()) == (9, 9)
    [message] = recorder.messages
    expected = r"7\d,\d{3},\d{3} bytes are more than 67,108,864: each batch of 5,000 is written"
    assert re.match(expected, message)


def test_pages_of_nodes_are_limited_in_bytes(graph: Connection) -> None:
    query(
        "UNWIND $uids AS uid CREATE (:Dataset {uid: uid, name: uid, description: $text})",
        write=True,
        uids=[*"abcde"],
        text="x" * 3_500_000,
    )
    query(
        "UNWIND $uids AS uid CREATE (:Metric {uid: uid, name: uid, steps: range(1, 500000)}) "
        "CREATE (:Model {uid: uid, name: uid, tags: [$text, $text], metadata: $text})",
        write=True,
        uids=[*"abc"],
        text="x" * 1_000_000,
    )
    strange = "CREATE (:Dataset {uid: 'f', description: 5, tags: 'text', metadata: [1]})"
    query(strange, write=True)
    assert [*iter_pages_by_size("Dataset")] == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert [*iter_pages_by_size("Metric")] == [["a"], ["b"], ["c"]]
    assert [*iter_pages_by_size("Model")] == [["a", "b"], ["c"]]
    assert [*iter_pages_by_size("Project")] == []


class AmountRecorder(Progress):
    """Records the amounts of progress."""

    def __init__(self) -> None:
        self.amounts: list[int] = []

    def advance(self, amount: int) -> None:
        self.amounts.append(amount)


@pytest.mark.slow
@pytest.mark.any_engine
def test_batches_of_dump_and_clear_are_limited_in_bytes(graph: Connection) -> None:
    load(write(large_nodes(9)))
    dump("f.cypher")
    assert Path("f.cypher").read_bytes().count(b"UNWIND [") == 5, (
        "two nodes of 8 MB are one statement"
    )
    counter = AmountRecorder()
    assert clear(progress=counter) == {"Dataset": 9}
    assert counter.amounts == [8, 1]


@pytest.mark.any_engine
def test_batched_option(graph: Connection) -> None:
    done = run("load", write(pairs(4)), "--batched", "--batch-size", 3, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["entities"] == 12
    recorder = StageRecorder()
    load(write(pairs(20)), atomic=False, batch_size=5, progress=recorder)
    assert recorder.seen["edges"] > 12


class WriteStartedError(Exception):
    """Stops a load when it starts to write."""


class WriteStopper(Progress):
    def say(self, text: str) -> None:
        if "more than" in text:
            raise WriteStartedError(text)

    def start(self, stage: str, total: int) -> None:
        if stage == "nodes":
            raise WriteStartedError("in one transaction")


@pytest.mark.slow
@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("number", "message"),
    [(100_000, "in one transaction"), (100_001, "100,001 nodes and edges are more than 100,000")],
)
def test_limit_of_one_transaction_is_100000_rows(
    graph: Connection, number: int, message: str
) -> None:
    with pytest.raises(WriteStartedError, match=message):
        load(write(datasets(number)), progress=WriteStopper())
    assert size_of_graph() == 0


def test_atomic_load_above_the_limit_is_one_transaction(
    graph: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "TRANSACTION_ROWS", 0)
    recorder = StageRecorder()
    load(write(pairs(20)), batch_size=5, progress=recorder, atomic=True)
    assert recorder.messages == []
    assert recorder.seen["edges"] == 0
    assert size_of_graph() == 40


@pytest.mark.slow
def test_atomic_load_that_would_stall_the_embedded_engine_is_rejected(
    embedded: Connection, cli: Run
) -> None:
    name = write(datasets(300_001))
    with pytest.raises(MemoryError) as raised:
        load(name, atomic=True)
    assert isinstance(raised.value, TransactionMemoryError)
    message = str(raised.value)
    assert message == (
        "300,001 nodes and edges are more than 300,000, the limit of one transaction in the "
        "embedded engine: load in batches (--batched), outside of a sandbox, or use a Neo4j server"
    )
    result = cli("load", "--atomic", name)
    assert (result.exit_code, result.stderr) == (1, message + "\n")
    assert size_of_graph() == 0


@pytest.mark.slow
def test_atomic_load_that_would_exhaust_the_embedded_engine_is_rejected(
    embedded: Connection,
) -> None:
    name = write(large_nodes(17))
    message = r"136,\d{3},\d{3} bytes are more than 134,217,728, the limit of one transaction"
    with pytest.raises(TransactionMemoryError, match=message):
        load(name, atomic=True)
    assert size_of_graph() == 0
    assert load(name).entities == 17


def test_pauses_between_attempts_grow_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_graph.database import retries, retry

    pauses: list[float] = []
    moment = 0.0

    def sleep(seconds: float) -> None:
        nonlocal moment
        pauses.append(seconds)
        moment += seconds

    monkeypatch.setattr(retries.time, "sleep", sleep)
    monkeypatch.setattr(retries.time, "monotonic", lambda: moment)

    def fail() -> None:
        raise TransientError("deadlock")

    runs: list[list[float]] = []
    for _ in range(2):
        pauses.clear()
        with pytest.raises(TransientError, match=r"deadlock \(tried again for 60 s"):
            retry(fail)
        runs.append(list(pauses))
        assert 52 < sum(pauses) <= 60
        assert pauses[0] < 0.2
        assert 1 < pauses[7] < pauses[6] * 6
    assert runs[0] != runs[1]


def test_transaction_memory_error_is_not_retry() -> None:
    from genai_graph.database import retry

    attempts: list[int] = []

    def fail() -> None:
        attempts.append(1)
        raise TransactionMemoryError("out of memory")

    with pytest.raises(TransactionMemoryError):
        retry(fail)
    assert len(attempts) == 1


# The report


def changed_pairs(number: int) -> list[dict[str, object]]:
    """Return the rows of `pairs` with a third of them changed, and as many new ones."""
    third = number // 3
    return [
        *(edge(f"m{i}", f"d{i}", revision="2") for i in range(third)),
        *pairs(number)[third:number],
        *(edge(f"n{i}", "d0", split="s") for i in range(third)),
        *(node("Dataset", f"d{i}", size=2) for i in range(third)),
        *pairs(number)[number + third :],
        *(node("Model", f"n{i}") for i in range(third)),
    ]


MODES: dict[str, dict[str, Any]] = {
    "one transaction": {"batch_size": 7, "atomic": True},
    "batches": {"batch_size": 7, "atomic": False},
}


@pytest.mark.parametrize("mode", list(MODES))
def test_report_counts_and_timestamps_of_changed_nodes(graph: Connection, mode: str) -> None:
    options = MODES[mode]
    assert counts(load(write(pairs(30)), **options)) == {
        "Dataset": (30, 0, 0),
        "Model": (30, 0, 0),
        EDGE: (30, 0, 0),
    }
    times = "MATCH (n) WHERE NOT n.uid STARTS WITH 'n' RETURN n.uid AS uid, n.updated_at AS time"
    before = {row["uid"]: row["time"] for row in query(times)}
    report = load(write(changed_pairs(30)), **options)
    assert counts(report) == {"Dataset": (0, 10, 20), "Model": (10, 0, 30), EDGE: (10, 10, 20)}
    assert report.entities == 110
    after = {row["uid"]: row["time"] for row in query(times)}
    assert {uid for uid in before if after[uid] != before[uid]} == {f"d{i}" for i in range(10)}
    assert all(after[uid] >= before[uid] for uid in before)
    again = counts(load("f.jsonl", **options))
    assert again == {"Dataset": (0, 0, 30), "Model": (0, 0, 40), EDGE: (0, 0, 40)}
    assert after == {row["uid"]: row["time"] for row in query(times)}


@pytest.mark.parametrize("mode", list(MODES))
def test_edges_of_several_roles_in_several_batches(graph: Connection, mode: str) -> None:
    roles = [
        edge("m3", "d3", role="test"),
        edge("m4", "d4", split="b"),
        edge("m3", "d3", split="a"),
    ]
    name = write([*pairs(20), *roles])
    assert counts(load(name, **MODES[mode]))[EDGE] == (23, 0, 0)
    assert counts(load(name, **MODES[mode]))[EDGE] == (0, 0, 23)
    query("MATCH ()-[r:TRAINED_ON {split: 'a'}]->() DELETE r", write=True)
    query("MATCH ()-[r:TRAINED_ON {split: 'b'}]->() SET r.role = 'training'", write=True)
    changed = [*pairs(20), *roles[:2], edge("m3", "d3", split="a", revision="1")]
    assert counts(load(write(changed), **MODES[mode]))[EDGE] == (1, 0, 22)
    found = query("MATCH (:Model {uid: 'm3'})-[r:TRAINED_ON]->(:Dataset) RETURN properties(r) AS r")
    assert sorted(str(row["r"].get("split")) for row in found) == ["None", "None", "a"]


@pytest.mark.parametrize("mode", list(MODES))
def test_report_as_json(graph: Connection, cli: Run, mode: str) -> None:
    options = MODES[mode]
    load(write(pairs(9)))
    write(changed_pairs(9))
    arguments = ["--batch-size=7", "--atomic" if options["atomic"] else "--batched"]
    result = cli("load", "f.jsonl", "--json", *arguments)
    report = json.loads(result.stdout)
    names = ("created", "changed", "unchanged")
    assert {
        name: tuple(counts[one] for one in names)
        for name, counts in {**report["nodes"], **report["edges"]}.items()
    } == {"Dataset": (0, 3, 6), "Model": (3, 0, 9), EDGE: (3, 3, 6)}
    assert report["entities"] == 33
    assert report["seconds"] > 0
    assert report["entities_per_second"] > 0
    lines = cli("load", "f.jsonl", *arguments).stderr.splitlines()
    assert "Dataset: 0 created, 0 changed, 9 unchanged" in lines
    assert re.fullmatch(r"33 entities in [\d.]+ s \([\d,]+ per second\)", lines[-1])


@pytest.mark.any_engine
@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")
def test_terminal_shows_progress_bars_on_stderr(graph: Connection) -> None:
    import pexpect

    command = f"{sys.executable} -m genai_graph load {write(pairs(3000))} --batched"
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", f"{command} --json > out.json"],
        encoding="utf-8",
        timeout=LIMIT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        dimensions=(24, 100),
        preexec_fn=interruptible,
    )
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", child.read())
    child.close()
    assert child.exitstatus == 0
    for stage in ("checking", "nodes", "edges"):
        assert re.search(rf"{stage} [━╸╺ ]+ +\d+%", shown), shown
    assert "Traceback" not in shown
    assert json.loads(Path("out.json").read_text())["entities"] == 9000


@pytest.mark.any_engine
def test_no_progress_bars_without_a_terminal(graph: Connection) -> None:
    done = run("load", write(pairs(300)), TERM="xterm", FORCE_COLOR="1")
    assert done.returncode == 0
    assert done.stdout == ""
    *lines, last = done.stderr.splitlines()
    assert lines == [
        f"{name}: 300 created, 0 changed, 0 unchanged" for name in ("Dataset", "Model", EDGE)
    ]
    assert last.startswith("900 entities in ")
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr


# Concurrency


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--batched", "--batch-size", "50"]])
def test_six_processes_loading_the_same_file_create_everything_once(
    embedded: Connection, options: list[str]
) -> None:
    scores = [
        {"edge": "HAS", "from": ["Experiment", "run"], "to": ["Metric", f"x{i}"]}
        for i in range(200)
    ]
    values = [node("Metric", f"x{i}", name="loss", value=i) for i in range(200)]
    write([*pairs(400), *scores, *values, node("Experiment", "run")])
    line = [sys.executable, "-m", "genai_graph", "load", "f.jsonl", "--json", *options]
    processes = [
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    outputs = [process.communicate(timeout=LIMIT) for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, outputs
    reports = [json.loads(out) for out, _ in outputs]
    nodes = {"Dataset": 400, "Model": 400, "Metric": 200, "Experiment": 1}
    edges = {EDGE: 400, "Experiment-HAS->Metric": 200}
    for group, sizes in (("nodes", nodes), ("edges", edges)):
        for name, size in sizes.items():
            all_counts = [report[group][name] for report in reports]
            assert sum(counts["created"] for counts in all_counts) == size, name
            assert {sum(counts.values()) for counts in all_counts} == {size}, name
            assert {counts["changed"] for counts in all_counts} == {0}, name
    for label, size in nodes.items():
        (row,) = query(f"MATCH (n:{label}) RETURN count(n) AS all, count(DISTINCT n.uid) AS uids")
        assert row == {"all": size, "uids": size}
    found = query("MATCH (a)-[r]->(b) RETURN a.uid AS a, b.uid AS b")
    assert len(found) == len({(row["a"], row["b"]) for row in found}) == 600


# Unreadable files


def error_line(*arguments: object, **environment: str) -> str:
    """Run a command that must exit with 1, and return its only line on stderr."""
    done = run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("requires the mount command")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"requires root to mount a small disk: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.any_engine
def test_full_temporary_disk_while_copying_standard_input(
    graph: Connection, small_disk: Path
) -> None:
    write(datasets(5000))
    for command in ("load", "check"):
        with Path("f.jsonl").open("rb") as stdin:
            done = subprocess.run(
                [sys.executable, "-m", "genai_graph", command, "-"],
                stdin=stdin,
                env={**os.environ, "TMPDIR": str(small_disk)},
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"<stdin>: can't be copied to {small_disk}: No space left on device: "
            "set TMPDIR to a larger disk\n"
        )
        assert list(small_disk.iterdir()) == [], "the copy is removed"
    assert size_of_graph() == 0


def test_closed_standard_input() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m genai_graph check - <&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "<stdin>: can't be read: it is closed\n")


def test_file_without_read_permission() -> None:
    write(datasets(1))
    Path("f.jsonl").chmod(0)
    if os.access("f.jsonl", os.R_OK):
        pytest.skip("this user may read everything")
    assert error_line("check", "f.jsonl") == "f.jsonl: can't be read: Permission denied"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="requires /proc")
def test_read_error_is_reported_with_errors_of_other_files() -> None:
    Path("mem.jsonl").symlink_to("/proc/self/mem")
    write([node("Dataset", "d", size="x"), edge("m", "d")], "a.jsonl")
    assert error_line("check", "mem.jsonl") == "mem.jsonl: can't be read: Input/output error"
    assert run("check", "a.jsonl", "mem.jsonl").stderr.splitlines() == [
        "a.jsonl:2: Dataset 'd': size: expected an integer, got 'x'",
        "mem.jsonl: can't be read: Input/output error",
    ]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="requires Unix sockets")
def test_socket_is_not_a_file() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.jsonl")
        assert error_line("check", "s.jsonl") == "s.jsonl: can't be read: No such device or address"


CUT = "Compressed file ended before the end-of-stream marker was reached"


@pytest.mark.slow
@pytest.mark.any_engine
@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_truncated_compressed_file_is_one_error(graph: Connection, suffix: str) -> None:
    # The edges come first, and must not be reported for missing nodes.
    data = COMPRESSIONS[f"f.jsonl.{suffix}"](jsonl(pairs(12_000)))
    name = f"f.jsonl.{suffix}"
    Path(name).write_bytes(data[: len(data) // 2])
    for command in ("load", "check"):
        line = error_line(command, name)
        found = re.fullmatch(rf"{name}:(\d+): can't be decompressed: {CUT}", line)
        assert found, line
        assert 6_000 < int(found[1]) < 30_000  # of 36,000 lines
    assert size_of_graph() == 0


@pytest.mark.slow
@pytest.mark.any_engine
@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_corrupt_compressed_file(graph: Connection, suffix: str) -> None:
    name = f"f.jsonl.{suffix}"
    data = bytearray(COMPRESSIONS[name](jsonl(pairs(12_000))))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    Path(name).write_bytes(data)
    done = run("load", name)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    # The damaged part may look like many invalid lines; the cause is always listed.
    cause = rf"{name}:\d+: can't be decompressed: "
    assert len([line for line in lines if re.match(cause, line)]) == 1, lines[-2:]
    assert not [line for line in lines if "is in the files" in line]
    assert size_of_graph() == 0


@pytest.mark.slow
@pytest.mark.any_engine
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires named pipes")
@pytest.mark.parametrize("name", list(COMPRESSIONS))
def test_named_pipe(graph: Connection, name: str) -> None:
    os.mkfifo(name)
    writer = threading.Thread(
        target=Path(name).write_bytes, args=[COMPRESSIONS[name](jsonl(pairs(500)))]
    )
    writer.start()
    done = run("load", name, "--json")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["entities"] == 1500


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires named pipes")
def test_error_in_a_named_pipe_has_its_line(graph: Connection) -> None:
    os.mkfifo("f.jsonl")
    rows = [*pairs(5), node("Model", "m", size="x")]
    writer = threading.Thread(target=Path("f.jsonl").write_bytes, args=[jsonl(rows)])
    writer.start()
    assert (
        error_line("load", "f.jsonl") == "f.jsonl:17: Model 'm': size: expected an integer, got 'x'"
    )
    writer.join()
    assert size_of_graph() == 0
