"""Neo4j servers for the tests: the managed one, and 5.26 LTS with its tools on Java from PATH.

The jars of both are downloaded by lock files, as the package does.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import neo4j
import pytest

from genai_graph.errors import EngineError, MissingExtraError
from genai_graph.server.lifecycle import Server
from genai_graph.server.neo4j_community import SETTINGS, Neo4jCommunity

PASSWORD = "only-for-tests"
JAVA_VERSIONS = (17, 21)
ADMIN = "org.neo4j.server.startup.Neo4jAdminCommand"
SERVER = "org.neo4j.server.CommunityEntryPoint"
SHELL = "org.neo4j.shell.Main"
SHORT_RUN = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
ADD_OPENS = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io")] + [
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED"
]
CONFIGURATION = """\
server.default_listen_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:{port}
server.http.enabled=false
server.https.enabled=false
server.memory.heap.max_size=512m
server.memory.pagecache.size=64m
db.tx_log.preallocate=false
dbms.usage_report.enabled=false
"""
TLS = """\
server.bolt.tls_level=REQUIRED
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.base_directory=certificates/bolt
dbms.ssl.policy.bolt.client_auth=NONE
"""


class LongLived(Neo4jCommunity):
    """The managed Neo4j with options for long runs."""

    def command(self, folder: Path, java_options: list[str]) -> list[str]:
        """Return the command line, without the ahead-of-time cache, and with both compilers.

        With the quick one only, 300 tests use a third more CPU time, and more tests even more.
        """
        return super().command(folder, ["-XX:+UseSerialGC"])


class ShortLived(Neo4jCommunity):
    """The managed Neo4j, and its importer, with options for short runs."""

    def command(self, folder: Path, java_options: list[str]) -> list[str]:
        """Return the command line, without the ahead-of-time cache."""
        return super().command(folder, [])

    def java_command(self, main: str, options: list[str]) -> list[str]:
        return super().java_command(main, [*options, *SHORT_RUN])


class Neo4j5(ShortLived):
    """Neo4j 5.26 LTS, which does not support the Java version from PyPI."""

    name = "neo4j-5"
    lock = Path(__file__).with_name("neo4j-5.lock")
    main = SERVER
    settings = SETTINGS | {"internal.dbms.bolt.netty_server_shutdown_quiet_period": "0"}

    @property
    def java(self) -> Path:
        _ = super().java  # raises MissingExtraError
        java = shutil.which("java")
        if java is None or java_version(java) not in JAVA_VERSIONS:
            raise EngineError("Java 17 or 21 is required on PATH")
        return Path(java)


class CypherShell(Neo4j5):
    """cypher-shell of the same version, with its own jars."""

    name = artifact = "cypher-shell"
    lock = Path(__file__).with_name("cypher-shell.lock")


def java_version(java: str) -> int:
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    number = output.partition('"')[2].partition(".")[0]
    return int(number) if number.isdecimal() else 0


def install_or_skip(server: Server) -> None:
    """Install a server, or skip the test; in CI the test fails instead."""
    try:
        server.install()
    except (MissingExtraError, EngineError) as error:
        reason = f"{server.name} is not available: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def lib_or_skip(name: str = "neo4j") -> Path:
    """Return the directory of the jars of Neo4j 5 or its cypher-shell, or skip the test."""
    server = CypherShell() if name == "cypher-shell" else Neo4j5()
    install_or_skip(server)
    return server.lib


def cypher_shell(lib: Path, uri: str, script: Path) -> str:
    """Pipe a file into cypher-shell and return the output."""
    with script.open("rb") as stream:
        done = subprocess.run(
            [*java(lib, SHELL), "--address", uri, "--non-interactive"],
            env={**os.environ, "NEO4J_USERNAME": "neo4j", "NEO4J_PASSWORD": PASSWORD},
            stdin=stream,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def java(lib: Path, main: str) -> list[str]:
    return ["java", "-Xmx512m", *SHORT_RUN, *ADD_OPENS, "-cp", f"{lib}/*", main]


def admin(lib: Path, home: Path, *arguments: str) -> None:
    """Run neo4j-admin on a home directory."""
    configure(home, 0)
    done = subprocess.run(
        [*java(lib, ADMIN), *arguments],
        env={**os.environ, **admin_environment(home)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def admin_environment(home: Path) -> dict[str, str]:
    return {"NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}


def configure(home: Path, port: int, more: str = "") -> None:
    (home / "conf").mkdir(parents=True, exist_ok=True)
    (home / "plugins").mkdir(exist_ok=True)
    (home / "conf" / "neo4j.conf").write_text(CONFIGURATION.format(port=port) + more)


def require_tls(home: Path, key: bytes, certificates: bytes) -> str:
    """Install a certificate in a home directory, and return the configuration for it."""
    folder = home / "certificates" / "bolt"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "private.key").write_bytes(key)
    (folder / "public.crt").write_bytes(certificates)
    return TLS


@contextmanager
def server(lib: Path, home: Path, more: str = "", port: int = 0) -> Iterator[tuple[str, str]]:
    """Run a server on a home directory, and yield its address and the password of neo4j.

    `more` is appended to the configuration.
    """
    if not (home / "data" / "dbms").is_dir():
        admin(lib, home, "dbms", "set-initial-password", PASSWORD)
    port = port or free_port()
    configure(home, port, more)
    command = [*java(lib, SERVER), f"--home-dir={home}", f"--config-dir={home / 'conf'}"]
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(f"{'bolt+ssc' if TLS in more else 'bolt'}://127.0.0.1:{port}", process, log)
        yield f"bolt://127.0.0.1:{port}", PASSWORD
    finally:
        process.kill()  # a regular stop takes ten seconds
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(uri: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180) -> None:
    """Wait until the server responds."""
    deadline = time.monotonic() + seconds
    with neo4j.GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)) as driver:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                driver.verify_connectivity()
                return
            except neo4j.exceptions.Neo4jError as error:
                if not error.is_retryable():
                    raise
            except neo4j.exceptions.DriverError:
                pass
            time.sleep(0.2)
    raise AssertionError(f"Neo4j did not start: {log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    for each in (ShortLived(), Neo4j5(), CypherShell()):
        try:
            each.install()
        except (MissingExtraError, EngineError) as error:
            print(f"{each.name} is not installed, its tests are skipped: {error}")  # noqa: T201
