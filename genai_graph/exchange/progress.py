"""Progress callbacks of long operations."""

from __future__ import annotations


class Progress:
    """Progress callbacks; the default does nothing."""

    def say(self, text: str) -> None:
        """Show a message that the user needs before or after a stage."""

    def start(self, stage: str, total: int | None, unit: str = "") -> None:
        """Start a stage of `total` bytes or rows; None is unknown.

        With a `unit`, such as "runs", items are counted, and their rate is shown.
        """

    def advance(self, amount: int) -> None:
        """Advance the current stage."""


NO_PROGRESS = Progress()
