"""status and clear."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> None:
    """Tell where the graph lives, whether its schema is in step, and how much it holds."""
    from genai_graph.cli.connecting import connect
    from genai_graph.status import read_status

    with connect():
        found = read_status()
    click.echo(json.dumps(found.as_dict()) if as_json else str(found))


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(yes: bool) -> None:
    """Delete the nodes of our kinds and their edges, in batches; asks first.

    Nodes that others use too are left: with a further label, a property or an edge that is not
    of our models, or without a uid.
    """
    from genai_graph import clear as clear_graph
    from genai_graph.cli.connecting import connect
    from genai_graph.cli.progress_bar import shown
    from genai_graph.exchange.clearing import count_clearable as filled
    from genai_graph.exchange.clearing import count_remaining as left

    with connect():
        counts = filled()
        if not counts:
            click.echo("there is nothing to delete", err=True)
            _tell_left(left())
            return
        if not yes:
            click.confirm(f"Delete {_listed(counts)}, and their edges?", abort=True, err=True)
        with shown() as progress:
            deleted = clear_graph(progress=progress)
        click.echo(f"deleted {_listed(deleted)}", err=True)
        _tell_left(left())


def _tell_left(counts: dict[str, int]) -> None:
    if counts:
        click.echo(
            f"left {_listed(counts)}: others gave them labels, properties or edges, or they have "
            "no uid",
            err=True,
        )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in counts.items())
