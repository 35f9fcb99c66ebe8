"""The statements behind save, upsert, connect, record, load and dump.

Rows hold values as the database keeps them. Nodes are found by label and uid, edges from their two
ends, and every statement starts from the unique index on uid. A write compares with what is there
and touches only what differs, so that `updated_at` tells the truth.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from genai_graph.database import at_most, atomic, change, current, match_uid, query, quote
from genai_graph.database.values import packed, packed_size, time_of
from genai_graph.errors import EdgeError, NodeExistsError, NodeNotFoundError
from genai_graph.models import encryption

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

T = TypeVar("T")
G = TypeVar("G")


class EdgeKind(msgspec.Struct, frozen=True, cache_hash=True):
    """One kind of edge: its ends, its type, and what is allowed between them.

    `acyclic` edges may not lead back to where they start; `one_source` and `one_target` say that
    a target has at most one source, a source at most one target. `fan_in` says that the target
    is the end with the fewer edges, from which the edge is to be looked for.
    """

    source: str
    type: str
    target: str
    acyclic: bool = False
    one_source: bool = False
    one_target: bool = False
    fan_in: bool = False

    def __str__(self) -> str:
        return f"{self.source}-{self.type}->{self.target}"

    @property
    def is_ruled(self) -> bool:
        """Whether not every edge between two nodes is allowed."""
        return self.acyclic or self.one_source or self.one_target

    @property
    def pattern(self) -> str:
        """The edge `r` between `a` and `b`, written from the end with the fewer edges.

        The embedded engine walks the edges of the end that is written first.
        """
        kind = quote(self.type)
        return f"(b)<-[r:{kind}]-(a)" if self.fan_in else f"(a)-[r:{kind}]->(b)"

    def way(self, *, by_source: bool) -> str:
        """The edge `r` between `a` and `b`, written from one end, with the label of the other."""
        kind = quote(self.type)
        if by_source:
            return f"(a)-[r:{kind}]->(b:{quote(self.target)})"
        return f"(b)<-[r:{kind}]-(a:{quote(self.source)})"

    @property
    def ends(self) -> str:
        """Finds both ends of a `row` of two uids."""
        return self.ends_of("row[0]", "row[1]")

    def ends_of(self, source: str, target: str) -> str:
        """Finds both ends, whose uids are these expressions."""
        return f"{match_uid('a', self.source, source)} {match_uid('b', self.target, target)}"


@dataclass(slots=True)
class Tally:
    """How many rows of a write were new, were changed, and were there already as they are.

    Those that are `pending` are checked, and not written.
    """

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    pending: int = 0

    @property
    def total(self) -> int:
        """The number of rows."""
        return self.created + self.changed + self.unchanged + self.pending

    def __str__(self) -> str:
        if self.pending:
            return f"{self.pending:,} to write"
        return f"{self.created:,} created, {self.changed:,} changed, {self.unchanged:,} unchanged"

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.created += other.created
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.pending += other.pending


class NodeRow(msgspec.Struct, frozen=True, gc=False):
    """A node to merge; None in `given` removes a property."""

    uid: str
    given: dict[str, Any]


class EdgeRow(msgspec.Struct, frozen=True, gc=False):
    """An edge to merge; None in `given` removes a property."""

    source: str
    target: str
    given: dict[str, Any] = {}


class Values(Protocol):
    """A node, as far as it is written: its uid and the values that are given."""

    @property
    def uid(self) -> str:
        """Its uid."""

    @property
    def given(self) -> dict[str, Any]:
        """The values."""


class Ends(Protocol):
    """An edge, as far as it is written: its two ends and the values that are given."""

    @property
    def source(self) -> str:
        """The uid of its source."""

    @property
    def target(self) -> str:
        """The uid of its target."""

    @property
    def given(self) -> dict[str, Any]:
        """The values."""


# Every node has them always; None for one of them means that nothing is said of it.
_TIMES = ("created_at", "updated_at")


BATCH, BATCH_BYTES = 5_000, 8 * 2**20
TRANSACTION_BYTES = 64 * 2**20  # what any engine has room for
WEIGHED = 20  # rows that are weighed together


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def grouped(
    rows: Iterable[T],
    group: Callable[[T], G],
    size: int,
    weigh: Callable[[list[T]], int] = packed_size,
) -> Iterator[tuple[G, list[T]]]:
    """Yield rows as statements take them: those of one group, in one pass.

    There are at most `size` of them, and no more once they have `BATCH_BYTES`.
    """
    waiting: dict[G, list[T]] = defaultdict(list)
    weights: dict[G, int] = defaultdict(int)
    for key, run in itertools.groupby(rows, group):
        while part := list(itertools.islice(run, min(WEIGHED, size - len(waiting.get(key, ()))))):
            for rows_in, weight in _weighed(part, BATCH_BYTES - weights[key], weigh):
                batch = waiting[key]
                batch += rows_in
                weights[key] += weight
                if len(batch) >= size or weights[key] >= BATCH_BYTES:
                    yield key, waiting.pop(key)
                    del weights[key]
    yield from waiting.items()


def bounded(
    rows: Iterable[T], size: int, weigh: Callable[[list[T]], int] = packed_size
) -> Iterator[list[T]]:
    """Yield rows in lists of at most `size`, and no more once they have `BATCH_BYTES`."""
    return (batch for _, batch in grouped(rows, lambda _: None, size, weigh))


def _weighed(
    rows: list[T], room: int, weigh: Callable[[list[T]], int]
) -> Iterator[tuple[list[T], int]]:
    """Yield rows with the bytes they take: together, which is soonest, or each where room ends."""
    weight = weigh(rows)
    if weight < room:
        yield rows, weight
    else:
        yield from (([row], weigh([row])) for row in rows)


def without_lost_times(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values without those that would take a node its times."""
    return {name: value for name, value in given.items() if value is not None or name not in _TIMES}


