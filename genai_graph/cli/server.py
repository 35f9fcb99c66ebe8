"""server start, stop and status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genai_graph.server.lifecycle import ManagedEngine


ENGINES = ("embedded", "neo4j")

engine_option = click.option(
    "--engine", type=click.Choice(ENGINES), help="Without it: what GENAI_GRAPH_ENGINE says."
)


@click.group()
def server() -> None:
    """The managed engines, embedded and neo4j: commands start them when they need them.

    The last command stops the embedded engine; Neo4j, which takes longer to start, stays up.
    """


@server.command()
@engine_option
def start(engine: str | None) -> None:
    """Start the engine, and keep it up until it is stopped."""
    managed = _managed(engine)
    running = managed.start()
    name = managed.server.name
    click.echo(f"the {name} engine runs at {running.uri} (process {running.pid})", err=True)
    if name != _managed(None).server.name:
        click.echo(f"set GENAI_GRAPH_ENGINE={name} to have the commands use it", err=True)


@server.command()
@engine_option
def stop(engine: str | None) -> None:
    """Stop the engine, or let the last of its users stop it."""
    managed = _managed(engine)
    stopped = managed.stop()
    messages = {
        True: "stopping" if managed.server.is_slow else "stopped",
        False: "still in use: it stops when the last of its users leaves",
        None: "nothing was running",
    }
    click.echo(messages[stopped], err=True)


@server.command()
@engine_option
def status(engine: str | None) -> None:
    """Tell whether the engine runs, and where; without --engine also the other that runs."""
    chosen = _managed(engine)
    _describe(chosen)
    others = [_managed(name) for name in ENGINES if engine is None and name != chosen.server.name]
    for other in others:
        if other.running() is not None:
            _describe(other)


def _describe(managed: ManagedEngine) -> None:
    running = managed.running()
    where = f"runs at {running.uri} (process {running.pid})" if running else "is not running"
    click.echo(f"the {managed.server.name} engine {where}")
    click.echo(f"data folder {managed.directory}")
    click.echo(f"log {managed.log}")


def _managed(engine: str | None) -> ManagedEngine:
    from genai_graph.database.settings import read_settings
    from genai_graph.server.engines import managed_engine

    settings = read_settings(engine=engine)
    return managed_engine(settings.engine, settings.home)
