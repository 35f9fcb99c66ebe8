"""Transactions are all or nothing, and `query` reads plain values unless it is told to write."""

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
    __doc__,
)


def make(name: str = "thing") -> None:
    query("CREATE (:Thing {name: $name})", write=True, name=name)


def names() -> list[str]:
    return [row["name"] for row in query("MATCH (n:Thing) RETURN n.name AS name ORDER BY name")]


def in_a_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def is_free() -> bool:
    """Tell whether another thread could write at once."""

    def write() -> bool:
        with connect(writer_timeout=0):
            try:
                query("MATCH (n:Nothing) DELETE n", write=True)
            except WriterTimeoutError:
                return False
        return True

    return bool(in_a_thread(write))


# atomic


def test_a_block_is_kept_as_a_whole(graph: Connection) -> None:
    with atomic():
        make("a")
        make("b")
        assert names() == ["a", "b"]
        assert in_a_thread(names) == [], "nobody else sees it before its end"
    assert in_a_thread(names) == ["a", "b"]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_undoes_the_whole_block(graph: Connection, error: type[BaseException]) -> None:
    def fail() -> None:
        with atomic():
            make("a")
            Dataset(name="mnist").save()
            raise error

    with pytest.raises(error):
        fail()
    assert names() == []
    assert Dataset.nodes.all() == []


def test_blocks_nest_and_the_outermost_is_the_transaction(graph: Connection) -> None:
    with atomic():
        make("a")
        with atomic():
            make("b")
            with atomic():
                make("c")
        assert in_a_thread(names) == []
        make("d")
    assert names() == ["a", "b", "c", "d"]


