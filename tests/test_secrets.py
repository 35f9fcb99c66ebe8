"""Secrets never appear in output: passwords, and credentials in URLs."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st
from test_cli import commands
from test_engine import kill_engines_at_exit, state
from test_security import (
    close_after_handshake,
    close_after_handshake_request,
    close_at_once,
    listening,
    stay_silent,
)

import genai_graph
from genai_graph import Connection, Dataset, Experiment, Model, Project, atomic, connect, query
from genai_graph.database import connection as connection_module
from genai_graph.database.settings import read_settings
from genai_graph.errors import EngineError, GenaiGraphError
from genai_graph.properties.redaction import strip_credentials, warn_of_credentials

pytestmark = pytest.mark.usefixtures("unsupported_server")  # the embedded engine by its address

MARK = "hunter2-sekret"
LIMIT = 60


def format_with_locals(error: BaseException) -> str:
    """Format a traceback with the variables of all frames, except those of the tests."""
    formatted = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: Any = formatted
    while chain is not None:
        for frame in chain.stack:
            if frame.filename.startswith(str(Path(__file__).parent)):
                frame.locals = None
        chain = chain.__cause__ or chain.__context__
    return "".join(formatted.format())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The output of all loggers at level DEBUG."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(before)
    root.removeHandler(handler)


@dataclass
class Engine:
    """An engine used as a server: its address and its passwords."""

    home: Path
    uri: str

    @property
    def secrets(self) -> list[str]:
        users: Any = state(self.home)["users"]
        return [MARK, users["password"], users["reader_password"]]

    def settings(self) -> dict[str, str]:
        users: Any = state(self.home)["users"]
        return {
            "NEO4J_URI": self.uri,
            "NEO4J_USERNAME": users["username"],
            "NEO4J_PASSWORD": users["password"],
            "NEO4J_DATABASE": "neo4j",
        }


@pytest.fixture
def own_engine(own_home: Path) -> Iterator[Engine]:
    with kill_engines_at_exit(own_home), connect() as connection:
        yield Engine(own_home, connection.uri)


ARGUMENTS = {
    "check": ["f.yaml"],
    "clear": ["--yes"],
    "dump": ["-o", "out.jsonl", "--force"],
    "load": ["f.yaml"],
    "query": ["RETURN 1 AS one"],
    "shell": ["-c", "print(Dataset.nodes.all())"],
}
LEAVES = [name for name, command in commands() if not isinstance(command, click.Group)]


@pytest.mark.slow
def test_no_command_prints_a_password(
    own_engine: Engine, cli: Run, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    Path("f.yaml").write_text("format: genai_graph/1\nDataset: {mnist: {}}\n")
    output = []

    def run(**settings: str) -> None:
        for name, value in {"NEO4J_PASSWORD": MARK, **settings}.items():
            monkeypatch.setenv(name, value)
        for name in LEAVES:
            result = cli(*name.split(), *ARGUMENTS.get(name, ()))
            error = result.exception
            if error is not None and not isinstance(error, SystemExit):
                raise error
            output.append(f"{name}: {result.output}{result.stderr}")

    run()  # the embedded engine, which ignores the password
    for settings in (
        own_engine.settings(),
        {"NEO4J_PASSWORD": MARK},
        {"NEO4J_URI": "bolt://127.0.0.1:1"},
        {"NEO4J_URI": f"bolt://neo4j:{MARK}@127.0.0.1:1"},
        {"NEO4J_URI": f"{MARK}://127.0.0.1:1"},
        {"NEO4J_URI": "bolt://127.0.0.1:1", "NEO4J_TRUSTED_CERTIFICATES": "f.yaml"},
        {"NEO4J_TRUSTED_CERTIFICATES": "", "NEO4J_URI": "bolt://db.example.com"},
    ):
        run(**settings)
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.2)
    with listening(stay_silent) as port:
        run(NEO4J_URI=f"neo4j+s://127.0.0.1:{port}")
    everything = "\n".join([*output, log.getvalue(), Path("out.jsonl").read_text()])
    assert "Dataset: 1 created" in everything
    assert "LOGON" in everything, "the driver's log is missing"
    assert [secret for secret in own_engine.secrets if secret in everything] == []


@pytest.mark.slow
@pytest.mark.parametrize("password", ["right", "wrong"])
def test_debug_logs_and_warnings_contain_no_password(own_engine: Engine, password: str) -> None:
    code = (
        "import logging; logging.basicConfig(level='DEBUG')\n"
        "from genai_graph.cli import main; main(['status'])"
    )
    wrong = {"NEO4J_PASSWORD": MARK} if password == "wrong" else {}
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", code],
        env={**os.environ, **own_engine.settings(), **wrong},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    line = "\0".join(psutil.Process(process.pid).cmdline())
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == (0 if password == "right" else 1)
    assert "LOGON" in output
    assert [secret for secret in own_engine.secrets if secret in output + line] == []


def connect_error(*arguments: Any, **options: Any) -> BaseException:
    with pytest.raises(GenaiGraphError) as caught:
        connect(*arguments, **options)
    return caught.value


def test_connect_errors_contain_no_password_even_with_frame_variables(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = embedded.uri.rpartition(":")[2]
    errors = [
        connect_error(embedded.uri, username="root", password=MARK),
        connect_error(embedded.uri, username="root", password=MARK, database="nowhere"),
        connect_error(f"bolt+s://127.0.0.1:{port}", password=MARK),
        connect_error(f"neo4j+ssc://127.0.0.1:{port}", password=MARK),
        connect_error("bolt://127.0.0.1:1", password=MARK),
        connect_error("neo4j://127.0.0.1:1", password=MARK),
        connect_error("bolt://db.example.com", password=MARK),
        connect_error("neo4j+s://nowhere.invalid", password=MARK),
        connect_error("nonsense", password=MARK, writer_timeout=-1),
        connect_error("bolt://127.0.0.1:1", password=MARK, trusted_certificates="nowhere.pem"),
    ]
    # Only now: on a loaded machine, even a connect to the engine takes longer.
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.2)
    for answer in (
        close_at_once,
        close_after_handshake_request,
        close_after_handshake,
        stay_silent,
    ):
        with listening(answer) as silent_port:
            errors += [
                connect_error(f"{scheme}://127.0.0.1:{silent_port}", password=MARK)
                for scheme in ("bolt", "neo4j", "bolt+ssc")
            ]
    assert len({type(error) for error in errors}) >= 4
    assert [text for error in errors if MARK in (text := format_with_locals(error))] == []


@pytest.mark.slow
def test_query_errors_contain_no_password(own_engine: Engine) -> None:
    users = own_engine.settings()
    uses: list[Callable[[], object]] = [
        lambda: query("UNWIND [0] AS x CREATE (:Thing {n: 1 / x})", write=True),
        lambda: query("nonsense"),
        lambda: [Dataset(uid="d", name="d").save() for _ in range(2)],
    ]

    def in_a_block_on_a_killed_engine() -> None:
        with atomic():
            for process in psutil.process_iter(["cmdline"]):
                if any(str(own_engine.home) in part for part in process.info["cmdline"] or ()):
                    process.kill()
                    process.wait()
            query("RETURN 1 AS one")

    with connect(
        users["NEO4J_URI"],
        username=users["NEO4J_USERNAME"],
        password=users["NEO4J_PASSWORD"],
        database="neo4j",
    ):
        secrets = own_engine.secrets
        for use in (*uses, in_a_block_on_a_killed_engine, lambda: query("RETURN 1 AS one")):
            with pytest.raises(GenaiGraphError) as caught:
                use()
            text = format_with_locals(caught.value)
            assert [secret for secret in secrets if secret in text] == []


def test_engine_start_error_contains_no_password(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: MARK)
    (own_home / "embedded" / "engine.tmp").mkdir(parents=True)
    with pytest.raises(EngineError) as caught:
        connect()
    assert MARK not in format_with_locals(caught.value)


def test_reprs_contain_no_password(embedded: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", MARK)
    settings = read_settings()
    users: Any = state(Path(os.environ["GENAI_GRAPH_HOME"]))["users"]
    secrets = [MARK, users["password"], users["reader_password"]]
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {vars(embedded)!r}"
    assert embedded._lease is not None
    shown += f"{embedded._lease!r} {embedded._lease.running!r} {embedded._lease.running.users}"
    assert [secret for secret in secrets if secret in shown] == []


# Credentials in URLs


STRIPPED = {
    f"https://alice:{MARK}@host/x": "https://host/x",
    f"https://{MARK}@github.com/o/r.git": "https://github.com/o/r.git",
    f"git+https://{MARK}@github.com/o/r.git": "git+https://github.com/o/r.git",
    f"sftp://bob:p/{MARK}#1@host/data": "sftp://host/data",
    f"https://a@b:{MARK}@host:8443/x": "https://host:8443/x",
    f"postgresql+psycopg://u:{MARK}@h:5432/db": "postgresql+psycopg://h:5432/db",
    f"jdbc:postgresql://h/db?user=x&password={MARK}&ssl=true": (
        "jdbc:postgresql://h/db?user=x&ssl=true"
    ),
    f"https://b.s3.amazonaws.com/k?X-Amz-Credential={MARK}&X-Amz-Signature={MARK}&versionId=3": (
        "https://b.s3.amazonaws.com/k?versionId=3"
    ),
    f"https://storage.googleapis.com/b/k?X-Goog-Signature={MARK}": (
        "https://storage.googleapis.com/b/k"
    ),
    f"https://a.blob.core.windows.net/c/b?sv=2022&sp=r&sig={MARK}%3D": (
        "https://a.blob.core.windows.net/c/b?sv=2022&sp=r"
    ),
    f"https://h/p?a=1&token={MARK}#part": "https://h/p?a=1#part",
    f"https://h/p?Token={MARK}#part": "https://h/p#part",
    f"https://h/p#access_token={MARK}&state=1": "https://h/p#state=1",
    f"https://h/p?API_KEY={MARK}&b=1": "https://h/p?b=1",
    f"AccountName=a;AccountKey={MARK}==;EndpointSuffix=core": "AccountName=a;EndpointSuffix=core",
    f"https://h/p?next=https://u:{MARK}@h2/": "https://h/p?next=https://h2/",
    f"https://h/p?next=https://h2?token={MARK}": "https://h/p?next=https://h2",
    f"https://h/p?pass={MARK}&a=1&auth={MARK}": "https://h/p?a=1",
    f"https://h/p?private_key={MARK}&secret-key={MARK}": "https://h/p",
    f"https://h/p?%73ig={MARK}&a%20b=1": "https://h/p?a%20b=1",
    f"jdbc:oracle:thin:u/{MARK}@//h:1521/db": "jdbc:oracle:thin:@//h:1521/db",
    f"jdbc:oracle:oci:u/p@{MARK}@tns": "jdbc:oracle:oci:@tns",
}
KEPT = [
    "s3://ml/transactions/2026/",
    "https://host:8080/path@v1",
    "https://[::1]:80/a@b",
    "ssh://git@github.com/o/r.git",
    "git@github.com:o/r.git",
    "abfss://container@account.dfs.core.windows.net/path",
    "hf://datasets/u/r@main/file",
    "s3://arn:aws:s3:us-east-1:1:accesspoint/x/object@v1",
    "oci://registry:5000/img@sha256:abc",
    "file:///a:b@c",
    "jdbc:oracle:thin:@//h:1521/db",
    "https://h/p?bypass=1&author=x&a%20b=1",
    "https://h/p?tokenizer=bert&design=1&q=a@b.c",
    "/data/x=1/y@2",
    "",
]


@pytest.mark.parametrize("location", STRIPPED)
def test_strip_credentials(location: str) -> None:
    assert strip_credentials(location) == STRIPPED[location]


@pytest.mark.parametrize("location", KEPT)
def test_strip_credentials_keeps_other_locations(location: str) -> None:
    assert strip_credentials(location) == location


@given(st.text(st.sampled_from("htps:/?&#;=@.-x1token sig"), max_size=60))
def test_strip_credentials_is_idempotent(location: str) -> None:
    bare = strip_credentials(location)
    assert strip_credentials(bare) == bare


@pytest.mark.parametrize(
    "text",
    [
        "x@=" + "//a:b" * 20_000,
        "//u:p@" * 20_000,
        "https://" * 20_000 + "@",
        "?a" * 50_000,
        "=" + "a;b" * 50_000,
    ],
)
def test_strip_credentials_takes_linear_time(text: str) -> None:
    strip_credentials(text + "=")  # quadratic time would be minutes


LOCATION, STRIPPED_LOCATION = f"https://u:{MARK}@host/d?sig={MARK}&part=1", "https://host/d?part=1"


def save() -> None:
    Dataset(name="d", location=LOCATION, url=LOCATION).save()
    Model(name="m", location=LOCATION).save()
    Project(name="p", url=LOCATION).save()
    Experiment(uid="e", code_url=LOCATION).save()


def save_again() -> None:
    for node in (Dataset(name="d"), Model(name="m"), Project(name="p"), Experiment(uid="e")):
        node.save()
        for name in ("location", "url", "code_url"):
            if hasattr(node, name):
                setattr(node, name, LOCATION)
        node.save()


def upsert() -> None:
    Dataset.upsert(name="d", location=LOCATION, url=LOCATION)
    Model.upsert(name="m", location=LOCATION)
    Project.upsert(name="p", url=LOCATION)
    Experiment.upsert(uid="e", code_url=LOCATION)


def create_in_bulk() -> None:
    Dataset.nodes.bulk_create({"name": "d", "location": LOCATION, "url": LOCATION})
    Model.nodes.bulk_create_or_update({"name": "m", "location": LOCATION})
    Project.nodes.bulk_get_or_create({"name": "p", "url": LOCATION})
    Experiment.nodes.bulk_create({"uid": "e", "code_url": LOCATION})


NODES: dict[str, dict[str, dict[str, str]]] = {
    "Dataset": {"d": {"name": "d", "location": LOCATION, "url": LOCATION}},
    "Model": {"m": {"name": "m", "location": LOCATION}},
    "Project": {"p": {"name": "p", "url": LOCATION}},
    "Experiment": {"e": {"code_url": LOCATION}},
}


def load_jsonl() -> None:
    lines: list[Any] = [{"format": "genai_graph/1"}]
    for label, nodes in NODES.items():
        lines += [{"node": label, "uid": uid, "props": props} for uid, props in nodes.items()]
    Path("f.jsonl").write_text("\n".join(map(json.dumps, lines)))
    genai_graph.load("f.jsonl")


def load_json() -> None:
    Path("f.json").write_text(json.dumps({"format": "genai_graph/1", **NODES}))
    genai_graph.load("f.json")


def load_yaml() -> None:
    Path("f.yaml").write_text(json.dumps({"format": "genai_graph/1", **NODES}))
    genai_graph.load("f.yaml")


def load_csv() -> None:
    Path("csv").mkdir()
    for label, nodes in NODES.items():
        for uid, props in nodes.items():
            header = ",".join(["uid:ID", *(f"{name}:string" for name in props)])
            Path("csv", f"{label}.csv").write_text(f"{header}\n{uid},{','.join(props.values())}\n")
    genai_graph.load("csv")


WRITES = [
    save,
    save_again,
    upsert,
    create_in_bulk,
    load_jsonl,
    load_json,
    load_yaml,
    load_csv,
]


@pytest.mark.parametrize("write", WRITES)
def test_every_write_strips_credentials_with_a_warning(
    graph: Connection, write: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_credentials.cache_clear()
    write()
    found = query("MATCH (n) RETURN n.uid AS uid, n.location AS location, n.url AS url, "
                  "n.code_url AS code ORDER BY uid")  # fmt: skip
    assert found == [
        {"uid": "d", "location": STRIPPED_LOCATION, "url": STRIPPED_LOCATION, "code": None},
        {"uid": "e", "location": None, "url": None, "code": STRIPPED_LOCATION},
        {"uid": "m", "location": STRIPPED_LOCATION, "url": None, "code": None},
        {"uid": "p", "location": None, "url": STRIPPED_LOCATION, "code": None},
    ]
    warned = sorted(record.getMessage() for record in caplog.records)
    names = ["Dataset.location", "Dataset.url", "Experiment.code_url", "Model.location"]
    assert [message.partition(":")[0] for message in warned] == [*names, "Project.url"]
    assert all(STRIPPED_LOCATION in message for message in warned)
    assert MARK not in caplog.text


def test_dump_strips_credentials(graph: Connection) -> None:
    warn_of_credentials.cache_clear()
    query(
        "CREATE (:Dataset {uid: 'd', name: 'd', location: $location})",
        write=True,
        location=LOCATION,
    )
    genai_graph.dump("out.jsonl")
    assert MARK not in Path("out.jsonl").read_text()
    assert STRIPPED_LOCATION in Path("out.jsonl").read_text()


def test_load_command_warns_of_credentials(graph: Connection) -> None:
    Path("f.json").write_text(json.dumps({"format": "genai_graph/1", **NODES}))
    done = subprocess.run(
        [sys.executable, "-m", "genai_graph", "load", "f.json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    assert (
        f"Dataset.location: credentials were removed from a location: {STRIPPED_LOCATION}"
        in done.stderr
    )
    assert MARK not in done.stderr
