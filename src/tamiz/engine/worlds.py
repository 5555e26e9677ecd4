"""Sets of worlds: every way in which what we were not told may be.

A *world* fixes each unknown thing: the value of an unknown field, the SIDs of an unknown token, the answer of a
callout nobody told us about. A condition on an unknown field is the set of worlds in which it holds; a filter matches
in the intersection; two filters on one unknown field share its variables and so are judged together, never as
independent maybes (design.md 2.3). The sets are decision diagrams (OxiDD), exact and without enumeration.

Encoding. A number is its bits, most significant first, so a mask is a cube and a range two thresholds. A blob, SID
or text is its place among the constants that the policy compares the field with: constant number i has index 2i+1,
the gap before it 2i. What a constant cannot tell of a gap (does the text in it end with "tool.exe"?) is one more
variable. Of a field that has one of a few known values, the number of the value is the variables. A token is one
variable for each atom of its access-check formula. Each field that may be EMPTY has a
variable for that; nothing but EQUAL FWP_EMPTY matches there (conditions.md 5).

A set is `True` (all worlds), `False` (none) or a diagram, so that what is certain never touches the library.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from oxidd.bdd import BDDFunction, BDDManager

from tamiz.engine.access import access_formula
from tamiz.engine.match import meets, strip_nul, test_of
from tamiz.model._tables import DataType, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.facts import NOT_EMPTY, UNKNOWN, Fact, KnownBits, Unknown
from tamiz.model.formula import And, Atom, Formula, Not, Or
from tamiz.model.formula import Constant as FormulaConstant
from tamiz.model.keys import FieldKey
from tamiz.model.security import SecurityDescriptor
from tamiz.model.values import EMPTY, UNSIGNED, Data, Range, V4Mask, V6Mask, Value

WorldSet = bool | BDDFunction

_NODES: Final = 1 << 22  # inner nodes; memory is taken as they are made
_CACHE: Final = 1 << 16

# data types whose unknown values are bits; 16 and 6 byte arrays are numbers of 128 and 48 bits
_BITS: Final[Mapping[DataType, int]] = {
    **UNSIGNED,
    DataType.BYTE_ARRAY16_TYPE: 128,
    DataType.BYTE_ARRAY6_TYPE: 48,
    DataType.V4_ADDR_MASK: 32,
    DataType.V6_ADDR_MASK: 128,
}
_TOKENS: Final = frozenset({DataType.TOKEN_INFORMATION_TYPE, DataType.TOKEN_ACCESS_INFORMATION_TYPE})


class Worlds:
    """The variables of one engine, by the name of the unknown thing they belong to."""

    def __init__(self, constants: Mapping[FieldKey, Iterable[Value]]) -> None:
        """`constants`: for each field, the values that the policy compares it with."""
        self._constants = constants
        self._manager: BDDManager | None = None
        self._variables: dict[tuple[str, object], BDDFunction] = {}
        self._scales: dict[tuple[FieldKey, DataType], _Scale] = {}
        self._conditions: dict[tuple[object, ...], WorldSet] = {}
        self._true: BDDFunction | None = None
        self._false: BDDFunction | None = None

    # -- sets ------------------------------------------------------------------------------------------------

    def both(self, a: WorldSet, b: WorldSet) -> WorldSet:
        if isinstance(a, bool):
            return b if a else False
        if isinstance(b, bool):
            return a if b else False
        return self._plain(a & b)

    def either(self, a: WorldSet, b: WorldSet) -> WorldSet:
        if isinstance(a, bool):
            return True if a else b
        if isinstance(b, bool):
            return True if b else a
        return self._plain(a | b)

    def complement(self, a: WorldSet) -> WorldSet:
        return not a if isinstance(a, bool) else self._plain(~a)

    def without(self, a: WorldSet, b: WorldSet) -> WorldSet:
        return self.both(a, self.complement(b))

    def _plain(self, node: BDDFunction) -> WorldSet:
        if node == self._true:
            return True
        return False if node == self._false else node

    # -- variables -------------------------------------------------------------------------------------------

    def variable(self, owner: str, name: object) -> BDDFunction:
        """The variable `name` of the unknown thing `owner`."""
        found = self._variables.get((owner, name))
        if found is None:
            if self._manager is None:
                self._manager = BDDManager(_NODES, _CACHE, 1)
                self._true, self._false = self._manager.true(), self._manager.false()
            (number,) = self._manager.add_vars(1)
            found = self._variables[owner, name] = self._manager.var(number)
        return found

    def code(self, owner: str, name: object, bits: int, codes: Iterable[int]) -> WorldSet:
        """The worlds in which the number `name` of `owner`, of `bits` bits, is one of `codes`."""
        found: WorldSet = False
        for code in codes:
            cube: WorldSet = True
            for bit in range(bits):
                variable = self.variable(owner, (name, bit))
                cube = self.both(cube, variable if code >> bit & 1 else self.complement(variable))
            found = self.either(found, cube)
        return found

    def deciders(self, classes: Sequence[WorldSet]) -> tuple[str, ...]:
        """The unknown things that decide between `classes`, which share out the worlds that are possible.

        One of them decides where two worlds of different classes differ in it alone.
        """
        parts = [c for c in classes if not isinstance(c, bool)]
        if len(parts) < 2:
            return ()
        return tuple(owner for owner, cube in self._cubes().items() if self._joins(parts, cube))

    def _joins(self, parts: Sequence[BDDFunction], cube: BDDFunction) -> bool:
        seen: WorldSet = False
        for part in parts:
            spread = part.exists(cube)
            if self.both(seen, spread) is not False:
                return True
            seen = self.either(seen, spread)
        return False

    def _cubes(self) -> dict[str, BDDFunction]:
        """The variables of each owner, in the order in which the owners were first met."""
        cubes: dict[str, BDDFunction] = {}
        for (owner, _), variable in self._variables.items():
            cubes[owner] = cubes[owner] & variable if owner in cubes else variable
        return cubes

    # -- conditions ------------------------------------------------------------------------------------------

    def among(self, field: FieldKey, fact: Fact) -> WorldSet:
        """The worlds that agree with what is known of an unknown field: that it is not EMPTY."""
        if not isinstance(fact, Unknown) or fact.among is not None or fact.may_be_empty:
            return True
        return self.complement(self.variable(field, "empty"))

    def condition(self, condition: Condition, type_: DataType, fact: Fact) -> WorldSet:
        """The worlds in which `condition` holds of a field of `type_` of which `fact` is known."""
        if isinstance(fact, Value):
            return self.formula(condition.field, meets(condition, fact))
        key = (condition, type_, None if fact in (UNKNOWN, NOT_EMPTY) else fact)
        found = self._conditions.get(key)
        if found is None:
            if isinstance(fact, Unknown) and fact.among is not None:
                found = self._of_few(condition, fact)
            else:
                found = self._unknown(condition, type_, fact)
            self._conditions[key] = found
        return found

    def _of_few(self, condition: Condition, fact: Unknown) -> WorldSet:
        """The field has one of a few values: which one is a number of its own, and each value can tell."""
        values = (*(fact.among or ()), *((EMPTY,) if fact.may_be_empty else ()))
        bits = (len(values) - 1).bit_length()
        found: WorldSet = False
        for n, value in enumerate(values):
            codes = range(n, 1 << bits) if n == len(values) - 1 else (n,)  # the last has the spare codes too
            here = self.code(condition.field, values, bits, codes)
            found = self.either(found, self.both(here, self.formula(condition.field, meets(condition, value))))
        return found

    def _unknown(self, condition: Condition, type_: DataType, fact: Unknown | KnownBits) -> WorldSet:
        field, value = condition.field, condition.value
        if value.type is DataType.EMPTY:
            certain = isinstance(fact, KnownBits) or condition.match is not MatchType.EQUAL
            return False if certain else self.variable(field, "empty")
        holds = self._filled(condition, type_, fact)
        if isinstance(fact, KnownBits):
            return holds
        return self.both(holds, self.complement(self.variable(field, "empty")))

    def _filled(self, condition: Condition, type_: DataType, fact: Unknown | KnownBits) -> WorldSet:
        """The worlds, among those where the field is not EMPTY, in which the condition holds."""
        field, wanted = condition.field, condition.value.data
        if isinstance(wanted, SecurityDescriptor) and type_ in _TOKENS:
            return self.formula(field, access_formula(wanted, None))
        if type_ in _BITS:
            number = _Number(self, field, _BITS[type_], fact if isinstance(fact, KnownBits) else None)
            return number.meets(condition)
        scale = self._scales.get((field, type_))
        if scale is None:
            scale = self._scales[field, type_] = _Scale(self, field, type_, self._constants.get(field, ()))
        return scale.meets(condition)

    def formula(self, field: FieldKey, formula: Formula) -> WorldSet:
        """The worlds in which a formula about the token in `field` holds."""
        if isinstance(formula, FormulaConstant):
            return formula.value
        if isinstance(formula, Atom):
            return self.variable(field, formula.name)
        if isinstance(formula, Not):
            return self.complement(self.formula(field, formula.operand))
        join = self.both if isinstance(formula, And) else self.either
        assert isinstance(formula, And | Or)
        found: WorldSet = isinstance(formula, And)
        for part in formula.operands:
            found = join(found, self.formula(field, part))
        return found


class _Number:
    """An unsigned number as bits, most significant first; some may be known."""

    def __init__(self, worlds: Worlds, owner: str, bits: int, known: KnownBits | None) -> None:
        self.worlds, self.owner, self.bits, self.known = worlds, owner, bits, known

    def bit(self, position: int) -> WorldSet:
        """The worlds in which bit `position` (0: least significant) is set."""
        mask = 1 << position
        if self.known is not None and self.known.known & mask:
            return bool(self.known.value & mask)
        return self.worlds.variable(self.owner, self.bits - 1 - position)

    def equals(self, wanted: int, mask: int = -1) -> WorldSet:
        found: WorldSet = True
        for position in range(self.bits):
            if mask >> position & 1:
                bit = self.bit(position)
                found = self.worlds.both(bit if wanted >> position & 1 else self.worlds.complement(bit), found)
        return found

    def at_least(self, limit: int) -> WorldSet:
        if limit <= 0:
            return True
        if limit >> self.bits:
            return False
        found: WorldSet = True
        for position in range(self.bits):
            join = self.worlds.both if limit >> position & 1 else self.worlds.either
            found = join(self.bit(position), found)
        return found

    def between(self, low: int, high: int) -> WorldSet:
        return self.worlds.without(self.at_least(low), self.at_least(high + 1))

    def any_set(self, mask: int) -> WorldSet:
        return self.worlds.complement(self.equals(0, mask))

    def meets(self, condition: Condition) -> WorldSet:
        wanted = condition.value.data
        if isinstance(wanted, V4Mask):
            return self.equals(wanted.address, wanted.mask)
        if isinstance(wanted, V6Mask):
            return self.equals(_int(wanted.address), ~((1 << (128 - wanted.prefix)) - 1))
        if isinstance(wanted, Range):
            return self.between(_int(wanted.low.data), _int(wanted.high.data))
        return _NUMBER_TESTS[condition.match](self, _int(wanted))


def _int(data: Data) -> int:
    return int.from_bytes(data, "big") if isinstance(data, bytes) else int(data)  # type: ignore[arg-type]


_NUMBER_TESTS: Final[Mapping[MatchType, Callable[[_Number, int], WorldSet]]] = {
    MatchType.EQUAL: lambda n, c: n.equals(c),
    MatchType.NOT_EQUAL: lambda n, c: n.worlds.complement(n.equals(c)),
    MatchType.GREATER: lambda n, c: n.at_least(c + 1),
    MatchType.GREATER_OR_EQUAL: lambda n, c: n.at_least(c),
    MatchType.LESS: lambda n, c: n.worlds.complement(n.at_least(c)),
    MatchType.LESS_OR_EQUAL: lambda n, c: n.worlds.complement(n.at_least(c + 1)),
    MatchType.FLAGS_ALL_SET: lambda n, c: n.equals(c, c),
    MatchType.FLAGS_ANY_SET: lambda n, c: n.any_set(c),
    MatchType.FLAGS_NONE_SET: lambda n, c: n.equals(0, c),
}


class _Scale:
    """A field whose values are told apart only by the policy's own constants of its type, put in order."""

    def __init__(self, worlds: Worlds, field: FieldKey, type_: DataType, constants: Iterable[Value]) -> None:
        self.worlds, self.field = worlds, field
        ends = {_sort_key(d): d for v in constants for d in _ends(v, type_)}
        self.constants: list[Any] = [ends[key] for key in sorted(ends)]
        self.keys = [_sort_key(d) for d in self.constants]
        self.number = _Number(worlds, field, max(1, (2 * len(self.constants)).bit_length()), None)
        self._suffixes: dict[Any, WorldSet] = {}

    def place(self, data: Any) -> int:
        """The index of a value: odd for a constant, even for the gap it falls into."""
        i = bisect_left(self.keys, _sort_key(data))
        return 2 * i + 1 if i < len(self.keys) and self.keys[i] == _sort_key(data) else 2 * i

    def meets(self, condition: Condition) -> WorldSet:
        data, match = condition.value.data, condition.match
        if isinstance(data, Range):
            return self.number.between(self.place(data.low.data), self.place(data.high.data))
        if match in _BY_ORDER:
            return _NUMBER_TESTS[match](self.number, self.place(data))
        if match is MatchType.NOT_PREFIX:
            return self.worlds.complement(self.meets(replace(condition, match=MatchType.PREFIX)))
        return self._by_each(condition)

    def _by_each(self, condition: Condition) -> WorldSet:
        """Suffixes and comparisons without case: each constant can tell; in the gaps both are possible."""
        test, either, both = test_of(condition), self.worlds.either, self.worlds.both
        found: WorldSet = False
        for i, data in enumerate(self.constants):
            found = either(found, both(test(data), self.number.equals(2 * i + 1)))
        even = self.worlds.complement(self.number.bit(0))
        beyond = self.number.at_least(2 * len(self.constants) + 1)
        return either(found, both(self._in_gaps(condition), either(even, beyond)))

    def _in_gaps(self, condition: Condition) -> WorldSet:
        """What holds of a value that is no constant. What ends in "b.exe" ends in ".exe" too, and not in "c.exe"."""
        if condition.match is not MatchType.PREFIX:
            return self.worlds.variable(self.field, condition)
        end = strip_nul(condition.value.data)
        if end not in self._suffixes:
            found: WorldSet = self.worlds.variable(self.field, ("ends in", end))
            for other, holds in self._suffixes.items():
                if end.endswith(other):
                    found = self.worlds.both(found, holds)
                elif not other.endswith(end):
                    found = self.worlds.without(found, holds)
            for other, holds in self._suffixes.items():
                if other.endswith(end):
                    found = self.worlds.either(found, holds)
            self._suffixes[end] = found
        return self._suffixes[end]


_BY_ORDER: Final = frozenset(
    {MatchType.EQUAL, MatchType.NOT_EQUAL, MatchType.GREATER, MatchType.GREATER_OR_EQUAL, MatchType.LESS,
     MatchType.LESS_OR_EQUAL}
)  # fmt: skip


def _ends(value: Value, type_: DataType) -> tuple[Data, ...]:
    """The values of `type_` that a condition's value names: the ends of a range, else itself."""
    ends = (value.data.low, value.data.high) if isinstance(value.data, Range) else (value,)
    return tuple(end.data for end in ends if end.type is type_)


def _sort_key(data: Any) -> tuple[str, Any]:
    """Bytes, text and numbers sort as they are; SIDs, which are only told apart, by their printed form."""
    return (type(data).__name__, data if isinstance(data, bytes | str | int | float) else str(data))
