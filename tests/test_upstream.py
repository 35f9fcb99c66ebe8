"""What we work round in the things we build on.

Who sees one of these tests fail can take out the workaround that its docstring names.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import msgspec
import neo4j
import neomodel
import pytest
from neomodel import db
from neomodel.exceptions import NodeClassNotDefined, RelationshipClassRedefined

from genai_graph.database import Connection
from genai_graph.errors import DatabaseError


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
    ("prop", "given", "kept"),
    [
        (neomodel.IntegerProperty(), 7.9, 7),
        (neomodel.BooleanProperty(), "false", True),
        (neomodel.StringProperty(), 5, "5"),
        (neomodel.FloatProperty(), "1", 1.0),
    ],
)
def test_neomodel_bends_values_to_their_type(prop: Any, given: Any, kept: Any) -> None:
    """`models/properties.py` checks before it does."""
    assert prop.deflate(given) == kept
    assert type(prop.deflate(given)) is type(kept)


def test_neomodel_takes_misspelt_options_and_fields() -> None:
    """`Node.__init__` and `Strict` refuse them."""
    neomodel.StringProperty(requierd=True)

    class Loose(neomodel.StructuredNode):
        name = neomodel.StringProperty()

    assert Loose(nmae="x").nmae == "x"


def test_neomodel_stores_times_as_numbers() -> None:
    """`DateTimeProperty` of ours stores the database's own type."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert neomodel.DateTimeProperty().deflate(moment) == moment.timestamp()


def test_neomodel_shares_a_default_between_nodes() -> None:
    """Our properties have no mutable defaults."""
    prop = neomodel.JSONProperty(default={})
    assert prop.default_value() is prop.default_value()


def test_neomodel_takes_one_class_for_a_type_of_edge() -> None:
    """So there is one `Has`, and a class for each pair of ends only below a common base."""

    class First(neomodel.StructuredRel):
        pass

    class Second(neomodel.StructuredRel):
        pass

    class Start(neomodel.StructuredNode):
        one = neomodel.RelationshipTo("Start", "UPSTREAM", model=First)

    with pytest.raises(RelationshipClassRedefined):

        class Other(neomodel.StructuredNode):
            two = neomodel.RelationshipTo(Start, "UPSTREAM", model=Second)


def test_neomodel_saves_a_node_that_is_gone_without_a_word(graph: Connection) -> None:
    """`Node.save` asks whether it was there."""

    class Gone(neomodel.StructuredNode):
        name = neomodel.StringProperty()

    node = Gone(name="a").save()
    db.cypher_query("MATCH (n:Gone) DELETE n")
    node.name = "b"
    node.save()
    assert len(Gone.nodes) == 0


def test_neomodel_connects_twice_what_is_connected_with_other_properties(
    graph: Connection,
) -> None:
    """`Edges.connect` changes the edge."""
    a, b = Knot().save(), Knot().save()
    a.to.connect(b, {"weight": 1})
    a.to.connect(b, {"weight": 2})
    assert len(a.to.all_relationships(b)) == 2


def test_neomodel_merges_on_all_that_is_required(graph: Connection) -> None:
    """Only `uid` is required to neomodel; the rest is by our own checks."""
    for name in ("before", "after"):
        Keyed.nodes.bulk_create_or_update({"uid": "1", "name": name})
    assert len(Keyed.nodes) == 2


def test_neomodel_knows_no_node_that_has_a_further_label(
    graph: Connection, bare: neo4j.Session
) -> None:
    """`models/registry.py` finds the class by the label that is ours."""
    bare.run("CREATE (:Keyed:Other {uid: '1', name: 'x'})").consume()
    with pytest.raises(NodeClassNotDefined):
        Keyed.nodes.all()


def test_install_labels_fails_on_the_embedded_engine_where_an_index_is(
    embedded: Connection,
) -> None:
    """`database/indexes.py` asks it for what is missing only."""

    class Indexed(neomodel.StructuredNode):
        name = neomodel.StringProperty(index=True)

    db.install_labels(Indexed, quiet=True)
    with pytest.raises(DatabaseError, match="Error executing"):
        db.install_labels(Indexed, quiet=True)


# The embedded engine


