"""Downloading the jars of a managed engine: verified against the lock file, and resumed."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from genai_graph.errors import EngineError
from genai_graph.server.jars import Jar, download_jars, read_lock

CONTENT = b"PK of a small jar"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a directory, records the requested files, and may truncate a response."""

    requested: list[str]
    truncated: set[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.requested.append(name)
        if name in self.truncated:
            self.truncated.remove(name)
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"PK")
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Suppress the log."""


class Repository:
    """A Maven repository on a local port, with its directory and its handler."""

    def __init__(self, directory: Path, port: int, handler: type[Handler]) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{port}"
        self.handler = handler

    def publish(self, name: str, classifier: str | None = None) -> Jar:
        """Add a jar and return its line of a lock file."""
        content = CONTENT + name.encode()
        digest = hashlib.sha256(content).hexdigest()
        jar = Jar(digest, len(content), "org.x", name, "1.0", classifier)
        file = self.directory / "org" / "x" / name / "1.0" / jar.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return jar


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    class RecordingHandler(Handler):
        requested: list[str] = []  # noqa: RUF012
        truncated: set[str] = set()  # noqa: RUF012

    monkeypatch.setenv("NO_PROXY", "*")
    directory = tmp_path / "remote"
    directory.mkdir()
    handler = functools.partial(RecordingHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Repository(directory, server.server_port, RecordingHandler)
        server.shutdown()
        thread.join()


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    return tmp_path / "lib"


@pytest.fixture
def download(lib: Path, repository: Repository) -> Callable[[list[Jar]], None]:
    return lambda jars: download_jars("Thing 1.0", lib, jars, repository.url)


def files(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def test_missing_jars_are_downloaded_once(
    lib: Path,
    repository: Repository,
    download: Callable[[list[Jar]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    jars = [repository.publish("one"), repository.publish("two", "linux-x86_64")]
    download(jars)
    assert files(lib) == ["one-1.0.jar", "two-1.0-linux-x86_64.jar"]
    assert (lib / "one-1.0.jar").read_bytes() == CONTENT + b"one"
    out, err = capfd.readouterr()
    assert (out, err) == ("", "downloading Thing 1.0: 2 files, 0 MB\n")
    requests = len(repository.handler.requested)
    download(jars)
    assert len(repository.handler.requested) == requests, "complete jars need no network"
    assert capfd.readouterr().err == ""


def test_interrupted_download_is_resumed(
    lib: Path, repository: Repository, download: Callable[[list[Jar]], None], tmp_path: Path
) -> None:
    jars = [repository.publish("one"), repository.publish("two")]
    published = repository.directory / "org" / "x" / "two"
    published.rename(tmp_path / "away")
    with pytest.raises(EngineError, match=r"^Thing 1\.0: can't be downloaded .*two.* are kept in"):
        download(jars)
    assert files(lib) == ["one-1.0.jar"]
    (tmp_path / "away").rename(published)
    repository.handler.requested.clear()
    download(jars)
    assert "one-1.0.jar" not in repository.handler.requested
    assert files(lib) == ["one-1.0.jar", "two-1.0.jar"]


def test_file_with_another_digest_is_rejected(
    lib: Path, repository: Repository, download: Callable[[list[Jar]], None]
) -> None:
    good, bad = repository.publish("good"), repository.publish("bad")
    with pytest.raises(EngineError, match=r"^bad-1\.0\.jar: differs from the lock file") as raised:
        download([good, bad._replace(sha256="0" * 64)])
    assert "\n" not in str(raised.value)
    assert files(lib) == ["good-1.0.jar"]


def test_truncated_response_is_retried(
    lib: Path, repository: Repository, download: Callable[[list[Jar]], None]
) -> None:
    jar = repository.publish("one")
    repository.handler.truncated.add(jar.name)
    download([jar])
    assert repository.handler.requested.count(jar.name) == 2
    assert files(lib) == [jar.name]


def test_error_without_a_network_says_what_to_do(lib: Path, repository: Repository) -> None:
    jar = Jar("0" * 64, 1, "org.x", "one", "1.0")
    with pytest.raises(EngineError, match=r"can't be downloaded from Maven Central .*try again"):
        download_jars("Thing 1.0", lib, [jar], "http://127.0.0.1:1")


def test_authorities_of_the_system_are_trusted_unless_configured(
    repository: Repository,
    download: Callable[[list[Jar]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A company network may have its own certificate authority."""
    verify = set()

    def send(adapter: object, request: object, **options: object) -> None:
        verify.add(options["verify"])
        raise OSError("not sent")

    paths = SimpleNamespace(cafile="/etc/company.pem", capath=None)
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: paths)
    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    jar = repository.publish("one")
    with pytest.raises(EngineError):
        download([jar])
    assert verify == {"/etc/company.pem"}
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/own.pem")
    with pytest.raises(EngineError):
        download([jar])
    assert verify == {"/etc/company.pem", "/etc/own.pem"}


def test_lock_file_round_trip(tmp_path: Path) -> None:
    jars = [
        Jar("a" * 64, 12, "org.x", "one", "1.0"),
        Jar("b" * 64, 3, "org.x", "two", "2", "osx-aarch_64"),
    ]
    (tmp_path / "lock").write_text("# a comment\n" + "".join(f"{jar}\n" for jar in jars))
    assert read_lock(tmp_path / "lock") == jars
