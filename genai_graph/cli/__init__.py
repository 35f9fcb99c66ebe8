"""The command line: thin commands over the library.

The modules of this package import click and the standard library at their top, and everything else
when a command runs, so that ``--help`` is fast.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from genai_graph import __version__
from genai_graph.cli.access_commands import access
from genai_graph.cli.ask import ask
from genai_graph.cli.compare import compare
from genai_graph.cli.import_command import import_
from genai_graph.cli.interrupts import exit_interrupted, handle_sigterm, repeat_lost_interrupts
from genai_graph.cli.load_dump import check, dump, load
from genai_graph.cli.query import query
from genai_graph.cli.runs_commands import runs
from genai_graph.cli.schema_commands import schema
from genai_graph.cli.search import search
from genai_graph.cli.server import server
from genai_graph.cli.shell import shell
from genai_graph.cli.show import impact, lineage, show
from genai_graph.cli.status_clear import clear, status
from genai_graph.cli.verify import verify
from genai_graph.errors import GenaiGraphError


class ErrorReportingGroup(click.Group):
    """A group that prints errors of the package as messages, and sets the exit codes."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line with UTF-8 streams, independent of the locale."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and flush its output."""
        try:
            with handle_sigterm(ctx), repeat_lost_interrupts():
                result = super().invoke(ctx)
                sys.stdout.flush()  # not at exit, so that a failure is reported below
                return result
        except GenaiGraphError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            exit_interrupted(ctx)
        except click.Abort as abort:
            # click raises it for Ctrl-C at a prompt, and for the answer "no".
            if isinstance(abort.__context__, KeyboardInterrupt):
                exit_interrupted(ctx)
            raise
        except OSError as error:
            # Redirect stdout, or Python fails again when it flushes the rest at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno != errno.EPIPE:  # a closed pipe is normal, as in `... | head`
                click.echo(f"the output can't be written: {error.strerror}", err=True)
            ctx.exit(1)


@click.group(cls=ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="genai-graph")
def main() -> None:
    """Manage the metadata graph of machine-learning work.

    The environment, or a .env file, selects the database: NEO4J_URI, NEO4J_USERNAME,
    NEO4J_PASSWORD or NEO4J_PASSWORD_FILE, and NEO4J_DATABASE. Without NEO4J_URI, it is a managed
    engine (GENAI_GRAPH_ENGINE), with its data in the directory GENAI_GRAPH_HOME.
    """


_COMMANDS = (
    *(search, compare, ask, query, shell, show, lineage, impact),
    *(load, import_, check, dump, clear, verify, status),
    *(runs, access, schema, server),
)
for _command in _COMMANDS:
    main.add_command(_command)
