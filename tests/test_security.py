"""Transport security and passwords: TLS, plaintext, password files and prompts.

The servers are the embedded engine behind a TLS proxy, and Neo4j, which supports TLS itself.
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
from typing import Any

import neo4j_server
import pytest
import trustme
from conftest import Engine, Run

from genai_graph import Connection, connect, query
from genai_graph.database import connection as connection_module
from genai_graph.database import security
from genai_graph.errors import (
    AuthenticationError,
    QueryError,
    SettingsError,
    TLSError,
    UnavailableError,
)

pytestmark = pytest.mark.usefixtures("unsupported_server")  # the embedded engine by its address

LIMIT = 60
SECRET = "hunter2-sekret"


def login() -> dict[str, str]:
    """Return the administrator's credentials on the shared engine."""
    state = Path(os.environ["GENAI_GRAPH_HOME"], "embedded", "engine.json")
    users = json.loads(state.read_text())["users"]
    return {"username": users["username"], "password": users["password"], "database": "neo4j"}


# Servers with TLS


@dataclass
class Server:
    """A server that requires TLS, with a certificate for localhost only."""

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
    """A directory with the certificates of the signing authority and of an unrelated one."""
    folder = tmp_path_factory.mktemp("authorities")
    authority.cert_pem.write_to_path(str(folder / "right.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "wrong.pem"))
    return folder


def forward(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listen on a port, and answer each client in a thread."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=serve, args=[client], daemon=True).start()

        def serve(client: socket.socket) -> None:
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
            threading.Thread(target=forward, args=[engine, plain], daemon=True).start()
            forward(plain, engine)

    with connect() as connection:
        port = connection.uri.rpartition(":")[2]
    with listening(answer) as tls_port:
        yield Server(tls_port, login(), ("bolt",), files)


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


@pytest.fixture(
    scope="module",
    params=[engine_behind_tls, pytest.param(neo4j_with_tls, marks=pytest.mark.neo4j)],
)
def server(
    request: pytest.FixtureRequest, embedded_engine: Engine, authority: trustme.CA, files: Path
) -> Iterator[Server]:
    if os.environ.get("NEO4J_URI"):
        pytest.skip("the tests start their own servers")
    with request.param(authority, files) as found:
        yield found


def is_connected() -> bool:
    return query("RETURN 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("ending", ["", "+s", "+ssc"])
def test_trusted_authority_works_with_every_scheme(server: Server, ending: str) -> None:
    for scheme in server.schemes:
        uri = server.address(scheme + ending)
        with connect(
            uri, trusted_certificates=server.authority / "right.pem", **server.login
        ) as connection:
            assert connection.uri == uri
            assert is_connected()


def test_command_reads_the_authority_from_the_environment(
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


def test_ssc_accepts_any_certificate(server: Server) -> None:
    for scheme in server.schemes:
        for host in ("localhost", "127.0.0.1"):
            with connect(server.address(f"{scheme}+ssc", host), **server.login):
                assert is_connected()


@pytest.mark.parametrize("ending", ["", "+s", "+ssc"])
def test_certificate_of_another_authority_is_rejected(server: Server, ending: str) -> None:
    for scheme in server.schemes:
        uri = server.address(scheme + ending)
        with pytest.raises(TLSError, match="NEO4J_TRUSTED_CERTIFICATES") as refused:
            connect(uri, trusted_certificates=server.authority / "wrong.pem", **server.login)
        assert uri in str(refused.value)


def test_certificate_unknown_to_the_system_is_rejected(server: Server) -> None:
    for scheme in server.schemes:
        with pytest.raises(TLSError, match="NEO4J_TRUSTED_CERTIFICATES"):
            connect(server.address(f"{scheme}+s"), **server.login)


def test_certificate_for_another_host_name_is_rejected(server: Server) -> None:
    right = server.authority / "right.pem"
    for scheme in server.schemes:
        with pytest.raises(TLSError, match=r"another host name.*NEO4J_URI"):
            connect(
                server.address(f"{scheme}+s", "127.0.0.1"),
                trusted_certificates=right,
                **server.login,
            )


def test_plaintext_to_a_tls_server_is_an_error(server: Server) -> None:
    for scheme in server.schemes:
        with pytest.raises(UnavailableError, match=r"neo4j\+s or bolt\+s"):
            connect(server.address(scheme), **server.login)


def test_wrong_password_or_database_over_tls(server: Server) -> None:
    for scheme in server.schemes:
        uri = server.address(f"{scheme}+ssc")
        with pytest.raises(AuthenticationError, match="NEO4J_PASSWORD"):
            connect(uri, **{**server.login, "password": SECRET})
        with pytest.raises(QueryError, match="NEO4J_DATABASE"):
            connect(uri, **{**server.login, "database": "nowhere"})


def test_tls_to_a_plaintext_server_is_an_error(embedded: Connection) -> None:
    port = embedded.uri.rpartition(":")[2]
    for scheme in ("bolt+s", "neo4j+s", "bolt+ssc", "neo4j+ssc"):
        with pytest.raises(TLSError, match="NEO4J_URI"):
            connect(f"{scheme}://localhost:{port}", **login())


def test_trusted_certificates_with_a_plaintext_server_are_an_error(
    embedded: Connection, files: Path
) -> None:
    with pytest.raises(TLSError, match=r"plaintext .* no NEO4J_TRUSTED_CERTIFICATES"):
        connect(embedded.uri, trusted_certificates=files / "right.pem", **login())


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_invalid_certificate_file_is_rejected(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"^NEO4J_TRUSTED_CERTIFICATES: .*ca\.pem"):
        connect("bolt://localhost:1", trusted_certificates=file)


def test_expired_password_is_a_one_line_error(neo4j_graph: Connection) -> None:
    query("CREATE USER newcomer SET PASSWORD 'first-password' CHANGE REQUIRED", write=True)
    try:
        with pytest.raises(
            AuthenticationError, match=r"^the password has expired.*`ALTER CURRENT USER"
        ):
            connect(neo4j_graph.uri, username="newcomer", password="first-password")
    finally:
        query("DROP USER newcomer", write=True)


# Plaintext


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
def test_plaintext_to_another_machine_is_rejected(uri: str) -> None:
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
def test_plaintext_to_localhost_is_allowed(uri: str) -> None:
    with pytest.raises(UnavailableError, match="can't connect to"):
        connect(uri)


def test_plaintext_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="can't connect to"):
        connect("bolt://nowhere.invalid", allow_plaintext=True)
    monkeypatch.setenv("NEO4J_ALLOW_PLAINTEXT", "1")
    with pytest.raises(UnavailableError, match="can't connect to"):
        connect("neo4j://nowhere.invalid")


def chunk(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message + b"\x00\x00"


def text(value: str) -> bytes:
    return b"\xd0" + bytes([len(value)]) + value.encode()


def test_routing_table_can_not_redirect_plaintext_to_another_machine() -> None:
    """Any process on localhost, such as a tunnel, may send a routing table."""
    success = b"\xb1\x70"
    server = b"\xa2" + text("addresses") + b"\x91" + text("db.example.com:7687") + text("role")
    servers = b"".join(server + text(role) for role in ("ROUTE", "READ", "WRITE"))
    table = b"\xa2" + text("ttl") + b"\x2a" + text("servers") + b"\x93" + servers
    replies = [
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
                if replies:
                    client.sendall(chunk(success + replies.pop(0)))

    with listening(answer) as port, pytest.raises(SettingsError, match=r"to db\.example\.com in"):
        connect(f"neo4j://127.0.0.1:{port}", password=SECRET)


# Ports of other services, and servers that do not respond


def close_at_once(client: socket.socket) -> None:
    """Close the connection."""


def close_after_handshake_request(client: socket.socket) -> None:
    client.recv(1 << 16)


def answer_in_http(client: socket.socket) -> None:
    client.recv(1 << 16)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def close_after_handshake(client: socket.socket) -> None:
    client.recv(1 << 16)
    client.sendall(b"\x00\x00\x04\x05")
    client.recv(1 << 16)


def stay_silent(client: socket.socket) -> None:
    while client.recv(1 << 16):  # until the client gives up
        pass


SCHEMES = ["bolt", "neo4j", "bolt+s", "neo4j+s", "bolt+ssc", "neo4j+ssc"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "answer",
    [
        close_at_once,
        close_after_handshake_request,
        answer_in_http,
        close_after_handshake,
        stay_silent,
    ],
)
def test_port_of_another_service_is_a_one_line_error(
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


def test_connect_to_a_silent_port_times_out() -> None:
    start = time.monotonic()
    with listening(stay_silent) as port, pytest.raises(UnavailableError, match="timed out"):
        connect(f"bolt://127.0.0.1:{port}")
    assert time.monotonic() - start < 30, "the driver's default is 60 s"


def test_timeouts_are_within_the_documented_limit() -> None:
    assert connection_module.ANSWER_TIMEOUT + connection_module._GRACE <= 5


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a connect to a fraction of a second; without any limit, it would block for ever."""
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT", 0.2)
    monkeypatch.setattr(connection_module, "_GRACE", 0.2)


@pytest.fixture
def resolve_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], list[int]]], None]:
    """Replace name resolution: the host server.test has the ports returned by a function."""
    getaddrinfo = socket.getaddrinfo

    def replace(ports: Callable[[], list[int]]) -> None:
        def resolve(host: object, *arguments: Any, **options: Any) -> list[Any]:
            if host != "server.test":
                return getaddrinfo(host, *arguments, **options)
            family = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*family, ("127.0.0.1", port)) for port in ports()]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return replace


TLS_SCHEMES = ["bolt+s", "neo4j+s", "bolt+ssc", "neo4j+ssc"]


@pytest.mark.parametrize("scheme", TLS_SCHEMES)
def test_slow_name_resolution_times_out(
    short_timeouts: None, scheme: str, resolve_to: Callable[[Callable[[], list[int]]], None]
) -> None:
    released = threading.Event()

    def resolve() -> list[int]:
        released.wait()
        return []

    resolve_to(resolve)
    try:
        with pytest.raises(UnavailableError, match=r"^timed out connecting to .*server\.test"):
            connect(f"{scheme}://server.test:1")
    finally:
        released.set()


@pytest.mark.parametrize("scheme", TLS_SCHEMES)
def test_slow_name_resolution_before_a_silent_tls_port_times_out(
    short_timeouts: None, scheme: str, resolve_to: Callable[[Callable[[], list[int]]], None]
) -> None:
    """The driver's deadline has expired when it connects: it sets no timeout."""
    with listening(stay_silent) as port:

        def resolve() -> list[int]:
            time.sleep(connection_module.ANSWER_TIMEOUT + 0.05)
            return [port]

        resolve_to(resolve)
        with pytest.raises(UnavailableError, match="timed out"):
            connect(f"{scheme}://server.test:1")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_silent_addresses_time_out(
    short_timeouts: None, scheme: str, resolve_to: Callable[[Callable[[], list[int]]], None]
) -> None:
    """The first address uses up the driver's deadline."""
    with listening(stay_silent) as first, listening(stay_silent) as second:
        resolve_to(lambda: [first, second])
        with pytest.raises(UnavailableError):
            connect(f"{scheme}://server.test:1", allow_plaintext=True)


def test_silent_tls_port_with_trusted_certificates_times_out(
    short_timeouts: None, files: Path
) -> None:
    with listening(stay_silent) as port, pytest.raises(UnavailableError, match="timed out"):
        connect(f"bolt://localhost:{port}", trusted_certificates=files / "right.pem")


def test_server_that_does_not_reply_to_begin_times_out(short_timeouts: None) -> None:
    def answer(client: socket.socket) -> None:
        """Accept the handshake and the login, and nothing else."""
        client.recv(1 << 16)
        client.sendall(b"\x00\x00\x04\x05")  # Bolt 5.4
        received = b""
        server = text("server") + text("Neo4j/5.26.0") + text("connection_id") + text("1")
        replies = [(b"\xb1\x01", b"\xa2" + server), (b"\xb1\x6a", b"\xa0")]  # HELLO, LOGON
        while data := client.recv(1 << 16):
            received += data
            while replies and replies[0][0] in received:
                client.sendall(chunk(b"\xb1\x70" + replies.pop(0)[1]))

    with listening(answer) as port, pytest.raises(UnavailableError, match="timed out"):
        connect(f"bolt://127.0.0.1:{port}")


def test_handshake_has_a_timeout_if_the_driver_sets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise later connections, opened during a transaction, could block forever."""
    monkeypatch.setattr(security, "HANDSHAKE_TIMEOUT", 0.05)
    context = security._default_context(verify=False)
    with listening(stay_silent) as port:
        for timeout in (None, 0.0):  # a deadline expired before, or during, the TCP connect
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.settimeout(timeout)
                with pytest.raises(TimeoutError):
                    context.wrap_socket(client)


# The password


@pytest.fixture
def remote(embedded: Connection, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shared engine as a server set in the environment, without its password."""
    credentials = login()
    monkeypatch.setenv("NEO4J_URI", embedded.uri)
    monkeypatch.setenv("NEO4J_USERNAME", credentials["username"])
    monkeypatch.setenv("NEO4J_DATABASE", credentials["database"])
    return credentials["password"]


def write_password_file(password: str | bytes, mode: int = 0o600) -> Path:
    file = Path("password")
    file.write_bytes(password if isinstance(password, bytes) else password.encode())
    file.chmod(mode)
    return file


def test_password_is_read_from_a_file(
    remote: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for end in ("", "\n", "\r\n"):
        monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(write_password_file(remote + end)))
        with connect():
            assert is_connected()
    assert not caplog.records


def test_tilde_in_file_settings_is_expanded(
    remote: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_password_file(remote).rename(tmp_path / "password-at-home")
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", "~/password-at-home")
    with connect():
        assert is_connected()
    with pytest.raises(SettingsError, match=re.escape(str(tmp_path / "ca.pem"))):
        connect(trusted_certificates="~/ca.pem")


def test_password_takes_precedence_over_the_file(
    remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(write_password_file(SECRET)))
    with pytest.raises(AuthenticationError):
        connect()
    with connect(password=remote):
        assert is_connected()


@pytest.mark.skipif(sys.platform == "win32", reason="Unix file modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_password_file_readable_by_others_logs_a_warning(
    remote: str, mode: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(write_password_file(remote, mode)))
    with connect(), caplog.at_level(logging.WARNING):
        assert is_connected()
    assert "chmod 600" in caplog.text
    assert remote not in caplog.text


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "No such file"), ("", "is empty"), (b"\xff\xfe", "not UTF-8")]
)
def test_invalid_password_file_is_rejected(
    remote: str, content: str | bytes | None, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", "password")
    if content is not None:
        write_password_file(content)
    with pytest.raises(SettingsError, match=rf"^NEO4J_PASSWORD_FILE: password: .*{problem}"):
        connect()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix terminal")
def test_password_prompt_does_not_echo(remote: str) -> None:
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
    output = child.read()
    child.close()
    assert child.exitstatus == 0, output
    assert "42" in output
    assert remote not in output


def test_no_password_prompt_without_a_terminal(remote: str, cli: Run) -> None:
    result = cli("status", input=f"{remote}\n")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "NEO4J_PASSWORD" in result.stderr


def test_wrong_password_is_not_prompted_for(
    remote: str, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", SECRET)
    result = cli("status")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_arguments_of_connect_are_validated() -> None:
    with pytest.raises(SettingsError, match=r"NEO4J_ALLOW_PLAINTEXT: .*boolean"):
        connect("bolt://db.example.com", allow_plaintext="perhaps")  # type: ignore[arg-type]
