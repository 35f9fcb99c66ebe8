"""What a long load or dump tells while it runs."""

from __future__ import annotations


class Progress:
    """Hears what a load or a dump is at; this one keeps quiet, others override what they show."""

    def say(self, text: str) -> None:
        """Hear something that a user should know before it happens, or when it went wrong."""

    def start(self, stage: str, total: int) -> None:
        """Hear that a stage begins, and how large it is (bytes, or rows)."""

    def advance(self, amount: int) -> None:
        """Hear that a part of the stage is done."""


NO_PROGRESS = Progress()
