"""The jars of a Java server: downloaded from Maven Central and verified against a lock file.

Each line of a lock file has the SHA-256, the size in bytes and the Maven coordinates of a jar.
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
from genai_graph.server.locks import file_lock

if TYPE_CHECKING:
    from collections.abc import Iterator


LOCK_TIMEOUT = 1800.0  # seconds to wait for another process that downloads the same jars
_PARALLEL_DOWNLOADS = 6
_RETRIES = 2
_RESPONSE_TIMEOUT = 30  # seconds without data


class Jar(NamedTuple):
    """A jar in a Maven repository, with its expected digest and size."""

    sha256: str
    size: int
    group: str
    artifact: str
    version: str
    classifier: str | None = None

    @property
    def name(self) -> str:
        """The file name."""
        parts = (self.artifact, self.version, self.classifier)
        return "-".join(part for part in parts if part) + ".jar"

    def __str__(self) -> str:
        coordinates = (self.group, self.artifact, self.version, self.classifier)
        return f"{self.sha256} {self.size} {':'.join(part for part in coordinates if part)}"


def read_lock(path: Path) -> list[Jar]:
    """Read the jars of a lock file; lines that begin with # are comments."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return [
        Jar(line[0], int(line[1]), *line[2].split(":"))
        for line in lines
        if line and not line[0].startswith("#")
    ]


def download_jars(title: str, lib: Path, jars: list[Jar], repository: str | None = None) -> None:
    """Download the missing jars into a directory, with a progress bar on stderr.

    A jar appears in it once its digest is verified, so an interrupted download is resumed by the
    next call, and complete jars need no network. `repository` is the URL of a mirror of Maven
    Central. Raises `EngineError`.
    """
    if not _missing_jars(lib, jars):
        return
    try:
        lib.mkdir(parents=True, exist_ok=True)
        with file_lock(lib.with_name(f"{lib.name}.mutex"), LOCK_TIMEOUT):
            _download(title, lib, _missing_jars(lib, jars), repository)
    except (OSError, RuntimeError) as error:  # the errors of requests are OSErrors
        if isinstance(error, EngineError):
            raise
        raise EngineError(
            f"{title}: can't be downloaded from Maven Central ({error}): check the network and try "
            f"again; complete files are kept in {lib}"
        ) from error


def _missing_jars(lib: Path, jars: list[Jar]) -> list[Jar]:
    return [jar for jar in jars if not (lib / jar.name).exists()]


def _download(title: str, lib: Path, jars: list[Jar], repository: str | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    total = sum(jar.size for jar in jars)
    console = Console(stderr=True)
    if not console.is_terminal:
        line = f"downloading {title}: {len(jars)} files, {total / 1e6:.0f} MB"
        console.print(line, markup=False, highlight=False)
    columns = (f"downloading {title}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    partial = lib.with_name(f"{lib.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    pool = ThreadPoolExecutor(_PARALLEL_DOWNLOADS)
    try:
        with bar, _system_authorities():
            task = bar.add_task("", total=total)
            for jar in pool.map(lambda jar: _fetch(jar, lib, partial, repository), jars):
                bar.advance(task, jar.size)
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(jar: Jar, lib: Path, partial: Path, repository: str | None) -> Jar:
    """Download a jar, and move it to its directory once its digest is verified.

    jgo downloads files but does not compare them with a lock file.
    """
    for _ in range(_RETRIES):
        with contextlib.suppress(OSError, RuntimeError):
            return _fetch_once(jar, lib, partial, repository)
    return _fetch_once(jar, lib, partial, repository)


def _fetch_once(jar: Jar, lib: Path, partial: Path, repository: str | None) -> Jar:
    from jgo.maven import MavenContext

    repositories = None if repository is None else {"central": repository}
    context = MavenContext(repo_cache=partial, remote_repos=repositories, timeout=_RESPONSE_TIMEOUT)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    artifact = component.artifact(jar.classifier or "")
    file: Path = partial / component.path_prefix / artifact.filename
    file.unlink(missing_ok=True)  # left by an interrupted attempt
    artifact.resolve()
    if hashlib.sha256(file.read_bytes()).hexdigest() != jar.sha256:
        raise EngineError(
            f"{jar.name}: differs from the lock file: a proxy may change or truncate downloads; "
            "try another network"
        )
    file.replace(lib / jar.name)
    return jar


@contextlib.contextmanager
def _system_authorities() -> Iterator[None]:
    """Trust the system's certificate authorities, as pip does: a company may have its own.

    jgo uses requests, which trusts only its bundled ones unless an environment variable is set.
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
