"""shell."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from genai_graph.cli.stdin import read_text


@click.command()
@click.argument("stdin", type=click.Choice(["-"]), required=False)
@click.option("-c", "--command", "code", help="Run this code and end.")
@click.option(
    "--interface",
    type=click.Choice(["ipython", "python"]),
    help="Without it: IPython where it is installed.",
)
@click.option("--read-only", is_flag=True, help="Ask for no right to write.")
@click.option(
    "--sandbox",
    is_flag=True,
    help="Roll back at the end all that was done. From its first write on it is the one writer of "
    "the embedded engine; Neo4j locks what it wrote.",
)
@click.option(
    "--print-cypher",
    is_flag=True,
    help="Print the statements that are sent, with the types and sizes of their parameters.",
)
def shell(
    stdin: str | None,
    code: str | None,
    interface: str | None,
    read_only: bool,
    sandbox: bool,
    print_cypher: bool,
) -> None:
    """Explore the graph in a Python shell, with the models, query, ask and load at hand.

    Code in a pipe, or behind -, is read from standard input and run.
    """
    if code is not None and stdin:
        raise click.UsageError("-c has the code already: leave - away")
    if read_only and sandbox:
        raise click.UsageError("--read-only never writes, so --sandbox has nothing to roll back")

    from genai_graph import database
    from genai_graph import shell as shells
    from genai_graph.cli.connecting import connect

    with ExitStack() as stack:
        if print_cypher:
            stack.enter_context(database.log_queries_to(sys.stderr))
        connection = stack.enter_context(connect(read_only=read_only))
        if sandbox:
            stack.enter_context(database.sandbox())
        if code is not None:
            shells.run(code)
        elif stdin or sys.stdin is None or not sys.stdin.isatty():
            shells.run(read_text("code"), "<stdin>")
        else:
            shells.interact(connection, interface)
