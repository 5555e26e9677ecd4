from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import icmp, ipv4, ipv6
from tamiz.wire.errors import Malformed
from tamiz.wire.icmp import IcmpMessage
from tamiz.wire.packet import Fragment, Packet, Raw, between, build, describe, dissect, quoted, word
from tamiz.wire.tcp import Segment, TcpFlags, TcpOptions
from tamiz.wire.udp import Datagram
from tests.wire.cases import (
    A4,
    A6,
    B4,
    B6,
    DATAGRAM,
    ECHO_V4,
    ECHO_V6,
    IPV4_ICMP,
    IPV4_TCP,
    IPV4_UDP,
    IPV6_ICMP,
    IPV6_TCP,
    IPV6_UDP,
    SYN,
    SYN_V4,
    SYN_V6,
    UDP_V4,
    UDP_V6,
    fragments,
    packets,
    refuses_each_beginning,
    survives,
)


def echo(version: int) -> IcmpMessage:
    return icmp.echo(version, reply=False, identifier=1, sequence=2, payload=b"ping")


HAND_WRITTEN = [
    pytest.param(A4, B4, DATAGRAM, IPV4_UDP + UDP_V4, id="UDP over IPv4"),
    pytest.param(A4, B4, SYN, IPV4_TCP + SYN_V4, id="TCP over IPv4"),
    pytest.param(A4, B4, echo(4), IPV4_ICMP + ECHO_V4, id="ICMP over IPv4"),
    pytest.param(A6, B6, DATAGRAM, IPV6_UDP + UDP_V6, id="UDP over IPv6"),
    pytest.param(A6, B6, SYN, IPV6_TCP + SYN_V6, id="TCP over IPv6"),
    pytest.param(A6, B6, echo(6), IPV6_ICMP + ECHO_V6, id="ICMP over IPv6"),
]


@pytest.mark.parametrize(("src", "dst", "transport", "data"), HAND_WRITTEN)
def test_the_packets_written_by_hand(src, dst, transport, data):
    packet = between(src, dst, transport, hops=64, identification=0x1234)
    assert build(packet) == data
    assert dissect(data) == packet
    assert dissect(data + bytes(6)) == packet


@pytest.mark.parametrize(("src", "dst", "transport", "data"), HAND_WRITTEN)
def test_no_beginning_is_read(src, dst, transport, data):
    refuses_each_beginning(dissect, data)


@pytest.mark.parametrize(("src", "dst", "transport", "data"), HAND_WRITTEN)
def test_each_changed_bit_is_noticed_where_a_checksum_covers_it(src, dst, transport, data):
    start = 0 if len(src) == 4 else 8
    for place in range(start, len(data)):
        damaged = data[:place] + bytes((data[place] ^ 0x10,)) + data[place + 1 :]
        with pytest.raises(Malformed):
            dissect(damaged)


@pytest.mark.parametrize(("src", "dst", "transport", "data"), HAND_WRITTEN)
def test_a_capture_needs_only_the_fixed_headers(src, dst, transport, data):
    whole = dissect(data)
    fixed = len(data) - len(transport.payload) - (4 if isinstance(transport, Segment) else 0)
    for kept in range(fixed, len(data) + 1):
        packet = dissect(data[:kept], truncated=True)
        assert (packet.payload_length, word(packet)) == (whole.payload_length, word(whole))
        assert packet.ip == whole.ip
    refuses_each_beginning(lambda cut: dissect(cut, truncated=True), data[:fixed])


def tcp(flags: TcpFlags, payload: bytes = b"", **more: object) -> Packet:
    return between(A4, B4, Segment(50000, 443, 7, 9, flags, 500, payload=payload, **more))


S, A, F, R, P = TcpFlags.SYN, TcpFlags.ACK, TcpFlags.FIN, TcpFlags.RST, TcpFlags.PSH
ERROR = icmp.port_unreachable(4, IPV4_UDP + UDP_V4)
PIECE = Packet(ipv4.Header(A4, B4, 17, identification=7, fragment_offset=1480), Fragment(b"abc"))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(tcp(S), "SYN", id="a SYN"),
        pytest.param(tcp(S, b"fast open"), "SYN", id="a SYN with data"),
        pytest.param(tcp(S | A), "SYN-ACK", id="a SYN-ACK"),
        pytest.param(tcp(A), "ACK", id="an ACK"),
        pytest.param(tcp(A, b"x"), "DATA", id="data"),
        pytest.param(tcp(A | P), "ACK", id="a push of nothing"),
        pytest.param(tcp(F | A), "FIN", id="a FIN"),
        pytest.param(tcp(F | A | P, b"x"), "FIN", id="a FIN with data"),
        pytest.param(tcp(R), "RST", id="a RST"),
        pytest.param(tcp(R | A, b"x"), "RST", id="a RST with data"),
        pytest.param(tcp(S | F), "SYN", id="flags that no host sends"),
        pytest.param(replace(tcp(A), missing=5), "DATA", id="data that a capture cut away"),
        pytest.param(between(A4, B4, DATAGRAM), "UDP", id="a datagram"),
        pytest.param(between(A6, B6, echo(6)), "ICMP", id="an echo"),
        pytest.param(between(A4, B4, ERROR), "ICMP-ERROR", id="port unreachable"),
        pytest.param(PIECE, "FRAGMENT", id="a fragment"),
        pytest.param(between(A4, B4, Raw(b""), protocol=47), None, id="GRE has no word"),
    ],
)
def test_the_word_for_a_packet(packet, expected):
    assert word(packet) == expected


