"""Transactions are atomic; `query` returns plain values, and is read-only by default."""

from __future__ import annotations

import builtins
import contextlib
import inspect
import itertools
import math
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from neo4j._async_compat.network._bolt_socket import BoltSocketBase as BoltSocket
from neomodel import db

from genai_graph import Connection, Dataset, GenaiGraphError, atomic, connect, errors, query
from genai_graph.errors import (
    DatabaseError,
    NodeExistsError,
    QueryError,
    ReadOnlyError,
    TransactionError,
    WriterTimeoutError,
)


def create_thing(name: str = "thing") -> None:
    query("CREATE (:Thing {name: $name})", write=True, name=name)


def names() -> list[str]:
    return [row["name"] for row in query("MATCH (n:Thing) RETURN n.name AS name ORDER BY name")]


def run_in_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def is_write_lock_free() -> bool:
    """Return whether another thread can write without waiting."""

    def write() -> bool:
        with connect(writer_timeout=0):
            try:
                query("MATCH (n:Nothing) DELETE n", write=True)
            except WriterTimeoutError:
                return False
        return True

    return bool(run_in_thread(write))


# atomic


def test_atomic_block_is_committed_at_its_end(graph: Connection) -> None:
    with atomic():
        create_thing("a")
        create_thing("b")
        assert names() == ["a", "b"]
        assert run_in_thread(names) == [], "not visible to others before the end"
    assert run_in_thread(names) == ["a", "b"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_error_rolls_back_the_block(graph: Connection, error: type[BaseException]) -> None:
    def fail() -> None:
        with atomic():
            create_thing("a")
            Dataset(name="mnist").save()
            raise error

    with pytest.raises(error):
        fail()
    assert names() == []
    assert Dataset.nodes.all() == []


def test_nested_blocks_are_one_transaction(graph: Connection) -> None:
    with atomic():
        create_thing("a")
        with atomic():
            create_thing("b")
            with atomic():
                create_thing("c")
        assert run_in_thread(names) == []
        create_thing("d")
    assert names() == ["a", "b", "c", "d"]


def test_error_after_an_inner_block_rolls_it_back(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            with atomic():
                create_thing("inner")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names() == []


def test_error_of_an_inner_block_is_raised_unchanged(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            create_thing("outer")
            with atomic():
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert names() == []


def test_caught_error_of_an_inner_block_rolls_everything_back(graph: Connection) -> None:
    def swallow() -> None:
        with atomic():
            create_thing("before")
            with contextlib.suppress(KeyError), atomic(), atomic():
                create_thing("inner")
                raise KeyError
            create_thing("after")

    with pytest.raises(TransactionError, match="inner"):
        swallow()
    assert names() == []


def test_block_after_a_failed_block_is_committed(graph: Connection) -> None:
    with contextlib.suppress(TransactionError), atomic(), contextlib.suppress(KeyError), atomic():
        raise KeyError
    with atomic():
        create_thing("next")
    assert names() == ["next"]


def test_caught_error_of_a_statement_rolls_everything_back(graph: Connection) -> None:
    def swallow() -> None:
        with atomic():
            create_thing("before")
            with contextlib.suppress(QueryError):
                query("RETURN 1 AS")

    with pytest.raises(TransactionError):
        swallow()
    assert names() == []
    create_thing("next")
    assert names() == ["next"]


def test_failing_statement_rolls_back_the_block(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            create_thing("before")
            query("UNWIND [1, 0] AS i CREATE (:Thing {name: toString(1 / i)})", write=True)

    with pytest.raises(QueryError):
        fail()
    assert names() == []


def test_failing_statement_is_atomic(graph: Connection) -> None:
    with pytest.raises(QueryError):
        query("UNWIND [1, 0] AS i CREATE (:Thing {name: toString(1 / i)})", write=True)
    assert names() == []


def test_rejected_write_does_not_end_the_block(graph: Connection) -> None:
    with atomic():
        create_thing("a")
        with pytest.raises(ReadOnlyError):
            query("CREATE (:Thing {name: 'b'})")
        create_thing("c")
    assert names() == ["a", "c"]


def test_atomic_as_a_decorator(graph: Connection) -> None:
    @atomic()
    def twice(fail: bool) -> None:
        create_thing("a")
        if fail:
            raise KeyError
        create_thing("b")

    with pytest.raises(KeyError):
        twice(True)
    twice(False)
    assert names() == ["a", "b"]


def test_closed_generator_rolls_back_its_block(graph: Connection) -> None:
    def generate() -> Iterator[int]:
        with atomic():
            create_thing("a")
            yield 1

    generator = generate()
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert names() == []


def test_neomodel_uses_the_transaction_of_the_block(graph: Connection) -> None:
    with atomic():
        Dataset(name="mnist").save()
        assert [dataset.name for dataset in Dataset.nodes.all()] == ["mnist"]
        rows, _ = db.cypher_query("MATCH (n:Dataset) RETURN n.name")
        assert rows == [["mnist"]]


def test_transaction_of_a_session_cannot_be_used_after_its_end(graph: Connection) -> None:
    with db.driver.session() as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:Thing {name: 'a'})")
        transaction.commit()
        with pytest.raises(TransactionError, match="has ended: begin another"):
            transaction.run("RETURN 1 AS one")
    assert names() == ["a"]


def test_rollback_without_a_garbage_collected_object(graph: Connection) -> None:
    kept = Dataset(name="kept")

    def fail() -> None:
        with atomic():
            Dataset(name="gone").save()
            kept.save()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not kept.was_saved
    assert not Dataset.nodes.exists()


def test_statement_that_commits_by_itself_is_rejected_in_a_block(graph: Connection) -> None:
    in_batches = "UNWIND [1, 2] AS x CALL { WITH x CREATE (:Thing {name: x}) } IN TRANSACTIONS"
    with (
        pytest.raises(TransactionError, match=r"IN TRANSACTIONS .* outside of atomic\(\)"),
        atomic(),
    ):
        query(in_batches, write=True)
    assert names() == []


def test_existing_node_error_rolls_back_the_block(graph: Connection) -> None:
    Dataset(name="mnist").save()

    def fail() -> None:
        with atomic():
            create_thing("a")
            Dataset(name="mnist").save()

    with pytest.raises(NodeExistsError, match="mnist"):
        fail()
    assert names() == []


def test_write_lock_is_held_until_the_end_of_the_outermost_block(embedded: Connection) -> None:
    with atomic():
        assert not is_write_lock_free()
        with atomic():
            create_thing()
        assert not is_write_lock_free()
    assert is_write_lock_free()


def test_failed_block_releases_the_write_lock_once(embedded: Connection) -> None:
    def fail() -> None:
        with atomic(), atomic():
            create_thing()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert is_write_lock_free()
    with atomic():
        assert not is_write_lock_free()
    assert is_write_lock_free()


def test_other_threads_wait_for_the_end_of_a_block(embedded: Connection) -> None:
    written = threading.Event()

    def write() -> None:
        query("MATCH (n:Thing) SET n.name = n.name + ' and more'", write=True)
        written.set()

    thread = threading.Thread(target=write)
    with atomic():
        thread.start()
        assert not written.wait(0.3)
        create_thing("all")
    thread.join()
    assert written.is_set()
    assert names() == ["all and more"]


def test_other_processes_wait_for_the_end_of_a_block(embedded: Connection) -> None:
    code = (
        "import genai_graph as g\n"
        "with g.connect():\n"
        "    print('connected', flush=True)\n"
        "    g.query(\"MATCH (n:Thing) SET n.name = n.name + ' and more'\", write=True)\n"
        "    print('written', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        with atomic():
            assert other.stdout.readline() == "connected\n"
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(0.3)
            create_thing("all")
        assert other.communicate(timeout=60)[0] == "written\n"
    assert names() == ["all and more"]


# Values


def test_parameters_by_keyword_or_dict(graph: Connection) -> None:
    assert query("RETURN $a AS a, $b AS b", a=1, b="x") == [{"a": 1, "b": "x"}]
    assert query("RETURN $cypher AS a, $write AS b", {"cypher": 1, "write": 2}) == [
        {"a": 1, "b": 2}
    ]
    assert query("RETURN $`not a word` AS a, $b AS b", {"not a word": 1}, b=2) == [{"a": 1, "b": 2}]


def test_no_rows_return_an_empty_list(graph: Connection) -> None:
    assert query("MATCH (n:Thing) RETURN n") == []
    assert query("CREATE (:Thing)", write=True) == []


def test_nodes_and_relationships_become_dicts(graph: Connection) -> None:
    rows = query(
        "CREATE (a:Thing {name: 'a', sizes: [1, 2]})-[r:KNOWS {since: 2020}]->(b:Thing) "
        "RETURN a, r, b",
        write=True,
    )
    assert rows == [{"a": {"name": "a", "sizes": [1, 2]}, "r": {"since": 2020}, "b": {}}]
    assert all(type(value) is dict for value in rows[0].values())


def test_path_becomes_a_list_of_dicts(graph: Connection) -> None:
    query("CREATE (:Thing {n: 1})-[:TO {w: 2}]->(:Thing {n: 3})-[:TO {w: 4}]->(:End)", write=True)
    forth = [{"n": 1}, {"w": 2}, {"n": 3}, {"w": 4}, {}]
    assert query("MATCH p = (:Thing {n: 1})-[:TO*2]->(:End) RETURN p") == [{"p": forth}]
    assert query("MATCH p = (:End)<-[:TO*2]-(:Thing) RETURN p") == [{"p": forth[::-1]}]
    assert query("MATCH p = (:End) RETURN p") == [{"p": [{}]}]


@pytest.mark.parametrize(
    ("cypher", "expected"),
    [
        ("date('2024-02-29')", date(2024, 2, 29)),
        ("localtime('12:30:05')", time(12, 30, 5)),
        ("time('12:30:05+01:00')", time(12, 30, 5, tzinfo=timezone(timedelta(hours=1)))),
        (
            "datetime('2024-02-29T01:02:03+02:00')",
            datetime(2024, 2, 28, 23, 2, 3, tzinfo=timezone.utc),
        ),
        (
            "localdatetime('2024-02-29T01:02:03')",
            datetime(2024, 2, 29, 1, 2, 3, tzinfo=timezone.utc),
        ),
        ("duration('P1Y2M3DT4H5M6S')", "P1Y2M3DT4H5M6S"),
        ("[1, 'a', null, [true, 2.5]]", [1, "a", None, [True, 2.5]]),
        ("{a: {b: [date('2024-01-01')]}}", {"a": {"b": [date(2024, 1, 1)]}}),
        ("null", None),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_values_become_plain_python(graph: Connection, cypher: str, expected: Any) -> None:
    (row,) = query(f"RETURN {cypher} AS value")
    assert row["value"] == expected
    assert type(row["value"]) is type(expected)


def test_datetimes_become_aware_utc_at_every_depth(graph: Connection) -> None:
    moment = datetime(2024, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    query("CREATE (:Thing {at: $at})", write=True, at=moment)
    (row,) = query("MATCH (n:Thing) RETURN n.at AS alone, n, [n.at] AS list, {at: n.at} AS map")
    for found in (row["alone"], row["n"]["at"], row["list"][0], row["map"]["at"]):
        assert found == moment
        assert found.tzinfo is timezone.utc


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0, 5e-324])
def test_float_round_trip(graph: Connection, value: float) -> None:
    query("CREATE (:Thing {value: $value})", write=True, value=value)
    (row,) = query("MATCH (n:Thing) RETURN n.value AS value")
    assert repr(row["value"]) == repr(value)


@pytest.mark.parametrize(
    "text", ["", "'\"`\\", "a\nb\tc", "\0", "\u202e☃ \U0001f600", "{} $x //", "\x7f\x85"]
)
def test_text_round_trip(graph: Connection, text: str) -> None:
    query("CREATE (:Thing {value: $value})", write=True, value=text)
    assert query("MATCH (n:Thing {value: $value}) RETURN n.value AS value", value=text) == [
        {"value": text}
    ]


@pytest.mark.parametrize("point", ["{x: 1, y: 2}", "{latitude: 1, longitude: 2}"])
def test_point_becomes_plain_python(graph: Connection, point: str) -> None:
    (row,) = query(f"RETURN point({point}) AS value")
    assert type(row["value"]).__module__ == "builtins"


# Invalid parameters and statements


@pytest.mark.parametrize(
    "value",
    [
        NotImplemented,
        {1: 2},
        2**63,
        -(2**63) - 1,
        "\ud800",
        1j,
        [NotImplemented],
        {"a": {2**64}},
    ],
    ids=repr,
)
def test_unsupported_parameter_is_rejected(graph: Connection, value: Any) -> None:
    with pytest.raises(QueryError, match="parameter"):
        query("RETURN $value AS value", value=value)
    with pytest.raises(ValueError, match="parameter"):
        query("CREATE (:Thing {value: $value})", write=True, value=value)
    assert query("MATCH (n:Thing) RETURN n") == []


def test_too_deeply_nested_parameter_is_rejected(graph: Connection) -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(QueryError, match="parameter"):
        query("RETURN size($value) AS size", value=value)
    assert query("RETURN 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize(
    "cypher",
    [
        "",
        "RETUR 1",
        "RETURN 1 AS",
        "RETURN $missing AS value",
        "RETURN 1 / 0 AS value",
        "RETURN 1 AS a; RETURN 2 AS b",
        "RETURN nowhere AS value",
        "RETURN no.such.function(1) AS value",
    ],
)
def test_invalid_statement_is_a_value_error(graph: Connection, cypher: str) -> None:
    with pytest.raises(QueryError) as caught:
        query(cypher)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).strip()
    assert query("RETURN 1 AS one") == [{"one": 1}], "the connection is still usable"


# Read-only by default

WRITES = [
    "CREATE (:Thing)",
    "create (:Thing)",
    "CrEaTe(:Thing)",
    "CREATE\u00a0(:Thing)",
    "\u2003CREATE\u2028(:Thing)",
    "INSERT (:Thing)",
    "MERGE (:Thing {name: 'new'})",
    "UNWIND [1]AS x MERGE(:Thing {n: x})",
    "MATCH (n:Thing) SET n.name = 'changed'",
    "MATCH (n:Thing)SET n += {a: 1}",
    "MATCH (n:Thing) set n:Other",
    "MATCH (n:Thing) DELETE n",
    "MATCH (n:Thing) DETACH DELETE n",
    "MATCH (n:Thing) REMOVE n.name",
    "MATCH (n:Thing) ReMoVe n:Thing",
    "FOREACH (i IN [1] | CREATE (:Thing))",
    "FOREACH(i IN [1]|MERGE (:Thing {n: i}))",
    "CALL { CREATE (:Thing) }",
    "MATCH (n:Thing) CALL (n) { SET n.name = 'changed' }",
    "MATCH (n:Thing) WITH n SET n.name = 'changed' RETURN n",
    "RETURN 1 AS a UNION CREATE (:Thing) RETURN 1 AS a",
    "CREATE INDEX things IF NOT EXISTS FOR (n:Thing) ON (n.name)",
    "CREATE CONSTRAINT things IF NOT EXISTS FOR (n:Thing) REQUIRE n.name IS UNIQUE",
    "/* reads only */ CREATE (:Thing)",
    "// reads only\nCREATE (:Thing)",
    "// reads only\rCREATE (:Thing)",
    "// it's\r\nCREATE (:Thing) // '",
    "/* ' */ CREATE (:Thing) /* ' */",
    '/* " // */ CREATE (:Thing) // "',
    "CREATE/**/(:Thing)",
    "WITH '\\\\' AS a CREATE (:Thing {a: '\\\\'})",
    "WITH '//' AS a CREATE (:Thing {a: a})",
    "WITH '/*' AS a CREATE (:Thing {a: '*/'})",
    "WITH 1 AS `'` CREATE (:Thing {a: `'`})",
    "WITH 1 AS `a``//` CREATE (:Thing)",
]


def state() -> object:
    """Return everything that the statements in WRITES would change."""
    nodes = query("MATCH (n) RETURN labels(n) AS labels, properties(n) AS properties")
    indexes = query("SHOW INDEXES YIELD name RETURN name ORDER BY name")
    return nodes, indexes


@pytest.fixture(params=[False, True], ids=["alone", "in atomic"])
def block(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """A transaction around the query, or none."""
    return atomic if request.param else contextlib.nullcontext


@pytest.mark.parametrize("cypher", WRITES)
def test_write_without_write_true_is_rejected(
    graph: Connection, block: Callable[[], Any], cypher: str
) -> None:
    create_thing("existing")
    before = state()
    with block(), pytest.raises(ReadOnlyError, match="write=True") as caught:
        query(cypher)
    assert isinstance(caught.value, PermissionError)
    assert state() == before


def test_drop_index_without_write_true_is_rejected(
    graph: Connection, block: Callable[[], Any]
) -> None:
    query("CREATE INDEX things IF NOT EXISTS FOR (n:Thing) ON (n.name)", write=True)
    try:
        before = state()
        with block(), pytest.raises(ReadOnlyError):
            query("DROP INDEX things")
        assert state() == before
    finally:
        query("DROP INDEX things IF EXISTS", write=True)
    assert state() != before


@pytest.mark.parametrize(
    "form", ["LOAD CSV FROM", "load /**/ csv from", "Load Csv With Headers From"]
)
def test_load_csv_without_write_true_is_rejected(
    graph: Connection, block: Callable[[], Any], tmp_path: Path, form: str
) -> None:
    file = tmp_path / "secrets.csv"
    file.write_text("name\nsecret\n")
    with block(), pytest.raises(ReadOnlyError):
        query(f"{form} '{file.as_uri()}' AS row RETURN row")


@pytest.mark.parametrize(
    ("cypher", "reason"),
    [
        ("TERMINATE TRANSACTION 'neo4j-transaction-1'", "affects the server or other clients"),
        ("show transactions YIELD transactionId AS t terminate transactions t", "affects"),
        ("CALL dbms . killConnection('bolt-1')", "affects"),
        ("CALL `dbms`.killConnections(['bolt-1'])", "calls a procedure by a quoted name"),
        ("STOP DATABASE neo4j", "affects"),
        ("RENAME USER somebody TO nobody", "affects"),
        ("CYPHER 5 PROFILE CREATE (n:Thing)", "may write"),
        ("profile MERGE (n:Thing) RETURN n", "may write"),
        ("\\u0043REATE (n:Thing)", "contains an escape"),
    ],
)
def test_forbidden_statement_in_read_mode_is_rejected_with_a_reason(
    graph: Connection, block: Callable[[], Any], cypher: str, reason: str
) -> None:
    with block(), pytest.raises(ReadOnlyError, match=f"the query {reason}.*write=True"):
        query(cypher)
    assert names() == []


@pytest.mark.parametrize(
    "procedure",
    [
        "db.createLabel('Thing')",
        "`db`.`createLabel`('Thing')",
        "/* */ apoc.create.node(['Thing'], {})",
        "db.labelsAndMore()",
    ],
)
def test_unknown_procedure_in_read_mode_is_rejected(graph: Connection, procedure: str) -> None:
    with atomic(), pytest.raises(ReadOnlyError):
        query(f"CALL {procedure}")
    # Outside a transaction, the server may reject the unknown procedure first.
    with pytest.raises((ReadOnlyError, QueryError)):
        query(f"CALL {procedure}")


def test_write_true_allows_writes(graph: Connection, block: Callable[[], Any]) -> None:
    with block():
        query("CREATE (:Thing {name: 'a'})", write=True)
        query("INSERT (:Thing {name: 'b'})", write=True)
        query("MATCH (n:Thing {name: 'a'}) SET n.name = 'c'", write=True)
    assert names() == ["b", "c"]


@pytest.mark.parametrize(
    ("cypher", "expected"),
    [
        ("MATCH (n:Thing) RETURN n.set AS x", None),
        ("MATCH (n:Thing) RETURN n.`create` AS x", None),
        ("MATCH (n:Thing) WHERE n.merge IS NULL RETURN 1 AS x", 1),
        ("RETURN 'CREATE (n)' AS x", "CREATE (n)"),
        ('RETURN "it\'s MERGE" AS x', "it's MERGE"),
        ("RETURN 'it\\'s SET' AS x", "it's SET"),
        ("RETURN '// \\\\' + ' DELETE' AS x", "// \\ DELETE"),
        ("WITH 1 AS `delete` RETURN `delete` AS x", 1),
        ("WITH 1 AS `a``set` RETURN `a``set` AS x", 1),
        ("RETURN 1 AS x // CREATE (n)", 1),
        ("/* DROP\nSET */ RETURN 1 AS x", 1),
        ("OPTIONAL MATCH (n:Create|Set) RETURN count(n) AS x", 0),
        ("OPTIONAL MATCH (:Thing)-[r:SET|MERGE]->() RETURN count(r) AS x", 0),
        ("RETURN $set AS x", 5),
        ("WITH 1 AS created, 2 AS dataset, 3 AS set_size RETURN created + dataset AS x", 3),
        ("MATCH (n:Thing) WITH n AS offset1 RETURN offset1.name AS x", "existing"),
        ("CALL { RETURN 1 AS x } RETURN x", 1),
        ("MATCH (n:Thing) WHERE EXISTS { MATCH (n) } RETURN n.name AS x", "existing"),
        (
            "CALL db.labels() YIELD label WITH label WHERE label = 'Thing' RETURN label AS x",
            "Thing",
        ),
        ("RETURN [i IN [1, 2] | i * 2] AS x", [2, 4]),
    ],
)
def test_read_that_resembles_a_write_is_allowed(
    graph: Connection, block: Callable[[], Any], cypher: str, expected: Any
) -> None:
    create_thing("existing")
    with block():
        assert query(cypher, set=5) == [{"x": expected}]


def test_cypher_query_of_neomodel_may_write(graph: Connection) -> None:
    for cypher in ("INSERT (:Thing)", "// note\rCREATE (:Thing)", "create(:Thing)"):
        db.cypher_query(cypher)
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 3}]


# The tree of errors

TREE_LINE = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)(?: \((?P<builtin>\w+)\))?")


def parse_tree() -> list[tuple[str, str, str]]:
    """Return name, parent and builtin base of each error in the tree of the docstring."""
    errors_found = []
    path = ["GenaiGraphError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := TREE_LINE.match(line):
            level = len(match["indent"]) // 4  # the tree is indented by 4
            path[level:] = [match["name"]]
            errors_found.append((match["name"], path[level - 1], match["builtin"] or ""))
    return errors_found


@pytest.mark.parametrize(("name", "parent", "builtin"), parse_tree(), ids=lambda text: text or "-")
def test_error_classes_match_the_tree(name: str, parent: str, builtin: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, GenaiGraphError)
    assert getattr(errors, parent) in error.__bases__
    if builtin:
        assert issubclass(error, getattr(builtins, builtin))


def test_tree_is_complete_and_every_error_has_a_builtin_base() -> None:
    classes = {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, GenaiGraphError)
    }
    assert set(classes) == {name for name, _, _ in parse_tree()} | {"GenaiGraphError"}
    for error in set(classes.values()) - {GenaiGraphError}:
        builtin_bases = {base for base in error.__mro__ if base.__module__ == "builtins"}
        assert builtin_bases - {Exception, BaseException, object}, error
    assert issubclass(DatabaseError, RuntimeError)


@pytest.mark.parametrize("read", range(1, 7))
def test_ctrl_c_in_the_middle_of_a_message_raises_keyboard_interrupt(
    graph: Connection, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    reads = itertools.count(1)
    receive = BoltSocket.recv_into

    def interrupted_receive(*arguments: Any) -> Any:
        if next(reads) == read:
            raise KeyboardInterrupt
        return receive(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(BoltSocket, "recv_into", interrupted_receive)
        with pytest.raises(KeyboardInterrupt):
            query("UNWIND range(1, 5000) AS x RETURN x")
    assert query("RETURN 1 AS one") == [{"one": 1}]