def test_an_error_after_an_inner_block_undoes_the_inner_one_too(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            with atomic():
                make("inner")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names() == []


def test_an_inner_error_passes_through_as_it_is(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            make("outer")
            with atomic():
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert names() == []


def test_nothing_is_kept_when_an_inner_error_is_caught_on_the_way_out(graph: Connection) -> None:
    def swallow() -> None:
        with atomic():
            make("before")
            with contextlib.suppress(KeyError), atomic(), atomic():
                make("inner")
                raise KeyError
            make("after")

    with pytest.raises(TransactionError, match="inner"):
        swallow()
    assert names() == []


def test_a_failed_block_leaves_no_trace_in_the_next_one(graph: Connection) -> None:
    with contextlib.suppress(TransactionError), atomic(), contextlib.suppress(KeyError), atomic():
        raise KeyError
    with atomic():
        make("next")
    assert names() == ["next"]


def test_nothing_is_kept_when_a_statement_fails_and_its_error_is_caught(graph: Connection) -> None:
    def swallow() -> None:
        with atomic():
            make("before")
            with contextlib.suppress(QueryError):
                query("RETURN 1 AS")

    with pytest.raises(TransactionError):
        swallow()
    assert names() == []
    make("next")
    assert names() == ["next"]


def test_a_failing_statement_undoes_what_the_block_did_before(graph: Connection) -> None:
    def fail() -> None:
        with atomic():
            make("before")
            query("UNWIND [1, 0] AS i CREATE (:Thing {name: toString(1 / i)})", write=True)

    with pytest.raises(QueryError):
        fail()
    assert names() == []


def test_a_failing_statement_of_its_own_leaves_nothing_behind(graph: Connection) -> None:
    with pytest.raises(QueryError):
        query("UNWIND [1, 0] AS i CREATE (:Thing {name: toString(1 / i)})", write=True)
    assert names() == []


def test_a_refused_write_does_not_end_the_block(graph: Connection) -> None:
    with atomic():
        make("a")
        with pytest.raises(ReadOnlyError):
            query("CREATE (:Thing {name: 'b'})")
        make("c")
    assert names() == ["a", "c"]


def test_a_block_may_be_a_function(graph: Connection) -> None:
    @atomic()
    def twice(fail: bool) -> None:
        make("a")
        if fail:
            raise KeyError
        make("b")

    with pytest.raises(KeyError):
        twice(True)
    twice(False)
    assert names() == ["a", "b"]


def test_a_block_that_is_left_half_way_keeps_nothing(graph: Connection) -> None:
    def generate() -> Iterator[int]:
        with atomic():
            make("a")
            yield 1

    generator = generate()
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert names() == []


def test_what_neomodel_reads_in_a_block_belongs_to_it(graph: Connection) -> None:
    with atomic():
        Dataset(name="mnist").save()
        assert [dataset.name for dataset in Dataset.nodes.all()] == ["mnist"]
        rows, _ = db.cypher_query("MATCH (n:Dataset) RETURN n.name")
        assert rows == [["mnist"]]


def test_a_node_that_exists_is_an_error_that_undoes_the_block(graph: Connection) -> None:
    Dataset(name="mnist").save()

    def fail() -> None:
        with atomic():
            make("a")
            Dataset(name="mnist").save()

    with pytest.raises(NodeExistsError, match="mnist"):
        fail()
    assert names() == []


def test_a_block_holds_the_turn_to_write_until_its_outermost_end(embedded: Connection) -> None:
    with atomic():
        assert not is_free()
        with atomic():
            make()
        assert not is_free()
    assert is_free()


def test_a_failed_block_gives_the_turn_back_once(embedded: Connection) -> None:
    def fail() -> None:
        with atomic(), atomic():
            make()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert is_free()
    with atomic():
        assert not is_free()
    assert is_free()


def test_another_thread_waits_for_the_end_of_a_block(embedded: Connection) -> None:
    written = threading.Event()

    def write() -> None:
        query("MATCH (n:Thing) SET n.name = n.name + ' and more'", write=True)
        written.set()

    thread = threading.Thread(target=write)
    with atomic():
        thread.start()
        assert not written.wait(0.3)
        make("all")
    thread.join()
    assert written.is_set()
    assert names() == ["all and more"]


def test_another_process_waits_for_the_end_of_a_block(embedded: Connection) -> None:
    code = (
        "import genai_graph as g\n"
        "with g.connect():\n"
        "    print('there', flush=True)\n"
        "    g.query(\"MATCH (n:Thing) SET n.name = n.name + ' and more'\", write=True)\n"
        "    print('written', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        with atomic():
            assert other.stdout.readline() == "there\n"
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(0.3)
            make("all")
        assert other.communicate(timeout=60)[0] == "written\n"
    assert names() == ["all and more"]


# Values


def test_parameters_go_by_name_or_in_a_dict(graph: Connection) -> None:
    assert query("RETURN $a AS a, $b AS b", a=1, b="x") == [{"a": 1, "b": "x"}]
    assert query("RETURN $cypher AS a, $write AS b", {"cypher": 1, "write": 2}) == [
        {"a": 1, "b": 2}
    ]
    assert query("RETURN $`not a word` AS a, $b AS b", {"not a word": 1}, b=2) == [{"a": 1, "b": 2}]


def test_no_rows_are_an_empty_list(graph: Connection) -> None:
    assert query("MATCH (n:Thing) RETURN n") == []
    assert query("CREATE (:Thing)", write=True) == []


def test_nodes_and_relationships_are_their_properties(graph: Connection) -> None:
    rows = query(
        "CREATE (a:Thing {name: 'a', sizes: [1, 2]})-[r:KNOWS {since: 2020}]->(b:Thing) "
        "RETURN a, r, b",
        write=True,
    )
    assert rows == [{"a": {"name": "a", "sizes": [1, 2]}, "r": {"since": 2020}, "b": {}}]
    assert all(type(value) is dict for value in rows[0].values())


def test_a_path_is_the_list_of_its_steps(graph: Connection) -> None:
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
def test_values_are_plain(graph: Connection, cypher: str, expected: Any) -> None:
    (row,) = query(f"RETURN {cypher} AS value")
    assert row["value"] == expected
    assert type(row["value"]) is type(expected)


def test_a_time_is_aware_in_utc_by_every_way(graph: Connection) -> None:
    moment = datetime(2024, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    query("CREATE (:Thing {at: $at})", write=True, at=moment)
    (row,) = query("MATCH (n:Thing) RETURN n.at AS alone, n, [n.at] AS list, {at: n.at} AS map")
    for found in (row["alone"], row["n"]["at"], row["list"][0], row["map"]["at"]):
        assert found == moment
        assert found.tzinfo is timezone.utc


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, -0.0, 5e-324])
def test_every_float_goes_there_and_back(graph: Connection, value: float) -> None:
    query("CREATE (:Thing {value: $value})", write=True, value=value)
    (row,) = query("MATCH (n:Thing) RETURN n.value AS value")
    assert repr(row["value"]) == repr(value)


@pytest.mark.parametrize(
    "text", ["", "'\"`\\", "a\nb\tc", "\0", "\u202e☃ \U0001f600", "{} $x //", "\x7f\x85"]
)
def test_every_text_goes_there_and_back(graph: Connection, text: str) -> None:
    query("CREATE (:Thing {value: $value})", write=True, value=text)
    assert query("MATCH (n:Thing {value: $value}) RETURN n.value AS value", value=text) == [
        {"value": text}
    ]


@pytest.mark.parametrize("point", ["{x: 1, y: 2}", "{latitude: 1, longitude: 2}"])
def test_a_point_is_plain_too(graph: Connection, point: str) -> None:
    (row,) = query(f"RETURN point({point}) AS value")
    assert type(row["value"]).__module__ == "builtins"


# What can't be sent or run


@pytest.mark.parametrize(
    "value",
    [
        NotImplemented,
        {1, 2},
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
def test_a_parameter_that_can_not_be_sent_is_told(graph: Connection, value: Any) -> None:
    with pytest.raises(QueryError, match="parameter"):
        query("RETURN $value AS value", value=value)
    with pytest.raises(ValueError, match="parameter"):
        query("CREATE (:Thing {value: $value})", write=True, value=value)
    assert query("MATCH (n:Thing) RETURN n") == []


def test_a_parameter_that_is_nested_too_deep_is_told(graph: Connection) -> None:
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
def test_a_statement_that_can_not_run_is_a_value_error(graph: Connection, cypher: str) -> None:
    with pytest.raises(QueryError) as caught:
        query(cypher)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).strip()
    assert query("RETURN 1 AS one") == [{"one": 1}], "the connection goes on"


# Read-only unless told otherwise

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
    """Return all that the writes above would change."""
    nodes = query("MATCH (n) RETURN labels(n) AS labels, properties(n) AS properties")
    indexes = query("SHOW INDEXES YIELD name RETURN name ORDER BY name")
    return nodes, indexes


@pytest.fixture(params=[False, True], ids=["alone", "in atomic"])
def block(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Both places where a query may stand."""
    return atomic if request.param else contextlib.nullcontext


@pytest.mark.parametrize("cypher", WRITES)
def test_a_write_is_refused_unless_it_is_asked_for(
    graph: Connection, block: Callable[[], Any], cypher: str
) -> None:
    make("there")
    before = state()
    with block(), pytest.raises(ReadOnlyError, match="write=True") as caught:
        query(cypher)
    assert isinstance(caught.value, PermissionError)
    assert state() == before


def test_dropping_an_index_is_refused_unless_it_is_asked_for(
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
def test_reading_a_file_of_the_server_is_refused_unless_it_is_asked_for(
    graph: Connection, block: Callable[[], Any], tmp_path: Path, form: str
) -> None:
    file = tmp_path / "secrets.csv"
    file.write_text("name\nsecret\n")
    with block(), pytest.raises(ReadOnlyError):
        query(f"{form} '{file.as_uri()}' AS row RETURN row")


@pytest.mark.parametrize(
    ("cypher", "told"),
    [
        ("TERMINATE TRANSACTION 'neo4j-transaction-1'", "acts on the server or on its other"),
        ("show transactions YIELD transactionId AS t terminate transactions t", "acts on"),
        ("CALL dbms . killConnection('bolt-1')", "acts on"),
        ("CALL `dbms`.killConnections(['bolt-1'])", "calls a procedure whose name is quoted"),
        ("STOP DATABASE neo4j", "acts on"),
        ("RENAME USER somebody TO nobody", "acts on"),
        ("CYPHER 5 PROFILE CREATE (n:Thing)", "may write"),
        ("profile MERGE (n:Thing) RETURN n", "may write"),
        ("\\u0043REATE (n:Thing)", "has an escape"),
    ],
)
def test_what_no_server_holds_back_from_a_reader_is_refused_and_named(
    graph: Connection, block: Callable[[], Any], cypher: str, told: str
) -> None:
    with block(), pytest.raises(ReadOnlyError, match=f"this query {told}.*write=True"):
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
def test_a_procedure_that_is_not_known_to_read_is_refused(
    graph: Connection, procedure: str
) -> None:
    with atomic(), pytest.raises(ReadOnlyError):
        query(f"CALL {procedure}")
    # Alone, the server may be the first to say that there is no such procedure.
    with pytest.raises((ReadOnlyError, QueryError)):
        query(f"CALL {procedure}")


def test_a_write_that_is_asked_for_is_done(graph: Connection, block: Callable[[], Any]) -> None:
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
        ("MATCH (n:Thing) WITH n AS offset1 RETURN offset1.name AS x", "there"),
        ("CALL { RETURN 1 AS x } RETURN x", 1),
        ("MATCH (n:Thing) WHERE EXISTS { MATCH (n) } RETURN n.name AS x", "there"),
        (
            "CALL db.labels() YIELD label WITH label WHERE label = 'Thing' RETURN label AS x",
            "Thing",
        ),
        ("RETURN [i IN [1, 2] | i * 2] AS x", [2, 4]),
    ],
)
def test_what_only_looks_like_a_write_is_read(
    graph: Connection, block: Callable[[], Any], cypher: str, expected: Any
) -> None:
    make("there")
    with block():
        assert query(cypher, set=5) == [{"x": expected}]


def test_neomodels_own_statement_may_write_however_it_is_written(graph: Connection) -> None:
    for cypher in ("INSERT (:Thing)", "// note\rCREATE (:Thing)", "create(:Thing)"):
        db.cypher_query(cypher)
    assert query("MATCH (n:Thing) RETURN count(n) AS count") == [{"count": 3}]


# The tree of errors

DRAWN = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)(?: \((?P<builtin>\w+)\))?")


def drawn() -> list[tuple[str, str, str]]:
    """Return name, parent and builtin of each error, as the docstring draws them."""
    found = []
    path = ["GenaiGraphError"]
    for line in (__doc__ or "").splitlines():
        if match := DRAWN.match(line):
            level = len(match["indent"]) // 4  # all of it stands 4 to the right
            path[level:] = [match["name"]]
            found.append((match["name"], path[level - 1], match["builtin"] or ""))
    return found


@pytest.mark.parametrize(("name", "parent", "builtin"), drawn(), ids=lambda text: text or "-")
def test_an_error_is_what_the_tree_says(name: str, parent: str, builtin: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, GenaiGraphError)
    assert getattr(errors, parent) in error.__bases__
    if builtin:
        assert issubclass(error, getattr(builtins, builtin))


def test_the_tree_shows_every_error_and_each_has_a_builtin() -> None:
    classes = {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, GenaiGraphError)
    }
    assert set(classes) == {name for name, _, _ in drawn()} | {"GenaiGraphError"}
    for error in set(classes.values()) - {GenaiGraphError}:
        foreign = [base for base in error.__mro__ if base.__module__ == "builtins"]
        assert set(foreign) - {Exception, BaseException, object}, error
    assert issubclass(DatabaseError, RuntimeError)


@pytest.mark.parametrize("read", range(1, 7))
def test_ctrl_c_in_the_middle_of_an_answer_is_not_hidden_by_what_it_does_to_the_driver(
    graph: Connection, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    reads = itertools.count(1)
    receive = BoltSocket.recv_into

    def interrupted(*arguments: Any) -> Any:
        if next(reads) == read:
            raise KeyboardInterrupt
        return receive(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(BoltSocket, "recv_into", interrupted)
        with pytest.raises(KeyboardInterrupt):
            query("UNWIND range(1, 5000) AS x RETURN x")
    assert query("RETURN 1 AS one") == [{"one": 1}]
