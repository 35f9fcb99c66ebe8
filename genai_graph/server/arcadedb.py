"""The embedded engine: ArcadeDB from the wheel `arcadedb-embedded`, its Java runtime inside.

The server runs as a process of its own and speaks Bolt on the loopback interface. Its users and
their groups are files, written before each start with new random passwords, so that no password
is ever in a command line, an environment or a log.
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
from genai_graph.server.lifecycle import Server, Users, fingerprint_files, write_private_file

if TYPE_CHECKING:
    import psutil


# Stretching protects passwords that people choose; these are random, and a start should be quick.
_ITERATIONS = 1024
_DATABASE = "neo4j"
OWN_USERS = ("root", "reader")
_USERS = "server-users.jsonl"
_EVERYTHING = ["createRecord", "readRecord", "updateRecord", "deleteRecord"]
_PORT = re.compile(r"BOLT connections on /127\.0\.0\.1:(\d+)")


class ArcadeDB(Server):
    """ArcadeDB 26.10 and newer, with its Bolt plugin."""

    name = "embedded"
    database = _DATABASE
    takes_one_writer = True
    # More nodes and edges stall without an error, and more bytes than its memory holds fail with
    # one that does not say so.
    largest_transaction = 300_000, 128 * 2**20
    largest_message = 128 * 2**20  # it never answers again after one that is too large for it

    def install(self) -> None:
        """Make sure that pip has installed it."""
        _ = self._package

    def prepare(self, folder: Path) -> Users:
        """Write the users and their groups."""
        username, reader = OWN_USERS
        users = Users(username, secrets.token_urlsafe(24), reader, secrets.token_urlsafe(24))
        own = {
            username: _user(users.username, users.password, {"*": ["admin"]}),
            reader: _user(users.reader, users.reader_password, {_DATABASE: ["reader"]}),
        }
        _write_users(folder, {**own, **_others(folder)})
        write_private_file(folder / "config" / "server-groups.json", json.dumps(_groups()))
        return users

    def command(self, folder: Path, java_options: list[str]) -> list[str]:
        """Return the command line; both ports are the system's choice, on loopback only."""
        settings = {
            "server.rootPath": folder,
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "server.defaultDatabases": f"{self.database}[]",
            "server.reloadEvery": 1000,  # ms, of the users
            "server.httpIncomingHost": "127.0.0.1",
            "server.httpIncomingPort": 0,
            "bolt.host": "127.0.0.1",
            "bolt.port": 0,
            "bolt.maxMessageSize": 2 * self.largest_message,  # of ours none comes near it
        }
        return [
            str(self._java()),
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.awt.headless=true",
            *(f"-Darcadedb.{name}={value}" for name, value in settings.items()),
            *java_options,
            "-cp",
            str(self._package / "jars" / "*"),
            "com.arcadedb.server.ArcadeDBServer",
        ]

    def find_port(self, log: str, process: psutil.Process) -> int | None:
        """Bolt listens before the database exists, so wait for the server's last word."""
        found = _PORT.search(log)
        return int(found[1]) if found and "ArcadeDB Server started in" in log else None

    def is_stopping(self, log: str) -> bool:
        """Tell whether the shutdown has begun."""
        return "Shutting down ArcadeDB Server" in log

    def is_down(self, log: str) -> bool:
        """Tell whether the shutdown has closed the databases."""
        return "ArcadeDB Server is down" in log

    def fingerprint(self) -> str:
        """The names, sizes and dates of the Java runtime and of the jars."""
        return fingerprint_files([self._java(), *sorted((self._package / "jars").glob("*.jar"))])

    @property
    def _package(self) -> Path:
        # find_spec, since importing the package would load Java into this process.
        spec = importlib.util.find_spec("arcadedb_embedded")
        if spec is None or spec.origin is None:
            raise MissingExtraError("the embedded engine", "embedded")
        return Path(spec.origin).parent

    def _java(self) -> Path:
        return self._package / "jre" / "bin" / ("java.exe" if os.name == "nt" else "java")


def list_users(folder: Path) -> dict[str, str]:
    """Return the role of each further user, by name."""
    return {name: user["databases"][_DATABASE][0] for name, user in _others(folder).items()}


def save_user(folder: Path, name: str, role: str, password: str) -> None:
    """Make or change a user; a running engine knows it a second later."""
    _write_users(folder, {**_all_users(folder), name: _user(name, password, {_DATABASE: [role]})})


def delete_user(folder: Path, name: str) -> bool:
    """Take a further user away, and tell whether there was one."""
    there = _all_users(folder)
    if name not in _others(folder):
        return False
    del there[name]
    _write_users(folder, there)
    return True


def _others(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: user for name, user in _all_users(folder).items() if name not in OWN_USERS}


def _all_users(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        lines = (folder / "config" / _USERS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    try:
        found = [json.loads(line) for line in lines if line.strip()]
        return {user["name"]: user for user in found}
    except (ValueError, KeyError, TypeError):
        return {}  # broken: the next start makes its own users anew


def _write_users(folder: Path, there: dict[str, dict[str, Any]]) -> None:
    (folder / "config").mkdir(exist_ok=True)
    new = folder / "config" / f"{_USERS}.new"
    write_private_file(new, "".join(f"{json.dumps(user)}\n" for user in there.values()))
    new.replace(folder / "config" / _USERS)  # whole, whenever the engine looks


def _user(name: str, password: str, databases: dict[str, list[str]]) -> dict[str, Any]:
    return {"name": name, "databases": databases, "password": _hash(password)}


def _hash(password: str) -> str:
    """Hash a password as ArcadeDB stores it: the salt is the base64 text itself, not its bytes."""
    salt = base64.b64encode(secrets.token_bytes(32)).decode()
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _ITERATIONS, 32)
    return f"PBKDF2WithHmacSHA256${_ITERATIONS}${salt}${base64.b64encode(digest).decode()}"


def _groups() -> dict[str, Any]:
    def group(records: list[str], *access: str) -> dict[str, Any]:
        return {
            "resultSetLimit": -1,
            "readTimeout": -1,
            "access": list(access),
            "types": {"*": {"access": records}},
        }

    groups = {
        "admin": group(_EVERYTHING, "updateSecurity", "updateSchema", "updateDatabaseSettings"),
        "writer": group(_EVERYTHING),
        "reader": group(["readRecord"]),
        "*": group([]),
    }
    return {"databases": {"*": {"groups": groups}}, "version": 2}
