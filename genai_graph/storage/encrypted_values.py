"""Reading and replacing ciphertexts in the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from genai_graph.database import execute_write, match_uid, query, run_in_transaction
from genai_graph.properties.encryption import ciphertext_prefixes

if TYPE_CHECKING:
    from genai_graph.properties.json_columns import Columns

# True of a property `name` of `n` if it is encrypted with a key that is not available.
IS_UNDECRYPTABLE = (
    "any(prefix IN $prefixes WHERE n[name] STARTS WITH prefix) "
    "AND none(prefix IN $available WHERE n[name] STARTS WITH prefix)"
)


def undecryptable_values(
    label: str, uids: Iterable[str], names: Iterable[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the values encrypted with keys that are not available, as (uid, property, text)."""
    prefixes, available = ciphertext_prefixes()
    found = query(
        f"UNWIND $uids AS uid {match_uid('n', label, 'uid')} "
        f"WITH uid, [name IN $names WHERE {IS_UNDECRYPTABLE} | [name, n[name]]] AS found "
        "WHERE size(found) > 0 RETURN collect([uid, found]) AS found",
        uids=list(uids),
        names=list(names),
        prefixes=prefixes,
        available=available,
    )
    for uid, values in found[0]["found"]:
        for name, text in values:
            yield uid, name, text


class Replacement(NamedTuple):
    """A new ciphertext for the value of a property of a node; `old` are its stored properties."""

    uid: str
    name: str
    old: Columns
    new: str

    @property
    def size(self) -> int:
        """The size in bytes, roughly."""
        return 2 * len(self.new)

    @property
    def row(self) -> list[Any]:
        """The uid, the names and values of the old properties, and those to set."""
        removed = dict.fromkeys(self.old)
        prefix = f"{self.name}."
        return [
            self.uid,
            prefix,
            [*self.old],
            [*self.old.values()],
            {**removed, self.name: self.new},
        ]


def replace_ciphertexts(label: str, rows: Sequence[Replacement]) -> int:
    """Replace values that have not changed since they were read, and return their number.

    The decrypted value stays the same, and so does `updated_at`. Setting it to itself locks the
    node on Neo4j, so that no other client writes between the comparison and the change.
    """
    replace, are_replaced = partial(_replace, label, rows), partial(_are_replaced, label, rows)
    count: int = run_in_transaction(replace, are_replaced)
    return count


def _replace(label: str, rows: Sequence[Replacement]) -> int:
    found, _ = execute_write(
        f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
        "SET n.updated_at = n.updated_at WITH n, row "
        "WHERE all(i IN range(0, size(row[2]) - 1) WHERE n[row[2][i]] = row[3][i]) "
        "AND all(name IN keys(n) WHERE NOT name STARTS WITH row[1] OR name IN row[2]) "
        "SET n += row[4] RETURN count(n) AS count",
        rows=[row.row for row in rows],
    )
    return int(found[0]["count"])


def _are_replaced(label: str, rows: Sequence[Replacement], count: int) -> bool:
    """Return whether `count` of the values were replaced, after a lost commit."""
    found = query(
        f"UNWIND $rows AS row {match_uid('n', label, 'row[0]')} "
        "WITH n, row WHERE n[row[1]] = row[2] RETURN count(n) AS count",
        rows=[[row.uid, row.name, row.new] for row in rows],
    )
    return int(found[0]["count"]) == count
