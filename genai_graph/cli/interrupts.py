"""Ctrl-C and SIGTERM during a command."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143  # as shells report SIGINT and SIGTERM
_IS_TERMINATED = "genai_graph.is_terminated"
_IS_HANDLED = "genai_graph.is_handled"
_REPEAT_SECONDS = 0.01


@contextlib.contextmanager
def handle_sigterm(ctx: click.Context) -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, so that a command removes its temporary files.

    A second SIGTERM ends the process at once. An existing handler is left in place.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ctx.meta[_IS_TERMINATED] = True
        raise KeyboardInterrupt

    has_handler = signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    if has_handler or threading.current_thread() is not threading.main_thread():
        yield  # Python allows handlers in the main thread only
        return
    signal.signal(signal.SIGTERM, interrupt)
    ctx.meta[_IS_HANDLED] = True
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_at_sigterm(ctx: click.Context) -> None:
    """Let SIGTERM end the process at once, for the shell: it would catch the exception and go on.

    Python would also call the handler only after a wait that the signal has just preceded.
    """
    if ctx.meta.get(_IS_HANDLED):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def repeat_lost_interrupts() -> Iterator[None]:
    """Repeat a KeyboardInterrupt that was raised in a `__del__`, where Python only prints it.

    The driver's sessions have a `__del__`, and a load opens a session for each batch. If the
    constructor of a session is interrupted, the `__del__` of the incomplete session raises
    AttributeError, which is not printed.
    """
    previous = sys.unraisablehook

    def report(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Raised later, after this function has returned: here it would be lost, too.
            timer = threading.Timer(_REPEAT_SECONDS, _interrupt_main_thread)
            timer.daemon = True
            timer.start()
        elif not (issubclass(unraisable.exc_type, AttributeError) and _is_in_del(unraisable)):
            previous(unraisable)

    sys.unraisablehook = report
    try:
        yield
    except KeyboardInterrupt as error:
        # Incomplete objects in the frames are deleted now, while `report` is installed.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        sys.unraisablehook = previous


def _is_in_del(unraisable: sys.UnraisableHookArgs) -> bool:
    trace = unraisable.exc_traceback
    return trace is not None and trace.tb_frame.f_code.co_name == "__del__"


def _interrupt_main_thread() -> None:
    """Do what Ctrl-C does, also while the main thread waits for the server."""
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def exit_interrupted(ctx: click.Context) -> NoReturn:
    """Print whether the command was interrupted or terminated, and exit with the code for it."""
    is_terminated = _IS_TERMINATED in ctx.meta
    click.echo("terminated" if is_terminated else "interrupted", err=True)
    ctx.exit(EXIT_TERMINATED if is_terminated else EXIT_INTERRUPTED)
