"""The facts of a layer as somebody sees them who was not inside the host: from a packet, a log, or a question.

A simulated host knows everything about its sockets and interfaces; a witness knows addresses and ports, and what he was
told besides (`Known`). Everything else is UNKNOWN, never a guess: the kind of bind, the interface, the application.
Sources: spec conditions.md 5 to 7 and ale.md 12 through `tamiz.stack.fields`; design.md 5 ("Replay", "Unknown").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Final

from tamiz.model import catalog
from tamiz.model._tables import FIELD, AddressType, ConditionFlags, ReauthorizeReason
from tamiz.model.facts import Fact, Facts, KnownBits, Unknown
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.sids import Sid
from tamiz.model.values import EMPTY, Value, address, u8, u16
from tamiz.model.windows import NEWEST, WindowsVersion

from .fields import FLAG_LAYERS, Embedded, Indication, facts_of
from .interfaces import Interface
from .processes import UNKNOWN_PROCESS, Process
from .requests import Way
from .rows import base_name

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
_NONE: Final = ConditionFlags(0)
_NO_REASON: Final = ReauthorizeReason(0)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two ends and a protocol, seen from the local one; ports of ICMP are type and code, of other protocols None.

    `original_icmp`: the type of the ICMP message that opened the flow, None where it is this one.
    """

    protocol: int
    local: bytes
    remote: bytes
    local_port: int | None = None
    remote_port: int | None = None
    original_icmp: int | None = None

    @property
    def version(self) -> int:
        return 4 if len(self.local) == 4 else 6

    @property
    def loopback(self) -> bool:
        """Whether both ends are this host, as far as the addresses show it."""
        return self.local == self.remote or (is_loopback(self.local) and is_loopback(self.remote))


# Fields of the interface that a packet crosses; those of the other way are EMPTY (conditions.md 5)
_LOCAL: Final = frozenset(
    {
        FIELD.IP_LOCAL_INTERFACE, FIELD.INTERFACE_INDEX, FIELD.SUB_INTERFACE_INDEX, FIELD.INTERFACE_TYPE,
        FIELD.TUNNEL_TYPE, FIELD.LOCAL_INTERFACE_PROFILE_ID, FIELD.ORIGINAL_PROFILE_ID, FIELD.CURRENT_PROFILE_ID,
    }
)  # fmt: skip
_CROSSED: Final[Mapping[Way | None, frozenset[FieldKey]]] = {
    None: frozenset(),
    "in": frozenset(
        {
            FIELD.IP_ARRIVAL_INTERFACE, FIELD.ARRIVAL_INTERFACE_INDEX, FIELD.ARRIVAL_INTERFACE_TYPE,
            FIELD.ARRIVAL_TUNNEL_TYPE, FIELD.ARRIVAL_INTERFACE_PROFILE_ID,
        }
    ),
    "out": frozenset(
        {
            FIELD.IP_NEXTHOP_INTERFACE, FIELD.NEXTHOP_INTERFACE_INDEX, FIELD.NEXTHOP_SUB_INTERFACE_INDEX,
            FIELD.NEXTHOP_INTERFACE_TYPE, FIELD.NEXTHOP_TUNNEL_TYPE, FIELD.NEXTHOP_INTERFACE_PROFILE_ID,
        }
    ),
}  # fmt: skip

# What only the host itself knows: what the application asked for, and the other end's IPsec identity.
_ASKED: Final = frozenset({FIELD.PEER_NAME, FIELD.ALE_EFFECTIVE_NAME, FIELD.ALE_SIO_FIREWALL_SYSTEM_PORT})
_IPSEC_FIELDS: Final = frozenset({FIELD.ALE_REMOTE_USER_ID, FIELD.ALE_REMOTE_MACHINE_ID, FIELD.IPSEC_SECURITY_REALM_ID})

