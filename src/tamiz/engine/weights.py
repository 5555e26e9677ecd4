"""Automatic filter weights: how BFE fills `effectiveWeight`.

Source: spec auto-weights.md. The vendor documents only the frame (automatic weights lie in [0, 2**60), a UINT8 weight
gives the top four bits, a UINT64 weight stands as it is); the low 60 bits were read off real policies. They are a row
of bit fields, the *slots*, one for each field or group of related fields of the **layer**. The layout hangs on the
layer's field list alone, never on the filter; a filter adds a value to the slots of the fields that it tests. Its
action, flags, sublayer and the order of its conditions play no part.

A yes/no slot takes one bit. *Graded* slots (addresses, ports, protocol, profiles, ...) share the bits that are left, in
proportion to the log2 of their fields' sizes; inside one, the value is all ones times the measure of the conditions:
1 for an exact match, less the wider they are. The minimum is 1, so that "nearly anything" still outweighs nothing.

Marks: D documented, O observed (reproduced exactly on real policies), I inferred. Layers where only filters without
conditions were ever seen (stream, datagram, MAC, vSwitch, redirects, IPsec, RPC) follow the default order: a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tamiz.model._tables import DataType, MatchType
from tamiz.model.conditions import Condition
from tamiz.model.errors import PolicyError
from tamiz.model.keys import FieldKey
from tamiz.model.layers import Field, Layer, canonical_field
from tamiz.model.objects import Filter
from tamiz.model.values import Range, V4Mask, V6Mask, Value

AUTOMATIC_BITS: Final = 60
MAX_RANGE: Final = 15  # of a UINT8 weight [D: filter-weight-assignment]
NO_FIELDS: Final = (1 << 59) - 1  # the *_FAST layers have an empty field list [O: 2.7, 20 of 20]

# -- the tables (section 2) ------------------------------------------------------------------------------------------

# group -> the fields that share its slot (2.1 [O]); any other field is a slot of its own
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "ADDR": ("IP_LOCAL_ADDRESS", "IP_REMOTE_ADDRESS", "IP_SOURCE_ADDRESS", "IP_DESTINATION_ADDRESS"),
    "IF": (
        "IP_LOCAL_INTERFACE", "IP_ARRIVAL_INTERFACE", "IP_NEXTHOP_INTERFACE", "IP_FORWARD_INTERFACE",
        "IP_PHYSICAL_ARRIVAL_INTERFACE", "IP_PHYSICAL_NEXTHOP_INTERFACE",
    ),
    "ADDRTYPE": ("IP_LOCAL_ADDRESS_TYPE", "EMBEDDED_LOCAL_ADDRESS_TYPE"),
    "PROTO": ("IP_PROTOCOL",),
    "LPORT": ("IP_LOCAL_PORT", "ORIGINAL_ICMP_TYPE"),
    "RPORT": ("IP_REMOTE_PORT",),
    "APP": (
        "ALE_APP_ID", "ALE_PACKAGE_ID", "ALE_PACKAGE_FAMILY_NAME", "ALE_SECURITY_ATTRIBUTE_FQBN_VALUE",
        "ALE_ORIGINAL_APP_ID",
    ),
    "USER": ("ALE_USER_ID",),
    "IFTYPE": ("INTERFACE_TYPE", "ARRIVAL_INTERFACE_TYPE", "NEXTHOP_INTERFACE_TYPE"),
    "TUNTYPE": ("TUNNEL_TYPE", "ARRIVAL_TUNNEL_TYPE", "NEXTHOP_TUNNEL_TYPE"),
    "IFPROFILE": (
        "LOCAL_INTERFACE_PROFILE_ID", "ARRIVAL_INTERFACE_PROFILE_ID", "NEXTHOP_INTERFACE_PROFILE_ID",
    ),
    "RESERVED": ("RESERVED0", "RESERVED1", "RESERVED2", "RESERVED3"),
}  # fmt: skip

# fields whose slot grows with log2 of their bits (2.2); the rest are one bit, whatever their type
GRADED: Final = frozenset(
    {
        # their values were seen [O]
        "IP_LOCAL_ADDRESS", "IP_REMOTE_ADDRESS", "IP_PROTOCOL", "IP_LOCAL_PORT", "IP_REMOTE_PORT",
        "ORIGINAL_ICMP_TYPE", "ORIGINAL_PROFILE_ID", "CURRENT_PROFILE_ID", "DIRECTION",
        # only the room that they take was seen [O]; that they are graded like the others [I]
        "IP_SOURCE_ADDRESS", "IP_DESTINATION_ADDRESS", "INTERFACE_INDEX", "SUB_INTERFACE_INDEX",
        "ARRIVAL_INTERFACE_INDEX", "NEXTHOP_INTERFACE_INDEX", "NEXTHOP_SUB_INTERFACE_INDEX",
        "SOURCE_INTERFACE_INDEX", "SOURCE_SUB_INTERFACE_INDEX", "DESTINATION_INTERFACE_INDEX",
        "DESTINATION_SUB_INTERFACE_INDEX", "ALE_NAP_CONTEXT", "ALE_PROMISCUOUS_MODE", "EMBEDDED_PROTOCOL",
        "EMBEDDED_LOCAL_PORT", "EMBEDDED_REMOTE_PORT", "EMBEDDED_REMOTE_ADDRESS",
    }
)  # fmt: skip

_BITS: Final[Mapping[DataType, int]] = {
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.BYTE_ARRAY16_TYPE: 128,
}

# slots in order, most important first; the slots that are not named follow in list order (2.3 [O])
DEFAULT_ORDER: Final = ("ADDR", "IF", "ADDRTYPE", "PROTO", "LPORT", "RPORT", "APP", "USER")
ORDERS: Final[Mapping[str, tuple[str, ...]]] = {
    # one name field stands on top and one below the indexes [O]; which is which is by elimination [I: 7.3]
    "ALE_AUTH_CONNECT": (
        "PEER_NAME", *DEFAULT_ORDER, "FLAGS", "ALE_REMOTE_USER_ID", "ALE_REMOTE_MACHINE_ID",
        "IP_DESTINATION_ADDRESS_TYPE", "IFTYPE", "TUNTYPE", "INTERFACE_INDEX", "SUB_INTERFACE_INDEX",
        "ARRIVAL_INTERFACE_INDEX", "NEXTHOP_SUB_INTERFACE_INDEX", "NEXTHOP_INTERFACE_INDEX",
        "ALE_EFFECTIVE_NAME",
    ),
    "INBOUND_TRANSPORT": (*DEFAULT_ORDER, "FLAGS"),
    "ALE_FLOW_ESTABLISHED": (*DEFAULT_ORDER, "ALE_REMOTE_USER_ID", "ALE_REMOTE_MACHINE_ID", "DIRECTION"),
    "ALE_RESOURCE_ASSIGNMENT": (
        "LPORT", "RPORT", "IF", "ADDRTYPE", "PROTO", "APP", "USER", "ALE_PROMISCUOUS_MODE", "FLAGS", "ADDR",
    ),
    "ALE_ENDPOINT_CLOSURE": (
        "LPORT", "RPORT", "IF", "ADDRTYPE", "PROTO", "APP", "USER", "ALE_PROMISCUOUS_MODE", "FLAGS", "ADDR",
    ),
    "INBOUND_ICMP_ERROR": (
        "ADDR", "IF", "ADDRTYPE", "EMBEDDED_PROTOCOL", "EMBEDDED_LOCAL_PORT", "EMBEDDED_REMOTE_PORT", "LPORT",
        "RPORT", "EMBEDDED_REMOTE_ADDRESS",
    ),
}  # fmt: skip

_GROUP_OF: Final = {name: group for group, names in GROUPS.items() for name in names}

# -- the layout of a layer (2.4) -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """Bits `shift` to `shift + width - 1` of the weight, for `fields`; `units` 0: a yes/no slot of one bit."""

    name: str
    fields: tuple[Field, ...]
    units: int
    shift: int = 0
    width: int = 0


@lru_cache(maxsize=512)
def layout(layer: Layer) -> tuple[Slot, ...]:
    """The slots of `layer`, most important first. With a graded slot they fill the 60 bits exactly [O: 2.4]."""
    slots = _ordered(layer)
    one_bit = sum(1 for s in slots if not s.units)
    scale = (AUTOMATIC_BITS - one_bit) / (sum(s.units for s in slots) or 1)
    placed: list[Slot] = []
    x, edge = 0.0, 0
    for slot in reversed(slots):
        x += slot.units * scale or 1
        upper = math.floor(x + 0.5 + 1e-9)
        placed.append(Slot(slot.name, slot.fields, slot.units, edge, upper - edge))
        edge = upper
    return tuple(reversed(placed))


def _ordered(layer: Layer) -> list[Slot]:
    grouped: dict[str, list[Field]] = {}
    for field in layer.fields:
        grouped.setdefault(_GROUP_OF.get(field.key.short, field.key.short), []).append(field)
    first = [name for name in ORDERS.get(_family(layer), DEFAULT_ORDER) if name in grouped]
    names = first + [name for name in grouped if name not in first]
    return [Slot(name, tuple(grouped[name]), sum(map(_units, grouped[name]))) for name in names]


def _family(layer: Layer) -> str:
    """The layer without its IP version; a discard layer has the order of the layer that it shadows [I]."""
    return layer.key.short.removesuffix("_DISCARD").removesuffix("_V4").removesuffix("_V6")


def _units(field: Field) -> int:
    if field.key.short not in GRADED or field.type not in _BITS:
        return 0
    return _BITS[field.type].bit_length() - 1


# -- the value of a filter (2.5, 2.6) --------------------------------------------------------------------------------


def effective_weight(filter: Filter, layer: Layer) -> int:
    """What BFE makes of the weight that `filter` asks for, 0 to 2**64 - 1.

    Raises `PolicyError` (FWP_E_INVALID_WEIGHT) for a weight that is not EMPTY, UINT8 0..15 or UINT64.
    """
    weight = filter.weight
    if weight.type is DataType.UINT64 and isinstance(weight.data, int):
        return weight.data
    if weight.type is DataType.EMPTY:
        return low60(layer, filter.conditions)
    if weight.type is DataType.UINT8 and isinstance(weight.data, int) and weight.data <= MAX_RANGE:
        return weight.data << AUTOMATIC_BITS | low60(layer, filter.conditions)
    found = f"weight {weight} of type {weight.type.name}"
    wanted = "EMPTY, UINT8 from 0 to 15, or UINT64"
    raise PolicyError("FWP_E_INVALID_WEIGHT", str(filter), found, wanted)


def low60(layer: Layer, conditions: Iterable[Condition]) -> int:
    """The automatic weight, below 2**60, of a filter with `conditions` at `layer`; fields it lacks count nothing."""
    if not layer.fields:
        return NO_FIELDS
    by_field: dict[FieldKey, list[Condition]] = {}
    for condition in conditions:
        by_field.setdefault(canonical_field(condition.field), []).append(condition)
    return sum(_slot_value(slot, by_field) << slot.shift for slot in layout(layer)) if by_field else 0


def _slot_value(slot: Slot, by_field: Mapping[FieldKey, Sequence[Condition]]) -> int:
    tested = [(f, by_field[f.key]) for f in slot.fields if f.key in by_field]
    if not tested:
        return 0
    if not slot.units:
        return 1
    # the mean is over the fields of the layer, tested or not [O: 2.6]
    mean = sum(_field_measure(c, f) for f, c in tested) / len(slot.fields)
    top = (1 << slot.width) - 1  # a float has 53 bits, and rounds that of a wider slot up to the next slot
    return min(top, max(1, math.floor(top * mean + 0.5))) if mean > 0 else 0


def _field_measure(conditions: Sequence[Condition], field: Field) -> float:
    """Several conditions on one field add up; three or more count as an exact match [O: 7.1, all of 114; tentative]."""
    if len(conditions) >= 3:
        return 1.0
    bits = _BITS.get(field.type, 0)
    return min(1.0, sum(measure(c, bits) for c in conditions)) if bits else 0.0


def measure(condition: Condition, bits: int) -> float:
    """How narrow `condition` is on a field of `bits` bits: 1 for one value, 0 for all of them (2.5)."""
    data = condition.value.data
    if isinstance(data, V4Mask):
        return data.mask.bit_count() / 32
    if isinstance(data, V6Mask):
        return min(data.prefix, 128) / 128
    if condition.value.type is DataType.EMPTY:
        return 1.0  # [I]
    return 1 - math.log2(max(1, _SIZES[condition.match](data, bits))) / bits


def _number(data: Any) -> int:
    if isinstance(data, bytes):
        return int.from_bytes(data, "big")
    return data if isinstance(data, int) else 0


def _range_size(data: Any, bits: int) -> int:
    low, high = (data.low, data.high) if isinstance(data, Range) else (Value(DataType.EMPTY),) * 2
    return _number(high.data) - _number(low.data) + 1


# match type -> how many of the field's 2**bits values it lets pass. EQUAL and RANGE [O]; a comparison is the range that
# it denotes, NOT_EQUAL and flags the set that they denote [I: never seen on a graded field]
_SIZES: Final[Mapping[MatchType, Callable[[Any, int], int]]] = {
    MatchType.EQUAL: lambda c, bits: 1,
    MatchType.EQUAL_CASE_INSENSITIVE: lambda c, bits: 1,
    MatchType.PREFIX: lambda c, bits: 1,
    MatchType.NOT_PREFIX: lambda c, bits: (1 << bits) - 1,
    MatchType.NOT_EQUAL: lambda c, bits: (1 << bits) - 1,
    MatchType.RANGE: _range_size,
    MatchType.GREATER: lambda c, bits: (1 << bits) - 1 - _number(c),
    MatchType.GREATER_OR_EQUAL: lambda c, bits: (1 << bits) - _number(c),
    MatchType.LESS: lambda c, bits: _number(c),
    MatchType.LESS_OR_EQUAL: lambda c, bits: _number(c) + 1,
    MatchType.FLAGS_ALL_SET: lambda c, bits: 1 << (bits - _number(c).bit_count()),
    MatchType.FLAGS_NONE_SET: lambda c, bits: 1 << (bits - _number(c).bit_count()),
    MatchType.FLAGS_ANY_SET: lambda c, bits: (1 << bits) - (1 << (bits - _number(c).bit_count())),
}
