"""The shell in IPython; in a notebook, ``%load_ext genai_graph.shell.ipython`` completes too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import IPython
from IPython.core.completer import SimpleCompletion, context_matcher
from traitlets.config import Config

from genai_graph.shell.completion import complete
from genai_graph.shell.history import history_file
from genai_graph.shell.reporting import PLAIN, line_for, remember

if TYPE_CHECKING:
    from types import TracebackType

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell


def interact(banner: str, namespace: dict[str, Any]) -> None:
    """Read code until its end."""
    config = Config()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    config.TerminalInteractiveShell.confirm_exit = False
    config.InteractiveShellApp.extensions = [__name__]
    history = history_file("shell-history.sqlite")
    if history is None:
        config.HistoryManager.enabled = False
    else:
        config.HistoryManager.hist_file = str(history)
    start: Any = IPython.start_ipython
    start(argv=[], user_ns=namespace, config=config)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Complete what the graph has, and show errors of the package in one line."""
    shell.Completer.custom_matchers.append(_matches)
    shell.set_custom_exc(PLAIN, _show)  # type: ignore[no-untyped-call,unused-ignore]


@context_matcher()  # type: ignore[untyped-decorator,unused-ignore]
def _matches(context: CompletionContext) -> SimpleMatcherResult:
    before = context.full_text.splitlines()[: context.cursor_line]
    found = complete("\n".join([*before, context.text_until_cursor]))
    if found is None:
        return {"completions": []}
    return {
        "completions": [SimpleCompletion(text, type="graph") for text in found.candidates],
        "matched_fragment": found.fragment,
        "suppress": True,
    }


def _show(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    frames: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    remember(error, frames)
    print(line_for(error), file=sys.stderr)  # noqa: T201
