"""Behaviour of dependencies that the package works around, and private API that it uses.

If one of these tests fails, the workaround named in its docstring can be removed.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

import msgspec
import neo4j
import neomodel
import pytest
from neo4j._addressing import ResolvedAddress
from neo4j._deadline import Deadline
from neo4j._exceptions import SocketDeadlineExceededError
from neo4j._sync.io._bolt_socket import BoltSocket
from neomodel import db
from neomodel.exceptions import NodeClassNotDefined, RelationshipClassRedefined
from neomodel.sync_._registry import registry as neomodel_registry

from genai_graph.database import Connection
from genai_graph.database.driver import GraphSession, GraphTransaction
from genai_graph.database.values import to_bolt_datetime


class Weighted(neomodel.StructuredRel):
    weight = neomodel.IntegerProperty()


class Keyed(neomodel.StructuredNode):
    uid = neomodel.StringProperty(unique_index=True)
    name = neomodel.StringProperty(required=True)


class Knot(neomodel.StructuredNode):
    to = neomodel.RelationshipTo("test_upstream.Knot", "TIED", model=Weighted)


@pytest.fixture
def bare(graph: Connection) -> Iterator[neo4j.Session]:
    """A session of the driver itself."""
    with graph.driver("WRITE").session(database=graph.database) as session:
        yield session


# neomodel


@pytest.mark.parametrize(
    ("prop", "value", "stored"),
    [
        (neomodel.IntegerProperty(), 7.9, 7),
        (neomodel.BooleanProperty(), "false", True),
        (neomodel.StringProperty(), 5, "5"),
        (neomodel.FloatProperty(), "1", 1.0),
    ],
)
def test_neomodel_coerces_values(prop: Any, value: Any, stored: Any) -> None:
    """`properties/types.py` validates first."""
    assert prop.deflate(value) == stored
    assert type(prop.deflate(value)) is type(stored)


def test_neomodel_accepts_unknown_options_and_fields() -> None:
    """`Node.__init__` and `Property` reject them."""
    neomodel.StringProperty(requierd=True)

    class Loose(neomodel.StructuredNode):
        name = neomodel.StringProperty()

    assert Loose(nmae="x").nmae == "x"


def test_neomodel_stores_datetimes_as_floats() -> None:
    """`properties.types.DateTimeProperty` stores the native type of the database."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert neomodel.DateTimeProperty().deflate(moment) == moment.timestamp()


def test_neomodel_shares_mutable_defaults() -> None:
    """The properties of this package have no mutable defaults."""
    prop = neomodel.JSONProperty(default={})
    assert prop.default_value() is prop.default_value()


def test_neomodel_allows_one_class_per_relationship_type() -> None:
    """So all relationship types have one class each, such as `Has`."""

    class First(neomodel.StructuredRel):
        pass

    class Second(neomodel.StructuredRel):
        pass

    class Start(neomodel.StructuredNode):
        one = neomodel.RelationshipTo("Start", "UPSTREAM", model=First)

    with pytest.raises(RelationshipClassRedefined):

        class Other(neomodel.StructuredNode):
            two = neomodel.RelationshipTo(Start, "UPSTREAM", model=Second)


def test_neomodel_ignores_save_of_a_deleted_node(neo4j_graph: Connection) -> None:
    """`Node.save` raises `NodeNotFoundError`."""

    class Gone(neomodel.StructuredNode):
        name = neomodel.StringProperty()

    node = Gone(name="a").save()
    db.cypher_query("MATCH (n:Gone) DELETE n")
    node.name = "b"
    node.save()
    assert len(Gone.nodes) == 0


def test_neomodel_creates_parallel_relationships(
    neo4j_graph: Connection,
) -> None:
    """`RelationshipManager.connect` updates the edge."""
    a, b = Knot().save(), Knot().save()
    a.to.connect(b, {"weight": 1})
    a.to.connect(b, {"weight": 2})
    assert len(a.to.all_relationships(b)) == 2


def test_neomodel_merges_on_all_required_properties(graph: Connection) -> None:
    """Only `uid` is required for neomodel; the package validates the others."""
    for name in ("before", "after"):
        Keyed.nodes.bulk_create_or_update({"uid": "1", "name": name})
    assert len(Keyed.nodes) == 2


