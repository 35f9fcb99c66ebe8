"""The commands of the group runs."""

from __future__ import annotations

import click

from genai_graph.cli.connecting import connect
from genai_graph.cli.output import format_option, write_rows
from genai_graph.errors import GenaiGraphError


@click.group()
def runs() -> None:
    """Send recorded runs to the graph or list them.

    start_run() writes a journal on this machine and sends it to the graph in the background. The
    journals are in the directory runs of GENAI_GRAPH_HOME.
    """


@runs.command("list")
@format_option
def list_(format: str | None) -> None:
    """List the journals on this machine.

    The column unsent is the number of bytes that are not in the graph yet.
    """
    from genai_graph import models  # noqa: F401  (registers the node classes)
    from genai_graph.runs.summary import list_journals

    columns = ("run", "name", "process", "bytes", "unsent", "written_at", "journal")
    write_rows(list_journals(), format, columns)


@runs.command()
@click.argument("uids", metavar="[RUN]...", nargs=-1)
@click.option("--again", is_flag=True, help="Send all data, including data that was sent before.")
def sync(uids: tuple[str, ...], again: bool) -> None:
    """Send unsent data of runs to the graph.

    RUN is the uid of a run; the default is all runs on this machine. A run whose process ended
    without finishing it becomes KILLED. Sending again changes nothing, and may be interrupted.
    Exits with 1 if a journal can't be sent.
    """
    from genai_graph import models  # noqa: F401  (registers the node classes)
    from genai_graph.runs.journal_files import find_journals
    from genai_graph.runs.sending import send_journal
    from genai_graph.runs.summary import find_run

    journals = [journal for uid in uids for journal in find_run(uid)] if uids else find_journals()
    failed = False
    with connect():
        for journal in journals:
            try:
                lines = send_journal(journal, again=again)
            except GenaiGraphError as error:
                failed = True
                click.echo(f"{journal.uid}: {error}", err=True)
                continue
            if lines is None:
                click.echo(f"{journal.uid}: is being sent by another process", err=True)
            elif lines:
                click.echo(f"{journal.uid}: sent {lines:,} line{'s' * (lines != 1)}", err=True)
    if failed:
        click.get_current_context().exit(1)


@runs.command()
@click.argument("uid", metavar="RUN")
@format_option
def show(uid: str, format: str | None) -> None:
    """Show a run as recorded in its journals.

    Prints the values of the Experiment, and the metrics with their numbers of points, from the
    journals on this machine and without a database.
    """
    from genai_graph import models  # noqa: F401  (registers the node classes)
    from genai_graph.formatting import to_json, to_text
    from genai_graph.runs.summary import describe_run

    found = describe_run(uid)
    if format == "json":
        click.echo(to_json(found))
        return
    metrics = found.pop("metrics")
    for name, value in found.items():
        click.echo(f"{name}: {to_text(value)}", err=True)
    write_rows(metrics, format, ("metric", "points", "step", "value"))


@runs.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def clean(yes: bool) -> None:
    """Delete journals that were sent completely.

    Journals that are not completely in the graph, and those of running processes, are kept.
    """
    from genai_graph import models  # noqa: F401  (registers the node classes)
    from genai_graph.runs.journal_files import find_journals
    from genai_graph.runs.summary import is_complete

    complete = [journal for journal in find_journals() if is_complete(journal)]
    if not complete:
        click.echo("nothing to delete", err=True)
        return
    number = f"{len(complete):,} journal{'s' * (len(complete) != 1)}"
    if not yes:
        click.confirm(f"Delete {number} already in the graph?", abort=True, err=True)
    for journal in complete:
        journal.delete()
    click.echo(f"deleted {number}", err=True)
