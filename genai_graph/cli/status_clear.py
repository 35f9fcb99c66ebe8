"""The commands status and clear."""

from __future__ import annotations

import json

import click

from genai_graph.cli.connecting import connect


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show the engine, schema and graph size."""
    from genai_graph.status import read_status

    with connect():
        found = read_status()
    click.echo(json.dumps(found.as_dict()) if as_json else str(found))


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def clear(yes: bool) -> None:
    """Delete all nodes and edges of this package.

    Asks for confirmation, and deletes in batches. Nodes that another application uses are kept:
    those with another label, an undeclared property or edge, or without a uid.
    """
    from genai_graph import clear as clear_graph
    from genai_graph.cli.progress_bar import show_progress
    from genai_graph.exchange.clearing import count_clearable, count_remaining

    with connect():
        counts = count_clearable()
        if not counts:
            click.echo("nothing to delete", err=True)
        else:
            if not yes:
                click.confirm(f"Delete {_listed(counts)}, and their edges?", abort=True, err=True)
            with show_progress() as progress:
                deleted = clear_graph(progress=progress)
            click.echo(f"deleted {_listed(deleted)}", err=True)
        if kept := count_remaining():
            click.echo(
                f"kept {_listed(kept)}: used by another application, or without a uid", err=True
            )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in counts.items())