# The flags that addresses and headers decide; the other flags that a layer can have are not known.
_DECIDED: Final = (
    ConditionFlags.IS_LOOPBACK
    | ConditionFlags.IS_REAUTHORIZE
    | ConditionFlags.IS_FRAGMENT
    | ConditionFlags.IS_FRAGMENT_GROUP
    | ConditionFlags.IS_REASSEMBLED
    | ConditionFlags.REQUIRES_ALE_CLASSIFY
    | ConditionFlags.IS_INBOUND_PASS_THRU
    | ConditionFlags.IS_OUTBOUND_PASS_THRU
)
# At these layers a packet may be protected by IPsec, or match authenticated-firewall policy (conditions.md 6)
_IPSEC: Final[Mapping[ConditionFlags, frozenset[str]]] = {
    ConditionFlags.IS_IPSEC_SECURED: frozenset(
        {
            "INBOUND_IPPACKET",
            "INBOUND_TRANSPORT",
            "ALE_AUTH_RECV_ACCEPT",
            "ALE_AUTH_CONNECT",
            "ALE_FLOW_ESTABLISHED",
        }
    ),
    ConditionFlags.IS_AUTH_FW: frozenset({"ALE_FLOW_ESTABLISHED", "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT"}),
    ConditionFlags.IS_IPSEC_NATT_RECLASSIFY: frozenset({"INBOUND_TRANSPORT", "OUTBOUND_TRANSPORT"}),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the witness was told beside the packets.

    `facts` hold where nothing better is known: what a packet shows, and what is EMPTY at a layer, takes precedence; of
    FLAGS they fill the bits that no header decides. `ipsec` False: no traffic is protected by IPsec.
    """

    facts: Facts = field(default_factory=lambda: MappingProxyType({}))
    ipsec: bool | None = None
    windows: WindowsVersion = NEWEST

    def hidden(self, way: Way | None) -> frozenset[FieldKey]:
        """The fields that no packet shows."""
        return _LOCAL | _CROSSED[way] | _ASKED | (frozenset() if self.ipsec is False else _IPSEC_FIELDS)

    @property
    def process(self) -> Process:
        """The process, as far as its package tells whether it is an app container's."""
        package = self.facts.get(FIELD.ALE_PACKAGE_ID)
        sid = package.data if isinstance(package, Value) else None
        return Process(package=sid) if isinstance(sid, Sid) else UNKNOWN_PROCESS


NOTHING_TOLD: Final = Known()
_SOMEWHERE: Final = Interface(luid=0, index=0, addresses=())


def facts_at(
    layer: LayerKey,
    conversation: Conversation,
    known: Known,
    way: Way | None = None,
    connection: Way | None = None,
    flags: ConditionFlags = _NONE,
    reason: ReauthorizeReason = _NO_REASON,
    embedded: Embedded | None = None,
) -> Facts:
    """What a witness knows of the fields of `layer` for one event of the conversation.

    `way`: of the packet or call; `connection`: of the packet that opened the flow; `flags`: those that the event sets;
    `reason`: of a reauthorization; `embedded`: the packet that an ICMP error quotes.
    """
    base = base_name(layer)
    indication = replace(_indication(conversation, known, way, connection, flags), reason=reason, embedded=embedded)
    shown = dict(facts_of(layer, indication, known.windows))
    if FIELD.FLAGS in shown:
        shown[FIELD.FLAGS] = _flags(base, shown[FIELD.FLAGS], conversation, known)
    shown.update(_loose(base, conversation, connection, shown))
    told = told_at(layer, known.facts)
    return {**told, **{key: fact for key, fact in shown.items() if not _narrows(told.get(key), fact)}}


def _narrows(told: Fact | None, shown: Fact) -> bool:
    """Whether what was told is one of the few values that the packets leave open."""
    if not isinstance(shown, Unknown) or not isinstance(told, Value):
        return False
    return shown.may_be_empty if told == EMPTY else told in (shown.among or (told,))


def told_at(layer: LayerKey, told: Facts) -> Facts:
    """What was told, as far as `layer` has the fields; what a packet or a host shows takes precedence over it."""
    return {key: fact for key, fact in told.items() if key in _fields(layer)}


@cache
def _fields(layer: LayerKey) -> frozenset[FieldKey]:
    return frozenset(f.key for f in catalog.layers()[layer].fields)


def _indication(
    c: Conversation, known: Known, way: Way | None, connection: Way | None, flags: ConditionFlags
) -> Indication:
    loopback = ConditionFlags.IS_LOOPBACK if c.loopback else _NONE
    return Indication(
        version=c.version,
        protocol=c.protocol,
        local=c.local,
        remote=c.remote,
        local_port=c.local_port,
        remote_port=c.remote_port,
        local_type=address_type(c.local),
        remote_type=address_type(c.remote),
        way=way,
        connection=connection or way,
        process=known.process,
        interface=_SOMEWHERE,
        arrival=_SOMEWHERE if way == "in" else None,
        nexthop=_SOMEWHERE if way == "out" else None,
        flags=flags | loopback,
        original_icmp=original_icmp(c.protocol, c.local_port, c.original_icmp),
        hidden=known.hidden(way),
    )


def original_icmp(protocol: int, local_port: int | None, original: int | None) -> int | None:
    """The type of the ICMP message that opened the flow: `original` where it is told, else this message's own."""
    if protocol not in (ICMP, ICMP6):
        return None
    return local_port if original is None else original


def _flags(base: str, fact: Fact, c: Conversation, known: Known) -> Fact:
    """The flag word, of which only the decided bits are known."""
    value, decided = _bits(fact)
    decided &= 0xFFFFFFFF & ~_undecided(base.removesuffix("_DISCARD"), c.protocol in (TCP, UDP), known.ipsec is False)
    told_value, told = _bits(known.facts[FIELD.FLAGS]) if FIELD.FLAGS in known.facts else (0, 0)
    return KnownBits(value & decided | told_value & told & ~decided, decided | told)


def _bits(fact: Fact) -> tuple[int, int]:
    """The value of a flag word and the bits of it that are known."""
    if isinstance(fact, KnownBits):
        return fact.value, fact.known
    known = isinstance(fact, Value) and isinstance(fact.data, int)
    return (int(fact.data), 0xFFFFFFFF) if known else (0, 0)  # type: ignore[union-attr,arg-type]


@cache
def _undecided(stem: str, plain_socket: bool, no_ipsec: bool) -> int:
    """The bits that layer `stem` can have and that no header decides."""
    found = 0
    for flag, layers in FLAG_LAYERS.items():
        raw = flag is ConditionFlags.IS_RAW_ENDPOINT and plain_socket  # its own stack, not a raw socket, speaks TCP
        loopback_kind = flag in (
            ConditionFlags.IS_APPCONTAINER_LOOPBACK, ConditionFlags.IS_NON_APPCONTAINER_LOOPBACK
        )  # fmt: skip  # decided with IS_LOOPBACK and the process, by `fields`
        if stem in layers and not flag & _DECIDED and not raw and not loopback_kind:
            found |= flag
    for flag, layers in _IPSEC.items():
        if stem in layers and not no_ipsec:
            found |= flag
    return found


def _loose(base: str, c: Conversation, connection: Way | None, facts: Facts) -> dict[FieldKey, Fact]:
    """Fields that a packet shows only in part: the address that a socket was bound to, a subnet's broadcast address."""
    found: dict[FieldKey, Fact] = {}
    stem = base.removesuffix("_DISCARD")
    if stem in _BINDS:
        nowhere = bytes(len(c.local))
        found[FIELD.IP_LOCAL_ADDRESS] = Unknown((address(c.local), address(nowhere)))
        found[FIELD.IP_LOCAL_ADDRESS_TYPE] = Unknown((u8(address_type(c.local)), u8(AddressType.UNSPECIFIED)))
        if connection != "in" and c.local_port is not None:  # a server's port was named, a client's perhaps not
            found[FIELD.IP_LOCAL_PORT] = Unknown((u16(c.local_port),))
    for key, packed in (
        (FIELD.IP_DESTINATION_ADDRESS_TYPE, c.remote),
        (FIELD.IP_LOCAL_ADDRESS_TYPE, c.local),
    ):
        if key not in found and len(packed) == 4 and packed[3] == 255 and packed != b"\xff" * 4:
            found[key] = Unknown((u8(AddressType.UNICAST), u8(AddressType.BROADCAST)), may_be_empty=False)
    return {key: fact for key, fact in found.items() if key in facts}


# Where the fields tell how a socket was bound, which no packet shows: explicitly, to any address, to any port
_BINDS: Final = frozenset({"ALE_BIND_REDIRECT", "ALE_RESOURCE_ASSIGNMENT", "ALE_AUTH_LISTEN", "ALE_RESOURCE_RELEASE"})


def is_loopback(packed: bytes) -> bool:
    """Whether an address is one of the loopback interface."""
    return packed[0] == 127 if len(packed) == 4 else packed == b"\0" * 15 + b"\1"


def address_type(packed: bytes) -> AddressType:
    """NL_ADDRESS_TYPE as the address alone shows it: a subnet's broadcast address counts as unicast."""
    if not any(packed):
        return AddressType.UNSPECIFIED
    if packed == b"\xff" * 4:
        return AddressType.BROADCAST
    group = packed[0] >> 4 == 0b1110 if len(packed) == 4 else packed[0] == 0xFF  # RFC 5771 3, RFC 4291 2.7
    return AddressType.MULTICAST if group else AddressType.UNICAST
