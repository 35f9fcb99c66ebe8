"""The ``schema`` commands: constraints and indexes, the diagram, and type stubs."""

from __future__ import annotations

from pathlib import Path

import click

from genai_graph.cli.connecting import connect


@click.group()
def schema() -> None:
    """Manage constraints and indexes."""


@schema.command()
def install() -> None:
    """Create missing constraints and indexes.

    The first write to the graph does the same. Safe to repeat.
    """
    from genai_graph.schema import install

    with connect():
        created = install()
    for index in created:
        click.echo(f"created: {index}", err=True)
    click.echo(f"{len(created)} created, the schema is up to date", err=True)


@schema.command()
@click.option("--cypher", is_flag=True, help="Print statements for cypher-shell or Neo4j Browser.")
def show(cypher: bool) -> None:
    """Show the declared constraints and indexes.

    Does not connect to a database.
    """
    from genai_graph.schema import list_declared, list_unsearchable

    embedded = list_declared("embedded")
    for index in list_declared():
        note = "" if index in embedded else "  (not on the embedded engine)"
        click.echo(index.cypher() if cypher else f"{index}{note}")
    if not cypher:
        for name in list_unsearchable():
            click.echo(f"{name} can't be searched if GENAI_GRAPH_KEYS is set: it is encrypted")


@schema.command()
def check() -> None:
    """Compare the database with the models.

    Prints missing, extra and different constraints and indexes, and exits with 1 if there are any.
    """
    from genai_graph.registry import MODULES_SETTING
    from genai_graph.schema import check

    with connect():
        drift = check()
    if drift:
        click.echo(str(drift))
        if drift.extra:
            hint = f"set {MODULES_SETTING} if a module of your own declares the extra ones"
            click.echo(hint, err=True)
        raise SystemExit(1)
    click.echo("the schema is up to date", err=True)


@schema.command()
@click.argument("path")
@click.option("--drop", is_flag=True, help="Drop the index.")
def index(path: str, drop: bool) -> None:
    """Index a value inside a JSON property.

    PATH is a property and a key, such as parameters.lr, or Experiment.parameters.lr for one label.
    Searches for the value then start at the index. Safe to repeat. Not on the embedded engine.
    """
    from genai_graph.schema import index_json

    with connect():
        found = index_json(path, drop=drop)
    for one in found:
        click.echo(f"{'dropped' if drop else 'created'}: {one}", err=True)


@schema.command()
@click.option(
    "--format",
    type=click.Choice(["mermaid", "dot"]),
    default="mermaid",
    show_default=True,
    help="Language of the diagram: Mermaid, for Markdown, or Graphviz DOT.",
)
def draw(format: str) -> None:
    """Draw the labels and the edge types.

    Does not connect to a database.
    """
    from genai_graph.schema_diagram import DIAGRAMS

    click.echo(DIAGRAMS[format](), nl=False)


@schema.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default="typings")
def stubs(directory: Path) -> None:
    """Write type stubs for your own properties.

    They are for type checkers, which then know the properties that @extend added to the classes of
    the package. pyright finds them in DIRECTORY, which is typings by default; mypy needs mypy_path
    = typings in its configuration. Does not connect to a database.
    """
    from genai_graph import registry, type_stubs

    registry.close()
    type_stubs.write(directory)
    click.echo(f"{directory}: stubs written", err=True)
