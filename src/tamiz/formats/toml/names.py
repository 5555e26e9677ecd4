"""The friendly names of the policy language, and how names resolve.

A friendly name is the FWPM_ name without its prefix, in lower case with dashes (`ale-auth-connect-v4`, `ip-protocol`,
`is-loopback`), or a short alias from the tables below. FWPM_ names and `{guid}`s that the catalog knows are accepted
wherever a name is. The tables are all there is: the reader, the messages and the documentation use the same ones.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from enum import IntFlag
from functools import cache
from itertools import islice
from typing import Final, TypeVar

from tamiz.model import catalog
from tamiz.model._tables import (
    ALIASES,
    GUIDS,
    AddressType,
    ConditionFlags,
    Direction,
    Profile,
    ReauthorizeReason,
    SocketPropertyFlags,
)
from tamiz.model.keys import FieldKey, Key, LayerKey
from tamiz.model.layers import canonical_field

K = TypeVar("K", bound=Key)


def kebab(name: str) -> str:
    return name.lower().replace("_", "-")


# -- fields ----------------------------------------------------------------------------------------------------------

# short alias -> FWPM_CONDITION_ name without its prefix
FIELD_ALIASES: Final[Mapping[str, str]] = {
    "protocol": "IP_PROTOCOL",
    "local-address": "IP_LOCAL_ADDRESS",
    "remote-address": "IP_REMOTE_ADDRESS",
    "source-address": "IP_SOURCE_ADDRESS",
    "destination-address": "IP_DESTINATION_ADDRESS",
    "local-address-type": "IP_LOCAL_ADDRESS_TYPE",
    "destination-address-type": "IP_DESTINATION_ADDRESS_TYPE",
    "local-port": "IP_LOCAL_PORT",
    "remote-port": "IP_REMOTE_PORT",
    "source-port": "IP_SOURCE_PORT",
    "destination-port": "IP_DESTINATION_PORT",
    "icmp-type": "ICMP_TYPE",
    "icmp-code": "ICMP_CODE",
    "app": "ALE_APP_ID",
    "original-app": "ALE_ORIGINAL_APP_ID",
    "user": "ALE_USER_ID",
    "remote-user": "ALE_REMOTE_USER_ID",
    "remote-machine": "ALE_REMOTE_MACHINE_ID",
    "package": "ALE_PACKAGE_ID",
    "package-family": "ALE_PACKAGE_FAMILY_NAME",
    "effective-name": "ALE_EFFECTIVE_NAME",
    "socket-flags": "ALE_SIO_FIREWALL_SYSTEM_PORT",
    "promiscuous-mode": "ALE_PROMISCUOUS_MODE",
    "interface": "IP_LOCAL_INTERFACE",
    "local-interface": "IP_LOCAL_INTERFACE",
    "arrival-interface": "IP_ARRIVAL_INTERFACE",
    "nexthop-interface": "IP_NEXTHOP_INTERFACE",
    "forward-interface": "IP_FORWARD_INTERFACE",
    "profile": "CURRENT_PROFILE_ID",
    "current-profile": "CURRENT_PROFILE_ID",
    "original-profile": "ORIGINAL_PROFILE_ID",
    "compartment": "COMPARTMENT_ID",
}

# at the vSwitch layers ICMP type and code are other GUIDs than at the host's [catalog aliases]
_VSWITCH: Final = {"ICMP_TYPE": "VSWITCH_ICMP_TYPE", "ICMP_CODE": "VSWITCH_ICMP_CODE"}


@cache
def field_names() -> Mapping[str, FieldKey]:
    """Every friendly name -> the field that it means; aliases of one GUID mean one field."""
    prefix = catalog.prefix_of(FieldKey)
    names = {kebab(name.removeprefix(prefix)): _field(name) for name in (*GUIDS["conditions"], *_aliases())}
    return {**names, **{alias: _field(prefix + short) for alias, short in FIELD_ALIASES.items()}}


def _aliases() -> tuple[str, ...]:
    return tuple(name for name in ALIASES if name.startswith(catalog.prefix_of(FieldKey)))


def _field(name: str) -> FieldKey:
    return canonical_field(catalog.resolve(FieldKey, name)[0])


def field_of(text: str, layer: LayerKey) -> FieldKey | None:
    """The field that `text` names at `layer`; None where it names none."""
    short = text.upper().replace("-", "_")
    if short in _VSWITCH and "VSWITCH" in layer:
        text = kebab(_VSWITCH[short])
    if text in field_names():
        return field_names()[text]
    key, known = catalog.resolve(FieldKey, text)
    return canonical_field(key) if known else None


@cache
def field_word(key: FieldKey) -> str:
    """The shortest friendly name of a field, as messages and written policies use it."""
    names = [name for name, found in field_names().items() if found == key]
    aliases = [name for name in names if name in FIELD_ALIASES and not name.startswith("icmp")]
    return (aliases or names or [str(key)])[0]


# -- layers ----------------------------------------------------------------------------------------------------------


@cache
def layer_names() -> Mapping[str, tuple[LayerKey, ...]]:
    """Every friendly name -> its layers: one with -v4 or -v6, both without."""
    names: dict[str, tuple[LayerKey, ...]] = {}
    for key in catalog.layers():
        names[kebab(key.short)] = (key,)
        both = re.sub(r"_V[46](?=_|$)", "", key.short)
        if both != key.short:
            names[kebab(both)] = (*names.get(kebab(both), ()), key)
    return names


def layers_of(text: str) -> tuple[LayerKey, ...]:
    """The layers that `text` names; () where it names none."""
    if text in layer_names():
        return layer_names()[text]
    key, _ = catalog.resolve(LayerKey, text)
    return (key,) if key in catalog.layers() else ()


# -- objects of the catalog ------------------------------------------------------------------------------------------


@cache
def catalog_names(cls: type[K], kind: str) -> Mapping[str, K]:
    """Friendly names of Windows' own objects of one kind: `universal` -> FWPM_SUBLAYER_UNIVERSAL."""
    return {kebab(name.removeprefix(catalog.prefix_of(cls))): cls(name) for name in GUIDS[kind]}


