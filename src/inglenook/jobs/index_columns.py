"""Columns of the index of jobs (`job_index.py`): compact, one value for each job, asked as a whole.

An answer is a mask: an int whose byte at a job's place is 1 where the job matches and 0 where not, so that masks are
joined with `&` and `|`. All loops over jobs are those of bytes, arrays and regular expressions: 100,000 jobs take well
under a millisecond a step, where a loop in Python would take ten.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import compress, islice
from typing import Generic, TypeVar

Value = TypeVar("Value", bound=Hashable)

_MOST_PAGES = 12
"""Groups of 256 values that are looked for one by one; more of them are quicker value by value."""


def to_mask(places: bytes | bytearray) -> int:
    return int.from_bytes(places, "little")


def from_mask(mask: int, count: int) -> bytes:
    """A byte for each job, in the order of their places."""
    return mask.to_bytes(count, "little")


def everywhere(count: int) -> int:
    """The mask of all jobs."""
    return to_mask(b"\1" * count)


class LabelColumn(Generic[Value]):
    """Values of which many jobs have the same one, each kept once."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._number_of: dict[Value, int] = {}
        self._numbers = array("I")

    def append(self, value: Value) -> None:
        self._numbers.append(self._number(value))

    def extend(self, values: Iterable[Value]) -> None:
        self._numbers.extend(map(self._number, values))

    def replace(self, place: int, value: Value) -> None:
        self._numbers[place] = self._number(value)

    def _number(self, value: Value) -> int:
        number = self._number_of.get(value)
        if number is None:
            number = self._number_of[value] = len(self.values)
            self.values.append(value)
        return number

    def where(self, matches: Callable[[Value], bool]) -> int:
        """Mask of the jobs whose value matches."""
        table = bytes(map(matches, self.values))
        count = len(self._numbers)
        if 1 not in table:
            return 0
        if 0 not in table:
            return everywhere(count)
        pages = [page for page in range(0, len(table), 256) if 1 in table[page : page + 256]]
        if len(table) > 65_536 or len(pages) > _MOST_PAGES:
            return to_mask(bytes(map(table.__getitem__, self._numbers)))
        return self._by_pages(table, pages)

    def _by_pages(self, table: bytes, pages: Sequence[int]) -> int:
        """The same by the two low bytes of the numbers; a translation of bytes is a hundred times a lookup's speed."""
        numbers = self._numbers if self._numbers.itemsize == 4 else array("L", self._numbers)
        low, high = self._plane(numbers, 0), self._plane(numbers, 1)
        found = 0
        for page in pages:
            in_page = to_mask(low.translate(table[page : page + 256].ljust(256, b"\0")))
            if len(table) > 256:
                in_page &= to_mask(high.translate(bytes(index == page // 256 for index in range(256))))
            found |= in_page
        return found

    @staticmethod
    def _plane(numbers: array[int], index: int) -> bytes:
        raw = numbers.tobytes()
        size = numbers.itemsize
        return raw[index::size] if _IS_LITTLE else raw[size - 1 - index :: size]


_IS_LITTLE = array("H", [1]).tobytes()[0] == 1
_LONG = 8
"""Bytes from which on `find` skips more than a regular expression, at least twice."""
_GAP = b"\xff"
"""Between two texts; no byte of UTF-8."""


class TextColumn:
    """A text of its own for each job, searched for parts in any case."""

    def __init__(self) -> None:
        self._joined = bytearray()
        self._starts = array("Q")

    def append(self, text: str) -> None:
        self._starts.append(len(self._joined))
        self._joined += _GAP + _folded(text)

    def extend(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.append(text)

    def containing(self, part: str) -> int:
        """Mask of the jobs whose text has this part."""
        places, folded = bytearray(len(self._starts)), _folded(part)
        for found in self._found(folded) if len(folded) >= _LONG else self._matched(folded):
            places[bisect_right(self._starts, found) - 1] = 1
        return to_mask(places)

    def _found(self, part: bytes) -> Iterator[int]:
        found = self._joined.find(part)
        while found >= 0:
            yield found
            found = self._joined.find(part, found + 1)

    def _matched(self, part: bytes) -> Iterator[int]:
        """The same for parts that are short or frequent: each text is found once, as the rest of it is skipped."""
        return (match.start() for match in re.finditer(re.escape(part) + b"[^\xff]*", self._joined))


def _folded(text: str) -> bytes:
    return text.casefold().encode(errors="surrogatepass")


class Order:
    """Places of jobs sorted by a key, ties by the place itself."""

    def __init__(self, keys: array[int]) -> None:
        """keys: of each place; it may grow, and change between `discard` and `add` of a place."""
        self._keys = keys
        self._places = array("I", sorted(range(len(keys)), key=keys.__getitem__))
        self._is_plain = all(index == place for index, place in enumerate(self._places))
        """Whether the places are in the order of their numbers, which is quicker to walk."""
        self._walked: tuple[int, array[int]] | None = None
        """The last mask that was not, with all its places: whoever turns pages comes back with it."""

    def _rank(self, place: int) -> tuple[int, int]:
        return self._keys[place], place

    def add(self, place: int) -> None:
        self._walked = None
        self._is_plain = self._is_plain and place == len(self._places)
        insort(self._places, place, key=self._rank)
        self._is_plain = self._is_plain and self._places[-1] == place

    def discard(self, place: int) -> None:
        self._walked, self._is_plain = None, False
        del self._places[bisect_left(self._places, self._rank(place), key=self._rank)]

    def part(self, mask: int, start: int, end: int, total: int) -> list[int]:
        """The matching places from `start` to before `end`, of `total` that match."""
        if total == len(self._places):
            return list(self._places[start:end])
        is_matching = from_mask(mask, len(self._places))
        if not self._is_plain:
            return self._matching(mask, is_matching, total)[start:end].tolist()
        if start <= total - end:
            return list(islice(compress(range(len(is_matching)), is_matching), start, end))
        backwards = compress(range(len(is_matching) - 1, -1, -1), is_matching[::-1])
        return list(islice(backwards, total - end, total - start))[::-1]

    def _matching(self, mask: int, is_matching: bytes, total: int) -> array[int]:
        if self._walked is None or self._walked[0] != mask:
            found: Iterable[int]
            if total < len(self._places) // 16:
                few = compress(range(len(is_matching)), is_matching)
                found = sorted(few, key=self._keys.__getitem__)
            else:
                found = compress(self._places, map(is_matching.__getitem__, self._places))
            self._walked = mask, array("I", found)
        return self._walked[1]
