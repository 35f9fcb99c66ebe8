"""The report of an import: a load report, with the items of the source and those skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from genai_graph.errors import escape_unprintable
from genai_graph.exchange import Report
from genai_graph.importers.records import Notice, Read, Skipped, SourceInfo, Written

_MAX_MESSAGES = 10_000  # a table may have a problem in each of millions of rows


@dataclass
class ImportReport(Report):
    """The result of an import: the counts of `Report`, and those of the items of the source.

    `read` and `written` count items by their sort, such as "runs"; `skipped` counts the others by
    sort and reason: ``report.skipped["runs"]["deleted"]``. Every item read is written or skipped.
    `messages` has a line for each item that can't be imported and for each remark; those after the
    first 10,000 are only counted, in `omitted_messages`. `pruned` has a line for each item that was
    deleted or, in a dry run, would be deleted.
    """

    sources: list[SourceInfo] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Counter[str]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    omitted_messages: int = 0
    pruned: list[str] = field(default_factory=list)

    def add(self, record: Read | Written | Skipped | Notice | SourceInfo) -> None:
        """Count items, or add a message."""
        if isinstance(record, Read):
            self.read[record.item] += record.count
        elif isinstance(record, Written):
            self.written[record.item] += record.count
        elif isinstance(record, SourceInfo):
            self.sources.append(record)
        else:
            if isinstance(record, Skipped):
                self.skipped.setdefault(record.item, Counter())[record.reason] += record.count
            if record.message:
                self.add_message(str(record))

    def add_message(self, text: str) -> None:
        """Add a message, unless it repeats one of the last 100."""
        if text in self.messages[-100:]:
            return
        if len(self.messages) < _MAX_MESSAGES:
            self.messages.append(text)
        else:
            self.omitted_messages += 1

    @property
    def summary(self) -> str:
        """One line for the sources: the numbers of items written, read, and skipped by reason."""
        items = [self._describe(item) for item in self.read]
        titles = escape_unprintable(", ".join(source.title for source in self.sources))
        return f"{titles}: {', '.join(items) or 'nothing to import'}"

    def _describe(self, item: str) -> str:
        read, written = self.read[item], self.written[item]
        if read == written:
            return f"{read:,} {item}"
        reasons = self.skipped.get(item, Counter())
        listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        return f"{written:,} of {read:,} {item} ({listed})"

    def __str__(self) -> str:
        return f"{self.summary}\n{super().__str__()}"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-compatible values."""
        return {
            "sources": [{"title": source.title, **source.details} for source in self.sources],
            "read": dict(self.read),
            "written": dict(self.written),
            "skipped": {item: dict(reasons) for item, reasons in self.skipped.items()},
            "messages": self.messages,
            "omitted_messages": self.omitted_messages,
            "pruned": self.pruned,
            **super().as_dict(),
        }
