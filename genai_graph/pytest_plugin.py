"""The pytest plugin: an empty graph for tests, on an embedded engine of their own.

pytest imports it always; nothing else is imported before a test asks for a graph.
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
    """A data folder with an engine that is up for the session, and a database that is new."""
    with _free_engine() as engine:
        shutil.rmtree(engine.directory / "databases", ignore_errors=True)
        lease = engine.acquire()
        yield engine.directory.parent
        lease.release()


@pytest.fixture
def empty_graph(_genai_graph_home: Path) -> Iterator[Connection]:
    """A connection to an empty graph, on an embedded engine of the tests' own.

    All of the test uses it, programs that it starts too: settings that lead elsewhere, in the
    environment and in a `.env` file, are out of force meanwhile.
    """
    import genai_graph

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("NEO4J_", "GENAI_GRAPH_"))]:
            patch.delenv(name)
        patch.setenv("GENAI_GRAPH_HOME", str(_genai_graph_home))
        patch.setenv("GENAI_GRAPH_ENV_FILE", "")
        with genai_graph.connect() as connection:
            genai_graph.query("MATCH (n) DETACH DELETE n", write=True)
            yield connection


@pytest.fixture
def load_graph(empty_graph: Connection, request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Load fixtures into the empty graph: ``load_graph("team.yaml")``, with the options of `load`.

    A path is one beside the test's file; where there is none, it is found as `load` does.
    """
    import genai_graph

    def find(name: str | PathLike[str]) -> str | PathLike[str]:
        beside = request.path.parent / name
        return beside if beside.exists() else name

    def load(*fixtures: str | PathLike[str], **options: Any) -> Report:
        report: Report = genai_graph.load(*map(find, fixtures), **options)
        return report

    return load


@contextlib.contextmanager
def _free_engine() -> Iterator[ManagedEngine]:
    """The engine on the first folder in the user's cache that no other session uses.

    So an engine starts fast from the second time on, by its ahead-of-time cache, and one that a
    killed session left behind is found and stopped.
    """
    import platformdirs
    from portalocker import LockFlags

    from genai_graph.server.engines import managed_engine
    from genai_graph.server.locks import open_private, try_lock

    folder = platformdirs.user_cache_path("genai-graph") / "tests"
    for number in itertools.count():
        engine = managed_engine("embedded", folder / str(number))
        engine.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = open_private(folder / str(number) / "session.lock")
        try:
            if try_lock(descriptor, LockFlags.EXCLUSIVE) and engine.stop() is not False:
                yield engine
                return
        finally:
            os.close(descriptor)
