"""Output of rows: a table, JSON, JSON Lines or CSV."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from genai_graph.errors import escape_unprintable
from genai_graph.formatting import to_json, to_text

Row = dict[str, Any]
_TABLE_ROWS = 1_000

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


def write_rows(rows: Iterable[Row], format: str | None, columns: Iterable[str] = ()) -> None:
    """Write rows with equal keys to standard output, without collecting them first.

    `columns` is the CSV header if there are no rows.
    """
    remaining = iter(rows)
    first = list(itertools.islice(remaining, 1))
    names = list(first[0] if first else columns)
    remaining = itertools.chain(first, remaining)
    chosen = format or ("table" if sys.stdout.isatty() else "jsonl")
    if chosen == "table":
        _print_tables(names, remaining)
    elif chosen == "json":
        separator = "["
        for row in remaining:
            click.echo(f"{separator}{to_json(row)}", nl=False)
            separator = ", "
        click.echo("]" if first else "[]")
    elif chosen == "jsonl":
        for row in remaining:
            click.echo(to_json(row))
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        if names:
            writer.writerow(names)
        writer.writerows([to_text(value) for value in row.values()] for row in remaining)


def _print_tables(names: list[str], rows: Iterator[Row]) -> None:
    """Print a table for every 1,000 rows, because column widths depend on all rows of a table."""
    count = 0
    while part := list(itertools.islice(rows, _TABLE_ROWS)):
        _print_table(names, part)
        count += len(part)
    click.echo(f"{count} row{'' if count == 1 else 's'}", err=True)


def _print_table(names: list[str], rows: list[Row]) -> None:
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
    console.print(table)
