"""query."""

from __future__ import annotations

import json
from typing import Any

import click

from genai_graph.cli.output import format_option, write_rows
from genai_graph.cli.stdin import read_text
from genai_graph.errors import QueryError


class Parameter(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """k=VALUE: the value is JSON, or else text."""

    name = "k=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Split the name from the value."""
        key, equals, text = value.partition("=")
        if not key or not equals:
            self.fail(f"expected k=VALUE, got {value!r}", param, ctx)
        try:
            return key, json.loads(text)
        except ValueError:
            return key, text
        except RecursionError:
            raise QueryError(f"the parameter {key} is nested too deep") from None


@click.command()
@click.argument("cypher")
@click.option(
    "--param",
    "parameters",
    type=Parameter(),
    multiple=True,
    help="A parameter: JSON, or else text.",
)
@click.option("--write", is_flag=True, help="Let the query change the graph.")
@format_option
def query(
    cypher: str, parameters: tuple[tuple[str, Any], ...], write: bool, format: str | None
) -> None:
    """Run a Cypher query and print its rows; - reads it from standard input.

    The query can only read unless --write is given.
    """
    from genai_graph import query as run
    from genai_graph.cli.connecting import connect

    text = read_text("query") if cypher == "-" else cypher
    with connect():
        rows = run(text, dict(parameters), write=write)
    write_rows(rows, format)
