"""show, lineage and impact: a node and what is round it, on the terminal or in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genai_graph.cli.label_argument import known_label
from genai_graph.errors import SettingsError

if TYPE_CHECKING:
    from genai_graph.pictures.subgraph import Subgraph


FORMATS = ("tree", "json", "mermaid", "dot", "svg", "html")
_LINEAGE_DEPTH = 8


def _drawn(depth: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of a picture; `depth` is the default."""
    options = [
        click.option(
            "--depth",
            type=click.IntRange(min=0),
            default=depth,
            show_default=True,
            help="How many edges to go.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            default=5_000,
            show_default=True,
            help="The most nodes, with five times as many edges; what is cut is told.",
        ),
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            help="Without it the end of FILE's name tells; a tree where it has none.",
        ),
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            default="-",
            show_default=True,
            help="- is standard output.",
        ),
        click.option("--force", is_flag=True, help="Replace a file that is there already."),
    ]

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return give


@click.command()
@click.argument("label", callback=known_label)
@click.argument("uid")
@_drawn(depth=1)
def show(label: str, uid: str, depth: int, limit: int, **picture: Any) -> None:
    """Show a node with its properties, and its neighbourhood: all edges, in both directions."""
    from genai_graph.lineage import neighbourhood

    _draw(lambda: neighbourhood(label, uid, depth=depth, limit=limit), **picture)


@click.command()
@click.argument("model")
@_drawn(depth=_LINEAGE_DEPTH)
def lineage(model: str, depth: int, limit: int, **picture: Any) -> None:
    """Show what a model rests on: its parents, and the data that they were trained on.

    MODEL is its uid.
    """
    from genai_graph.lineage import lineage

    _draw(lambda: lineage(model, depth=depth, limit=limit), **picture)


@click.command()
@click.argument("dataset")
@_drawn(depth=_LINEAGE_DEPTH)
def impact(dataset: str, depth: int, limit: int, **picture: Any) -> None:
    """Show what rests on a dataset: what is derived from it, and the models trained on these.

    DATASET is its uid.
    """
    from genai_graph.lineage import impact

    _draw(lambda: impact(dataset, depth=depth, limit=limit), **picture)


def _draw(read: Callable[[], Subgraph], format: str | None, output: str, force: bool) -> None:
    from genai_graph.cli.connecting import connect
    from genai_graph.exchange.output import open_output
    from genai_graph.pictures import draw, limits

    chosen = format or _format_of(output)
    with connect():
        subgraph = read()
    picture = draw(subgraph, chosen)
    with open_output(output, overwrite=force) as stream:
        stream.write(picture.encode())
    if subgraph.is_cut:
        click.echo(f"{subgraph.notice}: raise --limit, or lower --depth", err=True)
    if over := limits(picture, chosen):
        click.echo(f"Mermaid draws this only where its configuration raises {over}", err=True)


def _format_of(output: str) -> str:
    from genai_graph.exchange.filenames import suffix_of
    from genai_graph.pictures import SUFFIXES, format_of

    suffix = suffix_of(Path(output))
    named = format_of(suffix)
    if suffix and named is None:
        raise SettingsError(
            f"{output}: there is no picture in {suffix}: end the name with one of "
            f"{', '.join(SUFFIXES)}, or give --format"
        )
    return named or "tree"
