"""A sandbox is one transaction, rolled back in the end; a read-only connection only reads."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import pytest
from neomodel import db
from test_interrupted import elsewhere
from test_transactions import in_a_thread, is_free, make, names

from genai_graph import (
    Connection,
    Dataset,
    Experiment,
    atomic,
    clear,
    connect,
    dump,
    load,
    query,
    schema,
    verify,
)
from genai_graph.database import sandbox
from genai_graph.errors import (
    FixtureError,
    NodeExistsError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    WriterTimeoutError,
)

ANEW = "the sandbox is rolled back and begins anew: a transaction can't be undone in part"


def write_quickstart(size: int = 1) -> None:
    with open("f.yaml", "w", encoding="utf-8") as file:
        file.write(f"format: genai_graph/1\nDataset:\n  a: {{size: {size}}}\n  b: {{}}\n")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "genai_graph"]


def test_all_that_is_done_in_a_sandbox_is_seen_there_and_gone_afterwards(graph: Connection) -> None:
    kept = Dataset(name="kept", size=1).save()
    write_quickstart()
    with sandbox():
        make("a")
        kept.size = 2
        kept.save()
        run = Experiment(name="run").save()
        run.record("loss", 1.0, dataset=kept)
        assert load("f.yaml").nodes["Dataset"].created == 2
        db.cypher_query("CREATE (:Thing {name: 'b'})")
        assert names() == ["a", "b"]
        assert len(Dataset.nodes) == 3
        assert Dataset.nodes.get(uid="kept").metrics.single().value == 1.0
        assert in_a_thread(names) == []
    assert names() == []
    assert [(node.uid, node.size) for node in Dataset.nodes.all()] == [("kept", 1)]
    assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 0}]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit])
def test_a_sandbox_is_rolled_back_however_it_ends(
    graph: Connection, error: type[BaseException]
) -> None:
    def fail() -> None:
        with sandbox():
            make("a")
            raise error

    with pytest.raises(error):
        fail()
    assert names() == []
    make("after")
    assert names() == ["after"]


def test_blocks_are_parts_of_the_sandbox(graph: Connection) -> None:
    with sandbox():
        with atomic():
            make("a")
            with atomic():
                make("b")
        with db.transaction:
            make("c")
        assert names() == ["a", "b", "c"]
    assert names() == []


def test_what_fails_before_it_has_written_leaves_the_sandbox_as_it_is(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with sandbox():
        Dataset(name="mnist").save()
        with pytest.raises(NodeExistsError):
            Dataset(name="mnist").save()
        write_quickstart()
        with open("g.yaml", "w", encoding="utf-8") as file:
            file.write("format: genai_graph/1\nModel: {m: {trained_on: [nowhere]}}\n")
        with pytest.raises(FixtureError):
            load("g.yaml")
        with pytest.raises(QueryError), atomic():
            query("RETURN $x", x=object())
        assert [node.uid for node in Dataset.nodes.all()] == ["mnist"]
    assert warnings(caplog) == []


def fail_in_a_block() -> None:
    with atomic():
        make("half")
        raise KeyError


def fail_in_a_statement() -> None:
    query("MATCH (n RETURN n")


def fail_and_hide_it() -> None:
    with atomic(), contextlib.suppress(QueryError):
        query("MATCH (n RETURN n")


@pytest.mark.parametrize("fail", [fail_in_a_block, fail_in_a_statement, fail_and_hide_it])
def test_what_breaks_the_transaction_is_told_and_the_sandbox_begins_anew(
    graph: Connection, caplog: pytest.LogCaptureFixture, fail: Callable[[], None]
) -> None:
    with sandbox():
        make("before")
        with pytest.raises((KeyError, QueryError, TransactionError)):
            fail()
        assert warnings(caplog) == [ANEW]
        assert names() == []
        make("after")
        assert names() == ["after"]
    assert names() == []


def test_a_broken_sandbox_that_held_nothing_is_not_worth_a_word(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with sandbox():
        with pytest.raises(QueryError):
            query("MATCH (n RETURN n")
        with pytest.raises(KeyError):
            fail_in_a_block()
        assert warnings(caplog) == []
        make("after")
    assert names() == []


def test_an_interrupted_part_begins_the_sandbox_anew(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt() -> None:
        with atomic():
            make("half")
            raise KeyboardInterrupt

    with sandbox():
        make("before")
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        assert warnings(caplog) == [ANEW]
        assert names() == []
        make("after")
        assert names() == ["after"]
    assert names() == []


def test_what_can_not_be_rolled_back_is_refused(graph: Connection) -> None:
    before = schema.check()
    with sandbox():
        make("a")
        for statement in (
            "CREATE INDEX x FOR (n:Thing) ON (n.name)",
            "  // one\n drop constraint x IF EXISTS",
            "CREATE USER x SET PASSWORD 'y'",
            "MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 10 ROWS",
            "CRE\\u0041TE INDEX x FOR (n:Thing) ON (n.name)",
        ):
            with pytest.raises(TransactionError, match="can't be rolled back"):
                query(statement, write=True)
        query("MERGE (n:Thing {name: 'a'}) ON CREATE SET n.drop = 1", write=True)
        query("CREATE p = (:Thing {name: 'b'}) RETURN p", write=True)
        assert names() == ["a", "b"], "and the rest is still there"
    assert schema.check() == before


def test_a_clear_in_a_sandbox_leaves_the_graph_and_its_indexes(graph: Connection) -> None:
    Dataset(name="kept").save()
    with sandbox():
        Dataset(name="mnist").save()
        assert clear() == {"Dataset": 2}
        assert Dataset.nodes.all() == []
    assert [node.uid for node in Dataset.nodes.all()] == ["kept"]
    assert not schema.check()


def test_dump_and_verify_see_the_sandbox(graph: Connection) -> None:
    with sandbox():
        Dataset(name="mnist").save()
        dump("out.jsonl")
        assert list(verify()) == []
    with open("out.jsonl", encoding="utf-8") as file:
        assert "mnist" in file.read()


def test_a_large_load_in_a_sandbox_is_one_transaction(graph: Connection) -> None:
    write_quickstart()
    with sandbox():
        load("f.yaml", batch_size=1, transaction_limit=0)
        assert len(Dataset.nodes) == 2
    assert len(Dataset.nodes) == 0


def test_other_threads_can_not_write_and_no_other_connection_opens(graph: Connection) -> None:
    with sandbox():
        make("a")
        with pytest.raises(TransactionError, match="its own thread's"):
            in_a_thread(make)
        with pytest.raises(TransactionError, match="leave it before you connect"):
            connect()
        with pytest.raises(TransactionError, match="don't nest"), sandbox():
            pass
        assert names() == ["a"]
    in_a_thread(make)
    assert names() == ["thing"]


def test_a_sandbox_is_the_one_writer_from_its_first_write_to_its_end(embedded: Connection) -> None:
    with connect(writer_timeout=0) as other:
        with sandbox():
            assert names() == []
            with elsewhere(embedded) as session:
                session.run("RETURN 1").consume()
            make("a")
            lock = other.writer
            with pytest.raises(WriterTimeoutError):
                in_a_thread(lock.acquire)
        assert is_free()


def test_a_sandbox_leaves_no_schema_behind(embedded: Connection, own_home: object) -> None:
    with connect() as fresh:
        assert fresh.engine == "embedded"
        with sandbox():
            Dataset(name="mnist").save()
            assert len(Dataset.nodes) == 1
        assert len(schema.check().missing) == len(schema.list_declared("embedded"))
        Dataset(name="mnist").save()
        assert not schema.check()
        assert list(verify()) == []


# Read-only


def test_a_read_only_connection_reads_and_refuses_every_write(graph: Connection) -> None:
    node = Dataset(name="mnist").save()
    with connect(read_only=True):
        assert query("MATCH (n:Dataset) RETURN n.uid AS uid") == [{"uid": "mnist"}]
        with atomic():
            assert Dataset.nodes.get(uid="mnist") == node
        dump("out.jsonl")
        node.size = 2
        for write in (
            make,
            node.save,
            Dataset(name="a").save,
            clear,
            lambda: query("MATCH (n) DETACH DELETE n"),
            lambda: db.cypher_query("CREATE (:Thing)"),
            lambda: db.cypher_query("MATCH (n) SET n.size = 3"),
        ):
            with pytest.raises(ReadOnlyError):
                write()
    assert query("MATCH (n) RETURN n.uid AS uid, n.size AS size") == [
        {"uid": "mnist", "size": None}
    ]


def test_a_write_in_a_block_of_a_read_only_connection_is_refused_at_its_end_at_the_latest(
    graph: Connection,
) -> None:
    Dataset(name="mnist").save()
    with connect(read_only=True), pytest.raises(ReadOnlyError), atomic():
        db.cypher_query("MATCH (n) SET n.size = 3")
    assert Dataset.nodes.get(uid="mnist").size is None


def test_statements_are_logged_without_the_values_of_their_parameters(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "genai_graph.cypher"):
        query("RETURN $token AS x, $rows AS y", token="hunter2", rows=[1, 2, 3])
        query("RETURN $some AS x, $none AS y", {"some": {"a": b"secret"}, "none": None})
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "RETURN $token AS x, $rows AS y\n  // $token: string of 7, $rows: list of 3",
        "RETURN $some AS x, $none AS y\n  // $some: map of 1, $none: null",
    ]
