"""The embedded engine: ArcadeDB from the wheel `arcadedb-embedded`, which includes a Java runtime.

The server runs as a separate process and speaks Bolt on the loopback interface. Its users and
groups are files, written before each start with new random passwords, so that no password ever
appears in a command line, an environment or a log.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_graph.errors import MissingExtraError
from genai_graph.server.lifecycle import Server, Users, write_private_file

if TYPE_CHECKING:
    import psutil


# Key stretching protects passwords chosen by people; these are random, and startup time matters.
_ITERATIONS = 1024
_DATABASE = "neo4j"
OWN_USERS = ("root", "reader")
_USERS_FILE = "server-users.jsonl"
_ALL_RECORD_RIGHTS = ["createRecord", "readRecord", "updateRecord", "deleteRecord"]
_GROUPS = {  # rights on the database and on its records
    "admin": (["updateSecurity", "updateSchema", "updateDatabaseSettings"], _ALL_RECORD_RIGHTS),
    "writer": ([], _ALL_RECORD_RIGHTS),
    "reader": ([], ["readRecord"]),
    "*": ([], []),
}
_PORT = re.compile(r"BOLT connections on /127\.0\.0\.1:(\d+)")


class ArcadeDB(Server):
    """ArcadeDB 26.10 and newer, with its Bolt plugin."""

    name = "embedded"
    database = _DATABASE
    single_writer = True
    # Larger transactions stall without an error, or exhaust the Java heap with a misleading one.
    largest_transaction = 300_000, 128 * 2**20
    largest_message = 128 * 2**20  # a connection hangs after a message above the server's limit
    stopping_message = "Shutting down ArcadeDB Server"
    stopped_message = "ArcadeDB Server is down"

    @property
    def java(self) -> Path:
        """Path of the Java executable; raises `MissingExtraError` unless the wheel is installed."""
        return self._package / "jre" / "bin" / ("java.exe" if os.name == "nt" else "java")

    @property
    def lib(self) -> Path:
        """The directory of the jars in the wheel."""
        return self._package / "jars"

    @property
    def _package(self) -> Path:
        # find_spec: importing the package would load Java into this process.
        spec = importlib.util.find_spec("arcadedb_embedded")
        if spec is None or spec.origin is None:
            raise MissingExtraError("the embedded engine", "embedded")
        return Path(spec.origin).parent

    def install(self) -> None:
        """Raise `MissingExtraError` unless the wheel is installed."""
        _ = self.java

    def prepare(self, directory: Path) -> Users:
        """Write the users and groups."""
        username, reader = OWN_USERS
        users = Users(username, secrets.token_urlsafe(24), reader, secrets.token_urlsafe(24))
        own_users = {
            username: _build_user(username, users.password, {"*": ["admin"]}),
            reader: _build_user(reader, users.reader_password, {_DATABASE: ["reader"]}),
        }
        _write_users(directory, {**_read_users(directory), **own_users})
        limits = {"resultSetLimit": -1, "readTimeout": -1}
        groups = {
            name: {**limits, "access": database_rights, "types": {"*": {"access": record_rights}}}
            for name, (database_rights, record_rights) in _GROUPS.items()
        }
        content = json.dumps({"databases": {"*": {"groups": groups}}, "version": 2})
        write_private_file(directory / "config" / "server-groups.json", content)
        return users

    def command(self, directory: Path, java_options: list[str]) -> list[str]:
        """Return the command line; the system chooses both ports, on loopback only."""
        settings = {
            "server.rootPath": directory,
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "server.defaultDatabases": f"{self.database}[]",
            "server.reloadEvery": 1000,  # milliseconds between two reads of the users file
            "server.httpIncomingHost": "127.0.0.1",
            "server.httpIncomingPort": 0,
            "bolt.host": "127.0.0.1",
            "bolt.port": 0,
            "bolt.maxMessageSize": 2 * self.largest_message,  # sizes are estimated before sending
        }
        options = ["-Xmx1g", "-XX:+UseSerialGC", "--add-modules=jdk.incubator.vector"]
        options += [f"-Darcadedb.{name}={value}" for name, value in settings.items()]
        return self.java_command("com.arcadedb.server.ArcadeDBServer", [*options, *java_options])

    def find_port(self, log: str, process: psutil.Process) -> int | None:
        """Return the port in the log, once the database exists: Bolt listens earlier."""
        match = _PORT.search(log)
        return int(match[1]) if match and "ArcadeDB Server started in" in log else None


def list_users(directory: Path) -> dict[str, str]:
    """Return the roles of the users added by `save_user`, by name."""
    users = _read_users(directory).items()
    return {name: user["databases"][_DATABASE][0] for name, user in users if name not in OWN_USERS}


def save_user(directory: Path, name: str, role: str, password: str) -> None:
    """Create or update a user; a running engine reads the change within a second."""
    user = _build_user(name, password, {_DATABASE: [role]})
    _write_users(directory, {**_read_users(directory), name: user})


def delete_user(directory: Path, name: str) -> bool:
    """Delete a user added by `save_user`; return whether it existed."""
    users = _read_users(directory)
    if name in OWN_USERS or users.pop(name, None) is None:
        return False
    _write_users(directory, users)
    return True


def _read_users(directory: Path) -> dict[str, dict[str, Any]]:
    try:
        lines = (directory / "config" / _USERS_FILE).read_text(encoding="utf-8").splitlines()
        users = [json.loads(line) for line in lines if line.strip()]
        return {user["name"]: user for user in users}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # missing or corrupt: the next start writes it


def _write_users(directory: Path, users: dict[str, dict[str, Any]]) -> None:
    (directory / "config").mkdir(exist_ok=True)
    temporary = directory / "config" / f"{_USERS_FILE}.new"
    write_private_file(temporary, "".join(f"{json.dumps(user)}\n" for user in users.values()))
    temporary.replace(directory / "config" / _USERS_FILE)  # atomic: the engine polls this file


def _build_user(name: str, password: str, databases: dict[str, list[str]]) -> dict[str, Any]:
    """Return a user with a hashed password; the salt is its base64 text, not the decoded bytes."""
    salt = base64.b64encode(secrets.token_bytes(32)).decode()
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _ITERATIONS, 32)
    hashed = f"PBKDF2WithHmacSHA256${_ITERATIONS}${salt}${base64.b64encode(digest).decode()}"
    return {"name": name, "databases": databases, "password": hashed}
