"""One run: each part on each engine at each size, its results kept as soon as they are there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import genai_graph
from benchmarks import asking, dumping, engines, hub, loading, memory, offline, results, sample
from benchmarks.engines import Engine
from benchmarks.measuring import MILLISECONDS, Contender, Result, compare
from benchmarks.sample import Sample
from genai_graph.database.settings import Settings

OFFLINE, LOAD, ROWS, DUMP, QUESTIONS, MEMORY = PARTS = (
    "offline",
    "load",
    "rows",
    "dump",
    "questions",
    "memory",
)


@dataclass(frozen=True)
class Run:
    """What to measure, how often, and where to keep the files and the results."""

    parts: Collection[str]
    sizes: Sequence[int]
    slow_size: int
    rounds: int
    folder: Path
    kept: Path

    def without_server(self) -> None:
        """Measure what needs no server."""
        if OFFLINE not in self.parts:
            return
        for _, contenders in offline.contenders(self._path(self.slow_size), self.slow_size):
            _warm_up(contenders)
        for size in self.sizes:
            for entities, contenders in offline.contenders(self._path(size), size):
                self._compare(offline.ENGINE, entities, contenders)

    def on(self, settings: Settings, *, wipe: bool) -> None:
        """Measure on an engine."""
        if not {LOAD, ROWS, DUMP, QUESTIONS, MEMORY}.intersection(self.parts):
            return
        with engines.opened(settings, wipe=wipe) as engine:
            small = sample.read(self._path(self.slow_size), self.slow_size)
            _warm_up(loading.large(engine, small, self.folder))
            if ROWS in self.parts:
                self._row_by_row(engine, small)
            if QUESTIONS in self.parts:
                self._questions(engine)
            for size in self.sizes:
                self._at(engine, size)

    def _row_by_row(self, engine: Engine, small: Sample) -> None:
        nodes = loading.nodes_alone(engine, small)
        _warm_up(nodes)
        self._compare(engine.name, small.entities, loading.row_by_row(engine, small))
        self._compare(engine.name, small.without_edges().entities, nodes)

    def _at(self, engine: Engine, size: int) -> None:
        path = self._path(size)
        if MEMORY in self.parts:
            self._keep(memory.measure(engine, path, size))
        if {LOAD, DUMP, QUESTIONS}.intersection(self.parts):
            read = sample.read(path, size)
            if LOAD in self.parts:
                self._compare(engine.name, size, loading.large(engine, read, self.folder))
            if DUMP in self.parts or QUESTIONS in self.parts:
                engine.empty()
                genai_graph.load(path)
            if DUMP in self.parts:
                self._compare(engine.name, size, dumping.contenders(engine, read, self.folder))
            if QUESTIONS in self.parts:
                self._ask(engine, size, asking.lookups(read))
                self._ask(engine, size, asking.from_a_node(read))

    def _questions(self, engine: Engine) -> None:
        path = self.folder / "hub.jsonl"
        hub.write(path)
        genai_graph.load(path)
        self._ask(engine, hub.NODES + hub.EDGES, asking.questions())
        engine.empty()

    def _ask(self, engine: Engine, entities: int, contenders: Sequence[Contender]) -> None:
        _warm_up([*contenders, *contenders])
        self._keep(compare(contenders, self.rounds, engine.name, entities, MILLISECONDS))

    def _compare(self, engine: str, entities: int, contenders: Sequence[Contender]) -> None:
        self._keep(compare(contenders, self.rounds, engine, entities))

    def _keep(self, found: list[Result]) -> None:
        results.save(self.kept, found)

    def _path(self, size: int) -> Path:
        return sample.written(self.folder, size)


def _warm_up(contenders: Sequence[Contender]) -> None:
    for contender in contenders:
        contender.run()
