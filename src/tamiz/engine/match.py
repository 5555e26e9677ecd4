"""Whether a field that has a value meets a condition: one table, match type -> test.

Source: spec conditions.md 2 to 5. `meets` speaks of certain values only; what a condition says of a field that is not
known, or known in part, is in `tamiz.engine.worlds`. Security descriptors are an access check (conditions.md 4.6),
which a token known in part may leave open, so their answer is a `Formula`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tamiz.engine.access import access_formula
from tamiz.model._tables import DataType, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.formula import FALSE, TRUE, Formula
from tamiz.model.security import SecurityDescriptor, Token
from tamiz.model.values import EMPTY, Data, Range, V4Mask, V6Mask, Value

Test = Callable[[Any], bool]


def test_of(condition: Condition) -> Test:
    """The test of a condition on the data of a field that is neither EMPTY nor a token."""
    value = condition.value
    if value.type is DataType.EMPTY:
        return lambda data: False
    return _TESTS[condition.match](value.data)


def meets(condition: Condition, value: Value) -> Formula:
    """TRUE, FALSE, or what it takes for a token known in part."""
    if value.type is DataType.EMPTY or condition.value.type is DataType.EMPTY:
        # conditions.md 5: EMPTY matches EQUAL FWP_EMPTY and nothing else, negated matches included
        both = value == EMPTY and condition.value.type is DataType.EMPTY
        return TRUE if both and condition.match is MatchType.EQUAL else FALSE
    wanted, data = condition.value.data, value.data
    if isinstance(wanted, SecurityDescriptor) and isinstance(data, Token):
        return access_formula(wanted, data)
    held = wanted.low.data if isinstance(wanted, Range) else wanted
    if type(data) is not _COMPARABLE.get(type(held), type(held)):
        return FALSE
    return TRUE if _TESTS[condition.match](wanted)(data) else FALSE


# what a field holds where a condition holds something else (conditions.md 3)
_COMPARABLE: Final[Mapping[type, type]] = {V4Mask: int, V6Mask: bytes}


def _equal(wanted: Data) -> Test:
    if isinstance(wanted, V4Mask):
        mask, network = wanted.mask, wanted.address & wanted.mask
        return lambda data: data & mask == network
    if isinstance(wanted, V6Mask):
        shift = 128 - wanted.prefix
        prefix = int.from_bytes(wanted.address, "big") >> shift
        return lambda data: int.from_bytes(data, "big") >> shift == prefix
    return lambda data: bool(data == wanted)


def _range(wanted: Data) -> Test:
    assert isinstance(wanted, Range)
    low, high = wanted.low.data, wanted.high.data
    return lambda data: bool(low <= data <= high)


def _suffix(wanted: Data) -> Test:
    """PREFIX tests the *end* of a string, as its page says; a trailing UTF-16 NUL counts on neither side [I]."""
    end = strip_nul(wanted)
    return lambda data: bool(strip_nul(data).endswith(end))


def strip_nul(data: Any) -> Any:
    if isinstance(data, bytes):
        return data[:-2] if len(data) >= 2 and len(data) % 2 == 0 and data.endswith(b"\0\0") else data
    return data.removesuffix("\0")


def _not(make: Callable[[Data], Test]) -> Callable[[Data], Test]:
    def negated(wanted: Data) -> Test:
        test = make(wanted)
        return lambda data: not test(data)

    return negated


_TESTS: Final[Mapping[MatchType, Callable[[Any], Test]]] = {
    MatchType.EQUAL: _equal,
    MatchType.GREATER: lambda c: lambda v: bool(v > c),
    MatchType.LESS: lambda c: lambda v: bool(v < c),
    MatchType.GREATER_OR_EQUAL: lambda c: lambda v: bool(v >= c),
    MatchType.LESS_OR_EQUAL: lambda c: lambda v: bool(v <= c),
    MatchType.RANGE: _range,
    MatchType.FLAGS_ALL_SET: lambda c: lambda v: v & c == c,
    MatchType.FLAGS_ANY_SET: lambda c: lambda v: v & c != 0,
    MatchType.FLAGS_NONE_SET: lambda c: lambda v: v & c == 0,
    MatchType.EQUAL_CASE_INSENSITIVE: lambda c: lambda v: v.upper() == c.upper(),
    MatchType.NOT_EQUAL: _not(_equal),
    MatchType.PREFIX: _suffix,
    MatchType.NOT_PREFIX: _not(_suffix),
}