def now() -> datetime:
    """Return the time, aware in UTC."""
    return datetime.now(timezone.utc)


def find_nodes(label: str, uids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the properties of the nodes that exist, by uid."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} RETURN properties(n) AS found",
        uids=list(uids),
    )
    return {row["found"]["uid"]: row["found"] for row in rows}


def create_nodes(label: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Create nodes and return them as stored; `NodeExistsError` when a uid is already there."""
    uids = [row["uid"] for row in rows]
    moment = now()
    times = dict.fromkeys(_TIMES, moment)
    complete = [{**times, **without_lost_times(row)} for row in rows]
    with atomic():
        taken = next(iter(existing_nodes(label, uids)), None) or _repeated(uids)
        if taken is not None:
            raise _exists(label, taken)
        try:
            query(
                f"UNWIND $rows AS row CREATE (n:{quote(label)}) SET n = row",
                write=True,
                rows=[
                    _without_nothing(encryption.sealed(label, row["uid"], row)) for row in complete
                ],
            )
        except NodeExistsError:  # another client was quicker
            raise _exists(label, ", ".join(uids[:3])) from None
    return complete


_N = TypeVar("_N", bound=Values)
Complete = Callable[[_N], dict[str, Any]]
_given: Complete[Any] = attrgetter("given")


def merge_nodes(label: str, rows: Sequence[_N], complete: Complete[_N] = _given) -> Tally:
    """Make or update nodes by their uids; `complete` says what a new one has. No uid twice."""
    return _merge(label, _sealed(label, rows), complete)


def add_nodes(label: str, rows: Sequence[_N], complete: Complete[_N] = _given) -> Tally:
    """Make nodes of which none is there; `complete` says what each has. No uid may occur twice.

    On Neo4j another client may make some of them at the same time: those are changed then.
    """
    return _add(label, _sealed(label, rows), complete)


def _sealed(label: str, rows: Sequence[_N]) -> Sequence[_N]:
    if current().keyring is None:
        return rows
    seal, replace = encryption.sealed, msgspec.structs.replace
    return [replace(row, given=seal(label, row.uid, row.given)) for row in rows]  # type: ignore[type-var]


def _merge(label: str, rows: Sequence[_N], complete: Complete[_N]) -> Tally:
    new, changes = [], []
    with atomic():
        there = _found_values(label, rows)
        for row in rows:
            before = there.get(row.uid)
            if before is None:
                new.append(row)
            elif differing := changed_values(before, without_lost_times(row.given)):
                encryption.refuse_unread(label, row.uid, before, differing)
                sent = {name: _packed(value) for name, value in differing.items()}
                changes.append([row.uid, sent])
        tally = _add(label, new, complete) if new else Tally()
        if changes:
            _change_nodes(label, changes)
    tally.add(Tally(0, len(changes), len(rows) - len(new) - len(changes)))
    return tally


def _add(label: str, rows: Sequence[_N], complete: Complete[_N]) -> Tally:
    names, sent = _sent(rows, [complete(row) for row in rows])
    values = {name: f"row[{at}]" for at, name in enumerate(names, 1)}
    values |= {
        name: f"coalesce({values[name]}, $now)" if name in values else "$now" for name in _TIMES
    }
    _, counters = change(
        f"UNWIND $rows AS row MERGE (n:{quote(label)} {{uid: row[0]}}) "
        f"ON CREATE SET {', '.join(f'n.{quote(name)} = {values[name]}' for name in values)}",
        now=now(),
        rows=sent,
    )
    created = counters.nodes_created
    if created == len(rows):
        return Tally(created)
    changed = _merge(label, rows, complete).changed
    return Tally(created, changed, len(rows) - created - changed)


def _change_nodes(label: str, changes: list[list[Any]]) -> None:
    rows = query(
        f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
        "SET n.updated_at = $now, n += row[1] RETURN count(n) AS count",
        write=True,
        now=now(),
        rows=changes,
    )
    if rows[0]["count"] < len(changes):  # deleted meanwhile
        _raise_missing(label, [uid for uid, _ in changes])


def _found_values(label: str, rows: Sequence[Values]) -> dict[str, dict[str, Any]]:
    """Return what the nodes that are there have of the values that any of the rows gives.

    Times come as text, which is read sooner than the driver makes a time, and all in one row.
    """
    given = {name: value for row in rows for name, value in row.given.items()}
    times = sorted(name for name in given if isinstance(given[name], datetime) or name in _TIMES)
    names = sorted(given.keys() - set(times))
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        "RETURN collect([uid, [name IN $names | n[name]], "
        "[name IN $times | toString(n[name])]]) AS found",
        uids=[row.uid for row in rows],
        names=names,
        times=times,
    )
    return {
        uid: {
            **dict(zip(names, values, strict=True)),
            **{name: _moment(text) for name, text in zip(times, moments, strict=True)},
        }
        for uid, values, moments in found[0]["found"]
    }


def _moment(text: str | None) -> datetime | str | None:
    try:
        return None if text is None else time_of(text)
    except ValueError:
        return text  # put there by someone else: it differs from any time


def existing_nodes(label: str, uids: Iterable[str]) -> set[str]:
    """Return those of the uids that a node has."""
    rows = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} RETURN collect(uid) AS found",
        uids=list(uids),
    )
    return set(rows[0]["found"])


def update_node(label: str, uid: str, changes: dict[str, Any]) -> None:
    """Set some values of a node (None removes); `NodeNotFoundError` when it is gone."""
    names = list(encryption.possible(label).keys() & changes)
    sealed = encryption.sealed(label, uid, changes)
    if _set_unless_unread(label, uid, sealed, names):
        return
    with atomic():
        found = values_of(label, [uid], names)
        if not found:
            raise not_found(label, uid)
        before = dict(zip(names, found[0][1], strict=True))
        encryption.refuse_unread(label, uid, before, changes)
        _set_unless_unread(label, uid, sealed, ())


def _set_unless_unread(label: str, uid: str, changes: dict[str, Any], names: Sequence[str]) -> bool:
    """Set values where none of those names is encrypted under a key that is not here."""
    encrypted, ours = encryption.unread()
    rows = query(
        f"{match_uid('n', label, '$uid')} "
        f"WITH n, [name IN $names WHERE {_IS_UNREAD}] AS unread WHERE size(unread) = 0 "
        "SET n += $changes RETURN n.uid AS uid",
        write=True,
        uid=uid,
        changes=changes,
        names=list(names),
        encrypted=encrypted,
        ours=ours,
    )
    return bool(rows)


def delete_node(label: str, uid: str) -> None:
    """Delete a node and its edges; `NodeNotFoundError` when it is gone."""
    rows = query(
        f"{match_uid('n', label, '$uid')} DETACH DELETE n RETURN 1 AS one",
        write=True,
        uid=uid,
    )
    if not rows:
        raise not_found(label, uid)


def delete_targets(kind: EdgeKind, source: str) -> None:
    """Delete the nodes at the other end of a node's edges."""
    query(
        f"{match_uid('a', kind.source, '$source')} "
        f"MATCH (a)-[:{quote(kind.type)}]->(b:{quote(kind.target)}) DETACH DELETE b",
        write=True,
        source=source,
    )


def count_nodes(label: str) -> int:
    """Return the number of nodes of a label."""
    return int(query(f"MATCH (n:{quote(label)}) RETURN count(n) AS count")[0]["count"])


def count_without_uid(label: str) -> int:
    """Return the number of nodes of a label whose uid is not a text, or an empty one."""
    # What is no text can't be compared with one: that is null.
    rows = query(
        f"MATCH (n:{quote(label)}) WHERE NOT coalesce(n.uid > '', false) RETURN count(n) AS count"
    )
    return int(rows[0]["count"])


def count_edges(kind: EdgeKind) -> int:
    """Return the number of edges of a kind."""
    rows = query(
        f"MATCH (:{quote(kind.source)})-[r:{quote(kind.type)}]->(:{quote(kind.target)}) "
        "RETURN count(r) AS count"
    )
    return int(rows[0]["count"])


def type_occurs(type_: str) -> bool:
    """Tell at once whether there is an edge of a type, whatever its ends."""
    return bool(query(f"MATCH ()-[r:{quote(type_)}]->() RETURN 1 AS one LIMIT 1"))


def find_edges(kind: EdgeKind, rows: Iterable[EdgeRow]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the properties of the edges that exist, by the uids of their ends."""
    # Neo4j would find one end only and walk all of its edges, of a hub's too, were this a MATCH.
    found = query(
        f"UNWIND $rows AS row {kind.ends} OPTIONAL MATCH {kind.pattern} "
        "WITH row, r WHERE r IS NOT NULL "
        "RETURN collect([row[0], row[1], properties(r)]) AS found",
        rows=[[row.source, row.target] for row in rows],
    )
    return {(source, target): values for source, target, values in found[0]["found"]}


def merge_edges(kind: EdgeKind, edges: Sequence[Ends]) -> Tally:
    """Make or update edges: between two nodes, one edge of a kind.

    Raises `NodeNotFoundError` when an end is not there, `EdgeError` for an edge that the kind
    does not allow.
    """
    rows = _one_for_each_pair(edges)
    new, changes = [], []
    with atomic():
        for _, problem in forbidden_edges(kind, rows, Graph()):
            raise EdgeError(problem)
        there = find_edges(kind, rows)
        for row in rows:
            before = there.get((row.source, row.target))
            if before is None:
                new.append(row)
            elif differing := changed_values(before, row.given):
                changes.append(EdgeRow(row.source, row.target, differing))
        if new or changes:
            _write_edges(kind, [*new, *changes])
    return Tally(len(new), len(changes), len(rows) - len(new) - len(changes))


def add_edges(kind: EdgeKind, rows: Sequence[Ends]) -> Tally:
    """Make edges of which none is there, and that the kind allows. No pair may occur twice.

    Raises `NodeNotFoundError` when an end is not there.
    """
    created = _write_edges(kind, rows)  # fewer when another client was quicker with some
    return Tally(created=created, unchanged=len(rows) - created)


def _one_for_each_pair(rows: Sequence[Ends]) -> list[EdgeRow]:
    """Join the rows of the same two ends; the values given last hold."""
    joined: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        joined.setdefault((row.source, row.target), {}).update(row.given)
    return [EdgeRow(source, target, given) for (source, target), given in joined.items()]


def _write_edges(kind: EdgeKind, rows: Sequence[Ends]) -> int:
    """Make edges or set their values; return how many were made."""
    columns: dict[str, list[Any]] = {  # packed in a third of the time that rows take
        "sources": [row.source for row in rows],
        "targets": [row.target for row in rows],
    }
    values = [row.given for row in rows]
    if any(values):  # most kinds have no properties
        columns["values"] = values
    found, counters = change(
        f"UNWIND range(0, size($sources) - 1) AS i {kind.ends_of('$sources[i]', '$targets[i]')} "
        f"MERGE {kind.pattern} {'SET r += $values[i] ' if 'values' in columns else ''}"
        "RETURN count(r) AS count",
        **columns,
    )
    if found[0]["count"] < len(rows):
        _raise_missing(kind.source, columns["sources"])
        _raise_missing(kind.target, columns["targets"])
    return counters.relationships_created


def _raise_missing(label: str, uids: list[str]) -> None:
    there = existing_nodes(label, uids)
    for uid in uids:
        if uid not in there:
            raise not_found(label, uid)


def delete_edges(kind: EdgeKind, source: str | None, target: str | None) -> int:
    """Delete the edges between two nodes, or all of one node's; return how many."""
    ends = [
        (match_uid("a", kind.source, "$source"), source),
        (match_uid("b", kind.target, "$target"), target),
    ]
    given = " ".join(match for match, uid in ends if uid is not None)
    both = source is not None and target is not None
    way = kind.pattern if both else kind.way(by_source=source is not None)
    rows = query(
        f"{given} OPTIONAL MATCH {way} DELETE r RETURN count(r) AS count",
        write=True,
        source=source,
        target=target,
    )
    return int(rows[0]["count"])


def uids_after(label: str, uid: str, size: int) -> list[str]:
    """Return the next uids of a label in their order, at most `size`, after a uid (or "")."""
    return [uid for uid, _ in weighed_uids_after(label, uid, size, "0")]


def weighed_uids_after(label: str, uid: str, size: int, weight: str) -> list[list[Any]]:
    """Return the same, each with its weight: what a Cypher expression says of the node `n`."""
    start = f"MATCH (n:{quote(label)}) WHERE n.uid > $uid WITH n"
    some = f"LIMIT $size RETURN collect([n.uid, {weight}]) AS found"
    if current().engine == "embedded":  # which would sort all that is left, for every page
        likely = sorted(query(f"{start} {some}", uid=uid, size=size)[0]["found"])
        if not likely or len(likely) == _count_between(label, uid, likely[-1][0]):
            return likely
    return list(query(f"{start} ORDER BY n.uid {some}", uid=uid, size=size)[0]["found"])


def uids_beginning(label: str, prefix: str, limit: int) -> list[str]:
    """Return uids of a label that begin with a text, at most `limit`, by the index."""
    found = query(
        f"MATCH (n:{quote(label)}) WHERE n.uid STARTS WITH $prefix "
        "WITH n.uid AS uid LIMIT $limit RETURN collect(uid) AS uids",
        prefix=prefix,
        limit=at_most(limit),
    )
    return sorted(found[0]["uids"])


def value_occurs(label: str, name: str, values: list[str]) -> bool:
    """Tell whether a node has one of the values of a property."""
    rows = query(
        f"UNWIND $values AS value MATCH (n:{quote(label)} {{{quote(name)}: value}}) "
        "RETURN 1 AS one LIMIT 1",
        values=values,
    )
    return bool(rows)


def values_among(label: str, name: str, limit: int) -> list[str]:
    """Return the values that nodes of a label have of a property; only so many are looked at."""
    found = query(
        f"MATCH (n:{quote(label)}) WITH n.{quote(name)} AS value LIMIT $limit "
        "RETURN collect(DISTINCT value) AS found",
        limit=at_most(limit),
    )
    return sorted(value for value in found[0]["found"] if isinstance(value, str))


def pages(label: str) -> Iterator[list[str]]:
    """Yield all uids of a label in their order, a page at a time."""
    uids = uids_after(label, "", BATCH)
    while uids:
        yield uids
        uids = uids_after(label, uids[-1], BATCH)


def values_of(label: str, uids: list[str], names: Sequence[str]) -> list[tuple[str, list[Any]]]:
    """Return some values of nodes, in the order of the names."""
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        "RETURN collect([uid, [name IN $names | n[name]]]) AS found",
        uids=uids,
        names=list(names),
    )
    return [(uid, values) for uid, values in found[0]["found"]]


# Of a property `name` of `n`: no key that is here fits what it is encrypted with.
_IS_UNREAD = (
    "any(start IN $encrypted WHERE n[name] STARTS WITH start) "
    "AND none(start IN $ours WHERE n[name] STARTS WITH start)"
)


def unread_values(
    label: str, uids: Iterable[str], names: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield values that are encrypted under keys that are not here, as (uid, name, text)."""
    encrypted, ours = encryption.unread()
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"WITH uid, [name IN $names WHERE {_IS_UNREAD} | [name, n[name]]] AS found "
        "WHERE size(found) > 0 RETURN collect([uid, found]) AS found",
        uids=list(uids),
        names=list(names),
        encrypted=encrypted,
        ours=ours,
    )
    for uid, values in found[0]["found"]:
        for name, text in values:
            yield uid, name, text


def replace_values(label: str, rows: Sequence[tuple[str, str, str, str]]) -> int:
    """Replace values (uid, name, old, new) that are still the old ones; return how many.

    What a value means does not change by it, and `updated_at` stays: setting it to itself locks
    the node on Neo4j, so that no other writer comes between the look and the change.
    """
    found, _ = change(
        f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
        "SET n.updated_at = n.updated_at WITH n, row WHERE n[row[1]] = row[2] "
        "SET n += row[3] RETURN count(n) AS count",
        rows=[[uid, name, old, {name: new}] for uid, name, old, new in rows],
    )
    return int(found[0]["count"])


def _count_between(label: str, uid: str, last: str) -> int:
    """Return how many uids there are after one, up to another.

    Neo4j finds none where the ends compare differently in UTF-16: for the embedded engine only.
    """
    found = query(
        f"MATCH (n:{quote(label)}) WHERE n.uid > $uid AND n.uid <= $last RETURN count(*) AS count",
        uid=uid,
        last=last,
    )
    return int(found[0]["count"])


def has_edges(kind: EdgeKind) -> bool:
    """Tell whether there are edges of a kind."""
    pattern = f"(:{quote(kind.source)})-[r:{quote(kind.type)}]->(:{quote(kind.target)})"
    return bool(query(f"MATCH {pattern} RETURN 1 AS one LIMIT 1"))


def read_nodes(label: str, uids: Iterable[str], times: Iterable[str]) -> list[dict[str, Any]]:
    """Return the properties of nodes, the named times as text: the driver makes times slowly.

    They come as one row: every row has a price of its own.
    """
    as_text = "".join(f", {quote(name)}: toString(n.{quote(name)})" for name in times)
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect(n {{.*{as_text}}}) AS nodes",
        uids=list(uids),
    )
    return list(found[0]["nodes"])


def read_edges(
    kind: EdgeKind, uids: Iterable[str], limit: int, *, by_source: bool, skip: int | None = None
) -> list[list[Any]]:
    """Return edges of some sources (or targets) as source, target, properties and a name.

    The name is the target's where a source is its only one: it then stands there by its name. At
    most `limit` edges come, in any order; with `skip`, in the order of that name and the other uid.
    """
    near, other = ("a", "b") if by_source else ("b", "a")
    label = kind.source if by_source else kind.target
    name = "coalesce(b.name, '')" if kind.one_source and by_source else "''"
    order = "" if skip is None else f"ORDER BY name, {other}.uid SKIP $skip "
    found = query(
        f"UNWIND $uids AS uid {match_uid(near, label, 'uid')} "
        f"MATCH {kind.way(by_source=by_source)} WITH a, r, b, {name} AS name {order}LIMIT $limit "
        "RETURN collect([a.uid, b.uid, properties(r), name]) AS edges",
        uids=list(uids),
        limit=at_most(limit),
        skip=skip,
    )
    return list(found[0]["edges"])


class Graph:
    """What is in the graph already, as far as what is checked before a write needs to know it."""

    def __init__(self) -> None:
        self._empty: dict[str, bool] = {}

    def is_empty(self, label: str) -> bool:
        """Tell whether there was no node of a label when this was first asked."""
        if label not in self._empty:
            self._empty[label] = count_nodes(label) == 0
        return self._empty[label]

    def existing(self, label: str, uids: Iterable[str]) -> set[str]:
        """Return those of the uids that a node has."""
        return set() if self.is_empty(label) else existing_nodes(label, uids)

    def sensitive(self, label: str) -> frozenset[str]:
        """Return the properties of a label whose values may be encrypted."""
        return encryption.names_of(label)

    def unread(
        self, label: str, uids: Iterable[str], names: Iterable[str]
    ) -> Iterable[tuple[str, str, str]]:
        """Return values that are encrypted under keys that are not here, as `unread_values`."""
        return () if self.is_empty(label) else unread_values(label, uids, names)

    def targets(self, kind: EdgeKind, sources: Iterable[str]) -> list[tuple[str, str]]:
        """Return the edges that start at some nodes, as (source, target)."""
        return self._others(
            kind,
            sources,
            f"UNWIND $uids AS uid {match_uid('a', kind.source, 'uid')} "
            f"MATCH (a)-[:{quote(kind.type)}]->(b:{quote(kind.target)}) "
            "RETURN uid, b.uid AS other",
        )

    def sources(self, kind: EdgeKind, targets: Iterable[str]) -> list[tuple[str, str]]:
        """Return the edges that end at some nodes, as (target, source)."""
        return self._others(
            kind,
            targets,
            f"UNWIND $uids AS uid {match_uid('b', kind.target, 'uid')} "
            f"MATCH (b)<-[:{quote(kind.type)}]-(a:{quote(kind.source)}) "
            "RETURN uid, a.uid AS other",
        )

    def _others(self, kind: EdgeKind, uids: Iterable[str], cypher: str) -> list[tuple[str, str]]:
        if self.is_empty(kind.source) or self.is_empty(kind.target):
            return []
        return [
            (row["uid"], row["other"])
            for batch in batches(uids)
            for row in query(cypher, uids=batch)
        ]


class EmptyGraph(Graph):
    """A graph that holds nothing: what is checked against it must be whole in itself."""

    def is_empty(self, label: str) -> bool:
        """Return True."""
        return True

    def sensitive(self, label: str) -> frozenset[str]:
        """Return nothing: without a connection, nothing is known of keys."""
        return frozenset()


def forbidden_edges(
    kind: EdgeKind, rows: Sequence[EdgeRow], graph: Graph
) -> list[tuple[EdgeRow, str]]:
    """Return the edges that the kind does not allow beside each other and beside the graph's."""
    problems: list[tuple[EdgeRow, str]] = []
    if kind.one_target:
        there = dict(graph.targets(kind, {row.source for row in rows}))
        ends = [(row, row.source, row.target) for row in rows]
        problems += _second_edges(ends, there, kind.source, kind.target)
    if kind.one_source:
        there = dict(graph.sources(kind, {row.target for row in rows}))
        ends = [(row, row.target, row.source) for row in rows]
        problems += _second_edges(ends, there, kind.target, kind.source)
    if kind.acyclic:
        problems += _cycles(kind, rows, graph)
    return problems


def _second_edges(
    ends: list[tuple[EdgeRow, str, str]], there: dict[str, str], label: str, other_label: str
) -> Iterator[tuple[EdgeRow, str]]:
    """Yield the second edges of nodes that may have only one."""
    for row, uid, other in ends:
        first = there.setdefault(uid, other)
        if first != other:
            yield (
                row,
                f"{label} {uid!r} can have one {other_label} only and has {first!r}, not {other!r}",
            )


def _cycles(kind: EdgeKind, rows: Sequence[EdgeRow], graph: Graph) -> Iterator[tuple[EdgeRow, str]]:
    """Yield edges that would lead back to where they start, with the way they do."""
    onward = _onward(kind, {row.target for row in rows}, graph)
    new = {(row.source, row.target): row for row in rows}
    for source, target in new:
        onward[source].add(target)
    for circle in circles(onward, sorted({row.source for row in rows})):
        row = next((new[step] for step in itertools.pairwise(circle) if step in new), None)
        if row is not None:  # else the graph had it before
            way = " -> ".join(repr(uid) for uid in circle)
            yield row, f"{kind.type} may not go in a circle: {way}"


def _onward(kind: EdgeKind, uids: set[str], graph: Graph) -> dict[str, set[str]]:
    """Follow the graph's edges from some nodes to the end, one step for all of them at a time."""
    onward: dict[str, set[str]] = defaultdict(set)
    seen, front = set(uids), set(uids)
    while front:
        step = graph.targets(kind, sorted(front))
        for source, target in step:
            onward[source].add(target)
        front = {target for _, target in step} - seen
        seen |= front
    return onward


def circles(onward: dict[str, set[str]], starts: Iterable[str]) -> Iterator[list[str]]:
    """Walk depth first from the starts, and yield each way that meets itself."""
    done: set[str] = set()
    for start in starts:
        if start in done:
            continue
        path, places = [start], {start: 0}
        stack = [iter(sorted(onward.get(start, ())))]
        while stack:
            uid = next(stack[-1], None)
            if uid is None:
                stack.pop()
                left = path.pop()
                del places[left]
                done.add(left)
            elif uid in places:
                yield [*path[places[uid] :], uid]
            elif uid not in done:
                places[uid] = len(path)
                path.append(uid)
                stack.append(iter(sorted(onward.get(uid, ()))))


def changed_values(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return those of the given values that differ from what is stored."""
    return {name: value for name, value in given.items() if not same(before.get(name), value)}


def same(one: Any, other: Any) -> bool:
    """Tell whether two stored values are the same; unlike ``==``, NaN is the same as NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def not_found(label: str, uid: str) -> NodeNotFoundError:
    """Return the error for a node that is not there."""
    return NodeNotFoundError(f"no {label} with uid {uid!r} is in the graph (any more)")


def _exists(label: str, uid: str) -> NodeExistsError:
    return NodeExistsError(
        f"a {label} with uid {uid!r} is already in the graph: {label}.upsert() updates it"
    )


def _repeated(uids: list[str]) -> str | None:
    seen: set[str] = set()
    return next((uid for uid in uids if uid in seen or seen.add(uid)), None)  # type: ignore[func-returns-value]


def _without_nothing(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _sent(
    rows: Sequence[Values], values: Sequence[dict[str, Any]]
) -> tuple[list[str], list[list[Any]]]:
    """Return names, and for each row its uid and its values of these names, ready to be sent.

    Lists take the driver half the time of maps.
    """
    names = sorted(set().union(*values) - {"uid"})
    sent = _lists(rows, values, names)
    for at in range(1, len(names) + 1):
        # All values of a property are of one type.
        if isinstance(next((row[at] for row in sent if row[at] is not None), None), datetime):
            for row in sent:
                if (moment := row[at]) is not None:
                    row[at] = packed(moment)
    return names, sent


def _lists(
    rows: Sequence[Values], values: Sequence[dict[str, Any]], names: list[str]
) -> list[list[Any]]:
    """Return each row's uid and its values of some names, None for those that are not there."""
    if len(names) > 1:
        picked = map(itemgetter(*names), values)
        with suppress(KeyError):  # mostly all are there, and that takes a third of the time
            return [[row.uid, *of_row] for row, of_row in zip(rows, picked, strict=True)]
    return [[row.uid, *map(given.get, names)] for row, given in zip(rows, values, strict=True)]


def _packed(value: Any) -> Any:
    return packed(value) if type(value) is datetime else value
