"""The interactive shell: Python with a connection and the names of the package."""

from __future__ import annotations

import code
import contextlib
import traceback
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import genai_graph
from genai_graph.errors import GenaiGraphError
from genai_graph.registry import NODES

if TYPE_CHECKING:
    from genai_graph.database import Connection

_NAMES = ("ask", "atomic", "check", "dump", "errors", "load", "query", "verify")


def build_namespace() -> dict[str, Any]:
    """Return the names that are defined when the shell starts."""
    return {
        **{label: NODES[label] for label in sorted(NODES)},
        **{name: getattr(genai_graph, name) for name in _NAMES},
    }


def build_banner(connection: Connection) -> str:
    """Return the text shown at the start: the connection, its restrictions, the defined names."""
    restrictions = " (read-only)" if connection.read_only else ""
    restrictions += " (sandbox: rolled back at the end)" if connection.sandbox else ""
    return (
        f"genai_graph {genai_graph.__version__} on {connection.engine} at {connection.uri}"
        f"{restrictions}\nDefined: {', '.join(build_namespace())}"
    )


def run(source: str, name: str = "<command>") -> None:
    """Run code in the namespace of the shell; print a traceback and exit with 1 if it fails."""
    try:
        # `dont_inherit`: the `from __future__` imports of this module don't apply to the code.
        compiled = compile(source, name, "exec", dont_inherit=True)
        exec(compiled, {"__name__": "__main__", **build_namespace()})
    except (GenaiGraphError, BrokenPipeError):
        raise  # the command line reports them
    except Exception as error:
        # Omit the frame of this function. A syntax error has no other frame.
        frames = error.__traceback__ and error.__traceback__.tb_next
        traceback.print_exception(type(error), error, frames)
        raise SystemExit(1) from None


def interact(connection: Connection) -> None:
    """Read and run code from the terminal, in IPython if it is installed, until end of file."""
    banner, namespace = build_banner(connection), build_namespace()
    if find_spec("IPython") is not None:
        from genai_graph.shell import ipython

        ipython.interact(banner, namespace)
    else:
        with contextlib.suppress(ImportError):  # Windows has no readline
            import readline
            from rlcompleter import Completer

            readline.set_completer(Completer(namespace).complete)
            readline.parse_and_bind("tab: complete")
        code.interact(banner, local=namespace, exitmsg="")