def test_the_embedded_engine_keeps_half_of_a_statement_that_fails_in_auto_commit(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`database/driver.py` makes a transaction for every statement."""
    with pytest.raises(neo4j.exceptions.Neo4jError):
        bare.run("CREATE (n:Half) WITH n UNWIND [1, 0] AS x SET n.v = 1 / x").consume()
    assert bare.run("MATCH (n:Half) RETURN count(n) AS count").single(strict=True)["count"] == 1


def test_the_embedded_engine_takes_the_zone_from_times(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`database/values.py` gives it back."""
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    bare.run("CREATE (:Moment {at: $moment})", moment=moment).consume()
    (row,) = bare.run("MATCH (n:Moment) RETURN n.at AS at")
    assert row["at"].tzinfo is None


def test_the_embedded_engine_does_not_know_nan(embedded: Connection, bare: neo4j.Session) -> None:
    """`exchange/formats/cypher_writer.py` writes it as a function."""
    with pytest.raises(neo4j.exceptions.ClientError, match="Variable 'NaN' not defined"):
        bare.run("RETURN NaN AS value")


def test_the_embedded_engine_gives_the_id_of_a_deleted_node_to_the_next_one(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`models/relationships.py` finds every node by its uid."""

    def made() -> str:
        (row,) = bare.run("CREATE (n:Short) RETURN elementId(n) AS id")
        return str(row["id"])

    first = made()
    bare.run("MATCH (n:Short) DELETE n").consume()
    assert made() == first


def test_the_embedded_engine_finds_a_changed_time_twice_by_an_index(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`indexes.declared` leaves out the indexes on times there."""
    bare.run("CREATE INDEX timed_at IF NOT EXISTS FOR (n:Timed) ON (n.at)").consume()
    try:
        first, second = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (1, 2))
        bare.run("CREATE (:Timed {at: $at})", at=first).consume()
        bare.run("MATCH (n:Timed) SET n.at = $at", at=second).consume()
        found = bare.run("MATCH (n:Timed) WHERE n.at >= $at RETURN n", at=first)
        assert len(list(found)) == 2
    finally:
        bare.run("DROP INDEX timed_at").consume()


def test_the_embedded_engine_makes_integers_of_numbers_under_an_index_made_on_integers(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`connection.prepare_to_write` makes the schema before the first value is there."""
    bare.run("CREATE (:Counted {value: 1})").consume()
    bare.run("CREATE INDEX counted_value IF NOT EXISTS FOR (n:Counted) ON (n.value)").consume()
    try:
        bare.run("CREATE (:Counted {value: 2.5})").consume()
        values = [row["value"] for row in bare.run("MATCH (n:Counted) RETURN n.value AS value")]
        assert sorted(values) == [1, 2]
    finally:
        bare.run("DROP INDEX counted_value").consume()


def test_the_embedded_engine_removes_no_property_whose_name_is_quoted(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """The cures of `integrity/findings.py` set it to null."""
    bare.run("CREATE (:Odd {`we ird`: 1})").consume()
    bare.run("MATCH (n:Odd) REMOVE n.`we ird`").consume()
    (row,) = bare.run("MATCH (n:Odd) RETURN n.`we ird` AS value")
    assert row["value"] == 1


def test_the_embedded_engine_counts_a_limit_in_32_bits(
    embedded: Connection, bare: neo4j.Session
) -> None:
    """`cypher.at_most` sends no larger one."""
    found = bare.run("UNWIND range(1, 5) AS n RETURN n LIMIT $limit", limit=2**32 + 3)
    assert len(list(found)) == 3


# Neo4j


def test_neo4j_walks_all_edges_of_one_end_where_both_are_known(neo4j_graph: Connection) -> None:
    """`store.find_edges` has OPTIONAL MATCH in place of MATCH."""
    explained = (
        "EXPLAIN UNWIND $rows AS row MATCH (a:Project {uid: row[0]}) "
        "MATCH (b:Model {uid: row[1]}) MATCH (a)-[r:HAS]->(b) RETURN r"
    )
    with neo4j_graph.driver("READ").session(database=neo4j_graph.database) as session:
        plan = session.run(explained, rows=[]).consume().plan
    assert "Expand(All)" in str(plan)


def test_neo4j_finds_nothing_between_texts_that_utf_16_orders_otherwise(
    neo4j_graph: Connection, bare: neo4j.Session
) -> None:
    """`store.uids_after` counts so on the embedded engine only."""
    low, high = "\ufb00", "\U00010000"  # by code point; in UTF-16 it is the other way round
    bare.run("CREATE (:Text {uid: $uid})", uid=high).consume()
    found = bare.run(
        "MATCH (n:Text) WHERE n.uid > $low AND n.uid <= $high RETURN count(n) AS count",
        low=low,
        high=high,
    )
    assert found.single(strict=True)["count"] == 0


# msgspec


def test_msgspec_takes_whole_numbers_of_more_than_64_bits() -> None:
    """The annotations of `IntegerProperty` bound them."""
    assert msgspec.json.decode(b"18446744073709551615", type=int) == 2**64 - 1


def test_msgspec_takes_nothing_raw_in_a_choice_with_none() -> None:
    """`exchange/rows.py` leaves None to the raw document."""
    with pytest.raises(msgspec.ValidationError, match="Expected `null`"):
        msgspec.json.decode(b"5", type=msgspec.Raw | None)  # type: ignore[operator]
