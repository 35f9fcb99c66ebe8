"""Output of rows: a table, JSON, JSON Lines or CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from typing import Any

import click

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_json, to_text

Rows = list[dict[str, Any]]

format_option = click.option(
    "--format",
    type=click.Choice(["table", "json", "jsonl", "csv"]),
    help="Output format. Default: a table on a terminal, else JSON Lines.",
)

strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if the result is incomplete, as reported on stderr.",
)


def write_rows(rows: Rows, format: str | None, columns: Iterable[str] = ()) -> None:
    """Write rows with equal keys to standard output.

    `columns` is the CSV header if there are no rows.
    """
    names = list(rows[0] if rows else columns)
    chosen = format or ("table" if sys.stdout.isatty() else "jsonl")
    if chosen == "table":
        _print_table(names, rows)
    elif chosen == "json":
        click.echo(to_json(rows))
    elif chosen == "jsonl":
        for row in rows:
            click.echo(to_json(row))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if names:
            writer.writerow(names)
        writer.writerows([to_text(value) for value in row.values()] for row in rows)


def _print_table(names: list[str], rows: Rows) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # rich assumes 80 columns in a pipe, and would truncate cells.
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    table = Table()
    for name in names:
        table.add_column(Text(escape_unprintable(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(escape_unprintable(to_text(value))) for value in row.values()))
    if rows:
        console.print(table)
    click.echo(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", err=True)
