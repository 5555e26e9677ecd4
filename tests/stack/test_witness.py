"""What a witness knows: addresses and ports, what he was told, and of everything else that he does not know it."""

from __future__ import annotations

import ipaddress

import pytest

from tamiz.model import catalog
from tamiz.model._tables import FIELD, AddressType, ConditionFlags
from tamiz.model.facts import UNKNOWN, Fact, KnownBits, Unknown
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.sids import Sid
from tamiz.model.values import EMPTY, sid_value, u8, u16, u32
from tamiz.model.windows import VISTA
from tamiz.stack.requests import Way
from tamiz.stack.rows import layer_key
from tamiz.stack.witness import NOTHING_TOLD, Conversation, Known, facts_at

F = ConditionFlags


def talk(
    local: str, remote: str, protocol: int = 6, local_port: int | None = 50_000, remote_port: int | None = 443
) -> Conversation:
    return Conversation(
        protocol, ipaddress.ip_address(local).packed, ipaddress.ip_address(remote).packed, local_port, remote_port
    )


OUTSIDE = talk("10.0.0.5", "203.0.113.7")


def fact(base: str, field: FieldKey, way: Way | None = "out", known: Known = NOTHING_TOLD, c: Conversation = OUTSIDE,
         connection: Way | None = None) -> Fact:  # fmt: skip
    return facts_at(layer_key(base, c.version), c, known, way, connection).get(field, UNKNOWN)


CONNECT, ACCEPT, BIND = "ALE_AUTH_CONNECT", "ALE_AUTH_RECV_ACCEPT", "ALE_RESOURCE_ASSIGNMENT"


@pytest.mark.parametrize(
    ("base", "way", "field", "wanted"),
    [
        pytest.param(CONNECT, "out", FIELD.IP_REMOTE_PORT, u16(443), id="ports are plain"),
        pytest.param(
            CONNECT, "out", FIELD.IP_REMOTE_ADDRESS, u32(0xCB007107), id="addresses are numbers in host order"
        ),
        pytest.param(CONNECT, "out", FIELD.IP_PROTOCOL, u8(6), id="so is the protocol"),
        pytest.param(CONNECT, "out", FIELD.ALE_APP_ID, UNKNOWN, id="the application is not known"),
        pytest.param(CONNECT, "out", FIELD.ALE_USER_ID, UNKNOWN, id="nor the token"),
        pytest.param(CONNECT, "out", FIELD.CURRENT_PROFILE_ID, UNKNOWN, id="nor the profile"),
        pytest.param(CONNECT, "out", FIELD.IP_ARRIVAL_INTERFACE, EMPTY, id="what leaves has not arrived"),
        pytest.param(CONNECT, "out", FIELD.IP_NEXTHOP_INTERFACE, UNKNOWN, id="but it leaves by some interface"),
        pytest.param(ACCEPT, "in", FIELD.IP_ARRIVAL_INTERFACE, UNKNOWN, id="what arrives came by some interface"),
        pytest.param(ACCEPT, "in", FIELD.IP_NEXTHOP_INTERFACE, EMPTY, id="and leaves by none"),
        pytest.param(
            CONNECT, "out", FIELD.ALE_REMOTE_USER_ID, UNKNOWN, id="whether IPsec names the other end is not known"
        ),
        pytest.param("OUTBOUND_IPPACKET", "out", FIELD.IP_REMOTE_PORT, UNKNOWN, id="a layer without ports shows none"),
    ],
)
def test_a_field(base: str, way: Way, field: FieldKey, wanted: Fact) -> None:
    assert fact(base, field, way) == wanted


def test_without_ipsec_the_other_end_has_no_identity() -> None:
    assert fact(CONNECT, FIELD.ALE_REMOTE_USER_ID, known=Known(ipsec=False)) == EMPTY


def bits(base: str, known: Known = NOTHING_TOLD, c: Conversation = OUTSIDE, way: Way = "out") -> KnownBits:
    found = fact(base, FIELD.FLAGS, way, known, c)
    assert isinstance(found, KnownBits)
    return found


