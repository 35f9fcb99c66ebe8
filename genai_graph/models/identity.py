"""The uid: readable, derived from what names a thing, and reversible.

The parts are joined by a separator; the separator and ``%`` inside a part are escaped as ``%XX``,
so that two different things never share a uid.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile("%(25|2F|40)")


def join(parts: list[str], separator: str) -> str:
    """Join parts into a uid."""
    code = f"%{ord(separator):02X}"
    return separator.join(escape(part).replace(separator, code) for part in parts)


def escape(part: str) -> str:
    """Escape the escape sign."""
    return part.replace("%", "%25")


def split(uid: str, separator: str) -> list[str]:
    """Split a uid into its parts; the inverse of `join`."""
    return [unescape(part) for part in uid.split(separator)]


def unescape(part: str) -> str:
    """Undo the escapes of `join`."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), part)


def versioned(name: str, version: str | None) -> str:
    """Return the uid ``name[@version]``."""
    return join([name] if version is None else [name, version], "@")


def unversioned(uid: str) -> dict[str, str]:
    """Return the name and, where there is one, the version that a uid says."""
    name, *version = uid.split("@", 1)
    named = {"name": unescape(name)}
    if version:
        named["version"] = unescape(version[0])
    return named


def metric(experiment: str, name: str, dataset: str | None, split: str | None) -> str:
    """Return the uid ``experiment/name[/dataset[/split]]``; an inner empty part is kept."""
    parts = [experiment, name]
    if dataset is not None or split is not None:
        parts.append(dataset or "")
    if split is not None:
        parts.append(split)
    return join(parts, "/")
