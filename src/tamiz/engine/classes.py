"""Classes of values that a layer's filters cannot tell apart, so that a decision made once serves its whole class.

For a field whose conditions are comparisons, ranges and prefixes, the policy cuts the numbers into intervals: two
numbers of one interval meet exactly the same conditions. `Classes.of` gives the interval. A field with conditions of
another kind (flags, suffixes, masks with gaps) is not cut, and each of its values is a class of its own. The law, which
a test holds: facts that differ only within classes get equal decisions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from tamiz.engine.program import LayerProgram
from tamiz.model._tables import MatchType
from tamiz.model.conditions import Condition
from tamiz.model.keys import FieldKey
from tamiz.model.values import Data, Range, V4Mask, V6Mask

_COMPARISONS = frozenset(
    {
        MatchType.EQUAL, MatchType.NOT_EQUAL, MatchType.GREATER, MatchType.GREATER_OR_EQUAL, MatchType.LESS,
        MatchType.LESS_OR_EQUAL, MatchType.RANGE,
    }
)  # fmt: skip


class Classes:
    """The intervals of one field, at one layer or at several together."""

    __slots__ = ("_breaks", "_exact")

    def __init__(self, conditions: Iterable[Condition]) -> None:
        listed = tuple(conditions)
        self._exact = not all(c.match in _COMPARISONS and _is_interval(c.value.data) for c in listed)
        self._breaks = [] if self._exact else sorted({n for c in listed for n in _breaks(c.value.data)})

    def of(self, number: int) -> int:
        """The class of a number: an address or a port in host order."""
        return number if self._exact else bisect_right(self._breaks, number)


def classes(field: FieldKey, *programs: LayerProgram) -> Classes:
    """The intervals of `field` at the layer of the program; of several programs, those that serve them all."""
    return Classes(
        condition
        for program in programs
        for sublayer in program.sublayers
        for candidate in sublayer.candidates
        for group in candidate.groups
        if group.field.key == field
        for condition in group.conditions
    )


def _is_interval(data: Data) -> bool:
    """Whether the numbers that meet a comparison with `data` are one interval: not with a mask that has gaps."""
    if isinstance(data, V4Mask):
        holes = data.mask ^ 0xFFFFFFFF
        return holes & (holes + 1) == 0
    if isinstance(data, V6Mask):
        return data.prefix <= 128
    if isinstance(data, Range):
        return isinstance(data.low.data, int | bytes) and isinstance(data.high.data, int | bytes)
    return True


def _breaks(data: Data) -> Iterator[int]:
    """The numbers at which a condition's answer changes: the first that meets it, the first that no longer does."""
    if isinstance(data, Range):
        yield from (_number(data.low.data), _number(data.high.data) + 1)
    elif isinstance(data, V4Mask):
        yield from _network(data.address & data.mask, (data.mask ^ 0xFFFFFFFF) + 1)
    elif isinstance(data, V6Mask):
        size = 1 << (128 - data.prefix)
        yield from _network(_number(data.address) // size * size, size)
    elif isinstance(data, int | bytes):
        yield from (_number(data), _number(data) + 1)


def _network(first: int, size: int) -> tuple[int, int]:
    return first, first + size


def _number(data: Data) -> int:
    return int.from_bytes(data, "big") if isinstance(data, bytes) else int(data)  # type: ignore[arg-type]
