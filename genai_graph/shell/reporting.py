"""Errors as the shell shows them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from genai_graph.errors import GenaiGraphError

if TYPE_CHECKING:
    from types import TracebackType


# Their frames say nothing to the one who typed the line above.
PLAIN = (GenaiGraphError, KeyboardInterrupt)


def line_for(error: BaseException) -> str:
    """Return an error as a line: the class by which it is caught, and what it says."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def remember(error: BaseException, frames: TracebackType | None) -> None:
    """Keep it for those who ask for its frames: `%tb` or `traceback.print_last()`."""
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, frames
    if sys.version_info >= (3, 12):
        sys.last_exc = error
