"""server start, stop and status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genai_graph.database.engine import ManagedEngine


@click.group()
def server() -> None:
    """The embedded engine: commands start it when they need it, and the last one stops it."""


@server.command()
def start() -> None:
    """Start the engine, and keep it up until it is stopped."""
    running = _engine().keep()
    click.echo(f"the embedded engine runs at {running.uri} (process {running.pid})", err=True)


@server.command()
def stop() -> None:
    """Stop the engine, or let the last of its users stop it."""
    stopped = _engine().stop()
    messages = {
        True: "stopped",
        False: "still in use: it stops when the last of its users leaves",
        None: "nothing was running",
    }
    click.echo(messages[stopped], err=True)


@server.command()
def status() -> None:
    """Tell whether the engine runs, and where."""
    engine = _engine()
    running = engine.running()
    if running is None:
        click.echo("not running")
    else:
        click.echo(f"running at {running.uri} (process {running.pid})")
    click.echo(f"data folder {engine.folder}")
    click.echo(f"log {engine.log}")


def _engine() -> ManagedEngine:
    from genai_graph.database import embedded_engine
    from genai_graph.database.settings import read_settings

    return embedded_engine(read_settings().home)
