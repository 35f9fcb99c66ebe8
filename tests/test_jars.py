"""The jars of a managed engine: what a lock names is fetched, held against it, and kept."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genai_graph.errors import EngineError
from genai_graph.server.jars import Fetcher, Jar, read_lock

pytest.importorskip("jgo", reason="jgo is not installed: pip install 'genai-graph[neo4j-server]'")

CONTENT = b"PK of a small jar"


class Repository(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, notes what was asked for, and may cut an answer short."""

    asked: list[str]
    cut: set[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.asked.append(name)
        if name in self.cut:
            self.cut.remove(name)
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"PK")
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Repository]]:
    class Own(Repository):
        asked: list[str] = []  # noqa: RUF012
        cut: set[str] = set()  # noqa: RUF012

    monkeypatch.setenv("NO_PROXY", "*")
    (tmp_path / "remote").mkdir()
    handler = functools.partial(Own, directory=str(tmp_path / "remote"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(Own, "port", server.server_port, raising=False)
        yield Own
        server.shutdown()
        thread.join()


@pytest.fixture
def fetcher(tmp_path: Path, repository: type[Repository]) -> Fetcher:
    port = repository.port  # type: ignore[attr-defined]
    return Fetcher(tmp_path / "lib", {"here": f"http://127.0.0.1:{port}"})


@pytest.fixture
def jar(tmp_path: Path, repository: type[Repository]) -> Callable[..., Jar]:
    """Publish a jar and return its line of a lock."""

    def publish(name: str, classifier: str | None = None) -> Jar:
        content = CONTENT + name.encode()
        one = Jar(
            hashlib.sha256(content).hexdigest(), len(content), "org.x", name, "1.0", classifier
        )
        file = tmp_path / "remote" / "org" / "x" / name / "1.0" / one.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return one

    return publish


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_what_the_lock_names_is_fetched_once(
    tmp_path: Path,
    fetcher: Fetcher,
    repository: type[Repository],
    jar: Callable[..., Jar],
    capfd: pytest.CaptureFixture[str],
) -> None:
    jars = [jar("one"), jar("two", "linux-x86_64")]
    fetcher.fetch("Thing 1.0", jars)
    assert files(tmp_path / "lib") == ["one-1.0.jar", "two-1.0-linux-x86_64.jar"]
    assert (tmp_path / "lib" / "one-1.0.jar").read_bytes() == CONTENT + b"one"
    out, err = capfd.readouterr()
    assert (out, err) == ("", "fetching Thing 1.0: 2 files, 0 MB\n")
    asked = len(repository.asked)
    fetcher.fetch("Thing 1.0", jars)
    assert len(repository.asked) == asked, "offline, once it is there"
    assert capfd.readouterr().err == ""
    assert not (tmp_path / "lib.partial").exists()


def test_a_fetch_that_failed_goes_on_where_it_ended(
    fetcher: Fetcher, repository: type[Repository], jar: Callable[..., Jar], tmp_path: Path
) -> None:
    jars = [jar("one"), jar("two")]
    published = tmp_path / "remote" / "org" / "x" / "two"
    published.rename(tmp_path / "away")
    with pytest.raises(EngineError, match=r"Thing 1\.0 can't be fetched .*two.* is kept in"):
        fetcher.fetch("Thing 1.0", jars)
    assert files(tmp_path / "lib") == ["one-1.0.jar"]
    (tmp_path / "away").rename(published)
    repository.asked.clear()
    fetcher.fetch("Thing 1.0", jars)
    assert "one-1.0.jar" not in repository.asked
    assert files(tmp_path / "lib") == ["one-1.0.jar", "two-1.0.jar"]


def test_another_file_than_the_locked_one_is_refused(
    fetcher: Fetcher, jar: Callable[..., Jar], tmp_path: Path
) -> None:
    good, other = jar("good"), jar("bad")
    with pytest.raises(EngineError, match=r"bad-1\.0\.jar is not the file that the lock names"):
        fetcher.fetch("Thing 1.0", [good, other._replace(digest="0" * 64)])
    assert files(tmp_path / "lib") == ["good-1.0.jar"]


def test_an_answer_that_was_cut_short_is_asked_for_again(
    fetcher: Fetcher, repository: type[Repository], jar: Callable[..., Jar], tmp_path: Path
) -> None:
    one = jar("one")
    repository.cut.add(one.name)
    fetcher.fetch("Thing 1.0", [one])
    assert repository.asked.count(one.name) == 2
    assert files(tmp_path / "lib") == [one.name]


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    jar = Jar("0" * 64, 1, "org.x", "one", "1.0")
    fetcher = Fetcher(tmp_path / "lib", {"here": "http://127.0.0.1:1"})
    with pytest.raises(EngineError, match=r"can't be fetched from Maven Central .*: try again"):
        fetcher.fetch("Thing 1.0", [jar])


def test_a_lock_reads_as_it_is_written(tmp_path: Path) -> None:
    jars = [
        Jar("a" * 64, 12, "org.x", "one", "1.0"),
        Jar("b" * 64, 3, "org.x", "two", "2", "osx-aarch_64"),
    ]
    (tmp_path / "lock").write_text("# a comment\n" + "".join(f"{jar}\n" for jar in jars))
    assert read_lock(tmp_path / "lock") == jars
