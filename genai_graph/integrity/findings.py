"""The findings of `verify`."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from genai_graph.database import quote_name
from genai_graph.errors import escape_unprintable
from genai_graph.properties.messages import did_you_mean
from genai_graph.registry import MODULES_SETTING

_MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """A constraint violation in the graph.

    `kind` is the constraint: schema, uid, similar, labels, missing, value, undeclared, duplicate,
    cardinality, ends, cycle or duplicate_metric. `subject` is the index, label, property or edge
    type. `uids` are those of the node, of an edge (source, target), or of the first nodes with an
    undeclared property. `hint` says how to fix it.
    """

    kind: str
    subject: str
    uids: tuple[str, ...]
    problem: str
    hint: str

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as JSON-compatible values."""
        return asdict(self)

    def __str__(self) -> str:
        return escape_unprintable(f"{self.problem}: {self.hint}")


# First among the hints: data of a user's class must not be deleted because its module is not
# loaded.
LOAD_MODULES = f"set {MODULES_SETTING} to the module that declares it"


def allow_option(subject: str) -> str:
    """Return the hint that allows a subject."""
    return f"pass --allow {shlex.quote(subject)}"


class UndeclaredProperties:
    """Counts the undeclared properties of a label or an edge type.

    `setter` is the start of a Cypher statement that sets a property, up to the variable.
    """

    def __init__(self, owner: str, declared: Iterable[str], setter: str) -> None:
        self._owner = owner
        self._declared = frozenset(declared)
        self._setter = setter
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = defaultdict(list)

    def add(self, names: Iterable[str], uid: str) -> None:
        """Count the properties of a node, or of an edge by the uid of its source."""
        for name in set(names) - self._declared:
            self._counts[name] += 1
            if self._counts[name] <= _MAX_EXAMPLES:
                self._examples[name].append(uid)

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each property."""
        for name, count in sorted(self._counts.items()):
            subject = f"{self._owner}.{name}"
            uids = self._examples[name]
            more = f" and {count - len(uids)} more" if count > len(uids) else ""
            # Not REMOVE: on the embedded engine it ignores quoted names.
            removal = f"{self._setter}.{quote_name(name)} = null"
            problem = f"{self._owner} does not declare {name!r}{did_you_mean(name, self._declared)}"
            problem += f", found on {', '.join(map(repr, uids))}{more}"
            allow = f"{allow_option(subject)} if another application uses it"
            hint = f"{LOAD_MODULES}, rename or remove it ({removal}), or {allow}"
            yield Finding("undeclared", subject, tuple(uids), problem, hint)
