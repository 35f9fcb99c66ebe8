"""`server import`: fixtures into an empty managed Neo4j by its own importer."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run, write_file
from graphs import read_graph, without_nulls
from neo4j_server import install_or_skip
from test_csv import MOMENT, whole_graph
from test_engine import kill_engines_at_exit
from test_load import counts

from genai_graph import connect, load, query, schema
from genai_graph.exchange.formats import jsonl
from genai_graph.server.neo4j_community import Neo4jCommunity

MORE = """\
{"format":"genai_graph/1"}
{"node":"Model","uid":"resnet@50","props":{"hyperparameters":{"lr":0.1,"layers":[1,2]}}}
{"edge":"DERIVED_FROM","from":["Model","resnet@50"],"to":["Model","m"]}
"""


def test_errors_are_found_before_the_engine_is_touched(own_home: Path, cli: Run) -> None:
    write_file("f.jsonl", MORE.replace('"lr":0.1', '"lr":NaN,'))
    refused = cli("server", "import", "f.jsonl")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "f.jsonl:2: " in refused.stderr
    assert not own_home.exists()


def test_other_servers_are_not_imported_into(
    own_home: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file("f.jsonl", MORE)
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    refused = cli("server", "import", "f.jsonl")
    assert refused.stderr.startswith("NEO4J_URI: ")
    assert "neo4j-admin" in refused.stderr


@pytest.mark.neo4j
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_imported_graph_equals_the_loaded_one(
    own_home: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_or_skip(Neo4jCommunity())
    with Path("f.jsonl").open("wb") as stream:
        jsonl.write(whole_graph(), stream)
    write_file("more.jsonl", MORE)
    monkeypatch.setenv("GENAI_GRAPH_ENGINE", "neo4j")
    with kill_engines_at_exit(own_home):
        done = cli("server", "import", "f.jsonl", "more.jsonl")
        assert done.exit_code == 0, done.stderr
        assert "Metric: 9 created, 0 changed, 0 unchanged\n" in done.stderr
        with connect():
            found = [one for one in read_graph() if "resnet@50" not in str(one)]
            assert without_nulls(found) == without_nulls(whole_graph())
            assert not schema.check()
            rows = query("MATCH (n:Model {`hyperparameters.lr`: 0.1}) RETURN n.name AS name")
            assert {row["name"] for row in rows} == {"resnet"}
            (times,) = query(
                "MATCH (n:Model {uid: 'resnet@50'}) RETURN n.created_at AS a, n.updated_at AS b"
            )
            assert times["a"] == times["b"] > MOMENT
            report = load("f.jsonl", "more.jsonl")
            assert all(changed == created == 0 for created, changed, _ in counts(report).values())
        again = cli("server", "import", "f.jsonl")
        assert again.exit_code == 1
        assert "is not empty: use `genai-graph load`" in again.stderr
        assert len(again.stderr.splitlines()) == 1
        assert sorted(path.name for path in (own_home / "neo4j").glob("import-*")) == []
