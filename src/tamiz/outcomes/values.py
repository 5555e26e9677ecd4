"""Values and conditions as people read them: addresses dotted, flags by name, applications by path.

What a number means hangs on the field: a UINT32 of an address field is an IPv4 address, FLAGS are a set of names. The
layer's own schema says which (FWPM_FIELD_TYPE).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from tamiz.formats.toml.names import PROTOCOLS
from tamiz.model import catalog
from tamiz.model._tables import FIELD, ConditionFlags, DataType, Direction, FieldKind, MatchType, Profile
from tamiz.model.conditions import Condition
from tamiz.model.facts import Fact, KnownBits, Unknown
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.values import Range, Value

Label = Callable[[str], str]

_PROTOCOLS: Final = {1: "icmp", 58: "icmpv6", **{number: name for name, number in PROTOCOLS.items()}}
_PROFILES: Final = {p.value: p.name.lower() for p in Profile}
_DIRECTIONS: Final = {d.value: d.name.lower() for d in Direction}

# match type -> how it stands before its value
_MATCHES: Final = {
    MatchType.EQUAL: "",
    MatchType.NOT_EQUAL: "not ",
    MatchType.GREATER: "above ",
    MatchType.GREATER_OR_EQUAL: "at least ",
    MatchType.LESS: "below ",
    MatchType.LESS_OR_EQUAL: "at most ",
    MatchType.RANGE: "",
    MatchType.FLAGS_ALL_SET: "all of ",
    MatchType.FLAGS_ANY_SET: "any of ",
    MatchType.FLAGS_NONE_SET: "none of ",
    MatchType.EQUAL_CASE_INSENSITIVE: "",
    MatchType.PREFIX: "ending in ",
    MatchType.NOT_PREFIX: "not ending in ",
}


def wanted(layer: LayerKey, conditions: tuple[Condition, ...]) -> str:
    """What the conditions of one field ask for: any of them."""
    return " or ".join(f"{_MATCHES[c.match]}{value_text(layer, c.field, c.value)}" for c in conditions)


def fact_text(layer: LayerKey, field: FieldKey, fact: Fact) -> str:
    """What is known of a field."""
    if isinstance(fact, Value):
        return value_text(layer, field, fact)
    if isinstance(fact, KnownBits):
        unknown = ConditionFlags(0xFFFFFFFF & ~fact.known)
        open_ = f", {_flags(unknown)} not known" if unknown else ""
        return f"{_flags(ConditionFlags(fact.value)) if fact.value else 'no flags'}{open_}"
    if isinstance(fact, Unknown) and fact.among is not None:
        values = [value_text(layer, field, value) for value in fact.among]
        return "one of " + ", ".join([*values, *(["nothing"] if fact.may_be_empty else [])])
    return "unknown"


def asked_text(layer: LayerKey, conditions: tuple[Condition, ...], fact: Fact) -> str:
    """What is known of a field, as far as the conditions ask for it: of flags, those that they name."""
    field = conditions[0].field
    if field != FIELD.FLAGS or not isinstance(fact, KnownBits):
        return fact_text(layer, field, fact)
    asked = 0
    for condition in conditions:
        asked |= condition.value.data if isinstance(condition.value.data, int) else 0
    found = fact.value & asked
    return _flags(ConditionFlags(found)) if found else f"{_flags(ConditionFlags(asked))} clear"


def value_text(layer: LayerKey, field: FieldKey, value: Value) -> str:
    """One value of a field of `layer`."""
    data = value.data
    if isinstance(data, Range):
        return f"{value_text(layer, field, data.low)}-{value_text(layer, field, data.high)}"
    if value.type is DataType.EMPTY:
        return "nothing"
    if isinstance(data, int) and not isinstance(data, bool):
        return _number(layer, field, value.type, data)
    return str(value)


def _number(layer: LayerKey, field: FieldKey, type_: DataType, number: int) -> str:
    if field == FIELD.FLAGS:
        return _flags(ConditionFlags(number)) if number else "no flags"
    if field == FIELD.IP_PROTOCOL:
        return _PROTOCOLS.get(number, str(number))
    if field == FIELD.DIRECTION:
        return _DIRECTIONS.get(number, str(number))
    if field.endswith("PROFILE_ID"):
        return _PROFILES.get(number, str(number))
    described = catalog.layers().get(layer)
    found = described.field(field) if described else None
    if type_ is DataType.UINT32 and found is not None and found.kind is FieldKind.IP_ADDRESS:
        return str(ipaddress.IPv4Address(number))
    return str(number)


def _flags(flags: ConditionFlags) -> str:
    """Flag names without IS_, or the number of bits that have none."""
    named = [f for f in ConditionFlags if flags & f == f]
    names = [(f.name or "").removeprefix("IS_").lower().replace("_", "-") for f in named]
    rest = int(flags) & ~sum(named)
    return "+".join([*names, *([hex(rest)] if rest else [])])
