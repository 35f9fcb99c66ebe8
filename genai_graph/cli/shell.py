"""shell."""

from __future__ import annotations

import sys

import click

from genai_graph.cli.stdin import read_text


@click.command()
@click.option("-c", "--command", "code", help="Run this code and end.")
@click.option(
    "--interface",
    type=click.Choice(["ipython", "python"]),
    help="Without it: IPython where it is installed.",
)
def shell(code: str | None, interface: str | None) -> None:
    """Explore the graph in a Python shell, with the models, query and load at hand.

    Code on standard input is run.
    """
    from genai_graph import shell as shells
    from genai_graph.cli.connection import connect

    with connect() as connection:
        if code is not None:
            shells.run(code)
        elif sys.stdin is None or not sys.stdin.isatty():
            shells.run(read_text("code"), "<stdin>")
        else:
            shells.interact(connection, interface)
