"""Statements as a log may have them: with what their parameters are, and without their values."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from genai_graph.errors import escape_unprintable

_log = logging.getLogger("genai_graph.cypher")
_SIZED: dict[type, str] = {str: "string", bytes: "bytes", list: "list", tuple: "list", dict: "map"}


def log_query(cypher: Any, *parameters: Mapping[str, Any]) -> None:
    """Log a statement that is sent, with the types and sizes of its parameters."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    lines = [escape_unprintable(line) for line in str(getattr(cypher, "text", cypher)).splitlines()]
    given = (f"${name}: {_shape(value)}" for some in parameters for name, value in some.items())
    if shapes := ", ".join(given):
        lines.append(f"  // {escape_unprintable(shapes)}")
    _log.debug("%s", "\n".join(lines))


def _shape(value: Any) -> str:
    if value is None:
        return "null"
    kind = type(value)
    return f"{_SIZED[kind]} of {len(value):,}" if kind in _SIZED else kind.__name__


@contextlib.contextmanager
def log_queries_to(stream: TextIO) -> Iterator[None]:
    """Print the statements that are sent."""
    handler, level = logging.StreamHandler(stream), _log.level
    _log.addHandler(handler)
    _log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(level)


@contextlib.contextmanager
def no_query_logging() -> Iterator[None]:
    """Log none of the statements of the block: nobody asked for them."""
    _log.disabled = True
    try:
        yield
    finally:
        _log.disabled = False
