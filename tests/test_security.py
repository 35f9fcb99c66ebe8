"""Connecting in safety: TLS, no plain text to other machines, passwords from files and prompts.

The embedded engine stands for a server behind something that speaks TLS; Neo4j speaks it itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import neo4j_server
import pytest
import trustme
from conftest import Engine, Run

from genai_graph import Connection, connect, query
from genai_graph.database import connection as connection_module
from genai_graph.database.connection import ANSWER_TIMEOUT
from genai_graph.errors import (
    AuthenticationError,
    QueryError,
    SettingsError,
    TLSError,
    UnavailableError,
)

LIMIT = 60
SECRET = "hunter2-sekret"


def login() -> dict[str, str]:
    """Return who may do everything on the shared engine."""
    state = Path(os.environ["GENAI_GRAPH_HOME"], "embedded", "engine.json")
    users = json.loads(state.read_text())["users"]
    return {"username": users["username"], "password": users["password"], "database": "neo4j"}


# Servers that speak TLS


@dataclass
class Server:
    """A server that wants TLS: its certificate is for localhost only."""

    port: int
    login: dict[str, str]
    schemes: tuple[str, ...]
    authority: Path

    def address(self, scheme: str, host: str = "localhost") -> str:
        return f"{scheme}://{host}:{self.port}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates of the authority, and of one that has signed nothing."""
    folder = tmp_path_factory.mktemp("authorities")
    authority.cert_pem.write_to_path(str(folder / "right.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "wrong.pem"))
    return folder


def passed_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listen on a port, with a thread for each that comes."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=met, args=[client], daemon=True).start()

        def met(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                answer(client)

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def engine_behind_tls(authority: trustme.CA, files: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def answer(client: socket.socket) -> None:
        with (
            context.wrap_socket(client, server_side=True) as plain,
            socket.create_connection(("127.0.0.1", int(port))) as engine,
        ):
            threading.Thread(target=passed_on, args=[engine, plain], daemon=True).start()
            passed_on(plain, engine)

    with connect() as connection:
        port = connection.uri.rpartition(":")[2]
    with listening(answer) as listens:
        yield Server(listens, login(), ("bolt",), files)


@contextlib.contextmanager
def neo4j_with_tls(authority: trustme.CA, files: Path) -> Iterator[Server]:
    certificate = authority.issue_cert("localhost", key_type=trustme.KeyType.RSA)
    more = neo4j_server.require_tls(
        files / "neo4j",
        certificate.private_key_pem.bytes(),
        b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
    )
    lib = neo4j_server.lib_or_skip()
    with neo4j_server.server(lib, files / "neo4j", more) as (uri, password):
        port = int(uri.rpartition(":")[2])
        yield Server(port, {"password": password}, ("bolt", "neo4j"), files)


@pytest.fixture(scope="module", params=[engine_behind_tls, neo4j_with_tls])
def server(
    request: pytest.FixtureRequest, embedded_engine: Engine, authority: trustme.CA, files: Path
) -> Iterator[Server]:
    if os.environ.get("NEO4J_URI"):
        pytest.skip("these servers are the test's own")
    with request.param(authority, files) as found:
        yield found


def works() -> bool:
    return query("RETURN 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("ending", ["", "+s", "+ssc"])
def test_the_right_authority_lets_in_whatever_the_scheme(server: Server, ending: str) -> None:
    for scheme in server.schemes:
        uri = server.address(scheme + ending)
        with connect(
            uri, trusted_certificates=server.authority / "right.pem", **server.login
        ) as connection:
            assert connection.uri == uri
            assert works()


def test_the_authority_is_taken_from_the_environment_on_the_command_line_too(
    server: Server, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_URI", server.address("bolt+s"))
    for name, value in server.login.items():
        monkeypatch.setenv(f"NEO4J_{name.upper()}", value)
    refused = cli("query", "RETURN 1 AS one")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "NEO4J_TRUSTED_CERTIFICATES" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    monkeypatch.setenv("NEO4J_TRUSTED_CERTIFICATES", str(server.authority / "right.pem"))
    assert cli("query", "RETURN 1 AS one").stdout == '{"one": 1}\n'


def test_ssc_takes_any_certificate(server: Server) -> None:
    for scheme in server.schemes:
        for host in ("localhost", "127.0.0.1"):
            with connect(server.address(f"{scheme}+ssc", host), **server.login):
                assert works()


@pytest.mark.parametrize("ending", ["", "+s", "+ssc"])
def test_another_authority_is_refused(server: Server, ending: str) -> None:
    for scheme in server.schemes:
        uri = server.address(scheme + ending)
        with pytest.raises(TLSError, match="NEO4J_TRUSTED_CERTIFICATES") as refused:
            connect(uri, trusted_certificates=server.authority / "wrong.pem", **server.login)
        assert uri in str(refused.value)


def test_an_authority_that_the_system_does_not_know_is_refused(server: Server) -> None:
    for scheme in server.schemes:
        with pytest.raises(TLSError, match="NEO4J_TRUSTED_CERTIFICATES"):
            connect(server.address(f"{scheme}+s"), **server.login)


def test_a_certificate_for_another_name_is_refused(server: Server) -> None:
    right = server.authority / "right.pem"
    for scheme in server.schemes:
        with pytest.raises(TLSError, match=r"another name.*NEO4J_URI"):
            connect(
                server.address(f"{scheme}+s", "127.0.0.1"),
                trusted_certificates=right,
                **server.login,
            )


def test_plain_text_to_a_server_that_wants_tls_is_told(server: Server) -> None:
    for scheme in server.schemes:
        with pytest.raises(UnavailableError, match=r"neo4j\+s or bolt\+s"):
            connect(server.address(scheme), **server.login)


def test_a_wrong_password_and_a_wrong_database_are_told_over_tls_too(server: Server) -> None:
    for scheme in server.schemes:
        uri = server.address(f"{scheme}+ssc")
        with pytest.raises(AuthenticationError, match="NEO4J_PASSWORD"):
            connect(uri, **{**server.login, "password": SECRET})
        with pytest.raises(QueryError, match="NEO4J_DATABASE"):
            connect(uri, **{**server.login, "database": "nowhere"})


def test_tls_to_a_server_that_speaks_plain_text_is_told(embedded: Connection) -> None:
    port = embedded.uri.rpartition(":")[2]
    for scheme in ("bolt+s", "neo4j+s", "bolt+ssc", "neo4j+ssc"):
        with pytest.raises(TLSError, match="NEO4J_URI"):
            connect(f"{scheme}://localhost:{port}", **login())


def test_authorities_for_a_server_that_speaks_plain_text_are_told(
    embedded: Connection, files: Path
) -> None:
    with pytest.raises(TLSError, match=r"plain text .* no NEO4J_TRUSTED_CERTIFICATES"):
        connect(embedded.uri, trusted_certificates=files / "right.pem", **login())


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_holds_no_authority_is_told(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"^NEO4J_TRUSTED_CERTIFICATES: .*ca\.pem"):
        connect("bolt://localhost:1", trusted_certificates=file)


def test_a_password_that_must_be_changed_first_is_one_clear_line(neo4j_graph: Connection) -> None:
    query("CREATE USER newcomer SET PASSWORD 'first-password' CHANGE REQUIRED", write=True)
    try:
        with pytest.raises(AuthenticationError, match=r"^the server wants .* ALTER CURRENT USER"):
            connect(neo4j_graph.uri, username="newcomer", password="first-password")
    finally:
        query("DROP USER newcomer", write=True)


# Plain text


@pytest.mark.parametrize(
    "uri",
    [
        "bolt://db.example.com",
        "neo4j://10.1.2.3:7687",
        "neo4j://[2001:db8::1]:7687",
        "bolt://localhost.example.com",
        "bolt://0.0.0.0",
        "BOLT://db.example.com",
    ],
)
def test_plain_text_to_another_machine_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match="NEO4J_ALLOW_PLAINTEXT=1"):
        connect(uri, password=SECRET)


@pytest.mark.parametrize(
    "uri",
    [
        "bolt://localhost:1",
        "bolt://LocalHost:1",
        "neo4j://127.0.0.1:1",
        "bolt://127.1.2.3:1",
        "bolt://[::1]:1",
    ],
)
def test_plain_text_on_this_machine_is_not(uri: str) -> None:
    with pytest.raises(UnavailableError, match="no server answers"):
        connect(uri)


def test_plain_text_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="no server answers"):
        connect("bolt://nowhere.invalid", allow_plaintext=True)
    monkeypatch.setenv("NEO4J_ALLOW_PLAINTEXT", "1")
    with pytest.raises(UnavailableError, match="no server answers"):
        connect("neo4j://nowhere.invalid")


def chunk(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message + b"\x00\x00"


def text(value: str) -> bytes:
    return b"\xd0" + bytes([len(value)]) + value.encode()


def test_a_routing_table_does_not_lead_to_plain_text_elsewhere() -> None:
    """It may come from anyone who listens here: a tunnel, say."""
    success = b"\xb1\x70"
    server = b"\xa2" + text("addresses") + b"\x91" + text("db.example.com:7687") + text("role")
    servers = b"".join(server + text(role) for role in ("ROUTE", "READ", "WRITE"))
    table = b"\xa2" + text("ttl") + b"\x2a" + text("servers") + b"\x93" + servers
    told = [
        b"\xa2" + text("server") + text("Neo4j/5.26.0") + text("connection_id") + text("1"),
        b"\xa0",
        b"\xa1" + text("rt") + table,
    ]

    def answer(client: socket.socket) -> None:
        client.recv(1 << 16)
        client.sendall(b"\x00\x00\x04\x05")  # Bolt 5.4
        while data := client.recv(1 << 16):
            # HELLO and LOGON may come together.
            for _ in range(data.count(b"\x00\x00\x00") + data.endswith(b"\x00\x00") or 1):
                if told:
                    client.sendall(chunk(success + told.pop(0)))

    with listening(answer) as port, pytest.raises(SettingsError, match=r"to db\.example\.com in"):
        connect(f"neo4j://127.0.0.1:{port}", password=SECRET)


# Ports where something else listens, or nothing


def dropped(client: socket.socket) -> None:
    """Say nothing, and hang up."""


def dropped_when_asked(client: socket.socket) -> None:
    client.recv(1 << 16)


def another_protocol(client: socket.socket) -> None:
    client.recv(1 << 16)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def dropped_after_the_greeting(client: socket.socket) -> None:
    client.recv(1 << 16)
    client.sendall(b"\x00\x00\x04\x05")
    client.recv(1 << 16)


def silent(client: socket.socket) -> None:
    time.sleep(LIMIT)


SCHEMES = ["bolt", "neo4j", "bolt+s", "neo4j+s", "bolt+ssc", "neo4j+ssc"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "answer",
    [dropped, dropped_when_asked, another_protocol, dropped_after_the_greeting, silent],
)
def test_what_is_no_server_is_one_clear_line_on_the_command_line(
    answer: Callable[[socket.socket], None],
    scheme: str,
    cli: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.3)
    monkeypatch.setenv("NEO4J_PASSWORD", SECRET)
    with listening(answer) as port:
        monkeypatch.setenv("NEO4J_URI", f"{scheme}://127.0.0.1:{port}")
        result = cli("status")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "NEO4J_URI" in line
    assert SECRET not in line


def test_a_silent_port_is_given_up_long_before_the_driver_would() -> None:
    assert ANSWER_TIMEOUT < 5
    began = time.monotonic()
    with listening(silent) as port, pytest.raises(UnavailableError, match="in time"):
        connect(f"bolt://127.0.0.1:{port}")
    assert time.monotonic() - began < 30, "the driver waits for 60 s"


# The password


@pytest.fixture
def remote(embedded: Connection, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shared engine as a server that the environment names, without its password."""
    found = login()
    monkeypatch.setenv("NEO4J_URI", embedded.uri)
    monkeypatch.setenv("NEO4J_USERNAME", found["username"])
    monkeypatch.setenv("NEO4J_DATABASE", found["database"])
    return found["password"]


def file_of(password: str | bytes, mode: int = 0o600) -> Path:
    file = Path("password")
    file.write_bytes(password if isinstance(password, bytes) else password.encode())
    file.chmod(mode)
    return file


def test_a_password_is_read_from_a_file(
    remote: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for end in ("", "\n", "\r\n"):
        monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(file_of(remote + end)))
        with connect():
            assert works()
    assert not caplog.records


def test_a_file_may_be_named_from_the_home_of_the_user(
    remote: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    file_of(remote).rename(tmp_path / "password-at-home")
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", "~/password-at-home")
    with connect():
        assert works()
    with pytest.raises(SettingsError, match=re.escape(str(tmp_path / "ca.pem"))):
        connect(trusted_certificates="~/ca.pem")


def test_a_password_comes_before_its_file(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(file_of(SECRET)))
    with pytest.raises(AuthenticationError):
        connect()
    with connect(password=remote):
        assert works()


@pytest.mark.skipif(sys.platform == "win32", reason="modes of Unix")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_may_read_is_used_with_a_warning(
    remote: str, mode: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(file_of(remote, mode)))
    with connect(), caplog.at_level(logging.WARNING):
        assert works()
    assert "chmod 600" in caplog.text
    assert remote not in caplog.text


@pytest.mark.parametrize(
    ("content", "told"), [(None, "No such file"), ("", "is empty"), (b"\xff\xfe", "is not UTF-8")]
)
def test_a_file_without_a_password_is_told(
    remote: str, content: str | bytes | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", "password")
    if content is not None:
        file_of(content)
    with pytest.raises(SettingsError, match=rf"^NEO4J_PASSWORD_FILE: password .*{told}"):
        connect()


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of Unix")
def test_a_terminal_is_asked_for_a_password_that_is_not_shown(remote: str) -> None:
    import pexpect

    child = pexpect.spawn(
        sys.executable,
        ["-m", "genai_graph", "query", "RETURN 41 + 1 AS sum"],
        encoding="utf-8",
        timeout=LIMIT,
        dimensions=(24, 200),
    )
    child.expect(r"Password of root at bolt://127\.0\.0\.1:\d+: ")
    child.sendline(remote)
    shown = child.read()
    child.close()
    assert child.exitstatus == 0, shown
    assert "42" in shown
    assert remote not in shown


def test_in_a_pipe_nobody_is_asked(remote: str, cli: Run) -> None:
    result = cli("status", input=f"{remote}\n")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "NEO4J_PASSWORD" in result.stderr


def test_a_wrong_password_is_not_asked_for_again(
    remote: str, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", SECRET)
    result = cli("status")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_the_arguments_of_connect_are_the_settings() -> None:
    with pytest.raises(SettingsError, match=r"NEO4J_ALLOW_PLAINTEXT: .*boolean"):
        connect("bolt://db.example.com", allow_plaintext="perhaps")  # type: ignore[arg-type]
