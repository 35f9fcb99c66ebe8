"""Sandboxes and read-only connections."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import pytest
from neomodel import db
from test_interrupted import plain_session
from test_transactions import create_thing, is_write_lock_free, names, run_in_thread

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

ROLLED_BACK = "the sandbox was rolled back and starts over: a transaction can't be undone in part"


def write_quickstart(size: int = 1) -> None:
    with open("f.yaml", "w", encoding="utf-8") as file:
        file.write(f"format: genai_graph/1\nDataset:\n  a: {{size: {size}}}\n  b: {{}}\n")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "genai_graph"]


def test_changes_are_visible_in_the_sandbox_only(graph: Connection) -> None:
    existing = Dataset(name="kept", size=1).save()
    write_quickstart()
    with sandbox():
        create_thing("a")
        existing.size = 2
        existing.save()
        run = Experiment(name="run").save()
        run.record("loss", 1.0, dataset=existing)
        assert load("f.yaml").nodes["Dataset"].created == 2
        db.cypher_query("CREATE (:Thing {name: 'b'})")
        assert names() == ["a", "b"]
        assert len(Dataset.nodes) == 3
        assert Dataset.nodes.get(uid="kept").metrics.single().value == 1.0
        assert run_in_thread(names) == []
    assert names() == []
    assert [(node.uid, node.size) for node in Dataset.nodes.all()] == [("kept", 1)]
    assert query("MATCH ()-[r]->() RETURN count(r) AS count") == [{"count": 0}]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit])
def test_sandbox_is_rolled_back_after_an_error(
    graph: Connection, error: type[BaseException]
) -> None:
    def fail() -> None:
        with sandbox():
            create_thing("a")
            raise error

    with pytest.raises(error):
        fail()
    assert names() == []
    create_thing("after")
    assert names() == ["after"]


def test_nested_transactions_are_part_of_the_sandbox(graph: Connection) -> None:
    with sandbox():
        with atomic():
            create_thing("a")
            with atomic():
                create_thing("b")
        with db.transaction:
            create_thing("c")
        assert names() == ["a", "b", "c"]
    assert names() == []


def test_failure_before_a_write_keeps_the_sandbox(
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
        create_thing("half")
        raise KeyError


FAILS_WHILE_IT_RUNS = "UNWIND [1, 0] AS x RETURN 1 / x AS y"


def fail_in_a_statement() -> None:
    query(FAILS_WHILE_IT_RUNS)


def suppress_a_failure() -> None:
    with atomic(), contextlib.suppress(QueryError):
        query(FAILS_WHILE_IT_RUNS)


@pytest.mark.parametrize("fail", [fail_in_a_block, fail_in_a_statement, suppress_a_failure])
def test_failure_after_a_write_rolls_back_the_sandbox_with_a_warning(
    graph: Connection, caplog: pytest.LogCaptureFixture, fail: Callable[[], None]
) -> None:
    with sandbox():
        create_thing("before")
        with pytest.raises((KeyError, QueryError, TransactionError)):
            fail()
        assert warnings(caplog) == [ROLLED_BACK]
        assert names() == []
        create_thing("after")
        assert names() == ["after"]
    assert names() == []


@pytest.mark.parametrize("write", [False, True])
def test_misspelt_statement_keeps_the_sandbox(
    graph: Connection, caplog: pytest.LogCaptureFixture, write: bool
) -> None:
    with sandbox():
        create_thing("before")
        for statement in ("MATCH (n RETURN n", "MATCH (n) RETRUN n", "CRATE (n:Thing) RETURN n"):
            with pytest.raises(QueryError):
                query(statement, write=write)
        assert query("MATCH (n) WHERE n.name = $name RETURN n.name AS name", name="before")
        assert (names(), warnings(caplog)) == (["before"], [])


def test_rollback_of_an_empty_sandbox_logs_no_warning(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with sandbox():
        with pytest.raises(QueryError):
            query("MATCH (n RETURN n")
        with pytest.raises(KeyError):
            fail_in_a_block()
        assert warnings(caplog) == []
        create_thing("after")
    assert names() == []


def test_sandbox_without_a_statement(graph: Connection) -> None:
    create_thing("before")
    with sandbox():
        pass
    with sandbox():
        assert names() == ["before"]
    assert names() == ["before"]


def test_transaction_of_neomodel_that_is_ended_early(graph: Connection) -> None:
    """Ending it ends the nested transaction, and not the sandbox."""
    with sandbox():
        create_thing("before")
        db.begin()
        db.rollback()
        assert names() == ["before"]
        db.begin()
        create_thing("second")
        db.rollback()
        assert names() == []
    assert names() == []


def test_interruption_rolls_back_the_sandbox(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt() -> None:
        with atomic():
            create_thing("half")
            raise KeyboardInterrupt

    with sandbox():
        create_thing("before")
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        assert warnings(caplog) == [ROLLED_BACK]
        assert names() == []
        create_thing("after")
        assert names() == ["after"]
    assert names() == []


def test_statements_that_survive_a_rollback_are_rejected(graph: Connection) -> None:
    before = schema.check()
    with sandbox():
        create_thing("a")
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
        assert names() == ["a", "b"], "the rest is still in the sandbox"
    assert schema.check() == before


def test_clear_in_a_sandbox_keeps_graph_and_indexes(graph: Connection) -> None:
    Dataset(name="kept").save()
    with sandbox():
        Dataset(name="mnist").save()
        assert clear() == {"Dataset": 2}
        assert Dataset.nodes.all() == []
    assert [node.uid for node in Dataset.nodes.all()] == ["kept"]
    assert not schema.check()


def test_dump_and_verify_read_the_sandbox(graph: Connection) -> None:
    with sandbox():
        Dataset(name="mnist").save()
        dump("out.jsonl")
        assert list(verify()) == []
    with open("out.jsonl", encoding="utf-8") as file:
        assert "mnist" in file.read()


def test_batched_load_in_a_sandbox_is_one_transaction(graph: Connection) -> None:
    write_quickstart()
    with sandbox():
        load("f.yaml", batch_size=1, atomic=False)
        assert len(Dataset.nodes) == 2
    assert len(Dataset.nodes) == 0


def test_other_threads_and_connections_are_rejected(graph: Connection) -> None:
    with sandbox():
        create_thing("a")
        with pytest.raises(TransactionError, match="other threads can only read"):
            run_in_thread(create_thing)
        with pytest.raises(TransactionError, match="leave it before you connect"):
            connect(writer_timeout=1)
        with pytest.raises(TransactionError, match="don't nest"), sandbox():
            pass
        assert names() == ["a"]
    run_in_thread(create_thing)
    assert names() == ["thing"]


def test_sandbox_holds_the_write_lock_from_its_first_write_to_its_end(embedded: Connection) -> None:
    with connect(writer_timeout=0) as other:
        with sandbox():
            assert names() == []
            with plain_session(embedded) as session:
                session.run("RETURN 1").consume()
            create_thing("a")
            lock = other.write_lock
            assert lock is not None
            with pytest.raises(WriterTimeoutError):
                run_in_thread(lambda: lock.acquire(other.writer_timeout))
        assert is_write_lock_free()


def test_sandbox_installs_no_schema(embedded: Connection, own_home: object) -> None:
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


def test_read_only_connection_rejects_every_write(graph: Connection) -> None:
    node = Dataset(name="mnist").save()
    with connect(read_only=True):
        assert query("MATCH (n:Dataset) RETURN n.uid AS uid") == [{"uid": "mnist"}]
        with atomic():
            assert Dataset.nodes.get(uid="mnist") == node
        dump("out.jsonl")
        node.size = 2
        for write in (
            create_thing,
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


def test_read_only_connection_rejects_writes_in_a_block(
    graph: Connection,
) -> None:
    Dataset(name="mnist").save()
    with connect(read_only=True), pytest.raises(ReadOnlyError), atomic():
        db.cypher_query("MATCH (n) SET n.size = 3")
    assert Dataset.nodes.get(uid="mnist").size is None


def test_statements_are_logged_without_parameter_values(
    graph: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "genai_graph.cypher"):
        query("RETURN $token AS x, $rows AS y", token="hunter2", rows=[1, 2, 3])
        query("RETURN $some AS x, $none AS y", {"some": {"a": b"secret"}, "none": None})
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "RETURN $token AS x, $rows AS y\n  // $token: string of 7, $rows: list of 3",
        "RETURN $some AS x, $none AS y\n  // $some: map of 1, $none: null",
    ]
