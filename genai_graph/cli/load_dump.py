"""load, check and dump."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from genai_graph.cli.label_argument import known_labels

FORMATS = click.Choice(["yaml", "json", "jsonl", "csv"])
files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True)
format_option = click.option(
    "--format", type=FORMATS, help="The files' format; without it, their names tell."
)
fault_limit_option = click.option(
    "--max-errors",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Faults that are told; the rest is counted.",
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
@click.option("--atomic", is_flag=True, help="One transaction, however large.")
@click.option(
    "--transaction-limit",
    type=click.IntRange(min=0),
    default=100_000,
    show_default=True,
    help="Nodes and edges in one transaction; where there are more, or over 64 MiB of values, each "
    "batch is one.",
)
@click.option("--create", is_flag=True, help="Refuse a graph that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
@fault_limit_option
def load(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load fixtures into the graph, checked as a whole before the first write.

    FILE is a path, a name that stands for fixtures/NAME.yaml, a folder of CSV files, or - for
    standard input; .gz and .xz are decompressed. Nodes are merged by uid, edges by their ends;
    loading twice changes nothing.
    """
    from genai_graph import load as load_fixtures
    from genai_graph.cli.connecting import connect
    from genai_graph.cli.progress_bar import shown

    with connect(), shown() as progress:
        report = load_fixtures(*files, progress=progress, **options)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        click.echo(str(report), err=True)
    if options["dry_run"]:
        click.echo("no faults; nothing was written (dry run)", err=True)


@click.command()
@files_argument
@format_option
@fault_limit_option
def check(files: tuple[str, ...], **options: Any) -> None:
    """Check fixtures without a database: all faults, one line each.

    The files must be whole in themselves; use load --dry-run for those that refer to the graph.
    """
    from genai_graph import check as check_fixtures
    from genai_graph.cli.progress_bar import shown

    with shown() as progress:
        nodes, edges = check_fixtures(*files, progress=progress, **options)
    click.echo(f"{nodes:,} nodes, {edges:,} edges: no faults", err=True)


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="-",
    show_default=True,
    help="- is standard output. What ends in .gz or .xz is compressed; csv is a folder.",
)
@click.option(
    "--format",
    type=click.Choice(["jsonl", "yaml", "csv", "cypher"]),
    help="Without it the name tells; jsonl where it does not.",
)
@click.option(
    "--label", "labels", multiple=True, callback=known_labels, help="Only nodes of this label."
)
@click.option("--exclude", multiple=True, callback=known_labels, help="No nodes of this label.")
@click.option("--force", is_flag=True, help="Replace an output that is there already.")
@click.option("--decrypt", is_flag=True, help="Write encrypted values in the clear.")
def dump(
    output: str,
    format: str | None,
    labels: tuple[str, ...],
    exclude: tuple[str, ...],
    force: bool,
    decrypt: bool,
) -> None:
    """Write the graph to a file that load reads: sorted, the same bytes for the same graph.

    An edge is written where both of its nodes are. The cypher format is for cypher-shell, the csv
    format for neo4j-admin database import too, whose command is printed.
    """
    from genai_graph import dump as dump_graph
    from genai_graph.cli.connecting import connect

    with connect():
        nodes, edges = dump_graph(
            output,
            format=format,
            labels=labels or None,
            exclude=exclude,
            overwrite=force,
            decrypt=decrypt,
        )
    click.echo(f"{nodes:,} nodes, {edges:,} edges", err=True)
    if format == "csv":
        from genai_graph.exchange.formats.csv import import_command

        click.echo("for a new database, too large for load:", err=True)
        click.echo(import_command(Path(output)), err=True)
