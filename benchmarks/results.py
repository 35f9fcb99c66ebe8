"""Stored results: one file per engine, one line per result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import machine
from benchmarks.measurement import Result


def save(directory: Path, results: Iterable[Result]) -> None:
    """Store results, replacing earlier ones with the same title, engine and size."""
    directory.mkdir(parents=True, exist_ok=True)
    description = machine.describe()
    for result in results:
        path = directory / (re.sub(r"[^a-z0-9.]+", "-", result.engine.lower()) + ".jsonl")
        stored = {_key(old): old for old in _read(path)} if path.exists() else {}
        stored[_key(result)] = replace(result, machine=description)
        lines = [json.dumps(asdict(old)) + "\n" for old in stored.values()]
        path.write_text("".join(lines), encoding="utf-8")


def read(directory: Path) -> list[Result]:
    """Return all stored results, ordered by engine and size."""
    results = [result for path in sorted(directory.glob("*.jsonl")) for result in _read(path)]
    return sorted(results, key=lambda result: (result.engine, result.entities))


def _read(path: Path) -> list[Result]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Result(**json.loads(line)) for line in lines]


def _key(result: Result) -> tuple[str, str, int]:
    return result.title, result.engine, result.entities
