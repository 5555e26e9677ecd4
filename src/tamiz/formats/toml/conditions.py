"""The `conditions` of a filter: from `{ remote-port = [53, 853], user = { service = "Dnscache" } }` to conditions.

A key is a field; a plain value is EQUAL; a list is OR, as Windows ORs the conditions of one field (arbitration.md 3);
a table with one key is another match type (`SHAPES`) or a value that needs a word before it (`CONSTRUCTORS`). Each
condition is checked as FwpmFilterAdd0 checks it (`tamiz.model.conditions.check`).

Families. A value of one IP family leaves the layers of the other family out of the filter. Where the value is negated
that would open what it should close (`not "10.0.0.1"` holds for every IPv6 address), so a negated value of the other
family is refused and the layer must be named with its family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tamiz.formats.toml.names import field_names, field_of, field_word, nearest
from tamiz.formats.toml.table import Spot, shown
from tamiz.formats.toml.values import CONSTRUCTORS, OtherFamily, Target, Volumes, convert, flag_bits, suffix
from tamiz.model._tables import DataType, FieldKind, MatchType
from tamiz.model.conditions import MATCHES, Condition, check
from tamiz.model.errors import PolicyError, shorten
from tamiz.model.keys import FieldKey
from tamiz.model.layers import Layer
from tamiz.model.values import EMPTY, Range, Value

# key of a table -> match type (conditions.md 2)
SHAPES: Final[Mapping[str, MatchType]] = {
    "equal": MatchType.EQUAL,
    "not": MatchType.NOT_EQUAL,
    "range": MatchType.RANGE,
    "greater": MatchType.GREATER,
    "less": MatchType.LESS,
    "at-least": MatchType.GREATER_OR_EQUAL,
    "at-most": MatchType.LESS_OR_EQUAL,
    "all-set": MatchType.FLAGS_ALL_SET,
    "any-set": MatchType.FLAGS_ANY_SET,
    "none-set": MatchType.FLAGS_NONE_SET,
    "suffix": MatchType.PREFIX,
    "not-suffix": MatchType.NOT_PREFIX,
    "ignore-case": MatchType.EQUAL_CASE_INSENSITIVE,
}
_FLAGS: Final = frozenset({MatchType.FLAGS_ALL_SET, MatchType.FLAGS_ANY_SET, MatchType.FLAGS_NONE_SET})
_SUFFIXES: Final = frozenset({MatchType.PREFIX, MatchType.NOT_PREFIX})
# matches whose operand is written in a way of its own, which the field's type has to allow
_BY_TYPE: Final = _FLAGS | _SUFFIXES | {MatchType.EQUAL_CASE_INSENSITIVE}
_NEGATED: Final = frozenset({MatchType.NOT_EQUAL, MatchType.NOT_PREFIX})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a filter is not made for a layer: a condition has values of the other IP family only."""

    cause: OtherFamily


def read_conditions(raw: Any, layer: Layer, volumes: Volumes, spot: Spot) -> tuple[Condition, ...] | LeftOut:
    """The conditions of a filter at `layer`, in the file's order. Raises `InputError`."""
    if raw is None:
        return ()
    if not isinstance(raw, dict):
        raise spot.error(shown(raw), "a table of fields, such as { protocol = 'udp', remote-port = 53 }")
    found: list[Condition] = []
    seen: dict[FieldKey, str] = {}
    for name, value in raw.items():
        at = spot.down(name)
        key = _field(name, layer, at)
        if key in seen:
            wanted = f"one list under '{seen[key]}': both names mean {key}"
            raise at.error(f"'{name}' beside '{seen[key]}'", wanted, "FWP_E_DUPLICATE_CONDITION")
        seen[key] = name
        conditions = _of_field(value, Target(_known(key, layer, at), layer, volumes), at)
        if isinstance(conditions, LeftOut):
            return conditions
        found += conditions
    return tuple(found)


def _field(name: str, layer: Layer, spot: Spot) -> FieldKey:
    key = field_of(name, layer.key)
    if key is None:
        wanted = nearest(name, field_names(), "a field of the layer")
        raise spot.error(f"an unknown field '{shorten(name)}'", wanted, "FWP_E_CONDITION_NOT_FOUND")
    return key


def _known(key: FieldKey, layer: Layer, spot: Spot) -> Any:
    field = layer.field(key)
    if field is None:
        names = ", ".join(field_word(f.key) for f in layer.fields)
        wanted = f"a field of {layer.key}: {names}" if names else f"no condition: {layer.key} has no fields"
        raise spot.error(f"{key}", wanted, "FWP_E_CONDITION_NOT_FOUND")
    return field


