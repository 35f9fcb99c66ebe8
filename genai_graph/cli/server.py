"""The ``server`` commands: start, stop, status and import."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from genai_graph.server.lifecycle import ManagedEngine

ENGINES = ("embedded", "neo4j")

engine_option = click.option(
    "--engine", type=click.Choice(ENGINES), help="Engine to use. Default: $GENAI_GRAPH_ENGINE."
)


@click.group()
def server() -> None:
    """Manage the embedded engine and local Neo4j.

    Other commands start the engine if needed. The embedded engine stops when its last client
    disconnects; Neo4j keeps running, because its start takes longer.
    """


@server.command()
@engine_option
def start(engine: str | None) -> None:
    """Start an engine and keep it running."""
    managed = _managed(engine)
    running = managed.start()
    name = managed.server.name
    click.echo(f"the {name} engine is running at {running.uri} (process {running.pid})", err=True)
    if name != _managed(None).server.name:
        click.echo(f"set GENAI_GRAPH_ENGINE={name} to use it", err=True)


@server.command()
@engine_option
def stop(engine: str | None) -> None:
    """Stop an engine.

    An engine in use stops when its last client disconnects.
    """
    managed = _managed(engine)
    stopped = managed.stop()
    messages = {
        True: "stopping" if managed.server.is_slow else "stopped",
        False: "still in use: it stops when the last client disconnects",
        None: "nothing was running",
    }
    click.echo(messages[stopped], err=True)


@server.command()
@engine_option
def status(engine: str | None) -> None:
    """Show whether an engine is running, and where.

    Without --engine, the other engine is shown too if it is running.
    """
    selected = _managed(engine)
    _describe(selected)
    if engine is None:
        for other in (_managed(name) for name in ENGINES if name != selected.server.name):
            if other.running() is not None:
                _describe(other)


@server.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--format",
    type=click.Choice(["yaml", "json", "jsonl", "csv"]),
    help="File format. Default: from the file extension or content.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
@click.option(
    "--max-errors",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Maximum number of errors to report.",
)
def import_(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Import fixtures into an empty managed Neo4j.

    FILE is as for load, and everything is checked in the same way, while the values are written to
    CSV. Then Neo4j's own importer runs while the engine is stopped, the schema is created, and the
    numbers of nodes and edges are verified. This is more than twice as fast as load for millions of
    nodes.
    """
    from genai_graph.cli.progress_bar import show_progress
    from genai_graph.exchange.bulk_import import bulk_import

    with show_progress() as progress:
        report = bulk_import(*files, progress=progress, **options)
    if as_json:
        click.echo(json.dumps(report.as_dict()))
    else:
        click.echo(str(report), err=True)


def _describe(managed: ManagedEngine) -> None:
    running = managed.running()
    where = f"is running at {running.uri} (process {running.pid})" if running else "is not running"
    click.echo(f"the {managed.server.name} engine {where}")
    click.echo(f"data directory {managed.directory}")
    click.echo(f"log {managed.log}")


def _managed(engine: str | None) -> ManagedEngine:
    from genai_graph.database.settings import read_settings
    from genai_graph.server.engines import managed_engine

    settings = read_settings(engine=engine)
    return managed_engine(settings.engine, settings.home)
