"""load and check."""

from __future__ import annotations

import json

import click

FORMATS = click.Choice(["yaml", "json", "jsonl", "csv"])
files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True)
format_option = click.option(
    "--format", type=FORMATS, help="The files' format; without it, their names tell."
)


@click.command()
@files_argument
@format_option
@click.option(
    "--dry-run", is_flag=True, help="Check everything, against the graph too; write nothing."
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=5_000,
    show_default=True,
    help="Rows in one statement.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
def load(
    files: tuple[str, ...], format: str | None, dry_run: bool, batch_size: int, as_json: bool
) -> None:
    """Load fixtures into the graph: all of them, or nothing.

    FILE is a path, a name that stands for fixtures/NAME.yaml, or - for standard input. Nodes are
    merged by uid, edges by their ends; loading twice changes nothing.
    """
    from genai_graph import connect
    from genai_graph import load as load_fixtures

    with connect():
        report = load_fixtures(*files, format=format, dry_run=dry_run, batch_size=batch_size)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    elif dry_run:
        click.echo("no faults; nothing was written (dry run)", err=True)
    else:
        click.echo(str(report), err=True)


@click.command()
@files_argument
@format_option
def check(files: tuple[str, ...], format: str | None) -> None:
    """Check fixtures without a database: all faults, one line each.

    The files must be whole in themselves; use load --dry-run for those that refer to the graph.
    """
    from genai_graph import check as check_fixtures

    nodes, edges = check_fixtures(*files, format=format)
    click.echo(f"{nodes} nodes, {edges} edges: no faults", err=True)