def _of_field(raw: Any, target: Target, spot: Spot) -> list[Condition] | LeftOut:
    items = [(item, spot.down(n)) for n, item in enumerate(raw)] if isinstance(raw, list) else [(raw, spot)]
    if not items:
        raise spot.error("an empty list", "at least one value: a list is OR")
    found: list[Condition] = []
    other: OtherFamily | None = None
    for item, at in items:
        try:
            found.append(_one(item, target, at))
        except OtherFamily as error:
            other = other or error
    return found if other is None or found else LeftOut(other)


def _one(raw: Any, target: Target, spot: Spot) -> Condition:
    """One condition, checked as Windows checks it on add."""
    if isinstance(raw, list):
        raise spot.error("a list in a list", "one value")
    match, value = _shape(raw, target, spot)
    condition = Condition(target.field.key, match, value)
    try:
        check(condition, target.layer, spot.subject)
    except PolicyError as error:
        raise spot.refused(error) from None
    return condition


def _shape(raw: Any, target: Target, spot: Spot) -> tuple[MatchType, Value]:
    if not isinstance(raw, dict):
        if target.field.kind is FieldKind.FLAGS and isinstance(raw, str):
            wanted = "{ all-set = [...] }, any-set, none-set, or { equal = ... } for the whole word"
            raise spot.error(f"{shown(raw)} alone", wanted)
        return MatchType.EQUAL, convert(raw, target, spot)
    if len(raw) != 1:
        raise spot.error(shown(raw), "a table with one key: " + ", ".join((*SHAPES, "empty", *CONSTRUCTORS)))
    ((name, inner),) = raw.items()
    if name == "empty":
        return _empty(inner, spot.down(name))
    if name in CONSTRUCTORS:
        return MatchType.EQUAL, convert(raw, target, spot)
    if name not in SHAPES:
        wanted = nearest(name, (*SHAPES, "empty", *CONSTRUCTORS), "a way to match")
        raise spot.down(name).error(f"an unknown key '{shorten(name)}'", wanted)
    return SHAPES[name], _operand(SHAPES[name], inner, target, spot.down(name))


def _empty(raw: Any, spot: Spot) -> tuple[MatchType, Value]:
    if raw is not True:
        raise spot.error(shown(raw), "true: EQUAL with FWP_EMPTY is the only match there is")
    return MatchType.EQUAL, EMPTY


def _operand(match: MatchType, raw: Any, target: Target, spot: Spot) -> Value:
    if match in _BY_TYPE and target.field.type not in MATCHES[match]:
        found = f"{match.name} at {target.field.key}, which is {target.field.type.name}"
        wanted = "a field that is " + " or ".join(sorted(t.name for t in MATCHES[match]))
        raise spot.error(found, wanted, "FWP_E_MATCH_TYPE_MISMATCH")
    if match is MatchType.RANGE:
        return _range(raw, target, spot)
    if match in _FLAGS or (match is MatchType.EQUAL and target.field.kind is FieldKind.FLAGS):
        return flag_bits(raw, target, spot)
    if isinstance(raw, list):
        raise spot.error(shown(raw), _one_value(match))
    try:
        return suffix(raw, target, spot) if match in _SUFFIXES else convert(raw, target, spot)
    except OtherFamily as error:
        if match in _NEGATED:
            wanted = f"{error.wanted}: name the layer with its family, such as '...-v4'"
            raise error.spot.error(error.found, wanted) from None
        raise


def _one_value(match: MatchType) -> str:
    if match in _NEGATED:
        return "one value: Windows ORs the conditions of one field, so two negated ones are always true"
    return "one value; [{...}, {...}] is OR"


def _range(raw: Any, target: Target, spot: Spot) -> Value:
    if not isinstance(raw, list) or len(raw) != 2:
        raise spot.error(shown(raw), "the two ends, both inside: [low, high]")
    ends: list[Value] = []
    other: OtherFamily | None = None
    for n, item in enumerate(raw):
        try:
            ends.append(convert(item, target, spot.down(n)))
        except OtherFamily as error:
            other = error
    if other is not None and ends:
        raise other.spot.error(other.found, "two ends of one family", "FWP_E_INVALID_RANGE")
    if other is not None:
        raise other
    return Value(DataType.RANGE_TYPE, Range(ends[0], ends[1]))
