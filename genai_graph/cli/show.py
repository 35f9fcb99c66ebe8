"""show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from genai_graph.cli.labels import known_label

FORMATS = ("tree", "json", "mermaid", "dot", "svg", "html")


@click.command()
@click.argument("label", callback=known_label)
@click.argument("uid")
@click.option(
    "--depth",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many edges to go, in any direction.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=5_000,
    show_default=True,
    help="The most nodes, with five times as many edges; what is cut is told.",
)
@click.option(
    "--format",
    type=click.Choice(FORMATS),
    help="Without it the name of FILE tells; a tree where it does not.",
)
@click.option(
    "-o", "--output", metavar="FILE", default="-", show_default=True, help="- is standard output."
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def show(
    label: str, uid: str, format: str | None, output: str, force: bool, **options: Any
) -> None:
    """Show a node with its properties, and its neighbourhood: all edges, in both directions."""
    from genai_graph.cli.connection import connect
    from genai_graph.exchange.naming import suffix_of
    from genai_graph.exchange.output import open_output
    from genai_graph.models.subgraph import neighbourhood
    from genai_graph.pictures import draw, format_of, limits

    with connect():
        subgraph = neighbourhood(label, uid, **options)
    chosen = format or format_of(suffix_of(Path(output))) or "tree"
    picture = draw(subgraph, chosen)
    with open_output(output, overwrite=force) as stream:
        stream.write(picture.encode())
    if subgraph.is_cut:
        click.echo(f"{subgraph.notice}: raise --limit, or lower --depth", err=True)
    if over := limits(picture, chosen):
        click.echo(f"Mermaid draws this only where its configuration raises {over}", err=True)