def test_neomodel_requires_an_exact_match_of_labels(graph: Connection, bare: neo4j.Session) -> None:
    """`ogm/resolution.py` looks the class up by its own label."""
    bare.run("CREATE (:Keyed:Other {uid: '1', name: 'x'})").consume()
    with pytest.raises(NodeClassNotDefined):
        Keyed.nodes.all()


def test_indexes_are_not_repeatable_on_the_embedded_engine(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`database/driver.py` adds IF NOT EXISTS."""
    create = "CREATE INDEX index_Indexed_name FOR (n:Indexed) ON (n.name)"
    bare.run(create).consume()
    with pytest.raises(neo4j.exceptions.ClientError, match="Error executing") as raised:
        bare.run(create).consume()
    assert raised.value.code == "Neo.ClientError.Statement.SemanticError"


# The embedded engine


def test_auto_commit_is_not_atomic_on_the_embedded_engine(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`database/driver.py` runs every statement in an explicit transaction."""
    with pytest.raises(neo4j.exceptions.Neo4jError):
        bare.run("CREATE (n:Half) WITH n UNWIND [1, 0] AS x SET n.v = 1 / x").consume()
    assert bare.run("MATCH (n:Half) RETURN count(n) AS count").single(strict=True)["count"] == 1


def test_embedded_engine_returns_naive_datetimes(embedded: Connection, bare: neo4j.Session) -> None:
    """`database/values.py` adds the zone."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    bare.run("CREATE (:Moment {at: $moment})", moment=moment).consume()
    (row,) = bare.run("MATCH (n:Moment) RETURN n.at AS at")
    assert row["at"].tzinfo is None


def test_embedded_engine_has_no_nan_literal(embedded: Connection, bare: neo4j.Session) -> None:
    """`properties/literals.py` writes toFloat("NaN")."""
    with pytest.raises(neo4j.exceptions.ClientError, match="Variable 'NaN' not defined"):
        bare.run("RETURN NaN AS value")


def test_embedded_engine_reuses_element_ids(embedded: Connection, bare: neo4j.Session) -> None:
    """Nodes are matched by label and uid."""

    def create() -> str:
        (row,) = bare.run("CREATE (n:Short) RETURN elementId(n) AS id")
        return str(row["id"])

    first = create()
    bare.run("MATCH (n:Short) DELETE n").consume()
    assert create() == first


def test_embedded_engine_returns_duplicates_from_datetime_indexes(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`indexes.declared` omits indexes on datetimes."""
    bare.run("CREATE INDEX timed_at IF NOT EXISTS FOR (n:Timed) ON (n.at)").consume()
    try:
        first, second = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (1, 2))
        bare.run("CREATE (:Timed {at: $at})", at=first).consume()
        bare.run("MATCH (n:Timed) SET n.at = $at", at=second).consume()
        found = bare.run("MATCH (n:Timed) WHERE n.at >= $at RETURN n", at=first)
        assert len(list(found)) == 2
    finally:
        bare.run("DROP INDEX timed_at").consume()


