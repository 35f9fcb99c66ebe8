"""Writing a graph as files for `neo4j-admin database import`, and the command that reads them."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.errors import PropertyError
from genai_graph.exchange.formats.csv_cells import LONGEST_ROW, raw_rows
from genai_graph.exchange.formats.csv_schema import csv_schemas
from genai_graph.exchange.formats.records import NodeRecord, group_key
from genai_graph.properties.literals import LIST_SEPARATOR, csv_quote
from genai_graph.properties.types import Property

if TYPE_CHECKING:
    from genai_graph.exchange.formats.csv_schema import CsvSchema
    from genai_graph.exchange.formats.records import EdgeRecord


# neo4j-admin's buffer, into which each cell must fit, has this size unless another is given.
_BUFFER = 4 * 1024 * 1024


def write(records: Iterable[NodeRecord | EdgeRecord], folder: Path) -> None:
    """Write records into a folder, a file for each label and each kind of edge.

    Every file is written, with its header alone where there is nothing: so nothing of another
    graph is left, and one command imports any graph.
    """
    for sheet in csv_schemas().values():
        _open(folder, sheet, "w").close()
    for of, group in itertools.groupby(records, group_key):
        with _open(folder, csv_schemas()[of], "a") as stream:
            stream.writelines(_rows(csv_schemas()[of], group))


def import_command(folder: Path, database: str = "neo4j") -> str:
    """Return the shell command that makes a new database of the files that `write` wrote."""
    names = [
        f"--nodes={sheet.of}={sheet.name}"
        if isinstance(sheet.of, str)
        else f"--relationships={sheet.of.type}={sheet.name}"
        for sheet in csv_schemas().values()
    ]
    reading = [
        "--delimiter=,",
        f"--array-delimiter=U+{ord(LIST_SEPARATOR):04X}",
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
    for sheet in csv_schemas().values():
        with (folder / sheet.name).open("rb") as stream:
            longest = max(longest, max((len(row) for _, row in raw_rows(stream)), default=0))
    return longest


def _open(folder: Path, sheet: CsvSchema, mode: str) -> Any:
    stream = (folder / sheet.name).open(mode, encoding="utf-8", newline="\n")
    if mode == "w":
        stream.write(",".join(sheet.header) + "\n")
    return stream


def _rows(sheet: CsvSchema, records: Iterable[NodeRecord | EdgeRecord]) -> Iterator[str]:
    columns = [(name, prop.to_csv) for name, prop in sheet.properties.items()]
    for record in records:
        given = record.given
        cells = [csv_quote(key) for key in _keys(record)]
        for name, text in columns:
            value = given.get(name)
            cells.append("" if value is None else text(value))
        exact = _exact(given, sheet.properties)
        cells.append(
            csv_quote(msgspec.json.encode(exact, order="sorted").decode()) if exact else ""
        )
        yield _row(cells, record)


def _row(cells: list[str], record: NodeRecord | EdgeRecord) -> str:
    row = ",".join(cells) + "\n"
    if len(row) > LONGEST_ROW // 4 and len(row.encode()) > LONGEST_ROW:
        subject = f"{group_key(record)} {' '.join(map(repr, _keys(record)))}"
        raise PropertyError(
            f"{subject}: its row would have more than {LONGEST_ROW:,} bytes, "
            "which are not read again: dump it in another format"
        )
    return row


def _keys(record: NodeRecord | EdgeRecord) -> tuple[str, ...]:
    return (record.uid,) if isinstance(record, NodeRecord) else (record.source, record.target)


def _exact(given: Mapping[str, Any], known: Mapping[str, Property[Any]]) -> dict[str, Any]:
    """Return the values that their own cells can't represent: null, and lists that would split."""
    return {
        name: value
        for name, value in given.items()
        if name in known and (value is None or not known[name].fits_csv(value))
    }
