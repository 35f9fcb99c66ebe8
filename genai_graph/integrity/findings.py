"""Findings: what does not keep to the models, where, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from genai_graph.database import quote_name
from genai_graph.errors import escape_unprintable
from genai_graph.properties.messages import did_you_mean

_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One thing that does not keep to the models.

    `kind` is what is wrong: schema, uid, labels, missing, value, undeclared, duplicate, count,
    ends, circle or twins. `subject` is what it is about: an index, a label, a property or a kind of
    edge. `uids` are those of the nodes (of an edge: source, target); of an undeclared property,
    those of the first nodes that have it.
    """

    kind: str
    subject: str
    uids: tuple[str, ...]
    problem: str
    cure: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, as ``verify --json`` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        return escape_unprintable(f"{self.problem}: {self.cure}")


def allow_option(subject: str) -> str:
    """Return the part of a cure that says how to allow a subject, on the command line."""
    return f"pass --allow {shlex.quote(subject)}"


class UndeclaredProperties:
    """Counts the properties that a label or a kind of edge does not have.

    `setting` is how a statement begins that sets one of them.
    """

    def __init__(self, group: str, known: Iterable[str], setting: str) -> None:
        self._group = group
        self._known = frozenset(known)
        self._setting = setting
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def note(self, names: Iterable[str], uid: str) -> None:
        """Note the names that a node (or the source of an edge) has."""
        for name in set(names) - self._known:
            self._counts[name] = self._counts.get(name, 0) + 1
            examples = self._examples.setdefault(name, [])
            if len(examples) < _EXAMPLES:
                examples.append(uid)

    def findings(self) -> Iterator[Finding]:
        """Yield one for each name."""
        for name, count in sorted(self._counts.items()):
            subject = f"{self._group}.{name}"
            uids = self._examples[name]
            more = f" and {count - len(uids)} more" if count > len(uids) else ""
            # The embedded engine's REMOVE does nothing to a name in quotes.
            removal = f"{self._setting}.{quote_name(name)} = null"
            yield Finding(
                "undeclared",
                subject,
                tuple(uids),
                f"{self._group} has no property {name!r}{did_you_mean(name, self._known)}, but "
                f"{', '.join(map(repr, uids))}{more} has it",
                f"rename or remove it ({removal}), "
                f"or {allow_option(subject)} if it is another program's",
            )
