"""The ``compare`` command."""

from __future__ import annotations

import csv
import sys

import click


@click.command()
@click.argument("uids", nargs=-1, metavar="[UID]...")
@click.option(
    "--search",
    "expression",
    metavar="EXPRESSION",
    help="Compare the experiments that a search finds.",
)
@click.option(
    "--order-by", multiple=True, metavar="KEY", help="Sort key of the search. May be repeated."
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Maximum number of experiments that the search returns.",
)
@click.option(
    "--format",
    type=click.Choice(["table", "json", "csv", "html"]),
    default="table",
    show_default=True,
    help="Output format.",
)
def compare(
    uids: tuple[str, ...],
    expression: str | None,
    order_by: tuple[str, ...],
    limit: int,
    format: str,
) -> None:
    """Compare experiments side by side.

    Prints their parameters and metrics, those that differ first. In tables and HTML, an asterisk
    marks the best values of a metric. HTML pages also show learning curves, if the extra plot is
    installed.
    """
    from genai_graph import compare as run
    from genai_graph.cli.connecting import connect
    from genai_graph.cli.output import write_rows
    from genai_graph.formatting import to_json, to_text

    if len(uids) < 2 and expression is None:
        raise click.UsageError("expected at least two UIDs, or --search EXPRESSION")
    with connect():
        found = run(*uids, search=expression, order_by=order_by, limit=limit)
        page = found.to_html() if format == "html" else ""  # reads learning curves
    if format == "json":
        click.echo(to_json([value.as_dict() for value in found]))
    elif format == "html":
        click.echo(page, nl=False)
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["key", *found.uids])
        writer.writerows([to_text(cell) for cell in row] for row in found.table())
    else:
        # The column of keys has an empty name, so that it never equals a uid.
        names = ["", *found.uids]
        rows = [dict(zip(names, row, strict=True)) for row in found.table(mark_best=True)]
        write_rows(rows, "table", names)
