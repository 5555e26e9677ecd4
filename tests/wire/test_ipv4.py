from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.wire import ipv4
from tamiz.wire.errors import Malformed
from tests.wire.cases import (
    A4,
    B4,
    HEADER_V4,
    IPV4_UDP,
    UDP_V4,
    headers_v4,
    payloads,
    refuses_each_beginning,
    survives,
)

WHOLE = IPV4_UDP + UDP_V4


def changed(place: int, value: int) -> bytes:
    return WHOLE[:place] + bytes((value,)) + WHOLE[place + 1 :]


@pytest.mark.parametrize(
    ("header", "first_bytes"),
    [
        pytest.param(HEADER_V4, "4500001f 12340000 4011", id="a plain header"),
        pytest.param(replace(HEADER_V4, dscp=46, ecn=1), "45b9001f 12340000 4011", id="a traffic class"),
        pytest.param(replace(HEADER_V4, dont_fragment=True), "4500001f 12344000 4011", id="not to be fragmented"),
        pytest.param(replace(HEADER_V4, more_fragments=True), "4500001f 12342000 4011", id="a first fragment"),
        pytest.param(replace(HEADER_V4, fragment_offset=1480), "4500001f 123400b9 4011", id="a last fragment"),
        pytest.param(replace(HEADER_V4, options=b"\x94\x04\0\0"), "46000023 12340000 4011", id="a router alert"),
    ],
)
def test_a_header_in_both_directions(header, first_bytes):
    data = ipv4.emit(header, UDP_V4)
    assert data[:10] == bytes.fromhex(first_bytes)
    assert ipv4.parse(data) == (header, UDP_V4, len(UDP_V4))


def test_the_bytes_written_by_hand():
    assert ipv4.parse(WHOLE) == (HEADER_V4, UDP_V4, 11)
    assert ipv4.emit(HEADER_V4, UDP_V4) == WHOLE


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        pytest.param(changed(0, 0x65), 0, "version 6", id="another version"),
        pytest.param(changed(0, 0x44), 0, "a header of 16 bytes", id="a header too small for itself"),
        pytest.param(changed(0, 0x4F), 0, "a header of 60 bytes", id="a header longer than the packet"),
        pytest.param(changed(3, 19), 2, "a total length of 19", id="a packet shorter than its header"),
        pytest.param(changed(3, 32), 2, "a total length of 32", id="a packet longer than its bytes"),
        pytest.param(changed(8, 63), 10, "checksum 0x7c63", id="a router forgot the checksum"),
    ],
)
def test_what_is_wrong_is_named(data, offset, found):
    with pytest.raises(Malformed) as refusal:
        ipv4.parse(data)
    assert (refusal.value.offset, refusal.value.found) == (offset, found)


def test_the_padding_of_a_link_is_left_out():
    assert ipv4.parse(WHOLE + bytes(15)) == ipv4.parse(WHOLE)


def test_a_payload_that_a_capture_cut_keeps_its_length():
    assert ipv4.parse(WHOLE[:24], truncated=True) == (HEADER_V4, UDP_V4[:4], 11)


def test_segmentation_offload_leaves_a_total_length_of_zero():
    offloaded = WHOLE[:2] + b"\0\0" + WHOLE[4:10] + b"\0\0" + WHOLE[12:]
    assert ipv4.parse(offloaded, verify=False) == (HEADER_V4, UDP_V4, 11)
    with pytest.raises(Malformed):
        ipv4.parse(offloaded)


def test_the_reserved_flag_is_ignored():
    data = bytearray(WHOLE)
    data[6] |= 0x80
    assert ipv4.parse(bytes(data), verify=False)[0] == HEADER_V4


def test_fragments_know_their_place():
    assert HEADER_V4.fragment is None
    assert replace(HEADER_V4, more_fragments=True).fragment == ipv4.Fragment(0, True, 0x1234)
    assert replace(HEADER_V4, fragment_offset=8).fragment == ipv4.Fragment(8, False, 0x1234)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"src": b"abc"}, id="an address of three bytes"),
        pytest.param({"dst": bytes(16)}, id="an IPv6 address"),
        pytest.param({"ttl": 256}, id="a time to live over 255"),
        pytest.param({"fragment_offset": 4}, id="an offset that is no multiple of eight"),
        pytest.param({"fragment_offset": 65536}, id="an offset beyond the field"),
        pytest.param({"options": b"\x01"}, id="options not padded to four"),
        pytest.param({"options": bytes(44)}, id="more options than fit"),
    ],
)
def test_an_impossible_header_cannot_be_made(change):
    with pytest.raises(ValueError):
        replace(HEADER_V4, **change)


def test_a_packet_too_long_cannot_be_made():
    assert len(ipv4.emit(HEADER_V4, bytes(65515))) == 65535
    with pytest.raises(ValueError):
        ipv4.emit(HEADER_V4, bytes(65516))


def test_no_beginning_is_read():
    refuses_each_beginning(ipv4.parse, WHOLE)


@given(headers_v4(99), payloads)
def test_what_is_emitted_parses_to_the_same(header, payload):
    assert ipv4.parse(ipv4.emit(header, payload)) == (header, payload, len(payload))


@given(st.binary(max_size=80))
def test_junk_is_refused(data):
    survives(ipv4.parse, data)
    survives(lambda junk: ipv4.parse(junk, verify=False, truncated=True), b"\x45" + data)


def test_the_pseudo_header_ends_at_the_destination():
    assert (HEADER_V4.final_destination, HEADER_V4.hops, HEADER_V4.version) == (B4, 64, 4)
    assert HEADER_V4.src == A4
