"""Rows on stdout: as a table, JSON, JSON Lines or CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from genai_graph.errors import escape_unprintable

Rows = list[dict[str, Any]]
FORMATS = ("table", "json", "jsonl", "csv")

format_option = click.option(
    "--format",
    type=click.Choice(FORMATS),
    help="Without it: a table on a terminal, JSON Lines in a pipe.",
)


def write_rows(rows: Rows, format: str | None, columns: Iterable[str] = ()) -> None:
    """Write rows in a format; all of them have the same keys.

    Where these are known as `columns`, CSV has its header also where there is no row.
    """
    names = list(rows[0] if rows else columns)
    _WRITERS[format or ("table" if sys.stdout.isatty() else "jsonl")](names, rows)


def _table(names: list[str], rows: Rows) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # In a pipe nobody knows the width, and nothing may be cut.
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    table = Table()
    for name in names:
        table.add_column(Text(escape_unprintable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    if rows:
        console.print(table)
    click.echo(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", err=True)


def _json(_: list[str], rows: Rows) -> None:
    click.echo(_as_json(rows))


def _jsonl(_: list[str], rows: Rows) -> None:
    for row in rows:
        click.echo(_as_json(row))


def _csv(names: list[str], rows: Rows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows([_text(value) for value in row.values()] for row in rows)


_WRITERS: dict[str, Callable[[list[str], Rows], None]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
}


def _text(value: Any) -> str:
    from genai_graph.formatting import to_text as as_text

    return as_text(value)


def _cell(value: Any) -> str:
    """Return a value for a terminal: control characters are shown, not sent."""
    return escape_unprintable(_text(value))


def _as_json(value: Any) -> str:
    from genai_graph.formatting import to_json as as_json

    return as_json(value)
