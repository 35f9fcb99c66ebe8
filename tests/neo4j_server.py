"""Real Neo4j for the tests: the managed one, and 5.26 LTS with its tools on a Java from PATH.

The jars of both come as the package fetches them, by locks; a server is gone after the tests.
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
JAVAS = (17, 21)
ADMIN = "org.neo4j.server.startup.Neo4jAdminCommand"
SERVER = "org.neo4j.server.CommunityEntryPoint"
SHELL = "org.neo4j.shell.Main"
OPENED = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io")] + [
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


class ShortLived(Neo4jCommunity):
    """The managed Neo4j as a run of tests wants it: soon warm, and leaving nothing behind."""

    def command(self, folder: Path, java_options: list[str]) -> list[str]:
        """Return the command line, without the ahead-of-time cache."""
        return super().command(folder, ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])


class Neo4j5(ShortLived):
    """Neo4j 5.26 LTS, which is older than the Java of PyPI."""

    name = "neo4j-5"
    lock = Path(__file__).with_name("neo4j-5.lock")
    main = SERVER
    settings = SETTINGS | {"internal.dbms.bolt.netty_server_shutdown_quiet_period": "0"}

    @property
    def java(self) -> Path:
        _ = super().java  # jgo must be there for both
        found = shutil.which("java")
        if found is None or java_version(found) not in JAVAS:
            raise EngineError("Java 17 or 21 is not on PATH: install one")
        return Path(found)


class CypherShell(Neo4j5):
    """The shell of the same version, whose jars are its own."""

    name = artifact = "cypher-shell"
    lock = Path(__file__).with_name("cypher-shell.lock")


def java_version(java: str) -> int:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    number = told.partition('"')[2].partition(".")[0]
    return int(number) if number.isdecimal() else 0


def installed(server: Server) -> None:
    """Have a server's jars there, or skip the test; in CI the test fails instead."""
    try:
        server.install()
    except (MissingExtraError, EngineError) as error:
        reason = f"{server.name} is not here to be tested with: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def lib_or_skip(name: str = "neo4j") -> Path:
    """Return the folder of the jars of Neo4j 5 or its cypher-shell, or skip the test."""
    server = CypherShell() if name == "cypher-shell" else Neo4j5()
    installed(server)
    return server.lib


def cypher_shell(lib: Path, uri: str, script: Path) -> str:
    """Run a file in cypher-shell, as a pipe into it does, and return what it says."""
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
    return ["java", "-Xmx512m", *OPENED, "-cp", f"{lib}/*", main]


def admin(lib: Path, home: Path, *arguments: str) -> None:
    """Run neo4j-admin on a home folder."""
    configure(home, 0)
    done = subprocess.run(
        [*java(lib, ADMIN), *arguments],
        env={**os.environ, **admin_environment(home)},
        capture_output=True,
        text=True,
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
    """Put a certificate into a home folder, and return the configuration that uses it."""
    folder = home / "certificates" / "bolt"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "private.key").write_bytes(key)
    (folder / "public.crt").write_bytes(certificates)
    return TLS


@contextmanager
def server(lib: Path, home: Path, more: str = "", port: int = 0) -> Iterator[tuple[str, str]]:
    """Run a server on what is in a home folder, and give its address and neo4j's password.

    `more` is added to its configuration.
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
        process.kill()  # an orderly end takes ten seconds, and the folder is the test's own
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(uri: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + seconds
    with neo4j.GraphDatabase.driver(uri, auth=("neo4j", PASSWORD)) as driver:
        while process.poll() is None and time.monotonic() < end:
            try:
                driver.verify_connectivity()
                return
            except neo4j.exceptions.Neo4jError as error:
                if not error.is_retryable():
                    raise
            except neo4j.exceptions.DriverError:
                pass
            time.sleep(0.2)
    raise AssertionError(f"Neo4j does not start: {log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    for each in (ShortLived(), Neo4j5(), CypherShell()):
        try:
            each.install()
        except (MissingExtraError, EngineError) as error:
            print(f"{each.name} is not installed, its tests are skipped: {error}")  # noqa: T201
