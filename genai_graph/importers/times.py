"""Ranges of time: the options ``--since`` and ``--until``."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from genai_graph.errors import SettingsError
from genai_graph.properties.messages import describe

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
FILTERED = "filtered out"


class TimeRange:
    """A range of start times, from `since` (inclusive) to `until` (exclusive).

    Each is a time with a time zone, or a date in UTC. Raises `SettingsError`.
    """

    def __init__(self, since: Any = None, until: Any = None) -> None:
        self._since = _parse("since", since)
        self._until = _parse("until", until)

    def __bool__(self) -> bool:
        return self._since is not None or self._until is not None

    def __contains__(self, moment: datetime | None) -> bool:
        if not self:
            return True
        if moment is None:
            return False
        is_late_enough = self._since is None or moment >= self._since
        return is_late_enough and (self._until is None or moment < self._until)


def _parse(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    moment = value
    if isinstance(value, str):
        text = value.strip()
        try:
            moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
        except ValueError:
            moment = None
        if moment is not None and _DATE.match(text):
            moment = moment.replace(tzinfo=timezone.utc)
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise SettingsError(
            f"{name}: expected a date or a time with a time zone, such as 2026-03-01T09:00:00Z, "
            f"got {describe(value)}"
        )
    return moment
