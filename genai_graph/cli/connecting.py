"""Connecting with a password prompt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genai_graph import Connection


def connect(*, read_only: bool = False) -> Connection:
    """Connect as configured; on a terminal, prompt for a password that the server requires."""
    import genai_graph
    from genai_graph.database.settings import read_settings
    from genai_graph.errors import AuthenticationError

    try:
        return genai_graph.connect(read_only=read_only)
    except AuthenticationError:
        settings = read_settings()
        if settings.secret() is not None or not sys.stdin.isatty():
            raise
    question = f"Password of {settings.username} at {settings.uri}"
    password = click.prompt(question, hide_input=True, err=True)
    return genai_graph.connect(password=password, read_only=read_only)
