"""Logging of statements with the types and sizes of their parameters, never their values."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from genai_graph.errors import escape_unprintable

_log = logging.getLogger("genai_graph.cypher")
_SIZED: dict[type, str] = {str: "string", bytes: "bytes", list: "list", tuple: "list", dict: "map"}


def log_query(cypher: Any, *parameters: Mapping[str, Any]) -> None:
    """Log a statement, with the types and sizes of its parameters."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    lines = [escape_unprintable(line) for line in str(getattr(cypher, "text", cypher)).splitlines()]
    items = ((name, value) for group in parameters for name, value in group.items())
    if shapes := ", ".join(f"${name}: {_shape(value)}" for name, value in items):
        lines.append(f"  // {escape_unprintable(shapes)}")
    _log.debug("%s", "\n".join(lines))


def _shape(value: Any) -> str:
    if value is None:
        return "null"
    type_ = type(value)
    return f"{_SIZED[type_]} of {len(value):,}" if type_ in _SIZED else type_.__name__


@contextlib.contextmanager
def log_queries_to(stream: TextIO) -> Iterator[None]:
    """Print all statements of the block to a stream."""
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
    """Suppress the logging of statements that the user did not request."""
    _log.disabled = True
    try:
        yield
    finally:
        _log.disabled = False
