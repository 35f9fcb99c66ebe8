"""Runs: journals, sending them in the background and by command, kills, forks and threads."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Run as RunCommand

import genai_graph
from genai_graph import (
    Dataset,
    Experiment,
    Metric,
    Model,
    Project,
    Run,
    dump,
    load,
    query,
    start_run,
    verify,
)
from genai_graph.database import Connection
from genai_graph.errors import PropertyError, PropertyTypeError, RunError
from genai_graph.runs.journal_files import find_journals
from genai_graph.runs.sending import send_journal

CLOSED_PORT = "bolt://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_journals_before() -> Iterator[None]:
    yield
    for journal in find_journals():
        journal.delete()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_GRAPH_OFFLINE", "1")


def history(uid: str) -> dict[int, float]:
    metric = Metric.nodes.get(uid=uid)
    return dict(zip(metric.steps, metric.values, strict=True))


def test_run_in_a_block(graph: Connection) -> None:
    data = Dataset(name="tx", version="1", num_rows=5).save()
    with start_run(
        "xgb", project="fraud", parameters={"depth": 6}, tags={"team": "risk"}, random_seed=7
    ) as run:
        run.use(data, role="training", split="train")
        run.use("tx@2", role="other")
        for step in range(3):
            run.log_metric("loss", 1 / (step + 1), step=step, greater_is_better=False)
            run.log_metrics({"val/auc": step / 10, "lr": 0.1}, step=step)
        run.log_metric("f1", 0.5, dataset=data, split="test", model="m@1", unit="%")
        run.log_model(Model(name="m", version="1", framework="xgboost"))
        run.log_parameters({"eta": 0.3})
        run.log_results({"note": "ok"})
        run.set_tags(["gpu"])
    saved = run.experiment
    assert (saved.name, saved.status, saved.random_seed) == ("xgb", "FINISHED", 7)
    assert saved.started_at < saved.ended_at
    assert saved.parameters == {"depth": 6, "eta": 0.3}
    assert saved.results == {"note": "ok"}
    assert saved.tags == ["team=risk", "gpu"]
    assert saved.environment["packages"]["genai_graph"] == genai_graph.__version__
    assert saved.created_by
    assert [node.uid for node in saved.projects] == ["fraud"]
    assert history(f"{run.uid}/loss") == {0: 1.0, 1: 0.5, 2: 1 / 3}
    assert history(f"{run.uid}/val%2Fauc") == {0: 0.0, 1: 0.1, 2: 0.2}
    assert Metric.nodes.get(name="loss").greater_is_better is False
    score = Metric.nodes.get(name="f1")
    assert (score.uid, score.unit) == (f"{run.uid}/f1/tx@1/test/m@1", "%")
    assert score.dataset.get() == data
    model = Model.nodes.get(uid="m@1")
    assert score.model.get() == model
    assert model.framework == "xgboost"
    (edge,) = model.trained_on.edges()
    assert (edge.end_node(), edge.role, edge.split) == (data, "training", "train")
    assert Dataset.nodes.get(uid="tx@1").num_rows == 5
    assert not list(verify())


@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("error", "status", "results"),
    [
        (ValueError("secret"), "FAILED", {"error": "ValueError"}),
        (RunError("x"), "FAILED", {"error": "genai_graph.errors.RunError"}),
        (SystemExit(2), "FAILED", {"error": "SystemExit"}),
        (SystemExit(0), "FINISHED", {}),
        (KeyboardInterrupt(), "KILLED", {"error": "KeyboardInterrupt"}),
    ],
)
def test_run_that_ends_by_an_exception(
    graph: Connection, error: BaseException, status: str, results: dict[str, str]
) -> None:
    with pytest.raises(type(error)), start_run() as run:
        raise error
    assert (run.experiment.status, run.experiment.results) == (status, results)


@pytest.mark.any_engine
def test_nested_runs(graph: Connection) -> None:
    with start_run("sweep", project="p") as outer:
        with start_run("trial") as inner:
            inner.log_metric("loss", 1.0)
        other = start_run("other", parent=inner)
        other.finish()
        start_run(resume=other.uid).finish()  # keeps its parent
    after = start_run("after")
    after.finish()
    assert inner.experiment.part_of.get().uid == outer.uid
    assert other.experiment.part_of.get().uid == inner.uid
    assert not list(after.experiment.part_of)
    assert Project.nodes.count() == 1


@pytest.mark.any_engine
def test_run_in_a_transaction_is_sent_after_it(graph: Connection) -> None:
    with genai_graph.atomic():
        Experiment(uid="other").save()
        with start_run(uid="r") as run:
            run.log_metric("loss", 1.0)
    deadline = time.monotonic() + 60
    while not Experiment.nodes.filter(uid="r", status="FINISHED").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert history("r/loss") == {0: 1.0}


@pytest.mark.any_engine
def test_steps_are_counted(graph: Connection) -> None:
    run = start_run(uid="r")
    for value in (1.0, 2, 3.0):
        run.log_metric("loss", value)
    run.log_metric("loss", float("-inf"), step=10)
    run.log_metric("loss", 5.0)
    run.finish()
    run.finish()
    expected = {0: 1.0, 1: 2.0, 2: 3.0, 10: float("-inf"), 11: 5.0}
    assert history("r/loss") == expected
    with pytest.raises(RunError, match=r"run 'r' is finished: start_run\(resume='r'\)"):
        run.log_metric("loss", 1.0)
    with start_run(resume="r", parameters={"more": 1}) as run:
        assert Experiment.nodes.get(uid="r").status in ("RUNNING", "FINISHED")
        run.log_metric("loss", 6.0)
        with pytest.raises(RunError, match="run 'r' is open in this process"):
            start_run(resume="r")
    assert history("r/loss") == {**expected, 12: 6.0}
    assert run.experiment.status == "FINISHED"


def test_invalid_values(offline: None) -> None:
    with start_run() as run:
        for arguments, message in [
            (("loss", "high"), "Metric.value: expected a number, got 'high'"),
            (("loss", True), "Metric.value: expected a number, got True"),
            (("loss", 1.0, "1"), "Metric.step: expected an integer, got '1'"),
            (("loss", 1.0, 2**63), "Metric.step: expected an integer, got 9223372036854775808"),
        ]:
            for _ in range(2):
                with pytest.raises(PropertyTypeError) as raised:
                    run.log_metric(*arguments)  # type: ignore[arg-type]
                assert str(raised.value) == message
            run.log_metric("loss", 0.0)  # a metric that is declared
        with pytest.raises(PropertyError, match="parameters"):
            run.log_parameters({"x": object()})
        with pytest.raises(PropertyError, match="role: expected one of"):
            run.use("tx", role="train")
        run.log_parameters({"y": 1})
    assert Path(run.journal or "").stat().st_mode & 0o077 == 0
    with pytest.raises(RunError, match="uid is for a new run"):
        start_run(uid="a", resume="b")
    with pytest.raises(RunError, match="keeps its parent"):
        start_run(parent="a", resume="b")
    with pytest.raises(RunError, match="part of itself"):
        start_run(uid="a", parent="a")


@pytest.mark.any_engine
def test_refused_values_do_not_stop_the_sending(graph: Connection) -> None:
    """Values that the graph would reject raise an error at the call: journals can be sent."""
    run = start_run(uid="r" * 4000)
    run.log_metric("loss", 1.0, step=2**63 - 1)
    for name, value, step, message in [
        ("loss", 1.0, None, "Metric.step: expected an integer, got 9223372036854775808"),
        ("m" * 5000, 1.0, None, "Metric.uid: "),
        (None, 1.0, None, "Metric.name: expected a string, got nothing"),
    ]:
        with pytest.raises(PropertyError, match=message):
            run.log_metric(name, value, step)  # type: ignore[arg-type]
    for metrics, message in [
        ({"a": []}, "'a': expected at least"),
        ({"m" * 7990: 1}, "Metric.uid: "),
    ]:
        with pytest.raises(PropertyError, match=message):
            run.log_part(metrics=metrics)
    for status in ("RUNNING", "DONE"):
        with pytest.raises(PropertyError, match=f"expected one of FINISHED, .* got '{status}'"):
            run.finish(status)
    run.log_metric("loss", 0.5, step=3)
    run.finish("KILLED")
    assert run.experiment.status == "KILLED"
    assert history(f"{run.uid}/loss") == {3: 0.5, 2**63 - 1: 1.0}


def test_offline_runs_are_sent_by_command(
    graph: Connection, offline: None, cli: RunCommand
) -> None:
    with start_run("a", uid="r/1") as run:
        run.log_metric("loss", 0.5, step=3)
        run.log_parameters({"lr": 0.1})
    assert not Experiment.nodes.exists()
    row = json.loads(cli("runs", "list").stdout)
    assert (row["run"], row["name"], row["process"]) == ("r/1", "a", "running")
    assert row["unsent"] == row["bytes"]
    shown = cli("runs", "show", "r/1")
    assert 'parameters: {"lr": 0.1}' in shown.stderr
    assert json.loads(shown.stdout) == {
        "metric": "r%2F1/loss",
        "points": 1,
        "step": 3,
        "value": 0.5,
    }
    assert json.loads(cli("runs", "show", "r/1", "--format", "json").stdout)["status"] == "FINISHED"
    assert cli("runs", "sync").stderr == "r/1: sent 6 lines\n"
    assert cli("runs", "sync", "r/1").stderr == ""
    assert run.experiment.status == "FINISHED"
    assert json.loads(cli("runs", "list").stdout)["unsent"] == 0
    before = dump_text()
    assert cli("runs", "sync", "--again").stderr == "r/1: sent 6 lines\n"
    load(str(run.journal))
    assert dump_text() == before
    query("MATCH (n) DETACH DELETE n", write=True)
    load(str(run.journal))
    assert history("r%2F1/loss") == {3: 0.5}
    assert cli("runs", "sync", "r/2").stderr == (
        "run 'r/2': no journal on this machine (did you mean 'r/1'?): see genai-graph runs list\n"
    )
    assert cli("runs", "clean", "--yes").stderr == "nothing to delete\n"  # this process is running


def dump_text() -> str:
    dump("graph.jsonl", overwrite=True)
    return Path("graph.jsonl").read_text()


@pytest.mark.any_engine
def test_database_that_is_down(
    graph: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cli: RunCommand,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("genai_graph.runs.background.current_connection", _raise_unavailable)
        run = start_run(uid="r")
        run.log_metric("loss", 1.0)
        run.finish()
        start_run(uid="s").finish()
    *messages, last = [record.getMessage() for record in caplog.records]
    assert last.startswith("run s: is not completely in the graph (no server)")
    assert messages == [
        "run r: can't be sent to the graph yet; its journal is kept and sent later: no server",
        f"run r: is not completely in the graph (no server): `genai-graph runs sync` sends the "
        f"rest from {run.journal}",
    ]
    assert cli("runs", "sync").exit_code == 0
    assert run.experiment.status == "FINISHED"


def _raise_unavailable() -> None:
    raise genai_graph.errors.UnavailableError("no server")


def test_files_that_are_not_journals(offline: None, cli: RunCommand) -> None:
    """They are ignored, and do not keep the others from being listed."""
    run = start_run()
    run.finish()
    assert run.journal is not None
    for number, owner in enumerate(
        ["", "5", '{"run": 5}', '{"run": "x", "pid": 1, "started": ""}']
    ):
        path = run.journal.with_name(f"x.{number}.jsonl")
        path.write_text(f'{{"format": "genai_graph/1", "journal": {owner}}}\n')
        assert f'"run": "{run.uid}"' in cli("runs", "list").output
        assert "no journal on this machine" in cli("runs", "show", "y").output
        path.unlink()
    link = run.journal.with_name("x.1.jsonl")
    link.symlink_to(link)
    assert f'"run": "{run.uid}"' in cli("runs", "list").output
    link.unlink()


def test_finish_waits_no_longer_than_its_timeout(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("NEO4J_URI", f"bolt://127.0.0.1:{silent.getsockname()[1]}")
        run = start_run(uid="r")
        run.finish(timeout=0.1)
    assert f"{run!r} {caplog.messages[-1]}".startswith(
        "<Run r> run r: is not completely in the graph (not finished after 0.1 s): `genai-graph"
    )


def test_journal_that_cannot_be_sent(graph: Connection, offline: None, cli: RunCommand) -> None:
    """One invalid journal does not keep the others from being sent."""
    with start_run(uid="a") as bad:
        pass
    with start_run(uid="b"):
        pass
    with Path(bad.journal or "").open("a") as file:
        file.write('{"node":"Experiment","uid":"a","props":{"status":"DONE"}}\n')
    result = cli("runs", "sync")
    assert result.exit_code == 1
    assert "status: expected one of" in result.stderr
    assert str(bad.journal) in result.stderr
    shown = cli("runs", "show", "a")
    assert shown.exit_code == 1
    assert "status: expected one of" in shown.stderr
    assert [node.uid for node in Experiment.nodes.all()] == ["b"]


@pytest.mark.slow
@pytest.mark.any_engine
def test_threads_and_two_senders(graph: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genai_graph.runs.sending.PART_BYTES", 2_000)  # many parts
    with start_run(uid="r") as run:

        def log(number: int) -> None:
            for step in range(200):
                run.log_metric("shared", float(step), step=200 * number + step)
                run.log_metric(f"own/{number}", step / 2)
                if step % 20 == 0:
                    run.log_metric("score", 0.5, dataset=f"d{number}@{step}", model=f"m@{step}")

        threads = [threading.Thread(target=log, args=[number]) for number in range(4)]
        senders = [
            threading.Thread(target=lambda: [send_journal(one) for one in find_journals("r")])
            for _ in range(2)
        ]
        for thread in (*threads, *senders):
            thread.start()
        for thread in (*threads, *senders):
            thread.join()
    assert history("r/shared") == {step: float(step % 200) for step in range(800)}
    for number in range(4):
        assert history(f"r/own%2F{number}") == {step: step / 2 for step in range(200)}
    assert Metric.nodes.filter(name="score").count() == 40
    assert not list(verify())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.any_engine
def test_processes_log_to_one_run(graph: Connection, method: str) -> None:
    with start_run(uid="r") as run:
        run.log_metric("loss", 0.5, step=100)
        context = multiprocessing.get_context(method)
        workers = [context.Process(target=log_steps, args=(run, start)) for start in (0, 10)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
    expected = {step: float(step) for step in (*range(5), *range(10, 15))}
    assert history("r/loss") == {**expected, 100: 0.5}
    assert run.experiment.status == "FINISHED"
    assert len(find_journals("r")) == 3


def log_steps(run: Run, start: int) -> None:
    for step in range(start, start + 5):
        run.log_metric("loss", float(step), step=step)
    run.finish()


def test_pickled_run_logs_to_the_same_run(offline: None) -> None:
    with start_run(uid="r") as run:
        copy = pickle.loads(pickle.dumps(run))
        copy.log_metric("loss", 1.0)
        copy.finish()
        run.log_metric("loss", 2.0)
    assert len(find_journals("r")) == 2


KILLED_LOOP = """
    import os, random, signal, sys, time
    from genai_graph import start_run
    rng = random.Random(int(sys.argv[1]))
    for number in range(20):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            if number % 2:
                os.environ["NEO4J_URI"] = "bolt://127.0.0.1:9"
            run = start_run(uid=f"run-{number}")
            for step in range(10**9):
                run.log_metric("loss", step / 7, step=step)
                os.write(writer, b".")
                if number % 4 < 2:
                    time.sleep(0.001)
        os.close(writer)
        os.read(reader, 1)
        time.sleep(rng.uniform(0, 1.2 if number % 2 == 0 else 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        count = 1
        while block := os.read(reader, 1 << 20):
            count += len(block)
        os.close(reader)
        print(count, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.any_engine
def test_killed_processes_lose_no_points(graph: Connection, cli: RunCommand) -> None:
    """A point counts as logged if the program went on after the call."""
    program = [sys.executable, "-c", textwrap.dedent(KILLED_LOOP), "16"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=110, check=False)
    counts = [int(line) for line in done.stdout.split()]
    assert len(counts) == 20, done.stderr
    result = cli("runs", "sync")
    assert result.exit_code == 0, result.stderr
    for number, count in enumerate(counts):
        found = history(f"run-{number}/loss")
        assert len(found) in (count, count + 1)  # the last one perhaps after the call
        assert found == {step: step / 7 for step in range(len(found))}
    assert {run.status for run in Experiment.nodes.all()} == {"KILLED"}
    assert all(run.ended_at for run in Experiment.nodes.all())
    assert not list(verify())
    assert cli("runs", "sync").stderr == ""
    assert cli("runs", "clean", "--yes").stderr == "deleted 20 journals\n"


@pytest.mark.slow
@pytest.mark.any_engine
def test_a_program_that_does_not_finish_its_run(graph: Connection, cli: RunCommand) -> None:
    program = "from genai_graph import start_run; start_run(uid='r').log_metric('loss', 1.0); {}"
    for end, status in [("", "FINISHED"), ("raise KeyError", "FAILED")]:
        subprocess.run([sys.executable, "-c", program.format(end)], check=False, timeout=100)
        run = Experiment.nodes.get(uid="r")
        assert run.status == status
    assert run.results == {"error": "KeyError"}


def test_run_that_was_resumed_after_a_kill(
    graph: Connection, offline: None, cli: RunCommand
) -> None:
    """The journals are sent in their order, and only the last one decides on the status."""
    program = (
        "import os, signal; from genai_graph import start_run; "
        "start_run(uid='r', parameters={'a': 1}).log_metric('loss', 1.0); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=100)
    assert done.returncode == -signal.SIGKILL
    with start_run(resume="r", parameters={"b": 2}) as run:
        run.log_metric("loss", 2.0)
    assert cli("runs", "sync").exit_code == 0
    assert run.experiment.status == "FINISHED"
    assert run.experiment.parameters == {"a": 1, "b": 2}
    assert history("r/loss") == {0: 1.0, 1: 2.0}


def test_last_line_of_a_killed_process_may_be_incomplete(
    graph: Connection,
    offline: None,
    cli: RunCommand,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("genai_graph.runs.sending.PART_BYTES", 50)  # less than a line
    program = (
        "import os; from genai_graph import start_run; run = start_run(uid='r'); "
        "run.log_metric('loss', 1.0); run.log_metric('loss', 2.0); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
    (journal,) = find_journals("r")
    with journal.path.open("a") as file:
        file.write('{"point":"r/loss","st')
    assert cli("runs", "sync").exit_code == 0
    assert "the last line is incomplete: skipped" in caplog.text
    assert json.loads(cli("runs", "show", "r").stdout)["points"] == 2
    assert Experiment.nodes.get(uid="r").status == "KILLED"
    assert history("r/loss") == {0: 1.0, 1: 2.0}
    assert cli("runs", "clean", input="n\n").exit_code == 1
    assert cli("runs", "clean", input="y\n").stderr.endswith("deleted 1 journal\n")


def test_journal_of_another_host(graph: Connection, offline: None, cli: RunCommand) -> None:
    """The run is not ended: its process, on another host, may be running."""
    with start_run(uid="r") as run:
        run.log_metric("loss", 1.0)
    journal = Path(run.journal or "")
    header, _, experiment, *_ = journal.read_text().splitlines(keepends=True)
    header = json.dumps(
        {**(read := json.loads(header)), "journal": {**read["journal"], "host": "x", "pid": 2**30}}
    )
    journal.write_text(f"{header}\n{experiment}")
    assert cli("runs", "sync").exit_code == 0
    assert run.experiment.status == "RUNNING"
    assert cli("runs", "clean").stderr == "nothing to delete\n"


def test_values_that_are_logged_again_replace_those_before(
    graph: Connection, offline: None, cli: RunCommand
) -> None:
    """Maps are merged, and other values are not; points may be in any order."""
    with start_run(uid="r") as run:
        for metadata in ({"a": 1}, {"b": 2}, {"b": 3}):
            run.use(Dataset(name="map", metadata=metadata))
        for items in ([1], [2]):
            run.use(Dataset(name="list", metadata=items))
        for step in (3, 1, 2):
            run.log_metric("loss", step / 2, step=step)
        run.log_model("base", role="input")
        run.log_model("tuned")
    assert cli("runs", "sync").exit_code == 0
    assert Dataset.nodes.get(uid="map").metadata == {"a": 1, "b": 3}
    assert Dataset.nodes.get(uid="list").metadata == [2]
    assert history("r/loss") == {1: 0.5, 2: 1.0, 3: 1.5}
    assert [model.uid for model in Model.nodes.filter(trained_on__uid="map")] == ["tuned"]


def test_environment(offline: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GPUs are listed by the program of their vendor; a user may have no name in a container."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho name, memory.total, driver\necho A100, 80 GiB, 570\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program = """
        import getpass
        from genai_graph import start_run

        def getuser():
            raise KeyError("uid not found")

        getpass.getuser = getuser
        with start_run():
            import plotext
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=100)
    (journal,) = find_journals()
    lines = map(json.loads, journal.path.read_text().splitlines()[1:])
    written = [line["props"] for line in lines if line.get("node") == "Experiment"]
    environments = [props["environment"] for props in written if "environment" in props]
    assert environments[0]["gpus"] == ["A100, 80 GiB, 570"]
    assert "plotext" not in environments[0]["packages"]
    assert "plotext" in environments[-1]["packages"]
    assert all("created_by" not in props for props in written)


def test_code_version(offline: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        options = ["-c", "user.name=x", "-c", "user.email=x@x", "-C", str(tmp_path)]
        command = ["git", *options, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "train.py").write_text("")
    git("init")
    git("remote", "add", "origin", "https://user:secret@example.org/repo.git")
    git("add", "train.py")
    git("commit", "-m", "x")
    script = str(tmp_path / "train.py")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", script, raising=False)
    commit = git("rev-parse", "HEAD")
    for expected in (commit, f"{commit}-dirty"):
        with start_run() as run:
            pass
        text = Path(run.journal or "").read_text()
        assert f'"code_version":"{expected}"' in text
        assert '"code_url":"https://example.org/repo.git"' in text
        (tmp_path / "train.py").write_text("changed")
    git("remote", "remove", "origin")
    with start_run() as run:
        pass
    assert "code_url" not in Path(run.journal or "").read_text()


def test_full_disk(offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that was written in part is cancelled by the next one; no journal lacks its header."""
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
        with pytest.raises(genai_graph.errors.OutputError, match="No space left"):
            start_run(uid="r")
    run = start_run(uid="r")
    run.log_metric("loss", 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
        with pytest.raises(genai_graph.errors.OutputError, match="free some space"):
            run.log_metric("loss", 2.0)
        with pytest.raises(genai_graph.errors.OutputError, match="free some space"):
            run.finish()
    run.log_metric("loss", 3.0)
    run.finish()

    def fail(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fail_twice(patch: pytest.MonkeyPatch) -> None:
        with start_run(uid="s"):
            patch.setattr(os, "write", fail)
            raise KeyError

    assert len(find_journals()) == 1
    with monkeypatch.context() as patch, pytest.raises(KeyError):  # that of the block
        fail_twice(patch)
    assert genai_graph.check(str(run.journal)) == (2, 1)
