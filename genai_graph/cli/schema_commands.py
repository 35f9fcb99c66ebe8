"""schema install, show and check."""

from __future__ import annotations

import click


@click.group()
def schema() -> None:
    """The constraints and indexes that the models declare."""


@schema.command()
def install() -> None:
    """Make those that are missing; safe to repeat."""
    from genai_graph import schema as declared
    from genai_graph.cli.connecting import connect

    with connect():
        made = declared.install()
    for index in made:
        click.echo(f"made: {index}", err=True)
    click.echo(f"{len(made)} made, the schema is in step", err=True)


@schema.command()
@click.option("--cypher", is_flag=True, help="As statements for cypher-shell or Neo4j Browser.")
def show(cypher: bool) -> None:
    """Show what the models declare; needs no database."""
    from genai_graph import schema as declared

    for index in declared.declared():
        note = "" if index in declared.on_embedded() else "  (not on the embedded engine)"
        click.echo(index.cypher() if cypher else f"{index}{note}")
    if not cypher:
        for name in declared.unsearchable():
            click.echo(f"{name} can't be searched where there are keys: it is encrypted")


@schema.command()
def check() -> None:
    """Compare the database with the models: missing, extra or different ends with 1."""
    from genai_graph import schema as declared
    from genai_graph.cli.connecting import connect

    with connect():
        drift = declared.check()
    if drift:
        click.echo(str(drift))
        raise SystemExit(1)
    click.echo("the schema is in step", err=True)


@schema.command()
@click.option(
    "--format",
    type=click.Choice(["mermaid", "dot"]),
    default="mermaid",
    show_default=True,
    help="For Markdown pages, or for Graphviz.",
)
def draw(format: str) -> None:
    """Draw the kinds of nodes and edges; needs no database."""
    from genai_graph.schema_diagram import DIAGRAMS

    click.echo(DIAGRAMS[format](), nl=False)
