"""Pytest plugin: an empty graph for each test, on an embedded engine that only the tests use.

pytest imports it in every session where genai_graph is installed, so the rest of the package is
imported by the fixtures only.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike
    from pathlib import Path

    from genai_graph import Connection, Report
    from genai_graph.server.lifecycle import ManagedEngine


@pytest.fixture(scope="session")
def _genai_graph_home() -> Iterator[Path]:
    """A data directory with a new database and an engine that runs for the session."""
    with _free_engine() as engine:
        shutil.rmtree(engine.directory / "databases", ignore_errors=True)
        lease = engine.acquire()
        yield engine.directory.parent
        lease.release()


@pytest.fixture
def empty_graph(_genai_graph_home: Path) -> Iterator[Connection]:
    """A connection to an empty graph, on an embedded engine that only the tests use.

    The whole test uses it, and so do programs that it starts: settings in the environment, except
    `GENAI_GRAPH_MODELS` and `GENAI_GRAPH_QUESTIONS`, and in a `.env` file are ignored.
    """
    import genai_graph

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("NEO4J_", "GENAI_GRAPH_"))]:
            if name not in ("GENAI_GRAPH_MODELS", "GENAI_GRAPH_QUESTIONS"):
                patch.delenv(name)
        patch.setenv("GENAI_GRAPH_HOME", str(_genai_graph_home))
        patch.setenv("GENAI_GRAPH_ENV_FILE", "")
        with genai_graph.connect() as connection:
            genai_graph.query("MATCH (n) DETACH DELETE n", write=True)
            yield connection


@pytest.fixture
def load_graph(empty_graph: Connection, request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Load fixtures into the empty graph: ``load_graph("team.yaml")``, with the options of `load`.

    A path is relative to the test's file; if no such file exists, it is resolved as by `load`.
    """
    import genai_graph

    def find(name: str | PathLike[str]) -> str | PathLike[str]:
        path = request.path.parent / name
        return path if path.exists() else name

    def load(*fixtures: str | PathLike[str], **options: Any) -> Report:
        return genai_graph.load(*map(find, fixtures), **options)

    return load


@contextlib.contextmanager
def _free_engine() -> Iterator[ManagedEngine]:
    """Yield the engine on the first directory in the user's cache that no other session uses.

    Reusing a directory keeps the ahead-of-time cache, which makes the start faster, and stops an
    engine left running by a killed session.
    """
    import platformdirs
    from portalocker import LockFlags

    from genai_graph.server.engines import managed_engine
    from genai_graph.server.locks import open_private, try_lock

    cache = platformdirs.user_cache_path("genai-graph") / "tests"
    for number in itertools.count():
        engine = managed_engine("embedded", cache / str(number))
        engine.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = open_private(cache / str(number) / "session.lock")
        try:
            if try_lock(descriptor, LockFlags.EXCLUSIVE) and engine.stop() is not False:
                yield engine
                return
        finally:
            os.close(descriptor)
