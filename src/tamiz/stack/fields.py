"""The facts of each layer: which packet, socket or flow fact fills which field.

`Indication` is all that is known when a layer is met. `_FIELDS` computes each field from it; `facts_of` picks the
fields that the layer has, so a field is never given where Windows has none. A field that is not known is left out
(UNKNOWN); one that Windows knows to be nothing is EMPTY. Sources: spec conditions.md 5 to 7, ale.md 12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from tamiz.model import catalog
from tamiz.model._tables import FIELD, AddressType, ConditionFlags, DataType, Direction, ReauthorizeReason
from tamiz.model.facts import UNKNOWN, Fact, Facts, KnownBits
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.layers import Field
from tamiz.model.values import EMPTY, Value, address, u8, u16, u32, u64
from tamiz.model.windows import EIGHT, WindowsVersion, flags_of, has_field

from .interfaces import Interface
from .processes import UNKNOWN_PROCESS, Process
from .requests import Way
from .rows import base_name

_NONE: Final = ConditionFlags(0)


@dataclass(frozen=True, slots=True)
class Embedded:
    """The packet that an ICMP error quotes, seen from this host: it was sent from `local_port` to `remote`."""

    protocol: int
    remote: bytes
    local_type: AddressType
    local_port: int | None = None
    remote_port: int | None = None


@dataclass(frozen=True, slots=True)
class Indication:
    """What is known when a layer is met. None means that there is none, so that the field is EMPTY.

    `version`: 4 or 6. Ports are an ICMP message's type and code. `way`: direction of the packet; `connection`: of the
    packet that opened the flow. `interface`: the local one; `arrival`, `nexthop`: those of the packet. For a packet in
    transit `source`, `destination` and their interfaces (`arrival`, `nexthop`) count. `hidden`: fields that are not
    known, whatever the rest says.
    """

    version: int
    protocol: int | None = None
    local: bytes | None = None
    remote: bytes | None = None
    local_port: int | None = None
    remote_port: int | None = None
    local_type: AddressType | None = None
    remote_type: AddressType | None = None
    way: Way | None = None
    connection: Way | None = None
    process: Process = UNKNOWN_PROCESS
    interface: Interface | None = None
    arrival: Interface | None = None
    nexthop: Interface | None = None
    flags: ConditionFlags = _NONE
    reason: ReauthorizeReason = ReauthorizeReason(0)
    original_icmp: int | None = None
    original_interface: Interface | None = None
    promiscuous: int | None = None
    socket_property: int = 0
    source: bytes | None = None
    destination: bytes | None = None
    embedded: Embedded | None = None
    hidden: frozenset[FieldKey] = field(default=frozenset())


# -- one fact each ---------------------------------------------------------------------------------------------------


def _address(packed: bytes | None) -> Fact:
    return EMPTY if packed is None else address(packed)


def _number(make: Callable[[int], Value], number: int | None) -> Fact:
    return EMPTY if number is None else make(number)


def _of(interface: Interface | None, get: Callable[[Interface], int], make: Callable[[int], Value] = u32) -> Fact:
    return EMPTY if interface is None else make(get(interface))


def _luid(interface: Interface | None) -> Fact:
    return _of(interface, lambda i: i.luid, u64)


def _local(i: Indication, base: str) -> Interface | None:
    """The local address's interface; at the layers of IP and transport the one that the packet crosses [I]."""
    if base.startswith(("INBOUND_IPPACKET", "OUTBOUND_IPPACKET", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT")):
        return i.arrival or i.nexthop or i.interface
    return i.interface


def _profile(interface: Interface | None) -> Fact:
    if interface is None:
        return EMPTY
    return UNKNOWN if interface.profile is None else u32(interface.profile)


def _destination_type(i: Indication, base: str) -> Fact:
    """Of the packet's destination: the remote address, the local one of an inbound flow, that of a transit packet."""
    inbound = base == "ALE_FLOW_ESTABLISHED" and i.connection == "in"
    return _number(u8, i.local_type if inbound else i.remote_type)


# Where the field is the direction of the connection, not of the packet [D: filtering-condition-identifiers-]
_CONNECTION_DIRECTION: Final = frozenset(("STREAM", "ALE_FLOW_ESTABLISHED"))


def _direction(i: Indication, base: str) -> Fact:
    way = i.connection if base.removesuffix("_DISCARD") in _CONNECTION_DIRECTION else i.way
    return u32(Direction.INBOUND if way == "in" else Direction.OUTBOUND)


# -- flags -----------------------------------------------------------------------------------------------------------

_PACKETS: Final = ("INBOUND_IPPACKET", "OUTBOUND_IPPACKET", "INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT")
_AUTH: Final = ("ALE_AUTH_RECV_ACCEPT", "ALE_AUTH_CONNECT")
_REDIRECT: Final = ("ALE_BIND_REDIRECT", "ALE_CONNECT_REDIRECT")
_F = ConditionFlags

# Flag -> the layers (and their discards) where it can be set [D: filtering-condition-flags-], except as marked
FLAG_LAYERS: Final[Mapping[ConditionFlags, frozenset[str]]] = {
    _F.IS_LOOPBACK: frozenset(
        (*_PACKETS, "STREAM", "STREAM_PACKET", "DATAGRAM_DATA", "INBOUND_ICMP_ERROR", "OUTBOUND_ICMP_ERROR",
         *_AUTH, "ALE_FLOW_ESTABLISHED", "ALE_CONNECT_REDIRECT",  # STREAM_PACKET and CONNECT_REDIRECT: [I]
         "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN")  # [O] real policies test it there
    ),
    _F.IS_REAUTHORIZE: frozenset((*_AUTH, "ALE_BIND_REDIRECT")),
    _F.IS_WILDCARD_BIND: frozenset(("ALE_RESOURCE_ASSIGNMENT",)),
    _F.IS_RAW_ENDPOINT: frozenset(
        ("INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT", "DATAGRAM_DATA", "INBOUND_ICMP_ERROR", "ALE_RESOURCE_ASSIGNMENT",
         *_AUTH, *_REDIRECT)
    ),
    _F.IS_FRAGMENT: frozenset(("INBOUND_IPPACKET",)),
    _F.IS_FRAGMENT_GROUP: frozenset(("IPFORWARD",)),
    _F.REQUIRES_ALE_CLASSIFY: frozenset(("INBOUND_TRANSPORT",)),
    _F.IS_IMPLICIT_BIND: frozenset(("ALE_RESOURCE_ASSIGNMENT",)),
    _F.IS_REASSEMBLED: frozenset(("INBOUND_IPPACKET",)),
    _F.IS_NAME_APP_SPECIFIED: frozenset(("ALE_AUTH_CONNECT",)),
    _F.IS_OUTBOUND_PASS_THRU: frozenset(("IPFORWARD",)),
    _F.IS_INBOUND_PASS_THRU: frozenset(("IPFORWARD",)),
    _F.IS_CONNECTION_REDIRECTED: frozenset(("ALE_AUTH_CONNECT",)),
    _F.IS_APPCONTAINER_LOOPBACK: frozenset(_AUTH),
    _F.IS_NON_APPCONTAINER_LOOPBACK: frozenset(_AUTH),
}  # fmt: skip
_LOOPBACK_KINDS: Final = _F.IS_APPCONTAINER_LOOPBACK | _F.IS_NON_APPCONTAINER_LOOPBACK


def _flags(i: Indication, base: str, windows: WindowsVersion) -> Fact:
    """The flag word: every bit is known, save which kind of loopback it is when the process is not known."""
    stem = base.removesuffix("_DISCARD")
    wanted, unknown = i.flags, _NONE
    if windows >= EIGHT and i.flags & _F.IS_LOOPBACK and stem in _AUTH:
        container = i.process.app_container
        if container is None:
            unknown = _LOOPBACK_KINDS
        else:
            wanted |= _F.IS_APPCONTAINER_LOOPBACK if container else _F.IS_NON_APPCONTAINER_LOOPBACK
    value = int(wanted) & _possible(stem, windows)
    return KnownBits(value, 0xFFFFFFFF & ~int(unknown)) if unknown else u32(value)


@cache
def _possible(stem: str, windows: WindowsVersion) -> int:
    return sum(flag for flag, layers in FLAG_LAYERS.items() if stem in layers) & int(flags_of(windows))


# -- the table -------------------------------------------------------------------------------------------------------

_Compute = Callable[[Indication, str], Fact]

_FIELDS: Final[Mapping[FieldKey, _Compute]] = {
    FIELD.IP_PROTOCOL: lambda i, _: _number(u8, i.protocol),
    FIELD.IP_LOCAL_ADDRESS: lambda i, _: _address(i.local),
    FIELD.IP_REMOTE_ADDRESS: lambda i, _: _address(i.remote),
    FIELD.IP_LOCAL_ADDRESS_TYPE: lambda i, _: _number(u8, i.local_type),
    FIELD.IP_DESTINATION_ADDRESS_TYPE: _destination_type,
    FIELD.IP_LOCAL_PORT: lambda i, _: _number(u16, i.local_port),
    FIELD.IP_REMOTE_PORT: lambda i, _: _number(u16, i.remote_port),
    FIELD.DIRECTION: _direction,
    # interfaces
    FIELD.IP_LOCAL_INTERFACE: lambda i, base: _luid(_local(i, base)),
    FIELD.INTERFACE_INDEX: lambda i, base: _of(_local(i, base), lambda n: n.index),
    FIELD.SUB_INTERFACE_INDEX: lambda i, base: _of(_local(i, base), lambda n: n.sub_index),
    FIELD.INTERFACE_TYPE: lambda i, base: _of(_local(i, base), lambda n: n.type),
    FIELD.TUNNEL_TYPE: lambda i, base: _of(_local(i, base), lambda n: n.tunnel),
    FIELD.COMPARTMENT_ID: lambda i, _: u32(i.interface.compartment if i.interface else 1),
    FIELD.IP_ARRIVAL_INTERFACE: lambda i, _: _luid(i.arrival),
    FIELD.ARRIVAL_INTERFACE_TYPE: lambda i, _: _of(i.arrival, lambda n: n.type),
    FIELD.ARRIVAL_TUNNEL_TYPE: lambda i, _: _of(i.arrival, lambda n: n.tunnel),
    FIELD.ARRIVAL_INTERFACE_INDEX: lambda i, _: _of(i.arrival, lambda n: n.index),
    FIELD.ARRIVAL_INTERFACE_PROFILE_ID: lambda i, _: _profile(i.arrival),
    FIELD.IP_NEXTHOP_INTERFACE: lambda i, _: _luid(i.nexthop),
    FIELD.NEXTHOP_INTERFACE_TYPE: lambda i, _: _of(i.nexthop, lambda n: n.type),
    FIELD.NEXTHOP_TUNNEL_TYPE: lambda i, _: _of(i.nexthop, lambda n: n.tunnel),
    FIELD.NEXTHOP_INTERFACE_INDEX: lambda i, _: _of(i.nexthop, lambda n: n.index),
    FIELD.NEXTHOP_SUB_INTERFACE_INDEX: lambda i, _: _of(i.nexthop, lambda n: n.sub_index),
    FIELD.NEXTHOP_INTERFACE_PROFILE_ID: lambda i, _: _profile(i.nexthop),
    FIELD.LOCAL_INTERFACE_PROFILE_ID: lambda i, _: _profile(i.interface),
    FIELD.ORIGINAL_PROFILE_ID: lambda i, _: _profile(i.original_interface or i.interface),
    FIELD.CURRENT_PROFILE_ID: lambda i, _: _profile(i.arrival or i.nexthop or i.interface),
    # a packet in transit
    FIELD.IP_SOURCE_ADDRESS: lambda i, _: _address(i.source),
    FIELD.IP_DESTINATION_ADDRESS: lambda i, _: _address(i.destination),
    FIELD.IP_FORWARD_INTERFACE: lambda i, _: _luid(i.nexthop),
    FIELD.SOURCE_INTERFACE_INDEX: lambda i, _: _of(i.arrival, lambda n: n.index),
    FIELD.SOURCE_SUB_INTERFACE_INDEX: lambda i, _: _of(i.arrival, lambda n: n.sub_index),
    FIELD.DESTINATION_INTERFACE_INDEX: lambda i, _: _of(i.nexthop, lambda n: n.index),
    FIELD.DESTINATION_SUB_INTERFACE_INDEX: lambda i, _: _of(i.nexthop, lambda n: n.sub_index),
    FIELD.IP_PHYSICAL_ARRIVAL_INTERFACE: lambda i, _: _luid(i.arrival),
    FIELD.IP_PHYSICAL_NEXTHOP_INTERFACE: lambda i, _: _luid(i.nexthop),
    # who
    FIELD.ALE_APP_ID: lambda i, _: i.process.app_fact(),
    FIELD.ALE_ORIGINAL_APP_ID: lambda i, _: i.process.original_app_fact(),
    FIELD.ALE_USER_ID: lambda i, _: i.process.token_fact(),
    FIELD.ALE_PACKAGE_ID: lambda i, _: i.process.package_fact(),
    FIELD.ALE_PACKAGE_FAMILY_NAME: lambda i, _: i.process.token_fact(),
    FIELD.ALE_REMOTE_USER_ID: lambda i, _: EMPTY,  # no IPsec [D: application-layer-enforcement--ale-]
    FIELD.ALE_REMOTE_MACHINE_ID: lambda i, _: EMPTY,  # no IPsec [D: application-layer-enforcement--ale-]
    FIELD.IPSEC_SECURITY_REALM_ID: lambda i, _: EMPTY,  # no IPsec [I]
    FIELD.PEER_NAME: lambda i, _: EMPTY,  # the application gave none [I]
    FIELD.ALE_EFFECTIVE_NAME: lambda i, _: EMPTY,  # the application gave none [I]
    # how
    FIELD.ALE_PROMISCUOUS_MODE: lambda i, _: _number(u32, i.promiscuous),  # else empty [I]
    FIELD.ALE_SIO_FIREWALL_SYSTEM_PORT: lambda i, _: u32(i.socket_property),
    FIELD.REAUTHORIZE_REASON: lambda i, _: u32(i.reason),  # 0 on an initial authorization [I]
    FIELD.ORIGINAL_ICMP_TYPE: lambda i, _: _number(u16, i.original_icmp),
    # the packet that an ICMP error quotes
    FIELD.EMBEDDED_PROTOCOL: lambda i, _: _number(u8, i.embedded.protocol if i.embedded else None),
    FIELD.EMBEDDED_REMOTE_ADDRESS: lambda i, _: _address(i.embedded.remote if i.embedded else None),
    FIELD.EMBEDDED_LOCAL_ADDRESS_TYPE: lambda i, _: _number(u8, i.embedded.local_type if i.embedded else None),
    FIELD.EMBEDDED_LOCAL_PORT: lambda i, _: _number(u16, i.embedded.local_port if i.embedded else None),
    FIELD.EMBEDDED_REMOTE_PORT: lambda i, _: _number(u16, i.embedded.remote_port if i.embedded else None),
}


@cache
def _layer_fields(layer: LayerKey, windows: WindowsVersion) -> tuple[Field, ...]:
    return tuple(f for f in catalog.layers()[layer].fields if has_field(windows, f.key))


@lru_cache(maxsize=4096)  # the packets of a flow show the same facts
def facts_of(layer: LayerKey, indication: Indication, windows: WindowsVersion) -> Facts:
    """What is known of each field of `layer`, in that version of Windows.

    Fields that are not known are left out, and so is one whose type at this layer is another: at
    NAME_RESOLUTION_CACHE the user is a SID, which no token here tells [O]."""
    base, facts = base_name(layer), dict[FieldKey, Fact]()
    for each in _layer_fields(layer, windows):
        if each.key == FIELD.FLAGS:
            facts[each.key] = _flags(indication, base, windows)
        elif each.key in _FIELDS and each.key not in indication.hidden:
            fact = _FIELDS[each.key](indication, base)
            if isinstance(fact, Value) and fact.type in (each.type, DataType.EMPTY):
                facts[each.key] = fact
    return MappingProxyType(facts)
