"""Constraints and indexes that are not what the models declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from genai_graph import schema
from genai_graph.database import quote_name
from genai_graph.database.indexes import UNIQUENESS
from genai_graph.integrity.findings import Finding, allow_option

if TYPE_CHECKING:
    from genai_graph.database.indexes import Index


def findings() -> Iterator[Finding]:
    """Yield what is missing, what is there beside it, and what is different."""
    drift = schema.check()
    install = "run  genai-graph schema install"
    for index in drift.missing:
        yield _finding(index, f"the schema lacks the {index}", install)
    for index in drift.extra:
        cure = (
            f"drop it ({_drop(index)}), or {allow_option(index.name)} if another program needs it"
        )
        yield _finding(index, f"no model declares the {index}", cure)
    for want, have in drift.different:
        cure = f"drop it ({_drop(have)}) and {install}"
        yield _finding(have, f"the schema has the {have} where the models have the {want}", cure)


def _finding(index: Index, problem: str, cure: str) -> Finding:
    return Finding("schema", index.name, (), problem, cure)


def _drop(index: Index) -> str:
    kind = "CONSTRAINT" if index.type == UNIQUENESS else "INDEX"
    return f"DROP {kind} {quote_name(index.name)}"
