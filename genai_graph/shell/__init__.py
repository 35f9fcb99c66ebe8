"""The interactive shell: Python with the graph at hand."""

from __future__ import annotations

import traceback
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import genai_graph
from genai_graph.database import Connection
from genai_graph.errors import GenaiGraphError, MissingExtraError

if TYPE_CHECKING:
    from genai_graph.database import Connection

_NAMES = (
    *("Dataset", "Experiment", "Metric", "Model", "Project"),
    *("ask", "atomic", "check", "dump", "errors", "load", "query", "verify"),
)


def namespace() -> dict[str, Any]:
    """Return the names that the shell begins with."""
    return {name: getattr(genai_graph, name) for name in _NAMES}


def banner(connection: Connection) -> str:
    """Return the line that says where the shell is connected, what it may and what it has."""
    limits = " (read-only)" * connection.read_only
    limits += " in a sandbox: nothing is kept" * (connection.sandbox is not None)
    return (
        f"genai_graph {genai_graph.__version__} on {connection.engine} at {connection.uri}{limits}"
        f"; at hand: {', '.join(_NAMES)}"
    )


def run(source: str, name: str = "<command>") -> None:
    """Run code in the shell's namespace; its own mistakes are shown as Python shows them."""
    try:
        # Without what this module takes from the future.
        code = compile(source, name, "exec", dont_inherit=True)
        exec(code, {"__name__": "__main__", **namespace()})
    except (GenaiGraphError, BrokenPipeError):  # the command line tells them, or need not
        raise
    except Exception as error:
        # Without the frame of this function; broken syntax has no other.
        below = error.__traceback__ and error.__traceback__.tb_next
        traceback.print_exception(type(error), error, below)
        raise SystemExit(1) from None


def interact(connection: Connection, interface: str | None = None) -> None:
    """Read code from the terminal until its end.

    Raises `MissingExtraError` when IPython is asked for and not installed.
    """
    has_ipython = find_spec("IPython") is not None
    if interface == "ipython" and not has_ipython:
        raise MissingExtraError("IPython", "shell")
    if interface == "python" or not has_ipython:
        from genai_graph.shell.python import interact
    else:
        from genai_graph.shell.ipython import interact
    interact(banner(connection), namespace())
