"""Check for nodes of classes that are not loaded."""

from __future__ import annotations

from collections.abc import Iterator

from genai_graph.database import query, quote_name
from genai_graph.exchange.undeclared import undeclared_labels
from genai_graph.integrity.findings import LOAD_MODULES, Finding, allow_option


def findings() -> Iterator[Finding]:
    """Yield the labels of nodes that only a class that is not loaded can declare."""
    for label in undeclared_labels():
        rows = query(f"MATCH (n:{quote_name(label)}) RETURN count(n) AS number")
        number = rows[0]["number"]
        nodes = f"{number:,} node{'' if number == 1 else 's'}"
        problem = f"no loaded class declares the label {label} ({nodes})"
        hint = f"{LOAD_MODULES}, or {allow_option(label)} if another application uses it"
        yield Finding("undeclared", label, (), problem, hint)
