"""The shell in IPython.

In a notebook, ``%load_ext genai_graph.shell.ipython`` adds completion from the graph.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import IPython
from IPython.core.completer import SimpleCompletion, context_matcher
from traitlets.config import Config

from genai_graph.database.settings import read_settings
from genai_graph.errors import GenaiGraphError
from genai_graph.server.locks import open_private
from genai_graph.shell.completion import complete

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell


def interact(banner: str, namespace: dict[str, Any]) -> None:
    """Read and run code until end of file."""
    config = Config()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    config.TerminalInteractiveShell.confirm_exit = False
    config.InteractiveShellApp.extensions = [__name__]
    history = _create_history_file()
    if history is None:
        config.HistoryManager.enabled = False
    else:
        config.HistoryManager.hist_file = str(history)
    start: Any = IPython.start_ipython
    start(argv=[], user_ns=namespace, config=config)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add completion from the graph, and show errors of the package on one line."""
    shell.Completer.custom_matchers.append(_match)
    # The message is sufficient for these: their frames are inside the package.
    errors = (GenaiGraphError, KeyboardInterrupt)
    shell.set_custom_exc(errors, _show_error)  # type: ignore[no-untyped-call,unused-ignore]


def _create_history_file() -> Path | None:
    """Create a history file that only its owner can read: input may contain secrets."""
    file = read_settings().home / "shell-history.sqlite"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(open_private(file))
    except OSError as error:
        print(f"history is not saved: {file}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return None
    return file


@context_matcher()  # type: ignore[untyped-decorator,unused-ignore]
def _match(context: CompletionContext) -> SimpleMatcherResult:
    before = context.full_text.splitlines()[: context.cursor_line]
    shell = IPython.get_ipython()
    variables = {} if shell is None else shell.user_ns
    completion = complete("\n".join([*before, context.text_until_cursor]), variables)
    if completion is None:
        return {"completions": []}
    return {
        "completions": [SimpleCompletion(text, type="graph") for text in completion.candidates],
        "matched_fragment": completion.fragment,
        "suppress": True,
    }


def _show_error(
    shell: InteractiveShell,
    error_type: type[BaseException],
    error: BaseException,
    frames: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Print the class and the message of an error, and keep its traceback for `%tb`."""
    sys.last_type, sys.last_value, sys.last_traceback = error_type, error, frames
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    print(f"{error_type.__name__}: {error}".removesuffix(": "), file=sys.stderr)  # noqa: T201
