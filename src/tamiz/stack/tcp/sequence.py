"""Sequence numbers without their wrap.

On the wire a number is modulo 2**32 (RFC 9293 3.4). Inside, each end of the stream is counted in positions, plain
integers that only grow; comparison is then comparison. A number is turned into a position once, when it arrives.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

MASK = 0xFFFFFFFF
_HALF = 0x80000000


def position(number: int, near: int) -> int:
    """The position nearest to `near` that reads `number` on the wire; half the space lies on either side."""
    return near + ((number - near + _HALF) & MASK) - _HALF


class Ranges:
    """A set of positions, kept as sorted ranges [start, end) that neither overlap nor touch."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    @property
    def last(self) -> int:
        """The end of the highest range. `IndexError` when empty."""
        return self._ends[-1]

    def add(self, start: int, end: int) -> None:
        """Take in [start, end); joins what it touches."""
        low = bisect_left(self._ends, start)
        high = bisect_right(self._starts, end)
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def drop_below(self, floor: int) -> None:
        """Forget every position below `floor`."""
        gone = bisect_right(self._ends, floor)
        del self._starts[:gone], self._ends[:gone]
        if self._starts and self._starts[0] < floor:
            self._starts[0] = floor

    def clear(self) -> None:
        self._starts.clear()
        self._ends.clear()

    def around(self, place: int) -> tuple[int, int] | None:
        """The range that holds `place`."""
        index = bisect_right(self._starts, place) - 1
        if index >= 0 and place < self._ends[index]:
            return self._starts[index], self._ends[index]
        return None

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) that are not in the set, in order, one at a time."""
        index = bisect_right(self._ends, start)
        while start < end and index < len(self._starts) and self._starts[index] < end:
            if start < self._starts[index]:
                yield start, self._starts[index]
            start = self._ends[index]
            index += 1
        if start < end:
            yield start, end
