"""access: roles, users, and the keys of what is encrypted."""

from __future__ import annotations

import click


@click.group()
def access() -> None:
    """Who may see and do what: roles, users, and the keys of what is encrypted."""


@access.group()
def keys() -> None:
    """The keys of what is encrypted, in GENAI_GRAPH_KEYS: the first one encrypts, all decrypt."""


@keys.command()
def generate() -> None:
    """Print a new key. Keep it where secrets are kept: without it, what it encrypted is lost."""
    from genai_graph.database.keyring import generate

    click.echo(generate())


@keys.command()
def rotate() -> None:
    """Put everything under the first of GENAI_GRAPH_KEYS=NEW,OLD; encrypt what is clear.

    It goes in batches; when it is cut short, doing it again does the rest. What can't be decrypted
    is left as it is, and ends with 1.
    """
    from genai_graph import connect
    from genai_graph.access.keys import rotate
    from genai_graph.cli.progress import shown
    from genai_graph.models import NODES, store

    with connect(), shown() as progress:
        progress.start("rotating", sum(map(store.count_nodes, NODES)))
        done = rotate(progress.advance)
    click.echo(str(done), err=True)
    if done.left:
        raise SystemExit(1)


@keys.command()
def status() -> None:
    """Count the values under each key, and those that are clear."""
    from genai_graph import connect
    from genai_graph.access.keys import usage

    with connect():
        click.echo(str(usage()))
