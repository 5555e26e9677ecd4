import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.packets import agree, expected
from tamiz.wire import icmp, ipv4, ipv6
from tamiz.wire.glance import glance
from tamiz.wire.packet import Packet, Raw, between, build, dissect
from tests.wire.cases import (
    A4,
    A6,
    B4,
    B6,
    DATAGRAM,
    ECHO_V6,
    IPV4_TCP,
    IPV4_UDP,
    IPV6_ICMP,
    IPV6_UDP,
    SYN,
    SYN_V4,
    UDP_V4,
    UDP_V6,
    fragments,
    packets,
)

TCP, UDP, ECHO = IPV4_TCP + SYN_V4, IPV4_UDP + UDP_V4, IPV6_ICMP + ECHO_V6


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        pytest.param(TCP, (4, 6, A4, B4, 50000, 443, 2, 0, 20, 44), id="a SYN"),
        pytest.param(UDP, (4, 17, A4, B4, 5353, 53, 0, 3, 20, 28), id="a datagram"),
        pytest.param(IPV6_UDP + UDP_V6, (6, 17, A6, B6, 5353, 53, 0, 3, 40, 48), id="over IPv6"),
        pytest.param(ECHO, (6, 58, A6, B6, 128, 0, 0, 4, 40, 48), id="an echo: type and code for ports"),
        pytest.param(UDP + bytes(18), (4, 17, A4, B4, 5353, 53, 0, 3, 20, 28), id="a link's padding"),
    ],
)
def test_what_is_seen(data, seen):
    assert glance(data, 0, len(data)) == seen


def test_offsets_count_from_the_beginning_of_the_buffer():
    assert glance(b"\xff" * 14 + TCP + b"next", 14, 14 + len(TCP)) == (4, 6, A4, B4, 50000, 443, 2, 0, 34, 58)


def test_what_a_capture_cut_counts_when_it_is_told():
    assert glance(UDP[:28], 0, 28, 3) == (4, 17, A4, B4, 5353, 53, 0, 3, 20, 28)
    assert glance(UDP[:28], 0, 28, 2) is None


def changed(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes((value,)) + data[place + 1 :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(changed(TCP, 0, 0x55), id="version 5"),
        pytest.param(changed(TCP, 0, 0x44), id="an IP header too small"),
        pytest.param(changed(TCP, 0, 0x4F), id="an IP header too large"),
        pytest.param(changed(TCP, 6, 0x20), id="a first fragment"),
        pytest.param(changed(TCP, 7, 1), id="a later fragment"),
        pytest.param(changed(TCP, 3, 45), id="a total length beyond the bytes"),
        pytest.param(changed(TCP, 3, 0), id="a total length of nothing"),
        pytest.param(changed(TCP, 32, 0x40), id="a TCP header too small"),
        pytest.param(changed(TCP, 32, 0x70), id="a TCP header too large"),
        pytest.param(changed(UDP, 25, 7), id="a datagram shorter than its header"),
        pytest.param(changed(UDP, 25, 12), id="a datagram beyond its packet"),
        pytest.param(changed(UDP, 9, 47), id="GRE"),
        pytest.param(changed(UDP, 9, 58), id="ICMP for IPv6 over IPv4"),
        pytest.param(changed(ECHO, 6, 0), id="an extension header"),
        pytest.param(changed(ECHO, 40, 1), id="an ICMP error"),
    ],
)
def test_what_needs_a_closer_look_is_left_to_it(data):
    assert glance(data, 0, len(data)) is None


@given(packets)
def test_glance_and_dissect_agree_on_every_packet(packet):
    data = build(packet)
    seen = glance(data, 0, len(data))
    if seen is not None:
        assert seen == expected(dissect(data), data)
    agree(data)
    slow = isinstance(packet.transport, Raw) or (isinstance(packet.ip, ipv6.Header) and packet.ip.extensions)
    error = isinstance(packet.transport, icmp.IcmpMessage) and packet.transport.is_error
    assert (seen is None) == bool(slow or error)


@given(fragments)
def test_fragments_are_left_to_dissect(packet):
    assert glance(build(packet), 0, len(build(packet))) is None


@given(st.binary(max_size=100), st.sampled_from((b"", b"\x45\0\0\x30", b"\x60\0\0\0\0\x10\x06")))
def test_junk_is_never_read_differently(data, head):
    agree(head + data)


def test_ip_options_are_no_reason_to_look_closer():
    packet = Packet(ipv4.Header(A4, B4, 17, options=b"\x94\x04\0\0"), DATAGRAM)
    assert glance(build(packet), 0, 35) == (4, 17, A4, B4, 5353, 53, 0, 3, 24, 32)
    assert glance(build(between(A4, B4, SYN)), 0, 44) is not None
