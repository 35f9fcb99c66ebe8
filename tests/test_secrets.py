"""What is secret is nowhere to be seen: passwords, and what opens a location."""

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
from test_engine import killed_in_the_end, state
from test_security import (
    dropped,
    dropped_after_the_greeting,
    dropped_when_asked,
    listening,
    silent,
)

import genai_graph
from genai_graph import Connection, Dataset, Experiment, Model, Project, atomic, connect, query
from genai_graph.database import connection as connection_module
from genai_graph.database.settings import read_settings
from genai_graph.errors import EngineError, GenaiGraphError
from genai_graph.properties.redaction import strip_credentials, warn_of_credentials

MARK = "hunter2-sekret"
LIMIT = 60


def told(error: BaseException) -> str:
    """Return an error's traceback with all variables of all frames, but for the tests' own."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: Any = found
    while chain is not None:
        for frame in chain.stack:
            if frame.filename.startswith(str(Path(__file__).parent)):
                frame.locals = None
        chain = chain.__cause__ or chain.__context__
    return "".join(found.format())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged by anyone, at the level DEBUG."""
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
    """An engine of the test's own, that commands reach as a server; its passwords are the mark."""

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
    with killed_in_the_end(own_home), connect() as connection:
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


def test_no_command_shows_a_password(
    own_engine: Engine, cli: Run, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    Path("f.yaml").write_text("format: genai_graph/1\nDataset: {mnist: {}}\n")
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.2)
    seen = []

    def run(**settings: str) -> None:
        for name, value in {"NEO4J_PASSWORD": MARK, **settings}.items():
            monkeypatch.setenv(name, value)
        for name in LEAVES:
            result = cli(*name.split(), *ARGUMENTS.get(name, ()))
            error = result.exception
            if error is not None and not isinstance(error, SystemExit):
                raise error
            seen.append(f"{name}: {result.output}{result.stderr}")

    run()  # the embedded engine, with a password that it has no use for
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
    with listening(silent) as port:
        run(NEO4J_URI=f"neo4j+s://127.0.0.1:{port}")
    everything = "\n".join([*seen, log.getvalue(), Path("out.jsonl").read_text()])
    assert "Dataset: 1 created" in everything
    assert "LOGON" in everything, "the driver's own log was not looked at"
    assert [secret for secret in own_engine.secrets if secret in everything] == []


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_program_run_with_all_warnings_and_logs_shows_no_password(
    own_engine: Engine, password: str
) -> None:
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


def failing(*arguments: Any, **named: Any) -> BaseException:
    with pytest.raises(GenaiGraphError) as caught:
        connect(*arguments, **named)
    return caught.value


def test_no_error_shows_a_password_not_even_with_the_variables_of_its_frames(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.2)
    port = embedded.uri.rpartition(":")[2]
    errors = [
        failing(embedded.uri, username="root", password=MARK),
        failing(embedded.uri, username="root", password=MARK, database="nowhere"),
        failing(f"bolt+s://127.0.0.1:{port}", password=MARK),
        failing(f"neo4j+ssc://127.0.0.1:{port}", password=MARK),
        failing("bolt://127.0.0.1:1", password=MARK),
        failing("neo4j://127.0.0.1:1", password=MARK),
        failing("bolt://db.example.com", password=MARK),
        failing("neo4j+s://nowhere.invalid", password=MARK),
        failing("nonsense", password=MARK, writer_timeout=-1),
        failing("bolt://127.0.0.1:1", password=MARK, trusted_certificates="nowhere.pem"),
    ]
    for answer in (dropped, dropped_when_asked, dropped_after_the_greeting, silent):
        with listening(answer) as where:
            errors += [
                failing(f"{scheme}://127.0.0.1:{where}", password=MARK)
                for scheme in ("bolt", "neo4j", "bolt+ssc")
            ]
    assert len({type(error) for error in errors}) >= 4
    assert [text for error in errors if MARK in (text := told(error))] == []


def test_no_error_of_a_statement_shows_a_password(own_engine: Engine) -> None:
    users = own_engine.settings()
    uses: list[Callable[[], object]] = [
        lambda: query("UNWIND [0] AS x CREATE (:Thing {n: 1 / x})", write=True),
        lambda: query("nonsense"),
        lambda: [Dataset(uid="d", name="d").save() for _ in range(2)],
    ]

    def in_a_block_that_loses_its_server() -> None:
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
        for use in (*uses, in_a_block_that_loses_its_server, lambda: query("RETURN 1 AS one")):
            with pytest.raises(GenaiGraphError) as caught:
                use()
            text = told(caught.value)
            assert [secret for secret in secrets if secret in text] == []


def test_an_engine_that_can_not_start_shows_no_password(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: MARK)
    (own_home / "embedded" / "engine.tmp").mkdir(parents=True)
    with pytest.raises(EngineError) as caught:
        connect()
    assert MARK not in told(caught.value)


