"""Any graph that the models can hold comes back from a dump as it was, in every format."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphs import Graph, content, graphs, load_dump, put, stored, without_nulls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_graph import Connection, dump
from genai_graph.exchange import graph_reader as stored_graph
from genai_graph.storage import nodes

# For a long run, which --hypothesis-seed makes another one:
EXAMPLES = os.environ.get("GENAI_GRAPH_TEST_EXAMPLES")
SUFFIXES = ["", "", ".gz", ".xz"]


@pytest.mark.parametrize("format", ["jsonl", "yaml", "csv", "cypher"])
def test_any_graph_comes_back_and_dumps_to_the_same_bytes(
    graph: Connection, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    @settings(
        max_examples=int(EXAMPLES or (15 if graph.engine == "embedded" else 5)),
        derandomize=EXAMPLES is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs(), st.sampled_from([""] if format == "csv" else SUFFIXES), st.integers(1, 3))
    def check(drawn: Graph, suffix: str, page: int) -> None:
        first, second = (Path(f"{name}.{format}{suffix}") for name in ("first", "second"))
        put(drawn)
        dump(first, overwrite=True, format=format)
        load_dump(first)
        assert without_nulls(stored()) == without_nulls(drawn)
        with monkeypatch.context() as patch:  # what a page holds makes no difference
            patch.setattr(nodes, "BATCH", page)
            patch.setattr(stored_graph, "EDGE_LIMIT", page)
            dump(second, overwrite=True, format=format)
        assert content(second) == content(first)

    check()
