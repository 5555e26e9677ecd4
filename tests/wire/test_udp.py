import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import udp
from tamiz.wire.errors import Malformed
from tamiz.wire.udp import Datagram
from tests.wire.cases import (
    A4,
    A6,
    B4,
    B6,
    DATAGRAM,
    UDP_V4,
    UDP_V6,
    datagrams,
    refuses_each_beginning,
    survives,
)

FAMILIES = [pytest.param(A4, B4, UDP_V4, id="IPv4"), pytest.param(A6, B6, UDP_V6, id="IPv6")]


@pytest.mark.parametrize(("src", "dst", "data"), FAMILIES)
def test_the_bytes_written_by_hand(src, dst, data):
    assert udp.parse(data, src, dst) == DATAGRAM
    assert udp.emit(DATAGRAM, src, dst) == data


def test_without_a_checksum_ipv4_is_content_and_ipv6_is_not():
    bare = UDP_V4[:6] + b"\0\0" + UDP_V4[8:]
    assert udp.parse(bare, A4, B4) == DATAGRAM
    with pytest.raises(Malformed, match=r"checksum 0x0000, wanted 0x05dc"):
        udp.parse(bare, A6, B6)
    assert udp.parse(bare, A6, B6, verify=False) == DATAGRAM


def test_a_checksum_that_comes_out_as_zero_is_sent_as_ones():
    found = [udp.emit(Datagram(0, port), A4, B4)[6:8] for port in range(0x10000)]
    assert found.count(b"\xff\xff") == 1 and b"\0\0" not in found
    assert udp.parse(udp.emit(Datagram(0, found.index(b"\xff\xff")), A4, B4), A4, B4).payload == b""


@pytest.mark.parametrize(
    ("length", "found"),
    [
        pytest.param(7, "a length of 7", id="shorter than its header"),
        pytest.param(12, "a length of 12", id="longer than its bytes"),
        pytest.param(0, "a length of 0", id="nothing, though it is there"),
    ],
)
def test_a_wrong_length_is_named(length, found):
    with pytest.raises(Malformed) as refusal:
        udp.parse(UDP_V4[:4] + length.to_bytes(2, "big") + UDP_V4[6:], A4, B4, base=20)
    assert (refusal.value.offset, refusal.value.found) == (24, found)


def test_bytes_after_the_length_do_not_belong_to_it():
    assert udp.parse(UDP_V4 + b"junk", A4, B4) == DATAGRAM


def test_a_capture_may_cut_the_payload():
    assert udp.parse(UDP_V4[:9], A4, B4, verify=False, wire_length=11) == Datagram(5353, 53, b"h")


def test_offload_leaves_a_length_of_zero():
    assert udp.parse(UDP_V4[:4] + b"\0\0" + UDP_V4[6:], A4, B4, verify=False) == DATAGRAM


def test_a_wrong_checksum_is_named_with_the_right_one():
    with pytest.raises(Malformed, match=r"UDP at byte 26: found checksum 0x7518, wanted 0x7519"):
        udp.parse(UDP_V4[:7] + b"\x18" + UDP_V4[8:], A4, B4, base=20)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Datagram(65536, 1), id="a port over 65,535"),
        pytest.param(lambda: udp.emit(Datagram(1, 1, bytes(65528)), A4, B4), id="more than the length can tell"),
    ],
)
def test_an_impossible_datagram_cannot_be_made(make):
    with pytest.raises(ValueError):
        make()


def test_no_beginning_is_read():
    refuses_each_beginning(lambda data: udp.parse(data, A4, B4), UDP_V4)


@given(datagrams)
def test_what_is_emitted_parses_to_the_same(datagram):
    for src, dst in ((A4, B4), (A6, B6)):
        assert udp.parse(udp.emit(datagram, src, dst), src, dst) == datagram


@given(st.binary(max_size=40), st.booleans())
def test_junk_is_refused(data, verify):
    survives(lambda junk: udp.parse(junk, A4, B4, verify=verify), data)
