"""The ``verify`` command."""

from __future__ import annotations

import json

import click


@click.command()
@click.option(
    "--allow",
    metavar="SUBJECT",
    multiple=True,
    help="Skip data of another application: a property such as Dataset.reviewed, an edge such as "
    "'Dataset-HAS->Review', or the name of an index. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each finding as a line of JSON.")
def verify(allow: tuple[str, ...], as_json: bool) -> None:
    """Report constraint violations with fixes.

    Finds missing and invalid values, undeclared properties, duplicate uids, edges and metrics,
    metrics without an experiment, edges between the wrong labels, cycles, and differences in the
    schema. Nodes with other labels are ignored, unless they look like nodes of a class that is not
    loaded (see GENAI_GRAPH_MODELS). The graph is not changed. Exits with 1 if there are findings.
    """
    from genai_graph import verify as iter_findings
    from genai_graph.cli.connecting import connect

    count = 0
    with connect():
        for finding in iter_findings(allowed=allow):
            count += 1
            line = json.dumps(finding.as_dict(), ensure_ascii=False) if as_json else str(finding)
            click.echo(line)
    click.echo(f"{count or 'no'} finding{'' if count == 1 else 's'}", err=True)
    if count:
        raise SystemExit(1)
