"""The command line: thin commands over the library.

The modules here import click and nothing heavier at their top, so that ``--help`` is quick; what a
command needs is imported when it runs.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from genai_graph import __version__
from genai_graph.cli.access_commands import access
from genai_graph.cli.ask import ask
from genai_graph.cli.load_dump import check, dump, load
from genai_graph.cli.query import query
from genai_graph.cli.schema_commands import schema
from genai_graph.cli.server import server
from genai_graph.cli.shell import shell
from genai_graph.cli.show import impact, lineage, show
from genai_graph.cli.status_clear import clear, status
from genai_graph.cli.verify import verify
from genai_graph.errors import GenaiGraphError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
_TERMINATED = "genai_graph.terminated"


class Commands(click.Group):
    """The commands; an error of the package is told in its own words and ends with 1."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line with UTF-8 on its streams, whatever the locale."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and write out what it printed."""
        try:
            with _terminated_as_interrupted(ctx), _lost_interrupts_come_again():
                result = super().invoke(ctx)
                sys.stdout.flush()
                return result
        except GenaiGraphError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            _interrupted(ctx)
        except click.Abort as abort:
            if isinstance(abort.__context__, KeyboardInterrupt):  # at a question
                _interrupted(ctx)
            raise
        except OSError as error:
            _drop_stdout()
            if error.errno != errno.EPIPE:  # else the reader went away, and knows
                click.echo(f"the output can't be written: {error.strerror}", err=True)
            ctx.exit(1)


@contextlib.contextmanager
def _terminated_as_interrupted(ctx: click.Context) -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that it leaves no files behind.

    The shell, which goes on after Ctrl-C, ends at once, and so does what is told a second time. Who
    started the command may have its own way with SIGTERM.
    """

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if ctx.invoked_subcommand == "shell":
            signal.raise_signal(number)
        ctx.meta[_TERMINATED] = True
        raise KeyboardInterrupt

    is_ours = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not is_ours or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def _lost_interrupts_come_again() -> Iterator[None]:
    """Let a Ctrl-C come again that came in a finalizer, where Python tells it and goes on."""
    before = sys.unraisablehook

    def heard(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        again = threading.Timer(0.01, _interrupt)  # once this function is left
        again.daemon = True
        again.start()

    sys.unraisablehook = heard
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    """Do to the main thread what Ctrl-C does, also where it waits."""
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _interrupted(ctx: click.Context) -> None:
    is_terminated = _TERMINATED in ctx.meta
    click.echo("terminated" if is_terminated else "interrupted", err=True)
    ctx.exit(TERMINATED if is_terminated else INTERRUPTED)


def _drop_stdout() -> None:
    """Let Python write what is left into nothing at its end, instead of failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="genai-graph")
def main() -> None:
    """The metadata graph of machine-learning work.

    Where the graph lives: NEO4J_URI, NEO4J_USERNAME, NEO4J_PASSWORD (or NEO4J_PASSWORD_FILE),
    NEO4J_DATABASE, or the same in a .env file. Without NEO4J_URI it is the embedded engine, in
    the folder GENAI_GRAPH_HOME.
    """


_COMMANDS = (
    access,
    ask,
    check,
    clear,
    dump,
    impact,
    lineage,
    load,
    query,
    schema,
    server,
    shell,
    show,
    status,
    verify,
)
for _command in _COMMANDS:
    main.add_command(_command)