def test_loopback_is_decided_by_the_addresses() -> None:
    assert not bits(CONNECT).value & F.IS_LOOPBACK and bits(CONNECT).known & F.IS_LOOPBACK
    for end in ("127.0.0.1", "10.0.0.5", "::1"):
        assert bits(CONNECT, c=talk(end, end)).value & F.IS_LOOPBACK


def test_ipsec_is_not_known_unless_told() -> None:
    assert not bits(CONNECT).known & F.IS_IPSEC_SECURED
    assert bits(CONNECT, Known(ipsec=False)).known & F.IS_IPSEC_SECURED


def test_flags_told_fill_what_no_header_decides() -> None:
    told = bits(CONNECT, Known({FIELD.FLAGS: KnownBits(F.IS_IPSEC_SECURED, F.IS_IPSEC_SECURED)}))
    assert told.value & F.IS_IPSEC_SECURED
    loopback = bits(CONNECT, Known({FIELD.FLAGS: KnownBits(F.IS_LOOPBACK, F.IS_LOOPBACK)}))
    assert not loopback.value & F.IS_LOOPBACK, "the addresses know better"


def test_a_tcp_socket_is_not_a_raw_one_and_another_protocols_may_be() -> None:
    assert bits(CONNECT).known & F.IS_RAW_ENDPOINT
    assert not bits(CONNECT, c=talk("10.0.0.5", "10.0.0.6", 1, 8, 0)).known & F.IS_RAW_ENDPOINT


def test_what_is_told_holds_where_nothing_better_is_known() -> None:
    told = Known({FIELD.CURRENT_PROFILE_ID: u32(2), FIELD.IP_REMOTE_PORT: u16(1), FIELD.ARRIVAL_INTERFACE_TYPE: u32(6)})
    assert fact(CONNECT, FIELD.CURRENT_PROFILE_ID, known=told) == u32(2)
    assert fact(CONNECT, FIELD.IP_REMOTE_PORT, known=told) == u16(443)
    assert fact(CONNECT, FIELD.ARRIVAL_INTERFACE_TYPE, known=told) == EMPTY
    assert FIELD.CURRENT_PROFILE_ID not in facts_at(layer_key("OUTBOUND_IPPACKET", 4), OUTSIDE, told, "out")


def test_no_packet_shows_how_a_socket_was_bound() -> None:
    address = fact(BIND, FIELD.IP_LOCAL_ADDRESS, None, connection="out")
    assert address == Unknown((u32(0x0A000005), u32(0))), "to its address, to every address, or to none"
    assert fact(BIND, FIELD.IP_LOCAL_PORT, None, connection="out") == Unknown((u16(50_000),))
    assert fact(BIND, FIELD.IP_LOCAL_PORT, None, connection="in") == u16(50_000), "a server named its port"


@pytest.mark.parametrize(
    ("remote", "wanted"),
    [
        ("203.0.113.7", u8(AddressType.UNICAST)),
        ("224.0.0.251", u8(AddressType.MULTICAST)),
        ("255.255.255.255", u8(AddressType.BROADCAST)),
        ("ff02::fb", u8(AddressType.MULTICAST)),
        ("10.0.0.255", Unknown((u8(AddressType.UNICAST), u8(AddressType.BROADCAST)), may_be_empty=False)),
    ],
)
def test_address_types(remote: str, wanted: Fact) -> None:
    local = "10.0.0.5" if "." in remote else "fe80::5"
    assert fact(CONNECT, FIELD.IP_DESTINATION_ADDRESS_TYPE, c=talk(local, remote, 17)) == wanted


def test_vista_has_no_profile_fields() -> None:
    told = Known({FIELD.ALE_PACKAGE_ID: sid_value(Sid(0, (0,)))}, windows=VISTA)
    assert fact(CONNECT, FIELD.IP_NEXTHOP_INTERFACE, known=told) is UNKNOWN


def test_every_fact_is_of_a_field_that_its_layer_has() -> None:
    for key in catalog.layers():
        way: Way = "out" if "OUTBOUND" in key or "CONNECT" in key else "in"
        c = talk("fd00::5", "fd00::6") if "V6" in key else OUTSIDE
        fields = {f.key for f in catalog.layers()[LayerKey(key)].fields}
        assert set(facts_at(LayerKey(key), c, NOTHING_TOLD, way)) <= fields
