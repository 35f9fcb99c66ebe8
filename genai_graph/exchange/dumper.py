"""Dumping the graph to fixtures: sorted, reproducible byte for byte, one page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from genai_graph.errors import OutputError, SettingsError
from genai_graph.exchange.filenames import format_of, suffix_of
from genai_graph.exchange.formats import csv, cypher, jsonl, yaml
from genai_graph.exchange.formats.builders import unknown_label
from genai_graph.exchange.formats.csv_schema import csv_schemas
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.exchange.graph_reader import GraphReader
from genai_graph.exchange.output import STDOUT, open_directory, open_output
from genai_graph.exchange.undeclared import undeclared_content
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import MODULES_SETTING, NODES

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.graph_reader import Records


_WRITERS: dict[str, Callable[[Iterable[NodeRecord | EdgeRecord], IO[bytes]], None]] = {
    "jsonl": jsonl.write,
    "yaml": yaml.write,
    "cypher": cypher.write,
}
FORMATS = (*_WRITERS, "csv")


def dump(
    output: str | PathLike[str],
    *,
    format: str | None = None,
    labels: Collection[str] | None = None,
    exclude: Collection[str] = (),
    overwrite: bool = False,
    decrypt: bool = False,
    declared_only: bool = False,
) -> tuple[int, int]:
    """Write the graph to a file, and return the numbers of nodes and edges.

    `output` is a path, or ``-`` for standard output. The format is ``jsonl``, ``yaml``, ``cypher``
    or ``csv`` (a directory); the default follows from the file extension, else it is ``jsonl``.
    ``.gz`` and ``.xz`` compress. Only nodes with one of the `labels` (default: all) and none of
    `exclude` are written, and the edges between them. Equal graphs give equal bytes, and an
    incomplete file never appears under the name of the output. Encrypted values are written
    encrypted unless `decrypt` is true.

    Labels, edge types and properties that the loaded node classes do not declare are left out with
    `declared_only`, otherwise they are an error.

    Raises `OutputError` if the output exists (unless `overwrite` is true) or can't be written, or
    if it would lack undeclared content, `PropertyError` for an invalid value in the graph or one
    that can't be decrypted, `SettingsError`.
    """
    name = str(output)
    chosen = format or _format_from_name(name)
    if chosen not in FORMATS:
        hint = did_you_mean(chosen, FORMATS)
        raise SettingsError(f"format: expected one of {', '.join(FORMATS)}, got {chosen!r}{hint}")
    reader = GraphReader(_select_labels(labels, exclude), decrypt=decrypt)
    if labels is None and not exclude and not declared_only:
        _require_declared(name, undeclared_content())
    counts: Counter[type] = Counter()
    records = _count(reader.nested_records() if chosen == "yaml" else reader.records(), counts)
    if not declared_only:
        records = _declared(records, reader, name)
    if chosen == "csv":
        if name == STDOUT:
            raise SettingsError("csv needs a directory as output: use -o DIRECTORY")
        files = {schema.name for schema in csv_schemas().values()}
        with open_directory(name, replaceable=files if overwrite else set()) as directory:
            csv.write(records, directory)
    else:
        with open_output(name, overwrite=overwrite) as stream:
            _WRITERS[chosen](records, stream)
    return counts[NodeRecord], counts[EdgeRecord]


def _count(records: Records, counts: Counter[type]) -> Iterator[NodeRecord | EdgeRecord]:
    """Count records by class while they are iterated."""
    for record in records:
        counts[type(record)] += 1
        yield record


def _declared(
    records: Iterator[NodeRecord | EdgeRecord], reader: GraphReader, output: str
) -> Iterator[NodeRecord | EdgeRecord]:
    """Yield the records, and raise `OutputError` at the end if properties were left out."""
    yield from records
    _require_declared(output, [f"{owner}.{name}" for owner, name in sorted(reader.undeclared)])


def _require_declared(output: str, undeclared: list[str]) -> None:
    if undeclared:
        raise OutputError(
            f"{output}: the dump would lack {', '.join(undeclared)}, which no loaded class "
            f"declares: set {MODULES_SETTING} to the module that does, or leave them out with "
            "declared_only=True (--declared-only)"
        )


def _format_from_name(name: str) -> str:
    known = format_of(Path(name))
    if known == "json":  # JSON Lines under this name could not be loaded
        raise SettingsError(
            f"{name}: JSON can be loaded but not dumped: use .jsonl, .yaml or .cypher, or "
            "--format csv -o DIRECTORY"
        )
    if suffix_of(Path(name)) == ".csv":
        message = "csv needs a directory as output: use --format csv -o DIRECTORY"
        raise SettingsError(f"{name}: {message}")
    return known or "jsonl"


def _select_labels(labels: Collection[str] | None, exclude: Collection[str]) -> list[str]:
    for label in (*(labels or ()), *exclude):
        if label not in NODES:
            raise SettingsError(unknown_label(label))
    return [label for label in (NODES if labels is None else labels) if label not in exclude]
