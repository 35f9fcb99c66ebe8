"""Reading text from standard input."""

from __future__ import annotations

import sys

from genai_graph.errors import SettingsError


def read_text(kind: str) -> str:
    """Read all of standard input; `kind` names its content in errors."""
    if sys.stdin is None:
        raise SettingsError(f"the {kind} can't be read: standard input is closed")
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"the {kind} on standard input is not UTF-8 text") from error
