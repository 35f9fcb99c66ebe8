"""Peak memory of new processes: ``python -m benchmarks.memory WORK FILE ENTITIES``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import loads, sample
from benchmarks.engines import Engine
from benchmarks.measurement import MEGABYTES, Contender, Result, compare
from genai_graph import check, connect, load

MEMORY = "Peak memory"
_ROOT = Path(__file__).parent.parent


def measure(engine: Engine, path: Path, entities: int) -> list[Result]:
    """Measure once, since memory hardly varies."""
    work_by_name = {
        "a process that connects": "nothing",
        "genai_graph.load": "load",
        "genai_graph.check": "check",
        f"{loads.LOOP}, rows in memory": "loop",
    }
    contenders = [
        Contender(name, _measuring(engine, [work, str(path), str(entities)]))
        for name, work in work_by_name.items()
    ]
    return compare(contenders, 1, engine.name, entities, MEGABYTES)


def _measuring(engine: Engine, arguments: list[str]) -> Callable[[], dict[str, float]]:
    def run() -> dict[str, float]:
        engine.empty()
        command = [sys.executable, "-m", "benchmarks.memory", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        return {MEMORY: float(done.stdout)}

    return run


def _work(engine: Engine, work: str, path: Path, entities: int) -> None:
    if work == "load":
        load(path)
    elif work == "check":
        check(path)
    elif work == "loop":
        loads.unwind_loop(engine, sample.read(path, entities))()


def peak() -> float:
    """Return the peak memory of this process in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage includes memory of the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    with connect() as connection:
        _work(Engine(connection), sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(f"{peak()}\n")
