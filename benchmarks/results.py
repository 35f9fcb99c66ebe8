"""Results on the disk: a file for each engine, a line for each result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import machine
from benchmarks.measuring import Result


def save(folder: Path, results: Iterable[Result]) -> None:
    """Keep results; what was kept of the same thing before is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    told = machine.describe()
    for result in results:
        path = folder / (re.sub(r"[^a-z0-9.]+", "-", result.engine.lower()) + ".jsonl")
        kept = {_key(one): one for one in _read(path)} if path.exists() else {}
        kept[_key(result)] = replace(result, machine=told)
        lines = [json.dumps(asdict(one)) + "\n" for one in kept.values()]
        path.write_text("".join(lines), encoding="utf-8")


def read(folder: Path) -> list[Result]:
    """Return all results, by engine and size."""
    found = [result for path in sorted(folder.glob("*.jsonl")) for result in _read(path)]
    return sorted(found, key=lambda result: (result.engine, result.entities))


def _read(path: Path) -> list[Result]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Result(**json.loads(line)) for line in lines]


def _key(result: Result) -> tuple[str, str, int]:
    return result.title, result.engine, result.entities
