"""Rows as a table of text, for a terminal."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING, Any

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_text, truncate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_MAX_TEXT_LENGTH = 200


def text_table(columns: Iterable[str], rows: Collection[Iterable[Any]], *, note: str = "") -> str:
    """Return rows as a table that fits the terminal, with a note or the number of rows below it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    if not rows:
        return note or count
    table = Table()
    for name in columns:
        table.add_column(Text(escape_unprintable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(truncate(to_text(value), _MAX_TEXT_LENGTH)) for value in row))
    width = shutil.get_terminal_size().columns
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return f"{captured.get()}{note or count}"