def test_embedded_engine_truncates_floats_in_integer_indexes(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`Connection.prepare_to_write` installs the schema before the first write."""
    bare.run("CREATE (:Counted {value: 1})").consume()
    bare.run("CREATE INDEX counted_value IF NOT EXISTS FOR (n:Counted) ON (n.value)").consume()
    try:
        bare.run("CREATE (:Counted {value: 2.5})").consume()
        values = [row["value"] for row in bare.run("MATCH (n:Counted) RETURN n.value AS value")]
        assert sorted(values) == [1, 2]
    finally:
        bare.run("DROP INDEX counted_value").consume()


def test_embedded_engine_ignores_remove_of_a_quoted_property(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """The hints of `integrity/findings.py` set it to null."""
    bare.run("CREATE (:Odd {`we ird`: 1})").consume()
    bare.run("MATCH (n:Odd) REMOVE n.`we ird`").consume()
    (row,) = bare.run("MATCH (n:Odd) RETURN n.`we ird` AS value")
    assert row["value"] == 1


def test_embedded_engine_truncates_limits_to_32_bits(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`cypher.clamp_limit` limits it."""
    found = bare.run("UNWIND range(1, 5) AS n RETURN n LIMIT $limit", limit=2**32 + 3)
    assert len(list(found)) == 3


# Neo4j


def test_neo4j_expands_all_edges_between_bound_nodes(neo4j_graph: Connection) -> None:
    """`storage/edges.py` uses OPTIONAL MATCH instead of MATCH."""
    statement = (
        "EXPLAIN UNWIND $rows AS row MATCH (a:Project {uid: row[0]}) "
        "MATCH (b:Model {uid: row[1]}) MATCH (a)-[r:HAS]->(b) RETURN r"
    )
    with neo4j_graph.driver("READ").session(database=neo4j_graph.database) as session:
        plan = session.run(statement, rows=[]).consume().plan
    assert "Expand(All)" in str(plan)


def test_neo4j_compares_unindexed_strings_in_utf_16_order(
    neo4j_graph: Connection, bare: neo4j.Session
) -> None:
    """`storage/scans.py` uses such ranges on the embedded engine only."""
    low, high = "\ufb00", "\U00010000"  # in code point order; UTF-16 order is the reverse
    bare.run("CREATE (:Text {uid: $uid})", uid=high).consume()
    found = bare.run(
        "MATCH (n:Text) WHERE n.uid > $low AND n.uid <= $high RETURN count(n) AS count",
        low=low,
        high=high,
    )
    assert found.single(strict=True)["count"] == 0


# The neo4j driver


def connect_after_the_deadline(port: int, context: ssl.SSLContext | None) -> None:
    """Open a Bolt connection whose deadline has expired, as during name resolution."""
    address = neo4j.Address(("127.0.0.1", port))
    BoltSocket.connect(
        address,
        tcp_timeout=2.5,
        deadline=Deadline(0),
        custom_resolver=None,
        ssl_context=context,
        keep_alive=True,
    )


def test_driver_has_no_timeout_in_the_tls_handshake_after_its_deadline() -> None:
    """`database.security.HandshakeTimeoutContext` sets one."""
    timeouts: list[float | None] = []

    class RecordingContext(ssl.SSLContext):
        def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
            timeouts.append(sock.gettimeout())
            raise TimeoutError

    context = RecordingContext(ssl.PROTOCOL_TLS_CLIENT)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(neo4j.exceptions.ServiceUnavailable),
    ):
        connect_after_the_deadline(server.getsockname()[1], context)
    assert timeouts == [None]


def test_driver_has_no_timeout_in_the_tcp_connect_after_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`database.connection` limits the whole connect."""
    timeouts: list[float | None] = []

    class RecordingSocket(socket.socket):
        def connect(self, address: Any) -> None:
            timeouts.append(self.gettimeout())
            raise TimeoutError

    monkeypatch.setattr("neo4j._async_compat.network._bolt_socket.socket", RecordingSocket)
    with pytest.raises(neo4j.exceptions.ServiceUnavailable):
        connect_after_the_deadline(1, None)
    assert timeouts == [None]


def test_handshake_rejects_the_timeout_of_a_deadline_that_expires_before_it() -> None:
    """`ssl` rejects a socket with timeout 0: `HandshakeTimeoutContext` replaces it, too."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        client.settimeout(0)
        with pytest.raises(ValueError, match="do_handshake_on_connect"):
            ssl.create_default_context().wrap_socket(client, server_hostname="localhost")


# Private API: see genai_graph.database


def test_private_api_of_neomodel(graph: Connection) -> None:
    assert (db._active_transaction, db._session) == (None, None)
    db.begin()
    assert isinstance(db._active_transaction, GraphTransaction)
    assert isinstance(db._session, GraphSession)
    db.rollback()
    assert (db._active_transaction, db._session) == (None, None)
    assert db.database_version == db._database_version
    assert db.database_edition == db._database_edition
    assert isinstance(vars(type(db._connection))["_active_transaction"], property)
    markers = vars(neomodel.sync_.query)["_UNIQUE_VIOLATION_MARKERS"]
    assert "already exists with label" in markers


def test_private_api_of_the_driver_detaches_a_result(bare: neo4j.Session) -> None:
    """`GraphTransaction.detach`."""
    transaction = bare.begin_transaction()
    result = transaction.run("UNWIND [1, 2] AS x RETURN x")
    result._buffer_all()  # type: ignore[no-untyped-call]
    transaction._results.remove(result)
    transaction.commit()
    assert result._obtain_summary().counters.contains_updates is False
    assert [record["x"] for record in result] == [1, 2]


