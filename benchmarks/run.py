"""One run: measure each part on each engine at each size, and store results immediately."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import genai_graph
from benchmarks import (
    dumps,
    engines,
    graph,
    hub,
    importing,
    loads,
    memory,
    pipeline,
    queries,
    results,
    sample,
    shapes,
)
from benchmarks.engines import Engine
from benchmarks.measurement import MILLISECONDS, Contender, Result, compare
from benchmarks.sample import Sample
from genai_graph.database.settings import Settings

OFFLINE, LOAD, SHAPES, ROWS, DUMP, QUESTIONS, MEMORY, IMPORTING = PARTS = (
    "offline",
    "load",
    "shapes",
    "rows",
    "dump",
    "questions",
    "memory",
    "importing",
)


@dataclass(frozen=True)
class Run:
    """What to measure, how often, and the directories of temporary files and results.

    `mlflow` is the Python of an environment with MLflow, or None.
    """

    parts: Collection[str]
    sizes: Sequence[int]
    slow_size: int
    shape_size: int
    rounds: int
    directory: Path
    stored: Path
    runs: int = importing.RUNS
    hub_size: int = hub.ENTITIES
    mlflow: str | None = None

    def measure_offline(self) -> None:
        """Measure the parts that need no server."""
        if IMPORTING in self.parts:
            store = self.directory / "mlflow.db"
            self._save(importing.read(store, self.runs, self.rounds, self.mlflow))
        if OFFLINE not in self.parts:
            return
        for _, contenders in pipeline.contenders(self._path(self.slow_size), self.slow_size):
            _warm_up(contenders)
        for size in self.sizes:
            for entities, contenders in pipeline.contenders(self._path(size), size):
                self._compare(pipeline.ENGINE, entities, contenders)

    def measure_on(self, settings: Settings, *, wipe: bool) -> None:
        """Measure on an engine."""
        if not set(PARTS).difference({OFFLINE}).intersection(self.parts):
            return
        with engines.open_engine(settings, wipe=wipe) as engine:
            if IMPORTING in self.parts:
                store = self.directory / "mlflow.db"
                self._save(importing.write(engine, store, self.runs, self.rounds))
                self._save(importing.memory(engine, store, self.runs))
            if set(self.parts) <= {OFFLINE, IMPORTING}:
                return
            small = sample.read(self._path(self.slow_size), self.slow_size)
            _warm_up(loads.bulk(engine, small, self.directory))
            if ROWS in self.parts:
                self._measure_row_by_row(engine, small)
            if SHAPES in self.parts:
                self._measure_shapes(engine)
            if QUESTIONS in self.parts:
                self._measure_questions(engine)
            for size in self.sizes:
                self._measure_size(engine, size)

    def _measure_row_by_row(self, engine: Engine, small: Sample) -> None:
        nodes = loads.nodes_alone(engine, small)
        _warm_up(nodes)
        self._compare(engine.name, small.entities, loads.row_by_row(engine, small))
        self._compare(engine.name, small.without_edges().entities, nodes)

    def _measure_shapes(self, engine: Engine) -> None:
        path, size = self.directory / "shape.jsonl", self.shape_size
        for shape, lines in shapes.SHAPES.items():
            graph.write_lines(path, lines(size))
            contenders = loads.of_shape(engine, sample.read(path, size), shape)
            _warm_up(contenders)
            self._compare(engine.name, size, contenders)

    def _measure_size(self, engine: Engine, size: int) -> None:
        path = self._path(size)
        if MEMORY in self.parts:
            self._save(memory.measure(engine, path, size))
        if {LOAD, DUMP, QUESTIONS}.intersection(self.parts):
            rows = sample.read(path, size)
            if LOAD in self.parts:
                self._compare(engine.name, size, loads.bulk(engine, rows, self.directory))
            if DUMP in self.parts or QUESTIONS in self.parts:
                engine.empty()
                genai_graph.load(path)
            if DUMP in self.parts:
                self._compare(engine.name, size, dumps.contenders(engine, rows, self.directory))
            if QUESTIONS in self.parts:
                self._ask(engine, size, queries.lookups(rows))
                self._ask(engine, size, queries.questions_from_a_node(rows))

    def _measure_questions(self, engine: Engine) -> None:
        path = self.directory / "hub.jsonl"
        entities = hub.write(path, self.hub_size)
        genai_graph.load(path)
        self._ask(engine, entities, queries.questions())
        engine.empty()

    def _ask(self, engine: Engine, entities: int, contenders: Sequence[Contender]) -> None:
        _warm_up([*contenders, *contenders])
        self._save(compare(contenders, self.rounds, engine.name, entities, MILLISECONDS))

    def _compare(self, engine: str, entities: int, contenders: Sequence[Contender]) -> None:
        self._save(compare(contenders, self.rounds, engine, entities))

    def _save(self, measured: list[Result]) -> None:
        results.save(self.stored, measured)

    def _path(self, size: int) -> Path:
        return sample.write_once(self.directory, size)


def _warm_up(contenders: Sequence[Contender]) -> None:
    for contender in contenders:
        contender.run()
