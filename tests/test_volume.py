"""Loading at size: streams checked as a whole, transactions, the report, and what can't be read."""

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
from test_load import counts, errors_of, everything, size_of_graph

from genai_graph import Connection, Dataset, check, clear, dump, load, query
from genai_graph.errors import (
    FixtureError,
    GraphNotEmptyError,
    SettingsError,
    TransactionMemoryError,
    TransientError,
)
from genai_graph.exchange.progress import Progress
from genai_graph.storage.scans import iter_pages_by_size

LIMIT = 120
LOADERS = 6
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
    """Return so many edges, then the two nodes of each."""
    return [
        *(edge(f"m{i}", f"d{i}", role="training") for i in range(number)),
        *(node("Dataset", f"d{i}", size=size) for i in range(number)),
        *(node("Model", f"m{i}", size=size) for i in range(number)),
    ]


def datasets(number: int) -> list[dict[str, object]]:
    return [node("Dataset", f"d{i}") for i in range(number)]


class Watcher(Progress):
    """Notes what is said, and how many nodes others see when each stage begins."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.seen: dict[str, int] = {}

    def say(self, text: str) -> None:
        assert "nodes" not in self.seen, "it must be said before the writing"
        self.said.append(text)

    def start(self, stage: str, total: int) -> None:
        with ThreadPoolExecutor(1) as other:  # which is in no transaction
            self.seen[stage] = other.submit(size_of_graph).result()


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "genai_graph", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


# A stream of lines


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "f.jsonl": bytes,
    "f.jsonl.gz": gzip.compress,
    "f.jsonl.xz": lzma.compress,
}


@pytest.mark.parametrize("name", list(PACKED))
def test_lines_come_from_files_and_from_standard_input_also_compressed(
    graph: Connection, cli: Run, name: str
) -> None:
    made = {"Dataset": (7, 0, 0), "Model": (7, 0, 0), EDGE: (7, 0, 0)}
    data = PACKED[name](jsonl(pairs(7)))
    Path(name).write_bytes(data)
    assert counts(load(name)) == made
    result = cli("load", "-", "--json", input=data)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["edges"][EDGE]["unchanged"] == 7


def test_parts_that_were_compressed_one_by_one_are_one_file(graph: Connection) -> None:
    first, second = jsonl(datasets(3)), json.dumps(node("Model", "m")).encode()
    for name, pack in PACKED.items():
        Path(name).write_bytes(pack(first) + pack(second))
        assert check(name) == (4, 0)


def test_edges_refer_forward_to_other_files_and_to_the_graph(graph: Connection) -> None:
    Dataset.upsert(name="there")
    write(
        [edge("m", "there"), edge("m", "late"), edge("other", "late"), node("Model", "m")],
        "a.jsonl",
    )
    write([node("Dataset", "late")], "b.jsonl")
    Path("c.yaml").write_text("format: genai_graph/1\nModel:\n  other: {trained_on: [there]}\n")
    assert counts(load("a.jsonl", "b.jsonl", "c.yaml", batch_size=2)) == {
        "Model": (2, 0, 0),
        "Dataset": (1, 0, 0),
        EDGE: (4, 0, 0),
    }


@pytest.mark.parametrize("options", [{}, {"transaction_limit": 0, "batch_size": 10}])
def test_all_faults_of_all_files_are_told_before_the_first_write(
    graph: Connection, options: dict[str, Any]
) -> None:
    write([*pairs(50), node("Dataset", "d7"), edge("m1", "gone")], "a.jsonl")
    write([node("Model", "m3"), edge("lost", "d1"), node("Model", "new", size="x")], "b.jsonl")
    assert errors_of("a.jsonl", "b.jsonl", **options) == [
        "a.jsonl:152: Dataset 'd7': uid: stands twice (first at a.jsonl:59): keep one",
        "a.jsonl:153: Model 'm1': TRAINED_ON: no Dataset 'gone' is in the files or in the graph",
        "b.jsonl:2: Model 'm3': uid: stands twice (first at a.jsonl:105): keep one",
        "b.jsonl:3: Model 'lost': TRAINED_ON: no Model 'lost' is in the files or in the graph",
        "b.jsonl:4: Model 'new': size: expected an integer, got 'x'",
    ]
    assert size_of_graph() == 0


def test_the_number_of_faults_that_are_told_can_be_set(graph: Connection, cli: Run) -> None:
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
    ("work", "limits", "least"),
    [
        (check, {"max_errors": 0}, 1),
        (load, {"max_errors": -1}, 1),
        (load, {"batch_size": 0}, 1),
        (load, {"transaction_limit": -1}, 0),
    ],
)
def test_a_limit_that_is_none_is_refused_before_anything_is_read(
    work: Callable[..., object], limits: dict[str, int], least: int
) -> None:
    [(name, number)] = limits.items()
    with pytest.raises(SettingsError, match=f"{name}: expected at least {least}, got {number}"):
        work("no-such-file", **limits)


# Transactions


def test_up_to_the_limit_a_load_is_one_transaction(graph: Connection) -> None:
    watcher = Watcher()
    load(write(pairs(20)), transaction_limit=60, batch_size=5, progress=watcher)
    assert watcher.said == []
    assert watcher.seen == {"checking": 0, "nodes": 0, "edges": 0}
    assert size_of_graph() == 40


def test_above_it_each_batch_is_one_and_that_is_said_before(graph: Connection) -> None:
    watcher = Watcher()
    load(write(pairs(20)), transaction_limit=59, batch_size=5, progress=watcher)
    assert watcher.said == [
        "60 nodes and edges are more than 59: each batch of 5 is a transaction of its own"
    ]
    # The last batch of nodes is on its way when the edges are read.
    assert watcher.seen["nodes"] == 0
    assert watcher.seen["edges"] == 40
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
def test_half_of_a_character_is_a_fault_of_a_load_too(graph: Connection, line: str) -> None:
    Path("f.jsonl").write_text(f'{{"format": "genai_graph/1"}}\n{line}\n')
    with pytest.raises(FixtureError, match=r"^f\.jsonl:2: "):
        load("f.jsonl")


@pytest.mark.any_engine
@pytest.mark.skipif(sys.platform != "linux", reason="a file name of any bytes")
def test_a_file_whose_name_is_no_text_is_loaded(graph: Connection) -> None:
    name = os.fsdecode(b"f\xff.jsonl")
    assert load(write(pairs(2), name)).entities == 6


def large_texts(number: int) -> list[dict[str, object]]:
    """Return so many nodes of 8 MB."""
    return [node("Dataset", f"d{i}", description="x" * 8_000_000) for i in range(number)]


@pytest.mark.any_engine
def test_few_rows_with_large_values_are_batches_too(graph: Connection) -> None:
    Path("f.jsonl.gz").write_bytes(gzip.compress(jsonl(large_texts(9)), 1))
    watcher = Watcher()
    report = load("f.jsonl.gz", progress=watcher)
    assert (report.nodes["Dataset"].created, size_of_graph()) == (9, 9)
    [said] = watcher.said
    begun = r"7\d,\d{3},\d{3} bytes are more than 67,108,864: each batch of 5,000 is a transaction"
    assert re.match(begun, said)


def test_nodes_are_read_as_many_at_a_time_as_an_engine_holds(graph: Connection) -> None:
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


class Counter(Progress):
    """Notes how much was done at a time."""

    def __init__(self) -> None:
        self.amounts: list[int] = []

    def advance(self, amount: int) -> None:
        self.amounts.append(amount)


@pytest.mark.any_engine
def test_what_is_written_and_deleted_at_a_time_is_bounded_in_bytes(graph: Connection) -> None:
    load(write(large_texts(9)))
    dump("f.cypher")
    assert Path("f.cypher").read_bytes().count(b"UNWIND [") == 5, "two of 8 MB are one statement"
    counter = Counter()
    assert clear(progress=counter) == {"Dataset": 9}
    assert counter.amounts == [8, 1]


@pytest.mark.any_engine
def test_the_command_line_says_it_on_stderr(graph: Connection) -> None:
    done = run("load", write(pairs(4)), "--transaction-limit", 11, "--batch-size", 3, "--json")
    assert done.returncode == 0
    assert done.stderr == (
        "12 nodes and edges are more than 11: each batch of 3 is a transaction of its own\n"
    )
    assert json.loads(done.stdout)["entities"] == 12


class BeginningError(Exception):
    """A load that begins to write, stopped there."""


class Stopper(Progress):
    def say(self, text: str) -> None:
        if "more than" in text:
            raise BeginningError(text)

    def start(self, stage: str, total: int) -> None:
        if stage == "nodes":
            raise BeginningError("in one transaction")


@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("number", "begun"),
    [(100_000, "in one transaction"), (100_001, "100,001 nodes and edges are more than 100,000")],
)
def test_the_limit_is_a_hundred_thousand_unless_it_is_set(
    graph: Connection, number: int, begun: str
) -> None:
    with pytest.raises(BeginningError, match=begun):
        load(write(datasets(number)), progress=Stopper())
    assert size_of_graph() == 0


@pytest.mark.parametrize("options", [{"atomic": True}, {"atomic": True, "transaction_limit": 0}])
def test_atomic_makes_one_transaction_of_any_load(
    graph: Connection, options: dict[str, Any]
) -> None:
    watcher = Watcher()
    load(write(pairs(20)), batch_size=5, progress=watcher, **options)
    assert watcher.said == []
    assert watcher.seen["edges"] == 0
    assert size_of_graph() == 40


def test_atomic_is_refused_where_the_embedded_engine_would_not_end(
    embedded: Connection, cli: Run
) -> None:
    name = write(datasets(300_001))
    with pytest.raises(MemoryError) as raised:
        load(name, atomic=True)
    assert isinstance(raised.value, TransactionMemoryError)
    message = str(raised.value)
    assert message == (
        "300,001 nodes and edges are more than 300,000, the most in one transaction of the "
        "embedded engine: load them without atomic, with a transaction_limit below that, or on a "
        "Neo4j server"
    )
    result = cli("load", "--atomic", name)
    assert (result.exit_code, result.stderr) == (1, message + "\n")
    assert size_of_graph() == 0


def test_so_it_is_where_its_memory_would_not_hold_the_values(embedded: Connection) -> None:
    name = write(large_texts(17))
    refused = r"136,\d{3},\d{3} bytes are more than 134,217,728, the most in one transaction of the"
    with pytest.raises(TransactionMemoryError, match=refused):
        load(name, atomic=True)
    assert size_of_graph() == 0
    assert load(name).entities == 17


def test_the_pauses_between_tries_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_graph.database import retry as retried
    from genai_graph.database import transaction

    pauses: list[float] = []
    monkeypatch.setattr(transaction.time, "sleep", pauses.append)

    def give_up() -> None:
        raise TransientError("by chance")

    for _ in range(2):
        with pytest.raises(TransientError, match="by chance"):
            retried(give_up)
    first, second = pauses[:7], pauses[7:]
    assert len(pauses) == 14
    assert first != second
    assert first[0] < 0.2
    assert 3 < first[-1] < 10


def test_a_transaction_too_large_for_the_server_is_not_tried_again() -> None:
    from genai_graph.database import retry as retried

    tries: list[int] = []

    def fill() -> None:
        tries.append(1)
        raise TransactionMemoryError("used up")

    with pytest.raises(TransactionMemoryError):
        retried(fill)
    assert len(tries) == 1


# The report


def changing(number: int) -> list[dict[str, object]]:
    """Return what `pairs` returns with a third changed, and as many new ones."""
    third = number // 3
    return [
        *(edge(f"m{i}", f"d{i}", role="test") for i in range(third)),
        *pairs(number)[third:number],
        *(edge(f"n{i}", "d0", split="s") for i in range(third)),
        *(node("Dataset", f"d{i}", size=2) for i in range(third)),
        *pairs(number)[number + third :],
        *(node("Model", f"n{i}") for i in range(third)),
    ]


MODES: dict[str, dict[str, Any]] = {
    "one transaction": {"batch_size": 7},
    "batches": {"batch_size": 7, "transaction_limit": 0},
}


@pytest.mark.parametrize("mode", list(MODES))
def test_the_report_tells_created_changed_and_unchanged_and_only_the_changed_get_a_new_time(
    graph: Connection, mode: str
) -> None:
    options = MODES[mode]
    assert counts(load(write(pairs(30)), **options)) == {
        "Dataset": (30, 0, 0),
        "Model": (30, 0, 0),
        EDGE: (30, 0, 0),
    }
    times = "MATCH (n) WHERE NOT n.uid STARTS WITH 'n' RETURN n.uid AS uid, n.updated_at AS time"
    before = {row["uid"]: row["time"] for row in query(times)}
    report = load(write(changing(30)), **options)
    assert counts(report) == {"Dataset": (0, 10, 20), "Model": (10, 0, 30), EDGE: (10, 10, 20)}
    assert report.entities == 110
    after = {row["uid"]: row["time"] for row in query(times)}
    assert {uid for uid in before if after[uid] != before[uid]} == {f"d{i}" for i in range(10)}
    assert all(after[uid] >= before[uid] for uid in before)
    again = counts(load("f.jsonl", **options))
    assert again == {"Dataset": (0, 0, 30), "Model": (0, 0, 40), EDGE: (0, 0, 40)}
    assert after == {row["uid"]: row["time"] for row in query(times)}


@pytest.mark.parametrize("mode", list(MODES))
def test_an_edge_that_stands_in_several_batches_is_one_in_the_report(
    graph: Connection, mode: str
) -> None:
    rows = pairs(20)
    rows += [edge("m3", "d3", role="test"), edge("m4", "d4"), edge("m3", "d3", split="s")]
    name = write(rows)
    assert counts(load(name, **MODES[mode]))[EDGE] == (20, 0, 0)
    assert counts(load(name, **MODES[mode]))[EDGE] == (0, 0, 20)
    query("MATCH ()-[r:TRAINED_ON {split: 's'}]->() SET r.role = 'validation'", write=True)
    assert counts(load(name, **MODES[mode]))[EDGE] == (0, 1, 19)
    found = query(
        "MATCH (m:Model)-[r:TRAINED_ON]->(:Dataset) RETURN m.uid AS uid, properties(r) AS r"
    )
    assert len(found) == 20
    assert {"uid": "m3", "r": {"role": "test", "split": "s"}} in found


@pytest.mark.parametrize("mode", list(MODES))
def test_the_report_is_the_same_in_json(graph: Connection, cli: Run, mode: str) -> None:
    options = MODES[mode]
    load(write(pairs(9)))
    write(changing(9))
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    result = cli("load", "f.jsonl", "--json", *arguments)
    told = json.loads(result.stdout)
    names = ("created", "changed", "unchanged")
    assert {
        name: tuple(tally[one] for one in names)
        for name, tally in {**told["nodes"], **told["edges"]}.items()
    } == {"Dataset": (0, 3, 6), "Model": (3, 0, 9), EDGE: (3, 3, 6)}
    assert told["entities"] == 33
    assert told["seconds"] > 0
    assert told["entities_per_second"] > 0
    lines = cli("load", "f.jsonl", *arguments).stderr.splitlines()
    assert "Dataset: 0 created, 0 changed, 9 unchanged" in lines
    assert re.fullmatch(r"33 entities in [\d.]+ s \([\d,]+ a second\)", lines[-1])


@pytest.mark.any_engine
@pytest.mark.skipif(sys.platform == "win32", reason="pexpect needs a Unix terminal")
def test_a_terminal_shows_bars_on_stderr_and_clean_data_on_stdout(graph: Connection) -> None:
    import pexpect

    command = f"{sys.executable} -m genai_graph load {write(pairs(3000))} --transaction-limit 0"
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
    assert "9,000 nodes and edges are more than 0" in shown
    for stage in ("checking", "nodes", "edges"):
        assert re.search(rf"{stage} [━╸╺ ]+ +\d+%", shown), shown
    assert "Traceback" not in shown
    assert json.loads(Path("out.json").read_text())["entities"] == 9000


@pytest.mark.any_engine
def test_a_pipe_gets_no_bars(graph: Connection) -> None:
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


# --create


def test_create_takes_an_empty_graph_and_refuses_another(graph: Connection, cli: Run) -> None:
    name = write(pairs(3))
    assert cli("load", name, "--create").exit_code == 0
    before = everything()
    result = cli("load", write(pairs(5)), "--create")
    assert result.exit_code == 1
    assert result.stderr == (
        "create is for an empty graph, and this one has nodes of Dataset, Model: "
        "load without create to merge with them, or clear the graph first\n"
    )
    assert everything() == before
    with pytest.raises(GraphNotEmptyError):
        load(name, create=True, dry_run=True)


# Several at once


@pytest.mark.parametrize("options", [[], ["--transaction-limit", "0", "--batch-size", "50"]])
def test_six_loaders_of_one_file_leave_nothing_twice_and_no_error(
    embedded: Connection, options: list[str]
) -> None:
    scores = [
        {"edge": "HAS", "from": ["Experiment", "run"], "to": ["Metric", f"x{i}"]}
        for i in range(200)
    ]
    values = [node("Metric", f"x{i}", name="loss", value=i) for i in range(200)]
    write([*pairs(400), *scores, *values, node("Experiment", "run")])
    line = [sys.executable, "-m", "genai_graph", "load", "f.jsonl", "--json", *options]
    loaders = [
        subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(LOADERS)
    ]
    outputs = [loader.communicate(timeout=LIMIT) for loader in loaders]
    assert [loader.returncode for loader in loaders] == [0] * LOADERS, outputs
    reports = [json.loads(out) for out, _ in outputs]
    expected = {"Dataset": 400, "Model": 400, "Metric": 200, "Experiment": 1}
    kinds = {EDGE: 400, "Experiment-HAS->Metric": 200}
    for group, sizes in (("nodes", expected), ("edges", kinds)):
        for name, size in sizes.items():
            tallies = [report[group][name] for report in reports]
            assert sum(tally["created"] for tally in tallies) == size, name
            assert {sum(tally.values()) for tally in tallies} == {size}, name
            assert {tally["changed"] for tally in tallies} == {0}, name
    for label, size in expected.items():
        (row,) = query(f"MATCH (n:{label}) RETURN count(n) AS all, count(DISTINCT n.uid) AS uids")
        assert row == {"all": size, "uids": size}
    found = query("MATCH (a)-[r]->(b) RETURN a.uid AS a, b.uid AS b")
    assert len(found) == len({(row["a"], row["b"]) for row in found}) == 600


# What can't be read to its end


def told(*arguments: object, **environment: str) -> str:
    """Run a command that must end with 1, and return the one line that it says."""
    done = run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command here")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"only root may mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.any_engine
def test_a_full_disk_under_standard_input_is_told(graph: Connection, small_disk: Path) -> None:
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
            "<stdin>:1: can't be copied to the folder for temporary files (TMPDIR): "
            "No space left on device\n"
        )
        assert list(small_disk.iterdir()) == [], "the copy is removed"
    assert size_of_graph() == 0


def test_a_closed_standard_input_is_told() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m genai_graph check - <&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "<stdin>:1: can't be read: it is closed\n")


def test_a_file_that_may_not_be_read_is_told() -> None:
    write(datasets(1))
    Path("f.jsonl").chmod(0)
    if os.access("f.jsonl", os.R_OK):
        pytest.skip("this user may read everything")
    assert told("check", "f.jsonl") == "f.jsonl:1: can't be read: Permission denied"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no such file here")
def test_a_file_whose_reading_fails_is_told_with_the_faults_of_the_others() -> None:
    Path("mem.jsonl").symlink_to("/proc/self/mem")
    write([node("Dataset", "d", size="x"), edge("m", "d")], "a.jsonl")
    assert told("check", "mem.jsonl") == "mem.jsonl:1: can't be read: Input/output error"
    assert run("check", "a.jsonl", "mem.jsonl").stderr.splitlines() == [
        "a.jsonl:2: Dataset 'd': size: expected an integer, got 'x'",
        "mem.jsonl:1: can't be read: Input/output error",
    ]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets here")
def test_what_is_no_file_at_all_is_told() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.jsonl")
        assert told("check", "s.jsonl") == "s.jsonl:1: can't be read: No such device or address"


CUT = "Compressed file ended before the end-of-stream marker was reached"


@pytest.mark.any_engine
@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_a_compressed_file_that_was_cut_short_is_told_in_one_line(
    graph: Connection, suffix: str
) -> None:
    # The edges come first: that their nodes are missing is not what is wrong.
    data = PACKED[f"f.jsonl.{suffix}"](jsonl(pairs(12_000)))
    name = f"f.jsonl.{suffix}"
    Path(name).write_bytes(data[: len(data) // 2])
    for command in ("load", "check"):
        line = told(command, name)
        assert re.fullmatch(
            rf"{name}:\d+: the compressed data can't be read further: {CUT}", line
        ), line
    assert size_of_graph() == 0


@pytest.mark.any_engine
@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_a_corrupt_compressed_file_is_told_where_it_can_not_be_read(
    graph: Connection, suffix: str
) -> None:
    name = f"f.jsonl.{suffix}"
    data = bytearray(PACKED[name](jsonl(pairs(12_000))))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    Path(name).write_bytes(data)
    done = run("load", name)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    # What was damaged may look like many bad lines: the cause is told all the same.
    cause = rf"{name}:\d+: the compressed data can't be read further: "
    assert len([line for line in lines if re.match(cause, line)]) == 1, lines[-2:]
    assert not [line for line in lines if "is in the files" in line]
    assert size_of_graph() == 0


@pytest.mark.any_engine
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize("name", list(PACKED))
def test_a_named_pipe_is_loaded_as_a_file_is(graph: Connection, name: str) -> None:
    os.mkfifo(name)
    writer = threading.Thread(target=Path(name).write_bytes, args=[PACKED[name](jsonl(pairs(500)))])
    writer.start()
    done = run("load", name, "--json")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["entities"] == 1500


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_named_pipe_with_a_fault_is_told_with_its_line(graph: Connection) -> None:
    os.mkfifo("f.jsonl")
    rows = [*pairs(5), node("Model", "m", size="x")]
    writer = threading.Thread(target=Path("f.jsonl").write_bytes, args=[jsonl(rows)])
    writer.start()
    assert told("load", "f.jsonl") == "f.jsonl:17: Model 'm': size: expected an integer, got 'x'"
    writer.join()
    assert size_of_graph() == 0
