"""Without a server: check a file, and convert its lines to the bytes sent to a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from neo4j._codec.hydration.v2 import HydrationHandler
from neo4j._codec.packstream.v1 import PackableBuffer, Packer

import genai_graph
from benchmarks.measurement import Contender, clock
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, with_uid_fields
from genai_graph.exchange.loader import reduced_gc
from genai_graph.storage import edges, nodes
from genai_graph.storage.batching import BATCH_ROWS, batch_by_key
from genai_graph.storage.edges import send_new_edges
from genai_graph.storage.nodes import send_new_nodes

ENGINE = "none"
CHECK = "Check of a file"
NODES, EDGES = "Lines of nodes, prepared to send", "Lines of edges, prepared to send"

JSON = "json.loads of the same lines"


def contenders(path: Path, entities: int) -> list[tuple[int, list[Contender]]]:
    """Return (number of lines, contenders) for a file, for its nodes and for its edges."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    nodes = [line for line in lines if line.startswith(b'{"node"')]
    edges = [line for line in lines if line.startswith(b'{"edge"')]
    return [
        (entities, _check_contenders(path)),
        (len(nodes), _pipeline_contenders(NODES, [header, *nodes], _pack_nodes)),
        (len(edges), _pipeline_contenders(EDGES, [header, *edges], _pack_edges)),
    ]


def _check_contenders(path: Path) -> list[Contender]:
    def parse() -> None:
        with path.open("rb") as lines:
            for line in lines:
                json.loads(line)

    return [
        _contender(CHECK, JSON, parse),
        _contender(CHECK, "genai_graph.check", lambda: genai_graph.check(path)),
    ]


def _pipeline_contenders(
    title: str, lines: list[bytes], pack: Callable[[list[bytes]], None]
) -> list[Contender]:
    def parse() -> None:
        for line in lines:
            json.loads(line)

    def validate() -> None:
        for _ in jsonl.records(lines, ""):
            pass

    return [
        _contender(title, JSON, parse),
        _contender(title, "parsed and validated", validate),
        _contender(title, "parsed, validated and packed", lambda: pack(lines)),
    ]


def _contender(title: str, name: str, work: Callable[[], object]) -> Contender:
    def run() -> dict[str, float]:
        with clock() as time:
            work()
        return {title: time.seconds}

    return Contender(name, run)


def _pack_nodes(lines: list[bytes]) -> None:
    """Pass lines through batching and statements of the loader to a packer."""
    with _packing_only(), reduced_gc():
        batches = batch_by_key(_records(lines, NodeRecord), attrgetter("label"), BATCH_ROWS)
        for label, rows in batches:
            send_new_nodes(label, rows, with_uid_fields)()


def _pack_edges(lines: list[bytes]) -> None:
    with _packing_only(), reduced_gc():
        batches = batch_by_key(_records(lines, EdgeRecord), attrgetter("edge_type"), BATCH_ROWS)
        for edge_type, rows in batches:
            send_new_edges(edge_type, rows)()


def _records(lines: list[bytes], wanted: type[Any]) -> Iterator[Any]:
    for record in jsonl.records(lines, ""):
        if not isinstance(record, wanted):
            raise TypeError(record)
        yield record


@contextmanager
def _packing_only() -> Iterator[None]:
    """Replace the database by a packer, and the connection by one without keys."""
    write = _Packer().send_write
    connection = SimpleNamespace(keyring=None, engine="embedded")
    with (
        patch.multiple(nodes, send_write=write, current_connection=lambda: connection),
        patch.multiple(edges, send_write=write, current_connection=lambda: connection),
    ):
        yield


class _Packer:
    """Packs the parameters of statements, and answers that all rows were created."""

    def __init__(self) -> None:
        scope = HydrationHandler().new_hydration_scope()  # type: ignore[no-untyped-call]
        self._hooks = scope.dehydration_hooks

    def send_write(
        self, cypher: str, /, **parameters: Any
    ) -> Callable[[], tuple[list[dict[str, int]], Any]]:
        """Replacement for `genai_graph.database.transaction.send_write`."""
        packer: Any = Packer(PackableBuffer())  # type: ignore[no-untyped-call]
        packer.pack(parameters, dehydration_hooks=self._hooks)
        count = len(parameters.get("rows") or parameters["sources"])
        return lambda: ([{"count": count}], None)