def test_what_holds_a_password_does_not_show_it(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", MARK)
    settings = read_settings()
    users: Any = state(Path(os.environ["GENAI_GRAPH_HOME"]))["users"]
    secrets = [MARK, users["password"], users["reader_password"]]
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {vars(embedded)!r}"
    assert embedded._lease is not None
    shown += f"{embedded._lease!r} {embedded._lease.running!r} {embedded._lease.running.users}"
    assert [secret for secret in secrets if secret in shown] == []


# Locations


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
def test_a_location_is_kept_without_what_opens_it(location: str) -> None:
    assert strip_credentials(location) == STRIPPED[location]


@pytest.mark.parametrize("location", KEPT)
def test_a_location_without_secrets_is_kept_as_it_is(location: str) -> None:
    assert strip_credentials(location) == location


@given(st.text(st.sampled_from("htps:/?&#;=@.-x1token sig"), max_size=60))
def test_what_was_left_out_once_is_left_out_for_good(location: str) -> None:
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
def test_no_location_takes_long(text: str) -> None:
    strip_credentials(text + "=")  # what goes through a text again and again would take minutes


LOCATION, BARE = f"https://u:{MARK}@host/d?sig={MARK}&part=1", "https://host/d?part=1"


def saved() -> None:
    Dataset(name="d", location=LOCATION, url=LOCATION).save()
    Model(name="m", location=LOCATION).save()
    Project(name="p", url=LOCATION).save()
    Experiment(uid="e", code_url=LOCATION).save()


def saved_again() -> None:
    for node in (Dataset(name="d"), Model(name="m"), Project(name="p"), Experiment(uid="e")):
        node.save()
        for name in ("location", "url", "code_url"):
            if hasattr(node, name):
                setattr(node, name, LOCATION)
        node.save()


def upserted() -> None:
    Dataset.upsert(name="d", location=LOCATION, url=LOCATION)
    Model.upsert(name="m", location=LOCATION)
    Project.upsert(name="p", url=LOCATION)
    Experiment.upsert(uid="e", code_url=LOCATION)


def created_in_bulk() -> None:
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


def loaded_from_jsonl() -> None:
    lines: list[Any] = [{"format": "genai_graph/1"}]
    for label, nodes in NODES.items():
        lines += [{"node": label, "uid": uid, "props": props} for uid, props in nodes.items()]
    Path("f.jsonl").write_text("\n".join(map(json.dumps, lines)))
    genai_graph.load("f.jsonl")


def loaded_from_json() -> None:
    Path("f.json").write_text(json.dumps({"format": "genai_graph/1", **NODES}))
    genai_graph.load("f.json")


def loaded_from_yaml() -> None:
    Path("f.yaml").write_text(json.dumps({"format": "genai_graph/1", **NODES}))
    genai_graph.load("f.yaml")


def loaded_from_csv() -> None:
    Path("csv").mkdir()
    for label, nodes in NODES.items():
        for uid, props in nodes.items():
            header = ",".join(["uid:ID", *(f"{name}:string" for name in props)])
            Path("csv", f"{label}.csv").write_text(f"{header}\n{uid},{','.join(props.values())}\n")
    genai_graph.load("csv")


WAYS = [
    saved,
    saved_again,
    upserted,
    created_in_bulk,
    loaded_from_jsonl,
    loaded_from_json,
    loaded_from_yaml,
    loaded_from_csv,
]


@pytest.mark.parametrize("way", WAYS)
def test_locations_are_stripped_on_every_way_in_with_a_warning(
    graph: Connection, way: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_credentials.cache_clear()
    way()
    found = query("MATCH (n) RETURN n.uid AS uid, n.location AS location, n.url AS url, "
                  "n.code_url AS code ORDER BY uid")  # fmt: skip
    assert found == [
        {"uid": "d", "location": BARE, "url": BARE, "code": None},
        {"uid": "e", "location": None, "url": None, "code": BARE},
        {"uid": "m", "location": BARE, "url": None, "code": None},
        {"uid": "p", "location": None, "url": BARE, "code": None},
    ]
    warned = sorted(record.getMessage() for record in caplog.records)
    names = ["Dataset.location", "Dataset.url", "Experiment.code_url", "Model.location"]
    assert [message.partition(":")[0] for message in warned] == [*names, "Project.url"]
    assert all(BARE in message for message in warned)
    assert MARK not in caplog.text


def test_a_dump_leaves_out_what_others_have_put_there(graph: Connection) -> None:
    warn_of_credentials.cache_clear()
    query(
        "CREATE (:Dataset {uid: 'd', name: 'd', location: $location})",
        write=True,
        location=LOCATION,
    )
    genai_graph.dump("out.jsonl")
    assert MARK not in Path("out.jsonl").read_text()
    assert BARE in Path("out.jsonl").read_text()


def test_a_load_warns_on_the_command_line(graph: Connection) -> None:
    Path("f.json").write_text(json.dumps({"format": "genai_graph/1", **NODES}))
    done = subprocess.run(
        [sys.executable, "-m", "genai_graph", "load", "f.json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    assert f"Dataset.location: a login, a signature or a token was left out: {BARE}" in done.stderr
    assert MARK not in done.stderr
