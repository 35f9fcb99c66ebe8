"""The ``access`` commands: roles, users and encryption keys."""

from __future__ import annotations

import click

from genai_graph.cli.connecting import connect


@click.group()
def access() -> None:
    """Manage roles, users and encryption keys."""


@access.command()
def show() -> None:
    """Print the roles as Cypher statements.

    They are for Neo4j Enterprise and Aura, and for the database NEO4J_DATABASE or else the home
    database of each user. Does not connect to a database.
    """
    from genai_graph.access.roles import script
    from genai_graph.database.settings import read_settings

    settings = read_settings()
    click.echo(script(settings.database, settings.encrypted))


@access.command()
def apply() -> None:
    """Create the roles on a Neo4j server.

    Runs the statements of `access show`; the user needs the privilege to manage roles. Run it again
    when sensitive JSON, such as environment and metadata, has new keys: readers can read them until
    then, unless the property is encrypted. Exits with 1 on an edition without roles.
    """
    from genai_graph.access.roles import apply

    with connect():
        count = apply()
    click.echo(
        f"ran {count} statements: now grant the roles to users, and run this again when sensitive "
        "JSON has new keys, which readers can read until then",
        err=True,
    )


@access.group()
def users() -> None:
    """Manage users of the embedded engine.

    They are for other Bolt clients: readers, or writers that can't change the schema.
    """


@users.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["reader", "writer"]),
    default="reader",
    show_default=True,
    help="Privileges of the user.",
)
def add(name: str, role: str) -> None:
    """Add a user and print the password.

    An existing user gets the role and a new password. The password is not stored.
    """
    from genai_graph.access import users

    password = users.add_user(name, role)
    running = users.embedded_engine().running()
    where = f"at {running.uri}" if running else "start the engine with: genai-graph server start"
    click.echo(password)
    click.echo(f"added {role} {name}: {where}", err=True)


@users.command()
@click.argument("name")
def drop(name: str) -> None:
    """Delete a user.

    Open connections of the user are not closed.
    """
    from genai_graph.access import users

    if not users.delete_user(name):
        click.echo(f"unknown user {name}: genai-graph access users list", err=True)
        raise SystemExit(1)
    click.echo(f"deleted user {name}", err=True)


@users.command("list")
def list_() -> None:
    """List the users and their roles."""
    from genai_graph.access import users

    for name, role in users.list_users().items():
        click.echo(f"{name}  {role}")


@access.group()
def keys() -> None:
    """Manage encryption keys.

    GENAI_GRAPH_KEYS is a comma-separated list: the first key encrypts, all keys decrypt.
    """


@keys.command()
def generate() -> None:
    """Print a new key.

    Store it safely: without it, the values that it encrypted are lost.
    """
    from genai_graph.database.keyring import generate_key

    click.echo(generate_key())


@keys.command()
def rotate() -> None:
    """Encrypt all values with the first key.

    Set GENAI_GRAPH_KEYS=NEW,OLD. Plaintext values of sensitive properties are encrypted too.
    Writes in batches; an interrupted rotation can be repeated. Values that can't be decrypted are
    skipped, with exit code 1.
    """
    from genai_graph.access.keys import rotate
    from genai_graph.cli.progress_bar import show_progress
    from genai_graph.registry import NODES
    from genai_graph.storage.lookups import count_nodes

    with connect(), show_progress() as progress:
        progress.start("rotating", sum(map(count_nodes, NODES)))
        result = rotate(progress.advance)
    click.echo(str(result), err=True)
    if result.skipped:
        raise SystemExit(1)


@keys.command()
def status() -> None:
    """Count the values of each key.

    Also counts the plaintext values of sensitive properties.
    """
    from genai_graph.access.keys import count_by_key

    with connect():
        click.echo(str(count_by_key()))
