"""Uids: readable keys derived from the names of a node, and reversible.

The parts of a uid are joined by a separator. The separator and ``%`` inside a part are escaped as
``%XX``, so that different names never yield the same uid.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_EMPTY = "%"  # an empty split before a model; not an escape, which has two hex digits
_ESCAPE = re.compile("%(25|2F|40)")


def join_parts(parts: list[str], separator: str) -> str:
    """Join parts to a uid."""
    return separator.join([_escape(part, separator) for part in parts])


@lru_cache(maxsize=4096)
def _escape(part: str, separator: str) -> str:
    return escape_part(part).replace(separator, f"%{ord(separator):02X}")


def split_uid(uid: str, separator: str) -> list[str]:
    """Split a uid into its parts: the inverse of `join_parts`."""
    return [unescape_part(part) for part in uid.split(separator)]


def escape_part(part: str) -> str:
    """Escape ``%``."""
    return part.replace("%", "%25")


def unescape_part(part: str) -> str:
    """Undo the escapes of `join_parts`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), part)


def versioned_uid(name: str, version: str | None) -> str:
    """Return the uid ``name[@version]``."""
    return join_parts([name] if version is None else [name, version], "@")


def parse_versioned_uid(uid: str) -> dict[str, str]:
    """Return the name, and the version if there is one."""
    name, *version = uid.split("@", 1)
    fields = {"name": unescape_part(name)}
    if version:
        fields["version"] = unescape_part(version[0])
    return fields


class MetricKey(NamedTuple):
    """The identity of a metric; `experiment`, `dataset` and `model` are uids."""

    experiment: str
    name: str
    dataset: str | None = None
    split: str | None = None
    model: str | None = None


def metric_uid(
    experiment: str, name: str, dataset: str | None, split: str | None, model: str | None = None
) -> str:
    """Return ``experiment/name[/dataset[/split[/model]]]``.

    A part that is missing before another one is empty: ``experiment/name//split``. An empty split
    before a model is ``%``, because a missing one is empty.
    """
    parts = [experiment, name]
    if (dataset, split, model) != (None, None, None):
        parts.append(dataset or "")
    if (split, model) != (None, None):
        parts.append(split or "")
    if model is None:
        return join_parts(parts, "/")
    start = join_parts(parts, "/")
    return f"{start}{_EMPTY if split == '' else ''}/{join_parts([model], '/')}"


def parse_metric_uid(uid: str) -> MetricKey | None:
    """Return the parts of a derived uid, or None for any other uid: the inverse of `metric_uid`."""
    escaped = uid.split("/")
    if not 2 <= len(escaped) <= 5:
        return None
    # A uid is parsed for each metric of a load, and few contain escapes.
    experiment, name, *optional = map(unescape_part, escaped) if "%" in uid else escaped
    dataset, split, model = [*optional, None, None, None][:3]
    if len(escaped) == 5:
        split = "" if escaped[3] == _EMPTY else split or None
    return MetricKey(experiment, name, dataset or None, split, model or None)
