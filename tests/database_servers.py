"""A PostgreSQL or MariaDB server on loopback for one test, from the packages of Debian."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_PASSWORD = "s3cret"


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Run a server, and yield the URL of an empty database; skip the test if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with _directory() as (directory, user):
        password = directory / "password"
        password.write_text(_PASSWORD)
        password.chmod(0o644)
        data, port = directory / "data", _free_port()
        options = ["-U", "test", "--pwfile", str(password), "--auth", "scram-sha-256"]
        _run([str(found[-1]), "-D", str(data), *options], user)
        server = [str(found[-1].parent / "postgres"), "-D", str(data), "-p", str(port)]
        command = [*server, "-h", "127.0.0.1", "-k", str(directory), "-F"]
        with _running(command, user, port):
            url = f"postgresql://test:{_PASSWORD}@127.0.0.1:{port}/postgres"
            _wait_for_postgresql(url)
            yield url


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Run a server, and yield the URL of an empty database; skip the test if there is none."""
    server, install = shutil.which("mariadbd", path="/usr/sbin"), shutil.which("mariadb-install-db")
    client = shutil.which("mariadb")
    if server is None or install is None or client is None:
        pytest.skip("MariaDB is not installed (Debian: mariadb-server-core, mariadb-client-core)")
    with _directory() as (directory, user):
        data, port, path = directory / "data", _free_port(), directory / "socket"
        places = [f"--datadir={data}", f"--tmpdir={directory}"]
        account = [f"--auth-root-socket-user={user}"] if user else []
        _run([install, "--no-defaults", *places, "--skip-test-db", *account], user)
        options = [*places, f"--port={port}", f"--socket={path}"]
        command = [server, "--no-defaults", *options, "--bind-address=127.0.0.1"]
        with _running(command, user, port):
            statements = (
                "CREATE DATABASE store CHARACTER SET utf8mb4; "
                f"CREATE USER test@'127.0.0.1' IDENTIFIED BY '{_PASSWORD}'; "
                f"CREATE USER test@localhost IDENTIFIED BY '{_PASSWORD}'; "
                "GRANT ALL ON store.* TO test@'127.0.0.1'; GRANT ALL ON store.* TO test@localhost"
            )
            _run([client, "--no-defaults", f"--socket={path}", "-e", statements], user)
            yield f"mysql://test:{_PASSWORD}@127.0.0.1:{port}/store"


@contextlib.contextmanager
def _directory() -> Iterator[tuple[Path, str | None]]:
    """Yield a directory, and the user of the server: it refuses to run as root."""
    user = "nobody" if os.geteuid() == 0 else None
    # Not the directory of the test: its path is too long for a socket, and private.
    directory = Path(tempfile.mkdtemp(prefix="genai-graph-"))
    try:
        if user is not None:
            shutil.chown(directory, user)
        yield directory, user
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(command: list[str], user: str | None) -> None:
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _running(command: list[str], user: str | None, port: int) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, user=user, cwd="/", stdout=quiet, stderr=quiet) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGQUIT)  # PostgreSQL waits for its clients after SIGTERM
            process.wait(60)


def _wait_for_postgresql(url: str) -> None:
    """Wait until the server has started: before, it accepts connections and closes them."""
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