def test_private_connection_of_a_transaction_of_the_driver(bare: neo4j.Session) -> None:
    """`driver._limit_waits` and `Connection` use the inbox, the socket and the product."""
    session: Any = bare
    connect, limits = session._connect, [10.0]

    def connect_with_limit(*arguments: Any, **options: Any) -> None:
        connect(*arguments, **options)
        inbox = session._connection.inbox
        pop = partial(type(inbox).pop, inbox)  # this package may have replaced that of the instance
        inbox.pop = partial(pop_in_time, session._connection.socket, pop)

    def pop_in_time(socket: Any, pop: Any, hydration_hooks: Any) -> Any:
        socket.set_read_deadline(limits[-1])
        return pop(hydration_hooks)

    session._connect = connect_with_limit
    transaction: Any = bare.begin_transaction()
    connection = transaction._connection
    assert "/" in connection.server_info.agent
    result = transaction.run("RETURN 1")
    assert result._connection.inbox is connection.inbox
    limits.append(1e-9)
    with pytest.raises(neo4j.exceptions.ServiceUnavailable) as raised:
        transaction.run("RETURN 1").consume()
    assert isinstance(raised.value.__cause__, SocketDeadlineExceededError)


def test_private_bookmarks_of_a_manager_of_the_driver() -> None:
    """`connection._after_fork` hands them over to the forked process."""
    given = neo4j.Bookmarks.from_raw_values(["one"])
    manager: Any = neo4j.GraphDatabase.bookmark_manager(given)
    assert manager._bookmarks == {"one"}


def test_private_functions_of_the_driver_at_the_end_of_a_transaction(bare: neo4j.Session) -> None:
    """`driver._close_connection_if_interrupted` replaces the first by the second."""
    transaction = bare.begin_transaction()
    connection = transaction._connection
    transaction._on_closed = transaction._on_cancel
    transaction.rollback()
    assert connection.closed()
    assert bare.run("RETURN 1").single(strict=True).value() == 1


def test_private_address_of_the_driver_keeps_the_name_of_its_host() -> None:
    """`addresses.Resolver` returns it, so that certificates are checked."""
    address = ResolvedAddress(("127.0.0.1", 7687), host_name="db.example.com")
    assert isinstance(address, neo4j.Address)
    assert (address.host, address.port, address._host_name) == ("127.0.0.1", 7687, "db.example.com")


def test_private_class_registry_of_neomodel_decides_between_classes_of_one_label() -> None:
    """`registry.register` and `ogm/resolution.py`."""
    classes = [type("Twice", (neomodel.StructuredNode,), {}) for _ in range(2)]
    labels = frozenset({"Twice"})
    for cls in classes:
        db._NODE_CLASS_REGISTRY[labels] = cls
        assert neomodel_registry.get_class(labels, None) is cls


def test_private_structure_of_the_driver_is_sent_as_a_datetime(
    graph: Connection, bare: neo4j.Session
) -> None:
    """`database.values.to_bolt_datetime`."""
    moment = datetime(2026, 1, 1, 12, 30, 0, 250_000, tzinfo=timezone.utc)
    statement = "RETURN $structure = $moment AS equal"
    (row,) = bare.run(statement, structure=to_bolt_datetime(moment), moment=moment)
    assert row["equal"] is True


def test_private_scanner_of_json() -> None:
    """`exchange/formats/json.py` reads keys with their lines."""
    assert scanstring('{"a\\nb": 1}', 2, True) == ("a\nb", 7)


# msgspec


def test_msgspec_accepts_integers_above_64_bits() -> None:
    """The annotation of `IntegerProperty` limits them."""
    assert msgspec.json.decode(b"18446744073709551615", type=int) == 2**64 - 1


def test_msgspec_rejects_optional_raw_values() -> None:
    """The decoders of JSON Lines pass null as raw JSON."""
    with pytest.raises(msgspec.ValidationError, match="Expected `null`"):
        msgspec.json.decode(b"5", type=msgspec.Raw | None)  # type: ignore[operator]
