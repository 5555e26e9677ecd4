from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import ipv4, ipv6
from tamiz.wire.errors import Malformed
from tamiz.wire.fragments import OVERHEAD, Reassembler, fragment
from tamiz.wire.ipv6 import Extension, Kind
from tamiz.wire.packet import between, build, dissect
from tamiz.wire.udp import Datagram
from tests.wire.cases import A4, A6, B4, B6, survives

PAYLOAD = bytes(range(200))
BIG = [build(between(src, dst, Datagram(1, 2, PAYLOAD))) for src, dst in ((A4, B4), (A6, B6))]
FAMILIES = pytest.mark.parametrize(("packet", "mtu"), [(BIG[0], 100), (BIG[1], 128)], ids=["IPv4", "IPv6"])


def piece(version: int, start: int, data: bytes, more: bool, identification: int = 7) -> bytes:
    if version == 4:
        header = ipv4.Header(A4, B4, 17, identification=identification, more_fragments=more, fragment_offset=start)
        return ipv4.emit(header, data)
    place = ipv6.fragment_extension(ipv4.Fragment(start, more, identification))
    return ipv6.emit(ipv6.Header(A6, B6, 17, extensions=(place,)), data)


# Apart --------------------------------------------------------------------------------------------


@FAMILIES
def test_a_packet_comes_apart(packet, mtu):
    pieces = [dissect(data) for data in fragment(packet, mtu, 9)]
    places = [piece.ip.fragment for piece in pieces]
    assert [place.offset for place in places] == [0, 80, 160]
    assert [place.more for place in places] == [True, True, False]
    assert b"".join(piece.transport.payload for piece in pieces)[8:] == PAYLOAD
    assert all(len(data) <= mtu for data in fragment(packet, mtu, 9))


@FAMILIES
def test_a_packet_that_fits_stays_as_it_is(packet, mtu):
    assert fragment(packet, len(packet)) == [packet]


def test_ipv4_fragments_may_be_cut_again():
    again = [small for data in fragment(BIG[0], 100) for small in fragment(data, 60)]
    places = [dissect(data).ip.fragment for data in again]
    assert [place.offset for place in places] == [0, 40, 80, 120, 160, 200]
    assert [place.more for place in places] == [True] * 5 + [False]


def test_only_the_first_fragment_has_every_option():
    header = ipv4.Header(A4, B4, 99, options=bytes.fromhex("0703ff 8203ff 01 00"))
    first, second = (ipv4.parse(data)[0] for data in fragment(ipv4.emit(header, bytes(64)), 76))
    assert first.options == header.options
    assert second.options == bytes.fromhex("8203ff00")


def test_routers_see_their_headers_in_every_fragment():
    alert = Extension(Kind.HOP_BY_HOP, bytes(6))
    last = Extension(Kind.DESTINATION, bytes(6))
    header = ipv6.Header(A6, B6, 99, extensions=(alert, last))
    parsed = [ipv6.parse(data)[0] for data in fragment(ipv6.emit(header, bytes(40)), 80, 3)]
    assert [[extension.kind for extension in one.extensions] for one in parsed] == [
        [Kind.HOP_BY_HOP, Kind.FRAGMENT]
    ] * 2
    assert {one.protocol for one in parsed} == {Kind.DESTINATION}


@pytest.mark.parametrize(
    ("packet", "mtu"),
    [
        pytest.param(ipv4.emit(ipv4.Header(A4, B4, 17, dont_fragment=True), PAYLOAD), 100, id="must not be cut"),
        pytest.param(BIG[0], 27, id="no room for eight bytes"),
        pytest.param(BIG[1], 55, id="no room for eight bytes, IPv6"),
        pytest.param(fragment(BIG[1], 128)[0], 100, id="an IPv6 fragment"),
    ],
)
def test_what_cannot_be_cut_is_refused(packet, mtu):
    with pytest.raises(ValueError):
        fragment(packet, mtu)


# Together -----------------------------------------------------------------------------------------


@FAMILIES
def test_the_pieces_come_together_in_any_order(packet, mtu):
    for order in permutations(fragment(packet, mtu, 9)):
        reassembler = Reassembler()
        assert [reassembler.add(data, 0) for data in order] == [None, None, packet]
        assert (len(reassembler), reassembler.held_bytes) == (0, 0)


@FAMILIES
def test_a_whole_packet_passes(packet, mtu):
    assert Reassembler().add(packet, 0) == packet


