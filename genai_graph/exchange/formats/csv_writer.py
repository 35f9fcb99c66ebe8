"""Writing a graph as files for `neo4j-admin database import`, and the command that reads them."""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from genai_graph.errors import PropertyError
from genai_graph.exchange.formats.csv_cells import LONGEST_ROW, raw_rows
from genai_graph.exchange.formats.csv_dialect import SEPARATOR, Sheet, items, sheets
from genai_graph.exchange.records import EdgeRecord, NodeRecord, group_of
from genai_graph.models.properties import (
    ArrayProperty,
    JSONProperty,
    Strict,
    StringProperty,
)
from genai_graph.shown import non_finite

# neo4j-admin's buffer, into which each cell must fit, has this size unless another is given.
_BUFFER = 4 * 1024 * 1024


def write(records: Iterable[NodeRecord | EdgeRecord], folder: Path) -> None:
    """Write records into a folder, a file for each label and each kind of edge.

    Every file is written, with its header alone where there is nothing: so nothing of another
    graph is left, and one command imports any graph.
    """
    for sheet in sheets().values():
        _open(folder, sheet, "w").close()
    for of, group in itertools.groupby(records, group_of):
        with _open(folder, sheets()[of], "a") as stream:
            stream.writelines(_rows(sheets()[of], group))


def import_command(folder: Path, database: str = "neo4j") -> str:
    """Return the shell command that makes a new database of the files that `write` wrote."""
    names = [
        f"--nodes={sheet.of}={sheet.name}"
        if isinstance(sheet.of, str)
        else f"--relationships={sheet.of.type}={sheet.name}"
        for sheet in sheets().values()
    ]
    reading = [
        "--delimiter=,",
        f"--array-delimiter=U+{ord(SEPARATOR):04X}",
        '--quote="',
        "--multiline-fields=true",
        "--id-type=string",
        f"--read-buffer-size={max(_BUFFER, _longest_row(folder))}",
    ]
    command = ["neo4j-admin", "database", "import", "full", database, *reading, *names]
    # The names stand alone: a comma in a path would divide it.
    return f"cd {shlex.quote(str(folder))} && {shlex.join(command)}"


def _longest_row(folder: Path) -> int:
    longest = 0
    for sheet in sheets().values():
        with (folder / sheet.name).open("rb") as stream:
            longest = max(longest, max((len(row) for _, row in raw_rows(stream)), default=0))
    return longest


def _open(folder: Path, sheet: Sheet, mode: str) -> Any:
    stream = (folder / sheet.name).open(mode, encoding="utf-8", newline="\n")
    if mode == "w":
        stream.write(",".join(sheet.header) + "\n")
    return stream


def _rows(sheet: Sheet, records: Iterable[NodeRecord | EdgeRecord]) -> Iterator[str]:
    columns = [(name, _formatter(prop)) for name, prop in sheet.properties.items()]
    lists = [name for name, prop in sheet.properties.items() if _is_list_of_texts(prop)]
    for record in records:
        given = record.given
        cells = [_quoted(key) for key in _keys(record)]
        for name, text in columns:
            value = given.get(name)
            cells.append("" if value is None else text(value))
        exact = _exact(given, lists, sheet.properties)
        cells.append(_quoted(msgspec.json.encode(exact, order="sorted").decode()) if exact else "")
        yield _row(cells, record)


def _row(cells: list[str], record: NodeRecord | EdgeRecord) -> str:
    row = ",".join(cells) + "\n"
    if len(row) > LONGEST_ROW // 4 and len(row.encode()) > LONGEST_ROW:
        subject = f"{group_of(record)} {' '.join(map(repr, _keys(record)))}"
        raise PropertyError(
            f"{subject}: its row would have more than {LONGEST_ROW:,} bytes, "
            "which are not read again: dump it in another format"
        )
    return row


def _keys(record: NodeRecord | EdgeRecord) -> tuple[str, ...]:
    return (record.uid,) if isinstance(record, NodeRecord) else (record.source, record.target)


def _exact(
    given: Mapping[str, Any], lists: list[str], known: Mapping[str, Strict]
) -> dict[str, Any]:
    """Return what its own cell can't say: null, and texts that a list's cell would divide."""
    exact = {name: None for name, value in given.items() if value is None and name in known}
    for name in lists:
        value = given.get(name)
        if value and items(SEPARATOR.join(value)) != value:
            exact[name] = value
    return exact


def _is_list_of_texts(prop: Strict) -> bool:
    return isinstance(prop, ArrayProperty) and isinstance(prop.item, StringProperty)


def _formatter(prop: Strict) -> Any:
    if isinstance(prop, ArrayProperty):
        return lambda value: _quoted(SEPARATOR.join(map(_plain, value)))
    return _quoted if isinstance(prop, (StringProperty, JSONProperty)) else _plain


def _quoted(text: str) -> str:
    """Quote a text: with nothing in it, it is not the same as an empty cell."""
    return '"' + text.replace('"', '""') + '"'


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else non_finite(value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return str(value)
