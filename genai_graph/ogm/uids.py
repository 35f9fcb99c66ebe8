"""Uids: readable keys derived from the names of a node, and reversible.

The parts of a uid are joined by a separator. The separator and ``%`` inside a part are escaped as
``%XX``, so that different names never yield the same uid.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile("%(25|2F|40)")


def join_parts(parts: list[str], separator: str) -> str:
    """Join parts to a uid."""
    code = f"%{ord(separator):02X}"
    return separator.join(escape_part(part).replace(separator, code) for part in parts)


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


def metric_uid(experiment: str, name: str, dataset: str | None, split: str | None) -> str:
    """Return ``experiment/name[/dataset[/split]]``; a split without a dataset follows ``//``."""
    parts = [experiment, name]
    if dataset is not None or split is not None:
        parts.append(dataset or "")
    if split is not None:
        parts.append(split)
    return join_parts(parts, "/")
