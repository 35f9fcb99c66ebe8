"""The commands load, check and dump."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from genai_graph.cli.connecting import connect
from genai_graph.cli.label_argument import known_labels

files_argument = click.argument("files", metavar="FILE...", nargs=-1, required=True)
format_option = click.option(
    "--format",
    type=click.Choice(["yaml", "json", "jsonl", "csv"]),
    help="File format. Default: from the file extension or content.",
)
max_errors_option = click.option(
    "--max-errors",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Maximum number of errors to report.",
)


# The options that load and import share.
load_options = (
    click.option("--dry-run", is_flag=True, help="Check against the graph, and write nothing."),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        default=5_000,
        show_default=True,
        help="Maximum number of rows per statement.",
    ),
    click.option(
        "--atomic/--batched",
        default=None,
        help="Write in one transaction, or each batch in its own. Default: one transaction for up "
        "to 100,000 nodes and edges with 64 MiB of values.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout."),
    max_errors_option,
)


def _add_load_options(command: Any) -> Any:
    for option in reversed(load_options):
        command = option(command)
    return command


@click.command()
@files_argument
@format_option
@_add_load_options
def load(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Load fixtures into the graph.

    FILE is a path, a name that is short for fixtures/NAME.yaml, a directory of CSV files, or - for
    standard input. Files compressed with gzip or xz are decompressed. All files are checked before
    the first write. Nodes are merged by uid and edges by their ends, so that loading again changes
    nothing.
    """
    from genai_graph import load as load_fixtures
    from genai_graph.cli.progress_bar import show_progress

    with connect(), show_progress() as progress:
        report = load_fixtures(*files, progress=progress, **options)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        click.echo(str(report), err=True)
    if options["dry_run"]:
        click.echo("no errors; nothing was written (dry run)", err=True)


@click.command()
@files_argument
@format_option
@max_errors_option
def check(files: tuple[str, ...], **options: Any) -> None:
    """Check fixtures without a database.

    All errors are reported, one per line. Every node that the files refer to must be in one of
    them; use load --dry-run for files that refer to nodes in the graph.
    """
    from genai_graph import check as check_fixtures
    from genai_graph.cli.progress_bar import show_progress

    with show_progress() as progress:
        nodes, edges = check_fixtures(*files, progress=progress, **options)
    click.echo(f"{_counts(nodes, edges)}: no errors", err=True)


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="-",
    show_default=True,
    help="Output file, or - for standard output. The extensions .gz and .xz compress; csv is "
    "written to a directory.",
)
@click.option(
    "--format",
    type=click.Choice(["jsonl", "yaml", "csv", "cypher"]),
    help="Output format. Default: from the file extension, else jsonl.",
)
@click.option(
    "--label", "labels", multiple=True, callback=known_labels, help="Include only this label."
)
@click.option("--exclude", multiple=True, callback=known_labels, help="Exclude this label.")
@click.option("--force", "overwrite", is_flag=True, help="Overwrite an existing output.")
@click.option("--decrypt", is_flag=True, help="Decrypt encrypted values.")
@click.option(
    "--declared-only", is_flag=True, help="Leave out content that no loaded class declares."
)
def dump(output: str, labels: tuple[str, ...], **options: Any) -> None:
    """Write the graph to a file.

    The output is sorted: equal graphs give equal bytes. An edge is written if both of its nodes
    are. --label and --exclude may be repeated. Every format except cypher can be loaded; csv is
    also for neo4j-admin database import, and its command is printed.
    """
    from genai_graph import dump as dump_graph

    with connect():
        nodes, edges = dump_graph(output, labels=labels or None, **options)
    click.echo(_counts(nodes, edges), err=True)
    if options["format"] == "csv":
        from genai_graph.exchange.formats.csv import import_command

        click.echo("to import it into a new Neo4j database:", err=True)
        click.echo(import_command(Path(output)), err=True)


def _counts(nodes: int, edges: int) -> str:
    return f"{nodes:,} node{'s' * (nodes != 1)}, {edges:,} edge{'s' * (edges != 1)}"