@FAMILIES
def test_datagrams_do_not_mix(packet, mtu):
    reassembler = Reassembler()
    one, other = fragment(packet, mtu, 1), [piece(4, 0, bytes(8), True, 8), piece(6, 0, bytes(8), True, 8)]
    assert [reassembler.add(data, 0) for data in (one[0], *other, one[1], one[2])][-1] == packet
    assert len(reassembler) == 2


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([(0, b"a" * 16, True), (8, b"b" * 8, True), (16, b"c", False)], id="over the end of another"),
        pytest.param([(8, b"b" * 16, True), (0, b"a" * 16, True), (24, b"c", False)], id="over the beginning"),
        pytest.param([(0, b"a" * 8, True), (0, b"b" * 8, True), (8, b"c", False)], id="other bytes at one place"),
        pytest.param([(8, b"b" * 8, True), (0, b"a" * 24, True), (24, b"c", False)], id="around another"),
        pytest.param([(0, b"a" * 8, True), (16, b"c", False), (16, b"c" * 9, False)], id="two ends"),
        pytest.param([(8, b"c", False), (16, b"d" * 8, True), (0, b"a" * 8, True)], id="beyond the end"),
        pytest.param([(16, b"d" * 8, True), (8, b"c", False), (0, b"a" * 8, True)], id="an end before another"),
        pytest.param([(0, b"a" * 7, True), (0, b"a" * 8, True), (8, b"c", False)], id="no multiple of eight"),
        pytest.param([(0, b"", True), (0, b"a" * 8, True), (8, b"c", False)], id="no bytes at all"),
        pytest.param([(65528, b"a" * 8, False), (0, b"a" * 8, True)], id="longer than a packet can be"),
    ],
)
def test_contradictions_give_the_datagram_up_for_good(version, pieces):
    reassembler = Reassembler(timeout_ns=100)
    assert [reassembler.add(piece(version, *one), 0) for one in pieces] == [None] * len(pieces)
    assert reassembler.discarded == 1
    assert reassembler.held_bytes == OVERHEAD
    assert reassembler.expire(100) == [] and len(reassembler) == 0


@pytest.mark.parametrize("version", [4, 6])
def test_a_repeated_fragment_is_ignored(version):
    reassembler = Reassembler()
    first, last = piece(version, 0, b"a" * 8, True), piece(version, 8, b"b", False)
    assert [reassembler.add(data, 0) for data in (last, last)] == [None, None]
    assert reassembler.add(first, 0) is not None
    assert reassembler.discarded == 0


@pytest.mark.parametrize("version", [4, 6])
def test_time_ends_a_datagram_and_its_first_fragment_is_owed_an_error(version):
    reassembler = Reassembler(timeout_ns=1000)
    first, last = piece(version, 0, b"a" * 8, True), piece(version, 16, b"b", False)
    reassembler.add(first, 5)
    reassembler.add(piece(version, 8, b"x" * 8, True, 99), 6)
    assert reassembler.expire(1004) == []
    assert reassembler.expire(1006) == [first]
    assert reassembler.add(last, 1006) is None
    assert reassembler.held_bytes == 2 * OVERHEAD + 1


def test_a_late_fragment_begins_anew():
    reassembler = Reassembler(timeout_ns=1000)
    reassembler.add(piece(4, 0, b"a" * 8, True), 0)
    assert reassembler.add(piece(4, 8, b"b", False), 1000) is None
    assert reassembler.add(piece(4, 0, b"c" * 8, True), 1001) is not None


@pytest.mark.parametrize("version", [4, 6])
def test_hostile_fragments_fill_only_what_they_may(version):
    reassembler = Reassembler(max_datagrams=8, max_fragments=4, max_bytes=4096)
    for number in range(500):
        reassembler.add(piece(version, number % 50 * 16, bytes(8), True, number // 3), number)
        assert reassembler.held_bytes <= 4096 and len(reassembler) <= 8
    reassembler.add(piece(version, 0, bytes(8000), True, 999), 500)
    assert reassembler.held_bytes <= 4096


def test_the_joined_packet_is_never_too_long_for_its_header():
    reassembler = Reassembler()
    assert reassembler.add(piece(4, 65504, b"b" * 11, False), 0) is None
    with_options = ipv4.Header(A4, B4, 17, identification=7, more_fragments=True, options=bytes(40))
    assert reassembler.add(ipv4.emit(with_options, b"a" * 8), 0) is None
    assert reassembler.discarded == 1


@given(
    st.binary(min_size=1, max_size=400),
    st.integers(7, 20),
    st.randoms(use_true_random=False),
    st.sampled_from((4, 6)),
)
def test_apart_and_together_is_the_same(payload, eighths, random, version):
    ends = (A4, B4) if version == 4 else (A6, B6)
    packet = build(between(*ends, Datagram(1, 2, payload)))
    pieces = fragment(packet, eighths * 8 + 12, 1)
    random.shuffle(pieces)
    reassembler = Reassembler()
    assert [reassembler.add(data, 0) for data in pieces] == [None] * (len(pieces) - 1) + [packet]


@given(st.binary(max_size=80), st.sampled_from((b"", b"\x45", b"\x60")))
def test_junk_is_refused(data, head):
    survives(lambda junk: Reassembler().add(junk, 0), head + data)
    survives(lambda junk: fragment(junk, 10_000), head + data)


def test_an_empty_packet_is_malformed():
    for read in (lambda: Reassembler().add(b"", 0), lambda: fragment(b"", 100)):
        with pytest.raises(Malformed):
            read()


def test_the_checksum_of_a_fragment_may_be_left_alone():
    data = bytearray(piece(4, 0, b"a" * 8, True))
    data[10] ^= 1
    with pytest.raises(Malformed):
        Reassembler().add(bytes(data), 0)
    assert Reassembler().add(bytes(data), 0, verify=False) is None
    assert replace(ipv4.parse(bytes(data), verify=False)[0], more_fragments=False).fragment is None
