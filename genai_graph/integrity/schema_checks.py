"""Checks of the constraints and indexes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from genai_graph import schema
from genai_graph.database import quote_name
from genai_graph.database.indexes import UNIQUENESS
from genai_graph.integrity.findings import LOAD_MODULES, Finding, allow_option

if TYPE_CHECKING:
    from genai_graph.database.indexes import Index

INSTALL = "run `genai-graph schema install`"


def findings() -> Iterator[Finding]:
    """Yield missing, undeclared and differing constraints and indexes."""
    drift = schema.check()
    for index in drift.missing:
        yield _finding(index, f"missing {index}", INSTALL)
    for index in drift.extra:
        allow = f"{allow_option(index.name)} if another application needs it"
        hint = f"{LOAD_MODULES}, drop it ({_drop(index)}), or {allow}"
        yield _finding(index, f"undeclared {index}", hint)
    for expected, found in drift.different:
        hint = f"drop it ({_drop(found)}) and {INSTALL}"
        yield _finding(found, f"found the {found} instead of the {expected}", hint)


def _finding(index: Index, problem: str, hint: str) -> Finding:
    return Finding("schema", index.name, (), problem, hint)


def _drop(index: Index) -> str:
    keyword = "CONSTRAINT" if index.type == UNIQUENESS else "INDEX"
    return f"DROP {keyword} {quote_name(index.name)}"
