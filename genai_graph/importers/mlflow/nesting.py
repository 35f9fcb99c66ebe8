"""Nested runs: whether the parent of a run is imported is known when all runs have been read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from genai_graph.errors import SourceLocation
from genai_graph.importers.builder import RecordBuilder, edges_in_cycles
from genai_graph.importers.records import Notice

if TYPE_CHECKING:
    from genai_graph.importers.records import ImportRecord

_MEMORY_BYTES = 4 * 2**20
_LENGTH_BYTES = 4


class NestedRuns:
    """Keeps the values of nested runs in a temporary file until their parents are known.

    A parent that is not imported, or in a cycle of parents, is stored in ``metadata.mlflow.parent``
    and reported.
    """

    def __init__(self, builder: RecordBuilder) -> None:
        self._builder = builder
        self._roots: set[str] = set()
        self._parents: dict[str, str] = {}
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115
        self._encode = msgspec.msgpack.Encoder().encode

    def add_root(self, run_id: str) -> None:
        """Add an imported run without a parent."""
        self._roots.add(run_id)

    def add(
        self, run_id: str, parent: str, values: Mapping[str, Any], location: SourceLocation
    ) -> None:
        """Add an imported run with a parent."""
        self._parents[run_id] = parent
        block = self._encode([run_id, values, location.file])
        self._file.write(len(block).to_bytes(_LENGTH_BYTES, "big"))
        self._file.write(block)

    def finish(self) -> Iterator[ImportRecord]:
        """Yield the nested runs, and their edges to their parents."""
        imported = self._roots | self._parents.keys()
        cyclic = edges_in_cycles({(run, parent) for run, parent in self._parents.items()})
        self._file.seek(0)
        while size := self._file.read(_LENGTH_BYTES):
            block = self._file.read(int.from_bytes(size, "big"))
            run_id, values, place = msgspec.msgpack.decode(block)
            location = SourceLocation(place)
            parent = self._parents[run_id]
            problem = None
            if parent not in imported:
                problem = "is not imported"
            elif (run_id, parent) in cyclic:
                problem = "is nested in this run"
            if problem is not None:
                yield Notice(location, f"the parent run {parent} {problem}")
                metadata = values["metadata"] or {}
                metadata["mlflow"] = {**metadata.get("mlflow", {}), "parent": parent}
                values["metadata"] = metadata
            yield from self._builder.node("Experiment", run_id, values, location)
            if problem is None:
                ends = ("Experiment", run_id, "PART_OF", "Experiment", parent)
                yield self._builder.edge(ends, location)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
