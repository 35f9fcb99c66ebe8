"""The jars of a Java server: downloaded from Maven Central and verified against a lock file.

Each line of a lock file has the SHA-256, the size in bytes and the Maven coordinates of a jar.
"""

from __future__ import annotations

import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from genai_graph.errors import EngineError
from genai_graph.server.locks import file_lock

if TYPE_CHECKING:
    from collections.abc import Iterable


MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"
LOCK_TIMEOUT = 1800.0  # seconds to wait for another process that downloads the same jars
_PARALLEL_DOWNLOADS = 6
_RETRIES = 2
_RESPONSE_TIMEOUT = 30.0  # seconds without data


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

    @property
    def path(self) -> str:
        """The path in a repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"

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


def download_jars(
    title: str, lib: Path, jars: Iterable[Jar], repository: str = MAVEN_CENTRAL
) -> None:
    """Download the missing jars into a directory, with a progress bar on stderr.

    A jar appears there once its digest is verified, so an interrupted download is resumed by the
    next call, and complete jars need no network. Raises `EngineError`.
    """
    jars = list(jars)
    if not _missing(lib, jars):
        return
    try:
        lib.mkdir(parents=True, exist_ok=True)
        with file_lock(lib.with_name(f"{lib.name}.mutex"), LOCK_TIMEOUT):
            _download(title, lib, _missing(lib, jars), repository)
    except OSError as error:  # includes the errors of requests
        raise EngineError(
            f"{title}: can't be downloaded from {repository} ({error}): check the network and try "
            f"again; complete files are kept in {lib}"
        ) from error
    except ValueError as error:  # pooch: a digest differs
        raise EngineError(
            f"{title}: a downloaded file differs from the lock file ({error}): a proxy may change "
            "or truncate downloads; try another network"
        ) from error


def _missing(lib: Path, jars: list[Jar]) -> list[Jar]:
    return [jar for jar in jars if not (lib / jar.name).exists()]


def _download(title: str, lib: Path, jars: list[Jar], repository: str) -> None:
    import pooch
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    pooch.get_logger().setLevel("WARNING")  # it prints a line per file
    store = pooch.create(
        lib,
        base_url=repository,
        registry={jar.name: f"sha256:{jar.sha256}" for jar in jars},
        urls={jar.name: f"{repository}/{jar.path}" for jar in jars},
        retry_if_failed=_RETRIES,
    )
    downloader = pooch.HTTPDownloader(
        timeout=_RESPONSE_TIMEOUT, chunk_size=1 << 16, verify=_certificate_authorities()
    )

    def fetch(jar: Jar) -> Jar:
        store.fetch(jar.name, downloader=downloader)
        return jar

    total = sum(jar.size for jar in jars)
    console = Console(stderr=True)
    if not console.is_terminal:
        line = f"downloading {title}: {len(jars)} files, {total / 1e6:.0f} MB"
        console.print(line, markup=False, highlight=False)
    columns = (f"downloading {title}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    pool = ThreadPoolExecutor(_PARALLEL_DOWNLOADS)
    try:
        with bar:
            task = bar.add_task("", total=total)
            for jar in pool.map(fetch, jars):
                bar.advance(task, jar.size)
    finally:
        pool.shutdown(cancel_futures=True)


def _certificate_authorities() -> str | bool:
    """Return the system's authorities, as pip does: a company network may have its own.

    requests would trust only its bundled ones, unless its environment variables are set.
    """
    paths = ssl.get_default_verify_paths()
    if {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}.isdisjoint(os.environ):
        return paths.cafile or paths.capath or True
    return True