def catalog_key(cls: type[K], kind: str, text: str) -> K | None:
    """The catalog's object that `text` names: friendly, FWPM_ name, alias or `{guid}`; None where there is none."""
    names: Mapping[str, K] = catalog_names(cls, kind)
    if text in names:
        return names[text]
    key, known = catalog.resolve(cls, text)
    return key if known else None


# -- names of values -------------------------------------------------------------------------------------------------

# IANA protocol numbers; `icmp` is the layer's own ICMP: 1 at V4 layers, 58 at V6 layers (see `FAMILY_PROTOCOLS`)
PROTOCOLS: Final[Mapping[str, int]] = {
    "hop-by-hop": 0, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "ipv6": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "ipv6-no-next": 59, "ipv6-options": 60,
    "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132, "udp-lite": 136,
}  # fmt: skip
FAMILY_PROTOCOLS: Final[Mapping[str, Mapping[int | None, int]]] = {
    "icmp": {4: 1, 6: 58},
    "icmpv4": {4: 1},
    "icmpv6": {6: 58},
}

# ICMP types by the layer's IP version [IANA registries]; neighbour discovery is RFC 4861
ICMP_TYPES: Final[Mapping[str, Mapping[int | None, int]]] = {
    "echo-request": {4: 8, 6: 128},
    "echo-reply": {4: 0, 6: 129},
    "destination-unreachable": {4: 3, 6: 1},
    "packet-too-big": {6: 2},
    "time-exceeded": {4: 11, 6: 3},
    "parameter-problem": {4: 12, 6: 4},
    "redirect": {4: 5, 6: 137},
    "router-solicitation": {4: 10, 6: 133},
    "router-advertisement": {4: 9, 6: 134},
    "neighbor-solicitation": {6: 135},
    "neighbor-advertisement": {6: 136},
    "multicast-listener-query": {6: 130},
    "multicast-listener-report": {6: 131},
    "multicast-listener-done": {6: 132},
    "multicast-listener-report-v2": {6: 143},
}

# IF_TYPE_* of ipifcons.h, which are IANA ifType numbers; Wintun and WireGuard adapters are prop-virtual
INTERFACE_TYPES: Final[Mapping[str, int]] = {
    "ethernet": 6, "token-ring": 9, "ppp": 23, "software-loopback": 24, "atm": 37, "prop-virtual": 53,
    "ieee80211": 71, "tunnel": 131, "ieee1394": 144, "wwanpp": 243, "wwanpp2": 244,
}  # fmt: skip

