"""The interactive shell: Python with a connection and the names of the package."""

from __future__ import annotations

import builtins
import code
import contextlib
import sys
import traceback
from datetime import date, datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genai_graph
from genai_graph.errors import GenaiGraphError, SettingsError
from genai_graph.registry import NODES

if TYPE_CHECKING:
    from types import TracebackType

    from genai_graph.database import Connection
    from genai_graph.ogm.node import Node
    from genai_graph.pictures.subgraph import Subgraph

_AGGREGATES = ("Avg", "Count", "Max", "Min", "Sum")
_NAMES = ("Q", "ask", "atomic", "check", "clear", "dump", "errors", "load", "query", "verify")
_TIMES = {"date": date, "datetime": datetime, "timedelta": timedelta, "timezone": timezone}


def show(node: Node, *, depth: int = 1) -> Subgraph:
    """Return everything within `depth` edges of a node, which is displayed as a tree."""
    return node.neighbourhood(depth=depth)


def build_namespace() -> dict[str, Any]:
    """Return the names that are defined when the shell starts."""
    return {
        **{label: NODES[label] for label in sorted(NODES)},
        **{name: getattr(genai_graph, name) for name in (*_NAMES, *_AGGREGATES)},
        **_TIMES,
        "show": show,
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


def run_file(path: Path) -> None:
    """Run a file as `run` does, with its directory as the first one that Python searches."""
    try:
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text: save it as UTF-8") from None
    sys.path.insert(0, str(path.parent.resolve()))
    run(source, str(path))


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
        sys.displayhook, sys.excepthook = _display, _show_error
        code.interact(banner, local=namespace, exitmsg="")


class _Printer:
    """The part of IPython's printer that objects of the package use."""

    stack = (None,)

    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(self, text: str) -> None:
        self.parts.append(text)


def _display(value: object) -> None:
    """Show a value as IPython does: sets and answers as tables, subgraphs as trees."""
    show_pretty = getattr(type(value), "_repr_pretty_", None)
    if show_pretty is None:
        sys.__displayhook__(value)
        return
    builtins._ = value  # type: ignore[attr-defined]
    printer = _Printer()
    show_pretty(value, printer, False)
    print("".join(printer.parts))  # noqa: T201


def _show_error(
    error_type: type[BaseException], error: BaseException, frames: TracebackType | None
) -> None:
    """Print an error of the package as one line, and others with their traceback."""
    if isinstance(error, GenaiGraphError):
        print(f"{error_type.__name__}: {error}", file=sys.stderr)  # noqa: T201
    else:
        sys.__excepthook__(error_type, error, frames)
