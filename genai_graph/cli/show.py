"""The commands show, lineage and impact: draw a part of the graph, on the terminal or to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genai_graph.cli.connecting import connect
from genai_graph.cli.label_argument import known_label
from genai_graph.cli.output import strict_option
from genai_graph.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_graph.pictures.subgraph import Subgraph

# Also in pictures/formats.py and lineage.py; repeated because their imports would slow down --help.
FORMATS = ("tree", "json", "mermaid", "dot", "svg", "html")
_MAX_NODES = 5_000


def _picture_options(depth: int | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a picture to a command; `depth` is the default of --depth."""
    # Since click 8.3 an explicit default of None counts as a value.
    default: dict[str, Any] = {} if depth is None else {"default": depth, "show_default": True}
    options = [
        click.option(
            "--depth",
            type=click.IntRange(min=0),
            help="Maximum number of edges to follow." + " Default: to the end." * (depth is None),
            **default,
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            default=_MAX_NODES,
            show_default=True,
            help="Maximum number of nodes (edges: 5x). Truncation is reported.",
        ),
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            help="Output format. Default: from the extension of FILE, else tree.",
        ),
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            default="-",
            show_default=True,
            help="Output file; - is standard output.",
        ),
        click.option("--force", is_flag=True, help="Overwrite an existing file."),
        strict_option,
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@click.argument("label", callback=known_label)
@click.argument("uid")
@_picture_options(depth=1)
def show(label: str, uid: str, depth: int, limit: int, **picture: Any) -> None:
    """Show a node and its neighbourhood.

    The neighbourhood includes edges of all types, in both directions.
    """
    from genai_graph.lineage import neighbourhood

    _draw(lambda: neighbourhood(label, uid, depth=depth, limit=limit), **picture)


@click.command()
@click.argument("model")
@_picture_options(depth=None)
def lineage(model: str, depth: int | None, limit: int, **picture: Any) -> None:
    """Show the parents and data of a model.

    MODEL is a uid. Included are all ancestors, and the datasets that the model and its ancestors
    were trained on, with the datasets that those are derived from.
    """
    from genai_graph.lineage import lineage

    _draw(lambda: lineage(model, depth=depth, limit=limit), **picture)


@click.command()
@click.argument("dataset")
@_picture_options(depth=None)
def impact(dataset: str, depth: int | None, limit: int, **picture: Any) -> None:
    """Show everything derived from a dataset.

    DATASET is a uid. Included are derived datasets, the models trained on any of them, and the
    models derived from those.
    """
    from genai_graph.lineage import impact

    _draw(lambda: impact(dataset, depth=depth, limit=limit), **picture)


def _draw(
    read: Callable[[], Subgraph], format: str | None, output: str, force: bool, strict: bool
) -> None:
    from genai_graph.exchange.output import open_output
    from genai_graph.pictures.formats import draw
    from genai_graph.pictures.mermaid import exceeded_limits

    chosen = format or _format_from_name(output)
    with connect():
        subgraph = read()
    picture = draw(subgraph, chosen)
    with open_output(output, overwrite=force) as stream:
        stream.write(picture.encode())
    if subgraph.is_cut:
        advice = "raise --depth" if subgraph.is_cut_at_depth else "raise --limit or lower --depth"
        click.echo(f"{subgraph.notice}; {advice}", err=True)
    if chosen == "mermaid" and (exceeded := exceeded_limits(picture)):
        click.echo(f"to draw this, raise in the configuration of Mermaid: {exceeded}", err=True)
    if strict and subgraph.is_cut:
        raise SystemExit(1)


def _format_from_name(output: str) -> str:
    from genai_graph.exchange.filenames import suffix_of
    from genai_graph.pictures.formats import SUFFIXES

    suffix = suffix_of(Path(output))
    if not suffix:
        return "tree"
    if suffix not in SUFFIXES:
        raise SettingsError(
            f"{output}: unknown extension {suffix}: use one of {', '.join(SUFFIXES)}, or --format"
        )
    return SUFFIXES[suffix]
