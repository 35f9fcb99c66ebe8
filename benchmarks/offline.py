"""What needs no server: checking a file, and making of its lines what a server is sent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from neo4j._codec.hydration.v2 import HydrationHandler
from neo4j._codec.packstream.v1 import PackableBuffer, Packer

import genai_graph
from benchmarks.measuring import Contender, clock
from genai_graph.exchange.formats import jsonl
from genai_graph.exchange.formats.records import EdgeRecord, NodeRecord, with_uid_fields
from genai_graph.exchange.loader import reduced_gc
from genai_graph.storage import edges, nodes
from genai_graph.storage.batching import BATCH_ROWS, batch_by_key
from genai_graph.storage.edges import insert_edges
from genai_graph.storage.nodes import insert_nodes

ENGINE = "none"
CHECK = "Check of a file"
NODES, EDGES = "Lines of nodes, made ready to send", "Lines of edges, made ready to send"

JSON = "json.loads of the same lines"


def contenders(path: Path, entities: int) -> list[tuple[int, list[Contender]]]:
    """Return what reads a file, and what reads its nodes and its edges on their own."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    nodes = [line for line in lines if line.startswith(b'{"node"')]
    edges = [line for line in lines if line.startswith(b'{"edge"')]
    return [
        (entities, _checks(path)),
        (len(nodes), _pipes(NODES, [header, *nodes], _pack_nodes)),
        (len(edges), _pipes(EDGES, [header, *edges], _pack_edges)),
    ]


def _checks(path: Path) -> list[Contender]:
    def parse() -> None:
        with path.open("rb") as lines:
            for line in lines:
                json.loads(line)

    return [
        _contender(CHECK, JSON, parse),
        _contender(CHECK, "genai_graph.check", lambda: genai_graph.check(path)),
    ]


def _pipes(title: str, lines: list[bytes], pack: Callable[[list[bytes]], None]) -> list[Contender]:
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
        with clock() as working:
            work()
        return {title: working.seconds}

    return Contender(name, run)


def _pack_nodes(lines: list[bytes]) -> None:
    """Pass lines through the loader's batches and statements, which here reach a packer only."""
    with _offline(), reduced_gc():
        rows = _sound(lines, NodeRecord)
        for label, nodes in batch_by_key(rows, attrgetter("label"), BATCH_ROWS):
            insert_nodes(label, nodes, with_uid_fields)


def _pack_edges(lines: list[bytes]) -> None:
    with _offline(), reduced_gc():
        rows = _sound(lines, EdgeRecord)
        for edge_type, edges in batch_by_key(rows, attrgetter("edge_type"), BATCH_ROWS):
            insert_edges(edge_type, edges)


def _sound(lines: list[bytes], wanted: type[Any]) -> Iterator[Any]:
    for record in jsonl.records(lines, ""):
        if not isinstance(record, wanted):
            raise TypeError(record)
        yield record


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    without_keys = SimpleNamespace(keyring=None)
    write = _Wire().execute_write
    with (
        patch.multiple(nodes, execute_write=write, current_connection=lambda: without_keys),
        patch.object(edges, "execute_write", write),
    ):
        yield


class _Wire:
    """Packs what the database would be sent, and answers that all of it was made."""

    def __init__(self) -> None:
        scope = HydrationHandler().new_hydration_scope()  # type: ignore[no-untyped-call]
        self._hooks = scope.dehydration_hooks

    def execute_write(self, cypher: str, /, **parameters: Any) -> tuple[list[dict[str, int]], Any]:
        """Stand in for `genai_graph.database.execute_write`."""
        packer: Any = Packer(PackableBuffer())  # type: ignore[no-untyped-call]
        packer.pack(parameters, dehydration_hooks=self._hooks)
        made = len(parameters.get("rows") or parameters["sources"])
        return [{"count": made}], SimpleNamespace(nodes_created=made, relationships_created=made)
