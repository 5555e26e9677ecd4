"""Short ways to write the conditions of the office laptop's rules; a test of a field that differs between IP versions
is given by version."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, Union

from tamiz.formats.sddl import parse_sddl
from tamiz.model._tables import DataType, MatchType, Profile, SocketPropertyFlags
from tamiz.model.conditions import Condition
from tamiz.model.errors import Place
from tamiz.model.keys import FieldKey
from tamiz.model.sids import NULL_SID, service_sid
from tamiz.model.values import Range, V6Mask, Value, address, blob, sid_value, u8, u16, u32

PRIVATE, PUBLIC, DOMAIN = Profile.PRIVATE, Profile.PUBLIC, Profile.DOMAIN

ByVersion = Mapping[int, tuple[Condition, ...]]
Wanted = Union[Condition, ByVersion]


def condition(field: str, value: Value, match: MatchType = MatchType.EQUAL) -> Condition:
    return Condition(FieldKey(f"FWPM_CONDITION_{field}"), match, value)


def _range(field: str, low: Value, high: Value) -> Condition:
    return condition(field, Value(DataType.RANGE_TYPE, Range(low, high)), MatchType.RANGE)


def protocol(number: int) -> Condition:
    return condition("IP_PROTOCOL", u8(number))


def local_port(port: int) -> Condition:
    return condition("IP_LOCAL_PORT", u16(port))


def local_ports(low: int, high: int) -> Condition:
    return _range("IP_LOCAL_PORT", u16(low), u16(high))


def remote_port(port: int) -> Condition:
    return condition("IP_REMOTE_PORT", u16(port))


def remote_ports(low: int, high: int) -> Condition:
    return _range("IP_REMOTE_PORT", u16(low), u16(high))


def icmp(kind: int) -> Condition:
    """The ICMP type that makes the flow, at an ALE layer."""
    return condition("ORIGINAL_ICMP_TYPE", u16(kind))


def app(data: bytes) -> Condition:
    return condition("ALE_APP_ID", blob(data))


def user(sddl: str, field: str = "ALE_USER_ID") -> Condition:
    descriptor = parse_sddl(sddl, Place("make_office_laptop"), "a descriptor")
    return condition(field, Value(DataType.SECURITY_DESCRIPTOR_TYPE, descriptor))


def service(name: str) -> Condition:
    return user(f"O:SYG:SYD:(A;;CCRC;;;{service_sid(name)})")


def services(*names: str) -> Condition:
    return user("D:" + "".join(f"(A;NP;CC;;;{service_sid(name)})" for name in names))


def capability(*sids: str) -> Condition:
    """Windows' form: an ordinary token matches by WD, an app container by the capability too."""
    return user("O:LSD:" + "".join(f"(A;;CC;;;{sid})" for sid in sids) + "(A;;CC;;;WD)(A;;CC;;;AN)")


def profile(field: str, which: Profile) -> Condition:
    return condition(field, u32(int(which)))


def all_set(flags: int) -> Condition:
    return condition("FLAGS", u32(int(flags)), MatchType.FLAGS_ALL_SET)


def none_set(flags: int) -> Condition:
    return condition("FLAGS", u32(int(flags)), MatchType.FLAGS_NONE_SET)


def _from_to(first: str, last: str) -> Condition:
    low, high = (address(ipaddress.ip_address(text).packed) for text in (first, last))
    return _range("IP_REMOTE_ADDRESS", low, high)


def _host(text: str) -> Condition:
    return condition("IP_REMOTE_ADDRESS", address(ipaddress.ip_address(text).packed))


def _v6(network: str) -> Condition:
    parsed = ipaddress.IPv6Network(network)
    mask = V6Mask(parsed.network_address.packed, parsed.prefixlen)
    return condition("IP_REMOTE_ADDRESS", Value(DataType.V6_ADDR_MASK, mask))


ANY_PACKAGE: Final = condition("ALE_PACKAGE_ID", sid_value(NULL_SID), MatchType.NOT_EQUAL)
NOT_RPC: Final = condition(
    "ALE_SIO_FIREWALL_SYSTEM_PORT", u32(int(SocketPropertyFlags.ALLOW_EDGE_TRAFFIC)), MatchType.FLAGS_NONE_SET
)
NOW_PRIVATE: Final = (profile("ORIGINAL_PROFILE_ID", PRIVATE), profile("CURRENT_PROFILE_ID", PRIVATE))
SUBNET: Final[ByVersion] = {
    4: (_from_to("192.0.2.0", "192.0.2.255"),),
    6: (_v6("2001:db8::/64"), _v6("fe80::/64")),
}
BEYOND: Final[ByVersion] = {
    4: (_from_to("0.0.0.0", "192.0.1.255"), _from_to("192.0.3.0", "223.255.255.255")),
    6: (
        _from_to("2000::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
        _from_to("2001:db8:0:1::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ),
}
BAD_HOST: Final[ByVersion] = {
    4: (_host("198.51.100.66"),),
    6: (_v6("2001:db8:bad::/48"),),
}
CLOUD: Final[ByVersion] = {
    4: (_host("203.0.113.50"),),
    6: (_host("2001:db8:113::50"),),
}
DHCP_PORTS: Final[ByVersion] = {4: (local_port(68), remote_port(67)), 6: (local_port(546), remote_port(547))}
TEREDO: Final = (
    condition("ARRIVAL_INTERFACE_TYPE", u32(131)),
    condition("ARRIVAL_TUNNEL_TYPE", u32(14)),
)
