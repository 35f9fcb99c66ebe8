"""The uids of a load, numbered, in a third of the memory of a dict."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import compress

_MAX_INDEXED = 200_000  # uids in a dict, which is faster than the hash table
_TAG_MASK = 2**32 - 1
_NEGATED = bytes([True, False]) + bytes(254)  # a table for `translate`


class UidTable:
    """The uids of one label, numbered, each either declared or only referenced.

    A few are in a dict. Many are texts in one buffer, found by a hash table with open addressing,
    at most half full. Texts are compared, so that equal hashes do no harm. A uid of 15 bytes takes
    36 to 44 bytes, in a dict 180.
    """

    def __init__(self) -> None:
        self.is_declared = bytearray()  # by number
        self._index: dict[str, int] | None = {}
        # Returns the number of a uid, or None.
        self.find: Callable[[str], int | None] = self._index.get
        self._few: list[str] = []  # the keys of the dict, by number
        self._texts = bytearray()
        self._ends = array("Q", [0])  # of the texts, after the start of the first one
        self._tags = array("I")  # 32 bits of the hash, by number
        self._slots = array("I")  # number + 1, or 0 if the slot is free

    def __len__(self) -> int:
        return len(self.is_declared)

    def __getitem__(self, number: int) -> str:
        if self._index is not None:
            return self._few[number]
        text = self._texts[self._ends[number] : self._ends[number + 1]]
        return text.decode(errors="surrogatepass")

    def _find_slot(self, uid: str) -> int | None:
        tag, tags, slots = hash(uid) & _TAG_MASK, self._tags, self._slots
        last = len(slots) - 1  # the number of slots is a power of two
        position = tag & last
        while slot := slots[position]:
            if tags[slot - 1] == tag and self[slot - 1] == uid:
                return slot - 1
            position = (position + 1) & last
        return None

    def add(self, uid: str) -> int:
        """Number a new uid."""
        number = len(self.is_declared)
        self.is_declared.append(False)
        if self._index is not None:
            self._index[uid] = number
            self._few.append(uid)
            if number >= _MAX_INDEXED:
                self._replace_dict()
            return number
        self._append(uid)
        if 2 * len(self._tags) > len(self._slots):
            self._rebuild()
        else:
            self._fill_slot(number)
        return number

    def uids(self, *, declared: bool) -> Iterator[str]:
        """Yield the declared uids, or those that are only referenced."""
        chosen = self.is_declared if declared else self.is_declared.translate(_NEGATED)
        return map(self.__getitem__, compress(range(len(self)), chosen))

    def _replace_dict(self) -> None:
        for uid in self._few:
            self._append(uid)
        self._index, self._few, self.find = None, [], self._find_slot
        self._rebuild()

    def _append(self, uid: str) -> None:
        self._texts += uid.encode(errors="surrogatepass")
        self._ends.append(len(self._texts))
        self._tags.append(hash(uid) & _TAG_MASK)

    def _rebuild(self) -> None:
        size = 1 << (2 * len(self._tags)).bit_length()
        self._slots = array("I", bytes(4 * size))
        for number in range(len(self._tags)):
            self._fill_slot(number)

    def _fill_slot(self, number: int) -> None:
        slots = self._slots
        last = len(slots) - 1
        position = self._tags[number] & last
        while slots[position]:
            position = (position + 1) & last
        slots[position] = number + 1