@pytest.mark.parametrize(
    ("packet", "line"),
    [
        pytest.param(
            tcp(A | P, b"x"),
            "192.0.2.1:50000 > 198.51.100.2:443 TCP PSH-ACK, seq 7, ack 9, window 500, 1 byte",
            id="TCP",
        ),
        pytest.param(
            between(A6, B6, DATAGRAM),
            "[2001:db8::1]:5353 > [2001:db8::2]:53 UDP, 3 bytes",
            id="UDP over IPv6",
        ),
        pytest.param(
            between(A6, B6, echo(6)),
            "2001:db8::1 > 2001:db8::2 ICMP echo request, identifier 1, sequence 2, 4 bytes",
            id="an echo",
        ),
        pytest.param(between(A4, B4, ERROR), "192.0.2.1 > 198.51.100.2 ICMP unreachable, code 3, 31 bytes", id="error"),
        pytest.param(
            between(A4, B4, IcmpMessage(4, 13, 0)),
            "192.0.2.1 > 198.51.100.2 ICMP type 13, code 0, 0 bytes",
            id="other",
        ),
        pytest.param(
            PIECE,
            "192.0.2.1 > 198.51.100.2 fragment 7 of protocol 17 from 1480, the last, 3 bytes",
            id="fragment",
        ),
        pytest.param(
            between(A4, B4, Raw(b""), protocol=47),
            "192.0.2.1 > 198.51.100.2 protocol 47, 0 bytes",
            id="another",
        ),
    ],
)
def test_the_line_for_people(packet, line):
    assert describe(packet) == line


def test_an_error_quotes_a_packet_that_may_be_cut():
    found = quoted(replace(ERROR, payload=ERROR.payload[:28]))
    assert found is not None and found.transport == Datagram(5353, 53, b"") and found.missing == 3
    assert quoted(echo(4)) is None
    with pytest.raises(Malformed):
        quoted(replace(ERROR, payload=ERROR.payload[:27]))


def test_a_route_changes_the_pseudo_header():
    route = ipv6.Extension(ipv6.Kind.ROUTING, b"\x04\x01\x00\x00\x00\x00" + A6)
    packet = Packet(ipv6.Header(B6, B6, 17, extensions=(route,)), DATAGRAM)
    assert dissect(build(packet)) == packet
    to_the_end = Packet(ipv6.Header(B6, A6, 17), DATAGRAM)
    assert build(packet)[-5:-3] == build(to_the_end)[-5:-3]


def test_a_checksum_along_an_unknown_route_is_not_judged():
    route = ipv6.Extension(ipv6.Kind.ROUTING, b"\xfd\x01\x00\x00\x00\x00" + A6)
    data = bytearray(build(Packet(ipv6.Header(B6, B6, 17, extensions=(route,)), DATAGRAM)))
    data[-4] ^= 1
    assert dissect(bytes(data)).transport == DATAGRAM


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"\x55" * 40, 0, id="version 5"),
        pytest.param(IPV4_UDP + UDP_V4[:-1] + b"?", 26, id="a datagram's checksum, counted from the IP header"),
        pytest.param(IPV6_TCP + SYN_V6[:-1] + b"?", 56, id="a segment's"),
        pytest.param(IPV6_ICMP + ECHO_V6[:-1] + b"?", 42, id="a message's"),
    ],
)
def test_faults_have_their_offset_in_the_packet(data, offset):
    with pytest.raises(Malformed) as refusal:
        dissect(data)
    assert refusal.value.offset == offset


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Packet(ipv4.Header(A4, B4, 6), DATAGRAM), id="UDP under TCP's number"),
        pytest.param(lambda: Packet(ipv4.Header(A4, B4, 1), echo(6)), id="ICMP of the other version"),
        pytest.param(lambda: Packet(ipv4.Header(A4, B4, 17), Fragment(b"")), id="a fragment that is whole"),
        pytest.param(lambda: replace(PIECE, transport=DATAGRAM), id="a datagram in a fragment's header"),
        pytest.param(lambda: build(replace(tcp(A), missing=1)), id="a packet that a capture cut"),
    ],
)
def test_an_impossible_packet_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()


@given(packets | fragments)
def test_what_is_built_dissects_to_the_same(packet):
    assert dissect(build(packet)) == packet
    assert dissect(build(packet), truncated=True) == packet


@given(st.binary(max_size=100), st.sampled_from((b"", b"\x45", b"\x60")))
def test_junk_is_refused(data, head):
    survives(dissect, head + data)
    survives(lambda junk: dissect(junk, verify=False), head + data)
    survives(lambda junk: dissect(junk, truncated=True), head + data)


def test_options_do_not_disturb_the_rest():
    packet = tcp(A, b"x", options=TcpOptions(timestamps=(1, 2)))
    assert dissect(build(packet)) == packet
