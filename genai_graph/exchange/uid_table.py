"""The uids of a load, numbered, in a third of the memory of a dict."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

_MAX_INDEXED = 200_000  # uids in the dict, which is faster than the hash table
_TAG_MASK = 2**32 - 1


class UidTable:
    """The uids of one label, numbered, each either declared or only referenced.

    Their texts are in one buffer. They are found by a dict or, if there are many, by a hash table
    with open addressing, at most half full. Texts are compared, so that equal hashes do no harm.
    A uid of 15 bytes takes 36 to 44 bytes, in a dict 170.
    """

    def __init__(self) -> None:
        self.is_declared = bytearray()  # by number
        self._texts = bytearray()
        self._ends = array("Q", [0])  # of the texts, after the start of the first one
        self._index: dict[str, int] | None = {}
        self._tags = array("I")  # 32 bits of the hash, by number
        self._slots = array("I")  # number + 1, or 0 if the slot is free

    def __len__(self) -> int:
        return len(self.is_declared)

    def __getitem__(self, number: int) -> str:
        text = self._texts[self._ends[number] : self._ends[number + 1]]
        return text.decode(errors="surrogatepass")

    def find(self, uid: str) -> int | None:
        """Return the number of a uid, or None."""
        if self._index is not None:
            return self._index.get(uid)
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
        self._texts += uid.encode(errors="surrogatepass")
        self._ends.append(len(self._texts))
        if self._index is not None:
            self._index[uid] = number
            if len(self._index) > _MAX_INDEXED:
                self._tags.extend(hash(each) & _TAG_MASK for each in self._index)
                self._index = None
                self._rebuild()
            return number
        self._tags.append(hash(uid) & _TAG_MASK)
        if 2 * len(self._tags) > len(self._slots):
            self._rebuild()
        else:
            self._fill_slot(number)
        return number

    def uids(self, *, declared: bool) -> Iterator[str]:
        """Yield the declared uids, or those that are only referenced."""
        return (self[n] for n, value in enumerate(self.is_declared) if value == declared)

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
