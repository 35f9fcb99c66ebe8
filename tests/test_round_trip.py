"""Dumps of any valid graph can be loaded again without a loss, in every format."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphs import Graph, content, graphs, load_dump, read_graph, without_nulls, write_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_graph import Connection, dump
from genai_graph.exchange import graph_reader
from genai_graph.storage import batching

# For a long run, with a new set of examples for each --hypothesis-seed.
EXAMPLES = os.environ.get("GENAI_GRAPH_TEST_EXAMPLES")
SUFFIXES = ["", "", ".gz", ".xz"]


def check_round_trips(format: str, examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that loading a dump restores the graph, and that pages of any size give equal dumps."""

    @settings(
        max_examples=int(EXAMPLES or examples),
        derandomize=EXAMPLES is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs(), st.sampled_from([""] if format == "csv" else SUFFIXES), st.integers(1, 3))
    def check(drawn: Graph, suffix: str, page_size: int) -> None:
        first, second = (Path(f"{name}.{format}{suffix}") for name in ("first", "second"))
        write_graph(drawn)
        dump(first, overwrite=True, format=format)
        load_dump(first)
        assert without_nulls(read_graph()) == without_nulls(drawn)
        with monkeypatch.context() as patch:
            patch.setattr(batching, "BATCH_ROWS", page_size)
            patch.setattr(graph_reader, "EDGE_LIMIT", page_size)
            dump(second, overwrite=True, format=format)
        assert content(second) == content(first)

    check()


@pytest.mark.parametrize("format", ["jsonl", "yaml", "csv", "cypher"])
def test_any_graph_survives_a_round_trip(
    graph: Connection, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    check_round_trips(format, 3, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["jsonl", "yaml", "csv", "cypher"])
def test_any_graph_survives_a_round_trip_with_more_examples(
    embedded: Connection, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    check_round_trips(format, 8, monkeypatch)
