"""The shell in Python's own interpreter, where IPython is not installed."""

from __future__ import annotations

import code
import contextlib
import rlcompleter
import sys
from typing import TYPE_CHECKING, Any

from genai_graph.shell.completion import complete
from genai_graph.shell.history import LENGTH, history_file
from genai_graph.shell.reporting import PLAIN, line_for, remember

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


def interact(banner: str, namespace: dict[str, Any]) -> None:
    """Read code until its end."""
    console = _Console(namespace)
    with _line_editing(console):
        console.interact(banner, exitmsg="")


class _Console(code.InteractiveConsole):
    def showtraceback(self) -> None:
        """Show an error of the package in one line, and others as Python shows them."""
        _, error, frames = sys.exc_info()
        if isinstance(error, PLAIN):
            remember(error, frames)
            self.write(f"{line_for(error)}\n")
        else:
            super().showtraceback()


@contextlib.contextmanager
def _line_editing(console: _Console) -> Iterator[None]:
    """Complete with Tab and keep the history, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    history = history_file("shell-history")
    readline.clear_history()
    if history is not None:
        readline.read_history_file(history)
    readline.set_completer(_Completer(console, readline))
    is_editline = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if is_editline else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(None)
        if history is not None:
            readline.set_history_length(LENGTH)
            readline.write_history_file(history)


class _Completer:
    """What readline asks for one match after the other."""

    def __init__(self, console: _Console, readline: ModuleType) -> None:
        self._console = console
        self._readline = readline
        self._python = rlcompleter.Completer(console.locals)
        self._ours: list[str] | None = None

    def __call__(self, text: str, state: int) -> str | None:
        if state == 0:
            self._ours = self._matches(text)
        if self._ours is None:
            return self._python.complete(text, state)
        return self._ours[state] if state < len(self._ours) else None

    def _matches(self, text: str) -> list[str] | None:
        line = self._readline.get_line_buffer()[: self._readline.get_endidx()]
        found = complete("\n".join([*self._console.buffer, line]))
        if found is None:
            return None
        # readline's word begins behind the last of many signs, a uid may begin before it.
        cut = len(found.fragment) - len(text)
        matches = [candidate[cut:] for candidate in found.candidates]
        return matches if found.is_whole else [*matches, text]  # else it fills in too much
