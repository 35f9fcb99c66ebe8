"""The jars of a Java server, as a lock file names them: fetched from Maven Central and verified.

A lock has a line for each jar: its SHA-256, its size in bytes and its Maven coordinates. jgo brings
the files but does not hold them against a lock, so this is done here: a jar goes into its folder
once its digest is right, and what is in that folder is never fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.errors import EngineError
from genai_graph.server.locks import mutex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


FETCH_LIMIT = 1800.0  # seconds that another process may take to fetch the same
_AT_ONCE = 6
_TRIES = 3
_TIMEOUT = 30  # seconds without an answer


class Jar(NamedTuple):
    """A jar in Maven Central, and what it must be."""

    digest: str
    size: int
    group: str
    artifact: str
    version: str
    classifier: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        parts = (self.artifact, self.version, self.classifier)
        return "-".join(part for part in parts if part) + ".jar"

    def __str__(self) -> str:
        coordinates = (self.group, self.artifact, self.version, self.classifier)
        return f"{self.digest} {self.size} {':'.join(part for part in coordinates if part)}"


def read_lock(path: Path) -> list[Jar]:
    """Return the jars of a lock file; a line that begins with # is a comment."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return [
        Jar(line[0], int(line[1]), *line[2].split(":"))
        for line in lines
        if line and not line[0].startswith("#")
    ]


class Fetcher:
    """Brings jars into a folder; `repositories` stand in for Maven Central."""

    def __init__(self, lib: Path, repositories: dict[str, str] | None = None) -> None:
        self._lib = lib
        self._partial = lib.with_name(f"{lib.name}.partial")
        self._repositories = repositories

    def lacking(self, jars: Iterable[Jar]) -> list[Jar]:
        """Return those that are not there yet."""
        return [jar for jar in jars if not (self._lib / jar.name).exists()]

    def fetch(self, what: str, jars: Iterable[Jar]) -> None:
        """Bring what is lacking, showing the progress on stderr; what has come stays.

        Raises `EngineError`.
        """
        jars = list(jars)
        if not self.lacking(jars):
            return
        try:
            self._lib.mkdir(parents=True, exist_ok=True)
            with mutex(self._lib.with_name(f"{self._lib.name}.mutex"), FETCH_LIMIT):
                self._fetch(what, self.lacking(jars))  # another process may have been at it
        except (OSError, RuntimeError) as error:  # requests' errors are of the first kind
            if isinstance(error, EngineError):
                raise
            raise EngineError(
                f"{what} can't be fetched from Maven Central ({error}): try again with a network; "
                f"what has come is kept in {self._lib}"
            ) from error

    def _fetch(self, what: str, jars: list[Jar]) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            with _system_authorities(), _shown(what, jars) as advance:
                for jar in pool.map(self._bring, jars):
                    advance(jar.size)
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(self._partial, ignore_errors=True)

    def _bring(self, jar: Jar) -> Jar:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(OSError, RuntimeError):
                return self._try(jar)
        return self._try(jar)

    def _try(self, jar: Jar) -> Jar:
        from jgo.maven import MavenContext

        context = MavenContext(
            repo_cache=self._partial, remote_repos=self._repositories, timeout=_TIMEOUT
        )
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        artifact = component.artifact(jar.classifier or "")
        file = self._partial / component.path_prefix / artifact.filename
        file.unlink(missing_ok=True)  # of a try that was cut off
        artifact.resolve()
        if digest(file) != jar.digest:
            raise EngineError(
                f"{jar.name} is not the file that the lock names: something between here and Maven "
                "Central changes or cuts what is sent; try another network"
            )
        file.replace(self._lib / jar.name)
        return jar


@contextlib.contextmanager
def _system_authorities() -> Iterator[None]:
    """Trust whom the system trusts, as pip does: a company's network may have a CA of its own.

    jgo uses requests, which would trust only those that came with it.
    """
    paths = ssl.get_default_verify_paths()
    system = paths.cafile or paths.capath
    if system is None or not {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}.isdisjoint(os.environ):
        yield
        return
    os.environ["REQUESTS_CA_BUNDLE"] = system
    try:
        yield
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]


def digest(file: Path) -> str:
    """Return a file's SHA-256."""
    sha = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


@contextlib.contextmanager
def _shown(what: str, jars: list[Jar]) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal's stderr, and a line where it is none."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(jar.size for jar in jars)
    console = Console(stderr=True)
    title = f"fetching {what}"
    if not console.is_terminal:
        console.print(
            f"{title}: {len(jars)} files, {total / 1e6:.0f} MB", markup=False, highlight=False
        )
        yield lambda _: None
        return
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(title, total=total)
        yield lambda size: bars.advance(task, size)
