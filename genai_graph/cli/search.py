"""The ``search`` command."""

from __future__ import annotations

import re

import click

from genai_graph.cli.output import format_option, write_rows

# The kinds of `genai_graph.search`; repeated because its import would slow down --help.
_KINDS = ("experiments", "models", "datasets", "projects", "metrics")


@click.command()
@click.argument("words", nargs=-1, metavar="[KIND] [EXPRESSION]")
@click.option(
    "--order-by",
    multiple=True,
    metavar="KEY",
    help="Sort key, such as 'metrics.accuracy DESC'. May be repeated.",
)
@click.option(
    "--columns", metavar="KEYS", help="Keys of the columns, comma-separated. Default: all."
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Maximum number of rows; 0 means no limit.",
)
@format_option
def search(
    words: tuple[str, ...],
    order_by: tuple[str, ...],
    columns: str | None,
    limit: int,
    format: str | None,
) -> None:
    """Find experiments and other nodes.

    KIND is experiments (the default), models, datasets, projects or metrics. EXPRESSION is a
    condition such as "metrics.accuracy > 0.9 AND parameters.lr < 0.02"; without it, all nodes of
    the kind are listed. The filter strings of MLflow are valid expressions.
    """
    from genai_graph import registry
    from genai_graph import search as run
    from genai_graph.cli.connecting import connect
    from genai_graph.searches.results import unknown_kind

    kind, *rest = words if words and words[0] in _KINDS else (_KINDS[0], *words)
    if 0 < len(rest) == len(words) < 3 and words[0].isidentifier():  # never an expression
        registry.close()
        raise click.UsageError(unknown_kind(words[0]))
    if len(rest) > 1:
        raise click.UsageError(
            f"expected one EXPRESSION, got {len(rest)}: quote it, and KIND is one of "
            + ", ".join(_KINDS)
        )
    expression = "".join(rest)
    names = None if columns is None else [name.strip() for name in _split(columns)]
    with connect():
        found = run(expression, kind=kind, order_by=order_by, columns=names, limit=limit)
    write_rows(list(found), format, found.columns)


def _split(columns: str) -> list[str]:
    """Split column keys at commas that are not inside quoted names."""
    return re.findall(r"""(?:^|,)((?:[^,`"]|`[^`]*`|"[^"]*"|[`"])*)""", columns)
