"""verify."""

from __future__ import annotations

import json

import click


@click.command()
@click.option(
    "--allow",
    metavar="SUBJECT",
    multiple=True,
    help="Leave out what another program keeps here: a property such as Dataset.reviewed, an edge "
    "such as 'Dataset-HAS->Review', or an index by its name. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Each finding as JSON, one a line.")
def verify(allow: tuple[str, ...], as_json: bool) -> None:
    """Look for what the database can't enforce: each finding with its cure; any ends with 1.

    Missing and wrong values, undeclared properties, repeated uids and edges, a metric without its
    one experiment, two metrics that are one, edges between the wrong labels, circles, a wrong
    schema. Nodes of other labels, and other labels on our nodes, are left alone. It only reads.
    """
    from genai_graph import verify as look_through
    from genai_graph.cli.connecting import connect

    count = 0
    with connect():
        for finding in look_through(allowed=allow):
            count += 1
            told = json.dumps(finding.as_dict(), ensure_ascii=False) if as_json else str(finding)
            click.echo(told)
    click.echo(f"{count or 'no'} finding{'' if count == 1 else 's'}", err=True)
    if count:
        raise SystemExit(1)
