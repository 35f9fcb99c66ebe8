"""Times in the texts of a source, and the options ``--since`` and ``--until``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from genai_graph.errors import SettingsError
from genai_graph.properties.messages import describe

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
# Dates in the order of ISO 8601 only: 01/02/2026 is a day in January or in February.
_TIME = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<sep>[-/])(?P<month>[0-9]{1,2})(?P=sep)(?P<day>[0-9]{1,2})"
    r"|(?P<mm>[0-9]{2})(?P<dd>[0-9]{2}))"
    r"(?:[Tt ]\s*(?P<hour>[0-9]{1,2}):?(?P<minute>[0-9]{2})"
    r"(?::?(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r"(?:\s*(?P<utc>Z|UTC|GMT)|\s*(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)?)?\Z",
    re.IGNORECASE | re.ASCII,
)
_EPOCH_TIME = re.compile(r"([0-9]{9,19})(?:[.,]([0-9]*))?\Z", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|min|h|d)\Z", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(
    r"(?:([0-9]+) days?,? )?([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)\Z", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Seconds since 1970 of the years 1990 to 2100: no number is in this range in two units.
_FIRST_EPOCH, _LAST_EPOCH = 631_152_000, 4_102_444_800
FILTERED = "filtered out"


def parse_time(text: str) -> datetime | None:
    """Return a time such as 2026-03-01T09:00:00Z or a date, or None for any other text.

    The result has the time zone of the text, if any.
    """
    found = _TIME.match(text.strip())
    if found is None:
        return None
    zone = timezone.utc if found["utc"] else None
    try:
        if found["sign"]:
            offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
            zone = timezone(-offset if found["sign"] == "-" else offset)
        return datetime(
            int(found["year"]),
            int(found["month"] or found["mm"]),
            int(found["day"] or found["dd"]),
            int(found["hour"] or 0),
            int(found["minute"] or 0),
            int(found["second"] or 0),
            int((found["fraction"] or "0").ljust(6, "0")[:6]),
            zone,
        )
    except ValueError:
        return None


def parse_epoch(text: str) -> datetime | None:
    """Return the time of a number of s, ms, µs or ns since 1970, or None for any other text.

    The unit is that in which the time is in the years 1990 to 2099.
    """
    found = _EPOCH_TIME.match(text.strip())
    if found is None:
        return None
    number = int(found[1])
    for unit in (1, 10**3, 10**6, 10**9):
        if _FIRST_EPOCH <= number // unit < _LAST_EPOCH:
            fraction = int((found[2] or "0").ljust(6, "0")[:6])
            microseconds = (number * 10**6 + fraction) // unit
            return _EPOCH + timedelta(microseconds=microseconds)
    return None


def parse_duration(text: str) -> float | None:
    """Return the seconds of a duration such as ``3.4min`` or ``0:01:30``, or None."""
    if found := _DURATION.match(text):
        return float(found[1]) * _UNITS[found[2].lower()]
    if found := _CLOCK.match(text):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return days * _UNITS["d"] + hours * _UNITS["h"] + minutes * _UNITS["min"] + seconds
    return None


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
    moment = parse_time(value) if isinstance(value, str) else value
    if isinstance(value, str) and moment is not None and _DATE.match(value.strip()):
        moment = moment.replace(tzinfo=timezone.utc)
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise SettingsError(
            f"{name}: expected a date or a time with a time zone, such as 2026-03-01T09:00:00Z, "
            f"got {describe(value)}"
        )
    return moment
