"""Dumping: the graph into a fixture, sorted, byte-stable, and a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from genai_graph.errors import SettingsError
from genai_graph.exchange.filenames import format_of, suffix_of
from genai_graph.exchange.formats import csv, cypher, jsonl, yaml
from genai_graph.exchange.formats.builders import unknown_label
from genai_graph.exchange.formats.csv_schema import csv_schemas
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord
from genai_graph.exchange.graph_reader import GraphReader
from genai_graph.exchange.output import STDOUT, open_folder, open_output
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import NODES

if TYPE_CHECKING:
    from os import PathLike

    from genai_graph.exchange.graph_reader import Records


_Writer = Callable[[Iterable[NodeRecord | EdgeRecord], IO[bytes]], None]

_WRITERS: dict[str, _Writer] = {
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
) -> tuple[int, int]:
    """Write the graph to a file (``-`` for standard output); return how many nodes and edges.

    The format is ``jsonl``, ``yaml``, ``cypher`` or ``csv`` (a folder); it follows from the name's
    end unless it is given, and is ``jsonl`` otherwise. ``.gz`` and ``.xz`` compress. `labels` are
    the only ones that are written, those in `exclude` are not; an edge is written where both of its
    ends are. Equal graphs give equal bytes, and a file is there whole or not at all. What is
    encrypted stays so, and loads again as it is, unless `decrypt` is true.

    Raises `OutputError` when the output is there already (`overwrite` replaces it) or can't be
    written, `PropertyError` for a value in the graph that no fixture can say, or that can't be
    decrypted, `SettingsError`.
    """
    name = str(output)
    writer = format or _format_of(name)
    if writer not in FORMATS:
        hint = did_you_mean(writer, FORMATS)
        raise SettingsError(f"format: expected one of {', '.join(FORMATS)}, got {writer!r}{hint}")
    stored = GraphReader(_selected(labels, exclude), decrypt=decrypt)
    counted = _Counted(stored.document() if writer == "yaml" else stored.records())
    if writer == "csv":
        _refuse_stdout(name)
        files = {schema.name for schema in csv_schemas().values()}
        with open_folder(name, replaceable=files if overwrite else set()) as folder:
            csv.write(counted, folder)
    else:
        with open_output(name, overwrite=overwrite) as stream:
            _WRITERS[writer](counted, stream)
    return counted.nodes, counted.edges


def _refuse_stdout(name: str) -> None:
    if name == STDOUT:
        raise SettingsError("csv is a folder of files: name one (-o FOLDER)")


class _Counted:
    """Records, counted on their way."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.nodes = self.edges = 0

    def __iter__(self) -> Iterator[NodeRecord | EdgeRecord]:
        for record in self._records:
            if isinstance(record, NodeRecord):
                self.nodes += 1
            else:
                self.edges += 1
            yield record


def _format_of(name: str) -> str:
    named = format_of(Path(name))
    if named == "json":  # JSON Lines under this name could not be loaded
        raise SettingsError(f"{name}: there is no dump in JSON: name it .jsonl or .yaml")
    if suffix_of(Path(name)) == ".csv":
        raise SettingsError(
            f"{name}: csv is a folder of files: give format='csv' (--format csv), and name a folder"
        )
    return named or "jsonl"


def _selected(labels: Collection[str] | None, exclude: Collection[str]) -> list[str]:
    for label in (*(labels or ()), *exclude):
        if label not in NODES:
            raise SettingsError(unknown_label(label))
    return [label for label in (NODES if labels is None else labels) if label not in exclude]
