"""Checks of uids: spellings that lookups don't find, and uids that are easily confused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from genai_graph.integrity.findings import Finding, allow_option
from genai_graph.names import comparison_key, is_normalized_name, normalize_name
from genai_graph.storage.scans import iter_pages

_BITS_PER_UID = 64  # one uid in 64 is compared with the others in the second pass, by chance
_MIN_BITS = 1 << 16


class SimilarUids:
    """Finds uids of a label that differ only by normalization, case or surrounding white space.

    The first pass marks a bit for each uid, at a hash of its comparison key, and collects the keys
    whose bit was already set. The second pass compares the uids with these keys, if there are any.
    So the time is linear, and memory is eight bytes per uid and not its text.
    """

    def __init__(self, label: str, count: int) -> None:
        self._label = label
        self._size = max(_MIN_BITS, count * _BITS_PER_UID)
        self._bits = bytearray(self._size // 8 + 1)
        self._candidates: set[int] = set()

    def add(self, uid: str) -> None:
        """Mark a uid."""
        index = self._index(comparison_key(uid))
        mask = 1 << (index & 7)
        if self._bits[index >> 3] & mask:
            self._candidates.add(index)
        self._bits[index >> 3] |= mask

    def _index(self, key: str) -> int:
        return hash(key) % self._size

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each group of similar uids."""
        groups: dict[str, set[str]] = defaultdict(set)
        if self._candidates:
            for page in iter_pages(self._label):
                for uid in page:
                    key = comparison_key(uid)
                    if self._index(key) in self._candidates:
                        groups[key].add(uid)
        for group in sorted(sorted(uids) for uids in groups.values() if len(uids) > 1):
            yield self._finding(tuple(group))

    def _finding(self, uids: tuple[str, ...]) -> Finding:
        subject = f"{self._label}.uid"
        listed = ", ".join(map(ascii, uids))
        problem = f"{self._label} {listed}: uids that differ only by {_difference(uids)}"
        hint = f"merge or rename them, or {allow_option(subject)} if they are different"
        return Finding("similar", subject, uids, problem, hint)


def _difference(uids: tuple[str, ...]) -> str:
    """Return how uids differ, such as ``case``."""
    normalized = {normalize_name(uid) for uid in uids}
    stripped = {uid.strip() for uid in normalized}
    parts = [
        name
        for name, has_difference in (
            ("Unicode normalization", len(normalized) < len(uids)),
            ("surrounding white space", len(stripped) < len(normalized)),
            ("case", len(stripped) > 1),
        )
        if has_difference
    ]
    return " and ".join(parts)


def spelling_finding(label: str, uid: str) -> Iterator[Finding]:
    """Yield a finding for a uid that is not in normal form C: lookups search for that form."""
    if not is_normalized_name(uid):
        problem = f"{label} {uid!a}: uid is not in Unicode normal form C (NFC)"
        statement = f"MATCH (n:{label} {{uid: {uid!a}}}) SET n.uid = {normalize_name(uid)!a}"
        yield Finding("uid", label, (uid,), problem, f"set it ({statement}), unless it is taken")
