"""Reading the stored values of nodes that a merge compares with its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.database.cypher import match_uid, quote_name
from genai_graph.database.transaction import query, send_read
from genai_graph.database.values import parse_stored_time, to_native
from genai_graph.registry import NODES, properties_of
from genai_graph.storage.columns import (
    JSON_COLUMNS,
    from_columns,
    json_columns,
    json_names,
    prefixes,
)

if TYPE_CHECKING:
    from genai_graph.storage.rows import NodeRow

# Values with the same encoding are stored in the same way: it differs for 1, 1.0 and True, and for
# 0.0 and -0.0. Two encodings are compared in a fifth of the time of the values.
_encode = msgspec.msgpack.Encoder(enc_hook=to_native).encode
_MAX_COLUMNS = 200  # paths in JSON values; the engine looks each of them up for every node


def send_find(label: str, rows: Sequence[NodeRow]) -> Callable[[], dict[str, dict[str, Any]]]:
    """Send the statement that finds nodes in the open transaction.

    The returned function returns the stored values of all properties that any row gives, by uid. If
    they equal those of the row, they are `row.given` itself. JSON values are read by the paths that
    the rows give, and as a whole only if these differ.
    """
    known = properties_of(NODES[label])
    given = set().union(*(row.given for row in rows))
    json = sorted(given & json_names(label))
    times = sorted(name for name in given if name in known and known[name].is_timestamp)
    plain = sorted(given.difference(times, json))
    of_rows = [json_columns(json, row.given) for row in rows]
    columns = sorted(set(json).union(*of_rows))
    if len(columns) > _MAX_COLUMNS:
        return lambda: _find_whole_values(label, rows, [*plain, *json], times, json)
    names, first_time = [*plain, *times], 1 + len(plain)
    read = _send_read(label, rows, plain, times, json, columns)

    def find() -> dict[str, dict[str, Any]]:
        found = read()
        stored: dict[str, dict[str, Any]] = {}
        differing = []
        for row, of_row in zip(rows, of_rows, strict=True):
            values = found.get(row.uid)
            if values is None:
                continue
            if times:
                values[first_time : len(names) + 1] = map(
                    parse_stored_time, values[first_time : len(names) + 1]
                )
            expected = [row.uid, *map(row.given.get, names)]
            if json:
                paths = len(of_row) - sum(map(of_row.__contains__, json))
                expected += [paths, list(map(of_row.get, columns))]
            if _encode(values) == _encode(expected):
                stored[row.uid] = row.given
            elif json:
                differing.append(row)
            else:
                stored[row.uid] = dict(zip(names, map(to_native, values[1:]), strict=True))
        if differing:
            stored |= _find_whole_values(label, differing, [*plain, *json], times, json)
        return stored

    return find


def _send_read(
    label: str,
    rows: Sequence[NodeRow],
    plain: list[str],
    times: list[str],
    json: list[str],
    columns: list[str],
) -> Callable[[], dict[str, list[Any]]]:
    """Return a function that returns a list of the uid and the stored values of each node, by uid.

    Timestamps are returned as text, which is parsed faster than the driver decodes them, and
    everything in one row, since each row of a result costs time. After them are the number of
    properties inside JSON values, and the values of those in `columns`.
    """
    values = ["uid", *(f"n.{quote_name(name)}" for name in plain)]
    values += [f"toString(n.{quote_name(name)})" for name in times]
    if json:
        is_inside = " OR ".join(f"name STARTS WITH $prefixes[{i}]" for i in range(len(json)))
        values.append(f"size([name IN keys(n) WHERE {is_inside}])")
        values.append("[name IN $columns | n[name]]")
    read = send_read(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"RETURN collect([{', '.join(values)}]) AS found",
        dict,
        uids=[row.uid for row in rows],
        prefixes=prefixes(json),
        columns=columns,
    )
    return lambda: {values[0]: values for values in read()[0]["found"]}


def _find_whole_values(
    label: str, rows: Sequence[NodeRow], names: list[str], times: list[str], json: list[str]
) -> dict[str, dict[str, Any]]:
    """Return the stored values of some properties by uid, with everything in JSON values."""
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        "RETURN collect([uid, [name IN $names | n[name]], "
        f"[name IN $timestamps | toString(n[name])], {JSON_COLUMNS}]) AS found",
        uids=[row.uid for row in rows],
        names=names,
        timestamps=times,
        prefixes=prefixes(json),
    )
    stored = {}
    for uid, values, moments, columns in found[0]["found"]:
        read = {**dict(zip(names, values, strict=True)), **dict(columns)}
        read |= {name: parse_stored_time(text) for name, text in zip(times, moments, strict=True)}
        stored[uid] = from_columns(label, read)
    return stored
