"""Packets written out by hand, and the few checks that every codec's tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from tamiz.wire import icmp, ipv4, ipv6
from tamiz.wire.errors import Malformed
from tamiz.wire.packet import Fragment, Packet, Raw, Transport
from tamiz.wire.tcp import Segment, TcpFlags, TcpOptions
from tamiz.wire.udp import Datagram

A4, B4 = bytes((192, 0, 2, 1)), bytes((198, 51, 100, 2))
A6 = bytes.fromhex("20010db8 0000 0000 0000 000000000001")
B6 = bytes.fromhex("20010db8 0000 0000 0000 000000000002")

IPV4_UDP = bytes.fromhex("4500001f 12340000 40117c63 c0000201 c6336402")
IPV4_TCP = bytes.fromhex("4500002c 12344000 40063c61 c0000201 c6336402")
IPV4_ICMP = bytes.fromhex("45000020 12344000 40013c72 c0000201 c6336402")
IPV6_UDP = bytes.fromhex("60000000 000b1140") + A6 + B6
IPV6_TCP = bytes.fromhex("60000000 00180640") + A6 + B6
IPV6_ICMP = bytes.fromhex("60000000 000c3a40") + A6 + B6

UDP_V4 = bytes.fromhex("14e90035 000b7519 686921")
UDP_V6 = bytes.fromhex("14e90035 000b05dc 686921")
SYN_V4 = bytes.fromhex("c35001bb 00000001 00000000 6002faf0 ebf10000 020405b4")
SYN_V6 = bytes.fromhex("c35001bb 00000001 00000000 6002faf0 7cb40000 020405b4")
ECHO_V4 = bytes.fromhex("0800192c 00010002 70696e67")
ECHO_V6 = bytes.fromhex("80004570 00010002 70696e67")

DATAGRAM = Datagram(5353, 53, b"hi!")
SYN = Segment(50000, 443, 1, 0, TcpFlags.SYN, 64240, options=TcpOptions(mss=1460))
HEADER_V4 = ipv4.Header(A4, B4, 17, ttl=64, identification=0x1234)
HEADER_V6 = ipv6.Header(A6, B6, 17, hop_limit=64)


def ones_complement(data: bytes) -> int:
    """The checksum word by word, as RFC 1071 tells it: a second opinion on `tamiz.wire.checksum`."""
    total = 0
    for place in range(0, len(data), 2):
        total += int.from_bytes(data[place : place + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def refuses_each_beginning(parse: Callable[[bytes], object], data: bytes) -> None:
    """Byte at a time: no beginning of `data` is read, and each refusal points into it."""
    for size in range(len(data)):
        with pytest.raises(Malformed) as refusal:
            parse(data[:size])
        assert 0 <= refusal.value.offset <= size


def survives(parse: Callable[[bytes], object], data: bytes) -> None:
    """Junk is read or is `Malformed`."""
    try:
        parse(data)
    except Malformed as refusal:
        assert 0 <= refusal.offset <= len(data)


# Anything that can be sent ------------------------------------------------------------------------

words = st.integers(0, 0xFFFF)
numbers = st.integers(0, 0xFFFFFFFF)
payloads = st.binary(max_size=64)
fours = st.binary(max_size=10).map(lambda data: (data * 4)[: len(data) * 4])

options = st.builds(
    TcpOptions,
    mss=st.none() | words,
    window_scale=st.none() | st.integers(0, 14),
    sack_permitted=st.booleans(),
    sack=st.lists(st.tuples(numbers, numbers), max_size=1).map(tuple),
    timestamps=st.none() | st.tuples(numbers, numbers),
    other=st.lists(st.tuples(st.integers(9, 255), st.binary(max_size=3)), max_size=1).map(tuple),
)
flags = st.integers(0, 255).map(TcpFlags)
segments = st.builds(Segment, words, words, numbers, numbers, flags, words, words, options, payloads)
datagrams = st.builds(Datagram, words, words, payloads)
octets = st.integers(0, 255)


def messages(version: int) -> st.SearchStrategy[icmp.IcmpMessage]:
    rest = st.binary(min_size=4, max_size=4)
    return st.builds(icmp.IcmpMessage, st.just(version), octets, octets, rest, payloads)


def addresses(version: int) -> st.SearchStrategy[bytes]:
    size = 4 if version == 4 else 16
    return st.binary(min_size=size, max_size=size)


def headers_v4(protocol: int) -> st.SearchStrategy[ipv4.Header]:
    return st.builds(
        ipv4.Header,
        addresses(4),
        addresses(4),
        st.just(protocol),
        octets,
        words,
        st.booleans(),
        dscp=st.integers(0, 63),
        ecn=st.integers(0, 3),
        options=fours,
    )


def eights(kind: ipv6.Kind) -> st.SearchStrategy[ipv6.Extension]:
    sizes = st.integers(1, 4)
    return st.builds(lambda size: ipv6.Extension(kind, b"\x01\0" + bytes(size * 8 - 4)), sizes)


extensions = st.lists(
    st.one_of(
        eights(ipv6.Kind.DESTINATION),
        eights(ipv6.Kind.ROUTING),
        eights(ipv6.Kind.AUTHENTICATION),
        st.just(ipv6.fragment_extension(ipv4.Fragment(0, False, 9))),
    ),
    max_size=4,
).map(tuple)


def headers_v6(protocol: int) -> st.SearchStrategy[ipv6.Header]:
    ends = addresses(6), addresses(6), st.just(protocol)
    return st.builds(ipv6.Header, *ends, octets, octets, st.integers(0, 0xFFFFF), st.just(()) | extensions)


def _in_a_header(version: int, protocol: int, transports: st.SearchStrategy[Transport]) -> st.SearchStrategy[Packet]:
    headers = headers_v4(protocol) if version == 4 else headers_v6(protocol)
    return st.builds(Packet, headers, transports)


packets: st.SearchStrategy[Packet] = st.one_of(
    [
        _in_a_header(version, protocol, transports)
        for version in (4, 6)
        for protocol, transports in (
            (6, segments),
            (17, datagrams),
            (icmp.PROTOCOLS[version], messages(version)),
            (47, st.builds(Raw, payloads)),
        )
    ]
)
fragments: st.SearchStrategy[Packet] = st.one_of(
    st.builds(
        lambda offset, more, payload: Packet(
            ipv4.Header(A4, B4, 17, more_fragments=more or not offset, fragment_offset=offset * 8),
            Fragment(payload),
        ),
        st.integers(0, 8191),
        st.booleans(),
        payloads,
    ),
    st.builds(
        lambda offset, payload: Packet(
            ipv6.Header(A6, B6, 17, extensions=(ipv6.fragment_extension(ipv4.Fragment(offset * 8, True, 1)),)),
            Fragment(payload),
        ),
        st.integers(0, 8191),
        payloads,
    ),
)
