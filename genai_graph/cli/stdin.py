"""Standard input as text."""

from __future__ import annotations

import sys

from genai_graph.errors import SettingsError


def read_text(what: str) -> str:
    """Return all of it; `what` says in an error what it was to be."""
    if sys.stdin is None:
        raise SettingsError(f"the {what} on standard input can't be read: it is closed")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"the {what} on standard input is not UTF-8 text") from error
