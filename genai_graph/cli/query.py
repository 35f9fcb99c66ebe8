"""The ``query`` command."""

from __future__ import annotations

import json
from typing import Any

import click

from genai_graph.cli.output import format_option, write_rows
from genai_graph.cli.stdin import read_text
from genai_graph.errors import QueryError


class Parameter(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """NAME=VALUE; a value that is not JSON is a string."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Split the text and parse the value."""
        key, equals, text = value.partition("=")
        if not key or not equals:
            self.fail(f"expected NAME=VALUE, got {value!r}", param, ctx)
        try:
            return key, json.loads(text)
        except ValueError:
            return key, text
        except RecursionError:
            raise QueryError(f"parameter {key} is nested too deeply") from None


@click.command()
@click.argument("cypher")
@click.option(
    "--param",
    "parameters",
    type=Parameter(),
    multiple=True,
    help="Query parameter; VALUE is JSON, or else a string. May be repeated.",
)
@click.option("--write", is_flag=True, help="Allow the query to change the graph.")
@format_option
def query(
    cypher: str, parameters: tuple[tuple[str, Any], ...], write: bool, format: str | None
) -> None:
    """Run a Cypher query and print its rows.

    If CYPHER is -, the query is read from standard input. Without --write it can only read.
    """
    from genai_graph import query as run
    from genai_graph.cli.connecting import connect

    text = read_text("query") if cypher == "-" else cypher
    with connect():
        rows = run(text, dict(parameters), write=write)
    write_rows(rows, format)