# TUNNEL_TYPE of ifdef.h
TUNNEL_TYPES: Final[Mapping[str, int]] = {
    "none": 0, "other": 1, "direct": 2, "6to4": 11, "isatap": 13, "teredo": 14, "iphttps": 15,
}  # fmt: skip

L2_FLAGS: Final[Mapping[str, int]] = {  # conditions.md 6.3
    "is-native-ethernet": 0x1, "is-wifi": 0x2, "is-mobile-broadband": 0x4, "is-wifi-direct-data": 0x8,
    "is-vm2vm": 0x10, "is-malformed-packet": 0x20, "is-ip-fragment-group": 0x40, "if-connector-present": 0x80,
}  # fmt: skip


def flag_names(cls: type[IntFlag]) -> Mapping[str, int]:
    return {kebab(member.name): member.value for member in cls if member.name}


def _numbers(cls: type[AddressType] | type[Direction] | type[Profile]) -> Mapping[str, int]:
    return {kebab(member.name): member.value for member in cls}


_ADDRESS_TYPES: Final = _numbers(AddressType)
_PROFILES: Final = _numbers(Profile)

# field -> the names that its numbers have
VALUE_NAMES: Final[Mapping[str, Mapping[str, int]]] = {
    "IP_PROTOCOL": PROTOCOLS,
    "EMBEDDED_PROTOCOL": PROTOCOLS,
    "DIRECTION": {**_numbers(Direction), "out": 0, "in": 1},
    **dict.fromkeys(
        ("IP_LOCAL_ADDRESS_TYPE", "IP_DESTINATION_ADDRESS_TYPE", "EMBEDDED_LOCAL_ADDRESS_TYPE"), _ADDRESS_TYPES
    ),
    **dict.fromkeys(("INTERFACE_TYPE", "ARRIVAL_INTERFACE_TYPE", "NEXTHOP_INTERFACE_TYPE"), INTERFACE_TYPES),
    **dict.fromkeys(("TUNNEL_TYPE", "ARRIVAL_TUNNEL_TYPE", "NEXTHOP_TUNNEL_TYPE"), TUNNEL_TYPES),
    **dict.fromkeys(
        (
            "ORIGINAL_PROFILE_ID", "CURRENT_PROFILE_ID", "LOCAL_INTERFACE_PROFILE_ID",
            "ARRIVAL_INTERFACE_PROFILE_ID", "NEXTHOP_INTERFACE_PROFILE_ID",
        ),
        _PROFILES,
    ),
    "FLAGS": flag_names(ConditionFlags),
    "REAUTHORIZE_REASON": flag_names(ReauthorizeReason),
    "ALE_SIO_FIREWALL_SYSTEM_PORT": flag_names(SocketPropertyFlags),
    "L2_FLAGS": L2_FLAGS,
}  # fmt: skip

# field -> the names whose number hangs on the layer's IP version; ports hold ICMP types (conditions.md 7)
FAMILY_NAMES: Final[Mapping[str, Mapping[str, Mapping[int | None, int]]]] = {
    "IP_PROTOCOL": FAMILY_PROTOCOLS,
    "EMBEDDED_PROTOCOL": FAMILY_PROTOCOLS,
    "IP_LOCAL_PORT": ICMP_TYPES,
    "ORIGINAL_ICMP_TYPE": ICMP_TYPES,
}


def value_names(field: FieldKey) -> tuple[str, ...]:
    """The names that values of `field` may have."""
    return (*VALUE_NAMES.get(field.short, ()), *FAMILY_NAMES.get(field.short, ()))


_COMPARED: Final = 2000  # names that a message looks through for the nearest


def nearest(text: str, allowed: Iterable[str], what: str) -> str:
    """What to say was wanted: the names most like `text`, else all of a few, else what kind of name."""
    names = list(islice(allowed, _COMPARED))
    near = difflib.get_close_matches(text[:80].lower(), names, n=3, cutoff=0.6)
    if near:
        return f"{what}, such as " + " or ".join(f"'{name}'" for name in near)
    if 0 < len(names) <= 12:
        return f"{what}: " + ", ".join(names)
    return what
