"""access: roles, users, and the keys of what is encrypted."""

from __future__ import annotations

import click


@click.group()
def access() -> None:
    """Who may see and do what: roles, users, and the keys of what is encrypted."""


@access.command()
def show() -> None:
    """Print the roles as statements for Neo4j Enterprise and Aura; needs no database.

    They are for the database NEO4J_DATABASE, or for each user's home database.
    """
    from genai_graph.access.roles import script
    from genai_graph.database.settings import read_settings

    settings = read_settings()
    click.echo(script(settings.database, settings.encrypted))


@access.command()
def apply() -> None:
    """Run those statements: the server's user must be one who may make roles.

    An edition without roles says what it can't enforce, and ends with 1.
    """
    from genai_graph import connect
    from genai_graph.access.roles import apply

    with connect():
        count = apply()
    click.echo(f"{count} statements were run: now grant the roles to users", err=True)


@access.group()
def users() -> None:
    """Users of the embedded engine, for other clients of it: they read, or write, no schema."""


@users.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["reader", "writer"]),
    default="reader",
    show_default=True,
    help="What the user may do.",
)
def add(name: str, role: str) -> None:
    """Make a user, or give one another role, and print the new password, which is kept nowhere."""
    from genai_graph.access import users

    password = users.add(name, role)
    running = users.engine().running()
    where = f"at {running.uri}" if running else "once the engine runs (genai-graph server start)"
    click.echo(password)
    click.echo(f"{name} is a {role} {where}", err=True)


@users.command()
@click.argument("name")
def drop(name: str) -> None:
    """Take a user away; who is logged in stays until the end of the connection."""
    from genai_graph.access import users

    if not users.drop(name):
        click.echo(f"there is no user {name} that was made here", err=True)
        raise SystemExit(1)
    click.echo(f"{name} is no user any more", err=True)


@users.command("list")
def list_() -> None:
    """List the users that were made here, and their roles."""
    from genai_graph.access import users

    for name, role in users.listed().items():
        click.echo(f"{name}  {role}")


@access.group()
def keys() -> None:
    """The keys of what is encrypted, in GENAI_GRAPH_KEYS: the first one encrypts, all decrypt."""


@keys.command()
def generate() -> None:
    """Print a new key. Keep it where secrets are kept: without it, what it encrypted is lost."""
    from genai_graph.database.keyring import generate_key as generate

    click.echo(generate())


@keys.command()
def rotate() -> None:
    """Put everything under the first of GENAI_GRAPH_KEYS=NEW,OLD; encrypt what is clear.

    It goes in batches; when it is cut short, doing it again does the rest. What can't be decrypted
    is left as it is, and ends with 1.
    """
    from genai_graph import connect
    from genai_graph.access.keys import rotate
    from genai_graph.cli.progress_bar import show_progress
    from genai_graph.registry import NODES
    from genai_graph.storage.lookups import count_nodes

    with connect(), show_progress() as progress:
        progress.start("rotating", sum(map(count_nodes, NODES)))
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
