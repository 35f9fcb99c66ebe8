"""The command shell: interactive Python, or code from an option or standard input."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from genai_graph.cli.interrupts import end_at_sigterm
from genai_graph.cli.stdin import read_text


@click.command()
@click.argument("file", required=False)
@click.option("-c", "--command", "code", help="Run this code and exit.")
@click.option("--read-only", is_flag=True, help="Open a read-only connection.")
@click.option(
    "--sandbox",
    is_flag=True,
    help="Roll back all changes at the end. After its first change, other writers wait: on the "
    "embedded engine all of them, on Neo4j those of the same nodes and edges.",
)
@click.option(
    "--print-cypher",
    is_flag=True,
    help="Print each statement, with the types and sizes of its parameters.",
)
@click.pass_context
def shell(
    ctx: click.Context,
    file: str | None,
    code: str | None,
    read_only: bool,
    sandbox: bool,
    print_cypher: bool,
) -> None:
    """Open a Python shell on the graph.

    The models, query, ask, load and other functions are defined. The shell is IPython if it is
    installed (the extra shell). With FILE, runs a Python file. If it is -, or standard input is not
    a terminal, code is read from standard input.
    """
    if code is not None and file:
        raise click.UsageError("-c and FILE are mutually exclusive")
    if read_only and sandbox:
        raise click.UsageError("--read-only and --sandbox are mutually exclusive")

    from genai_graph import database
    from genai_graph import shell as shells
    from genai_graph.cli.connecting import connect

    end_at_sigterm(ctx)
    with ExitStack() as stack:
        if print_cypher:
            stack.enter_context(database.log_queries_to(sys.stderr))
        connection = stack.enter_context(connect(read_only=read_only))
        if sandbox:
            stack.enter_context(database.sandbox())
        if code is not None:
            shells.run(code)
        elif file and file != "-":
            shells.run_file(Path(file))
        elif file or sys.stdin is None or not sys.stdin.isatty():
            shells.run(read_text("code"), "<stdin>")
        else:
            shells.interact(connection)
