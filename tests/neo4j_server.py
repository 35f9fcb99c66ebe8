"""Real Neo4j for the tests: its jars, its tools, and a server that is gone after the tests."""

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

VERSION = "5.26.30"
# Of org.neo4j in Maven Central, by the folder for their jars.
ARTIFACTS = {"neo4j": ("neo4j", "neo4j-bolt"), "cypher-shell": ("cypher-shell",)}
PASSWORD = "only-for-tests"
# Read here, since the tests themselves run without the settings of whoever starts them.
NAMED_LIB = os.environ.get("GENAI_GRAPH_TEST_NEO4J_LIB")
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
POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies>{}</dependencies></project>
"""
DEPENDENCY = (
    "<dependency><groupId>org.neo4j</groupId><artifactId>{}</artifactId>"
    f"<version>{VERSION}</version></dependency>"
)


def find_lib(name: str) -> Path | str:
    """Return the folder of the jars, fetched when Maven is there, or why there is none."""
    if not java_is_new_enough():
        return "Java 17 or newer is not on PATH"
    if NAMED_LIB and any(Path(NAMED_LIB).glob(f"{name}-[0-9]*.jar")):
        return Path(NAMED_LIB)
    if shutil.which("mvn") is None:
        return (
            f"GENAI_GRAPH_TEST_NEO4J_LIB names no folder with {name}'s jars, "
            "and mvn is not on PATH, to fetch them with"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return fetch(name, cache / "genai-graph-tests" / f"{name}-{VERSION}")


def lib_or_skip(name: str = "neo4j") -> Path:
    """Return the folder of the jars, or skip the test; in CI the test fails instead."""
    found = find_lib(name)
    if isinstance(found, Path):
        return found
    reason = f"there is no {name} to test with: {found}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def java_is_new_enough() -> bool:
    if shutil.which("java") is None:
        return False
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    number = told.partition('"')[2].partition(".")[0]
    return number.isdecimal() and int(number) >= 17


def fetch(name: str, folder: Path) -> Path | str:
    """Copy the jars from Maven Central into a folder, once; what is half done is not used."""
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    pom = partial / "pom.xml"
    pom.write_text(POM.format("".join(map(DEPENDENCY.format, ARTIFACTS[name]))))
    done = subprocess.run(
        [
            "mvn",
            "-q",
            "-f",
            str(pom),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={partial}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(partial)
        return f"mvn could not fetch it: {done.stdout[:500]}"
    if not folder.is_dir():
        partial.rename(folder)
    return folder


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
        wait_for(f"{'bolt+ssc' if more else 'bolt'}://127.0.0.1:{port}", process, log)
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
